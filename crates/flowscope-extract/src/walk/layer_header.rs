use flowscope_core::{LinkType, NextHeader, PathLayer};

/// The header of one layer of encapsulation: its layer, the kind of its payload, and where that begins.
pub(super) struct LayerHeader {
    pub(super) layer: PathLayer,
    pub(super) next: NextHeader,
    pub(super) offset: usize,
}

pub(super) const ETHERNET: NextHeader = NextHeader::Link(LinkType::ETHERNET);

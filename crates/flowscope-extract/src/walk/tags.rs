use flowscope_core::{Cursor, Layer, NextHeader, PacketView, VlanTag};

/// The tag beside the frame, as long as the cursor is before the frame's own link header.
#[inline]
pub(super) fn pending_tag(view: &PacketView<'_>) -> Option<VlanTag> {
    match view.cursor() {
        Cursor { next: NextHeader::Link(_), offset: 0, .. } => view.vlan(),
        _ => None,
    }
}

/// Apart, since most frames have no tag beside them to ask about.
#[cold]
pub(super) fn has_pending_tag(view: &PacketView<'_>) -> bool {
    pending_tag(view).is_some()
}

#[inline]
pub(super) fn is_kind(wanted: Layer, found: Layer) -> bool {
    found == wanted || (wanted == Layer::Gre && matches!(found, Layer::Nvgre | Layer::Erspan))
}

/// Customer tag, service tag, and what came before the standard for the latter.
#[inline]
pub(super) const fn is_tag(ethertype: u16) -> bool {
    matches!(ethertype, 0x8100 | 0x88a8 | 0x9100)
}

use flowscope_core::LinkType;

use crate::clock::Clock;

/// What a capture says of an interface that packets were captured on.
///
/// A pcap file has one. The counters are those of the last interface statistics block
/// (draft-ietf-opsawg-pcapng, section 4.6) that carried them: totals since the capture began, not
/// differences. They count what was lost before the file was written.
#[derive(Clone, Debug)]
pub struct Interface {
    pub(crate) link: LinkType,
    pub(crate) snaplen: u32,
    pub(crate) clock: Clock,
    pub(crate) name: Option<Box<str>>,
    pub(crate) description: Option<Box<str>>,
    pub(crate) received: Option<u64>,
    pub(crate) dropped: Option<u64>,
    pub(crate) dropped_by_os: Option<u64>,
}

impl Interface {
    pub(crate) fn new(link: LinkType, snaplen: u32, clock: Clock) -> Interface {
        Interface {
            link,
            snaplen,
            clock,
            name: None,
            description: None,
            received: None,
            dropped: None,
            dropped_by_os: None,
        }
    }

    /// What its frames begin with.
    #[must_use]
    pub fn link(&self) -> LinkType {
        self.link
    }

    /// The most bytes of a frame that were captured; 0 if there was no limit.
    #[must_use]
    pub fn snaplen(&self) -> u32 {
        self.snaplen
    }

    /// The resolution of its times, in ticks per second: 1 000 000 unless the file says otherwise.
    #[must_use]
    pub fn ticks_per_second(&self) -> u64 {
        self.clock.ticks_per_second()
    }

    /// Seconds that were added to its times (`if_tsoffset`).
    #[must_use]
    pub fn time_offset(&self) -> i64 {
        self.clock.offset()
    }

    /// Its name (`if_name`), at most 256 bytes of it. Text of the file: escape it where it is shown.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Its description (`if_description`), as [`name`](Self::name).
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Packets that the interface received (`isb_ifrecv`), if the capture said.
    #[must_use]
    pub fn received(&self) -> Option<u64> {
        self.received
    }

    /// Packets that the interface dropped for want of room (`isb_ifdrop`), if the capture said.
    #[must_use]
    pub fn dropped(&self) -> Option<u64> {
        self.dropped
    }

    /// Packets that the operating system dropped (`isb_osdrop`), if the capture said.
    #[must_use]
    pub fn dropped_by_os(&self) -> Option<u64> {
        self.dropped_by_os
    }
}

/// As much of a name as is kept: files choose how many interfaces there are and how long their
/// names, so both are bounded.
pub(crate) fn bounded_text(bytes: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(bytes.get(..MAX_TEXT).unwrap_or(bytes));
    let mut text = text.into_owned();
    // A replacement character is longer than the byte that it replaces.
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text.into_boxed_str()
}

const MAX_TEXT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_at_a_character() {
        assert_eq!(&*bounded_text("eth0".as_bytes()), "eth0");
        assert!(bounded_text(&[0xff; 1000]).len() <= MAX_TEXT);
        assert!(bounded_text("aé".repeat(400).as_bytes()).len() <= MAX_TEXT);
    }
}

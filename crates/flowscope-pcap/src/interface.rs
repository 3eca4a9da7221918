use flowscope_core::LinkType;

use crate::clock::Clock;

/// Description of a capture interface in a file.
///
/// A pcap file has one. The counters come from the last interface statistics block (draft-ietf-opsawg-pcapng,
/// section 4.6) with such a counter. They are totals since the start of the capture, and count losses before
/// the file was written.
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

    /// Link type of its frames.
    #[must_use]
    pub fn link(&self) -> LinkType {
        self.link
    }

    /// Snap length in bytes; 0 if there was no limit.
    #[must_use]
    pub fn snaplen(&self) -> u32 {
        self.snaplen
    }

    /// Resolution of its timestamps in ticks per second; 1 000 000 by default.
    #[must_use]
    pub fn ticks_per_second(&self) -> u64 {
        self.clock.ticks_per_second()
    }

    /// Seconds added to its timestamps (`if_tsoffset`).
    #[must_use]
    pub fn time_offset(&self) -> i64 {
        self.clock.offset()
    }

    /// Its name (`if_name`), cut to 256 bytes. This is text of the file: escape it for display.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Its description (`if_description`), as [`name`](Self::name).
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Packets received by the interface (`isb_ifrecv`), if the file has the counter.
    #[must_use]
    pub fn received(&self) -> Option<u64> {
        self.received
    }

    /// Packets dropped by the interface for lack of buffers (`isb_ifdrop`), if the file has the counter.
    #[must_use]
    pub fn dropped(&self) -> Option<u64> {
        self.dropped
    }

    /// Packets dropped by the operating system (`isb_osdrop`), if the file has the counter.
    #[must_use]
    pub fn dropped_by_os(&self) -> Option<u64> {
        self.dropped_by_os
    }
}

/// Converts a name, cut to 256 bytes: the file chooses the number of interfaces and the length of names, so
/// both are bounded.
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

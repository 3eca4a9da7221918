use flowscope_core::{Announcement, Announcer};

/// The ways in which packets announce connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Announcers {
    /// A bit for each byte by which such a packet may begin.
    first_bytes: [u64; 4],
    all: Vec<Announcer>,
}

impl Announcers {
    pub(crate) fn new(all: Vec<Announcer>) -> Self {
        let mut first_bytes = [0; 4];
        for &byte in all.iter().flat_map(|announcer| announcer.first_bytes) {
            first_bytes[usize::from(byte >> 6)] |= 1 << (byte & 63);
        }
        Announcers { first_bytes, all }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What the payload of a packet announces.
    #[inline]
    pub(crate) fn find(&self, payload: &[u8]) -> Option<Announcement> {
        let first = *payload.first()?;
        if self.first_bytes[usize::from(first >> 6)] & 1 << (first & 63) == 0 {
            return None;
        }
        self.ask(payload)
    }

    #[cold]
    fn ask(&self, payload: &[u8]) -> Option<Announcement> {
        self.all.iter().find_map(|announcer| (announcer.find)(payload))
    }
}

use flowscope_core::{Loss, Timestamp};

use super::key::{Key, max_payload};
use super::store::{FragmentStore, StoredFragment};

/// An incomplete datagram, or a dropped one that is remembered.
#[derive(Debug)]
pub(super) struct Datagram {
    pub(super) key: Key,
    /// Arrival of its first fragment, by the watermark.
    pub(super) since: Timestamp,
    /// Time of the earliest of its frames.
    pub(super) first_ts: Timestamp,
    /// Frames held, and their wire bytes.
    pub(super) frames: u64,
    pub(super) wire: u64,
    /// Why it was dropped; its later fragments are dropped too.
    pub(super) dropped: Option<Loss>,
    /// Payload length in bytes, known from the last fragment; 0 before.
    pub(super) total: u32,
    /// Payload bytes of the buffered fragments.
    pub(super) received: u32,
    /// Where the header of the first fragment is in the store; its length is 0 before that arrives.
    pub(super) header_at: u32,
    pub(super) header_len: u32,
    pub(super) store: FragmentStore,
}

/// A received fragment that is not yet inserted.
#[derive(Clone, Copy, Debug)]
pub(super) struct IncomingFragment<'a> {
    /// First payload byte and the byte behind the last; at most 65 535.
    pub(super) start: u16,
    pub(super) end: u16,
    pub(super) more: bool,
    /// Its captured bytes.
    pub(super) bytes: &'a [u8],
}

/// What to do with a received fragment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Placement {
    /// Insert it at this index.
    Insert(usize),
    /// Ignore it: an exact duplicate.
    Duplicate,
    /// Drop the datagram.
    Conflict(Loss),
}

impl Datagram {
    pub(super) fn new(key: Key, since: Timestamp) -> Self {
        Datagram {
            key,
            since,
            first_ts: Timestamp::MAX,
            frames: 0,
            wire: 0,
            dropped: None,
            total: 0,
            received: 0,
            header_at: 0,
            header_len: 0,
            store: FragmentStore::default(),
        }
    }

    /// Number of buffered fragments.
    pub(super) fn pieces(&self) -> usize {
        self.store.pieces.len()
    }

    /// Where to insert a fragment; `head` is the length of its header if it is the first, else 0.
    pub(super) fn place(&self, new: &IncomingFragment<'_>, head: usize) -> Placement {
        let pieces = &self.store.pieces;
        let (start, end) = (u32::from(new.start), u32::from(new.end));
        let at = pieces.partition_point(|stored| stored.start < new.start);
        if let Some(stored) = pieces.get(at) {
            if stored.start == new.start && stored.end() == end {
                // RFC 8200 §4.5 lets exact duplicates be told from overlaps. Only the last piece
                // ends where the datagram does.
                let alike = (end == self.total) != new.more && self.same_bytes(*stored, new.bytes);
                return if alike {
                    Placement::Duplicate
                } else {
                    Placement::Conflict(Loss::FragOverlap)
                };
            }
            if u32::from(stored.start) < end {
                return Placement::Conflict(Loss::FragOverlap);
            }
        }
        if at > 0 && pieces[at - 1].end() > start {
            return Placement::Conflict(Loss::FragOverlap);
        }
        let is_last = at == pieces.len();
        let fits =
            if new.more { self.total == 0 || end < self.total } else { self.total == 0 && is_last };
        // The header of the first piece may be longer than those that the others had room for.
        let reach = pieces.last().map_or(end, |last| last.end().max(end));
        let most = max_payload(self.key.family, head.max(self.header_len as usize));
        if fits && reach as usize <= most {
            Placement::Insert(at)
        } else {
            Placement::Conflict(Loss::HeaderMalformed)
        }
    }

    /// Compares the bytes that both copies have captured.
    fn same_bytes(&self, stored: StoredFragment, bytes: &[u8]) -> bool {
        stored.bytes(&self.store.bytes).iter().zip(bytes).all(|(a, b)| a == b)
    }

    /// Adds a fragment; the store has room for it.
    pub(super) fn insert(&mut self, at: usize, new: &IncomingFragment<'_>) {
        let stored = StoredFragment {
            start: new.start,
            len: new.end - new.start,
            captured: new.bytes.len() as u16,
            at: self.store.bytes.len() as u32,
        };
        self.store.bytes.extend_from_slice(new.bytes);
        self.store.pieces.insert(at, stored);
        self.received += u32::from(stored.len);
        if !new.more {
            self.total = u32::from(new.end);
        }
    }

    /// Fragments neither overlap nor exceed the end, so the sum of their lengths is enough.
    pub(super) fn is_whole(&self) -> bool {
        self.total != 0 && self.received == self.total
    }

    /// How many bytes of the store are header and payload in their right order, up to the first
    /// that the capture lacks; `None` if pieces came in another order.
    pub(super) fn in_order(&self) -> Option<usize> {
        // The first piece follows its header, so if it is here the header is at the beginning.
        let mut end = self.header_len;
        for stored in &self.store.pieces {
            if stored.at != end {
                return None;
            }
            end += u32::from(stored.captured);
            if stored.captured < stored.len {
                break;
            }
        }
        Some(end as usize)
    }

    /// Appends header and payload in their right order, up to the first byte that the capture lacks.
    pub(super) fn assemble(&self, out: &mut Vec<u8>) {
        let bytes = &self.store.bytes;
        let from = self.header_at as usize;
        out.extend_from_slice(bytes.get(from..from + self.header_len as usize).unwrap_or_default());
        for stored in &self.store.pieces {
            out.extend_from_slice(stored.bytes(bytes));
            if stored.captured < stored.len {
                break;
            }
        }
    }
}

use flowscope_core::{Loss, Timestamp};

use super::key::{Key, most_payload};
use super::store::{Piece, Store};

/// A datagram of which pieces are missing, or one that was dropped and is remembered.
#[derive(Debug)]
pub(super) struct Datagram {
    pub(super) key: Key,
    /// When its first piece came, by the watermark.
    pub(super) since: Timestamp,
    /// Time of the earliest of its frames.
    pub(super) first_ts: Timestamp,
    /// Frames held, and their wire bytes.
    pub(super) frames: u64,
    pub(super) wire: u64,
    /// Why it was dropped: pieces that come later are too.
    pub(super) dropped: Option<Loss>,
    /// Payload bytes, once the last piece has told; 0 before.
    pub(super) total: u32,
    /// Payload bytes of the pieces so far.
    pub(super) received: u32,
    /// Where in the store the header of the first piece is; of length 0 before that has come.
    pub(super) header_at: u32,
    pub(super) header_len: u32,
    pub(super) store: Store,
}

/// A piece that has come and is not yet placed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival<'a> {
    /// Payload bytes before it, and up to its end; at most 65 535.
    pub(super) start: u16,
    pub(super) end: u16,
    pub(super) more: bool,
    /// What was captured of it.
    pub(super) bytes: &'a [u8],
}

/// What is to be done with a piece.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// Insert it at this index.
    At(usize),
    /// Leave it: it is there.
    Copy,
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
            store: Store::default(),
        }
    }

    /// How many pieces are held.
    pub(super) fn pieces(&self) -> usize {
        self.store.pieces.len()
    }

    /// Where a piece belongs; `head` is how long a header it brings along, if it is the first.
    pub(super) fn place(&self, new: &Arrival<'_>, head: usize) -> Place {
        let pieces = &self.store.pieces;
        let (start, end) = (u32::from(new.start), u32::from(new.end));
        let at = pieces.partition_point(|piece| piece.start < new.start);
        if let Some(piece) = pieces.get(at) {
            if piece.start == new.start && piece.end() == end {
                // RFC 8200 §4.5 lets exact duplicates be told from overlaps. Only the last piece
                // ends where the datagram does.
                let alike = (end == self.total) != new.more && self.same_bytes(*piece, new.bytes);
                return if alike { Place::Copy } else { Place::Conflict(Loss::FragOverlap) };
            }
            if u32::from(piece.start) < end {
                return Place::Conflict(Loss::FragOverlap);
            }
        }
        if at > 0 && pieces[at - 1].end() > start {
            return Place::Conflict(Loss::FragOverlap);
        }
        let is_last = at == pieces.len();
        let fits =
            if new.more { self.total == 0 || end < self.total } else { self.total == 0 && is_last };
        // The header of the first piece may be longer than those that the others had room for.
        let reach = pieces.last().map_or(end, |last| last.end().max(end));
        let most = most_payload(self.key.family, head.max(self.header_len as usize));
        if fits && reach as usize <= most {
            Place::At(at)
        } else {
            Place::Conflict(Loss::HeaderMalformed)
        }
    }

    /// Where the capture cut both differently, what is in both counts.
    fn same_bytes(&self, piece: Piece, bytes: &[u8]) -> bool {
        piece.bytes(&self.store.bytes).iter().zip(bytes).all(|(a, b)| a == b)
    }

    /// Adds a piece; the store has room for it.
    pub(super) fn insert(&mut self, at: usize, new: &Arrival<'_>) {
        let piece = Piece {
            start: new.start,
            len: new.end - new.start,
            captured: new.bytes.len() as u16,
            at: self.store.bytes.len() as u32,
        };
        self.store.bytes.extend_from_slice(new.bytes);
        self.store.pieces.insert(at, piece);
        self.received += u32::from(piece.len);
        if !new.more {
            self.total = u32::from(new.end);
        }
    }

    /// Pieces neither overlap nor reach beyond the last, so their lengths tell.
    pub(super) fn is_whole(&self) -> bool {
        self.total != 0 && self.received == self.total
    }

    /// How many bytes of the store are header and payload in their right order, up to the first
    /// that the capture lacks; `None` if pieces came in another order.
    pub(super) fn in_order(&self) -> Option<usize> {
        // The first piece follows its header, so if it is here the header is at the beginning.
        let mut end = self.header_len;
        for piece in &self.store.pieces {
            if piece.at != end {
                return None;
            }
            end += u32::from(piece.captured);
            if piece.captured < piece.len {
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
        for piece in &self.store.pieces {
            out.extend_from_slice(piece.bytes(bytes));
            if piece.captured < piece.len {
                break;
            }
        }
    }
}

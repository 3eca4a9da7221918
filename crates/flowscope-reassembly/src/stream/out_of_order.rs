use flowscope_core::{Segment, Timestamp};

use super::segment_store::Held;
use super::spans::Spans;

/// What a stream keeps while something is missing.
#[derive(Debug, Default)]
pub(super) struct OutOfOrder {
    /// Bytes behind a hole.
    pub(super) held: Held,
    /// What the snap length cut off segments behind a hole: it is known not to come by itself.
    pub(super) cuts: Spans,
    /// Where the stream ends, and when that became known.
    pub(super) fin: Option<(u64, Timestamp)>,
    /// Since when the hole at the stream's position is there, and that position.
    pub(super) hole: Option<(u64, Timestamp)>,
    /// What the receiver has acknowledged beyond the position, and when.
    pub(super) acked: Option<(u64, Timestamp)>,
    /// The newest acknowledgement behind that one: its grace is its own.
    pub(super) acked_later: Option<(u64, Timestamp)>,
    /// A segment far ahead, until the next one tells.
    pub(super) stray: Option<Stashed>,
    /// Whole segments that came while it was not known where the stream begins, or without a sink.
    pub(super) stash: Vec<Stashed>,
    /// Payload bytes in the stash.
    pub(super) stashed: usize,
    /// Bytes that were refused while there was no sink to tell.
    pub(super) refused: u64,
}

/// A segment that was set aside as it is.
#[derive(Debug)]
pub(super) struct Stashed {
    pub(super) seq: u32,
    pub(super) wire_len: u32,
    pub(super) fin: bool,
    pub(super) ts: Timestamp,
    pub(super) payload: Box<[u8]>,
}

/// A segment without its acknowledgement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) seq: u32,
    pub(super) wire_len: u32,
    pub(super) fin: bool,
    pub(super) ts: Timestamp,
    pub(super) payload: &'a [u8],
}

impl OutOfOrder {
    /// Where the next thing that is known begins: data, a cut, or the end of the stream.
    pub(super) fn next(&self) -> Option<(u64, Timestamp)> {
        let held = self.held.spans().first().map(|span| (span.start, span.since));
        let cut = self.cuts.first().map(|span| (span.start, span.since));
        [held, cut, self.fin].into_iter().flatten().min()
    }

    /// The receiver has acknowledged up to `offset`, beyond the position.
    pub(super) fn note_ack(&mut self, offset: u64, ts: Timestamp) {
        match &mut self.acked {
            None => self.acked = Some((offset, ts)),
            Some((first, _)) if offset <= *first => {}
            Some(_) => {
                if self.acked_later.is_none_or(|(last, _)| offset > last) {
                    self.acked_later = Some((offset, ts));
                }
            }
        }
    }

    /// Forgets acknowledgements that the stream has reached.
    pub(super) fn pass_acks(&mut self, position: u64) {
        self.acked_later.take_if(|(offset, _)| *offset <= position);
        if self.acked.is_some_and(|(offset, _)| offset <= position) {
            self.acked = self.acked_later.take();
        }
    }

    pub(super) fn stash(&mut self, piece: Piece<'_>) {
        self.stashed += piece.payload.len();
        self.stash.push(piece.into());
    }

    pub(super) fn take_stash(&mut self) -> Vec<Stashed> {
        self.stashed = 0;
        std::mem::take(&mut self.stash)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.next().is_none()
            && self.acked.is_none()
            && self.stray.is_none()
            && self.stash.is_empty()
            && self.refused == 0
    }

    pub(super) fn pending(&self) -> u64 {
        let stray = self.stray.as_ref().map_or(0, |stray| stray.payload.len());
        self.held.pending() + (stray + self.stashed) as u64 + self.refused
    }

    /// Bytes of memory, this value included.
    pub(super) fn cost(&self) -> usize {
        let stray = self.stray.as_ref().map_or(0, |stray| stray.payload.len());
        size_of::<OutOfOrder>() + self.waiting_cost() + self.stash_cost() + stray
    }

    /// What can be made smaller by releasing a hole.
    pub(super) fn waiting_cost(&self) -> usize {
        self.held.cost() + self.cuts.cost()
    }

    pub(super) fn stash_cost(&self) -> usize {
        self.stash.capacity() * size_of::<Stashed>() + self.stashed
    }
}

impl<'a> Piece<'a> {
    pub(super) fn wire_len(&self) -> u64 {
        u64::from(self.wire_len).max(self.payload.len() as u64)
    }
}

impl<'a> From<&Segment<'a>> for Piece<'a> {
    fn from(segment: &Segment<'a>) -> Self {
        Piece {
            seq: segment.seq,
            wire_len: segment.wire_len,
            fin: segment.fin,
            ts: segment.ts,
            payload: segment.payload,
        }
    }
}

impl<'a> From<&'a Stashed> for Piece<'a> {
    fn from(stashed: &'a Stashed) -> Self {
        Piece {
            seq: stashed.seq,
            wire_len: stashed.wire_len,
            fin: stashed.fin,
            ts: stashed.ts,
            payload: &stashed.payload,
        }
    }
}

impl From<Piece<'_>> for Stashed {
    fn from(piece: Piece<'_>) -> Self {
        Stashed {
            seq: piece.seq,
            wire_len: piece.wire_len,
            fin: piece.fin,
            ts: piece.ts,
            payload: piece.payload.into(),
        }
    }
}

impl OutOfOrder {
    /// Whether it is known, or about to be, where the stream ends.
    pub(super) fn has_fin(&self) -> bool {
        self.fin.is_some() || self.stash.iter().any(|stashed| stashed.fin)
    }

    /// The lowest sequence number in the stash, of those not too far from the first one.
    pub(super) fn first_seq(&self, max_ahead: u32) -> Option<u32> {
        let first = self.stash.first()?.seq;
        let behind = self.stash.iter().map(|stashed| first.wrapping_sub(stashed.seq));
        let most = behind.filter(|behind| *behind <= max_ahead).max().unwrap_or(0);
        Some(first.wrapping_sub(most))
    }

    /// The highest sequence number behind what is in the stash, and `known`.
    pub(super) fn last_seq(&self, known: Option<u32>) -> Option<u32> {
        self.stash.iter().map(Stashed::end).chain(known).reduce(later)
    }
}

/// The later of two sequence numbers (RFC 9293 §3.4).
fn later(a: u32, b: u32) -> u32 {
    if a.wrapping_sub(b).cast_signed() > 0 { a } else { b }
}

impl Stashed {
    /// The sequence number behind it.
    pub(super) fn end(&self) -> u32 {
        self.seq.wrapping_add(self.wire_len)
    }
}

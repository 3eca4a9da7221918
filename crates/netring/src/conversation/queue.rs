use std::collections::VecDeque;
use std::mem;
use std::task::Waker;

use flowscope_core::{FlowSide, Loss};
use tokio::time::Instant;

use super::block::Block;
use super::hub::{Hub, State};
use super::{Ended, GapCause, Piece, Stalled};

/// What waits in the channel of one flow.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) pieces: VecDeque<Piece>,
    /// Credit used by the pieces.
    pub(super) used: usize,
    /// Payload bytes in the pieces.
    pub(super) queued: u64,
    pub(super) block: Block,
    /// Nothing is queued until half of the credit is free again.
    pub(super) lagging: bool,
    /// Offset and length of the bytes dropped meanwhile, by side.
    missing: [Option<(u64, u64)>; 2],
    /// Bytes dropped so far.
    pub(super) lagged: u64,
    /// The last piece, until it is read.
    pub(super) ended: Option<Ended>,
    /// No more pieces will be queued.
    pub(super) closed: bool,
    /// Closed because the reader was too slow.
    pub(super) too_slow: bool,
    /// Counted in the hub as a channel that has used up its credit.
    full: bool,
    pub(super) reader: Option<Waker>,
    pub(super) turn: ReaderTurn,
}

/// Whether the reader of a channel has had its turn.
#[derive(Debug, Default)]
pub(super) struct ReaderTurn {
    /// Counted in the hub as a channel whose reader has to take something before the capture goes on.
    pub(super) awaited: bool,
    /// Credit in use at which the reader is not awaited any more.
    enough: usize,
    /// When it was first awaited, if it is.
    pub(super) since: Option<Instant>,
    /// The reader has taken a piece and did not come back for the next one. Otherwise it waits to be
    /// woken, or to be run.
    pub(super) busy: bool,
    /// When it took the last piece since it is awaited.
    pub(super) taken: Option<Instant>,
    /// It had its turn and did not take enough. Nothing more than the credit is queued for it until
    /// it has read all.
    slow: bool,
}

/// Credit of a piece in addition to its bytes.
pub(super) const PIECE: usize = size_of::<Piece>();

pub(super) const SIDES: [FlowSide; 2] = [FlowSide::Initiator, FlowSide::Responder];

impl Queue {
    /// How many of `len` bytes fit.
    pub(super) fn fitting(&mut self, hub: &Hub, state: &State, len: usize) -> usize {
        if hub.policy == Stalled::Wait {
            return len;
        }
        let share = self.share(hub, state);
        if self.lagging && self.used > share / 2 {
            return 0;
        }
        let most = if self.turn.slow { share } else { self.used + hub.left(state) };
        let fits = most.saturating_sub(self.used).saturating_sub(PIECE).min(len);
        self.lagging &= fits == 0;
        fits
    }

    /// Most credit that a slow reader may use.
    fn share(&self, hub: &Hub, state: &State) -> usize {
        hub.credit.min(hub.unread_share(state))
    }

    /// Whether there is more than should wait, and the reader has not had its turn to read it. From
    /// then on it is awaited.
    pub(super) fn await_reader(&mut self, hub: &Hub, state: &mut State) -> bool {
        if hub.policy == Stalled::Wait || self.turn.slow || self.turn.awaited {
            return false;
        }
        let most = hub.burst_credit(state).min(hub.unread_share(state));
        if self.used <= most {
            return false;
        }
        self.turn.awaited = true;
        self.turn.enough = most / 2;
        state.awaited += 1;
        true
    }

    /// Ends the wait for the reader.
    pub(super) fn awaited_no_more(&mut self, state: &mut State) {
        if mem::take(&mut self.turn.awaited) {
            state.awaited -= 1;
        }
        (self.turn.since, self.turn.taken) = (None, None);
    }

    /// Notes that the reader has nothing more to take: it is not slow.
    pub(super) fn caught_up(&mut self) {
        self.turn.busy = false;
        self.turn.slow = false;
    }

    /// The reader had its turn: what exceeds the credit is dropped.
    pub(super) fn give_up(&mut self, hub: &Hub, state: &mut State) {
        self.awaited_no_more(state);
        self.turn.slow = true;
        let mut fins = [false; 2];
        while self.used > self.share(hub, state)
            && let Some(piece) = self.pieces.pop_back()
        {
            let payload = piece.payload();
            self.free(hub, state, PIECE + payload, payload);
            match piece {
                Piece::Bytes { side, offset, ts, mut bytes } => {
                    let room = self.share(hub, state).saturating_sub(self.used + PIECE);
                    let dropped = bytes.len() - room.min(bytes.len());
                    bytes.truncate(room);
                    self.miss_before(side, offset + bytes.len() as u64, dropped as u64);
                    self.let_go(state, dropped as u64);
                    if !bytes.is_empty() {
                        self.push_back(hub, state, Piece::Bytes { side, offset, ts, bytes });
                        break;
                    }
                }
                Piece::Gap { side, offset, len, .. } => self.miss_before(side, offset, len),
                Piece::Fin { side } => fins[side.index()] = true,
                Piece::Ended(_) => {}
            }
        }
        if hub.policy == Stalled::Close {
            self.missing = [None; 2];
            self.too_slow = true;
            if !self.closed {
                self.close(Ended::Lagged);
            }
            return;
        }
        self.lagging = true;
        for side in SIDES {
            // Nothing of this side follows.
            if fins[side.index()] || self.closed {
                self.tell_missing(hub, state, side);
            }
            if fins[side.index()] {
                self.push_back(hub, state, Piece::Fin { side });
            }
        }
    }

    /// Queues a piece, after a gap for the bytes dropped before it.
    pub(super) fn push(&mut self, hub: &Hub, state: &mut State, piece: Piece) {
        if matches!(piece, Piece::Bytes { .. }) {
            for side in SIDES {
                self.tell_missing(hub, state, side);
            }
        }
        state.pushed += PIECE + piece.payload();
        self.push_back(hub, state, piece);
    }

    fn push_back(&mut self, hub: &Hub, state: &mut State, piece: Piece) {
        let payload = piece.payload();
        self.pieces.push_back(piece);
        self.used += PIECE + payload;
        self.queued += payload as u64;
        state.used += PIECE + payload;
        state.queued += payload as u64;
        if !self.full && self.used >= hub.credit {
            self.full = true;
            state.full += 1;
        }
    }

    /// Returns the credit of pieces that were read.
    pub(super) fn free(&mut self, hub: &Hub, state: &mut State, used: usize, payload: usize) {
        self.used -= used;
        self.queued -= payload as u64;
        state.used -= used;
        state.queued -= payload as u64;
        if self.full && self.used < hub.credit {
            self.full = false;
            state.full -= 1;
        }
        if self.turn.awaited && self.used <= self.turn.enough {
            self.awaited_no_more(state);
        }
    }

    pub(super) fn let_go(&mut self, state: &mut State, bytes: u64) {
        self.lagged += bytes;
        state.lost.lose(Loss::SubscriberLag, bytes);
    }

    /// Records dropped bytes. Streams are in order, so they adjoin those dropped before.
    pub(super) fn miss(&mut self, side: FlowSide, offset: u64, len: u64) {
        let (_, missing) = self.missing[side.index()].get_or_insert((offset, 0));
        *missing += len;
    }

    /// Records dropped bytes in front of those dropped before.
    fn miss_before(&mut self, side: FlowSide, offset: u64, len: u64) {
        if len > 0 {
            let (at, missing) = self.missing[side.index()].get_or_insert((offset, 0));
            *at = offset;
            *missing += len;
        }
    }

    /// Queues a gap for the dropped bytes.
    pub(super) fn tell_missing(&mut self, hub: &Hub, state: &mut State, side: FlowSide) {
        if let Some((offset, len)) = self.missing[side.index()].take() {
            let cause = GapCause::Lag;
            self.push_back(hub, state, Piece::Gap { side, offset, len, cause });
        }
    }

    pub(super) fn close(&mut self, ended: Ended) {
        self.ended = Some(ended);
        self.closed = true;
    }

    /// Takes the block out. Pieces that were read may still refer to it.
    pub(super) fn drop_block(&mut self, state: &mut State) -> Block {
        state.blocks -= self.block.size();
        mem::take(&mut self.block)
    }
}

impl Piece {
    pub(super) fn payload(&self) -> usize {
        match self {
            Piece::Bytes { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }
}

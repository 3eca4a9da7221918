use flowscope_core::{FlowSide, Timestamp};

use crate::{StopReason, StreamPosition};

/// Receives the messages of a parser, flow by flow.
///
/// A closure is one, and so is a type of one's own, which can also receive gaps and stops of
/// parsers. [`Callbacks`](crate::Callbacks) clones it for each side of each flow.
pub trait MessageHandler<K, M> {
    /// Receives a message.
    fn message(&mut self, origin: Origin<'_, K>, message: M);

    /// Receives the length of a gap: `len` bytes at the origin's offset were never captured.
    fn gap(&mut self, _origin: Origin<'_, K>, _len: u64) {}

    /// Receives the stop of a parser: it reads no more of `side`, or of both sides if that is `None`.
    fn stopped(&mut self, _origin: Origin<'_, K>, _side: Option<FlowSide>, _why: StopReason) {}
}

impl<K, M, H: FnMut(Origin<'_, K>, M)> MessageHandler<K, M> for H {
    fn message(&mut self, origin: Origin<'_, K>, message: M) {
        self(origin, message);
    }
}

/// Flow, side, time and stream offset of a message.
#[derive(Debug, Eq, PartialEq)]
pub struct Origin<'a, K> {
    /// Key of the flow.
    pub key: &'a K,
    /// The side whose bytes completed the message; for what the flow's end completes, the side that
    /// reset the flow, else the initiator.
    pub side: FlowSide,
    /// Capture time of the packet that completed the message.
    pub ts: Timestamp,
    /// Stream offset of the first of the bytes that completed the message.
    pub offset: u64,
}

impl<'a, K> Origin<'a, K> {
    pub(crate) fn new(key: &'a K, at: StreamPosition) -> Self {
        Origin { key, side: at.side, ts: at.ts, offset: at.offset }
    }
}

impl<K> Clone for Origin<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Origin<'_, K> {}

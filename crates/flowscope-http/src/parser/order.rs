//! The order in which the two sides are read: that in which they were sent, as far as it is known.

use flowscope_core::{FlowSide, ParserStatus, StreamChunk};

use super::HttpParser;
use crate::held::{Held, Input};
use crate::message::HttpMessage;
use crate::stream_state::State;

impl HttpParser {
    /// Reads a chunk, or holds it until what its segment acknowledges is there.
    pub(super) fn take_chunk(
        &mut self,
        chunk: StreamChunk<'_>,
        out: &mut Vec<HttpMessage>,
    ) -> ParserStatus {
        let side = chunk.side;
        if !self.sides[side.index()].begun || self.within {
            self.begin_side(&chunk);
        }
        if self.holds(side) || self.held.is_none() && self.must_wait(side, chunk.acked, chunk.bytes)
        {
            return self.hold(side, chunk.into(), out);
        }
        // While the other side waits, this is what it waits for, whatever this acknowledges itself:
        // a retransmission may acknowledge what its first copy did not.
        self.read_chunk(chunk, out);
        self.release(side, out)
    }

    /// Handles the first chunk of a side. A parser that begins behind another protocol, as behind that of a proxy, does not
    /// know where the other side stands, until it learns what of it was read before this.
    #[cold]
    fn begin_side(&mut self, chunk: &StreamChunk<'_>) {
        let own = &mut self.sides[chunk.side.index()];
        if !std::mem::replace(&mut own.begun, true) {
            self.within |= chunk.offset > own.pos;
        }
        let other = &mut self.sides[(!chunk.side).index()];
        if self.within
            && !other.begun
            && let Some(acked) = chunk.acked
        {
            (other.pos, other.begun) = (acked, true);
        }
    }

    /// Handles a gap, in its place among the bytes of its side.
    pub(super) fn take_gap(
        &mut self,
        side: FlowSide,
        len: u64,
        out: &mut Vec<HttpMessage>,
    ) -> ParserStatus {
        self.sides[side.index()].begun = true;
        if self.holds(side) {
            return self.hold(side, Input::Gap(len), out);
        }
        self.read_gap(side, len, out);
        self.release(side, out)
    }

    /// Handles the end of a side, behind its bytes.
    pub(super) fn take_fin(&mut self, side: FlowSide, out: &mut Vec<HttpMessage>) {
        if self.holds(side) {
            self.hold(side, Input::Fin, out);
        } else {
            self.read_fin(side, out);
            self.release(side, out);
        }
    }

    /// Reads all that is held, since nothing more comes.
    pub(super) fn read_held(&mut self, out: &mut Vec<HttpMessage>) {
        let now = self.now;
        while self.final_status.is_none()
            && let Some(input) = self.held.as_mut().and_then(|held| held.pop())
        {
            self.read(input, out);
        }
        self.held = None;
        self.now = self.now.max(now);
    }

    /// Leaves what is held of a tunnel to who reads that, up to the first gap.
    #[cold]
    pub(super) fn leave_held(&mut self) {
        let Some(held) = self.held.take() else { return };
        for chunk in held.chunks() {
            self.leave(chunk.side, chunk.offset, chunk.bytes);
        }
    }

    #[inline]
    fn holds(&self, side: FlowSide) -> bool {
        self.held.as_ref().is_some_and(|held| held.side == side)
    }

    /// Whether bytes of `side` were sent after bytes of the other side that are still to come, and how
    /// they are read may depend on those.
    #[inline]
    fn must_wait(&self, side: FlowSide, acked: Option<u64>, bytes: &[u8]) -> bool {
        let other = &self.sides[(!side).index()];
        acked.is_some_and(|acked| acked > other.pos) && self.is_early(side, acked, bytes)
    }

    #[cold]
    fn is_early(&self, side: FlowSide, acked: Option<u64>, bytes: &[u8]) -> bool {
        let (own, other) = (&self.sides[side.index()], &self.sides[(!side).index()]);
        match own.state {
            // Bytes within a body are read alike, whatever comes before them.
            State::Length(left) if bytes.len() as u64 <= left => return false,
            State::UntilClose | State::Ended | State::Stopped => return false,
            _ => {}
        }
        if matches!(other.state, State::Ended | State::Stopped) {
            return false;
        }
        match acked.map_or(0, |acked| acked.saturating_sub(other.pos)) {
            0 => false,
            // One sequence number behind the last message is that of a FIN, rather than of a byte.
            1 => other.in_body() || !other.buf.is_empty(),
            _ => true,
        }
    }

    #[cold]
    fn hold(&mut self, side: FlowSide, input: Input, out: &mut Vec<HttpMessage>) -> ParserStatus {
        let held = self.held.get_or_insert_with(|| Box::new(Held::new(side)));
        held.push(input);
        if held.heap_bytes() > self.config.max_held {
            // What they answer, or follow, cannot be told any more.
            self.pairing.requests_lost();
            self.pairing.responses_lost();
            self.read_held(out);
        }
        self.status(side)
    }

    /// Reads what is held and need not wait any longer, after input of `side`.
    #[inline]
    fn release(&mut self, side: FlowSide, out: &mut Vec<HttpMessage>) -> ParserStatus {
        if self.held.is_some() {
            self.release_held(out);
            if let status @ ParserStatus::StopSide(_) = self.status(!side) {
                return status;
            }
        }
        self.status(side)
    }

    #[cold]
    fn release_held(&mut self, out: &mut Vec<HttpMessage>) {
        let now = self.now;
        while self.final_status.is_none()
            && let Some(held) = &self.held
        {
            match held.front() {
                Some(Input::Chunk(chunk))
                    if self.must_wait(held.side, chunk.acked, &chunk.bytes) =>
                {
                    self.now = self.now.max(now);
                    return;
                }
                _ => {}
            }
            match self.held.as_mut().and_then(|held| held.pop()) {
                Some(input) => self.read(input, out),
                None => self.held = None,
            }
        }
        self.held = None;
        self.now = self.now.max(now);
    }

    fn read(&mut self, input: Input, out: &mut Vec<HttpMessage>) {
        let Some(side) = self.held.as_ref().map(|held| held.side) else { return };
        match input {
            Input::Chunk(chunk) => self.read_chunk(chunk.as_chunk(), out),
            Input::Gap(len) => self.read_gap(side, len, out),
            Input::Fin => self.read_fin(side, out),
        }
    }
}

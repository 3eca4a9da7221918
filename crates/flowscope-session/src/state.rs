use flowscope_core::{FlowSide, Loss, ParserStatus, Probe, Segment, StreamChunk};

use crate::delivery::{Delivery, StopReason, StreamEnd, StreamPosition};

/// The state of a parser that reads the two streams of a flow.
///
/// It decides what a parser learns, in which order, and what becomes of bytes that are not read:
///
/// - A side whose SYN was not seen starts in mid-stream, as its first chunk
///   [says](StreamChunk::mid_stream). Unless its first bytes [look like a start](Delivery::probe), the
///   parser gets a gap of length 0 before them.
/// - A gap is reported, then passed to the parser.
/// - A parser may stop one side. The other goes on; when both are stopped, parsing ends.
/// - A parser whose protocol is followed by another in the same connection gives way to that one's, up to
///   four times, where the [`Delivery`] has parsers of several protocols. Elsewhere it is done.
/// - The streams that a parser's [carry](ParserStatus::Carries) are read by another parser beside it, where the
///   [`Delivery`] has several. A side that is no longer read is stopped. Where carried streams cannot be
///   read, the parser is done.
/// - Other connections that a parser [expects](ParserStatus::Expects) are handed to the [`Delivery`].
/// - A parser that is done or has failed, or for which there is no memory, gets its last call
///   ([`StreamEnd::End`]) and is released. The flow goes on without it.
/// - The FIN of a side is passed on once, after its last byte, unless the side is stopped, and again if it was
///   [retracted](Self::retract_fin); a reset after all bytes of both sides.
/// - Each payload byte goes to the parser or is reported as a loss.
///
/// The parser and the receiver of its messages are the [`Delivery`] that each call is given. One
/// state machine thus serves the callback shape ([`Callbacks`](crate::Callbacks)) and the session
/// drivers. It holds no bytes and allocates nothing.
#[derive(Clone, Debug)]
pub struct ParserState {
    /// Sides whose start was not seen, and of which nothing was delivered yet.
    mid_stream: [bool; 2],
    /// Sides that the parser has stopped.
    stopped: [bool; 2],
    /// Sides whose FIN was passed on.
    finished: [bool; 2],
    /// How often another protocol took over.
    upgrades: u8,
    /// Why neither side is read any more.
    over: Option<Loss>,
}

/// Protocols within each other are followed this deep: a peer that upgrades for ever costs no more.
const MAX_UPGRADES: u8 = 4;

impl Default for ParserState {
    fn default() -> Self {
        ParserState::new()
    }
}

impl ParserState {
    /// Creates the state of a flow of which no SYN was seen yet.
    #[must_use]
    pub fn new() -> Self {
        ParserState {
            mid_stream: [true; 2],
            stopped: [false; 2],
            finished: [false; 2],
            upgrades: 0,
            over: None,
        }
    }

    /// Creates the state of a flow that no parser reads: its payload is lost to `cause`.
    #[must_use]
    pub fn unread(cause: Loss) -> Self {
        ParserState { over: Some(cause), ..ParserState::new() }
    }

    /// Takes the payload out of a segment whose side is not read, and reports it as lost, before the
    /// segment is reassembled.
    ///
    /// Nothing needs to wait then. The acknowledgement is taken out too where the other side is not read: nothing of
    /// that is waited for.
    #[inline]
    pub fn segment(&mut self, segment: &mut Segment<'_>, to: &mut impl Delivery) {
        if let Some(cause) = self.loss(segment.side) {
            if !segment.payload.is_empty() {
                to.report_loss(cause, segment.payload.len() as u64);
            }
            segment.remove_payload();
        }
        if self.loss(!segment.side).is_some() {
            segment.ack = None;
        }
    }

    /// Handles the SYN of a side: the start of its stream was seen.
    #[inline]
    pub fn syn(&mut self, side: FlowSide) {
        self.mid_stream[side.index()] = false;
    }

    /// Handles in-order bytes of a side.
    #[inline]
    pub fn bytes(&mut self, mut chunk: StreamChunk<'_>, to: &mut impl Delivery) {
        if self.mid_stream[chunk.side.index()] {
            chunk.mid_stream = true;
            self.start_mid_stream(&chunk, to);
        }
        if let Some(cause) = self.loss(chunk.side) {
            return to.report_unread(cause, chunk);
        }
        let at = StreamPosition { side: chunk.side, ts: chunk.ts, offset: chunk.offset };
        let status = to.feed(chunk);
        self.apply_status(status, at, to);
    }

    /// Handles a gap of `len` bytes in the stream of a side.
    pub fn gap(&mut self, at: StreamPosition, len: u64, to: &mut impl Delivery) {
        if self.loss(at.side).is_none() {
            to.report_gap(at, len);
            self.skip(at, len, to);
        }
    }

    /// Passes a gap to the parser without reporting it.
    pub fn skip(&mut self, at: StreamPosition, len: u64, to: &mut impl Delivery) {
        self.mid_stream[at.side.index()] = false;
        if self.loss(at.side).is_none() {
            let status = to.gap(at, len);
            self.apply_status(status, at, to);
        }
    }

    /// Handles the end of a side's stream, at its FIN. Idempotent.
    #[inline]
    pub fn fin(&mut self, at: StreamPosition, to: &mut impl Delivery) {
        let before = std::mem::replace(&mut self.finished[at.side.index()], true);
        if !before && self.loss(at.side).is_none() {
            to.notify(at, StreamEnd::Fin(at.side));
        }
    }

    /// Handles that the FIN of a side was not its own: the next one is passed on again.
    pub fn retract_fin(&mut self, side: FlowSide) {
        self.finished[side.index()] = false;
    }

    /// Handles the end of the flow: a reset by one side, if it ended so, then the parser's last call.
    pub fn end(&mut self, at: StreamPosition, reset: Option<FlowSide>, to: &mut impl Delivery) {
        if self.over.is_some() {
            return;
        }
        if let Some(side) = reset {
            to.notify(at, StreamEnd::Rst(side));
        }
        self.close(Loss::Unclaimed, at, to);
    }

    /// Stops the parser for a reason of the engine's, such as [`StopReason::MemoryLimit`].
    pub fn stop(&mut self, why: StopReason, at: StreamPosition, to: &mut impl Delivery) {
        if self.over.is_none() {
            self.close(why.loss(), at, to);
            to.report_stop(at, None, why);
        }
    }

    /// Handles the status that a parser returned.
    #[inline]
    pub fn apply_status(
        &mut self,
        status: ParserStatus,
        at: StreamPosition,
        to: &mut impl Delivery,
    ) {
        if status != ParserStatus::Continue {
            self.apply_stop(status, at, to);
        }
    }

    #[cold]
    fn apply_stop(&mut self, status: ParserStatus, at: StreamPosition, to: &mut impl Delivery) {
        match status {
            ParserStatus::StopSide(side) => {
                if !std::mem::replace(&mut self.stopped[side.index()], true) {
                    to.report_stop(at, Some(side), StopReason::GaveUp);
                }
                if self.stopped == [true; 2] && self.over.is_none() {
                    self.close(StopReason::GaveUp.loss(), at, to);
                }
            }
            ParserStatus::Upgrade | ParserStatus::UpgradeTo(_)
                if self.upgrades < MAX_UPGRADES && to.upgrade(at, named(status)) =>
            {
                self.upgrades += 1;
                // What comes of a side that was not read begins in the middle.
                for (mid_stream, stopped) in self.mid_stream.iter_mut().zip(&mut self.stopped) {
                    *mid_stream |= std::mem::take(stopped);
                }
            }
            ParserStatus::Carries(name) => match to.carry(at, name) {
                None => self.stop(StopReason::Done, at, to),
                Some(causes) => self.stop_carried(causes, at, to),
            },
            ParserStatus::Done | ParserStatus::Upgrade | ParserStatus::UpgradeTo(_) => {
                self.stop(StopReason::Done, at, to);
            }
            ParserStatus::Failed(error) => self.stop(StopReason::Failed(error), at, to),
            ParserStatus::Expects => to.expect(at),
            // A status that is unknown here does not keep the parser from reading on.
            _ => {}
        }
    }

    /// Stops the sides whose carried streams are no longer read, for these causes. Their readers have reported
    /// it.
    fn stop_carried(
        &mut self,
        causes: [Option<Loss>; 2],
        at: StreamPosition,
        to: &mut impl Delivery,
    ) {
        if let [Some(first), Some(second)] = causes {
            // A side that is stopped has a cause of its own.
            let [is_first_stopped, _] = self.stopped;
            return self.close(if is_first_stopped { second } else { first }, at, to);
        }
        for (stopped, cause) in self.stopped.iter_mut().zip(causes) {
            *stopped |= cause.is_some();
        }
        if self.stopped == [true; 2] {
            self.close(StopReason::GaveUp.loss(), at, to);
        }
    }

    /// Gives the parser its last call and releases it.
    fn close(&mut self, cause: Loss, at: StreamPosition, to: &mut impl Delivery) {
        to.notify(at, StreamEnd::End);
        self.over = Some(cause);
        to.release();
    }

    /// Handles the first bytes of a side whose start was not seen.
    #[cold]
    fn start_mid_stream(&mut self, chunk: &StreamChunk<'_>, to: &mut impl Delivery) {
        self.mid_stream[chunk.side.index()] = false;
        if self.loss(chunk.side).is_none() && to.probe(chunk.side, chunk.bytes) != Probe::Yes {
            let at = StreamPosition { side: chunk.side, ts: chunk.ts, offset: chunk.offset };
            self.skip(at, 0, to);
        }
    }

    /// Returns why payload of this side is not read, if so.
    #[inline]
    #[must_use]
    pub fn loss(&self, side: FlowSide) -> Option<Loss> {
        if self.stopped[side.index()] { Some(Loss::ParserStopped) } else { self.over }
    }

    /// Returns why neither side is read any more, if so.
    #[inline]
    #[must_use]
    pub fn over(&self) -> Option<Loss> {
        self.over
    }

    /// Returns whether the start of this side was not seen and nothing of it was delivered yet.
    #[inline]
    #[must_use]
    pub fn is_mid_stream(&self, side: FlowSide) -> bool {
        self.mid_stream[side.index()]
    }

    /// Returns whether the FIN of this side was passed on.
    #[inline]
    #[must_use]
    pub fn is_finished(&self, side: FlowSide) -> bool {
        self.finished[side.index()]
    }
}

/// The name of the protocol that goes on, if the parser knows it.
fn named(status: ParserStatus) -> Option<&'static str> {
    match status {
        ParserStatus::UpgradeTo(name) => Some(name),
        _ => None,
    }
}

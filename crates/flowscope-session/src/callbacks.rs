use std::fmt;

use flowscope_core::{
    Conflict, FlowSide, Loss, ParserStatus, Probe, Reassembler, ReassemblerFactory, Segment,
    SessionParser, SessionParserFactory, StreamChunk, StreamSink, Timestamp,
};
use flowscope_reassembly::{StreamConfig, StreamReassembler, StreamReassemblerFactory};

use crate::{Delivery, MessageHandler, Origin, ParserState, StopReason, StreamEnd, StreamPosition};

/// Calls a handler with each message that a parser finds in a flow's streams.
///
/// The callback shape of a protocol: a [`ReassemblerFactory`] for engines that drive reassemblers.
/// Each flow gets one parser of `F`, which both sides feed through a [`StreamReassembler`] each, and each
/// side a clone of the handler `H`, so that state which sides or flows share goes behind an
/// `Rc` or into a channel. Messages, gaps and stops are those that the parser gives in a session
/// driver.
///
/// A parser whose protocol gives way to another in the same connection is done: there is no other parser here.
///
/// A flow that the parser's factory declines is not reassembled, nor is a side that the parser has
/// stopped: their bytes are reported to the engine's sink as a loss ([`Loss::Unclaimed`] if no parser
/// needs them, else [`Loss::ParserStopped`]).
///
/// [The crate's documentation](crate) has a program.
#[derive(Clone, Debug)]
pub struct Callbacks<F, H> {
    parsers: F,
    handler: H,
    streams: StreamReassemblerFactory,
}

impl<F, H> Callbacks<F, H> {
    /// Creates a factory with default parsers.
    #[must_use]
    pub fn new(handler: H) -> Self
    where
        F: Default,
    {
        Callbacks::with_parsers(F::default(), handler)
    }

    /// Creates a factory with the parsers of another factory.
    #[must_use]
    pub fn with_parsers(parsers: F, handler: H) -> Self {
        let streams = StreamReassemblerFactory::default().in_order_of_both_sides();
        Callbacks { parsers, handler, streams }
    }

    /// Sets the configuration of the reassemblers. Default: [`StreamConfig::default`].
    #[must_use]
    pub fn streams(mut self, config: StreamConfig) -> Self {
        self.streams = StreamReassemblerFactory::new(config).in_order_of_both_sides();
        self
    }
}

impl<K, F, H> ReassemblerFactory<K> for Callbacks<F, H>
where
    K: Clone,
    F: SessionParserFactory<K>,
    H: MessageHandler<K, <F::Parser as SessionParser>::Message> + Clone,
{
    type Reassembler = CallbackStream<K, F::Parser, H>;

    fn new_reassembler(&mut self, key: &K, side: FlowSide) -> Self::Reassembler {
        let parser = match side {
            FlowSide::Initiator => self.parsers.new_parser(key),
            FlowSide::Responder => None,
        };
        CallbackStream {
            stream: self.streams.make(),
            session: parser.map(|parser| Box::new(Session::new(parser))),
            key: key.clone(),
            handler: self.handler.clone(),
            side,
            last: Timestamp::ZERO,
            reset: false,
            ended: false,
        }
    }
}

/// One side of a flow whose messages go to a handler; made by [`Callbacks`].
///
/// The initiator's owns the parser of both sides.
pub struct CallbackStream<K, P: SessionParser, H> {
    stream: StreamReassembler,
    session: Option<Box<Session<P>>>,
    key: K,
    handler: H,
    side: FlowSide,
    /// Time of the latest packet.
    last: Timestamp,
    /// The flow was reset by this side.
    reset: bool,
    ended: bool,
}

impl<K, P: SessionParser, H> fmt::Debug for CallbackStream<K, P, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, side, ended, .. } = self;
        f.debug_struct("CallbackStream")
            .field("side", side)
            .field("stream", stream)
            .field("ended", ended)
            .finish_non_exhaustive()
    }
}

/// The parser of a flow.
struct Session<P: SessionParser> {
    /// `None` once the parser was released.
    parser: Option<P>,
    state: ParserState,
    messages: Vec<P::Message>,
}

impl<P: SessionParser> Session<P> {
    fn new(parser: P) -> Self {
        Session { parser: Some(parser), state: ParserState::new(), messages: Vec::new() }
    }

    /// The session of a flow that the factory declined.
    fn declined() -> Self {
        let state = ParserState::unread(Loss::Unclaimed);
        Session { parser: None, state, messages: Vec::new() }
    }
}

/// The parser of a flow and the handler of one side.
struct HandlerDelivery<'a, K, P: SessionParser, H> {
    parser: &'a mut Option<P>,
    messages: &'a mut Vec<P::Message>,
    key: &'a K,
    handler: &'a mut H,
    /// The engine's.
    out: &'a mut dyn StreamSink,
}

impl<K, P: SessionParser, H: MessageHandler<K, P::Message>> HandlerDelivery<'_, K, P, H> {
    /// Calls the parser, then the handler with the messages of that call.
    fn call<R>(
        &mut self,
        at: StreamPosition,
        call: impl FnOnce(&mut P, &mut Vec<P::Message>) -> R,
    ) -> Option<R> {
        let result = call(self.parser.as_mut()?, self.messages);
        let origin = Origin::new(self.key, at);
        for message in self.messages.drain(..) {
            self.handler.message(origin, message);
        }
        Some(result)
    }
}

impl<K, P, H> Delivery for HandlerDelivery<'_, K, P, H>
where
    P: SessionParser,
    H: MessageHandler<K, P::Message>,
{
    fn probe(&mut self, side: FlowSide, start: &[u8]) -> Probe {
        P::probe(side, start)
    }

    fn feed(&mut self, chunk: StreamChunk<'_>) -> ParserStatus {
        self.out.bytes(chunk.offset, chunk.bytes);
        let at = StreamPosition { side: chunk.side, ts: chunk.ts, offset: chunk.offset };
        self.call(at, |parser, messages| parser.feed_into(chunk, messages))
            .unwrap_or(ParserStatus::Continue)
    }

    fn gap(&mut self, at: StreamPosition, len: u64) -> ParserStatus {
        self.call(at, |parser, messages| parser.gap(at.side, len, messages))
            .unwrap_or(ParserStatus::Continue)
    }

    fn notify(&mut self, at: StreamPosition, end: StreamEnd) {
        self.call(at, |parser, messages| end.notify_parser(parser, messages));
    }

    fn release(&mut self) {
        *self.parser = None;
        *self.messages = Vec::new();
    }

    fn report_gap(&mut self, at: StreamPosition, len: u64) {
        self.out.gap(at.offset, len);
        self.handler.gap(Origin::new(self.key, at), len);
    }

    fn report_stop(&mut self, at: StreamPosition, side: Option<FlowSide>, why: StopReason) {
        let origin = Origin::new(self.key, at);
        self.handler.stopped(origin, side, why);
    }

    fn report_loss(&mut self, cause: Loss, bytes: u64) {
        self.out.lost(cause, bytes);
    }
}

/// The sink of one side's reassembler for the time of one call.
struct CallbackSink<'a, K, P: SessionParser, H> {
    state: &'a mut ParserState,
    to: HandlerDelivery<'a, K, P, H>,
    side: FlowSide,
    ts: Timestamp,
}

impl<K, P: SessionParser, H> CallbackSink<'_, K, P, H> {
    fn at(&self, offset: u64) -> StreamPosition {
        StreamPosition { side: self.side, ts: self.ts, offset }
    }
}

impl<K, P, H> StreamSink for CallbackSink<'_, K, P, H>
where
    P: SessionParser,
    H: MessageHandler<K, P::Message>,
{
    fn bytes(&mut self, at: u64, bytes: &[u8]) {
        self.bytes_acking(at, bytes, None, None);
    }

    fn bytes_acking(&mut self, at: u64, bytes: &[u8], acked: Option<u64>, ts: Option<Timestamp>) {
        let ts = ts.unwrap_or(self.ts);
        let chunk = StreamChunk::new(self.side, ts, at, bytes).acked(acked);
        self.state.bytes(chunk, &mut self.to);
    }

    fn gap(&mut self, at: u64, len: u64) {
        self.state.gap(self.at(at), len, &mut self.to);
    }

    fn lost(&mut self, cause: Loss, bytes: u64) {
        self.to.out.lost(cause, bytes);
    }

    fn conflict(&mut self, conflict: Conflict) {
        self.to.out.conflict(conflict);
    }
}

impl<K, P: SessionParser, H: MessageHandler<K, P::Message>> CallbackStream<K, P, H> {
    /// Runs the reassembler of this side with the parser of the flow as its sink. A side that is
    /// not read any more frees what it has buffered.
    fn run(
        &mut self,
        peer: &mut Self,
        out: &mut dyn StreamSink,
        run: impl FnOnce(&mut StreamReassembler, &mut StreamReassembler, &mut CallbackSink<'_, K, P, H>),
    ) {
        let mut declined = Session::declined();
        let Self { stream, session, key, handler, side, last, .. } = self;
        let session = session.as_deref_mut().or(peer.session.as_deref_mut());
        let Session { parser, state, messages } = session.unwrap_or(&mut declined);
        let to = HandlerDelivery { parser, messages, key, handler, out };
        let mut sink = CallbackSink { state, to, side: *side, ts: *last };
        run(stream, &mut peer.stream, &mut sink);
        if let Some(cause) = sink.state.loss(*side) {
            stream.abandon(cause, sink.to.out);
        }
    }

    /// Informs the parser of the FIN of this side, if that was reached.
    fn check_fin(stream: &StreamReassembler, sink: &mut CallbackSink<'_, K, P, H>) {
        if stream.finished() {
            sink.state.fin(sink.at(stream.position()), &mut sink.to);
        }
    }

    /// Ends the flow, after both sides have.
    fn end_flow(initiator: &mut Self, responder: &mut Self, out: &mut dyn StreamSink) {
        initiator.run(responder, out, |own, _, sink| Self::check_fin(own, sink));
        responder.run(initiator, out, |own, _, sink| Self::check_fin(own, sink));
        let end = |own: &StreamReassembler, reset, sink: &mut CallbackSink<'_, K, P, H>| {
            sink.state.end(sink.at(own.position()), reset, &mut sink.to);
        };
        if responder.reset && !initiator.reset {
            let reset = Some(FlowSide::Responder);
            responder.run(initiator, out, |own, _, sink| end(own, reset, sink));
        } else {
            let reset = initiator.reset.then_some(FlowSide::Initiator);
            initiator.run(responder, out, |own, _, sink| end(own, reset, sink));
        }
    }
}

impl<K, P: SessionParser, H: MessageHandler<K, P::Message>> Reassembler
    for CallbackStream<K, P, H>
{
    fn segment(&mut self, seq: u32, payload: &[u8]) {
        self.stream.segment(seq, payload);
    }

    fn fin(&mut self) {
        self.stream.fin();
    }

    fn retract_fin(&mut self) {
        self.stream.retract_fin();
    }

    /// The parser learns of the reset when both sides have ended.
    fn rst(&mut self) {
        self.stream.rst();
        self.reset = true;
    }

    fn push(&mut self, segment: Segment<'_>, peer: &mut Self, out: &mut dyn StreamSink) {
        self.last = segment.ts;
        self.run(peer, out, |own, peer, sink| {
            if segment.syn {
                sink.state.syn(segment.side);
            }
            let mut segment = segment;
            sink.state.segment(&mut segment, &mut sink.to);
            if sink.state.is_finished(segment.side) && !own.finished() {
                sink.state.retract_fin(segment.side);
            }
            own.push(segment, peer, sink);
            Self::check_fin(own, sink);
        });
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.stream.deadline()
    }

    fn finished(&self) -> bool {
        self.stream.finished()
    }

    fn has_hole(&self, peer: &Self) -> bool {
        let session = self.session.as_ref().or(peer.session.as_ref());
        session.is_some_and(|session| session.state.loss(self.side).is_none())
            && self.stream.has_hole(&peer.stream)
    }

    fn timeout(&mut self, now: Timestamp, peer: &mut Self, out: &mut dyn StreamSink) {
        self.last = self.last.max(now);
        self.run(peer, out, |own, peer, sink| {
            own.timeout(now, peer, sink);
            Self::check_fin(own, sink);
        });
    }

    fn is_waiting(&self) -> bool {
        self.stream.is_waiting()
    }

    fn release(&mut self, peer: &mut Self, out: &mut dyn StreamSink) -> bool {
        let mut any = false;
        self.run(peer, out, |own, peer, sink| {
            any = own.release(peer, sink);
            Self::check_fin(own, sink);
        });
        any
    }

    fn give_up(&mut self, peer: &mut Self, out: &mut dyn StreamSink) -> bool {
        let mut any = false;
        self.run(peer, out, |own, peer, sink| {
            any = own.give_up(peer, sink);
            Self::check_fin(own, sink);
        });
        any
    }

    fn end(&mut self, peer: &mut Self, out: &mut dyn StreamSink) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.last = self.last.max(peer.last);
        self.run(peer, out, |own, peer, sink| own.end(peer, sink));
        if peer.ended {
            match self.side {
                FlowSide::Initiator => Self::end_flow(self, peer, out),
                FlowSide::Responder => Self::end_flow(peer, self, out),
            }
        }
    }

    fn abandon(&mut self, cause: Loss, out: &mut dyn StreamSink) {
        self.stream.abandon(cause, out);
    }

    fn drop_buffered(&mut self, out: &mut dyn StreamSink) {
        self.stream.drop_buffered(out);
    }

    fn pending(&self) -> u64 {
        self.stream.pending()
    }

    fn heap_bytes(&self) -> usize {
        let session = self.session.as_ref().map_or(0, |session| {
            let parser = session.parser.as_ref().map_or(0, SessionParser::heap_bytes);
            let messages = session.messages.capacity() * size_of::<P::Message>();
            size_of::<Session<P>>() + parser + messages
        });
        self.stream.heap_bytes() + session
    }
}

#[cfg(test)]
mod tests;

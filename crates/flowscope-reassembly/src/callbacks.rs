use std::fmt;

use flowscope_core::{
    Conflict, FlowSide, Loss, ParserStatus, Probe, Reassembler, ReassemblerFactory, Segment,
    SessionParser, SessionParserFactory, StreamChunk, StreamSink, Timestamp,
};

use crate::{StreamConfig, StreamReassembler, StreamReassemblerFactory};

/// Calls a handler with each message that a parser finds in a flow's streams.
///
/// The callback shape of a protocol: a [`ReassemblerFactory`] for engines that drive reassemblers.
/// Each flow gets one parser of `F`, which both sides feed through a [`StreamReassembler`] each, and each
/// side a clone of the handler `H`, so that state which the sides or flows share goes behind an
/// `Rc` or into a channel. The messages are those that the parser gives in any other engine.
///
/// A flow that the parser's factory declines is not reassembled, nor is a side that the parser has
/// stopped: their bytes are told to the engine's sink as [`Loss::Unclaimed`] and
/// [`Loss::ParserStopped`].
///
/// ```
/// use flowscope_core::{
///     FlowSide, Reassembler, ReassemblerFactory, Segment, SessionParser, Timestamp,
/// };
/// use flowscope_reassembly::{Callbacks, Discard, Origin};
///
/// #[derive(Clone, Default)]
/// struct Bytes;
/// impl SessionParser for Bytes {
///     type Message = u8;
///     fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<u8> {
///         bytes.to_vec()
///     }
///     fn feed_responder(&mut self, _: &[u8]) -> Vec<u8> {
///         Vec::new()
///     }
/// }
///
/// let (sender, messages) = std::sync::mpsc::channel();
/// let mut factory = Callbacks::<Bytes, _>::new(move |origin: Origin<'_, u32>, byte| {
///     sender.send((*origin.key, byte)).unwrap();
/// });
/// let mut initiator = factory.new_reassembler(&5, FlowSide::Initiator);
/// let mut responder = factory.new_reassembler(&5, FlowSide::Responder);
/// let segment = Segment::new(FlowSide::Initiator, Timestamp::from_secs(1), 1, b"hi").syn();
/// initiator.push(segment, &mut responder, &mut Discard);
/// assert_eq!(messages.try_iter().collect::<Vec<_>>(), [(5, b'h'), (5, b'i')]);
/// ```
#[derive(Clone, Debug)]
pub struct Callbacks<F, H> {
    parsers: F,
    handler: H,
    streams: StreamReassemblerFactory,
}

/// Takes the messages of a parser, flow by flow.
///
/// A closure is one, and so is a type of one's own, which can also take note of gaps and of parsers
/// that stop. It is cloned for each side of each flow.
pub trait MessageHandler<K, M> {
    /// A message was completed.
    fn message(&mut self, origin: Origin<'_, K>, message: M);

    /// `len` bytes at the origin's offset were never captured.
    fn gap(&mut self, _origin: Origin<'_, K>, _len: u64) {}

    /// The parser wants no more: of one side, or of either, for the reason given.
    fn stopped(&mut self, _origin: Origin<'_, K>, _why: ParserStatus) {}
}

impl<K, M, H: FnMut(Origin<'_, K>, M)> MessageHandler<K, M> for H {
    fn message(&mut self, origin: Origin<'_, K>, message: M) {
        self(origin, message);
    }
}

/// Where a message comes from.
#[derive(Debug, Eq, PartialEq)]
pub struct Origin<'a, K> {
    /// The flow.
    pub key: &'a K,
    /// The side whose bytes completed the message; at the flow's end, the side that ended last.
    pub side: FlowSide,
    /// When the packet that completed it was captured.
    pub ts: Timestamp,
    /// Where in the side's stream the bytes began that completed it.
    pub offset: u64,
}

impl<K> Clone for Origin<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Origin<'_, K> {}

/// A [`StreamSink`] for those who want nothing of what an engine would be told: [`Callbacks`] have
/// taken what they need before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl StreamSink for Discard {
    fn bytes(&mut self, _at: u64, _bytes: &[u8]) {}
    fn gap(&mut self, _at: u64, _len: u64) {}
}

impl<F, H> Callbacks<F, H> {
    /// Calls `handler` with what default parsers find.
    #[must_use]
    pub fn new(handler: H) -> Self
    where
        F: Default,
    {
        Callbacks::with_parsers(F::default(), handler)
    }

    /// Calls `handler` with what the parsers of a factory find.
    #[must_use]
    pub fn with_parsers(parsers: F, handler: H) -> Self {
        Callbacks { parsers, handler, streams: StreamReassemblerFactory::default() }
    }

    /// How segments are put in order; the default is that of [`StreamConfig`].
    #[must_use]
    pub fn streams(mut self, config: StreamConfig) -> Self {
        self.streams = StreamReassemblerFactory::new(config);
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
            reading: parser.map(|parser| Box::new(Reading::new(parser))),
            key: key.clone(),
            handler: self.handler.clone(),
            side,
            last: Timestamp::ZERO,
            torn: true,
            fin_told: false,
            reset: false,
            ended: false,
        }
    }
}

/// One side of a flow whose messages go to a handler; made by [`Callbacks`].
///
/// The initiator's owns the parser of both.
pub struct CallbackStream<K, P: SessionParser, H> {
    stream: StreamReassembler,
    reading: Option<Box<Reading<P>>>,
    key: K,
    handler: H,
    side: FlowSide,
    /// Time of the latest packet.
    last: Timestamp,
    /// No SYN was seen, and nothing delivered so far.
    torn: bool,
    fin_told: bool,
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
struct Reading<P: SessionParser> {
    /// None when it was given up or is done.
    parser: Option<P>,
    stopped: [bool; 2],
    messages: Vec<P::Message>,
}

impl<P: SessionParser> Reading<P> {
    fn new(parser: P) -> Self {
        Reading { parser: Some(parser), stopped: [false; 2], messages: Vec::new() }
    }

    fn reads(&self, side: FlowSide) -> bool {
        let [initiator, responder] = self.stopped;
        let stopped = if side == FlowSide::Initiator { initiator } else { responder };
        self.parser.is_some() && !stopped
    }
}

/// One side at work: its handler, and the parser of the flow.
struct Work<'a, K, P: SessionParser, H> {
    key: &'a K,
    side: FlowSide,
    ts: Timestamp,
    handler: &'a mut H,
    torn: &'a mut bool,
    reading: Option<&'a mut Reading<P>>,
    /// The engine's.
    out: &'a mut dyn StreamSink,
}

impl<K, P: SessionParser, H: MessageHandler<K, P::Message>> Work<'_, K, P, H> {
    /// Why bytes of this side go nowhere, if so.
    fn unread(&self) -> Option<Loss> {
        match &self.reading {
            None => Some(Loss::Unclaimed),
            Some(reading) if !reading.reads(self.side) => Some(Loss::ParserStopped),
            Some(_) => None,
        }
    }

    /// Lets the parser work, and hands over what came of it.
    fn parse(
        &mut self,
        offset: u64,
        work: impl FnOnce(&mut P, &mut Vec<P::Message>) -> ParserStatus,
    ) {
        let Some(Reading { parser: slot, stopped, messages }) = self.reading.as_deref_mut() else {
            return;
        };
        let Some(parser) = slot else { return };
        let status = work(parser, messages);
        if let ParserStatus::StopSide(side) = status {
            let [initiator, responder] = stopped;
            *(if side == FlowSide::Initiator { initiator } else { responder }) = true;
        }
        let over = matches!(status, ParserStatus::Done | ParserStatus::Failed(_));
        if (over || *stopped == [true; 2])
            && let Some(mut parser) = slot.take()
        {
            parser.end(messages);
        }
        let origin = Origin { key: self.key, side: self.side, ts: self.ts, offset };
        for message in messages.drain(..) {
            self.handler.message(origin, message);
        }
        if status != ParserStatus::Continue {
            self.handler.stopped(origin, status);
        }
    }
}

impl<K, P: SessionParser, H: MessageHandler<K, P::Message>> Work<'_, K, P, H> {
    /// The flow is over.
    fn end(&mut self, offset: u64) {
        self.parse(offset, |parser, messages| {
            parser.end(messages);
            ParserStatus::Continue
        });
        if let Some(reading) = self.reading.as_deref_mut() {
            reading.parser = None;
        }
    }
}

impl<K, P: SessionParser, H: MessageHandler<K, P::Message>> StreamSink for Work<'_, K, P, H> {
    fn bytes(&mut self, at: u64, bytes: &[u8]) {
        if let Some(cause) = self.unread() {
            return self.out.lost(cause, bytes.len() as u64);
        }
        if std::mem::replace(self.torn, false) && P::probe(self.side, bytes) != Probe::Yes {
            // Not where a message begins, as far as can be told: as after a hole.
            let side = self.side;
            self.parse(at, |parser, messages| parser.gap(side, 0, messages));
            if let Some(cause) = self.unread() {
                return self.out.lost(cause, bytes.len() as u64);
            }
        }
        self.out.bytes(at, bytes);
        let feed = StreamChunk::new(self.side, self.ts, at, bytes);
        self.parse(at, |parser, messages| parser.feed_into(feed, messages));
    }

    fn gap(&mut self, at: u64, len: u64) {
        self.out.gap(at, len);
        if self.unread().is_none() {
            *self.torn = false;
            let origin = Origin { key: self.key, side: self.side, ts: self.ts, offset: at };
            self.handler.gap(origin, len);
            let side = self.side;
            self.parse(at, |parser, messages| parser.gap(side, len, messages));
        }
    }

    fn lost(&mut self, cause: Loss, bytes: u64) {
        self.out.lost(cause, bytes);
    }

    fn conflict(&mut self, conflict: Conflict) {
        self.out.conflict(conflict);
    }
}

impl<K, P: SessionParser, H: MessageHandler<K, P::Message>> CallbackStream<K, P, H> {
    /// Lets the stream work with the parser of both sides as its sink; then what follows from where
    /// the stream has come.
    fn work(
        &mut self,
        peer: &mut Self,
        out: &mut dyn StreamSink,
        run: impl FnOnce(&mut StreamReassembler, &mut StreamReassembler, &mut Work<'_, K, P, H>),
    ) {
        let reading = self.reading.as_deref_mut().or(peer.reading.as_deref_mut());
        let mut work = Work {
            key: &self.key,
            side: self.side,
            ts: self.last,
            handler: &mut self.handler,
            torn: &mut self.torn,
            reading,
            out,
        };
        run(&mut self.stream, &mut peer.stream, &mut work);
        if let Some(cause) = work.unread() {
            return self.stream.abandon(cause, work.out);
        }
        let (side, offset) = (self.side, self.stream.position());
        if self.stream.finished() && !self.fin_told {
            self.fin_told = true;
            work.parse(offset, |parser, messages| {
                parser.fin(side, messages);
                ParserStatus::Continue
            });
        }
    }

    /// Tells the parser of a reset, after the bytes before it.
    fn tell_reset(&mut self, peer: &mut Self, out: &mut dyn StreamSink) {
        if std::mem::take(&mut self.reset) {
            let (side, offset) = (self.side, self.stream.position());
            self.work(peer, out, |_, _, work| {
                work.parse(offset, |parser, messages| {
                    parser.rst(side, messages);
                    ParserStatus::Continue
                });
            });
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

    /// The parser is told at the side's end.
    fn rst(&mut self) {
        self.stream.rst();
        self.reset = true;
    }

    fn push(&mut self, segment: Segment<'_>, peer: &mut Self, out: &mut dyn StreamSink) {
        self.last = segment.ts;
        self.torn &= !segment.syn;
        self.work(peer, out, |own, peer, work| match work.unread() {
            // Not reassembled: nothing is to be waited for. What it acknowledges is still of use.
            Some(cause) => {
                if !segment.payload.is_empty() {
                    work.out.lost(cause, segment.payload.len() as u64);
                }
                own.push(Segment { payload: &[], wire_len: 0, fin: false, ..segment }, peer, work);
            }
            None => own.push(segment, peer, work),
        });
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.stream.deadline()
    }

    fn finished(&self) -> bool {
        self.stream.finished()
    }

    fn timeout(&mut self, now: Timestamp, peer: &mut Self, out: &mut dyn StreamSink) {
        self.last = self.last.max(now);
        self.work(peer, out, |own, peer, work| own.timeout(now, peer, work));
    }

    fn end(&mut self, peer: &mut Self, out: &mut dyn StreamSink) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.work(peer, out, |own, peer, work| own.end(peer, work));
        if peer.ended {
            // Whatever was said before the reset comes before it, whoever said it.
            self.tell_reset(peer, out);
            peer.tell_reset(self, out);
            let offset = self.stream.position();
            self.work(peer, out, |_, _, work| work.end(offset));
        }
    }

    fn drop_buffered(&mut self, out: &mut dyn StreamSink) {
        self.stream.drop_buffered(out);
    }

    fn pending(&self) -> u64 {
        self.stream.pending()
    }

    fn heap_bytes(&self) -> usize {
        let parser = self.reading.as_ref().map_or(0, |reading| {
            let parser = reading.parser.as_ref().map_or(0, SessionParser::heap_bytes);
            let messages = reading.messages.capacity() * size_of::<P::Message>();
            size_of::<Reading<P>>() + parser + messages
        });
        self.stream.heap_bytes() + parser
    }
}

#[cfg(test)]
mod tests;

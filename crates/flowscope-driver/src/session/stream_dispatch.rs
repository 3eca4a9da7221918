//! From reassemblers to a parser, and from the parser to a sink.

use flowscope_core::{
    Conflict, Datagram, FlowSide, Loss, ParserStatus, Probe, Reassembler, StreamChunk, StreamSink,
    Timestamp,
};
use flowscope_track::Flow;

use super::slot::{FlowContext, ProbeBuffer, ReadState, Reader};
use crate::detection::{Classification, Classifier, ProbeInput, StreamEnd, Transport};
use crate::session::ParserHost;
use crate::session::{SessionChange, SessionSink, StopReason};

/// What the bytes of one flow go through, for the time of one call.
pub(crate) struct StreamDispatch<'d, K, C: Classifier<K>, U, O> {
    pub(crate) host: &'d mut ParserHost<K, C>,
    pub(crate) out: &'d mut O,
    pub(crate) flow: Flow<'d, K, U>,
    pub(crate) context: FlowContext,
    pub(crate) reader: &'d mut Reader<C::Parser>,
    pub(crate) stopped: &'d mut [bool; 2],
    pub(crate) mid_stream: &'d mut [bool; 2],
    /// Whose bytes come.
    pub(crate) side: FlowSide,
    pub(crate) ts: Timestamp,
}

/// As many bytes of both sides are kept at most while it is not decided who reads a flow.
const MAX_PROBE_BYTES: usize = 256;

impl<K, C, U, O> StreamDispatch<'_, K, C, U, O>
where
    C: Classifier<K>,
    O: SessionSink<K, C::Message, U>,
{
    /// The way for the bytes of this side.
    #[inline]
    pub(crate) fn of(&mut self, side: FlowSide) -> &mut dyn StreamSink {
        self.side = side;
        self
    }

    /// A datagram for the parser.
    pub(crate) fn datagram(&mut self, datagram: Datagram<'_>) {
        let Reader::Reads(parser) = &mut *self.reader else { return };
        let bytes = datagram.payload.len() as u64;
        if self.stopped[self.side.index()] {
            return self.host.ledger.lose(Loss::ParserStopped, bytes);
        }
        self.host.ledger.deliver(bytes);
        let ParserHost { classifier, messages, .. } = &mut *self.host;
        let status = classifier.datagram(parser, datagram, messages);
        self.apply_status(status);
    }

    /// Tells the parser of sides whose FIN was reached.
    #[inline]
    pub(crate) fn notify_fins<R: Reassembler>(&mut self, sides: &[R; 2], notified: &mut [bool; 2]) {
        for side in [FlowSide::Initiator, FlowSide::Responder] {
            let at = side.index();
            if !notified[at] && sides[at].finished() {
                notified[at] = true;
                if !self.stopped[at] {
                    self.side = side;
                    if !matches!(self.reader, Reader::Over(_)) {
                        self.out.fin(self.flow.reborrow(), side);
                    }
                    self.notify(StreamEnd::Fin(side));
                }
            }
        }
    }

    /// Tells the parser something, if there is one.
    pub(crate) fn notify(&mut self, what: StreamEnd) {
        if let Reader::Reads(parser) = &mut *self.reader {
            self.host.classifier.notify(parser, what, &mut self.host.messages);
            self.emit();
        }
    }

    /// Nobody reads any further. The parser gets its last call.
    pub(crate) fn stop(&mut self, read_state: ReadState, why: StopReason) {
        self.notify(StreamEnd::End);
        *self.reader = Reader::Over(read_state);
        let change = SessionChange::Stopped { side: None, why };
        self.out.session(self.flow.reborrow(), change);
    }

    /// Decides at last who reads what was kept.
    pub(crate) fn decide_now(&mut self) {
        if let Reader::Undecided(buffer) = &*self.reader
            && buffer.len() > 0
        {
            self.decide(0, &[], true);
        }
    }

    /// Decides who reads the flow: `bytes` are the latest, at `at` in the stream of the side.
    fn decide(&mut self, at: u64, bytes: &[u8], last: bool) {
        let Reader::Undecided(buffer) = &mut *self.reader else { return };
        let side = self.side.index();
        buffer.first.get_or_insert(self.side);
        let room = MAX_PROBE_BYTES.saturating_sub(buffer.len());
        // The first bytes of a side are mostly enough, and not copied then.
        let mut kept = 0;
        if !buffer.bytes[side].is_empty() {
            kept = bytes.len().min(room);
            buffer.bytes[side].extend_from_slice(&bytes[..kept]);
        }
        let rest = &bytes[kept..];
        let last = last || rest.len() > room - kept;
        let mut start = [buffer.bytes[0].as_slice(), buffer.bytes[1].as_slice()];
        if start[side].is_empty() {
            start[side] = rest;
        }
        let mid_stream = |side: usize| self.mid_stream[side] && !start[side].is_empty();
        let start = ProbeInput {
            key: self.flow.key,
            transport: Transport::Stream,
            ports: self.context.ports,
            bytes: start,
            whole: !mid_stream(0) && !mid_stream(1) && buffer.gap == [0; 2],
            last,
        };
        match self.host.classifier.classify(&start) {
            Classification::Read(parser, detection) => {
                let before = std::mem::replace(self.reader, Reader::Reads(parser));
                self.out.session(self.flow.reborrow(), SessionChange::Chosen(detection));
                if let Reader::Undecided(buffer) = before {
                    self.replay(&buffer);
                }
                if !rest.is_empty() {
                    self.bytes(at + kept as u64, rest);
                }
            }
            Classification::NeedMore if !last => {
                if !rest.is_empty() {
                    buffer.at[side] = at;
                    buffer.bytes[side].extend_from_slice(rest);
                }
            }
            Classification::Recognised(detection) => {
                *self.reader = Reader::Over(ReadState::Unclaimed);
                self.out.session(self.flow.reborrow(), SessionChange::Chosen(detection));
            }
            Classification::NeedMore | Classification::Reject => {
                *self.reader = Reader::Over(ReadState::Unclaimed);
            }
        }
    }

    /// Gives a parser what came before it was chosen.
    fn replay(&mut self, buffer: &ProbeBuffer) {
        let now = self.side;
        let first = buffer.first.unwrap_or(now);
        for side in [first, !first] {
            self.side = side;
            let (at, missing) = (buffer.at[side.index()], buffer.gap[side.index()]);
            if missing > 0 {
                self.mid_stream[side.index()] = false;
                self.skip(missing);
            }
            let bytes = &buffer.bytes[side.index()];
            if !bytes.is_empty() {
                self.bytes(at, bytes);
            }
        }
        self.side = now;
    }

    /// The first bytes of a side that was picked up in the middle of its stream.
    #[cold]
    fn resync(&mut self, bytes: &[u8]) {
        self.mid_stream[self.side.index()] = false;
        let Reader::Reads(parser) = &*self.reader else { return };
        if self.host.classifier.probe(parser, self.side, bytes) != Probe::Yes {
            self.skip(0);
        }
    }

    /// Tells the parser of missing bytes.
    fn skip(&mut self, len: u64) {
        let Reader::Reads(parser) = &mut *self.reader else { return };
        if self.stopped[self.side.index()] {
            return;
        }
        let ParserHost { classifier, messages, .. } = &mut *self.host;
        let status = classifier.gap(parser, self.side, len, messages);
        self.apply_status(status);
    }

    /// Hands on what the parser made, and does what it asks for.
    #[inline]
    fn apply_status(&mut self, status: ParserStatus) {
        self.emit();
        match status {
            ParserStatus::Continue => {}
            ParserStatus::StopSide(side) => {
                if !std::mem::replace(&mut self.stopped[side.index()], true) {
                    let why = StopReason::GaveUp;
                    let change = SessionChange::Stopped { side: Some(side), why };
                    self.out.session(self.flow.reborrow(), change);
                }
                if *self.stopped == [true; 2] {
                    self.notify(StreamEnd::End);
                    *self.reader = Reader::Over(ReadState::Stopped);
                }
            }
            ParserStatus::Done => self.stop(ReadState::Unclaimed, StopReason::Done),
            ParserStatus::Failed(error) => self.stop(ReadState::Stopped, StopReason::Failed(error)),
            // What else a parser may come to ask for does not keep it from reading on.
            _ => {}
        }
    }

    #[inline]
    fn emit(&mut self) {
        for message in self.host.messages.drain(..) {
            self.out.message(self.flow.reborrow(), self.side, message);
        }
    }
}

impl<K, C, U, O> StreamSink for StreamDispatch<'_, K, C, U, O>
where
    C: Classifier<K>,
    O: SessionSink<K, C::Message, U>,
{
    #[inline]
    fn bytes(&mut self, at: u64, bytes: &[u8]) {
        let side = self.side;
        if self.stopped[side.index()] {
            return self.host.ledger.lose(Loss::ParserStopped, bytes.len() as u64);
        }
        if self.mid_stream[side.index()] && matches!(self.reader, Reader::Reads(_)) {
            self.resync(bytes);
            return self.bytes(at, bytes);
        }
        match &mut *self.reader {
            Reader::Reads(parser) => {
                self.host.ledger.deliver(bytes.len() as u64);
                let feed = StreamChunk::new(side, self.ts, at, bytes);
                let status = self.out.bytes(self.flow.reborrow(), feed);
                if status != ParserStatus::Continue {
                    return self.apply_status(status);
                }
                let ParserHost { classifier, messages, .. } = &mut *self.host;
                let status = classifier.feed(parser, feed, messages);
                self.apply_status(status);
            }
            Reader::Undecided(_) => self.decide(at, bytes, false),
            Reader::Over(read_state) => {
                self.host.ledger.lose(read_state.loss(), bytes.len() as u64);
            }
        }
    }

    fn gap(&mut self, at: u64, len: u64) {
        let side = self.side;
        if let Reader::Undecided(buffer) = &mut *self.reader {
            if buffer.bytes[side.index()].is_empty() {
                buffer.gap[side.index()] += len;
                let change = SessionChange::Gap { side, offset: at, len };
                return self.out.session(self.flow.reborrow(), change);
            }
            self.decide(0, &[], true);
        }
        if self.stopped[side.index()] || matches!(self.reader, Reader::Over(_)) {
            return;
        }
        let change = SessionChange::Gap { side, offset: at, len };
        self.out.session(self.flow.reborrow(), change);
        self.skip(len);
    }

    fn lost(&mut self, cause: Loss, bytes: u64) {
        self.host.ledger.lose(cause, bytes);
    }

    fn conflict(&mut self, conflict: Conflict) {
        let change = SessionChange::Conflict { side: self.side, conflict };
        self.out.session(self.flow.reborrow(), change);
    }
}

//! From reassemblers to a parser, and from the parser to a sink.

use flowscope_core::{
    Conflict, Datagram, FlowSide, Loss, ParseError, ParserStatus, Probe, Reassembler, Segment,
    StreamChunk, StreamSink, Timestamp,
};
use flowscope_session::{Delivery, ParserState, StopReason, StreamEnd, StreamPosition};
use flowscope_track::Flow;

use super::flow_sink::{ParserHost, own_and_peer};
use super::other_side::judge;
use super::slot::{
    ProbeBuffer, ProbePiece, Progress, Reader, Reading, Recognised, SIDES, SeenSide,
};
use crate::detection::{
    Classification, Classifier, Contradiction, DetectedBy, Detection, ProbeInput, Transport,
};
use crate::session::{SessionChange, SessionSink};

mod carried;

/// Takes the payload of one flow, for the time of one call.
///
/// While it is not decided which parser reads the flow, the first bytes are buffered and the
/// classifier is asked; then they go through the [`ParserState`] to the parser.
pub(crate) struct StreamDispatch<'d, K, C: Classifier<K>, U, O> {
    state: &'d mut ParserState,
    to: SessionDelivery<'d, K, C, U, O>,
    /// The side whose payload is being handled.
    side: FlowSide,
    ts: Timestamp,
}

/// The parser of a flow, and the sink that receives its messages.
struct SessionDelivery<'d, K, C: Classifier<K>, U, O> {
    reader: &'d mut Reader<C::Parser>,
    progress: &'d mut Progress,
    host: &'d mut ParserHost<K, C>,
    out: &'d mut O,
    flow: Flow<'d, K, U>,
}

/// The side whose missing bytes are waited for least long, and until when.
fn earliest<R: Reassembler>(sides: &[R; 2]) -> Option<(Timestamp, FlowSide)> {
    SIDES.into_iter().filter_map(|side| Some((sides[side.index()].deadline()?, side))).min()
}

/// How often sides take turns in one call, at most; the next packet goes on. One that waits for the other has bytes of a
/// segment, of which a bounded number is buffered.
const MAX_TURNS: usize = 4096;

/// Bytes of both sides that are buffered at most until a parser is chosen.
const MAX_PROBE_BYTES: usize = 256;

/// As many bytes as the protocol of a flow is found by, however many come at once: a driver that recognises
/// flows comes to the same as one that reads them.
pub(super) fn first_bytes(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(MAX_PROBE_BYTES)]
}

impl<'d, K, C, U, O> StreamDispatch<'d, K, C, U, O>
where
    C: Classifier<K>,
    O: SessionSink<K, C::Message, U>,
{
    #[inline]
    pub(crate) fn new(
        host: &'d mut ParserHost<K, C>,
        out: &'d mut O,
        reading: &'d mut Reading<C::Parser>,
        flow: Flow<'d, K, U>,
        side: FlowSide,
        ts: Timestamp,
    ) -> Self {
        let Reading { reader, state, progress } = reading;
        StreamDispatch {
            state,
            to: SessionDelivery { reader, progress, host, out, flow },
            side,
            ts,
        }
    }

    /// Returns the sink for the bytes of this side.
    #[inline]
    pub(crate) fn sink(&mut self, side: FlowSide) -> &mut dyn StreamSink {
        self.side = side;
        self
    }

    /// Handles the SYN of this side.
    #[inline]
    pub(crate) fn syn(&mut self, side: FlowSide) {
        self.state.syn(side);
    }

    /// Handles what a call on the reassembler of a side has brought about: its end, or that it is read no further.
    #[inline]
    pub(crate) fn settle(&mut self, side: FlowSide, own: &mut impl Reassembler) {
        self.check_fin(side, own);
        if let Some(cause) = self.state.loss(side) {
            own.abandon(cause, self.sink(side));
        }
    }

    /// Takes bytes that were there at `ts`, before the packet at hand.
    #[cold]
    fn earlier_bytes(&mut self, at: u64, bytes: &[u8], acked: Option<u64>, ts: Timestamp) {
        let now = std::mem::replace(&mut self.ts, ts);
        self.bytes_acking(at, bytes, acked, None);
        self.ts = now;
    }

    /// Passes on what each side has for the other, in the order in which it was sent.
    #[cold]
    pub(crate) fn release<R: Reassembler>(&mut self, sides: &mut [R; 2]) {
        let mut any = true;
        while std::mem::take(&mut any) {
            for side in SIDES {
                let (own, peer) = own_and_peer(sides, side);
                any |= own.release(peer, self.sink(side));
                self.settle(side, own);
            }
        }
    }

    /// Passes on what waits no longer, since its time has come by `now`.
    #[cold]
    pub(crate) fn timeout<R: Reassembler>(&mut self, sides: &mut [R; 2], now: Timestamp) {
        for _ in 0..MAX_TURNS {
            let Some((_, side)) = earliest(sides).filter(|(due, _)| *due <= now) else { return };
            let (own, peer) = own_and_peer(sides, side);
            own.timeout(now, peer, self.sink(side));
            self.settle(side, own);
            self.release(sides);
        }
    }

    /// Passes on what both sides have for each other, since nothing more comes.
    pub(crate) fn give_up<R: Reassembler>(&mut self, sides: &mut [R; 2]) {
        while let [Some(initiator), Some(responder)] = sides.each_ref().map(R::deadline) {
            let first =
                if initiator <= responder { FlowSide::Initiator } else { FlowSide::Responder };
            let any = [first, !first].into_iter().any(|side| {
                let (own, peer) = own_and_peer(sides, side);
                let any = own.give_up(peer, self.sink(side));
                self.settle(side, own);
                any
            });
            if !any {
                return;
            }
            self.release(sides);
        }
    }

    /// Prepares a segment for reassembly; see [`ParserState::segment`].
    #[inline]
    pub(crate) fn segment(&mut self, segment: &mut Segment<'_>) {
        self.state.segment(segment, &mut self.to);
    }

    /// Passes a datagram to the parser.
    pub(crate) fn datagram(&mut self, datagram: Datagram<'_>) {
        let bytes = datagram.payload.len() as u64;
        if let Some(cause) = self.state.loss(self.side) {
            return self.to.report_loss(cause, bytes);
        }
        let Reader::Reads(parser) = &mut *self.to.reader else { return };
        self.to.host.ledger.deliver(bytes);
        let ParserHost { classifier, messages, .. } = &mut *self.to.host;
        let status = classifier.datagram(parser, datagram, messages);
        self.to.emit(self.side);
        self.state.apply_status(status, self.at(0), &mut self.to);
    }

    /// Passes on the FIN of this side, if its reassembler has reached it.
    #[inline]
    pub(crate) fn check_fin(&mut self, side: FlowSide, own: &impl Reassembler) {
        if !self.state.is_finished(side) && own.finished() {
            self.side = side;
            self.state.fin(self.at(0), &mut self.to);
        }
    }

    /// Handles the end of the flow, after all payload.
    pub(crate) fn end(&mut self, reset: Option<FlowSide>) {
        self.side = reset.unwrap_or(FlowSide::Initiator);
        self.state.end(self.at(0), reset, &mut self.to);
    }

    /// Stops reading the flow.
    pub(crate) fn stop(&mut self, why: StopReason) {
        self.state.stop(why, self.at(0), &mut self.to);
    }

    /// Decides at the first payload which parser reads the flow, if that does not depend on the bytes.
    pub(crate) fn decide_early(&mut self) {
        if !self.to.host.classifier.needs_bytes() {
            self.decide(0, &[], None, true);
        }
    }

    /// Decides, without waiting for more bytes, which parser reads what is buffered.
    pub(crate) fn decide_now(&mut self) {
        if let Reader::Undecided(buffer) = &*self.to.reader
            && buffer.len() > 0
        {
            self.decide(0, &[], None, true);
        }
    }

    /// The position at this offset of the side's stream. Only bytes and gaps need the offset.
    #[inline]
    fn at(&self, offset: u64) -> StreamPosition {
        StreamPosition { side: self.side, ts: self.ts, offset }
    }

    /// Decides which parser reads the flow: `bytes` are the latest, at `at` in the stream of the side, and
    /// their segment acknowledges up to `acked`.
    fn decide(&mut self, at: u64, bytes: &[u8], acked: Option<u64>, last: bool) {
        let Reader::Undecided(buffer) = &mut *self.to.reader else { return };
        let here = StreamPosition { side: self.side, ts: self.ts, offset: at };
        let side = self.side.index();
        buffer.first.get_or_insert(self.side);
        let room = MAX_PROBE_BYTES.saturating_sub(buffer.len());
        // The first bytes of a side mostly decide, and are not copied then.
        let mut kept = 0;
        if !buffer.bytes(self.side).is_empty() {
            kept = bytes.len().min(room);
            if kept > 0 {
                buffer.push(here, &bytes[..kept], acked);
            }
        }
        let rest = &bytes[kept..];
        let last = last || rest.len() > room - kept;
        let mut start = SIDES.map(|side| buffer.bytes(side));
        if start[side].is_empty() {
            start[side] = first_bytes(rest);
        }
        let is_cut = |side: FlowSide| {
            buffer.gap(side) > 0
                || (self.state.is_mid_stream(side) && !start[side.index()].is_empty())
        };
        let start = ProbeInput {
            key: self.to.flow.key,
            transport: Transport::Stream,
            ports: buffer.ports,
            bytes: start,
            wire_len: 0,
            agreed: buffer.agreed(),
            whole: !is_cut(FlowSide::Initiator) && !is_cut(FlowSide::Responder),
            last,
        };
        let answer = self.to.host.classifier.classify(&start);
        self.to.progress.on_trial = matches!(answer, Classification::Try(..));
        match answer {
            Classification::Read(parser, mut detection)
            | Classification::Try(parser, mut detection) => {
                detection.within = self.to.progress.detection.map(|before| before.protocol);
                let before = std::mem::replace(self.to.reader, Reader::Reads(parser));
                self.to.progress.detection = Some(detection);
                if !self.to.progress.on_trial {
                    self.to.report(SessionChange::Chosen(detection));
                }
                if self.to.progress.expected {
                    self.to.introduce();
                }
                if let Reader::Undecided(buffer) = before {
                    self.replay(&buffer);
                }
                if !rest.is_empty() {
                    self.bytes_acking(at + kept as u64, rest, acked, None);
                }
            }
            Classification::NeedMore | Classification::NamedSoFar(_) if !last => {
                if !rest.is_empty() {
                    buffer.push(here, rest, acked);
                }
            }
            Classification::Recognised(mut detection) => {
                detection.within = self.to.progress.detection.map(|before| before.protocol);
                let unseen = SIDES.into_iter().find(|side| start.bytes[side.index()].is_empty());
                self.to.note_recognised(detection, unseen, SeenSide::of(&detection));
                self.reject();
                self.to.report(SessionChange::Chosen(detection));
            }
            Classification::Suspected(detection) => {
                let unseen = SIDES.into_iter().find(|side| start.bytes[side.index()].is_empty());
                self.to.note_recognised(detection, unseen, SeenSide::OnTrial);
                self.reject();
            }
            Classification::NeedMore | Classification::NamedSoFar(_) | Classification::Reject => {
                self.reject();
            }
        }
    }

    /// No parser reads the flow.
    fn reject(&mut self) {
        *self.state = ParserState::unread(Loss::Unclaimed);
        *self.to.reader = Reader::Over;
    }

    /// Gives a parser what came before it was chosen.
    fn replay(&mut self, buffer: &ProbeBuffer) {
        let (now, ts) = (self.side, self.ts);
        let first = buffer.first.unwrap_or(now);
        let mut taken = [0; 2];
        for &ProbePiece { side, len, acked, ts } in buffer.pieces() {
            (self.side, self.ts) = (side, ts);
            let from = taken[side.index()];
            if from == 0 {
                self.skip_buffered(buffer);
            }
            taken[side.index()] += len;
            let bytes = &buffer.bytes(side)[from..from + len];
            let at = buffer.at(side) + from as u64;
            // The sink has seen the first of them, if a parser left them to this one.
            let shown = self.to.progress.shown[side.index()].saturating_sub(at);
            let shown = usize::try_from(shown).unwrap_or(usize::MAX);
            let (before, behind) = bytes.split_at(shown.min(bytes.len()));
            for (at, bytes) in [(at, before), (at + before.len() as u64, behind)] {
                if !bytes.is_empty() {
                    self.bytes_acking(at, bytes, acked, None);
                }
            }
        }
        self.ts = ts;
        for side in [first, !first] {
            self.side = side;
            if taken[side.index()] == 0 {
                self.skip_buffered(buffer);
            }
            // Reported when it was reached, but there was no parser then.
            if self.state.is_finished(side) && self.state.loss(side).is_none() {
                self.to.notify_parser(side, StreamEnd::Fin(side));
            }
        }
        self.side = now;
    }

    /// Gives a parser the gap before the bytes of this side.
    fn skip_buffered(&mut self, buffer: &ProbeBuffer) {
        let (at, missing) = (buffer.at(self.side), buffer.gap(self.side));
        if missing > 0 {
            // Reported when it was found.
            self.state.skip(self.at(at.saturating_sub(missing)), missing, &mut self.to);
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
        self.bytes_acking(at, bytes, None, None);
    }

    #[inline]
    fn bytes_acking(&mut self, at: u64, bytes: &[u8], acked: Option<u64>, ts: Option<Timestamp>) {
        if let Some(ts) = ts {
            return self.earlier_bytes(at, bytes, acked, ts);
        }
        if let Reader::Undecided(_) = &*self.to.reader {
            return self.decide(at, bytes, acked, false);
        }
        let chunk = StreamChunk::new(self.side, self.ts, at, bytes).acked(acked);
        self.state.bytes(chunk, &mut self.to);
        if let Reader::Undecided(left) = &*self.to.reader
            && left.len() > 0
        {
            // The parser has left them to the protocol that follows its own.
            self.decide(0, &[], None, false);
        }
    }

    fn gap(&mut self, at: u64, len: u64) {
        if let Reader::Undecided(buffer) = &mut *self.to.reader {
            if buffer.bytes(self.side).is_empty() {
                buffer.add_gap(self.side, len);
                return self.to.report_gap(self.at(at), len);
            }
            self.decide(0, &[], None, true);
        }
        self.state.gap(self.at(at), len, &mut self.to);
    }

    fn lost(&mut self, cause: Loss, bytes: u64) {
        self.to.report_loss(cause, bytes);
    }

    fn conflict(&mut self, conflict: Conflict) {
        self.to.report(SessionChange::Conflict { side: self.side, conflict });
    }
}

impl<K, C, U, O> SessionDelivery<'_, K, C, U, O>
where
    C: Classifier<K>,
    O: SessionSink<K, C::Message, U>,
{
    fn report(&mut self, change: SessionChange) {
        self.out.session(self.flow.reborrow(), change);
    }

    /// Notes what the flow was recognised as, if the first bytes of a side are still to come: those of a stream that
    /// is carried come from its parser.
    fn note_recognised(&mut self, detection: Detection, unseen: Option<FlowSide>, seen: SeenSide) {
        if self.progress.depth == 0 {
            self.host.note_recognised(detection, unseen, seen);
        }
    }

    /// Handles the first bytes of a stream: whether they contradict the protocol that was chosen. Returns whether
    /// its parser reads on, as it does where the other side is sure.
    #[inline(never)]
    fn check_start(&mut self, chunk: StreamChunk<'_>) -> bool {
        let side = chunk.side;
        self.progress.begun[side.index()] = true;
        // Bytes from the middle of a stream may be anything.
        let Some(detection) = &mut self.progress.detection else { return true };
        if self.progress.on_trial {
            let bytes = first_bytes(chunk.bytes);
            if self.host.classifier.probe_start(*detection, side, bytes) == Probe::Yes {
                detection.sure = Some(side);
                self.end_trial();
            }
            return true;
        }
        if detection.by == DetectedBy::Only
            || detection.sure == Some(side)
            || detection.contradicted.is_some()
            || self.flow.stream_start(side).is_none()
        {
            return true;
        }
        let (classifier, bytes) = (&self.host.classifier, first_bytes(chunk.bytes));
        if classifier.probe_start(*detection, side, bytes) != Probe::No {
            return true;
        }
        let protocol = classifier.recognise(side, bytes);
        detection.contradicted = Some(Contradiction { side, protocol });
        let detection = *detection;
        self.report(SessionChange::contradiction(detection));
        detection.sure.is_some()
    }

    fn notify_parser(&mut self, side: FlowSide, end: StreamEnd) {
        if let Reader::Reads(parser) = &mut *self.reader {
            self.host.classifier.notify(parser, end, &mut self.host.messages);
            self.emit(side);
        }
    }

    /// Hands the parser what that of another flow has said of this one.
    #[cold]
    fn introduce(&mut self) {
        let ParserHost { classifier, expectations, .. } = &mut *self.host;
        if let Reader::Reads(parser) = &mut *self.reader
            && let Some((by, about)) = expectations.of(self.flow.id)
        {
            classifier.introduce(parser, by.0, about);
        }
    }

    /// Hands the parser of an expected flow, before its end, what has been said since its first bytes.
    fn end_expected(&mut self) {
        if std::mem::take(&mut self.progress.expected) {
            self.introduce();
            self.host.expectations.release(self.flow.id);
        }
    }

    /// The parser has made its first message, or the bytes of one side are sure: the flow has a name.
    #[cold]
    fn end_trial(&mut self) {
        self.progress.on_trial = false;
        if let Some(detection) = self.progress.detection {
            self.report(SessionChange::Chosen(detection));
        }
    }

    /// Passes the messages of the last call to the sink.
    #[inline]
    fn emit(&mut self, side: FlowSide) {
        if self.host.messages.is_empty() {
            return;
        }
        if self.progress.on_trial {
            self.end_trial();
        }
        for message in self.host.messages.drain(..) {
            self.out.message(self.flow.reborrow(), side, message);
        }
    }
}

impl<K, C, U, O> Delivery for SessionDelivery<'_, K, C, U, O>
where
    C: Classifier<K>,
    O: SessionSink<K, C::Message, U>,
{
    fn probe(&mut self, side: FlowSide, start: &[u8]) -> Probe {
        match &*self.reader {
            Reader::Reads(parser) => self.host.classifier.probe(parser, side, start),
            Reader::Carries(carrier) => self.host.classifier.probe(&carrier.outer, side, start),
            _ => Probe::Maybe,
        }
    }

    #[inline]
    fn feed(&mut self, chunk: StreamChunk<'_>) -> ParserStatus {
        if chunk.offset == 0 && !self.check_start(chunk) {
            self.host.ledger.deliver(chunk.bytes.len() as u64);
            return ParserStatus::Failed(ParseError::NotTheProtocol);
        }
        let Reader::Reads(parser) = &mut *self.reader else {
            // Field by field: a chunk that is passed on as it is would be in memory for every packet.
            let StreamChunk { side, ts, offset, bytes, acked, mid_stream } = chunk;
            let at = StreamPosition { side, ts, offset };
            return self.feed_carrier(at, bytes, acked, mid_stream);
        };
        self.host.ledger.deliver(chunk.bytes.len() as u64);
        if chunk.offset >= self.progress.shown[chunk.side.index()] {
            let status = self.out.bytes(self.flow.reborrow(), chunk);
            if status != ParserStatus::Continue {
                return status;
            }
        }
        let ParserHost { classifier, messages, .. } = &mut *self.host;
        let status = classifier.feed(parser, chunk, messages);
        self.emit(chunk.side);
        status
    }

    fn gap(&mut self, at: StreamPosition, len: u64) -> ParserStatus {
        let parser = match &mut *self.reader {
            Reader::Reads(parser) => parser,
            Reader::Carries(carrier) => &mut carrier.outer,
            Reader::Undecided(_) | Reader::Over => return ParserStatus::Continue,
        };
        let ParserHost { classifier, messages, .. } = &mut *self.host;
        let status = classifier.gap(parser, at.side, len, messages);
        self.emit(at.side);
        status
    }

    #[cold]
    fn upgrade(&mut self, at: StreamPosition, to: Option<&'static str>) -> bool {
        let Reader::Reads(parser) = &mut *self.reader else { return false };
        let ParserHost { classifier, ledger, .. } = &mut *self.host;
        if !classifier.upgrades() {
            return false;
        }
        let mut left = ProbeBuffer::default();
        left.set_agreed(to);
        for side in SIDES {
            let Some(remainder) = classifier.take_remainder(parser, side) else { continue };
            let len = remainder.bytes.len() as u64;
            ledger.take_back(len);
            left.first.get_or_insert(side);
            let here = StreamPosition { side, ts: at.ts, offset: remainder.offset };
            left.push(here, &remainder.bytes, None);
            let shown = &mut self.progress.shown[side.index()];
            *shown = (*shown).max(remainder.offset + len);
        }
        self.end_expected();
        let Reader::Reads(parser) = &mut *self.reader else { return false };
        let ParserHost { classifier, messages, .. } = &mut *self.host;
        classifier.notify(parser, StreamEnd::End, messages);
        self.emit(at.side);
        *self.reader = Reader::Undecided(left);
        true
    }

    #[cold]
    fn expect(&mut self, at: StreamPosition) {
        let ParserHost { classifier, expectations, endpoints, .. } = &mut *self.host;
        let parser = match &mut *self.reader {
            Reader::Reads(parser) => parser,
            Reader::Carries(carrier) => &mut carrier.outer,
            Reader::Undecided(_) | Reader::Over => return,
        };
        let (ends, initiator) = (endpoints(self.flow.key), self.flow.orientation());
        while let Some(expectation) = classifier.take_expectation(parser) {
            if let Some(ends) = ends {
                expectations.add(ends, initiator, (self.flow.id, at.ts), expectation);
            }
        }
    }

    #[cold]
    fn carry(
        &mut self,
        at: StreamPosition,
        name: Option<&'static str>,
    ) -> Option<[Option<Loss>; 2]> {
        self.carry_on(at, name)
    }

    fn notify(&mut self, at: StreamPosition, end: StreamEnd) {
        if let StreamEnd::Fin(side) = end
            && self.progress.depth == 0
        {
            self.out.fin(self.flow.reborrow(), side);
        }
        if end == StreamEnd::End {
            self.end_expected();
        }
        if let Reader::Carries(_) = &*self.reader {
            return self.notify_carrier(at, end);
        }
        self.notify_parser(at.side, end);
        if end == StreamEnd::End {
            self.carry_rest(at);
        }
    }

    fn release(&mut self) {
        *self.reader = Reader::Over;
    }

    fn report_gap(&mut self, at: StreamPosition, len: u64) {
        self.report(SessionChange::Gap { side: at.side, offset: at.offset, len });
    }

    fn report_stop(&mut self, at: StreamPosition, side: Option<FlowSide>, why: StopReason) {
        self.report(SessionChange::Stopped { side, why });
        // First bytes that are sure outweigh what the parser finds behind them.
        let by_port_alone = |it: &mut Detection| {
            it.by != DetectedBy::Only && it.sure.is_none() && it.contradicted.is_none()
        };
        let on_trial = self.progress.on_trial;
        if !on_trial
            && why == StopReason::Failed(ParseError::NotTheProtocol)
            && let Some(mut detection) = self.progress.detection.take_if(by_port_alone)
        {
            detection.contradicted = Some(Contradiction { side: at.side, protocol: None });
            return self.report(SessionChange::contradiction(detection));
        }
        // The first bytes of the other side may still contradict or confirm, though nobody reads them.
        if side.is_none()
            && (on_trial || self.progress.begun.contains(&true))
            && let Some(detection) = self.progress.detection
            && detection.by != DetectedBy::Only
            && detection.contradicted.is_none()
            && detection.within.is_none()
        {
            let unseen = Some(!at.side).filter(|side| !self.progress.begun[side.index()]);
            let seen = if on_trial { SeenSide::OnTrial } else { SeenSide::of(&detection) };
            self.note_recognised(detection, unseen, seen);
        }
    }

    fn report_loss(&mut self, cause: Loss, bytes: u64) {
        self.host.ledger.lose(cause, bytes);
    }

    #[cold]
    fn report_unread(&mut self, cause: Loss, chunk: StreamChunk<'_>) {
        // Where both sides were held until the end of the flow, the first has suggested a protocol just now.
        let is_its = |it: &mut Recognised| it.seen == SeenSide::OnTrial && it.unseen == chunk.side;
        if let Some(recognised) = self.host.recognised.take_if(is_its) {
            judge(self.host, self.out, self.flow.reborrow(), recognised, chunk.bytes);
        }
        self.report_loss(cause, chunk.bytes.len() as u64);
    }
}

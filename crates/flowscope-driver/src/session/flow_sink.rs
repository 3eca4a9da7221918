//! The sink of the flow table that opens, feeds and closes sessions.

use flowscope_core::{
    Announcement, Datagram, Endpoints, Expectation, FlowSide, Ledger, Loss, Reassembler,
    ReassemblerFactory, Segment, StreamSink, Timestamp,
};
use flowscope_session::StopReason;
use flowscope_track::{Anomaly, Change, EndReason, Flow, FlowSink, PacketInfo};

use super::closing::{early_fin, may_go_on, retract_fin};
use super::expectations::Expectations;
use super::slot::{
    Carrier, FlowContext, Reader, Reading, Recognised, SIDES, SeenSide, Session, Slot, SlotOf,
};
use super::stream_dispatch::StreamDispatch;
use crate::detection::{Announcers, Classification, Classifier, Detection, ProbeInput, Transport};
use crate::ingress::PayloadCounts;
use crate::session::{SessionChange, SessionSink};

/// Everything of a session engine but the flow table: classifier, storage, accounts.
pub(crate) struct ParserHost<K, C: Classifier<K>> {
    pub(crate) classifier: C,
    /// Storage for the messages of one call.
    pub(crate) messages: Vec<C::Message>,
    /// What became of the payload of flows that are read.
    pub(crate) ledger: Ledger,
    pending: u64,
    held: usize,
    limit: usize,
    /// Names of protocols that flows were recognised as.
    pub(super) protocols: Vec<&'static str>,
    /// What the flow at hand was recognised as, until that is noted with it.
    pub(super) recognised: Option<Recognised>,
    /// The flows that parsers expect.
    pub(super) expectations: Expectations,
    /// By what packets of flows that are recognised and not read are known which announce others.
    announcers: Option<Box<Announcers>>,
    /// The ends of a flow, by which it is known that it is expected.
    pub(super) endpoints: fn(&K) -> Option<Endpoints>,
}

/// Datagrams that may leave undecided which parser reads their flow.
const MAX_PROBE_DATAGRAMS: u8 = 32;

pub(super) type SessionOf<K, C> = Session<
    <C as Classifier<K>>::Parser,
    <<C as Classifier<K>>::Streams as ReassemblerFactory<K>>::Reassembler,
>;

impl<K, C: Classifier<K>> ParserHost<K, C> {
    /// Creates a host whose reassemblers and parsers allocate at most `limit` bytes.
    pub(crate) fn new(classifier: C, limit: usize) -> Self {
        let announcers = classifier.recognises_only().then(|| classifier.announcers());
        let announcers = announcers.filter(|all| !all.is_empty()).map(Announcers::new);
        ParserHost {
            classifier,
            announcers: announcers.map(Box::new),
            messages: Vec::new(),
            ledger: Ledger::default(),
            pending: 0,
            held: 0,
            limit,
            protocols: Vec::new(),
            recognised: None,
            expectations: Expectations::default(),
            endpoints: |_| None,
        }
    }

    /// Looks for flows that parsers expect, by the ends that their keys have.
    pub(crate) fn expecting(mut self, endpoints: fn(&K) -> Option<Endpoints>) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// Returns what became of payload that parsers read.
    pub(crate) fn payload_counts(&self) -> PayloadCounts {
        PayloadCounts { ledger: self.ledger.clone(), pending: self.pending, shunted: 0 }
    }

    /// Returns the payload bytes that are buffered, out of order or until a parser is chosen.
    pub(crate) fn pending(&self) -> u64 {
        self.pending
    }

    /// Returns the allocated memory, in bytes, by capacity.
    pub(crate) fn heap_bytes(&self) -> usize {
        let messages = self.messages.capacity() * size_of::<C::Message>();
        self.held + messages + self.expectations.heap_bytes()
    }

    /// Notes what the flow at hand was recognised as, if the first bytes of a side are still to come.
    pub(crate) fn note_recognised(
        &mut self,
        detection: Detection,
        unseen: Option<FlowSide>,
        seen: SeenSide,
    ) {
        let Some(unseen) = unseen else { return };
        if let Some(protocol) = self.place_of(detection.protocol) {
            self.recognised = Some(Recognised { protocol, by: detection.by, unseen, seen });
        }
    }

    /// The place of a name in the list of those that flows were recognised as; none beyond 256.
    fn place_of(&mut self, protocol: &'static str) -> Option<u8> {
        let known = self.protocols.iter().position(|known| *known == protocol);
        let place = known.unwrap_or_else(|| {
            self.protocols.push(protocol);
            self.protocols.len() - 1
        });
        u8::try_from(place).ok()
    }

    pub(super) fn open(&mut self, key: &K, ports: Option<(u16, u16)>) -> Box<SessionOf<K, C>> {
        let streams = self.classifier.streams();
        Box::new(Session::undecided(SIDES.map(|side| streams.new_reassembler(key, side)), ports))
    }

    /// Counts what a session holds now; returns whether all sessions exceed the limit.
    #[inline]
    pub(super) fn settle(&mut self, session: &mut SessionOf<K, C>) -> bool {
        let (mut held, mut pending) = (size_of::<SessionOf<K, C>>(), 0);
        for side in session.sides.iter().flatten() {
            held += side.heap_bytes();
            pending += side.pending();
        }
        if session.has_padding {
            pending += session.padding.iter().flatten().map(|padding| padding.len()).sum::<u64>();
        }
        match &session.reading.reader {
            Reader::Reads(parser) => held += self.classifier.heap_bytes(parser),
            Reader::Undecided(buffer) => {
                held += buffer.heap_bytes();
                pending += buffer.len() as u64;
            }
            Reader::Carries(carrier) => held += self.carrier_bytes(carrier),
            Reader::Over => {}
        }
        self.held = self.held - session.held + held;
        self.pending = self.pending - session.pending + pending;
        (session.held, session.pending) = (held, pending);
        self.held > self.limit
    }

    /// Memory of a parser and of those who read what its streams carry, in bytes. What is buffered of that was
    /// delivered already.
    #[cold]
    fn carrier_bytes(&self, carrier: &Carrier<C::Parser>) -> usize {
        let inner = match &carrier.inner.reader {
            Reader::Reads(parser) => self.classifier.heap_bytes(parser),
            Reader::Undecided(buffer) => buffer.heap_bytes(),
            Reader::Carries(carrier) => self.carrier_bytes(carrier),
            Reader::Over => 0,
        };
        size_of::<Carrier<C::Parser>>() + self.classifier.heap_bytes(&carrier.outer) + inner
    }

    /// Frees a session: payload that it still buffers is lost to `cause`.
    pub(super) fn discard(&mut self, session: &mut SessionOf<K, C>, cause: Loss) {
        self.settle(session);
        self.held -= session.held;
        self.pending -= session.pending;
        self.ledger.lose(cause, session.pending);
    }
}

/// The sink that a session engine passes to its flow table, for one call: sessions read what the
/// table lends, and `out` receives the results.
pub(crate) struct SessionFlowSink<'a, K, C: Classifier<K>, O> {
    pub(crate) host: &'a mut ParserHost<K, C>,
    pub(crate) out: &'a mut O,
}

impl<K, C, U, O> FlowSink<K, SlotOf<K, C, U>> for SessionFlowSink<'_, K, C, O>
where
    C: Classifier<K>,
    O: SessionSink<K, C::Message, U>,
{
    #[inline]
    fn wants_packets(&self) -> bool {
        self.out.wants_packets()
    }

    #[inline]
    fn fetch(&self, slot: &SlotOf<K, C, U>) -> usize {
        slot.fetch()
    }

    fn may_shunt(&self, slot: &SlotOf<K, C, U>) -> bool {
        !self.host.classifier.reads(Transport::Stream) || slot.is_unread()
    }

    fn event(&mut self, flow: Flow<'_, K, SlotOf<K, C, U>>, change: Change) {
        let (mut flow, (session, context)) = flow.project(Slot::parts);
        match change {
            // The flow is over, its streams are not: more of them may come while the entry lingers.
            Change::Ended { reason: reason @ (EndReason::Fin | EndReason::Rst) }
                if self.waits_for_bytes(reason, session, context, flow.reborrow()) =>
            {
                context.closing = Some(reason);
                self.out.flow(flow, change);
            }
            Change::Ended { reason } => {
                self.end_session(reason, flow.reborrow(), session, context);
                self.out.flow(flow.reborrow(), change);
                self.out.session_ended(flow, reason);
            }
            _ => {
                if let Change::Anomaly { kind: Anomaly::RetractedFin, side } = change {
                    retract_fin(session, side);
                }
                self.end_waiting(flow.reborrow(), session, context);
                self.out.flow(flow, change);
            }
        }
    }

    fn late_packet(&mut self, flow: Flow<'_, K, SlotOf<K, C, U>>, packet: PacketInfo) {
        let (flow, _) = flow.project(Slot::parts);
        self.out.late_packet(flow, packet);
    }

    fn late_segment(&mut self, flow: Flow<'_, K, SlotOf<K, C, U>>, mut segment: Segment<'_>) {
        let (mut flow, (session, context)) = flow.project(Slot::parts);
        let Some(reason) = context.closing else { return };
        if segment.padding {
            self.drop_padding(&mut segment);
        }
        let over = match session {
            Some(open) => self.stream(open, flow.reborrow(), segment),
            None => self.open_stream(session, context, flow.reborrow(), segment),
        };
        self.close_if(over, session, context);
        if over.is_some() || !may_go_on(reason, session, &flow) {
            self.end_waiting(flow, session, context);
        }
    }

    #[inline]
    fn segment(&mut self, flow: Flow<'_, K, SlotOf<K, C, U>>, mut segment: Segment<'_>) {
        let (flow, (session, context)) = flow.project(Slot::parts);
        if let Some(cause) = context.unread {
            if let Some(announcers) = &self.host.announcers
                && let Some(said) = announcers.find(segment.payload)
            {
                self.expect(&flow, &segment, said);
            }
            if context.recognised.is_some() {
                self.check_other_side(context, flow, &segment);
            }
            return self.refuse(cause, segment.payload);
        }
        if segment.padding {
            self.drop_padding(&mut segment);
        }
        let over = match session {
            Some(open) => self.stream(open, flow, segment),
            None => self.open_stream(session, context, flow, segment),
        };
        self.close_if(over, session, context);
    }

    fn datagram(&mut self, flow: Flow<'_, K, SlotOf<K, C, U>>, datagram: Datagram<'_>) {
        let (mut flow, (session, context)) = flow.project(Slot::parts);
        if let Some(cause) = context.unread {
            return self.refuse(cause, datagram.payload);
        }
        if session.is_none() {
            *session = self.open_datagrams(context, flow.reborrow(), &datagram);
        }
        if let Some(open) = session {
            let over = self.read_datagram(open, flow, datagram);
            self.close_if(over, session, context);
        }
    }

    #[inline]
    fn removed(&mut self, flow: Flow<'_, K, SlotOf<K, C, U>>, reason: EndReason) {
        let (mut flow, (session, context)) = flow.project(Slot::parts);
        self.end_waiting(flow.reborrow(), session, context);
        self.out.removed(flow, reason);
    }
}

impl<K, C: Classifier<K>, O> SessionFlowSink<'_, K, C, O> {
    /// Counts payload of a flow that is not read. Unclaimed payload is not counted here: it is what
    /// remains when all else is counted.
    fn refuse(&mut self, cause: Loss, payload: &[u8]) {
        if cause != Loss::Unclaimed {
            self.host.ledger.lose(cause, payload.len() as u64);
        }
    }

    /// Closes a session that is over.
    #[inline]
    pub(super) fn close_if(
        &mut self,
        over: Option<Loss>,
        session: &mut Option<Box<SessionOf<K, C>>>,
        context: &mut FlowContext,
    ) {
        if let Some(cause) = over {
            context.unread = Some(cause);
            context.recognised = self.host.recognised.take();
            if let Some(mut session) = session.take() {
                self.host.discard(&mut session, cause);
            }
        }
    }

    /// Builds the context in which payload of a flow is delivered.
    #[inline]
    pub(super) fn dispatch<'d, U>(
        &'d mut self,
        reading: &'d mut Reading<C::Parser>,
        flow: Flow<'d, K, U>,
        side: FlowSide,
        ts: Timestamp,
    ) -> StreamDispatch<'d, K, C, U, O>
    where
        O: SessionSink<K, C::Message, U>,
    {
        StreamDispatch::new(self.host, self.out, reading, flow, side, ts)
    }

    /// Handles a segment of a flow that has no session yet.
    fn open_stream<U>(
        &mut self,
        session: &mut Option<Box<SessionOf<K, C>>>,
        context: &mut FlowContext,
        mut flow: Flow<'_, K, U>,
        segment: Segment<'_>,
    ) -> Option<Loss>
    where
        O: SessionSink<K, C::Message, U>,
    {
        // The flow table keeps a FIN for the session, but not one that comes late.
        let ends = segment.fin && context.closing.is_some();
        if segment.wire_len == 0 && !ends {
            return None;
        }
        if !self.host.classifier.reads(Transport::Stream) {
            return Some(Loss::Unclaimed);
        }
        if segment.syn && segment.out_of_window {
            self.refuse(Loss::OutOfWindow, segment.payload);
            return None;
        }
        let open = session.insert(self.host.open(flow.key, context.ports));
        let over = self.begin_stream(open, flow.reborrow(), segment.side, segment.ts);
        if over.is_some() {
            return over;
        }
        self.stream(open, flow, segment)
    }

    /// Gives a new session what is known of the streams of its flow: where they end, if that is behind bytes that
    /// were not captured.
    pub(super) fn begin_stream<U>(
        &mut self,
        open: &mut SessionOf<K, C>,
        mut flow: Flow<'_, K, U>,
        side: FlowSide,
        ts: Timestamp,
    ) -> Option<Loss>
    where
        O: SessionSink<K, C::Message, U>,
    {
        if !self.host.expectations.is_empty() {
            self.look_for_expectation(open, &flow, ts);
        }
        self.dispatch(&mut open.reading, flow.reborrow(), side, ts).decide_early();
        if let Some(cause) = open.reading.state.over() {
            return Some(cause);
        }
        self.note_acknowledged(open, flow.reborrow(), side, ts);
        for side in [FlowSide::Initiator, FlowSide::Responder] {
            if let Some(seq) = early_fin(&flow, side) {
                if let Some(start) = flow.stream_start(side) {
                    self.begin_side(open, flow.reborrow(), side, ts, start);
                }
                let fin = Segment::new(side, ts, seq, &[]).fin();
                self.stream(open, flow.reborrow(), fin);
            }
        }
        open.reading.state.over()
    }

    /// Notes with a new session the protocol that the parser of another flow expects of this one, if one does.
    #[cold]
    fn look_for_expectation<U>(
        &mut self,
        open: &mut SessionOf<K, C>,
        flow: &Flow<'_, K, U>,
        ts: Timestamp,
    ) {
        let ParserHost { expectations, endpoints, .. } = &mut *self.host;
        let found = endpoints(flow.key).and_then(|ends| expectations.take(flow.id, ends, ts));
        let Some(protocol) = found else { return };
        open.expect(protocol);
        if self.host.announcers.is_some() {
            // No parser reads the flow that could be introduced.
            self.host.expectations.release(flow.id);
        }
    }

    /// Expects the flow that a segment announces.
    #[cold]
    fn expect<U>(&mut self, flow: &Flow<'_, K, U>, segment: &Segment<'_>, said: Announcement) {
        let ParserHost { expectations, endpoints, .. } = &mut *self.host;
        let Some(ends) = endpoints(flow.key) else { return };
        let expected = Expectation::new(said.protocol, segment.side, said.port).host(said.host);
        expectations.add(ends, flow.orientation(), (flow.id, segment.ts), expected);
    }

    /// Passes to the reassembler of the side whose bytes open a session that it was acknowledged before: then its
    /// receiver was captured, and the window is known. These bytes themselves acknowledge the other side.
    fn note_acknowledged<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        mut flow: Flow<'_, K, U>,
        side: FlowSide,
        ts: Timestamp,
    ) where
        O: SessionSink<K, C::Message, U>,
    {
        let Session { reading, sides: Some(sides), .. } = session else { return };
        if let Some(ack) = flow.acknowledged(side) {
            let mut to = self.dispatch(reading, flow.reborrow(), !side, ts);
            let (own, peer) = own_and_peer(sides, side);
            peer.push(Segment::new(!side, ts, 0, &[]).ack(ack), own, to.sink(!side));
        }
    }

    /// Passes to the reassemblers where streams start, before this segment.
    ///
    /// The flow table decides which SYN counts: the one that is acknowledged, where there are several (RFC
    /// 9293 §3.10.7.3). So what it says is taken when the other side has acknowledged the SYN, or with the first
    /// bytes.
    #[cold]
    fn begin_sides<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        mut flow: Flow<'_, K, U>,
        segment: &Segment<'_>,
    ) where
        O: SessionSink<K, C::Message, U>,
    {
        for side in [FlowSide::Initiator, FlowSide::Responder] {
            let Some(start) = flow.stream_start(side).filter(|_| !session.begun[side.index()])
            else {
                continue;
            };
            let has_bytes = side == segment.side
                && !segment.out_of_window
                && (segment.wire_len > 0 || segment.fin);
            let is_acknowledged =
                flow.acknowledged(side).is_some_and(|ack| ack.wrapping_sub(start) < 1 << 31);
            if has_bytes || is_acknowledged {
                self.begin_side(session, flow.reborrow(), side, segment.ts, start);
            }
        }
    }

    /// Passes to the reassembler of `side` where its stream starts.
    fn begin_side<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        flow: Flow<'_, K, U>,
        side: FlowSide,
        ts: Timestamp,
        start: u32,
    ) where
        O: SessionSink<K, C::Message, U>,
    {
        session.begun[side.index()] = true;
        let Some(sides) = session.sides.as_mut() else { return };
        let mut to = self.dispatch(&mut session.reading, flow, side, ts);
        to.syn(side);
        let (own, peer) = own_and_peer(sides, side);
        own.push(Segment::new(side, ts, start, &[]).syn(), peer, to.sink(side));
        to.check_fin(side, own);
    }

    /// Handles a segment of a flow with a session; returns why the flow is not read any further, if
    /// so.
    #[inline]
    pub(super) fn stream<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        mut flow: Flow<'_, K, U>,
        mut segment: Segment<'_>,
    ) -> Option<Loss>
    where
        O: SessionSink<K, C::Message, U>,
    {
        let (side, ts) = (segment.side, segment.ts);
        if segment.syn {
            self.take_syn(&mut segment);
        }
        if segment.padding | session.has_padding {
            self.sort_padding(session, flow.reborrow(), &mut segment);
        }
        if session.begun != [true; 2] {
            self.begin_sides(session, flow.reborrow(), &segment);
        }
        let Session { reading, sides, .. } = &mut *session;
        let sides = sides.as_mut()?;
        let mut to = self.dispatch(reading, flow.reborrow(), side, ts);
        if sides.iter().any(|side| side.deadline().is_some_and(|deadline| deadline <= ts)) {
            to.timeout(sides, ts);
        }
        to.segment(&mut segment);
        let (own, peer) = own_and_peer(sides, side);
        own.push(segment, peer, to.sink(side));
        to.settle(side, own);
        if let Some(ack) = segment.ack {
            peer.acked(ack, to.sink(!side));
            to.check_fin(!side, peer);
        }
        if sides.iter().any(|side| side.deadline().is_some() && side.is_waiting()) {
            to.release(sides);
        }
        if self.host.settle(session) {
            self.enforce_memory_limit(session, flow, ts);
        }
        session.reading.state.over()
    }

    /// Prepares a SYN: where the stream starts is passed on by itself. One that the flow table has not accepted
    /// brings nothing to the stream and acknowledges nothing.
    #[cold]
    fn take_syn(&mut self, segment: &mut Segment<'_>) {
        segment.syn = false;
        if segment.out_of_window {
            self.refuse(Loss::OutOfWindow, segment.payload);
            segment.remove_payload();
            segment.ack = None;
        }
    }

    /// Handles memory above the limit: the flow's reassemblers drop what they buffer out of order,
    /// and if that is not enough, the flow is read no further.
    #[cold]
    fn enforce_memory_limit<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        flow: Flow<'_, K, U>,
        ts: Timestamp,
    ) where
        O: SessionSink<K, C::Message, U>,
    {
        for side in session.sides.iter_mut().flatten() {
            side.drop_buffered(&mut DropCounter(&mut self.host.ledger));
        }
        if self.host.settle(session) {
            self.dispatch(&mut session.reading, flow, FlowSide::Initiator, ts)
                .stop(StopReason::MemoryLimit);
        }
    }

    /// Handles a datagram of a flow that has no session yet; returns one if a parser reads the flow.
    fn open_datagrams<U>(
        &mut self,
        context: &mut FlowContext,
        flow: Flow<'_, K, U>,
        datagram: &Datagram<'_>,
    ) -> Option<Box<SessionOf<K, C>>>
    where
        O: SessionSink<K, C::Message, U>,
    {
        if !self.host.classifier.reads(Transport::Datagram) {
            context.unread = Some(Loss::Unclaimed);
            return None;
        }
        context.probed_datagrams += 1;
        let mut bytes: [&[u8]; 2] = [&[]; 2];
        bytes[datagram.side.index()] = datagram.payload;
        let start = ProbeInput {
            key: flow.key,
            transport: Transport::Datagram,
            ports: context.ports,
            bytes,
            wire_len: datagram.wire_len,
            agreed: None,
            whole: true,
            last: context.probed_datagrams >= MAX_PROBE_DATAGRAMS,
        };
        match self.host.classifier.classify(&start) {
            Classification::Read(parser, detection) | Classification::Try(parser, detection) => {
                self.out.session(flow, SessionChange::Chosen(detection));
                Some(Box::new(Session::read_by(parser, detection)))
            }
            Classification::Recognised(detection) => {
                context.unread = Some(Loss::Unclaimed);
                self.name_once(context, flow, detection);
                None
            }
            Classification::NamedSoFar(detection) if !start.last => {
                self.name_once(context, flow, detection);
                None
            }
            Classification::NeedMore if !start.last => None,
            Classification::NamedSoFar(_)
            | Classification::Suspected(_)
            | Classification::NeedMore
            | Classification::Reject => {
                context.unread = Some(Loss::Unclaimed);
                None
            }
        }
    }

    /// Gives a flow of datagrams the name of a protocol, unless an earlier one has given it that.
    fn name_once<U>(&mut self, context: &mut FlowContext, flow: Flow<'_, K, U>, named: Detection)
    where
        O: SessionSink<K, C::Message, U>,
    {
        let place = self.host.place_of(named.protocol);
        if place.is_none() || context.named != place {
            context.named = place;
            self.out.session(flow, SessionChange::Chosen(named));
        }
    }

    /// Handles a datagram of a flow with a session; returns why the flow is not read any further, if
    /// so.
    fn read_datagram<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        mut flow: Flow<'_, K, U>,
        datagram: Datagram<'_>,
    ) -> Option<Loss>
    where
        O: SessionSink<K, C::Message, U>,
    {
        let (side, ts) = (datagram.side, datagram.ts);
        self.dispatch(&mut session.reading, flow.reborrow(), side, ts).datagram(datagram);
        if self.host.settle(session) {
            self.enforce_memory_limit(session, flow, ts);
        }
        session.reading.state.over()
    }
}

/// Counts what reassemblers drop because memory is short.
struct DropCounter<'a>(&'a mut Ledger);

impl StreamSink for DropCounter<'_> {
    fn bytes(&mut self, _: u64, bytes: &[u8]) {
        self.0.lose(Loss::Memcap, bytes.len() as u64);
    }

    fn gap(&mut self, _: u64, _: u64) {}

    fn lost(&mut self, cause: Loss, bytes: u64) {
        self.0.lose(cause, bytes);
    }
}

/// Returns the reassembler of `side` and that of the other side.
#[inline]
pub(super) fn own_and_peer<R>(sides: &mut [R; 2], side: FlowSide) -> (&mut R, &mut R) {
    let [initiator, responder] = sides;
    match side {
        FlowSide::Initiator => (initiator, responder),
        FlowSide::Responder => (responder, initiator),
    }
}

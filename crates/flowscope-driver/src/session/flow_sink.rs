//! Between the flow table and those who read flows: sessions are opened, fed and closed.

use std::marker::PhantomData;

use flowscope_core::{
    Datagram, FlowSide, Ledger, Loss, Reassembler, ReassemblerFactory, Segment, StreamSink,
    Timestamp,
};
use flowscope_track::{Change, ConnState, EndReason, Flow, FlowSink};

use super::slot::{FlowContext, ReadState, Reader, Session, Slot, SlotOf};
use super::stream_dispatch::StreamDispatch;
use crate::detection::{Classification, Classifier, ProbeInput, StreamEnd, Transport};
use crate::ingress::PayloadCounts;
use crate::session::{SessionChange, SessionSink, StopReason};

/// What a session engine has beside the flow table.
pub(crate) struct ParserHost<K, C: Classifier<K>> {
    pub(crate) classifier: C,
    /// Storage for what parsers make.
    pub(crate) messages: Vec<C::Message>,
    /// Payload of flows that are read.
    pub(crate) ledger: Ledger,
    pending: u64,
    held: usize,
    limit: usize,
    key: PhantomData<fn(&K)>,
}

/// As many datagrams may tell nothing about who reads their flow.
const MAX_PROBE_DATAGRAMS: u8 = 4;

type SessionOf<K, C> = Session<
    <C as Classifier<K>>::Parser,
    <<C as Classifier<K>>::Streams as ReassemblerFactory<K>>::Reassembler,
>;

impl<K, C: Classifier<K>> ParserHost<K, C> {
    /// A host whose reassemblers and parsers hold at most `limit` bytes.
    pub(crate) fn new(classifier: C, limit: usize) -> Self {
        ParserHost {
            classifier,
            messages: Vec::new(),
            ledger: Ledger::default(),
            pending: 0,
            held: 0,
            limit,
            key: PhantomData,
        }
    }

    /// What became of payload that somebody reads.
    pub(crate) fn payload_counts(&self) -> PayloadCounts {
        PayloadCounts { ledger: self.ledger.clone(), pending: self.pending }
    }

    /// Payload bytes that wait for others before them, or for a parser to be chosen.
    pub(crate) fn pending(&self) -> u64 {
        self.pending
    }

    /// Bytes of memory held, by capacity.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.held + self.messages.capacity() * size_of::<C::Message>()
    }

    fn open(&mut self, key: &K, mid_stream: [bool; 2]) -> Box<SessionOf<K, C>> {
        let streams = self.classifier.streams();
        let sides = [FlowSide::Initiator, FlowSide::Responder];
        Box::new(Session::undecided(
            sides.map(|side| streams.new_reassembler(key, side)),
            mid_stream,
        ))
    }

    /// Counts what a session holds now; says whether all hold more than there is room for.
    #[inline]
    fn settle(&mut self, session: &mut SessionOf<K, C>) -> bool {
        let (mut held, mut pending) = (size_of::<SessionOf<K, C>>(), 0);
        for side in session.sides.iter().flatten() {
            held += side.heap_bytes();
            pending += side.pending();
        }
        match &session.reader {
            Reader::Reads(parser) => held += self.classifier.heap_bytes(parser),
            Reader::Undecided(buffer) => {
                held += buffer.capacity();
                pending += buffer.len() as u64;
            }
            Reader::Over(_) => {}
        }
        self.held = self.held - session.held + held;
        self.pending = self.pending - session.pending + pending;
        (session.held, session.pending) = (held, pending);
        self.held > self.limit
    }

    /// The session is over: what still waits in it is lost.
    fn discard(&mut self, session: &mut SessionOf<K, C>, read_state: ReadState) {
        self.settle(session);
        self.held -= session.held;
        self.pending -= session.pending;
        self.ledger.lose(read_state.loss(), session.pending);
    }
}

/// The host at work for one call: what the table lends goes in, what comes of it goes to `out`.
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

    fn event(&mut self, flow: Flow<'_, K, SlotOf<K, C, U>>, change: Change) {
        let reset = match change {
            Change::Ended { reason: EndReason::Rst } => Some(reset_by(&flow)),
            _ => None,
        };
        let (mut flow, (session, context)) = flow.project(Slot::parts);
        if matches!(change, Change::Ended { .. }) {
            if let Some(mut open) = session.take() {
                let read_state = self.end(&mut open, *context, flow.reborrow(), reset);
                context.read_state = read_state.unwrap_or(ReadState::Unclaimed);
                self.host.discard(&mut open, context.read_state);
            } else if context.read_state == ReadState::Open {
                context.read_state = ReadState::Unclaimed;
            }
        }
        self.out.flow(flow, change);
    }

    #[inline]
    fn segment(&mut self, flow: Flow<'_, K, SlotOf<K, C, U>>, segment: Segment<'_>) {
        let (flow, (session, context)) = flow.project(Slot::parts);
        if context.read_state != ReadState::Open {
            return self.refuse(context.read_state, segment.payload);
        }
        let over = match session {
            Some(open) => self.stream(open, *context, flow, segment),
            None => self.open_stream(session, context, flow, segment),
        };
        self.close_if(over, session, context);
    }

    fn datagram(&mut self, flow: Flow<'_, K, SlotOf<K, C, U>>, datagram: Datagram<'_>) {
        let (mut flow, (session, context)) = flow.project(Slot::parts);
        if context.read_state != ReadState::Open {
            return self.refuse(context.read_state, datagram.payload);
        }
        if session.is_none() {
            *session = self.open_datagrams(context, flow.reborrow(), &datagram);
        }
        if let Some(open) = session {
            let over = self.read_datagram(open, *context, flow, datagram);
            self.close_if(over, session, context);
        }
    }

    #[inline]
    fn removed(&mut self, flow: Flow<'_, K, SlotOf<K, C, U>>, reason: EndReason) {
        let (flow, _) = flow.project(Slot::parts);
        self.out.removed(flow, reason);
    }
}

/// Who reset a flow that ended so.
fn reset_by<K, S>(flow: &Flow<'_, K, S>) -> FlowSide {
    match flow.stats().conn_state {
        ConnState::Rstr | ConnState::Rstrh | ConnState::Rej => FlowSide::Responder,
        _ => FlowSide::Initiator,
    }
}

impl<K, C: Classifier<K>, O> SessionFlowSink<'_, K, C, O> {
    /// Counts payload that is not read any more. What was never claimed is what remains when all
    /// else is counted.
    fn refuse(&mut self, read_state: ReadState, payload: &[u8]) {
        if read_state != ReadState::Unclaimed {
            self.host.ledger.lose(read_state.loss(), payload.len() as u64);
        }
    }

    /// Closes a session that is over.
    #[inline]
    fn close_if(
        &mut self,
        over: Option<ReadState>,
        session: &mut Option<Box<SessionOf<K, C>>>,
        context: &mut FlowContext,
    ) {
        if let Some(read_state) = over {
            context.read_state = read_state;
            if let Some(mut session) = session.take() {
                self.host.discard(&mut session, read_state);
            }
        }
    }

    /// A segment of a flow of which nothing was read yet.
    fn open_stream<U>(
        &mut self,
        session: &mut Option<Box<SessionOf<K, C>>>,
        context: &mut FlowContext,
        mut flow: Flow<'_, K, U>,
        segment: Segment<'_>,
    ) -> Option<ReadState>
    where
        O: SessionSink<K, C::Message, U>,
    {
        if segment.syn {
            context.begin(segment.side, segment.seq);
            // What a SYN+ACK acknowledges is the SYN that counts.
            if let Some(ack) = segment.ack {
                context.begin(!segment.side, ack);
            }
        }
        if segment.wire_len == 0 {
            return None;
        }
        if !self.host.classifier.reads(Transport::Stream) {
            return Some(ReadState::Unclaimed);
        }
        let sides = [FlowSide::Initiator, FlowSide::Responder];
        let mid_stream = sides.map(|side| context.begun(side).is_none());
        let open = session.insert(self.host.open(flow.key, mid_stream));
        for side in sides {
            if let Some(seq) = context.begun(side) {
                let syn = Segment {
                    side,
                    ts: segment.ts,
                    seq,
                    payload: &[],
                    wire_len: 0,
                    ack: None,
                    syn: true,
                    fin: false,
                };
                self.stream(open, *context, flow.reborrow(), syn);
            }
        }
        self.stream(open, *context, flow, segment)
    }

    /// A segment of a flow that is read; says whether it is not any further.
    #[inline]
    fn stream<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        context: FlowContext,
        mut flow: Flow<'_, K, U>,
        mut segment: Segment<'_>,
    ) -> Option<ReadState>
    where
        O: SessionSink<K, C::Message, U>,
    {
        let (side, ts) = (segment.side, segment.ts);
        let Session { reader, sides, stopped, fin_notified, mid_stream, .. } = &mut *session;
        let sides = sides.as_mut()?;
        if stopped[side.index()] {
            self.host.ledger.lose(Loss::ParserStopped, segment.payload.len() as u64);
            // What it acknowledges is still of use.
            segment = Segment { payload: &[], wire_len: 0, fin: false, ..segment };
        }
        let (host, out) = (&mut *self.host, &mut *self.out);
        let mut to = StreamDispatch {
            host,
            out,
            flow: flow.reborrow(),
            context,
            reader,
            stopped,
            mid_stream,
            side,
            ts,
        };
        for side in [side, !side] {
            let (own, peer) = own_and_peer(sides, side);
            if own.deadline().is_some_and(|deadline| deadline <= ts) {
                own.timeout(ts, peer, to.of(side));
            }
        }
        to.mid_stream[side.index()] &= !segment.syn;
        let (own, peer) = own_and_peer(sides, side);
        own.push(segment, peer, to.of(side));
        if let Some(ack) = segment.ack {
            peer.acked(ack, to.of(!side));
        }
        to.notify_fins(sides, fin_notified);
        if self.host.settle(session) {
            self.enforce_memory_limit(session, context, flow, ts);
        }
        session.reader.read_state()
    }

    /// There is more in memory than there is room for: the flow's reassemblers let go of what they
    /// hold out of order, and if that is not enough, the flow is read no further.
    #[cold]
    fn enforce_memory_limit<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        context: FlowContext,
        flow: Flow<'_, K, U>,
        ts: Timestamp,
    ) where
        O: SessionSink<K, C::Message, U>,
    {
        for side in [FlowSide::Initiator, FlowSide::Responder] {
            if let Some(own) = session.sides.as_mut().map(|sides| &mut sides[side.index()]) {
                own.drop_buffered(&mut DropCounter(&mut self.host.ledger));
            }
        }
        if !self.host.settle(session) {
            return;
        }
        let (host, out) = (&mut *self.host, &mut *self.out);
        let Session { reader, stopped, mid_stream, .. } = session;
        let side = FlowSide::Initiator;
        let mut to =
            StreamDispatch { host, out, flow, context, reader, stopped, mid_stream, side, ts };
        to.stop(ReadState::MemoryLimit, StopReason::MemoryLimit);
    }

    /// A datagram of a flow of which nothing was read yet: a session, if somebody reads it.
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
            context.read_state = ReadState::Unclaimed;
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
            whole: true,
            last: context.probed_datagrams >= MAX_PROBE_DATAGRAMS,
        };
        match self.host.classifier.classify(&start) {
            Classification::Read(parser, detection) => {
                self.out.session(flow, SessionChange::Chosen(detection));
                Some(Box::new(Session::read_by(parser)))
            }
            Classification::NeedMore if !start.last => None,
            Classification::Recognised(detection) => {
                context.read_state = ReadState::Unclaimed;
                self.out.session(flow, SessionChange::Chosen(detection));
                None
            }
            Classification::NeedMore | Classification::Reject => {
                context.read_state = ReadState::Unclaimed;
                None
            }
        }
    }

    fn read_datagram<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        context: FlowContext,
        mut flow: Flow<'_, K, U>,
        datagram: Datagram<'_>,
    ) -> Option<ReadState>
    where
        O: SessionSink<K, C::Message, U>,
    {
        let (side, ts) = (datagram.side, datagram.ts);
        let (host, out) = (&mut *self.host, &mut *self.out);
        let Session { reader, stopped, mid_stream, .. } = &mut *session;
        let lent = flow.reborrow();
        let mut to = StreamDispatch {
            host,
            out,
            flow: lent,
            context,
            reader,
            stopped,
            mid_stream,
            side,
            ts,
        };
        to.datagram(datagram);
        if self.host.settle(session) {
            self.enforce_memory_limit(session, context, flow, ts);
        }
        session.reader.read_state()
    }

    /// The flow is over: what is held goes to the parser, and that gets its last call.
    fn end<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        context: FlowContext,
        flow: Flow<'_, K, U>,
        reset: Option<FlowSide>,
    ) -> Option<ReadState>
    where
        O: SessionSink<K, C::Message, U>,
    {
        // The end may come long after it, when the input ends or the flow is noticed to be idle.
        let ts = flow.last_seen();
        let Session { reader, sides, stopped, fin_notified, mid_stream, .. } = &mut *session;
        let (host, out) = (&mut *self.host, &mut *self.out);
        let side = reset.unwrap_or(FlowSide::Initiator);
        let mut to =
            StreamDispatch { host, out, flow, context, reader, stopped, mid_stream, side, ts };
        if let Some(sides) = sides {
            if let Some(side) = reset {
                sides[side.index()].rst();
            }
            for side in [FlowSide::Initiator, FlowSide::Responder] {
                let (own, peer) = own_and_peer(sides, side);
                own.end(peer, to.of(side));
            }
            to.decide_now();
            to.notify_fins(sides, fin_notified);
        }
        to.side = side;
        if let Some(side) = reset {
            to.notify(StreamEnd::Rst(side));
        }
        to.notify(StreamEnd::End);
        session.reader.read_state()
    }
}

/// Counts what is let go of for want of room.
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

/// The reassembler of `side`, and the other one.
#[inline]
fn own_and_peer<R>(sides: &mut [R; 2], side: FlowSide) -> (&mut R, &mut R) {
    let [initiator, responder] = sides;
    match side {
        FlowSide::Initiator => (initiator, responder),
        FlowSide::Responder => (responder, initiator),
    }
}

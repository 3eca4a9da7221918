//! Between the flow table and those who read flows: sessions are opened, fed and closed.

use std::marker::PhantomData;

use flowscope_core::{
    DatagramFeed, FlowSide, Ledger, Loss, Reassembler, ReassemblerFactory, Segment, StreamSink,
    Timestamp,
};
use flowscope_track::{Change, ConnState, EndReason, Flow, FlowSink};

use crate::claims::{Claim, Claims, Start, Told, Transport};
use crate::deliver::Deliver;
use crate::front::Claimed;
use crate::session_event::{SessionChange, SessionSink, StopReason};
use crate::slot::{Fate, Reader, Session, Slot, SlotOf, Thread};

/// What a session engine has beside the flow table.
pub(crate) struct Pump<K, C: Claims<K>> {
    pub(crate) claims: C,
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
const VAGUE: u8 = 4;

type SessionOf<K, C> = Session<
    <C as Claims<K>>::Parser,
    <<C as Claims<K>>::Streams as ReassemblerFactory<K>>::Reassembler,
>;

impl<K, C: Claims<K>> Pump<K, C> {
    /// A pump whose reassemblers and parsers hold at most `limit` bytes.
    pub(crate) fn new(claims: C, limit: usize) -> Self {
        Pump {
            claims,
            messages: Vec::new(),
            ledger: Ledger::default(),
            pending: 0,
            held: 0,
            limit,
            key: PhantomData,
        }
    }

    /// What became of payload that somebody reads.
    pub(crate) fn claimed(&self) -> Claimed {
        Claimed { ledger: self.ledger.clone(), pending: self.pending }
    }

    /// Payload bytes that wait for others before them, or for a parser to be chosen.
    pub(crate) fn pending(&self) -> u64 {
        self.pending
    }

    /// Bytes of memory held, by capacity.
    pub(crate) fn held(&self) -> usize {
        self.held + self.messages.capacity() * size_of::<C::Message>()
    }

    fn open(&mut self, key: &K, torn: [bool; 2]) -> Box<SessionOf<K, C>> {
        let streams = self.claims.streams();
        let sides = [FlowSide::Initiator, FlowSide::Responder];
        Box::new(Session::undecided(sides.map(|side| streams.new_reassembler(key, side)), torn))
    }

    /// Counts what a session holds now; says whether all hold more than there is room for.
    #[inline]
    fn settle(&mut self, session: &mut SessionOf<K, C>) -> bool {
        let (mut held, mut pending) = (size_of::<SessionOf<K, C>>(), 0);
        for side in session.sides.iter().flatten() {
            held += side.held();
            pending += side.pending();
        }
        match &session.reader {
            Reader::Reads(parser) => held += self.claims.held(parser),
            Reader::Undecided(opening) => {
                held += opening.capacity();
                pending += opening.len() as u64;
            }
            Reader::Over(_) => {}
        }
        self.held = self.held - session.held + held;
        self.pending = self.pending - session.pending + pending;
        (session.held, session.pending) = (held, pending);
        self.held > self.limit
    }

    /// The session is over: what still waits in it is lost.
    fn discard(&mut self, session: &mut SessionOf<K, C>, fate: Fate) {
        self.settle(session);
        self.held -= session.held;
        self.pending -= session.pending;
        self.ledger.lose(fate.loss(), session.pending);
    }
}

/// The pump at work for one call: what the table lends goes in, what comes of it goes to `out`.
pub(crate) struct Tap<'a, K, C: Claims<K>, O> {
    pub(crate) pump: &'a mut Pump<K, C>,
    pub(crate) out: &'a mut O,
}

impl<K, C, U, O> FlowSink<K, SlotOf<K, C, U>> for Tap<'_, K, C, O>
where
    C: Claims<K>,
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
        let (mut flow, (session, thread)) = flow.project(Slot::parts);
        if matches!(change, Change::Ended { .. }) {
            if let Some(mut open) = session.take() {
                let fate = self.end(&mut open, *thread, flow.reborrow(), reset);
                thread.fate = fate.unwrap_or(Fate::Unclaimed);
                self.pump.discard(&mut open, thread.fate);
            } else if thread.fate == Fate::Open {
                thread.fate = Fate::Unclaimed;
            }
        }
        self.out.flow(flow, change);
    }

    #[inline]
    fn segment(&mut self, flow: Flow<'_, K, SlotOf<K, C, U>>, segment: Segment<'_>) {
        let (flow, (session, thread)) = flow.project(Slot::parts);
        if thread.fate != Fate::Open {
            return self.refuse(thread.fate, segment.payload);
        }
        let over = match session {
            Some(open) => self.stream(open, *thread, flow, segment),
            None => self.open_stream(session, thread, flow, segment),
        };
        self.close_if(over, session, thread);
    }

    fn datagram(&mut self, flow: Flow<'_, K, SlotOf<K, C, U>>, datagram: DatagramFeed<'_>) {
        let (mut flow, (session, thread)) = flow.project(Slot::parts);
        if thread.fate != Fate::Open {
            return self.refuse(thread.fate, datagram.payload);
        }
        if session.is_none() {
            *session = self.open_datagrams(thread, flow.reborrow(), &datagram);
        }
        if let Some(open) = session {
            let over = self.read_datagram(open, *thread, flow, datagram);
            self.close_if(over, session, thread);
        }
    }
}

/// Who reset a flow that ended so.
fn reset_by<K, S>(flow: &Flow<'_, K, S>) -> FlowSide {
    match flow.stats().conn_state {
        ConnState::Rstr | ConnState::Rstrh | ConnState::Rej => FlowSide::Responder,
        _ => FlowSide::Initiator,
    }
}

impl<K, C: Claims<K>, O> Tap<'_, K, C, O> {
    /// Counts payload that is not read any more. What was never claimed is what remains when all
    /// else is counted.
    fn refuse(&mut self, fate: Fate, payload: &[u8]) {
        if fate != Fate::Unclaimed {
            self.pump.ledger.lose(fate.loss(), payload.len() as u64);
        }
    }

    /// Closes a session that is over.
    #[inline]
    fn close_if(
        &mut self,
        over: Option<Fate>,
        session: &mut Option<Box<SessionOf<K, C>>>,
        thread: &mut Thread,
    ) {
        if let Some(fate) = over {
            thread.fate = fate;
            if let Some(mut session) = session.take() {
                self.pump.discard(&mut session, fate);
            }
        }
    }

    /// A segment of a flow of which nothing was read yet.
    fn open_stream<U>(
        &mut self,
        session: &mut Option<Box<SessionOf<K, C>>>,
        thread: &mut Thread,
        mut flow: Flow<'_, K, U>,
        segment: Segment<'_>,
    ) -> Option<Fate>
    where
        O: SessionSink<K, C::Message, U>,
    {
        if segment.syn {
            thread.begin(segment.side, segment.seq);
            // What a SYN+ACK acknowledges is the SYN that counts.
            if let Some(ack) = segment.ack {
                thread.begin(!segment.side, ack);
            }
        }
        if segment.wire_len == 0 {
            return None;
        }
        if !self.pump.claims.reads(Transport::Stream) {
            return Some(Fate::Unclaimed);
        }
        let sides = [FlowSide::Initiator, FlowSide::Responder];
        let torn = sides.map(|side| thread.begun(side).is_none());
        let open = session.insert(self.pump.open(flow.key, torn));
        for side in sides {
            if let Some(seq) = thread.begun(side) {
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
                self.stream(open, *thread, flow.reborrow(), syn);
            }
        }
        self.stream(open, *thread, flow, segment)
    }

    /// A segment of a flow that is read; says whether it is not any further.
    #[inline]
    fn stream<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        thread: Thread,
        mut flow: Flow<'_, K, U>,
        mut segment: Segment<'_>,
    ) -> Option<Fate>
    where
        O: SessionSink<K, C::Message, U>,
    {
        let (side, ts) = (segment.side, segment.ts);
        let Session { reader, sides, deaf, told_fin, torn, .. } = &mut *session;
        let sides = sides.as_mut()?;
        if deaf[side.index()] {
            self.pump.ledger.lose(Loss::ParserStopped, segment.payload.len() as u64);
            // What it acknowledges is still of use.
            segment = Segment { payload: &[], wire_len: 0, fin: false, ..segment };
        }
        let (pump, out) = (&mut *self.pump, &mut *self.out);
        let mut to =
            Deliver { pump, out, flow: flow.reborrow(), thread, reader, deaf, torn, side, ts };
        for side in [side, !side] {
            let (own, peer) = own_and_peer(sides, side);
            if own.deadline().is_some_and(|deadline| deadline <= ts) {
                own.timeout(ts, peer, to.of(side));
            }
        }
        to.torn[side.index()] &= !segment.syn;
        let (own, peer) = own_and_peer(sides, side);
        own.push(segment, peer, to.of(side));
        if let Some(ack) = segment.ack {
            peer.acked(ack, to.of(!side));
        }
        to.tell_fins(sides, told_fin);
        if self.pump.settle(session) {
            self.make_room(session, thread, flow, ts);
        }
        session.reader.fate()
    }

    /// There is more in memory than there is room for: the flow's reassemblers let go of what they
    /// hold out of order, and if that is not enough, the flow is read no further.
    #[cold]
    fn make_room<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        thread: Thread,
        flow: Flow<'_, K, U>,
        ts: Timestamp,
    ) where
        O: SessionSink<K, C::Message, U>,
    {
        for side in [FlowSide::Initiator, FlowSide::Responder] {
            if let Some(own) = session.sides.as_mut().map(|sides| &mut sides[side.index()]) {
                own.shed(&mut Shed(&mut self.pump.ledger));
            }
        }
        if !self.pump.settle(session) {
            return;
        }
        let (pump, out) = (&mut *self.pump, &mut *self.out);
        let Session { reader, deaf, torn, .. } = session;
        let side = FlowSide::Initiator;
        let mut to = Deliver { pump, out, flow, thread, reader, deaf, torn, side, ts };
        to.stop(Fate::NoRoom, StopReason::NoRoom);
    }

    /// A datagram of a flow of which nothing was read yet: a session, if somebody reads it.
    fn open_datagrams<U>(
        &mut self,
        thread: &mut Thread,
        flow: Flow<'_, K, U>,
        datagram: &DatagramFeed<'_>,
    ) -> Option<Box<SessionOf<K, C>>>
    where
        O: SessionSink<K, C::Message, U>,
    {
        if !self.pump.claims.reads(Transport::Datagram) {
            thread.fate = Fate::Unclaimed;
            return None;
        }
        thread.vague += 1;
        let mut bytes: [&[u8]; 2] = [&[]; 2];
        bytes[datagram.side.index()] = datagram.payload;
        let start = Start {
            key: flow.key,
            transport: Transport::Datagram,
            ports: thread.ports,
            bytes,
            whole: true,
            last: thread.vague >= VAGUE,
        };
        match self.pump.claims.claim(&start) {
            Claim::Read(parser, choice) => {
                self.out.session(flow, SessionChange::Chosen(choice));
                Some(Box::new(Session::read_by(parser)))
            }
            Claim::Wait if !start.last => None,
            Claim::Recognised(choice) => {
                thread.fate = Fate::Unclaimed;
                self.out.session(flow, SessionChange::Chosen(choice));
                None
            }
            Claim::Wait | Claim::Leave => {
                thread.fate = Fate::Unclaimed;
                None
            }
        }
    }

    fn read_datagram<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        thread: Thread,
        mut flow: Flow<'_, K, U>,
        datagram: DatagramFeed<'_>,
    ) -> Option<Fate>
    where
        O: SessionSink<K, C::Message, U>,
    {
        let (side, ts) = (datagram.side, datagram.ts);
        let (pump, out) = (&mut *self.pump, &mut *self.out);
        let Session { reader, deaf, torn, .. } = &mut *session;
        let lent = flow.reborrow();
        let mut to = Deliver { pump, out, flow: lent, thread, reader, deaf, torn, side, ts };
        to.datagram(datagram);
        if self.pump.settle(session) {
            self.make_room(session, thread, flow, ts);
        }
        session.reader.fate()
    }

    /// The flow is over: what is held goes to the parser, and that gets its last call.
    fn end<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        thread: Thread,
        flow: Flow<'_, K, U>,
        reset: Option<FlowSide>,
    ) -> Option<Fate>
    where
        O: SessionSink<K, C::Message, U>,
    {
        // The end may come long after it, when the input ends or the flow is noticed to be idle.
        let ts = flow.last_seen();
        let Session { reader, sides, deaf, told_fin, torn, .. } = &mut *session;
        let (pump, out) = (&mut *self.pump, &mut *self.out);
        let side = reset.unwrap_or(FlowSide::Initiator);
        let mut to = Deliver { pump, out, flow, thread, reader, deaf, torn, side, ts };
        if let Some(sides) = sides {
            if let Some(side) = reset {
                sides[side.index()].rst();
            }
            for side in [FlowSide::Initiator, FlowSide::Responder] {
                let (own, peer) = own_and_peer(sides, side);
                own.end(peer, to.of(side));
            }
            to.decide_now();
            to.tell_fins(sides, told_fin);
        }
        to.side = side;
        if let Some(side) = reset {
            to.tell(Told::Rst(side));
        }
        to.tell(Told::End);
        session.reader.fate()
    }
}

/// Counts what is let go of for want of room.
struct Shed<'a>(&'a mut Ledger);

impl StreamSink for Shed<'_> {
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

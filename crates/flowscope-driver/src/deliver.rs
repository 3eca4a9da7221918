//! From reassemblers to a parser, and from the parser to a sink.

use flowscope_core::{
    Conflict, DatagramFeed, Feed, FlowSide, Loss, ParserStatus, Probe, Reassembler, StreamSink,
    Timestamp,
};
use flowscope_track::Flow;

use crate::claims::{Claim, Claims, Start, Told, Transport};
use crate::pump::Pump;
use crate::session_event::{SessionChange, SessionSink, StopReason};
use crate::slot::{Fate, Opening, Reader, Thread};

/// What the bytes of one flow go through, for the time of one call.
pub(crate) struct Deliver<'d, K, C: Claims<K>, U, O> {
    pub(crate) pump: &'d mut Pump<K, C>,
    pub(crate) out: &'d mut O,
    pub(crate) flow: Flow<'d, K, U>,
    pub(crate) thread: Thread,
    pub(crate) reader: &'d mut Reader<C::Parser>,
    pub(crate) deaf: &'d mut [bool; 2],
    pub(crate) torn: &'d mut [bool; 2],
    /// Whose bytes come.
    pub(crate) side: FlowSide,
    pub(crate) ts: Timestamp,
}

/// As many bytes of both sides are kept at most while it is not decided who reads a flow.
const OPENING: usize = 256;

impl<K, C, U, O> Deliver<'_, K, C, U, O>
where
    C: Claims<K>,
    O: SessionSink<K, C::Message, U>,
{
    /// The way for the bytes of this side.
    #[inline]
    pub(crate) fn of(&mut self, side: FlowSide) -> &mut dyn StreamSink {
        self.side = side;
        self
    }

    /// A datagram for the parser.
    pub(crate) fn datagram(&mut self, datagram: DatagramFeed<'_>) {
        let Reader::Reads(parser) = &mut *self.reader else { return };
        let bytes = datagram.payload.len() as u64;
        if self.deaf[self.side.index()] {
            return self.pump.ledger.lose(Loss::ParserStopped, bytes);
        }
        self.pump.ledger.deliver(bytes);
        let Pump { claims, messages, .. } = &mut *self.pump;
        let status = claims.datagram(parser, datagram, messages);
        self.heed(status);
    }

    /// Tells the parser of sides whose FIN was reached.
    #[inline]
    pub(crate) fn tell_fins<R: Reassembler>(&mut self, sides: &[R; 2], told: &mut [bool; 2]) {
        for side in [FlowSide::Initiator, FlowSide::Responder] {
            let at = side.index();
            if !told[at] && sides[at].finished() {
                told[at] = true;
                if !self.deaf[at] {
                    self.side = side;
                    if !matches!(self.reader, Reader::Over(_)) {
                        self.out.fin(self.flow.reborrow(), side);
                    }
                    self.tell(Told::Fin(side));
                }
            }
        }
    }

    /// Tells the parser something, if there is one.
    pub(crate) fn tell(&mut self, what: Told) {
        if let Reader::Reads(parser) = &mut *self.reader {
            self.pump.claims.tell(parser, what, &mut self.pump.messages);
            self.hand_on();
        }
    }

    /// Nobody reads any further. The parser gets its last call.
    pub(crate) fn stop(&mut self, fate: Fate, why: StopReason) {
        self.tell(Told::End);
        *self.reader = Reader::Over(fate);
        let change = SessionChange::Stopped { side: None, why };
        self.out.session(self.flow.reborrow(), change);
    }

    /// Decides at last who reads what was kept.
    pub(crate) fn decide_now(&mut self) {
        if let Reader::Undecided(opening) = &*self.reader
            && opening.len() > 0
        {
            self.decide(0, &[], true);
        }
    }

    /// Decides who reads the flow: `bytes` are the latest, at `at` in the stream of the side.
    fn decide(&mut self, at: u64, bytes: &[u8], last: bool) {
        let Reader::Undecided(opening) = &mut *self.reader else { return };
        let side = self.side.index();
        opening.first.get_or_insert(self.side);
        let room = OPENING.saturating_sub(opening.len());
        // The first bytes of a side are mostly enough, and not copied then.
        let mut kept = 0;
        if !opening.bytes[side].is_empty() {
            kept = bytes.len().min(room);
            opening.bytes[side].extend_from_slice(&bytes[..kept]);
        }
        let rest = &bytes[kept..];
        let last = last || rest.len() > room - kept;
        let mut start = [opening.bytes[0].as_slice(), opening.bytes[1].as_slice()];
        if start[side].is_empty() {
            start[side] = rest;
        }
        let torn = |side: usize| self.torn[side] && !start[side].is_empty();
        let start = Start {
            key: self.flow.key,
            transport: Transport::Stream,
            ports: self.thread.ports,
            bytes: start,
            whole: !torn(0) && !torn(1) && opening.gap == [0; 2],
            last,
        };
        match self.pump.claims.claim(&start) {
            Claim::Read(parser, choice) => {
                let before = std::mem::replace(self.reader, Reader::Reads(parser));
                self.out.session(self.flow.reborrow(), SessionChange::Chosen(choice));
                if let Reader::Undecided(opening) = before {
                    self.replay(&opening);
                }
                if !rest.is_empty() {
                    self.bytes(at + kept as u64, rest);
                }
            }
            Claim::Wait if !last => {
                if !rest.is_empty() {
                    opening.at[side] = at;
                    opening.bytes[side].extend_from_slice(rest);
                }
            }
            Claim::Recognised(choice) => {
                *self.reader = Reader::Over(Fate::Unclaimed);
                self.out.session(self.flow.reborrow(), SessionChange::Chosen(choice));
            }
            Claim::Wait | Claim::Leave => *self.reader = Reader::Over(Fate::Unclaimed),
        }
    }

    /// Gives a parser what came before it was chosen.
    fn replay(&mut self, opening: &Opening) {
        let now = self.side;
        let first = opening.first.unwrap_or(now);
        for side in [first, !first] {
            self.side = side;
            let (at, missing) = (opening.at[side.index()], opening.gap[side.index()]);
            if missing > 0 {
                self.torn[side.index()] = false;
                self.skip(missing);
            }
            let bytes = &opening.bytes[side.index()];
            if !bytes.is_empty() {
                self.bytes(at, bytes);
            }
        }
        self.side = now;
    }

    /// The first bytes of a side that was picked up in the middle of its stream.
    #[cold]
    fn mend(&mut self, bytes: &[u8]) {
        self.torn[self.side.index()] = false;
        let Reader::Reads(parser) = &*self.reader else { return };
        if self.pump.claims.probe(parser, self.side, bytes) != Probe::Yes {
            self.skip(0);
        }
    }

    /// Tells the parser of missing bytes.
    fn skip(&mut self, len: u64) {
        let Reader::Reads(parser) = &mut *self.reader else { return };
        if self.deaf[self.side.index()] {
            return;
        }
        let Pump { claims, messages, .. } = &mut *self.pump;
        let status = claims.gap(parser, self.side, len, messages);
        self.heed(status);
    }

    /// Hands on what the parser made, and does what it asks for.
    #[inline]
    fn heed(&mut self, status: ParserStatus) {
        self.hand_on();
        match status {
            ParserStatus::Continue => {}
            ParserStatus::StopSide(side) => {
                if !std::mem::replace(&mut self.deaf[side.index()], true) {
                    let why = StopReason::GaveUp;
                    let change = SessionChange::Stopped { side: Some(side), why };
                    self.out.session(self.flow.reborrow(), change);
                }
                if *self.deaf == [true; 2] {
                    self.tell(Told::End);
                    *self.reader = Reader::Over(Fate::Stopped);
                }
            }
            ParserStatus::Done => self.stop(Fate::Unclaimed, StopReason::Done),
            ParserStatus::Failed(error) => self.stop(Fate::Stopped, StopReason::Failed(error)),
            // What else a parser may come to ask for does not keep it from reading on.
            _ => {}
        }
    }

    #[inline]
    fn hand_on(&mut self) {
        for message in self.pump.messages.drain(..) {
            self.out.message(self.flow.reborrow(), self.side, message);
        }
    }
}

impl<K, C, U, O> StreamSink for Deliver<'_, K, C, U, O>
where
    C: Claims<K>,
    O: SessionSink<K, C::Message, U>,
{
    #[inline]
    fn bytes(&mut self, at: u64, bytes: &[u8]) {
        let side = self.side;
        if self.deaf[side.index()] {
            return self.pump.ledger.lose(Loss::ParserStopped, bytes.len() as u64);
        }
        if self.torn[side.index()] && matches!(self.reader, Reader::Reads(_)) {
            self.mend(bytes);
            return self.bytes(at, bytes);
        }
        match &mut *self.reader {
            Reader::Reads(parser) => {
                self.pump.ledger.deliver(bytes.len() as u64);
                let feed = Feed { side, ts: self.ts, offset: at, bytes };
                let status = self.out.bytes(self.flow.reborrow(), feed);
                if status != ParserStatus::Continue {
                    return self.heed(status);
                }
                let Pump { claims, messages, .. } = &mut *self.pump;
                let status = claims.feed(parser, feed, messages);
                self.heed(status);
            }
            Reader::Undecided(_) => self.decide(at, bytes, false),
            Reader::Over(fate) => self.pump.ledger.lose(fate.loss(), bytes.len() as u64),
        }
    }

    fn gap(&mut self, at: u64, len: u64) {
        let side = self.side;
        if let Reader::Undecided(opening) = &mut *self.reader {
            if opening.bytes[side.index()].is_empty() {
                opening.gap[side.index()] += len;
                let change = SessionChange::Gap { side, offset: at, len };
                return self.out.session(self.flow.reborrow(), change);
            }
            self.decide(0, &[], true);
        }
        if self.deaf[side.index()] || matches!(self.reader, Reader::Over(_)) {
            return;
        }
        let change = SessionChange::Gap { side, offset: at, len };
        self.out.session(self.flow.reborrow(), change);
        self.skip(len);
    }

    fn lost(&mut self, cause: Loss, bytes: u64) {
        self.pump.ledger.lose(cause, bytes);
    }

    fn conflict(&mut self, conflict: Conflict) {
        let change = SessionChange::Conflict { side: self.side, conflict };
        self.out.session(self.flow.reborrow(), change);
    }
}

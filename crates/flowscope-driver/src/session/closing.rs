//! The end of a session: at the end of its flow, or once its streams have the bytes that they lack then.

use flowscope_core::{FlowSide, Ledger, Loss, Reassembler, Segment, StreamSink};
use flowscope_track::{EndReason, Flow};

use super::flow_sink::{SessionFlowSink, SessionOf, own_and_peer};
use super::slot::{FlowContext, SIDES, Session};
use crate::detection::{Classifier, Transport};
use crate::session::SessionSink;

impl<K, C: Classifier<K>, O> SessionFlowSink<'_, K, C, O> {
    /// Whether the streams of a flow that has just ended for `reason` may go on in late segments.
    pub(super) fn waits_for_bytes<U>(
        &mut self,
        reason: EndReason,
        session: &mut Option<Box<SessionOf<K, C>>>,
        context: &mut FlowContext,
        mut flow: Flow<'_, K, U>,
    ) -> bool
    where
        O: SessionSink<K, C::Message, U>,
    {
        if context.unread.is_some() || !self.host.classifier.reads(Transport::Stream) {
            return false;
        }
        // Nothing of the streams was captured but their ends.
        if session.is_none() && has_early_fin(&flow) {
            let open = session.insert(self.host.open(flow.key, context.ports));
            let ts = flow.ts;
            let over = self.begin_stream(open, flow.reborrow(), FlowSide::Initiator, ts);
            self.close_if(over, session, context);
        }
        if let Some(open) = session {
            open.was_whole = SIDES.map(|side| !open.lacks_bytes(side));
        }
        context.unread.is_none() && may_go_on(reason, session, &flow)
    }

    /// Ends the session of a flow that ended before, and whose session waited for bytes.
    pub(super) fn end_waiting<U>(
        &mut self,
        mut flow: Flow<'_, K, U>,
        session: &mut Option<Box<SessionOf<K, C>>>,
        context: &mut FlowContext,
    ) where
        O: SessionSink<K, C::Message, U>,
    {
        if let Some(reason) = context.closing.take() {
            self.end_session(reason, flow.reborrow(), session, context);
            self.out.session_ended(flow, reason);
        }
    }

    /// Ends the session of a flow that has ended for `reason`.
    pub(super) fn end_session<U>(
        &mut self,
        reason: EndReason,
        flow: Flow<'_, K, U>,
        session: &mut Option<Box<SessionOf<K, C>>>,
        context: &mut FlowContext,
    ) where
        O: SessionSink<K, C::Message, U>,
    {
        let reset = flow.reset_by().filter(|_| reason == EndReason::Rst);
        let cause = match session.take() {
            Some(mut open) => {
                let cause = self.end(&mut open, flow, reset);
                // Nothing comes that could contradict it.
                self.host.recognised = None;
                self.host.discard(&mut open, cause);
                cause
            }
            None => context.unread.unwrap_or(Loss::Unclaimed),
        };
        context.unread = Some(cause);
    }

    /// Drops what came late and did not continue the stream of `side`: it is no reason for a gap in a stream that
    /// lacked nothing when the flow ended.
    fn drop_late(&mut self, session: &mut SessionOf<K, C>, side: FlowSide) {
        if let Some(sides) = &mut session.sides {
            sides[side.index()].drop_buffered(&mut OutOfWindow(&mut self.host.ledger));
        }
    }

    /// Handles the end of a flow: what is buffered goes to the parser, then its last call. Returns
    /// the ledger entry of payload that comes later.
    fn end<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        mut flow: Flow<'_, K, U>,
        reset: Option<FlowSide>,
    ) -> Loss
    where
        O: SessionSink<K, C::Message, U>,
    {
        // The end may be noticed long after the last packet, when the input ends or the flow is idle.
        let ts = flow.last_seen();
        for side in SIDES {
            // Nothing says that they were not sent.
            if let Some(padding) = session.padding[side.index()].take() {
                let sent = padding.segment(&Segment::new(side, ts, 0, &[]));
                self.stream(session, flow.reborrow(), sent);
            }
        }
        for side in SIDES {
            if session.was_whole[side.index()] && session.lacks_bytes(side) {
                self.drop_late(session, side);
            }
        }
        let Session { reading, sides, .. } = &mut *session;
        let mut to = self.dispatch(reading, flow, FlowSide::Initiator, ts);
        if let Some(sides) = sides {
            if let Some(side) = reset {
                sides[side.index()].rst();
            }
            to.give_up(sides);
            for side in SIDES {
                let (own, peer) = own_and_peer(sides, side);
                own.end(peer, to.sink(side));
            }
            to.decide_now();
            for side in SIDES {
                to.check_fin(side, &sides[side.index()]);
            }
        }
        to.end(reset);
        session.reading.state.over().unwrap_or(Loss::Unclaimed)
    }
}

/// Counts what a reassembler drops as out of window.
struct OutOfWindow<'a>(&'a mut Ledger);

impl StreamSink for OutOfWindow<'_> {
    fn bytes(&mut self, _: u64, bytes: &[u8]) {
        self.0.lose(Loss::OutOfWindow, bytes.len() as u64);
    }

    fn gap(&mut self, _: u64, _: u64) {}

    fn lost(&mut self, _: Loss, bytes: u64) {
        self.0.lose(Loss::OutOfWindow, bytes);
    }
}

/// Whether late segments may still bring bytes of a flow that has ended for `reason`: bytes that are missing,
/// or behind a reset, after which its receiver knew that it was closed (RFC 9293 §3.10.7.4), what the receiver
/// had sent by then.
pub(super) fn may_go_on<P, R: Reassembler, K, U>(
    reason: EndReason,
    session: &Option<Box<Session<P, R>>>,
    flow: &Flow<'_, K, U>,
) -> bool {
    let reset = flow.reset_by().filter(|_| reason == EndReason::Rst);
    match session {
        Some(open) => open.has_hole() || reset.is_some_and(|side| open.is_open(!side)),
        None => reset.is_some(),
    }
}

/// The FIN of `side` was not its own: the stream goes on, and what it reads of it.
#[cold]
pub(super) fn retract_fin<P, R: Reassembler>(
    session: &mut Option<Box<Session<P, R>>>,
    side: FlowSide,
) {
    let Some(open) = session else { return };
    if let Some(sides) = &mut open.sides {
        sides[side.index()].retract_fin();
    }
    open.reading.state.retract_fin(side);
}

fn has_early_fin<K, U>(flow: &Flow<'_, K, U>) -> bool {
    early_fin(flow, FlowSide::Initiator).or_else(|| early_fin(flow, FlowSide::Responder)).is_some()
}

/// The number of a side's FIN, if bytes before it were not captured when it was.
pub(super) fn early_fin<K, U>(flow: &Flow<'_, K, U>, side: FlowSide) -> Option<u32> {
    let (start, end) = (flow.stream_start(side)?, flow.stream_end(side)?);
    (start != end).then_some(end)
}

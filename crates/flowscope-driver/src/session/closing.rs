//! The end of a session: at the end of its flow, or once its streams have the bytes that they lack then.

use flowscope_core::{FlowSide, Loss, Reassembler as _, Segment};
use flowscope_track::{Change, EndReason, Flow};

use super::flow_sink::{SessionFlowSink, SessionOf, own_and_peer};
use super::slot::{FlowContext, Session};
use crate::detection::{Classifier, Transport};
use crate::session::SessionSink;

impl<K, C: Classifier<K>, O> SessionFlowSink<'_, K, C, O> {
    /// Whether the streams of a flow that has just ended lack bytes that late segments may bring.
    pub(super) fn waits_for_bytes<U>(
        &mut self,
        session: &mut Option<Box<SessionOf<K, C>>>,
        context: &mut FlowContext,
        mut flow: Flow<'_, K, U>,
    ) -> bool
    where
        O: SessionSink<K, C::Message, U>,
    {
        if session.is_none() {
            // Nothing of the streams was captured but their ends.
            let early = early_fin(&flow, FlowSide::Initiator)
                .or_else(|| early_fin(&flow, FlowSide::Responder));
            if early.is_none()
                || context.unread.is_some()
                || !self.host.classifier.reads(Transport::Stream)
            {
                return false;
            }
            let open = session.insert(self.host.open(flow.key, context.ports));
            let ts = flow.ts;
            let over = self.begin_stream(open, context, flow.reborrow(), FlowSide::Initiator, ts);
            self.close_if(over, session, context);
        }
        session.as_ref().is_some_and(|open| open.has_hole())
    }

    /// Ends the session of a flow that has ended for `reason`, and passes `Ended` on.
    pub(super) fn close<U>(
        &mut self,
        reason: EndReason,
        mut flow: Flow<'_, K, U>,
        session: &mut Option<Box<SessionOf<K, C>>>,
        context: &mut FlowContext,
    ) where
        O: SessionSink<K, C::Message, U>,
    {
        let reset = flow.reset_by().filter(|_| reason == EndReason::Rst);
        let cause = match session.take() {
            Some(mut open) => {
                let cause = self.end(&mut open, flow.reborrow(), reset);
                // Nothing comes that could contradict it.
                self.host.recognised = None;
                self.host.discard(&mut open, cause);
                cause
            }
            None => context.unread.unwrap_or(Loss::Unclaimed),
        };
        context.unread = Some(cause);
        self.out.flow(flow, Change::Ended { reason });
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
        for side in [FlowSide::Initiator, FlowSide::Responder] {
            // Nothing says that they were not sent.
            if let Some(padding) = session.padding[side.index()].take() {
                let sent = padding.segment(&Segment::new(side, ts, 0, &[]));
                self.stream(session, flow.reborrow(), sent);
            }
        }
        let Session { reading, sides, .. } = &mut *session;
        let mut to = self.dispatch(reading, flow, FlowSide::Initiator, ts);
        if let Some(sides) = sides {
            if let Some(side) = reset {
                sides[side.index()].rst();
            }
            for side in [FlowSide::Initiator, FlowSide::Responder] {
                let (own, peer) = own_and_peer(sides, side);
                own.end(peer, to.sink(side));
            }
            to.decide_now();
            for side in [FlowSide::Initiator, FlowSide::Responder] {
                to.check_fin(side, &sides[side.index()]);
            }
        }
        to.end(reset);
        session.reading.state.over().unwrap_or(Loss::Unclaimed)
    }
}

/// The number of a side's FIN, if bytes before it were not captured when it was.
pub(super) fn early_fin<K, U>(flow: &Flow<'_, K, U>, side: FlowSide) -> Option<u32> {
    let (start, end) = (flow.stream_start(side)?, flow.stream_end(side)?);
    (start != end).then_some(end)
}

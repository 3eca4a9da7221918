//! The states of a connection.

use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};

use super::{Seg, Step, Tcp};
use crate::entry::{SideRecord, bit, loaded_rtt, mark, side_bit, slow_path, stored_rtt};
use crate::seq::serial;
use crate::times;
use crate::{EndReason, FlowState, InitiatorEvidence};

impl Tcp<'_> {
    /// STATE-3: from the handshake to an established flow.
    #[inline(always)]
    pub(super) fn open_states(&mut self, seg: &Seg, unseen: bool, step: &mut Step) {
        if !self.hot.has(bit::ESTABLISHED) {
            self.open_handshake(seg, unseen, step);
        }
    }

    #[inline(never)]
    fn open_handshake(&mut self, seg: &Seg, unseen: bool, step: &mut Step) {
        if self.hot.state == FlowState::SynSent {
            let isn = self.cold.isn[seg.side.index()];
            if unseen && seg.side == FlowSide::Responder {
                self.hot.state = FlowState::SynReceived;
                if seg.len > 0 {
                    self.establish(step);
                }
            } else if seg.flags.ack() && serial(seg.seq, isn) > 0 {
                self.establish(step);
            }
        }
        self.establish_handshake(seg.flags.syn(), seg.ts, step);
    }

    /// STATE-6: a packet with a cut header; its counters are up to date.
    pub(crate) fn truncated_header(&mut self, ts: Timestamp, step: &mut Step) {
        self.establish_handshake(false, ts, step);
        self.close_states(step);
    }

    pub(super) fn establish_handshake(&mut self, syn: bool, ts: Timestamp, step: &mut Step) {
        if self.hot.has(bit::ESTABLISHED) || self.hot.state == FlowState::SynSent {
            return;
        }
        let [initiator, responder] = &self.hot.sides;
        let acked = |own: &SideRecord, peer: usize| {
            own.has(side_bit::ACKED) && serial(own.ack, self.cold.isn[peer]) > 0
        };
        let syns = (initiator.has(side_bit::SYN), responder.has(side_bit::SYN));
        let both_shown = initiator.has(side_bit::SEQ_KNOWN) && responder.has(side_bit::SEQ_KNOWN);
        let packets = u64::from(initiator.packets) + u64::from(responder.packets);
        let enough = !syn && packets >= u64::from(self.config.mid_stream_packets);
        let one_sided = !both_shown && enough;
        // STATE-4. RFC 9293 §3.10.7.4, SYN-RECEIVED STATE: "If SND.UNA < SEG.ACK =< SND.NXT, then enter
        // ESTABLISHED state".
        let done = match syns {
            (true, true)
                if responder.has(side_bit::SYN_ACK) && !initiator.has(side_bit::SYN_ACK) =>
            {
                acked(initiator, 1)
            }
            (true, true) => acked(initiator, 1) && acked(responder, 0),
            (false, true) => initiator.has(side_bit::SEQ_KNOWN) && acked(initiator, 1) || one_sided,
            (true, false) => acked(initiator, 1) && responder.has(side_bit::SEQ_KNOWN) || one_sided,
            (false, false) => {
                // STATE-5
                let talks = |side: &SideRecord| {
                    side.has(side_bit::SEQ_KNOWN)
                        && (side.has(side_bit::ACKED) || side.has(side_bit::HISTORY_D))
                };
                talks(initiator) && talks(responder) || enough
            }
        };
        if done {
            // STAT-3: when the SYN+ACK came.
            let answered = match self.cold.evidence {
                InitiatorEvidence::SynAck => Some(Duration::ZERO),
                _ => loaded_rtt(self.cold.syn_rtt),
            };
            if let Some(answered) = answered.filter(|_| acked(initiator, 1)) {
                let since_first = ts.since(self.cold.first_seen);
                self.cold.ack_rtt = stored_rtt(since_first.saturating_sub(answered));
            }
            self.establish(step);
        }
    }

    pub(super) fn establish(&mut self, step: &mut Step) {
        self.hot.state = FlowState::Established;
        if !self.hot.has(bit::ESTABLISHED) {
            self.hot.set(bit::ESTABLISHED, true);
            step.established = true;
        }
    }

    /// From the FINs to a closed flow; then decides whether later packets can take the fast path.
    #[inline(always)]
    pub(super) fn close_states(&mut self, step: &mut Step) {
        let [initiator, responder] = &self.hot.sides;
        if (initiator.bits | responder.bits) & side_bit::FIN != 0
            || matches!(self.hot.state, FlowState::FinWait | FlowState::ClosingTcp)
        {
            self.close(step);
        }
        self.hot.slow_path = self.slow_path_reasons();
    }

    /// STATE-7. A FIN establishes nothing: a flood of FINs is a flood of half-open flows.
    #[inline(never)]
    fn close(&mut self, step: &mut Step) {
        if !self.hot.has(bit::ESTABLISHED) || self.hot.state.is_over() {
            return;
        }
        let [initiator, responder] = &self.hot.sides;
        let effective = |x: usize| {
            let side = &self.hot.sides[x];
            side.has(side_bit::FIN)
                && (side.has(side_bit::FIN_ACKED) || !self.has_hole_before_fin(x))
        };
        let closed = side_bit::FIN | side_bit::FIN_ACKED;
        let over = initiator.bits & responder.bits & closed == closed;
        self.hot.state = match (effective(0), effective(1)) {
            _ if over => FlowState::Closed,
            (true, true) => FlowState::ClosingTcp,
            (false, false) => FlowState::Established, // a FIN was retracted
            (_, responder) => {
                self.hot.set(bit::RESPONDER_FIN_FIRST, responder);
                FlowState::FinWait
            }
        };
        if over {
            step.ended = Some(EndReason::Fin);
        }
        // STAT-7
        if matches!(self.hot.state, FlowState::ClosingTcp | FlowState::Closed) {
            times::close(self.hot, self.cold);
        } else {
            times::reopen(self.hot, self.cold);
        }
    }

    /// See [`slow_path`].
    #[inline(always)]
    pub(crate) fn slow_path_reasons(&self) -> u8 {
        let [initiator, responder] = &self.hot.sides;
        let known = side_bit::SEQ_KNOWN | side_bit::ACKED;
        let mut reasons = self.hot.slow_path & slow_path::LASTING;
        if (initiator.bits | responder.bits) & side_bit::FIN != 0 {
            reasons |= slow_path::FIN;
        }
        // A SYN's window is none: the first after it is not taken on the fast path, equal or not.
        let windows = mark::WINDOW[0] | mark::WINDOW[1];
        if initiator.bits & responder.bits & known != known || self.cold.marks & windows != windows
        {
            reasons |= slow_path::UNSEEN;
        }
        if self.hot.state != FlowState::Established {
            reasons |= slow_path::STATE;
        }
        match &self.cold.rare {
            Some(rare) if rare.is_busy() => reasons | slow_path::RARE,
            _ => reasons,
        }
    }
}

//! Several SYNs and SYN+ACKs of the responder with different numbers: the initiator's acknowledgement decides which
//! one counts.

use flowscope_core::FlowSide;

use super::{MAX_PENDING_SYNS, Seg, Tcp};
use crate::entry::{PendingSynAck, mark, side_bit, stored_rtt};
use crate::seq::serial;
use crate::{FlowState, InitiatorEvidence};

impl Tcp<'_> {
    /// Whether the responder has shown no more than a SYN or SYN+ACK, which is not acknowledged.
    fn may_take_other_syn_ack(&self) -> bool {
        let [initiator, responder] = &self.hot.sides;
        let acknowledged =
            initiator.has(side_bit::ACKED) && serial(initiator.ack, self.cold.isn[1]) > 0;
        self.hot.state == FlowState::SynReceived
            && responder.has(side_bit::SYN)
            && !responder.has(side_bit::HISTORY_D)
            && !responder.has(side_bit::FIN)
            && !acknowledged
    }

    /// Keeps a SYN+ACK that the initiator may have taken instead of the accepted one.
    pub(super) fn remember_syn_ack(&mut self, seg: &Seg) {
        if seg.side == FlowSide::Initiator
            || !self.may_take_other_syn_ack()
            || !self.acknowledges_syn(seg)
        {
            return;
        }
        // SYNACK-5. RFC 9293 §3.10.7.3: "If the state is SYN-SENT [...] If SEG.ACK =< ISS, or SEG.ACK > SND.NXT,
        // send a reset": any SYN+ACK that acknowledges the SYN is one that the initiator may have taken.
        let syn_acks = self.cold.rare().syn_acks.get_or_insert_default();
        if syn_acks.iter().any(|other| other.seq == seg.seq) {
            return;
        }
        if syn_acks.len() == MAX_PENDING_SYNS {
            syn_acks.remove(0);
        }
        let (seq, len, window, options, ts) = (seg.seq, seg.len, seg.window, seg.options, seg.ts);
        syn_acks.push(PendingSynAck { seq, len, window, options, ts });
    }

    /// Takes the remembered SYN+ACK that this segment of the initiator acknowledges: it is the one that
    /// reached the initiator (RFC 9293 §3.10.7.3).
    pub(super) fn take_other_syn_ack(&mut self, seg: &Seg) {
        let any = self.cold.rare.as_ref().is_some_and(|rare| rare.syn_acks.is_some());
        if !any || seg.side == FlowSide::Responder || !seg.flags.ack() {
            return;
        }
        // It may repeat what the SYN carried.
        let into = serial(seg.seq, self.cold.isn[0].wrapping_add(1));
        let ahead = i64::from(serial(seg.seq, self.hot.side(seg.side).next));
        let is_near = into >= 0 && ahead <= self.receive_window(seg.side);
        if !is_near || !self.may_take_other_syn_ack() {
            return;
        }
        let syn_acks = self.cold.rare().syn_acks.iter().flat_map(|syn_acks| syn_acks.iter());
        let Some(taken) = syn_acks.copied().find(|other| {
            let beyond_syn = i64::from(serial(seg.ack, other.seq.wrapping_add(1)));
            (0..=i64::from(other.len)).contains(&beyond_syn)
        }) else {
            return;
        };
        self.cold.rare().syn_acks = None;
        let side = &mut self.hot.sides[1];
        side.bits |= side_bit::SYN_ACK;
        side.next = taken.seq.wrapping_add(1).wrapping_add(taken.len);
        side.window = taken.window;
        if taken.options.signed || self.cold.rare().sides[1].signed {
            self.cold.rare().sides[1].signed = taken.options.signed;
        }
        self.cold.isn[1] = taken.seq;
        self.cold.first_window[1] = taken.window;
        self.cold.mss[1] = taken.options.mss.unwrap_or(0);
        self.cold.labels[1].set_scale(taken.options.window_scale);
        self.cold.marks &= !mark::SACK[1];
        if taken.options.sack_permitted {
            self.cold.marks |= mark::SACK[1];
        }
        if self.cold.evidence == InitiatorEvidence::Syn {
            self.cold.syn_rtt = stored_rtt(taken.ts.since(self.cold.first_seen));
        }
    }
}

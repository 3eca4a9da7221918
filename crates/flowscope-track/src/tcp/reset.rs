//! RST: which resets are believed, and when.

use flowscope_core::FlowSide;

use super::{Seg, Step, Tcp};
use crate::clock::PacketTime;
use crate::config::ResetRule;
use crate::entry::{PendingReset, mark, side_bit, slow_path};
use crate::seq::serial;
use crate::{Anomaly, EndReason, FlowState};

impl Tcp<'_> {
    pub(super) fn reset(&mut self, seg: &Seg, now: &PacketTime, step: &mut Step) {
        let x = seg.side.index();
        let rare = self.cold.rare();
        if rare.sides[x].last_rst.replace(seg.seq) != Some(seg.seq) {
            self.letter(b'r', seg.side);
        }
        // RST-5. RFC 2385 §2.0: "The receiver [...] MUST [...] drop" a segment whose signature is not what
        // was agreed on; RFC 5925 §7.4 likewise.
        if self.config.resets != ResetRule::Any && self.is_signed_wrongly(seg) {
            step.report(Anomaly::InvalidReset, seg.side);
            return;
        }
        // RST-1
        if self.is_acceptable(seg) {
            self.cold.marks |= mark::RESET[x];
            self.hot.state = FlowState::Reset;
            step.ended = Some(EndReason::Rst);
            return;
        }
        let (own, peer) = (self.hot.side(seg.side), self.hot.side(!seg.side));
        let base = if peer.has(side_bit::ACKED) { peer.ack } else { own.next };
        let ahead = i64::from(serial(seg.seq, base));
        let known = peer.has(side_bit::ACKED) || own.has(side_bit::SEQ_KNOWN);
        let in_syn_sent = self.hot.state == FlowState::SynSent;
        if known && !in_syn_sent && ahead > 0 && ahead < self.receive_window(seg.side) {
            // RST-2. RFC 5961 §3.2: "If the RST bit is set and the sequence number does not exactly
            // match the next expected sequence value, yet is within the current receive window, TCP
            // MUST send an acknowledgment (challenge ACK)."
            self.hot.slow_path |= slow_path::RARE;
            self.cold.rare().reset.get_or_insert(PendingReset {
                side: seg.side,
                ts: seg.ts,
                at: now.watermark,
            });
        } else {
            // RST-4. RFC 5961 §3.2: "If the RST bit is set and the sequence number is outside the
            // current receive window, silently drop the segment."
            step.report(Anomaly::InvalidReset, seg.side);
        }
    }

    /// Whether a reset is signed although that was not negotiated, or the other way round: its
    /// receiver drops it (RFC 2385 §2, RFC 5925 §7.4).
    fn is_signed_wrongly(&self, seg: &Seg) -> bool {
        let signs = |side: FlowSide| {
            let signed =
                self.cold.rare.as_ref().is_some_and(|rare| rare.sides[side.index()].signed);
            self.hot.side(side).has(side_bit::SYN).then_some(signed)
        };
        let negotiated = signs(seg.side).or(signs(!seg.side));
        negotiated.is_some_and(|negotiated| negotiated != seg.options.signed)
    }

    pub(super) fn is_acceptable(&self, seg: &Seg) -> bool {
        let (own, peer) = (self.hot.side(seg.side), self.hot.side(!seg.side));
        if self.config.resets == ResetRule::Any {
            return true;
        }
        // RFC 9293 §3.10.7.3: "If the RST bit is set [...] If the ACK was acceptable, then signal to the
        // user "error: connection reset"".
        if self.hot.state == FlowState::SynSent && !own.has(side_bit::SEQ_KNOWN) {
            return self.acknowledges_syn(seg);
        }
        // RFC 5961 §3.2: "If the RST bit is set and the sequence number exactly matches the next
        // expected sequence number (RCV.NXT), then TCP MUST reset the connection."
        if own.has(side_bit::SEQ_KNOWN) && seg.seq == own.next
            || peer.has(side_bit::ACKED) && seg.seq == peer.ack
        {
            return true;
        }
        !own.has(side_bit::SEQ_KNOWN) && !peer.has(side_bit::ACKED)
    }

    /// RST-2: a pending reset is accepted when its time is over.
    pub(crate) fn accept_reset(&mut self, reset: PendingReset, step: &mut Step) {
        self.cold.marks |= mark::RESET[reset.side.index()];
        self.hot.state = FlowState::Reset;
        step.ended = Some(EndReason::Rst);
    }

    /// RST-3: traffic in sequence makes a pending reset void.
    pub(super) fn contradict_reset(&mut self, step: &mut Step) {
        if self.hot.slow_path & slow_path::RARE == 0 {
            return;
        }
        if let Some(reset) = self.cold.rare.as_mut().and_then(|rare| rare.reset.take()) {
            step.report(Anomaly::InvalidReset, reset.side);
        }
    }
}

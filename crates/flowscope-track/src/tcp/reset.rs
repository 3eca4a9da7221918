//! RST: which resets are believed, and when.

use super::{Seg, Step, Tcp};
use crate::clock::PacketTime;
use crate::config::ResetRule;
use crate::entry::{PendingReset, mark, side_bit, slow_path};
use crate::seq::serial;
use crate::{Anomaly, EndReason, FlowState};

impl Tcp<'_> {
    pub(super) fn reset(&mut self, seg: &Seg, now: PacketTime, step: &mut Step) {
        let x = seg.side.index();
        let rare = self.cold.rare();
        if rare.sides[x].last_rst.replace(seg.seq) != Some(seg.seq) {
            self.letter(b'r', seg.side);
        }
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
            self.hot.slow_path |= slow_path::RARE;
            self.cold.rare().reset.get_or_insert(PendingReset {
                side: seg.side,
                ts: seg.ts,
                at: now.watermark,
            });
        } else {
            step.report(Anomaly::InvalidReset, seg.side);
        }
    }

    pub(super) fn is_acceptable(&self, seg: &Seg) -> bool {
        let (own, peer) = (self.hot.side(seg.side), self.hot.side(!seg.side));
        if self.config.resets == ResetRule::Any {
            return true;
        }
        if self.hot.state == FlowState::SynSent && !own.has(side_bit::SEQ_KNOWN) {
            return self.acknowledges_syn(seg);
        }
        if own.has(side_bit::SEQ_KNOWN) && seg.seq == own.next
            || peer.has(side_bit::ACKED) && seg.seq == peer.ack
        {
            return true;
        }
        !own.has(side_bit::SEQ_KNOWN) && !peer.has(side_bit::ACKED)
    }

    /// A pending reset has stood its time: it counts.
    pub(crate) fn accept_reset(&mut self, reset: PendingReset, step: &mut Step) {
        self.cold.marks |= mark::RESET[reset.side.index()];
        self.hot.state = FlowState::Reset;
        step.ended = Some(EndReason::Rst);
    }

    /// Traffic in sequence makes a pending reset void.
    pub(super) fn contradict_reset(&mut self, step: &mut Step) {
        if self.hot.slow_path & slow_path::RARE == 0 {
            return;
        }
        if let Some(reset) = self.cold.rare.as_mut().and_then(|rare| rare.reset.take()) {
            step.report(Anomaly::InvalidReset, reset.side);
        }
    }
}

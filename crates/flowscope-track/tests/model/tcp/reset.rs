//! Resets of the model.

use super::*;

impl Flow {
    pub(super) fn rst(&mut self, segment: &Segment<'_>, changes: &mut Changes) {
        let Segment { x, tcp, packet, now, settings, .. } = *segment;
        changes.disbelieved = true;
        let room = self.receive_window(x);
        let letters = &mut self.sides[x.index()].letters;
        if letters.rst.replace(tcp.seq) != Some(tcp.seq) {
            self.note(x, 'r');
        }
        let (own, peer) = self.pair(x);
        // RST-5
        let signed = own.syn_seen.then_some(own.signed).or(peer.syn_seen.then_some(peer.signed));
        if settings.resets != ResetRule::Any
            && signed.is_some_and(|signed| signed != tcp.options.signed)
        {
            changes.anomalies.push((Anomaly::InvalidReset, x));
            changes.reached.push("a reset signed against the agreement");
            return;
        }
        // RST-1
        let believed = if settings.resets == ResetRule::Any {
            true
        } else if self.state == FlowState::SynSent && !own.shown {
            tcp.flags.ack() && acknowledges(tcp.ack, peer.isn, peer.next)
        } else {
            (own.shown && tcp.seq == own.next)
                || peer.ack == Some(tcp.seq)
                || (!own.shown && peer.ack.is_none())
        };
        if believed {
            self.reset_by(x);
            return;
        }
        // RST-2
        let ahead_of = peer.ack.or(own.shown.then_some(own.next));
        let pending = self.state != FlowState::SynSent
            && ahead_of.is_some_and(|from| d(tcp.seq, from) > 0 && d(tcp.seq, from) < room);
        if !pending {
            // RST-4
            changes.anomalies.push((Anomaly::InvalidReset, x));
        } else if self.pending.is_none() {
            // A later one does not replace it.
            self.pending = Some(PendingReset { side: x, ts: packet.ts, at: now });
        }
    }

    pub fn reset_by(&mut self, side: FlowSide) {
        self.state = FlowState::Reset;
        self.reset_by = Some(side);
        self.pending = None;
    }
}

//! SYN+ACKs of the model, several of which may claim a flow.

use super::*;

impl Flow {
    pub(super) fn syn_ack(&mut self, segment: &Segment<'_>, changes: &mut Changes) {
        let Segment { x, tcp, len, packet, .. } = *segment;
        let first = self.latest_packet == self.id;
        let answers = self.is_answered_by(x, &tcp);
        let own = &mut self.sides[x.index()];
        if own.shown && tcp.seq == own.isn {
            if own.syn_seen && own.syn_ack_seen {
                own.stats.retransmitted += 1;
                changes.out_of_window |= len > 0 && self.was_established;
            } else {
                // SYNACK-2
                if !own.syn_seen {
                    own.learn_syn(&tcp, len);
                    self.mid_stream = false;
                    self.forget_syn(x, &tcp);
                }
                self.sides[x.index()].syn_ack_seen = true;
                self.note_syn(x, 'h', len);
            }
            self.learn_acked_syn(x, &tcp);
            self.believe_ack(x, &tcp, changes);
        } else if first {
            self.see_first_syn(x, &tcp, len);
            self.sides[x.index()].syn_ack_seen = true;
            self.note_syn(x, 'h', len);
            self.learn_acked_syn(x, &tcp);
            self.believe_ack(x, &tcp, changes);
        } else if answers {
            self.see_first_syn(x, &tcp, len);
            self.sides[x.index()].syn_ack_seen = true;
            self.note_syn(x, 'h', len);
            self.learn_acked_syn(x, &tcp);
            self.believe_ack(x, &tcp, changes);
            // STAT-3
            if self.evidence == InitiatorEvidence::Syn {
                self.syn_rtt = round_trip(packet.ts.since(self.first_seen()));
            }
            if self.state == FlowState::SynSent {
                self.state = FlowState::SynReceived;
            }
        } else {
            // SYNACK-4, STATE-6
            changes.disbelieved = true;
            changes.out_of_window = true;
            changes.anomalies.push((Anomaly::UnexpectedSynAck, x));
            self.remember_syn_ack(segment);
        }
    }

    /// SYNACK-5
    pub(super) fn may_take_other_syn_ack(&self) -> bool {
        let [initiator, responder] = &self.sides;
        self.state == FlowState::SynReceived
            && responder.syn_seen
            && !responder.letters.once.contains('d')
            && responder.fin.is_none()
            && initiator.ack.is_none_or(|ack| d(ack, responder.isn) <= 0)
    }

    pub(super) fn remember_syn_ack(&mut self, segment: &Segment<'_>) {
        let Segment { x, tcp, len, packet, .. } = *segment;
        let initiator = &self.sides[0];
        if x == FlowSide::Responder
            && self.may_take_other_syn_ack()
            && initiator.shown
            && acknowledges(tcp.ack, initiator.isn, initiator.next)
            && self.other_syn_acks.iter().all(|other| other.tcp.seq != tcp.seq)
        {
            if self.other_syn_acks.len() == 4 {
                self.other_syn_acks.remove(0);
            }
            self.other_syn_acks.push(OtherSynAck { tcp, len, ts: packet.ts });
        }
    }

    /// SYNACK-5
    pub(super) fn take_other_syn_ack(&mut self, x: FlowSide, tcp: &TcpInfo, changes: &mut Changes) {
        if x != FlowSide::Initiator || !tcp.flags.ack() || !self.may_take_other_syn_ack() {
            return;
        }
        let initiator = &self.sides[0];
        if d(tcp.seq, initiator.isn.wrapping_add(1)) < 0
            || d(tcp.seq, initiator.next) > self.receive_window(x)
        {
            return;
        }
        let taken = self.other_syn_acks.iter().copied().find(|other| {
            let first = other.tcp.seq.wrapping_add(1);
            (0..=i64::from(other.len)).contains(&d(tcp.ack, first))
        });
        let Some(OtherSynAck { tcp: syn, len, ts }) = taken else { return };
        self.other_syn_acks.clear();
        changes.reached.push("another SYN+ACK was taken");
        let own = &mut self.sides[1];
        own.syn_ack_seen = true;
        own.signed = syn.options.signed;
        own.isn = syn.seq;
        own.next = syn.seq.wrapping_add(1).wrapping_add(len);
        own.window = Some(syn.window);
        own.stats.initial_window = Some(syn.window);
        own.scale = syn.options.window_scale.map(|scale| scale.min(14));
        own.stats.mss = syn.options.mss;
        own.stats.sack_permitted = syn.options.sack_permitted;
        if self.evidence == InitiatorEvidence::Syn {
            self.syn_rtt = round_trip(ts.since(self.first_seen()));
        }
    }
}

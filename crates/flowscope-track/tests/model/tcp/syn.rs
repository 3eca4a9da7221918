//! SYNs of the model.

use super::*;

impl Flow {
    pub(super) fn syn(
        &mut self,
        segment: &Segment<'_>,
        found: &Extracted<u8>,
        changes: &mut Changes,
    ) {
        let Segment { x, tcp, len, packet, .. } = *segment;
        let first = self.latest_packet == self.id;
        let half_open = self.state.is_half_open();
        let own = &mut self.sides[x.index()];
        if own.shown && tcp.seq == own.isn {
            // SYN-1, STAT-5
            if own.syn_seen {
                own.stats.retransmitted += 1;
                changes.out_of_window |= len > 0 && self.was_established;
            } else {
                own.learn_syn(&tcp, len);
                self.mid_stream = false;
                self.forget_syn(x, &tcp);
                self.note_syn(x, 's', len);
            }
        } else if own.shown && own.acked_data_of(&tcp, len) {
            own.isn = tcp.seq;
            own.learn_syn(&tcp, len);
            self.mid_stream = false;
            self.forget_syn(x, &tcp);
            self.note_syn(x, 's', len);
        } else if own.syn_acked && (tcp.seq == own.isn || own.acked_data_of(&tcp, len))
            || !own.syn_acked && !own.shown && half_open
        {
            // SYN-2, or SYN-1 where a SYN+ACK has told the number.
            self.see_first_syn(x, &tcp, len);
            self.note_syn(x, 's', len);
            if self.state == FlowState::SynSent && !first {
                self.state = FlowState::SynReceived;
            }
        } else {
            // SYN-4
            changes.disbelieved = true;
            changes.out_of_window = true;
            let counters = counters_of(packet, found);
            let known =
                self.remembered.iter_mut().find(|syn| syn.side == x && syn.tcp.seq == tcp.seq);
            if let Some(syn) = known {
                super::super::flow::add(&mut syn.counters, &counters);
                syn.repetitions += 1;
                syn.first_ts = syn.first_ts.min(packet.first_ts);
                syn.last_ts = syn.last_ts.max(packet.ts);
                self.times.last_mut().expect("it was counted").2 = Some(syn.packet);
                return;
            }
            self.times.last_mut().expect("it was counted").2 = Some(self.latest_packet);
            changes.anomalies.push((Anomaly::UnexpectedSyn, x));
            self.note(x, 's');
            self.remembered.push(RememberedSyn {
                side: x,
                orientation: found.orientation,
                tcp,
                ip: found.ip,
                path: found.path,
                payload_len: len,
                packet: self.latest_packet,
                ts: packet.ts,
                first_ts: packet.first_ts,
                last_ts: packet.ts,
                counters,
                repetitions: 0,
            });
            if self.remembered.len() > 4 {
                self.remembered.remove(0);
            }
        }
    }

    /// SEQ-1: the first segment of X, with SYN.
    pub fn see_first_syn(&mut self, x: FlowSide, tcp: &TcpInfo, len: u32) {
        self.mid_stream = false;
        self.forget_foreign_ack(x, tcp.seq);
        let own = &mut self.sides[x.index()];
        own.learn_seq(tcp);
        own.isn = tcp.seq;
        own.next = tcp.seq.wrapping_add(1).wrapping_add(len);
        own.payload_seen |= len > 0;
        own.learn_syn(tcp, len);
        self.forget_syn(x, tcp);
    }

    /// SYN-1: it is no other connection's.
    pub(super) fn forget_syn(&mut self, x: FlowSide, tcp: &TcpInfo) {
        self.remembered.retain(|syn| syn.side != x || syn.tcp.seq != tcp.seq);
    }

    /// SEQ-4
    pub(super) fn learn_acked_syn(&mut self, x: FlowSide, tcp: &TcpInfo) {
        let peer = &mut self.sides[(!x).index()];
        if x == FlowSide::Responder && !peer.shown && !peer.syn_acked {
            peer.syn_acked = true;
            peer.isn = tcp.ack.wrapping_sub(1);
        }
    }

    pub fn note_syn(&mut self, x: FlowSide, letter: char, len: u32) {
        self.note(x, letter);
        if len > 0 {
            self.note_once(x, 'd');
        }
    }
}

//! SYN and SYN+ACK.

use flowscope_core::{FlowSide, TcpFlags, Timestamp};

use super::{MAX_PENDING_SYNS, Seg, Step, Tcp};
use crate::clock::PacketTime;
use crate::entry::{PendingSyn, bit, mark, side_bit, slow_path, stored_rtt};
use crate::seq::serial;
use crate::stats::Counters;
use crate::{Anomaly, EndReason, FlowState, InitiatorEvidence};

impl Tcp<'_> {
    /// STATE-1: the first packet of a flow; returns its state.
    pub(crate) fn open(&mut self, seg: &Seg) -> FlowState {
        let x = seg.side.index();
        let syn = seg.flags.syn();
        self.learn_seq(seg);
        if !syn {
            self.hot.set(bit::MID_STREAM, true);
            return FlowState::SynReceived;
        }
        self.take_syn(seg);
        self.syn_letters(seg);
        if seg.flags.ack() {
            self.hot.sides[x].ack = seg.ack;
            self.hot.sides[x].bits |= side_bit::ACKED | side_bit::SYN_ACK;
            self.learn_acked_syn(seg);
            FlowState::SynReceived
        } else {
            FlowState::SynSent
        }
    }

    /// The first packet of a flow, once it is counted; beyond what [`open`](Self::open) did.
    pub(crate) fn first(&mut self, seg: &Seg, step: &mut Step) {
        if seg.flags.syn() && !seg.flags.intersects(TcpFlags::FIN | TcpFlags::RST | TcpFlags::URG) {
            self.hot.slow_path = self.slow_path_reasons();
            return;
        }
        self.urgent(seg, step);
        if seg.flags.rst() {
            // STATE-2
            self.letter(b'r', seg.side);
            self.cold.marks |= mark::RESET[seg.side.index()];
            self.hot.state = FlowState::Reset;
            step.ended = Some(EndReason::Rst);
        } else if !seg.flags.syn() {
            self.hot.sides[seg.side.index()].next = seg.end();
            self.payload_letters(seg);
            self.count_cut(seg);
            self.take_fin(seg, step);
            self.acknowledge(seg, step);
            self.take_window(seg);
            self.establish_handshake(seg.flags.syn(), seg.ts, step);
        }
        self.unusual_flags(seg);
        self.close_states(step);
    }

    /// SEQ-1, SEG-3: the side is seen.
    pub(super) fn learn_seq(&mut self, seg: &Seg) {
        let x = seg.side.index();
        if self.hot.side(!seg.side).has(side_bit::ACKED) {
            self.forget_foreign_ack(seg);
        }
        let side = &mut self.hot.sides[x];
        side.bits |= side_bit::SEQ_KNOWN;
        side.next = seg.seq;
        side.window = seg.window;
        if !self.is_syn_acked(seg.side) {
            self.cold.isn[x] = seg.seq.wrapping_sub(1);
        }
        self.cold.first_window[x] = seg.window;
    }

    /// ACK-3: what the other side acknowledged before anything of this one was seen is of another connection, or
    /// forged, if it is far from where this side begins.
    fn forget_foreign_ack(&mut self, seg: &Seg) {
        let window = self.receive_window(seg.side);
        let peer = &mut self.hot.sides[(!seg.side).index()];
        if i64::from(serial(peer.ack, seg.seq)).abs() > window {
            peer.bits &= !side_bit::ACKED;
        }
    }

    pub(super) fn take_syn(&mut self, seg: &Seg) {
        let x = seg.side.index();
        let side = &mut self.hot.sides[x];
        side.bits |= side_bit::SYN;
        self.hot.bits &= !bit::MID_STREAM;
        let end = seg.seq.wrapping_add(1).wrapping_add(seg.len);
        if serial(end, side.next) > 0 {
            side.next = end;
        }
        self.cold.isn[x] = seg.seq;
        self.cold.mss[x] = seg.options.mss.unwrap_or(0);
        self.cold.labels[x].set_scale(seg.options.window_scale);
        if seg.options.sack_permitted {
            self.cold.marks |= mark::SACK[x];
        }
        if seg.options.signed {
            self.cold.rare().sides[x].signed = true;
        }
    }

    /// SYN-1: a SYN that is the flow's own is no longer remembered as another connection's.
    #[cold]
    #[inline(never)]
    fn forget_syn(&mut self, seg: &Seg) {
        if let Some(rare) = &mut self.cold.rare {
            rare.syns.retain(|syn| syn.side != seg.side || syn.seq != seg.seq);
        }
    }

    /// Whether an accepted SYN+ACK says where `side`'s SYN is.
    pub(super) fn is_syn_acked(&self, side: FlowSide) -> bool {
        side == FlowSide::Initiator && self.cold.marks & mark::SYN_ACKED != 0
    }

    /// SEQ-4: an accepted SYN+ACK tells the number of a SYN that was not seen. RFC 9293 §3.10.7.3: "If
    /// SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset": a SYN+ACK that is not reset acknowledges it.
    pub(super) fn learn_acked_syn(&mut self, syn_ack: &Seg) {
        let peer = self.hot.side(!syn_ack.side);
        if syn_ack.side == FlowSide::Responder
            && !syn_ack.flags.rst()
            && !peer.has(side_bit::SEQ_KNOWN)
            && !self.is_syn_acked(FlowSide::Initiator)
        {
            self.cold.marks |= mark::SYN_ACKED;
            self.cold.isn[0] = syn_ack.ack.wrapping_sub(1);
        }
    }

    pub(super) fn synchronise(&mut self, seg: &Seg, now: &PacketTime, step: &mut Step) {
        let x = seg.side.index();
        let own = *self.hot.side(seg.side);
        let fits = !self.is_other_connection(seg);
        // SYN-1, SYNACK-2
        if fits && own.has(side_bit::SEQ_KNOWN) {
            if !own.has(side_bit::SYN) {
                self.take_syn(seg);
                if self.cold.rare.is_some() {
                    self.forget_syn(seg);
                }
                self.syn_letters(seg);
            } else if seg.flags.ack() && !own.has(side_bit::SYN_ACK) {
                self.syn_letters(seg);
            } else {
                self.cold.rare().sides[x].retransmitted += 1;
                // RFC 9293 §3.10.7.4, fourth: the SYN of a synchronised connection is dropped, with what it carries.
                step.out_of_window |= seg.len > 0 && self.hot.has(bit::ESTABLISHED);
            }
            if seg.flags.ack() {
                self.hot.sides[x].bits |= side_bit::SYN_ACK;
                self.learn_acked_syn(seg);
                self.acknowledge(seg, step);
            }
            self.establish_handshake(seg.flags.syn(), seg.ts, step);
        } else if fits {
            // SYN-2, SYNACK-3
            let first_answer = self.hot.state == FlowState::SynSent;
            self.learn_seq(seg);
            self.take_syn(seg);
            if self.cold.rare.is_some() {
                self.forget_syn(seg);
            }
            self.syn_letters(seg);
            if seg.flags.ack() {
                self.hot.sides[x].bits |= side_bit::SYN_ACK;
                self.learn_acked_syn(seg);
                self.acknowledge(seg, step);
                if self.cold.evidence == InitiatorEvidence::Syn {
                    // STAT-3: the SYN was the first packet of the flow.
                    self.cold.syn_rtt = stored_rtt(seg.ts.since(self.cold.first_seen));
                }
            }
            if first_answer {
                self.hot.state = FlowState::SynReceived;
            }
            self.establish_handshake(seg.flags.syn(), seg.ts, step);
        } else if seg.flags.ack() {
            // SYNACK-4
            step.out_of_window = true;
            step.report(Anomaly::UnexpectedSynAck, seg.side);
            self.remember_syn_ack(seg);
        } else {
            self.remember(seg, now, step);
        }
    }

    /// SYN-4: keeps a SYN that may begin another connection. RFC 5961 §4.2: "If the SYN bit is set,
    /// irrespective of the sequence number, TCP MUST send an ACK [...] to the remote peer": the
    /// receiver keeps the connection until that is answered. Its counters are filled in by the tracker,
    /// which knows the packet.
    pub(super) fn remember(&mut self, seg: &Seg, now: &PacketTime, step: &mut Step) {
        step.remembered = true;
        step.out_of_window = true;
        let rare = self.cold.rare();
        if rare.syns.iter().any(|syn| syn.side == seg.side && syn.seq == seg.seq) {
            return;
        }
        if rare.syns.len() == MAX_PENDING_SYNS {
            rare.syns.remove(0);
        }
        rare.syns.push(PendingSyn {
            side: seg.side,
            seq: seg.seq,
            len: seg.len,
            packet: now.packet,
            ts: seg.ts,
            last_ts: seg.ts,
            again: 0,
            counters: Counters::default(),
            seen_without: (Timestamp::MAX, Timestamp::ZERO),
            flags: seg.flags,
            window: seg.window,
            options: seg.options,
            ttl: 0,
            tos: 0,
            flow_label: 0,
            path: flowscope_core::Path::EMPTY,
        });
        self.hot.slow_path |= slow_path::RARE;
        self.letter(b's', seg.side);
        step.report(Anomaly::UnexpectedSyn, seg.side);
    }
}

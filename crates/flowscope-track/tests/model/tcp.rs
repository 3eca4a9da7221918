mod reset;
mod side;
mod stray;
mod syn;
mod syn_ack;

use std::time::Duration;

use flowscope_core::{Extracted, FlowSide, L4Proto, TcpFlags, TcpInfo, Timestamp};
use flowscope_track::{Anomaly, FlowState, InitiatorEvidence, ResetRule};

use super::flow::{
    Flow, OtherSynAck, PendingReset, RememberedSyn, Side, Stray, counters_of, is_power_of_ten,
    sent_len,
};
use super::{Packet, Settings};

/// Which flow a packet belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    /// To the flow whose entry it reached.
    Counts,
    /// It begins another one.
    BeginsAnother,
    /// It answers the remembered SYN at this place, with which another one begins.
    Answers(usize),
}

/// What a packet brought about.
#[derive(Debug, Default)]
pub struct Changes {
    pub anomalies: Vec<(Anomaly, FlowSide)>,
    pub established: bool,
    /// The packet is none that could establish the flow.
    pub disbelieved: bool,
    pub out_of_window: bool,
    /// FIN-1: a FIN in window that is not accepted.
    pub refused_fin: bool,
    /// ACK-1: whether the acknowledgement is beyond the window before the packet, if it was processed.
    pub far_ack: Option<bool>,
    /// Rules that few packets get to.
    pub reached: Vec<&'static str>,
    /// From the state before the packet to the one after, if they differ.
    pub state: Option<(FlowState, FlowState)>,
}

/// `(a - b) as i32`, the signed distance of sequence numbers.
fn d(a: u32, b: u32) -> i64 {
    i64::from(a.wrapping_sub(b).cast_signed())
}

/// `ack` is in `isn + 1 ..= next`.
fn acknowledges(ack: u32, isn: u32, next: u32) -> bool {
    d(ack, isn) > 0 && d(ack, next) <= 0
}

impl Flow {
    fn pair(&self, x: FlowSide) -> (&Side, &Side) {
        (&self.sides[x.index()], &self.sides[(!x).index()])
    }

    /// SEQ-2: `max(Y.window << scale, 1 MiB)`
    pub fn receive_window(&self, x: FlowSide) -> i64 {
        let (_, peer) = self.pair(x);
        let scale = if self.scale_known() { peer.scale.unwrap_or(0) } else { 0 };
        (i64::from(peer.window.unwrap_or(0)) << scale).max(1 << 20)
    }

    /// Which flow a packet belongs to. `silent`: `watermark - touched > reuse_after`.
    pub fn judge(&self, packet: &Packet, found: &Extracted<u8>, silent: bool) -> Verdict {
        let Some(tcp) = found.tcp.filter(|_| self.l4 == Some(L4Proto::Tcp)) else {
            return Verdict::Counts;
        };
        let lingers = self.ended.is_some();
        // SYN-3, SYNACK-4
        let may_begin_another =
            if lingers || silent { Verdict::BeginsAnother } else { Verdict::Counts };
        let x = self.side_of(found);
        let (own, peer) = self.pair(x);
        if tcp.flags.rst() {
            return Verdict::Counts;
        }
        if tcp.flags.syn() && !tcp.flags.ack() {
            let known = own.shown || own.syn_acked;
            let len = sent_len(found, &packet.payload);
            let repeated = known && (tcp.seq == own.isn || own.acked_data_of(&tcp, len));
            let simultaneous = !known && self.state.is_half_open();
            return if repeated || simultaneous { Verdict::Counts } else { may_begin_another };
        }
        if tcp.flags.syn() {
            let answered = self.remembered.iter().position(|syn| {
                // SYNACK-1
                let next = syn.tcp.seq.wrapping_add(1).wrapping_add(syn.payload_len);
                syn.side != x && acknowledges(tcp.ack, syn.tcp.seq, next)
            });
            if let Some(at) = answered {
                return Verdict::Answers(at);
            }
            let repeated = own.shown && tcp.seq == own.isn;
            return if repeated || self.is_answered_by(x, &tcp) {
                Verdict::Counts
            } else {
                may_begin_another
            };
        }
        // SEG-1
        let answered = self.remembered.iter().position(|syn| {
            let first = syn.tcp.seq.wrapping_add(1);
            if syn.side == x {
                // What the flow could expect of this side is no answer either.
                let repeats = peer.ack.is_some_and(|ack| d(tcp.seq, ack) >= 0);
                let ahead = d(tcp.seq, own.next);
                let expected = own.shown && (ahead == 0 || ahead < 0 && repeats);
                return tcp.seq == first && sent_len(found, &packet.payload) > 0 && !expected;
            }
            // An acknowledgement that the flow could expect is no answer to the remembered SYN.
            let expected = match (peer.shown, own.ack) {
                (true, last) => {
                    d(tcp.ack, peer.next) <= 0 && last.is_none_or(|last| d(tcp.ack, last) >= 0)
                }
                (false, Some(last)) => (0..=self.receive_window(!x)).contains(&d(tcp.ack, last)),
                (false, None) => false,
            };
            tcp.flags.ack() && tcp.ack == first && !expected
        });
        match answered {
            Some(at) => Verdict::Answers(at),
            None => Verdict::Counts,
        }
    }

    /// SYNACK-3
    fn is_answered_by(&self, x: FlowSide, tcp: &TcpInfo) -> bool {
        let (own, peer) = self.pair(x);
        !own.shown
            && if own.syn_acked {
                tcp.seq == own.isn
            } else if peer.shown {
                acknowledges(tcp.ack, peer.isn, peer.next) && self.reset_by != Some(x)
            } else {
                self.state.is_half_open()
            }
    }

    /// Follows a packet that was counted.
    pub fn follow(
        &mut self,
        packet: &Packet,
        found: &Extracted<u8>,
        now: Timestamp,
        settings: &Settings,
    ) -> Changes {
        let mut changes = Changes::default();
        if self.l4 != Some(L4Proto::Tcp) {
            return changes;
        }
        let x = self.side_of(found);
        let before = self.state;
        if let Some(tcp) = found.tcp {
            let len = sent_len(found, &packet.payload);
            if tcp.flags.contains(TcpFlags::URG) {
                self.sides[x.index()].stats.urgent += 1;
                changes.anomalies.push((Anomaly::UrgentData, x));
            }
            let segment = Segment { x, tcp, len, packet, now, settings };
            if tcp.flags.rst() && self.latest_packet == self.id {
                // STATE-2
                if tcp.flags.syn() {
                    self.see_first_syn(x, &tcp, len);
                    self.note_syn(x, if tcp.flags.ack() { 'h' } else { 's' }, len);
                } else {
                    self.sides[x.index()].learn_seq(&tcp);
                }
                self.note(x, 'r');
                let own = &mut self.sides[x.index()];
                own.letters.rst = Some(own.next);
                self.reset_by(x);
            } else if tcp.flags.rst() {
                self.rst(&segment, &mut changes);
            } else if tcp.flags.syn() && !tcp.flags.ack() {
                self.syn(&segment, found, &mut changes);
            } else if tcp.flags.syn() {
                self.syn_ack(&segment, &mut changes);
            } else {
                self.other(&segment, &mut changes);
            }
            if tcp.flags.syn() && (tcp.flags.fin() || tcp.flags.rst()) {
                self.note_once(x, 'q');
            } else if tcp.flags.fin() && tcp.flags.rst() {
                self.note_once(x, 'i');
            }
        }
        self.settle(found.tcp, packet.ts, settings, &mut changes);
        changes.state = (self.state != before).then_some((before, self.state));
        changes
    }

    // -- SYN without ACK -------------------------------------------------------------------------

    // -- SYN with ACK ----------------------------------------------------------------------------

    // -- RST -------------------------------------------------------------------------------------

    // -- Any other segment -----------------------------------------------------------------------

    fn other(&mut self, segment: &Segment<'_>, changes: &mut Changes) {
        let Segment { x, tcp, len, .. } = *segment;
        let fin_len = u32::from(tcp.flags.fin());
        let end = tcp.seq.wrapping_add(len).wrapping_add(fin_len);
        let (own, peer) = self.pair(x);
        // SEG-2
        if self.state == FlowState::SynSent
            && !own.shown
            && !(tcp.flags.ack() && acknowledges(tcp.ack, peer.isn, peer.next))
        {
            return;
        }
        if self.state == FlowState::SynSent && !own.shown && len + fin_len == 0 {
            self.believe_ack(x, &tcp, changes);
            return;
        }
        self.take_other_syn_ack(x, &tcp, changes);
        self.believe_stray(x, &tcp, changes);
        self.withdraw_fin_ahead(x, &tcp, len, changes);
        let room = self.receive_window(x);
        let was_established = self.was_established;
        // SEG-3
        if !self.sides[x.index()].shown {
            self.forget_foreign_ack(x, tcp.seq);
            self.sides[x.index()].learn_seq(&tcp);
        }
        let own = &mut self.sides[x.index()];
        // SEG-4
        let mut news = true;
        let ahead = d(tcp.seq, own.next);
        let stray = own.stray.take();
        if ahead > room || ahead < -(1 << 30) {
            let continued = stray.filter(|stray| {
                (0..=room).contains(&d(tcp.seq, stray.end)) && d(end, stray.start) > 0
            });
            own.stray = Some(Stray {
                start: continued.map_or(tcp.seq, |stray| stray.start),
                end,
                ack: tcp.flags.ack().then_some(tcp.ack),
                fin: tcp.flags.fin(),
            });
            changes.disbelieved = true;
            changes.out_of_window = true;
            own.stats.out_of_window += 1;
            own.stray_bytes += u64::from(len);
            changes.anomalies.push((Anomaly::OutOfWindow, x));
            if tcp.flags.fin() {
                changes.anomalies.push((Anomaly::InvalidFin, x));
            }
            return;
        }
        if len > 0 {
            self.note_once(x, 'd');
        } else if tcp.flags.ack() && !tcp.flags.fin() {
            self.note_once(x, 'a');
        }
        let own = &mut self.sides[x.index()];
        // SEG-5
        if ahead > 0 {
            own.add_hole(own.next, tcp.seq);
            own.next = end;
            self.note_new_hole(x);
        } else if ahead == 0 {
            own.next = end;
        } else if d(end, own.next) > 0 {
            // SEG-6
            let next = own.next;
            if own.fill(tcp.seq, next) {
                own.stats.out_of_order += 1;
            }
            own.next = end;
        } else if own.fill(tcp.seq, end) {
            own.stats.out_of_order += 1;
        } else if ahead == -1 && len <= 1 && !tcp.flags.fin() && was_established {
            own.stats.probes += 1;
            news = false;
        } else {
            news = false;
            if len > 0 || tcp.flags.fin() {
                own.stats.retransmitted += 1;
            }
            if len > 0 {
                self.note_retransmission(x);
            }
        }
        // STAT-6
        if news {
            let captured = segment.packet.payload.len() as u64;
            let cut = u64::from(len).saturating_sub(captured);
            self.sides[x.index()].stats.cut_bytes += cut;
        }
        // RST-3
        if news && let Some(reset) = self.pending.take() {
            changes.anomalies.push((Anomaly::InvalidReset, reset.side));
        }
        let own = &mut self.sides[x.index()];
        own.payload_seen |= len > 0;
        // FIN-2, of X
        let (own, peer) = self.pair(x);
        let covered = |fin: u32| len > 1 && d(tcp.seq.wrapping_add(len), fin) > 0;
        if own.fin.is_some_and(|fin| covered(fin) || d(own.next, fin.wrapping_add(1)) > 0)
            && !own.fin_is_acknowledged(peer)
        {
            self.sides[x.index()].fin = None;
            changes.anomalies.push((Anomaly::RetractedFin, x));
        }
        // FIN-1
        if tcp.flags.fin() {
            let fin = tcp.seq.wrapping_add(len);
            let (own, peer) = self.pair(x);
            let again = own.fin == Some(fin);
            let goes_on = d(fin.wrapping_add(1), own.next) < 0
                || peer.ack.is_some_and(|ack| d(ack, fin.wrapping_add(1)) > 0);
            let invalid = !again && (goes_on || own.fin_is_acknowledged(peer));
            if invalid {
                changes.refused_fin = true;
                changes.anomalies.push((Anomaly::InvalidFin, x));
            } else {
                self.sides[x.index()].fin = Some(fin);
                if self.sides[x.index()].letters.fin.replace(fin) != Some(fin) {
                    self.note(x, 'f');
                }
            }
        }
        // ACK-1, ACK-2
        let (own, peer) = self.pair(x);
        if tcp.flags.ack() {
            let duplicate = len == 0
                && !tcp.flags.fin()
                && own.ack == Some(tcp.ack)
                && own.window == Some(tcp.window)
                && peer.shown
                && peer.next != tcp.ack;
            self.sides[x.index()].stats.duplicate_acks += u32::from(duplicate);
            self.believe_ack(x, &tcp, changes);
        }
        self.take_window(x, &tcp);
        // STATE-3
        if self.state == FlowState::SynSent {
            let own = &self.sides[x.index()];
            if x == FlowSide::Responder {
                self.state = FlowState::SynReceived;
                if len > 0 {
                    self.establish(changes);
                }
            } else if tcp.flags.ack() && d(tcp.seq, own.isn) > 0 {
                self.establish(changes);
            }
        }
    }

    /// STAT-1
    fn take_window(&mut self, x: FlowSide, tcp: &TcpInfo) {
        let own = &mut self.sides[x.index()];
        own.window = Some(tcp.window);
        let (least, most) = (&mut own.stats.min_window, &mut own.stats.max_window);
        *least = Some(least.map_or(tcp.window, |least| least.min(tcp.window)));
        *most = Some(most.map_or(tcp.window, |most| most.max(tcp.window)));
        if tcp.window == 0 {
            own.stats.zero_windows += 1;
            if is_power_of_ten(own.stats.zero_windows) {
                self.note(x, 'w');
            }
        }
    }

    /// HIST-3, of the hole that came last.
    fn note_new_hole(&mut self, x: FlowSide) {
        let (own, peer) = self.pair(x);
        let from = own.holes.last().expect("it was added").0;
        if peer.ack.is_some_and(|ack| d(ack, from) > 0) {
            self.note_gap(x);
        }
    }

    fn note_gap(&mut self, x: FlowSide) {
        let letters = &mut self.sides[x.index()].letters;
        letters.gaps += 1;
        if is_power_of_ten(letters.gaps) {
            self.note(x, 'g');
        }
    }

    fn note_retransmission(&mut self, x: FlowSide) {
        let letters = &mut self.sides[x.index()].letters;
        letters.retransmissions += 1;
        if is_power_of_ten(letters.retransmissions) {
            self.note(x, 't');
        }
    }

    // -- States after that -----------------------------------------------------------------------

    fn establish(&mut self, changes: &mut Changes) {
        self.was_established = true;
        self.state = FlowState::Established;
        changes.established = true;
    }

    fn settle(
        &mut self,
        tcp: Option<TcpInfo>,
        ts: Timestamp,
        settings: &Settings,
        changes: &mut Changes,
    ) {
        if self.state == FlowState::SynReceived
            && !changes.disbelieved
            && self.is_established_now(tcp, settings)
        {
            self.establish(changes);
            let [initiator, responder] = &self.sides;
            // STAT-3
            let answered = match self.evidence {
                InitiatorEvidence::Syn => self.syn_rtt,
                InitiatorEvidence::SynAck => Some(Duration::ZERO),
                _ => None,
            };
            if responder.syn_seen
                && initiator.ack.is_some_and(|ack| d(ack, responder.isn) > 0)
                && let Some(answered) = answered
            {
                let since = ts.since(self.first_seen()).saturating_sub(answered);
                self.ack_rtt = round_trip(since);
            }
        }
        if !matches!(
            self.state,
            FlowState::Established | FlowState::FinWait | FlowState::ClosingTcp
        ) {
            return;
        }
        // STATE-7
        let [initiator, responder] = &self.sides;
        let closed = [initiator.fin_is_effective(responder), responder.fin_is_effective(initiator)];
        let effective = closed.iter().filter(|closed| **closed).count();
        let acknowledged =
            initiator.fin_is_acknowledged(responder) && responder.fin_is_acknowledged(initiator);
        self.state = match effective {
            0 => FlowState::Established,
            1 => {
                self.closed_first =
                    if closed[0] { FlowSide::Initiator } else { FlowSide::Responder };
                FlowState::FinWait
            }
            _ if acknowledged => FlowState::Closed,
            _ => FlowState::ClosingTcp,
        };
        // STAT-7
        self.closed = (effective == 2).then(|| self.closed.unwrap_or(self.last_seen()));
    }

    fn is_established_now(&self, tcp: Option<TcpInfo>, settings: &Settings) -> bool {
        let [initiator, responder] = &self.sides;
        let packets: u64 = self.sides.iter().map(|side| side.stats.counters.packets).sum();
        let syn = tcp.is_some_and(|tcp| tcp.flags.syn());
        let enough = packets >= u64::from(settings.mid_stream_packets) && !syn;
        if self.mid_stream {
            // STATE-5
            let spoke = |side: &Side| side.payload_seen || side.ack.is_some();
            return enough || (spoke(initiator) && spoke(responder));
        }
        if !initiator.shown || !responder.shown {
            return enough;
        }
        // STATE-4
        let acknowledged =
            |side: &Side, peer: &Side| peer.ack.is_some_and(|ack| d(ack, side.isn) > 0);
        let both_syns = initiator.syn_seen && responder.syn_seen;
        let simultaneous = both_syns && (initiator.syn_ack_seen || !responder.syn_ack_seen);
        acknowledged(responder, initiator) && (!simultaneous || acknowledged(initiator, responder))
    }
}

struct Segment<'a> {
    /// The sender.
    x: FlowSide,
    tcp: TcpInfo,
    /// Payload length by the headers.
    len: u32,
    packet: &'a Packet,
    now: Timestamp,
    settings: &'a Settings,
}

/// In steps of 10 ns, at least one and less than 2^32.
fn round_trip(time: Duration) -> Option<Duration> {
    let steps = u32::try_from(time.as_nanos() / 10).ok()?;
    Some(Duration::from_nanos(u64::from(steps.max(1)) * 10))
}

//! The TCP side of a flow: which packets belong to it, and what each one changes.
//!
//! `docs/TCP_LIFE.md` states the rules; this is them, over one flow's record, without table, timers
//! or sink.

use std::time::Duration;

use flowscope_core::{FlowSide, TcpFlags, TcpInfo, TcpOptions, Timestamp};

use crate::clock::PacketTime;
use crate::config::{ResetRule, TrackerConfig};
use crate::entry::{
    Cold, Meter, PendingReset, PendingSyn, bit, mark, serial, side_bit, stored_rtt, watch,
};
use crate::history::is_power_of_ten;
use crate::{Anomaly, EndReason, FlowState, InitiatorEvidence};

/// The receive window is taken for at least this, in bytes: its scale is unknown for flows picked
/// up in the middle, and a capture that lost packets sees windows late.
const LEAST_ROOM: i64 = 1 << 20;
/// Numbers this far behind are another connection's.
const FAR_BEHIND: i32 = -(1 << 30);
/// How many SYNs that may begin another connection are remembered.
pub(crate) const MOST_SYNS: usize = 4;

/// A TCP packet, seen from its flow.
#[derive(Clone, Copy)]
pub(crate) struct Seg {
    pub(crate) side: FlowSide,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) window: u16,
    pub(crate) flags: TcpFlags,
    /// Payload on the wire.
    pub(crate) len: u32,
    pub(crate) options: TcpOptions,
    pub(crate) ts: Timestamp,
}

impl Seg {
    pub(crate) fn new(side: FlowSide, tcp: &TcpInfo, len: u32, ts: Timestamp) -> Self {
        Seg {
            side,
            seq: tcp.seq,
            ack: tcp.ack,
            window: tcp.window,
            flags: tcp.flags,
            len,
            options: tcp.options,
            ts,
        }
    }

    fn end(&self) -> u32 {
        self.seq.wrapping_add(self.len).wrapping_add(u32::from(self.flags.fin()))
    }

    fn occupies(&self) -> bool {
        self.len > 0 || self.flags.fin()
    }
}

/// Which SYN a new connection begins with, where this packet does not belong to the flow it hit.
pub(crate) enum Successor {
    /// This packet is it.
    This,
    /// This packet answers one remembered.
    Remembered(Box<PendingSyn>),
}

/// What a packet changed.
pub(crate) struct Step {
    pub(crate) before: FlowState,
    pub(crate) established: bool,
    /// It was a SYN that is remembered now, or was already.
    pub(crate) remembered: bool,
    pub(crate) ended: Option<EndReason>,
    anomalies: [Option<(Anomaly, FlowSide)>; 4],
}

impl Step {
    pub(crate) fn new(before: FlowState) -> Self {
        Step { before, established: false, remembered: false, ended: None, anomalies: [None; 4] }
    }

    pub(crate) fn anomalies(&self) -> impl Iterator<Item = (Anomaly, FlowSide)> + '_ {
        self.anomalies.iter().flatten().copied()
    }

    fn report(&mut self, anomaly: Anomaly, side: FlowSide) {
        if let Some(free) = self.anomalies.iter_mut().find(|a| a.is_none()) {
            *free = Some((anomaly, side));
        }
    }
}

/// One flow's record, for the time of one packet.
pub(crate) struct Tcp<'a> {
    pub(crate) meter: &'a mut Meter,
    pub(crate) cold: &'a mut Cold,
    pub(crate) config: &'a TrackerConfig,
}

impl Tcp<'_> {
    /// Whether the packet begins another connection on this flow's key; asked before it is counted.
    pub(crate) fn successor(&mut self, seg: &Seg, moment: PacketTime) -> Option<Successor> {
        let other = !seg.side;
        if seg.flags.rst() {
            return None;
        }
        if !seg.flags.syn() {
            return self.answered(seg);
        }
        if seg.flags.ack()
            && let Some(found) = self.remembered(|syn| {
                syn.side == other
                    && serial(seg.ack, syn.seq.wrapping_add(1)) >= 0
                    && serial(seg.ack, syn.seq.wrapping_add(1).wrapping_add(syn.len)) <= 0
            })
        {
            return Some(found);
        }
        (self.is_other_connection(seg) && self.may_be_replaced(moment)).then_some(Successor::This)
    }

    /// Whether a SYN or SYN+ACK does not fit this connection.
    fn is_other_connection(&self, seg: &Seg) -> bool {
        let own = self.meter.side(seg.side);
        let peer = self.meter.side(!seg.side);
        if own.has(side_bit::SEQ_KNOWN) || self.is_syn_acked(seg.side) {
            return seg.seq != self.cold.isn[seg.side.index()];
        }
        if seg.flags.ack() && peer.has(side_bit::SEQ_KNOWN) {
            // Who answers did not refuse: somebody else reset the connection in its name.
            let reset = self.cold.marks & mark::RESET[seg.side.index()] != 0;
            reset || !self.acknowledges_syn(seg)
        } else {
            !self.meter.state.is_half_open()
        }
    }

    /// Whether an accepted SYN+ACK says where `side`'s SYN is.
    fn is_syn_acked(&self, side: FlowSide) -> bool {
        side == FlowSide::Initiator && self.cold.marks & mark::SYN_ACKED != 0
    }

    /// An accepted SYN+ACK tells the number of a SYN that was not seen.
    fn learn_acked_syn(&mut self, syn_ack: &Seg) {
        let peer = self.meter.side(!syn_ack.side);
        if syn_ack.side == FlowSide::Responder
            && !syn_ack.flags.rst()
            && !peer.has(side_bit::SEQ_KNOWN)
            && !self.is_syn_acked(FlowSide::Initiator)
        {
            self.cold.marks |= mark::SYN_ACKED;
            self.cold.isn[0] = syn_ack.ack.wrapping_sub(1);
        }
    }

    /// Whether `seg` acknowledges the other side's SYN (seen, or where it must have been), and
    /// nothing that side has not sent.
    fn acknowledges_syn(&self, seg: &Seg) -> bool {
        let peer = self.meter.side(!seg.side);
        let isn = self.cold.isn[(!seg.side).index()];
        seg.flags.ack()
            && peer.has(side_bit::SEQ_KNOWN)
            && serial(seg.ack, isn) > 0
            && serial(seg.ack, peer.next) <= 0
    }

    fn may_be_replaced(&self, moment: PacketTime) -> bool {
        self.meter.state.is_over()
            || moment.watermark.since(self.meter.touched) > self.config.reuse_after
    }

    /// Whether a segment that is no SYN answers a remembered one.
    fn answered(&mut self, seg: &Seg) -> Option<Successor> {
        if self.meter.watch & watch::RARE == 0 {
            return None;
        }
        let (own, peer) = (*self.meter.side(seg.side), *self.meter.side(!seg.side));
        let room = self.receive_window(!seg.side);
        // How far beyond what the other side is known to have sent.
        let beyond = match (peer.has(side_bit::SEQ_KNOWN), own.has(side_bit::ACKED)) {
            (true, _) => serial(seg.ack, peer.next) > 0,
            (false, true) => i64::from(serial(seg.ack, own.ack)) > room,
            (false, false) => true,
        };
        self.remembered(|syn| {
            let first = syn.seq.wrapping_add(1);
            if syn.side == seg.side {
                seg.seq == first && seg.len > 0
            } else {
                let foreign = beyond || own.has(side_bit::ACKED) && serial(seg.ack, own.ack) < 0;
                seg.flags.ack() && seg.ack == first && foreign
            }
        })
    }

    fn remembered(&mut self, is_it: impl Fn(&PendingSyn) -> bool) -> Option<Successor> {
        let rare = self.cold.rare.as_mut()?;
        let at = rare.syns.iter().position(is_it)?;
        Some(Successor::Remembered(Box::new(rare.syns.remove(at))))
    }

    /// The first packet of a flow; returns its state.
    pub(crate) fn open(&mut self, seg: &Seg) -> FlowState {
        let x = seg.side.index();
        let syn = seg.flags.syn();
        self.learn_seq(seg);
        if !syn {
            self.meter.set(bit::MID_STREAM, true);
            return FlowState::SynReceived;
        }
        self.take_syn(seg);
        self.syn_letters(seg);
        if seg.flags.ack() {
            self.meter.sides[x].ack = seg.ack;
            self.meter.sides[x].bits |= side_bit::ACKED | side_bit::SYN_ACK;
            self.learn_acked_syn(seg);
            FlowState::SynReceived
        } else {
            FlowState::SynSent
        }
    }

    /// The first packet of a flow, once it is counted; beyond what [`open`](Self::open) did.
    pub(crate) fn first(&mut self, seg: &Seg, step: &mut Step) {
        self.urgent(seg, step);
        if seg.flags.rst() {
            self.letter(b'r', seg.side);
            self.cold.marks |= mark::RESET[seg.side.index()];
            self.meter.state = FlowState::Reset;
            step.ended = Some(EndReason::Rst);
        } else if !seg.flags.syn() {
            self.meter.sides[seg.side.index()].next = seg.end();
            self.payload_letters(seg);
            self.take_fin(seg, step);
            self.acknowledge(seg, step);
            self.take_window(seg);
            self.establish_handshake(seg.flags.syn(), seg.ts, step);
        }
        self.unusual_flags(seg);
        self.settle(step);
    }

    /// The side's numbers become known.
    fn learn_seq(&mut self, seg: &Seg) {
        let x = seg.side.index();
        let side = &mut self.meter.sides[x];
        side.bits |= side_bit::SEQ_KNOWN;
        side.next = seg.seq;
        side.window = seg.window;
        if !self.is_syn_acked(seg.side) {
            self.cold.isn[x] = seg.seq.wrapping_sub(1);
        }
        self.cold.first_window[x] = seg.window;
    }

    fn take_syn(&mut self, seg: &Seg) {
        let x = seg.side.index();
        let side = &mut self.meter.sides[x];
        side.bits |= side_bit::SYN;
        self.meter.bits &= !bit::MID_STREAM;
        let end = seg.seq.wrapping_add(1).wrapping_add(seg.len);
        if serial(end, side.next) > 0 {
            side.next = end;
        }
        self.cold.isn[x] = seg.seq;
        self.cold.mss[x] = seg.options.mss.unwrap_or(0);
        self.cold.set_scale(x, seg.options.window_scale);
        if seg.options.sack_permitted {
            self.cold.marks |= mark::SACK[x];
        }
    }

    /// A packet of the flow; its counters are up to date.
    pub(crate) fn advance(&mut self, seg: &Seg, moment: PacketTime, step: &mut Step) {
        self.urgent(seg, step);
        if seg.flags.rst() {
            self.reset(seg, moment, step);
        } else if seg.flags.syn() {
            self.synchronise(seg, moment, step);
        } else {
            self.regular(seg, step);
        }
        self.unusual_flags(seg);
        self.settle(step);
    }

    fn urgent(&mut self, seg: &Seg, step: &mut Step) {
        if seg.flags.contains(TcpFlags::URG) {
            self.cold.rare().sides[seg.side.index()].urgent += 1;
            step.report(Anomaly::UrgentData, seg.side);
        }
    }

    fn unusual_flags(&mut self, seg: &Seg) {
        let f = seg.flags;
        let x = seg.side.index();
        if f.syn() && f.intersects(TcpFlags::FIN | TcpFlags::RST) {
            if !std::mem::replace(&mut self.cold.rare().multi_flag[x], true) {
                self.letter(b'q', seg.side);
            }
        } else if f.contains(TcpFlags::FIN | TcpFlags::RST)
            && !std::mem::replace(&mut self.cold.rare().inconsistent[x], true)
        {
            self.letter(b'i', seg.side);
        }
    }

    fn letter(&mut self, letter: u8, side: FlowSide) {
        self.cold.history.push(letter, side);
    }

    // ---- SYN

    fn synchronise(&mut self, seg: &Seg, moment: PacketTime, step: &mut Step) {
        let x = seg.side.index();
        let own = *self.meter.side(seg.side);
        let fits = !self.is_other_connection(seg);
        if fits && own.has(side_bit::SEQ_KNOWN) {
            if !own.has(side_bit::SYN) {
                self.take_syn(seg);
                self.syn_letters(seg);
            } else if seg.flags.ack() && !own.has(side_bit::SYN_ACK) {
                self.syn_letters(seg);
            } else {
                self.cold.rare().sides[x].retransmitted += 1;
            }
            if seg.flags.ack() {
                self.meter.sides[x].bits |= side_bit::SYN_ACK;
                self.learn_acked_syn(seg);
                self.acknowledge(seg, step);
            }
            self.establish_handshake(seg.flags.syn(), seg.ts, step);
        } else if fits {
            let first_answer = self.meter.state == FlowState::SynSent;
            self.learn_seq(seg);
            self.take_syn(seg);
            self.syn_letters(seg);
            if seg.flags.ack() {
                self.meter.sides[x].bits |= side_bit::SYN_ACK;
                self.learn_acked_syn(seg);
                self.acknowledge(seg, step);
                if self.cold.evidence == InitiatorEvidence::Syn {
                    // The SYN was the flow's first packet.
                    self.cold.syn_rtt = stored_rtt(seg.ts.since(self.cold.first_seen));
                }
            }
            if first_answer {
                self.meter.state = FlowState::SynReceived;
            }
            self.establish_handshake(seg.flags.syn(), seg.ts, step);
        } else if seg.flags.ack() {
            step.report(Anomaly::UnexpectedSynAck, seg.side);
        } else {
            self.remember(seg, moment, step);
        }
    }

    /// Keeps a SYN that may begin another connection. Its counters are filled in by the tracker,
    /// which knows the packet.
    fn remember(&mut self, seg: &Seg, moment: PacketTime, step: &mut Step) {
        step.remembered = true;
        let rare = self.cold.rare();
        if rare.syns.iter().any(|syn| syn.side == seg.side && syn.seq == seg.seq) {
            return;
        }
        if rare.syns.len() == MOST_SYNS {
            rare.syns.remove(0);
        }
        rare.syns.push(PendingSyn {
            side: seg.side,
            seq: seg.seq,
            len: seg.len,
            packet: moment.packet,
            ts: seg.ts,
            last_ts: seg.ts,
            again: 0,
            counters: crate::stats::Counters::default(),
            seen_without: (Timestamp::MAX, Timestamp::ZERO),
            flags: seg.flags,
            window: seg.window,
            options: seg.options,
            ttl: 0,
            tos: 0,
            flow_label: 0,
            path: flowscope_core::Path::EMPTY,
        });
        self.meter.watch |= watch::RARE;
        self.letter(b's', seg.side);
        step.report(Anomaly::UnexpectedSyn, seg.side);
    }

    // ---- RST

    fn reset(&mut self, seg: &Seg, moment: PacketTime, step: &mut Step) {
        let x = seg.side.index();
        let rare = self.cold.rare();
        if rare.sides[x].last_rst.replace(seg.seq) != Some(seg.seq) {
            self.letter(b'r', seg.side);
        }
        if self.is_believable(seg) {
            self.cold.marks |= mark::RESET[x];
            self.meter.state = FlowState::Reset;
            step.ended = Some(EndReason::Rst);
            return;
        }
        let (own, peer) = (self.meter.side(seg.side), self.meter.side(!seg.side));
        let base = if peer.has(side_bit::ACKED) { peer.ack } else { own.next };
        let ahead = i64::from(serial(seg.seq, base));
        let known = peer.has(side_bit::ACKED) || own.has(side_bit::SEQ_KNOWN);
        let in_syn_sent = self.meter.state == FlowState::SynSent;
        if known && !in_syn_sent && ahead > 0 && ahead < self.receive_window(seg.side) {
            self.meter.watch |= watch::RARE;
            self.cold.rare().reset.get_or_insert(PendingReset {
                side: seg.side,
                ts: seg.ts,
                at: moment.watermark,
            });
        } else {
            step.report(Anomaly::InvalidReset, seg.side);
        }
    }

    fn is_believable(&self, seg: &Seg) -> bool {
        let (own, peer) = (self.meter.side(seg.side), self.meter.side(!seg.side));
        if self.config.resets == ResetRule::Any {
            return true;
        }
        if self.meter.state == FlowState::SynSent && !own.has(side_bit::SEQ_KNOWN) {
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
        self.meter.state = FlowState::Reset;
        step.ended = Some(EndReason::Rst);
    }

    /// How far ahead of its receiver `side` may believably write.
    fn receive_window(&self, side: FlowSide) -> i64 {
        let y = (!side).index();
        let both = self.meter.sides[0].has(side_bit::SYN) && self.meter.sides[1].has(side_bit::SYN);
        let shift = match (self.cold.scale(y), self.cold.scale(1 - y)) {
            (Some(shift), Some(_)) if both => shift,
            _ => 0,
        };
        (i64::from(self.meter.sides[y].window) << shift).max(LEAST_ROOM)
    }

    // ---- everything else

    fn regular(&mut self, seg: &Seg, step: &mut Step) {
        let x = seg.side.index();
        let unseen = !self.meter.sides[x].has(side_bit::SEQ_KNOWN);
        if unseen && self.meter.state == FlowState::SynSent {
            if !self.acknowledges_syn(seg) {
                return;
            }
            if !seg.occupies() {
                // Half of a split handshake: its own number says nothing before its SYN.
                self.acknowledge(seg, step);
                return;
            }
        }
        if unseen {
            self.learn_seq(seg);
            self.meter.sides[x].next = seg.end();
            self.contradict_reset(step);
            self.payload_letters(seg);
        } else if !self.place(seg, step) {
            if seg.flags.fin() {
                step.report(Anomaly::InvalidFin, seg.side);
            }
            return;
        }
        self.take_fin(seg, step);
        self.acknowledge(seg, step);
        self.take_window(seg);
        self.open_states(seg, unseen, step);
    }

    /// Of a SYN that belongs to the flow.
    fn syn_letters(&mut self, seg: &Seg) {
        self.letter(if seg.flags.ack() { b'h' } else { b's' }, seg.side);
        if seg.len > 0 {
            self.payload_letters(seg);
        }
    }

    /// Of a packet that reached the flow after its end.
    pub(crate) fn late_letters(&mut self, seg: &Seg) {
        let x = seg.side.index();
        let side = &mut self.meter.sides[x];
        let rare = self.cold.rare.get_or_insert_default();
        let letters = &mut self.cold.history;
        let before = letters.len();
        if seg.flags.syn() {
            return;
        }
        if seg.flags.rst() {
            // A flow that began with a reset has no other note of it.
            let first = self.cold.marks & mark::RESET[x] != 0;
            let last = rare.sides[x].last_rst.replace(seg.seq).or(first.then_some(side.next));
            if last != Some(seg.seq) {
                letters.push(b'r', seg.side);
            }
            rare.late_letters += letters.len() - before;
            return;
        }
        let (letter, bit) = match seg.len {
            0 => (b'a', side_bit::HISTORY_A),
            _ => (b'd', side_bit::HISTORY_D),
        };
        let has_letter = seg.len > 0 || seg.flags.ack() && !seg.flags.fin();
        if has_letter && !side.has(bit) {
            side.bits |= bit;
            letters.push(letter, seg.side);
        }
        if seg.flags.fin() {
            let fin = seg.seq.wrapping_add(seg.len);
            let last = match side.has(side_bit::FIN) {
                true => Some(std::mem::replace(&mut self.cold.fin[x], fin)),
                false => rare.sides[x].last_fin.replace(fin),
            };
            if last != Some(fin) {
                letters.push(b'f', seg.side);
            }
        }
        rare.late_letters += letters.len() - before;
    }

    fn payload_letters(&mut self, seg: &Seg) {
        let x = seg.side.index();
        if seg.len > 0 {
            if !self.meter.sides[x].has(side_bit::HISTORY_D) {
                self.meter.sides[x].bits |= side_bit::HISTORY_D;
                self.letter(b'd', seg.side);
            }
        } else if seg.flags.ack()
            && !seg.flags.fin()
            && !self.meter.sides[x].has(side_bit::HISTORY_A)
        {
            self.meter.sides[x].bits |= side_bit::HISTORY_A;
            self.letter(b'a', seg.side);
        }
    }

    /// Finds the segment's place in its side's stream; `false` if it has none.
    fn place(&mut self, seg: &Seg, step: &mut Step) -> bool {
        let x = seg.side.index();
        let next = self.meter.sides[x].next;
        let end = seg.end();
        let ahead = serial(seg.seq, next);
        let room = self.receive_window(seg.side);
        let mut stray = None;
        if i64::from(ahead) > room || ahead < FAR_BEHIND {
            let rare = &mut self.cold.rare().sides[x];
            let corroborated = rare.stray.filter(|(_, stray_end)| {
                let from_stray = i64::from(serial(seg.seq, *stray_end));
                ahead > 0 && (0..=room).contains(&from_stray)
            });
            let Some((start, stray_end)) = corroborated else {
                rare.stray = Some((seg.seq, end));
                rare.out_of_window += 1;
                self.meter.watch |= watch::RARE;
                step.report(Anomaly::OutOfWindow, seg.side);
                return false;
            };
            stray = Some((start, stray_end));
        }
        if let Some(rare) = &mut self.cold.rare {
            rare.sides[x].stray = None;
        }
        self.payload_letters(seg);
        if let Some((start, stray_end)) = stray.filter(|(start, _)| serial(*start, next) > 0) {
            // What lies before the stray is a hole of its own: the stray was seen.
            self.add_hole(seg.side, next, start);
            self.meter.sides[x].next = stray_end;
        }
        let mut news = true;
        if ahead > 0 {
            let next = self.meter.sides[x].next;
            if seg.seq != next {
                self.add_hole(seg.side, next, seg.seq);
            }
            self.meter.sides[x].next = end;
        } else if ahead == 0 {
            self.meter.sides[x].next = end;
        } else {
            // A retransmission may reach back over a hole and beyond `next`.
            let beyond = serial(end, next) > 0;
            let filled = self.fill(seg.seq, if beyond { next } else { end }, x);
            news = filled || beyond;
            let probes =
                ahead == -1 && seg.len <= 1 && !seg.flags.fin() && self.meter.has(bit::ESTABLISHED);
            let again = !news && !probes && seg.occupies();
            if beyond {
                self.meter.sides[x].next = end;
            }
            if filled {
                self.cold.rare().sides[x].out_of_order += 1;
            } else if probes && !news {
                self.cold.rare().sides[x].probes += 1;
            } else if again {
                let rare = &mut self.cold.rare().sides[x];
                rare.retransmitted += 1;
                rare.payload_again += u32::from(seg.len > 0);
                if seg.len > 0 && is_power_of_ten(rare.payload_again) {
                    self.letter(b't', seg.side);
                }
            }
        }
        if news {
            self.contradict_reset(step);
        }
        true
    }

    fn fill(&mut self, from: u32, to: u32, x: usize) -> bool {
        let Some(rare) = &mut self.cold.rare else { return false };
        let rare = &mut rare.sides[x];
        let (filled, forgotten) = rare.holes.fill(from, to);
        rare.lost += forgotten;
        filled
    }

    fn add_hole(&mut self, side: FlowSide, from: u32, to: u32) {
        self.meter.watch |= watch::RARE;
        let rare = &mut self.cold.rare().sides[side.index()];
        rare.lost += rare.holes.add(from, to);
        rare.gaps += 1;
        if is_power_of_ten(rare.gaps) {
            self.letter(b'g', side);
        }
    }

    /// Traffic in sequence makes a pending reset void.
    fn contradict_reset(&mut self, step: &mut Step) {
        if self.meter.watch & watch::RARE == 0 {
            return;
        }
        if let Some(reset) = self.cold.rare.as_mut().and_then(|rare| rare.reset.take()) {
            step.report(Anomaly::InvalidReset, reset.side);
        }
    }

    fn take_fin(&mut self, seg: &Seg, step: &mut Step) {
        let x = seg.side.index();
        let next = self.meter.sides[x].next;
        let stands = self.meter.sides[x].has(side_bit::FIN);
        let acked = self.meter.sides[x].has(side_bit::FIN_ACKED);
        if stands && !acked && serial(next, self.cold.fin[x].wrapping_add(1)) > 0 {
            self.retract_fin(seg.side, step);
        }
        if !seg.flags.fin() {
            return;
        }
        let fin = seg.seq.wrapping_add(seg.len);
        let again = self.meter.sides[x].has(side_bit::FIN) && self.cold.fin[x] == fin;
        let peer = self.meter.sides[1 - x];
        let goes_on = serial(fin.wrapping_add(1), next) < 0
            || peer.has(side_bit::ACKED) && serial(peer.ack, fin.wrapping_add(1)) > 0;
        if !again && (acked || goes_on) {
            step.report(Anomaly::InvalidFin, seg.side);
            return;
        }
        if self.cold.rare.as_ref().is_none_or(|r| r.sides[x].last_fin != Some(fin)) && !again {
            self.letter(b'f', seg.side);
        }
        self.cold.fin[x] = fin;
        self.meter.sides[x].bits |= side_bit::FIN;
        self.meter.watch |= watch::FIN;
        // Its acknowledgement may have been captured before it.
        if peer.has(side_bit::ACKED) && peer.ack == fin.wrapping_add(1) {
            self.meter.sides[x].bits |= side_bit::FIN_ACKED;
        }
    }

    fn retract_fin(&mut self, side: FlowSide, step: &mut Step) {
        let x = side.index();
        self.meter.sides[x].bits &= !(side_bit::FIN | side_bit::FIN_ACKED);
        let fin = self.cold.fin[x];
        self.cold.rare().sides[x].last_fin = Some(fin);
        step.report(Anomaly::RetractedFin, side);
    }

    fn acknowledge(&mut self, seg: &Seg, step: &mut Step) {
        if !seg.flags.ack() {
            return;
        }
        let (x, y) = (seg.side.index(), (!seg.side).index());
        let (own, peer) = (self.meter.sides[x], self.meter.sides[y]);
        let ahead = serial(seg.ack, own.ack);
        if own.has(side_bit::ACKED) && ahead <= 0 {
            let pure = !seg.occupies() && !seg.flags.syn();
            let outstanding = peer.has(side_bit::SEQ_KNOWN) && peer.next != seg.ack;
            if ahead == 0 && pure && seg.window == own.window && outstanding {
                self.cold.rare().sides[x].duplicate_acks += 1;
            }
            return;
        }
        let beyond = i64::from(serial(seg.ack, peer.next));
        if peer.has(side_bit::SEQ_KNOWN) && beyond > self.receive_window(!seg.side) {
            return;
        }
        self.meter.sides[x].ack = seg.ack;
        self.meter.sides[x].bits |= side_bit::ACKED;
        if peer.has(side_bit::FIN) {
            let past_fin = serial(seg.ack, self.cold.fin[y].wrapping_add(1));
            if past_fin == 0 {
                self.meter.sides[y].bits |= side_bit::FIN_ACKED;
            } else if past_fin > 0 {
                self.retract_fin(!seg.side, step);
            }
        }
    }

    pub(crate) fn take_window(&mut self, seg: &Seg) {
        let x = seg.side.index();
        self.meter.sides[x].window = seg.window;
        let (least, most) = (&mut self.cold.min_window[x], &mut self.cold.max_window[x]);
        if self.cold.marks & mark::WINDOW[x] == 0 {
            self.cold.marks |= mark::WINDOW[x];
            (*least, *most) = (seg.window, seg.window);
        } else {
            (*least, *most) = ((*least).min(seg.window), (*most).max(seg.window));
        }
        if seg.window == 0 {
            let rare = &mut self.cold.rare().sides[x];
            rare.zero_windows += 1;
            if is_power_of_ten(rare.zero_windows) {
                self.letter(b'w', seg.side);
            }
        }
    }

    // ---- states

    /// From the handshake to an established flow.
    fn open_states(&mut self, seg: &Seg, unseen: bool, step: &mut Step) {
        if self.meter.state == FlowState::SynSent {
            let isn = self.cold.isn[seg.side.index()];
            if unseen && seg.side == FlowSide::Responder {
                self.meter.state = FlowState::SynReceived;
                if seg.len > 0 {
                    self.establish(step);
                }
            } else if seg.flags.ack() && serial(seg.seq, isn) > 0 {
                self.establish(step);
            }
        }
        self.establish_handshake(seg.flags.syn(), seg.ts, step);
    }

    /// A packet whose header was cut; its counters are up to date.
    pub(crate) fn truncated_header(&mut self, ts: Timestamp, step: &mut Step) {
        self.establish_handshake(false, ts, step);
        self.settle(step);
    }

    fn establish_handshake(&mut self, syn: bool, ts: Timestamp, step: &mut Step) {
        if self.meter.has(bit::ESTABLISHED) || self.meter.state == FlowState::SynSent {
            return;
        }
        let [initiator, responder] = &self.meter.sides;
        let acked = |own: &crate::entry::SideMeter, peer: usize| {
            own.has(side_bit::ACKED) && serial(own.ack, self.cold.isn[peer]) > 0
        };
        let syns = (initiator.has(side_bit::SYN), responder.has(side_bit::SYN));
        let both_shown = initiator.has(side_bit::SEQ_KNOWN) && responder.has(side_bit::SEQ_KNOWN);
        let packets = u64::from(initiator.packets) + u64::from(responder.packets);
        let enough = !syn && packets >= u64::from(self.config.mid_stream_packets);
        let one_sided = !both_shown && enough;
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
                let talks = |side: &crate::entry::SideMeter| {
                    side.has(side_bit::SEQ_KNOWN)
                        && (side.has(side_bit::ACKED) || side.has(side_bit::HISTORY_D))
                };
                talks(initiator) && talks(responder) || enough
            }
        };
        if done {
            // When the SYN+ACK came: so long after the SYN, or it began the flow.
            let answered = match self.cold.evidence {
                InitiatorEvidence::SynAck => Some(Duration::ZERO),
                _ => crate::entry::loaded_rtt(self.cold.syn_rtt),
            };
            if let Some(answered) = answered.filter(|_| acked(initiator, 1)) {
                let since_first = ts.since(self.cold.first_seen);
                self.cold.ack_rtt = stored_rtt(since_first.saturating_sub(answered));
            }
            self.establish(step);
        }
    }

    fn establish(&mut self, step: &mut Step) {
        self.meter.state = FlowState::Established;
        if !self.meter.has(bit::ESTABLISHED) {
            self.meter.set(bit::ESTABLISHED, true);
            step.established = true;
        }
    }

    /// From the FINs to a closed flow, and what later packets have to watch for.
    fn settle(&mut self, step: &mut Step) {
        let [initiator, responder] = &self.meter.sides;
        let finishing = (initiator.bits | responder.bits) & side_bit::FIN != 0
            || matches!(self.meter.state, FlowState::FinWait | FlowState::ClosingTcp);
        // A FIN establishes nothing: until then a flood of them is a flood of half-open flows.
        if finishing && self.meter.has(bit::ESTABLISHED) && !self.meter.state.is_over() {
            let effective = |x: usize| {
                let side = &self.meter.sides[x];
                side.has(side_bit::FIN)
                    && (side.has(side_bit::FIN_ACKED) || !self.has_hole_before_fin(x))
            };
            let over = initiator.has(side_bit::FIN)
                && responder.has(side_bit::FIN)
                && initiator.has(side_bit::FIN_ACKED)
                && responder.has(side_bit::FIN_ACKED);
            self.meter.state = match (effective(0), effective(1)) {
                _ if over => FlowState::Closed,
                (true, true) => FlowState::ClosingTcp,
                (false, false) => FlowState::Established, // a FIN was retracted
                _ => FlowState::FinWait,
            };
            if over {
                step.ended = Some(EndReason::Fin);
            }
        }
        self.meter.watch = self.watches();
    }

    fn has_hole_before_fin(&self, x: usize) -> bool {
        self.cold.rare.as_ref().is_some_and(|rare| {
            rare.sides[x].holes.iter().any(|(from, _)| serial(from, self.cold.fin[x]) < 0)
        })
    }

    /// See [`watch`].
    pub(crate) fn watches(&self) -> u8 {
        let [initiator, responder] = &self.meter.sides;
        let known = side_bit::SEQ_KNOWN | side_bit::ACKED;
        let mut watches = self.meter.watch & watch::ACTIVE;
        if (initiator.bits | responder.bits) & side_bit::FIN != 0 {
            watches |= watch::FIN;
        }
        // A SYN's window is none: the first after it is not taken on the short way, equal or not.
        let windows = mark::WINDOW[0] | mark::WINDOW[1];
        if initiator.bits & responder.bits & known != known || self.cold.marks & windows != windows
        {
            watches |= watch::UNSEEN;
        }
        if self.meter.state != FlowState::Established {
            watches |= watch::STATE;
        }
        if let Some(rare) = &self.cold.rare {
            let busy = !rare.syns.is_empty()
                || rare.reset.is_some()
                || rare.sides.iter().any(|side| side.stray.is_some() || !side.holes.is_empty());
            watches |= if busy { watch::RARE } else { 0 };
        }
        watches
    }

    /// The short way: an everyday segment of an established flow, in sequence, acknowledging what
    /// was sent, with an unchanged window. Says whether it took it; the long way gives the same.
    #[inline]
    pub(crate) fn short_way(meter: &mut Meter, seg: &Seg) -> bool {
        let (x, y) = (seg.side.index(), 1 - seg.side.index());
        let plain = TcpFlags(seg.flags.0 & !TcpFlags::PSH.0) == TcpFlags::ACK;
        let peer_next = meter.sides[y].next;
        let own = &mut meter.sides[x];
        let ahead = serial(seg.ack, own.ack);
        let news = ahead > 0 || ahead == 0 && (seg.len > 0 || peer_next == seg.ack);
        let letter = if seg.len > 0 { side_bit::HISTORY_D } else { side_bit::HISTORY_A };
        if meter.watch != 0
            || !plain
            || seg.seq != own.next
            || seg.window != own.window
            || seg.window == 0
            || !news
            || !own.has(letter)
            || serial(seg.ack, peer_next) > 0
        {
            return false;
        }
        own.next = own.next.wrapping_add(seg.len);
        own.ack = seg.ack;
        true
    }
}

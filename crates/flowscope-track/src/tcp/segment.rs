//! Segments without SYN and RST: their place in the stream of their side, acknowledgements, windows.

use flowscope_core::FlowSide;

use super::{MAX_BEHIND, MIN_RECEIVE_WINDOW, Seg, Step, Tcp};
use crate::entry::{Stray, bit, mark, side_bit, slow_path};
use crate::history::is_power_of_ten;
use crate::seq::serial;
use crate::{Anomaly, FlowState};

impl Tcp<'_> {
    #[inline(always)]
    pub(super) fn regular(&mut self, seg: &Seg, step: &mut Step) {
        let x = seg.side.index();
        let unseen = !self.hot.sides[x].has(side_bit::SEQ_KNOWN);
        // SEG-2
        if unseen && self.hot.state == FlowState::SynSent {
            if !self.acknowledges_syn(seg) {
                return;
            }
            if !seg.occupies() {
                // Half of a split handshake: its own number says nothing before its SYN.
                self.acknowledge(seg, step);
                return;
            }
        }
        if self.cold.rare.is_some() {
            self.take_other_syn_ack(seg);
            self.believe_stray(seg, step);
            self.withdraw_fin_ahead(seg, step);
        }
        if unseen {
            // SEG-3
            self.learn_seq(seg);
        }
        if !self.place(seg, step) {
            if seg.flags.fin() {
                step.report(Anomaly::InvalidFin, seg.side);
            }
            return;
        }
        self.accept(seg, unseen, step);
    }

    /// What a segment in window changes, once it has its place.
    #[inline(always)]
    pub(super) fn accept(&mut self, seg: &Seg, unseen: bool, step: &mut Step) {
        if seg.flags.fin() || self.hot.sides[seg.side.index()].has(side_bit::FIN) {
            self.take_fin(seg, step);
        }
        self.acknowledge(seg, step);
        self.take_window(seg);
        self.open_states(seg, unseen, step);
    }

    /// The place of the segment in the stream of its side. `false` if it is out of window.
    #[inline(always)]
    pub(super) fn place(&mut self, seg: &Seg, step: &mut Step) -> bool {
        let x = seg.side.index();
        // What waits for a segment in sequence is rare.
        if seg.seq != self.hot.sides[x].next || self.cold.rare.is_some() {
            return self.place_elsewhere(seg, step);
        }
        self.append(seg);
        true
    }

    /// A segment that begins where the stream of its side stands.
    #[inline(always)]
    pub(super) fn append(&mut self, seg: &Seg) {
        self.payload_letters(seg);
        self.count_cut(seg);
        self.hot.sides[seg.side.index()].next = seg.end();
    }

    #[inline(never)]
    fn place_elsewhere(&mut self, seg: &Seg, step: &mut Step) -> bool {
        let x = seg.side.index();
        let next = self.hot.sides[x].next;
        let end = seg.end();
        let ahead = serial(seg.seq, next);
        let window = self.receive_window(seg.side);
        // SEG-4. RFC 9293 §3.10.7.4: "If an incoming segment is not acceptable, an acknowledgment should
        // be sent in reply [...] After sending the acknowledgment, drop the unacceptable segment".
        if i64::from(ahead) > window || ahead < MAX_BEHIND {
            let rare = &mut self.cold.rare().sides[x];
            rare.stray = Some(Stray::of(seg, rare.stray, window));
            rare.out_of_window += 1;
            rare.stray_bytes += u64::from(seg.len);
            self.hot.slow_path |= slow_path::RARE;
            step.out_of_window = true;
            step.report(Anomaly::OutOfWindow, seg.side);
            return false;
        }
        if let Some(rare) = &mut self.cold.rare {
            rare.sides[x].stray = None;
        }
        self.payload_letters(seg);
        let mut news = true;
        // SEG-5
        if ahead > 0 {
            self.add_hole(seg.side, next, seg.seq);
            self.hot.sides[x].next = end;
        } else if ahead == 0 {
            self.hot.sides[x].next = end;
        } else {
            // SEG-6. A retransmission may reach back over a hole and beyond `next`.
            let beyond = serial(end, next) > 0;
            let filled = self.fill(seg.seq, if beyond { next } else { end }, x);
            news = filled || beyond;
            let probes =
                ahead == -1 && seg.len <= 1 && !seg.flags.fin() && self.hot.has(bit::ESTABLISHED);
            let again = !news && !probes && seg.occupies();
            if beyond {
                self.hot.sides[x].next = end;
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
            self.count_cut(seg);
            self.contradict_reset(step);
        }
        true
    }

    pub(super) fn fill(&mut self, from: u32, to: u32, x: usize) -> bool {
        let Some(rare) = &mut self.cold.rare else { return false };
        let rare = &mut rare.sides[x];
        let (filled, forgotten) = rare.holes.fill(from, to);
        rare.lost += forgotten;
        filled
    }

    pub(super) fn add_hole(&mut self, side: FlowSide, from: u32, to: u32) {
        self.hot.slow_path |= slow_path::RARE;
        let rare = &mut self.cold.rare().sides[side.index()];
        rare.lost += rare.holes.add(from, to);
        let peer = self.hot.side(!side);
        if peer.has(side_bit::ACKED) && serial(peer.ack, from) > 0 {
            self.gap_letter(side);
        }
    }

    /// `side` has sent bytes that were not captured: its peer has acknowledged them.
    fn gap_letter(&mut self, side: FlowSide) {
        let rare = &mut self.cold.rare().sides[side.index()];
        rare.gaps += 1;
        if is_power_of_ten(rare.gaps) {
            self.letter(b'g', side);
        }
    }

    /// HIST-3: the peer of `side` acknowledges up to `ack`, and had acknowledged up to `before`. A hole that
    /// is not acknowledged may be one of order.
    #[inline(never)]
    pub(super) fn acknowledge_holes(&mut self, side: FlowSide, before: Option<u32>, ack: u32) {
        let Some(rare) = &self.cold.rare else { return };
        let is_new = |(from, _): &(u32, u32)| {
            serial(ack, *from) > 0 && before.is_none_or(|before| serial(before, *from) <= 0)
        };
        for _ in 0..rare.sides[side.index()].holes.iter().filter(is_new).count() {
            self.gap_letter(side);
        }
    }

    /// STAT-6
    #[inline(always)]
    pub(super) fn count_cut(&mut self, seg: &Seg) {
        if seg.cut > 0 {
            self.add_cut(seg);
        }
    }

    #[inline(never)]
    fn add_cut(&mut self, seg: &Seg) {
        let x = seg.side.index();
        match self.cold.cut[x].checked_add(seg.cut) {
            Some(cut) => self.cold.cut[x] = cut,
            None => self.cold.rare().sides[x].cut += u64::from(seg.cut),
        }
    }

    #[inline(always)]
    pub(super) fn acknowledge(&mut self, seg: &Seg, step: &mut Step) {
        if !seg.flags.ack() {
            return;
        }
        let (x, y) = (seg.side.index(), (!seg.side).index());
        let (own, peer) = (&self.hot.sides[x], &self.hot.sides[y]);
        let ahead = serial(seg.ack, own.ack);
        // The window of this segment does not say what the other side could send before it.
        let is_far = self.acknowledges_far(seg);
        step.far_ack = Some(is_far);
        // ACK-1. RFC 9293 §3.10.7.4: "If the ACK is a duplicate (SEG.ACK =< SND.UNA), it can be ignored. If
        // the ACK acks something not yet sent (SEG.ACK > SND.NXT), then send an ACK, drop the segment".
        if own.has(side_bit::ACKED) && ahead <= 0 {
            let pure = !seg.occupies() && !seg.flags.syn();
            let outstanding = peer.has(side_bit::SEQ_KNOWN) && peer.next != seg.ack;
            // ACK-2
            if ahead == 0 && pure && seg.window == own.window && outstanding {
                self.count_duplicate_ack(x);
            }
            return;
        }
        if is_far || !own.has(side_bit::ACKED) && self.acknowledges_nothing(seg) {
            return;
        }
        let fin = peer.has(side_bit::FIN);
        if self.hot.slow_path & slow_path::RARE != 0 {
            let before = own.has(side_bit::ACKED).then_some(own.ack);
            self.acknowledge_holes(!seg.side, before, seg.ack);
        }
        self.hot.sides[x].ack = seg.ack;
        self.hot.sides[x].bits |= side_bit::ACKED;
        if fin {
            self.acknowledge_fin(seg, step);
        }
    }

    /// ACK-1: whether the first acknowledgement of a side is of nothing that the other has sent. RFC 9293 §3.10.7.4: it
    /// is answered by a reset, and dropped.
    #[inline(never)]
    fn acknowledges_nothing(&self, seg: &Seg) -> bool {
        let y = (!seg.side).index();
        self.hot.sides[y].has(side_bit::SYN) && serial(seg.ack, self.cold.isn[y]) <= 0
    }

    #[inline(never)]
    fn count_duplicate_ack(&mut self, x: usize) {
        self.cold.rare().sides[x].duplicate_acks += 1;
    }

    /// An acknowledgement of a side whose peer has sent a FIN.
    #[inline(never)]
    pub(super) fn acknowledge_fin(&mut self, seg: &Seg, step: &mut Step) {
        let y = (!seg.side).index();
        let past_fin = serial(seg.ack, self.cold.fin[y].wrapping_add(1));
        if past_fin == 0 {
            self.hot.sides[y].bits |= side_bit::FIN_ACKED;
        } else if past_fin > 0 {
            self.retract_fin(!seg.side, step);
        }
    }

    /// STAT-1: takes the window of an accepted segment.
    #[inline(always)]
    pub(crate) fn take_window(&mut self, seg: &Seg) {
        let x = seg.side.index();
        let first = self.cold.marks & mark::WINDOW[x] == 0;
        self.hot.sides[x].window = seg.window;
        let (least, most) = (&mut self.cold.min_window[x], &mut self.cold.max_window[x]);
        if first {
            self.cold.marks |= mark::WINDOW[x];
            (*least, *most) = (seg.window, seg.window);
        } else {
            (*least, *most) = ((*least).min(seg.window), (*most).max(seg.window));
        }
        if seg.window == 0 {
            self.count_zero_window(seg.side);
        }
    }

    #[inline(never)]
    fn count_zero_window(&mut self, side: FlowSide) {
        let rare = &mut self.cold.rare().sides[side.index()];
        rare.zero_windows += 1;
        if is_power_of_ten(rare.zero_windows) {
            self.letter(b'w', side);
        }
    }

    /// ACK-1: whether the segment acknowledges numbers far beyond what the other side may have sent.
    #[inline]
    pub(crate) fn acknowledges_far(&self, seg: &Seg) -> bool {
        let peer = self.hot.side(!seg.side);
        let ahead = i64::from(serial(seg.ack, peer.next));
        ahead > MIN_RECEIVE_WINDOW
            && seg.flags.ack()
            && peer.has(side_bit::SEQ_KNOWN)
            && ahead > self.receive_window(!seg.side)
    }

    /// SEQ-2: how far ahead of `next` a segment of `side` is accepted. RFC 7323 §2.2: "both sides MUST
    /// send Window Scale options in their <SYN> segments to enable window scaling in either direction."
    pub(crate) fn receive_window(&self, side: FlowSide) -> i64 {
        let y = (!side).index();
        let both = self.hot.sides[0].has(side_bit::SYN) && self.hot.sides[1].has(side_bit::SYN);
        let shift = match (self.cold.labels[y].scale(), self.cold.labels[1 - y].scale()) {
            (Some(shift), Some(_)) if both => shift,
            _ => 0,
        };
        (i64::from(self.hot.sides[y].window) << shift).max(MIN_RECEIVE_WINDOW)
    }
}

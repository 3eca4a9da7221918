//! FIN: which FINs are believed, and which are retracted.

use flowscope_core::FlowSide;

use super::{Seg, Step, Tcp};
use crate::Anomaly;
use crate::entry::{side_bit, slow_path};
use crate::seq::serial;

impl Tcp<'_> {
    pub(super) fn take_fin(&mut self, seg: &Seg, step: &mut Step) {
        let x = seg.side.index();
        let next = self.hot.sides[x].next;
        let stands = self.hot.sides[x].has(side_bit::FIN);
        let acked = self.hot.sides[x].has(side_bit::FIN_ACKED);
        // FIN-2. Payload may have the number of the FIN; a single byte may be that of a probe.
        let before = self.cold.fin[x];
        let is_payload = seg.len > 1 && serial(seg.seq.wrapping_add(seg.len), before) > 0;
        if stands && !acked && (is_payload || serial(next, before.wrapping_add(1)) > 0) {
            self.retract_fin(seg.side, step);
        }
        if !seg.flags.fin() {
            return;
        }
        let fin = seg.seq.wrapping_add(seg.len);
        let again = self.hot.sides[x].has(side_bit::FIN) && self.cold.fin[x] == fin;
        let peer = self.hot.sides[1 - x];
        let goes_on = serial(fin.wrapping_add(1), next) < 0
            || peer.has(side_bit::ACKED) && serial(peer.ack, fin.wrapping_add(1)) > 0;
        // FIN-1. RFC 9293 §3.10.7.4 processes a FIN only when the segment is in sequence: data that goes
        // on behind it shows that the receiver did not.
        if !again && (acked || goes_on) {
            step.refused_fin = true;
            step.report(Anomaly::InvalidFin, seg.side);
            return;
        }
        if self.cold.rare.as_ref().is_none_or(|r| r.sides[x].last_fin != Some(fin)) && !again {
            self.letter(b'f', seg.side);
        }
        self.cold.fin[x] = fin;
        if let Some(rare) = &mut self.cold.rare {
            rare.sides[x].last_fin = Some(fin);
        }
        self.hot.sides[x].bits |= side_bit::FIN;
        self.hot.slow_path |= slow_path::FIN;
        // FIN-3. Its acknowledgement may have been captured before it.
        if peer.has(side_bit::ACKED) && peer.ack == fin.wrapping_add(1) {
            self.hot.sides[x].bits |= side_bit::FIN_ACKED;
        }
    }

    /// FIN-4: a FIN behind a hole gives way to one before the hole. Nothing shows that the bytes between them were
    /// sent.
    pub(super) fn withdraw_fin_ahead(&mut self, seg: &Seg, step: &mut Step) {
        let x = seg.side.index();
        let (own, peer) = (self.hot.sides[x], self.hot.sides[1 - x]);
        let fin = seg.seq.wrapping_add(seg.len);
        let ahead = self.cold.fin[x];
        let stands = own.has(side_bit::FIN) && !own.has(side_bit::FIN_ACKED);
        if !seg.flags.fin()
            || !stands
            || own.next != ahead.wrapping_add(1)
            || serial(fin, ahead) >= 0
            || peer.has(side_bit::ACKED) && serial(peer.ack, fin.wrapping_add(1)) > 0
        {
            return;
        }
        let Some(rare) = &mut self.cold.rare else { return };
        let rare = &mut rare.sides[x];
        if !rare.holes.iter().any(|(from, to)| to == ahead && serial(from, fin) <= 0) {
            return;
        }
        let (_, forgotten) = rare.holes.fill(fin, ahead);
        rare.lost += forgotten;
        self.hot.sides[x].next = fin;
        self.retract_fin(seg.side, step);
    }

    pub(super) fn retract_fin(&mut self, side: FlowSide, step: &mut Step) {
        let x = side.index();
        self.hot.sides[x].bits &= !(side_bit::FIN | side_bit::FIN_ACKED);
        let fin = self.cold.fin[x];
        self.cold.rare().sides[x].last_fin = Some(fin);
        step.report(Anomaly::RetractedFin, side);
    }

    pub(super) fn has_hole_before_fin(&self, x: usize) -> bool {
        self.cold.rare.as_ref().is_some_and(|rare| {
            rare.sides[x].holes.iter().any(|(from, _)| serial(from, self.cold.fin[x]) < 0)
        })
    }
}

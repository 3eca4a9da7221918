//! HIST-1: the letters of the history that TCP segments write.

use flowscope_core::{FlowSide, TcpFlags};

use super::{Seg, Tcp};
use crate::entry::{mark, side_bit};

impl Tcp<'_> {
    pub(super) fn unusual_flags(&mut self, seg: &Seg) {
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

    #[inline]
    pub(super) fn letter(&mut self, letter: u8, side: FlowSide) {
        self.cold.history.push(letter, side);
    }

    /// Of a SYN that belongs to the flow.
    pub(super) fn syn_letters(&mut self, seg: &Seg) {
        self.letter(if seg.flags.ack() { b'h' } else { b's' }, seg.side);
        if seg.len > 0 {
            self.payload_letters(seg);
        }
    }

    #[inline(always)]
    pub(super) fn payload_letters(&mut self, seg: &Seg) {
        let x = seg.side.index();
        if seg.len > 0 {
            if !self.hot.sides[x].has(side_bit::HISTORY_D) {
                self.hot.sides[x].bits |= side_bit::HISTORY_D;
                self.letter(b'd', seg.side);
            }
        } else if seg.flags.ack() && !seg.flags.fin() && !self.hot.sides[x].has(side_bit::HISTORY_A)
        {
            self.hot.sides[x].bits |= side_bit::HISTORY_A;
            self.letter(b'a', seg.side);
        }
    }

    /// LATE-4: of a packet that reached the flow after its end.
    pub(crate) fn late_letters(&mut self, seg: &Seg) {
        let x = seg.side.index();
        let side = &mut self.hot.sides[x];
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
            // What stands is the end of the stream, whatever comes late.
            let standing = side.has(side_bit::FIN).then_some(self.cold.fin[x]);
            let last = rare.sides[x].last_fin.replace(fin).or(standing);
            if last != Some(fin) {
                letters.push(b'f', seg.side);
            }
        }
        rare.late_letters += letters.len() - before;
    }
}

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
        self.cold.push_letter(letter, side);
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
        if seg.flags.syn() {
            return;
        }
        let before = self.cold.letters.len();
        if seg.flags.rst() {
            self.late_reset_letter(seg);
        } else {
            self.payload_letters(seg);
            if seg.flags.fin() {
                self.late_fin_letter(seg);
            }
        }
        let written = self.cold.letters.len() - before;
        self.cold.rare().late_letters += written;
    }

    fn late_reset_letter(&mut self, seg: &Seg) {
        let x = seg.side.index();
        // A flow that began with a reset has no other note of it.
        let first = self.cold.marks & mark::RESET[x] != 0;
        let last = self.cold.rare().sides[x].last_rst.replace(seg.seq);
        if last.or(first.then_some(self.hot.sides[x].next)) != Some(seg.seq) {
            self.letter(b'r', seg.side);
        }
    }

    fn late_fin_letter(&mut self, seg: &Seg) {
        let x = seg.side.index();
        let fin = seg.seq.wrapping_add(seg.len);
        // What stands is the end of the stream, whatever comes late.
        let standing = self.hot.sides[x].has(side_bit::FIN).then_some(self.cold.fin[x]);
        let last = self.cold.rare().sides[x].last_fin.replace(fin);
        if last.or(standing) != Some(fin) {
            self.letter(b'f', seg.side);
        }
    }
}

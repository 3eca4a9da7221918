//! Segments that reach a flow after its end.

use super::{Seg, Tcp};
use crate::entry::{mark, side_bit};
use crate::seq::serial;

impl Tcp<'_> {
    /// LATE-5: the segment fills remembered holes of its side.
    pub(crate) fn fill_late(&mut self, seg: &Seg) {
        if seg.len > 0 && !seg.flags.syn() && !seg.flags.rst() {
            self.fill(seg.seq, seg.seq.wrapping_add(seg.len), seg.side.index());
        }
    }

    /// LATE-5: whether the segment may belong to the streams of the flow. RFC 9293 §3.10.7.4 has a side that
    /// reset the connection send nothing more: what is beyond the numbers of that time is not of it. What the
    /// other side sent before it got the reset lies within the window.
    pub(crate) fn continues_after_end(&self, seg: &Seg) -> bool {
        if seg.flags.syn() || seg.flags.rst() {
            return false;
        }
        let (own, peer) = (self.hot.side(seg.side), self.hot.side(!seg.side));
        if self.cold.marks & mark::RESET[seg.side.index()] == 0 {
            return !own.has(side_bit::SEQ_KNOWN)
                || i64::from(serial(seg.seq, own.next)) <= self.receive_window(seg.side);
        }
        own.has(side_bit::SEQ_KNOWN) && serial(seg.end(), own.next) <= 0
            || peer.has(side_bit::ACKED) && serial(seg.end(), peer.ack) <= 0
    }
}

//! The fast path: ordinary segments of established connections.

use flowscope_core::TcpFlags;

use super::{Seg, Step, Tcp};
use crate::entry::{Cold, HotRecord, side_bit, slow_path};
use crate::seq::serial;

impl Tcp<'_> {
    /// The fast path: an ordinary segment of an established flow, in sequence, acknowledging what
    /// was sent, with an unchanged window. Returns whether it applied; the slow path gives the same result.
    #[inline(always)]
    pub(crate) fn update_in_sequence(hot: &mut HotRecord, seg: &Seg) -> bool {
        let (x, y) = (seg.side.index(), 1 - seg.side.index());
        let plain = TcpFlags(seg.flags.0 & !TcpFlags::PSH.0) == TcpFlags::ACK;
        let peer_next = hot.sides[y].next;
        let own = &mut hot.sides[x];
        let ahead = serial(seg.ack, own.ack);
        let news = ahead > 0 || ahead == 0 && (seg.len > 0 || peer_next == seg.ack);
        let letter = if seg.len > 0 { side_bit::HISTORY_D } else { side_bit::HISTORY_A };
        if hot.slow_path != 0
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

    /// Whether [`advance_in_sequence`](Self::advance_in_sequence) takes the segment: it continues what its side
    /// has sent, and there is nothing that a segment may resolve.
    #[inline(always)]
    pub(crate) fn is_in_sequence(hot: &HotRecord, cold: &Cold, seg: &Seg) -> bool {
        let own = &hot.sides[seg.side.index()];
        let unusual = TcpFlags::SYN | TcpFlags::RST | TcpFlags::URG;
        // The first packet of a side does more.
        own.packets != 0
            && own.has(side_bit::SEQ_KNOWN)
            && seg.seq == own.next
            && !seg.flags.intersects(unusual)
            && hot.slow_path & slow_path::LASTING == 0
            && !hot.state.is_over()
            && cold.rare.is_none()
    }

    /// As [`advance`](Self::advance), for such a segment.
    #[inline(always)]
    pub(crate) fn advance_in_sequence(&mut self, seg: &Seg, step: &mut Step) {
        self.append(seg);
        self.accept(seg, false, step);
        self.close_states(step);
    }
}

//! The fast path: everyday segments of established connections.

use flowscope_core::TcpFlags;

use super::{Seg, Tcp};
use crate::entry::{HotRecord, side_bit};
use crate::seq::serial;

impl Tcp<'_> {
    /// The fast path: an everyday segment of an established flow, in sequence, acknowledging what
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
}

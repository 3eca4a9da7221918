//! The fast path: everyday segments of established connections.

use flowscope_core::TcpFlags;

use super::{Seg, Tcp};
use crate::entry::{Meter, side_bit};
use crate::seq::serial;

impl Tcp<'_> {
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

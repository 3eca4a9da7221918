//! Which packets begin another connection on the key of a flow.

use super::{Seg, Successor, Tcp};
use crate::clock::PacketTime;
use crate::entry::{PendingSyn, mark, side_bit, slow_path};
use crate::seq::serial;

impl Tcp<'_> {
    /// SYN-3, SYNACK-1, SYNACK-4, SEG-1: whether the packet begins another connection on the key of this
    /// flow. Called before the packet is counted.
    pub(crate) fn successor(&mut self, seg: &Seg, now: &PacketTime) -> Option<Successor> {
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
        (self.is_other_connection(seg) && self.may_be_replaced(now)).then_some(Successor::This)
    }

    /// Whether a SYN or SYN+ACK belongs to another connection.
    pub(super) fn is_other_connection(&self, seg: &Seg) -> bool {
        let own = self.hot.side(seg.side);
        let peer = self.hot.side(!seg.side);
        // SYN-1, SYNACK-2
        if own.has(side_bit::SEQ_KNOWN) || self.is_syn_acked(seg.side) {
            let isn = self.cold.isn[seg.side.index()];
            return seg.seq != isn && !self.is_syn_with_acked_data(seg);
        }
        if seg.flags.ack() && peer.has(side_bit::SEQ_KNOWN) {
            // SYNACK-3. A side that answers did not refuse: the reset was forged in its name.
            let reset = self.cold.marks & mark::RESET[seg.side.index()] != 0;
            reset || !self.acknowledges_syn(seg)
        } else {
            // SYN-2
            !self.hot.state.is_half_open()
        }
    }

    /// SYN-1: whether a SYN that comes behind its SYN+ACK has the data that this acknowledges too (RFC 7413 §4.2.2).
    #[cold]
    fn is_syn_with_acked_data(&self, seg: &Seg) -> bool {
        self.is_syn_acked(seg.side)
            && !seg.flags.ack()
            && seg.len > 0
            && !self.hot.side(seg.side).has(side_bit::SYN)
            && seg.seq.wrapping_add(seg.len) == self.cold.isn[seg.side.index()]
    }

    /// Whether `seg` acknowledges the other side's SYN (seen, or where it must have been), and
    /// nothing that side has not sent.
    pub(super) fn acknowledges_syn(&self, seg: &Seg) -> bool {
        let peer = self.hot.side(!seg.side);
        let isn = self.cold.isn[(!seg.side).index()];
        seg.flags.ack()
            && peer.has(side_bit::SEQ_KNOWN)
            && serial(seg.ack, isn) > 0
            && serial(seg.ack, peer.next) <= 0
    }

    pub(super) fn may_be_replaced(&self, now: &PacketTime) -> bool {
        self.hot.state.is_over() || now.watermark.since(self.hot.touched) > self.config.reuse_after
    }

    /// SEG-1: whether a segment without SYN answers a remembered SYN.
    pub(super) fn answered(&mut self, seg: &Seg) -> Option<Successor> {
        if self.hot.slow_path & slow_path::RARE == 0 {
            return None;
        }
        let (own, peer) = (*self.hot.side(seg.side), *self.hot.side(!seg.side));
        let window = self.receive_window(!seg.side);
        // How far beyond what the other side is known to have sent.
        let beyond = match (peer.has(side_bit::SEQ_KNOWN), own.has(side_bit::ACKED)) {
            (true, _) => serial(seg.ack, peer.next) > 0,
            (false, true) => i64::from(serial(seg.ack, own.ack)) > window,
            (false, false) => true,
        };
        // It continues the stream of its side, or repeats what is not acknowledged.
        let ahead = serial(seg.seq, own.next);
        let unacked = peer.has(side_bit::ACKED) && serial(seg.seq, peer.ack) >= 0;
        let expected = own.has(side_bit::SEQ_KNOWN) && (ahead == 0 || ahead < 0 && unacked);
        self.remembered(|syn| {
            let first = syn.seq.wrapping_add(1);
            if syn.side == seg.side {
                seg.seq == first && seg.len > 0 && !expected
            } else {
                let foreign = beyond || own.has(side_bit::ACKED) && serial(seg.ack, own.ack) < 0;
                seg.flags.ack() && seg.ack == first && foreign
            }
        })
    }

    pub(super) fn remembered(&mut self, is_it: impl Fn(&PendingSyn) -> bool) -> Option<Successor> {
        let rare = self.cold.rare.as_mut()?;
        let at = rare.syns.iter().position(is_it)?;
        Some(Successor::Remembered(Box::new(rare.syns.remove(at))))
    }
}

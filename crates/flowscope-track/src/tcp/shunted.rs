//! Segments that the capture counted, in sequence and after all that was tracked.

use flowscope_core::{FlowSide, ShuntedSide, TcpFlags, TcpInfo, Timestamp};

use super::{Seg, Step, Tcp};
use crate::entry::{mark, side_bit};
use crate::seq::serial;

impl Tcp<'_> {
    /// What the segments of a side change beside counters and FINs.
    pub(crate) fn place_shunted(&mut self, side: FlowSide, counted: &ShuntedSide) {
        let i = side.index();
        let next = self.hot.sides[i].next;
        // Segments before the first that was counted were lost on their way here.
        if serial(counted.base_seq, next) > 0 {
            self.add_hole(side, next, counted.base_seq);
        }
        let own = self.hot.sides[i];
        let before = own.has(side_bit::ACKED).then_some(own.ack);
        self.acknowledge_holes(!side, before, counted.ack);
        let own = &mut self.hot.sides[i];
        (own.next, own.ack, own.window) = (counted.next, counted.ack, counted.window);
        self.cold.rare().sides[i].duplicate_acks += counted.duplicate_acks;
        if self.cold.marks & mark::WINDOW[i] != 0 {
            self.cold.min_window[i] = self.cold.min_window[i].min(counted.min_window);
            self.cold.max_window[i] = self.cold.max_window[i].max(counted.max_window);
        }
    }

    /// What they change of FINs that were on their way when the capture began to count.
    pub(crate) fn settle_fins(&mut self, ts: Timestamp, step: &mut Step) {
        let sides = [FlowSide::Initiator, FlowSide::Responder];
        for side in sides {
            let own = self.hot.side(side);
            let header = TcpInfo {
                seq: own.next,
                ack: own.ack,
                window: own.window,
                flags: TcpFlags::ACK,
                ..TcpInfo::default()
            };
            let seg = Seg::new(side, &header, 0, ts);
            if self.hot.side(!side).has(side_bit::FIN) {
                self.acknowledge_fin(&seg, step);
            }
        }
        for side in sides {
            if self.hot.side(side).has(side_bit::FIN) {
                let next = self.hot.side(side).next;
                let header = TcpInfo { seq: next, flags: TcpFlags::ACK, ..TcpInfo::default() };
                self.take_fin(&Seg::new(side, &header, 0, ts), step);
            }
        }
        self.close_states(step);
    }
}

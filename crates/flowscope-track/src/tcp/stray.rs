//! Segments far outside the window: believed once the other side acknowledges them.

use flowscope_core::{TcpFlags, TcpInfo};

use super::{Seg, Step, Tcp};
use crate::entry::{Stray, side_bit};
use crate::seq::serial;

impl Stray {
    /// A segment out of window, behind those `before` it.
    pub(super) fn of(seg: &Seg, before: Option<Stray>, window: i64) -> Stray {
        let end = seg.end();
        let continued = before.filter(|before| {
            let from_end = i64::from(serial(seg.seq, before.end));
            (0..=window).contains(&from_end) && serial(end, before.start) > 0
        });
        Stray {
            start: continued.map_or(seg.seq, |before| before.start),
            end,
            ack: seg.ack,
            flags: seg.flags,
        }
    }
}

impl Tcp<'_> {
    /// Believes the other side's segments far ahead if this one acknowledges them: the middle of the
    /// connection was not captured. Numbers that no receiver acknowledges may be forged.
    pub(super) fn believe_stray(&mut self, seg: &Seg, step: &mut Step) {
        let (x, y) = (seg.side.index(), (!seg.side).index());
        let Some(stray) = self.cold.rare.as_ref().and_then(|rare| rare.sides[y].stray) else {
            return;
        };
        let next = self.hot.sides[y].next;
        let acknowledged =
            seg.flags.ack() && serial(seg.ack, stray.start) > 0 && serial(seg.ack, stray.end) <= 0;
        if !acknowledged || serial(stray.start, next) <= 0 {
            return;
        }
        // SEG-7
        let length = stray.end.wrapping_sub(stray.start) - u32::from(stray.flags.fin());
        let peer = &mut self.cold.rare().sides[y];
        peer.stray = None;
        peer.stray_bytes = peer.stray_bytes.saturating_sub(length.into());
        self.add_hole(!seg.side, next, stray.start);
        self.hot.sides[y].next = stray.end;
        self.contradict_reset(step);
        if stray.flags.fin() {
            let seq = stray.end.wrapping_sub(1);
            let fin = TcpInfo { seq, flags: TcpFlags::FIN, ..**seg };
            self.take_fin(&Seg::new(!seg.side, &fin, 0, seg.ts), step);
            step.refused_fin = false;
        }
        // Both sides' middles are missing: this side stands where the other says.
        let own = self.hot.sides[x];
        let jumps = own.has(side_bit::SEQ_KNOWN)
            && stray.flags.ack()
            && stray.ack == seg.seq
            && i64::from(serial(seg.seq, own.next)) > self.receive_window(seg.side);
        if jumps {
            self.add_hole(seg.side, own.next, seg.seq);
            self.hot.sides[x].next = seg.seq;
        }
    }
}

//! One side of a connection, in the model.

use super::*;

impl Side {
    /// FIN-3: it is acknowledged, or no remembered hole lies before it.
    pub(super) fn fin_is_effective(&self, peer: &Side) -> bool {
        self.fin.is_some_and(|fin| {
            self.fin_is_acknowledged(peer) || self.holes.iter().all(|hole| d(hole.0, fin) >= 0)
        })
    }

    /// FIN-3: the acknowledgement is exactly `fin + 1`.
    pub fn fin_is_acknowledged(&self, peer: &Side) -> bool {
        self.fin.is_some_and(|fin| peer.ack == Some(fin.wrapping_add(1)))
    }

    pub(super) fn add_hole(&mut self, from: u32, to: u32) {
        self.holes.push((from, to));
        self.stats.gap_bytes += u64::from(to.wrapping_sub(from));
        self.forget_holes();
    }

    /// SEQ-3: at most 8 are remembered; a forgotten one stays a gap (STAT-4).
    pub(super) fn forget_holes(&mut self) {
        while self.holes.len() > 8 {
            self.holes.remove(0);
        }
    }

    /// Takes what lies in `from..to` out of the holes; says whether anything did.
    pub fn fill(&mut self, from: u32, to: u32) -> bool {
        let mut filled = 0;
        let mut left = Vec::new();
        for &(start, end) in &self.holes {
            let low = if d(from, start) > 0 { from } else { start };
            let high = if d(to, end) < 0 { to } else { end };
            if d(high, low) <= 0 {
                left.push((start, end));
                continue;
            }
            filled += u64::from(high.wrapping_sub(low));
            if low != start {
                left.push((start, low));
            }
            if high != end {
                left.push((high, end));
            }
        }
        self.holes = left;
        self.forget_holes();
        self.stats.gap_bytes -= filled;
        filled > 0
    }

    /// SEG-3
    pub(super) fn learn_seq(&mut self, tcp: &TcpInfo) {
        self.shown = true;
        self.next = tcp.seq;
        if !self.syn_acked {
            self.isn = tcp.seq.wrapping_sub(1);
        }
        self.window = Some(tcp.window);
        self.stats.initial_window = Some(tcp.window);
    }

    /// SYN-1: a SYN whose data its SYN+ACK, which came before it, acknowledges too.
    pub(super) fn acked_data_of(&self, tcp: &TcpInfo, len: u32) -> bool {
        self.syn_acked
            && !self.syn_seen
            && !tcp.flags.ack()
            && len > 0
            && tcp.seq.wrapping_add(len) == self.isn
    }

    pub(super) fn learn_syn(&mut self, tcp: &TcpInfo, len: u32) {
        let end = tcp.seq.wrapping_add(1).wrapping_add(len);
        if d(end, self.next) > 0 {
            self.next = end;
        }
        self.syn_seen = true;
        self.signed |= tcp.options.signed;
        // Receivers cap it at 14 (RFC 7323 §2.3).
        self.scale = tcp.options.window_scale.map(|scale| scale.min(14));
        self.stats.mss = tcp.options.mss;
        self.stats.sack_permitted = tcp.options.sack_permitted;
    }
}

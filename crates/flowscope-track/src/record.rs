//! Statistics, made from the parts of an entry on demand.

use flowscope_core::{FlowSide, IcmpInfo, L4Proto, Orientation, Path};

use crate::entry::{
    Cold, HotRecord, PendingReset, SideRecord, bit, loaded_rtt, mark, side_bit, slow_path,
};
use crate::history::MoreLetters;
use crate::stats::{ConnState, Counters};
use crate::{FlowState, FlowStats, History, SideStats, TcpState};

/// A flow's record as statistics are made from it.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) hot: &'a HotRecord,
    pub(crate) cold: &'a Cold,
}

impl Record<'_> {
    pub(crate) fn state(&self) -> FlowState {
        self.hot.state
    }

    #[inline]
    pub(crate) fn orientation(&self) -> Orientation {
        if self.hot.has(bit::REVERSE) { Orientation::Reverse } else { Orientation::Forward }
    }

    pub(crate) fn history(&self) -> History {
        match &self.cold.rare {
            Some(rare) => {
                self.cold.letters.history(&rare.more_letters).without_last(rare.late_letters)
            }
            None => self.cold.letters.history(&MoreLetters::default()),
        }
    }

    pub(crate) fn counters(&self, side: usize) -> Counters {
        let own = &self.hot.sides[side];
        let mut sum = Counters {
            packets: u64::from(own.packets),
            wire_bytes: u64::from(own.wire),
            ip_bytes: u64::from(own.ip),
            payload_bytes: u64::from(own.payload),
        };
        if let Some(rare) = &self.cold.rare {
            sum.add(&rare.spilled[side]);
        }
        sum
    }

    /// SEQ-5
    #[inline]
    pub(crate) fn stream_start(&self, side: FlowSide) -> Option<u32> {
        let known = self.hot.side(side).has(side_bit::SYN)
            || side == FlowSide::Initiator && self.cold.marks & mark::SYN_ACKED != 0;
        known.then(|| self.cold.isn[side.index()].wrapping_add(1))
    }

    /// SEQ-5
    pub(crate) fn stream_end(&self, side: FlowSide) -> Option<u32> {
        self.hot.side(side).has(side_bit::FIN).then_some(self.cold.fin[side.index()])
    }

    #[inline]
    pub(crate) fn acknowledged(&self, side: FlowSide) -> Option<u32> {
        let peer = self.hot.side(!side);
        peer.has(side_bit::ACKED).then_some(peer.ack)
    }

    pub(crate) fn reset_by(&self) -> Option<FlowSide> {
        // Of both, the responder's counts: a forged reset may have come before it.
        [FlowSide::Responder, FlowSide::Initiator]
            .into_iter()
            .find(|side| self.cold.marks & mark::RESET[side.index()] != 0)
    }

    #[inline]
    pub(crate) fn pending_reset(&self) -> Option<PendingReset> {
        if self.hot.slow_path & slow_path::RARE == 0 || self.hot.state.is_over() {
            return None;
        }
        self.cold.rare.as_ref()?.reset
    }

    pub(crate) fn stats(&self) -> FlowStats {
        let (hot, cold) = (self.hot, self.cold);
        let counters = [self.counters(0), self.counters(1)];
        let base = cold.rare.as_ref().map_or([Counters::default(); 2], |rare| rare.interim_base);
        FlowStats {
            initiator: self.side(0),
            responder: self.side(1),
            first_seen: cold.first_seen,
            last_seen: self.last_seen(),
            orientation: self.orientation(),
            evidence: cold.evidence,
            l4: (!hot.has(bit::NO_L4)).then(|| L4Proto::from_number(hot.proto)),
            state: hot.state,
            mid_stream: hot.has(bit::MID_STREAM),
            syn_rtt: loaded_rtt(cold.syn_rtt),
            ack_rtt: loaded_rtt(cold.ack_rtt),
            icmp: (cold.marks & mark::ICMP != 0).then(|| IcmpInfo {
                kind: cold.fin[1] as u8,
                code: cold.fin[0] as u8,
                id: (cold.isn[0] >> 16 == 1).then_some(cold.isn[0] as u16),
                quoted_at: None,
            }),
            path: cold.rare.as_ref().map_or(Path::EMPTY, |rare| rare.path),
            interims: cold.rare.as_ref().map_or(0, |rare| rare.interims),
            delta: [counters[0].minus(&base[0]), counters[1].minus(&base[1])],
            late: cold.rare.as_ref().and_then(|rare| rare.late),
            closed: self.closed(),
            conn_state: self.conn_state(),
            tcp_state: self.tcp_state(),
            macs: cold.rare.as_ref().and_then(|rare| rare.macs.clone()),
        }
    }

    fn side(&self, side: usize) -> SideStats {
        let (own, cold) = (&self.hot.sides[side], self.cold);
        let shown = own.has(side_bit::SEQ_KNOWN);
        let windows = cold.marks & mark::WINDOW[side] != 0;
        let scaled = own.has(side_bit::SYN) && self.hot.sides[1 - side].has(side_bit::SYN);
        let mut stats = SideStats {
            counters: self.counters(side),
            tcp_flags: own.flags,
            initial_window: shown.then_some(cold.first_window[side]),
            min_window: windows.then_some(cold.min_window[side]),
            max_window: windows.then_some(cold.max_window[side]),
            mss: (cold.mss[side] != 0).then_some(cold.mss[side]),
            window_scale: (cold.labels[side].scale())
                .filter(|_| scaled && cold.labels[1 - side].scale().is_some()),
            sack_permitted: cold.marks & mark::SACK[side] != 0,
            // STAT-2
            ttl: (cold.max_ttl[side] != 0).then(|| (cold.min_ttl[side], cold.max_ttl[side])),
            tos: self.hot.tos[side],
            flow_label: cold.labels[side].label(),
            ..SideStats::default()
        };
        // STAT-6
        stats.cut_bytes = u64::from(cold.cut[side]);
        if let Some(rare) = &cold.rare {
            stats.shunted = rare.shunt.as_ref().map_or(stats.shunted, |shunt| shunt.total[side]);
            let rare = &rare.sides[side];
            stats.cut_bytes += rare.cut;
            // STAT-5
            stats.retransmitted = rare.retransmitted;
            stats.out_of_order = rare.out_of_order;
            stats.duplicate_acks = rare.duplicate_acks;
            stats.zero_windows = rare.zero_windows;
            stats.probes = rare.probes;
            stats.urgent = rare.urgent;
            stats.out_of_window = rare.out_of_window;
            stats.bad_checksums = rare.bad_checksums;
            // STAT-4
            stats.gap_bytes = rare.lost + rare.holes.bytes();
        }
        if self.hot.is_tcp() {
            stats.stream_bytes = self.stream_bytes(side, &stats);
        }
        stats
    }

    /// CONN-3
    fn tcp_state(&self) -> Option<TcpState> {
        let responder_first = self.hot.has(bit::RESPONDER_FIN_FIRST);
        let acked = self.hot.sides[1].has(side_bit::FIN_ACKED);
        Some(match self.hot.state {
            FlowState::Active => return None,
            FlowState::SynReceived if self.hot.has(bit::MID_STREAM) => TcpState::None,
            FlowState::SynSent => TcpState::SynSent,
            FlowState::SynReceived => TcpState::SynReceived,
            FlowState::Established => TcpState::Established,
            FlowState::FinWait if !responder_first => TcpState::CloseWait,
            FlowState::FinWait if acked => TcpState::FinWait2,
            FlowState::FinWait => TcpState::FinWait1,
            FlowState::ClosingTcp if !responder_first => TcpState::LastAck,
            FlowState::ClosingTcp if acked => TcpState::TimeWait,
            FlowState::ClosingTcp => TcpState::Closing,
            FlowState::Closed | FlowState::Reset => TcpState::Closed,
        })
    }

    /// STAT-8
    fn stream_bytes(&self, side: usize, stats: &SideStats) -> u64 {
        let own = &self.hot.sides[side];
        if !own.has(side_bit::SEQ_KNOWN) {
            return 0;
        }
        let fin = own.has(side_bit::FIN) && own.next == self.cold.fin[side].wrapping_add(1);
        let end = own.next.wrapping_sub(u32::from(fin));
        let low = u64::from(end.wrapping_sub(self.cold.isn[side].wrapping_add(1)));
        // Every byte of the stream is in a segment or a hole: so often, at most, the numbers went round.
        let most = stats.counters.payload_bytes + stats.gap_bytes;
        let stray = self.cold.rare.as_ref().map_or(0, |rare| rare.sides[side].stray_bytes);
        low + (most.saturating_sub(low + stray) >> 32 << 32) + stray
    }

    /// CONN-1, CONN-2
    fn conn_state(&self) -> ConnState {
        let [initiator, responder] = &self.hot.sides;
        if L4Proto::from_number(self.hot.proto) != L4Proto::Tcp {
            let (sent, answered) = (self.counters(0).packets > 0, self.counters(1).packets > 0);
            return match (L4Proto::from_number(self.hot.proto), sent, answered) {
                (L4Proto::Udp, true, true) => ConnState::Sf,
                (L4Proto::Udp, true, false) => ConnState::S0,
                (L4Proto::Udp, false, _) => ConnState::Shr,
                _ => ConnState::Oth,
            };
        }
        let [active, answered] = [initiator, responder].map(is_active);
        let (syn, syn_ack) = (initiator.has(side_bit::SYN), responder.has(side_bit::SYN));
        let (fin, fin_back) = (initiator.has(side_bit::FIN), responder.has(side_bit::FIN));
        match (fin && fin_back, self.reset_by()) {
            (true, _) => return ConnState::Sf,
            (_, Some(FlowSide::Responder)) => {
                return match (active, syn && !answered) {
                    (false, _) => ConnState::Rstrh,
                    (true, true) => ConnState::Rej,
                    (true, false) => ConnState::Rstr,
                };
            }
            (_, Some(FlowSide::Initiator)) => {
                let more = side_bit::HISTORY_A | side_bit::FIN | side_bit::SYN_ACK;
                return match (answered, syn && !initiator.has(more)) {
                    (true, _) => ConnState::Rsto,
                    (false, true) => ConnState::Rstos0,
                    (false, false) => ConnState::Oth,
                };
            }
            (_, None) => {}
        }
        match (fin, fin_back) {
            (true, _) if answered => ConnState::S2,
            (true, _) => ConnState::Sh,
            (_, true) if active => ConnState::S3,
            (_, true) => ConnState::Shr,
            (false, false) if self.hot.has(bit::MID_STREAM) => ConnState::Oth,
            (false, false) if syn && !answered => ConnState::S0,
            (false, false) if syn && syn_ack || self.hot.has(bit::ESTABLISHED) => ConnState::S1,
            (false, false) => ConnState::Oth,
        }
    }
}

/// Whether a side has sent more than acknowledgements and resets.
fn is_active(side: &SideRecord) -> bool {
    side.has(side_bit::SYN | side_bit::FIN | side_bit::HISTORY_D)
}

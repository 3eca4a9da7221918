//! How TCP connections went.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use flowscope_core::L4Proto;
use flowscope_extract::Endpoint;
use flowscope_output::{FlowRecord, FlowRecordKind};
use flowscope_track::ConnState;

use crate::{Handshakes, Heavy};

/// Sums over TCP flows that have ended; packets are those of all.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) connections: u64,
    /// Connections by how they went.
    pub(crate) states: BTreeMap<ConnState, u64>,
    pub(crate) packets: u64,
    pub(crate) retransmits: u64,
    pub(crate) out_of_order: u64,
    pub(crate) duplicate_acks: u64,
    pub(crate) zero_windows: u64,
    pub(crate) gap_bytes: u64,
    /// Connections picked up in their middle.
    pub(crate) mid_stream: u64,
    pub(crate) rtt: RttHistogram,
    /// Hosts by segments that they sent again, with packets that they sent.
    pub(crate) resenders: Heavy<IpAddr, u64>,
    /// Servers by handshakes, with their times.
    pub(crate) servers: Heavy<Endpoint, Handshakes>,
}

impl Health {
    pub(crate) fn new(max_keys: usize) -> Self {
        Health {
            connections: 0,
            states: BTreeMap::new(),
            packets: 0,
            retransmits: 0,
            out_of_order: 0,
            duplicate_acks: 0,
            zero_windows: 0,
            gap_bytes: 0,
            mid_stream: 0,
            rtt: RttHistogram::default(),
            resenders: Heavy::new(max_keys),
            servers: Heavy::new(max_keys),
        }
    }

    pub(crate) fn flow(&mut self, record: &FlowRecord) {
        if record.header.key.proto() != L4Proto::Tcp {
            return;
        }
        let (from, to) = record.header.endpoints();
        let ended = matches!(record.kind, FlowRecordKind::Ended(_));
        // Packets are those since the record before; all else is of the whole flow in every record.
        for (host, side) in [from.addr, to.addr].into_iter().zip(&record.sides) {
            let retransmits = if ended { side.retransmits.into() } else { 0 };
            self.packets += side.counters.packets;
            *self.resenders.add(host, retransmits) += side.counters.packets;
        }
        if !ended {
            return;
        }
        self.connections += 1;
        *self.states.entry(record.conn_state).or_default() += 1;
        self.mid_stream += u64::from(record.mid_stream);
        for side in &record.sides {
            self.retransmits += u64::from(side.retransmits);
            self.out_of_order += u64::from(side.out_of_order);
            self.duplicate_acks += u64::from(side.duplicate_acks);
            self.zero_windows += u64::from(side.zero_windows);
            self.gap_bytes += side.gap_bytes;
        }
        if let Some(rtt) = record.syn_rtt {
            self.rtt.add(rtt);
            self.servers.add(to, 1).add(rtt);
        }
    }

    pub(crate) fn state(&self, state: ConnState) -> u64 {
        self.states.get(&state).copied().unwrap_or_default()
    }
}

/// Round-trip times of handshakes, in classes: three to a power of ten, from 10 µs to 100 s.
#[derive(Clone, Debug, Default)]
pub(crate) struct RttHistogram {
    pub(crate) classes: [u64; RttHistogram::BOUNDS.len() + 1],
    pub(crate) count: u64,
    pub(crate) longest: Duration,
}

impl RttHistogram {
    /// Upper bounds of the classes but the last, in microseconds.
    pub(crate) const BOUNDS: [u64; 20] = [
        10,
        20,
        50,
        100,
        200,
        500,
        1_000,
        2_000,
        5_000,
        10_000,
        20_000,
        50_000,
        100_000,
        200_000,
        500_000,
        1_000_000,
        2_000_000,
        5_000_000,
        10_000_000,
        100_000_000,
    ];

    fn add(&mut self, rtt: Duration) {
        let micros = rtt.as_micros();
        let class = Self::BOUNDS.partition_point(|bound| u128::from(*bound) < micros);
        self.classes[class] += 1;
        self.count += 1;
        self.longest = self.longest.max(rtt);
    }

    /// The upper bound of the class that holds this share of the handshakes, the shortest first; the longest
    /// time where that is less.
    pub(crate) fn at_most(&self, percent: u64) -> Duration {
        let wanted = (self.count * percent).div_ceil(100);
        let mut sum = 0;
        for (class, n) in self.classes.iter().enumerate() {
            sum += n;
            if sum >= wanted {
                let bound = Self::BOUNDS.get(class).map(|micros| Duration::from_micros(*micros));
                return bound.map_or(self.longest, |bound| bound.min(self.longest));
            }
        }
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_handshakes_are_bounded_by_classes() {
        let mut rtt = RttHistogram::default();
        assert_eq!(rtt.at_most(50), Duration::ZERO);
        for micros in [10, 11, 90, 100, 101, 900, 40_000, 40_000, 60_000_000, 900_000_000] {
            rtt.add(Duration::from_micros(micros));
        }
        assert_eq!(rtt.classes[0], 1);
        assert_eq!(rtt.at_most(10), Duration::from_micros(10));
        assert_eq!(rtt.at_most(50), Duration::from_micros(200));
        assert_eq!(rtt.at_most(80), Duration::from_millis(50));
        assert_eq!(rtt.at_most(90), Duration::from_secs(100));
        assert_eq!(rtt.at_most(100), Duration::from_secs(900));
    }
}

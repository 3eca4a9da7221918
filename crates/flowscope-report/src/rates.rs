//! Packets and bytes over time.

use flowscope_core::{L4Proto, Timestamp};

/// What passed in each of at most [`MAX_BINS`] intervals of equal length.
///
/// The length doubles, and pairs of intervals become one, whenever a packet comes after the last interval.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    start: Option<Timestamp>,
    /// Length of an interval in nanoseconds.
    width: u64,
    bins: Vec<Bin>,
}

/// Transports that are counted apart.
pub(crate) const SERIES: [&str; 3] = ["TCP", "UDP", "other"];

/// What passed in one interval, by [`SERIES`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bin {
    pub(crate) bytes: [u64; 3],
    pub(crate) packets: [u64; 3],
}

/// Most intervals.
const MAX_BINS: usize = 400;

/// The shortest interval: a millisecond.
const SHORTEST: u64 = 1_000_000;

impl Rates {
    pub(crate) fn new() -> Self {
        Rates { start: None, width: SHORTEST, bins: Vec::new() }
    }

    /// Adds a packet. One from before the start is counted in the first interval.
    pub(crate) fn add(&mut self, ts: Timestamp, wire_len: u32, proto: L4Proto) {
        let start = *self.start.get_or_insert(ts);
        let offset = ts.as_nanos().saturating_sub(start.as_nanos());
        while offset / self.width >= MAX_BINS as u64 {
            self.double();
        }
        let at = (offset / self.width) as usize;
        if at >= self.bins.len() {
            self.bins.resize(at + 1, Bin::default());
        }
        let series = match proto {
            L4Proto::Tcp => 0,
            L4Proto::Udp => 1,
            _ => 2,
        };
        let bin = &mut self.bins[at];
        bin.bytes[series] += u64::from(wire_len);
        bin.packets[series] += 1;
    }

    fn double(&mut self) {
        self.width = self.width.saturating_mul(2);
        let sum = |pair: &[Bin]| {
            let mut sum = Bin::default();
            for bin in pair {
                for at in 0..SERIES.len() {
                    sum.bytes[at] += bin.bytes[at];
                    sum.packets[at] += bin.packets[at];
                }
            }
            sum
        };
        self.bins = self.bins.chunks(2).map(sum).collect();
    }

    /// Length of an interval in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.width as f64 / 1e9
    }

    /// The intervals, from the first packet on.
    pub(crate) fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// Time of the first packet.
    pub(crate) fn start(&self) -> Option<Timestamp> {
        self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_is_in_one_interval_however_long_it_takes() {
        let mut rates = Rates::new();
        let mut sum = 0;
        for (at, ns) in [0_u64, 5, 1_000_000, 399_999_999, 400_000_000, 86_400_000_000_000]
            .into_iter()
            .enumerate()
        {
            let proto = [L4Proto::Tcp, L4Proto::Udp, L4Proto::Icmp][at % 3];
            rates.add(Timestamp::from_nanos(1_000 + ns), 100, proto);
            sum += 100;
        }
        rates.add(Timestamp::ZERO, 7, L4Proto::Tcp);
        let bytes: u64 = rates.bins().iter().flat_map(|bin| bin.bytes).sum();
        let packets: u64 = rates.bins().iter().flat_map(|bin| bin.packets).sum();
        assert_eq!((bytes, packets), (sum + 7, 7));
        assert!(rates.bins().len() > MAX_BINS / 2 && rates.bins().len() <= MAX_BINS);
        assert_eq!(rates.start(), Some(Timestamp::from_nanos(1_000)));
    }

    #[test]
    fn no_time_is_too_far_ahead() {
        let mut rates = Rates::new();
        rates.add(Timestamp::ZERO, 1, L4Proto::Tcp);
        rates.add(Timestamp::MAX, 1, L4Proto::Tcp);
        assert!(rates.bins().len() <= MAX_BINS);
        assert_eq!(rates.bins().iter().flat_map(|bin| bin.packets).sum::<u64>(), 2);
    }
}

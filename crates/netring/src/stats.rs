use std::fmt;

use flowscope_core::Ledger;

use crate::{RingUse, SourceStats};

/// Counters of a capture or stream, from its start.
///
/// Packets balance: `arrived = packets.seen() + refused + waiting`, plus the packets that the
/// source has received and not lent yet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Packets: tracked, or lost by cause, including losses of the capture.
    pub packets: Ledger,
    /// Payload bytes of tracked packets: delivered, or lost by cause.
    pub bytes: Ledger,
    /// Packets that arrived, as the source counts them; `None` if it does not.
    pub arrived: Option<u64>,
    /// Packets refused by a filter in user space.
    pub refused: u64,
    /// Buffered packets: fragments of incomplete datagrams, or copies not taken yet.
    pub waiting: u64,
    /// Buffered payload bytes that wait for missing bytes before them.
    pub pending: u64,
    /// Flows in the table.
    pub flows: usize,
    /// Packets with a timestamp before that of an earlier packet.
    pub clock_backwards: u64,
    /// How often a capture ring was found full.
    pub freezes: u64,
    /// How much of the capture rings was not read yet, when the counters were read.
    pub ring: Option<RingUse>,
    /// Packets recorded by the tap.
    pub recorded: u64,
    /// Flows of which a worker checked that no other worker has a part: a sample.
    pub checked_flows: u64,
    /// Flows among them that were at another worker before. Each of the two sees one side, or a part of
    /// the packets.
    pub split_flows: u64,
    /// Broadcast items: delivered to subscribers, or lost because a subscriber was too slow. Sum
    /// over all subscribers.
    pub events: Ledger,
}

/// One line: packets arrived, packets delivered, each loss that is not zero, and flows that are split.
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.packets.seen() + self.refused + self.waiting;
        let arrived = self.arrived.unwrap_or(seen);
        write!(f, "{arrived} packets arrived, {} delivered", self.packets.delivered())?;
        for (cause, packets) in self.packets.losses() {
            write!(f, ", {packets} {cause}")?;
        }
        for (what, packets) in [("refused", self.refused), ("waiting", self.waiting)] {
            if packets > 0 {
                write!(f, ", {packets} {what}")?;
            }
        }
        if self.split_flows > 0 {
            let Stats { checked_flows, split_flows, .. } = self;
            write!(
                f,
                "; {split_flows} of {checked_flows} checked flows are split between workers"
            )?;
        }
        Ok(())
    }
}

impl Stats {
    /// Adds the counters of the source.
    pub(crate) fn add_source(&mut self, source: &SourceStats) {
        self.arrived = source.arrived;
        self.packets.merge(&source.lost);
        self.freezes = source.freezes;
        self.ring = source.ring;
    }

    /// Adds the counters of another worker. A sum starts with the default value.
    pub fn merge(&mut self, other: &Stats) {
        if *self == Stats::default() {
            self.clone_from(other);
            return;
        }
        self.packets.merge(&other.packets);
        self.bytes.merge(&other.bytes);
        self.arrived = self.arrived.zip(other.arrived).map(|(a, b)| a + b);
        self.refused += other.refused;
        self.waiting += other.waiting;
        self.pending += other.pending;
        self.flows += other.flows;
        self.clock_backwards += other.clock_backwards;
        self.freezes += other.freezes;
        self.ring = RingUse::merged(self.ring, other.ring);
        self.recorded += other.recorded;
        self.checked_flows += other.checked_flows;
        self.split_flows += other.split_flows;
        self.events.merge(&other.events);
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::Loss;

    use super::*;

    #[test]
    fn it_is_one_line_that_names_what_was_lost() {
        let mut stats = Stats { arrived: Some(110), refused: 3, ..Stats::default() };
        stats.packets.deliver(100);
        stats.packets.lose(Loss::KernelDrop, 7);
        let expected = "110 packets arrived, 100 delivered, 7 kernel_drop, 3 refused";
        assert_eq!(stats.to_string(), expected);
    }

    #[test]
    fn it_names_what_waits_and_flows_that_are_split() {
        let mut stats = Stats { waiting: 2, refused: 1, ..Stats::default() };
        stats.packets.deliver(4);
        // Without a count of the source, those that are known.
        assert_eq!(stats.to_string(), "7 packets arrived, 4 delivered, 1 refused, 2 waiting");
        (stats.checked_flows, stats.split_flows) = (9, 1);
        let expected = "7 packets arrived, 4 delivered, 1 refused, 2 waiting; \
                        1 of 9 checked flows are split between workers";
        assert_eq!(stats.to_string(), expected);
    }

    /// Each worker counts what no other one does.
    #[test]
    fn every_counter_is_the_sum_over_the_workers() {
        let worker = |n: u64| {
            let mut stats = Stats {
                arrived: Some(n),
                refused: 2 * n,
                waiting: 3 * n,
                pending: 5 * n,
                flows: 7 * n as usize,
                clock_backwards: 11 * n,
                freezes: 13 * n,
                recorded: 17 * n,
                checked_flows: 19 * n,
                split_flows: 23 * n,
                ..Stats::default()
            };
            for (ledger, each) in
                [(&mut stats.packets, 29), (&mut stats.bytes, 31), (&mut stats.events, 37)]
            {
                ledger.deliver(each * n);
                ledger.lose(Loss::SubscriberLag, n);
            }
            stats
        };
        let mut all = Stats::default();
        all.merge(&worker(1));
        all.merge(&worker(1000));
        assert_eq!(all, worker(1001));
    }

    #[test]
    fn workers_that_count_add_up_from_nothing() {
        let worker = |arrived| {
            let mut stats = Stats { arrived, ..Stats::default() };
            stats.packets.deliver(5);
            stats
        };
        let check = |workers: &[Option<u64>], expected| {
            let mut all = Stats::default();
            workers.iter().for_each(|arrived| all.merge(&worker(*arrived)));
            assert_eq!(all.arrived, expected, "{workers:?}");
        };
        check(&[Some(7), Some(6)], Some(13));
        check(&[Some(7), None], None);
        check(&[None, Some(7)], None);
    }
}

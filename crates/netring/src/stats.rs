use flowscope_core::Ledger;

use crate::SourceStats;

/// Where everything went that a stream, or a capture, has seen so far.
///
/// Packets balance: `arrived = packets.seen() + refused + waiting`, and what the source has received
/// but not lent yet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Packets by fate: tracked, or the reason why not, losses of the capture included.
    pub packets: Ledger,
    /// Payload bytes of tracked packets by fate.
    pub bytes: Ledger,
    /// Packets that arrived by the count of the source itself, where it counts.
    pub arrived: Option<u64>,
    /// Packets that a filter refused that is not the kernel's.
    pub refused: u64,
    /// Packets that wait: fragments for the rest of their datagram, or copies to be taken.
    pub waiting: u64,
    /// Payload bytes that wait for others before them.
    pub pending: u64,
    /// Flows in the table.
    pub flows: usize,
    /// Packets whose timestamp was behind one before.
    pub clock_backwards: u64,
    /// How many times a capture ring was found full.
    pub freezes: u64,
    /// Packets recorded by the tap.
    pub recorded: u64,
    /// Items given to subscribers of a broadcast, and those that went past one that was too slow, all
    /// subscribers together.
    pub events: Ledger,
}

impl Stats {
    /// Adds what the source counted.
    pub(crate) fn add_source(&mut self, source: &SourceStats) {
        self.arrived = source.arrived;
        self.packets.merge(&source.lost);
        self.freezes = source.freezes;
    }

    /// Adds what another counted, as of a second worker.
    pub fn merge(&mut self, other: &Stats) {
        self.packets.merge(&other.packets);
        self.bytes.merge(&other.bytes);
        self.arrived = self.arrived.zip(other.arrived).map(|(a, b)| a + b);
        self.refused += other.refused;
        self.waiting += other.waiting;
        self.pending += other.pending;
        self.flows += other.flows;
        self.clock_backwards += other.clock_backwards;
        self.freezes += other.freezes;
        self.recorded += other.recorded;
        self.events.merge(&other.events);
    }
}

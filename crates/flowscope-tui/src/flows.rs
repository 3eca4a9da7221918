//! The flows that are shown.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use flowscope_core::Timestamp;
use flowscope_output::{FlowRecord, FlowRecordKind, FlowRecordSide};
use flowscope_track::{FlowState, PacketInfo};

/// Most flows that are kept. When there are more, those whose last packets are oldest are left out, as many at once
/// that [`KEPT`] stay.
pub(crate) const MAX_FLOWS: usize = 1250;

/// Flows that are kept at least, if there were as many.
pub(crate) const KEPT: usize = 1000;

/// Session records that are kept of a flow: the latest.
const MAX_SESSIONS: usize = 32;

/// By what flows are sorted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Order {
    /// By the bytes of the last interval.
    #[default]
    Rate,
    Bytes,
    Packets,
    Rtt,
    Retransmits,
    Age,
}

impl Order {
    const ALL: [Order; 6] =
        [Order::Rate, Order::Bytes, Order::Packets, Order::Rtt, Order::Retransmits, Order::Age];

    pub(crate) fn next(self) -> Self {
        let at = Order::ALL.iter().position(|order| *order == self).unwrap_or(0);
        Order::ALL[(at + 1) % Order::ALL.len()]
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Order::Rate => "bytes/s",
            Order::Bytes => "bytes",
            Order::Packets => "packets",
            Order::Rtt => "rtt",
            Order::Retransmits => "retransmits",
            Order::Age => "age",
        }
    }
}

/// A flow, and its session records.
#[derive(Clone, Debug)]
pub(crate) struct FlowEntry {
    /// Of the whole flow up to now.
    pub(crate) record: FlowRecord,
    /// Bytes per second in the last interval.
    pub(crate) rate: u64,
    /// Bytes at the end of that interval.
    sampled: u64,
    /// The latest session records.
    pub(crate) sessions: VecDeque<SessionLine>,
    /// How many there were.
    pub(crate) said: u64,
}

/// A session record in a line fit for a terminal.
#[derive(Clone, Debug)]
pub(crate) struct SessionLine {
    pub(crate) text: String,
    /// The same in small letters, which filters search.
    pub(crate) lowercase: String,
}

impl FlowEntry {
    pub(crate) fn bytes(&self) -> u64 {
        self.sum(|side| side.counters.wire_bytes)
    }

    pub(crate) fn packets(&self) -> u64 {
        self.sum(|side| side.counters.packets)
    }

    pub(crate) fn retransmits(&self) -> u64 {
        self.sum(|side| side.retransmits.into())
    }

    fn sum(&self, of: impl Fn(&FlowRecordSide) -> u64) -> u64 {
        self.record.sides.iter().map(of).fold(0, u64::saturating_add)
    }

    /// Time of the handshake, as far as it was seen.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        match (self.record.syn_rtt, self.record.ack_rtt) {
            (None, None) => None,
            (syn, ack) => Some(syn.unwrap_or_default() + ack.unwrap_or_default()),
        }
    }

    /// In one word of at most seven letters.
    pub(crate) fn state(&self) -> &'static str {
        match (self.record.kind, self.record.state) {
            (FlowRecordKind::Interim(_), FlowState::SynSent | FlowState::SynReceived) => "new",
            (FlowRecordKind::Interim(_), FlowState::FinWait | FlowState::ClosingTcp) => "closing",
            (kind, _) => kind.outcome(),
        }
    }
}

/// The flows with the latest packets, and sums of the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct FlowTable {
    flows: HashMap<u64, FlowEntry>,
    /// When the last interval ended.
    sampled: Option<Timestamp>,
}

impl FlowTable {
    /// Takes the record of a whole flow up to now.
    pub(crate) fn record(&mut self, record: FlowRecord) {
        let id = record.header.flow_id;
        if let Some(known) = self.flows.get_mut(&id) {
            known.record = record;
            return;
        }
        let is_new = self.sampled.is_none_or(|sampled| record.start >= sampled);
        let mut entry =
            FlowEntry { record, rate: 0, sampled: 0, sessions: VecDeque::new(), said: 0 };
        if !is_new {
            // It was left out meanwhile: what its last interval brought is not known.
            entry.sampled = entry.bytes();
        }
        self.flows.insert(id, entry);
        if self.flows.len() > MAX_FLOWS {
            self.leave_out();
        }
    }

    /// Counts a packet of a flow that is kept.
    pub(crate) fn packet(&mut self, flow: u64, packet: &PacketInfo) {
        let Some(FlowEntry { record, .. }) = self.flows.get_mut(&flow) else { return };
        record.end = record.end.max(packet.ts);
        let counters = &mut record.sides[packet.side.index()].counters;
        counters.packets += 1;
        counters.wire_bytes += u64::from(packet.wire_len);
        counters.payload_bytes += u64::from(packet.payload_len);
    }

    /// Adds a session record to a flow that is kept.
    pub(crate) fn session(&mut self, flow: u64, line: impl FnOnce() -> String) {
        let Some(entry) = self.flows.get_mut(&flow) else { return };
        entry.said += 1;
        if entry.sessions.len() == MAX_SESSIONS {
            entry.sessions.pop_front();
        }
        let text = line();
        let lowercase = text.to_lowercase();
        entry.sessions.push_back(SessionLine { text, lowercase });
    }

    /// Ends an interval of the rates of flows.
    pub(crate) fn sample(&mut self, now: Timestamp) {
        let passed = self.sampled.map_or(Duration::ZERO, |last| now.since(last)).as_nanos();
        self.sampled = Some(now);
        for entry in self.flows.values_mut() {
            let bytes = entry.bytes();
            entry.rate = per_second(bytes.saturating_sub(entry.sampled), passed);
            entry.sampled = bytes;
        }
    }

    /// Leaves the flows out whose last packets are oldest.
    fn leave_out(&mut self) {
        let mut ages: Vec<(Timestamp, u64)> =
            self.flows.iter().map(|(id, entry)| (entry.record.end, *id)).collect();
        let out = ages.len() - KEPT;
        ages.select_nth_unstable(out);
        for (_, id) in &ages[..out] {
            self.flows.remove(id);
        }
    }

    pub(crate) fn get(&self, flow: u64) -> Option<&FlowEntry> {
        self.flows.get(&flow)
    }

    pub(crate) fn len(&self) -> usize {
        self.flows.len()
    }

    /// The flows that are wanted, in this order; equal ones by their bytes, then by their ids.
    pub(crate) fn sorted(
        &self,
        order: Order,
        wanted: impl Fn(&FlowEntry) -> bool,
    ) -> Vec<&FlowEntry> {
        let mut flows: Vec<_> = self.flows.values().filter(|entry| wanted(entry)).collect();
        let by = |entry: &FlowEntry| -> u128 {
            match order {
                Order::Rate => entry.rate.into(),
                Order::Bytes => 0,
                Order::Packets => entry.packets().into(),
                Order::Rtt => entry.rtt().map_or(0, |rtt| rtt.as_nanos() + 1),
                Order::Retransmits => entry.retransmits().into(),
                Order::Age => u128::from(u64::MAX - entry.record.start.as_nanos()),
            }
        };
        flows.sort_by_cached_key(|entry| {
            (Reverse((by(entry), entry.bytes())), entry.record.header.flow_id)
        });
        flows
    }
}

/// A count per second, of one in so many nanoseconds; 0 if no time has passed.
pub(crate) fn per_second(count: u64, nanos: u128) -> u64 {
    let rate = (u128::from(count) * 1_000_000_000).checked_div(nanos).unwrap_or(0);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

//! The records that tables have, if there are more than a page can hold.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use flowscope_core::{L4Proto, Timestamp};
use flowscope_extract::Endpoint;
use flowscope_output::FlowRecord;

use crate::FlowFailure;
use crate::session::Session;

/// What a table shows of a flow record.
#[derive(Clone, Debug)]
pub(crate) struct FlowRow {
    pub(crate) flow_id: u64,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) proto: L4Proto,
    pub(crate) app: Option<&'static str>,
    pub(crate) from: Endpoint,
    pub(crate) to: Endpoint,
    pub(crate) packets: [u64; 2],
    pub(crate) bytes: [u64; 2],
    pub(crate) retransmits: u64,
    pub(crate) state: &'static str,
    pub(crate) history: String,
    pub(crate) failure: Option<FlowFailure>,
}

impl FlowRow {
    fn of(record: &FlowRecord) -> Self {
        let (from, to) = record.header.endpoints();
        let counters = record.sides.each_ref().map(|side| side.counters);
        let failure = FlowFailure::of(record);
        FlowRow {
            flow_id: record.header.flow_id,
            start: record.start,
            end: record.end,
            proto: record.header.key.proto(),
            app: record.app_proto,
            from,
            to,
            packets: counters.map(|of| of.packets),
            bytes: counters.map(|of| of.wire_bytes),
            retransmits: record.sides.iter().map(|side| u64::from(side.retransmits)).sum(),
            state: record.kind.outcome(),
            history: record.history.to_string(),
            failure,
        }
    }
}

/// The largest flows, and the first others that failed.
#[derive(Clone, Debug, Default)]
pub(crate) struct FlowSample {
    /// By bytes, and of equal ones the first.
    largest: BTreeMap<(u64, Reverse<u64>), FlowRow>,
    /// By their numbers: also those that are among the largest.
    failed: Vec<(u64, FlowRow)>,
    failures: BTreeMap<FlowFailure, u64>,
    pub(crate) seen: u64,
}

impl FlowSample {
    /// Rows by size.
    pub(crate) const LARGEST: usize = 750;
    /// Rows of failed flows.
    pub(crate) const FAILED: usize = 250;

    pub(crate) fn add(&mut self, record: &FlowRecord) {
        let number = self.seen;
        self.seen += 1;
        let bytes = record.sides.iter().map(|side| side.counters.wire_bytes).sum();
        let place = (bytes, Reverse(number));
        if let Some(failure) = FlowFailure::of(record) {
            *self.failures.entry(failure).or_default() += 1;
            if self.failed.len() < Self::FAILED {
                self.failed.push((number, FlowRow::of(record)));
            }
        }
        let is_full = self.largest.len() == Self::LARGEST;
        if !is_full || self.largest.first_key_value().is_some_and(|(least, _)| *least < place) {
            if is_full {
                self.largest.pop_first();
            }
            self.largest.insert(place, FlowRow::of(record));
        }
    }

    /// How many flows failed.
    pub(crate) fn failures(&self) -> &BTreeMap<FlowFailure, u64> {
        &self.failures
    }

    /// The rows, those with the most bytes first, then the failed ones in the order in which they ended.
    pub(crate) fn rows(&self) -> Vec<&FlowRow> {
        let is_largest = |number: u64, row: &FlowRow| {
            self.largest.contains_key(&(row.bytes.iter().sum(), Reverse(number)))
        };
        let others = self.failed.iter().filter(|(number, row)| !is_largest(*number, row));
        self.largest.values().rev().chain(others.map(|(_, row)| row)).collect()
    }
}

/// Session records at regular distances, and the first others that failed.
#[derive(Clone, Debug)]
pub(crate) struct SessionSample {
    regular: Vec<(u64, Session)>,
    failed: Vec<(u64, Session)>,
    pub(crate) every: u64,
    pub(crate) seen: u64,
}

impl SessionSample {
    /// Most rows at regular distances.
    const REGULAR: usize = 750;
    /// Rows of failed sessions.
    pub(crate) const FAILED: usize = 250;

    pub(crate) fn new() -> Self {
        SessionSample { regular: Vec::new(), failed: Vec::new(), every: 1, seen: 0 }
    }

    pub(crate) fn add(&mut self, session: Session) {
        let number = self.seen;
        self.seen += 1;
        if session.failed.is_some() && self.failed.len() < Self::FAILED {
            self.failed.push((number, session.clone()));
        }
        if !number.is_multiple_of(self.every) {
            return;
        }
        if self.regular.len() == Self::REGULAR {
            self.every *= 2;
            let every = self.every;
            self.regular.retain(|(number, _)| number.is_multiple_of(every));
            if !number.is_multiple_of(every) {
                return;
            }
        }
        self.regular.push((number, session));
    }

    /// The rows, in the order of the records.
    pub(crate) fn rows(&self) -> Vec<&Session> {
        let mut rows: Vec<&(u64, Session)> = self.regular.iter().chain(&self.failed).collect();
        rows.sort_by_key(|(number, _)| *number);
        rows.dedup_by_key(|(number, _)| *number);
        rows.into_iter().map(|(_, session)| session).collect()
    }
}

/// The time that a row of a flow took.
pub(crate) fn lasted(row: &FlowRow) -> Duration {
    row.end.since(row.start)
}

#[cfg(test)]
mod tests {
    use flowscope_core::L4Proto;
    use flowscope_extract::FiveTupleKey;

    use super::*;

    fn session(number: u64, failed: bool) -> Session {
        let ends = ("10.0.0.1:5".parse().unwrap(), "10.0.0.2:53".parse().unwrap());
        let (key, orientation) = FiveTupleKey::new(L4Proto::Udp, ends.0, ends.1).unwrap();
        let (from, to) = key.endpoints(orientation);
        let ts = Timestamp::from_secs(number);
        Session {
            flow_id: number,
            start: ts,
            end: ts,
            latency: None,
            protocol: "dns",
            from,
            to,
            summary: String::new(),
            names: [None, None, None],
            failed: failed.then(|| "NXDOMAIN".to_owned()),
        }
    }

    #[test]
    fn sessions_are_taken_at_regular_distances_however_many_there_are() {
        for n in [0, 1, 749, 750, 751, 1500, 1501, 40_000] {
            let mut sample = SessionSample::new();
            (0..n).for_each(|number| sample.add(session(number, false)));
            let numbers: Vec<u64> = sample.rows().iter().map(|row| row.flow_id).collect();
            let every = sample.every;
            let expected: Vec<u64> = (0..n).step_by(every as usize).collect();
            assert_eq!(numbers, expected, "{n}");
            assert!(n <= 750 || numbers.len() > 750 / 2, "{n}: {}", numbers.len());
            assert!(numbers.len() <= 750);
        }
    }

    #[test]
    fn failed_sessions_are_there_too_and_once() {
        let mut sample = SessionSample::new();
        (0..10_000).for_each(|number| sample.add(session(number, number % 8 == 1)));
        let numbers: Vec<u64> = sample.rows().iter().map(|row| row.flow_id).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "in order, each once");
        let failed: Vec<u64> = (0..10_000).filter(|number| number % 8 == 1).take(250).collect();
        assert!(failed.iter().all(|number| numbers.contains(number)));
        assert_eq!(numbers.len(), 10_000_usize.div_ceil(16) + 250);
    }
}

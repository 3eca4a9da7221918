//! Flows that the parsers of other flows expect.

use std::collections::VecDeque;

use flowscope_core::{Endpoints, Expectation, FlowSide, Orientation, Timestamp};
use flowscope_track::FlowId;

use crate::place::{MAX_AGE, Place};

/// Flows that are expected at the same time; of more, the oldest are forgotten.
const MAX_EXPECTED: usize = 128;

/// Bytes that a parser may say of one; what says more is expected without.
const MAX_ABOUT: usize = 4096;

/// The flows that are expected.
///
/// Holds at most 128, each with at most 4096 bytes.
#[derive(Debug, Default)]
pub(crate) struct Expectations(VecDeque<Expected>);

#[derive(Debug)]
struct Expected {
    place: Place,
    protocol: &'static str,
    /// The flow whose parser expects it.
    by: FlowId,
    about: Vec<u8>,
    since: Timestamp,
    /// The flow that it has turned out to be.
    taken: Option<FlowId>,
}

impl Expectations {
    /// Adds what the parser of the flow `by`, of these ends, expects. `initiator` is the orientation in which the
    /// initiator of that flow sends.
    pub(crate) fn add(
        &mut self,
        ends: Endpoints,
        initiator: Orientation,
        (by, since): (FlowId, Timestamp),
        expectation: Expectation,
    ) {
        let Expectation { protocol, listener, host, port, mut about, .. } = expectation;
        if about.len() > MAX_ABOUT {
            about = Vec::new();
        }
        let is_a = (initiator == Orientation::Forward) == (listener == FlowSide::Initiator);
        let (own, other) = if is_a { (ends.a, ends.b) } else { (ends.b, ends.a) };
        for place in Place::said(own.ip(), host, port, other.ip()) {
            let about = about.clone();
            self.put(Expected { place, protocol, by, about, since, taken: None });
        }
    }

    fn put(&mut self, new: Expected) {
        match self.0.iter_mut().find(|it| it.place == new.place) {
            // Which file is sent, say, is known later than where to.
            Some(known) if known.by == new.by && !new.about.is_empty() => {
                known.about = new.about;
                known.since = new.since;
            }
            Some(known) => *known = new,
            None => {
                if self.0.len() == MAX_EXPECTED {
                    self.0.pop_front();
                }
                self.0.push_back(new);
            }
        }
    }

    /// Whether none is expected.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The protocol of the flow of this id and these ends, if it is expected; it is no other from then on. Forgets what has
    /// been expected for too long, so that flows are not compared with it any more.
    pub(crate) fn take(
        &mut self,
        id: FlowId,
        ends: Endpoints,
        now: Timestamp,
    ) -> Option<&'static str> {
        self.0.retain(|it| it.taken.is_some() || now.since(it.since) <= MAX_AGE);
        let places = Place::of(ends);
        let is_it =
            |it: &&mut Expected| places.contains(&it.place) && it.taken.is_none() && it.by != id;
        let found = self.0.iter_mut().rfind(is_it)?;
        found.taken = Some(id);
        Some(found.protocol)
    }

    /// Who expects the flow with this id, and what it says of it.
    pub(crate) fn of(&self, id: FlowId) -> Option<(FlowId, &[u8])> {
        let found = self.0.iter().find(|it| it.taken == Some(id))?;
        Some((found.by, &found.about))
    }

    /// The flow with this id is read no further.
    pub(crate) fn release(&mut self, id: FlowId) {
        self.0.retain(|it| it.taken != Some(id));
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let about: usize = self.0.iter().map(|it| it.about.capacity()).sum();
        about + self.0.capacity() * size_of::<Expected>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of a flow in which `a` is the initiator.
    fn ends(a: &str, b: &str) -> Endpoints {
        Endpoints { a: a.parse().unwrap(), b: b.parse().unwrap() }
    }

    fn add(all: &mut Expectations, by: u64, port: u16, about: &str) {
        let expected = Expectation::new("data", FlowSide::Responder, port).about(about.into());
        let control = ends("10.0.0.1:4000", "10.0.0.2:21");
        all.add(control, Orientation::Forward, (FlowId(by), Timestamp::ZERO), expected);
    }

    #[test]
    fn a_flow_is_expected_once_and_from_one_host() {
        let mut all = Expectations::default();
        add(&mut all, 1, 50, "");
        let data = ends("10.0.0.1:4001", "10.0.0.2:50");
        assert_eq!(
            all.take(FlowId(2), ends("10.0.0.9:4001", "10.0.0.2:50"), Timestamp::ZERO),
            None
        );
        assert_eq!(
            all.take(FlowId(2), ends("10.0.0.1:4001", "10.0.0.2:51"), Timestamp::ZERO),
            None
        );
        assert_eq!(all.take(FlowId(2), data, Timestamp::from_secs(300)), Some("data"));
        assert_eq!(all.of(FlowId(2)), Some((FlowId(1), &b""[..])));
        assert_eq!(all.take(FlowId(3), data, Timestamp::ZERO), None);
        // What is said later is of the flow that has begun, and a new expectation of the next one.
        add(&mut all, 1, 50, "file");
        assert_eq!(all.of(FlowId(2)), Some((FlowId(1), &b"file"[..])));
        all.release(FlowId(2));
        assert!(all.is_empty());
    }

    #[test]
    fn what_does_not_come_is_forgotten() {
        let mut all = Expectations::default();
        add(&mut all, 1, 50, "");
        let data = ends("10.0.0.1:4001", "10.0.0.2:50");
        assert_eq!(all.take(FlowId(2), data, Timestamp::from_secs(301)), None);
        assert!(all.is_empty());
    }

    #[test]
    fn the_host_that_is_named_counts_beside_the_one_that_is_seen() {
        let mut all = Expectations::default();
        let host = Some("192.0.2.1".parse().unwrap());
        let expected = Expectation::new("data", FlowSide::Initiator, 50).host(host);
        let control = ends("10.0.0.1:4000", "10.0.0.2:21");
        all.add(control, Orientation::Forward, (FlowId(1), Timestamp::ZERO), expected);
        for (id, listener) in [(2, "10.0.0.1:50"), (3, "192.0.2.1:50")] {
            let found = all.take(FlowId(id), ends("10.0.0.2:20", listener), Timestamp::ZERO);
            assert_eq!(found, Some("data"), "{listener}");
        }
    }

    #[test]
    fn what_is_expected_is_bounded() {
        let mut all = Expectations::default();
        let about = "x".repeat(MAX_ABOUT);
        (0..1000).for_each(|port| add(&mut all, 1, port, &about));
        assert_eq!(all.0.len(), MAX_EXPECTED);
        assert!(all.heap_bytes() < MAX_EXPECTED * 2 * (MAX_ABOUT + size_of::<Expected>()));
        add(&mut all, 1, 1000, &"x".repeat(MAX_ABOUT + 1));
        let last = ends("10.0.0.1:4001", "10.0.0.2:1000");
        assert_eq!(all.take(FlowId(2), last, Timestamp::ZERO), Some("data"));
        assert_eq!(all.of(FlowId(2)).map(|(_, about)| about.len()), Some(0));
        assert_eq!(all.take(FlowId(3), ends("10.0.0.1:4001", "10.0.0.2:5"), Timestamp::ZERO), None);
    }
}

//! Packets in, the tracker's events out, in a form that tests can be written in.

use flowscope::core::{FlowSide, LinkType, PacketView, Timestamp};
use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope::track::{
    Anomaly, Change, EndReason, Flow, FlowEvent, FlowSink, FlowState, FlowStats, FlowTracker,
    History, TrackerConfig,
};
use flowscope_testkit::Dialogue;

/// Everything a tracker said about some packets.
pub struct Outcome {
    /// All events, in order.
    pub events: Vec<FlowEvent<FiveTupleKey>>,
    /// The flows, in the order in which their entries left the table, late packets included.
    pub removed: Vec<End>,
}

/// A flow's end, as the tracker reported it.
pub struct End {
    /// Why.
    pub reason: EndReason,
    /// Everything counted.
    pub stats: FlowStats,
    /// Zeek's letters.
    pub history: History,
    /// Time of the event.
    pub ts: Timestamp,
}

/// Tracks a script under the default configuration, to the end of input.
#[must_use]
pub fn run(script: Dialogue) -> Outcome {
    run_with(TrackerConfig::default(), script)
}

/// Tracks a script to the end of input.
#[must_use]
pub fn run_with(config: TrackerConfig, script: Dialogue) -> Outcome {
    run_packets(config, &script.build())
}

/// Tracks Ethernet frames to the end of input.
#[must_use]
pub fn run_packets(config: TrackerConfig, packets: &[(Timestamp, Vec<u8>)]) -> Outcome {
    let mut tracker = FlowTracker::with_config(AutoDetectEncap(FiveTuple::bidirectional()), config);
    let mut outcome = Outcome { events: Vec::new(), removed: Vec::new() };
    for (ts, frame) in packets {
        tracker.track(PacketView::new(frame, LinkType::ETHERNET, *ts), &mut outcome);
    }
    tracker.finish(EndReason::EndOfInput, &mut outcome);
    outcome
}

impl FlowSink<FiveTupleKey, ()> for Outcome {
    fn event(&mut self, flow: Flow<'_, FiveTupleKey, ()>, change: Change) {
        self.events.push(FlowEvent::from_change(&flow, change));
    }

    fn removed(&mut self, flow: Flow<'_, FiveTupleKey, ()>, reason: EndReason) {
        let (stats, history) = (flow.stats(), flow.history());
        self.removed.push(End { reason, stats, history, ts: flow.ts });
    }
}

impl Outcome {
    /// The ends, in order.
    #[must_use]
    pub fn ends(&self) -> Vec<End> {
        self.events
            .iter()
            .filter_map(|event| match event {
                FlowEvent::Ended { flow, reason, stats, history } => Some(End {
                    reason: *reason,
                    stats: (**stats).clone(),
                    history: *history,
                    ts: flow.ts,
                }),
                _ => None,
            })
            .collect()
    }

    /// The only end.
    ///
    /// # Panics
    ///
    /// When there is another number of them.
    #[must_use]
    pub fn end(&self) -> End {
        let mut ends = self.ends();
        assert_eq!(ends.len(), 1, "flows: {:?}", self.reasons());
        ends.remove(0)
    }

    /// Why each flow ended, in order.
    #[must_use]
    pub fn reasons(&self) -> Vec<EndReason> {
        self.ends().iter().map(|end| end.reason).collect()
    }

    /// The states entered, in order, over all flows.
    #[must_use]
    pub fn states(&self) -> Vec<FlowState> {
        self.events
            .iter()
            .filter_map(|event| match event {
                FlowEvent::StateChange { to, .. } => Some(*to),
                _ => None,
            })
            .collect()
    }

    /// The anomalies, in order.
    #[must_use]
    pub fn anomalies(&self) -> Vec<(Anomaly, FlowSide)> {
        self.events
            .iter()
            .filter_map(|event| match event {
                FlowEvent::Anomaly { kind, side, .. } => Some((*kind, *side)),
                _ => None,
            })
            .collect()
    }

    /// How often a flow was established.
    #[must_use]
    pub fn established(&self) -> usize {
        self.events.iter().filter(|e| matches!(e, FlowEvent::Established { .. })).count()
    }

    /// What came late, in order of the `Late` events: packets of initiator and responder.
    #[must_use]
    pub fn late(&self) -> Vec<(u64, u64)> {
        self.events
            .iter()
            .filter_map(|event| match event {
                FlowEvent::Late { stats, .. } => stats.late,
                _ => None,
            })
            .map(|late| (late.sides[0].packets, late.sides[1].packets))
            .collect()
    }
}

impl End {
    /// Packets of initiator and responder.
    #[must_use]
    pub fn packets(&self) -> (u64, u64) {
        (self.stats.initiator.counters.packets, self.stats.responder.counters.packets)
    }
}

use flowscope_core::{Conflict, FlowSide, ParserStatus, StreamChunk};
use flowscope_session::StopReason;
use flowscope_track::{
    Anomaly, Change, EndReason, Flow, FlowEvent, FlowRef, FlowStats, History, InitiatorEvidence,
};

use crate::Detection;

/// What a session driver reports: the lives of flows, and what was said in them.
///
/// Every event names its flow, the packet time, and the number of the packet that it follows from;
/// events come in that order.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SessionEvent<K, M> {
    /// The flow is new.
    Started {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// Why this side is called the initiator.
        evidence: InitiatorEvidence,
    },
    /// It was decided which parser reads the flow.
    ParserChosen {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// Which protocol, and how it was found.
        detection: Detection,
    },
    /// A message.
    Application {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// Who sent what completed it.
        side: FlowSide,
        /// What the parser made of it.
        message: M,
    },
    /// Bytes of a stream that were never captured.
    Gap {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// Who sent them.
        side: FlowSide,
        /// Where in the side's stream they are missing.
        offset: u64,
        /// How many are.
        len: u64,
    },
    /// The parser reads no more of one side or of both. The flow goes on.
    ParserStopped {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// The side that is given up; `None` for both.
        side: Option<FlowSide>,
        /// Why.
        why: StopReason,
    },
    /// Two copies of the same bytes of a stream differ.
    Conflict {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// Who sent them.
        side: FlowSide,
        /// Where, how many, and which copy is read.
        conflict: Conflict,
    },
    /// Something odd about the flow's packets.
    Anomaly {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// What.
        kind: Anomaly,
        /// Who sent it.
        side: FlowSide,
    },
    /// The flow has lasted another active interval.
    Interim {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// 1 for the flow's first.
        sequence: u32,
        /// Cumulative, and in `delta` what the interval brought.
        stats: Box<FlowStats>,
    },
    /// The flow is over; nothing more was said in it.
    Closed {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// Why.
        reason: EndReason,
        /// Everything counted.
        stats: Box<FlowStats>,
        /// What happened, in Zeek's letters.
        history: History,
    },
    /// The entry of a closed flow is gone, and had absorbed late packets.
    Late {
        /// Which flow, and when.
        flow: FlowRef<K>,
        /// As at the end, with the late part in `late`.
        stats: Box<FlowStats>,
    },
}

/// What happens to what is said in a flow, lent to a [`SessionSink`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SessionChange {
    /// It was decided which parser reads the flow.
    Chosen(Detection),
    /// Bytes were never captured.
    Gap {
        /// Who sent them.
        side: FlowSide,
        /// Where in the side's stream they are missing.
        offset: u64,
        /// How many are.
        len: u64,
    },
    /// The parser reads no more of one side, or of both.
    Stopped {
        /// The side that is given up; `None` for both.
        side: Option<FlowSide>,
        /// Why.
        why: StopReason,
    },
    /// Two copies of the same bytes differ.
    Conflict {
        /// Who sent them.
        side: FlowSide,
        /// Where, how many, and which copy is read.
        conflict: Conflict,
    },
}

/// Takes what a session engine lends. For one packet the calls come in the order of
/// [`FlowSink`](flowscope_track::FlowSink), messages where segments and datagrams are lent there;
/// what the end of a flow completes comes before its `Ended`.
pub trait SessionSink<K, M, U = ()> {
    /// Whether `Packet` changes are wanted.
    #[inline]
    fn wants_packets(&self) -> bool {
        false
    }

    /// Something happened to a flow.
    fn flow(&mut self, _flow: Flow<'_, K, U>, _change: Change) {}

    /// Something happened to what is said in it.
    fn session(&mut self, _flow: Flow<'_, K, U>, _change: SessionChange) {}

    /// Bytes of a stream that is read, in order, before its parser gets them. Anything but `Continue`
    /// is heeded as if the parser had said it, and the parser does not get these bytes, which count as
    /// delivered nevertheless.
    #[inline]
    fn bytes(&mut self, _flow: Flow<'_, K, U>, _feed: StreamChunk<'_>) -> ParserStatus {
        ParserStatus::Continue
    }

    /// All that `side` sent up to its FIN was lent, or is a gap; at most once for each side.
    #[inline]
    fn fin(&mut self, _flow: Flow<'_, K, U>, _side: FlowSide) {}

    /// A message, completed by what `side` sent.
    fn message(&mut self, _flow: Flow<'_, K, U>, _side: FlowSide, _message: M) {}

    /// The entry of a flow leaves the flow table: the last call for each flow, exactly once for each
    /// `Started`. See [`FlowSink::removed`](flowscope_track::FlowSink::removed).
    #[inline]
    fn removed(&mut self, _flow: Flow<'_, K, U>, _reason: EndReason) {}
}

/// Takes nothing.
impl<K, M, U> SessionSink<K, M, U> for () {}

/// Collects the owned form of every event.
impl<K: Clone, M, U> SessionSink<K, M, U> for Vec<SessionEvent<K, M>> {
    fn flow(&mut self, flow: Flow<'_, K, U>, change: Change) {
        self.extend(SessionEvent::from_change(&flow, change));
    }

    fn session(&mut self, flow: Flow<'_, K, U>, change: SessionChange) {
        self.push(SessionEvent::from_session(&flow, change));
    }

    fn message(&mut self, flow: Flow<'_, K, U>, side: FlowSide, message: M) {
        self.push(SessionEvent::Application { flow: flow.to_ref(), side, message });
    }
}

impl<K: Clone, M> SessionEvent<K, M> {
    /// The owned form of what happened to a flow, if it has one: what is about single packets and
    /// TCP's states alone has none.
    #[must_use]
    pub fn from_change<U>(flow: &Flow<'_, K, U>, change: Change) -> Option<Self> {
        match change {
            Change::Packet(_)
            | Change::Established
            | Change::StateChange { .. }
            | Change::IcmpError { .. } => return None,
            _ => {}
        }
        Some(match FlowEvent::from_change(flow, change) {
            FlowEvent::Started { flow, evidence } => SessionEvent::Started { flow, evidence },
            FlowEvent::Anomaly { flow, kind, side } => SessionEvent::Anomaly { flow, kind, side },
            FlowEvent::Interim { flow, sequence, stats } => {
                SessionEvent::Interim { flow, sequence, stats }
            }
            FlowEvent::Ended { flow, reason, stats, history } => {
                SessionEvent::Closed { flow, reason, stats, history }
            }
            FlowEvent::Late { flow, stats } => SessionEvent::Late { flow, stats },
            _ => return None,
        })
    }

    /// The owned form of what happened to what is said in a flow.
    #[must_use]
    pub fn from_session<U>(flow: &Flow<'_, K, U>, change: SessionChange) -> Self {
        let flow = flow.to_ref();
        match change {
            SessionChange::Chosen(detection) => SessionEvent::ParserChosen { flow, detection },
            SessionChange::Gap { side, offset, len } => {
                SessionEvent::Gap { flow, side, offset, len }
            }
            SessionChange::Stopped { side, why } => SessionEvent::ParserStopped { flow, side, why },
            SessionChange::Conflict { side, conflict } => {
                SessionEvent::Conflict { flow, side, conflict }
            }
        }
    }
}

impl<K, M> SessionEvent<K, M> {
    /// Which flow it is about, and where in the input it stands.
    #[must_use]
    pub fn flow(&self) -> &FlowRef<K> {
        match self {
            SessionEvent::Started { flow, .. }
            | SessionEvent::ParserChosen { flow, .. }
            | SessionEvent::Application { flow, .. }
            | SessionEvent::Gap { flow, .. }
            | SessionEvent::ParserStopped { flow, .. }
            | SessionEvent::Conflict { flow, .. }
            | SessionEvent::Anomaly { flow, .. }
            | SessionEvent::Interim { flow, .. }
            | SessionEvent::Closed { flow, .. }
            | SessionEvent::Late { flow, .. } => flow,
        }
    }
}

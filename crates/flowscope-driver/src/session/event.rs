use flowscope_core::{Conflict, FlowSide, ParserStatus, StreamChunk};
use flowscope_session::StopReason;
use flowscope_track::{
    Change, EndReason, Flow, FlowEvent, FlowRef, FlowStats, History, InitiatorEvidence, PacketInfo,
};

use crate::Detection;

/// What a session driver reports: flow events, messages, and what the streams of a flow lack.
///
/// Every event names its flow, the packet time, and the number of the packet that it follows from;
/// events come in that order.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SessionEvent<K, M> {
    /// The flow is new.
    Started {
        /// The flow, and the event's place in the input.
        flow: FlowRef<K>,
        /// Why this side is the initiator.
        evidence: InitiatorEvidence,
    },
    /// A parser was chosen for the flow, or the name of a protocol that no parser reads.
    ParserChosen {
        /// The flow, and the event's place in the input.
        flow: FlowRef<K>,
        /// The protocol, and how it was detected.
        detection: Detection,
    },
    /// The first bytes of one side are not of the protocol that those of the other are surely of, and of no other
    /// that is known. The flow [keeps](Detection::holds) its protocol, and the parser reads on. At most once.
    Contradicted {
        /// The flow, and the event's place in the input.
        flow: FlowRef<K>,
        /// The protocol, and the side that contradicts.
        detection: Detection,
    },
    /// The flow does not speak the protocol that was chosen for it after all: the first bytes of one side contradict
    /// a port, or are surely of another protocol than those of the other side ([`Detection::holds`]); or the
    /// parser of a protocol that was chosen by a port alone has [failed](StopReason::Failed) on bytes of
    /// [another](flowscope_core::ParseError::NotTheProtocol). Where a port alone was the reason, nothing reads the
    /// flow from here on. At most once.
    Withdrawn {
        /// The flow, and the event's place in the input.
        flow: FlowRef<K>,
        /// The protocol, and how it was detected.
        detection: Detection,
    },
    /// A message of the flow's protocol.
    Application {
        /// The flow, and the event's place in the input.
        flow: FlowRef<K>,
        /// The sender of the bytes that completed the message.
        side: FlowSide,
        /// The parser's message.
        message: M,
    },
    /// Bytes of a stream that were never captured.
    Gap {
        /// The flow, and the event's place in the input.
        flow: FlowRef<K>,
        /// The sender of the bytes.
        side: FlowSide,
        /// Offset of the first missing byte in the side's stream.
        offset: u64,
        /// Number of missing bytes.
        len: u64,
    },
    /// The parser reads one side or both sides no further. The flow goes on.
    ParserStopped {
        /// The flow, and the event's place in the input.
        flow: FlowRef<K>,
        /// The side that is read no further; `None` for both.
        side: Option<FlowSide>,
        /// Why.
        why: StopReason,
    },
    /// Two copies of the same bytes of a stream differ.
    Conflict {
        /// The flow, and the event's place in the input.
        flow: FlowRef<K>,
        /// The sender of the bytes.
        side: FlowSide,
        /// Offset, length, and which copy the parser reads.
        conflict: Conflict,
    },
    /// Another event of the flow: an anomaly, an interim record, or late packets after
    /// [`Closed`](Self::Closed). Drivers report no [`Packet`](FlowEvent::Packet),
    /// [`Established`](FlowEvent::Established), [`StateChange`](FlowEvent::StateChange) or
    /// [`IcmpError`](FlowEvent::IcmpError) here; a [`SessionSink`] gets all of them.
    Flow(FlowEvent<K>),
    /// The flow has ended.
    ///
    /// Its streams may go on for as long as its entry lingers: bytes that were missing, and those that were on
    /// their way to the sender of a reset, are read when they are captured late
    /// ([linger time](flowscope_track::TrackerConfig::linger)). Messages, gaps and stops of that, and what the
    /// end of the streams completes, come after `Closed`, and before the flow's
    /// [`Late`](FlowEvent::Late). A flow whose streams are complete at its close has none.
    Closed {
        /// The flow, and the event's place in the input.
        flow: FlowRef<K>,
        /// Why it ended.
        reason: EndReason,
        /// All counters of the flow.
        stats: Box<FlowStats>,
        /// The history of the flow, in Zeek's letters.
        history: History,
    },
}

/// A change of a flow's session, lent to a [`SessionSink`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SessionChange {
    /// A parser was chosen, or the name of a protocol that no parser reads.
    Chosen(Detection),
    /// The first bytes of one side are not of that protocol: see [`SessionEvent::Contradicted`].
    Contradicted(Detection),
    /// The flow does not speak that protocol after all: see [`SessionEvent::Withdrawn`].
    Withdrawn(Detection),
    /// Bytes of a stream were never captured.
    Gap {
        /// The sender of the bytes.
        side: FlowSide,
        /// Offset of the first missing byte in the side's stream.
        offset: u64,
        /// Number of missing bytes.
        len: u64,
    },
    /// The parser reads one side or both sides no further.
    Stopped {
        /// The side that is read no further; `None` for both.
        side: Option<FlowSide>,
        /// Why.
        why: StopReason,
    },
    /// Two copies of the same bytes differ.
    Conflict {
        /// The sender of the bytes.
        side: FlowSide,
        /// Offset, length, and which copy the parser reads.
        conflict: Conflict,
    },
}

/// Receives the borrowed events of a session engine.
///
/// The calls for one packet come in the order of [`FlowSink`](flowscope_track::FlowSink), messages where
/// segments and datagrams are lent there. The streams of a flow may go on after its `Ended`, in bytes that come
/// late: see [`SessionEvent::Closed`]. [`session_ended`](Self::session_ended) says that they do not any more.
pub trait SessionSink<K, M, U = ()> {
    /// Whether `Packet` changes are wanted.
    #[inline]
    fn wants_packets(&self) -> bool {
        false
    }

    /// A change of a flow.
    fn flow(&mut self, _flow: Flow<'_, K, U>, _change: Change) {}

    /// A packet that came after the flow's `Ended`: see [`FlowSink::late_packet`](flowscope_track::FlowSink::late_packet).
    fn late_packet(&mut self, _flow: Flow<'_, K, U>, _packet: PacketInfo) {}

    /// A change of a flow's session.
    fn session(&mut self, _flow: Flow<'_, K, U>, _change: SessionChange) {}

    /// Bytes of a stream, in order, before its parser gets them. A return value other than `Continue`
    /// is applied as if the parser had returned it: the parser does not get these bytes, which still
    /// count as delivered.
    #[inline]
    fn bytes(&mut self, _flow: Flow<'_, K, U>, _feed: StreamChunk<'_>) -> ParserStatus {
        ParserStatus::Continue
    }

    /// The stream of `side` is complete up to its FIN, gaps included. If the FIN was
    /// [retracted](flowscope_track::Anomaly::RetractedFin), the stream goes on, and its next FIN comes too.
    #[inline]
    fn fin(&mut self, _flow: Flow<'_, K, U>, _side: FlowSide) {}

    /// A message, completed by bytes of `side`.
    fn message(&mut self, _flow: Flow<'_, K, U>, _side: FlowSide, _message: M) {}

    /// Nothing more comes of the flow's streams: no bytes, gap, stop, FIN or message. Exactly once for each
    /// `Started`: directly after `Ended`, or, where more of the streams may come late, once they are
    /// complete, at the latest when the entry leaves the flow table.
    #[inline]
    fn session_ended(&mut self, _flow: Flow<'_, K, U>, _reason: EndReason) {}

    /// The entry of a flow leaves the flow table: the last call for each flow, exactly once for each
    /// `Started`. See [`FlowSink::removed`](flowscope_track::FlowSink::removed).
    #[inline]
    fn removed(&mut self, _flow: Flow<'_, K, U>, _reason: EndReason) {}
}

/// Ignores every event.
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
    /// The owned form of a flow's change. `None` for single packets, TCP states and ICMP errors, which
    /// drivers do not report.
    #[inline]
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
            FlowEvent::Ended { flow, reason, stats, history } => {
                SessionEvent::Closed { flow, reason, stats, history }
            }
            event => SessionEvent::Flow(event),
        })
    }

    /// The owned form of a session's change.
    #[must_use]
    pub fn from_session<U>(flow: &Flow<'_, K, U>, change: SessionChange) -> Self {
        let flow = flow.to_ref();
        match change {
            SessionChange::Chosen(detection) => SessionEvent::ParserChosen { flow, detection },
            SessionChange::Contradicted(detection) => {
                SessionEvent::Contradicted { flow, detection }
            }
            SessionChange::Withdrawn(detection) => SessionEvent::Withdrawn { flow, detection },
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

impl SessionChange {
    /// What becomes of a protocol that the first bytes of one side contradict.
    pub(crate) fn contradiction(detection: Detection) -> Self {
        match detection.holds() {
            true => SessionChange::Contradicted(detection),
            false => SessionChange::Withdrawn(detection),
        }
    }
}

impl<K, M> SessionEvent<K, M> {
    /// The flow, and the event's place in the input.
    #[must_use]
    pub fn flow(&self) -> &FlowRef<K> {
        match self {
            SessionEvent::Started { flow, .. }
            | SessionEvent::ParserChosen { flow, .. }
            | SessionEvent::Contradicted { flow, .. }
            | SessionEvent::Withdrawn { flow, .. }
            | SessionEvent::Application { flow, .. }
            | SessionEvent::Gap { flow, .. }
            | SessionEvent::ParserStopped { flow, .. }
            | SessionEvent::Conflict { flow, .. }
            | SessionEvent::Closed { flow, .. } => flow,
            SessionEvent::Flow(event) => event.flow(),
        }
    }
}

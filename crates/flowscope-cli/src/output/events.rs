//! The event log, one JSON object per line.

use flowscope::core::{Conflict, FlowSide, KeptCopy, L4Proto, Orientation, Timestamp};
use flowscope::driver::{DetectedBy, Detection, SessionChange, StopReason};
use flowscope::extract::FiveTupleKey;
use flowscope::output::json::{self, Object};
use flowscope::output::{
    EveFormat, FlowRecord, RecordHeader, end_reason, initiator_evidence, rfc3339,
};
use flowscope::record::{Record, Schema, Short, Visitor};
use flowscope::track::{Anomaly, Change, Flow, FlowState, InitiatorEvidence, PacketInfo};

use super::spoken::Spoken;
use super::{RecordFormat, Totals, stats};
use crate::reading::{AppRecord, MessageOptions, PayloadMode};

/// Everything that happened to every flow.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    eve: EveFormat,
    community_id_seed: u16,
}

impl Events {
    /// With Community IDs of this seed.
    pub(crate) fn new(community_id_seed: u16) -> Self {
        Events { eve: EveFormat::new(), community_id_seed }
    }
}

/// What an event needs to know of its flow beside the key.
#[derive(Debug)]
pub(crate) struct EventState {
    community_id: Short<30>,
    /// That of the initiator's packets; right from the flow's first event on.
    orientation: Orientation,
    spoken: Spoken,
    /// Copies of the same bytes differed: what was read is one of several readings.
    ambiguous: bool,
}

/// An event until it is written.
#[derive(Debug)]
pub(crate) struct EventRecord {
    packet: u64,
    ts: Timestamp,
    id: u64,
    key: FiveTupleKey,
    community_id: Short<30>,
    orientation: Orientation,
    what: What,
}

#[derive(Debug)]
enum What {
    Started(InitiatorEvidence),
    Packet(PacketInfo),
    Established,
    StateChange(FlowState, FlowState),
    Anomaly(Anomaly, FlowSide),
    IcmpError(u8, u8, FlowSide),
    Interim(u32, Box<FlowRecord>),
    Ended(&'static str, Box<FlowRecord>),
    Late(Box<FlowRecord>),
    ParserChosen(Detection),
    Contradicted(Detection),
    Withdrawn(Detection),
    ParserStopped(Option<FlowSide>, StopReason),
    Gap { side: FlowSide, offset: u64, len: u64 },
    Conflict(FlowSide, Conflict),
    Application(FlowSide, AppRecord),
}

impl RecordFormat for Events {
    const PACKETS: bool = true;
    type State = EventState;
    type Record = EventRecord;

    fn state(&self, key: &FiveTupleKey) -> EventState {
        EventState {
            community_id: Short::of(key.community_id(self.community_id_seed)),
            orientation: Orientation::Forward,
            spoken: Spoken::default(),
            ambiguous: false,
        }
    }

    fn reading(&self) -> PayloadMode {
        PayloadMode::Messages(MessageOptions::ALL)
    }

    fn record(
        &self,
        flow: Flow<'_, FiveTupleKey, EventState>,
        change: Change,
    ) -> Option<EventRecord> {
        // An interim record has what its interval brought, the last one everything.
        let whole = || {
            let mut record = FlowRecord::of_change(&flow, change)?;
            if let Change::Ended { .. } = change {
                record = flow.state.spoken.record(record);
            }
            record.header.ambiguous = flow.state.ambiguous;
            Some(Box::new(record))
        };
        let what = match change {
            Change::Started { evidence } => {
                flow.state.orientation = flow.stats().orientation;
                What::Started(evidence)
            }
            Change::Packet(info) => What::Packet(info),
            Change::Established => What::Established,
            Change::StateChange { from, to } => What::StateChange(from, to),
            Change::Anomaly { kind, side } => What::Anomaly(kind, side),
            Change::IcmpError { icmp, side } => What::IcmpError(icmp.kind, icmp.code, side),
            Change::Interim { sequence } => What::Interim(sequence, whole()?),
            Change::Ended { reason } => What::Ended(end_reason(reason), whole()?),
            Change::Late => What::Late(whole()?),
            _ => return None,
        };
        Some(EventRecord::of(&flow, what))
    }

    fn session(
        &self,
        flow: Flow<'_, FiveTupleKey, EventState>,
        change: SessionChange,
    ) -> Option<EventRecord> {
        flow.state.spoken.note(&change);
        let what = match change {
            SessionChange::Chosen(detection) => What::ParserChosen(detection),
            SessionChange::Contradicted(detection) => What::Contradicted(detection),
            SessionChange::Withdrawn(detection) => What::Withdrawn(detection),
            SessionChange::Stopped { side, why } => What::ParserStopped(side, why),
            SessionChange::Gap { side, offset, len } => What::Gap { side, offset, len },
            SessionChange::Conflict { side, conflict } => {
                flow.state.ambiguous = true;
                What::Conflict(side, conflict)
            }
            _ => return None,
        };
        Some(EventRecord::of(&flow, what))
    }

    fn message(
        &self,
        flow: Flow<'_, FiveTupleKey, EventState>,
        side: FlowSide,
        message: AppRecord,
    ) -> Option<EventRecord> {
        Some(EventRecord::of(&flow, What::Application(side, message)))
    }

    fn write(&mut self, record: &EventRecord, out: &mut Vec<u8>) {
        json::line(out, |line| record.fill(&mut self.eve, line));
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        stats::write(totals, out);
    }
}

impl EventRecord {
    fn of(flow: &Flow<'_, FiveTupleKey, EventState>, what: What) -> Self {
        EventRecord {
            packet: flow.packet,
            ts: flow.ts,
            id: flow.id.0,
            key: *flow.key,
            community_id: flow.state.community_id,
            orientation: flow.state.orientation,
            what,
        }
    }

    fn fill(&self, eve: &mut EveFormat, line: &mut Object<'_>) {
        let proto = self.key.proto();
        line.put("packet", self.packet);
        line.put("timestamp", rfc3339(self.ts));
        line.put("flow_id", self.id);
        line.put("event", self.what.name());
        let header = RecordHeader::new(self.ts, self.id, self.key, self.orientation);
        header.ends(line);
        line.put("community_id", self.community_id);
        match &self.what {
            What::Started(why) => line.put("initiator_evidence", initiator_evidence(*why)),
            What::Packet(info) => {
                line.put("side", side(info.side));
                line.put("wire_bytes", info.wire_len);
                line.put("payload_bytes", info.payload_len);
                line.put_some("tcp_flags", (proto == L4Proto::Tcp).then_some(info.tcp_flags));
            }
            What::Established => {}
            What::StateChange(from, to) => {
                line.put("from", state(*from));
                line.put("to", state(*to));
            }
            What::Anomaly(kind, from) => {
                line.put("anomaly", anomaly(*kind));
                line.put("side", side(*from));
            }
            What::IcmpError(kind, code, from) => {
                line.put("icmp_type", *kind);
                line.put("icmp_code", *code);
                line.put("side", side(*from));
            }
            What::Interim(sequence, flow) => {
                line.put("sequence", *sequence);
                eve.members(&**flow, line.members());
            }
            What::Ended(reason, flow) => {
                line.put("reason", *reason);
                eve.members(&**flow, line.members());
            }
            What::Late(flow) => eve.members(&**flow, line.members()),
            What::ParserChosen(detection)
            | What::Contradicted(detection)
            | What::Withdrawn(detection) => {
                line.put("protocol", detection.protocol);
                line.put("chosen_by", chosen_by(detection.by));
                line.put_some("within", detection.within);
                if let Some(other) = detection.contradicted {
                    line.put("side", side(other.side));
                    line.put_some("side_protocol", other.protocol);
                }
            }
            What::ParserStopped(from, why) => {
                line.put_some("side", from.map(side));
                stopped(*why, line);
            }
            What::Gap { side: from, offset, len } => {
                line.put("side", side(*from));
                line.put("offset", *offset);
                line.put("bytes", *len);
            }
            What::Conflict(from, Conflict { at, len, kept }) => {
                line.put("side", side(*from));
                line.put("offset", *at);
                line.put("bytes", *len);
                line.put("kept", kept_name(*kept));
            }
            What::Application(from, said) => {
                line.put("side", side(*from));
                line.put("protocol", said.visit(EventType));
                eve.members(said, line.members());
            }
        }
    }
}

/// The name of the object of a message.
struct EventType;

impl Visitor for EventType {
    type Output = &'static str;

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, _: &R) -> &'static str {
        schema.eve_event
    }
}

impl What {
    fn name(&self) -> &'static str {
        match self {
            What::Started(_) => "started",
            What::Packet(_) => "packet",
            What::Established => "established",
            What::StateChange(..) => "state_change",
            What::Anomaly(..) => "anomaly",
            What::IcmpError(..) => "icmp_error",
            What::Interim(..) => "interim",
            What::Ended(..) => "ended",
            What::Late(_) => "late",
            What::ParserChosen(_) => "parser_chosen",
            What::Contradicted(_) => "protocol_contradicted",
            What::Withdrawn(_) => "protocol_withdrawn",
            What::ParserStopped(..) => "parser_stopped",
            What::Gap { .. } => "gap",
            What::Conflict(..) => "conflict",
            What::Application(..) => "application",
        }
    }
}

fn chosen_by(by: DetectedBy) -> &'static str {
    match by {
        DetectedBy::Only => "only",
        DetectedBy::Port => "port",
        DetectedBy::Bytes => "bytes",
        DetectedBy::Agreement => "agreement",
        _ => "other",
    }
}

/// Adds why a parser reads no more.
fn stopped(why: StopReason, line: &mut Object<'_>) {
    match why {
        StopReason::Done => line.put("reason", "done"),
        StopReason::GaveUp => line.put("reason", "gave_up"),
        StopReason::MemoryLimit => line.put("reason", "no_room"),
        StopReason::Failed(error) => {
            line.put("reason", "failed");
            line.put("error", error.to_string().as_str());
        }
        _ => line.put("reason", "other"),
    }
}

fn kept_name(kept: KeptCopy) -> &'static str {
    match kept {
        KeptCopy::First => "first",
        KeptCopy::Last => "last",
        KeptCopy::Both => "both",
    }
}

fn side(side: FlowSide) -> &'static str {
    match side {
        FlowSide::Initiator => "initiator",
        FlowSide::Responder => "responder",
    }
}

fn state(state: FlowState) -> &'static str {
    match state {
        FlowState::SynSent => "syn_sent",
        FlowState::SynReceived => "syn_received",
        FlowState::Established => "established",
        FlowState::FinWait => "fin_wait",
        FlowState::ClosingTcp => "closing_tcp",
        FlowState::Closed => "closed",
        FlowState::Reset => "reset",
        FlowState::Active => "active",
    }
}

fn anomaly(kind: Anomaly) -> &'static str {
    match kind {
        Anomaly::InvalidReset => "invalid_reset",
        Anomaly::InvalidFin => "invalid_fin",
        Anomaly::RetractedFin => "retracted_fin",
        Anomaly::UnexpectedSyn => "unexpected_syn",
        Anomaly::UnexpectedSynAck => "unexpected_syn_ack",
        Anomaly::OutOfWindow => "out_of_window",
        Anomaly::UrgentData => "urgent_data",
        _ => "other",
    }
}

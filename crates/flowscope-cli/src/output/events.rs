//! The event log, one JSON object per line.

use flowscope::core::{FlowSide, L4Proto, Orientation, Timestamp};
use flowscope::extract::{CommunityId, FiveTupleKey};
use flowscope::track::{Anomaly, Change, Flow, FlowState, InitiatorEvidence, PacketInfo};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::eve::{FlowPart, Hex, OwnPart, Proto, TcpPart, community_id, json_line};
use super::record::{Count, FlowRecord, end_reason, evidence};
use super::{Layout, Totals, stats};
use crate::text::rfc3339;

/// Everything that happened to every flow.
#[derive(Clone, Debug)]
pub(crate) struct Events;

/// What an event needs to know of its flow and cannot be told by the key.
#[derive(Debug)]
pub(crate) struct EventState {
    community_id: CommunityId,
    /// That of the initiator's packets; right from the flow's first event on.
    orientation: Orientation,
}

/// An event until it is written.
#[derive(Debug)]
pub(crate) struct EventRecord {
    packet: u64,
    ts: Timestamp,
    id: u64,
    key: FiveTupleKey,
    community_id: CommunityId,
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
    Interim(u32, Box<FlowRecord>),
    Ended(&'static str, Box<FlowRecord>),
    Late(Box<FlowRecord>),
}

impl Layout for Events {
    type State = EventState;
    type Record = EventRecord;

    fn state(key: &FiveTupleKey) -> EventState {
        EventState { community_id: key.community_id(0), orientation: Orientation::Forward }
    }

    fn record(flow: Flow<'_, FiveTupleKey, EventState>, change: Change) -> Option<EventRecord> {
        // An interim record has what its interval brought, the last one everything.
        let whole = || FlowRecord::of(&flow, change, Count::Whole).map(Box::new);
        let what = match change {
            Change::Started { evidence } => {
                flow.state.orientation = flow.stats().orientation;
                What::Started(evidence)
            }
            Change::Packet(info) => What::Packet(info),
            Change::Established => What::Established,
            Change::StateChange { from, to } => What::StateChange(from, to),
            Change::Anomaly { kind, side } => What::Anomaly(kind, side),
            Change::Interim { sequence } => What::Interim(sequence, whole()?),
            Change::Ended { reason } => What::Ended(end_reason(reason), whole()?),
            Change::Late => What::Late(whole()?),
            _ => return None,
        };
        Some(EventRecord {
            packet: flow.packet,
            ts: flow.ts,
            id: flow.id.0,
            key: *flow.key,
            community_id: flow.state.community_id,
            orientation: flow.state.orientation,
            what,
        })
    }

    fn write(&mut self, record: &EventRecord, out: &mut Vec<u8>) {
        json_line(record, out);
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        stats::write(totals, out);
    }
}

impl Serialize for EventRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("packet", &self.packet)?;
        line.serialize_entry("timestamp", &rfc3339(self.ts))?;
        line.serialize_entry("flow_id", &self.id)?;
        line.serialize_entry("event", self.what.name())?;
        let (src, dest) = self.key.endpoints(self.orientation);
        line.serialize_entry("src_ip", &src.addr)?;
        if let Some(port) = src.port {
            line.serialize_entry("src_port", &port)?;
        }
        line.serialize_entry("dest_ip", &dest.addr)?;
        if let Some(port) = dest.port {
            line.serialize_entry("dest_port", &port)?;
        }
        line.serialize_entry("proto", &Proto(self.key.proto()))?;
        line.serialize_entry("community_id", &community_id(self.community_id))?;
        match &self.what {
            What::Started(why) => line.serialize_entry("initiator_evidence", evidence(*why))?,
            What::Packet(info) => {
                line.serialize_entry("side", side(info.side))?;
                line.serialize_entry("wire_bytes", &info.wire_len)?;
                line.serialize_entry("payload_bytes", &info.payload_len)?;
                if self.key.proto() == L4Proto::Tcp {
                    line.serialize_entry("tcp_flags", &Hex(info.tcp_flags))?;
                }
            }
            What::Established => {}
            What::StateChange(from, to) => {
                line.serialize_entry("from", state(*from))?;
                line.serialize_entry("to", state(*to))?;
            }
            What::Anomaly(kind, from) => {
                line.serialize_entry("anomaly", anomaly(*kind))?;
                line.serialize_entry("side", side(*from))?;
            }
            What::Interim(sequence, flow) => {
                line.serialize_entry("sequence", sequence)?;
                counted(&mut line, flow)?;
            }
            What::Ended(reason, flow) => {
                line.serialize_entry("reason", reason)?;
                counted(&mut line, flow)?;
            }
            What::Late(flow) => counted(&mut line, flow)?,
        }
        line.end()
    }
}

/// What was counted, in the objects that flow records have.
fn counted<M: SerializeMap>(line: &mut M, flow: &FlowRecord) -> Result<(), M::Error> {
    line.serialize_entry("flow", &FlowPart::of(flow))?;
    if let Some(tcp) = TcpPart::of(flow) {
        line.serialize_entry("tcp", &tcp)?;
    }
    line.serialize_entry("flowscope", &OwnPart::of(flow))
}

impl What {
    fn name(&self) -> &'static str {
        match self {
            What::Started(_) => "started",
            What::Packet(_) => "packet",
            What::Established => "established",
            What::StateChange(..) => "state_change",
            What::Anomaly(..) => "anomaly",
            What::Interim(..) => "interim",
            What::Ended(..) => "ended",
            What::Late(_) => "late",
        }
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

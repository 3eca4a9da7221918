//! Flow records as Suricata's EVE has them, one JSON object per line.

use flowscope::core::{L4Proto, Orientation, TcpFlags};
use flowscope::extract::FiveTupleKey;
use flowscope::track::{ConnState, EndReason, FlowState};

use super::json::{self, Json, Object};
use super::record::{FlowRecord, Kind, evidence};
use crate::text::{Short, rfc3339};

/// Appends the line of a record.
pub(super) fn write(record: &FlowRecord, out: &mut Vec<u8>) {
    json::line(out, |line| {
        line.put("timestamp", rfc3339(record.ts));
        line.put("flow_id", record.id);
        line.put("event_type", "flow");
        ends(&record.key, record.orientation, line);
        line.put("community_id", Short::<32>::of(record.key.community_id(0)));
        line.list("vlan", record.vlans(), Json::write);
        line.put_some("icmp_type", record.icmp.map(|(kind, _)| kind));
        line.put_some("icmp_code", record.icmp.map(|(_, code)| code));
        line.put_some("app_proto", record.app_proto);
        counted(record, line);
    });
}

/// Adds who speaks with whom, the initiator first, and by which protocol.
pub(super) fn ends(key: &FiveTupleKey, orientation: Orientation, line: &mut Object<'_>) {
    let (src, dest) = key.endpoints(orientation);
    line.put("src_ip", src.addr);
    line.put_some("src_port", src.port);
    line.put("dest_ip", dest.addr);
    line.put_some("dest_port", dest.port);
    line.put("proto", key.proto());
}

/// Adds the objects of what was counted: `flow`, `tcp`, and `flowscope`, which holds what Suricata
/// has no name for.
pub(super) fn counted(record: &FlowRecord, line: &mut Object<'_>) {
    line.object("flow", |object| flow(record, object));
    if record.proto() == L4Proto::Tcp {
        line.object("tcp", |object| tcp(record, object));
    }
    line.object("flowscope", |object| own(record, object));
}

fn flow(record: &FlowRecord, object: &mut Object<'_>) {
    let (to_server, to_client) = (record.initiator().counters, record.responder().counters);
    object.put("pkts_toserver", to_server.packets);
    object.put("pkts_toclient", to_client.packets);
    object.put("bytes_toserver", to_server.wire_bytes);
    object.put("bytes_toclient", to_client.wire_bytes);
    object.put("start", rfc3339(record.start));
    object.put("end", rfc3339(record.end));
    object.put("age", record.duration().as_secs());
    object.put("state", state(record));
    object.put("reason", reason(record.kind));
}

/// Suricata's three states: whether both sides have spoken, and whether it is over.
pub(super) fn state(record: &FlowRecord) -> &'static str {
    match record.state {
        FlowState::Closed | FlowState::Reset => "closed",
        FlowState::SynSent | FlowState::SynReceived => "new",
        FlowState::Established | FlowState::FinWait | FlowState::ClosingTcp => "established",
        // Counters may lack what records before had, so conn_state is asked who has spoken.
        FlowState::Active if record.conn_state == ConnState::Sf => "established",
        FlowState::Active => "new",
    }
}

fn reason(kind: Kind) -> &'static str {
    match kind {
        Kind::Interim(_) => "timeout",
        Kind::Ended(reason) | Kind::Late(reason) => match reason {
            EndReason::Evicted | EndReason::Forced => "forced",
            EndReason::EndOfInput | EndReason::Shutdown => "shutdown",
            EndReason::Superseded => "tcp_reuse",
            _ => "timeout",
        },
    }
}

fn tcp(record: &FlowRecord, object: &mut Object<'_>) {
    let (to_server, to_client) = (record.initiator().tcp_flags, record.responder().tcp_flags);
    let all = to_server | to_client;
    object.put("tcp_flags", all);
    object.put("tcp_flags_ts", to_server);
    object.put("tcp_flags_tc", to_client);
    object.put_true("syn", all.syn());
    object.put_true("fin", all.fin());
    object.put_true("rst", all.rst());
    object.put_true("psh", all.contains(TcpFlags::PSH));
    object.put_true("ack", all.ack());
    object.put("state", tcp_state(record.state));
}

/// Suricata's name of a TCP state.
fn tcp_state(state: FlowState) -> &'static str {
    match state {
        FlowState::SynSent => "syn_sent",
        FlowState::SynReceived => "syn_recv",
        // TCP is never merely active.
        FlowState::Established | FlowState::Active => "established",
        FlowState::FinWait => "fin_wait1",
        FlowState::ClosingTcp => "closing",
        FlowState::Closed | FlowState::Reset => "closed",
    }
}

fn own(record: &FlowRecord, object: &mut Object<'_>) {
    let (to_server, to_client) = (record.initiator(), record.responder());
    object.put("end_reason", record.reason());
    if let Kind::Interim(sequence) = record.kind {
        object.put("interim", sequence);
    }
    object.put_true("late", matches!(record.kind, Kind::Late(_)));
    object.put_true("ambiguous", record.ambiguous);
    object.put("history", record.history.as_str());
    object.put("conn_state", record.conn_state.as_str());
    object.put("initiator_evidence", evidence(record.evidence));
    object.put("mid_stream", record.mid_stream);
    object.put("payload_bytes_toserver", to_server.counters.payload_bytes);
    object.put("payload_bytes_toclient", to_client.counters.payload_bytes);
    object.put("gap_bytes_toserver", to_server.gap_bytes);
    object.put("gap_bytes_toclient", to_client.gap_bytes);
    object.put("retransmits_toserver", to_server.retransmits);
    object.put("retransmits_toclient", to_client.retransmits);
    object.put("out_of_order_toserver", to_server.out_of_order);
    object.put("out_of_order_toclient", to_client.out_of_order);
    object.put("duplicate_acks_toserver", to_server.duplicate_acks);
    object.put("duplicate_acks_toclient", to_client.duplicate_acks);
    object.put("zero_windows_toserver", to_server.zero_windows);
    object.put("zero_windows_toclient", to_client.zero_windows);
    object.put_some("syn_rtt", record.syn_rtt.map(|rtt| rtt.as_secs_f64()));
    object.put_some("ack_rtt", record.ack_rtt.map(|rtt| rtt.as_secs_f64()));
    object.list("tunnel", record.tunnels(), |(kind, id), out| {
        json::object(out, |tunnel| {
            tunnel.put("type", kind);
            tunnel.put("id", id);
        });
    });
}

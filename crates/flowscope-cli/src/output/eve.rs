//! Flow records as Suricata's EVE has them, one JSON object per line.

use std::net::IpAddr;

use flowscope::core::{L4Proto, TcpFlags};
use flowscope::extract::CommunityId;
use flowscope::track::{ConnState, EndReason, FlowState};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::record::{FlowRecord, Kind, evidence};
use crate::text::{Short, rfc3339};

/// Appends the line of a record.
pub(super) fn write(record: &FlowRecord, out: &mut Vec<u8>) {
    let (src, dest) = record.ends();
    json_line(
        &Line {
            timestamp: rfc3339(record.ts),
            flow_id: record.id,
            event_type: "flow",
            src_ip: src.addr,
            src_port: src.port,
            dest_ip: dest.addr,
            dest_port: dest.port,
            proto: Proto(record.proto()),
            community_id: community_id(record.key.community_id(0)),
            vlan: vlans(record),
            icmp_type: record.icmp.map(|(kind, _)| kind),
            icmp_code: record.icmp.map(|(_, code)| code),
            flow: FlowPart::of(record),
            tcp: TcpPart::of(record),
            flowscope: OwnPart::of(record),
        },
        out,
    );
}

/// Appends a value as one line.
pub(super) fn json_line(value: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, value).expect("a vector takes all, and all keys are text");
    out.push(b'\n');
}

pub(super) fn community_id(id: CommunityId) -> Short<32> {
    Short::of(id)
}

#[derive(Serialize)]
struct Line<'a, V: Serialize> {
    timestamp: Short<32>,
    flow_id: u64,
    event_type: &'static str,
    src_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    dest_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    proto: Proto,
    community_id: Short<32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<V>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u8>,
    flow: FlowPart,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<TcpPart>,
    flowscope: OwnPart<'a>,
}

/// The object `flow`.
#[derive(Serialize)]
pub(super) struct FlowPart {
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    start: Short<32>,
    end: Short<32>,
    age: u64,
    state: &'static str,
    reason: &'static str,
}

impl FlowPart {
    pub(super) fn of(record: &FlowRecord) -> Self {
        let (to_server, to_client) = (record.initiator().counters, record.responder().counters);
        FlowPart {
            pkts_toserver: to_server.packets,
            pkts_toclient: to_client.packets,
            bytes_toserver: to_server.wire_bytes,
            bytes_toclient: to_client.wire_bytes,
            start: rfc3339(record.start),
            end: rfc3339(record.end),
            age: record.duration().as_secs(),
            state: state(record),
            reason: reason(record.kind),
        }
    }
}

/// Suricata's three states: whether both sides have spoken, and whether it is over.
pub(super) fn state(record: &FlowRecord) -> &'static str {
    match record.state {
        FlowState::Closed | FlowState::Reset => "closed",
        FlowState::SynSent | FlowState::SynReceived => "new",
        FlowState::Established | FlowState::FinWait | FlowState::ClosingTcp => "established",
        // Records before may have taken the packets of one side, so conn_state is asked.
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

/// The object `tcp`.
#[derive(Serialize)]
pub(super) struct TcpPart {
    tcp_flags: Hex,
    tcp_flags_ts: Hex,
    tcp_flags_tc: Hex,
    #[serde(skip_serializing_if = "is_false")]
    syn: bool,
    #[serde(skip_serializing_if = "is_false")]
    fin: bool,
    #[serde(skip_serializing_if = "is_false")]
    rst: bool,
    #[serde(skip_serializing_if = "is_false")]
    psh: bool,
    #[serde(skip_serializing_if = "is_false")]
    ack: bool,
    state: &'static str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

impl TcpPart {
    pub(super) fn of(record: &FlowRecord) -> Option<Self> {
        if record.proto() != L4Proto::Tcp {
            return None;
        }
        let (to_server, to_client) = (record.initiator().tcp_flags, record.responder().tcp_flags);
        let all = to_server | to_client;
        Some(TcpPart {
            tcp_flags: Hex(all),
            tcp_flags_ts: Hex(to_server),
            tcp_flags_tc: Hex(to_client),
            syn: all.syn(),
            fin: all.fin(),
            rst: all.rst(),
            psh: all.contains(TcpFlags::PSH),
            ack: all.ack(),
            state: tcp_state(record.state),
        })
    }
}

/// Suricata's name of a TCP state.
fn tcp_state(state: FlowState) -> &'static str {
    match state {
        FlowState::SynSent => "syn_sent",
        FlowState::SynReceived => "syn_recv",
        // Whatever has no TCP header to read has no state of TCP either.
        FlowState::Established | FlowState::Active => "established",
        FlowState::FinWait => "fin_wait1",
        FlowState::ClosingTcp => "closing",
        FlowState::Closed | FlowState::Reset => "closed",
    }
}

/// The object `flowscope`: what Suricata has no name for.
#[derive(Serialize)]
pub(super) struct OwnPart<'a> {
    end_reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    interim: Option<u32>,
    #[serde(skip_serializing_if = "is_false")]
    late: bool,
    history: &'a str,
    conn_state: &'static str,
    initiator_evidence: &'static str,
    mid_stream: bool,
    payload_bytes_toserver: u64,
    payload_bytes_toclient: u64,
    gap_bytes_toserver: u64,
    gap_bytes_toclient: u64,
    retransmits_toserver: u32,
    retransmits_toclient: u32,
    out_of_order_toserver: u32,
    out_of_order_toclient: u32,
    duplicate_acks_toserver: u32,
    duplicate_acks_toclient: u32,
    zero_windows_toserver: u32,
    zero_windows_toclient: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    syn_rtt: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ack_rtt: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel: Option<Tunnels<'a>>,
}

impl<'a> OwnPart<'a> {
    pub(super) fn of(record: &'a FlowRecord) -> Self {
        let (to_server, to_client) = (record.initiator(), record.responder());
        OwnPart {
            end_reason: record.reason(),
            interim: match record.kind {
                Kind::Interim(sequence) => Some(sequence),
                _ => None,
            },
            late: matches!(record.kind, Kind::Late(_)),
            history: record.history.as_str(),
            conn_state: record.conn_state.as_str(),
            initiator_evidence: evidence(record.evidence),
            mid_stream: record.mid_stream,
            payload_bytes_toserver: to_server.counters.payload_bytes,
            payload_bytes_toclient: to_client.counters.payload_bytes,
            gap_bytes_toserver: to_server.gap_bytes,
            gap_bytes_toclient: to_client.gap_bytes,
            retransmits_toserver: to_server.retransmits,
            retransmits_toclient: to_client.retransmits,
            out_of_order_toserver: to_server.out_of_order,
            out_of_order_toclient: to_client.out_of_order,
            duplicate_acks_toserver: to_server.duplicate_acks,
            duplicate_acks_toclient: to_client.duplicate_acks,
            zero_windows_toserver: to_server.zero_windows,
            zero_windows_toclient: to_client.zero_windows,
            syn_rtt: record.syn_rtt.map(|rtt| rtt.as_secs_f64()),
            ack_rtt: record.ack_rtt.map(|rtt| rtt.as_secs_f64()),
            tunnel: record.tunnels().next().is_some().then_some(Tunnels(record)),
        }
    }
}

/// The protocol as Suricata names it, or its number.
pub(super) struct Proto(pub(super) L4Proto);

impl Serialize for Proto {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            L4Proto::Tcp => serializer.serialize_str("TCP"),
            L4Proto::Udp => serializer.serialize_str("UDP"),
            L4Proto::Icmp => serializer.serialize_str("ICMP"),
            L4Proto::Icmpv6 => serializer.serialize_str("IPv6-ICMP"),
            L4Proto::Sctp => serializer.serialize_str("SCTP"),
            other => Short::<4>::of(other.number()).serialize(serializer),
        }
    }
}

/// TCP flags as two hexadecimal digits.
pub(super) struct Hex(pub(super) TcpFlags);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digit = |n: u8| b"0123456789abcdef"[usize::from(n & 15)];
        let digits = [digit(self.0.0 >> 4), digit(self.0.0)];
        serializer.serialize_str(str::from_utf8(&digits).unwrap_or_default())
    }
}

/// The VLAN ids of a record, if there are any.
fn vlans(record: &FlowRecord) -> Option<impl Serialize> {
    record.vlans().next().is_some().then_some(Vlans(record))
}

struct Vlans<'a>(&'a FlowRecord);

impl Serialize for Vlans<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.vlans())
    }
}

struct Tunnels<'a>(&'a FlowRecord);

impl Serialize for Tunnels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for (kind, id) in self.0.tunnels() {
            seq.serialize_element(&Tunnel { kind, id })?;
        }
        seq.end()
    }
}

#[derive(Serialize)]
struct Tunnel {
    #[serde(rename = "type")]
    kind: &'static str,
    id: u32,
}

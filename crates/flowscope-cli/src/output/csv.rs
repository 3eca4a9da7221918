//! Flow records as comma-separated values.

use std::fmt::Write;
use std::net::IpAddr;

use csv::WriterBuilder;
use serde::Serialize;

use super::eve::state;
use super::json::proto;
use super::record::{FlowRecord, evidence};
use crate::text::{Short, rfc3339};

/// Appends the line of names.
pub(super) fn begin(out: &mut Vec<u8>) {
    out.extend(COLUMNS.join(",").as_bytes());
    out.push(b'\n');
}

/// Appends a record.
pub(super) fn write(record: &FlowRecord, out: &mut Vec<u8>) {
    let (src, dest) = record.ends();
    let (to_server, to_client) = (record.initiator(), record.responder());
    let row = Row {
        flow_id: record.id,
        start: rfc3339(record.start),
        end: rfc3339(record.end),
        duration: Short::of(format_args!("{:.6}", record.duration().as_secs_f64())),
        proto: proto(record.proto()).map_or_else(|number| number, Short::of),
        app_proto: record.app_proto,
        src_ip: src.addr,
        src_port: src.port,
        dest_ip: dest.addr,
        dest_port: dest.port,
        community_id: Short::of(record.key.community_id(0)),
        packets_to_server: to_server.counters.packets,
        packets_to_client: to_client.counters.packets,
        bytes_to_server: to_server.counters.wire_bytes,
        bytes_to_client: to_client.counters.wire_bytes,
        payload_bytes_to_server: to_server.counters.payload_bytes,
        payload_bytes_to_client: to_client.counters.payload_bytes,
        state: state(record),
        end_reason: record.reason(),
        conn_state: record.conn_state.as_str(),
        history: record.history.as_str(),
        initiator_evidence: evidence(record.evidence),
        gap_bytes_to_server: to_server.gap_bytes,
        gap_bytes_to_client: to_client.gap_bytes,
        retransmits_to_server: to_server.retransmits,
        retransmits_to_client: to_client.retransmits,
        icmp_type: record.icmp.map(|(kind, _)| kind),
        icmp_code: record.icmp.map(|(_, code)| code),
        vlan: list(record.vlans()),
        tunnel: tunnels(record),
    };
    let mut writer = WriterBuilder::new().has_headers(false).buffer_capacity(512).from_writer(out);
    writer.serialize(row).expect("a vector takes all, and a row is flat");
}

/// The columns, by name and in order.
#[derive(Serialize)]
struct Row<'a> {
    flow_id: u64,
    start: Short<32>,
    end: Short<32>,
    duration: Short<32>,
    proto: Short<16>,
    app_proto: Option<&'static str>,
    src_ip: IpAddr,
    src_port: Option<u16>,
    dest_ip: IpAddr,
    dest_port: Option<u16>,
    community_id: Short<32>,
    packets_to_server: u64,
    packets_to_client: u64,
    bytes_to_server: u64,
    bytes_to_client: u64,
    payload_bytes_to_server: u64,
    payload_bytes_to_client: u64,
    state: &'static str,
    end_reason: &'static str,
    conn_state: &'static str,
    history: &'a str,
    initiator_evidence: &'static str,
    gap_bytes_to_server: u64,
    gap_bytes_to_client: u64,
    retransmits_to_server: u32,
    retransmits_to_client: u32,
    icmp_type: Option<u8>,
    icmp_code: Option<u8>,
    /// Ids, outermost first, with spaces in between.
    vlan: String,
    /// Kinds and ids, likewise: `vxlan:7`.
    tunnel: String,
}

const COLUMNS: [&str; 30] = [
    "flow_id",
    "start",
    "end",
    "duration",
    "proto",
    "app_proto",
    "src_ip",
    "src_port",
    "dest_ip",
    "dest_port",
    "community_id",
    "packets_to_server",
    "packets_to_client",
    "bytes_to_server",
    "bytes_to_client",
    "payload_bytes_to_server",
    "payload_bytes_to_client",
    "state",
    "end_reason",
    "conn_state",
    "history",
    "initiator_evidence",
    "gap_bytes_to_server",
    "gap_bytes_to_client",
    "retransmits_to_server",
    "retransmits_to_client",
    "icmp_type",
    "icmp_code",
    "vlan",
    "tunnel",
];

/// Empty, and not allocated, for most flows.
fn tunnels(record: &FlowRecord) -> String {
    list(record.tunnels().map(|(kind, id)| format!("{kind}:{id}")))
}

fn list(items: impl Iterator<Item = impl std::fmt::Display>) -> String {
    let mut text = String::new();
    for item in items {
        let space = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{space}{item}");
    }
    text
}

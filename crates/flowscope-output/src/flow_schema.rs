//! How flow records are written: the columns, and what EVE, Zeek's `conn.log`, CSV and tables show.

use std::fmt::Write;
use std::time::Duration;

use flowscope_core::{FlowSide, L4Proto, TcpFlags};
use flowscope_record::{Column, Kind, Schema, Short, Table, Value, ZeekType, amount};
use flowscope_track::{EndReason, TcpState};

use crate::{FlowRecord, FlowRecordKind, FlowRecordSide, names};

/// The columns of a [`FlowRecord`].
pub static FLOW: Schema<FlowRecord> = Schema {
    zeek_log: "conn",
    csv: Some(CSV),
    columns: &[
        C::new("initiator", Kind::Text, |x| Value::short(x.header.endpoints().0), "Address and port of the initiator.").table(Table::at(3, "INITIATOR", IPV4).may_overflow()),
        C::new("responder", Kind::Text, |x| Value::short(x.header.endpoints().1), "Address and port of the responder.").table(Table::at(4, "RESPONDER", IPV4).may_overflow()),
        C::new("proto_and_app", Kind::Text, proto_and_app, "Protocol over IP, and the one inside if that is known. Zeek has the one over IP: tcp, udp, icmp or unknown_transport.").zeek_as(0, "proto", ZeekType::Enum, |x| names::zeek_proto(x.header.key.proto()).into()).table(Table::at(2, "PROTO", 8)),
        C::new("app_proto", Kind::Text, |x| Value::some(x.app_proto), "Protocol that the flow speaks, if it was recognised. Zeek has the name of its log: ssl for tls.").eve("app_proto").zeek_as(1, "service", ZeekType::String, |x| Value::some(x.service)),
        C::new("app_proto_to_server", Kind::Text, |x| Value::some(side_proto(x, 0)), "What the bytes of the initiator were detected as, where that is not `app_proto`: another protocol, or `failed`.").eve("app_proto_ts"),
        C::new("app_proto_to_client", Kind::Text, |x| Value::some(side_proto(x, 1)), "What the bytes of the responder were detected as, where that is not `app_proto`: another protocol, or `failed`.").eve("app_proto_tc"),
        C::new("app_proto_orig", Kind::Text, |x| Value::some(x.header.within), "Protocol that the flow spoke first, where `app_proto` began within it: `smtp` for TLS behind STARTTLS.").eve("app_proto_orig"),
        C::new("packets_to_server", Kind::U64, |x| x.initiator().counters.packets.into(), "Packets that the initiator sent.").eve("flow.pkts_toserver").zeek(10, "orig_pkts", ZeekType::Count),
        C::new("packets_to_client", Kind::U64, |x| x.responder().counters.packets.into(), "Packets that the responder sent.").eve("flow.pkts_toclient").zeek(12, "resp_pkts", ZeekType::Count),
        C::new("bytes_to_server", Kind::U64, |x| x.initiator().counters.wire_bytes.into(), "Bytes that the initiator sent: whole frames on the wire.").eve("flow.bytes_toserver"),
        C::new("bytes_to_client", Kind::U64, |x| x.responder().counters.wire_bytes.into(), "Bytes that the responder sent: whole frames on the wire.").eve("flow.bytes_toclient"),
        C::new("start", Kind::Time, |x| x.start.into(), "When the first packet was captured, UTC.").eve("flow.start").table(Table::at(0, "START", 19)),
        C::new("end", Kind::Time, |x| x.end.into(), "When the last packet was captured, late ones included, UTC.").eve("flow.end"),
        C::new("duration", Kind::Duration, |x| x.duration().into(), "Seconds from the first packet to the last. EVE has the difference of their whole seconds, as Suricata; Zeek has the seconds up to the second FIN, and none if that is 0.").eve_as("flow.age", |x| x.end.secs().saturating_sub(x.start.secs()).into()).zeek_as(2, "duration", ZeekType::Interval, |x| Value::some(zeek_duration(x))).table(Table::at(1, "LASTED", 6)),
        C::new("state", Kind::Text, |x| state(x).into(), "Suricata's state: new, established or closed.").eve("flow.state"),
        C::new("reason", Kind::Text, |x| reason(x).into(), "Suricata's reason: timeout, forced, shutdown or tcp_reuse; shutdown for all that was in the table when the input ended.").eve("flow.reason"),
        C::new("tcp_flags", Kind::Text, |x| tcp_flags(x, all_flags(x)), "TCP flags of both sides in hexadecimal (RFC 9293 §3.1).").eve("tcp.tcp_flags"),
        C::new("tcp_flags_to_server", Kind::Text, |x| tcp_flags(x, x.initiator().tcp_flags), "TCP flags of the initiator in hexadecimal (RFC 9293 §3.1).").eve("tcp.tcp_flags_ts"),
        C::new("tcp_flags_to_client", Kind::Text, |x| tcp_flags(x, x.responder().tcp_flags), "TCP flags of the responder in hexadecimal (RFC 9293 §3.1).").eve("tcp.tcp_flags_tc"),
        C::new("syn", Kind::Bool, |x| Value::flag(is_tcp(x) && all_flags(x).syn()), "Whether a segment with SYN was seen (RFC 9293 §3.1).").eve("tcp.syn"),
        C::new("fin", Kind::Bool, |x| Value::flag(is_tcp(x) && all_flags(x).fin()), "Whether a segment with FIN was seen (RFC 9293 §3.1).").eve("tcp.fin"),
        C::new("rst", Kind::Bool, |x| Value::flag(is_tcp(x) && all_flags(x).rst()), "Whether a segment with RST was seen (RFC 9293 §3.1).").eve("tcp.rst"),
        C::new("psh", Kind::Bool, |x| Value::flag(is_tcp(x) && all_flags(x).contains(TcpFlags::PSH)), "Whether a segment with PSH was seen (RFC 9293 §3.1).").eve("tcp.psh"),
        C::new("ack", Kind::Bool, |x| Value::flag(is_tcp(x) && all_flags(x).ack()), "Whether a segment with ACK was seen (RFC 9293 §3.1).").eve("tcp.ack"),
        C::new("urg", Kind::Bool, |x| Value::flag(is_tcp(x) && all_flags(x).contains(TcpFlags::URG)), "Whether a segment with URG was seen (RFC 9293 §3.1).").eve("tcp.urg"),
        C::new("ecn", Kind::Bool, |x| Value::flag(is_tcp(x) && all_flags(x).contains(TcpFlags::ECE)), "Whether a segment with ECE was seen (RFC 3168 §6.1).").eve("tcp.ecn"),
        C::new("cwr", Kind::Bool, |x| Value::flag(is_tcp(x) && all_flags(x).contains(TcpFlags::CWR)), "Whether a segment with CWR was seen (RFC 3168 §6.1).").eve("tcp.cwr"),
        C::new("tcp_state", Kind::Text, |x| Value::some(x.tcp_state.map(TcpState::as_str)), "State of the TCP connection at the responder, in Suricata's words: none, syn_sent, syn_recv, established, fin_wait1, fin_wait2, time_wait, last_ack, close_wait, closing or closed; none of a connection picked up mid-stream that is not established (RFC 9293 §3.3.2).").eve("tcp.state"),
        C::new("ether", Kind::Object(&[("dest_macs", Kind::List(&Kind::Text)), ("src_macs", Kind::List(&Kind::Text))]), ether, "Ethernet addresses of the responder and of the initiator, at most 10 each, in the order in which they came; with `--ethernet` (IEEE 802.3 §3.2.3).").eve("ether"),
        C::new("end_reason", Kind::Text, |x| x.reason().into(), "Why the flow ended: fin, rst, idle_timeout, evicted, superseded, end_of_input, shutdown or forced; active_timeout if it goes on.").eve("flowscope.end_reason"),
        C::new("interim", Kind::U64, |x| match x.kind { FlowRecordKind::Interim(sequence) => sequence.into(), _ => Value::Null }, "Number of the record of a flow that goes on, from 1.").eve("flowscope.interim"),
        C::new("late", Kind::Bool, |x| Value::flag(matches!(x.kind, FlowRecordKind::Late(_))), "Whether the record is of packets after the end alone.").eve("flowscope.late"),
        C::new("ambiguous", Kind::Bool, |x| Value::flag(x.header.ambiguous), "Whether copies of the same bytes differed, as far as the flow was read.").eve("flowscope.ambiguous"),
        C::new("history", Kind::Text, |x| x.history.as_str().into(), "What happened, in Zeek's letters, upper case for the initiator. Zeek has no value if nothing did.").eve("flowscope.history").zeek_as(9, "history", ZeekType::String, |x| Value::some(Some(x.history.as_str()).filter(|history| !history.is_empty()))).table(Table::at(8, "HISTORY", 11).with(short_history)),
        C::new("conn_state", Kind::Text, |x| x.conn_state.as_str().into(), "Zeek's summary of the connection.").eve("flowscope.conn_state").zeek(5, "conn_state", ZeekType::String),
        C::new("local_orig", Kind::Bool, |_| Value::Null, "Not known to flowscope.").zeek(6, "local_orig", ZeekType::Bool),
        C::new("local_resp", Kind::Bool, |_| Value::Null, "Not known to flowscope.").zeek(7, "local_resp", ZeekType::Bool),
        C::new("initiator_evidence", Kind::Text, |x| names::initiator_evidence(x.evidence).into(), "Why this side is called the initiator: syn, syn_ack, listening_port or first_packet.").eve("flowscope.initiator_evidence"),
        C::new("mid_stream", Kind::Bool, |x| x.mid_stream.into(), "Whether the flow began before the capture.").eve("flowscope.mid_stream"),
        C::new("payload_bytes_to_server", Kind::U64, |x| x.initiator().counters.payload_bytes.into(), "Bytes of payload that the initiator sent, by the headers. Zeek has those of TCP by sequence numbers, and none without a duration.").eve("flowscope.payload_bytes_toserver").zeek_as(3, "orig_bytes", ZeekType::Count, |x| zeek_bytes(x, x.initiator())),
        C::new("payload_bytes_to_client", Kind::U64, |x| x.responder().counters.payload_bytes.into(), "Bytes of payload that the responder sent, by the headers. Zeek has those of TCP by sequence numbers, and none without a duration.").eve("flowscope.payload_bytes_toclient").zeek_as(4, "resp_bytes", ZeekType::Count, |x| zeek_bytes(x, x.responder())),
        C::new("gap_bytes_to_server", Kind::U64, |x| x.initiator().gap_bytes.into(), "Bytes of the initiator that were acknowledged but not captured.").eve("flowscope.gap_bytes_toserver"),
        C::new("gap_bytes_to_client", Kind::U64, |x| x.responder().gap_bytes.into(), "Bytes of the responder that were acknowledged but not captured.").eve("flowscope.gap_bytes_toclient"),
        C::new("shunted_packets_to_server", Kind::U64, |x| Value::some(Some(x.initiator().shunted.packets).filter(|count| *count > 0)), "Packets of the initiator that the capture counted without reading them, since the start of the flow, if any.").eve("flowscope.shunted_packets_toserver"),
        C::new("shunted_packets_to_client", Kind::U64, |x| Value::some(Some(x.responder().shunted.packets).filter(|count| *count > 0)), "Packets of the responder that the capture counted without reading them, likewise.").eve("flowscope.shunted_packets_toclient"),
        C::new("shunted_bytes_to_server", Kind::U64, |x| Value::some(Some(x.initiator().shunted.wire_bytes).filter(|count| *count > 0)), "Bytes of these packets of the initiator, whole frames.").eve("flowscope.shunted_bytes_toserver"),
        C::new("shunted_bytes_to_client", Kind::U64, |x| Value::some(Some(x.responder().shunted.wire_bytes).filter(|count| *count > 0)), "Bytes of these packets of the responder, whole frames.").eve("flowscope.shunted_bytes_toclient"),
        C::new("missed_bytes", Kind::U64, |x| (x.initiator().gap_bytes + x.responder().gap_bytes).into(), "Bytes of both sides that were acknowledged but not captured. Zeek counts TCP payload that the capture cut off, too.").zeek_as(8, "missed_bytes", ZeekType::Count, |x| x.sides.iter().map(|side| side.gap_bytes + side.cut_bytes).sum::<u64>().into()),
        C::new("ip_bytes_to_server", Kind::U64, |x| x.initiator().counters.ip_bytes.into(), "Bytes that the initiator sent, by the IP headers.").zeek(11, "orig_ip_bytes", ZeekType::Count),
        C::new("ip_bytes_to_client", Kind::U64, |x| x.responder().counters.ip_bytes.into(), "Bytes that the responder sent, by the IP headers.").zeek(13, "resp_ip_bytes", ZeekType::Count),
        C::new("retransmits_to_server", Kind::U64, |x| x.initiator().retransmits.into(), "Segments that the initiator sent again (RFC 9293 §3.8.1).").eve("flowscope.retransmits_toserver"),
        C::new("retransmits_to_client", Kind::U64, |x| x.responder().retransmits.into(), "Segments that the responder sent again (RFC 9293 §3.8.1).").eve("flowscope.retransmits_toclient"),
        C::new("out_of_order_to_server", Kind::U64, |x| x.initiator().out_of_order.into(), "Segments of the initiator that came behind later ones.").eve("flowscope.out_of_order_toserver"),
        C::new("out_of_order_to_client", Kind::U64, |x| x.responder().out_of_order.into(), "Segments of the responder that came behind later ones.").eve("flowscope.out_of_order_toclient"),
        C::new("duplicate_acks_to_server", Kind::U64, |x| x.initiator().duplicate_acks.into(), "Acknowledgements of the initiator without news (RFC 5681 §2).").eve("flowscope.duplicate_acks_toserver"),
        C::new("duplicate_acks_to_client", Kind::U64, |x| x.responder().duplicate_acks.into(), "Acknowledgements of the responder without news (RFC 5681 §2).").eve("flowscope.duplicate_acks_toclient"),
        C::new("zero_windows_to_server", Kind::U64, |x| x.initiator().zero_windows.into(), "Segments by which the initiator closed its receive window (RFC 9293 §3.8.6).").eve("flowscope.zero_windows_toserver"),
        C::new("zero_windows_to_client", Kind::U64, |x| x.responder().zero_windows.into(), "Segments by which the responder closed its receive window (RFC 9293 §3.8.6).").eve("flowscope.zero_windows_toclient"),
        C::new("syn_rtt", Kind::Duration, |x| Value::some(x.syn_rtt), "Seconds from SYN to SYN+ACK.").eve("flowscope.syn_rtt"),
        C::new("ack_rtt", Kind::Duration, |x| Value::some(x.ack_rtt), "Seconds from SYN+ACK to ACK.").eve("flowscope.ack_rtt"),
        C::new("icmp_id", Kind::U64, |x| Value::some(x.header.key.icmp_id()), "Identifier of the messages of an ICMP query and its replies, 0 where they have none (RFC 792, RFC 4443).").eve("flowscope.icmp_id"),
        C::new("tunnel", Kind::List(&Kind::Text), |x| x.header.tunnel_texts(), "Tags and tunnels around the flow but VLANs, outermost first: kind and id. EVE has objects: type, id.").eve_as("flowscope.tunnel", |x| x.header.tunnel_objects()),
        C::new("tunnel_parents", Kind::List(&Kind::Text), |_| Value::Null, "Not known to flowscope.").zeek(14, "tunnel_parents", ZeekType::SetOfString),
        C::new("ip_proto", Kind::U64, |x| x.header.key.proto().number().into(), "Protocol over IP by number.").zeek(15, "ip_proto", ZeekType::Count),
        C::new("flow_community_id", Kind::Text, |x| Value::short(x.header.community_id()), "Community ID of the flow, version 1.").zeek(16, "community_id", ZeekType::String),
        C::new("outer_vlan", Kind::U64, |x| Value::some(x.header.vlans().next()), "Outermost VLAN id.").zeek(17, "vlan", ZeekType::Int),
        C::new("inner_vlan", Kind::U64, |x| Value::some(x.header.vlans().nth(1)), "Second VLAN id.").zeek(18, "inner_vlan", ZeekType::Int),
        C::new("packets", Kind::U64, |x| both(x, |side| side.counters.packets), "Packets of both sides. Tables have those of the initiator and of the responder, rounded.").table(Table::at(5, "PACKETS", 9).right().with(|x| pair(x, |side| side.counters.packets))),
        C::new("bytes", Kind::U64, |x| both(x, |side| side.counters.wire_bytes), "Bytes of both sides: whole frames on the wire. Tables have those of the initiator and of the responder, rounded.").table(Table::at(6, "BYTES", 11).right().with(|x| pair(x, |side| side.counters.wire_bytes))),
        C::new("outcome", Kind::Text, |x| x.kind.outcome().into(), "How the flow ended, in one word: closed, reset, idle, evicted, reused, open; active if it goes on.").table(Table::at(7, "STATE", 7)),
        C::new("id", Kind::U64, |x| x.header.flow_id.into(), "Id of the flow.")
            .table(Table::at(9, "ID", 8).right().wide_only()),
        C::new("wide_tunnel", Kind::List(&Kind::Text), tunnel, "VLANs and tunnels around the flow.")
            .table(Table::at(10, "TUNNEL", 12).wide_only()),
        C::new(
            "retransmits",
            Kind::U64,
            |x| both(x, |side| side.retransmits.into()),
            "Segments that both sides sent again. Tables have those of the initiator and of the responder, rounded.",
        )
        .table(
            Table::at(11, "RETRANS", 7)
                .right()
                .wide_only()
                .with(|x| pair(x, |side| side.retransmits.into())),
        ),
        C::new(
            "gaps",
            Kind::U64,
            |x| both(x, |side| side.gap_bytes),
            "Bytes of both sides that were acknowledged but not captured. Tables have those of the initiator and of the responder, rounded.",
        )
        .table(
            Table::at(12, "GAPS", 9).right().wide_only().with(|x| pair(x, |side| side.gap_bytes)),
        ),
    ],
    ..Schema::new("flow", |x| x.start)
};

type C = Column<FlowRecord>;

/// `255.255.255.255:65535`.
const IPV4: u8 = 21;

const CSV: &[&str] = &[
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
    "icmp_id",
    "vlan",
    "tunnel",
];

impl FlowRecord {
    fn initiator(&self) -> &FlowRecordSide {
        &self.sides[0]
    }

    fn responder(&self) -> &FlowRecordSide {
        &self.sides[1]
    }
}

fn side_proto(record: &FlowRecord, side: usize) -> Option<&'static str> {
    record.app_proto_sides.as_ref().and_then(|sides| sides[side])
}

/// Zeek's duration, which a single packet does not have.
fn zeek_duration(record: &FlowRecord) -> Option<Duration> {
    Some(record.closed.since(record.start)).filter(|duration| !duration.is_zero())
}

fn zeek_bytes(record: &FlowRecord, side: &FlowRecordSide) -> Value<'static> {
    Value::some(zeek_duration(record).map(|_| side.stream_bytes))
}

fn is_tcp(record: &FlowRecord) -> bool {
    record.header.key.proto() == L4Proto::Tcp
}

fn all_flags(record: &FlowRecord) -> TcpFlags {
    record.initiator().tcp_flags | record.responder().tcp_flags
}

/// `00` to `ff`.
const HEX: &str = {
    const DIGITS: [u8; 512] = {
        let mut digits = [0; 512];
        let mut n = 0;
        while n < 512 {
            digits[n] = b"0123456789abcdef"[if n % 2 == 0 { n / 32 } else { n / 2 % 16 }];
            n += 1;
        }
        digits
    };
    match str::from_utf8(&DIGITS) {
        Ok(text) => text,
        Err(_) => panic!("digits are ASCII"),
    }
};

/// Two hexadecimal digits, as Suricata has them.
fn tcp_flags(record: &FlowRecord, flags: TcpFlags) -> Value<'static> {
    if !is_tcp(record) {
        return Value::Null;
    }
    let at = 2 * usize::from(flags.0);
    Value::Text(HEX[at..at + 2].into())
}

/// Suricata's three states: whether both sides have spoken, and whether both have closed.
fn state(record: &FlowRecord) -> &'static str {
    match record.tcp_state {
        None if record.two_way => "established",
        None | Some(TcpState::None | TcpState::SynSent | TcpState::SynReceived) => "new",
        Some(TcpState::LastAck | TcpState::TimeWait | TcpState::Closed) => "closed",
        Some(_) => "established",
    }
}

fn reason(record: &FlowRecord) -> &'static str {
    match record.kind {
        FlowRecordKind::Interim(_) => "timeout",
        FlowRecordKind::Ended(reason) | FlowRecordKind::Late(reason) => match reason {
            EndReason::Evicted | EndReason::Forced => "forced",
            EndReason::EndOfInput | EndReason::Shutdown => "shutdown",
            EndReason::Superseded => "tcp_reuse",
            EndReason::Fin | EndReason::Rst if record.at_end => "shutdown",
            _ => "timeout",
        },
    }
}

fn ether(record: &FlowRecord) -> Value<'static> {
    let Some(macs) = &record.macs else { return Value::Null };
    let side = |side| {
        let texts = macs.side(side).iter().map(|[a, b, c, d, e, f]| {
            Value::short(format_args!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"))
        });
        Value::List(texts.collect())
    };
    Value::Object(vec![
        ("dest_macs", side(FlowSide::Responder)),
        ("src_macs", side(FlowSide::Initiator)),
    ])
}

/// A name of at most five letters, or the number; with that of the protocol inside, if that is known.
fn proto_and_app(record: &FlowRecord) -> Value<'_> {
    let mut text = Short::EMPTY;
    let _ = match record.header.key.proto() {
        L4Proto::Icmpv6 => text.write_str("icmp6"),
        other => write!(text, "{other}"),
    };
    if let Some(inside) = record.app_proto {
        let _ = write!(text, "/{inside}");
    }
    Value::Short(text)
}

fn both(record: &FlowRecord, of: fn(&FlowRecordSide) -> u64) -> Value<'static> {
    of(record.initiator()).saturating_add(of(record.responder())).into()
}

fn pair(record: &FlowRecord, of: fn(&FlowRecordSide) -> u64) -> Value<'static> {
    let [sent, back] = [record.initiator(), record.responder()].map(|side| amount(of(side)));
    Value::short(format_args!("{sent}/{back}"))
}

/// `vlan:7 vxlan:100`.
fn tunnel(record: &FlowRecord) -> Value<'_> {
    let vlans = record.header.vlans().map(|id| Value::short(format_args!("vlan:{id}")));
    let Value::List(tunnels) = record.header.tunnel_texts() else { return Value::Null };
    Value::List(vlans.chain(tunnels).collect())
}

/// At most eleven letters.
fn short_history(record: &FlowRecord) -> Value<'_> {
    let letters = record.history.as_str();
    match letters.get(..10) {
        Some(first) if letters.len() > 11 => Value::short(format_args!("{first}…")),
        _ => letters.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_sound() {
        assert_eq!(FLOW.faults(), Vec::<String>::new());
    }

    /// A cell of a table has eleven letters at most.
    #[test]
    fn a_long_history_is_cut_in_tables() {
        use flowscope_testkit::{Dialogue, views};
        let talk =
            Dialogue::udp("10.0.0.1:40000", "10.0.0.2:53").datagram(FlowSide::Initiator, b"");
        let mut driver = flowscope_driver::SessionDriver::new(
            flowscope_extract::FiveTuple::bidirectional(),
            flowscope_http::HttpParser::default(),
        );
        for view in views(&talk.build()) {
            driver.handle_packet(view);
        }
        driver.finish(EndReason::EndOfInput);
        let mut record = std::iter::from_fn(|| driver.poll_event())
            .find_map(|event| FlowRecord::of_event(&event))
            .unwrap();
        let mut check = |letters: &str, expected: &str| {
            record.history = flowscope_track::History::of_letters(letters).unwrap();
            let shown = crate::cell_text(&short_history(&record), &crate::Zone::utc());
            assert_eq!(shown, expected, "{letters}");
        };
        check("ShADad", "ShADad");
        check("ShADadTtCcW", "ShADadTtCcW");
        check("ShADadTtCcWw", "ShADadTtCc…");
    }

    #[test]
    fn the_age_of_eve_is_the_difference_of_whole_seconds() {
        use flowscope_driver::SessionDriver;
        use flowscope_extract::FiveTuple;
        use flowscope_http::HttpParser;
        use flowscope_testkit::{Dialogue, views};

        let talk = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").after(900).syn().after(200);
        let mut driver = SessionDriver::new(FiveTuple::bidirectional(), HttpParser::default());
        for view in views(&talk.syn_ack().build()) {
            driver.handle_packet(view);
        }
        driver.finish(EndReason::EndOfInput);
        let ended = std::iter::from_fn(|| driver.poll_event())
            .find_map(|event| FlowRecord::of_event(&event))
            .unwrap();
        assert_eq!(ended.duration().as_millis(), 201);
        let age = FLOW.columns.iter().find(|column| column.name == "duration").unwrap();
        let eve = age.eve.as_ref().and_then(|eve| eve.get).unwrap();
        assert_eq!(eve(&ended), Value::U64(1));
    }
}

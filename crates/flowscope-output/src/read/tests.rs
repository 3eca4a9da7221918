use std::time::Duration;

use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::Timestamp;
use flowscope_driver::{DriverConfig, SessionDriver, SessionSink};
use flowscope_extract::{AutoDetectEncap, FiveTuple};
use flowscope_http::HttpParser;
use flowscope_testkit::{Dialogue, frame, views};
use flowscope_track::{Change, Flow, TrackerConfig};
use proptest::prelude::*;

use super::*;
use crate::{EveFormat, Format, JsonFormat};

fn names(name: &str, _: L4Proto) -> Option<(&'static str, &'static str)> {
    [("http", "http"), ("tls", "ssl"), ("smtp", "smtp")].into_iter().find(|known| known.0 == name)
}

fn reader() -> FlowReader {
    FlowReader::new(names, 0)
}

fn written(mut format: impl Format, record: &FlowRecord) -> String {
    let mut out = Vec::new();
    format.record(&record.header, record, &mut out);
    String::from_utf8(out).unwrap()
}

fn eve(record: &FlowRecord) -> String {
    written(EveFormat::new(), record)
}

fn json(record: &FlowRecord) -> String {
    written(JsonFormat::new(), record)
}

#[derive(Default)]
struct Records(Vec<FlowRecord>);

impl<M> SessionSink<FiveTupleKey, M> for Records {
    fn flow(&mut self, flow: Flow<'_, FiveTupleKey, ()>, change: Change) {
        self.0.extend(FlowRecord::of_change(&flow, change));
    }

    fn removed(&mut self, flow: Flow<'_, FiveTupleKey, ()>, reason: EndReason) {
        self.0.push(FlowRecord::of_removed(&flow, reason));
    }
}

/// The records of these packets, interim ones and those of late packets included.
fn records(packets: &[(Timestamp, Vec<u8>)]) -> Vec<FlowRecord> {
    let tracker = TrackerConfig::default().active(Some(Duration::from_millis(200))).macs(true);
    let config = DriverConfig::default().tracker(tracker);
    let extractor = AutoDetectEncap(FiveTuple::bidirectional());
    let mut driver = SessionDriver::with_config(extractor, HttpParser::default(), config);
    let mut records = Records::default();
    for view in views(packets) {
        driver.handle_batch_with(&[view], &mut records);
    }
    driver.finish_with(EndReason::EndOfInput, &mut records);
    records.0
}

/// TCP with all that can go wrong, UDP over IPv6, pings in VLANs and a tunnel, an ICMP error.
fn all_kinds() -> Vec<FlowRecord> {
    let talk = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").at(1_767_323_045).handshake();
    let mut packets = talk
        .data(Initiator, b"GET / HTTP/1.1\r\n\r\n")
        .after(300)
        .data(Responder, b"HTTP/1.1 204 No Content\r\n\r\n")
        .close(Responder)
        .build();
    let udp = Dialogue::udp("[2001:db8::1]:5353", "[2001:db8::2]:53").at(1_767_323_046);
    packets.extend(udp.datagram(Initiator, [0; 30]).datagram(Responder, [0; 60]).build());
    let at = Timestamp::from_nanos(1_767_323_046_500_000_001);
    let tagged = frame().ethernet().vlan(7).vlan(8).ipv4("10.0.0.9", "10.0.0.8");
    packets.push((at, tagged.echo_request(5, 1).payload([0; 8]).build()));
    let mut records = records(&packets);
    let mut named = records[0].clone();
    named.app_proto = Some("tls");
    named.service = Some("ssl");
    named.header.within = Some("smtp");
    named.app_proto_sides = Some(Box::new([None, Some(FAILED)]));
    named.header.ambiguous = true;
    named.ack_rtt = Some(Duration::from_nanos(1_000_000_001));
    named.header.path = Some(Box::new(Path::EMPTY));
    for layer in LAYERS.into_iter().skip(9) {
        let path = named.header.path.as_deref_mut().unwrap();
        path.push(PathLayer { layer, id: 0xff_ffff }).unwrap();
    }
    for side in &mut named.sides {
        side.shunted = Counters { packets: 2, wire_bytes: u64::MAX, ..Counters::default() };
        side.counters.wire_bytes = u64::MAX;
    }
    let mut failed = named.clone();
    (failed.app_proto, failed.service, failed.app_proto_sides) = (Some(FAILED), None, None);
    records.extend([named, failed]);
    records
}

#[test]
fn what_is_written_is_read() {
    let all = all_kinds();
    assert!(all.iter().any(|record| matches!(record.kind, FlowRecordKind::Interim(1))));
    assert!(all.iter().any(|record| record.header.icmp.is_some()));
    for record in all {
        for (line, layout) in [(eve(&record), FlowLayout::Eve), (json(&record), FlowLayout::Json)] {
            let (found, read) = reader().read(line.as_bytes()).unwrap().unwrap();
            assert_eq!(found, layout);
            assert_eq!(read.header.key, record.header.key, "{line}");
            let again = if layout == FlowLayout::Eve { eve(&read) } else { json(&read) };
            assert_eq!(again, line);
            // All that flat JSON has, EVE has.
            assert_eq!(json(&read), json(&record));
        }
    }
}

#[test]
fn reasons_and_states_have_their_names() {
    let record = all_kinds().remove(0);
    for reason in END_REASONS {
        for kind in [FlowRecordKind::Ended(reason), FlowRecordKind::Late(reason)] {
            let record = FlowRecord { kind, ..record.clone() };
            let (_, read) = reader().read(eve(&record).as_bytes()).unwrap().unwrap();
            assert_eq!(read.kind, kind);
        }
    }
    for (conn_state, tcp_state) in CONN_STATES.iter().zip(TCP_STATES.iter().cycle()) {
        let tcp_state = Some(*tcp_state);
        let record = FlowRecord { conn_state: *conn_state, tcp_state, ..record.clone() };
        let (_, read) = reader().read(eve(&record).as_bytes()).unwrap().unwrap();
        assert_eq!((read.conn_state, read.tcp_state), (*conn_state, tcp_state));
    }
}

#[test]
fn lines_that_are_of_no_flow_are_passed_over() {
    for line in [
        r#"{"timestamp":"2026-01-02T03:04:05.000000Z","event_type":"dns","dns":{}}"#,
        r#"{"timestamp":"2026-01-02T03:04:05.000000Z","event_type":"stats"}"#,
        r#"{"timestamp":"2026-01-02T03:04:05.000000Z","flow_id":1,"app_proto":"http"}"#,
    ] {
        assert!(matches!(reader().read(line.as_bytes()), Ok(None)), "{line}");
    }
}

/// What is wrong with a line of this record, some of which is replaced.
fn fault(record: &FlowRecord, layout: FlowLayout, from: &str, to: &str) -> FlowLineError {
    let line = if layout == FlowLayout::Eve { eve(record) } else { json(record) };
    let changed = line.replacen(from, to, 1);
    assert_ne!(changed, line, "{from}");
    reader().read(changed.as_bytes()).expect_err(&changed)
}

#[test]
fn faults_are_named() {
    use FlowLayout::{Eve, Json};
    use FlowLineError::{Invalid, Missing, NotJson, OtherSeed, UnknownProtocol};
    let all = all_kinds();
    let tcp =
        all.iter().find(|record| record.kind == FlowRecordKind::Ended(EndReason::Fin)).unwrap();
    let ping = all.iter().find(|record| record.header.icmp.is_some()).unwrap();
    let named = all.iter().find(|record| record.app_proto == Some("tls")).unwrap();
    let check = |record, layout, from: &str, to: &str, expected| {
        assert_eq!(fault(record, layout, from, to), expected, "{from} -> {to}");
    };
    check(tcp, Eve, "\"pkts_toserver\":", "\"x\":", Missing("flow.pkts_toserver"));
    check(tcp, Json, "\"packets_to_server\":", "\"x\":", Missing("packets_to_server"));
    check(tcp, Eve, "\"flowscope\":", "\"x\":", Missing("flowscope.end_reason"));
    check(tcp, Eve, "\"tcp\":", "\"x\":", Missing("tcp.state"));
    check(tcp, Json, "\"start\":\"2", "\"start\":\"x", Invalid("start"));
    check(tcp, Json, "\"start\":\"2026", "\"start\":\"2027", Invalid("end"));
    check(tcp, Json, "\"src_port\":40000", "\"src_port\":65536", Invalid("src_port"));
    check(tcp, Json, "\"src_port\":40000", "\"src_port\":-1", Invalid("src_port"));
    check(tcp, Json, "\"src_port\":40000", "\"src_port\":40001", OtherSeed);
    let beyond = "\"bytes_to_server\":18446744073709551616,\"x\":";
    check(tcp, Json, "\"bytes_to_server\":", beyond, Invalid("bytes_to_server"));
    check(
        tcp,
        Json,
        "\"bytes_to_server\":",
        "\"bytes_to_server\":\"1\",\"x\":",
        Invalid("bytes_to_server"),
    );
    check(tcp, Json, "10.0.0.1", "::1", Invalid("dest_ip"));
    check(tcp, Json, "10.0.0.1", "10.0.0.1\\u0000", Invalid("src_ip"));
    check(tcp, Json, "\"TCP\"", "\"300\"", Invalid("proto"));
    check(tcp, Json, "\"history\":\"", "\"history\":\"\\u001b[2J", Invalid("history"));
    check(tcp, Json, "\"closed\"", "\"open\"", Invalid("state"));
    check(tcp, Eve, "\"fin\",\"history\"", "\"x\",\"history\"", Invalid("flowscope.end_reason"));
    check(tcp, Eve, "\"src_macs\":[\"", "\"src_macs\":[\"0", Invalid("ether"));
    check(tcp, Eve, "\"syn_rtt\":", "\"syn_rtt\":-1,\"x\":", Invalid("flowscope.syn_rtt"));
    check(tcp, Eve, "\"syn_rtt\":", "\"syn_rtt\":1e300,\"x\":", Invalid("flowscope.syn_rtt"));
    check(named, Eve, "\"tls\"", "\"new\"", UnknownProtocol("app_proto"));
    check(named, Eve, "\"type\":\"", "\"type\":\"x", Invalid("flowscope.tunnel"));
    check(ping, Eve, "\"vlan\":[7,8]", "\"vlan\":[1,2,3,4,5,6,7,8,9]", Invalid("vlan"));
    check(ping, Eve, "\"vlan\":[7,8]", "\"vlan\":7", Invalid("vlan"));
    check(ping, Json, "\"icmp_type\":8", "\"icmp_type\":256", Invalid("icmp_type"));
    check(ping, Eve, "\"icmp_id\":5", "\"icmp_id\":65536", Invalid("flowscope.icmp_id"));
    check(tcp, Eve, "{", "[", NotJson);
    assert_eq!(reader().read(b"17").unwrap_err(), NotJson);
    assert_eq!(reader().read(b"{}").unwrap_err(), Missing("src_ip"));
    assert_eq!(reader().read(b"\xff").unwrap_err(), NotJson);
    assert_eq!(reader().read("[".repeat(100_000).as_bytes()).unwrap_err(), NotJson);
}

#[test]
fn every_prefix_of_a_line_is_cut() {
    let line = eve(&all_kinds()[0]);
    let line = line.trim_end();
    for len in 0..line.len() {
        let cut = reader().read(&line.as_bytes()[..len]);
        assert_eq!(cut.unwrap_err(), FlowLineError::Cut, "{len}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_line_panics(at in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 0..6), flat in any::<bool>()) {
        let record = &all_kinds()[0];
        let mut line = if flat { json(record) } else { eve(record) }.into_bytes();
        let at = at.index(line.len());
        let end = (at + bytes.len()).min(line.len());
        line.splice(at..end, bytes);
        let _ = reader().read(&line);
    }
}

/// The values of a record in a column store.
fn row(record: &FlowRecord) -> Vec<(&'static str, Value<'_>)> {
    let is_stored = |column: &&flowscope_record::Column<FlowRecord>| {
        column.eve.is_some() || FLOW.csv.is_some_and(|csv| csv.contains(&column.name))
    };
    let header = HEADER.iter().map(|column| (column.name, (column.get)(&record.header)));
    let own = FLOW.columns.iter().filter(is_stored);
    header.chain(own.map(|column| (column.name, (column.get)(record)))).collect()
}

#[test]
fn a_row_comes_back() {
    for record in all_kinds() {
        let read = reader().read_row(row(&record)).unwrap();
        assert_eq!(row(&read), row(&record));
        assert_eq!(eve(&read), eve(&record));
    }
}

#[test]
fn columns_that_a_row_lacks_are_null() {
    let needed = [
        "src_ip",
        "dest_ip",
        "start",
        "end",
        "end_reason",
        "initiator_evidence",
        "conn_state",
        "packets_to_server",
        "packets_to_client",
        "bytes_to_server",
        "bytes_to_client",
    ];
    // Of some flows alone, or parts of the Community ID.
    let others = ["proto", "state", "src_port", "dest_port", "icmp_type", "icmp_code"];
    let names = FLOW.columns.iter().map(|column| column.name);
    let names: Vec<_> = names.chain(HEADER.iter().map(|column| column.name)).collect();
    for record in all_kinds() {
        let all = row(&record);
        for name in names.iter().copied().filter(|name| !others.contains(name)) {
            let rest = all.iter().filter(|(other, _)| *other != name).cloned();
            let missing = needed.contains(&name).then_some(FlowLineError::Missing(name));
            assert_eq!(reader().read_row(rest).err(), missing, "{name}");
        }
        let more = all.iter().cloned().chain([("new_column", Value::from(7_u64))]);
        reader().read_row(more).unwrap();
        let wrong = all.iter().cloned().map(|(name, value)| match name {
            "start" => (name, Value::from("2026-01-02T03:04:05Z")),
            _ => (name, value),
        });
        assert_eq!(reader().read_row(wrong).unwrap_err(), FlowLineError::Invalid("start"));
    }
}

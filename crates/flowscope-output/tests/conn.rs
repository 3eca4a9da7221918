//! What Zeek's `conn.log` has of packets that were made for it.

#![allow(missing_docs)]

use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::{PacketView, TcpFlags};
use flowscope_driver::{DriverConfig, SessionDriver};
use flowscope_extract::FiveTuple;
use flowscope_http::HttpParser;
use flowscope_output::{FlowRecord, Format, ZeekFormat};
use flowscope_testkit::{Dialogue, Frame, frame, views};
use flowscope_track::{EndReason, TrackerConfig};
use serde_json::Value;

const ENDS: (&str, &str) = ("10.0.0.1:40000", "10.0.0.2:80");

fn tcp() -> Dialogue {
    Dialogue::tcp(ENDS.0, ENDS.1)
}

/// Row of the only flow.
fn conn<'a>(packets: impl IntoIterator<Item = PacketView<'a>>) -> Value {
    let mut driver = SessionDriver::with_config(
        FiveTuple::bidirectional(),
        HttpParser::default(),
        DriverConfig::default().tracker(TrackerConfig::default().listening_ports([53])),
    );
    for packet in packets {
        driver.handle_packet(packet);
    }
    driver.finish(EndReason::EndOfInput);
    let mut records =
        std::iter::from_fn(|| driver.poll_event()).filter_map(|event| FlowRecord::of_event(&event));
    let record = records.next().expect("there is a flow");
    assert!(records.next().is_none(), "there is one flow");
    let mut row = Vec::new();
    ZeekFormat::json().record(&record.header, &record, &mut row);
    serde_json::from_slice(&row).expect("a row is JSON")
}

/// The fields of a row, as text, those without a value as `-`.
fn fields(row: &Value, names: &str) -> String {
    let field = |name: &str| match &row[name] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    names.split(' ').map(field).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(talk: Dialogue, names: &str, expected: &str) {
    assert_eq!(fields(&conn(views(&talk.build())), names), expected);
}

#[test]
fn a_single_packet_has_neither_duration_nor_bytes() {
    let names = "duration orig_bytes resp_bytes conn_state history orig_pkts";
    check(tcp().syn(), names, "- - - S0 S 1");
    check(tcp().rst(Initiator), names, "- - - OTH R 1");
    let udp = Dialogue::udp("10.0.0.1:40000", "10.0.0.2:5000").datagram(Initiator, b"hello");
    check(udp.clone(), names, "- - - S0 D 1");
    check(udp.datagram(Responder, b"hi"), names, "0.001 5 2 SF Dd 1");
    let flipped = Dialogue::udp("10.0.0.1:40000", "10.0.0.2:53").datagram(Responder, b"hello");
    check(flipped, names, "- - - SHR ^d 0");
}

#[test]
fn the_acknowledgement_of_the_last_fin_does_not_prolong_a_connection() {
    let names = "duration conn_state history";
    let open = || tcp().handshake().data(Initiator, b"x").ack_from(Responder);
    check(open(), names, "0.004 S1 ShADa");
    check(open().close(Initiator), names, "0.007 SF ShADaFf");
    let both = open().fin(Initiator).fin(Responder);
    check(both.clone(), names, "0.006 SF ShADaFf");
    check(both.after(500).rst(Initiator), names, "0.006 SF ShADaFfR");
}

#[test]
fn bytes_of_tcp_are_those_of_its_numbers() {
    let names = "orig_bytes resp_bytes missed_bytes history";
    let ack = TcpFlags::ACK;
    let open = || tcp().handshake().data(Initiator, b"0123456789");
    let again = open().segment(Initiator, 1001, 5001, ack, b"0123456789").ack_from(Responder);
    check(again, names, "10 0 0 ShADTa");
    let hole = open().segment(Initiator, 1021, 5001, ack, b"0123456789");
    check(hole.clone(), names, "30 0 10 ShAD");
    let lost = hole.clone().segment(Responder, 5001, 1031, ack, b"");
    check(lost, names, "30 0 10 ShADaG");
    let late = hole.segment(Initiator, 1011, 5001, ack, b"0123456789");
    check(late.segment(Responder, 5001, 1031, ack, b""), names, "30 0 0 ShADa");
}

#[test]
fn payload_that_was_cut_off_is_missed() {
    let packets = tcp().handshake().data(Initiator, b"0123456789").ack_from(Responder).build();
    let cut = views(&packets).map(|view| {
        let frame = view.frame();
        let kept = frame.get(..14 + 20 + 20 + 4).unwrap_or(frame);
        PacketView::new(kept, view.link(), view.ts()).with_wire_len(view.wire_len())
    });
    assert_eq!(fields(&conn(cut), "orig_bytes resp_bytes missed_bytes"), "10 0 6");
}

#[test]
fn the_second_port_of_icmp_is_the_type_of_the_answer() {
    let check = |frame: &Frame, expected: &str| {
        let packet = frame.packet();
        let row = conn([packet.view()]);
        assert_eq!(fields(&row, "proto id.orig_p id.resp_p conn_state history"), expected);
    };
    let v4 = |kind, code| frame().ethernet().ip("10.0.0.1", "10.0.0.2").icmp(kind, code);
    let v6 = |kind, code| frame().ethernet().ip("fe80::1", "fe80::2").icmp(kind, code);
    check(&v4(8, 0), "icmp 8 0 OTH D");
    check(&v4(13, 0), "icmp 13 14 OTH D");
    check(&v4(5, 1), "icmp 5 1 OTH D");
    check(&v6(135, 0), "icmp 135 136 OTH D");
    check(&v6(134, 0), "icmp 134 133 OTH D");
    check(&v6(143, 0), "icmp 143 0 OTH D");
}

#[test]
fn what_is_neither_tcp_nor_udp_has_no_state() {
    let other = frame().ethernet().ip("10.0.0.1", "10.0.0.2").sctp(1, 2);
    let row = conn([other.packet().view()]);
    assert_eq!(fields(&row, "proto ip_proto conn_state history"), "unknown_transport 132 OTH -");
}

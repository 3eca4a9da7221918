use flowscope_core::{Datagram, DatagramParser, FlowSide, ParserStatus, Probe, Timestamp};
use flowscope_record::{Protocol, Value};
use proptest::prelude::*;

use super::*;
use crate::fixture::{Wire, any_bytes};
use crate::{DnsUdpParser, Nbns};

/// `FRED<20>`, and `*<00>`, in first-level encoding.
const FRED: &str = "EGFCEFEECACACACACACACACACACACACA";
const ANY: &str = "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const POINTER: &[u8] = b"\xc0\x0c";

fn query(name: &str, rtype: u16) -> Wire {
    Wire::new(0x1234, 0x0110).question(name, rtype, 1)
}

/// A registration: the address is in an additional record.
fn registration() -> Wire {
    let flags = 0x2910;
    let wire = Wire::new(7, flags).question(FRED, 32, 1);
    wire.record(3, POINTER, 32, 1, 300_000, &[0, 0, 192, 0, 2, 1])
}

/// A node status response: two names, a unit identifier, some statistics.
fn node_status_response() -> Wire {
    let mut data = vec![2];
    data.extend(*b"FRED           \x00\x04\0");
    data.extend(*b"WORKGROUP      \x00\x84\0");
    data.extend(*b"\x02\0\0\0\0\x01");
    data.extend([0; 40]);
    let owner = crate::fixture::labels(ANY);
    Wire::new(9, 0x8400).record(1, &owner, 33, 1, 0, &data)
}

fn parse(wire: Wire) -> Option<NbnsMessage> {
    let bytes = wire.build();
    let mut parser = NbnsParser::new();
    let mut out = parser.parse(&bytes, FlowSide::Initiator);
    assert!(out.len() <= 1);
    out.pop()
}

/// Its summary.
fn check(wire: Wire, expected: &str) {
    assert_eq!(NbnsParser::probe(FlowSide::Initiator, &wire.clone().build()), Probe::Yes);
    let message = parse(wire).expect("a message");
    let mut text = String::new();
    (Nbns::SCHEMA.summary)(&message, &mut text);
    assert_eq!(text, expected);
}

#[test]
fn messages_are_read() {
    check(query(FRED, 32), "4660 query? FRED<20> NB");
    check(query(&format!("{FRED}.SCOPE.ID"), 32), "4660 query? FRED<20>.SCOPE.ID NB");
    check(query(ANY, 33), "4660 query? *<00> NBSTAT");
    check(registration(), "7 registration? FRED<20> NB");
    let owner = crate::fixture::labels(FRED);
    let two = [0x80, 0, 192, 0, 2, 1, 0x80, 0, 192, 0, 2, 2];
    check(
        Wire::new(7, 0x8500).record(1, &owner, 32, 1, 300, &two),
        "7 NOERROR FRED<20> NB -> 192.0.2.1, 192.0.2.2",
    );
    check(Wire::new(7, 0x8583).record(1, &owner, 10, 1, 0, b""), "7 NAM_ERR FRED<20> NULL");
    check(node_status_response(), "9 NOERROR *<00> NBSTAT -> FRED<00>, WORKGROUP<00>");
}

#[test]
fn a_message_is_about_one_name() {
    let message = parse(registration()).unwrap();
    assert_eq!(message.opcode().name(), Some("registration"));
    assert!(message.broadcast() && !message.is_response());
    assert_eq!((message.rtype, message.class, message.ttl), (NbnsType::NB, 1, Some(300_000)));
    let address = NbnsAddress { flags: 0, address: [192, 0, 2, 1].into() };
    assert_eq!(message.addresses, [address]);
    assert!(!address.is_group());
    assert_eq!(message.defect, None);

    let status = parse(node_status_response()).unwrap();
    assert_eq!(status.unit_id, Some([2, 0, 0, 0, 0, 1]));
    let groups: Vec<bool> = status.names.iter().map(NbnsNodeName::is_group).collect();
    assert_eq!(groups, [false, true]);
}

#[test]
fn the_type_is_not_that_of_dns() {
    let message = parse(query(FRED, 32)).unwrap();
    let column = Nbns::SCHEMA.columns.iter().find(|column| column.name == "rrtype").unwrap();
    assert_eq!((column.get)(&message), Value::from("NB"));
    // Neither is sure of what the other is sure of.
    for wire in [query(FRED, 32), query(ANY, 33), registration(), node_status_response()] {
        let bytes = wire.build();
        assert_eq!(DnsUdpParser::probe(FlowSide::Initiator, &bytes), Probe::No);
        assert!(DnsUdpParser::default().parse(&bytes, FlowSide::Initiator).is_empty());
    }
    let dns = Wire::query(1, "example.com", 1).build();
    assert_eq!(NbnsParser::probe(FlowSide::Initiator, &dns), Probe::No);
}

#[test]
fn a_redirect_is_read_on_the_port_of_the_name_service() {
    let owner = crate::fixture::labels(FRED);
    let wire = Wire::new(7, 0x8000).record(2, &owner, 2, 1, 0, POINTER);
    let bytes = wire.clone().build();
    assert_eq!(NbnsParser::probe(FlowSide::Initiator, &bytes), Probe::Maybe);
    assert_eq!(parse(wire).unwrap().rtype, NbnsType::NS);
}

/// RFC 1002 §4.2.16: the data of a request to wait is the second word of the request's header.
#[test]
fn a_request_to_wait_has_no_addresses() {
    let owner = crate::fixture::labels(FRED);
    let wait = Wire::new(7, 0xbc00).record(1, &owner, 32, 1, 60, &[0x29, 0x10]);
    let message = parse(wait).unwrap();
    assert_eq!((message.opcode(), message.defect), (NbnsOpcode::WACK, None));
    assert!(message.addresses.is_empty());
}

#[test]
fn the_time_is_that_of_the_first_record() {
    let owner = crate::fixture::labels(FRED);
    let address = [0, 0, 192, 0, 2, 1];
    let wire = Wire::new(7, 0x8500).record(1, &owner, 32, 1, 300, &address);
    let message = parse(wire.record(1, POINTER, 32, 1, 60, &address)).unwrap();
    assert_eq!((message.ttl, message.addresses.len()), (Some(300), 2));
}

/// A scope has 255 bytes at most, as any name (RFC 1035 §2.3.4), also where a pointer leads into a longer one.
#[test]
fn a_scope_is_bounded() {
    let name = |labels: usize| format!("{FRED}{}", format!(".{}", "s".repeat(50)).repeat(labels));
    assert!(parse(query(&name(4), 32)).is_some());
    assert!(parse(query(&name(6), 32)).is_none());
}

#[test]
fn what_cannot_be_read_is_named() {
    let defect = |wire: Wire| parse(wire).expect("a message").defect;
    // It is malformed in what was captured.
    let odd = query(FRED, 32).record(1, POINTER, 32, 1, 0, &[0; 7]).build();
    let mut out = Vec::new();
    let cut = Datagram::new(FlowSide::Initiator, Timestamp::ZERO, &odd);
    NbnsParser::new().parse_into(cut.wire_len(odd.len() as u32 + 9), &mut out);
    assert_eq!(out[0].defect, Some(NbnsDefect::Malformed));
    assert_eq!(defect(query(FRED, 32)), None);
    assert_eq!(defect(query(FRED, 32).counts([1, 0, 0, 1])), Some(NbnsDefect::Malformed));
    assert_eq!(defect(query(FRED, 32).counts([65535; 4])), Some(NbnsDefect::Malformed));
    // Data that is no list of addresses; more names than there is room for.
    let odd = query(FRED, 32).record(1, POINTER, 32, 1, 0, &[0; 7]);
    assert_eq!(defect(odd), Some(NbnsDefect::Malformed));
    let owner = crate::fixture::labels(ANY);
    let names = Wire::new(9, 0x8400).record(1, &owner, 33, 1, 0, &[255, 0, 0]);
    assert_eq!(defect(names), Some(NbnsDefect::Malformed));
    // What the capture has cut.
    let whole = registration().build();
    let mut out = Vec::new();
    let cut = Datagram::new(FlowSide::Initiator, Timestamp::ZERO, &whole[..whole.len() - 3]);
    NbnsParser::new().parse_into(cut.wire_len(whole.len() as u32), &mut out);
    assert_eq!(out[0].defect, Some(NbnsDefect::Cut));
    assert_eq!(out[0].len as usize, whole.len());
}

#[test]
fn a_flow_without_messages_fails_in_the_end() {
    let mut parser = NbnsParser::new();
    let mut out = Vec::new();
    let mut status = ParserStatus::Continue;
    for _ in 0..33 {
        assert_eq!(status, ParserStatus::Continue);
        status = parser
            .parse_into(Datagram::new(FlowSide::Initiator, Timestamp::ZERO, &[0xff; 40]), &mut out);
    }
    assert!(matches!(status, ParserStatus::Failed(_)));
    assert!(out.is_empty());
}

/// Messages with some of their bytes changed, and anything else.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let samples = [query(FRED, 32), query(ANY, 33), registration(), node_status_response()];
    let samples = samples.map(Wire::build);
    let damage = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let damaged = (prop::sample::select(samples.to_vec()), damage, any::<prop::sample::Index>());
    prop_oneof![
        3 => damaged.prop_map(|(mut bytes, damage, end)| {
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(12 + end.index(bytes.len()));
            bytes
        }),
        1 => any_bytes(),
    ]
}

proptest! {
    #[test]
    fn any_bytes_may_come(bytes in hostile()) {
        let probe = NbnsParser::probe(FlowSide::Initiator, &bytes);
        let out = NbnsParser::new().parse(&bytes, FlowSide::Initiator);
        prop_assert!(out.len() <= 1);
        // Who is sure of a flow must be able to read it, and the two name services never both are.
        if probe == Probe::Yes {
            prop_assert_eq!(out.len(), 1);
            prop_assert_eq!(DnsUdpParser::probe(FlowSide::Initiator, &bytes), Probe::No);
        }
        if probe == Probe::No {
            prop_assert!(out.is_empty());
        }
        for message in out {
            prop_assert!(message.heap_bytes() <= 64 + 8 * bytes.len() + 2 * 255);
            let mut text = String::new();
            (Nbns::SCHEMA.summary)(&message, &mut text);
            for column in Nbns::SCHEMA.columns {
                let _ = (column.get)(&message);
                let zeek = column.zeek.as_ref().and_then(|zeek| zeek.get);
                let _ = zeek.map(|get| get(&message));
            }
        }
    }
}

use flowscope_record::{Protocol, Value};
use proptest::prelude::*;

use super::*;
use crate::{Dhcp, DhcpMessageType};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// The fixed part and the cookie; then options, as they are given.
fn packet(op: u8, xid: u32, options: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; FIXED];
    bytes[..4].copy_from_slice(&[op, 1, 6, 0]);
    bytes[4..8].copy_from_slice(&xid.to_be_bytes());
    bytes[28..34].copy_from_slice(&MAC);
    bytes.extend_from_slice(COOKIE);
    bytes.extend_from_slice(options);
    bytes
}

fn option(code: u8, data: &[u8]) -> Vec<u8> {
    [&[code, data.len() as u8], data].concat()
}

fn discover() -> Vec<u8> {
    let options = [
        option(53, &[1]),
        option(61, &[&[1], &MAC[..]].concat()),
        option(50, &[192, 0, 2, 7]),
        option(12, b"host"),
        option(81, b"\x04\0\0\x04host\x07example\0"),
        option(60, b"MSFT 5.0"),
        option(55, &[1, 3, 6, 224]),
        vec![255],
    ];
    packet(1, 0x1234_5678, &options.concat())
}

fn ack() -> Vec<u8> {
    let options = [
        option(53, &[5]),
        option(54, &[192, 0, 2, 1]),
        option(51, &3600_u32.to_be_bytes()),
        option(58, &1800_u32.to_be_bytes()),
        option(59, &3150_u32.to_be_bytes()),
        option(1, &[255, 255, 255, 0]),
        option(3, &[192, 0, 2, 1]),
        option(6, &[192, 0, 2, 2, 192, 0, 2, 3]),
        option(15, b"example"),
        vec![255],
    ];
    let mut bytes = packet(2, 0x1234_5678, &options.concat());
    bytes[10] = 0x80;
    bytes[16..20].copy_from_slice(&[192, 0, 2, 7]);
    bytes[24..28].copy_from_slice(&[192, 0, 2, 254]);
    bytes
}

fn parse(bytes: &[u8]) -> Option<DhcpMessage> {
    let mut out = DhcpParser::new().parse(bytes, FlowSide::Initiator);
    assert!(out.len() <= 1);
    out.pop()
}

/// Every column that has a value, in EVE's form where it has one.
fn shown(message: &DhcpMessage) -> Vec<(&'static str, Value<'_>)> {
    let columns = Dhcp::SCHEMA.columns.iter().filter_map(|column| {
        let eve = column.eve.as_ref()?;
        let value = eve.get.unwrap_or(column.get)(message);
        let empty = matches!(&value, Value::List(items) if items.is_empty());
        let own = eve.path.strip_prefix("dhcp.")?;
        (!value.is_null() && !empty).then_some((own, value))
    });
    columns.collect()
}

fn ip(text: &str) -> Value<'static> {
    Value::Addr(text.parse().unwrap())
}

#[test]
fn a_discover_shows_what_suricata_shows() {
    let bytes = discover();
    assert_eq!(DhcpParser::probe(FlowSide::Initiator, &bytes), Probe::Yes);
    let message = parse(&bytes).unwrap();
    assert_eq!(message.message_type(), Some(DhcpMessageType::DISCOVER));
    assert_eq!(message.defect, None);
    let params = ["subnet_mask", "router", "dns_server"].map(Value::from).to_vec();
    let params = [params, vec![Value::short(224)]].concat();
    let expected = [
        ("type", "request".into()),
        ("id", 0x1234_5678_u32.into()),
        ("client_mac", "02:00:00:00:00:01".into()),
        ("assigned_ip", ip("0.0.0.0")),
        ("client_ip", ip("0.0.0.0")),
        ("dhcp_type", "discover".into()),
        ("requested_ip", ip("192.0.2.7")),
        ("client_id", "02:00:00:00:00:01".into()),
        ("hostname", b"host"[..].into()),
        ("client_fqdn", b"host.example"[..].into()),
        ("params", Value::List(params)),
        ("vendor_class_identifier", b"MSFT 5.0"[..].into()),
    ];
    assert_eq!(shown(&message), expected);
}

#[test]
fn an_ack_shows_the_lease() {
    let bytes = ack();
    let message = parse(&bytes).unwrap();
    assert!(message.broadcast && message.is_reply);
    let expected = [
        ("type", "reply".into()),
        ("id", 0x1234_5678_u32.into()),
        ("client_mac", "02:00:00:00:00:01".into()),
        ("assigned_ip", ip("192.0.2.7")),
        ("client_ip", ip("0.0.0.0")),
        ("relay_ip", ip("192.0.2.254")),
        ("next_server_ip", ip("0.0.0.0")),
        ("dhcp_type", "ack".into()),
        ("server_id", ip("192.0.2.1")),
        ("domain", b"example"[..].into()),
        ("lease_time", 3600_u16.into()),
        ("renewal_time", 1800_u16.into()),
        ("rebinding_time", 3150_u16.into()),
        ("subnet_mask", ip("255.255.255.0")),
        ("routers", Value::List(vec![ip("192.0.2.1")])),
        ("dns_servers", Value::List(vec![ip("192.0.2.2"), ip("192.0.2.3")])),
    ];
    assert_eq!(shown(&message), expected);
    let mut text = String::new();
    (Dhcp::SCHEMA.summary)(&message, &mut text);
    assert_eq!(text, "ack 02:00:00:00:00:01 -> 192.0.2.7 for 3600s");
}

#[test]
fn zero_bytes_at_the_end_of_texts_are_deleted() {
    let texts = [option(12, b"host\0"), option(15, b"home\0\0"), option(56, b"\0"), vec![255]];
    let bytes = packet(1, 1, &texts.concat());
    let message = parse(&bytes).unwrap();
    assert_eq!((message.host_name(), message.domain()), (Some(&b"host"[..]), Some(&b"home"[..])));
    assert_eq!(message.message(), Some(&b""[..]));
}

#[test]
fn zeeks_log_has_its_fields() {
    let names: Vec<&str> = Dhcp::SCHEMA
        .zeek_columns()
        .iter()
        .filter_map(|column| column.zeek.as_ref())
        .map(|zeek| zeek.name)
        .collect();
    let expected = [
        "client_addr",
        "server_addr",
        "mac",
        "host_name",
        "client_fqdn",
        "domain",
        "requested_addr",
        "assigned_addr",
        "lease_time",
        "client_message",
        "server_message",
        "msg_types",
        "duration",
    ];
    assert_eq!(names, expected);
}

#[test]
fn options_go_on_in_other_fields() {
    let mut bytes = packet(2, 1, &[option(53, &[2]), option(52, &[3]), vec![255]].concat());
    // `file` before `sname` (RFC 3396 §5), pieces of one option put together.
    bytes[BOOT_FILE.start..][..5].copy_from_slice(&option(12, b"lon"));
    bytes[BOOT_FILE.start + 5] = 255;
    bytes[SERVER_NAME.start..][..4].copy_from_slice(&option(12, b"g-"));
    bytes[SERVER_NAME.start + 4..][..6].copy_from_slice(&option(15, b"home"));
    bytes[SERVER_NAME.start + 10] = 255;
    let message = parse(&bytes).unwrap();
    assert_eq!(message.defect, None);
    assert_eq!(message.host_name(), Some(&b"long-"[..]));
    assert_eq!(message.domain(), Some(&b"home"[..]));
    // Without the option, the fields are what they are: names.
    bytes[FIXED + COOKIE.len() + 5] = 0;
    assert_eq!(parse(&bytes).unwrap().host_name(), None);
    // One of the fields.
    bytes[FIXED + COOKIE.len() + 5] = 1;
    let message = parse(&bytes).unwrap();
    assert_eq!((message.host_name(), message.domain()), (Some(&b"lon"[..]), None));
}

#[test]
fn an_overload_inside_an_overloaded_field_leads_nowhere() {
    let mut bytes = packet(2, 1, &[option(52, &[1]), vec![255]].concat());
    bytes[BOOT_FILE.start..][..3].copy_from_slice(&option(52, &[2]));
    bytes[BOOT_FILE.start + 3] = 255;
    bytes[SERVER_NAME.start..][..4].copy_from_slice(&option(12, b"no"));
    assert_eq!(parse(&bytes).unwrap().host_name(), None);
}

#[test]
fn lengths_that_lie_end_the_options() {
    for tail in [&[12, 255, b'x'][..], &[12], &[12, 2, b'x']] {
        let options = [&option(53, &[3])[..], tail].concat();
        let message = parse(&packet(1, 1, &options)).unwrap();
        assert_eq!(message.defect, Some(DhcpDefect::Malformed), "{tail:?}");
        assert_eq!(message.message_type(), Some(DhcpMessageType::REQUEST));
        assert_eq!(message.host_name(), None);
    }
    // Data of the wrong length for its option; an address list that is no multiple of four.
    let options = [option(51, &[1]), option(50, &[1, 2]), option(6, &[1, 2, 3, 4, 5]), vec![255]];
    let message = parse(&packet(1, 1, &options.concat())).unwrap();
    assert_eq!((message.lease_time(), message.requested_address()), (None, None));
    assert_eq!(message.dns_servers().count(), 1);
    // A hardware address that is longer than its field.
    let mut long = discover();
    long[2] = 17;
    assert_eq!(parse(&long), None);
}

#[test]
fn what_the_capture_cut_is_named() {
    let whole = discover();
    let cut = Datagram::new(FlowSide::Initiator, Timestamp::ZERO, &whole[..260]);
    let mut out = Vec::new();
    DhcpParser::new().parse_into(cut.wire_len(whole.len() as u32), &mut out);
    assert_eq!(out[0].defect, Some(DhcpDefect::Cut));
    assert_eq!(out[0].len as usize, whole.len());
    assert_eq!(out[0].message_type(), Some(DhcpMessageType::DISCOVER));
}

#[test]
fn bootp_has_no_options() {
    let mut bytes = packet(1, 1, &[]);
    bytes.truncate(FIXED);
    bytes.extend([0; 64]);
    assert_eq!(DhcpParser::probe(FlowSide::Initiator, &bytes), Probe::Maybe);
    let message = parse(&bytes).unwrap();
    assert_eq!((message.message_type(), message.defect), (None, None));
    for other in [&b"GET / HTTP/1.1\r\n"[..], &[1; 235], &[3; 300], &[]] {
        assert_eq!(DhcpParser::probe(FlowSide::Initiator, other), Probe::No);
        assert_eq!(parse(other), None);
    }
}

#[test]
fn a_flow_without_messages_fails_in_the_end() {
    let mut parser = DhcpParser::new();
    let mut out = Vec::new();
    let junk = Datagram::new(FlowSide::Initiator, Timestamp::ZERO, &[9; 40]);
    for _ in 0..32 {
        assert_eq!(parser.parse_into(junk, &mut out), ParserStatus::Continue);
    }
    assert!(matches!(parser.parse_into(junk, &mut out), ParserStatus::Failed(_)));
}

/// Messages with some of their bytes changed and their end cut off, options of any kind, and anything else.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let damage = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let sample = prop::sample::select(vec![discover(), ack()]);
    let damaged = (sample, damage, any::<prop::sample::Index>(), any::<bool>());
    let options = proptest::collection::vec(any::<u8>(), 0..400);
    prop_oneof![
        2 => damaged.prop_map(|(mut bytes, damage, end, cut)| {
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if cut {
                bytes.truncate(end.index(bytes.len()));
            }
            bytes
        }),
        2 => options.prop_map(|options| packet(1, 7, &options)),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
    ]
}

proptest! {
    #[test]
    fn any_bytes_may_come(bytes in hostile()) {
        let probe = DhcpParser::probe(FlowSide::Initiator, &bytes);
        let message = parse(&bytes);
        prop_assert_eq!(message.is_some(), probe != Probe::No);
        if let Some(message) = message {
            // Eighteen options are kept, whatever comes; a vector may have twice the room it needs.
            prop_assert!(message.heap_bytes() <= 64 * 32 + 2 * bytes.len());
            let mut text = String::new();
            (Dhcp::SCHEMA.summary)(&message, &mut text);
            for column in Dhcp::SCHEMA.columns {
                let _ = (column.get)(&message);
                let _ = column.eve.as_ref().and_then(|eve| eve.get).map(|get| get(&message));
                let _ = column.zeek.as_ref().and_then(|zeek| zeek.get).map(|get| get(&message));
            }
        }
    }
}

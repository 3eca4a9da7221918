use std::time::Duration;

use flowscope_record::{Protocol, Value};
use proptest::prelude::*;

use super::*;
use crate::{Ntp, NtpReference};

fn request() -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[0] = 0b00_100_011;
    bytes[40..48].copy_from_slice(&[0xe9, 0, 0, 0, 0x80, 0, 0, 0]);
    bytes
}

fn response() -> Vec<u8> {
    let mut bytes = vec![0b01_011_100, 2, 6, 0xec];
    bytes.extend([0, 1, 0x80, 0, 0, 0, 0x40, 0, 192, 0, 2, 1]);
    for secs in [0xe8ff_ffff_u32, 0xe900_0000, 0xe900_0001, 0xe900_0002] {
        bytes.extend(secs.to_be_bytes());
        bytes.extend([0; 4]);
    }
    bytes
}

fn parse(bytes: &[u8]) -> Option<NtpMessage> {
    let mut out = NtpParser::new().parse(bytes, FlowSide::Initiator);
    assert!(out.len() <= 1);
    out.pop()
}

fn check(bytes: &[u8], probe: Probe, expected: &str) -> NtpMessage {
    assert_eq!(NtpParser::probe(FlowSide::Initiator, bytes), probe);
    let message = parse(bytes).expect("a message");
    let mut text = String::new();
    (Ntp::SCHEMA.summary)(&message, &mut text);
    assert_eq!(text, expected);
    message
}

#[test]
fn a_request_and_its_response() {
    let asks = check(&request(), Probe::Yes, "v4 client stratum 0");
    let times = asks.times.unwrap();
    assert!(times.reference.is_unknown() && times.origin.is_unknown());
    let sent = times.transmit.to_timestamp().unwrap();
    assert_eq!(sent.as_nanos(), (0xe900_0000 - 2_208_988_800) * 1_000_000_000 + 500_000_000);

    let tells = check(&response(), Probe::Yes, "v3 server stratum 2 192.0.2.1");
    assert_eq!((tells.leap, tells.version, tells.mode), (1, 3, NtpMode::SERVER));
    let times = tells.times.unwrap();
    assert_eq!((times.poll, times.precision), (6, -20));
    assert_eq!(times.poll_interval(), Duration::from_secs(64));
    assert_eq!(times.root_delay.to_duration(), Duration::from_millis(1500));
    assert_eq!(times.root_dispersion.to_duration(), Duration::from_millis(250));
    assert_eq!((times.extensions, times.authenticated), (0, false));
}

#[test]
fn a_reference_depends_on_the_stratum() {
    let kind = |stratum: u8, id: &[u8; 4]| {
        let mut bytes = response();
        bytes[1] = stratum;
        bytes[12..16].copy_from_slice(id);
        let kind = parse(&bytes).unwrap().times.unwrap().reference_kind();
        (kind, String::from_utf8(kind.to_bytes()).unwrap())
    };
    assert_eq!(kind(0, b"RATE"), (NtpReference::KissCode(*b"RATE"), "RATE".into()));
    assert_eq!(kind(1, b"GPS\0"), (NtpReference::Clock(*b"GPS\0"), "GPS".into()));
    assert_eq!(
        kind(3, &[192, 0, 2, 9]),
        (NtpReference::Server([192, 0, 2, 9].into()), "192.0.2.9".into())
    );
}

#[test]
fn what_follows_the_header_is_counted() {
    let behind = |behind: &[u8]| {
        let times = parse(&[&request()[..], behind].concat()).unwrap().times.unwrap();
        (times.extensions, times.authenticated)
    };
    let field = |len: u16| {
        let mut field = vec![0; usize::from(len)];
        field[..4].copy_from_slice(&[1, 4, (len >> 8) as u8, len as u8]);
        field
    };
    assert_eq!(behind(&[]), (0, false));
    assert_eq!(behind(&[0; 4]), (0, true));
    assert_eq!(behind(&[0; 20]), (0, true));
    assert_eq!(behind(&[0; 24]), (0, true));
    assert_eq!(behind(&field(28)), (1, false));
    assert_eq!(behind(&[field(16), field(28)].concat()), (2, false));
    assert_eq!(behind(&[field(28), vec![7; 20]].concat()), (1, true));
    // Lengths that lie: beyond the end, below a field's least, not of whole words, none.
    for len in [0_u16, 1, 3, 4, 15, 17, 65_532, 65_535] {
        let mut lies = field(100);
        lies[2..4].copy_from_slice(&len.to_be_bytes());
        assert_eq!(behind(&lies), (0, false), "{len}");
    }
}

#[test]
fn control_messages_have_no_times() {
    let control = [&[0x16, 1][..], &[0; 10]].concat();
    let message = check(&control, Probe::Maybe, "v2 control");
    assert_eq!(message.times, None);
    let private = [0x17, 0, 3, 0x2a, 0, 0, 0, 0];
    check(&private, Probe::Maybe, "v2 private");
    // They are no lines of Zeek's log.
    let lines = |message: NtpMessage| {
        let mut lines = 0;
        (Ntp::SCHEMA.zeek_rows.unwrap())(&message, &mut |_| lines += 1);
        lines
    };
    assert_eq!(lines(message), 0);
    assert_eq!(lines(parse(&request()).unwrap()), 1);
}

#[test]
fn what_is_no_message_is_refused() {
    let first = |first: u8| {
        let mut bytes = request();
        bytes[0] = first;
        (NtpParser::probe(FlowSide::Initiator, &bytes), parse(&bytes).is_some())
    };
    // Versions 0 and 5, mode 0 of version 4, and mode 0 of version 1.
    assert_eq!(first(0b00_000_011), (Probe::No, false));
    assert_eq!(first(0b00_101_011), (Probe::No, false));
    assert_eq!(first(0b00_100_000), (Probe::No, false));
    assert_eq!(first(0b00_001_000), (Probe::Yes, true));
    for bytes in [&request()[..47], &[], b"#", b"\x16"] {
        assert_eq!(NtpParser::probe(FlowSide::Initiator, bytes), Probe::No);
        assert_eq!(parse(bytes), None);
    }
    let mut odd = response();
    odd[1] = 200;
    assert_eq!(NtpParser::probe(FlowSide::Initiator, &odd), Probe::Maybe);
}

#[test]
fn zeeks_log_has_its_fields() {
    let message = parse(&request()).unwrap();
    let columns = Ntp::SCHEMA.zeek_columns();
    let fields: Vec<_> = columns.iter().filter_map(|column| column.zeek.as_ref()).collect();
    let names: Vec<&str> = fields.iter().map(|zeek| zeek.name).collect();
    let expected = [
        "version",
        "mode",
        "stratum",
        "poll",
        "precision",
        "root_delay",
        "root_disp",
        "ref_id",
        "ref_time",
        "org_time",
        "rec_time",
        "xmt_time",
        "num_exts",
    ];
    assert_eq!(names, expected);
    assert_eq!((fields[8].get.unwrap())(&message), Value::Time(Timestamp::ZERO));
}

#[test]
fn a_flow_without_messages_fails_in_the_end() {
    let mut parser = NtpParser::new();
    let mut out = Vec::new();
    let junk = Datagram::new(FlowSide::Initiator, Timestamp::ZERO, &[0; 48]);
    for _ in 0..32 {
        assert_eq!(parser.parse_into(junk, &mut out), ParserStatus::Continue);
    }
    assert!(matches!(parser.parse_into(junk, &mut out), ParserStatus::Failed(_)));
}

proptest! {
    #[test]
    fn any_bytes_may_come(
        head in prop_oneof![Just(request()), Just(response()), Just(Vec::new())],
        tail in proptest::collection::vec(prop_oneof![0_u8..32, any::<u8>()], 0..200),
        change in any::<(prop::sample::Index, u8)>(),
    ) {
        let mut bytes = [head, tail].concat();
        if let Some(byte) = (!bytes.is_empty()).then(|| change.0.index(bytes.len())) {
            bytes[byte] = change.1;
        }
        let probe = NtpParser::probe(FlowSide::Initiator, &bytes);
        let message = parse(&bytes);
        prop_assert_eq!(message.is_some(), probe != Probe::No);
        if let Some(message) = message {
            let mut text = String::new();
            (Ntp::SCHEMA.summary)(&message, &mut text);
            for column in Ntp::SCHEMA.columns {
                let _ = (column.get)(&message);
                let _ = column.zeek.as_ref().and_then(|zeek| zeek.get).map(|get| get(&message));
            }
        }
    }
}

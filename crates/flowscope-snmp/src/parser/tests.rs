use flowscope_core::ParseError;

use super::*;
use crate::{SnmpPdu, SnmpPduKind};

/// A value in BER.
fn value(tag: u8, contents: &[u8]) -> Vec<u8> {
    let len = u16::try_from(contents.len()).unwrap().to_be_bytes();
    [&[tag, 0x82][..], &len, contents].concat()
}

fn var(name: &[u8], tag: u8, contents: &[u8]) -> Vec<u8> {
    value(0x30, &[value(6, name), value(tag, contents)].concat())
}

/// A message of version 2c with these objects.
fn message(tag: u8, status: u8, vars: &[Vec<u8>]) -> Vec<u8> {
    let pdu = [value(2, &[0xff]), value(2, &[status]), value(2, &[1]), value(0x30, &vars.concat())];
    let parts = [value(2, &[1]), value(4, b"public"), value(tag, &pdu.concat())];
    value(0x30, &parts.concat())
}

fn read(bytes: &[u8]) -> Option<SnmpMessage> {
    SnmpParser::default().parse(bytes, FlowSide::Initiator).pop()
}

fn pdu(bytes: &[u8]) -> SnmpPdu {
    read(bytes).unwrap().pdu.unwrap()
}

#[test]
fn objects_are_counted_and_the_first_are_kept() {
    let vars: Vec<_> = (0..40).map(|at| var(&[0x2b, 6, 1, at], 5, b"")).collect();
    let read = pdu(&message(0xa3, 17, &vars));
    assert_eq!((read.vars.len(), read.var_count), (32, 40));
    assert_eq!((read.vars[31].to_string(), read.request_id), ("1.3.6.1.31".into(), Some(-1)));
    assert_eq!((read.kind, read.error()), (SnmpPduKind::SET_REQUEST, Some("notWritable")));
}

#[test]
fn errors_have_names() {
    assert_eq!(pdu(&message(0xa2, 0, &[])).error(), None);
    assert_eq!(pdu(&message(0xa2, 2, &[])).error(), Some("noSuchName"));
    assert_eq!(pdu(&message(0xa2, 99, &[])).error(), Some("unknown"));
    assert_eq!(pdu(&message(0xa2, 0xff, &[])).error(), None);
    // Of a bulk request it is another number.
    assert_eq!(pdu(&message(0xa5, 2, &[])).error(), None);
}

#[test]
fn the_description_of_a_system_is_kept() {
    let name = [0x2b, 6, 1, 2, 1, 1, 1, 0];
    let read = pdu(&message(0xa2, 0, &[var(&name, 4, &[b'x'; 300])]));
    assert_eq!(read.description, Some(vec![b'x'; 256]));
    assert_eq!(pdu(&message(0xa0, 0, &[var(&name, 5, b"")])).description, None);
}

#[test]
fn of_a_message_that_was_cut_there_is_what_was_captured() {
    let whole = message(0xa0, 0, &[var(&[0x2b, 1], 5, b""), var(&[0x2b, 2], 5, b"")]);
    assert_eq!(pdu(&whole).var_count, 2);
    let mut least = None;
    for len in 0..whole.len() {
        match read(&whole[..len]) {
            Some(message) => {
                least.get_or_insert(len);
                assert_eq!(message.community.as_deref(), Some(&b"public"[..]), "{len}");
            }
            None => assert_eq!(least, None, "{len}"),
        }
    }
    // Up to the tag and the length of the PDU.
    assert_eq!(least, Some(23));
}

#[test]
fn what_is_no_message() {
    let message = message(0xa0, 0, &[]);
    for (at, byte) in [(0, 0x31), (1, 0x85), (4, 4), (8, 2), (8, 9), (9, 5), (19, 0xa9), (19, 0x30)]
    {
        let mut wrong = message.clone();
        wrong[at] = byte;
        assert_eq!(read(&wrong), None, "{byte:#x} at {at}");
        assert_eq!(SnmpParser::probe(FlowSide::Initiator, &wrong), Probe::No);
    }
    assert_eq!(SnmpParser::probe(FlowSide::Initiator, &message), Probe::Yes);
    let mut parser = SnmpParser::default();
    let mut out = Vec::new();
    let junk = Datagram::new(FlowSide::Initiator, Timestamp::ZERO, b"\x30\0");
    for _ in 0..MessageCheck::MAX_INVALID {
        assert_eq!(parser.parse_into(junk, &mut out), ParserStatus::Continue);
    }
    let failed = ParserStatus::Failed(ParseError::NotTheProtocol);
    assert_eq!(parser.clone().parse_into(junk, &mut out), failed);
    assert_eq!(parser.parse(&message, FlowSide::Responder).len(), 1);
    assert_eq!(parser.parse_into(junk, &mut out), ParserStatus::Continue);
}

#[test]
fn who_looks_for_an_engine_is_not_sure_of_one() {
    let discovery = |engine: &[u8]| {
        let parameters = [value(4, engine), value(2, &[0]), value(2, &[0]), value(4, b"admin")];
        let header = [value(2, &[1]), value(2, &[5, 0xdc]), value(4, &[4]), value(2, &[3])];
        let pdu = [value(2, &[7]), value(2, &[0]), value(2, &[0]), value(0x30, &[])];
        let scoped = [value(4, b""), value(4, b""), value(0xa0, &pdu.concat())];
        let parts = [
            value(2, &[3]),
            value(0x30, &header.concat()),
            value(4, &value(0x30, &parameters.concat())),
            value(0x30, &scoped.concat()),
        ];
        value(0x30, &parts.concat())
    };
    let check = |engine, expected| {
        let bytes = discovery(engine);
        assert_eq!(SnmpParser::probe(FlowSide::Initiator, &bytes), expected);
        let security = read(&bytes).unwrap().security.unwrap();
        assert_eq!(security.user.as_deref(), Some(&b"admin"[..]));
    };
    check(b"", Probe::Maybe);
    check(b"\x80\0\x1f\x88", Probe::Yes);
}

use flowscope_record::Protocol;
use proptest::prelude::*;

use super::*;
use crate::Dhcpv6;

fn option(code: u16, data: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
}

fn message(kind: u8, options: &[Vec<u8>]) -> Vec<u8> {
    [&[kind, 0x12, 0x34, 0x56][..], &options.concat()].concat()
}

fn ip(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)
}

fn address_option(last: u16) -> Vec<u8> {
    let lifetimes = [&300_u32.to_be_bytes()[..], &600_u32.to_be_bytes()].concat();
    option(IA_ADDRESS, &[&ip(last).octets()[..], &lifetimes].concat())
}

fn association(code: u16, options: &[Vec<u8>]) -> Vec<u8> {
    option(code, &[&[0; 12][..], &options.concat()].concat())
}

fn solicit() -> Vec<u8> {
    message(
        1,
        &[
            option(CLIENT_ID, &[0, 3, 0, 1, 2, 0, 0, 0, 0, 1]),
            association(IA_NA, &[]),
            option(OPTION_REQUEST, &[0, 23, 0, 24]),
            option(ELAPSED_TIME, &[1, 0]),
            option(RAPID_COMMIT, &[]),
            option(CLIENT_FQDN, b"\0\x04host\x07example\0"),
        ],
    )
}

fn reply() -> Vec<u8> {
    let lifetimes = [&300_u32.to_be_bytes()[..], &600_u32.to_be_bytes()].concat();
    let prefix = [&lifetimes[..], &[56], &ip(0).octets()].concat();
    message(
        7,
        &[
            option(CLIENT_ID, &[0, 3, 0, 1, 2, 0, 0, 0, 0, 1]),
            option(SERVER_ID, &[0, 2, 9]),
            association(IA_NA, &[address_option(7), option(STATUS_CODE, b"\0\0")]),
            association(IA_PD, &[option(IA_PREFIX, &prefix)]),
            option(DNS_SERVERS, &[ip(1).octets(), ip(2).octets()].concat()),
        ],
    )
}

fn relayed(inner: &[u8], hops: u8) -> Vec<u8> {
    let head = [&[12, hops][..], &ip(100).octets(), &ip(200 + u16::from(hops)).octets()].concat();
    [head, option(18, b"eth0"), option(RELAY_MESSAGE, inner)].concat()
}

fn parse(bytes: &[u8]) -> Option<Dhcpv6Message> {
    let mut out = Dhcpv6Parser::new().parse(bytes, FlowSide::Initiator);
    assert!(out.len() <= 1);
    out.pop()
}

fn check(bytes: &[u8], expected: &str) -> Dhcpv6Message {
    assert_eq!(Dhcpv6Parser::probe(FlowSide::Initiator, bytes), Probe::Yes);
    let message = parse(bytes).expect("a message");
    let mut text = String::new();
    (Dhcpv6::SCHEMA.summary)(&message, &mut text);
    assert_eq!(text, expected);
    message
}

#[test]
fn a_solicit_is_read() {
    let message = check(&solicit(), "solicit 00:03:00:01:02:00:00:00:00:01 (host.example)");
    assert_eq!(message.transaction_id, Some(0x12_3456));
    assert_eq!(message.requested_options, [23, 24]);
    assert_eq!((message.elapsed_time, message.rapid_commit), (Some(256), true));
    assert_eq!((message.relays, message.relay, message.defect), (0, None, None));
}

#[test]
fn a_reply_has_addresses_and_prefixes() {
    let message =
        check(&reply(), "reply 00:03:00:01:02:00:00:00:00:01 -> 2001:db8::7, 2001:db8::/56");
    let given = Dhcpv6Address { address: ip(7), preferred_lifetime: 300, valid_lifetime: 600 };
    assert_eq!(message.addresses, [given]);
    assert_eq!(message.dns_servers, [ip(1), ip(2)]);
    assert_eq!(message.status, Some(Dhcpv6Status { code: 0, message: Vec::new() }));
}

#[test]
fn the_status_of_a_message_outranks_that_of_an_association() {
    let own = option(STATUS_CODE, b"\0\x02none");
    let inner = association(IA_NA, &[option(STATUS_CODE, b"\0\x04")]);
    for options in [[own.clone(), inner.clone()], [inner, own]] {
        let message = parse(&message(7, &options)).unwrap();
        assert_eq!(message.status, Some(Dhcpv6Status { code: 2, message: b"none".to_vec() }));
    }
}

#[test]
fn relays_are_looked_through() {
    let bytes = relayed(&relayed(&solicit(), 0), 1);
    let message = check(&bytes, "solicit 00:03:00:01:02:00:00:00:00:01 (host.example)");
    let next = Dhcpv6Relay { hop_count: 0, link_address: ip(100), peer_address: ip(200) };
    assert_eq!((message.relays, message.relay), (2, Some(next)));
    // A chain without end, and a relay with nothing inside.
    let endless = (0..40).fold(solicit(), |inner, _| relayed(&inner, 0));
    let message = parse(&endless).unwrap();
    assert_eq!((message.relays, message.defect), (MAX_RELAYS, Some(DhcpDefect::Malformed)));
    let empty = [&[12, 0][..], &[0; 32]].concat();
    assert_eq!(Dhcpv6Parser::probe(FlowSide::Initiator, &empty), Probe::Maybe);
    assert_eq!(parse(&empty).unwrap().defect, Some(DhcpDefect::Malformed));
}

#[test]
fn lengths_that_lie_end_the_options() {
    let first = option(CLIENT_ID, &[1]);
    for tail in [&[0, 1, 255, 255, 0][..], &[0, 1, 0], &[0]] {
        let bytes = message(1, &[first.clone(), tail.to_vec()]);
        assert_eq!(Dhcpv6Parser::probe(FlowSide::Initiator, &bytes), Probe::Maybe);
        let message = parse(&bytes).unwrap();
        assert_eq!(message.defect, Some(DhcpDefect::Malformed), "{tail:?}");
        assert_eq!(message.client_id, Some(vec![1]));
    }
    // An association without its head, an address without its lifetimes, a prefix without its end.
    let short = [
        option(IA_NA, &[0; 11]),
        association(IA_NA, &[option(IA_ADDRESS, &[0; 23])]),
        association(IA_PD, &[option(IA_PREFIX, &[0; 24])]),
    ];
    for option in short {
        assert_eq!(parse(&message(7, &[option])).unwrap().defect, Some(DhcpDefect::Malformed));
    }
}

#[test]
fn what_the_capture_cut_is_named() {
    let whole = reply();
    let cut = Datagram::new(FlowSide::Responder, Timestamp::ZERO, &whole[..30]);
    let mut out = Vec::new();
    Dhcpv6Parser::new().parse_into(cut.wire_len(whole.len() as u32), &mut out);
    assert_eq!(out[0].defect, Some(DhcpDefect::Cut));
    assert_eq!(out[0].side, FlowSide::Responder);
}

#[test]
fn what_is_no_message_is_refused() {
    for bytes in [&b"GET / HTTP/1.1"[..], &[], &[1], &[1, 2, 3], &[12; 33], &[0; 40]] {
        assert_eq!(Dhcpv6Parser::probe(FlowSide::Initiator, bytes), Probe::No, "{bytes:?}");
        assert_eq!(parse(bytes), None);
    }
}

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let damage = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let sample = prop::sample::select(vec![solicit(), reply(), relayed(&reply(), 3)]);
    let damaged = (sample, damage, any::<prop::sample::Index>(), any::<bool>());
    let small = prop_oneof![4 => 0_u8..30, 1 => any::<u8>()];
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
        1 => proptest::collection::vec(small, 0..300),
    ]
}

proptest! {
    #[test]
    fn any_bytes_may_come(bytes in hostile()) {
        let probe = Dhcpv6Parser::probe(FlowSide::Initiator, &bytes);
        let message = parse(&bytes);
        prop_assert_eq!(message.is_some(), probe != Probe::No);
        if let Some(message) = message {
            // Vectors may have twice the room they need, and begin with room for four entries.
            prop_assert!(message.heap_bytes() <= 4 * bytes.len() + 1024);
            let mut text = String::new();
            (Dhcpv6::SCHEMA.summary)(&message, &mut text);
            for column in Dhcpv6::SCHEMA.columns {
                let _ = (column.get)(&message);
                let _ = column.zeek.as_ref().and_then(|zeek| zeek.get).map(|get| get(&message));
            }
        }
    }
}

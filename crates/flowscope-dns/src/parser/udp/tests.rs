use flowscope_core::{Datagram, DatagramParser, FlowSide, ParseError, ParserStatus, Timestamp};
use proptest::prelude::*;

use crate::fixture::{Wire, any_bytes};
use crate::{DnsConfig, DnsDefect, DnsTransport, DnsUdpParser};

const FAILED: ParserStatus = ParserStatus::Failed(ParseError::NotTheProtocol);

fn feed(payload: &[u8]) -> Datagram<'_> {
    let (side, ts) = (FlowSide::Responder, Timestamp::from_secs(7));
    Datagram::new(side, ts, payload)
}

/// Statuses after each datagram, and how many messages came.
fn check(datagrams: &[&[u8]], statuses: &[ParserStatus], messages: usize) {
    let mut parser = DnsUdpParser::with_config(DnsConfig::default().max_invalid_messages(1));
    let mut out = Vec::new();
    let got: Vec<_> = datagrams.iter().map(|d| parser.parse_into(feed(d), &mut out)).collect();
    assert_eq!((&got[..], out.len()), (statuses, messages));
}

#[test]
fn a_flow_that_never_was_dns_is_given_up() {
    let (good, bad) = (Wire::query(1, "a", 1).build(), b"stranger".as_slice());
    let on = ParserStatus::Continue;
    check(&[&good, &good], &[on, on], 2);
    check(&[bad, &good, bad, bad, bad, &good], &[on; 6], 2);
    check(&[bad, bad, &good], &[on, FAILED, FAILED], 0);
}

#[test]
fn a_message_says_where_it_is_from() {
    let payload = Wire::query(1, "example.com", 1).edns(0, b"").build();
    let (mut parser, mut out) = (DnsUdpParser::default(), Vec::new());
    parser.parse_into(feed(&payload), &mut out);
    let captured = Datagram { payload: &payload[..20], ..feed(&payload) };
    parser.parse_into(captured, &mut out);
    assert_eq!((out[0].side, out[0].ts), (FlowSide::Responder, Timestamp::from_secs(7)));
    assert_eq!((out[0].transport, out[0].defect), (DnsTransport::Udp, None));
    assert_eq!((out[1].len, out[1].defect), (payload.len() as u32, Some(DnsDefect::Cut)));
}

proptest! {
    #[test]
    fn a_good_datagram_is_read_after_anything(
        before in proptest::collection::vec(any_bytes(), 0..5),
    ) {
        let (mut parser, mut out) = (DnsUdpParser::default(), Vec::new());
        for datagram in &before {
            parser.parse_into(feed(datagram), &mut out);
        }
        let good = Wire::query(0xabcd, "good.example", 1).build();
        if parser.invalid_messages() <= 32 {
            prop_assert_eq!(parser.parse_into(feed(&good), &mut out), ParserStatus::Continue);
            prop_assert_eq!(out.pop().map(|m| (m.id(), m.defect)), Some((0xabcd, None)));
        }
    }
}

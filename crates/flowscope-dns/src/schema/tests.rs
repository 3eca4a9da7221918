use flowscope_core::{DatagramParser, FlowSide};
use flowscope_record::Protocol;

use super::*;
use crate::fixture::{Wire, labels};
use crate::{DnsTransactions, DnsUdpParser};

#[test]
fn the_schema_is_sound() {
    for schema in [&DNS, &MDNS, &LLMNR] {
        assert_eq!(schema.faults(), Vec::<String>::new(), "{}", schema.name);
        let own = format!("{}.", schema.name);
        let paths = schema.columns.iter().filter_map(|column| column.eve.as_ref());
        let mut paths = paths.map(|eve| eve.path);
        assert!(paths.all(|path| path.starts_with(&own) || path.starts_with("flowscope.")));
    }
}

#[test]
fn a_transaction_is_two_rows_of_eve() {
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";
    let response = b"\x12\x34\x81\x83\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";
    let mut parser = DnsTransactions::<DnsUdpParser>::default();
    assert!(parser.parse(query, FlowSide::Initiator).is_empty());
    let whole = &parser.parse(response, FlowSide::Responder)[0];
    let rows = DNS.eve_rows.unwrap();
    let mut texts = Vec::new();
    let mut note = |row: &DnsTransaction| {
        let mut text = String::new();
        summary(row, &mut text);
        texts.push(text);
    };
    rows(whole, &mut note);
    assert_eq!(texts, ["4660 QUERY? example.com A", "4660 NXDOMAIN example.com A"]);

    // Read without pairing, the messages are these rows already.
    let mut parser = DnsTransactions::<DnsUdpParser>::default().paired(false);
    let halves =
        [parser.parse(query, FlowSide::Initiator), parser.parse(response, FlowSide::Responder)]
            .concat();
    let mut seen = Vec::new();
    halves.iter().for_each(|half| rows(half, &mut |row| seen.push(row.clone())));
    assert_eq!(seen, halves);
    assert_eq!(halves.len(), 2);
}

/// Names and types of the fields of a schema's log.
fn zeek_fields<R>(schema: &'static Schema<R>) -> Vec<(&'static str, &'static str)> {
    let columns = schema.zeek_columns();
    let fields = columns.iter().filter_map(|column| column.zeek.as_ref());
    fields.map(|zeek| (zeek.name, zeek.kind.name())).collect()
}

#[test]
fn one_log_has_one_set_of_fields() {
    let dns = zeek_fields(&DNS);
    assert_eq!(dns.len(), 18);
    for (log, fields) in [
        (MDNS.zeek_log, zeek_fields(&MDNS)),
        (LLMNR.zeek_log, zeek_fields(&LLMNR)),
        (crate::nbns::NBNS.zeek_log, zeek_fields(&crate::nbns::NBNS)),
    ] {
        assert_eq!((log, fields), ("dns", dns.clone()));
    }
}

/// The value of a column, and what EVE says instead, if anything.
fn value<'a>(
    schema: &'static Schema<DnsTransaction>,
    name: &str,
    record: &'a DnsTransaction,
) -> Value<'a> {
    let column = schema.columns.iter().find(|column| column.name == name);
    (column.expect("a column").get)(record)
}

/// What the parser of a protocol says of one datagram.
fn read<F: Flavour<Datagram = DnsTransactions<DnsUdpParser>, Record = DnsTransaction>>(
    wire: Wire,
) -> DnsTransaction {
    let options = flowscope_record::ParserOptions::default().transactions(true);
    let mut out = F::datagram(&options).parse(&wire.build(), FlowSide::Initiator);
    assert_eq!(out.len(), 1, "not held");
    out.remove(0)
}

#[test]
fn the_top_bit_of_classes_is_not_the_classs_in_multicast_dns() {
    let asks = read::<Mdns>(Wire::new(0, 0).question("printer.local", 1, 0x8001));
    assert_eq!(value(&MDNS, "qclass", &asks), 1_u8.into());
    assert_eq!(value(&MDNS, "unicast_response", &asks), true.into());
    assert_eq!(value(&MDNS, "cache_flush", &asks), Value::Null);
    // Zeek knows nothing of the bit.
    let zeek = MDNS.zeek_columns()[4].zeek.as_ref().unwrap().get.unwrap();
    assert_eq!(zeek(&asks), 0x8001_u16.into());

    let owner = labels("printer.local");
    let tells = Wire::new(0, 0x8400).record(1, &owner, 1, 0x8001, 120, &[192, 0, 2, 1]);
    let tells = read::<Mdns>(tells);
    assert_eq!(value(&MDNS, "cache_flush", &tells), true.into());
    assert_eq!(value(&MDNS, "unicast_response", &tells), Value::Null);
    assert_eq!(value(&MDNS, "type", &tells), "response".into());
    assert_eq!(tells.outcome, crate::DnsOutcome::Unpaired);
}

#[test]
fn multicast_queries_are_not_held() {
    let options = flowscope_record::ParserOptions::default().transactions(true);
    let mut parser = Mdns::datagram(&options);
    let query = Wire::new(0, 0).question("a.local", 1, 1).build();
    for _ in 0..100 {
        assert_eq!(parser.parse(&query, FlowSide::Initiator).len(), 1);
    }
    assert_eq!(parser.open(), 0);
    assert_eq!(Llmnr::datagram(&options).parse(&query, FlowSide::Initiator).len(), 1);
}

#[test]
fn llmnr_has_bits_of_its_own() {
    let record = read::<Llmnr>(Wire::new(7, 0x8700).question("host", 1, 1));
    for (name, expected) in [("conflict", true), ("tc", true), ("tentative", true)] {
        assert_eq!(value(&LLMNR, name, &record), expected.into(), "{name}");
    }
    assert!(!LLMNR.columns.iter().any(|column| ["aa", "rd"].contains(&column.name)));
    let plain = read::<Llmnr>(Wire::new(7, 0).question("host", 1, 1));
    assert_eq!(value(&LLMNR, "tentative", &plain), Value::Null);
}

use flowscope_core::{DatagramParser, FlowSide, Timestamp};
use flowscope_record::{Protocol, Rows};

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

/// The rows of EVE or Zeek for all transactions of a flow, each written by `show`.
fn rows_of<T>(
    rows: Rows<DnsTransaction>,
    flow: &[DnsTransaction],
    show: impl Fn(&DnsTransaction) -> T,
) -> Vec<T> {
    let mut out = Vec::new();
    flow.iter().for_each(|whole| rows(whole, &mut |row| out.push(show(row))));
    out
}

/// What is paired of a flow: messages, each with its second and its side.
fn flow(script: &[(u64, FlowSide, Wire)]) -> Vec<DnsTransaction> {
    let mut parser = DnsTransactions::<DnsUdpParser>::default();
    let mut out = Vec::new();
    for (secs, side, wire) in script {
        let bytes = wire.clone().build();
        let ts = Timestamp::from_secs(*secs);
        parser.parse_into(flowscope_core::Datagram::new(*side, ts, &bytes), &mut out);
    }
    parser.end(&mut out);
    out
}

#[test]
fn a_repeated_query_is_a_line_of_its_own_in_zeek() {
    let query = || Wire::query(1, "a", 1);
    let flow = flow(&[
        (1, FlowSide::Initiator, query()),
        (3, FlowSide::Initiator, query()),
        (6, FlowSide::Initiator, query()),
        (7, FlowSide::Responder, Wire::response(1, "a", 1)),
    ]);
    assert_eq!(flow.len(), 1);
    let show = |row: &DnsTransaction| {
        ((DNS.time)(row).as_nanos() / 1_000_000_000, row.response.is_some(), row.latency.is_some())
    };
    let lines = rows_of(DNS.zeek_rows.unwrap(), &flow, show);
    assert_eq!(lines, [(1, true, true), (3, false, false), (6, false, false)]);
}

#[test]
fn messages_are_numbered_within_their_flow() {
    let flow = flow(&[
        (0, FlowSide::Initiator, Wire::query(1, "a", 1)),
        (0, FlowSide::Initiator, Wire::query(2, "b", 1)),
        (1, FlowSide::Responder, Wire::response(2, "b", 1)),
        (1, FlowSide::Responder, Wire::response(1, "a", 1)),
        (2, FlowSide::Responder, Wire::response(1, "a", 1)),
    ]);
    let numbers = |row: &DnsTransaction| (row.query_number(), row.response_number());
    let whole: Vec<_> = flow.iter().map(numbers).collect();
    assert_eq!(whole, [(Some(1), Some(2)), (Some(0), Some(3)), (None, Some(4))]);
    let tx_id = |row: &DnsTransaction| value(&DNS, "tx_id", row) == 4_u8.into();
    assert_eq!(rows_of(DNS.eve_rows.unwrap(), &flow, tx_id), [false, false, false, false, true]);
    let split = rows_of(DNS.eve_rows.unwrap(), &flow, numbers);
    let expected =
        [(Some(1), None), (None, Some(2)), (Some(0), None), (None, Some(3)), (None, Some(4))];
    assert_eq!(split, expected);
}

#[test]
fn a_row_of_eve_has_the_sender_of_its_message() {
    let flow = flow(&[
        (0, FlowSide::Initiator, Wire::query(1, "a", 1)),
        (1, FlowSide::Responder, Wire::response(1, "a", 1)),
    ]);
    let senders = rows_of(DNS.eve_rows.unwrap(), &flow, DNS.sender.unwrap());
    assert_eq!(senders, [FlowSide::Initiator, FlowSide::Responder]);
}

#[test]
fn a_transaction_has_what_either_message_says() {
    let flow = flow(&[
        // RD and CD; the response has AA, RA, Z, AD and CD of its own.
        (1, FlowSide::Initiator, Wire::new(1, 0x0110).question("a", 1, 1)),
        (2, FlowSide::Responder, Wire::new(1, 0x84e3).question("a", 1, 1)),
    ]);
    let check = |name: &str, expected: Value<'_>| {
        assert_eq!(value(&DNS, name, &flow[0]), expected, "{name}");
    };
    check("rd", true.into());
    check("aa", true.into());
    check("ra", true.into());
    check("z", 1_u8.into());
    check("flags", Value::short("84e3"));
    check("rcode", "NXDOMAIN".into());
    check("from", "responder".into());
    assert_eq!((DNS.time)(&flow[0]), Timestamp::from_secs(1));
    assert_eq!(DNS.sender.unwrap()(&flow[0]), FlowSide::Responder);
    // Z, AD and CD of a message by itself.
    let all = read::<Mdns>(Wire::new(1, 0x0070).question("a", 1, 1));
    assert_eq!(value(&MDNS, "z", &all), 7_u8.into());
}

#[test]
fn the_second_word_of_a_header_is_hexadecimal() {
    for (flags, expected) in [(0, "0"), (0xf, "f"), (0x100, "100"), (0x8180, "8180")] {
        let record = read::<Mdns>(Wire::new(1, flags).question("a", 1, 1));
        assert_eq!(value(&MDNS, "flags", &record), Value::short(expected));
    }
}

#[test]
fn each_string_of_a_txt_record_is_an_answer_of_eve() {
    let response = Wire::response(1, "a", 16)
        .answer(b"\xc0\x0c", 16, b"\x05one\"1\x03two")
        .answer(b"\xc0\x0c", 1, &[192, 0, 2, 1])
        .answer(b"\xc0\x0c", 65280, b"x")
        .answer(b"\xc0\x0c", 1, &[192, 0, 2, 2]);
    let record = read::<Dns>(response);
    let eve = |path: &str| {
        let column = DNS
            .columns
            .iter()
            .find(|column| column.eve.as_ref().is_some_and(|eve| eve.path == path));
        let column = column.expect("a path");
        column.eve.as_ref().unwrap().get.unwrap_or(column.get)(&record)
    };
    let Value::List(answers) = eve("dns.answers") else { panic!() };
    let data: Vec<Value<'_>> = answers
        .into_iter()
        .map(|answer| {
            let Value::Object(mut members) = answer else { panic!() };
            members.pop().unwrap().1
        })
        .collect();
    let bytes = |text: &'static [u8]| Value::from(text);
    let unknown = Value::from(r"\# 1 78");
    assert_eq!(
        data,
        [bytes(b"one\"1"), bytes(b"two"), "192.0.2.1".into(), unknown, "192.0.2.2".into()]
    );
    assert_eq!(eve("flowscope.answer_records"), 4_u8.into());
    let texts = Value::List(vec![bytes(b"one\"1"), bytes(b"two")]);
    let addresses = Value::list(["192.0.2.1", "192.0.2.2"].into_iter());
    assert_eq!(eve("dns.grouped"), Value::Object(vec![("TXT", texts), ("A", addresses)]));

    // Where each record is one answer, there is nothing to say; nor is there an empty group.
    let plain = read::<Dns>(Wire::response(1, "a", 1).answer(b"\xc0\x0c", 16, b"\x01x"));
    assert_eq!(eve::answer_records(&plain), Value::Null);
    assert_eq!(eve::grouped(&read::<Dns>(Wire::response(1, "a", 1))), Value::Null);
}

/// The fields of Zeek's log that depend on which messages there are.
fn zeek_fields_of(record: &DnsTransaction) -> String {
    let columns = DNS.zeek_columns();
    let fields = columns.iter().filter_map(|column| Some((column, column.zeek.as_ref()?)));
    let names = ["rtt", "query", "qtype", "AA", "TC", "RD", "RA", "Z"];
    let fields = fields.filter(|(_, zeek)| names.contains(&zeek.name));
    let shown = fields.map(|(column, zeek)| match zeek.get.unwrap_or(column.get)(record) {
        Value::Null => "-".to_owned(),
        Value::Bool(yes) => if yes { "T" } else { "F" }.to_owned(),
        Value::U64(number) => number.to_string(),
        Value::Duration(span) => span.as_secs().to_string(),
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => panic!("{other:?}"),
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn zeek_has_some_fields_of_the_query_and_some_of_an_answer() {
    // RD, TC and CD; the response has AA, TC, RD and RA, with AD.
    let query = || Wire::new(1, 0x0310).question("A", 1, 1);
    let response = || Wire::new(1, 0x87a0).question("A", 1, 1);
    let address = |wire: Wire| wire.answer(b"\xc0\x0c", 1, &[192, 0, 2, 1]);
    let check = |secs: u64, response: Wire, expected: &str| {
        let flow =
            flow(&[(1, FlowSide::Initiator, query()), (1 + secs, FlowSide::Responder, response)]);
        assert_eq!(zeek_fields_of(&flow[0]), expected);
    };
    check(2, address(response()), "2 a 1 T T T T 1");
    check(0, address(response()), "- a 1 T T T T 1");
    // No answer, and one that its scripts leave out.
    check(2, response(), "- a 1 F T T F 1");
    check(2, response().answer(b"\xc0\x0c", 13, b"\x01x\x01y"), "- a 1 F T T F 1");
    let alone = |side: FlowSide, wire: Wire| zeek_fields_of(&flow(&[(1, side, wire)])[0]);
    assert_eq!(alone(FlowSide::Initiator, query()), "- a 1 F T T F 1");
    assert_eq!(alone(FlowSide::Responder, address(response())), "- a - T F F T 0");
    assert_eq!(alone(FlowSide::Responder, response()), "- - - F F F F 0");
}

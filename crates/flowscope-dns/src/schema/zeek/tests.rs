use flowscope_core::{DatagramParser, FlowSide};
use proptest::prelude::*;

use super::*;
use crate::fixture::{Wire, any_bytes, labels};
use crate::{DnsTransactions, DnsUdpParser};

const QNAME: &[u8] = b"\xc0\x0c";

fn read(wire: Wire) -> DnsTransaction {
    let mut parser = DnsTransactions::<DnsUdpParser>::default().paired(false);
    parser.parse(&wire.build(), FlowSide::Responder).remove(0)
}

/// The text for one answer, `-` if it is left out.
fn check(rtype: u16, data: &[u8], expected: &str) {
    let wire = Wire::response(1, "Owner.Example", rtype).answer(QNAME, rtype, data);
    let record = read(wire);
    let texts: Vec<(Vec<u8>, u32)> = answers(&record).collect();
    let shown = match &texts[..] {
        [] => "-".to_owned(),
        [(text, 300)] => String::from_utf8_lossy(text).into_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(shown, expected, "type {rtype}");
}

#[test]
fn answers_are_in_zeeks_words() {
    check(1, &[192, 0, 2, 1], "192.0.2.1");
    check(28, &[0; 16], "::");
    check(5, b"\x03WWW\xc0\x0c", "www.owner.example");
    check(2, &labels("NS.a"), "ns.a");
    check(12, &labels("P"), "p");
    check(15, b"\0\x0a\x02MX\xc0\x0c", "mx.owner.example");
    check(33, b"\0\x01\0\x02\x13\xc4\x03Sip\0", "sip");
    check(16, b"\x05Flows\x04both", "TXT 5 Flows TXT 4 both");
    check(16, b"\0", "TXT 0 ");
    check(99, b"\x03v=1\x01x", "SPF 3 v=1 SPF 1 x");
    let soa = [&labels("NS.b")[..], b"\0", &[0; 20]].concat();
    check(6, &soa, "ns.b");
    check(35, b"\0\x64\0\x32\x01s\x08SIPS+D2T\0\x04_sip\x01A\0", "NAPTR 100 50 s SIPS+D2T _sip.a");
    check(35, b"\0\x01\0\x02\x01u\x03E2U\x03!x!\x01r\0", "NAPTR 1 2 u E2U !x! r");
    check(44, b"\x01\x01\xab\xcd", "SSHFP: abcd");
    let rrsig = [&[0, 1, 13, 2][..], &[0; 14], &labels("Signer.example"), b"sig"].concat();
    check(46, &rrsig, "RRSIG 1 signer.example");
    check(46, &[&[0, 48, 8, 0][..], &[0; 14], b"\0sig"].concat(), "RRSIG 48 <Root>");
    check(48, b"\x01\x01\x03\x0dkey", "DNSKEY 13");
    check(43, b"\x12\x34\x08\x02digest", "DS 8 2");
    check(47, &[&labels("Next")[..], b"\0\x01\x40"].concat(), "NSEC owner.example next");
    check(50, b"\x01\x00\0\0\0", "NSEC3");
    check(51, b"\x01\x00\0\0\0", "NSEC3PARAM");
    check(29, &[0, 18, 22, 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "LOC:  18 22 19");
    check(65534, b"\x08\0\0\0\x01", "BIND9 signing signal");
    check(52, b"\x03\x01\x01\xab", "<unknown type=52>");
    check(65280, b"x", "<unknown type=65280>");
}

#[test]
fn what_zeeks_scripts_do_not_log_is_no_answer() {
    check(64, b"\0\x01\x01x\0", "-");
    check(65, b"\0\x01\0", "-");
    check(13, b"\x03cpu\x02os", "-");
    check(257, b"\x80\x05issueca.example", "-");
    // The root has no text, so a null MX (RFC 7505) is none.
    check(15, b"\0\0\0", "-");
    // Data that does not fit.
    check(1, b"x", "-");
    check(46, b"short", "-");
    check(47, b"\x40", "-");
    // RFC 1035 §2.3.4: a label has 63 bytes at most.
    let label = |len: u8| [&[len][..], &vec![b'a'; len.into()], &[0]].concat();
    check(47, &label(63), &format!("NSEC owner.example {}", "a".repeat(63)));
    check(47, &label(64), "-");
}

#[test]
fn names_are_in_lower_case_and_not_escaped() {
    let record = read(Wire::query(1, "WwW.Ex\\am-_ple", 255));
    assert_eq!(query(&record), Value::from(b"www.ex\\am-_ple".to_vec()));
    // A response without a question is about the name of its first answer.
    let answer = Wire::new(0, 0x8400).record(1, &labels("Host.LOCAL"), 1, 1, 9, &[192, 0, 2, 1]);
    assert_eq!(query(&read(answer)), Value::from(b"host.local".to_vec()));
    assert_eq!(query(&read(Wire::new(1, 0x8005))), Value::Null);
}

#[test]
fn types_and_classes_have_zeeks_names() {
    assert_eq!(qtype_name(RecordType::ANY), Value::from("*"));
    assert_eq!(qtype_name(RecordType::HTTPS), Value::from("HTTPS"));
    assert_eq!(qtype_name(RecordType(65280)), Value::short("query-65280"));
    assert_eq!(qclass_name(Class::CH), Value::from("C_CHAOS"));
    assert_eq!(qclass_name(Class(0x8001)), Value::short("qclass-32769"));
}

#[test]
fn a_query_is_rejected_by_a_response_without_records() {
    let rejected = |wire: Wire| is_rejected(read(wire).response.as_ref().unwrap());
    assert!(rejected(Wire::new(1, 0x8185).question("a", 1, 1)));
    assert!(rejected(Wire::response(1, "a", 1)));
    assert!(rejected(Wire::new(1, 0x8185)));
    assert!(!rejected(Wire::new(1, 0x8180).edns(0, b"")));
    assert!(!rejected(Wire::response(1, "a", 1).edns(0, b"")));
    assert!(!rejected(Wire::response(1, "a", 1).record(2, QNAME, 2, 1, 9, b"\0")));
    assert!(!rejected(Wire::response(1, "a", 1).answer(QNAME, 1, &[192, 0, 2, 1])));
}

proptest! {
    #[test]
    fn any_message_has_its_texts(bytes in any_bytes()) {
        let mut parser = DnsTransactions::<DnsUdpParser>::default().paired(false);
        for record in parser.parse(&bytes, FlowSide::Responder) {
            let texts = answers(&record).count();
            let all = record.response.as_ref().map_or(0, |message| message.answers().len());
            prop_assert!(texts <= all);
            let _ = query(&record);
        }
    }
}

use hickory_proto::op::Message;
use proptest::prelude::*;

use crate::fixture::{Wire, any_bytes, labels, read, read_cut, samples};
use crate::wire::MAX_MESSAGE;
use crate::{DnsDefect, DnsKind, DnsMessage, Opcode, Rcode, Section};

const QNAME: &[u8] = b"\xc0\x0c";

/// What a message says, in a line: header, questions, then records by section.
fn line(message: &DnsMessage) -> String {
    let section = |records: &[crate::Record]| {
        records.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    format!(
        "{message} | {} | {} | {}",
        section(message.answers()),
        section(message.authorities()),
        section(message.additionals())
    )
}

fn check(bytes: &[u8], defect: Option<DnsDefect>, expected: &str) {
    let message = read(bytes).unwrap();
    assert_eq!(line(&message), expected);
    assert_eq!(message.defect, defect, "{expected}");
}

#[test]
fn messages_of_many_shapes() {
    let samples = samples();
    check(&samples[0], None, "1 query QUERY example.com IN A |  |  | ");
    check(
        &samples[2],
        None,
        "1 response NOERROR example.com IN A | example.com 300 IN CNAME www.example.com, \
         www.example.com 300 IN A 192.0.2.1 |  | ",
    );
    check(&samples[4], None, "0 query QUERY _ipp._tcp.local CLASS32769 PTR b IN A |  |  | ");
    check(&samples[5], None, "5 query UPDATE zone.test IN SOA |  | zone.test 0 ANY A \\# 0 | ");
    check(&samples[6], None, "6 response REFUSED |  |  | ");
}

#[test]
fn the_fixed_part() {
    let message = read(&Wire::new(0xbeef, 0xa7ff).build()).unwrap();
    assert_eq!((message.id(), message.kind()), (0xbeef, DnsKind::Response));
    assert_eq!((message.opcode(), message.rcode()), (Opcode::NOTIFY, Rcode(15)));
    let header = message.header;
    let flags = [
        header.authoritative(),
        header.truncated(),
        header.recursion_desired(),
        header.recursion_available(),
        header.z(),
        header.authentic_data(),
        header.checking_disabled(),
    ];
    assert_eq!(flags, [true; 7]);
}

#[test]
fn edns_is_no_record() {
    let message = read(&samples()[1]).unwrap();
    let edns = message.edns.as_ref().unwrap();
    assert_eq!((edns.udp_size, edns.version, edns.dnssec_ok), (1232, 0, true));
    let options: Vec<_> = edns.options().collect();
    assert_eq!(options, [(10, &b"cookie!!"[..]), (12, b"")]);
    assert_eq!(message.additionals(), []);
    assert_eq!(message.header.counts[3], 1);

    // The upper bits of the response code.
    let badcookie = Wire::new(1, 0x8187).question("a", 1, 1).edns(0x0100_0000, b"").build();
    let message = read(&badcookie).unwrap();
    assert_eq!((message.rcode(), message.header.rcode()), (Rcode(23), Rcode(7)));

    // Options that do not fit end there.
    let message = read(&Wire::query(1, "a", 1).edns(0, b"\0\x03\0\0\0\x03\0\x09").build()).unwrap();
    assert_eq!(message.edns.unwrap().options().count(), 1);
}

#[test]
fn a_misplaced_opt_is_left_out() {
    let twice = Wire::query(1, "a", 1).edns(1, b"").edns(2, b"").build();
    check(&twice, Some(DnsDefect::MisplacedOpt), "1 query QUERY a IN A |  |  | ");
    let answer =
        Wire::response(1, "a", 1).answer(b"\0", 41, b"").answer(QNAME, 1, &[1, 2, 3, 4]).build();
    let expected = "1 response NOERROR a IN A | a 300 IN A 1.2.3.4 |  | ";
    check(&answer, Some(DnsDefect::MisplacedOpt), expected);
    assert_eq!(read(&answer).unwrap().edns, None);
}

#[test]
fn data_that_does_not_fit_costs_its_record_only() {
    let bytes = Wire::response(1, "a", 1)
        .answer(QNAME, 1, &[1, 2, 3])
        .answer(QNAME, 5, b"\x05short")
        .answer(QNAME, 15, b"\0\x01\xc0\xff")
        .answer(QNAME, 252, b"x")
        .answer(QNAME, 1, &[1, 2, 3, 4])
        .build();
    check(
        &bytes,
        Some(DnsDefect::RecordData),
        "1 response NOERROR a IN A | a 300 IN A \\# 3 010203, a 300 IN CNAME \\# 6 0573686f7274, \
         a 300 IN MX \\# 4 0001c0ff, a 300 IN AXFR \\# 1 78, a 300 IN A 1.2.3.4 |  | ",
    );
}

#[test]
fn data_does_not_reach_behind_its_record() {
    // A name that would go on in the record behind.
    let bytes = Wire::response(1, "a", 1).answer(QNAME, 5, b"\x01").answer(b"\0", 1, &[1; 4]);
    let expected = "1 response NOERROR a IN A | a 300 IN CNAME \\# 1 01, . 300 IN A 1.1.1.1 |  | ";
    check(&bytes.build(), Some(DnsDefect::RecordData), expected);
}

/// A record that points to where the one before it did has that record's name, and no other has.
#[test]
fn owners_are_those_that_the_records_point_to() {
    // The first answer stands at 12 + 3 + 4, its name at that place.
    let first = b"\xc0\x13";
    let bytes = Wire::response(1, "a", 1)
        .answer(b"\x01b\0", 1, &[1; 4])
        .answer(first, 1, &[2; 4])
        .answer(b"\x01c\0", 1, &[3; 4])
        .answer(first, 1, &[4; 4])
        .answer(first, 1, &[5; 4])
        .answer(QNAME, 1, &[6; 4])
        .answer(first, 1, &[7; 4]);
    check(
        &bytes.build(),
        None,
        "1 response NOERROR a IN A | b 300 IN A 1.1.1.1, b 300 IN A 2.2.2.2, c 300 IN A 3.3.3.3, \
         b 300 IN A 4.4.4.4, b 300 IN A 5.5.5.5, a 300 IN A 6.6.6.6, b 300 IN A 7.7.7.7 |  | ",
    );
}

/// What a message counts is a word of its sender's, and no size.
#[test]
fn counts_behind_a_record_cost_nothing() {
    let response = Wire::response(1, "a", 1).answer(QNAME, 1, &[1; 4]).counts([1, u16::MAX, 0, 0]);
    let message = read(&response.build()).unwrap();
    assert_eq!(message.records().len(), 1);
    assert!(message.heap_bytes() < 8192, "{}", message.heap_bytes());
}

/// Names that are copied are paid for as those that are walked: each of these is a copy of 127 labels.
#[test]
fn copies_of_names_are_bounded_together() {
    let name = [[1, b'a'].repeat(127), vec![0]].concat();
    for owner in [QNAME, b"\xc0\x0e"] {
        let question = Wire::new(1, 0x8180).counts([1, 0, 0, 0]).raw(&name).raw(&[0, 1, 0, 1]);
        let wire = (0..4000).fold(question, |wire, _| wire.answer(owner, 1, &[1; 4]));
        let bytes = wire.build();
        let message = read(&bytes).unwrap();
        assert_eq!(message.defect, Some(DnsDefect::TooComplex));
        assert!(message.answers().len() * 127 <= 512 + 4 * bytes.len());
    }
}

/// The last name in the data of a record is paid for too.
#[test]
fn every_name_in_data_is_paid_for() {
    let mut chain = vec![0, 0];
    chain.extend((0..200_u16).flat_map(|link| (0xc000 | (23 + 2 * link)).to_be_bytes()));
    let far = (0xc000_u16 | (23 + 400)).to_be_bytes();
    let data = [
        (6, [&b"\0"[..], &far, &[0; 20]].concat()),
        (15, [&b"\0\x0a"[..], &far].concat()),
        (33, [&b"\0\x01\0\x02\0\0"[..], &far].concat()),
        (35, [&b"\0\x01\0\x02\x01u\0\0"[..], &far].concat()),
    ];
    for (rtype, data) in data {
        let chain = Wire::new(1, 0x8180).answer(b"\0", 10, &chain);
        let wire = (0..1000).fold(chain, |wire, _| wire.answer(b"\0", rtype, &data));
        let bytes = wire.build();
        let message = read(&bytes).unwrap();
        assert_eq!(message.defect, Some(DnsDefect::TooComplex), "{rtype}");
        assert!((message.answers().len() - 1) * 200 <= 512 + 4 * bytes.len(), "{rtype}");
    }
}

#[test]
fn hostile_names() {
    let query =
        |name: &[u8]| Wire::new(1, 0x0100).counts([1, 0, 0, 0]).raw(name).raw(&[0, 1, 0, 1]);
    let question = Some(DnsDefect::Malformed(Section::Question));
    let none = "1 query QUERY |  |  | ";
    // To itself, forwards behind a label, in a circle.
    check(&query(b"\xc0\x0c").build(), question, none);
    check(&query(b"\xc0\x12\0\x01\0\x01\xc0\x0c").build(), question, none);
    check(&query(b"\x01a\xc0\x0c").build(), question, none);
    check(&query(b"\x01a\x01b\xc0\x0e").build(), question, none);
    // Reserved label types.
    check(&query(b"\x41a\0").build(), question, none);
    check(&query(b"\x80\0").build(), question, none);
    // 127 labels are 255 bytes, the most there is; 255 labels are not.
    let longest = query(&[[1, b'a'].repeat(127), vec![0]].concat()).build();
    assert_eq!(read(&longest).unwrap().questions()[0].name().labels().count(), 127);
    check(&query(&[[1, b'a'].repeat(255), vec![0]].concat()).build(), question, none);
    check(&query(&[[63; 64].repeat(4), vec![0]].concat()).build(), question, none);
    // A pointer into the header is one to the past, whatever it finds there.
    let name = read(&query(b"\x01a\xc0\x05").build()).unwrap().questions()[0].to_string();
    assert_eq!(name, "a.\\000 IN A");
}

#[test]
fn a_pointer_forwards_is_followed() {
    // As a public resolver does, which answered this query.
    let query = Wire::new(0x8e04, 0x0100).counts([2, 0, 0, 0]).raw(b"\xc0\x12\0\x01\0\x01");
    let query = query.raw(&labels("codemonkey.net")).raw(b"\0\x01\0\x01").build();
    let expected = "36356 query QUERY codemonkey.net IN A codemonkey.net IN A |  |  | ";
    check(&query, Some(DnsDefect::ForwardPointer), expected);
    // Why the rest was not read weighs more.
    let cut = Some(DnsDefect::Malformed(Section::Question));
    let expected = "36356 query QUERY codemonkey.net IN A |  |  | ";
    check(&query[..query.len() - 1], cut, expected);
}

/// Names that lead nowhere are paid for as well, where reading goes on behind them.
#[test]
fn detours_are_bounded_together() {
    let mut chain = vec![0x40, 0];
    chain.extend((0..250_u16).flat_map(|link| (0xc000 | (23 + 2 * link)).to_be_bytes()));
    let far = (0xc000_u16 | (23 + 500)).to_be_bytes();
    let mut wire = Wire::new(1, 0x8180).answer(b"\0", 10, &chain);
    for _ in 0..1000 {
        wire = wire.answer(b"\0", 5, &far);
    }
    let message = read(&wire.build()).unwrap();
    assert_eq!(message.defect, Some(DnsDefect::TooComplex));
    assert!(message.answers().len() < 300, "{}", message.answers().len());
}

#[test]
fn what_the_capture_cut_is_read_as_far_as_it_goes() {
    let whole = Wire::response(1, "example.com", 1)
        .answer(QNAME, 1, &[1; 4])
        .answer(QNAME, 1, &[2; 4])
        .build();
    let cut = |captured: usize| {
        let message = read_cut(&whole[..captured], whole.len()).unwrap();
        assert_eq!(message.len, whole.len() as u32);
        (message.questions().len(), message.answers().len(), message.defect)
    };
    assert_eq!(cut(whole.len()), (1, 2, None));
    assert_eq!(cut(whole.len() - 1), (1, 1, Some(DnsDefect::Cut)));
    assert_eq!(cut(12 + 17), (1, 0, Some(DnsDefect::Cut)));
    assert_eq!(cut(12), (0, 0, Some(DnsDefect::Cut)));
    // What is malformed is so in the part that was captured.
    let reserved = Wire::response(1, "example.com", 1).answer(b"\x80", 1, &[1; 4]).build();
    let message = read_cut(&reserved, reserved.len() + 9).unwrap();
    assert_eq!(message.defect, Some(DnsDefect::Malformed(Section::Answer)));
    // Captured whole, but short by its own word.
    let short = read(&whole[..whole.len() - 1]).unwrap();
    assert_eq!(short.defect, Some(DnsDefect::Malformed(Section::Answer)));
    assert_eq!(short.answers().len(), 1);
}

#[test]
fn counts_without_bodies_cost_nothing() {
    let all = [u16::MAX; 4];
    assert_eq!(read(&Wire::new(1, 0x8180).counts(all).build()), None);
    let question = Wire::query(1, "example.com", 1).counts([1, u16::MAX, u16::MAX, u16::MAX]);
    let message = read(&question.build()).unwrap();
    assert_eq!(message.defect, Some(DnsDefect::Malformed(Section::Answer)));
    assert_eq!((message.questions().len(), message.records().len()), (1, 0));
    assert!(message.heap_bytes() < 8192, "{}", message.heap_bytes());
}

#[test]
fn records_are_bounded() {
    let mut wire = Wire::response(1, "a", 1);
    for _ in 0..5000 {
        wire = wire.answer(b"\0", 99, b"");
    }
    let message = read(&wire.build()).unwrap();
    assert_eq!(message.defect, Some(DnsDefect::TooManyRecords));
    assert_eq!(message.answers().len(), 4096);

    let questions = (0..5000).fold(Wire::new(1, 0), |wire, _| wire.question("", 1, 1)).build();
    let message = read(&questions).unwrap();
    assert_eq!(
        (message.questions().len(), message.defect),
        (4096, Some(DnsDefect::TooManyRecords))
    );
}

/// One half a chain of pointers, the other half records that enter it at its far end.
#[test]
fn names_are_bounded_together() {
    let mut chain = Vec::new();
    chain.extend([0, 0]);
    let first = 12 + 11;
    for link in 0..200_u16 {
        chain.extend((0xc000 | (first + 2 * link)).to_be_bytes());
    }
    let far = (0xc000_u16 | (first + 400)).to_be_bytes();
    let mut wire = Wire::new(1, 0x8180).answer(b"\0", 10, &chain);
    for _ in 0..1000 {
        wire = wire.answer(&far, 5, &far);
    }
    let bytes = wire.build();
    let message = read(&bytes).unwrap();
    assert_eq!(message.defect, Some(DnsDefect::TooComplex));
    // What was paid for is at most the budget. The owner of a record that points to where the one
    // before did is not walked again, so that each has paid for 200 pointers once.
    assert!(message.answers().len() * 200 <= 512 + 4 * bytes.len() + 400);
}

#[test]
fn what_no_sender_writes_is_no_message() {
    assert_eq!(read(b""), None);
    assert_eq!(read(&[0; 11]), None);
    assert_eq!(read(&Wire::new(1, 0x7800).build()), None);
    assert_eq!(read(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"), None);
    assert_eq!(read(&[0xff; 100]), None);
}

#[test]
fn an_opcode_that_is_not_assigned_is_reported() {
    for opcode in [3, 7, 9, 15] {
        let message = read(&Wire::new(1, opcode << 11).question("a", 1, 1).build()).unwrap();
        assert_eq!((message.opcode(), message.defect), (Opcode(opcode as u8), None));
        assert_eq!(message.questions().len(), 1);
    }
}

/// RFC 1002 §4.2: queries, registrations and responses.
#[test]
fn netbios_names_are_not_dns() {
    let name = "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let encoded = [&[32], name.as_bytes(), &[0]].concat();
    let nb = 0x20;
    let messages = [
        Wire::new(1, 0x0110).question(name, nb, 1),
        Wire::new(1, 0x0000).question(name, 0x21, 1),
        Wire::new(1, 0x2910).question(name, nb, 1).record(3, b"\xc0\x0c", nb, 1, 0, &[0; 6]),
        Wire::new(1, 0x8500).record(1, &encoded, nb, 1, 0, &[0; 6]),
    ];
    for message in messages {
        let bytes = message.build();
        assert_eq!(read(&bytes), None);
        assert_eq!(
            crate::probe::probe(&bytes, Some(bytes.len() as u32)),
            flowscope_core::Probe::No
        );
    }
    // The name alone, or the type alone, is no sign of it.
    assert!(read(&Wire::query(1, name, 1).build()).is_some());
    assert!(read(&Wire::query(1, "example", nb).build()).is_some());
}

#[test]
fn what_stands_behind_a_message_is_counted() {
    let message = read(&Wire::query(1, "a", 1).raw(&[0; 30]).build()).unwrap();
    assert_eq!((message.trailing, message.defect), (30, None));
}

#[test]
fn the_longest_message() {
    let mut wire = Wire::response(1, "a", 16);
    wire = wire.answer(QNAME, 16, &[255; 256].repeat(200));
    let padding = MAX_MESSAGE - wire.clone().build().len();
    let bytes = wire.raw(&vec![0; padding]).build();
    let message = read(&bytes).unwrap();
    assert_eq!(message.answers()[0].texts().count(), 200);
    assert_eq!(message.trailing as usize, padding);
    // A joined datagram cannot be longer, but a caller may say so.
    let longer = [&bytes[..], &[0; 9]].concat();
    assert_eq!(read(&longer).unwrap().trailing as usize, padding);
}

proptest! {
    #[test]
    fn no_bytes_panic_and_none_cost_much(bytes in any_bytes(), beyond in 0_usize..40) {
        if let Some(message) = read_cut(&bytes, bytes.len() + beyond) {
            let text = line(&message);
            prop_assert!(text.bytes().all(|b| matches!(b, b' '..=b'~')), "{text:?}");
            let [questions, records @ ..] = message.header.counts.map(usize::from);
            prop_assert!(message.questions().len() <= questions.min(bytes.len() / 5));
            let sum: usize = records.iter().sum();
            prop_assert!(message.records().len() <= sum.min(bytes.len() / 11));
            prop_assert_eq!(
                message.answers().len() + message.authorities().len() + message.additionals().len(),
                message.records().len()
            );
            if message.defect.is_none() {
                let opt = usize::from(message.edns.is_some());
                prop_assert_eq!(message.records().len() + opt, sum);
                prop_assert_eq!(message.questions().len(), questions);
            }
        }
    }

    /// What the library reads by itself is read here, and is the same.
    #[test]
    fn nothing_is_lost_that_the_library_reads(bytes in any_bytes()) {
        let (Ok(theirs), Some(ours)) = (Message::from_vec(&bytes), read(&bytes)) else {
            return Ok(());
        };
        prop_assert_eq!(ours.defect, None);
        prop_assert_eq!(ours.rcode().0, u16::from(theirs.metadata.response_code));
        prop_assert_eq!(ours.edns.is_some(), theirs.edns.is_some());
        prop_assert_eq!(ours.questions().len(), theirs.queries.len());
        for (our, their) in ours.questions().iter().zip(&theirs.queries) {
            prop_assert!(our.name().as_hickory().eq_case(their.name()));
            prop_assert_eq!(our.rtype().0, u16::from(their.query_type()));
        }
        let sections = [
            (ours.answers(), &theirs.answers),
            (ours.authorities(), &theirs.authorities),
            (ours.additionals(), &theirs.additionals),
        ];
        for (our, their) in sections {
            prop_assert_eq!(our.len(), their.len());
            for (our, their) in our.iter().zip(their) {
                prop_assert!(our.name().as_hickory().eq_case(&their.name));
                prop_assert_eq!((our.ttl(), our.as_hickory()), (their.ttl, &their.data));
                prop_assert_eq!(our.rtype().0, u16::from(their.record_type()));
            }
        }
    }

    /// A capture that cuts more never shows more, nor anything else.
    #[test]
    fn a_cut_shows_a_beginning(which in 0_usize..7, at in any::<prop::sample::Index>()) {
        let whole = &samples()[which];
        let full = read(whole).unwrap();
        prop_assert_eq!(full.defect, None);
        let at = at.index(whole.len());
        match read_cut(&whole[..at], whole.len()) {
            None => prop_assert!(at < 12),
            Some(cut) => {
                prop_assert!(full.records().starts_with(cut.records()));
                prop_assert!(full.questions().starts_with(cut.questions()));
                prop_assert_eq!(cut.defect, Some(DnsDefect::Cut));
            }
        }
    }

    #[test]
    fn names_come_back(parts in proptest::collection::vec("[a-z0-9-]{1,20}", 0..8)) {
        let name = parts.join(".");
        let message = read(&Wire::new(1, 0).counts([1, 0, 0, 0]).raw(&labels(&name))
            .raw(&[0, 1, 0, 1]).build()).unwrap();
        let expected = if name.is_empty() { "." } else { &name };
        prop_assert_eq!(message.questions()[0].name().to_string(), expected);
    }
}

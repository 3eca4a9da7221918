use std::time::Duration;

use flowscope_core::{Datagram, DatagramParser, FlowSide, SessionParser, StreamChunk, Timestamp};
use proptest::prelude::*;

use super::{DnsOutcome, DnsTransaction, DnsTransactions, UnansweredReason};
use crate::fixture::Wire;
use crate::{DnsTcpParser, DnsUdpParser};

type Udp = DnsTransactions<DnsUdpParser>;

const ASK: FlowSide = FlowSide::Initiator;
const TELL: FlowSide = FlowSide::Responder;

/// Feeds messages, each with its side and its time in milliseconds, ends the flow, and returns a
/// line for each transaction: id of query and response, latency, retries, outcome.
fn run(mut parser: Udp, script: &[(u64, FlowSide, Wire)]) -> Vec<String> {
    let mut out = Vec::new();
    for (ms, side, wire) in script {
        let payload = wire.clone().build();
        let ts = Timestamp::from_nanos(ms * 1_000_000);
        parser.parse_into(Datagram::new(*side, ts, &payload), &mut out);
    }
    parser.end(&mut out);
    assert_eq!(parser.open(), 0);
    out.iter().map(line).collect()
}

fn line(t: &DnsTransaction) -> String {
    let id = |message: &Option<crate::DnsMessage>| message.as_ref().map(crate::DnsMessage::id);
    let ms = t.latency.map(|latency| latency.as_millis());
    format!("{:?} {:?} {ms:?} {} {:?}", id(&t.query), id(&t.response), t.retries, t.outcome)
        .replace("Some(", "")
        .replace("None", "-")
        .replace(") ", " ")
}

fn check(script: &[(u64, FlowSide, Wire)], expected: &[&str]) {
    assert_eq!(run(Udp::default(), script), expected);
}

fn q(id: u16, name: &str) -> Wire {
    Wire::query(id, name, 1)
}

fn r(id: u16, name: &str) -> Wire {
    Wire::response(id, name, 1)
}

#[test]
fn queries_and_responses_in_any_order() {
    check(
        &[(0, ASK, q(1, "a")), (1, ASK, q(2, "b")), (5, TELL, r(2, "b")), (9, TELL, r(1, "a"))],
        &["2 2 4 0 Answered", "1 1 9 0 Answered"],
    );
    // The same identifier for two names, and the same name under two identifiers.
    check(
        &[
            (0, ASK, q(1, "a")),
            (0, ASK, q(1, "b")),
            (0, ASK, q(2, "a")),
            (1, TELL, r(1, "B")),
            (2, TELL, r(2, "a")),
            (3, TELL, r(1, "a")),
        ],
        &["1 1 1 0 Answered", "2 2 2 0 Answered", "1 1 3 0 Answered"],
    );
}

#[test]
fn both_sides_may_ask() {
    check(
        &[(0, ASK, q(1, "a")), (0, TELL, q(1, "a")), (2, ASK, r(1, "a")), (3, TELL, r(1, "a"))],
        &["1 1 2 0 Answered", "1 1 3 0 Answered"],
    );
    // An echo from the asker is no answer.
    check(
        &[(0, ASK, q(1, "a")), (1, ASK, r(1, "a"))],
        &["- 1 - 0 Unsolicited", "1 - - 0 Unanswered(FlowEnded)"],
    );
}

#[test]
fn retries_are_counted() {
    check(
        &[(0, ASK, q(1, "a")), (5, ASK, q(1, "a")), (7, ASK, q(1, "A")), (8, TELL, r(1, "a"))],
        &["1 1 8 2 Answered"],
    );
}

#[test]
fn times_of_repetitions_are_bounded() {
    let mut parser = Udp::default();
    let (query, response) = (q(1, "a").build(), r(1, "a").build());
    let mut out = Vec::new();
    let mut say = |parser: &mut Udp, ms: u64, side, bytes: &[u8]| {
        let ts = Timestamp::from_nanos(ms * 1_000_000);
        parser.parse_into(Datagram::new(side, ts, bytes), &mut out);
    };
    say(&mut parser, 0, ASK, &query);
    let once = DatagramParser::heap_bytes(&parser);
    (1..=100).for_each(|ms| say(&mut parser, ms, ASK, &query));
    let held = DatagramParser::heap_bytes(&parser);
    assert!(held > once && held <= once + 64 * size_of::<Timestamp>(), "{once} {held}");
    say(&mut parser, 101, TELL, &response);
    assert!(DatagramParser::heap_bytes(&parser) < once);
    assert_eq!((out[0].retries, out[0].repeated.len()), (100, 64));
    assert_eq!(out[0].repeated[63], Timestamp::from_nanos(64_000_000));
}

#[test]
fn a_second_response_is_unsolicited() {
    check(
        &[(0, ASK, q(1, "a")), (1, TELL, r(1, "a")), (2, TELL, r(1, "a")), (3, TELL, r(9, "a"))],
        &["1 1 1 0 Answered", "- 1 - 0 Unsolicited", "- 9 - 0 Unsolicited"],
    );
}

#[test]
fn a_response_without_a_question_goes_by_its_identifier() {
    let formerr = Wire::new(1, 0x8181);
    check(
        &[(0, ASK, q(1, "a")), (0, ASK, q(1, "b")), (1, TELL, formerr), (2, TELL, r(1, "b"))],
        &["1 1 1 0 Answered", "1 1 2 0 Answered"],
    );
    // A query without one, which asks for a cookie (RFC 7873 §5.4), repeats none that has one.
    let cookie = || Wire::new(1, 0).edns(0, b"");
    check(
        &[(0, ASK, q(1, "a")), (0, ASK, cookie()), (0, ASK, q(1, "b")), (0, ASK, cookie())],
        &[
            "1 - - 0 Unanswered(FlowEnded)",
            "1 - - 1 Unanswered(FlowEnded)",
            "1 - - 0 Unanswered(FlowEnded)",
        ],
    );
    // With a question it must be the same one.
    check(
        &[(0, ASK, q(1, "a")), (1, TELL, r(1, "evil"))],
        &["- 1 - 0 Unsolicited", "1 - - 0 Unanswered(FlowEnded)"],
    );
}

#[test]
fn time_runs_out() {
    check(
        &[
            (0, ASK, q(1, "a")),
            (1, ASK, q(2, "b")),
            (10_000, TELL, r(1, "a")),
            (10_002, TELL, r(2, "b")),
        ],
        &["1 1 10000 0 Answered", "2 - - 0 Unanswered(Timeout)", "- 2 - 0 Unsolicited"],
    );
    let (mut parser, mut out) = (Udp::default().timeout(Duration::from_secs(1)), Vec::new());
    parser.parse(&q(1, "a").build(), ASK);
    DatagramParser::tick(&mut parser, Timestamp::from_secs(1), &mut out);
    assert_eq!((out.len(), parser.open()), (0, 1));
    DatagramParser::tick(&mut parser, Timestamp::from_secs(2), &mut out);
    assert_eq!(out[0].outcome, DnsOutcome::Unanswered(UnansweredReason::Timeout));
}

#[test]
fn the_oldest_goes_when_there_is_no_room() {
    let script = [(0, ASK, q(1, "a")), (0, ASK, q(2, "a")), (0, ASK, q(3, "a"))];
    let expected = [
        "1 - - 0 Unanswered(LimitReached)",
        "2 - - 0 Unanswered(FlowEnded)",
        "3 - - 0 Unanswered(FlowEnded)",
    ];
    assert_eq!(run(Udp::default().max_open(2), &script), expected);
}

#[test]
fn clocks_may_run_backwards() {
    check(&[(9, ASK, q(1, "a")), (5, TELL, r(1, "a"))], &["1 1 0 0 Answered"]);
}

#[test]
fn one_identifier_for_everything() {
    let (mut parser, mut out) = (Udp::default(), Vec::new());
    for n in 0..20_000_u32 {
        let payload = q(7, &format!("n{n}")).build();
        let feed = Datagram::new(ASK, Timestamp::ZERO, &payload).wire_len(0);
        parser.parse_into(feed, &mut out);
        assert!(parser.open() <= 1024);
    }
    assert_eq!(out.len(), 20_000 - 1024);
    let full = DatagramParser::heap_bytes(&parser);
    assert!(full < 1 << 20, "{full}");
    parser.end(&mut out);
    // What is left is room, not queries.
    assert!(DatagramParser::heap_bytes(&parser) < full / 3);
}

#[test]
fn a_zone_transfer_goes_on() {
    let (mut parser, mut out) = (DnsTransactions::<DnsTcpParser>::default(), Vec::new());
    let mut say = |side, wire: Wire| {
        let bytes = wire.framed();
        parser.feed_into(StreamChunk::new(side, Timestamp::ZERO, 0, &bytes), &mut out);
    };
    say(ASK, Wire::query(1, "zone", 252));
    say(TELL, Wire::response(1, "zone", 252));
    say(TELL, Wire::response(1, "zone", 252));
    say(TELL, Wire::new(1, 0x8180));
    say(TELL, Wire::new(2, 0x8180));
    parser.fin(ASK, &mut out);
    parser.end(&mut out);
    let outcomes: Vec<DnsOutcome> = out.iter().map(|t| t.outcome).collect();
    let expected = [
        DnsOutcome::Answered,
        DnsOutcome::Continued,
        DnsOutcome::Continued,
        DnsOutcome::Unsolicited,
    ];
    assert_eq!(outcomes, expected);
}

/// RFC 1995 §4: an incremental transfer has several messages too. The identifier may be used again behind it.
#[test]
fn a_transfer_ends_with_the_next_query_of_its_identifier() {
    let transfer = || {
        let asked = Wire::query(1, "zone", 251);
        [
            (0_u64, ASK, asked),
            (1, TELL, Wire::response(1, "zone", 251)),
            (2, TELL, Wire::new(1, 0x8180)),
        ]
    };
    let again =
        |asked: Wire| [(3_u64, ASK, asked), (4, TELL, r(1, "b")), (5, TELL, Wire::new(1, 0x8180))];
    check(
        &[transfer(), again(q(1, "b"))].concat(),
        &["1 1 1 0 Answered", "- 1 - 0 Continued", "1 1 1 0 Answered", "- 1 - 0 Unsolicited"],
    );
    // A query with another identifier, or one of the other side, does not end it.
    check(
        &[
            &transfer()[..],
            &[(3, ASK, q(2, "b")), (3, TELL, q(1, "c")), (4, TELL, Wire::new(1, 0x8180))],
        ]
        .concat(),
        &[
            "1 1 1 0 Answered",
            "- 1 - 0 Continued",
            "- 1 - 0 Continued",
            "2 - - 0 Unanswered(FlowEnded)",
            "1 - - 0 Unanswered(FlowEnded)",
        ],
    );
}

proptest! {
    /// Against a list that is searched from the front: every message is in one transaction, or is a
    /// retry.
    #[test]
    fn pairing_agrees_with_a_plain_list(
        script in proptest::collection::vec((any::<bool>(), any::<bool>(), 0_u16..3, 0_usize..3), 0..60),
    ) {
        const NAMES: [&str; 3] = ["a", "b", "c"];
        let mut open: Vec<(bool, u16, usize, u32)> = Vec::new();
        let mut expected = Vec::new();
        let mut wires = Vec::new();
        for &(initiator, is_query, id, name) in &script {
            let side = if initiator { ASK } else { TELL };
            let asker = initiator == is_query;
            let at = open.iter().position(|o| (o.0, o.1, o.2) == (asker, id, name));
            match (is_query, at) {
                (true, Some(at)) => open[at].3 += 1,
                (true, None) => open.push((asker, id, name, 0)),
                (false, Some(at)) => {
                    let retries = open.remove(at).3;
                    expected.push(format!("{id} {id} 0 {retries} Answered"));
                }
                (false, None) => expected.push(format!("- {id} - 0 Unsolicited")),
            }
            let wire = if is_query { q(id, NAMES[name]) } else { r(id, NAMES[name]) };
            wires.push((0, side, wire));
        }
        for (_, id, _, retries) in open {
            expected.push(format!("{id} - - {retries} Unanswered(FlowEnded)"));
        }
        prop_assert_eq!(run(Udp::default(), &wires), expected);
    }
}

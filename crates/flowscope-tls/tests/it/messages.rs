use flowscope_core::{FlowSide, ParseError, ParserStatus, SessionParser};
use flowscope_tls::{TlsConfig, TlsParser};

use crate::support::*;

const DONE: ParserStatus = ParserStatus::Done;
const CONTINUE: ParserStatus = ParserStatus::Continue;
const STOP_I: ParserStatus = ParserStatus::StopSide(FlowSide::Initiator);
const STOP_R: ParserStatus = ParserStatus::StopSide(FlowSide::Responder);

/// The messages, however the bytes come.
fn check(dialogue: &[(FlowSide, Vec<u8>)], expected: &[&str], status: ParserStatus) {
    check_with(&TlsParser::default(), dialogue, expected, status);
}

fn check_with(
    parser: &TlsParser,
    dialogue: &[(FlowSide, Vec<u8>)],
    expected: &[&str],
    status: ParserStatus,
) {
    for size in [usize::MAX, 1, 2, 3, 5, 7, 64, 1448] {
        let (said, end) = parse(parser, dialogue, size);
        assert_eq!(said, expected, "in pieces of {size}");
        assert_eq!(end, status, "in pieces of {size}");
    }
}

#[test]
fn tls12_in_full() {
    check(
        &tls12(),
        &[
            "I client TLS 1.2 old.example",
            "R server TLS 1.2 c02f",
            "R certificate [900, 1100]",
            "R group 29",
            "I encrypted",
            "R encrypted",
        ],
        DONE,
    );
}

#[test]
fn a_client_shows_certificates_too() {
    let mut dialogue = tls12();
    dialogue[2].1.splice(0..0, clear(&[&certificate(&[&[8; 70]])]));
    let (said, _) = parse(&TlsParser::default(), &dialogue, usize::MAX);
    assert_eq!(said[4], "I certificate [70]");
}

#[test]
fn the_curve_of_a_key_exchange_is_told() {
    let check = |cipher, kind, body: &[u8], expected: Option<&str>| {
        let client = hello(0x0303, &[cipher]).client();
        let server = hello(0x0303, &[cipher]).server();
        let flight = clear(&[&server, &message(kind, body)]);
        let (said, _) = parse(&TlsParser::default(), &[(I, clear(&[&client])), (R, flight)], 7);
        assert_eq!(said.get(2).map(String::as_str), expected, "{cipher:#x} {body:?}");
    };
    check(0xc02f, 12, &[3, 0, 23, 65, 4, 4], Some("R group 23"));
    // An explicit curve has no number.
    check(0xc02f, 12, &[1, 0, 23, 65, 4, 4], None);
    check(0xc02f, 12, &[3, 0], None);
    // A prime of 768 bytes begins like a curve.
    check(0x009e, 12, &[3, 0, 23, 65, 4, 4], None);
    // A hint of the identity comes first.
    check(0xc035, 12, &[3, 0, 23, 65, 4, 4], None);
    check(0xc02f, 16, &[3, 0, 23, 65, 4, 4], None);
    check(0x1301, 12, &[3, 0, 23, 65, 4, 4], None);
    // A server that has not said hello has no cipher suite.
    let (said, _) = parse(&TlsParser::default(), &[(R, clear(&[&key_exchange_x25519()]))], 7);
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn tls12_abbreviated() {
    let client = hello(0x0303, &[0xc02f]).session(&[5; 32]).client();
    let server = hello(0x0303, &[0xc02f]).session(&[5; 32]).server();
    check(
        &[
            (I, clear(&[&client])),
            (R, [clear(&[&server]), change_cipher(), finished()].concat()),
            (I, [change_cipher(), finished()].concat()),
            (R, data(9)),
        ],
        &["I client TLS 1.2 -", "R server TLS 1.2 c02f", "R encrypted", "I encrypted"],
        DONE,
    );
}

#[test]
fn tls13_is_read_up_to_the_servers_hello() {
    check(
        &tls13(),
        &["I client TLS 1.3 new.example", "R server TLS 1.3 1301", "R encrypted", "I encrypted"],
        DONE,
    );
    // Without the middlebox compatibility of RFC 8446 appendix D.4.
    check(
        &[
            (I, clear(&[&client13("x").client()])),
            (R, [clear(&[&server13().server()]), data(600)].concat()),
        ],
        &["I client TLS 1.3 x", "R server TLS 1.3 1301", "R encrypted"],
        STOP_R,
    );
}

/// Two hellos of each side, the second ones behind a ChangeCipherSpec.
fn retried() -> Dialogue {
    let retry = server13().random(RETRY).server();
    vec![
        (I, clear(&[&client13("first").client()])),
        (R, [clear(&[&retry]), change_cipher()].concat()),
        (I, [change_cipher(), clear(&[&client13("second").client()])].concat()),
        (R, [clear(&[&server13().server()]), data(600)].concat()),
        (I, data(53)),
    ]
}

#[test]
fn hellos_follow_a_retry_request() {
    check(
        &retried(),
        &[
            "I client TLS 1.3 first",
            "R retry TLS 1.3",
            "I client TLS 1.3 second",
            "R server TLS 1.3 1301",
            "R encrypted",
            "I encrypted",
        ],
        DONE,
    );
}

#[test]
fn a_hello_after_a_change_of_cipher_may_come_in_tiny_records() {
    let mut dialogue = retried();
    dialogue[2].1 = [change_cipher(), records(&client13("second").client(), 1)].concat();
    let (said, status) = parse(&TlsParser::default(), &dialogue, 3);
    assert_eq!(said[2], "I client TLS 1.3 second");
    assert_eq!(status, DONE);
}

#[test]
fn early_data_does_not_hide_the_second_hello() {
    let first = client13("first").ext(42, []).client();
    let mut dialogue = retried();
    dialogue[0].1 = [clear(&[&first]), change_cipher(), data(900), data(900)].concat();
    dialogue[2].1 = clear(&[&client13("second").client()]);
    check(
        &dialogue,
        &[
            "I client TLS 1.3 first",
            "R retry TLS 1.3",
            "I client TLS 1.3 second",
            "R server TLS 1.3 1301",
            "R encrypted",
            "I encrypted",
        ],
        DONE,
    );
    // Accepted, it ends with the client's first record after the server's hello.
    let accepted = [
        (I, [clear(&[&first]), change_cipher(), data(900)].concat()),
        (R, [clear(&[&server13().server()]), data(600)].concat()),
        (I, data(53)),
    ];
    check(
        &accepted,
        &["I client TLS 1.3 first", "R server TLS 1.3 1301", "R encrypted", "I encrypted"],
        DONE,
    );
}

#[test]
fn early_data_is_not_waited_out_for_nothing() {
    let first = clear(&[&client13("first").ext(42, []).client()]);
    // The server has answered, and there is no telling when it goes on.
    check(
        &[(I, first.clone()), (R, clear(&[&server13().server()])), (I, data(53))],
        &["I client TLS 1.3 first", "R server TLS 1.3 1301", "I encrypted"],
        STOP_I,
    );
    // Its answer is lost.
    let (mut parser, mut out) = (TlsParser::default(), Vec::new());
    feed(&mut parser, &[(I, [first, data(900)].concat())], 100);
    assert_eq!(parser.gap(R, 5000, &mut out), STOP_R);
    assert_eq!(feed(&mut parser, &[(I, data(53))], 100).1, DONE);
}

#[test]
fn final_alerts_end_the_handshake() {
    let client = (I, clear(&[&client13("x").client()]));
    check(
        &[client.clone(), (R, alert(2, 40))],
        &["I client TLS 1.3 x", "R alert 2 handshake_failure"],
        DONE,
    );
    check(
        &[client.clone(), (R, clear(&[&server13().server()])), (I, alert(2, 47))],
        &["I client TLS 1.3 x", "R server TLS 1.3 1301", "I alert 2 illegal_parameter"],
        DONE,
    );
    // The server has not been heard yet: it may have said something before.
    check(
        &[client.clone(), (I, alert(1, 0)), (R, clear(&[&server13().server()]))],
        &["I client TLS 1.3 x", "I alert 1 close_notify", "R server TLS 1.3 1301"],
        CONTINUE,
    );
    // A retry request and its compatibility record came before the alert.
    let retry = server13().random(RETRY).server();
    check(
        &[client, (R, [clear(&[&retry]), change_cipher(), alert(2, 47)].concat())],
        &["I client TLS 1.3 x", "R retry TLS 1.3", "R alert 2 illegal_parameter"],
        DONE,
    );
}

#[test]
fn warnings_end_nothing() {
    let mut dialogue = tls12();
    dialogue[1].1.splice(0..0, alert(1, 112));
    let (said, status) = parse(&TlsParser::default(), &dialogue, 1);
    assert_eq!(said[1..3], ["R alert 1 unrecognized_name", "R server TLS 1.2 c02f"]);
    assert_eq!(status, DONE);
}

#[test]
fn alerts_may_share_records_and_be_split() {
    let split = [record(21, &[1]), record(21, &[90, 1, 100])].concat();
    check(
        &[(R, [split, alert(2, 80)].concat())],
        &["R alert 1 user_canceled", "R alert 1 no_renegotiation", "R alert 2 internal_error"],
        STOP_R,
    );
}

#[test]
fn an_encrypted_alert_is_none() {
    let mut dialogue = tls12();
    dialogue[2].1 = [change_cipher(), record(21, &[2; 26])].concat();
    let (said, _) = parse(&TlsParser::default(), &dialogue[..3], 1);
    assert_eq!(said.last().unwrap(), "I encrypted");
    // Whatever the cipher adds: an alert in the clear has two bytes.
    for len in [1, 3] {
        let client = (I, [clear(&[&client13("x").client()]), change_cipher()].concat());
        let turn = (I, record(21, &vec![1; len]));
        check(&[client, turn], &["I client TLS 1.3 x", "I encrypted"], CONTINUE);
    }
}

/// RFC 8446 §6: `warning(1)` and `fatal(2)`. Another level is that of an encrypted alert.
#[test]
fn an_alert_has_one_of_two_levels() {
    for level in [0, 3, 255] {
        check(&[(R, alert(level, 40))], &[], STOP_R);
    }
    check(&[(R, alert(1, 90))], &["R alert 1 user_canceled"], CONTINUE);
}

/// Engines report a stream that is joined in the middle by a gap of no length: of records that say themselves
/// what they are.
#[test]
fn a_gap_of_no_length_is_none() {
    let dialogue = tls12();
    let (mut parser, mut out) = (TlsParser::default(), Vec::new());
    for (side, bytes) in &dialogue {
        for piece in bytes.chunks(7) {
            if parser.gap(*side, 0, &mut out) == CONTINUE {
                out.extend(feed(&mut parser, &[(*side, piece.to_vec())], 7).0);
            }
        }
    }
    let said: Vec<String> = out.iter().map(describe).collect();
    let (whole, _) = parse(&TlsParser::default(), &dialogue, 7);
    assert_eq!(said, whole);
}

#[test]
fn the_client_is_who_sends_its_hello() {
    for (dialogue, client) in [(tls12(), I), (tls13(), I)] {
        let swapped: Dialogue = dialogue.iter().map(|(s, bytes)| (!*s, bytes.clone())).collect();
        for (dialogue, client) in [(&dialogue, client), (&swapped, !client)] {
            let mut parser = TlsParser::default();
            feed(&mut parser, dialogue, usize::MAX);
            assert_eq!(parser.client(), Some(client));
            // One side alone is enough.
            for side in [I, R] {
                let mut parser = TlsParser::default();
                let one: Dialogue = dialogue.iter().filter(|(s, _)| *s == side).cloned().collect();
                feed(&mut parser, &one, usize::MAX);
                assert_eq!(parser.client(), Some(client));
            }
        }
    }
    assert_eq!(TlsParser::default().client(), None);
}

#[test]
fn one_side_alone_is_done_after_a_while() {
    let client = clear(&[&client13("x").client()]);
    let some = [client.clone(), data(50).repeat(16)].concat();
    check(&[(I, some)], &["I client TLS 1.3 x", "I encrypted"], CONTINUE);
    let more = [client, data(50).repeat(17)].concat();
    check(&[(I, more)], &["I client TLS 1.3 x", "I encrypted"], DONE);
    // What it sends may be damaged, or have holes.
    let start = [clear(&[&client13("x").client()]), change_cipher(), finished()].concat();
    let junk = (I, [&start[..], b"junk that is no record"].concat());
    check(&[junk], &["I client TLS 1.3 x", "I encrypted"], STOP_I);
    let (mut parser, mut out) = (TlsParser::default(), Vec::new());
    feed(&mut parser, &[(I, start[..start.len() - 20].to_vec())], 100);
    assert_eq!(parser.gap(I, 20, &mut out), CONTINUE);
    assert_eq!(feed(&mut parser, &[(I, data(50).repeat(16))], 100).1, DONE);
    // Once the other side speaks, this one is not needed any more.
    let (mut parser, dialogue) = (TlsParser::default(), tls13());
    feed(&mut parser, &[dialogue[0].clone(), (I, data(50))], 1);
    feed(&mut parser, &dialogue[1..2], 1);
    assert_eq!(feed(&mut parser, &[(I, data(50))], 1), (vec![], DONE));
}

#[test]
fn a_flow_picked_up_later_has_nothing_to_say() {
    check(&[(I, data(50)), (R, data(50))], &["I encrypted", "R encrypted"], DONE);
}

#[test]
fn old_hellos() {
    let server = hello(0x0301, &[0x0039]).server();
    // SSL 2.0's own cipher (first byte 7) is no cipher of TLS.
    let client = sslv2_hello(0x0301, &[[0, 0, 0x39], [7, 0, 0xc0], [0, 0, 0x35]]);
    check(
        &[(I, [client, data(0)].concat()), (R, clear(&[&server]))],
        &["I client TLS 1.0 -", "I encrypted", "R server TLS 1.0 0039"],
        CONTINUE,
    );
    let (client, server) = (hello(0x0300, &[4, 5]).client(), hello(0x0300, &[5]).server());
    check(
        &[(I, clear(&[&client])), (R, clear(&[&server]))],
        &["I client SSLv3 -", "R server SSLv3 0005"],
        CONTINUE,
    );
}

#[test]
fn drafts_of_tls13() {
    let client =
        |draft: u8| clear(&[&hello(0x0303, &[0x1301]).ext(43, [4, 0x7f, draft, 3, 3]).client()]);
    let server = clear(&[&hello(0x0303, &[0x1301]).ext(43, [0x7f, 28]).server()]);
    check(
        &[(I, client(28)), (R, [server, data(1)].concat())],
        &["I client TLS 1.3 draft-28 -", "R server TLS 1.3 draft-28 1301", "R encrypted"],
        STOP_R,
    );
    // No session, no compression; a retry request was a message of its own.
    let body = |start: &[u8]| [start, &[0x13, 1, 0, 6, 0, 40, 0, 2, 0, 29]].concat();
    let retry = message(6, &body(&[0x7f, 18]));
    let server = message(2, &body(&[&[0x7f, 18][..], &[7; 32]].concat()));
    check(
        &[(I, client(18)), (R, clear(&[&retry])), (I, client(18)), (R, clear(&[&server]))],
        &[
            "I client TLS 1.3 draft-18 -",
            "R retry TLS 1.3 draft-18",
            "I client TLS 1.3 draft-18 -",
            "R server TLS 1.3 draft-18 1301",
        ],
        CONTINUE,
    );
}

#[test]
fn what_is_not_tls_fails() {
    use ParseError::{InvalidField, NotTheProtocol};
    let client = (I, clear(&[&client13("x").client()]));
    let failed = ParserStatus::Failed;
    check(&[(I, b"GET / HTTP/1.1\r\n".to_vec())], &[], failed(NotTheProtocol));
    let hello = "I client TLS 1.3 x";
    let http = (R, b"HTTP/1.1 400 Bad Request\r\n".to_vec());
    check(&[client.clone(), http], &[hello], failed(NotTheProtocol));
    let long = (R, vec![22, 3, 3, 0x48, 1, 2]);
    check(&[client.clone(), long], &[hello], failed(InvalidField("TLSCiphertext.length")));
    let odd = (I, vec![99, 3, 3, 0, 1, 2]);
    check(&[client, odd], &[hello], failed(InvalidField("TLSPlaintext.type")));
}

#[test]
fn what_is_too_long_is_skipped() {
    let parser = TlsParser::new(TlsConfig::default().max_hello(100).max_certificates(1000));
    let long = client13(&"x".repeat(60)).client();
    let len = long.len() - 4;
    let anomaly = format!("I anomaly in 1: TooLong({len})");
    check_with(
        &parser,
        &[(I, clear(&[&long, &hello(0x0303, &[1]).client()]))],
        &[&anomaly, "I client TLS 1.2 -"],
        CONTINUE,
    );
    let (dialogue, mut expected) = (tls12(), vec![]);
    expected.extend(["I client TLS 1.2 old.example", "R server TLS 1.2 c02f"]);
    expected.extend(["R anomaly in 11: TooLong(2009)", "R group 29", "I encrypted", "R encrypted"]);
    check_with(
        &TlsParser::new(TlsConfig::default().max_certificates(1000)),
        &dialogue,
        &expected,
        DONE,
    );
    expected.remove(2);
    let none = TlsParser::new(TlsConfig::default().max_certificates(0));
    check_with(&none, &dialogue, &expected, DONE);
    let sslv2 = sslv2_hello(0x0301, &[[0, 0, 1]; 40]);
    check_with(&parser, &[(I, sslv2)], &["I anomaly in 1: TooLong(144)"], CONTINUE);
}

#[test]
fn what_is_broken_is_said_and_left_behind() {
    let good = hello(0x0303, &[1]).client();
    let check = |body: &[u8], expected: &[&str]| {
        check(&[(I, clear(&[&message(1, body), &good]))], expected, CONTINUE);
    };
    let broken = ["I anomaly in 1: Malformed", "I client TLS 1.2 -"];
    let body = client13("x").client_body();
    check(&[], &broken);
    check(&body[..34], &broken);
    // An odd number of bytes of cipher suites, a session of more than 32 bytes.
    check(&[&body[..36], &[1], &body[37..]].concat(), &broken);
    check(&[&body[..34], &[33], &[0; 100]].concat(), &broken);
    // Broken in its extensions: the name before the break is there.
    let hello = "I client TLS 1.2 x";
    check(&body[..60], &[hello, broken[0], broken[1]]);
    check(&[&body[..], &[0]].concat(), &["I client TLS 1.3 x", broken[0], broken[1]]);
    let chain = message(11, &[0, 0, 9, 0]);
    check_chain(&chain);
}

/// RFC 5246 appendix E.2: cipher specs of three bytes, and three lengths that fill the hello.
#[test]
fn a_hello_of_ssl_2_is_what_its_lengths_say() {
    let whole = sslv2_hello(0x0301, &[[0, 0, 0x39], [0, 0, 0x35]]);
    check(&[(I, whole.clone())], &["I client TLS 1.0 -"], CONTINUE);
    // Bytes 5 and 6 have the length of the cipher specs, the last two of nine that of the challenge.
    for (specs, challenge) in [(5, 16), (9, 16), (6, 15), (6, 17), (7, 15), (5, 17)] {
        let mut changed = whole.clone();
        (changed[6], changed[10]) = (specs, challenge);
        check(&[(I, changed)], &["I anomaly in 1: Malformed"], CONTINUE);
    }
}

fn check_chain(chain: &[u8]) {
    check(&[(R, clear(&[chain]))], &["R anomaly in 11: Malformed"], CONTINUE);
}

#[test]
fn gaps_cost_what_they_must() {
    // A turn of the responder's with a gap in it, then its encrypted data.
    let check = |before: &[u8], gap: u64, after: &[u8], expected: &[&str], status: ParserStatus| {
        for size in [usize::MAX, 1, 7] {
            let mut parser = TlsParser::default();
            let client = (I, clear(&[&client13("x").client()]));
            let (mut said, _) = feed(&mut parser, &[client, (R, before.to_vec())], size);
            let mut end = parser.gap(R, gap, &mut said);
            if end == CONTINUE {
                let more = feed(&mut parser, &[(R, after.to_vec())], size);
                said.extend(more.0);
                end = more.1;
            }
            let said: Vec<String> = said.iter().skip(1).map(describe).collect();
            assert_eq!(said, expected, "in pieces of {size}");
            assert_eq!(end, status);
        }
    };
    let server = hello(0x0303, &[0xc02f]).server();
    let chain = certificate(&[&[1; 900]]);
    let rest = [message(22, &[3; 300]), message(14, &[])].concat();
    let flight = clear(&[&server, &chain, &rest]);
    let last = [change_cipher(), finished()].concat();
    let (first, chain_at) = ("R server TLS 1.2 c02f", 5 + server.len());
    let with = |from: usize| [&flight[from..], &last].concat();
    // In the middle of the certificates, and from there to exactly their end.
    let lost = [first, "R anomaly in 11: Lost", "R encrypted"];
    check(&flight[..chain_at + 100], 300, &with(chain_at + 400), &lost, STOP_R);
    let end = chain_at + chain.len();
    check(&flight[..chain_at + 4], chain.len() as u64 - 4, &with(end), &lost, STOP_R);
    // In a message that nobody reads.
    let (said, at) = ([first, "R certificate [900]", "R encrypted"], end + 20);
    check(&flight[..at], 200, &with(at + 200), &said, STOP_R);
    // Over the end of a message, of a record, or at its beginning.
    check(&flight[..chain_at + 100], 1000, &[], &[first], STOP_R);
    check(&flight[..chain_at + 100], 3000, &[], &[first], STOP_R);
    check(&flight[..3], 10, &[], &[], STOP_R);
    check(&[], 10, &[], &[], STOP_R);
    check(&flight, 10, &[], &[first, "R certificate [900]"], STOP_R);
    // In an alert: the next one is not put together with its rest.
    let after = [&[0][..], &alert(1, 90), &clear(&[&server])].concat();
    let said = ["R alert 1 user_canceled", first];
    check(&record(21, &[2, 1, 0])[..6], 1, &after, &said, CONTINUE);
    // In what is not read at all.
    let heartbeat = record(24, &[0; 100]);
    let after = [&heartbeat[60..], &flight, &last].concat();
    check(&heartbeat[..50], 10, &after, &[first, "R certificate [900]", "R encrypted"], STOP_R);
}

#[test]
fn the_other_side_goes_on_after_a_gap() {
    let (mut parser, mut out) = (TlsParser::default(), Vec::new());
    assert_eq!(parser.gap(I, 500, &mut out), STOP_I);
    assert_eq!(feed(&mut parser, &[(I, tls13()[0].1.clone())], 9), (vec![], STOP_I));
    let (said, status) = feed(&mut parser, &tls13()[1..2], 9);
    assert_eq!(
        said.iter().map(describe).collect::<Vec<_>>(),
        ["R server TLS 1.3 1301", "R encrypted"]
    );
    assert_eq!(status, DONE);
}

#[test]
fn a_side_that_has_finished_is_not_waited_for() {
    let (mut parser, dialogue) = (TlsParser::default(), tls13());
    feed(&mut parser, &dialogue[..1], 100);
    parser.fin(I, &mut Vec::new());
    parser.fin(I, &mut Vec::new());
    assert_eq!(feed(&mut parser, &dialogue[1..2], 100).1, DONE);
}

#[test]
fn the_locked_methods_say_the_same() {
    let (mut parser, mut said) = (TlsParser::default(), Vec::new());
    for (side, bytes) in tls12() {
        said.extend(match side {
            FlowSide::Initiator => parser.feed_initiator(&bytes),
            FlowSide::Responder => parser.feed_responder(&bytes),
        });
    }
    assert_eq!(said, feed(&mut TlsParser::default(), &tls12(), 1).0);
}

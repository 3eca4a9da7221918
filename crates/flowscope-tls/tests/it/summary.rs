use flowscope_core::{FlowSide, ParserStatus, SessionParser, Timestamp};
use flowscope_tls::{TlsHandshake, TlsHandshakes, TlsOutcome, TlsVersion};

use crate::support::*;

/// The one record of a dialogue, and whether it came before the end.
fn summarize(dialogue: &[(FlowSide, Vec<u8>)]) -> (TlsHandshake, bool) {
    let mut all = Vec::new();
    for size in [usize::MAX, 1, 11] {
        let mut adapter = TlsHandshakes::default();
        let (mut records, _) = feed(&mut adapter, dialogue, size);
        let early = !records.is_empty();
        adapter.end(&mut records);
        adapter.end(&mut records);
        assert_eq!(records.len(), 1, "one record, in pieces of {size}");
        assert_eq!(adapter.heap_bytes(), 0);
        all.push((records.remove(0), early));
    }
    let last = all.pop().expect("a record per size");
    assert!(all.iter().all(|record| *record == last));
    last
}

fn check(
    dialogue: &[(FlowSide, Vec<u8>)],
    outcome: TlsOutcome,
    resumed: Option<bool>,
    early: bool,
) -> TlsHandshake {
    let (record, came_early) = summarize(dialogue);
    assert_eq!(
        (record.outcome, record.resumed, came_early),
        (outcome, resumed, early),
        "{record:?}"
    );
    record
}

#[test]
fn a_full_handshake() {
    let record = check(&tls12(), TlsOutcome::Completed, Some(false), true);
    assert_eq!((record.client, record.hello_retry, record.alert), (Some(I), false, None));
    assert_eq!(record.server_name(), Some(&b"old.example"[..]));
    assert_eq!(record.server_alpn(), Some(&b"h2"[..]));
    assert_eq!(record.version(), Some(TlsVersion::TLS_1_2));
    assert_eq!(record.server_certificates.unwrap().certificates().count(), 2);
    assert_eq!(record.client_certificates, None);
    // Turns of a dialogue are a second apart; the last of it is the server's first encrypted record.
    assert_eq!(record.started, Timestamp::from_secs(0));
    assert_eq!(record.ended, Timestamp::from_secs(3));
}

/// Until the record is made, its hellos can be seen.
#[test]
fn hellos_can_be_seen_under_way() {
    let mut adapter = TlsHandshakes::default();
    let mut seen = Vec::new();
    for turn in tls12() {
        let (records, _) = feed(&mut adapter, &[turn], usize::MAX);
        seen.push((adapter.client_hello().is_some(), adapter.server_hello().is_some()));
        if let [record] = &records[..] {
            assert!(record.client_hello.is_some() && record.server_hello.is_some());
        }
    }
    assert_eq!(seen[..3], [(true, false), (true, true), (true, true)]);
    assert!(seen[3..].iter().all(|seen| *seen == (false, false)), "{seen:?}");
}

#[test]
fn alerts_of_both_sides_are_kept() {
    let mut dialogue = tls12();
    // A warning of the server, then the client gives up.
    dialogue[1].1.extend(alert(1, 112));
    dialogue[2].1 = alert(2, 48);
    let record = check(&dialogue, TlsOutcome::Failed, Some(false), true);
    let names = record.alerts.map(|alert| alert.and_then(|alert| alert.name()));
    assert_eq!(names, [Some("unknown_ca"), Some("unrecognized_name")]);
    assert_eq!(record.alert.and_then(|alert| alert.name()), Some("unknown_ca"));
    for (side, _) in &mut dialogue {
        *side = !*side;
    }
    assert_eq!(summarize(&dialogue).0.alerts.map(|alert| alert.unwrap().description), [48, 112]);
}

#[test]
fn what_both_sides_say_of_renegotiation() {
    let check = |client: &Hello, server: &Hello, expected: (Option<bool>, bool)| {
        let dialogue = [(I, clear(&[&client.client()])), (R, clear(&[&server.server()]))];
        let record = summarize(&dialogue).0;
        assert_eq!((record.secure_renegotiation, record.renegotiation), expected);
    };
    let plain = hello(0x0303, &[0xc02f]);
    let safe = plain.clone().ext(0xff01, [0]);
    let signalled = hello(0x0303, &[0xc02f, 0x00ff]);
    check(&plain, &plain, (Some(false), false));
    check(&safe, &safe, (Some(true), false));
    check(&signalled, &safe, (Some(true), false));
    check(&signalled, &plain, (Some(false), false));
    check(&plain.clone().ext(0xff01, [2, 7, 7]), &safe, (Some(true), true));
    check(&client13("x.example").ext(0xff01, [0]), &server13(), (None, false));
}

#[test]
fn the_group_of_the_key_exchange() {
    assert_eq!(summarize(&tls12()).0.group, Some(29));
    assert_eq!(summarize(&tls13()).0.group, Some(29));
    assert_eq!(summarize(&tls12()[..1]).0.group, None);
}

#[test]
fn sides_may_be_swapped() {
    let mut dialogue = tls12();
    dialogue[2].1.splice(0..0, clear(&[&certificate(&[&[8; 70]])]));
    for (side, _) in &mut dialogue {
        *side = !*side;
    }
    let record = check(&dialogue, TlsOutcome::Completed, Some(false), true);
    assert_eq!(record.client, Some(R));
    assert_eq!(record.server_certificates.unwrap().certificates().count(), 2);
    assert_eq!(record.client_certificates.unwrap().certificates().count(), 1);
}

#[test]
fn resumption_before_tls13() {
    let abbreviated = |client: &Hello, server: &Hello| {
        vec![
            (I, clear(&[&client.client()])),
            (R, [clear(&[&server.server()]), change_cipher(), finished()].concat()),
            (I, [change_cipher(), finished()].concat()),
        ]
    };
    let plain = hello(0x0303, &[0xc02f]);
    let with = plain.clone().session(&[5; 32]);
    check(&abbreviated(&with, &with), TlsOutcome::Completed, Some(true), true);
    // By ticket: no session to echo, but nothing of a full handshake either.
    check(
        &abbreviated(&plain.clone().ext(35, [1; 100]), &plain),
        TlsOutcome::Completed,
        Some(true),
        true,
    );
    // Too little is seen, and just enough.
    let short = [(I, clear(&[&plain.client()])), (R, clear(&[&plain.server()]))];
    check(&short, TlsOutcome::Cut, None, false);
    let short = [(I, clear(&[&with.client()])), (R, clear(&[&with.server()]))];
    check(&short, TlsOutcome::Cut, Some(true), false);
    let short = [(I, clear(&[&plain.client()])), (R, clear(&[&plain.server(), &message(14, &[])]))];
    check(&short, TlsOutcome::Cut, Some(false), false);
    let chain = certificate(&[b"der"]);
    let short = [(I, clear(&[&with.client()])), (R, clear(&[&with.server(), &chain]))];
    check(&short, TlsOutcome::Cut, Some(false), false);
}

#[test]
fn tls13_resumes_by_key() {
    // The session is echoed in any case (RFC 8446 §4.1.3).
    let dialogue = |server: Hello| {
        let client = client13("x").session(&[5; 32]).ext(41, [0, 0]);
        vec![
            (I, clear(&[&client.client()])),
            (R, [clear(&[&server.session(&[5; 32]).server()]), data(600)].concat()),
            (I, data(53)),
        ]
    };
    check(&dialogue(server13()), TlsOutcome::Completed, Some(false), true);
    check(&dialogue(server13().ext(41, [0, 0])), TlsOutcome::Completed, Some(true), true);
}

#[test]
fn two_offers_are_one_handshake() {
    let retry = server13().random(RETRY).server();
    let dialogue = [
        (I, clear(&[&client13("first").client()])),
        (R, [clear(&[&retry]), change_cipher()].concat()),
        (I, [change_cipher(), clear(&[&client13("second").client()])].concat()),
        (R, [clear(&[&server13().server()]), data(600)].concat()),
        (I, data(53)),
    ];
    let record = check(&dialogue, TlsOutcome::Completed, Some(false), true);
    assert!(record.hello_retry);
    assert_eq!(record.server_name(), Some(&b"first"[..]));
    assert_eq!(record.version(), Some(TlsVersion::TLS_1_3));
}

#[test]
fn failures_are_reported() {
    let client = (I, clear(&[&client13("x").client()]));
    let record = check(&[client.clone(), (R, alert(2, 70))], TlsOutcome::Failed, None, true);
    assert_eq!(record.alert.unwrap().name(), Some("protocol_version"));
    assert_eq!(record.server_hello, None);
    // A warning does not hide what ended it.
    let turn = [alert(1, 112), alert(2, 80)].concat();
    let record = check(&[client.clone(), (R, turn)], TlsOutcome::Failed, None, true);
    assert_eq!(record.alert.unwrap().name(), Some("internal_error"));
    let http = (R, b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    check(&[client.clone(), http], TlsOutcome::Failed, None, true);
    check(&[(I, clear(&[&message(1, b"broken")]))], TlsOutcome::OneSided, None, false);
    check(&[client.clone(), (R, vec![22])], TlsOutcome::Cut, None, false);
    let record = check(&[client], TlsOutcome::OneSided, None, false);
    assert_eq!(record.version(), None);
}

#[test]
fn one_side_is_enough_for_a_record() {
    let client: Dialogue = tls12().into_iter().filter(|(side, _)| *side == I).collect();
    let record = check(&client, TlsOutcome::OneSided, None, false);
    assert_eq!(record.client, Some(I));
    let server: Dialogue = tls12().into_iter().filter(|(side, _)| *side == R).collect();
    let record = check(&server, TlsOutcome::OneSided, Some(false), false);
    assert_eq!(record.client, Some(I));
    assert_eq!(record.server_certificates.unwrap().certificates().count(), 2);
    // On a connection that goes on, it does not have to end.
    let server = [&server[..], &[(R, data(10).repeat(20))]].concat();
    check(&server, TlsOutcome::OneSided, Some(false), true);
}

#[test]
fn no_handshake_no_record() {
    for dialogue in [vec![], vec![(I, data(9)), (R, data(9))], vec![(I, b"SSH-2.0-x\r\n".to_vec())]]
    {
        let mut adapter = TlsHandshakes::default();
        let (mut records, _) = feed(&mut adapter, &dialogue, 4);
        adapter.end(&mut records);
        assert_eq!(records, []);
    }
}

#[test]
fn a_gap_does_not_lose_the_record() {
    let (mut adapter, mut records, dialogue) = (TlsHandshakes::default(), Vec::new(), tls12());
    feed(&mut adapter, &dialogue[..1], 100);
    let status = adapter.gap(R, 5000, &mut records);
    assert_eq!(status, ParserStatus::StopSide(R));
    assert!(adapter.heap_bytes() > 0);
    let (records, status) = feed(&mut adapter, &dialogue[2..3], 100);
    assert_eq!(status, ParserStatus::Done);
    assert_eq!(records[0].outcome, TlsOutcome::Cut);
    assert_eq!(records[0].server_name(), Some(&b"old.example"[..]));
}

#[test]
fn the_curve_before_tls13_is_in_the_server_key_exchange() {
    let group = |cipher: u16, exchange: &[u8]| {
        let (client, server) = (hello(0x0303, &[cipher]), hello(0x0303, &[cipher]));
        let flight = clear(&[
            &server.server(),
            &certificate(&[&[8; 70]]),
            &message(12, exchange),
            &message(14, &[]),
        ]);
        summarize(&[(I, clear(&[&client.client()])), (R, flight)]).0.group
    };
    let point = [&[3, 0, 23, 65][..], &[4; 65]].concat();
    assert_eq!(group(0xc02f, &point), Some(23));
    assert_eq!(group(0xc02b, &point), Some(23));
    // An explicit curve has no name; nothing is read into what is shorter.
    assert_eq!(group(0xc02f, &[1, 0, 23]), None);
    assert_eq!(group(0xc02f, &[3, 0]), None);
    // A prime of 768 bytes.
    assert_eq!(group(0x009e, &[&[3, 0][..], &[7; 768]].concat()), None);
    let tls13 = summarize(&tls13()).0;
    assert_eq!(tls13.group, tls13.server_hello.unwrap().key_share());
}

#[test]
fn a_gap_in_the_server_key_exchange_hides_the_curve() {
    let group = |lost: usize| {
        let suite = hello(0x0303, &[0xc02f]);
        let mut adapter = TlsHandshakes::default();
        let mut records = adapter.feed_initiator(&clear(&[&suite.client()]));
        adapter.feed_responder(&clear(&[&suite.server(), &certificate(&[&[8; 70]])]));
        let exchange = clear(&[&message(12, &[&[3, 0, 29, 32][..], &[1; 32]].concat())]);
        let (before, behind) = exchange.split_at(lost);
        adapter.feed_responder(before);
        adapter.gap(R, 2, &mut records);
        adapter.feed_responder(&behind[2..]);
        adapter.end(&mut records);
        records[0].group
    };
    // Record header 5, message header 4.
    assert_eq!(
        [group(9), group(10), group(11), group(12), group(30)],
        [None, None, None, Some(29), Some(29)]
    );
}

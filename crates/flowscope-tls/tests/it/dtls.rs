use flowscope_core::{Datagram, DatagramParser, FlowSide, ParserStatus, Probe, Timestamp};
use flowscope_testkit::Rng;
use flowscope_tls::{
    DtlsHandshakes, TlsConfig, TlsHandshake, TlsOutcome, TlsTransport, TlsVersion,
};

use crate::support::*;

/// A record in the clear.
fn plain(content: u8, body: &[u8]) -> Vec<u8> {
    [&[content, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..], &vector16(body)].concat()
}

/// A fragment of a message, which is given with the header of TLS.
fn fragment(seq: u8, message: &[u8], from: usize, to: usize) -> Vec<u8> {
    let (kind, len, body) = (message[0], &message[1..4], &message[4..]);
    let offset = &(from as u32).to_be_bytes()[1..];
    [&[kind], len, &[0, seq], offset, &vector24(&body[from..to])].concat()
}

/// A message in a datagram of its own.
fn datagram(seq: u8, message: &[u8]) -> Vec<u8> {
    plain(22, &fragment(seq, message, 0, message.len() - 4))
}

fn protected12() -> Vec<u8> {
    [&[22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0][..], &vector16(&[9; 40])].concat()
}

/// The unified header of DTLS 1.3, with a length.
fn protected13() -> Vec<u8> {
    [&[0x2e, 0x12, 0x34][..], &vector16(&[9; 40])].concat()
}

/// A hello with a cookie of this length; `None` for one of TLS.
fn client(version: u16, cookie: &[u8]) -> Vec<u8> {
    let hello = hello(version, &[0xc02b, 0xc02f]).name("dtls.example").list(10, &[29]);
    let body = hello.client_body();
    // Version, random, and a session without a byte.
    message(1, &[&body[..35], &vector8(cookie), &body[35..]].concat())
}

fn server(version: u16) -> Vec<u8> {
    hello(version, &[0xc02b]).server()
}

fn verify_request() -> Vec<u8> {
    message(3, &[&[0xfe, 0xff][..], &vector8(&[5; 20])].concat())
}

fn play(datagrams: &[(FlowSide, Vec<u8>)]) -> (Vec<TlsHandshake>, ParserStatus) {
    let (mut parser, mut out, mut status) =
        (DtlsHandshakes::default(), Vec::new(), ParserStatus::Continue);
    for (n, (side, payload)) in datagrams.iter().enumerate() {
        let ts = Timestamp::from_secs(n as u64);
        status = parser.parse_into(Datagram::new(*side, ts, payload), &mut out);
        if status != ParserStatus::Continue {
            break;
        }
    }
    parser.end(&mut out);
    assert_eq!(parser.heap_bytes(), 0);
    (out, status)
}

fn one(datagrams: &[(FlowSide, Vec<u8>)]) -> TlsHandshake {
    let (mut out, _) = play(datagrams);
    assert_eq!(out.len(), 1, "{out:?}");
    out.remove(0)
}

/// A handshake of DTLS 1.2 with a cookie, the certificate in many fragments.
fn dtls12() -> Vec<(FlowSide, Vec<u8>)> {
    let chain = certificate(&[&[1; 900], &[2; 700]]);
    let mut flight = vec![(R, datagram(1, &server(0xfefd)))];
    for from in (0..chain.len() - 4).step_by(400) {
        let to = (from + 400).min(chain.len() - 4);
        flight.push((R, plain(22, &fragment(2, &chain, from, to))));
    }
    // Two messages in one record, as OpenSSL sends them where there is room.
    let exchange = key_exchange_x25519();
    let rest =
        [fragment(3, &exchange, 0, exchange.len() - 4), fragment(4, &message(14, &[]), 0, 0)];
    flight.push((R, plain(22, &rest.concat())));
    let mut all = vec![
        (I, datagram(0, &client(0xfefd, &[]))),
        (R, datagram(0, &verify_request())),
        (I, datagram(1, &client(0xfefd, &[5; 20]))),
    ];
    all.extend(flight);
    all.push((I, [plain(20, &[1]), protected12()].concat()));
    all.push((R, [plain(20, &[1]), protected12()].concat()));
    all
}

#[test]
fn dtls12_in_full() {
    let (mut out, status) = play(&dtls12());
    assert_eq!((out.len(), status), (1, ParserStatus::Done));
    let record = out.remove(0);
    assert_eq!((record.outcome, record.transport), (TlsOutcome::Completed, TlsTransport::Dtls));
    assert_eq!(record.version(), Some(TlsVersion::DTLS_1_2));
    assert_eq!(record.server_name(), Some(&b"dtls.example"[..]));
    assert_eq!((record.client, record.hello_verify, record.group), (Some(I), true, Some(29)));
    assert_eq!(record.server_certificates.as_ref().unwrap().certificates().count(), 2);
    assert_eq!((record.resumed, record.anomalies.len()), (Some(false), 0));
    // Same as over TLS, but for the transport and the version.
    let hello = record.client_hello.unwrap();
    assert!(hello.ja4_over(TlsTransport::Dtls).unwrap().as_str().starts_with("dd2d0202"));
    assert!(hello.ja3().unwrap().string.starts_with("65277,49195-49199,0-10,29,"));
}

/// What stands between the server's hello and its ciphers was not captured: it need not be a resumption.
#[test]
fn a_lost_certificate_is_no_resumption() {
    let mut datagrams = dtls12();
    // Those with the end of the chain, and with all behind it.
    let lost = datagrams.len() - 4..datagrams.len() - 2;
    datagrams.drain(lost);
    let record = one(&datagrams);
    assert!(!record.anomalies.is_empty() && record.server_certificates.is_none());
    assert_eq!(record.resumed, None);
}

#[test]
fn datagrams_may_come_in_any_order_and_more_than_once() {
    let mut rng = Rng::new(9);
    let expected = one(&dtls12());
    for _ in 0..200 {
        // The ends of the handshake stay the last: behind them the parser is done.
        let mut datagrams = dtls12();
        let last = datagrams.split_off(datagrams.len() - 2);
        for _ in 0..rng.below(6) {
            let again = rng.pick(&datagrams).clone();
            datagrams.push(again);
        }
        for at in (1..datagrams.len()).rev() {
            datagrams.swap(at, rng.below(at + 1));
        }
        datagrams.extend(last);
        let record = one(&datagrams);
        let parts = |record: &TlsHandshake| {
            let certificates = record.server_certificates.clone();
            (record.outcome, record.version(), record.client, certificates, record.hello_verify)
        };
        assert_eq!(parts(&record), parts(&expected));
        assert!(record.anomalies.is_empty(), "{:?}", record.anomalies);
    }
}

#[test]
fn dtls13_shows_its_hellos() {
    let body = hello(0xfefd, &[0x1301]).name("new.example").ext(43, [4, 0xfe, 0xfc, 0xfe, 0xfd]);
    let body = body.client_body();
    let client = message(1, &[&body[..35], &[0], &body[35..]].concat());
    let server = hello(0xfefd, &[0x1301]).ext(43, [0xfe, 0xfc]).ext(51, [0, 29, 0, 1, 9]);
    let retry = server.clone().random(RETRY);
    let datagrams = [
        (I, datagram(0, &client)),
        (R, datagram(0, &retry.server())),
        (I, datagram(1, &client)),
        (R, [datagram(1, &server.server()), protected13()].concat()),
        (I, protected13()),
    ];
    let (mut out, status) = play(&datagrams);
    assert_eq!((out.len(), status), (1, ParserStatus::Done));
    let record = out.remove(0);
    assert_eq!(record.version().unwrap().to_string(), "DTLS 1.3");
    assert_eq!((record.outcome, record.hello_retry), (TlsOutcome::Completed, true));
    assert_eq!((record.group, record.resumed), (Some(29), Some(false)));
    let hello = record.client_hello.unwrap();
    assert_eq!(hello.version(), TlsVersion::DTLS_1_3);
    assert!(hello.ja4_over(TlsTransport::Dtls).unwrap().as_str().starts_with("dd3d0102"));
}

#[test]
fn other_protocols_of_the_flow_are_passed_over() {
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    let rtp = [&[0x80, 0x60][..], &[7; 100]].concat();
    let mut datagrams = vec![(I, stun.clone()), (R, stun)];
    datagrams.extend(dtls12());
    datagrams.insert(5, (I, rtp));
    assert_eq!(one(&datagrams).outcome, TlsOutcome::Completed);
}

#[test]
fn what_ends_a_handshake_early() {
    // An alert of the server.
    let refused = [(I, datagram(0, &client(0xfefd, &[]))), (R, plain(21, &[2, 40]))];
    let record = one(&refused);
    assert_eq!(play(&refused).1, ParserStatus::Done);
    assert_eq!(record.outcome, TlsOutcome::Failed);
    // Of the client, before the server has answered: it may have another offer.
    let warned = [refused[0].clone(), (I, plain(21, &[2, 40]))];
    assert_eq!(play(&warned).1, ParserStatus::Continue);
    assert_eq!(record.alerts.map(|alert| alert.is_some()), [false, true]);
    // No answer, and a certificate of which a part is missing.
    assert_eq!(one(&refused[..1]).outcome, TlsOutcome::OneSided);
    let mut datagrams = dtls12();
    datagrams.remove(5);
    let record = one(&datagrams);
    let lost: Vec<_> = record.anomalies.iter().map(ToString::to_string).collect();
    assert_eq!(
        (record.outcome, lost),
        (TlsOutcome::Completed, vec!["lost_certificate".to_owned()])
    );
    // Protected records alone say nothing: of one side as many as of TLS.
    for (records, expected) in [(15, ParserStatus::Continue), (16, ParserStatus::Done)] {
        let (out, status) = play(&vec![(I, protected12()); records]);
        assert_eq!((out.len(), status), (0, expected), "{records}");
    }
}

#[test]
fn the_work_for_a_flow_has_a_bound() {
    let hello = (I, datagram(0, &client(0xfefd, &[])));
    let count = |more: Vec<u8>| {
        let (mut parser, mut out, mut count) = (DtlsHandshakes::default(), Vec::new(), 0);
        for (side, payload) in std::iter::once(hello.clone()).chain(vec![(R, more); 1000]) {
            count += 1;
            let datagram = Datagram::new(side, Timestamp::ZERO, &payload);
            if parser.parse_into(datagram, &mut out) == ParserStatus::Done {
                break;
            }
        }
        (count, out.len())
    };
    assert_eq!(count(vec![0x80; 20]), (DtlsHandshakes::MAX_DATAGRAMS, 1));
    assert_eq!(DtlsHandshakes::MAX_DATAGRAMS, 256);
    // A warning is a message, of which there are 128 at most; the hello was one.
    assert_eq!(count(plain(21, &[1, 112])), (128, 1));
}

/// The server asks for a cookie: its client is the other side, also where nothing of that was captured.
#[test]
fn who_asks_for_a_cookie_is_the_server() {
    for side in [I, R] {
        let record = one(&[(side, datagram(0, &verify_request()))]);
        assert_eq!((record.client, record.hello_verify), (Some(!side), true));
        assert_eq!(record.outcome, TlsOutcome::OneSided);
    }
}

#[test]
fn a_chain_that_is_too_long_is_named() {
    let config = TlsConfig::default().max_certificates(1000);
    let (mut parser, mut out) = (DtlsHandshakes::new(config), Vec::new());
    for (side, payload) in dtls12() {
        parser.parse_into(Datagram::new(side, Timestamp::ZERO, &payload), &mut out);
    }
    assert_eq!(out[0].server_certificates, None);
    assert_eq!(out[0].anomalies[0].to_string(), "too_long_certificate");
    assert_eq!(out[0].anomalies.len(), 1);
}

#[test]
fn the_first_datagram_tells() {
    let check = |payload: &[u8], expected| {
        assert_eq!(DtlsHandshakes::probe(I, payload), expected, "{payload:02x?}");
    };
    check(&datagram(0, &client(0xfefd, &[])), Probe::Yes);
    check(&datagram(0, &client(0xfeff, &[])), Probe::Yes);
    check(&datagram(0, &verify_request()), Probe::Yes);
    check(&protected12(), Probe::Maybe);
    check(&plain(21, &[2, 40]), Probe::Maybe);
    check(&datagram(0, &client(0xfefd, &[]))[..60], Probe::No);
    check(&[22, 3, 3, 0, 90, 1], Probe::No);
    check(&[], Probe::No);
}

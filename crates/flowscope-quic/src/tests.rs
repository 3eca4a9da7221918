use std::time::Duration;

use flowscope_core::{Datagram, DatagramParser, FlowSide, ParserStatus, Probe, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::keys::{InitialKeys, Sender};
use crate::rfc9001::{CLIENT_INITIAL, SERVER_INITIAL, bytes};
use crate::seal::{Initial, crypto};
use crate::wire::LongPacket;
use crate::{QuicHandshake, QuicOutcome, QuicParser, QuicVersion};

const CLIENT: FlowSide = FlowSide::Initiator;
const SERVER: FlowSide = FlowSide::Responder;

/// Destination of the client's first Initial.
const FIRST: &[u8] = b"original";

/// The handshakes in datagrams, a millisecond apart, and the last status.
fn read(datagrams: &[(FlowSide, Vec<u8>)]) -> (Vec<QuicHandshake>, ParserStatus) {
    let mut parser = QuicParser::new();
    let (mut out, mut status) = (Vec::new(), ParserStatus::Continue);
    for (at, (side, payload)) in datagrams.iter().enumerate() {
        let ts = Timestamp::from_secs(1) + Duration::from_millis(at as u64);
        status = parser.parse_into(Datagram::new(*side, ts, payload), &mut out);
        if status != ParserStatus::Continue {
            break;
        }
    }
    parser.end(&mut out);
    (out, status)
}

/// The TLS messages in the Initials of RFC 9001.
fn hellos() -> (Vec<u8>, Vec<u8>) {
    let keys = InitialKeys::new(QuicVersion::V1, &bytes("8394c8f03e515708")).unwrap();
    let open = |sender, packet: &str| {
        let packet = bytes(packet);
        keys.open(sender, &LongPacket::read(&packet).unwrap().0).unwrap()
    };
    let client = open(Sender::Client, CLIENT_INITIAL);
    let server = open(Sender::Server, SERVER_INITIAL);
    // A CRYPTO frame of 241 bytes; an ACK of five bytes, then one of 90.
    (client[4..245].to_vec(), server[9..].to_vec())
}

#[test]
fn the_packets_of_rfc_9001_are_opened() {
    let (handshakes, status) =
        read(&[(CLIENT, bytes(CLIENT_INITIAL)), (SERVER, bytes(SERVER_INITIAL))]);
    assert_eq!(status, ParserStatus::Done);
    let [handshake] = &handshakes[..] else { panic!("{handshakes:?}") };
    assert_eq!(handshake.server_name(), Some(&b"example.com"[..]));
    assert_eq!(handshake.alpn().collect::<Vec<_>>(), [b"alpn"]);
    assert_eq!(handshake.version, QuicVersion::V1);
    assert_eq!(handshake.original_destination.to_string(), "8394c8f03e515708");
    assert_eq!(handshake.client_id.to_string(), "");
    assert_eq!(handshake.server_id.unwrap().to_string(), "f067a5502a4262b5");
    assert_eq!(handshake.server_hello.as_ref().unwrap().cipher(), 0x1301);
    assert_eq!(handshake.outcome, QuicOutcome::Accepted);
    assert_eq!(handshake.latency, Some(Duration::from_millis(1)));
    assert_eq!(handshake.history.as_str(), "ISis");
    let ja4 = handshake.ja4().unwrap();
    let (readable, _) = ja4.as_str().split_once('_').unwrap();
    assert_eq!(readable, "q13d0211an");
    let parameters: Vec<_> = handshake.transport_parameters().map(|(id, _)| id).collect();
    assert_eq!(parameters, [4, 5, 7, 8, 1, 9, 15, 6]);
    assert_eq!(handshake.idle_timeout(), Some(Duration::from_secs(30)));
}

#[test]
fn a_hello_over_several_datagrams_in_any_order() {
    let (client, server) = hellos();
    let initial = |from: usize, to: usize| {
        Initial::client(FIRST, &crypto(from as u16, &client[from..to])).seal()
    };
    let (a, b, c) = (initial(0, 100), initial(80, 180), initial(180, client.len()));
    let answer = Initial::server(FIRST, &crypto(0, &server)).seal();
    for order in [[&a, &b, &c], [&c, &b, &a], [&b, &c, &a]] {
        let mut datagrams: Vec<_> = order.iter().map(|d| (CLIENT, d.to_vec())).collect();
        datagrams.push((SERVER, answer.clone()));
        let (handshakes, _) = read(&datagrams);
        assert_eq!(handshakes[0].server_name(), Some(&b"example.com"[..]));
        assert_eq!(handshakes[0].outcome, QuicOutcome::Accepted);
    }
}

/// RFC 9287 §3: a server whose client allows that clears the bit of any packet.
#[test]
fn a_server_may_clear_the_quic_bit() {
    let (client, server) = hellos();
    let opening = Initial::client(FIRST, &crypto(0, &client));
    let answer = Initial::server(FIRST, &crypto(0, &server));
    let cleared = |initial: Initial| Initial { has_quic_bit: false, ..initial }.seal();
    let (handshakes, status) = read(&[(CLIENT, opening.clone().seal()), (SERVER, cleared(answer))]);
    assert_eq!(status, ParserStatus::Done);
    assert_eq!(handshakes[0].outcome, QuicOutcome::Accepted);
    assert_eq!(handshakes[0].history.as_str(), "ISis");
    // A client that has not heard from the server does not.
    let opening = cleared(opening);
    assert_eq!(QuicParser::probe(CLIENT, &opening), Probe::No);
    assert!(read(&[(CLIENT, opening)]).0.is_empty());
}

#[test]
fn version_2_has_keys_and_types_of_its_own() {
    let (client, server) = hellos();
    let version = QuicVersion::V2;
    let opening = Initial { version, ..Initial::client(FIRST, &crypto(0, &client)) }.seal();
    let answer = Initial { version, ..Initial::server(FIRST, &crypto(0, &server)) }.seal();
    let (handshakes, _) = read(&[(CLIENT, opening), (SERVER, answer)]);
    assert_eq!((handshakes[0].version, handshakes[0].outcome), (version, QuicOutcome::Accepted));
}

#[test]
fn after_a_retry_keys_follow_from_the_server_s_connection_id() {
    let (client, server) = hellos();
    let first = Initial::client(FIRST, &crypto(0, &client)).seal();
    let mut retry = vec![0xf0, 0, 0, 0, 1, 6];
    retry.extend(b"client\x06chosen token and an integrity tag of 16 bytes");
    let second = Initial::client(b"chosen", &crypto(0, &client)).seal();
    let answer = Initial::server(b"chosen", &crypto(0, &server)).seal();
    let (handshakes, _) =
        read(&[(CLIENT, first), (SERVER, retry), (CLIENT, second), (SERVER, answer)]);
    let [handshake] = &handshakes[..] else { panic!("{handshakes:?}") };
    assert!(handshake.retry);
    assert_eq!(handshake.outcome, QuicOutcome::Accepted);
    assert_eq!(handshake.original_destination.as_bytes(), FIRST);
    assert_eq!(handshake.history.as_str(), "ISrIis");
}

#[test]
fn another_version_begins_the_handshake_anew() {
    let (client, server) = hellos();
    let v2 = Initial { version: QuicVersion::V2, ..Initial::client(FIRST, &crypto(0, &client)) };
    let mut negotiation = vec![0x80, 0, 0, 0, 0, 6];
    negotiation.extend(b"client\x08original");
    negotiation.extend([0x1a, 0x1a, 0x1a, 0x1a, 0, 0, 0, 1]);
    let v1 = Initial::client(b"another1", &crypto(0, &client)).seal();
    let answer = Initial::server(b"another1", &crypto(0, &server)).seal();
    let opened = [(CLIENT, v2.seal()), (SERVER, negotiation)];
    let (handshakes, _) = read(&opened);
    assert_eq!(handshakes[0].outcome, QuicOutcome::VersionNegotiation);
    assert_eq!(handshakes[0].offered_versions, [QuicVersion(0x1a1a_1a1a), QuicVersion::V1]);
    let (handshakes, _) = read(&[&opened[..], &[(CLIENT, v1), (SERVER, answer)]].concat());
    let [handshake] = &handshakes[..] else { panic!("{handshakes:?}") };
    assert_eq!(handshake.outcome, QuicOutcome::Accepted);
    assert_eq!(handshake.version, QuicVersion::V1);
}

/// A Version Negotiation with this version, for the first Initial of the client.
fn negotiation(version: QuicVersion) -> Vec<u8> {
    let mut packet = vec![0x80, 0, 0, 0, 0, 6];
    packet.extend(b"client\x08original");
    packet.extend(version.0.to_be_bytes());
    packet
}

fn retry() -> Vec<u8> {
    let mut packet = vec![0xf0, 0, 0, 0, 1, 6];
    packet.extend(b"client\x06chosen token and an integrity tag of 16 bytes");
    packet
}

/// RFC 9000 §6.2: it is discarded if it lists the version in use, or comes behind another packet of the server; and a
/// client sends none, nor a Retry.
#[test]
fn what_no_server_means_changes_nothing() {
    let (client, server) = hellos();
    let opening = (CLIENT, Initial::client(FIRST, &crypto(0, &client)).seal());
    let other = negotiation(QuicVersion(0x1a1a_1a1a));
    let part = (SERVER, Initial::server(FIRST, &crypto(0, &server[..20])).seal());
    for (datagrams, history) in [
        (vec![(SERVER, negotiation(QuicVersion::V1))], "ISv"),
        (vec![part, (SERVER, other.clone())], "ISiv"),
        (vec![(CLIENT, other.clone())], "IS"),
        (vec![(CLIENT, retry())], "IS"),
    ] {
        let (handshakes, _) = read(&[&[opening.clone()][..], &datagrams].concat());
        let [handshake] = &handshakes[..] else { panic!("{handshakes:?}") };
        assert_eq!(handshake.history.as_str(), history);
        assert_eq!((handshake.outcome, handshake.retry), (QuicOutcome::Unanswered, false));
        assert!(handshake.offered_versions.is_empty());
    }
    let (handshakes, _) = read(&[opening, (SERVER, other)]);
    assert_eq!(handshakes[0].outcome, QuicOutcome::VersionNegotiation);
}

#[test]
fn the_work_for_a_flow_has_a_bound() {
    // The server never says anything.
    let opening = Initial::client(FIRST, &[1]).seal();
    let count = |payload: &[u8]| {
        let (mut parser, mut out) = (QuicParser::new(), Vec::new());
        let datagram = Datagram::new(CLIENT, Timestamp::from_secs(1), payload);
        let mut count = 1;
        while parser.parse_into(datagram, &mut out) == ParserStatus::Continue {
            count += 1;
        }
        (count, out.len())
    };
    assert_eq!(count(&opening), (QuicParser::MAX_DATAGRAMS, 1));
    assert_eq!(QuicParser::MAX_DATAGRAMS, 64);
    // One that cannot be opened: there may be no handshake at all.
    assert_eq!(count(&opening[..1000]), (16, 0));
}

/// Each change costs a derivation of keys, and anyone may send what seems to change them.
#[test]
fn keys_change_four_times() {
    let (client, _) = hellos();
    let named = |changes: usize| {
        let destination = |n: usize| format!("change {n}").into_bytes();
        let other = |n| (CLIENT, Initial::client(&destination(n), &[1]).seal());
        let mut datagrams = vec![(CLIENT, Initial::client(FIRST, &[1]).seal())];
        datagrams.extend((1..changes).map(other));
        let hello = Initial::client(&destination(changes), &crypto(0, &client)).seal();
        datagrams.push((CLIENT, hello));
        read(&datagrams).0[0].server_name().map(<[u8]>::to_vec)
    };
    assert_eq!(named(4).as_deref(), Some(&b"example.com"[..]));
    assert_eq!(named(5), None);
}

#[test]
fn eight_packets_of_a_datagram_are_looked_at() {
    let (client, _) = hellos();
    let ping = Initial { payload: vec![1; 8], ..Initial::client(FIRST, &[]) }.seal();
    let hello = Initial::client(FIRST, &crypto(0, &client)).seal();
    let named = |before: usize| {
        let datagram = [&ping.repeat(before)[..], &hello].concat();
        read(&[(CLIENT, datagram)]).0[0].server_name().map(<[u8]>::to_vec)
    };
    assert_eq!(named(7).as_deref(), Some(&b"example.com"[..]));
    assert_eq!(named(8), None);
}

#[test]
fn a_close_is_a_refusal_with_its_code() {
    let (client, _) = hellos();
    let opening = Initial::client(FIRST, &crypto(0, &client)).seal();
    // CONNECTION_CLOSE: 0x128, a TLS alert handshake_failure.
    let answer = Initial::server(FIRST, &[0x1c, 0x41, 0x28, 6, 0]).seal();
    let (handshakes, status) = read(&[(CLIENT, opening), (SERVER, answer)]);
    assert_eq!(status, ParserStatus::Done);
    assert_eq!(handshakes[0].outcome, QuicOutcome::Refused);
    assert_eq!(handshakes[0].close_code, Some(0x128));
}

#[test]
fn what_is_changed_or_cut_is_not_opened() {
    let packet = bytes(CLIENT_INITIAL);
    let mut changed = packet.clone();
    changed[600] ^= 1;
    assert!(read(&[(CLIENT, changed)]).0.is_empty());
    assert!(read(&[(CLIENT, packet[..1199].to_vec())]).0.is_empty());
    let unreadable = vec![(CLIENT, packet[..1199].to_vec()); 40];
    assert_eq!(read(&unreadable).1, ParserStatus::Done);
}

/// A packet without a sample of its payload is discarded (RFC 9001 §5.4.2), and the first that has one decides for its
/// datagram: each would need keys of its own.
#[test]
fn of_a_datagram_one_initial_at_most_is_tried() {
    let (client, _) = hellos();
    let opening = Initial::client(FIRST, &crypto(0, &client)).seal();
    let short = [&[0xc3, 0, 0, 0, 1, 8], FIRST, &[0, 0, 4, 1, 2, 3, 4]].concat();
    let mut unreadable = Initial::client(b"another1", &crypto(0, &client)).seal();
    *unreadable.last_mut().unwrap() ^= 1;
    for (before, handshakes) in [(short.repeat(3), 1), (unreadable, 0)] {
        let datagram = [before, opening.clone()].concat();
        assert_eq!(read(&[(CLIENT, datagram)]).0.len(), handshakes);
    }
}

#[test]
fn probes_are_sure_of_initials_alone() {
    let probe = |bytes: &[u8]| QuicParser::probe(CLIENT, bytes);
    assert_eq!(probe(&bytes(CLIENT_INITIAL)), Probe::Yes);
    assert_eq!(probe(&bytes(SERVER_INITIAL)), Probe::Maybe);
    assert_eq!(probe(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0"), Probe::No, "a DNS query");
    assert_eq!(probe(&[0xc5; 1200]), Probe::No);
    assert_eq!(probe(b""), Probe::Maybe);
}

proptest! {
    #[test]
    fn no_bytes_panic_and_memory_is_bounded(
        datagrams in vec((any::<bool>(), vec(any::<u8>(), 0..300)), 0..20),
        at in 0_usize..1200, byte in any::<u8>(),
    ) {
        let mut parser = QuicParser::new();
        let mut out = Vec::new();
        let mut mutated = bytes(CLIENT_INITIAL);
        mutated[at] = byte;
        parser.parse_into(Datagram::new(CLIENT, Timestamp::ZERO, &mutated), &mut out);
        for (initiator, payload) in &datagrams {
            let side = if *initiator { CLIENT } else { SERVER };
            parser.parse_into(Datagram::new(side, Timestamp::ZERO, payload), &mut out);
            prop_assert!(parser.heap_bytes() < 1 << 18);
        }
        parser.end(&mut out);
        prop_assert!(out.len() <= 1);
    }

    /// Frames that only the keys' owner can make, which anyone who saw the connection id is.
    #[test]
    fn no_frames_panic_and_memory_is_bounded(
        payloads in vec(vec(any::<u8>(), 20..300), 1..40),
        offsets in vec((0_u16..0x3fff, 0_usize..300), 1..40),
    ) {
        let mut parser = QuicParser::new();
        let mut out = Vec::new();
        for (payload, (offset, len)) in payloads.iter().zip(&offsets) {
            for payload in [payload.clone(), crypto(*offset, &vec![1; *len])] {
                let packet = Initial::client(FIRST, &payload).seal();
                parser.parse_into(Datagram::new(CLIENT, Timestamp::ZERO, &packet), &mut out);
                prop_assert!(parser.heap_bytes() < 1 << 18);
            }
        }
    }
}

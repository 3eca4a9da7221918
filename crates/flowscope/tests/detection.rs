//! What flows are said to speak where bytes contradict a port or each other, in a driver that reads them and in one
//! that recognises them.

mod held;

use std::thread;

use flowscope::core::FlowSide::{self, Initiator, Responder};
use flowscope::driver::{Driver, Protocols, SessionEvent};
use flowscope::extract::FiveTuple;
use flowscope::protocols::{self, AppRecord, Registry};
use flowscope::track::EndReason;
use flowscope_conformance::{Conversation, Transport, Turn};

use held::held;

const HELLO: &[u8] = b"\x16\x03\x01\0\x2f\x01\0\0\x2b\x03\x03\
    ................................\0\0\x02\x13\x01\x01\0\0\0";

/// Bytes that no protocol of the registry begins with.
fn garbage() -> Vec<Vec<u8>> {
    vec![
        b"AAAABBBB\r\n".to_vec(),
        b"AAAABBBB\r\nCCCC DDDD\r\n".to_vec(),
        b"AAAABBBB\r\n".repeat(40),
        b"AAAA BBBB CCCC\r\n".to_vec(),
        b"A".repeat(300),
        b"hello world, this is text\n".to_vec(),
        b"123456789\r\n".to_vec(),
        vec![0xf7; 70],
        vec![0; 40],
    ]
}

/// Bytes that many protocols begin with, for sure or perhaps.
fn starts() -> Vec<Vec<u8>> {
    let texts = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "GET /x\r\n",
        "<html>hello</html>\r\n",
        "SSH-2.0-a\r\n",
        "220 hi there\r\n",
        "220 a FTP server\r\n",
        "220 a ESMTP\r\n",
        "500 what\r\n",
        "EHLO a.example\r\n",
        "USER bob\r\n",
        "+OK hi\r\n",
        "-ERR no\r\n",
        "* OK hi\r\n",
        "a1 LOGIN b c\r\n",
    ];
    let mut starts: Vec<_> = texts.map(|text| text.as_bytes().to_vec()).into();
    starts.push(HELLO.to_vec());
    starts
}

fn stream(port: u16, turns: &[(FlowSide, &[u8])]) -> Conversation {
    let turn = |&(side, bytes): &(FlowSide, &[u8])| Turn { side, bytes: bytes.to_vec() };
    Conversation { transport: Transport::Tcp, port, turns: turns.iter().map(turn).collect() }
}

/// What a driver says of a flow at its end.
#[derive(Debug, Default, Eq, PartialEq)]
struct Said {
    /// The protocol, and the one of the side that contradicts it.
    protocol: Option<&'static str>,
    contradicted: Option<(FlowSide, Option<&'static str>)>,
    /// The protocol does not hold.
    withdrawn: bool,
}

fn said(
    conversation: &Conversation,
    protocols: Protocols<AppRecord, Registry>,
    skip: usize,
) -> (Said, usize) {
    let mut driver = Driver::new(FiveTuple::bidirectional(), protocols);
    for packet in conversation.packets().into_iter().skip(skip) {
        driver.handle_packet(packet.view());
    }
    driver.finish(EndReason::EndOfInput);
    let (mut said, mut records) = (Said::default(), 0);
    while let Some(event) = driver.poll_event() {
        match event {
            SessionEvent::ParserChosen { detection, .. }
            | SessionEvent::Contradicted { detection, .. }
            | SessionEvent::Withdrawn { detection, .. } => {
                assert!(!said.withdrawn, "nothing follows: {conversation:?}");
                said = Said {
                    protocol: Some(detection.protocol),
                    contradicted: detection.contradicted.map(|it| (it.side, it.protocol)),
                    withdrawn: !detection.holds(),
                };
            }
            SessionEvent::Application { .. } => records += 1,
            _ => {}
        }
    }
    (said, records)
}

fn tcp_ports() -> impl Iterator<Item = u16> {
    held().flat_map(|protocol| protocol.ports.tcp).copied()
}

/// Packets of the handshake of a [`Conversation`]: without them, it is joined in the middle.
const HANDSHAKE: usize = 3;

#[test]
fn no_port_claims_what_bytes_contradict() {
    let mut conversations = Vec::new();
    for port in tcp_ports() {
        for one in garbage() {
            conversations.push(stream(port, &[(Initiator, &one)]));
            conversations.push(stream(port, &[(Responder, &one)]));
            for other in garbage() {
                conversations.push(stream(port, &[(Initiator, &one), (Responder, &other)]));
                conversations.push(stream(port, &[(Responder, &other), (Initiator, &one)]));
            }
        }
    }
    for conversation in conversations {
        for skip in [0, HANDSHAKE] {
            let found = said(&conversation, protocols::registered(), skip);
            assert_eq!(found, (Said::default(), 0), "{conversation:?}");
        }
    }
}

#[test]
fn a_side_that_contradicts_outweighs_a_port() {
    // Each may be the start of the protocol, and the other side shows that it is not.
    let nothing = || vec![0xf7; 70];
    for (port, start) in [
        (80, &b"PUT"[..]),
        (25, b"QUIT\r\n"),
        (21, b"USER bob\r\n"),
        (110, b"USER bob\r\n"),
        (143, b"a1 NOOP\r\n"),
    ] {
        let conversation = stream(port, &[(Initiator, start), (Responder, &nothing())]);
        let (found, records) = said(&conversation, protocols::registered(), 0);
        assert_eq!((found, records), (Said::default(), 0), "port {port}");
        // As long as there is nothing more, the port speaks for it.
        let (found, _) = said(&stream(port, &[(Initiator, start)]), protocols::registered(), 0);
        assert_eq!((found.protocol.is_some(), found.withdrawn), (true, false), "port {port}");
    }
}

#[test]
fn flows_are_named_alike_whether_they_are_read_or_recognised() {
    let ports = [80, 53, 25, 21, 110, 143, 443, 22, 3306, 5432, 1080, 9999];
    thread::scope(|scope| {
        for ports in ports.chunks(6) {
            scope.spawn(|| are_named_alike(ports));
        }
    });
}

fn are_named_alike(ports: &[u16]) {
    let all: Vec<_> = garbage().into_iter().chain(starts()).collect();
    let mut compared = 0;
    for &port in ports {
        for one in &all {
            for other in &all {
                for first in [Initiator, Responder] {
                    let turns = [(first, &one[..]), (!first, &other[..])];
                    let conversation = stream(port, &turns);
                    let (read, _) = said(&conversation, protocols::registered(), 0);
                    let only = protocols::registered().recognise_only();
                    let (recognised, _) = said(&conversation, only, 0);
                    assert_eq!(read, recognised, "port {port}: {turns:?}");
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, ports.len() * all.len() * all.len() * 2);
}

#[test]
fn flows_of_datagrams_are_named_alike_whether_they_are_read_or_recognised() {
    let ports = || held().flat_map(|protocol| protocol.ports.udp).copied();
    let mut messages = garbage();
    messages.push(b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01".to_vec());
    messages.push([&b"\x1b"[..], &[0; 47]].concat());
    for port in ports() {
        for one in &messages {
            for other in &messages {
                let mut turns = vec![Turn { side: Responder, bytes: other.clone() }];
                // More than any parser waits for a message of its own.
                turns.resize(40, Turn { side: Initiator, bytes: one.clone() });
                let conversation = Conversation { transport: Transport::Udp, port, turns };
                let (read, _) = said(&conversation, protocols::registered(), 0);
                let only = protocols::registered().recognise_only();
                assert_eq!(said(&conversation, only, 0).0, read, "port {port}: {one:?}, {other:?}");
            }
        }
    }
}

/// What a flow is on whose port nothing looks like a start, until the other side says what it is.
#[test]
fn connections_joined_in_the_middle_are_named_alike() {
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for middle in garbage() {
        for first in [Initiator, Responder] {
            let turns = [(first, &middle[..]), (!first, &ok[..])];
            let (read, records) = said(&stream(80, &turns), protocols::registered(), HANDSHAKE);
            assert_eq!((read.protocol, records), (Some("http"), 1), "{turns:?}");
            let only = protocols::registered().recognise_only();
            assert_eq!(said(&stream(80, &turns), only, HANDSHAKE).0, read, "{turns:?}");
            let sure: [(u16, &[u8]); 4] = [
                (443, HELLO),
                (25, b"220 a ESMTP\r\n"),
                (110, b"+OK hi\r\n"),
                (143, b"* OK hi\r\n"),
            ];
            for (port, start) in sure {
                let conversation = stream(port, &[(first, &middle[..]), (!first, start)]);
                let (read, _) = said(&conversation, protocols::registered(), HANDSHAKE);
                let only = protocols::registered().recognise_only();
                let (recognised, _) = said(&conversation, only, HANDSHAKE);
                assert_eq!(recognised, read, "port {port}: {turns:?}");
                assert!(read.protocol.is_some() && !read.withdrawn, "port {port}: {turns:?}");
            }
            // Without it, nothing is said of them.
            for protocols in [protocols::registered(), protocols::registered().recognise_only()] {
                let (found, _) = said(&stream(80, &turns[..1]), protocols, HANDSHAKE);
                assert_eq!(found, Said::default(), "{turns:?}");
            }
        }
    }
}

#[test]
fn sides_that_are_sure_of_different_protocols_speak_neither() {
    let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let check = |port, turns: &[(FlowSide, &[u8])], protocol, other, withdrawn| {
        let (found, records) = said(&stream(port, turns), protocols::registered(), 0);
        let expected = Said { protocol: Some(protocol), contradicted: other, withdrawn };
        assert_eq!(found, expected, "{turns:?}");
        records
    };
    // What one side asked is a record all the same.
    let ssh = Some((Responder, Some("ssh")));
    assert_eq!(check(80, &[(Initiator, get), (Responder, b"SSH-2.0-a\r\n")], "http", ssh, true), 1);
    let http = Some((Initiator, Some("http")));
    check(80, &[(Responder, b"SSH-2.0-a\r\n"), (Initiator, get)], "ssh", http, true);
    // A side that cannot be read leaves the flow what the other side makes it.
    for (turns, side) in [
        ([(Initiator, &get[..]), (Responder, &[0xf7; 70])], Responder),
        ([(Initiator, &[0xf7; 70]), (Responder, b"HTTP/1.1 204 No\r\n\r\n")], Initiator),
    ] {
        assert_eq!(check(80, &turns, "http", Some((side, None)), false), 1);
    }
}

#[test]
fn the_first_bytes_may_be_captured_late() {
    let (first, second) = (&b"HTTP/1.1 400 Bad Request\r\n"[..], &b"Content-Length: 0\r\n\r\n"[..]);
    let turns = [(Initiator, HELLO), (Responder, first), (Responder, second)];
    let mut packets = stream(443, &turns).packets();
    let at = |bytes: &[u8]| packets.iter().position(|packet| packet.bytes.ends_with(bytes));
    let (Some(first), Some(second)) = (at(first), at(second)) else { panic!("no answer") };
    packets.swap(first, second);
    let registered = protocols::registered::<AppRecord>;
    for protocols in [registered(), registered().recognise_only()] {
        let mut driver = Driver::new(FiveTuple::bidirectional(), protocols);
        for packet in &packets {
            driver.handle_packet(packet.view());
        }
        let is_withdrawn = |event| matches!(event, SessionEvent::Withdrawn { .. });
        let mut events = std::iter::from_fn(|| driver.poll_event());
        assert!(events.any(is_withdrawn));
    }
}

//! The registry over the samples of all protocols: each is found by its port, and by its bytes where it says so.

use std::collections::BTreeSet;
use std::path::Path;

use flowscope::driver::{Driver, SessionEvent};
use flowscope::extract::FiveTuple;
use flowscope::protocols::{self, AppRecord, ProtocolInfo};
use flowscope::record::Ports;
use flowscope::track::EndReason;
use flowscope_conformance::{Conversation, Sample, Transport};

/// A port of no protocol.
const NO_PORT: u16 = 47_001;

/// Protocols whose messages are those of another, which finds them on ports that are nobody's.
const MESSAGES_OF: [(&str, &str); 2] = [("mdns", "dns"), ("llmnr", "dns")];

/// The samples of each protocol of the registry.
fn samples() -> Vec<(&'static ProtocolInfo, Vec<Sample>)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let of =
        |protocol: &'static ProtocolInfo| (protocol, Sample::of_protocol(&crates, protocol.name));
    protocols::all().iter().map(of).collect()
}

/// The protocols of the records in a conversation, each with the protocol within which it begins.
fn found_within(conversation: &Conversation) -> BTreeSet<(&'static str, Option<&'static str>)> {
    let registered = protocols::registered::<AppRecord>();
    let mut driver = Driver::new(FiveTuple::bidirectional(), registered);
    for packet in conversation.packets() {
        driver.handle_packet(packet.view());
    }
    driver.finish(EndReason::EndOfInput);
    let (mut found, mut within) = (BTreeSet::new(), None);
    while let Some(event) = driver.poll_event() {
        match event {
            SessionEvent::ParserChosen { detection, .. } => within = detection.within,
            SessionEvent::Application { message, .. } => {
                // The last record of the protocol around another comes when that has begun.
                let around = within == Some(message.protocol());
                found.insert((message.protocol(), within.filter(|_| !around)));
            }
            _ => {}
        }
    }
    found
}

/// The protocols of the records in a conversation, without those that begin within another.
fn found(conversation: &Conversation) -> BTreeSet<&'static str> {
    let all = found_within(conversation).into_iter();
    all.filter(|(_, within)| within.is_none()).map(|(protocol, _)| protocol).collect()
}

#[test]
fn every_protocol_has_samples() {
    for (protocol, samples) in samples() {
        assert!(!samples.is_empty(), "no crate has samples/{}", protocol.name);
    }
}

/// Whether a protocol is read where both ends have agreed on it within another, and nowhere else.
fn is_agreed_on(protocol: &ProtocolInfo) -> bool {
    protocol.ports == Ports::NONE && protocol.by_bytes == [false; 2]
}

#[test]
fn samples_are_found_by_their_port() {
    for (protocol, samples) in samples() {
        if is_agreed_on(protocol) {
            continue;
        }
        for Sample { name, conversation, .. } in samples {
            let ports = match conversation.transport {
                Transport::Tcp => protocol.ports.tcp,
                Transport::Udp => protocol.ports.udp,
            };
            for &port in ports.iter().chain([&conversation.port]) {
                let conversation = Conversation { port, ..conversation.clone() };
                assert_eq!(found(&conversation), [protocol.name].into(), "{name}, port {port}");
            }
        }
    }
}

#[test]
fn samples_are_found_by_their_bytes_or_by_nobody() {
    for (protocol, samples) in samples() {
        for Sample { name, conversation, .. } in samples {
            let [streams, datagrams] = protocol.by_bytes;
            let by_bytes = match conversation.transport {
                Transport::Tcp => streams,
                Transport::Udp => datagrams,
            };
            let expected = if by_bytes { [protocol.name].into() } else { BTreeSet::new() };
            let found = found(&Conversation { port: NO_PORT, ..conversation });
            let of_another = MESSAGES_OF
                .iter()
                .any(|&(its, other)| its == protocol.name && found == BTreeSet::from([other]));
            assert!(found == expected || of_another, "{}/{name}: {found:?}", protocol.name);
        }
    }
}

#[cfg(all(feature = "smtp", feature = "tls"))]
#[test]
fn tls_behind_starttls_is_read() {
    let (_, samples) =
        samples().into_iter().find(|(protocol, _)| protocol.name == "smtp").expect("a protocol");
    let sample = samples.iter().find(|sample| sample.name == "starttls").expect("a sample");
    let expected = [("smtp", None), ("tls", Some("smtp"))].into();
    assert_eq!(found_within(&sample.conversation), expected);
}

#[cfg(all(feature = "http", feature = "http2", feature = "websocket"))]
#[test]
fn what_http_agrees_on_is_read() {
    use flowscope::core::FlowSide::{Initiator, Responder};
    use flowscope_conformance::Turn;

    let mut checked = 0;
    for (protocol, samples) in samples() {
        let (token, names) = match protocol.name {
            "websocket" => ("websocket", &["plain", "deflated"][..]),
            "http2" => ("h2c", &["upgraded"][..]),
            _ => continue,
        };
        for sample in samples.iter().filter(|sample| names.contains(&&*sample.name)) {
            let request = format!("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: {token}\r\n\r\n");
            let agreed = format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: {token}\r\n\r\n");
            let turn = |side, text: String| Turn { side, bytes: text.into_bytes() };
            let mut turns = vec![turn(Initiator, request), turn(Responder, agreed)];
            turns.extend(sample.conversation.turns.iter().cloned());
            let expected = [("http", None), (protocol.name, Some("http"))].into();
            for port in [80, NO_PORT] {
                let conversation =
                    Conversation { transport: Transport::Tcp, port, turns: turns.clone() };
                assert_eq!(found_within(&conversation), expected, "{}, {port}", sample.name);
            }
            // The first bytes may come in the segment of the agreement.
            let first = turns.iter().skip(2).position(|turn| turn.side == Responder);
            let moved = turns.remove(2 + first.expect("the server says something"));
            turns[1].bytes.extend(moved.bytes);
            let conversation = Conversation { transport: Transport::Tcp, port: 80, turns };
            assert_eq!(found_within(&conversation), expected, "{}", sample.name);
            checked += 1;
        }
    }
    assert_eq!(checked, 3);
}

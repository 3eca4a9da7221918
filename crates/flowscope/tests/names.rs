//! The names of protocols that are not read, through the driver: each names its samples, and no other flow.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use flowscope::core::{FlowSide, L4Proto};
use flowscope::driver::{Detection, Driver, Protocols, SessionEvent};
use flowscope::extract::FiveTuple;
use flowscope::names::NamedProtocol;
use flowscope::protocols::{self, AppRecord, Registry, Selection};
use flowscope::record::ParserOptions;
use flowscope::track::EndReason;
use flowscope_conformance::{Conversation, Sample, Transport, Turn};

/// A port of no protocol.
const NO_PORT: u16 = 47_001;

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Each name with its samples.
fn samples() -> Vec<(&'static NamedProtocol, Vec<Sample>)> {
    let of = |known: &'static NamedProtocol| {
        let folder = crates().join("flowscope-names/samples").join(known.name);
        let is_its = |sample: &Sample| {
            (sample.conversation.transport == Transport::Tcp) == (known.transport == L4Proto::Tcp)
        };
        (known, Sample::in_folder(&folder).into_iter().filter(is_its).collect())
    };
    protocols::named().iter().map(of).collect()
}

/// What flows of a conversation are found to speak, and whether that was taken back.
fn found(conversation: &Conversation, protocols: Protocols<AppRecord, Registry>) -> Vec<Detection> {
    let mut driver = Driver::new(FiveTuple::bidirectional(), protocols);
    for packet in conversation.packets() {
        driver.handle_packet(packet.view());
    }
    driver.finish(EndReason::EndOfInput);
    let mut found = Vec::new();
    while let Some(event) = driver.poll_event() {
        match event {
            SessionEvent::ParserChosen { detection, .. } => found.push(detection),
            SessionEvent::Withdrawn { .. } => found.clear(),
            _ => {}
        }
    }
    found
}

fn names(conversation: &Conversation) -> Vec<&'static str> {
    let found = found(conversation, protocols::registered());
    found.iter().map(|detection| detection.protocol).collect()
}

#[test]
fn no_name_is_that_of_a_parser_and_no_port() {
    let mut names = BTreeSet::new();
    let mut ports = BTreeSet::new();
    for protocol in protocols::all() {
        names.insert(protocol.name);
        ports.extend(protocol.ports.tcp.iter().map(|&port| (L4Proto::Tcp, port)));
        ports.extend(protocol.ports.udp.iter().map(|&port| (L4Proto::Udp, port)));
    }
    for known in protocols::named() {
        let name = known.name;
        assert!(
            !names.contains(name),
            "{name} has a parser: delete its line in the table of names"
        );
        for &port in known.ports {
            assert!(!ports.contains(&(known.transport, port)), "{name}: port {port} has a parser");
        }
    }
}

#[test]
fn samples_are_named_on_their_ports() {
    for (known, samples) in samples() {
        for Sample { name, conversation, .. } in samples {
            for &port in known.ports.iter().chain([&conversation.port]) {
                let conversation = Conversation { port, ..conversation.clone() };
                assert_eq!(names(&conversation), [known.name], "{name}, port {port}");
            }
        }
    }
}

#[test]
fn samples_are_named_by_their_bytes_or_not_at_all() {
    for (known, samples) in samples() {
        for Sample { name, conversation, .. } in samples {
            let conversation = Conversation { port: NO_PORT, ..conversation };
            let is_sure = known.by_bytes() && !name.starts_with("port-");
            let expected = if is_sure { &[known.name][..] } else { &[] };
            assert_eq!(names(&conversation), expected, "{}/{name}", known.name);
        }
    }
}

#[test]
fn names_do_not_depend_on_how_streams_are_cut() {
    for (known, samples) in samples() {
        if known.transport != L4Proto::Tcp {
            continue;
        }
        for Sample { name, conversation, .. } in samples {
            let turns = conversation.turns.iter().flat_map(single_bytes).collect();
            let cut = Conversation { turns, ..conversation.clone() };
            assert_eq!(names(&cut), [known.name], "{}/{name}", known.name);
        }
    }
}

/// Each byte as a turn of its own.
fn single_bytes(turn: &Turn) -> Vec<Turn> {
    turn.bytes.iter().map(|&byte| Turn { side: turn.side, bytes: vec![byte] }).collect()
}

#[test]
fn a_flow_that_a_parser_reads_has_no_other_name() {
    for folder in fs::read_dir(crates()).expect("the crates").flatten() {
        for protocol in protocols::all() {
            let samples = Sample::in_folder(&folder.path().join("samples").join(protocol.name));
            for Sample { name, conversation, .. } in samples {
                for port in [conversation.port, NO_PORT] {
                    let conversation = Conversation { port, ..conversation.clone() };
                    for other in names(&conversation) {
                        let is_read = protocols::all().iter().any(|known| known.name == other);
                        assert!(is_read, "{}/{name}, port {port}: {other}", protocol.name);
                    }
                }
            }
        }
    }
}

/// The registry as `flowscope flows` has it, which runs no parser.
#[test]
fn names_are_the_same_where_parsers_do_not_run() {
    for (known, samples) in samples() {
        for Sample { name, conversation, .. } in samples {
            let found = found(&conversation, protocols::registered().recognise_only());
            let found: Vec<_> = found.iter().map(|detection| detection.protocol).collect();
            assert_eq!(found, [known.name], "{}/{name}", known.name);
        }
    }
}

#[test]
fn a_selection_of_parsers_names_nothing() {
    let only = Selection::NONE.with("tls").expect("listed");
    for (known, samples) in samples() {
        for Sample { conversation, .. } in samples {
            let registry = Registry::new(only, &ParserOptions::default());
            assert!(
                found(&conversation, Protocols::with_set(registry)).is_empty(),
                "{}",
                known.name
            );
        }
    }
}

/// A port of a name whose bytes are another's, or nobody's.
#[test]
fn a_port_alone_names_nothing_that_bytes_contradict() {
    let binary = |transport| Conversation {
        transport,
        port: NO_PORT,
        turns: vec![
            Turn {
                side: FlowSide::Initiator,
                bytes: vec![0xa7, 0x01, 0x9c, 0xee, 0x42, 0xb0, 0x13],
            },
            Turn {
                side: FlowSide::Responder,
                bytes: vec![0xb9, 0x77, 0x01, 0xc4, 0x10, 0x06, 0xd5],
            },
        ],
    };
    for known in protocols::named() {
        let transport =
            if known.transport == L4Proto::Tcp { Transport::Tcp } else { Transport::Udp };
        for &port in known.ports {
            let conversation = Conversation { port, ..binary(transport) };
            assert_eq!(names(&conversation), [""; 0], "port {port}");
        }
    }
}

/// On a port of a parser, a datagram may name a flow until the parser reads it.
#[test]
fn a_parser_that_is_sure_of_a_later_datagram_takes_the_flow() {
    let first = |name: &str| -> Vec<Turn> {
        let folder = crates().join(name);
        let mut samples = Sample::in_folder(&folder);
        samples.retain(|sample| sample.conversation.transport == Transport::Udp);
        samples.swap_remove(0).conversation.turns
    };
    let binding = crates().join("flowscope-names/samples/stun");
    let stun = Sample::in_folder(&binding).swap_remove(0).conversation.turns;
    let turns = [&stun[..1], &first("flowscope-dns/samples/dns")[..]].concat();
    let mixed = |turns| Conversation { transport: Transport::Udp, port: 53, turns };
    assert_eq!(names(&mixed(turns)), ["stun", "dns"]);
    // Without such a datagram, the name stays, and is given once.
    assert_eq!(names(&mixed([&stun[..], &stun[..]].concat())), ["stun"]);
}

/// A parser waits for the other side where it has the port of a stream, and so does the name.
#[cfg(feature = "mysql")]
#[test]
fn a_stream_on_a_port_of_a_parser_is_named_when_both_sides_have_spoken() {
    let of = |path: &str| Sample::in_folder(&crates().join(path)).swap_remove(0).conversation;
    let client = of("flowscope-names/samples/amqp").turns[..1].to_vec();
    let server: Vec<_> = of("flowscope-mysql/samples/mysql")
        .turns
        .into_iter()
        .filter(|turn| turn.side == FlowSide::Responder)
        .take(1)
        .collect();
    let stream = |turns| Conversation { transport: Transport::Tcp, port: 3306, turns };
    let names = |turns| -> Vec<_> {
        let found = found(&stream(turns), protocols::registered().recognise_only());
        found.iter().map(|detection| detection.protocol).collect()
    };
    assert_eq!(names([&client[..], &server[..]].concat()), ["mysql"]);
    assert_eq!(names(client), ["amqp"]);
}

//! The registry over the samples of all protocols: each is found by its port, and by its bytes where it says so.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use flowscope::driver::{Driver, SessionEvent};
use flowscope::extract::FiveTuple;
use flowscope::protocols::{self, AppRecord, ProtocolInfo};
use flowscope::track::EndReason;
use flowscope_conformance::{Conversation, Sample, Transport};

/// A port of no protocol.
const NO_PORT: u16 = 47_001;

/// Protocols whose messages are those of another, which finds them on ports that are nobody's.
const MESSAGES_OF: [(&str, &str); 2] = [("mdns", "dns"), ("llmnr", "dns")];

/// The samples of each protocol of the registry.
fn samples() -> Vec<(&'static ProtocolInfo, Vec<Sample>)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(crates).expect("the crates").flatten() {
        folders.extend(
            fs::read_dir(entry.path().join("samples"))
                .into_iter()
                .flatten()
                .flatten()
                .map(|e| e.path()),
        );
    }
    let of = |protocol: &'static ProtocolInfo| {
        let is_its =
            |folder: &&PathBuf| folder.file_name().is_some_and(|name| name == protocol.name);
        let samples = folders.iter().filter(is_its).flat_map(|folder| Sample::in_folder(folder));
        (protocol, samples.collect())
    };
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

#[test]
fn samples_are_found_by_their_port() {
    for (protocol, samples) in samples() {
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

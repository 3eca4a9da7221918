//! The signatures over samples: a name knows its own, and is sure of nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use flowscope_conformance::{Sample, Transport};
use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::{L4Proto, Probe};
use flowscope_names::{NAMES, NamedProtocol};

/// The folders in a folder.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn own_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

/// All samples of this crate and of the parsers, with the names of their protocols.
fn samples() -> Vec<(String, Sample)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let of_crates = folders(&crates).into_iter().flat_map(|path| folders(&path.join("samples")));
    let mut all = Vec::new();
    for folder in of_crates {
        let name = name_of(&folder);
        all.extend(Sample::in_folder(&folder).into_iter().map(|sample| (name.clone(), sample)));
    }
    all
}

fn is_of(known: &NamedProtocol, sample: &Sample) -> bool {
    (known.transport == L4Proto::Tcp) == (sample.conversation.transport == Transport::Tcp)
}

/// Whether a sample is named on its port alone.
fn is_plausible(sample: &Sample) -> bool {
    sample.name.starts_with("port-")
}

/// The start of each stream of a sample, or each datagram.
fn starts(sample: &Sample) -> Vec<Vec<u8>> {
    let conversation = &sample.conversation;
    match conversation.transport {
        Transport::Tcp => [Initiator, Responder]
            .map(|side| conversation.stream(side))
            .into_iter()
            .filter(|stream| !stream.is_empty())
            .collect(),
        Transport::Udp => conversation.turns.iter().map(|turn| turn.bytes.clone()).collect(),
    }
}

#[test]
fn names_are_lower_case_and_listed_once_for_each_transport() {
    let mut seen = BTreeSet::new();
    for known in NAMES {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(known.name.bytes().all(allowed), "{}", known.name);
        assert!(seen.insert((known.name, known.transport)), "{} is listed twice", known.name);
        assert!(!known.source.is_empty(), "{} has no source", known.name);
        assert!(known.by_bytes() || !known.ports.is_empty(), "{} is never asked", known.name);
    }
}

#[test]
fn a_port_is_that_of_one_name_but_where_two_share_it() {
    // ESP and the exchange of its keys (RFC 3948).
    let shared = [("udp", 4500)];
    let mut seen = BTreeSet::new();
    for known in NAMES {
        for &port in known.ports {
            let port = (if known.transport == L4Proto::Tcp { "tcp" } else { "udp" }, port);
            assert!(seen.insert(port) || shared.contains(&port), "{port:?}: {}", known.name);
        }
    }
}

#[test]
fn every_name_has_a_sample_for_each_transport_and_every_sample_a_name() {
    for folder in folders(&own_folder()) {
        let name = name_of(&folder);
        assert!(NAMES.iter().any(|known| known.name == name), "samples/{name} has no line");
    }
    for known in NAMES {
        let samples = Sample::in_folder(&own_folder().join(known.name));
        let has = samples.iter().any(|sample| is_of(known, sample));
        assert!(has, "no sample of {} over {}", known.name, known.transport);
    }
}

#[test]
fn own_samples_are_named() {
    for known in NAMES {
        for sample in Sample::in_folder(&own_folder().join(known.name)) {
            if !is_of(known, &sample) {
                continue;
            }
            let name = format!("{}/{}", known.name, sample.name);
            let starts = starts(&sample);
            let answers = |on_port| -> Vec<Probe> {
                starts.iter().map(|start| known.probe(start, start.len(), on_port)).collect()
            };
            if is_plausible(&sample) {
                assert!(known.or_port, "{name}");
                assert!(!answers(true).iter().any(|answer| *answer != Probe::Maybe), "{name}");
                assert!(!answers(false).contains(&Probe::Yes), "{name}");
                continue;
            }
            let is_sure = answers(true).contains(&Probe::Yes);
            assert!(is_sure || known.or_port, "{name}: {:?}", answers(true));
            assert!(is_sure || !answers(true).contains(&Probe::No), "{name}: {:?}", answers(true));
            if known.by_bytes() {
                let found = starts.iter().any(|start| {
                    known.begins_with(start[0])
                        && known.probe(start, start.len(), false) == Probe::Yes
                });
                assert!(found, "{name} on another port: {:?}", answers(false));
            }
        }
    }
}

#[test]
fn an_answer_other_than_maybe_stays_when_more_bytes_follow() {
    for (_, sample) in samples() {
        for known in NAMES.iter().filter(|known| is_of(known, &sample)) {
            if known.transport != L4Proto::Tcp {
                continue;
            }
            for start in starts(&sample) {
                for on_port in [false, true] {
                    assert_final(known, &sample, &start[..start.len().min(300)], on_port);
                }
            }
        }
    }
}

fn assert_final(known: &NamedProtocol, sample: &Sample, start: &[u8], on_port: bool) {
    let mut decided = None;
    for len in 1..=start.len() {
        let answer = known.probe(&start[..len], 0, on_port);
        if let Some((at, before)) = decided {
            let (name, path) = (known.name, sample.path.display());
            assert_eq!(answer, before, "{name} of {path}: decided at {at}, otherwise at {len}");
        } else if answer != Probe::Maybe {
            decided = Some((len, answer));
        }
    }
    // Bytes that may be plausible on the port are the driver's to decide.
    assert!(decided.is_some() || start.len() < 256 || on_port, "{} waits", known.name);
}

#[test]
fn no_name_is_sure_of_the_sample_of_another_protocol() {
    for (name, sample) in samples() {
        for known in NAMES.iter().filter(|known| known.name != name && is_of(known, &sample)) {
            for start in starts(&sample) {
                let lens = match known.transport {
                    L4Proto::Tcp => 1..=start.len().min(256),
                    _ => start.len()..=start.len(),
                };
                for len in lens {
                    let answer = known.probe(&start[..len], len, true);
                    assert_ne!(
                        answer,
                        Probe::Yes,
                        "{}: {} is sure of {len} bytes",
                        sample.path.display(),
                        known.name
                    );
                }
            }
        }
    }
}

#[test]
fn any_part_of_a_datagram_may_be_missing() {
    for (_, sample) in samples() {
        for known in NAMES.iter().filter(|known| is_of(known, &sample)) {
            for start in starts(&sample) {
                for len in 0..=start.len() {
                    // Says something, and does not panic.
                    let cut = known.probe(&start[..len], start.len(), true);
                    if known.transport != L4Proto::Tcp && len >= 256 && len < start.len() {
                        let whole = known.probe(&start, start.len(), true);
                        assert_eq!(cut, whole, "{}: {len} bytes kept", sample.path.display());
                    }
                }
            }
        }
    }
}

//! TLS up to version 1.2.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowscope::core::PacketSource;
use flowscope::driver::{Driver, SessionEvent};
use flowscope::extract::FiveTuple;
use flowscope::pcap::CaptureReader;
use flowscope::protocols::{self, AppRecord};
use flowscope::tls::{TlsHandshake, TlsVersion};
use flowscope_testkit::needs;

/// What a capture has: certificates in DER with their serial numbers, and curves of key exchanges.
#[derive(Debug, Default, Eq, PartialEq)]
struct Found {
    certificates: BTreeSet<String>,
    serials: BTreeSet<String>,
    curves: BTreeSet<u16>,
}

pub(crate) fn certificates_and_curves_are_those_of_tshark() {
    let captures = fs::read_dir(needs::corpus_folder().join("captures")).unwrap();
    let mut captures: Vec<PathBuf> = captures.map(|entry| entry.unwrap().path()).collect();
    captures.sort();
    let (mut certificates, mut curves, mut different) = (0, 0, Vec::new());
    for capture in captures {
        let name = capture.file_name().unwrap().to_string_lossy().into_owned();
        let is_tls = ["tls", "smtp-starttls", "http-connect-tls"];
        if !is_tls.iter().any(|start| name.starts_with(start)) {
            continue;
        }
        let (ours, theirs) = (ours(&capture), theirs(&capture));
        certificates += theirs.certificates.len();
        curves += theirs.curves.len();
        if ours != theirs {
            different.push(format!("{name}: {ours:?}\n  tshark: {theirs:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(certificates > 10 && curves > 5, "{certificates} certificates, {curves} curves");
}

fn ours(capture: &Path) -> Found {
    let mut reader = CaptureReader::open(capture).unwrap();
    let mut driver = Driver::new(FiveTuple::bidirectional(), protocols::registered::<AppRecord>());
    let mut found = Found::default();
    let mut note = |event| {
        if let SessionEvent::Application { message: AppRecord::Tls(record), .. } = event {
            add(&record, &mut found);
        }
    };
    while reader.next_batch(&mut |packets| driver.handle_batch(packets)).unwrap_or(0) > 0 {
        while let Some(event) = driver.poll_event() {
            note(event);
        }
    }
    driver.finish(flowscope::track::EndReason::EndOfInput);
    while let Some(event) = driver.poll_event() {
        note(event);
    }
    found
}

fn add(record: &TlsHandshake, found: &mut Found) {
    let is_tls13 = record.version().is_some_and(TlsVersion::is_tls13);
    found.curves.extend(record.group.filter(|_| !is_tls13));
    for chain in [&record.server_certificates, &record.client_certificates].into_iter().flatten() {
        found.certificates.extend(chain.certificates().map(hex));
    }
    for leaf in [record.server_certificate(), record.client_certificate()].into_iter().flatten() {
        found.serials.insert(hex(&leaf.serial));
    }
}

fn theirs(capture: &Path) -> Found {
    let fields = [
        "tls.handshake.certificate",
        "tls.handshake.certificates_length",
        "x509af.serialNumber",
        "tls.handshake.server_named_curve",
    ];
    let output = Command::new("tshark")
        .args(["-n", "-T", "fields", "-E", "separator=;", "-Y", "tls.handshake", "-r"])
        .arg(capture)
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .output()
        .unwrap();
    let mut found = Found::default();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let cells: Vec<&str> = line.split(';').collect();
        let list = |at: usize| cells[at].split(',').filter(|cell| !cell.is_empty());
        found.certificates.extend(list(0).map(|cell| cell.replace(':', "")));
        // The first of each message is the leaf.
        if list(1).count() == 1 {
            found.serials.extend(list(2).take(1).map(|cell| cell.replace(':', "")));
        }
        found.curves.extend(
            list(3).map(|cell| u16::from_str_radix(cell.trim_start_matches("0x"), 16).unwrap()),
        );
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

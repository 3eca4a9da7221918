//! TLS up to version 1.2.

use std::collections::BTreeSet;

use flowscope::protocols::AppRecord;
use flowscope::tls::{TlsHandshake, TlsVersion};

use crate::capture::{Capture, corpus, records, rows};

/// What a capture has: certificates in DER with their serial numbers, and curves of key exchanges.
#[derive(Debug, Default, Eq, PartialEq)]
struct Found {
    certificates: BTreeSet<String>,
    serials: BTreeSet<String>,
    curves: BTreeSet<u16>,
}

pub(crate) fn certificates_and_curves_are_those_of_tshark() {
    let (mut certificates, mut curves, mut different) = (0, 0, Vec::new());
    for capture in corpus() {
        let name = capture.name();
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

fn ours(capture: &Capture) -> Found {
    let mut found = Found::default();
    for record in records(capture) {
        if let AppRecord::Tls(record) = record {
            add(&record, &mut found);
        }
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

fn theirs(capture: &Capture) -> Found {
    let fields = [
        "tls.handshake.certificate",
        "tls.handshake.certificates_length",
        "x509af.serialNumber",
        "tls.handshake.server_named_curve",
    ];
    let mut found = Found::default();
    for cells in rows(capture, "tls.handshake", &fields) {
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

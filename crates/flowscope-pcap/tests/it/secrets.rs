//! Blocks of decryption secrets.

#![expect(clippy::unwrap_used, reason = "helpers of tests, in tests")]

use std::sync::{Arc, Mutex};

use flowscope_core::PacketSource;
use flowscope_pcap::{CaptureFiles, CaptureReader, DecryptionSecrets};

use crate::make::{ORDERS, Order, block, enhanced, frame, interface, section};

const TLS: u32 = DecryptionSecrets::TLS_KEY_LOG;

/// A block of secrets that says it has `len` bytes.
fn secrets(order: Order, kind: u32, len: u32, data: &[u8]) -> Vec<u8> {
    block(order, 10, &[&order.u32(kind)[..], &order.u32(len), data].concat())
}

fn packet(order: Order, number: u64) -> Vec<u8> {
    enhanced(order, 0, number, &frame(number, 60), 60, &[])
}

/// What a capture gives, in order: packets by their numbers, secrets by their texts.
fn all_of(capture: &[u8]) -> (Vec<String>, u64) {
    let given = Arc::new(Mutex::new(Vec::new()));
    let taken = given.clone();
    let mut reader = CaptureReader::new(capture).unwrap().secrets_to(move |secrets| {
        let text = String::from_utf8_lossy(secrets.data).into_owned();
        taken.lock().unwrap().push(format!("{:x} {text}", secrets.kind));
    });
    let mut lend = |views: &[flowscope_core::PacketView<'_>]| {
        given.lock().unwrap().extend(views.iter().map(|view| view.ts().as_nanos().to_string()));
    };
    while reader.next_batch(&mut lend).unwrap() > 0 {}
    let refused = reader.refused_secrets();
    drop(reader);
    (Arc::into_inner(given).unwrap().into_inner().unwrap(), refused)
}

#[test]
fn secrets_come_between_the_packets_around_them() {
    for order in ORDERS {
        let capture = [
            section(order),
            interface(order, 1, 0, &[]),
            secrets(order, TLS, 5, b"first"),
            packet(order, 1),
            packet(order, 2),
            secrets(order, TLS, 6, b"second"),
            secrets(order, 0x5747_4b4c, 5, b"other"),
            packet(order, 3),
            secrets(order, TLS, 4, b"last"),
        ]
        .concat();
        let expected = [
            "544c534b first",
            "1000",
            "2000",
            "544c534b second",
            "57474b4c other",
            "3000",
            "544c534b last",
        ];
        assert_eq!(all_of(&capture), (expected.map(str::to_owned).to_vec(), 0));
    }
}

#[test]
fn blocks_that_are_damaged_or_too_large_are_refused() {
    let order = Order::Little;
    let large = vec![b'x'; (1 << 20) + 1];
    for bad in [
        secrets(order, TLS, 9, b"short"),
        secrets(order, TLS, u32::MAX, b"short"),
        block(order, 10, &[1, 2, 3]),
        block(order, 10, &[]),
        secrets(order, TLS, large.len() as u32, &large),
    ] {
        let capture = [
            section(order),
            interface(order, 1, 0, &[]),
            bad,
            secrets(order, TLS, 4, b"good"),
            packet(order, 1),
        ]
        .concat();
        assert_eq!(all_of(&capture), (vec!["544c534b good".to_owned(), "1000".to_owned()], 1));
    }
}

#[test]
fn there_is_a_bound_on_all_secrets_together() {
    let order = Order::Little;
    let whole = vec![b'x'; 1 << 20];
    let mut capture = [section(order), interface(order, 1, 0, &[])].concat();
    (0..17).for_each(|_| capture.extend(secrets(order, TLS, 1 << 20, &whole)));
    capture.extend(packet(order, 1));
    let (given, refused) = all_of(&capture);
    assert_eq!((given.len(), refused), (16 + 1, 1));
}

#[test]
fn the_secrets_of_several_files_come_in_their_order() {
    let order = Order::Little;
    let paths = ["one", "two"].map(|name| {
        let text = secrets(order, TLS, 3, name.as_bytes());
        let capture =
            [section(order), interface(order, 1, 0, &[]), text, packet(order, 1)].concat();
        let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let path = folder.join(format!("pcap-secrets-{name}.pcapng"));
        std::fs::write(&path, capture).unwrap();
        path
    });
    let given = Arc::new(Mutex::new(Vec::new()));
    let taken = given.clone();
    let missing = std::path::PathBuf::from("no such file");
    let files = [&paths[0], &missing, &paths[1]];
    let mut capture = CaptureFiles::new(files).secrets_to(move |secrets| {
        taken.lock().unwrap().push(secrets.data.to_vec());
    });
    let mut errors = 0;
    loop {
        match capture.next_batch(&mut |_| ()) {
            Ok(0) => break,
            Ok(_) => {}
            Err(_) => errors += 1,
        }
    }
    assert_eq!((errors, capture.refused_secrets()), (1, 0));
    assert_eq!(*given.lock().unwrap(), [b"one", b"two"]);
}

/// Who takes secrets may be set while a file is open.
#[test]
fn secrets_are_passed_on_from_the_open_file_on() {
    let order = Order::Little;
    let text = |name: &str| secrets(order, TLS, 3, name.as_bytes());
    let start = [section(order), interface(order, 1, 0, &[])].concat();
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let paths = ["open", "next"].map(|name| folder.join(format!("pcap-secrets-{name}.pcapng")));
    // Enough packets for more than one batch.
    let many: Vec<u8> = (1..2000).flat_map(|number| packet(order, number)).collect();
    std::fs::write(&paths[0], [&start[..], &text("one"), &many, &text("two")].concat()).unwrap();
    std::fs::write(&paths[1], [&start[..], &text("six"), &packet(order, 1)].concat()).unwrap();
    let mut capture = CaptureFiles::new(&paths);
    assert!(capture.next_batch(&mut |_| ()).unwrap() > 0);
    let given = Arc::new(Mutex::new(Vec::new()));
    let taken = given.clone();
    let mut capture = capture.secrets_to(move |secrets| {
        taken.lock().unwrap().push(secrets.data.to_vec());
    });
    while capture.next_batch(&mut |_| ()).unwrap() > 0 {}
    assert_eq!(*given.lock().unwrap(), [b"two", b"six"]);
}

#[test]
fn secrets_are_not_shown() {
    let secrets = DecryptionSecrets { kind: TLS, data: b"hidden" };
    let shown = format!("{secrets:?}");
    assert!(shown.contains("0x544c534b") && !shown.contains("104"), "{shown}");
}

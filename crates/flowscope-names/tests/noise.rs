//! The signatures over bytes of no protocol: how often one is sure of them.

use std::collections::BTreeMap;

use flowscope_core::{L4Proto, Probe};
use flowscope_names::NAMES;
use flowscope_testkit::Rng;

/// The names that are sure of these bytes as a stream, and as a datagram.
fn sure_of(bytes: &[u8], on_port: bool, found: &mut BTreeMap<(&'static str, L4Proto), u32>) {
    for known in NAMES {
        let is_asked = on_port || bytes.first().is_some_and(|&first| known.begins_with(first));
        if is_asked && known.probe(bytes, bytes.len(), on_port) == Probe::Yes {
            *found.entry((known.name, known.transport)).or_default() += 1;
        }
    }
}

/// How often each name is sure of what `make` gives, among so many.
fn count(
    rounds: u32,
    on_port: bool,
    mut make: impl FnMut(&mut Rng) -> Vec<u8>,
) -> BTreeMap<(&'static str, L4Proto), u32> {
    let mut rng = Rng::new(11);
    let mut found = BTreeMap::new();
    for _ in 0..rounds {
        sure_of(&make(&mut rng), on_port, &mut found);
    }
    found
}

const ROUNDS: u32 = 100_000;

#[test]
fn random_bytes_are_named_once_in_a_hundred_thousand() {
    let found = count(ROUNDS, false, |rng| {
        let len = 1 + rng.below(600);
        rng.bytes(len)
    });
    let sum: u32 = found.values().sum();
    assert!(sum <= 1, "{found:?}");
}

#[test]
fn random_bytes_behind_each_first_byte_are_not_named() {
    for first in 0..=255 {
        let found = count(400, false, |rng| {
            let len = rng.below(200);
            [vec![first], rng.bytes(len)].concat()
        });
        assert!(found.values().sum::<u32>() <= 1, "{first:#x}: {found:?}");
    }
}

/// Numbers of binary protocols are small more often than not.
#[test]
fn small_numbers_are_hardly_named() {
    let found = count(ROUNDS, false, |rng| {
        let len = 1 + rng.below(100);
        (0..len).map(|_| if rng.one_in(2) { 0 } else { rng.below(256) as u8 }).collect()
    });
    let sum: u32 = found.values().sum();
    assert!(sum <= ROUNDS / 10_000, "{found:?}");
}

#[test]
fn text_is_not_named() {
    let words = [
        "the", "GET", "HELO", "user", "PASS", "id", "list", "200", "OK", "a1", "<b>", "stats",
        "version", "NOTICE", "to:", "/", "*", "{", "\"key\":", "1", "-", "SET", "open", "\r\n",
        "\n", ":", "(", ")", "d1", "$", "@",
    ];
    let found = count(ROUNDS, false, |rng| {
        let count = 1 + rng.below(12);
        let mut text = String::new();
        for _ in 0..count {
            text += *rng.pick(&words[..]);
            text += [" ", "\r\n", " "][rng.below(3)];
        }
        text.into_bytes()
    });
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn web_traffic_is_not_named() {
    let methods = [
        "GET",
        "POST",
        "HEAD",
        "PUT",
        "DELETE",
        "OPTIONS",
        "CONNECT",
        "PATCH",
        "NOTIFY",
        "SUBSCRIBE",
    ];
    let found = count(20_000, true, |rng| {
        let path: String =
            (0..rng.below(20)).map(|_| char::from(b'a' + rng.below(26) as u8)).collect();
        let method = *rng.pick(&methods[..]);
        match rng.below(4) {
            0 => format!("{method} /{path} HTTP/1.{}\r\nHost: {path}.org\r\n\r\n", rng.below(2))
                .into_bytes(),
            1 => format!("HTTP/1.1 {} {path}\r\nContent-Length: 0\r\n\r\n", 201 + rng.below(300))
                .into_bytes(),
            2 => format!("{method} http://{path}.org/ HTTP/1.1\r\n\r\n").into_bytes(),
            _ => {
                let len = 40 + rng.below(200);
                let hello =
                    [vec![0x16, 3, 1, 0, len as u8, 1, 0, 0, len as u8 - 4, 3, 3], rng.bytes(len)];
                hello.concat()
            }
        }
    });
    assert!(found.is_empty(), "{found:?}");
}

//! TLS handshakes that are cut small, claim much, or carry more than any client sends.

use flowscope_core::FlowSide::{Initiator, Responder};

use super::talk::{SEGMENT, connection, repeated};
use super::{Attack, Fate};
use crate::Rng;

/// All of this module; about `volume` packets each.
pub fn list(volume: usize) -> Vec<Attack> {
    let attack = |name, make: fn(usize, usize) -> Vec<u8>| {
        let bytes = (volume * SEGMENT).min(1 << 20);
        let packets = repeated(volume, move |n| {
            let turns = [(Initiator, make(n, bytes)), (Responder, alert())];
            connection(n, 443, SEGMENT, turns)
        });
        Attack { name, packets: Box::new(packets), fate: Fate::Tracked }
    };
    vec![
        attack("records of one byte", |n, _| records(&hello(&name(n), &[]), 1)),
        attack("a ClientHello over 50 records", |n, _| {
            let hello = hello(&name(n), &extension(21, &[0; 2000]));
            let size = hello.len().div_ceil(50);
            records(&hello, size)
        }),
        attack("a handshake message of 2^24-1 bytes", |_, len| {
            records(&[&[1, 0xff, 0xff, 0xff], &vec![3; len][..]].concat(), 1 << 14)
        }),
        attack("4000 extensions", |n, _| {
            let many: Vec<u8> = (0..4000).flat_map(|kind| extension(0x4000 + kind, &[])).collect();
            records(&hello(&name(n), &many), 1 << 14)
        }),
        attack("an extension 4000 times", |n, _| {
            let many: Vec<u8> = (0..4000).flat_map(|_| extension(16, &[0, 0])).collect();
            records(&hello(&name(n), &many), 1 << 14)
        }),
        attack("32767 cipher suites", |n, _| {
            let suites: Vec<u8> = (0..32_767_u16).flat_map(u16::to_be_bytes).collect();
            records(&hello_with(&suites, &server_name(&name(n))), 1 << 14)
        }),
        attack("reserved values everywhere", |n, _| records(&greased(n), 1 << 14)),
        attack("an SSLv2 hello", |n, _| sslv2(n)),
        attack("empty records", |_, len| {
            let empty = record(22, &[]).repeat(len / 5);
            [record(22, &[1]), empty].concat()
        }),
        attack("hello requests without end", |_, len| {
            records(&[0, 0, 0, 0].repeat(len / 4), 1 << 14)
        }),
        attack("certificates that are noise", noise),
    ]
}

fn name(n: usize) -> Vec<u8> {
    format!("host{n}.example").into_bytes()
}

pub(super) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = (body.len() as u16).to_be_bytes();
    [&[kind, 3, 1, high, low], body].concat()
}

/// Handshake bytes in records of `size`.
pub(super) fn records(handshake: &[u8], size: usize) -> Vec<u8> {
    handshake.chunks(size.max(1)).flat_map(|body| record(22, body)).collect()
}

fn alert() -> Vec<u8> {
    record(21, &[2, 50])
}

fn vector16(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vector16(body)].concat()
}

fn server_name(name: &[u8]) -> Vec<u8> {
    extension(0, &vector16(&[&[0], &vector16(name)[..]].concat()))
}

/// A handshake message.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (body.len() as u32).to_be_bytes();
    [&[kind, a, b, c], body].concat()
}

/// A ClientHello (RFC 8446 §4.1.2) with these suites and extensions.
fn hello_with(suites: &[u8], extensions: &[u8]) -> Vec<u8> {
    let start = [&[3, 3], &[7; 32][..], &[0]].concat();
    message(1, &[&start, &vector16(suites), &[1, 0][..], &vector16(extensions)].concat())
}

/// A ClientHello for a server of this name, with more extensions.
pub(super) fn hello(name: &[u8], extensions: &[u8]) -> Vec<u8> {
    hello_with(&[0x13, 1, 0xc0, 0x2f], &[&server_name(name), extensions].concat())
}

/// Reserved values (RFC 8701) as suites, extensions, groups and versions.
fn greased(n: usize) -> Vec<u8> {
    let reserved = |n: usize| 0x0a0a_u16 + 0x1010 * (n as u16 % 16);
    let list: Vec<u8> = (0..16).flat_map(|at| reserved(n + at).to_be_bytes()).collect();
    let mut extensions = server_name(&name(n));
    for at in 0..16 {
        extensions.extend(extension(reserved(n + at), &[0]));
    }
    extensions.extend(extension(10, &vector16(&list)));
    extensions.extend(extension(43, &[&[32], &list[..]].concat()));
    extensions.extend(extension(16, &vector16(&[&[2], &list[..2]].concat())));
    hello_with(&list, &extensions)
}

/// A hello of the format before TLS (RFC 5246 appendix E.2).
fn sslv2(n: usize) -> Vec<u8> {
    let body = [&[1, 3, 1, 0, 6, 0, 0, 0, 16][..], &[0, 0, 47, 0, 0, 53], &[n as u8; 16]].concat();
    [&[0x80, body.len() as u8], &body[..]].concat()
}

/// A hello, and messages whose bodies are noise.
fn noise(n: usize, len: usize) -> Vec<u8> {
    let mut rng = Rng::new(n as u64);
    let mut handshake = hello(&name(n), &[]);
    while handshake.len() < len.min(60_000) {
        let kind = *rng.pick(&[1, 2, 4, 11, 12, 13, 14, 15, 16, 20]);
        let size = rng.below(600);
        handshake.extend(message(kind, &rng.bytes(size)));
    }
    records(&handshake, 1 << 14)
}

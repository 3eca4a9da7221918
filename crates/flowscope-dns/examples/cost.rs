//! What a message costs: nanoseconds, allocations and bytes for typical and for hostile ones.
//!
//! `cargo run --release -p flowscope-dns --example cost`
#![allow(clippy::print_stdout)]

use std::alloc::System;
use std::hint::black_box;
use std::time::Instant;

use flowscope_core::{Datagram, DatagramParser, FlowSide, SessionParser, StreamChunk, Timestamp};
use flowscope_dns::hickory_proto::op::Message;
use flowscope_dns::{DnsMessage, DnsTcpParser, DnsTransactions, DnsUdpParser};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    println!("{:34} {:>6} {:>9} {:>7} {:>9}", "", "bytes", "ns", "allocs", "ns/byte");
    let messages = [
        ("query", query()),
        ("query with cookie", query_with_cookie()),
        ("response, CNAME and 4 A", response(4)),
        ("NXDOMAIN with SOA", nxdomain()),
        ("response, 40 A", response(40)),
        ("65535 counts, no bodies", counts_without_bodies()),
        ("chain of pointers, 1400 bytes", chain(1400)),
        ("chain of pointers, 16 KiB", chain(16 << 10)),
        ("chain of pointers, 32 KiB", chain(32 << 10)),
        ("chain of pointers, 64 KiB", chain(65_000)),
        ("labels of one byte, 64 KiB", small_labels(65_000)),
    ];
    let side = FlowSide::Initiator;
    for (name, payload) in &messages {
        let datagram = Datagram::new(side, Timestamp::ZERO, payload);
        let (mut parser, mut out) = (DnsUdpParser::default(), Vec::with_capacity(1));
        measure(name, payload.len(), || {
            parser.parse_into(black_box(datagram), &mut out);
            black_box(&out);
            out.clear();
        });
        measure("  by the library alone", payload.len(), || {
            let _ = black_box(Message::from_vec(black_box(payload)));
        });
    }

    let framed: Vec<u8> =
        [&(messages[2].1.len() as u16).to_be_bytes()[..], &messages[2].1].concat();
    let (mut parser, mut out) = (DnsTcpParser::default(), Vec::<DnsMessage>::with_capacity(1));
    measure("response over TCP", framed.len(), || {
        let feed = StreamChunk::new(side, Timestamp::ZERO, 0, black_box(&framed));
        parser.feed_into(feed, &mut out);
        out.clear();
    });
    measure("the same in two segments", framed.len(), || {
        for bytes in [&framed[..50], &framed[50..]] {
            let feed = StreamChunk::new(side, Timestamp::ZERO, 0, black_box(bytes));
            parser.feed_into(feed, &mut out);
        }
        out.clear();
    });

    let (mut pairs, mut out) = (DnsTransactions::<DnsUdpParser>::default(), Vec::with_capacity(1));
    let both = [(side, &messages[0].1), (FlowSide::Responder, &messages[2].1)];
    measure("query and response, paired", both.iter().map(|(_, p)| p.len()).sum(), || {
        for (side, payload) in both {
            let wire_len = payload.len() as u32;
            let datagram = Datagram::new(side, Timestamp::ZERO, payload).wire_len(wire_len);
            pairs.parse_into(black_box(datagram), &mut out);
        }
        assert_eq!(out.len(), 1);
        out.clear();
    });
    let (mut pairs, mut out) = (DnsTransactions::<DnsUdpParser>::default(), Vec::new());
    let mut next = 0_u16;
    measure("one id for 1024 open queries", query().len(), || {
        let mut payload = query();
        payload[13..15].copy_from_slice(&[b'a' + (next % 26) as u8, (next >> 8) as u8 | 0x80]);
        payload[17..19].copy_from_slice(&next.to_be_bytes());
        next = next.wrapping_add(1);
        pairs.parse_into(Datagram::new(side, Timestamp::ZERO, &payload).wire_len(0), &mut out);
        out.clear();
    });
    println!("size of a message: {} bytes", size_of::<DnsMessage>());
    println!("size of a record: {} bytes", size_of::<flowscope_dns::Record>());
}

/// The best of some batches: others may use the machine as well.
fn measure(name: &str, bytes: usize, mut run: impl FnMut()) {
    let rounds = (400_000 / bytes.max(40)).max(4);
    let (mut ns, mut allocations) = (f64::INFINITY, 0.0);
    for _ in 0..20 {
        let (region, start) = (Region::new(ALLOCATOR), Instant::now());
        for _ in 0..rounds {
            run();
        }
        ns = ns.min(start.elapsed().as_nanos() as f64 / rounds as f64);
        allocations = region.change().allocations as f64 / rounds as f64;
    }
    println!("{name:34} {bytes:>6} {ns:>9.0} {allocations:>7.1} {:>9.1}", ns / bytes as f64);
}

const QNAME: &[u8] = b"\x03www\x07example\x03com\0";

fn header(flags: u16, counts: [u16; 4]) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34];
    bytes.extend(flags.to_be_bytes());
    bytes.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    bytes
}

fn question(flags: u16, counts: [u16; 4]) -> Vec<u8> {
    [&header(flags, counts)[..], QNAME, &[0, 1, 0, 1]].concat()
}

fn record(name: &[u8], rtype: u16, rdata: &[u8]) -> Vec<u8> {
    let len = (rdata.len() as u16).to_be_bytes();
    [name, &rtype.to_be_bytes(), &[0, 1, 0, 0, 1, 44], &len, rdata].concat()
}

fn query() -> Vec<u8> {
    question(0x0100, [1, 0, 0, 0])
}

fn query_with_cookie() -> Vec<u8> {
    let opt = record(b"\0", 41, b"\0\x0a\0\x08cookie!!");
    [question(0x0100, [1, 0, 0, 1]), opt].concat()
}

fn response(addresses: u16) -> Vec<u8> {
    let mut bytes = question(0x8180, [1, addresses + 1, 0, 0]);
    bytes.extend(record(b"\xc0\x0c", 5, b"\x04edge\x03cdn\xc0\x10"));
    for _ in 0..addresses {
        bytes.extend(record(b"\xc0\x2d", 1, &[192, 0, 2, 1]));
    }
    bytes
}

fn nxdomain() -> Vec<u8> {
    let soa = [&b"\x02ns\xc0\x10\x0ahostmaster\xc0\x10"[..], &[0; 20]].concat();
    [question(0x8183, [1, 0, 1, 0]), record(b"\xc0\x10", 6, &soa)].concat()
}

fn counts_without_bodies() -> Vec<u8> {
    question(0x8180, [1, 65_535, 65_535, 65_535])
}

/// Half of it pointers to pointers, half of it records that enter there.
fn chain(len: usize) -> Vec<u8> {
    let links = (len / 4).min(8000);
    let mut chain = vec![0, 0];
    chain.extend((0..links).flat_map(|link| (0xc000 | (23 + 2 * link) as u16).to_be_bytes()));
    let name = (0xc000 | (23 + 2 * links.min(253)) as u16).to_be_bytes();
    let mut bytes = header(0x8180, [0, 65_535, 0, 0]);
    bytes.extend(record(b"\0", 10, &chain));
    while bytes.len() < len {
        bytes.extend(record(&name, 5, &name));
    }
    let count = ((bytes.len() - 23 - chain.len()) / 14 + 1) as u16;
    bytes[6..8].copy_from_slice(&count.to_be_bytes());
    bytes
}

/// Names of 127 labels, as often as possible.
fn small_labels(len: usize) -> Vec<u8> {
    let name = [[1, b'a'].repeat(126), vec![0]].concat();
    let mut bytes = header(0x8180, [0, 0, 0, 0]);
    bytes.extend(record(&name, 1, &[1, 2, 3, 4]));
    let mut count = 1_u16;
    while bytes.len() < len {
        bytes.extend(record(b"\xc0\x0c", 5, b"\xc0\x0c"));
        count += 1;
    }
    bytes[6..8].copy_from_slice(&count.to_be_bytes());
    bytes
}

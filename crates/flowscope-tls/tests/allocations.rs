//! What a handshake costs in allocations.

#![allow(missing_docs)]

mod support;

use std::alloc::System;

use flowscope_core::{SessionParser, StreamChunk, Timestamp};
use flowscope_tls::{TlsMessage, TlsParser};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::*;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A program without a harness, whose threads would be counted too.
fn main() {
    let mut out = Vec::with_capacity(16);
    let mut count = |parser: &mut TlsParser, side, pieces: &[&[u8]]| {
        out.clear();
        let region = Region::new(ALLOCATOR);
        for bytes in pieces {
            parser.feed_into(StreamChunk::new(side, Timestamp::ZERO, 0, bytes), &mut out);
        }
        let change = region.change();
        (change.allocations + change.reallocations, change.bytes_allocated, out.len())
    };

    // A hello: its bytes, and two lists that tls-parser makes and that do not last.
    let hello = clear(&[&client13("x.example").ext(21, [0; 300]).client()]);
    let (allocations, bytes, messages) = count(&mut TlsParser::default(), I, &[&hello]);
    assert_eq!((allocations, messages), (3, 1));
    assert!(bytes <= hello.len() + 100, "{bytes}");
    // Cut in two, it is put together in the place it stays in.
    let (one, two) = hello.split_at(300);
    let (allocations, _, messages) = count(&mut TlsParser::default(), I, &[one, two]);
    assert_eq!((allocations, messages), (4, 1));
    // A server's hello and certificates: the bytes of each. The key exchange is not kept.
    let mut parser = TlsParser::default();
    count(&mut parser, I, &[&tls12()[0].1]);
    let (allocations, _, messages) = count(&mut parser, R, &[&tls12()[1].1]);
    assert_eq!((allocations, messages), (2, 3));
    // What nobody can read: nothing.
    let secret = data(1000).repeat(10);
    let mut parser = TlsParser::default();
    assert_eq!(count(&mut parser, I, &[&secret[..], &secret[7..]]).0, 0);

    let (said, _) = feed(&mut TlsParser::default(), &[(I, hello)], usize::MAX);
    let [TlsMessage::ClientHello(hello)] = &said[..] else { panic!("{said:?}") };
    let cost = |work: &dyn Fn()| {
        let region = Region::new(ALLOCATOR);
        work();
        region.change().allocations
    };
    assert_eq!(cost(&|| assert!(hello.server_name().is_some())), 0);
    assert_eq!(cost(&|| assert!(hello.ja3().is_some())), 1);
    assert_eq!(cost(&|| assert!(hello.ja4().is_some())), 3);
}

//! Allocations per message, once a connection is under way.

use std::alloc::System;

use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::{FlowSide, SessionParser, StreamChunk, Timestamp};
use flowscope_http::HttpParser;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const REQUEST: &[u8] = b"GET /index.html HTTP/1.1\r\nHost: example.com\r\nUser-Agent: test\r\n\r\n";
const LENGTH: &[u8] = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKS: &[u8] =
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

/// Allocations, counting those that grow, per pass over the messages, after some passes.
fn allocations(messages: &[(FlowSide, &[u8])], piece: usize) -> usize {
    const PASSES: usize = 64;
    let mut parser = HttpParser::default();
    let mut out = Vec::with_capacity(64);
    let mut pass = |parser: &mut HttpParser| {
        for (side, bytes) in messages {
            for bytes in bytes.chunks(piece) {
                let feed = StreamChunk::new(*side, Timestamp::ZERO, 0, bytes);
                parser.feed_into(feed, &mut out);
            }
            out.clear();
        }
    };
    (0..PASSES).for_each(|_| pass(&mut parser));
    let region = Region::new(ALLOCATOR);
    (0..PASSES).for_each(|_| pass(&mut parser));
    let stats = region.change();
    (stats.allocations + stats.reallocations).div_ceil(PASSES)
}

/// A program without a harness, whose threads would be counted too.
fn main() {
    assert_eq!(allocations(&[(Initiator, REQUEST), (Responder, LENGTH)], usize::MAX), 2 * 2);
    assert_eq!(allocations(&[(Initiator, REQUEST), (Responder, CHUNKS)], usize::MAX), 2 * 2);
    let post =
        [b"POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n".to_vec(), vec![b'x'; 5000]].concat();
    let answer: (FlowSide, &[u8]) = (Responder, LENGTH);
    assert_eq!(allocations(&[(Initiator, &post), answer], 1000), 2 * 2);
    // A head in pieces is collected first: one that grows, and is cut to size.
    let split = allocations(&[(Initiator, REQUEST), (Responder, LENGTH)], 48);
    assert!(split <= 2 * 3, "{split} allocations for two split messages");
}

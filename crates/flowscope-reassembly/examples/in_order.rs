//! What putting a stream in order costs per segment: in order, with and without a history of what
//! was delivered, and with holes.
//!
//! `cargo run --release -p flowscope-reassembly --example in_order`
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use flowscope_core::{FlowSide, Reassembler, Segment, StreamSink, Timestamp};
use flowscope_reassembly::{StreamConfig, StreamReassemblerFactory};

/// Counts, so that nothing is optimized away.
#[derive(Default)]
struct Count(u64);

impl StreamSink for Count {
    fn bytes(&mut self, _at: u64, bytes: &[u8]) {
        self.0 += black_box(bytes).len() as u64;
    }
    fn gap(&mut self, _at: u64, len: u64) {
        self.0 += len;
    }
}

const SEGMENTS: u32 = 10_000;

/// Nanoseconds per segment of `len` bytes, the best of many runs; `order` says which is sent when.
fn measure(history: u8, len: u32, order: impl Fn(u32) -> u32) -> f64 {
    let payload: Vec<u8> = (0..len).map(|n| n as u8).collect();
    let factory = StreamReassemblerFactory::new(StreamConfig::default().history(history));
    let run = || {
        let (mut own, mut peer, mut out) = (factory.make(), factory.make(), Count::default());
        let segment = |nth: u32| {
            let ts = Timestamp::from_nanos(u64::from(nth));
            let segment =
                Segment::new(FlowSide::Initiator, ts, nth.wrapping_mul(len), &payload).ack(1);
            if nth == 0 { segment.syn() } else { segment }
        };
        let start = Instant::now();
        for n in 0..SEGMENTS {
            own.push(black_box(segment(order(n))), &mut peer, &mut out);
        }
        let took = start.elapsed();
        assert_eq!(out.0, u64::from(SEGMENTS) * u64::from(len));
        took
    };
    let best: Duration = (0..200).map(|_| run()).min().unwrap_or_default();
    best.as_nanos() as f64 / f64::from(SEGMENTS)
}

fn main() {
    for len in [1, 64, 256, 1460, 9000] {
        for history in [0, 16] {
            let ns = measure(history, len, |n| n);
            println!("in order, {len:4} bytes, history {history:2}: {ns:6.1} ns per segment");
        }
    }
    for len in [1, 64, 1460] {
        // The first is the SYN's; of the others two change places.
        let swap = |n: u32| if n == 0 || n == SEGMENTS - 1 { n } else { ((n - 1) ^ 1) + 1 };
        let ns = measure(16, len, swap);
        println!("pairs swapped, {len:4} bytes: {ns:6.1} ns per segment");
        let block = 64;
        let reverse = |n: u32| {
            if n == 0 || n > (SEGMENTS - 1) / block * block {
                return n;
            }
            let from = (n - 1) / block * block;
            from + block - (n - 1) % block
        };
        let ns = measure(16, len, reverse);
        println!("64 in reverse, {len:4} bytes: {ns:6.1} ns per segment");
    }
}

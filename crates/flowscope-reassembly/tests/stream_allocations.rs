//! Bytes in order allocate nothing, and what a stream says that it holds is what it holds.

use std::alloc::System;
use std::num::NonZeroUsize;
use std::time::Duration;

use flowscope_core::{FlowSide, Reassembler, Segment, Timestamp};
use flowscope_reassembly::{
    Discard, OverlapPolicy, StreamConfig, StreamReassembler, StreamReassemblerFactory,
};
use flowscope_testkit::Rng;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A program without a harness, whose threads would be counted too.
fn main() {
    in_order_allocates_nothing();
    a_filled_hole_leaves_nothing_behind();
    for policy in [OverlapPolicy::First, OverlapPolicy::Solaris] {
        for shape in [Shape::Reverse, Shape::EverySecond, Shape::FarApart, Shape::Random] {
            held_is_what_was_allocated(policy, shape);
        }
        reverse_bytes_are_not_copied_again_and_again(policy);
    }
}

fn segment(seq: u32, payload: &[u8]) -> Segment<'_> {
    Segment::new(FlowSide::Initiator, Timestamp::from_secs(1), seq, payload).ack(0)
}

fn open(factory: &StreamReassemblerFactory) -> StreamReassembler {
    let mut stream = factory.make();
    stream.push(segment(0, b"").syn(), &mut factory.make(), &mut Discard);
    stream
}

fn in_order_allocates_nothing() {
    for history in [0, 16] {
        let factory = StreamReassemblerFactory::new(StreamConfig::default().history(history));
        let mut sides = [open(&factory), open(&factory)];
        let payload = [7; 1460];
        let region = Region::new(ALLOCATOR);
        let mut seq = 0;
        for n in 0..10_000_u64 {
            let ts = Timestamp::from_secs(1) + Duration::from_millis(n);
            let len = [1460, 1, 300][n as usize % 3];
            let [own, peer] = &mut sides;
            let ack = Some(n as u32 / 2);
            own.push(Segment { ts, ack, ..segment(seq, &payload[..len]) }, peer, &mut Discard);
            seq += len as u32;
            // And an acknowledgement of the other side, sometimes with data.
            let back =
                Segment { ts, ack: Some(seq), ..segment(n as u32 / 2, &payload[..n as usize % 2]) };
            peer.push(back, own, &mut Discard);
        }
        assert_eq!(sides[0].position(), u64::from(seq));
        assert_eq!(sides[1].position(), 5000);
        // The memory of what was delivered, once per side.
        let expected = if history > 0 { 2 } else { 0 };
        assert_eq!(region.change().allocations, expected);
        let held: usize = sides.iter().map(StreamReassembler::heap_bytes).sum();
        assert_eq!(region.change().bytes_allocated, held);
    }
}

fn a_filled_hole_leaves_nothing_behind() {
    let factory = StreamReassemblerFactory::default();
    let (mut stream, mut peer) = (open(&factory), factory.make());
    stream.push(segment(0, b"first"), &mut peer, &mut Discard);
    let before = stream.heap_bytes();
    let region = Region::new(ALLOCATOR);
    for round in 0..100 {
        let at = 5 + round * 4000;
        stream.push(segment(at + 1000, &[1; 3000]), &mut peer, &mut Discard);
        stream.push(segment(at, &[1; 1000]), &mut peer, &mut Discard);
    }
    assert_eq!((stream.position(), stream.heap_bytes()), (5 + 400_000, before));
    let change = region.change();
    assert_eq!(change.bytes_allocated, change.bytes_deallocated);
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    Reverse,
    EverySecond,
    FarApart,
    Random,
}

fn held_is_what_was_allocated(policy: OverlapPolicy, shape: Shape) {
    let bound = 100_000;
    let config = StreamConfig::default()
        .overlap(policy)
        .max_held(NonZeroUsize::new(bound).expect("not zero"));
    let factory = StreamReassemblerFactory::new(config);
    let (mut stream, mut peer) = (open(&factory), factory.make());
    let mut rng = Rng::new(3);
    let region = Region::new(ALLOCATOR);
    for n in 0..5_000 {
        let at = match shape {
            Shape::Reverse => 1 << 20 | (5_000 - n),
            Shape::EverySecond => 1 + 2 * n,
            Shape::FarApart => 1 + 3000 * n,
            Shape::Random => n + rng.below(1 << 16) as u32,
        };
        stream.push(segment(at, b"x"), &mut peer, &mut Discard);
        let change = region.change();
        let real = change.bytes_allocated - change.bytes_deallocated;
        let held = stream.heap_bytes();
        assert!(real <= held, "{policy:?} {shape:?}: {real} bytes, said to be {held}");
        // The bound is for what waits; the rest is of a fixed size.
        assert!(held <= bound + 1000, "{policy:?} {shape:?}: {held}");
    }
    stream.end(&mut peer, &mut Discard);
    assert_eq!(stream.heap_bytes(), 0);
    let change = region.change();
    assert_eq!(change.bytes_allocated, change.bytes_deallocated);
}

/// Very many segments of one byte, the last one first.
fn reverse_bytes_are_not_copied_again_and_again(policy: OverlapPolicy) {
    let config = StreamConfig::default()
        .overlap(policy)
        .max_held(NonZeroUsize::new(1 << 28).expect("not zero"));
    let factory = StreamReassemblerFactory::new(config);
    let (mut stream, mut peer) = (open(&factory), factory.make());
    let region = Region::new(ALLOCATOR);
    let segments = if policy == OverlapPolicy::First { 1_000_000 } else { 100_000 };
    for at in (1..=segments).rev() {
        stream.push(segment(at, b"x"), &mut peer, &mut Discard);
    }
    stream.push(segment(0, b"x"), &mut peer, &mut Discard);
    assert_eq!(stream.position(), u64::from(segments) + 1);
    // Each byte has a place of its own from the beginning; nothing that grows is moved.
    let per_byte = region.change().bytes_allocated / segments as usize;
    let most = if policy == OverlapPolicy::First { 1 } else { 80 };
    assert!(per_byte <= most, "{policy:?}: {per_byte}");
}

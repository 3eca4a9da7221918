//! Steady fragment traffic allocates nothing.

use std::alloc::System;

use flowscope_core::{Fragment, LinkType, PacketView, Path, Payload, Timestamp};
use flowscope_reassembly::{DefragConfig, Defragmented, Defragmenter};
use flowscope_testkit::{Rng, frame};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A program without a harness, whose threads would be counted too.
fn main() {
    // Eight datagrams of different sizes at a time, their pieces in any order, some never whole.
    let mut pieces = Vec::new();
    for sender in 1..=8 {
        let len = sender as usize * 700;
        let ip = frame().ipv4(format!("10.0.0.{sender}"), "10.0.0.9").udp(1, 2);
        let fragments = ip.payload(vec![9; len]).fragments(1, 480);
        let last = fragments.len() - 1;
        pieces
            .extend(fragments.into_iter().enumerate().map(|(n, f)| (f, n as u32 * 480, n < last)));
    }
    let mut defrag = Defragmenter::new(DefragConfig::default());
    let mut region = Region::new(ALLOCATOR);
    let mut joined = 0;
    for round in 0..400 {
        if round == 200 {
            region.reset();
            joined = 0;
        }
        // The same orders again and again: what they need at most is there after the first time.
        let mut rng = Rng::new(round % 100);
        pieces.sort_unstable();
        rng.shuffle(&mut pieces);
        let lost = if round % 4 == 0 { rng.below(pieces.len()) } else { pieces.len() };
        for (_, (bytes, offset, more)) in pieces.iter().enumerate().filter(|(n, _)| *n != lost) {
            let now = Timestamp::from_secs(round * 40);
            let fragment = Fragment { id: 1, offset: *offset, more: *more, header_at: 0 };
            let len = bytes.len() as u32 - 20;
            let payload = Payload::new(20, len, len);
            let view = PacketView::new(bytes, LinkType::RAW, now);
            if let Defragmented::Complete(whole) =
                defrag.push(&view, &fragment, &Path::EMPTY, &payload, now)
            {
                joined += 1;
                defrag.recycle(whole);
            }
        }
    }
    assert_eq!(joined, 200 * 8 - 50);
    assert_eq!(region.change().allocations, 0);
}

//! No packet costs an allocation.

use std::alloc::System;
use std::hint::black_box;

use flowscope_core::FlowExtractor;
use flowscope_extract::{
    AutoDetectEncap, FiveTuple, FlowLabel, InnerGre, InnerVxlan, IpPair, MacPair, OrPlain, Scoped,
    StripVlan,
};
use flowscope_testkit::samples;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A program without a harness, whose threads would be counted too.
fn main() {
    let packets = samples();
    let five = FiveTuple::bidirectional();
    let region = Region::new(ALLOCATOR);
    for (_, packet) in &packets {
        let view = packet.view();
        black_box(five.extract(view));
        black_box(five.explain(view));
        black_box(IpPair.extract(view));
        black_box(OrPlain(StripVlan(five)).extract(view));
        black_box(OrPlain(InnerVxlan(five)).extract(view));
        black_box(OrPlain(InnerGre(five)).extract(view));
        black_box(FlowLabel(Scoped(AutoDetectEncap(five))).extract(view));
        black_box(AutoDetectEncap(MacPair).extract(view));
        black_box(AutoDetectEncap(five).explain(view));
        let found = AutoDetectEncap(five).extract(view);
        black_box(found.map(|found| (found.key.community_id(0), found.key.shard_hash())));
    }
    assert_eq!(region.change().allocations, 0);
}

//! flowscope beside the published flowscope 0.22.0, on the same packets in one run; its streams beside
//! those of `protolens`.
//!
//! `flowscope-peers [--scale X] [--rounds N] [WORD ...]`: words choose among `extract`, `grow`,
//! `replay`, `flood`, `time`, `memory` and `streams`, or single tables such as `grow-1000000`.
//!
//! Ours goes by packet and in batches; the other has no batches. Both get a view made from the same
//! bytes, and both give every event to a counter, so that neither leaves out work that the other
//! does. Costs are thread CPU time, rounds take turns, and the first one is not counted.

mod contestants;
mod memory;
mod reassembly;
mod speed;
mod time;

use std::alloc::System;

use flowscope_benches::Options;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let options = Options::of_program();
    speed::extraction(&options);
    speed::growth(&options);
    speed::replay(&options);
    speed::flood(&options);
    time::passes(&options);
    memory::per_flow(&options);
    reassembly::streams(&options);
}

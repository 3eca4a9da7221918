//! One budget that holds under every attack with all protocols on: what the allocator has given out, not what the
//! driver says of itself.

#![allow(clippy::print_stdout, reason = "a program that prints its figure")]

use std::alloc::System;

use flowscope_fuzz_targets::attack;
use flowscope_testkit::attacks::timed;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Packets of an attack.
const PACKETS: usize = if cfg!(debug_assertions) { 600 } else { 100_000 };

/// Memory that flows, streams and parsers may take, in bytes: far less than the attacks would take.
const BUDGET: usize = if cfg!(debug_assertions) { 1 << 20 } else { 16 << 20 };

/// Beside the budget: fragments have one of their own (4 MiB), and there are a batch and its events.
const BESIDE: usize = (4 << 20) + (2 << 20);

fn main() {
    let mut most = 0;
    for index in 0..timed(1).len() {
        let attack = timed(PACKETS).swap_remove(index);
        let (name, mut packets) = (attack.name, attack.packets.take(2 * PACKETS));
        // Memory of the generator is not the driver's: a batch is generated before the driver gets it.
        let mut driver = attack::driver(BUDGET);
        let before = packets.next();
        let Some(first) = before else { continue };
        driver.handle_packet(first.view());
        let (mut held, mut said) = (0_isize, 0);
        loop {
            let batch: Vec<_> = packets.by_ref().take(64).collect();
            if batch.is_empty() {
                break;
            }
            let views: Vec<_> = batch.iter().map(flowscope_testkit::Packet::view).collect();
            let region = Region::new(ALLOCATOR);
            driver.handle_batch(&views);
            while driver.poll_event().is_some() {}
            let change = region.change();
            held += change.bytes_allocated as isize - change.bytes_deallocated as isize;
            most = most.max(held);
            said = said.max(driver.heap_bytes());
            assert!(held <= (BUDGET + BESIDE) as isize, "{name}: {held} bytes of {BUDGET}");
        }
        assert!(said <= BUDGET + BESIDE, "{name}: {said} bytes of {BUDGET}");
    }
    println!("memory: at most {most} bytes held, of a budget of {BUDGET} and {BESIDE} beside it");
    assert!(most > 0);
}

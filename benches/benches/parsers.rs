//! What the parser of each protocol of the registry costs per message, over the samples of its crate: nanoseconds,
//! allocations and allocated bytes.

use std::alloc::System;
use std::hint::black_box;
use std::mem;

use flowscope::protocols::{self, ProtocolVisitor};
use flowscope_benches::parsers::{self, Pass};
use flowscope_benches::{Contest, Figure, Options, Table, per_unit, short, spread};
use flowscope_record::Protocol;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> Result<(), String> {
    let options = Options::from_args();
    let (counted, timed, faults) = (Vec::new(), Contest::default(), Vec::new());
    let mut costs = Costs { options: &options, counted, timed, faults };
    protocols::for_each(&mut costs);
    costs.print()
}

/// What is measured of each protocol.
struct Costs<'a> {
    options: &'a Options,
    counted: Vec<Counted>,
    timed: Contest<'static>,
    faults: Vec<String>,
}

/// A pass over the samples of a protocol, and what it allocates.
struct Counted {
    pass: Pass,
    /// Allocations, and what was made larger.
    allocations: usize,
    /// Bytes that were allocated.
    bytes: usize,
}

impl ProtocolVisitor for Costs<'_> {
    fn protocol<P: Protocol>(&mut self) {
        if !self.options.wants(P::NAME) {
            return;
        }
        let mut parsers = match parsers::of_samples::<P>() {
            Ok(parsers) => parsers,
            Err(fault) => return self.faults.push(fault),
        };
        // Storage has grown in a pass before.
        parsers.pass();
        let region = Region::new(HEAP);
        let pass = parsers.pass();
        let change = region.change();
        let allocations = change.allocations + change.reallocations;
        self.counted.push(Counted { pass, allocations, bytes: change.bytes_allocated });

        let messages = self.options.scaled(20_000, 100);
        let passes = messages.div_ceil(pass.messages as usize);
        let units = passes * pass.messages as usize;
        let round = move |_| {
            per_unit(units, || {
                for _ in 0..passes {
                    black_box(parsers.pass());
                }
            })
        };
        self.timed = mem::take(&mut self.timed).enter(P::NAME, round);
    }
}

const HEADS: [&str; 8] = [
    "",
    "ns/message",
    "least - most",
    "allocations/message",
    "bytes allocated/message",
    "messages",
    "bytes",
    "bytes/ns",
];

impl Costs<'_> {
    /// Times the protocols by turns, and prints a row of each.
    fn print(self) -> Result<(), String> {
        if !self.faults.is_empty() {
            return Err(self.faults.join("; "));
        }
        let figures = self.timed.run(self.options.rounds);
        let table = Table::new("parsers, per message", &HEADS);
        for (figure, counted) in figures.iter().zip(&self.counted) {
            table.row(&counted.cells(figure));
        }
        Ok(())
    }
}

impl Counted {
    fn cells(&self, time: &Figure) -> [String; 8] {
        let Pass { messages, bytes } = self.pass;
        let per_message = |count: usize| short(count as f64 / messages as f64);
        [
            time.name.clone(),
            short(time.median()),
            spread(time),
            per_message(self.allocations),
            per_message(self.bytes),
            messages.to_string(),
            bytes.to_string(),
            short(bytes as f64 / (time.median() * messages as f64)),
        ]
    }
}

//! Fuzz targets: what is run on any bytes, and what has to hold whatever they are.
//!
//! A [`Target`] is a function from bytes, which panics when something does not hold, and the seeds from which
//! inputs are made. The programs in `fuzz/` give them bytes from libFuzzer; the tests of this crate give them
//! the files in `fuzz/seeds` and some thousand [fresh inputs](inputs), without nightly and in seconds.

pub mod attack;
mod capture;
mod conditions;
mod defrag;
mod detection;
mod driver;
mod filter;
mod input;
mod keylog;
mod link;
mod parsers;
mod program;
mod reassembly;
mod tracker;
mod writers;

pub use input::{Input, inputs};

/// Something that is run on any bytes.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name of its program and of its folder of seeds.
    pub name: &'static str,
    /// Runs it; panics when something does not hold.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const ALL: &[Target] = &[
    Target { name: "capture", run: capture::run, seeds: capture::seeds },
    Target { name: "link", run: link::run, seeds: link::seeds },
    Target { name: "defrag", run: defrag::run, seeds: defrag::seeds },
    Target { name: "tracker", run: tracker::run, seeds: tracker::seeds },
    Target { name: "reassembly", run: reassembly::run, seeds: reassembly::seeds },
    Target { name: "parsers", run: parsers::run, seeds: parsers::seeds },
    Target { name: "detection", run: detection::run, seeds: detection::seeds },
    Target { name: "driver", run: driver::run, seeds: driver::seeds },
    Target { name: "writers", run: writers::run, seeds: writers::seeds },
    Target { name: "filter", run: filter::run, seeds: filter::seeds },
    Target { name: "conditions", run: conditions::run, seeds: conditions::seeds },
    Target { name: "keylog", run: keylog::run, seeds: keylog::seeds },
    Target { name: "program", run: program::run, seeds: program::seeds },
];

/// Runs the target of this name.
///
/// # Panics
///
/// If there is none, or when something does not hold.
pub fn run(name: &str, bytes: &[u8]) {
    let target = ALL.iter().find(|target| target.name == name);
    (target.expect("a target of this name").run)(bytes);
}

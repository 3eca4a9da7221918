//! The driver at its limits: the last case on one side of each, and the first on the other.

mod checksums;
mod closing;
mod detection;
mod forged;
mod joining;
mod late;
mod memory;
mod other_side;
mod routing;
mod settings;
mod streams;

use flowscope_core::Timestamp;
use flowscope_extract::{AutoDetectEncap, FiveTuple};
use flowscope_testkit::{Dialogue, Packet};

const EXTRACTOR: AutoDetectEncap<FiveTuple> = AutoDetectEncap(FiveTuple::bidirectional());

/// The packets of a script.
fn packets(script: Dialogue) -> Vec<Packet> {
    script.packets()
}

/// A packet of this time.
fn at(secs: u64, packet: Packet) -> Packet {
    Packet { ts: Timestamp::from_secs(secs), ..packet }
}

//! The driver at its limits: the last case on one side of each, and the first on the other.

mod detection;
mod joining;
mod memory;
mod routing;
mod streams;

use flowscope_core::{LinkType, Timestamp};
use flowscope_extract::{AutoDetectEncap, FiveTuple};
use flowscope_testkit::{Dialogue, Packet};

const EXTRACTOR: AutoDetectEncap<FiveTuple> = AutoDetectEncap(FiveTuple::bidirectional());

/// The packets of a script.
fn packets(script: Dialogue) -> Vec<Packet> {
    let packet = |(ts, bytes): (Timestamp, Vec<u8>)| {
        let wire_len = bytes.len() as u32;
        Packet { bytes, link: LinkType::ETHERNET, ts, wire_len, vlan: None }
    };
    script.build().into_iter().map(packet).collect()
}

/// A packet of this time.
fn at(secs: u64, packet: Packet) -> Packet {
    Packet { ts: Timestamp::from_secs(secs), ..packet }
}

//! An attack through the driver of the command: memory and time.

use std::time::Duration;

use flowscope::core::PacketView;
use flowscope::driver::{Driver, DriverConfig};
use flowscope::extract::{AutoDetectEncap, FiveTuple};
use flowscope::protocols::{self, AppRecord, Registry};
use flowscope::track::{EndReason, TrackerConfig};
use flowscope_benches::cpu_time;
use flowscope_testkit::Packet;
use flowscope_testkit::attacks::timed;

use crate::Result;

/// The driver of the command: the innermost flow, all protocols.
pub(crate) type AllProtocols = Driver<AutoDetectEncap<FiveTuple>, AppRecord, (), Registry>;

/// Packets that a capture lends at once.
pub(crate) const BATCH: usize = 64;

/// A driver whose flows, streams and parsers may take `budget` bytes.
pub(crate) fn driver(budget: usize) -> AllProtocols {
    let tracker = TrackerConfig::default().memory_budget(budget);
    let config = DriverConfig::default().tracker(tracker);
    let extractor = AutoDetectEncap(FiveTuple::bidirectional());
    Driver::with_config(extractor, protocols::registered(), config)
}

/// Prints `PACKETS BYTES PEAK NANOSECONDS TRACKED`: bytes of frames, bytes of memory, CPU time of the driver alone.
pub(crate) fn run(name: &str, packets: usize, budget: usize) -> Result<()> {
    let attack = timed(packets).into_iter().find(|attack| attack.slug() == name);
    let mut input = attack.ok_or_else(|| format!("no attack `{name}`"))?.packets;
    let mut driver = driver(budget);
    let (mut sent, mut bytes, mut peak, mut time) = (0_u64, 0_u64, 0, Duration::ZERO);
    loop {
        let batch: Vec<Packet> = input.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            break;
        }
        let views: Vec<PacketView<'_>> = batch.iter().map(Packet::view).collect();
        sent += batch.len() as u64;
        bytes += batch.iter().map(|packet| packet.bytes.len() as u64).sum::<u64>();
        let before = cpu_time();
        driver.handle_batch(&views);
        while driver.poll_event().is_some() {}
        time += cpu_time() - before;
        peak = peak.max(driver.heap_bytes());
    }
    driver.finish(EndReason::EndOfInput);
    while driver.poll_event().is_some() {}
    let (seen, tracked) = (driver.packets().seen(), driver.packets().delivered());
    if seen != sent {
        return Err(format!("{sent} packets were sent, and {seen} are in the ledger").into());
    }
    println!("{sent} {bytes} {peak} {} {tracked}", time.as_nanos());
    Ok(())
}

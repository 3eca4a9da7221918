//! `standalone-extract-track < FRAMES`: the flows of Ethernet frames, one frame a line in hexadecimal.
#![allow(clippy::print_stdout, reason = "a program")]

use std::io::{self, BufRead};

use flowscope_extract::{AutoDetectEncap, FiveTuple};
use flowscope_track::{EndReason, FlowEvent, FlowTracker, LinkType, PacketView, Timestamp};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut tracker = FlowTracker::new(AutoDetectEncap(FiveTuple::bidirectional()));
    let mut events = Vec::new();
    for (second, line) in (0..).zip(io::stdin().lock().lines()) {
        let frame = parse_hex(line?.trim())?;
        let ts = Timestamp::from_secs(second);
        tracker.track(PacketView::new(&frame, LinkType::ETHERNET, ts), &mut events);
    }
    tracker.finish(EndReason::EndOfInput, &mut events);
    for event in events {
        if let FlowEvent::Ended { flow, stats, .. } = event {
            let [sent, received] = [stats.initiator, stats.responder].map(|side| side.counters);
            println!("{} {}/{} packets", flow.key, sent.packets, received.packets);
        }
    }
    Ok(())
}

fn parse_hex(line: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let pairs = line.as_bytes().chunks(2);
    pairs.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}

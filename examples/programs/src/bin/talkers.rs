//! `talkers FILE…`: which addresses sent how much, in a capture of one or more files.
#![allow(clippy::print_stdout, reason = "a program")]

use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;

use flowscope::core::{PacketSource, Progress};
use flowscope::driver::FlowDriver;
use flowscope::extract::{AutoDetectEncap, FiveTuple};
use flowscope::pcap::CaptureFiles;
use flowscope::track::{EndReason, FlowEvent};

fn main() -> Result<(), Box<dyn Error>> {
    let mut capture = CaptureFiles::new(std::env::args().skip(1));
    let mut driver = FlowDriver::new(AutoDetectEncap(FiveTuple::bidirectional()));
    let mut sent = BTreeMap::<IpAddr, u64>::new();
    loop {
        let read = capture.next_batch(&mut |packets| driver.handle_batch(packets))?;
        if read == 0 && driver.finish_some(EndReason::EndOfInput, 1024) == Progress::Done {
            break;
        }
        while let Some(event) = driver.poll_event() {
            let FlowEvent::Ended { flow, stats, .. } = event else { continue };
            let (initiator, responder) = flow.key.endpoints(stats.orientation);
            for (end, side) in [(initiator, &stats.initiator), (responder, &stats.responder)] {
                *sent.entry(end.addr).or_default() += side.counters.wire_bytes;
            }
        }
    }
    let mut most: Vec<_> = sent.into_iter().collect();
    most.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    most.iter().for_each(|(addr, bytes)| println!("{bytes:>12} {addr}"));
    Ok(())
}

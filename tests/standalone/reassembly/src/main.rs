//! `standalone-reassembly < SEGMENTS`: the stream that TCP segments carry. Each line is a sequence
//! number and the payload as text, in the order of capture.
#![allow(clippy::print_stdout, reason = "a program")]

use std::io;

use flowscope_reassembly::{
    FlowSide, Reassembler, Segment, StreamConfig, StreamReassemblerFactory, StreamSink, Timestamp,
};

struct Printer;

impl StreamSink for Printer {
    fn bytes(&mut self, at: u64, bytes: &[u8]) {
        println!("{at} {}", String::from_utf8_lossy(bytes));
    }

    fn gap(&mut self, at: u64, len: u64) {
        println!("{at} gap of {len} bytes");
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let factory = StreamReassemblerFactory::new(StreamConfig::default());
    let (mut sender, mut receiver) = (factory.make(), factory.make());
    for line in io::stdin().lines() {
        let line = line?;
        let (seq, payload) = line.split_once(' ').ok_or("a line without payload")?;
        let (side, seq) = (FlowSide::Initiator, seq.parse()?);
        let segment = Segment::new(side, Timestamp::ZERO, seq, payload.as_bytes());
        sender.push(segment, &mut receiver, &mut Printer);
    }
    sender.end(&mut receiver, &mut Printer);
    Ok(())
}

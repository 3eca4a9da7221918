//! `redis FILE`: what the Redis clients in a capture ask, and how long each answer takes.
#![allow(clippy::print_stdout, reason = "a program")]

use std::error::Error;

use example_redis::{RedisMessage, RedisParser};
use flowscope::core::{PacketSource, Progress};
use flowscope::driver::{SessionDriver, SessionEvent};
use flowscope::extract::{AutoDetectEncap, FiveTuple};
use flowscope::pcap::CaptureReader;
use flowscope::track::EndReason;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: redis FILE")?;
    let mut capture = CaptureReader::open(file)?;
    let extractor = AutoDetectEncap(FiveTuple::bidirectional());
    let mut driver = SessionDriver::new(extractor, RedisParser::default());
    loop {
        let read = capture.next_batch(&mut |packets| driver.handle_batch(packets))?;
        if read == 0 && driver.finish_some(EndReason::EndOfInput, 1024) == Progress::Done {
            return Ok(());
        }
        while let Some(event) = driver.poll_event() {
            if let SessionEvent::Application { flow, message, .. } = event {
                print(flow.id.0, &message);
            }
        }
    }
}

fn print(flow: u64, message: &RedisMessage) {
    match message {
        RedisMessage::Reply(reply) => match (reply.request, reply.latency) {
            (Some(number), Some(took)) => println!("{flow} #{number} -> {reply} in {took:?}"),
            _ => println!("{flow} -> {reply}"),
        },
        message => println!("{flow} {message}"),
    }
}

//! `poll_times [FLOWS]`: the longest time that one poll of a stream takes, in each state of the stream,
//! with 300 000 flows open by default.
//!
//! Other tasks of the same thread wait that long. Needs no privilege: packets come from memory.
#![allow(clippy::print_stdout, reason = "a program")]

use std::error::Error;
use std::fs;
use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use flowscope::core::{LinkType, PacketView, Timestamp};
use flowscope::extract::FiveTuple;
use netring::{AsyncCapture, AsyncPacketSource, InOrder};
use tokio::time::timeout;

/// A live source that has all of its packets from the start.
struct Memory {
    /// Flow of the next packet.
    next: u32,
    flows: u32,
    /// Packets left.
    left: u64,
    payload: usize,
    stopped: bool,
    /// Ends after the last packet; otherwise it is silent then.
    ends: bool,
    /// Another source may be behind by minutes.
    late: bool,
}

impl Memory {
    fn new(flows: u32, packets: u64) -> Self {
        Memory {
            next: 0,
            flows,
            left: packets,
            payload: 18,
            stopped: false,
            ends: false,
            late: false,
        }
    }
}

impl AsyncPacketSource for Memory {
    fn poll_batch(
        &mut self,
        _: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, netring::Error>> {
        if self.left == 0 {
            return if self.ends || self.stopped { Poll::Ready(Ok(0)) } else { Poll::Pending };
        }
        let count = self.left.min(if self.payload > 9000 { 4 } else { 64 }) as u32;
        self.left -= u64::from(count);
        let frames: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                // In no order, as packets of many flows come.
                let flow = (u64::from(self.next) * 7919 % u64::from(self.flows)) as u32;
                self.next = self.next.wrapping_add(1);
                udp(flow, self.payload)
            })
            .collect();
        let now = Timestamp::from(SystemTime::now());
        let views: Vec<_> =
            frames.iter().map(|frame| PacketView::new(frame, LinkType::ETHERNET, now)).collect();
        lend(&views);
        Poll::Ready(Ok(views.len()))
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn latency(&self) -> Option<Duration> {
        Some(if self.late { Duration::from_secs(60) } else { Duration::from_millis(1) })
    }
}

/// A datagram of the flow with this number.
fn udp(flow: u32, payload: usize) -> Vec<u8> {
    let len = (28 + payload) as u16;
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    frame.extend(len.to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 10]);
    frame.extend(&flow.to_be_bytes()[1..]);
    frame.extend([172, 16, 0, 1, 0x20, 0, 0, 53]);
    frame.extend((len - 20).to_be_bytes());
    frame.extend([0, 0]);
    frame.resize(14 + usize::from(len), 7);
    frame
}

/// Runs a future and prints its longest poll, and how many took more than a millisecond, without those
/// that the scheduler interrupted.
async fn timed<T>(state: &str, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let (mut longest, mut all, mut polls) = (Duration::ZERO, Duration::ZERO, 0);
    let (mut long, mut interrupted) = (0, 0);
    let output = poll_fn(|cx| {
        let (before, start) = (interruptions(), Instant::now());
        let polled = future.as_mut().poll(cx);
        let took = start.elapsed();
        if interruptions() == before {
            longest = longest.max(took);
            long += u32::from(took > Duration::from_millis(1));
        } else {
            interrupted += 1;
        }
        all += took;
        polls += 1;
        polled
    })
    .await;
    println!(
        "{state:24} {longest:>9.1?} longest, {all:>8.1?} in {polls} polls, {long} above 1 ms, \
         {interrupted} interrupted"
    );
    output
}

/// How often the scheduler took the core from this thread.
fn interruptions() -> Option<u64> {
    let status = fs::read_to_string("/proc/thread-self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
    line?.trim().parse().ok()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let flows = match std::env::args().nth(1) {
        Some(flows) => flows.parse()?,
        None => 300_000,
    };
    let packets = u64::from(flows);
    let most = NonZeroUsize::new(flows as usize).ok_or("no flows")?;
    let open = || {
        let capture = AsyncCapture::new(Memory::new(flows, 3 * packets));
        let stream = capture.flow_stream(FiveTuple::bidirectional());
        stream
            .without_packets()
            .with_tracker(|tracker| tracker.udp_idle(Duration::from_secs(6)).max_flows(most))
    };
    // Reads until nothing comes at once.
    macro_rules! read {
        ($stream:expr) => {
            let reads = async { while $stream.next().await.is_some() {} };
            let _ = timed("packets", timeout(Duration::from_secs(4), reads)).await;
        };
    }

    let mut stream = open();
    read!(stream);
    stream.stop();
    timed("stop, then reading", async { while stream.next().await.is_some() {} }).await;

    let mut stream = open();
    read!(stream);
    timed("shutdown", stream.shutdown()).await?;
    timed("reading after shutdown", async { while stream.next().await.is_some() {} }).await;

    let mut stream = open();
    read!(stream);
    let expire =
        async { while !stream.driver().table().is_empty() && stream.next().await.is_some() {} };
    timed("all flows expire", expire).await;

    let mut stream = open();
    read!(stream);
    println!("{} flows", stream.driver().table().len());
    timed("drop", async { drop(stream) }).await;

    let mut held = Memory::new(1000, 40_000);
    held.payload = 1400;
    held.ends = true;
    let mut ordered = AsyncCapture::new(InOrder::new(held)).flow_stream(FiveTuple::bidirectional());
    timed("packets in order of time", async { while ordered.next().await.is_some() {} }).await;

    let mut held = Memory::new(1000, 60_000);
    held.late = true;
    let mut ordered = AsyncCapture::new(InOrder::new(held));
    let _ = timeout(Duration::from_secs(1), ordered.next_batch(|_| ())).await;
    timed("drop of ordered packets", async { drop(ordered) }).await;

    Ok(())
}

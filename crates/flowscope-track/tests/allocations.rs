//! What a packet allocates: nothing in steady state, at most one piece for a new flow. What flows that end allocate: nothing
//! that grows with their number.

#![allow(missing_docs)]

use std::alloc::System;
use std::num::NonZeroUsize;

use flowscope_core::{
    Extracted, FlowExtractor, L4Proto, Layer, LinkType, Orientation, PacketView, PathLayer,
    Progress, TcpFlags, TcpInfo, Timestamp,
};
use flowscope_track::{FlowTracker, TrackerConfig};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Reads a packet that [`Frame`] wrote.
struct OfFrame;

/// What stands in a frame: key, direction, protocol, TCP flags, whether it is tagged, numbers.
#[derive(Clone, Copy)]
struct Frame([u8; 22]);

impl Frame {
    fn new(key: u64, reverse: bool, l4: L4Proto, flags: TcpFlags, seq: u32, ack: u32) -> Self {
        let mut bytes = [0; 22];
        bytes[..8].copy_from_slice(&key.to_le_bytes());
        bytes[8..12].copy_from_slice(&seq.to_le_bytes());
        bytes[12..16].copy_from_slice(&ack.to_le_bytes());
        bytes[16..20].copy_from_slice(&[u8::from(reverse), l4.number(), flags.0, 0]);
        Frame(bytes)
    }

    fn tagged(mut self) -> Self {
        self.0[19] = 1;
        self
    }

    fn view(&self, time: u64) -> PacketView<'_> {
        PacketView::new(&self.0, LinkType::RAW, Timestamp::from_nanos(time))
    }
}

impl FlowExtractor for OfFrame {
    type Key = u64;

    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<u64>> {
        let bytes: &[u8; 22] = view.frame().first_chunk()?;
        let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
        let key = u64::from(number(0)) | u64::from(number(4)) << 32;
        let orientation = if bytes[16] == 0 { Orientation::Forward } else { Orientation::Reverse };
        let mut found = Extracted::new(key, orientation);
        let (l4, flags) = (L4Proto::from_number(bytes[17]), TcpFlags(bytes[18]));
        found.l4 = Some(l4);
        (found.payload.offset, found.payload.captured, found.payload.wire_len) = (20, 2, 2);
        if l4 == L4Proto::Tcp {
            found.tcp = Some(TcpInfo {
                seq: number(8),
                ack: number(12),
                window: 500,
                flags,
                ..TcpInfo::default()
            });
            if flags == TcpFlags::SYN || flags == TcpFlags::SYN | TcpFlags::ACK {
                (found.payload.captured, found.payload.wire_len) = (0, 0);
            }
        }
        if bytes[19] != 0 {
            found.path.push(PathLayer { layer: Layer::Vlan, id: 7 }).ok()?;
        }
        Some(found)
    }
}

const FLOWS: u64 = 500;

/// Handshakes of the TCP flows, the first datagrams of the UDP flows, and so many rounds in which
/// each side of each flow sends once, the numbers going on.
fn rounds(from: u32, count: u32) -> Vec<Frame> {
    let (syn, ack) = (TcpFlags::SYN, TcpFlags::ACK);
    let mut frames = Vec::new();
    if from == 0 {
        for key in 0..FLOWS {
            frames.push(Frame::new(key, false, L4Proto::Tcp, syn, 1000, 0));
            frames.push(Frame::new(key, true, L4Proto::Tcp, syn | ack, 5000, 1001));
        }
    }
    for round in from..from + count {
        let sent = round * 2;
        for key in 0..FLOWS {
            frames.push(Frame::new(key, false, L4Proto::Tcp, ack, 1001 + sent, 5001 + sent));
            frames.push(Frame::new(key, true, L4Proto::Tcp, ack, 5001 + sent, 1003 + sent));
            for reverse in [false, true] {
                let none = TcpFlags::default();
                frames.push(Frame::new(FLOWS + key, reverse, L4Proto::Udp, none, 0, 0));
            }
        }
    }
    frames
}

fn views<'a>(frames: &'a [Frame], clock: &mut u64) -> Vec<PacketView<'a>> {
    let view = |frame: &'a Frame| {
        *clock += 10_000;
        frame.view(*clock)
    };
    frames.iter().map(view).collect()
}

/// A program without a harness, whose threads would be counted too.
fn main() {
    let mut clock = 1_000_000_000;
    let mut tracker = FlowTracker::new(OfFrame);
    let (warm, single, batched) = (rounds(0, 5), rounds(5, 50), rounds(55, 50));
    let views: Vec<Vec<PacketView<'_>>> =
        [&warm, &single, &batched].map(|frames| views(frames, &mut clock)).into();
    for view in &views[0] {
        tracker.track(*view, &mut ());
    }
    assert!(views[1].len() >= 100_000 && views[2].len() >= 100_000);

    let region = Region::new(ALLOCATOR);
    for view in &views[1] {
        tracker.track(*view, &mut ());
    }
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0), "one by one");

    let region = Region::new(ALLOCATOR);
    for views in views[2].chunks(64) {
        tracker.track_batch(views, &mut ());
    }
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0), "in batches");
    assert_eq!(tracker.stats().flows, 2 * FLOWS, "it was the same flows all the time");

    new_flows(clock);
    ends();
}

/// A table that is full: each packet begins a flow and evicts one.
fn new_flows(mut clock: u64) {
    let flows = NonZeroUsize::new(1000).expect("not zero");
    let mut tracker = FlowTracker::with_config(OfFrame, TrackerConfig::default().max_flows(flows));
    let frame = |key: u64| {
        let frame = Frame::new(key, false, L4Proto::Tcp, TcpFlags::SYN, 1, 0);
        if key.is_multiple_of(2) { frame.tagged() } else { frame }
    };
    let frames: Vec<Frame> = (0..40_000).map(frame).collect();
    let views = views(&frames, &mut clock);
    let (warm, measured) = views.split_at(20_000);
    tracker.track_batch(warm, &mut ());
    let region = Region::new(ALLOCATOR);
    tracker.track_batch(measured, &mut ());
    let change = region.change();
    let pieces = change.allocations + change.reallocations;
    assert!(pieces <= measured.len(), "{pieces} allocations for {} flows", measured.len());
    assert_eq!(tracker.stats().flows, 40_000);
}

/// Flows that end after silence. A list that doubled meanwhile would make one call long.
fn ends() {
    let count = 30_000;
    let mut tracker = FlowTracker::with_config(OfFrame, TrackerConfig::default().sweep(0));
    let none = TcpFlags::default();
    let frame = |key: u64| Frame::new(key, false, L4Proto::Udp, none, 0, 0);
    let frames: Vec<Frame> = (0..count).map(frame).collect();
    // Within 30 s, so that few are due at one time.
    let time = |number: usize| 1_000_000_000 + number as u64 * 1_000_000;
    for (number, frame) in frames.iter().enumerate() {
        tracker.track(frame.view(time(number)), &mut ());
    }
    assert_eq!(tracker.len() as u64, count);
    let (mut most, mut calls) = (0, 0);
    loop {
        let region = Region::new(ALLOCATOR);
        let progress = tracker.expire(Timestamp::from_secs(1000), 64, &mut ());
        let change = region.change();
        let grown = usize::try_from(change.bytes_reallocated).unwrap_or(0);
        most = most.max(change.bytes_allocated + grown);
        calls += 1;
        if progress == Progress::Done {
            break;
        }
    }
    assert!(tracker.is_empty() && calls > 400);
    assert!(most <= 16 << 10, "a call of 64 steps allocated {most} bytes");
}

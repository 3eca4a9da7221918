//! Random traffic: small descriptions that shrink well, and the packets they stand for.

#![allow(dead_code, unreachable_pub)] // each test binary takes what it needs

pub mod compare;
mod play;
pub mod reach;
mod steps;

use std::sync::Arc;

use flowscope_core::{
    Extracted, FlowExtractor, L4Proto, Layer, LinkType, Orientation, PacketView, PathLayer,
    TcpFlags, TcpInfo,
};

pub use self::play::{Op, play};
pub use self::steps::{Step, busy_steps, reuse_steps, settings, steps};

/// Gives each frame what was prepared for it: the frame begins with its number.
#[derive(Clone)]
pub struct Prepared(pub Arc<Vec<Option<Extracted<u8>>>>);

impl FlowExtractor for Prepared {
    type Key = u8;

    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<u8>> {
        let number = u32::from_le_bytes(*view.frame().first_chunk()?);
        *self.0.get(number as usize)?
    }
}

/// Packets, their frames and the extractor that knows them.
pub struct Input {
    pub ops: Vec<Op>,
    frames: Vec<Vec<u8>>,
    pub extractor: Prepared,
}

impl Input {
    pub fn new(ops: Vec<Op>) -> Self {
        let mut frames = Vec::new();
        let mut found = Vec::new();
        for op in &ops {
            let Op::Packet(packet) = op else {
                frames.push(Vec::new());
                found.push(None);
                continue;
            };
            let mut frame = (frames.len() as u32).to_le_bytes().to_vec();
            frame.extend(&packet.payload);
            frames.push(frame);
            found.push(packet.found);
        }
        Input { ops, frames, extractor: Prepared(Arc::new(found)) }
    }

    /// The packet that operation `at` is, if it is one.
    pub fn view(&self, at: usize) -> Option<PacketView<'_>> {
        let Op::Packet(packet) = &self.ops[at] else { return None };
        let view = PacketView::new(&self.frames[at], LinkType::RAW, packet.ts);
        Some(view.with_joined(packet.frames, packet.wire_len, packet.first_ts))
    }

    pub fn views(&self) -> Vec<PacketView<'_>> {
        (0..self.ops.len()).filter_map(|at| self.view(at)).collect()
    }
}

/// A packet of a flood with random keys: a SYN, or anything at all that takes memory.
pub fn flood_packet(rng: &mut flowscope_testkit::Rng, odd: bool) -> Extracted<u64> {
    let key = if odd { rng.next_u64() % 5000 } else { rng.next_u64() };
    let orientation =
        if odd && rng.one_in(2) { Orientation::Reverse } else { Orientation::Forward };
    let mut found = Extracted::new(key, orientation);
    found.l4 = Some(L4Proto::Tcp);
    let mut tcp = TcpInfo { seq: rng.next_u64() as u32, window: 100, ..TcpInfo::default() };
    tcp.flags = TcpFlags::SYN;
    if odd {
        tcp.flags = TcpFlags(*rng.pick(&[0x02, 0x12, 0x10, 0x30, 0x11, 0x10]));
        tcp.seq = (rng.next_u64() % 100_000) as u32;
        tcp.ack = (rng.next_u64() % 100_000) as u32;
        found.payload.wire_len = (rng.next_u64() % 20) as u32;
        if rng.one_in(4) {
            let _ = found.path.push(PathLayer { layer: Layer::Vlan, id: key as u32 });
        }
    }
    found.tcp = Some(tcp);
    found
}

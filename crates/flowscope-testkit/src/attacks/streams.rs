//! Segments that are hard to put together, as attacks: what [`segments`] arranges.

use flowscope_core::TcpFlags;

use super::talk::{SEGMENT, client, repeated};
use super::{Attack, Fate, attack, segments};
use crate::{Packet, Rng, frame};

/// All of this module; about `volume` packets each.
pub fn list(volume: usize) -> Vec<Attack> {
    let all = |name, packets| Attack { name, packets, fate: Fate::Tracked };
    // Each in connections of at most this many segments.
    let segments_of = |size: usize| volume.clamp(2, 2000) * size / 2;
    let by = move |size: usize, arrange: fn([&[u8]; 2], usize) -> Vec<Packet>| {
        let len = segments_of(size);
        Box::new(repeated(volume, move |_| {
            let [initiator, responder] = conversation(len);
            arrange([&initiator, &responder], size)
        }))
    };
    vec![
        all("segments of one byte", by(1, segments::in_order)),
        all("segments in reverse order", by(SEGMENT, segments::reversed)),
        all("single bytes in reverse order", by(1, segments::reversed)),
        all("every second segment missing", by(SEGMENT, segments::every_second_missing)),
        all(
            "same place and other bytes",
            by(100, |sides, size| segments::same_place_other_bytes(sides, size, false)),
        ),
        all(
            "same place and other bytes, later",
            by(100, |sides, size| segments::same_place_other_bytes(sides, size, true)),
        ),
        all("overlaps in every arrangement", Box::new(arrangements().take(volume.max(100)))),
        all("holes in every other place", Box::new(holes(volume, 2, 1))),
        all("a hole in each of many flows", Box::new(one_hole_each(volume))),
        attack("acknowledgements of what was never sent", Fate::Tracked, acks(volume, 2)),
    ]
}

/// What the two sides say, `len` bytes each: requests and responses of HTTP.
fn conversation(len: usize) -> [Vec<u8>; 2] {
    let fill = |text: &str| text.bytes().cycle().take(len.max(1)).collect();
    [
        fill("GET /index.html HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n"),
        fill("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nabcdefghijklmnopqrst"),
    ]
}

/// Every arrangement of up to three chunks of three bytes, with equal and with conflicting bytes.
fn arrangements() -> impl Iterator<Item = Packet> {
    [false, true].into_iter().flat_map(|conflict| {
        segments::arrangements(3, 3).flat_map(move |chunks| {
            segments::chunks(flowscope_core::FlowSide::Initiator, b"GET", &chunks, conflict)
        })
    })
}

/// One connection whose segments of a byte leave `stride - 1` bytes out before each, in any order.
pub fn holes(segments: usize, stride: u32, seed: u64) -> impl Iterator<Item = Packet> {
    let segment = |seq: u32, flags: TcpFlags, payload: &[u8]| {
        let ip = frame().ethernet().ipv4(client(0), "192.0.2.80");
        ip.tcp(40_001, 80).seq(seq).ack(1).flags(flags).payload(payload).packet()
    };
    let mut places: Vec<u32> = (1..=segments as u32).map(|n| n.wrapping_mul(stride)).collect();
    Rng::new(seed).shuffle(&mut places);
    let data =
        places.into_iter().map(move |at| segment(1001_u32.wrapping_add(at), TcpFlags::ACK, b"x"));
    std::iter::once(segment(1000, TcpFlags::SYN, b"")).chain(data)
}

/// A SYN and a full segment behind a hole, in each of `packets / 2` flows.
fn one_hole_each(packets: usize) -> impl Iterator<Item = Packet> {
    (0..packets.div_ceil(2)).flat_map(|n| {
        let ip = frame().ethernet().ipv4(client(n), "192.0.2.80");
        let syn = ip.clone().tcp(40_002, 80).seq(1000).flags(TcpFlags::SYN).packet();
        let data = ip.tcp(40_002, 80).seq(1101).ack(1).payload([b'x'; SEGMENT]).packet();
        [syn, data]
    })
}

/// One connection whose sides acknowledge numbers drawn at random.
fn acks(packets: usize, seed: u64) -> impl Iterator<Item = Packet> {
    let mut rng = Rng::new(seed);
    (0..packets).map(move |n| {
        let (a, b) = (client(1).to_string(), "192.0.2.80".to_owned());
        let forward = n % 2 == 0;
        let ip = frame().ethernet();
        let ip = if forward { ip.ipv4(a, b) } else { ip.ipv4(b, a) };
        let tcp = if forward { ip.tcp(40_003, 80) } else { ip.tcp(80, 40_003) };
        tcp.seq(1001).ack(rng.next_u64() as u32).payload(b"GET ").packet()
    })
}

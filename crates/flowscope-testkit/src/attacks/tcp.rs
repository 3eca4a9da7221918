//! Connections that nobody means.

use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::{TcpFlags, Timestamp};

use super::{Attack, Fate, attack};
use crate::{Dialogue, Frame, Packet, Rng, frame};

/// All of this module; about `volume` packets each.
pub fn list(volume: usize) -> Vec<Attack> {
    let all = |name, packets| Attack { name, packets, fate: Fate::Tracked };
    vec![
        all("SYN flood", Box::new(syn_flood(volume, 1))),
        all("SYN flood with a byte each", Box::new(syn_flood_with_byte(volume, 2))),
        all("connections opened slowly", Box::new(slow_open(volume.div_ceil(8).min(4000)))),
        all("storm of FIN and RST", Box::new(storm(volume, 3))),
        all("storm on one connection", Box::new(storm_on_one(volume, 4))),
        all("ports used again within a second", Box::new(reuse(volume.div_ceil(9)))),
        all("urgent pointers", Box::new(urgent(volume.min(2000), 5))),
        attack("insertion", Fate::Tracked, insertion(volume.div_ceil(12).min(500))),
        all("options without sense", Box::new(options())),
        all("segments of 4 GiB", Box::new(endless_segments())),
        all("flags in every combination", Box::new(every_flag())),
    ]
}

/// A client drawn from many.
fn random_client(rng: &mut Rng) -> (Frame, u16) {
    let n = rng.next_u64();
    let [a, b, c, d, e, ..] = n.to_le_bytes();
    let port = u16::from_be_bytes([d, e]).max(1);
    if n >> 63 == 0 {
        (frame().ethernet().ipv4(format!("10.{a}.{b}.{c}"), "192.0.2.80"), port)
    } else {
        let src = format!("2001:db8:5:{:x}::{c:x}", u16::from_be_bytes([a, b]));
        (frame().ethernet().ipv6(src, "2001:db8:5::80"), port)
    }
}

/// SYNs from random clients.
pub fn syn_flood(packets: usize, seed: u64) -> impl Iterator<Item = Packet> {
    let mut rng = Rng::new(seed);
    (0..packets).map(move |_| {
        let (ip, port) = random_client(&mut rng);
        ip.tcp(port, 80).seq(rng.next_u64() as u32).packet()
    })
}

/// The same with a byte of data in each.
pub fn syn_flood_with_byte(packets: usize, seed: u64) -> impl Iterator<Item = Packet> {
    let mut rng = Rng::new(seed);
    (0..packets).map(move |_| {
        let (ip, port) = random_client(&mut rng);
        ip.tcp(port, 80).seq(rng.next_u64() as u32).payload([0x47]).packet()
    })
}

fn script(client: usize, port: u16) -> Dialogue {
    let (b, c) = (client / 250 % 250, client % 250 + 1);
    Dialogue::tcp(&format!("10.200.{b}.{c}:{port}"), "192.0.2.80:80")
}

fn packets(script: Dialogue) -> impl Iterator<Item = Packet> {
    script.build().into_iter().map(|(_, bytes)| Packet::ethernet(Timestamp::ZERO, bytes))
}

/// Handshakes of as many connections, and then of each one byte at a time, in turn, five times.
pub fn slow_open(connections: usize) -> impl Iterator<Item = Packet> {
    let opened = (0..connections).flat_map(|n| packets(script(n, 1024).handshake()));
    let bytes = (0..5).flat_map(move |byte: u32| {
        (0..connections).flat_map(move |n| {
            let flags = TcpFlags::ACK | TcpFlags::PSH;
            packets(script(n, 1024).segment(Initiator, 1001 + byte, 5001, flags, b"x"))
        })
    });
    opened.chain(bytes)
}

/// FIN and RST segments from random clients of connections that never were.
pub fn storm(packets: usize, seed: u64) -> impl Iterator<Item = Packet> {
    let mut rng = Rng::new(seed);
    (0..packets).map(move |_| {
        let (ip, port) = random_client(&mut rng);
        let flags = *rng.pick(&ENDING);
        let tcp = ip.tcp(port, 80).seq(rng.next_u64() as u32).ack(rng.next_u64() as u32);
        tcp.flags(flags).packet()
    })
}

const ENDING: [TcpFlags; 4] = [TcpFlags::RST, TcpFlags(0x14), TcpFlags::FIN, TcpFlags(0x11)];

/// One connection that is opened and then gets resets and FINs of both sides with any numbers.
pub fn storm_on_one(storm: usize, seed: u64) -> impl Iterator<Item = Packet> {
    let mut rng = Rng::new(seed);
    let opened = packets(script(0, 1025).handshake().data(Initiator, [1; 10]));
    opened.chain((0..storm).flat_map(move |n| {
        let side = if n % 2 == 0 { Initiator } else { Responder };
        let (seq, ack) = (rng.next_u64() as u32, rng.next_u64() as u32);
        packets(script(0, 1025).segment(side, seq, ack, *rng.pick(&ENDING), []))
    }))
}

/// As many connections with the same addresses and ports, each from handshake to close, with new
/// initial numbers.
pub fn reuse(connections: usize) -> impl Iterator<Item = Packet> {
    (0..connections).flat_map(|n| {
        let isn = (n as u32).wrapping_mul(0x9e37_79b9);
        let fresh = script(1, 1026).next_seq(Initiator, isn).next_seq(Responder, !isn);
        packets(
            fresh.handshake().data(Initiator, [9; 20]).data(Responder, [8; 30]).close(Responder),
        )
    })
}

/// One connection whose segments have urgent pointers everywhere: within, behind, at their end.
pub fn urgent(segments: usize, seed: u64) -> impl Iterator<Item = Packet> {
    let mut rng = Rng::new(seed);
    let opened = packets(script(2, 1027).handshake());
    opened.chain((0..segments as u32).map(move |n| {
        let pointer = *rng.pick(&[0, 1, 4, 5, 6, 100, 65_535]);
        let ip = frame().ethernet().ipv4("10.200.0.3", "192.0.2.80");
        let tcp = ip.tcp(1027, 80).seq(1001 + n * 5).ack(5001).urgent(pointer);
        tcp.payload(b"abcde").packet()
    }))
}

/// As many connections with packets that their receiver drops in between: a reset and data in
/// sequence with a wrong checksum, and with a TTL that does not reach far enough.
pub fn insertion(connections: usize) -> impl Iterator<Item = Packet> {
    (0..connections).flat_map(|n| {
        let opened = script(n, 1028).handshake().data(Initiator, b"GET ");
        let (b, c) = (n / 250 % 250, n % 250 + 1);
        let insert = |ttl, flags: TcpFlags| {
            let ip = frame().ethernet().ipv4(format!("10.200.{b}.{c}"), "192.0.2.80").ttl(ttl);
            ip.tcp(1028, 80).seq(1005).ack(5001).flags(flags)
        };
        let inserted = [
            insert(64, TcpFlags::RST).checksum(0xbad0),
            insert(64, TcpFlags::ACK).checksum(0xbad0).payload(b"EVIL"),
            insert(1, TcpFlags::ACK).payload(b"EVIL"),
            insert(1, TcpFlags::ACK | TcpFlags::FIN),
        ];
        let script = inserted.iter().fold(opened, Dialogue::frame);
        packets(script.data(Initiator, b"/ HTTP/1.1\r\n").data(Responder, b"200").rst(Responder))
    })
}

/// Each of the 256 combinations of flags, alone in a flow, and once more all in one flow.
pub fn every_flag() -> impl Iterator<Item = Packet> {
    let alone = (0..=255).map(|flags| (2000 + u16::from(flags), flags));
    let together = (0..=255).map(|flags| (1999, flags));
    alone.chain(together).map(|(port, flags)| {
        let ip = frame().ethernet().ipv4("10.201.0.1", "192.0.2.80");
        ip.tcp(port, 80).ack(77).flags(TcpFlags(flags)).payload([1; 3]).packet()
    })
}

/// Connections whose SYNs carry options that are out of range, and data behind them.
pub fn options() -> impl Iterator<Item = Packet> {
    let scales = [0, 13, 14, 15, 16, 31, 32, 63, 64, 255].map(|shift| vec![3, 3, shift, 1]);
    let sizes = [[0, 0], [0, 1], [0xff, 0xff]].map(|[hi, lo]| vec![2, 4, hi, lo]);
    let lists = [vec![4, 2, 4, 2], vec![3; 40], vec![1; 40], vec![0; 40], vec![8, 10, 255, 255]];
    let all = scales.into_iter().chain(sizes).chain(lists);
    all.enumerate().flat_map(|(n, options)| {
        let opened = script(n, 1030).syn_options(&options).window(u16::MAX).handshake();
        let data = opened.data(Initiator, [1; 100]).data(Responder, [2; 100]);
        packets(data.window(0).ack_from(Initiator).window(1).close(Responder))
    })
}

/// Connections around the end of the sequence numbers whose segments have no IP length and 4 GiB
/// on the wire, as no offload makes them.
pub fn endless_segments() -> impl Iterator<Item = Packet> {
    [0, 1, 1 << 31, u32::MAX - 100, u32::MAX].into_iter().enumerate().flat_map(|(n, isn)| {
        let numbers = script(n, 1031).next_seq(Initiator, isn).next_seq(Responder, !isn);
        let talk = numbers.handshake().data(Initiator, [1; 100]).data(Responder, [2; 100]);
        packets(talk.close(Responder)).enumerate().map(|(at, mut packet)| {
            if at % 2 == 1 {
                // The total length of the IPv4 header.
                packet.bytes[16..18].fill(0);
                packet.wire_len = u32::MAX;
            }
            packet
        })
    })
}

//! Conversations at random, and what captures do to them.

use std::collections::BTreeSet;
use std::time::Duration;

use flowscope::core::FlowSide::{self, Initiator, Responder};
use flowscope_testkit::{Dialogue, Packet, Rng, pieces};

use crate::session::packets;
use crate::wire;

/// What the two sides of a connection say, turn by turn.
pub type Turns = Vec<(FlowSide, Vec<u8>)>;

/// Requests and responses of HTTP, pipelined now and then, with bodies of every framing.
pub fn http(rng: &mut Rng) -> Turns {
    let count = 1 + rng.below(6);
    let mut turns = Vec::new();
    let (mut asked, mut answered) = (0, 0);
    while answered < count {
        if asked < count && (asked == answered || rng.one_in(3)) {
            let path = format!("/{asked}");
            let request =
                if rng.one_in(3) { wire::post(&path, &text(rng)) } else { wire::get(&path) };
            turns.push((Initiator, request));
            asked += 1;
        } else {
            let (status, body) = (200 + answered as u16, text(rng));
            let response = if rng.one_in(3) {
                let size = 1 + rng.below(40);
                wire::chunked(status, &body, size)
            } else {
                wire::response(status, &body)
            };
            turns.push((Responder, response));
            answered += 1;
        }
    }
    turns
}

fn text(rng: &mut Rng) -> String {
    let mut text = "0123456789 ".repeat(rng.below(30));
    if rng.one_in(2) {
        text.push('\n');
    }
    text
}

/// A TLS handshake.
pub fn tls(rng: &mut Rng) -> Turns {
    let name = format!("host{}.example", rng.below(1000));
    let hello = wire::client_hello(&name, rng.below(1500));
    vec![
        (Initiator, hello),
        (Responder, wire::server_hello()),
        (Initiator, wire::client_finished()),
        (Responder, wire::record(23, &[1; 300])),
    ]
}

/// Queries and responses of DNS over TCP, now and then a body that is none.
pub fn dns(rng: &mut Rng) -> Turns {
    let mut turns = Vec::new();
    for id in 0..1 + rng.below(6) as u16 {
        let name = format!("name{id}.example.com");
        turns.push((Initiator, wire::framed(&wire::query(id, &name))));
        if rng.one_in(4) {
            let len = rng.below(40);
            turns.push((Responder, wire::framed(&rng.bytes(len))));
        }
        turns.push((Responder, wire::framed(&wire::answer(id, &name))));
    }
    turns
}

/// Bytes that are nothing.
pub fn noise(rng: &mut Rng) -> Turns {
    let side = |rng: &mut Rng| if rng.one_in(2) { Initiator } else { Responder };
    (0..1 + rng.below(6))
        .map(|_| {
            let len = 1 + rng.below(300);
            (side(rng), rng.bytes(len))
        })
        .collect()
}

/// A connection that carries these turns, cut into segments at random. It has a handshake or not, and
/// ends in some way or not at all.
pub fn connection(turns: &Turns, ends: [&str; 2], rng: &mut Rng) -> Vec<Packet> {
    let mut script = Dialogue::tcp(ends[0], ends[1])
        .next_seq(Initiator, any_number(rng))
        .next_seq(Responder, any_number(rng));
    if !rng.one_in(6) {
        script = script.handshake();
    }
    for (side, bytes) in turns {
        let cuts: BTreeSet<usize> = (0..rng.below(5)).map(|_| rng.below(bytes.len())).collect();
        let cuts: Vec<usize> = cuts.into_iter().collect();
        for piece in pieces(bytes, &cuts) {
            script = script.data(*side, piece);
        }
        if rng.one_in(3) {
            script = script.ack_from(!*side);
        }
    }
    let side = if rng.one_in(2) { Initiator } else { Responder };
    packets(match rng.below(4) {
        0 => script,
        1 => script.rst(side),
        _ => script.close(side),
    })
}

/// Near the end of the numbers as often as not.
fn any_number(rng: &mut Rng) -> u32 {
    if rng.one_in(2) { 0_u32.wrapping_sub(rng.below(600) as u32) } else { rng.next_u64() as u32 }
}

/// Merges captures packet by packet, at random, and gives the packets times in their order.
pub fn merged(mut captures: Vec<Vec<Packet>>, rng: &mut Rng) -> Vec<Packet> {
    captures.iter_mut().for_each(|capture| capture.reverse());
    let mut all = Vec::new();
    while !captures.is_empty() {
        let at = rng.below(captures.len());
        match captures[at].pop() {
            Some(packet) => all.push(packet),
            None => drop(captures.swap_remove(at)),
        }
    }
    all
}

/// What a capture is like that loses, doubles, swaps, cuts and damages packets.
pub fn captured_badly(mut packets: Vec<Packet>, rng: &mut Rng) -> Vec<Packet> {
    for _ in 0..rng.below(4) {
        if packets.len() < 2 {
            break;
        }
        let (from, to) = (rng.below(packets.len()), rng.below(packets.len()));
        match rng.below(5) {
            0 => drop(packets.remove(from)),
            1 => packets.insert(to, packets[from].clone()),
            2 => {
                let packet = packets.remove(from);
                packets.insert(to.min(packets.len()), packet);
            }
            3 => packets.swap(from, to),
            _ => {
                let len = packets[from].bytes.len();
                packets[from] = packets[from].cut(len - rng.below(len - 53).min(len));
            }
        }
    }
    timed(packets)
}

/// Packets a millisecond apart.
#[must_use]
pub fn timed(mut packets: Vec<Packet>) -> Vec<Packet> {
    let mut ts = flowscope::core::Timestamp::from_secs(1_700_000_000);
    for packet in &mut packets {
        packet.ts = ts;
        ts = ts + Duration::from_millis(1);
    }
    packets
}

/// The packets with silences between them: some so long that holes are given up or flows end, and
/// now and then a clock that was set back.
#[must_use]
pub fn with_silences(mut packets: Vec<Packet>, rng: &mut Rng) -> Vec<Packet> {
    let (mut later, often) = (Duration::ZERO, *rng.pick(&[5, 30, 1000]));
    for packet in &mut packets {
        if rng.one_in(often) {
            later += Duration::from_millis(*rng.pick(&[12, 900, 11_000, 301_000]));
        }
        packet.ts = packet.ts + later;
        if rng.one_in(often * 10) {
            packet.ts = timed(vec![packet.clone()])[0].ts;
        }
    }
    packets
}

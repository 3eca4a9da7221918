//! Pieces of datagrams that are never whole, or should not be.

use flowscope_core::{Loss, Timestamp};

use super::{Attack, Fate, attack};
use crate::{Frame, Packet, Rng, frame};

/// All of this module; about `volume` packets each.
pub fn list(volume: usize) -> Vec<Attack> {
    let lost = Fate::Refused(&[Loss::FragIncomplete, Loss::FragCap]);
    let overlap = Fate::Refused(&[Loss::FragOverlap]);
    let malformed = Fate::Refused(&[Loss::HeaderMalformed]);
    vec![
        attack("datagrams that are never whole", lost, never_whole(volume, 1)),
        attack("datagrams of which only the end comes", lost, only_ends(volume)),
        attack(
            "64 KiB in pieces of 8 bytes",
            Fate::Refused(&[Loss::FragCap]),
            eight_bytes(volume.div_ceil(8191), None),
        ),
        attack(
            "64 KiB in pieces of 8 bytes, in any order",
            Fate::Refused(&[Loss::FragCap]),
            eight_bytes(volume.div_ceil(8191), Some(2)),
        ),
        // When a datagram that was dropped is forgotten, its next piece begins another.
        attack(
            "overlaps",
            Fate::Refused(&[Loss::FragOverlap, Loss::FragIncomplete, Loss::FragCap]),
            overlapping(volume / 2),
        ),
        attack("one id again and again", overlap, one_id(volume.max(2), 3)),
        attack("the end told twice", malformed, two_ends(volume / 3)),
        attack("pieces that no datagram has", malformed, impossible()),
        attack("atomic fragments", Fate::Tracked, atomic(volume.min(500))),
    ]
}

fn v4(sender: u32) -> Frame {
    let [a, b, c] = [sender >> 16, sender >> 8, sender].map(|byte| byte & 0xff);
    frame().ethernet().ipv4(format!("10.{a}.{b}.{c}"), "192.0.2.9")
}

fn v6(sender: u32) -> Frame {
    let (hi, lo) = (sender >> 16, sender & 0xffff);
    frame().ethernet().ipv6(format!("2001:db8:f:{hi:x}::{lo:x}"), "2001:db8:f::9")
}

/// IPv4 and IPv6 in turn.
fn either(n: usize) -> Frame {
    let sender = (n / 2) as u32 & 0xff_ffff;
    if n.is_multiple_of(2) { v4(sender) } else { v6(sender) }
}

/// The first piece of as many datagrams, 32 to 64 bytes long, and nothing else of them.
pub fn never_whole(datagrams: usize, seed: u64) -> impl Iterator<Item = Packet> {
    let mut rng = Rng::new(seed);
    (0..datagrams).map(move |n| {
        let len = 32 + 8 * rng.below(5);
        let id = rng.next_u64() as u32;
        either(n).fragment(id, 0, true).protocol(17).payload(vec![n as u8; len]).packet()
    })
}

/// The last piece of as many datagrams of 64 KiB.
pub fn only_ends(datagrams: usize) -> impl Iterator<Item = Packet> {
    (0..datagrams)
        .map(|n| either(n).fragment(n as u32, 65_504, false).protocol(17).payload([1; 8]).packet())
}

/// Datagrams as large as there are, in 8191 pieces of 8 bytes; in order, or in any by seed. One
/// piece short of whole.
pub fn eight_bytes(datagrams: usize, seed: Option<u64>) -> impl Iterator<Item = Packet> {
    (0..datagrams).flat_map(move |n| {
        let mut pieces: Vec<u16> = (0..8186).collect();
        if let Some(seed) = seed {
            Rng::new(seed + n as u64).shuffle(&mut pieces);
        }
        pieces.into_iter().map(move |at| {
            let piece = v4(n as u32).fragment(7, at * 8, true).protocol(17);
            piece.payload((u64::from(at)).to_be_bytes()).packet()
        })
    })
}

/// As many datagrams, of each two pieces that overlap by 8 bytes.
pub fn overlapping(datagrams: usize) -> impl Iterator<Item = Packet> {
    (0..datagrams).flat_map(|n| {
        let piece = |offset, fill: u8| {
            either(n).fragment(n as u32, offset, true).protocol(17).payload([fill; 32]).packet()
        };
        [piece(0, 1), piece(24, 2)]
    })
}

/// As many pieces of one datagram that all claim the same place, each with other bytes.
pub fn one_id(pieces: usize, seed: u64) -> impl Iterator<Item = Packet> {
    let mut rng = Rng::new(seed);
    (0..pieces).map(move |n| {
        let mut bytes = rng.bytes(24);
        bytes[0] = n as u8;
        v4(1).fragment(9, 64, true).protocol(17).payload(bytes).packet()
    })
}

/// As many datagrams, of each three pieces: a beginning, an end, and another end behind that.
pub fn two_ends(datagrams: usize) -> impl Iterator<Item = Packet> {
    // Few enough senders for none of them to be forgotten before its third piece.
    (0..datagrams).flat_map(|n| {
        let piece = |offset, more| {
            either(n).fragment(n as u32, offset, more).protocol(17).payload([3; 16]).packet()
        };
        [piece(0, true), piece(64, false), piece(128, false)]
    })
}

/// Pieces that are empty, that are no multiple of 8 though more follow, or that reach beyond the
/// longest datagram.
pub fn impossible() -> impl Iterator<Item = Packet> {
    (0..60).map(|n| {
        let ip = either(n);
        let ip = match n / 2 % 3 {
            0 => ip.fragment(1, 64, true).protocol(17),
            1 => ip.fragment(1, 64, true).protocol(17).payload(vec![0; 8 * (n / 6) + 5]),
            _ => ip.fragment(1, 65_528, false).protocol(17).payload(vec![0; 8 + 8 * n]),
        };
        ip.packet()
    })
}

/// IPv6 datagrams with a fragment header that are whole (RFC 6946).
pub fn atomic(datagrams: usize) -> impl Iterator<Item = Packet> {
    (0..datagrams)
        .map(|n| v6(n as u32).fragment(5, 0, false).udp(5000, 53).payload([0; 9]).packet())
}

/// A datagram of which every joined form is a piece of another one, `levels` times, by tunnels or,
/// in IPv6, by a fragment header behind a fragment header. The last packet makes all of them whole.
#[must_use]
pub fn in_each_other(levels: usize, tunnels: bool) -> Vec<Packet> {
    // From the inside out: what a level carries, as bytes behind its IP header.
    let inner = frame().ethernet().ipv6("2001:db8:f::1", "2001:db8:f::2");
    let mut carried = inner.clone().udp(5000, 6000).payload([7; 64]).build()[54..].to_vec();
    let mut protocol = 17;
    let mut packets = Vec::new();
    for level in 0..levels {
        // The first eight bytes go ahead, in as many headers as are left around this level.
        let around = if tunnels { levels - 1 - level } else { 0 };
        let head = (0..around)
            .fold(frame().ethernet(), |below, _| below.ipv6("2001:db8:f::1", "2001:db8:f::2"));
        let head = head.ipv6("2001:db8:f::1", "2001:db8:f::2");
        let id = level as u32;
        let first = head.fragment(id, 0, true).protocol(protocol).payload(&carried[..8]);
        packets.push(first.packet());
        let rest = inner.clone().fragment(id, 8, false).protocol(protocol).payload(&carried[8..]);
        let rest = rest.build();
        (carried, protocol) =
            if tunnels { (rest[14..].to_vec(), 41) } else { (rest[54..].to_vec(), 44) };
    }
    let last = if tunnels {
        [frame().ethernet().next(0x86dd).build(), carried].concat()
    } else {
        inner.protocol(44).payload(&carried).build()
    };
    packets.push(Packet::ethernet(Timestamp::ZERO, last));
    packets
}

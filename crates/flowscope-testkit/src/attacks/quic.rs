//! QUIC packets that nobody can open, each of which asks for keys.

use super::talk::{query, response};
use super::{Attack, Fate};
use crate::Rng;

/// All of this module; about `volume` packets each.
pub fn list(volume: usize) -> Vec<Attack> {
    let attack = |name, packets| Attack { name, packets, fate: Fate::Tracked };
    vec![
        attack(
            "65536 connection ids",
            Box::new((0..volume).map(|n| query(n % 7, 443, &initial(n, 1)))),
        ),
        attack(
            "a connection id in each flow",
            Box::new((0..volume).map(|n| query(n, 443, &initial(n, 1)))),
        ),
        attack(
            "3000 versions",
            Box::new((0..volume).map(|n| {
                let version = 0x0a0a_0a0a_u32.wrapping_mul(1 + (n % 3000) as u32);
                query(n, 443, &initial(n, version))
            })),
        ),
        attack(
            "a negotiation of 300 versions",
            Box::new((0..volume).flat_map(|n| {
                let versions: Vec<u8> = (0..300_u32).flat_map(u32::to_be_bytes).collect();
                let packet = [&[0x80, 0, 0, 0, 0, 1, 7, 1, 8], &versions[..]].concat();
                [query(n, 443, &initial(n, 1)), response(n, 443, &packet)]
            })),
        ),
        attack(
            "many packets in a datagram",
            Box::new((0..volume).map(|n| {
                let small = [&[0xc3, 0, 0, 0, 1, 8], &[n as u8; 8][..], &[0, 0, 4, 1, 2, 3, 4]];
                query(n % 50, 443, &small.concat().repeat(60))
            })),
        ),
    ]
}

/// An Initial packet (RFC 9000 §17.2.2) whose payload is noise.
fn initial(n: usize, version: u32) -> Vec<u8> {
    let mut rng = Rng::new(n as u64);
    let id = (n as u64).to_be_bytes();
    let mut packet = vec![0xc3];
    packet.extend(version.to_be_bytes());
    packet.push(8);
    packet.extend(id);
    // No source id, no token, and a length of two bytes.
    packet.extend([0, 0, 0x44, 0x96]);
    packet.extend(rng.bytes(1174));
    packet
}

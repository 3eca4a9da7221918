//! Hostile and broken input: attacks, faulty hosts and damaged captures.
//!
//! [`list`] lists every attack on headers, fragments and connections, with the expected result of its
//! packets; [`Bystanders`] are ordinary flows whose counters are known, and
//! [`interleave`] puts both on one wire. [`clock`] and [`damage`] change packets on their way.
//! [`segments`] rearranges the bytes of a connection, for tests of reassembly.
//!
//! Packets are generated one by one from a seed: a million packets need the memory of one.

mod bystanders;
pub mod clock;
pub mod damage;
pub mod fragments;
pub mod headers;
pub mod segments;
pub mod tcp;

use std::time::Duration;

use flowscope_core::{LinkType, Loss, Timestamp};

use crate::Packet;

pub use bystanders::{Bystanders, Counted};

/// Iterator over generated packets.
pub type Packets = Box<dyn Iterator<Item = Packet>>;

/// Hostile packets and their expected result.
#[must_use]
pub struct Attack {
    /// Description.
    pub name: &'static str,
    /// The packets; [`interleave`] sets their times.
    pub packets: Packets,
    /// Expected result.
    pub fate: Fate,
}

/// Expected result of the packets of an attack.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// Each is tracked.
    Tracked,
    /// Each is refused, with one of these causes.
    Refused(&'static [Loss]),
    /// Some are tracked, the others are refused with one of these causes.
    Either(&'static [Loss]),
}

impl Fate {
    /// The causes with which a packet may be refused.
    #[must_use]
    pub fn losses(self) -> &'static [Loss] {
        match self {
            Fate::Tracked => &[],
            Fate::Refused(losses) | Fate::Either(losses) => losses,
        }
    }

    /// Whether `tracked` of `sent` packets is an expected number.
    #[must_use]
    pub fn allows(self, tracked: u64, sent: u64) -> bool {
        match self {
            Fate::Tracked => tracked == sent,
            Fate::Refused(_) => tracked == 0,
            Fate::Either(_) => tracked <= sent,
        }
    }
}

/// All attacks on headers, fragments and connections; floods send about `volume` packets.
pub fn list(volume: usize) -> Vec<Attack> {
    let mut all = headers::list();
    all.extend(fragments::list(volume));
    all.extend(tcp::list(volume));
    all
}

/// Mixes `bystanders` into the packets of an attack: one before each `every` of those, and the rest
/// after the last. Times begin at `start` and advance by `step` per packet.
pub fn interleave(
    attack: impl Iterator<Item = Packet>,
    bystanders: impl Iterator<Item = Packet>,
    every: usize,
    start: Timestamp,
    step: Duration,
) -> impl Iterator<Item = Packet> {
    let (mut attack, mut bystanders) = (attack.fuse(), bystanders.fuse());
    let mut turn = 0;
    let mut ts = start;
    std::iter::from_fn(move || {
        let first = turn % (every + 1) == 0;
        turn += 1;
        let mut next = if first { bystanders.next() } else { None };
        next = next.or_else(|| attack.next()).or_else(|| bystanders.next());
        let mut packet = next?;
        packet.ts = ts;
        ts = ts + step;
        Some(packet)
    })
}

impl Packet {
    /// An Ethernet frame that was captured whole.
    fn ethernet(bytes: Vec<u8>) -> Packet {
        let wire_len = bytes.len() as u32;
        Packet { bytes, link: LinkType::ETHERNET, ts: Timestamp::ZERO, wire_len, vlan: None }
    }
}

fn attack(
    name: &'static str,
    fate: Fate,
    packets: impl IntoIterator<Item = Packet, IntoIter: 'static>,
) -> Attack {
    Attack { name, packets: Box::new(packets.into_iter()), fate }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_on_every_run_and_named_once() {
        let names: HashSet<_> = list(1).iter().map(|attack| attack.name).collect();
        assert_eq!(names.len(), list(1).len());
        for (one, two) in list(50).into_iter().zip(list(50)) {
            let mut sent = 0;
            for (a, b) in one.packets.zip(two.packets) {
                assert_eq!(a, b, "{}", one.name);
                sent += 1;
            }
            assert!(sent > 0, "{}", one.name);
        }
    }

    #[test]
    fn interleaving_keeps_every_packet_in_its_order() {
        let attack = || tcp::syn_flood(10, 1);
        let valid = || Bystanders::new(1).packets();
        let both: Vec<Packet> =
            interleave(attack(), valid(), 3, Timestamp::from_secs(7), Duration::from_micros(5))
                .collect();
        let bytes = |packets: Vec<Packet>| -> Vec<Vec<u8>> {
            packets.into_iter().map(|packet| packet.bytes).collect()
        };
        let mut expected = bytes(attack().collect());
        expected.extend(bytes(valid().collect()));
        assert_eq!(both.len(), expected.len());
        assert_eq!(both[0].ts, Timestamp::from_secs(7));
        assert_eq!(both[1].ts, Timestamp::from_nanos(7_000_005_000));
        let mut sent = bytes(both);
        assert_eq!(sent[..2], [expected[10].clone(), expected[0].clone()]);
        sent.sort();
        expected.sort();
        assert_eq!(sent, expected);
    }
}

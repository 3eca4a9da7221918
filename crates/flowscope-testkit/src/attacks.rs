//! Hostile and broken input: attacks, faulty hosts and damaged captures.
//!
//! [`list`] lists every attack on headers, fragments, connections, streams and messages, with the expected
//! result of its packets; [`Bystanders`] are ordinary flows whose counters are known, and
//! [`interleave`] puts both on one wire. [`clock`] and [`damage`] change packets on their way.
//! [`segments`] rearranges the bytes of a connection, for tests of reassembly. [`files`] are hostile capture
//! files.
//!
//! [`timed`] is every attack with times, those of [`clock`] among them, and [`capture::write`] writes one as a
//! capture file: `cargo xtask attack` does both.
//!
//! Packets are generated one by one from a seed: a million packets need the memory of one.

mod bystanders;
pub mod capture;
pub mod clock;
pub mod damage;
pub mod dns;
pub mod files;
pub mod fragments;
pub mod headers;
pub mod http;
pub mod names;
pub mod quic;
pub mod segments;
pub mod streams;
mod talk;
pub mod tcp;
pub mod tls;

use std::time::Duration;

use flowscope_core::{Loss, Timestamp};

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

impl Attack {
    /// The name as a word for command lines and file names.
    #[must_use]
    pub fn slug(&self) -> String {
        slug(self.name)
    }
}

/// A name as a word for command lines and file names: letters in lower case, digits, and `-`.
#[must_use]
pub fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
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

/// All attacks on headers, fragments, connections, streams and messages; floods send about `volume` packets.
pub fn list(volume: usize) -> Vec<Attack> {
    let mut all = headers::list();
    for list in [
        fragments::list,
        tcp::list,
        streams::list,
        http::list,
        tls::list,
        dns::list,
        quic::list,
        names::list,
    ] {
        all.extend(list(volume));
    }
    all
}

/// All of [`list`] with times, 100 000 packets in a second, and what goes wrong with times and copies.
pub fn timed(volume: usize) -> Vec<Attack> {
    let start = Timestamp::from_secs(1_700_000_000);
    let step = Duration::from_micros(10);
    let run = move |packets: Packets| -> Packets {
        let mut ts = start;
        Box::new(packets.map(move |packet| {
            ts = ts + step;
            Packet { ts, ..packet }
        }))
    };
    let ordinary =
        || run(Box::new(Bystanders::new((volume / 17).clamp(1, 20_000) as u16).packets()));
    let names = [
        "times a second back",
        "times an hour back",
        "times ten years back",
        "times two hours ahead",
        "times a year ahead",
        "times a century ahead",
        "times of zero",
        "equal times",
    ];
    let clocks = names.into_iter().zip(clock::Wrong::ALL).map(|(name, wrong)| Attack {
        name,
        packets: Box::new(clock::wrong(ordinary(), wrong, 20, 1)),
        fate: Fate::Tracked,
    });
    // A copy of the piece that made a datagram whole begins another.
    let copies = Fate::Either(&[Loss::FragIncomplete]);
    let doubled = [("every packet twice", 2), ("every packet four times", 4)]
        .map(|(name, n)| attack(name, copies, damage::repeated(ordinary(), n)));
    let listed = list(volume).into_iter();
    let listed = listed.map(|attack| Attack { packets: run(attack.packets), ..attack });
    listed.chain(clocks).chain(doubled).collect()
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
        let names: HashSet<_> = timed(1).iter().map(Attack::slug).collect();
        assert_eq!(names.len(), timed(1).len());
        for (one, two) in timed(50).into_iter().zip(timed(50)) {
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

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use flowscope_core::{LinkType, PacketView, Timestamp};

/// Detects duplicates of packets, such as a mirror port makes when it sees a packet come in and go
/// out.
///
/// A duplicate equals another packet at most one time window before or after it, from the network
/// layer on. Link header and VLAN tags may differ, and so may time to live and header checksum, so
/// that copies taken before and after a router are found too.
///
/// Only the length and the first 128 bytes are compared. A TCP retransmission is not a duplicate if
/// the host numbers its packets (IPv4 identification) or timestamps its segments (RFC 7323), as
/// nearly all hosts do. False positives: packets that a host really sent twice within the window,
/// over IPv6 or with identification 0, such as a repeated query. False negatives: copies so late
/// that too many other packets came between.
///
/// Memory: 16 bytes for each of 65 536 packets, allocated at once. Cost: a keyed hash of the first
/// 128 bytes of each packet.
#[derive(Clone, Debug)]
pub struct Dedup {
    window: Duration,
    keys: RandomState,
    /// Sets of [`WAYS`] entries; the hash of a packet selects its set.
    places: Box<[[Place; WAYS]]>,
    copies: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// 0 if the entry is empty.
    hash: u64,
    ts: Timestamp,
}

const WAYS: usize = 4;
const SETS: usize = 65_536 / WAYS;

/// Bytes compared, from the network layer on; the length is compared too.
const PREFIX: usize = 128;

impl Default for Dedup {
    /// A window of 5 ms.
    fn default() -> Self {
        Dedup::new(Duration::from_millis(5))
    }
}

impl Dedup {
    /// Detects duplicates at most `window` before or after a packet.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        let places = vec![[Place::default(); WAYS]; SETS].into_boxed_slice();
        Dedup { window, keys: RandomState::new(), places, copies: 0 }
    }

    /// Whether an equal packet was passed to this method within the window.
    pub fn is_copy(&mut self, packet: PacketView<'_>) -> bool {
        let hash = self.hash(packet);
        // Uses the upper bits: the lowest bit is always set.
        let set = &mut self.places[(hash >> 32) as usize % SETS];
        let ts = packet.ts();
        let near = |place: &Place| {
            place.hash == hash && place.ts.max(ts).since(place.ts.min(ts)) <= self.window
        };
        if set.iter().any(near) {
            self.copies += 1;
            return true;
        }
        // Replaces the entry of the same packet at another time, or the oldest.
        let same = set.iter().position(|place| place.hash == hash);
        let oldest = (0..WAYS).min_by_key(|&at| set[at].ts);
        set[same.or(oldest).unwrap_or(0)] = Place { hash, ts };
        false
    }

    /// Number of duplicates found.
    #[must_use]
    pub fn copies(&self) -> u64 {
        self.copies
    }

    fn hash(&self, packet: PacketView<'_>) -> u64 {
        let from = network_layer(packet);
        let rest = packet.frame().get(from..).unwrap_or_default();
        let mut prefix = [0; PREFIX];
        let len = rest.len().min(PREFIX);
        prefix[..len].copy_from_slice(&rest[..len]);
        match prefix[0] >> 4 {
            // Time to live, header checksum.
            4 => [prefix[8], prefix[10], prefix[11]] = [0; 3],
            // Hop limit.
            6 => prefix[7] = 0,
            _ => {}
        }
        let mut hasher = self.keys.build_hasher();
        hasher.write(&prefix[..len]);
        hasher.write_u64((u64::from(packet.wire_len()).saturating_sub(from as u64)) << 32);
        // 0 marks an empty entry.
        hasher.finish() | 1
    }
}

/// Offset of the network layer, for the link types of mirror ports; 0 for others.
fn network_layer(packet: PacketView<'_>) -> usize {
    match packet.link() {
        LinkType::ETHERNET => {
            let frame = packet.frame();
            let mut at = 12;
            while let Some([0x81, 0x00] | [0x88, 0xa8] | [0x91, 0x00]) =
                frame.get(at..at + 2).filter(|_| at < 12 + 4 * MOST_TAGS)
            {
                at += 4;
            }
            at + 2
        }
        LinkType::LINUX_SLL => 16,
        LinkType::LINUX_SLL2 => 20,
        _ => 0,
    }
}

const MOST_TAGS: usize = 8;

#[cfg(test)]
mod tests {
    use flowscope_testkit::{Packet, Rng, frame};

    use super::*;

    fn packet(id: u32, at: u64) -> Packet {
        let mut packet = frame()
            .ethernet()
            .ipv4("10.0.0.1", "10.0.0.2")
            .fragment(id, 0, false)
            .udp(1000, 53)
            .payload(b"who is it")
            .packet();
        packet.ts = Timestamp::from_nanos(at * 1000);
        packet
    }

    fn check(first: &Packet, second: &Packet, expected: bool) {
        let mut dedup = Dedup::default();
        assert!(!dedup.is_copy(first.view()));
        assert_eq!(dedup.is_copy(second.view()), expected, "{first:?} {second:?}");
        assert_eq!(dedup.copies(), u64::from(expected));
    }

    #[test]
    fn copies_are_near_in_time_and_the_same_from_the_network_layer_on() {
        let first = packet(7, 1_000_000);
        // At most the window before or after: its ends are within.
        check(&first, &packet(7, 1_005_000), true);
        check(&first, &packet(7, 995_000), true);
        check(&first, &packet(7, 1_005_001), false);
        check(&first, &packet(7, 994_999), false);
        check(&first, &packet(8, 1_000_001), false);

        let shape = || frame().ethernet_between([9; 6], [8; 6]);
        let ip = |ttl| {
            let mut packet = shape()
                .vlan(100)
                .ipv4("10.0.0.1", "10.0.0.2")
                .ttl(ttl)
                .fragment(7, 0, false)
                .udp(1000, 53)
                .payload(b"who is it")
                .packet();
            packet.ts = Timestamp::from_nanos(1_000_001_000);
            packet
        };
        check(&first, &ip(64), true);
        check(&first, &ip(63), true);

        let mut other = first.clone();
        let last = other.bytes.len() - 1;
        other.bytes[last] ^= 1;
        check(&first, &other, false);
    }

    /// A link header says who forwards a packet, which is another host for its copy.
    #[test]
    fn the_network_layer_begins_behind_all_of_the_link_header() {
        let ip = frame().ipv4("10.0.0.1", "10.0.0.2").udp(1000, 53).payload(b"who").build();
        let behind = |link, header: &[u8]| {
            let bytes = [header, &ip].concat();
            let wire_len = bytes.len() as u32;
            Packet { bytes, link, ts: Timestamp::from_secs(1), wire_len, vlan: None }
        };
        let mut tags = [0; 12].to_vec();
        for tpid in [[0x81, 0x00], [0x88, 0xa8], [0x91, 0x00]] {
            tags.extend([tpid, [0, 7]].concat());
        }
        tags.extend([0x08, 0x00]);
        let plain = [&[0; 12][..], &[0x08, 0x00]].concat();
        for (link, header) in [
            (LinkType::ETHERNET, &plain[..]),
            (LinkType::ETHERNET, &tags),
            (LinkType::LINUX_SLL, &[0; 16]),
            (LinkType::LINUX_SLL2, &[0; 20]),
            (LinkType::RAW, &[]),
        ] {
            check(&behind(LinkType::ETHERNET, &plain), &behind(link, header), true);
            let mut other = behind(link, header);
            other.bytes[header.len()] ^= 0x40;
            check(&behind(link, header), &other, false);
        }
    }

    /// Time to live and header checksum change in each router; addresses and the next header do not.
    #[test]
    fn what_a_router_changes_makes_no_difference() {
        for (changes, ip) in [
            (&[8, 10, 11][..], frame().ipv4("10.0.0.1", "10.0.0.2").udp(1000, 53).payload(b"who")),
            (&[7], frame().ipv6("fd00::1", "fd00::2").udp(1000, 53).payload(b"who")),
        ] {
            let ip = ip.packet();
            for at in 0..ip.bytes.len() {
                let mut routed = ip.clone();
                // Not the version, by which the fields are known.
                routed.bytes[at] ^= 1;
                check(&ip, &routed, changes.contains(&at));
            }
        }
    }

    #[test]
    fn what_differs_in_length_alone_is_no_copy() {
        let long = |len| {
            let payload = vec![5; len];
            let ip = frame().ethernet().ipv6("fd00::1", "fd00::2").udp(1, 2);
            ip.payload(&payload).packet()
        };
        // Beyond what is looked at; only the length in the header, which is hidden here, tells.
        let (mut one, mut other) = (long(1000), long(1001));
        for packet in [&mut one, &mut other] {
            packet.bytes[18..20].copy_from_slice(&[0; 2]);
            packet.bytes[58..62].copy_from_slice(&[0; 4]);
        }
        check(&one, &other, false);
    }

    #[test]
    fn a_repeated_packet_is_heard_again_after_the_window() {
        let mut dedup = Dedup::default();
        // Every 4 ms the same: a copy of the one before, but not for ever.
        let told: Vec<bool> =
            (0..6).map(|n| dedup.is_copy(packet(7, 1_000_000 + n * 4000).view())).collect();
        assert_eq!(told, [false, true, false, true, false, true]);
    }

    #[test]
    fn mirrored_traffic_counts_as_the_traffic() {
        let mut rng = Rng::new(17);
        for times in [2, 4] {
            // 200 000 packets in one second, each copied with up to 2 ms of jitter.
            let mut all: Vec<(u64, u32)> = Vec::new();
            for n in 0..200_000_u32 {
                let at = 1_000_000 + u64::from(n) * 5;
                all.push((at, n));
                all.extend((1..times).map(|_| (at + rng.below(2000) as u64, n)));
            }
            all.sort_unstable();
            let mut template = packet(0, 0);
            let mut dedup = Dedup::default();
            let mut passed = 0_u64;
            for (at, n) in all {
                // The identification has 16 bits; the rest of the number is in the payload.
                template.bytes[18..20].copy_from_slice(&(n as u16).to_be_bytes());
                let last = template.bytes.len() - 1;
                template.bytes[last] = (n >> 16) as u8;
                template.ts = Timestamp::from_nanos(at * 1000);
                passed += u64::from(!dedup.is_copy(template.view()));
            }
            assert!((200_000..=200_020).contains(&passed), "{times} times: {passed}");
        }
    }

    #[test]
    fn every_set_is_used() {
        let mut dedup = Dedup::default();
        for n in 0..SETS as u32 * 16 {
            dedup.is_copy(PacketView::new(&n.to_be_bytes(), LinkType::RAW, Timestamp::ZERO));
        }
        let unused = dedup.places.iter().filter(|set| set[0].hash == 0).count();
        assert!(unused < SETS / 1000, "{unused} of {SETS}");
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut rng = Rng::new(3);
        let mut dedup = Dedup::default();
        for len in 0..200 {
            let bytes: Vec<u8> = (0..len).map(|_| rng.below(256) as u8).collect();
            for link in [LinkType::ETHERNET, LinkType::RAW, LinkType::LINUX_SLL] {
                let view = PacketView::new(&bytes, link, Timestamp::ZERO);
                dedup.is_copy(view);
            }
            let tags = [0x81, 0].repeat(len);
            dedup.is_copy(PacketView::new(&tags, LinkType::ETHERNET, Timestamp::ZERO));
        }
    }
}

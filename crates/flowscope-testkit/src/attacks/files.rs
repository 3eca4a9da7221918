//! Capture files that are cut, that lie about lengths, or that grow when they are read.

use std::time::Duration;

use flowscope_core::{LinkType, Timestamp};

use super::capture::{block, enhanced, interface, pcap_header, pcap_record, section};
use super::tcp;
use crate::{Packet, Rng};

/// A hostile capture file.
#[derive(Clone, Debug)]
pub struct File {
    /// Description.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// All of this module; the larger ones have about `volume` packets.
#[must_use]
pub fn list(volume: usize) -> Vec<File> {
    let file = |name, bytes| File { name, bytes };
    vec![
        file("a record of 4 GiB", long_record(u32::MAX)),
        file("a record of 2 GiB", long_record(1 << 31)),
        file(
            "a block of 4 GiB",
            [section(), [6, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff].repeat(2)].concat(),
        ),
        file("blocks of no length", [section(), [6, 0, 0, 0, 0, 0, 0, 0].repeat(volume)].concat()),
        file("two lengths of a block", two_lengths()),
        file("options that reach beyond their block", options()),
        file("10000 interfaces", interfaces(10_000)),
        file("packets of interfaces that are not there", strangers()),
        file("sections of both byte orders", mixed_orders(volume.min(1000))),
        file("every time resolution", resolutions()),
        file("records without bytes", empty_records(volume)),
        file("a gzip bomb", gzip_bomb(volume * 16)),
        file("a gzip bomb that is cut", {
            let whole = gzip_bomb(volume * 16);
            whole[..whole.len() / 2].to_vec()
        }),
        file("a capture cut in its last record", cut(volume)),
        file("a capture with flipped bits", flipped(volume, 1)),
    ]
}

/// A pcap and a pcapng file of a few packets, to cut anywhere.
#[must_use]
pub fn sound() -> [Vec<u8>; 2] {
    let packets = packets(6);
    let mut ng = [section(), interface(LinkType::ETHERNET, 9)].concat();
    ng.extend(packets.iter().flat_map(|packet| enhanced(0, packet)));
    [pcap(&packets), ng]
}

fn packets(n: usize) -> Vec<Packet> {
    let mut ts = Timestamp::from_secs(1_700_000_000);
    let timed = tcp::slow_open(n.div_ceil(8)).take(n).map(|packet| {
        ts = ts + Duration::from_micros(10);
        Packet { ts, ..packet }
    });
    timed.collect()
}

fn pcap(packets: &[Packet]) -> Vec<u8> {
    let records = packets.iter().flat_map(pcap_record);
    pcap_header(LinkType::ETHERNET).into_iter().chain(records).collect()
}

fn long_record(captured: u32) -> Vec<u8> {
    let mut bytes = pcap(&packets(3));
    bytes.extend([1, 0, captured, captured].into_iter().flat_map(u32::to_le_bytes));
    bytes.extend([7; 100]);
    bytes
}

fn two_lengths() -> Vec<u8> {
    let mut bytes = sound()[1].clone();
    let last = bytes.len() - 4;
    bytes[last] ^= 0x40;
    bytes.extend(enhanced(0, &packets(1)[0]));
    bytes
}

fn options() -> Vec<u8> {
    let mut bytes = section();
    for len in [4_u16, 5, 100, 0xfffc, 0xffff] {
        let [low, high] = len.to_le_bytes();
        bytes.extend(block(1, &[1, 0, 0, 0, 0, 0, 4, 0, 9, 0, low, high, 9, 0, 0, 0]));
    }
    bytes.extend(enhanced(0, &packets(1)[0]));
    bytes
}

fn interfaces(n: u32) -> Vec<u8> {
    let mut bytes = section();
    (0..n).for_each(|_| bytes.extend(interface(LinkType::ETHERNET, 9)));
    for (at, packet) in packets(100).iter().enumerate() {
        bytes.extend(enhanced((at as u32 * 101) % n, packet));
    }
    bytes
}

fn strangers() -> Vec<u8> {
    let mut bytes = [section(), interface(LinkType::ETHERNET, 9)].concat();
    for (at, packet) in packets(20).iter().enumerate() {
        let number = [0, 1, u32::MAX][at % 3];
        bytes.extend(enhanced(number, packet));
    }
    bytes
}

fn mixed_orders(sections: usize) -> Vec<u8> {
    let little = sound()[1].clone();
    // The same section header, big endian, and no packet: its interface has another link type.
    let mut big = Vec::new();
    big.extend(0x0a0d_0d0a_u32.to_be_bytes());
    big.extend([0, 0, 0, 28]);
    big.extend(0x1a2b_3c4d_u32.to_be_bytes());
    big.extend([0, 1, 0, 0]);
    big.extend([0xff; 8]);
    big.extend([0, 0, 0, 28]);
    big.extend([0, 0, 0, 1, 0, 0, 0, 20, 0, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20]);
    [big, little].concat().repeat(sections.max(1))
}

/// `if_tsresol` of every value: powers of ten and of two that no clock has.
fn resolutions() -> Vec<u8> {
    let mut bytes = section();
    (0..=255).for_each(|resolution| bytes.extend(interface(LinkType::ETHERNET, resolution)));
    for number in 0..=255 {
        for packet in packets(2) {
            bytes.extend(enhanced(number, &packet));
        }
    }
    bytes
}

fn empty_records(n: usize) -> Vec<u8> {
    let mut bytes = pcap_header(LinkType::ETHERNET);
    bytes.resize(bytes.len() + 16 * n, 0);
    bytes
}

/// A capture of `len` zeros behind its header, about 158 times smaller: one block of fixed Huffman codes
/// (RFC 1951 §3.2.6) that repeats a byte.
fn gzip_bomb(len: usize) -> Vec<u8> {
    let header = pcap_header(LinkType::ETHERNET);
    let repeats = len / 258;
    let mut bits = Bits::default();
    bits.put(0b011, 3);
    for byte in header.iter().copied().chain([0]) {
        // Literals 0–143 have codes of 8 bits from 0x30, the others codes of 9 bits from 0x190.
        match u32::from(byte) {
            byte @ 0..=143 => bits.code(0x30 + byte, 8),
            byte => bits.code(0x190 + byte - 144, 9),
        }
    }
    for _ in 0..repeats {
        // Length 258, then distance 1.
        bits.code(0b1100_0101, 8);
        bits.code(0, 5);
    }
    bits.code(0, 7);
    let size = header.len() + 1 + repeats * 258;
    let zeros = std::iter::repeat_n(0, 1 + repeats * 258);
    let sum = crc32(header.iter().copied().chain(zeros));
    let start = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    [&start[..], &bits.finish(), &sum.to_le_bytes(), &(size as u32).to_le_bytes()].concat()
}

/// Bits, the lowest of each byte first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    word: u32,
    len: u32,
}

impl Bits {
    fn put(&mut self, value: u32, len: u32) {
        self.word |= value << self.len;
        self.len += len;
        while self.len >= 8 {
            self.bytes.push(self.word as u8);
            self.word >>= 8;
            self.len -= 8;
        }
    }

    /// A Huffman code, whose highest bit comes first.
    fn code(&mut self, value: u32, len: u32) {
        self.put(value.reverse_bits() >> (32 - len), len);
    }

    fn finish(mut self) -> Vec<u8> {
        if self.len > 0 {
            self.bytes.push(self.word as u8);
        }
        self.bytes
    }
}

fn crc32(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 }
        })
    })
}

fn cut(n: usize) -> Vec<u8> {
    let mut bytes = pcap(&packets(n.clamp(2, 10_000)));
    bytes.truncate(bytes.len() - 7);
    bytes
}

fn flipped(n: usize, seed: u64) -> Vec<u8> {
    let mut bytes = pcap(&packets(n.clamp(2, 10_000)));
    let mut rng = Rng::new(seed);
    for _ in 0..bytes.len() / 500 + 1 {
        // The header stays, or there is nothing to read.
        let at = 24 + rng.below(bytes.len() - 24);
        bytes[at] ^= 1 << rng.below(8);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_gzip() {
        assert_eq!(crc32(b"123456789".iter().copied()), 0xcbf4_3926);
    }

    #[test]
    fn names_are_unique_and_files_the_same_on_every_run() {
        let (one, two) = (list(20), list(20));
        for (at, file) in one.iter().enumerate() {
            assert_eq!(file.bytes, two[at].bytes, "{}", file.name);
            assert!(one[at + 1..].iter().all(|other| other.name != file.name));
        }
    }
}

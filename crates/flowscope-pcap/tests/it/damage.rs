//! Files that are cut, corrupted, or something else.

use flowscope_pcap::{Expected, ReadConfig, ReadError};

use crate::make::{
    MICROS, MODIFIED, NANOS, Order, Pieces, Random, block, enhanced, interface, pcap, record,
    sample_pcap, sample_pcapng, section, simple,
};
use crate::read::{Failing, Trickle, read, read_with};

/// Every prefix gives the whole packets in it, and the error that fits.
fn check_prefixes(file: &Pieces) {
    let all = read(file.bytes.as_slice());
    assert!(all.error.is_none(), "{:?}", all.error);
    for len in 0..file.bytes.len() {
        let outcome = read(&file.bytes[..len]);
        let whole = file.ends.iter().take_while(|(end, _)| *end <= len);
        let packets = whole.clone().filter(|(_, packet)| packet.is_some()).count();
        assert_eq!(outcome.packets, all.packets[..packets], "of {len} bytes");
        if len < 4 {
            assert!(matches!(outcome.error, Some(ReadError::NotACapture { .. })), "{len} bytes");
            continue;
        }
        let boundary = whole.clone().last().map_or(0, |(end, _)| *end);
        if boundary == len {
            assert!(outcome.error.is_none(), "{len} bytes: {:?}", outcome.error);
            continue;
        }
        assert_eq!(outcome.damaged_at(), Some(boundary as u64), "{len} bytes");
        let Some(ReadError::Damaged { expected: Expected::Whole { need, have, .. }, .. }) =
            outcome.error
        else {
            panic!("{len} bytes: {:?}", outcome.error);
        };
        assert_eq!(have, (len - boundary) as u64);
        assert!(need > have);
        let cut = file.ends[whole.count()];
        let told = cut.1.is_some_and(|head| len - boundary >= head);
        assert_eq!(outcome.truncated, u64::from(told), "{len} bytes");
    }
}

#[test]
fn every_prefix_of_a_pcap_file() {
    for magic in [MICROS, NANOS, MODIFIED] {
        check_prefixes(&sample_pcap(Order::Little, magic, 40));
    }
    check_prefixes(&sample_pcap(Order::Big, MICROS, 40));
}

#[test]
fn every_prefix_of_a_pcapng_file() {
    check_prefixes(&sample_pcapng(40));
}

#[test]
fn what_never_was_a_capture_is_named() {
    let table: &[(&[u8], &str)] = &[
        (b"", "it is empty"),
        (b"\xd4\xc3\xb2", "it begins with the bytes d4 c3 b2"),
        (b"GET / HTTP/1.1\r\n\r\n", "it begins with the bytes 47 45 54 20"),
        (b"\xfd7zXZ\0....", "it is xz data, which is not decompressed here"),
        (b"snoop\0\0\0\0\0\0\x02", "it is a snoop capture, which is not read here"),
        (b"\n\r\r\nnot a section", "it begins with the bytes 0a 0d 0d 0a"),
    ];
    for (bytes, expected) in table {
        let outcome = read(*bytes);
        let Some(ReadError::NotACapture { found, .. }) = outcome.error else {
            panic!("{:?}", outcome.error);
        };
        assert_eq!(found, *expected);
    }
}

#[test]
fn damage_is_named_and_placed() {
    let order = Order::Little;
    let start = || {
        let mut file = section(order);
        file.extend(interface(order, 1, 0, &[]));
        file.extend(enhanced(order, 0, 1, &[1, 2, 3], 3, &[]));
        file
    };
    let at = start().len();
    let check = |tail: &[u8], expected: &str| {
        let mut file = start();
        file.extend(tail);
        let outcome = read(file.as_slice());
        assert_eq!(outcome.packets.len(), 1, "{expected}");
        assert_eq!(outcome.damaged_at(), Some(at as u64), "{expected}");
        let message = outcome.error.map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(message, format!("input: byte {at}: expected {expected}"));
    };
    check(&enhanced(order, 7, 1, &[], 0, &[]), "one of 1 interfaces, found number 7");
    let mut lengths = enhanced(order, 0, 1, &[], 0, &[]);
    lengths[28] ^= 4;
    check(&lengths, "a block whose length is the same at both ends");
    let mut caplen = enhanced(order, 0, 1, &[9; 8], 8, &[]);
    caplen[20] = 200;
    check(&caplen, "a packet that fits its block");
    check(&block(order, 6, &[0; 16]), "a packet block of at least 32 bytes");
    check(&block(order, 3, &[]), "a simple packet block of at least 16 bytes");
    check(&simple(order, &[1, 2], 99), "a packet that fits its block");
    check(&block(order, 1, &[0; 4]), "an interface description block");
    check(&[9, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0], "a block of at least 12 bytes");
    check(&[9; 11], "a block of 12 bytes, found the end after 11");
    check(&[9; 400], "a block of at most 16777216 bytes, found one that claims 151587081");
    check(
        &interface(order, 1, 0, &[(9, &[99])]),
        "a clock of at most 10^18 or 2^60 ticks a second, found 10^99",
    );
    let mut version = section(order);
    version[12] = 2;
    check(&version, "format version 1, found 2.0");
    let mut magic = section(order);
    magic[8] = 2;
    check(&magic, "a byte-order magic");
}

#[test]
fn a_pcap_file_of_another_version_is_damaged() {
    let mut file = pcap(Order::Little, MICROS, 1);
    file[4] = 3;
    let outcome = read(file.as_slice());
    assert_eq!(outcome.damaged_at(), Some(0));
}

#[test]
fn a_length_of_two_gibibytes_takes_no_memory() {
    let mut file = pcap(Order::Little, MICROS, 1);
    file.extend(record(Order::Little, 1, 0, &[1, 2, 3], 3));
    let at = file.len();
    file.extend(record(Order::Little, 2, 0, &[1, 2, 3], 3));
    file[at + 8..at + 12].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let outcome = read(file.as_slice());
    assert_eq!(outcome.packets.len(), 1);
    assert_eq!(outcome.buffer, 64 * 1024);
    let Some(ReadError::Damaged { offset, expected, .. }) = outcome.error else { panic!() };
    assert_eq!(offset, at as u64);
    let claimed = 0x7fff_ffff + 16;
    assert_eq!(expected, Expected::AtMost { record: "packet record", max: 1 << 24, claimed });

    // Within the limit the length is believed, and the memory still follows the bytes.
    file[at + 8..at + 12].copy_from_slice(&0xf0_0000_u32.to_le_bytes());
    let outcome = read(file.as_slice());
    assert_eq!((outcome.packets.len(), outcome.truncated), (1, 1));
    assert_eq!(outcome.buffer, 64 * 1024);
    file.resize(at + 100_000, 0);
    assert_eq!(read(file.as_slice()).buffer, 128 * 1024);
}

#[test]
fn the_limit_of_a_record_does_not_depend_on_the_buffer() {
    let mut file = pcap(Order::Little, MICROS, 1);
    for len in [84, 85, 10] {
        file.extend(record(Order::Little, 1, 0, &vec![0; len], 0));
    }
    for most in [1, 1000] {
        let config = ReadConfig::default().max_record(100).name("small.pcap");
        let outcome = read_with(Trickle::new(&file, most), config);
        assert_eq!(outcome.packets.len(), 1);
        let message = outcome.error.map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(
            message,
            "small.pcap: byte 124: expected a packet record of at most 100 bytes, \
             found one that claims 101"
        );
    }
}

#[test]
fn descriptions_are_bounded_below_packets() {
    let order = Order::Little;
    let mut file = section(order);
    file.extend(block(order, 1, &vec![0; 1 << 20]));
    let outcome = read(file.as_slice());
    let Some(ReadError::Damaged { expected, .. }) = outcome.error else { panic!() };
    assert!(matches!(expected, Expected::AtMost { max: 0x10_0000, .. }), "{expected}");
    // A block that is only passed over may be longer.
    let mut file = section(order);
    file.extend(block(order, 10, &vec![0; 2 << 20]));
    file.extend(interface(order, 1, 0, &[]));
    assert!(read(file.as_slice()).error.is_none());
}

#[test]
fn an_input_that_fails_is_no_damage() {
    let file = sample_pcap(Order::Little, MICROS, 40);
    for len in [0, 3, 10, 24, 500, file.bytes.len()] {
        let outcome = read(Failing(&file.bytes[..len]));
        let whole = file.ends.iter().take_while(|(end, _)| *end <= len);
        let packets = whole.filter(|(_, packet)| packet.is_some()).count();
        assert_eq!(outcome.packets.len(), packets);
        let message = outcome.error.as_ref().map(ToString::to_string).unwrap_or_default();
        assert_eq!(message, "input: the cable was pulled", "{len} bytes");
        assert!(matches!(outcome.error, Some(ReadError::Io { .. })));
    }
}

/// Thousands of files with 1 to 6 wrong bytes: each ends, and says the same however it is read.
#[test]
fn corruption_never_panics_or_hangs() {
    let mut random = Random(7);
    let files = [
        sample_pcap(Order::Little, MICROS, 12).bytes,
        sample_pcap(Order::Big, NANOS, 12).bytes,
        sample_pcap(Order::Little, MODIFIED, 12).bytes,
        sample_pcapng(12).bytes,
    ];
    let mut errors = 0;
    for round in 0..8000 {
        let mut file = files[round % files.len()].clone();
        for _ in 0..=random.below(6) {
            let at = random.below(file.len());
            file[at] = match random.below(3) {
                0 => 0xff,
                1 => file[at] ^ (1 << random.below(8)),
                _ => random.next() as u8,
            };
        }
        let whole = read(file.as_slice());
        errors += usize::from(whole.error.is_some());
        if round % 8 < 4 {
            let trickled = read(Trickle::new(&file, 40));
            assert_eq!(trickled.facts(), whole.facts());
        }
    }
    assert!(errors > 1000, "only {errors} of the files were noticed to be damaged");
}

#[test]
fn noise_behind_a_good_start_never_panics_or_hangs() {
    let mut random = Random(9);
    for round in 0..2000 {
        let mut file = match round % 3 {
            0 => pcap(Order::Little, MICROS, 1),
            1 => section(Order::Little),
            _ => section(Order::Big),
        };
        let small = random.below(2) == 0;
        for _ in 0..random.below(500) {
            let byte = random.next() as u8;
            file.push(if small { byte % 8 * (byte / 128) } else { byte });
        }
        let _ = read(file.as_slice());
    }
}

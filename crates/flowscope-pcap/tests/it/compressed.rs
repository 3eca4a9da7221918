//! gzip and zstd, recognised by what they begin with.

use std::io::Write;

use flate2::write::GzEncoder;
use flowscope_core::PacketSource;
use flowscope_pcap::{CaptureReader, Compression, ReadError};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::make::{MICROS, Order, Random, record, sample_pcap, sample_pcapng};
use crate::read::{Failing, Trickle, read};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// Compresses in pieces that have nothing to do with records.
fn in_pieces(bytes: &[u8], compress: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    bytes.chunks(1000).flat_map(compress).collect()
}

/// Frames that decoders pass over (RFC 8878, section 3.1.2).
fn skippable(len: u32) -> Vec<u8> {
    let mut frame = vec![0x5a, 0x2a, 0x4d, 0x18];
    frame.extend(len.to_le_bytes());
    frame.resize(8 + len as usize, 0xee);
    frame
}

#[test]
fn compressed_captures_say_the_same() {
    for file in [sample_pcap(Order::Little, MICROS, 200).bytes, sample_pcapng(200).bytes] {
        let plain = read(file.as_slice());
        let mut skipped = skippable(0);
        skipped.extend(skippable(100));
        skipped.extend(in_pieces(&file, zstd));
        skipped.extend(skippable(70_000));
        let compressed = [
            (Compression::Gzip, gzip(&file)),
            (Compression::Gzip, in_pieces(&file, gzip)),
            (Compression::Zstd, zstd(&file)),
            (Compression::Zstd, in_pieces(&file, zstd)),
            (Compression::Zstd, skipped),
        ];
        for (method, bytes) in compressed {
            assert_eq!(read(bytes.as_slice()).facts(), plain.facts(), "{method}");
            for most in [1, 100] {
                assert_eq!(read(Trickle::new(&bytes, most)).facts(), plain.facts(), "{method}");
            }
            let mut reader = CaptureReader::new(bytes.as_slice()).unwrap();
            assert_eq!(reader.compression(), method);
            while reader.next_batch(&mut |_| ()).unwrap() > 0 {}
            assert_eq!(reader.compressed_position(), bytes.len() as u64);
            assert_eq!(reader.position(), file.len() as u64);
        }
    }
}

/// What decoders pass over is part of the file: one that ends within it is not whole.
#[test]
fn a_frame_that_is_passed_over_has_to_be_whole() {
    let file = sample_pcap(Order::Little, MICROS, 20).bytes;
    let all = [zstd(&file), skippable(100)].concat();
    assert!(read(all.as_slice()).error.is_none());
    for missing in [1, 99, 100] {
        let outcome = read(&all[..all.len() - missing]);
        assert_eq!(outcome.packets.len(), 20);
        assert!(matches!(outcome.error, Some(ReadError::Damaged { .. })), "{missing}");
    }
}

/// However it is cut, packets come out up to the cut, then one error.
fn check_cuts(file: &[u8], compressed: &[u8], step: usize, least: impl Fn(usize) -> usize) {
    let all = read(file).packets;
    for len in (0..compressed.len()).step_by(step) {
        let outcome = read(&compressed[..len]);
        assert!(all.starts_with(&outcome.packets), "{len} bytes");
        let packets = outcome.packets.len();
        assert!(packets >= least(len), "{len} bytes gave {packets} packets");
        match outcome.error {
            Some(ReadError::NotACapture { .. }) => assert_eq!(packets, 0),
            Some(ReadError::Damaged { .. }) => {}
            // Between two members or frames, which is between two records by chance only.
            None => assert!(packets > 0, "{len} bytes"),
            Some(error) => panic!("{len} bytes: {error}"),
        }
    }
}

#[test]
fn cut_compressed_captures() {
    let file = sample_pcap(Order::Little, MICROS, 60).bytes;
    for compress in [gzip, zstd] {
        check_cuts(&file, &compress(&file), 1, |_| 0);
        check_cuts(&file, &in_pieces(&file, compress), 1, |_| 0);
    }
}

/// What is lost at a cut is not the window of the method, only what is within its unit.
#[test]
fn cuts_lose_little() {
    let mut file = sample_pcap(Order::Little, MICROS, 0).bytes;
    let (mut random, packets) = (Random(3), 2000);
    for _ in 0..packets {
        let frame: Vec<_> = (0..400).map(|_| random.next() as u8 & 0x3f).collect();
        file.extend(record(Order::Little, 1, 2, &frame, 400));
    }
    let compressed = gzip(&file);
    let evenly = |len: usize| packets * len / compressed.len();
    check_cuts(&file, &compressed, 30_011, |len| evenly(len).saturating_sub(100));
    let compressed = zstd(&file);
    let evenly = |len: usize| packets * len / compressed.len();
    // Two blocks of 128 KiB at most.
    check_cuts(&file, &compressed, 30_011, |len| {
        evenly(len).saturating_sub(100 + (256 << 10) / 416)
    });
}

#[test]
fn the_error_names_the_method_and_the_record() {
    let file = sample_pcap(Order::Little, MICROS, 400);
    let whole = in_pieces(&file.bytes, gzip);
    let outcome = read(&whole[..whole.len() * 2 / 3]);
    assert!(outcome.packets.len() > 100);
    let at = outcome.damaged_at().expect("a cut file is damaged");
    assert!(file.ends.iter().any(|(end, _)| *end as u64 == at), "{at} is no record's start");
    let message = outcome.error.map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("expected more gzip data, found damage"), "{message}");
}

#[test]
fn corrupt_compressed_captures_never_panic_or_hang() {
    let mut random = Random(11);
    let file = sample_pcapng(30).bytes;
    let files = [gzip(&file), in_pieces(&file, gzip), zstd(&file), in_pieces(&file, zstd)];
    for round in 0..4000 {
        let mut bytes = files[round % files.len()].clone();
        for _ in 0..=random.below(6) {
            let at = random.below(bytes.len());
            bytes[at] = random.next() as u8;
        }
        let whole = read(bytes.as_slice());
        if round % 8 < 4 {
            assert_eq!(read(Trickle::new(&bytes, 30)).facts(), whole.facts());
        }
    }
}

#[test]
fn a_wrong_checksum_is_damage() {
    let file = sample_pcap(Order::Little, MICROS, 10).bytes;
    for compress in [gzip, zstd] {
        let mut bytes = compress(&file);
        // gzip ends with checksum and length, zstd with a checksum.
        let at = bytes.len() - if bytes.starts_with(&[0x1f]) { 8 } else { 4 };
        bytes[at] ^= 1;
        let outcome = read(bytes.as_slice());
        assert_eq!(outcome.packets.len(), 10);
        assert_eq!(outcome.damaged_at(), Some(file.len() as u64));
    }
}

#[test]
fn one_layer_is_taken_off() {
    let file = sample_pcap(Order::Little, MICROS, 3).bytes;
    let Some(ReadError::NotACapture { found, .. }) = read(gzip(&gzip(&file)).as_slice()).error
    else {
        panic!("two layers were read");
    };
    assert_eq!(found, "it is gzip data, decompressed");
    let Some(ReadError::NotACapture { found, .. }) = read(gzip(b"").as_slice()).error else {
        panic!("nothing was read");
    };
    assert_eq!(found, "gzip data of nothing");
}

#[test]
fn an_input_that_fails_is_no_damage_to_the_compressed_data() {
    let file = in_pieces(&sample_pcap(Order::Little, MICROS, 400).bytes, gzip);
    let outcome = read(Failing(&file[..file.len() / 2]));
    assert!(!outcome.packets.is_empty());
    assert!(matches!(outcome.error, Some(ReadError::Io { .. })), "{:?}", outcome.error);
}

/// A file of a megabyte that decompresses to a gigabyte, one packet record again and again.
#[test]
fn a_bomb_takes_time_but_no_memory() {
    let mut bytes = sample_pcap(Order::Little, MICROS, 1).bytes;
    bytes.truncate(24);
    let mut bomb = gzip(&bytes);
    // Records of no bytes, all fields zero.
    let zeros = gzip(&vec![0; 16 << 20]);
    for _ in 0..4 {
        bomb.extend(&zeros);
    }
    let mut reader = CaptureReader::new(bomb.as_slice()).unwrap();
    while reader.next_batch(&mut |_| ()).unwrap() > 0 {}
    assert_eq!(reader.packets(), 4 << 20);
    assert_eq!(reader.buffer_capacity(), 64 * 1024);
}

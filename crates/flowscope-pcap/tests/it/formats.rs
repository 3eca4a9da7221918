//! What intact files say.

use flowscope_core::{LinkType, PacketSource, PacketView};
use flowscope_pcap::{CaptureReader, Compression, Expected, Format, ReadError};
use pcap_parser::pcapng::{parse_enhancedpacketblock_be, parse_enhancedpacketblock_le};

use crate::make::{
    MICROS, MODIFIED, NANOS, ORDERS, Order, Random, block, enhanced, frame, interface, obsolete,
    pcap, record, sample_pcap, sample_pcapng, section, simple, statistics,
};
use crate::read::{Packet, Trickle, read};

fn packet(ts: u64, link: u16, wire: u32, interface: u32, frame: &[u8]) -> Packet {
    Packet { ts, link, wire, interface: Some(interface), frame: frame.to_vec() }
}

#[test]
fn pcap_in_both_orders_and_resolutions() {
    for order in ORDERS {
        for (magic, scale) in [(MICROS, 1000), (NANOS, 1)] {
            let frame = frame(1, 60);
            let mut file = pcap(order, magic, 1);
            file.extend(record(order, 1_700_000_000, 999, &frame, 1500));
            file.extend(record(order, u32::MAX, 0, &[], 0));
            let outcome = read(file.as_slice());
            assert!(outcome.error.is_none(), "{order:?} {magic:x}: {:?}", outcome.error);
            let expected = [
                packet(1_700_000_000_000_000_000 + 999 * scale, 1, 1500, 0, &frame),
                packet(u64::from(u32::MAX) * 1_000_000_000, 1, 0, 0, &[]),
            ];
            assert_eq!(outcome.packets, expected);
            let [interface] = &outcome.interfaces[..] else { panic!("one interface") };
            assert_eq!((interface.link(), interface.snaplen()), (LinkType::ETHERNET, 262_144));
            assert_eq!(interface.ticks_per_second(), 1_000_000_000 / scale);
        }
    }
}

#[test]
fn modified_pcap_has_longer_record_headers() {
    let file = sample_pcap(Order::Little, MODIFIED, 20);
    let same = sample_pcap(Order::Little, MICROS, 20);
    let (modified, plain) = (read(file.bytes.as_slice()), read(same.bytes.as_slice()));
    assert!(modified.error.is_none());
    assert_eq!(modified.packets, plain.packets);
}

#[test]
fn a_pcap_link_type_is_the_lower_half_of_its_field() {
    // A frame check sequence of two 16-bit words follows each frame.
    let mut file = pcap(Order::Little, MICROS, 0x2400_0000 | 276);
    file.extend(record(Order::Little, 1, 0, &[1, 2, 3], 3));
    assert_eq!(read(file.as_slice()).packets[0].link, 276);
}

#[test]
fn wire_length_is_at_least_what_was_captured() {
    let mut file = pcap(Order::Little, MICROS, 1);
    file.extend(record(Order::Little, 1, 0, &[0; 60], 20));
    assert_eq!(read(file.as_slice()).packets[0].wire, 60);
}

#[test]
fn a_fraction_beyond_a_second_carries_over() {
    let mut file = pcap(Order::Little, NANOS, 1);
    file.extend(record(Order::Little, 1, 1_500_000_000, &[], 0));
    assert_eq!(read(file.as_slice()).packets[0].ts, 2_500_000_000);
}

#[test]
fn empty_captures_are_captures() {
    let files = [pcap(Order::Big, NANOS, 1), section(Order::Big), {
        let mut file = section(Order::Little);
        file.extend(interface(Order::Little, 1, 0, &[]));
        file
    }];
    for file in files {
        let outcome = read(file.as_slice());
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        assert!(outcome.packets.is_empty());
    }
}

#[test]
fn sections_count_interfaces_on_and_have_their_own_byte_order() {
    let mut file = Vec::new();
    for (order, link) in [(Order::Little, 1), (Order::Big, 101), (Order::Little, 113)] {
        file.extend(section(order));
        file.extend(interface(order, link, 0, &[]));
        file.extend(enhanced(order, 0, 5, &[7; 3], 3, &[]));
        file.extend(interface(order, 228, 0, &[(9, &[9])]));
        file.extend(enhanced(order, 1, 1 << 40, &[8; 5], 9, &[(1, b"why")]));
        file.extend(enhanced(order, 0, 6, &[], 0, &[]));
    }
    let outcome = read(file.as_slice());
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let mut expected = Vec::new();
    for (base, link) in [(0, 1), (2, 101), (4, 113)] {
        expected.push(packet(5000, link, 3, base, &[7; 3]));
        expected.push(packet(1 << 40, 228, 9, base + 1, &[8; 5]));
        expected.push(packet(6000, link, 0, base, &[]));
    }
    assert_eq!(outcome.packets, expected);
    assert_eq!(outcome.interfaces.len(), 6);
}

#[test]
fn simple_blocks_have_the_time_before_them_and_are_cut_by_the_snap_length() {
    for order in ORDERS {
        let frame = frame(3, 70);
        let mut file = section(order);
        file.extend(interface(order, 1, 70, &[]));
        file.extend(simple(order, &frame, 70));
        file.extend(enhanced(order, 0, 9, &frame, 70, &[]));
        file.extend(simple(order, &frame, 1514));
        file.extend(section(order));
        file.extend(interface(order, 1, 0, &[]));
        file.extend(simple(order, &frame[..61], 61));
        let outcome = read(file.as_slice());
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        let expected = [
            packet(0, 1, 70, 0, &frame),
            packet(9000, 1, 70, 0, &frame),
            packet(9000, 1, 1514, 0, &frame),
            packet(9000, 1, 61, 1, &frame[..61]),
        ];
        assert_eq!(outcome.packets, expected);

        let mut own = Vec::new();
        let mut reader = CaptureReader::new(file.as_slice()).expect("a capture");
        while reader
            .next_batch(&mut |views| own.extend(views.iter().map(PacketView::has_own_time)))
            .expect("no damage")
            > 0
        {}
        assert_eq!(own, [false, true, false, false]);
        assert_eq!(reader.untimed_packets(), 3);
    }
}

#[test]
fn obsolete_blocks_have_sixteen_bits_of_interface() {
    for order in ORDERS {
        let mut file = section(order);
        file.extend(interface(order, 1, 0, &[]));
        file.extend(interface(order, 101, 0, &[]));
        file.extend(obsolete(order, 1, 7, &[1, 2, 3, 4, 5], 500));
        let outcome = read(file.as_slice());
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        assert_eq!(outcome.packets, [packet(7000, 101, 500, 1, &[1, 2, 3, 4, 5])]);
    }
}

#[test]
fn interfaces_say_what_they_are_and_what_they_dropped() {
    for order in ORDERS {
        let mut file = section(order);
        let opts: &[(u16, &[u8])] = &[
            (2, b"eth0"),
            (3, "uplink é".as_bytes()),
            (9, &[0x80 | 20]),
            (14, &order.u64(-3600_i64 as u64)),
            (11, b"\0tcp port 80"),
        ];
        file.extend(interface(order, 1, 96, opts));
        file.extend(interface(order, 113, 0, &[]));
        file.extend(statistics(order, 0, &[(4, 100), (5, 1), (7, 2)]));
        file.extend(statistics(order, 1, &[(5, 9)]));
        file.extend(statistics(order, 0, &[(4, 200), (5, 11)]));
        // Of an interface that there is not.
        file.extend(statistics(order, 2, &[(5, 1)]));
        file.extend(section(order));
        file.extend(interface(order, 1, 0, &[]));
        file.extend(statistics(order, 0, &[(7, 5)]));
        let outcome = read(file.as_slice());
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        let [first, second, third] = &outcome.interfaces[..] else { panic!("three interfaces") };
        assert_eq!((first.name(), first.description()), (Some("eth0"), Some("uplink é")));
        assert_eq!((first.link(), first.snaplen()), (LinkType::ETHERNET, 96));
        assert_eq!((first.ticks_per_second(), first.time_offset()), (1 << 20, -3600));
        assert_eq!(first.received(), Some(200));
        assert_eq!((first.dropped(), first.dropped_by_os()), (Some(11), Some(2)));
        assert_eq!((second.name(), second.ticks_per_second()), (None, 1_000_000));
        assert_eq!((second.received(), second.dropped()), (None, Some(9)));
        assert_eq!((third.dropped(), third.dropped_by_os()), (None, Some(5)));
    }
}

#[test]
fn every_resolution_is_read_or_named_as_damage() {
    for order in ORDERS {
        for resolution in 0..=u8::MAX {
            let (binary, exponent) = (resolution & 0x80 != 0, u32::from(resolution & 0x7f));
            let mut file = section(order);
            let at = file.len() as u64;
            file.extend(interface(order, 1, 0, &[(9, &[resolution])]));
            let second = if binary { 1_u64 << (exponent % 64) } else { 10_u64.pow(exponent % 19) };
            file.extend(enhanced(order, 0, second, &[], 0, &[]));
            file.extend(enhanced(order, 0, u64::MAX, &[], 0, &[]));
            let outcome = read(file.as_slice());
            if exponent <= if binary { 60 } else { 18 } {
                assert!(outcome.error.is_none(), "{resolution:#x}: {:?}", outcome.error);
                assert_eq!(outcome.packets[0].ts, 1_000_000_000, "{resolution:#x}");
            } else {
                let Some(ReadError::Damaged { offset, expected, .. }) = outcome.error else {
                    panic!("{resolution:#x} was read");
                };
                assert_eq!((offset, expected), (at, Expected::Resolution(resolution)));
            }
        }
    }
}

#[test]
fn time_offsets_saturate() {
    for order in ORDERS {
        for (offset, expected) in [
            (0_i64, 1_000_000_000),
            (5, 6_000_000_000),
            (-1, 0),
            (-2, 0),
            (i64::MIN, 0),
            (i64::MAX, u64::MAX),
        ] {
            let mut file = section(order);
            let value = order.u64(offset.cast_unsigned());
            file.extend(interface(order, 1, 0, &[(14, &value)]));
            file.extend(enhanced(order, 0, 1_000_000, &[], 0, &[]));
            assert_eq!(read(file.as_slice()).packets[0].ts, expected, "{order:?} {offset}");
        }
    }
}

#[test]
fn long_packets_are_read_whole() {
    let long = frame(5, 200_000);
    let mut file = pcap(Order::Little, MICROS, 1);
    file.extend(record(Order::Little, 1, 0, &[1], 1));
    file.extend(record(Order::Little, 2, 0, &long, 200_000));
    file.extend(record(Order::Little, 3, 0, &[2], 1));
    let outcome = read(file.as_slice());
    assert!(outcome.error.is_none());
    assert_eq!(outcome.packets.len(), 3);
    assert_eq!(outcome.packets[1].frame, long);
    assert_eq!(outcome.buffer, 256 * 1024);

    let mut file = section(Order::Big);
    file.extend(interface(Order::Big, 1, 0, &[]));
    file.extend(enhanced(Order::Big, 0, 1, &long, 200_000, &[]));
    assert_eq!(read(file.as_slice()).packets[0].frame, long);
}

#[test]
fn ten_thousand_interfaces() {
    let order = Order::Little;
    let mut file = section(order);
    for number in 0..10_000 {
        file.extend(interface(order, number, 0, &[(2, b"veth")]));
        file.extend(enhanced(order, number.into(), 1, &[1, 2], 2, &[]));
    }
    let outcome = read(file.as_slice());
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.interfaces.len(), 10_000);
    for (number, packet) in outcome.packets.iter().enumerate() {
        assert_eq!((packet.link as usize, packet.interface), (number, Some(number as u32)));
    }
}

#[test]
fn interfaces_are_bounded() {
    let order = Order::Little;
    let mut file = section(order);
    for _ in 0..=65_536 {
        file.extend(interface(order, 1, 0, &[]));
    }
    let outcome = read(file.as_slice());
    assert_eq!(outcome.interfaces.len(), 65_536);
    let Some(ReadError::Damaged { expected, .. }) = outcome.error else { panic!("no error") };
    assert_eq!(expected, Expected::FewerInterfaces(65_536));
}

#[test]
fn the_answer_does_not_depend_on_how_the_bytes_come() {
    let files = [
        sample_pcap(Order::Little, MICROS, 300).bytes,
        sample_pcap(Order::Big, NANOS, 300).bytes,
        sample_pcapng(300).bytes,
    ];
    for file in files {
        let whole = read(file.as_slice());
        assert!(whole.error.is_none());
        assert!(whole.packets.len() >= 300);
        for most in [1, 2, 7, 100, 5000] {
            let trickled = read(Trickle::new(&file, most));
            assert_eq!(trickled.facts(), whole.facts(), "at most {most} bytes at a time");
        }
    }
}

#[test]
fn getters_follow_the_file() {
    let file = sample_pcapng(10).bytes;
    let mut reader = CaptureReader::new(file.as_slice()).unwrap();
    assert_eq!((reader.format(), reader.compression()), (Format::PcapNg, Compression::None));
    while reader.next_batch(&mut |_| ()).unwrap() > 0 {}
    assert_eq!(reader.position(), file.len() as u64);
    assert_eq!(reader.compressed_position(), file.len() as u64);
    assert_eq!(reader.packets(), 20);
    assert_eq!(reader.name(), "input");

    let file = sample_pcap(Order::Little, MICROS, 1).bytes;
    let reader = CaptureReader::new(file.as_slice()).unwrap();
    assert_eq!(reader.format(), Format::Pcap);
    assert_eq!(reader.interfaces().len(), 1, "known as soon as the file is open");
}

/// The one kind of block that is read here as well as by the parser.
#[test]
fn enhanced_packet_blocks_are_read_as_the_parser_reads_them() {
    let mut random = Random(42);
    let mut agreed = 0;
    for round in 0..20_000 {
        let order = ORDERS[round % 2];
        let frame = frame(round as u64, random.below(80));
        let opts: &[(u16, &[u8])] = if random.below(2) == 0 { &[] } else { &[(1, b"remark")] };
        let (ticks, wire) = (random.next() >> 12, random.next() as u32);
        let mut bytes = enhanced(order, 0, ticks, &frame, wire, opts);
        // Lengths at both ends stay, or the block would not be framed at all.
        if random.below(2) == 0 {
            for _ in 0..=random.below(3) {
                let at = 8 + random.below(bytes.len() - 12);
                bytes[at] = random.next() as u8;
            }
        }
        let theirs = match order {
            Order::Little => parse_enhancedpacketblock_le(&bytes),
            Order::Big => parse_enhancedpacketblock_be(&bytes),
        };
        let mut file = section(order);
        file.extend(interface(order, 1, 0, &[(9, &[9])]));
        file.extend(&bytes);
        let ours = read(file.as_slice());
        let Ok((_, theirs)) = theirs else { continue };
        if theirs.if_id != 0 {
            assert!(ours.packets.is_empty(), "a packet of interface {}", theirs.if_id);
            continue;
        }
        agreed += 1;
        let caplen = theirs.caplen as usize;
        let ts = u64::from(theirs.ts_high) << 32 | u64::from(theirs.ts_low);
        let wire = theirs.origlen.max(theirs.caplen);
        assert_eq!(ours.packets, [packet(ts, 1, wire, 0, &theirs.data[..caplen])]);
    }
    assert!(agreed > 10_000, "only {agreed} blocks were comparable");
}

#[test]
fn blocks_of_unknown_kinds_are_passed_over() {
    let order = Order::Big;
    let mut file = section(order);
    file.extend(interface(order, 1, 0, &[]));
    for kind in [4, 7, 9, 10, 11, 0x0bad, 0x4000_0bad, 0x8000_0001, u32::MAX] {
        file.extend(block(order, kind, &[0xff; 13]));
        file.extend(enhanced(order, 0, 1, &[1], 1, &[]));
    }
    let outcome = read(file.as_slice());
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.packets.len(), 9);
}

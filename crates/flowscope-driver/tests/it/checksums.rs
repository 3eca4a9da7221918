//! Checksums: those of sound packets are right, and a bit that differs is noticed wherever it is.

use flowscope_driver::{Checksums, DriverConfig, FlowDriver};
use flowscope_testkit::{Frame, Packet, frame};

use super::EXTRACTOR;

/// Whether the packet has a wrong checksum.
fn is_bad(packet: &Packet) -> bool {
    let config = DriverConfig::default().checksums(Checksums::Count);
    let mut driver = FlowDriver::with_config(EXTRACTOR, config);
    driver.handle_packet(packet.view());
    assert_eq!(driver.checksums().offloaded, 0);
    driver.checksums().bad > 0
}

/// Packets of every transport that has a checksum, with the place of their addresses and of their payload.
fn packets(payload: &[u8]) -> Vec<(Packet, std::ops::Range<usize>, usize)> {
    let v4 = || frame().ethernet().ipv4("10.1.2.3", "192.0.2.77");
    let v6 = || frame().ethernet().ipv6("2001:db8:1:2:3:4:5:6", "fd00:9:a:b:c:d:e:f");
    let built = |f: Frame, header: usize| {
        let packet = f.payload(payload).packet();
        let addresses = if packet.bytes[12] == 0x08 { 26..34 } else { 22..54 };
        let at = addresses.end + header;
        (packet, addresses, at)
    };
    vec![
        built(v4().tcp(40_000, 80), 20),
        built(v4().udp(40_000, 80), 8),
        built(v4().echo_request(1, 2), 8),
        built(v6().tcp(40_000, 80), 20),
        built(v6().udp(40_000, 80), 8),
        built(v6().icmp(128, 0), 8),
    ]
}

#[test]
fn sound_packets_of_any_length_have_right_checksums() {
    for len in (0..70).chain([1399, 1400]) {
        for fill in [0x00, 0x5a, 0xff] {
            for (packet, ..) in packets(&vec![fill; len]) {
                assert!(!is_bad(&packet), "{len} {fill:#x} {packet:02x?}");
            }
        }
    }
}

#[test]
fn a_bit_that_differs_is_noticed_wherever_it_is() {
    for len in [15, 16] {
        let payload: Vec<u8> = (1..=len).collect();
        for (packet, addresses, payload_at) in packets(&payload) {
            for at in addresses.chain(payload_at..packet.bytes.len()) {
                for bit in [0, 3, 7] {
                    let mut other = packet.clone();
                    other.bytes[at] ^= 1 << bit;
                    assert!(is_bad(&other), "byte {at}, bit {bit}: {packet:02x?}");
                }
            }
            // The snap length took the last byte: nothing can be said.
            assert!(!is_bad(&packet.cut(packet.bytes.len() - 1)));
        }
    }
}

/// The header of IPv4 has a checksum of its own (RFC 791 §3.1), whatever follows it.
#[test]
fn the_header_alone_is_verified() {
    let v4 = || frame().ethernet().ipv4("10.1.2.3", "192.0.2.77");
    for packet in [v4().protocol(253).packet(), v4().udp(1, 2).payload(b"xy").packet()] {
        assert!(!is_bad(&packet), "{packet:02x?}");
        // Time to live: no other checksum is about it.
        let mut other = packet.clone();
        other.bytes[22] ^= 1;
        assert!(is_bad(&other), "{other:02x?}");
    }
}

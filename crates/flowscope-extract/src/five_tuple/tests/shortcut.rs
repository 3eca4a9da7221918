//! The shortcut for ordinary packets gives what the general walk gives, on every input.

use std::net::SocketAddr;

use flowscope_core::{Fragment, IcmpInfo, L4Proto, LinkType, TcpInfo, Timestamp};
use flowscope_testkit::{Nesting, Packet as Captured, Rng, samples};
use proptest::prelude::*;

use super::*;
use crate::walk::{innermost, peel, peel_general};

const LAYERS: [Layer; 11] = [
    Layer::Vlan,
    Layer::Mpls,
    Layer::Pppoe,
    Layer::Vxlan,
    Layer::Geneve,
    Layer::Gre,
    Layer::Nvgre,
    Layer::GtpU,
    Layer::IpIp,
    Layer::Teredo,
    Layer::Ayiya,
];

fn check(view: PacketView<'_>) {
    for layer in LAYERS {
        let cursors = [peel, peel_general].map(|peel| {
            let mut inside = view;
            let peeled = peel(&mut inside, layer);
            assert!(peeled == Ok(true) || inside.cursor() == view.cursor(), "{layer:?}: {view:?}");
            (peeled, *inside.cursor())
        });
        if cursors[0] != cursors[1] {
            panic!("{layer:?}: {cursors:?} of {view:?}");
        }
    }
    let pair = innermost(&view).ok().and_then(|at| IpPair.extract(view.at(at)));
    assert_eq!(AutoDetectEncap(IpPair).extract(view), pair, "{view:?}");
    for extractor in [FiveTuple::bidirectional(), FiveTuple::unidirectional()] {
        let general = extractor.general(view);
        assert_eq!(extractor.extract(view), general, "{view:?}");
        // In a place that held another packet, nothing of that is left.
        let mut place = Some(another());
        extractor.extract_into(&view, &mut place);
        assert_eq!(place, general, "{view:?}");

        let inside = innermost(&view).ok().and_then(|at| extractor.general(view.at(at)));
        assert_eq!(AutoDetectEncap(extractor).extract(view), inside, "{view:?}");
        let mut place = Some(another());
        AutoDetectEncap(extractor).extract_into(&view, &mut place);
        assert_eq!(place, inside, "{view:?}");
    }
}

/// What is found in a packet like no other, everything set.
fn another() -> Extracted<FiveTupleKey> {
    let end = |port| SocketAddr::from(([1, 2, 3, 4], port));
    let (key, orientation) = FiveTupleKey::new(L4Proto::Sctp, end(1), end(2)).expect("both IPv4");
    let mut found = Extracted::new(key, orientation);
    found.l4 = Some(L4Proto::Sctp);
    found.tcp = Some(TcpInfo { urgent: 7, ..TcpInfo::default() });
    found.ports = Some((1, 2));
    found.icmp = Some(IcmpInfo { kind: 1, code: 2, id: Some(3), quoted_at: Some(4) });
    found.l4_at = 5;
    found.fragment = Some(Fragment { id: 1, offset: 2, more: true, header_at: 3 });
    found.corrupt = true;
    found
}

/// The views of one packet that a shortcut could treat differently.
fn check_all(packet: &Captured) {
    let view = packet.view();
    check(view);
    let joined = Cursor { next: NextHeader::Ip, ..*view.cursor() };
    check(view.with_joined(2, packet.wire_len / 2, Timestamp::ZERO));
    check(view.with_joined(2, packet.wire_len * 2, Timestamp::ZERO).at(joined));
    check(view.at(Cursor { next: NextHeader::EtherType(0x0800), offset: 14, ..joined }));
    check(view.at(Cursor { next: NextHeader::EtherType(0x86dd), offset: 14, ..joined }));
    check(view.at(Cursor { next: NextHeader::Link(LinkType::ETHERNET), offset: 50, ..joined }));
}

#[test]
fn on_sound_packets_cut_at_every_byte() {
    for (_, packet) in samples() {
        for len in 0..=packet.bytes.len() {
            check_all(&packet.cut(len));
            let mut short = packet.cut(len);
            short.wire_len = len as u32;
            check_all(&short);
        }
        for wire_len in 0..200 {
            let mut longer = packet.clone();
            longer.wire_len += wire_len;
            check_all(&longer);
        }
    }
}

#[test]
fn with_every_value_of_every_header_byte() {
    const NEAR: [&str; 19] = [
        "tcp",
        "syn",
        "udp",
        "ipv6 tcp",
        "ipv6 udp",
        "vlan",
        "ipv4 total length 0",
        "qinq",
        "mpls",
        "pppoe",
        "vxlan",
        "geneve",
        "geneve ip",
        "vxlan over ipv6",
        "gtp-u over ipv6",
        "gre",
        "gre key",
        "gtp-u",
        "4in4",
    ];
    for (_, packet) in samples().into_iter().filter(|(name, _)| NEAR.contains(name)) {
        let mut changed = packet.clone();
        // Behind the addresses of the Ethernet header.
        for at in 12..packet.bytes.len().min(72) {
            for value in 0..=u8::MAX {
                changed.bytes[at] = value;
                check(changed.view());
            }
            changed.bytes[at] = packet.bytes[at];
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn on_damaged_packets(seed: u64) {
        let mut rng = Rng::new(seed);
        let samples = samples();
        for _ in 0..8 {
            let (_, packet) = rng.pick(&samples);
            let damaged = packet.damaged(&mut rng);
            check_all(&damaged);
        }
    }

    #[test]
    fn on_damaged_nestings(seed: u64) {
        let mut rng = Rng::new(seed);
        let depth = rng.below(10);
        let packet = Nesting::new(&mut rng, depth).packet;
        check_all(&packet);
        check_all(&packet.cut(rng.below(packet.bytes.len())));
        check_all(&packet.clone().stripped_vlan(7));
        for _ in 0..4 {
            check_all(&packet.damaged(&mut rng));
        }
    }

    #[test]
    fn on_any_bytes(
        bytes in proptest::collection::vec(any::<u8>(), 0..120),
        more in 0u32..100,
        link in prop_oneof![Just(1u16), Just(101)],
    ) {
        let wire_len = bytes.len() as u32 + more;
        let mut packet =
            Captured { bytes, link: LinkType(link), ts: Timestamp::ZERO, wire_len, vlan: None };
        check_all(&packet);
        // Noise seldom looks like IP of its own accord.
        for (at, value) in [(12, 0x08), (13, 0x00), (14, 0x45), (20, 0x40), (21, 0), (23, 6)] {
            if let Some(byte) = packet.bytes.get_mut(at) {
                *byte = value;
            }
            check_all(&packet);
        }
    }
}

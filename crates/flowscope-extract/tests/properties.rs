//! What holds for every input, of every extractor.

use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};

use flowscope_core::{
    Extracted, FlowExtractor, FlowSide, L4Proto, LinkType, PacketView, Refusal, Timestamp,
};
use flowscope_extract::{
    AutoDetectEncap, FiveTuple, FiveTupleKey, FlowLabel, InnerGeneve, InnerGre, InnerGtpU,
    InnerIpIp, InnerVxlan, IpPair, MacPair, OrPlain, Scoped, StripMpls, StripPppoe, StripVlan,
};
use flowscope_testkit::{Dialogue, Packet, Rng, samples, views};
use proptest::prelude::*;

/// Asks an extractor, and checks what must hold of any answer.
fn ask<E: FlowExtractor>(extractor: &E, view: PacketView<'_>) -> Option<Extracted<E::Key>> {
    let found = extractor.extract(view);
    match &found {
        Some(found) => {
            let payload = found.payload;
            assert!(payload.captured <= payload.wire_len);
            assert_eq!(payload.of(&view).len(), payload.captured as usize);
            assert!(found.tcp.is_none() || found.l4 == Some(L4Proto::Tcp));
        }
        // An ordinary refusal of the ledger, whatever it is.
        None => drop(format!("{:?}", extractor.explain(view))),
    }
    found
}

fn ask_all(view: PacketView<'_>) {
    let five = FiveTuple::bidirectional();
    ask(&five, view);
    ask(&FiveTuple::unidirectional(), view);
    ask(&IpPair, view);
    ask(&MacPair, view);
    ask(&StripVlan(five), view);
    ask(&OrPlain(StripVlan(IpPair)), view);
    ask(&AutoDetectEncap(five), view);
    ask(&AutoDetectEncap(MacPair), view);
    if let Some(found) = AutoDetectEncap(five).extract(view) {
        let shown = (found.key.to_string(), format!("{:?}", found.key));
        assert!(!shown.0.is_empty() && !shown.1.is_empty());
        assert_ne!(found.key.community_id(0), found.key.community_id(1));
        assert_ne!(found.key.shard_hash(), 0);
    }
}

const LINKS: [u16; 22] = [
    0, 1, 6, 9, 10, 12, 14, 50, 51, 101, 104, 105, 107, 108, 113, 127, 147, 192, 228, 229, 239, 276,
];

#[test]
fn unknown_link_types_are_named() {
    let five = FiveTuple::bidirectional();
    for link in 0..400 {
        let view = PacketView::new(&[0x45; 100], LinkType(link), Timestamp::ZERO);
        let known = LINKS.contains(&link) && ![147, 192].contains(&link);
        let unsupported =
            five.extract(view).is_none() && five.explain(view) == Refusal::LinkUnsupported;
        assert_eq!(unsupported, !known, "link type {link}");
    }
}

/// Cut anywhere, a packet has the key that it has when whole, or none; and what the headers say does
/// not depend on how much was captured behind them.
fn check_cuts<E>(extractor: &E, name: &str, packet: &Packet)
where
    E: FlowExtractor<Key: Debug>,
{
    let uncut = extractor.extract(packet.view());
    for len in 0..packet.bytes.len() {
        let Some(cut) = extractor.extract(packet.cut(len).view()) else { continue };
        let uncut = uncut.as_ref().unwrap_or_else(|| panic!("{name} at {len}: {cut:?} is made up"));
        let what = format!("{name} at {len}");
        assert_eq!((&cut.key, cut.orientation), (&uncut.key, uncut.orientation), "{what}");
        assert_eq!((cut.ip, cut.path, cut.l4), (uncut.ip, uncut.path, uncut.l4), "{what}");
        assert_eq!(cut.fragment, uncut.fragment, "{what}");
        assert!(cut.ports.is_none() || cut.ports == uncut.ports, "{what}");
        assert!(cut.icmp.is_none() || cut.icmp.map(|i| i.kind) == uncut.icmp.map(|i| i.kind));
        assert!(cut.tcp.is_none() || uncut.tcp.is_some(), "{what}");
        // Where the transport header is missing and need not be read, all of it counts as payload.
        let is_opaque =
            (cut.ports, cut.icmp) == (None, None) && (uncut.ports, uncut.icmp) != (None, None);
        // And a datagram whose own length was cut off is taken to fill its packet.
        let is_unknown = cut.l4 == Some(L4Proto::Udp) && cut.payload.captured == 0;
        assert!(
            is_opaque || is_unknown || cut.payload.wire_len <= uncut.payload.wire_len,
            "{what}"
        );
    }
}

fn check_cuts_of_all(name: &str, packet: &Packet) {
    let five = FiveTuple::bidirectional();
    check_cuts(&five, name, packet);
    check_cuts(&FiveTuple::unidirectional(), name, packet);
    check_cuts(&AutoDetectEncap(five), name, packet);
    check_cuts(&Scoped(AutoDetectEncap(five)), name, packet);
    check_cuts(&FlowLabel(AutoDetectEncap(Scoped(five))), name, packet);
    check_cuts(&AutoDetectEncap(IpPair), name, packet);
    check_cuts(&AutoDetectEncap(MacPair), name, packet);
    check_cuts(&OrPlain(StripVlan(five)), name, packet);
    check_cuts(&OrPlain(StripMpls(OrPlain(InnerGre(five)))), name, packet);
    check_cuts(&OrPlain(StripPppoe(IpPair)), name, packet);
    check_cuts(&OrPlain(InnerVxlan(OrPlain(StripVlan(five)))), name, packet);
    check_cuts(&OrPlain(InnerGeneve(MacPair)), name, packet);
    check_cuts(&OrPlain(InnerGtpU(five)), name, packet);
    check_cuts(&Scoped(OrPlain(InnerIpIp(five))), name, packet);
    check_cuts(&OrPlain(AutoDetectEncap(five)), name, packet);
}

/// The packet as the first piece of a datagram, and as a later one, at its outermost and its
/// innermost IPv4 header.
fn pieces(packet: &Packet) -> Vec<Packet> {
    let auto = AutoDetectEncap(FiveTuple::bidirectional());
    let innermost = auto.extract(packet.view()).filter(|found| found.ip.version == 4);
    let outermost = IpPair.extract(packet.view()).filter(|found| found.ip.version == 4);
    let headers = [innermost.map(|found| found.ip), outermost.map(|found| found.ip)];
    headers
        .into_iter()
        .flatten()
        .flat_map(|ip| [(ip, [0x20, 0]), (ip, [0, 8])])
        .map(|(ip, field)| {
            let mut piece = packet.clone();
            piece.bytes[ip.header_at as usize + 6..][..2].copy_from_slice(&field);
            piece
        })
        .collect()
}

#[test]
fn a_cut_never_makes_up_a_key() {
    let mut rng = Rng::new(1);
    let mut fragments = 0;
    for (name, sample) in samples() {
        check_cuts_of_all(name, &sample);
        for piece in pieces(&sample) {
            fragments += 1;
            check_cuts_of_all(name, &piece);
        }
        for _ in 0..4 {
            let mut packet = sample.damaged(&mut rng);
            packet.wire_len = packet.wire_len.max(packet.bytes.len() as u32);
            check_cuts_of_all(name, &packet);
        }
    }
    assert!(fragments > 100, "the samples are mostly IPv4");
}

#[test]
fn a_dialogue_is_one_flow() {
    for (client, server) in [
        ("10.0.0.1:40000", "10.0.0.2:80"),
        ("10.0.0.9:80", "10.0.0.2:40000"),
        ("[::2]:9", "[::1]:10"),
    ] {
        let packets = Dialogue::tcp(client, server)
            .handshake()
            .data(FlowSide::Initiator, b"ping")
            .data(FlowSide::Responder, b"pong")
            .close(FlowSide::Responder)
            .build();
        let found: Vec<_> =
            views(&packets).filter_map(|view| FiveTuple::bidirectional().extract(view)).collect();
        assert_eq!(found.len(), packets.len());
        let first = &found[0];
        assert_eq!(first.key.initiator(first.orientation).to_string(), client);
        assert_eq!(first.key.responder(first.orientation).to_string(), server);
        for packet in &found {
            assert_eq!(packet.key, first.key);
            let from_client = packet.ports == first.ports;
            assert_eq!(packet.orientation == first.orientation, from_client);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), more in 0u32..3) {
        for link in LINKS {
            let view = PacketView::new(&bytes, LinkType(link), Timestamp::ZERO);
            ask_all(view.with_wire_len(bytes.len() as u32 + more * 1000));
        }
    }

    #[test]
    fn no_damaged_packet_panics(seed: u64) {
        let mut rng = Rng::new(seed);
        let (_, packet) = rng.pick(&samples()).clone();
        let mut damaged = packet.damaged(&mut rng);
        ask_all(damaged.view());
        damaged.link = LinkType(*rng.pick(&LINKS));
        ask_all(damaged.view());
    }

    #[test]
    fn keys_are_symmetric(a: [u8; 16], b: [u8; 16], ports: (u16, u16), v4: bool, proto: u8) {
        let addr = |bytes: [u8; 16]| match bytes {
            [a, b, c, d, ..] if v4 => IpAddr::from([a, b, c, d]),
            _ => IpAddr::from(bytes),
        };
        let (a, b) = (SocketAddr::new(addr(a), ports.0), SocketAddr::new(addr(b), ports.1));
        let proto = L4Proto::from_number(proto);
        let (there, way) = FiveTupleKey::new(proto, a, b).expect("one family");
        let (back, other_way) = FiveTupleKey::new(proto, b, a).expect("one family");
        prop_assert_eq!(there, back);
        prop_assert_eq!(there.shard_hash(), back.shard_hash());
        prop_assert_eq!(there.community_id(7), back.community_id(7));
        prop_assert!(there.a() <= there.b());
        if there.a() != there.b() {
            prop_assert_eq!(way, !other_way);
        }
        prop_assert_eq!((there.endpoints(way).0.addr, there.endpoints(way).1.addr), (a.ip(), b.ip()));
    }
}

//! Compositions that open tunnels, and the walk that finds them.

use flowscope_core::PathLayer;
use flowscope_testkit::samples;

use super::*;
use crate::{
    InnerAyiya, InnerGeneve, InnerGre, InnerGtpU, InnerIpIp, InnerNsh, InnerPbb, InnerTeredo,
    InnerVxlan, MacPair, StripMpls, StripPppoe, StripTrustSec, StripVnTag,
};

const FIVE: FiveTuple = FiveTuple::bidirectional();

fn outer() -> Frame {
    frame().ethernet().ipv4("192.0.2.1", "192.0.2.2")
}

fn inner(frame: Frame) -> Captured {
    frame.ipv4(V4[0], V4[1]).tcp(1, 2).payload(b"abc").packet()
}

fn path(found: &Extracted<FiveTupleKey>) -> Vec<(Layer, u32)> {
    found.path.iter().map(|PathLayer { layer, id }| (layer, id)).collect()
}

/// The named composition and the walk both find the inner flow behind these layers.
fn check(
    named: &impl FlowExtractor<Key = FiveTupleKey>,
    packet: &Captured,
    layers: &[(Layer, u32)],
) {
    for found in [named.extract(packet.view()), AutoDetectEncap(FIVE).extract(packet.view())] {
        let found = found.unwrap_or_else(|| panic!("no flow behind {layers:?}"));
        assert_eq!(found.key.to_string(), TCP_KEY);
        assert_eq!(path(&found), layers);
        assert_eq!(found.payload.of(&packet.view()), b"abc");
        let innermost = packet.bytes.len() as u32 - 43;
        assert_eq!((found.ip.header_at, found.l4_at), (innermost, innermost + 20));
    }
}

#[test]
fn each_by_its_name() {
    check(&StripMpls(FIVE), &inner(frame().ethernet().mpls(16)), &[(Layer::Mpls, 16)]);
    check(&StripPppoe(FIVE), &inner(frame().ethernet().pppoe(9)), &[(Layer::Pppoe, 9)]);
    check(&InnerVxlan(FIVE), &inner(outer().vxlan(42).ethernet()), &[(Layer::Vxlan, 42)]);
    let geneve = outer().geneve(42).options(&[0; 12]).ethernet();
    check(&InnerGeneve(FIVE), &inner(geneve), &[(Layer::Geneve, 42)]);
    check(&InnerGeneve(FIVE), &inner(outer().geneve(43)), &[(Layer::Geneve, 43)]);
    check(&InnerGre(FIVE), &inner(outer().gre()), &[(Layer::Gre, 0)]);
    check(&InnerGre(FIVE), &inner(outer().gre_full(7, 8)), &[(Layer::Gre, 7)]);
    check(&InnerGre(FIVE), &inner(outer().gre().ethernet()), &[(Layer::Gre, 0)]);
    let nvgre = outer().gre_key(42 << 8 | 1).ethernet();
    check(&InnerGre(FIVE), &inner(nvgre), &[(Layer::Nvgre, 42)]);
    check(&InnerGre(FIVE), &inner(outer().erspan(3).ethernet()), &[(Layer::Erspan, 3)]);
    check(&InnerGtpU(FIVE), &inner(outer().gtpu(77)), &[(Layer::GtpU, 77)]);
    check(&InnerGtpU(FIVE), &inner(outer().gtpu(77).seq(5)), &[(Layer::GtpU, 77)]);
    check(&InnerIpIp(FIVE), &inner(outer()), &[(Layer::IpIp, 0)]);
    check(&InnerIpIp(FIVE), &inner(v6()), &[(Layer::IpIp, 0)]);
}

#[test]
fn the_rarer_kinds() {
    let session = [(Layer::Erspan, 3)];
    check(&InnerGre(FIVE), &inner(outer().erspan_iii(3, false).ethernet()), &session);
    check(&InnerGre(FIVE), &inner(outer().erspan_iii(3, true).ethernet()), &session);
    check(&InnerGre(FIVE), &inner(outer().erspan_iii(3, true)), &session);
    let first = outer().gre().next(0x88be).ethernet();
    check(&InnerGre(FIVE), &inner(first), &[(Layer::Erspan, 0)]);
    check(&InnerVxlan(FIVE), &inner(outer().vxlan_gpe(42).ethernet()), &[(Layer::Vxlan, 42)]);
    check(&InnerVxlan(FIVE), &inner(outer().vxlan_gpe(42)), &[(Layer::Vxlan, 42)]);
    let plain = outer().udp(9, 4790).vxlan(42).ethernet();
    check(&InnerVxlan(FIVE), &inner(plain), &[(Layer::Vxlan, 42)]);
    check(&InnerGre(FIVE), &inner(outer().pptp(7, false).ppp()), &[(Layer::Gre, 0)]);
    check(&InnerGre(FIVE), &inner(outer().pptp(7, true).ppp_bare()), &[(Layer::Gre, 0)]);
    let extended = outer().gtpu(77).gtpu_extension(0x85, &[9, 9]).gtpu_extension(0xc0, &[0; 6]);
    check(&InnerGtpU(FIVE), &inner(extended), &[(Layer::GtpU, 77)]);
    let closed = |frame: Frame| key(&AutoDetectEncap(FIVE), &frame.packet());
    let tunnel = "192.0.2.1 <-> 192.0.2.2";
    assert_eq!(closed(outer().pptp(7, true).next(0x880b)), tunnel, "an acknowledgement alone");
    assert_eq!(closed(outer().pptp(7, true).ppp().next(0xfd).payload([0; 40])), tunnel);
    let nsh = outer().vxlan_gpe(42).next(4).payload([0; 40]);
    assert_eq!(closed(nsh), "192.0.2.1:49152 <-> 192.0.2.2:4790");
}

#[test]
fn headers_between_ethernet_and_its_payload() {
    let eth = || frame().ethernet();
    check(&StripVnTag(FIVE), &inner(eth().vn_tag(5, 9)), &[(Layer::VnTag, 5)]);
    check(&StripTrustSec(FIVE), &inner(eth().trustsec(16)), &[(Layer::TrustSec, 16)]);
    check(&InnerPbb(FIVE), &inner(eth().pbb(0xab_cdef).ethernet()), &[(Layer::Pbb, 0xab_cdef)]);
    check(&InnerNsh(FIVE), &inner(eth().nsh(42)), &[(Layer::Nsh, 42)]);
    check(&InnerNsh(FIVE), &inner(eth().nsh(42).ethernet()), &[(Layer::Nsh, 42)]);
    let labels = [(Layer::Nsh, 42), (Layer::Mpls, 16)];
    check(&InnerNsh(StripMpls(FIVE)), &inner(eth().nsh(42).mpls(16)), &labels);
    let twice = [(Layer::Nsh, 42), (Layer::Nsh, 43)];
    check(&InnerNsh(InnerNsh(FIVE)), &inner(eth().nsh(42).nsh(43)), &twice);
    // Behind and before tags, as switches have it.
    let tagged = inner(eth().vn_tag(5, 9).vlan(6));
    check(&StripVnTag(StripVlan(FIVE)), &tagged, &[(Layer::VnTag, 5), (Layer::Vlan, 6)]);
    let backbone = inner(eth().vlan_tag(0x88a8, 7).pbb(42).ethernet().vlan(6));
    let layers = [(Layer::Vlan, 7), (Layer::Pbb, 42), (Layer::Vlan, 6)];
    check(&StripVlan(InnerPbb(StripVlan(FIVE))), &backbone, &layers);
    // In tunnels.
    let vxlan = [(Layer::Vxlan, 42), (Layer::Nsh, 7)];
    check(&InnerVxlan(InnerNsh(FIVE)), &inner(outer().vxlan_gpe(42).nsh(7)), &vxlan);
    check(
        &InnerGre(InnerNsh(FIVE)),
        &inner(outer().gre().nsh(7)),
        &[(Layer::Gre, 0), (Layer::Nsh, 7)],
    );
    let geneve = |layer| [(Layer::Geneve, 42), layer];
    let service = inner(outer().geneve(42).options(&[0; 12]).nsh(7));
    check(&InnerGeneve(InnerNsh(FIVE)), &service, &geneve((Layer::Nsh, 7)));
    let labels = inner(outer().geneve(42).mpls(16));
    check(&InnerGeneve(StripMpls(FIVE)), &labels, &geneve((Layer::Mpls, 16)));
    // Other versions, and what they carry.
    for frame in [
        eth().next(0x8909).payload([2, 1, 0, 1, 0, 0, 8, 0]),
        eth().next(0x8909).payload([1, 0, 8, 0, 0, 0, 0, 0]),
        eth().next(0x894f).payload([0x40, 2, 2, 1, 0, 0, 7, 0xff, 0x45, 0]),
        eth().next(0x894f).payload([0, 2, 1, 1, 0, 0, 7, 0xff, 0x45, 0]),
        eth().nsh(7).next(0x42).payload([0x45; 40]),
    ] {
        assert_eq!(key(&AutoDetectEncap(FIVE), &frame.packet()), "NotAFlow");
    }
}

/// RFC 4380 §5.1.1: both headers, one, none; from the server and to it.
#[test]
fn teredo() {
    let udp = |to_server: bool| match to_server {
        true => outer().udp(40_000, 3544),
        false => outer().udp(3544, 40_000),
    };
    let keys =
        |packet: &Captured| [key(&AutoDetectEncap(FIVE), packet), key(&InnerTeredo(FIVE), packet)];
    let inside = "[2001:0:1::1]:1 <-> [2001:db8::2]:2";
    for (to_server, authentication, origin) in
        (0..8).map(|bits| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0))
    {
        let header = udp(to_server).teredo(authentication, origin);
        let packet = header.ipv6("2001:0:1::1", "2001:db8::2").tcp(1, 2).payload(b"abc").packet();
        assert_eq!(keys(&packet), [inside; 2], "{to_server} {authentication} {origin}");
    }
    // What fills no datagram, has no Teredo address, is no IPv6.
    let other = "192.0.2.1:40000 <-> 192.0.2.2:3544";
    let foreign = udp(true).teredo(false, false).ipv6("2001:db8::1", "2001:db8::2").tcp(1, 2);
    for packet in [
        foreign.packet(),
        udp(true).payload([0, 1, 200, 200, 0, 0, 0]).packet(),
        udp(true).payload([0; 8]).packet(),
        udp(true).payload([0x60; 60]).packet(),
        udp(true).payload([0x45; 60]).packet(),
    ] {
        assert_eq!(key(&AutoDetectEncap(FIVE), &packet), other);
    }
    // RFC 6081 §4: trailers behind the packet.
    let packet = frame().ipv6("2001:0:1::1", "2001:db8::2").tcp(1, 2).payload(b"abc").packet();
    for (trailer, key_of) in [(&[4, 2, 9, 9][..], inside), (&[4, 3, 9, 9], other), (&[4], other)] {
        let payload = [&packet.bytes, trailer].concat();
        let packet = udp(true).payload(payload).packet();
        assert_eq!(key(&AutoDetectEncap(FIVE), &packet), key_of, "{trailer:?}");
    }
}

#[test]
fn ayiya() {
    check(&InnerAyiya(FIVE), &inner(outer().ayiya()), &[(Layer::Ayiya, 0)]);
    check(&InnerAyiya(FIVE), &inner(outer().udp(5072, 9).ayiya()), &[(Layer::Ayiya, 0)]);
    let v6 = outer().ayiya().ipv6("2001:db8::1", "2001:db8::2").tcp(1, 2).packet();
    let inside = "[2001:db8::1]:1 <-> [2001:db8::2]:2";
    assert_eq!(key(&AutoDetectEncap(FIVE), &v6), inside);
    // Another operation, another protocol, lengths that fit nothing.
    for payload in [
        &[0x41, 0x52, 0x10, 41, 0, 0, 0, 0][..],
        &[0x41, 0x52, 0x11, 59, 0, 0, 0, 0],
        &[0xf1, 0xf2, 0x11, 41, 0, 0, 0, 0],
        &[0x60; 100],
    ] {
        let packet = outer().udp(1, 5072).payload(payload).packet();
        assert_eq!(key(&AutoDetectEncap(FIVE), &packet), "192.0.2.1:1 <-> 192.0.2.2:5072");
    }
}

#[test]
fn what_is_not_read_has_a_name() {
    let auto = AutoDetectEncap(FIVE);
    let name = |packet: &Captured| auto.unread(packet.view()).map(|header| header.to_string());
    let eth = || frame().ethernet();
    for (frame, expected) in [
        (eth().next(0x0806).payload([0; 28]), "ethertype arp"),
        (eth().vlan(5).next(0x88cc).payload([2, 7, 4, 0]), "ethertype lldp"),
        (eth().vlan(5).next(0x88b5).payload([2, 7, 4, 0]), "ethertype 0x88b5"),
        // A spanning tree frame: its length, LLC with the address 0x42.
        (eth().next(38).payload([0x42, 0x42, 3, 0, 0, 0, 0, 0, 0]), "llc stp"),
    ] {
        let packet = frame.packet();
        assert_eq!(key(&auto, &packet), "NotAFlow");
        assert_eq!(name(&packet).as_deref(), Some(expected));
        assert_eq!(FIVE.unread(packet.view()), auto.unread(packet.view()));
    }
    let link = flowscope_core::LinkType(143);
    let view = PacketView::new(&[0; 60], link, flowscope_core::Timestamp::ZERO);
    assert_eq!(auto.explain(view), Refusal::LinkUnsupported);
    assert_eq!(auto.unread(view).map(|header| header.to_string()).as_deref(), Some("link 143"));
    // Cut before anything is known.
    let view = PacketView::new(
        &[0; 5],
        flowscope_core::LinkType::ETHERNET,
        flowscope_core::Timestamp::ZERO,
    );
    assert_eq!(auto.explain(view), Refusal::HeaderMalformed);
}

#[test]
fn gre_in_udp() {
    let udp = || outer().udp(49152, 4754);
    check(&InnerGre(FIVE), &inner(udp().gre()), &[(Layer::Gre, 0)]);
    check(&InnerGre(FIVE), &inner(udp().gre_key(7)), &[(Layer::Gre, 7)]);
    check(&InnerGre(FIVE), &inner(udp().gre().ethernet()), &[(Layer::Gre, 0)]);
    check(&InnerGre(FIVE), &inner(udp().gre_key(42 << 8).ethernet()), &[(Layer::Nvgre, 42)]);
    let v6 = v6().udp(49152, 4754).gre();
    check(&InnerGre(FIVE), &inner(v6), &[(Layer::Gre, 0)]);
    // Whatever else that port may have been given to.
    for payload in [[0, 0, 8, 0, 0x45, 1, 2, 3], [0; 8], [0xff; 8]] {
        let other = udp().payload(payload).packet();
        assert_eq!(key(&AutoDetectEncap(FIVE), &other), "192.0.2.1:49152 <-> 192.0.2.2:4754");
    }
}

/// MAC addresses that begin as IP headers do, in frames without a control word (RFC 8469).
#[test]
fn pseudo_wires_of_addresses_that_look_like_ip() {
    let labels = || frame().ethernet().mpls(16);
    let layers = [(Layer::Mpls, 16), (Layer::Pseudowire, 0)];
    for first in 0x40..=0x6f {
        // The rest is what would be a length: too short, short enough, too long.
        for rest in [[0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 30, 0, 3], [0x5e; 5], [0xff; 5]] {
            let dst = [first, rest[0], rest[1], rest[2], rest[3], rest[4]];
            for src in [[2, 0, 0, 0, 0, 1], [6, 64, 0, 0, 0, 1], dst] {
                let wire = || labels().ethernet_between(src, dst);
                check(&StripMpls(FIVE), &inner(wire()), &layers);
                let tags = [layers[0], layers[1], (Layer::Vlan, 5)];
                check(&StripMpls(StripVlan(FIVE)), &inner(wire().vlan(5)), &tags);
            }
        }
    }
    // IP remains IP, whatever its addresses are, also with a checksum left to the network card.
    for src in ["8.0.69.0", "8.0.70.1", "129.0.69.0", "134.221.96.0"] {
        for checksum in [None, Some(0)] {
            let header = labels().ipv4(src, "10.0.0.2");
            let header = checksum.map_or(header.clone(), |sum| header.checksum(sum));
            let packet = header.tcp(1, 2).payload([0x45; 60]).packet();
            let found = key(&StripMpls(FIVE), &packet);
            assert!(found.contains(&format!("{src}:1")), "{src}: {found}");
        }
    }
}

/// Bytes of a source address behind a control word stand where the Ethertype of a frame without one does.
#[test]
fn pseudo_wires_of_addresses_that_look_like_ethertypes() {
    let labels = || frame().ethernet().mpls(16);
    let layers = [(Layer::Mpls, 16), (Layer::Pseudowire, 0)];
    for number in [
        0x8100_u16, 0x88a8, 0x9100, 0x9200, 0x9300, 0x8847, 0x8864, 0x8926, 0x88e7, 0x8909, 0x894f,
        0x0800, 0x0806, 0x86dd,
    ] {
        let [hi, lo] = number.to_be_bytes();
        for rest in [[0, 5], [1, 1], [0x11, 0], [0x12, 1], [0x45, 0], [0x60, 0]] {
            let src = [2, 0x42, hi, lo, rest[0], rest[1]];
            for dst in [[2, 0, 0, 0, 0, 2], [0, 0x11, 0x22, 0x33, 0x44, 0x55], [0xff; 6]] {
                let frame = || labels().control_word().ethernet_between(src, dst);
                let mut packet = inner(frame());
                check(&StripMpls(FIVE), &packet, &layers);
                packet.bytes[20..22].copy_from_slice(&[0x12, 0x34]);
                check(&StripMpls(FIVE), &packet, &layers);
                let twice = [layers[0], layers[1], (Layer::Mpls, 400_000)];
                check(&StripMpls(StripMpls(FIVE)), &inner(frame().mpls(400_000)), &twice);
            }
        }
    }
    // Destination addresses that begin as a control word does.
    for dst in [
        [0, 0, 0x5e, 0, 1, 7],
        [0, 0, 0x5e, 0, 2, 7],
        [0, 0, 0x0c, 7, 0xac, 9],
        [0, 0x11, 0x22, 0x33, 0x44, 0x55],
        [0x0a, 0, 0, 0, 0, 1],
        [0; 6],
    ] {
        let frame = || labels().ethernet_between([2, 0x42, 0, 0, 0x11, 1], dst);
        check(&StripMpls(FIVE), &inner(frame()), &layers);
        let tags = [layers[0], layers[1], (Layer::Vlan, 5)];
        check(&StripMpls(StripVlan(FIVE)), &inner(frame().vlan(5)), &tags);
        let tags = [layers[0], layers[1], (Layer::Vlan, 5), (Layer::Vlan, 6)];
        check(&StripMpls(StripVlan(FIVE)), &inner(frame().vlan(5).vlan(6)), &tags);
    }
}

#[test]
fn what_labels_carry_is_guessed() {
    let labels = || frame().ethernet().mpls(16).mpls(17);
    let mpls = [(Layer::Mpls, 16), (Layer::Mpls, 17)];
    let wire = [(Layer::Mpls, 16), (Layer::Mpls, 17), (Layer::Pseudowire, 0)];
    check(&StripMpls(FIVE), &inner(labels()), &mpls);
    check(&StripMpls(FIVE), &inner(labels().ethernet()), &wire);
    check(&StripMpls(FIVE), &inner(labels().control_word().ethernet()), &wire);
    for dst in [[0x45, 0, 0xff, 0xff, 0, 1], [0x61, 2, 3, 4, 0xff, 0], [0x10; 6], [0; 6]] {
        check(&StripMpls(FIVE), &inner(labels().ethernet_between([2; 6], dst)), &wire);
    }
    let tagged = labels().ethernet().vlan(5);
    let tags = [wire.as_slice(), &[(Layer::Vlan, 5)]].concat();
    check(&StripMpls(StripVlan(FIVE)), &inner(tagged), &tags);
    // A packet longer than its frame is IP as long as nothing speaks for another reading.
    let long = labels().ipv4(V4[0], V4[1]).length(9000).udp(1, 2).packet();
    assert_eq!(key(&StripMpls(FIVE), &long), TCP_KEY);
    for other in [[0x10, 0, 0, 0x57].as_slice(), &[0; 60], &[0xff; 60], &[]] {
        let refused = key(&StripMpls(FIVE), &labels().payload(other).packet());
        assert!(matches!(refused.as_str(), "NotAFlow" | "HeaderMalformed"), "{refused}");
    }
}

#[test]
fn in_any_order() {
    let deep = frame().ethernet().vlan(5).mpls(16).mpls(17).ipv6("::1", "::2").destination(&[]);
    let deep = inner(deep.vxlan(42).ethernet().vlan(6).ipv4("1.1.1.1", "2.2.2.2").gre());
    let layers = [
        (Layer::Vlan, 5),
        (Layer::Mpls, 16),
        (Layer::Mpls, 17),
        (Layer::Vxlan, 42),
        (Layer::Vlan, 6),
        (Layer::Gre, 0),
    ];
    check(&StripVlan(StripMpls(InnerVxlan(StripVlan(InnerGre(FIVE))))), &deep, &layers);
    assert_eq!(key(&StripVlan(StripMpls(InnerVxlan(InnerGre(FIVE)))), &deep), "NotAFlow");
    assert_eq!(key(&StripMpls(StripVlan(FIVE)), &deep), "NotAFlow");
    let tunnel = key(&StripVlan(StripMpls(FIVE)), &deep);
    assert_eq!(tunnel, "[::1]:49152 <-> [::2]:4789", "a tunnel nobody opens is a flow");
}

#[test]
fn a_plain_packet_is_no_tunnel() {
    let plain = v4().tcp(1, 2).packet();
    for refused in [
        key(&StripMpls(FIVE), &plain),
        key(&StripPppoe(FIVE), &plain),
        key(&InnerVxlan(FIVE), &plain),
        key(&InnerGre(FIVE), &plain),
        key(&InnerIpIp(FIVE), &plain),
    ] {
        assert_eq!(refused, "NotAFlow");
    }
    assert_eq!(key(&OrPlain(InnerVxlan(FIVE)), &plain), TCP_KEY);
    assert_eq!(key(&OrPlain(InnerGre(FIVE)), &inner(outer().gre())), TCP_KEY);
}

#[test]
fn what_only_looks_like_a_tunnel_is_a_flow() {
    let auto = |frame: Frame| key(&AutoDetectEncap(FIVE), &frame.packet());
    for port in [4789, 6081, 2152] {
        let shown = format!("10.0.0.1:53 <-> 10.0.0.2:{port}");
        // A name server's answers to ports that happen to be a tunnel's.
        assert_eq!(auto(v4().udp(53, port).payload([0x5a; 40])), shown);
        assert_eq!(auto(v4().udp(53, port).payload([0x12, 0x34, 0x81, 0x80, 0, 1])), shown);
        assert_eq!(auto(v4().udp(53, port)), shown);
    }
    let gre = "192.0.2.1 <-> 192.0.2.2";
    assert_eq!(auto(outer().gre().next(0x880b).payload([0; 40])), gre, "PPP in GRE");
    let arp = outer().vxlan(42).ethernet().next(0x0806).payload([0; 28]);
    assert_eq!(auto(arp), "192.0.2.1:49152 <-> 192.0.2.2:4789", "no flow inside");
}

/// RFC 7348 §5: reserved bits are ignored. A group policy uses some of them.
#[test]
fn vxlan_with_reserved_bits() {
    let tunnel = || outer().vxlan(42).ethernet();
    let vxlan = (Layer::Vxlan, 42);
    for bits in [[0x88, 0, 0, 9], [0x88, 0x48, 0xff, 0xff], [0x48, 0, 0, 0], [0xf8, 0xff, 1, 1]] {
        let marked = |frame: Frame| {
            let mut packet = inner(frame);
            packet.bytes[14 + 20 + 8..][..4].copy_from_slice(&bits);
            packet
        };
        check(&InnerVxlan(FIVE), &marked(tunnel()), &[vxlan]);
        for tag in [0x8100, 0x88a8, 0x9100, 0x9200] {
            let tagged = marked(tunnel().vlan_tag(tag, 7));
            check(&InnerVxlan(StripVlan(FIVE)), &tagged, &[vxlan, (Layer::Vlan, 7)]);
        }
        let labels = [vxlan, (Layer::Mpls, 16)];
        check(&InnerVxlan(StripMpls(FIVE)), &marked(tunnel().mpls(16)), &labels);
        let session = [vxlan, (Layer::Pppoe, 9)];
        check(&InnerVxlan(StripPppoe(FIVE)), &marked(tunnel().pppoe(9)), &session);
        let path = [vxlan, (Layer::Nsh, 43)];
        check(&InnerVxlan(InnerNsh(FIVE)), &marked(tunnel().nsh(43)), &path);
        // With a length in place of an Ethertype, only bits that are known tell that this is a frame.
        let snap = marked(tunnel().snap());
        match bits {
            [0x88, ..] => check(&InnerVxlan(FIVE), &snap, &[vxlan]),
            _ => assert_eq!(key(&InnerVxlan(FIVE), &snap), "NotAFlow"),
        }
    }
}

/// Web Cache Communication Protocol: what a router redirects to a cache, either version.
#[test]
fn redirected_packets_are_opened() {
    let inside = frame().ipv4(V4[0], V4[1]).tcp(1, 2).build();
    let plain = key(&FIVE, &frame().ipv4(V4[0], V4[1]).tcp(1, 2).packet());
    for redirect in [&[][..], &[0x05, 0x59, 0, 0]] {
        let payload = [redirect, &inside].concat();
        let packet = outer().gre().next(0x883e).payload(&payload).packet();
        assert_eq!(key(&AutoDetectEncap(FIVE), &packet), plain);
        assert_eq!(key(&InnerGre(FIVE), &packet), plain);
    }
}

#[test]
fn what_stays_closed_is_a_flow() {
    let inside = frame().ipv6("2001:db8::1", "2001:db8::2").tcp(1, 2).build();
    let labels = frame().ethernet().mpls(16).ipv4(V4[0], V4[1]).tcp(1, 2).build();
    let l2tp = [&[0x02, 0x02, 0, 7, 0, 9, 0, 0, 0xff, 0x03, 0, 0x57], inside.as_slice()].concat();
    let udp = |port, payload: &[u8]| outer().udp(49152, port).payload(payload).packet();
    let shown = |port| format!("192.0.2.1:49152 <-> 192.0.2.2:{port}");
    for (closed, key_of_all) in [
        (udp(3544, &inside), shown(3544)),
        (udp(1701, &l2tp), shown(1701)),
        (udp(6635, &labels[14..]), shown(6635)),
        (outer().gre().next(0x880b).payload(&inside).packet(), "192.0.2.1 <-> 192.0.2.2".into()),
    ] {
        assert_eq!(key(&AutoDetectEncap(FIVE), &closed), key_of_all);
        assert_eq!(key(&InnerGre(FIVE), &closed), "NotAFlow");
    }
}

/// Each refusal, and who has to say so.
#[test]
fn refusals_are_explained() {
    type Says = fn(PacketView<'_>) -> (bool, Refusal);
    fn says<E: FlowExtractor>(extractor: &E, view: PacketView<'_>) -> (bool, Refusal) {
        (extractor.extract(view).is_some(), extractor.explain(view))
    }
    let all: [Says; 13] = [
        |v| says(&AutoDetectEncap(FIVE), v),
        |v| says(&AutoDetectEncap(IpPair), v),
        |v| says(&AutoDetectEncap(MacPair), v),
        |v| says(&crate::Scoped(AutoDetectEncap(FIVE)), v),
        |v| says(&crate::FlowLabel(AutoDetectEncap(FIVE)), v),
        |v| says(&StripVlan(FIVE), v),
        |v| says(&StripMpls(FIVE), v),
        |v| says(&StripPppoe(FIVE), v),
        |v| says(&InnerVxlan(FIVE), v),
        |v| says(&InnerGre(FIVE), v),
        |v| says(&InnerIpIp(FIVE), v),
        |v| says(&OrPlain(InnerGtpU(FIVE)), v),
        |v| says(&OrPlain(StripVlan(InnerGeneve(IpPair))), v),
    ];
    let mut unknown = v4().tcp(1, 2).packet();
    unknown.link = LinkType(147);
    let empty = v4().tcp(1, 2).packet().cut(0);
    for (packet, refusal) in [(unknown, Refusal::LinkUnsupported), (empty, Refusal::SnaplenCut)] {
        for says in all {
            assert_eq!(says(packet.view()), (false, refusal));
        }
    }

    let check = |extractor: &dyn FlowExtractor<Key = FiveTupleKey>, packet: &Captured, refusal| {
        assert_eq!(extractor.extract(packet.view()), None);
        assert_eq!(extractor.explain(packet.view()), refusal);
    };
    let auto = AutoDetectEncap(FIVE);
    let vxlan = inner(outer().vxlan(42).ethernet());
    // The layer is missing, and which one does not matter.
    check(&StripVlan(FIVE), &vxlan, Refusal::NotAFlow);
    check(&InnerGeneve(FIVE), &vxlan, Refusal::NotAFlow);
    check(&InnerVxlan(StripMpls(FIVE)), &vxlan, Refusal::NotAFlow);
    check(&InnerVxlan(InnerVxlan(FIVE)), &vxlan, Refusal::NotAFlow);
    // The capture ends within the layer, or within what it carries.
    for len in 0..14 + 20 + 8 + 8 {
        check(&InnerVxlan(FIVE), &vxlan.cut(len), Refusal::SnaplenCut);
        check(&OrPlain(InnerVxlan(FIVE)), &vxlan.cut(len), Refusal::SnaplenCut);
    }
    check(&InnerVxlan(FIVE), &vxlan.cut(14 + 20 + 8 + 8 + 14 + 20 + 3), Refusal::SnaplenCut);
    // A header inside contradicts itself; the tunnel around it is not reported instead.
    let broken = outer().vxlan(42).ethernet().ipv4(V4[0], V4[1]).length(19).tcp(1, 2).packet();
    check(&InnerVxlan(FIVE), &broken, Refusal::HeaderMalformed);
    check(&auto, &broken, Refusal::HeaderMalformed);
    let version = inner(outer().vxlan(42).ethernet().next(0x86dd));
    check(&InnerVxlan(FIVE), &version, Refusal::HeaderMalformed);
    let short = outer().gre().payload([]).next(0x0800).packet();
    check(&InnerGre(FIVE), &short, Refusal::HeaderMalformed);
    // One tag more than may be.
    let deep = inner((0..8).fold(frame().ethernet(), Frame::vlan).mpls(16));
    check(&auto, &deep, Refusal::DepthExceeded);
    check(&StripVlan(StripMpls(FIVE)), &deep, Refusal::DepthExceeded);
    check(&OrPlain(StripVlan(OrPlain(StripMpls(FIVE)))), &deep, Refusal::DepthExceeded);
    check(&StripVlan(FIVE), &deep, Refusal::NotAFlow);
    // Sound, but no flow.
    let arp = frame().ethernet().vlan(5).next(0x0806).payload([0; 28]).packet();
    check(&auto, &arp, Refusal::NotAFlow);
    check(&StripVlan(FIVE), &arp, Refusal::NotAFlow);
    let padi = frame().ethernet().next(0x8863).payload([0x11; 40]).packet();
    check(&StripPppoe(FIVE), &padi, Refusal::NotAFlow);
}

#[test]
fn a_piece_of_a_tunnel_is_joined_first() {
    let whole = outer().vxlan(42).ethernet().vlan(6).ipv4(V4[0], V4[1]).udp(1, 2).payload([0; 99]);
    let named = InnerVxlan(StripVlan(FIVE));
    for (at, bytes) in whole.fragments(7, 48).iter().enumerate() {
        // The builder cuts up the innermost packet: each is a whole VXLAN packet with a piece inside.
        let view = PacketView::new(bytes, LinkType::ETHERNET, Timestamp::ZERO);
        let found = named.extract(view).unwrap();
        assert_eq!(found.fragment.map(|f| f.offset), Some(at as u32 * 48));
        assert_eq!(path(&found), [(Layer::Vxlan, 42), (Layer::Vlan, 6)]);
    }

    let piece = frame().ethernet().vlan(5).ipv4("192.0.2.1", "192.0.2.2").fragment(7, 0, true);
    let piece = piece.protocol(17).payload([0; 64]).packet();
    let found = StripVlan(InnerVxlan(StripVlan(InnerGre(FIVE)))).extract(piece.view()).unwrap();
    assert_eq!((found.fragment.map(|f| f.id), path(&found)), (Some(7), vec![(Layer::Vlan, 5)]));
    assert!(StripVlan(InnerVxlan(IpPair)).extract(piece.view()).unwrap().fragment.is_some());
    assert!(AutoDetectEncap(IpPair).extract(piece.view()).unwrap().fragment.is_some());
    assert!(StripVlan(IpPair).extract(piece.view()).unwrap().fragment.is_none());
}

#[test]
fn a_joined_datagram_is_opened_like_any_other() {
    // What the driver makes of fragments that carried VXLAN within a VLAN.
    let datagram = frame()
        .ipv4("192.0.2.1", "192.0.2.2")
        .vxlan(42)
        .ethernet()
        .ipv4(V4[0], V4[1])
        .tcp(1, 2)
        .payload(b"abc")
        .build();
    let mut path = Path::EMPTY;
    path.push(PathLayer { layer: Layer::Vlan, id: 5 }).unwrap();
    let view = PacketView::new(&datagram, LinkType::ETHERNET, Timestamp::ZERO)
        .with_joined(2, 300, Timestamp::ZERO)
        .at(Cursor { next: NextHeader::Ip, offset: 0, stepped: 0, path });
    let named = StripVlan(InnerVxlan(FIVE)).extract(view).unwrap();
    assert_eq!(named.key.to_string(), TCP_KEY);
    assert_eq!(self::path(&named), [(Layer::Vlan, 5), (Layer::Vxlan, 42)]);
    assert_eq!(AutoDetectEncap(FIVE).extract(view), Some(named));
    assert_eq!(InnerVxlan(FIVE).extract(view), None);
}

#[test]
fn the_frame_inside_has_addresses_too() {
    let packet = outer().vxlan(42).ethernet_between([9; 6], [8; 6]).next(0x0806).packet();
    let found = InnerVxlan(MacPair).extract(packet.view()).unwrap();
    assert_eq!(found.key.to_string(), "08:08:08:08:08:08 <-> 09:09:09:09:09:09");
}

#[test]
fn stations_are_those_of_the_innermost_frame() {
    let mac = |extractor: &dyn FlowExtractor<Key = crate::MacPairKey>, packet: &Captured| {
        extractor.extract(packet.view()).map(|found| found.key.to_string())
    };
    let within = |frame: Frame| frame.ethernet_between([9; 6], [8; 6]);
    let inside = Some("08:08:08:08:08:08 <-> 09:09:09:09:09:09".to_owned());
    let around = mac(&MacPair, &inner(frame().ethernet()));
    let auto = AutoDetectEncap(MacPair);
    for packet in [
        inner(within(outer().vxlan(42))),
        inner(within(outer().geneve(42)).vlan(5).vlan(6)),
        inner(within(outer().gre()).snap()),
        inner(within(frame().ethernet().mpls(16))),
    ] {
        assert_eq!(mac(&auto, &packet), inside);
    }
    let tagged = inner(within(outer().vxlan(42)).vlan(5));
    assert_eq!(mac(&InnerVxlan(StripVlan(MacPair)), &tagged), inside);
    assert_eq!(mac(&InnerVxlan(MacPair), &tagged), inside);
    assert_eq!(mac(&MacPair, &tagged), around);
    assert_eq!(mac(&auto, &inner(frame().ethernet().vlan(5)).stripped_vlan(6)), around);
    for packet in [inner(outer().gtpu(7)), inner(frame().ethernet().pppoe(7)), inner(frame())] {
        assert_eq!(mac(&auto, &packet), None);
    }

    // A piece of what may be a tunnel is joined, and the answer then is about the frame inside.
    let whole = within(outer().vxlan(42)).ipv4(V4[0], V4[1]).udp(1, 2).packet();
    let mut piece = whole.clone();
    piece.bytes[14 + 6] = 0x20;
    let asked = auto.extract(piece.view()).unwrap();
    assert_eq!(asked.fragment.map(|f| f.header_at), Some(14));
    assert_eq!(MacPair.extract(piece.view()).unwrap().fragment, None, "reads no IP");
    let joined = |bytes| {
        PacketView::new(bytes, LinkType::ETHERNET, Timestamp::ZERO)
            .with_joined(2, 300, Timestamp::ZERO)
            .at(Cursor::around(0, asked.path))
    };
    let found = auto.extract(joined(&whole.bytes[14..])).unwrap();
    assert_eq!(Some(found.key.to_string()), inside);
    let plain = frame().ipv4(V4[0], V4[1]).udp(1, 2).build();
    assert_eq!(auto.extract(joined(&plain)), None);
}

#[test]
fn every_sample_gives_its_inner_flow() {
    for (name, packet) in samples() {
        let shown = key(&AutoDetectEncap(FIVE), &packet);
        let known = shown.starts_with("10.0.0.1") || shown.starts_with("[2001:db8::1]");
        let bare = shown.starts_with("2001:db8::1");
        assert!(known || bare || (name == "arp" && shown == "NotAFlow"), "{name}: {shown}");
    }
}

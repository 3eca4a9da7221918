mod shortcut;
mod tunnels;

use flowscope_core::{
    Cursor, Fragment, L4Proto, Layer, LinkType, NextHeader, Orientation, Path, PathLayer, TcpFlags,
    TcpOptions, Timestamp, VlanTag,
};
use flowscope_testkit::{Frame, Order, Packet as Captured, frame};

use super::*;
use crate::{AutoDetectEncap, IpPair, MacPair, OrPlain, StripVlan};

const V4: [&str; 2] = ["10.0.0.1", "10.0.0.2"];
const V6: [&str; 2] = ["2001:db8::1", "2001:db8::2"];

fn v4() -> Frame {
    frame().ethernet().ipv4(V4[0], V4[1])
}

fn v6() -> Frame {
    frame().ethernet().ipv6(V6[0], V6[1])
}

fn extract(packet: &Captured) -> Option<Extracted<FiveTupleKey>> {
    FiveTuple::bidirectional().extract(packet.view())
}

fn found(frame: &Frame) -> Extracted<FiveTupleKey> {
    extract(&frame.packet()).unwrap_or_else(|| panic!("no flow in {frame:?}"))
}

fn refusal(packet: &Captured) -> Refusal {
    assert_eq!(extract(packet), None);
    FiveTuple::bidirectional().explain(packet.view())
}

/// The key as text, or why there is none.
fn key(extractor: &impl FlowExtractor<Key = FiveTupleKey>, packet: &Captured) -> String {
    match extractor.extract(packet.view()) {
        Some(found) => found.key.to_string(),
        None => format!("{:?}", extractor.explain(packet.view())),
    }
}

const TCP_KEY: &str = "10.0.0.1:1 <-> 10.0.0.2:2";
const TCP6_KEY: &str = "[2001:db8::1]:1 <-> [2001:db8::2]:2";

#[test]
fn a_segment_s_facts() {
    let segment = frame()
        .ethernet()
        .ipv4(V4[1], V4[0])
        .ttl(57)
        .tos(0xb9)
        .tcp(443, 40000)
        .seq(7)
        .ack(9)
        .flags(TcpFlags::PSH | TcpFlags::ACK)
        .window(512)
        .options(&[2, 4, 5, 0xb4])
        .payload(b"abc");
    let found = found(&segment);
    assert_eq!(found.key.to_string(), "10.0.0.1:40000 <-> 10.0.0.2:443");
    assert_eq!(found.orientation, Orientation::Reverse);
    assert_eq!((found.l4, found.ports), (Some(L4Proto::Tcp), Some((443, 40000))));
    let tcp = found.tcp.unwrap();
    assert_eq!((tcp.seq, tcp.ack, tcp.window, tcp.flags.to_string()), (7, 9, 512, "AP".into()));
    assert_eq!(tcp.options, TcpOptions::default(), "only a SYN's options are read");
    let ip = found.ip;
    assert_eq!((ip.len, ip.version, ip.ttl, ip.tos, ip.flow_label), (47, 4, 57, 0xb9, 0));
    assert_eq!((ip.header_at, found.l4_at), (14, 34));
    assert_eq!(found.payload.of(&segment.packet().view()), b"abc");
    assert_eq!((found.payload.wire_len, found.fragment, found.path), (3, None, Path::EMPTY));
}

#[test]
fn one_direction_is_a_flow_of_its_own() {
    let packet = frame().ethernet().ipv4(V4[1], V4[0]).udp(53, 4000).packet();
    let found = FiveTuple::unidirectional().extract(packet.view()).unwrap();
    assert_eq!(found.key.to_string(), "10.0.0.2:53 -> 10.0.0.1:4000");
    assert_eq!(found.orientation, Orientation::Forward);
    assert!(found.key.is_one_way());
}

#[test]
fn syn_options() {
    let read = |options: &[u8]| found(&v4().tcp(1, 2).options(options)).tcp.unwrap().options;
    let all =
        TcpOptions { mss: Some(1460), window_scale: Some(7), sack_permitted: true, signed: false };
    assert_eq!(read(&[2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2]), all);
    // Fast open (34) and other kinds are skipped by their length.
    assert_eq!(read(&[34, 2, 253, 5, 9, 9, 9, 2, 4, 5, 0xb4, 4, 2, 3, 3, 7]), all);
    let mss = TcpOptions { mss: Some(1460), ..TcpOptions::default() };
    assert_eq!(read(&[2, 4, 5, 0xb4, 3, 0, 7, 4, 2]), mss, "a length of 0 addrs the reading");
    assert_eq!(read(&[2, 4, 5, 0xb4, 8, 200, 3, 3]), mss, "as does one beyond the header");
    assert_eq!(read(&[2, 4, 5, 0xb4, 0, 4, 2]), mss, "and the end-of-list option");
    assert_eq!(read(&[2, 3, 5, 3, 3, 7]).mss, None, "a wrong length is no value");
}

#[test]
fn padding_is_no_payload() {
    let mut packet = v4().tcp(1, 2).ack(1).packet();
    packet.bytes.resize(60, 0);
    packet.wire_len = 60;
    let found = extract(&packet).unwrap();
    assert_eq!((found.payload.captured, found.payload.wire_len, found.ip.len), (0, 0, 40));
}

#[test]
fn ip_lengths_are_bounded_by_the_wire() {
    let payload = |frame: &Frame| found(frame).payload.wire_len;
    assert_eq!(payload(&v4().length(9000).udp(1, 2).length(100).payload([0; 10])), 10);
    assert_eq!(payload(&v4().length(0).tcp(1, 2).payload([0; 10])), 10, "offloaded segmentation");
    assert_eq!(payload(&v6().length(9000).tcp(1, 2).payload([0; 10])), 10);
    assert_eq!(refusal(&v4().length(19).tcp(1, 2).packet()), Refusal::HeaderMalformed);
    assert_eq!(refusal(&v4().length(23).tcp(1, 2).packet()), Refusal::HeaderMalformed);
    assert_eq!(found(&v4().length(24).tcp(1, 2)).tcp, None);
    assert_eq!(refusal(&v6().length(3).tcp(1, 2).packet()), Refusal::HeaderMalformed);
}

#[test]
fn udp_lengths_are_read_leniently() {
    let payload = |len| found(&v4().udp(1, 2).length(len).payload([0; 10])).payload.wire_len;
    assert_eq!([0, 3, 8, 12, 18, 19, 65535].map(payload), [10, 0, 0, 4, 10, 10, 10]);
}

#[test]
fn jumbograms() {
    let big = vec![0; 70_000];
    let jumbo = v6().jumbo(8 + 20 + 70_000).tcp(1, 2).payload(&big);
    let found = found(&jumbo);
    assert_eq!(found.key.to_string(), TCP6_KEY);
    assert_eq!((found.payload.wire_len, found.ip.len), (70_000, 40 + 8 + 20 + 70_000));
}

#[test]
fn a_wrong_data_offset_leaves_a_flow_without_tcp() {
    for words in [0, 4, 15] {
        let found = found(&v4().tcp(1, 2).length(words).payload([0; 20]));
        assert_eq!((found.key.to_string().as_str(), found.tcp), (TCP_KEY, None));
        assert_eq!((found.payload.captured, found.payload.wire_len), (0, 0));
    }
}

#[test]
fn a_cut_capture_keeps_what_it_has() {
    let whole = v4().tcp(1, 2).options(&[2, 4, 5, 0xb4]).payload([7; 100]).packet();
    for (len, tcp, mss, captured) in
        [(38, false, false, 0), (53, false, false, 0), (54, true, false, 0), (60, true, true, 2)]
    {
        let found = extract(&whole.cut(len)).unwrap();
        assert_eq!(found.key.to_string(), TCP_KEY);
        assert_eq!(found.tcp.is_some(), tcp, "at {len}");
        assert_eq!(found.tcp.is_some_and(|tcp| tcp.options.mss.is_some()), mss, "at {len}");
        assert_eq!(found.payload.captured, captured);
        assert_eq!(found.payload.wire_len, if tcp { 100 } else { 0 });
    }
    for len in 0..38 {
        assert_eq!(refusal(&whole.cut(len)), Refusal::SnaplenCut, "at {len}");
        let mut short = whole.cut(len);
        short.wire_len = len as u32;
        assert_eq!(refusal(&short), Refusal::HeaderMalformed, "at {len}");
    }
    let esp = v4().protocol(50).payload([0; 40]).packet();
    assert_eq!(extract(&esp.cut(34)).unwrap().key.to_string(), "10.0.0.1 <-> 10.0.0.2");
}

#[test]
fn ipv6_extension_headers() {
    let check = |frame: Frame, l4, shown: &str| {
        let found = found(&frame);
        assert_eq!((found.l4, found.key.to_string().as_str()), (Some(l4), shown));
    };
    let all = v6().hop_by_hop(&[]).destination(&[1; 20]).routing(&[0; 14]).auth().destination(&[]);
    check(all.tcp(1, 2), L4Proto::Tcp, TCP6_KEY);
    let bare = "2001:db8::1 <-> 2001:db8::2";
    for proto in [50, 59, 135, 139, 140, 89] {
        let ended = v6().destination(&[]).protocol(proto).payload([0; 40]);
        check(ended, L4Proto::Other(proto), bare);
    }
    check(v4().auth().udp(1, 2), L4Proto::Udp, TCP_KEY);
    let behind = found(&v6().hop_by_hop(&[]).auth().udp(1, 2));
    assert_eq!((behind.ip.header_at, behind.l4_at), (14, 14 + 40 + 8 + 24));
    assert_eq!(refusal(&v6().routing(&[]).length(9).tcp(1, 2).packet()), Refusal::HeaderMalformed);
    assert_eq!(refusal(&v6().auth().packet().cut(60)), Refusal::SnaplenCut);
    assert_eq!(found(&v6().length(0).protocol(59)).ip.len, 40);
}

#[test]
fn fragments_ask_to_be_joined() {
    let first = found(&v4().fragment(77, 0, true).udp(1, 2).payload([0; 16]));
    let expected = Fragment { id: 77, offset: 0, more: true, header_at: 14 };
    assert_eq!((first.fragment, first.ports), (Some(expected), None));
    assert_eq!((first.payload.offset, first.payload.wire_len), (34, 24));
    assert_eq!((first.ip.header_at, first.l4_at), (14, 0));

    let last =
        v6().destination(&[]).fragment(0x1234_5678, 1480, false).protocol(17).payload([1; 9]);
    let last = found(&last);
    let expected = Fragment { id: 0x1234_5678, offset: 1480, more: false, header_at: 14 };
    assert_eq!((last.fragment, last.l4), (Some(expected), Some(L4Proto::Udp)));
    assert_eq!((last.payload.offset, last.payload.wire_len), (14 + 40 + 8 + 8, 9));

    let atomic = found(&v6().fragment(1, 0, false).tcp(1, 2));
    assert_eq!((atomic.fragment, atomic.key.to_string().as_str()), (None, TCP6_KEY));
}

#[test]
fn icmp() {
    let ping = found(&v4().echo_request(7, 1));
    let pong = found(&frame().ethernet().ipv4(V4[1], V4[0]).echo_reply(7, 1));
    assert_eq!((ping.key, ping.orientation), (pong.key, !pong.orientation));
    let icmp = ping.icmp.unwrap();
    assert_eq!((icmp.kind, icmp.code, icmp.id, icmp.quoted_at), (8, 0, Some(7), None));
    assert_eq!(found(&v6().echo_request(7, 1)).icmp.unwrap().kind, 128);

    let quoted = frame().ipv4(V4[1], V4[0]).udp(53, 99).build();
    let error = v4().icmp(3, 3).payload(&quoted);
    let packet = error.packet();
    let there = found(&error);
    let at = there.icmp.unwrap().quoted_at.unwrap();
    let cursor = Cursor { next: NextHeader::Ip, offset: at, ..*packet.view().cursor() };
    let inner = FiveTuple::bidirectional().extract(packet.view().at(cursor)).unwrap();
    assert_eq!(inner.key.to_string(), "10.0.0.1:99 <-> 10.0.0.2:53");
    assert!(there.key.is_one_way());
    assert_eq!(found(&v6().icmp(2, 0).payload([0; 40])).icmp.unwrap().quoted_at, Some(62));
    assert_eq!(found(&v6().icmp(2, 0)).icmp.unwrap().quoted_at, None);
}

#[test]
fn sctp_has_ports() {
    let found = found(&v4().sctp(1, 2).payload([0; 16]));
    assert_eq!((found.key.to_string().as_str(), found.payload.wire_len), (TCP_KEY, 16));
}

#[test]
fn link_types() {
    let shown = |frame: Frame| key(&FiveTuple::bidirectional(), &frame.packet());
    let v4 = |frame: Frame| shown(frame.ipv4(V4[0], V4[1]).tcp(1, 2));
    let v6 = |frame: Frame| shown(frame.ipv6(V6[0], V6[1]).tcp(1, 2));
    let framings: [fn(Frame) -> Frame; 21] = [
        |f| f,
        Frame::ethernet,
        |f| f.ethernet().snap(),
        Frame::sll,
        |f| f.sll().next(4).snap(),
        Frame::sll2,
        Frame::cisco_hdlc,
        Frame::frame_relay,
        Frame::fddi,
        |f| f.token_ring(false),
        |f| f.token_ring(true),
        |f| f.nflog(Order::Little),
        |f| f.nflog(Order::Big),
        |f| f.null(Order::Little),
        |f| f.null(Order::Big),
        |f| f.loopback(Order::Big),
        |f| f.ppp(),
        Frame::ppp_bare,
        |f| f.ppp().compressed_protocol(),
        |f| f.wifi(false).snap(),
        |f| f.radiotap(true).snap(),
    ];
    for framing in framings {
        let framed = framing(frame());
        assert_eq!((v4(framed.clone()), v6(framed.clone())), (TCP_KEY.into(), TCP6_KEY.into()));
    }
    assert_eq!(v6(frame().ppp_bare().compressed_protocol()), TCP6_KEY);
    assert_eq!(v4(frame().pppoe(9)), TCP_KEY, "link type 51");
    for family in [10, 24, 28, 30] {
        assert_eq!(v6(frame().null(Order::Little).next(family)), TCP6_KEY);
    }
    for other in [
        frame().ethernet().next(0x0806).payload([0; 28]),
        frame().ethernet().length(40).payload([0x42; 40]),
        frame().ethernet().next(0x8870).payload([0; 40]),
        frame().null(Order::Little).next(7).payload([0; 20]),
        frame().ppp().payload([0; 20]),
        frame().token_ring(true).next(0x0806).payload([0; 28]),
    ] {
        assert_eq!(shown(other), "NotAFlow");
    }
}

/// The frame behind other bytes.
fn behind(header: &[u8], link: LinkType, inside: &Frame) -> Captured {
    let mut packet = inside.packet();
    packet.bytes.splice(0..0, header.iter().copied());
    packet.wire_len = packet.bytes.len() as u32;
    packet.link = link;
    packet
}

/// RFC 2427 §4.2: with and without a pad byte, with and without a frame check sequence.
#[test]
fn frames_bridged_over_frame_relay() {
    let five = FiveTuple::bidirectional();
    let macs = Some("02:00:00:00:00:01 <-> 02:00:00:00:00:02".to_owned());
    let mac = |extractor: &dyn FlowExtractor<Key = crate::MacPairKey>, packet: &Captured| {
        extractor.extract(packet.view()).map(|found| found.key.to_string())
    };
    for header in [
        &[0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 1][..],
        &[0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 7],
        &[0x18, 0x41, 3, 0x80, 0, 0x80, 0xc2, 0, 7],
    ] {
        let bridged = |inside: &Frame| behind(header, LinkType::FRELAY, inside);
        let plain = bridged(&v4().tcp(1, 2).payload([0; 10]));
        assert_eq!(key(&five, &plain), TCP_KEY);
        assert_eq!(key(&AutoDetectEncap(five), &plain), TCP_KEY);
        assert_eq!(mac(&MacPair, &plain), macs);
        assert_eq!(mac(&AutoDetectEncap(MacPair), &plain), macs);
        for len in 0..header.len() + 14 {
            assert_eq!(refusal(&plain.cut(len)), Refusal::SnaplenCut, "at {len}");
        }
        let tagged = bridged(&frame().ethernet().vlan(5).ipv6(V6[0], V6[1]).tcp(1, 2));
        assert_eq!(key(&five, &tagged), "NotAFlow");
        assert_eq!(key(&StripVlan(five), &tagged), TCP6_KEY);
        assert_eq!(key(&AutoDetectEncap(five), &tagged), TCP6_KEY);
        assert_eq!(mac(&StripVlan(MacPair), &tagged), macs);
        let snap = bridged(&frame().ethernet().snap().ipv4(V4[0], V4[1]).tcp(1, 2));
        assert_eq!(key(&five, &snap), TCP_KEY);
        let arp = bridged(&frame().ethernet().next(0x0806).payload([0; 28]));
        assert_eq!(key(&five, &arp), "NotAFlow");
        let unread = five.unread(arp.view()).map(|header| header.to_string());
        assert_eq!(unread.as_deref(), Some("ethertype arp"));
    }
}

#[test]
fn radiotap_says_whether_a_header_is_padded() {
    let five = FiveTuple::bidirectional();
    let wifi = |qos| frame().wifi(qos).snap().ipv4(V4[0], V4[1]).tcp(1, 2);
    let radiotap = |header: &[u8], inside: &Frame, padding: &[u8]| {
        let mut packet = behind(header, LinkType::IEEE802_11_RADIOTAP, inside);
        let end = header.len() + 26;
        packet.bytes.splice(end..end, padding.iter().copied());
        packet.wire_len = packet.bytes.len() as u32;
        packet
    };
    // The flags alone, behind the time, behind more words, behind more words and the aligned time.
    for header in [
        &[0, 0, 9, 0, 2, 0, 0, 0, 0][..],
        &[0, 0, 17, 0, 3, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 0],
        &[0, 0, 17, 0, 2, 0, 0, 0x80, 0, 0, 0, 0x80, 9, 9, 0, 0, 0],
        &[
            0, 0, 25, 0, 3, 0, 0, 0x80, 9, 9, 0, 0, 0xff, 0xff, 0xff, 0xff, 9, 9, 9, 9, 9, 9, 9, 9,
            0,
        ],
    ] {
        let mut header = header.to_vec();
        assert_eq!(key(&five, &radiotap(&header, &wifi(true), &[])), TCP_KEY);
        *header.last_mut().unwrap() = 0x30;
        let padded = radiotap(&header, &wifi(true), &[0, 0]);
        assert_eq!(key(&five, &padded), TCP_KEY, "{header:x?}");
        for len in 0..header.len() + 26 + 2 + 8 {
            assert_eq!(refusal(&padded.cut(len)), Refusal::SnaplenCut, "at {len}");
        }
        // 24 bytes need no padding.
        assert_eq!(key(&five, &radiotap(&header, &wifi(false), &[])), TCP_KEY);
    }
    // Without flags, without words, too short for the flags, words without end.
    let mut endless = [0xff; 200];
    endless[..4].copy_from_slice(&[0, 0, 200, 0]);
    for header in [
        &[0, 0, 9, 0, 4, 0, 0, 0, 0x20][..],
        &[0, 0, 4, 0],
        &[0, 0, 8, 0, 2, 0, 0, 0],
        &[0, 0, 12, 0, 3, 0, 0, 0x80, 0, 0, 0, 0x80],
        &endless,
    ] {
        assert_eq!(key(&five, &radiotap(header, &wifi(true), &[])), TCP_KEY, "{header:x?}");
    }
}

/// The protocol field of a cooked capture is ignored for devices that have a link header of their own.
#[test]
fn cooked_captures_of_devices_with_a_link_header() {
    let five = FiveTuple::bidirectional();
    let relay = frame().frame_relay().ipv4(V4[0], V4[1]).tcp(1, 2);
    let bridged = [&[0x18, 0x41, 3, 0x80, 0, 0x80, 0xc2, 0, 7], &v4().tcp(1, 2).build()[..]];
    let bridged = frame().payload(bridged.concat());
    let radiotap = frame().radiotap(true).snap().ipv4(V4[0], V4[1]).tcp(1, 2);
    let netlink = frame().payload([0x18, 0, 0, 0].repeat(6));
    for protocol in [0, 4, 16, 0x0800_u16] {
        let [p, q] = protocol.to_be_bytes();
        let cooked = |device: u16, inside: &Frame| {
            let [d, e] = device.to_be_bytes();
            let first = [0, 0, d, e, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, p, q];
            let second = [p, q, 0, 0, 0, 0, 0, 2, d, e, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
            [
                behind(&first, LinkType::LINUX_SLL, inside),
                behind(&second, LinkType::LINUX_SLL2, inside),
            ]
        };
        for (device, inside) in [(770, &relay), (770, &bridged), (803, &radiotap)] {
            for packet in cooked(device, inside) {
                assert_eq!(key(&five, &packet), TCP_KEY, "{device} {protocol}");
                assert_eq!(key(&AutoDetectEncap(five), &packet), TCP_KEY);
            }
        }
        for packet in cooked(824, &netlink) {
            assert_eq!(key(&five, &packet), "NotAFlow");
            assert_eq!(key(&AutoDetectEncap(five), &packet), "NotAFlow");
            assert_eq!(MacPair.explain(packet.view()), Refusal::NotAFlow);
            let unread = five.unread(packet.view()).map(|header| header.to_string());
            assert_eq!(unread.as_deref(), Some("link netlink"));
        }
    }
}

#[test]
fn raw_link_types_and_unknown_ones() {
    for (link, shown) in [
        (LinkType::RAW, TCP_KEY),
        (LinkType::RAW_BSD, TCP_KEY),
        (LinkType::RAW_OPENBSD, TCP_KEY),
        (LinkType::IPV4, TCP_KEY),
        (LinkType::IPV6, "HeaderMalformed"),
        (LinkType(147), "LinkUnsupported"),
    ] {
        let mut packet = frame().ipv4(V4[0], V4[1]).tcp(1, 2).packet();
        packet.link = link;
        assert_eq!(key(&FiveTuple::bidirectional(), &packet), shown);
    }
    let wrong = frame().ethernet().next(0x86dd).ipv4(V4[0], V4[1]).tcp(1, 2).packet();
    assert_eq!(refusal(&wrong), Refusal::HeaderMalformed);
}

#[test]
fn a_composition_names_its_layers() {
    let plain = v4().tcp(1, 2).packet();
    let tagged = |tags: &[u16]| {
        let start = tags.iter().fold(frame().ethernet(), |f, &id| f.vlan(id));
        start.ipv4(V4[0], V4[1]).tcp(1, 2).packet()
    };
    let (one, two) = (tagged(&[5]), tagged(&[5, 6]));
    let beside = plain.clone().stripped_vlan(5);
    let five = FiveTuple::bidirectional();
    let cases = [
        (&plain, TCP_KEY, "NotAFlow"),
        (&one, "NotAFlow", TCP_KEY),
        (&two, "NotAFlow", TCP_KEY),
        (&beside, "NotAFlow", TCP_KEY),
    ];
    for (packet, alone, stripped) in cases {
        assert_eq!(key(&five, packet), alone);
        assert_eq!(key(&StripVlan(five), packet), stripped);
        assert_eq!(key(&StripVlan(StripVlan(five)), packet), "NotAFlow");
        assert_eq!(key(&OrPlain(StripVlan(five)), packet), TCP_KEY);
        assert_eq!(key(&AutoDetectEncap(five), packet), TCP_KEY);
        assert_eq!(key(&StripVlan(AutoDetectEncap(five)), packet), stripped);
    }
}

#[test]
fn tags_are_in_the_path() {
    let ids = |packet: &Captured| -> Vec<PathLayer> {
        StripVlan(FiveTuple::bidirectional()).extract(packet.view()).unwrap().path.iter().collect()
    };
    let vlan = |id| PathLayer { layer: Layer::Vlan, id };
    let tagged = frame()
        .ethernet()
        .vlan_tag(0x88a8, 0xe005)
        .vlan_tag(0x9100, 6)
        .vlan_tag(0x9200, 7)
        .vlan_tag(0x9300, 8)
        .vlan(0)
        .ipv4(V4[0], V4[1])
        .udp(1, 2)
        .packet();
    assert_eq!(ids(&tagged), [vlan(5), vlan(6), vlan(7), vlan(8), vlan(0)]);
    let mut beside = tagged;
    beside.vlan = Some(VlanTag { tpid: 0x88a8, tci: 0x2009 });
    assert_eq!(ids(&beside), [vlan(9), vlan(5), vlan(6), vlan(7), vlan(8), vlan(0)]);
}

#[test]
fn depth_is_bounded() {
    let deep = |tags| {
        let start = (0..tags).fold(frame().ethernet(), Frame::vlan);
        start.ipv4(V4[0], V4[1]).tcp(1, 2).packet()
    };
    let five = FiveTuple::bidirectional();
    assert_eq!(key(&AutoDetectEncap(five), &deep(8)), TCP_KEY);
    assert_eq!(key(&AutoDetectEncap(five), &deep(9)), "DepthExceeded");
    assert_eq!(key(&OrPlain(StripVlan(five)), &deep(9)), "DepthExceeded");
    assert_eq!(key(&AutoDetectEncap(five), &deep(8).stripped_vlan(1)), "DepthExceeded");
}

#[test]
fn a_joined_datagram_remembers_its_layers() {
    let datagram = frame().ipv4(V4[0], V4[1]).tcp(1, 2).payload([0; 100]).build();
    let mut path = Path::EMPTY;
    path.push(PathLayer { layer: Layer::Vlan, id: 5 }).unwrap();
    let cursor = Cursor { next: NextHeader::Ip, offset: 0, stepped: 0, path };
    let view = PacketView::new(&datagram, LinkType::ETHERNET, Timestamp::ZERO)
        .with_vlan(VlanTag { tpid: 0x8100, tci: 5 })
        .with_joined(3, 250, Timestamp::ZERO)
        .at(cursor);
    let five = FiveTuple::bidirectional();
    assert_eq!(five.extract(view), None, "its layer is still to be named");
    assert_eq!(five.explain(view), Refusal::NotAFlow);
    assert_eq!(StripVlan(StripVlan(five)).extract(view), None);
    let found = StripVlan(five).extract(view).unwrap();
    assert_eq!((found.key.to_string().as_str(), found.path), (TCP_KEY, path));
    assert_eq!(found.payload.wire_len, 100);
    assert_eq!(AutoDetectEncap(five).extract(view), Some(found));
    assert_eq!(OrPlain(StripVlan(five)).extract(view), Some(found));
}

#[test]
fn a_joined_datagram_that_was_cut_keeps_its_lengths() {
    let five = FiveTuple::bidirectional();
    for ip in [frame().ipv4(V4[0], V4[1]), frame().ipv6(V6[0], V6[1])] {
        let (inner, header) = (ip.clone().tcp(1, 2).payload([7; 100]), ip.build().len());
        for (datagram, head) in [
            (inner.clone(), inner.build().len() - 100),
            (ip.clone().gre().then(&inner), ip.gre().then(&inner).build().len() - 100),
        ] {
            let whole = datagram.build();
            for len in header..=whole.len() {
                let view = PacketView::new(&whole[..len], LinkType::ETHERNET, Timestamp::ZERO)
                    .with_joined(3, whole.len() as u32 + 90, Timestamp::ZERO)
                    .at(Cursor::around(0, Path::EMPTY));
                match AutoDetectEncap(five).extract(view) {
                    Some(found) if found.tcp.is_some() => {
                        let payload = found.payload;
                        assert_eq!(
                            (payload.captured as usize, payload.wire_len),
                            (len - head, 100)
                        );
                        assert_eq!(found.ip.len as usize, inner.build().len());
                    }
                    Some(found) => assert_eq!(found.payload.captured, 0, "at {len}"),
                    None => {
                        let refusal = AutoDetectEncap(five).explain(view);
                        assert_eq!(refusal, Refusal::SnaplenCut, "at {len}");
                    }
                }
            }
        }
    }
}

#[test]
fn pairs() {
    let tagged = frame().ethernet().vlan(5).ipv4(V4[1], V4[0]).tcp(1, 2).payload(b"abc").packet();
    let mac = MacPair.extract(tagged.view()).unwrap();
    assert_eq!(mac.key.to_string(), "02:00:00:00:00:01 <-> 02:00:00:00:00:02");
    assert_eq!((mac.orientation, mac.payload.wire_len), (Orientation::Forward, 4 + 20 + 20 + 3));
    assert_eq!(StripVlan(MacPair).extract(tagged.view()).map(|x| x.key), Some(mac.key));
    assert_eq!(AutoDetectEncap(MacPair).extract(tagged.view()).map(|x| x.key), Some(mac.key));
    assert_eq!(MacPair.explain(frame().sll().packet().view()), Refusal::NotAFlow);

    assert_eq!(IpPair.extract(tagged.view()), None);
    let ip = StripVlan(IpPair).extract(tagged.view()).unwrap();
    assert_eq!(ip.key.to_string(), "10.0.0.1 <-> 10.0.0.2");
    assert_eq!((ip.orientation, ip.tcp), (Orientation::Reverse, None));
    assert_eq!((ip.l4, ip.ports), (Some(L4Proto::Tcp), Some((1, 2))));

    let piece = v4().fragment(1, 8, true).udp(1, 2).packet();
    assert_eq!(IpPair.extract(piece.view()).unwrap().fragment, None, "its addresses are enough");
    let cut = v4().tcp(1, 2).packet().cut(36);
    assert!(IpPair.extract(cut.view()).is_some());
}

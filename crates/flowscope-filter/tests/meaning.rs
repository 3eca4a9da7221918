//! What the words mean, frame by frame.

use flowscope_core::{LinkType, VlanTag};
use flowscope_filter::{Expr, Filter, FilterError, Net};
use flowscope_testkit::{Frame, Order, Packet, frame};

/// Whether a packet is meant, also if the tag that it begins with was taken out.
fn check(text: &str, packet: &Packet, expected: bool) {
    let expr = text.parse::<Expr>().expect(text);
    let program = expr.compile(packet.link).expect(text);
    assert_eq!(program.matches(packet.view()), expected, "{text}: {packet:02x?}\n{program:?}");
    let tpid = packet.bytes.get(12..14);
    if packet.link == LinkType::ETHERNET
        && packet.vlan.is_none()
        && let Some([0x81, 0x00] | [0x88, 0xa8]) = tpid
    {
        let mut stripped = packet.clone();
        let tag: Vec<u8> = stripped.bytes.drain(12..16).collect();
        stripped.vlan = Some(VlanTag {
            tpid: u16::from_be_bytes([tag[0], tag[1]]),
            tci: u16::from_be_bytes([tag[2], tag[3]]),
        });
        assert_eq!(program.matches(stripped.view()), expected, "{text}, stripped: {packet:02x?}");
    }
}

fn table(packet: &Frame, holds: &[&str], fails: &[&str]) {
    let packet = packet.packet();
    for text in holds {
        check(text, &packet, true);
        check(&format!("not ({text})"), &packet, false);
    }
    for text in fails {
        check(text, &packet, false);
        check(&format!("not ({text})"), &packet, true);
    }
}

fn v4(f: Frame) -> Frame {
    f.ipv4("10.0.0.1", "10.0.0.2")
}

fn v6(f: Frame) -> Frame {
    f.ipv6("2001:db8::1", "2001:db8::2")
}

#[test]
fn addresses_and_ports() {
    table(
        &v4(frame().ethernet()).tcp(40000, 443),
        &[
            "ip",
            "tcp",
            "proto 6",
            "host 10.0.0.1",
            "host 10.0.0.2",
            "src host 10.0.0.1",
            "dst 10.0.0.2",
            "net 10.0.0.0/8",
            "src and dst net 10.0.0.0/30",
            "net 0.0.0.0/0",
            "port 443",
            "dst port 443",
            "tcp src port 40000",
            "portrange 443-443",
            "portrange 400-500",
            "ether src 02:00:00:00:00:01",
            "ether dst 02:00:00:00:00:02",
            "ether host 02:00:00:00:00:02",
            "arp or udp or tcp",
            "ip and not udp and (port 1 or port 443)",
        ],
        &[
            "ip6",
            "arp",
            "udp",
            "icmp",
            "icmp6",
            "sctp",
            "host 10.0.0.3",
            "src host 10.0.0.2",
            "dst 10.0.0.1",
            "net 10.0.0.4/30",
            "src and dst net 10.0.0.2/31",
            "net ::/0",
            "src port 443",
            "dst port 40000",
            "udp port 443",
            "portrange 444-500",
            "portrange 1-442",
            "vlan",
            "vlan 0",
            "ether src 02:00:00:00:00:02",
            "ether host 02:00:00:00:00:03",
            "ether host 03:00:00:00:00:02",
        ],
    );
    table(
        &v6(frame().ethernet()).udp(53, 40000),
        &[
            "ip6",
            "udp",
            "host 2001:db8::1",
            "dst host 2001:db8::2",
            "net 2001:db8::/32",
            "net 2001:db8::/127",
            "net ::/0",
            "src port 53",
            "udp port 40000",
        ],
        &[
            "ip",
            "tcp",
            "host 2001:db8::3",
            "src host 2001:db8::2",
            "net 2001:db9::/32",
            "net 0.0.0.0/0",
            "dst port 53",
            "host 10.0.0.1",
            "dst net 2001:db8::/127",
        ],
    );
    table(&v4(frame().ethernet()).sctp(1, 2), &["sctp", "port 2", "sctp port 1"], &["tcp port 1"]);
    table(
        &v4(frame().ethernet()).icmp(8, 0),
        &["icmp", "proto 1"],
        &["icmp6", "port 0", "portrange 0-65535"],
    );
    table(
        &v6(frame().ethernet()).icmp(128, 0),
        &["icmp6", "proto 58"],
        &["icmp", "portrange 0-65535"],
    );
}

#[test]
fn addresses_of_arp() {
    let mut body = vec![0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1];
    body.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
    let holds = [
        "arp",
        "host 10.0.0.1",
        "src host 10.0.0.1",
        "dst 10.0.0.2",
        "net 10.0.0.0/8",
        "arp host 10.0.0.2",
    ];
    let fails = ["ip", "src 10.0.0.2", "ip host 10.0.0.1", "tcp", "port 1", "host ::1"];
    table(&frame().ethernet().next(0x0806).payload(&body), &holds, &fails);
    table(&frame().ethernet().vlan(9).next(0x0806).payload(&body), &holds, &fails);
    table(&frame().ethernet().next(0x8035).payload(&body), &holds[1..5], &["arp"]);
}

#[test]
fn tags() {
    let inner = |f: Frame| v4(f).tcp(40000, 443);
    let holds = ["tcp", "tcp port 443", "host 10.0.0.1", "ip", "net 10.0.0.0/8", "vlan", "not arp"];
    table(&inner(frame().ethernet().vlan(100)), &holds, &["vlan 101", "vlan 0", "not vlan"]);
    table(
        &inner(frame().ethernet().vlan(100)),
        &["vlan 100", "vlan 100 and tcp port 443"],
        &["udp"],
    );
    for (outer, middle) in [(0x8100, 0x8100), (0x88a8, 0x8100), (0x9100, 0x88a8)] {
        let two = inner(frame().ethernet().vlan_tag(outer, 0xe064).vlan_tag(middle, 7));
        table(&two, &holds, &["vlan 5", "vlan 4095"]);
        table(
            &two,
            &["vlan 100", "vlan 7", "vlan 7 and vlan 100", "vlan 100 and tcp"],
            &["vlan 100 and udp"],
        );
    }
    // A third hides what is behind it, and itself.
    let three = inner(frame().ethernet().vlan(1).vlan(2).vlan(3));
    table(
        &three,
        &["vlan", "vlan 1", "vlan 2"],
        &["vlan 3", "ip", "tcp", "host 10.0.0.1", "port 443"],
    );
    // A priority tag is one.
    table(
        &inner(frame().ethernet().vlan_tag(0x8100, 0xe000)),
        &["vlan", "vlan 0", "tcp"],
        &["vlan 7"],
    );
    // Other links have them too.
    table(&inner(frame().sll().vlan(100)), &["vlan 100 and tcp port 443"], &["vlan 1"]);
    table(
        &inner(frame().sll2().vlan(100).vlan(1)),
        &["vlan 100 and vlan 1 and port 443"],
        &["vlan 2"],
    );
    let raw = inner(frame()).packet().stripped_vlan(100);
    check("vlan 100 and tcp port 443", &raw, true);
    check("vlan 1", &raw, false);
}

#[test]
fn links() {
    for link in [
        frame().ethernet(),
        frame().sll(),
        frame().sll2(),
        frame(),
        frame().null(Order::Little),
        frame().null(Order::Big),
        frame().loopback(Order::Big),
        frame().ppp(),
        frame().ppp().compressed_protocol(),
        frame().ppp_bare(),
        frame().ppp_bare().compressed_protocol(),
    ] {
        table(
            &v4(link.clone()).tcp(1, 443),
            &["ip", "tcp port 443", "src 10.0.0.1"],
            &["ip6", "udp"],
        );
        table(
            &v6(link).udp(53, 1),
            &["ip6", "udp port 53", "dst 2001:db8::2"],
            &["ip", "tcp", "vlan"],
        );
    }
    for (link, packet) in [
        (LinkType::RAW_BSD, v4(frame()).tcp(1, 443)),
        (LinkType::RAW_OPENBSD, v6(frame()).tcp(1, 443)),
        (LinkType::IPV4, v4(frame()).tcp(1, 443)),
        (LinkType::IPV6, v6(frame()).tcp(1, 443)),
    ] {
        let packet = Packet { link, ..packet.packet() };
        check("tcp port 443", &packet, true);
        check("tcp port 444", &packet, false);
    }
    // PPPoE session 1, six bytes, then PPP.
    let mut bytes = vec![0x11, 0, 0, 1, 0, 42, 0, 0x21];
    bytes.extend(v4(frame()).tcp(1, 443).build());
    let session = Packet { link: LinkType::PPP_ETHER, bytes, ..frame().packet() };
    check("tcp port 443", &session, true);
    check("ip6", &session, false);
}

/// What stands before the packet of a link without Ethertypes.
#[test]
fn families_of_every_system_and_headers_of_cisco() {
    let packet = |link: LinkType, header: &[u8], ip: Frame| {
        let mut packet = ip.tcp(40_000, 443).packet();
        packet.bytes.splice(0..0, header.iter().copied());
        packet.wire_len = packet.bytes.len() as u32;
        Packet { link, ..packet }
    };
    let check_kind = |link, header: &[u8], kind: Option<&str>| {
        let ip = if kind == Some("ip6") { v6(frame()) } else { v4(frame()) };
        let packet = packet(link, header, ip);
        check("ip", &packet, kind == Some("ip"));
        check("ip6", &packet, kind == Some("ip6"));
        check("tcp dst port 443", &packet, kind.is_some());
    };
    for family in 0..64_u32 {
        let kind = match family {
            2 => Some("ip"),
            10 | 24 | 28 | 30 => Some("ip6"),
            _ => None,
        };
        for link in [LinkType::NULL, LinkType::LOOP] {
            check_kind(link, &family.to_be_bytes(), kind);
            check_kind(link, &family.to_le_bytes(), kind);
        }
    }
    for link in [LinkType::NULL, LinkType::LOOP, LinkType::PPP, LinkType::PPP_HDLC] {
        for address in [0x0f, 0x8f] {
            check_kind(link, &[address, 0, 0x08, 0x00], Some("ip"));
            check_kind(link, &[address, 0, 0x86, 0xdd], Some("ip6"));
            check_kind(link, &[address, 0, 0x20, 0x00], None);
        }
        for address in [0x0e, 0x10, 0x8e, 0x90] {
            check_kind(link, &[address, 0, 0x08, 0x00], None);
        }
    }
}

#[test]
fn headers_of_many_lengths() {
    let options = v4(frame().ethernet()).options(&[148, 4, 0, 0, 1, 1, 1, 0]);
    table(&options.tcp(40000, 443), &["tcp port 443", "src port 40000"], &["port 0"]);
    // A header shorter than it can be says nothing of where ports are.
    let mut short = v4(frame().ethernet()).tcp(40000, 443).packet();
    short.bytes[14] = 0x44;
    check("tcp", &short, true);
    check("portrange 0-65535", &short, false);
    let chain = v6(frame().ethernet()).hop_by_hop(&[]).routing(&[0; 22]).destination(&[0; 6]);
    table(
        &chain.clone().tcp(40000, 443),
        &["tcp", "tcp port 443", "proto 6"],
        &["proto 0", "proto 60"],
    );
    table(&chain.clone().icmp(128, 0), &["icmp6"], &["tcp"]);
    let six = chain.hop_by_hop(&[]).hop_by_hop(&[]).hop_by_hop(&[]);
    table(&six.clone().tcp(40000, 443), &["tcp port 443"], &[]);
    table(&six.destination(&[]).tcp(40000, 443), &["ip6"], &["tcp", "port 443", "proto 60"]);
    // Tunnels and authentication headers are not looked into.
    table(&v4(frame().ethernet()).auth().tcp(1, 443), &["proto 51"], &["tcp", "port 443"]);
}

#[test]
fn fragments() {
    let first = v4(frame().ethernet()).fragment(1, 0, true).udp(40000, 53);
    table(&first, &["udp", "udp port 53", "host 10.0.0.1"], &["tcp"]);
    let later = v4(frame().ethernet()).fragment(1, 64, false).protocol(17).payload([0, 53, 0, 53]);
    table(&later, &["udp", "host 10.0.0.1"], &["port 53", "portrange 0-65535"]);
    let first = v6(frame().ethernet()).fragment(1, 0, true).udp(40000, 53);
    table(&first, &["udp", "udp port 53"], &["tcp", "proto 44"]);
    let later = v6(frame().ethernet()).fragment(1, 64, true).protocol(17).payload([0, 53, 0, 53]);
    table(&later, &["udp", "host 2001:db8::1"], &["port 53", "portrange 0-65535"]);
}

/// As with tcpdump: what cannot be read refuses the packet, and a negation does not make it
/// welcome.
#[test]
fn a_packet_that_ends_too_early_is_refused() {
    let packet = v4(frame().ethernet()).tcp(40000, 443).packet();
    for (len, text, expected) in [
        (14, "ip", true),
        (13, "ip", false),
        (13, "not ip", false),
        (13, "ether host 02:00:00:00:00:01", true),
        (24, "tcp", true),
        (23, "tcp", false),
        (23, "ip or tcp", false),
        (38, "port 443", true),
        (37, "port 443", false),
        (36, "port 40000", true),
        (37, "not port 80", false),
        (37, "tcp or port 443", true),
    ] {
        check(text, &packet.cut(len), expected);
    }
}

#[test]
fn networks() {
    let net = |addr: &str, len| Net::new(addr.parse::<std::net::IpAddr>().unwrap(), len);
    assert_eq!(net("10.1.2.3", 8).unwrap().to_string(), "10.0.0.0/8");
    assert_eq!(net("10.1.2.3", 0).unwrap().to_string(), "0.0.0.0/0");
    assert_eq!(net("2001:db8::1", 0).unwrap().to_string(), "::/0");
    assert_eq!(net("2001:db8:ffff::", 33).unwrap().to_string(), "2001:db8:8000::/33");
    assert_eq!((net("10.0.0.0", 33), net("::", 129)), (None, None));
    let ten = net("10.0.0.0", 8).unwrap();
    for (addr, expected) in [("10.255.0.1", true), ("11.0.0.0", false), ("::a00:0", false)] {
        assert_eq!(ten.contains(addr.parse().unwrap()), expected, "{addr}");
    }
}

#[test]
fn a_filter_compiles_for_each_link_and_counts_those_it_cannot() {
    let mut filter = Filter::parse("tcp port 443").unwrap();
    for _ in 0..2 {
        assert!(filter.matches(v4(frame().ethernet()).tcp(1, 443).packet().view()));
        assert!(filter.matches(v4(frame().sll()).tcp(1, 443).packet().view()));
        assert!(!filter.matches(v4(frame()).udp(1, 443).packet().view()));
    }
    assert_eq!(filter.unsupported(), 0);
    let wifi = frame().wifi(false).packet();
    assert!(!filter.matches(wifi.view()) && !filter.matches(wifi.view()));
    assert_eq!(filter.unsupported(), 2);
    assert!(matches!(filter.compile(wifi.link), Err(FilterError::Compile(_))));

    // More link types than it keeps programs for.
    for number in 1000..1100 {
        let packet = Packet { link: LinkType(number), ..frame().packet() };
        assert!(!filter.matches(packet.view()));
    }
    assert_eq!(filter.unsupported(), 102);
    assert!(filter.matches(v4(frame().ethernet()).tcp(1, 443).packet().view()));
}

#[test]
fn terms_behind_a_choice_that_ends_in_several_ways() {
    let text = "(host 10.0.0.1 or port 80) and dst host 10.0.0.9";
    let packet = |src: &str, dst: &str, port| frame().ethernet().ipv4(src, dst).tcp(40000, port);
    for (src, dst, port, holds) in [
        ("10.0.0.1", "10.0.0.9", 22, true),
        ("10.0.0.7", "10.0.0.9", 80, true),
        ("10.0.0.7", "10.0.0.9", 22, false),
        ("10.0.0.1", "10.0.0.2", 80, false),
    ] {
        check(text, &packet(src, dst, port).packet(), holds);
    }
}

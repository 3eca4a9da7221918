//! How many instructions does a packet cost? Runs an extractor over one frame many times, for
//! `valgrind --tool=callgrind`; the difference between two counts is the cost of the packets.
//!
//! `instructions [plain|auto|named|none] SHAPE COUNT`, the shapes being those below. The view is made anew for each
//! packet, as a capture source makes it.

use std::hint::black_box;

use flowscope_core::{FlowExtractor, LinkType, PacketView, TcpFlags, Timestamp, VlanTag};
use flowscope_extract::{
    AutoDetectEncap, FiveTuple, InnerGeneve, InnerGre, InnerGtpU, InnerIpIp, InnerVxlan, StripMpls,
    StripPppoe, StripVlan,
};
use flowscope_testkit::{Frame, frame};

fn main() {
    let mut args = std::env::args().skip(1);
    let (extractor, shape) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    let count: u32 = args.next().and_then(|text| text.parse().ok()).unwrap_or(1000);
    let ethernet = frame().ethernet();
    let v4 = |frame: Frame| frame.ipv4("10.0.0.1", "10.0.0.2");
    let outer = |frame: Frame| frame.ipv4("192.0.2.1", "192.0.2.2");
    let v6 = |frame: Frame| frame.ipv6("2001:db8::1", "2001:db8::2");
    let tcp = |frame: Frame| frame.tcp(40000, 80).ack(1).flags(TcpFlags::ACK);
    let bytes = match shape.as_str() {
        "vlan" => tcp(v4(ethernet.vlan(5))),
        "qinq" => tcp(v4(ethernet.vlan_tag(0x88a8, 5).vlan(6))),
        "mpls" => tcp(v4(ethernet.mpls(16).mpls(17))),
        "pppoe" => tcp(v4(ethernet.pppoe(9))),
        "vxlan" => tcp(v4(outer(ethernet).vxlan(42).ethernet())),
        "geneve" => tcp(v4(outer(ethernet).geneve(42).options(&[0; 8]).ethernet())),
        "geneve-ip" => tcp(v4(outer(ethernet).geneve(42))),
        "gre" => tcp(v4(outer(ethernet).gre())),
        "gre-key" => tcp(v4(outer(ethernet).gre_key(7))),
        "gtp-u" => tcp(v4(outer(ethernet).gtpu(77))),
        "ipip" => tcp(v4(outer(ethernet))),
        "vlan-vxlan" => tcp(v4(outer(ethernet.vlan(5)).vxlan(42).ethernet())),
        "vxlan-vlan" => tcp(v4(outer(ethernet).vxlan(42).ethernet().vlan(5))),
        "gre6" => tcp(v4(v6(ethernet).gre())),
        "gtp-u6" => tcp(v4(v6(ethernet).gtpu(77))),
        "4in6" => tcp(v4(v6(ethernet))),
        "6in4" => tcp(v6(outer(ethernet))),
        "vxlan-v6" => tcp(v6(outer(ethernet).vxlan(42).ethernet())),
        "vxlan6-v6" => tcp(v6(v6(ethernet).vxlan(42).ethernet())),
        "vxlan6" => tcp(v4(v6(ethernet).vxlan(42).ethernet())),
        "udp" => v4(ethernet).udp(40000, 53),
        "v6" => tcp(v6(ethernet)),
        "syn" => v4(ethernet).tcp(40000, 80).options(&[2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7]),
        "echo" => v4(ethernet).echo_request(1, 2),
        _ => tcp(v4(ethernet)),
    }
    .payload([7; 64])
    .build();
    let mut view = PacketView::new(&bytes, LinkType::ETHERNET, Timestamp::ZERO);
    if shape == "beside" {
        view = view.with_vlan(VlanTag { tpid: 0x8100, tci: 5 });
    }
    let five = FiveTuple::bidirectional();
    match extractor.as_str() {
        "plain" => run(&five, view, count),
        "auto" => run(&AutoDetectEncap(five), view, count),
        "named" => match shape.as_str() {
            "vlan" | "qinq" | "beside" => run(&StripVlan(five), view, count),
            "mpls" => run(&StripMpls(five), view, count),
            "pppoe" => run(&StripPppoe(five), view, count),
            "vxlan" | "vxlan6" | "vxlan-v6" | "vxlan6-v6" => run(&InnerVxlan(five), view, count),
            "vlan-vxlan" => run(&StripVlan(InnerVxlan(five)), view, count),
            "vxlan-vlan" => run(&InnerVxlan(StripVlan(five)), view, count),
            "geneve" | "geneve-ip" => run(&InnerGeneve(five), view, count),
            "gre" | "gre-key" | "gre6" => run(&InnerGre(five), view, count),
            "gtp-u" | "gtp-u6" => run(&InnerGtpU(five), view, count),
            "ipip" | "4in6" | "6in4" => run(&InnerIpIp(five), view, count),
            other => panic!("{other} has no layer to name"),
        },
        _ => (0..count).for_each(|_| {
            black_box(black_box(&view));
        }),
    }
}

fn run<E: FlowExtractor>(extractor: &E, view: PacketView<'_>, count: u32) {
    let (link, ts, vlan) = (view.link(), view.ts(), view.vlan());
    for _ in 0..count {
        let frame = black_box(view.frame());
        let mut packet = PacketView::new(frame, link, ts).with_wire_len(frame.len() as u32);
        if let Some(tag) = vlan {
            packet = packet.with_vlan(tag);
        }
        black_box(&black_box(extractor).extract(packet));
    }
}

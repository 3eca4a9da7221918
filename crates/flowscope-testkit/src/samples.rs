use flowscope_core::TcpFlags;

use crate::{Frame, Order, Packet, Rng, frame};

/// One sound packet of every shape that the builders know, by name: seeds for mutation, and input
/// for "whatever comes" tests.
#[must_use]
pub fn samples() -> Vec<(&'static str, Packet)> {
    let v4 = |f: Frame| f.ipv4("10.0.0.1", "10.0.0.2");
    let v6 = |f: Frame| f.ipv6("2001:db8::1", "2001:db8::2").flow_label(0x12345);
    let tcp = |f: Frame| f.tcp(40000, 80).ack(9).flags(TcpFlags::PSH | TcpFlags::ACK);
    let inner = |f: Frame| tcp(v4(f));
    let eth = || frame().ethernet();
    let outer = || eth().ipv4("192.0.2.1", "192.0.2.2");
    let syn_options = [2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0];
    let quoted = frame().ipv4("10.0.0.2", "10.0.0.1").udp(53, 40000).build();

    let frames = [
        ("tcp", tcp(v4(eth()))),
        ("tcp options", tcp(v4(eth())).options(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2])),
        ("syn", v4(eth()).tcp(40000, 80).options(&syn_options)),
        ("udp", v4(eth()).udp(40000, 53)),
        ("sctp", v4(eth()).sctp(40000, 80)),
        ("icmp echo", v4(eth()).echo_request(7, 1)),
        ("icmp error", v4(eth()).icmp(3, 1).payload(&quoted)),
        ("esp", v4(eth()).protocol(50)),
        ("ipv4 options", tcp(v4(eth()).options(&[148, 4, 0, 0]))),
        ("ipv4 ah", tcp(v4(eth()).auth())),
        ("ipv4 total length 0", tcp(v4(eth()).length(0))),
        ("ipv4 first fragment", v4(eth()).fragment(1, 0, true).udp(40000, 53)),
        ("ipv4 later fragment", v4(eth()).fragment(1, 64, false).protocol(17)),
        ("ipv6 tcp", tcp(v6(eth()))),
        ("ipv6 syn", v6(eth()).tcp(40000, 80).options(&syn_options)),
        ("ipv6 udp", v6(eth()).udp(40000, 53)),
        ("icmpv6 echo", v6(eth()).echo_reply(7, 1)),
        ("icmpv6 error", v6(eth()).icmp(2, 0).payload(&quoted)),
        (
            "ipv6 extensions",
            tcp(v6(eth()).hop_by_hop(&[]).routing(&[0; 14]).destination(&[]).auth()),
        ),
        ("ipv6 fragment", v6(eth()).fragment(1, 0, true).udp(40000, 53)),
        ("ipv6 atomic fragment", tcp(v6(eth()).fragment(1, 0, false))),
        ("ipv6 jumbo", tcp(v6(eth()).jumbo(8 + 20 + 64))),
        ("arp", eth().next(0x0806)),
        ("llc snap", inner(eth().snap())),
        ("vlan", inner(eth().vlan(5))),
        ("qinq", inner(eth().vlan_tag(0x88a8, 5).vlan(6))),
        ("vlan ipv6", tcp(v6(eth().vlan(5)))),
        ("three tags", inner(eth().vlan_tag(0x9100, 1).vlan(2).vlan(3))),
        ("vendor tag", inner(eth().vlan_tag(0x9200, 5).vlan(6))),
        ("vn-tag", inner(eth().vn_tag(5, 9).vlan(6))),
        ("backbone", inner(eth().vlan_tag(0x88a8, 7).pbb(42).ethernet())),
        ("cisco metadata", inner(eth().trustsec(16))),
        ("nsh", inner(eth().nsh(42))),
        ("mpls", inner(eth().mpls(16).mpls(17))),
        ("pppoe", inner(eth().pppoe(9))),
        ("vxlan", inner(outer().vxlan(42).ethernet())),
        ("geneve", inner(outer().geneve(42).options(&[0; 8]).ethernet())),
        ("geneve ip", inner(outer().geneve(42))),
        ("gre", inner(outer().gre())),
        ("gre key", inner(outer().gre_full(7, 8))),
        ("nvgre", inner(outer().gre_key(42 << 8).ethernet())),
        ("erspan", inner(outer().erspan(3).ethernet())),
        ("gtp-u", inner(outer().gtpu(77))),
        ("gtp-u with sequence", inner(outer().gtpu(77).seq(1))),
        ("gtp-u with extensions", inner(outer().gtpu(77).gtpu_extension(0x85, &[9, 9]))),
        ("teredo", inner(outer().teredo(false, false).ipv6("2001:0:1::1", "2001:db8::2"))),
        (
            "teredo with headers",
            inner(outer().teredo(true, true).ipv6("2001:db8::2", "2001:0:1::1")),
        ),
        ("ayiya", inner(outer().ayiya())),
        ("ayiya ipv6", tcp(v6(outer().ayiya()))),
        ("mpls pseudo-wire", inner(eth().mpls(16).ethernet())),
        ("mpls pseudo-wire, control word", inner(eth().mpls(16).control_word().ethernet())),
        (
            "mpls pseudo-wire, address like ip",
            inner(eth().mpls(16).ethernet_between([2, 0, 0, 0, 0, 1], [0x4c, 0x5e, 0, 60, 0, 1])),
        ),
        ("gre in udp", inner(outer().udp(49152, 4754).gre())),
        ("vxlan-gpe", inner(outer().vxlan_gpe(42))),
        ("vxlan-gpe ethernet", inner(outer().vxlan_gpe(42).ethernet())),
        ("erspan i", inner(outer().gre().next(0x88be).ethernet())),
        ("erspan iii", inner(outer().erspan_iii(3, true).ethernet())),
        ("pptp", inner(outer().pptp(7, true).ppp())),
        ("4in4", inner(outer())),
        ("6in4", tcp(v6(outer()))),
        ("4in6", inner(v6(eth()))),
        ("vxlan over ipv6", inner(v6(eth()).vxlan(42).ethernet())),
        ("geneve over ipv6", inner(v6(eth()).geneve(42).options(&[0; 8]).ethernet())),
        ("gre over ipv6", inner(v6(eth()).gre_key(7))),
        ("gtp-u over ipv6", inner(v6(eth()).gtpu(77))),
        ("raw", inner(frame())),
        ("raw ipv6", tcp(v6(frame()))),
        ("sll", inner(frame().sll())),
        ("sll2", inner(frame().sll2())),
        ("null", inner(frame().null(Order::Little))),
        ("loop", tcp(v6(frame().loopback(Order::Big)))),
        ("ppp", inner(frame().ppp())),
        ("ppp bare", tcp(v6(frame().ppp_bare().compressed_protocol()))),
        ("pppoe link", inner(frame().pppoe(9))),
        ("token_ring", inner(frame().token_ring(true))),
        ("fddi", inner(frame().fddi())),
        ("cisco hdlc", inner(frame().cisco_hdlc())),
        ("frame relay", inner(frame().frame_relay())),
        ("nflog", inner(frame().nflog(Order::Little))),
        ("802.11", inner(frame().wifi(false).snap())),
        ("radiotap", inner(frame().radiotap(true).snap())),
    ];
    let built = |(name, f): (_, Frame)| (name, f.or_payload(&[0x5a; 64]).packet());
    frames.into_iter().map(built).collect()
}

impl Packet {
    /// The packet with some of its bytes changed, possibly cut, possibly with another wire length:
    /// close enough to a sound one to get past the first checks.
    #[must_use]
    pub fn damaged(&self, rng: &mut Rng) -> Packet {
        let mut packet = self.clone();
        for _ in 0..rng.below(4) {
            // Headers are where it hurts.
            let reach = if rng.one_in(4) { 200 } else { 64 };
            let at = rng.below(packet.bytes.len().min(reach));
            if let Some(byte) = packet.bytes.get_mut(at) {
                *byte = match rng.below(4) {
                    0 => *byte ^ (1 << rng.below(8)),
                    1 => *rng.pick(&[0, 1, 4, 6, 0x11, 0x45, 0x46, 0x60, 0x81, 0xff]),
                    2 => byte.wrapping_add(1),
                    _ => rng.next_u64() as u8,
                };
            }
        }
        if rng.one_in(3) {
            packet.bytes.truncate(rng.below(packet.bytes.len() + 1));
        }
        if rng.one_in(3) {
            let captured = packet.bytes.len();
            packet.wire_len =
                (captured + rng.below(*rng.clone().pick(&[1, 8, 100, 70_000]))) as u32;
        }
        if rng.one_in(8) {
            packet = packet.stripped_vlan(7);
        }
        packet
    }
}

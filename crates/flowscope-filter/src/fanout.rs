//! Program that selects a member of a fanout group by a hash of the innermost flow.

use flowscope_core::LinkType;

use crate::asm::{Assembler, Label};
use crate::op;
use crate::program::Program;

mod levels;

use levels::Levels;

/// Where the program finds the network header, and its Ethertype.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Start {
    /// As in the kernel: it runs on the frame from its network header on if the frame was received, and
    /// from its link header on if the host sends it.
    Kernel,
    /// From the link header on: as a test runs it.
    #[cfg(test)]
    Frame,
}

impl Program {
    /// Program for a fanout group of packet sockets (`PACKET_FANOUT_CBPF`): its result, modulo the number
    /// of members, is the member that receives the frame. `None` for link types other than Ethernet and
    /// raw IP.
    ///
    /// The result is a hash of the innermost addresses and ports that it reaches, the same for both
    /// directions. It reaches behind up to three VLAN tags, a PPPoE header, up to four MPLS labels, IPv6
    /// extension headers (up to six), and two tunnels in one another: VXLAN, VXLAN-GPE, GENEVE, GRE (also
    /// in UDP, with Ethernet, and as ERSPAN), IP in IP, and GTP-U with up to two extension headers.
    /// Tunnels are recognised as the extractors of `flowscope-extract` do, by destination port.
    ///
    /// Only the addresses of a fragment are hashed, so that all fragments of a datagram reach one
    /// member; whole datagrams of the same flow may reach another one. Frames without IP reach the first
    /// member.
    ///
    /// It is not for [`run`](Self::run): it expects what the kernel passes to the program of a group.
    #[must_use]
    pub fn flow_hash(link: LinkType) -> Option<Program> {
        build(link, Start::Kernel)
    }
}

fn build(link: LinkType, start: Start) -> Option<Program> {
    let mut asm = Assembler::default();
    let levels = Levels::new(&mut asm);
    for slot in [HASH, KIND] {
        asm.emit(op::LD_IMM, 0);
        asm.emit(op::ST, slot);
    }
    asm.emit(op::LDX_IMM, 0);
    match link {
        LinkType::ETHERNET => ethernet(&mut asm, start),
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => asm.goto(levels.first().by_version),
        _ => return None,
    }
    levels.emit(&mut asm);
    // The sums differ in their low bits, and so would the members; all bits count this way.
    asm.emit(op::LD_MEM, HASH);
    asm.emit(op::MUL_K, GOLDEN);
    asm.emit(op::TAX, 0);
    asm.emit(op::RSH_K, 16);
    asm.emit(op::XOR_X, 0);
    asm.emit(op::RET_A, 0);
    asm.finish().ok()
}

/// Leaves the Ethertype in A, and the offset of what it announces in X.
fn ethernet(asm: &mut Assembler, start: Start) {
    let (sent, there) = (asm.label(), asm.label());
    if start == Start::Kernel {
        asm.emit(op::LD_B_ABS, op::AD_PKTTYPE);
        asm.branch_if(op::JEQ_K, PACKET_OUTGOING, sent);
        // The kernel has removed the outer tag of a received frame, and this is the type behind it.
        asm.emit(op::LD_H_ABS, op::AD_PROTOCOL);
        asm.goto(there);
    }
    asm.place(sent);
    asm.emit(op::LDX_IMM, 14);
    asm.emit(op::LD_H_ABS, 12);
    asm.place(there);
}

/// Scratch memory: the sum of addresses and ports.
const HASH: u32 = 0;
/// The Ethertype or protocol at hand.
const KIND: u32 = 1;
/// An intermediate value.
const TEMP: u32 = 2;

/// 2^32 divided by the golden ratio, made odd: spreads small numbers over all bits.
const GOLDEN: u32 = 0x9e37_79b1;

/// `PACKET_OUTGOING` of `linux/if_packet.h`.
const PACKET_OUTGOING: u32 = 4;

/// X += `bytes`; A is lost.
fn advance(asm: &mut Assembler, bytes: u32) {
    asm.emit(op::TXA, 0);
    asm.emit(op::ADD_K, bytes);
    asm.emit(op::TAX, 0);
}

/// X += A; A is lost.
fn advance_by_a(asm: &mut Assembler) {
    asm.emit(op::ADD_X, 0);
    asm.emit(op::TAX, 0);
}

/// Continues at `label` if A is one of these.
fn any_of(asm: &mut Assembler, values: &[u32], label: Label) {
    for value in values {
        asm.branch_if(op::JEQ_K, *value, label);
    }
}

#[cfg(test)]
mod tests {
    use flowscope_testkit::{Frame, frame};

    use super::*;

    fn hash(frame: &Frame) -> u32 {
        let program = build(LinkType::ETHERNET, Start::Frame).unwrap();
        program.run(frame.packet().view())
    }

    /// The hash of a frame that was captured whole.
    fn whole(bytes: &[u8]) -> u32 {
        let time = flowscope_core::Timestamp::from_secs(1);
        let view = flowscope_core::PacketView::new(bytes, LinkType::ETHERNET, time);
        build(LinkType::ETHERNET, Start::Frame).unwrap().run(view)
    }

    /// Something between the outer header and the flow.
    type Wrap = fn(Frame) -> Frame;

    fn v4(frame: Frame) -> Frame {
        frame.ipv4("192.0.2.1", "192.0.2.2")
    }

    fn v6(frame: Frame) -> Frame {
        frame.ipv6("2001:db8::1", "2001:db8::2")
    }

    const WRAPS: &[(&str, Wrap)] = &[
        ("nothing", |f| f),
        ("tag", |f| f.vlan(7)),
        ("tags", |f| f.vlan_tag(0x88a8, 3).vlan(7).vlan(9)),
        ("tags before 802.1ad", |f| f.vlan_tag(0x9100, 3).vlan_tag(0x9200, 4).vlan_tag(0x9300, 5)),
        ("pppoe", |f| f.pppoe(3)),
        ("labels", |f| f.mpls(16).mpls(17).mpls(18)),
        ("vxlan", |f| v4(f).udp(50_000, 4789).vxlan(5).ethernet()),
        ("vxlan over IPv6", |f| v6(f).udp(50_000, 4789).vxlan(5).ethernet()),
        ("vxlan, tag", |f| v4(f).udp(50_000, 4789).vxlan(5).ethernet().vlan(4)),
        ("vxlan-gpe", |f| v4(f).udp(50_000, 4790).vxlan_gpe(5)),
        ("geneve", |f| v4(f).udp(50_000, 6081).geneve(5).ethernet()),
        ("gtp-u", |f| v4(f).udp(2152, 2152).gtpu(5)),
        ("gtp-u with extension", |f| v4(f).udp(2152, 2152).gtpu(5).gtpu_extension(0x85, &[1, 2])),
        ("gre", |f| v4(f).gre()),
        ("gre, ethernet", |f| v4(f).gre_key(7).ethernet()),
        ("gre with all", |f| v6(f).gre_full(7, 1)),
        ("gre in udp", |f| v4(f).udp(50_000, 4754).gre()),
        ("erspan", |f| v4(f).erspan(3).ethernet()),
        ("erspan III", |f| v4(f).erspan_iii(3, false).ethernet()),
        ("ip in ip", v4),
        ("ip in ip 6", v6),
        ("two tunnels", |f| v4(v6(f).gre().ethernet()).udp(50_000, 4789).vxlan(5).ethernet()),
    ];

    #[test]
    fn the_innermost_flow_counts_in_both_directions() {
        let flows: [fn(Frame, bool) -> Frame; 4] = [
            |f, back| {
                let (a, b) = (("10.0.0.1", 40_000), ("10.0.0.2", 443));
                let (a, b) = if back { (b, a) } else { (a, b) };
                f.ipv4(a.0, b.0).tcp(a.1, b.1)
            },
            |f, back| {
                let (a, b) = (("2001:db8:1::1", 40_000), ("2001:db8:2::2", 53));
                let (a, b) = if back { (b, a) } else { (a, b) };
                f.ipv6(a.0, b.0).udp(a.1, b.1)
            },
            |f, back| {
                let (a, b) = (("2001:db8:1::1", 40_001), ("2001:db8:2::2", 53));
                let (a, b) = if back { (b, a) } else { (a, b) };
                f.ipv6(a.0, b.0).hop_by_hop(&[1, 2, 0, 0]).destination(&[]).tcp(a.1, b.1)
            },
            |f, back| {
                let (a, b) = (("10.0.0.1", 40_000), ("10.0.0.2", 444));
                let (a, b) = if back { (b, a) } else { (a, b) };
                f.ipv4(a.0, b.0).sctp(a.1, b.1)
            },
        ];
        let mut seen = Vec::new();
        for flow in flows {
            let plain = hash(&flow(frame().ethernet(), false).payload([7; 40]));
            assert_ne!(plain, 0);
            for (name, wrap) in WRAPS {
                for back in [false, true] {
                    let one = flow(wrap(frame().ethernet()), back).payload([7; 40]);
                    assert_eq!(hash(&one), plain, "{name}, back: {back}");
                }
            }
            assert!(!seen.contains(&plain));
            seen.push(plain);
        }
    }

    #[test]
    fn fragments_of_a_datagram_meet() {
        let v4 = frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(4000, 53).payload([7; 3000]);
        let v6 = frame().ethernet().ipv6("2001:db8::1", "2001:db8::2").udp(4000, 53);
        let v6 = v6.payload([7; 3000]);
        let program = build(LinkType::ETHERNET, Start::Frame).unwrap();
        for whole in [v4, v6] {
            let fragments = whole.fragments(9, 1000);
            assert!(fragments.len() >= 3);
            let view = |bytes: &Vec<u8>| {
                let time = flowscope_core::Timestamp::from_secs(1);
                program.run(flowscope_core::PacketView::new(bytes, LinkType::ETHERNET, time))
            };
            let hashes: Vec<u32> = fragments.iter().map(view).collect();
            assert!(hashes[0] != 0 && hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
        }
    }

    /// The other direction has another destination port, and so no tunnel.
    #[test]
    fn the_port_of_a_tunnel_is_no_tunnel_by_itself() {
        let one = |from: (&str, u16), to: (&str, u16), payload: &[u8]| {
            hash(&frame().ethernet().ipv4(from.0, to.0).udp(from.1, to.1).payload(payload))
        };
        let (a, b) = ("10.0.0.1", "10.0.0.2");
        for port in [2152, 4754, 4789, 4790, 6081] {
            for fill in [0, 1, 0x08, 0x30, 0x45, 0xff] {
                for len in 0..80 {
                    let payload = vec![fill; len];
                    let there = one((a, 53), (b, port), &payload);
                    assert_eq!(one((b, port), (a, 53), &payload), there, "{port} {fill} {len}");
                }
            }
        }
    }

    /// A load from behind the end of the frame would end the program: the first member would get all such frames.
    #[test]
    fn a_short_frame_counts_as_far_as_it_reaches() {
        let program = build(LinkType::ETHERNET, Start::Frame).unwrap();
        let time = flowscope_core::Timestamp::from_secs(1);
        for (name, wrap) in WRAPS {
            let flow = wrap(frame().ethernet()).ipv6("2001:db8:1::1", "2001:db8:2::2");
            let flow = flow.hop_by_hop(&[]).fragment(1, 0, false).auth().udp(40_000, 53);
            let bytes = flow.payload(b"x").build();
            let cut =
                |len| flowscope_core::PacketView::new(&bytes[..len], LinkType::ETHERNET, time);
            // It changes with each header that is reached, and never back.
            let mut steps: Vec<u32> = (0..=bytes.len()).map(|len| program.run(cut(len))).collect();
            steps.dedup();
            assert_eq!(steps[0], 0, "{name}");
            let count = steps.len();
            steps.sort_unstable();
            steps.dedup();
            assert_eq!(steps.len(), count, "{name}");
        }
    }

    #[test]
    fn extension_headers_do_not_change_the_flow() {
        let v6 = || frame().ethernet().ipv6("2001:db8:1::1", "2001:db8:2::2");
        let flow = |f: Frame| hash(&f.tcp(40_000, 53).payload(b"x"));
        let (plain, addresses) = (flow(v6()), hash(&v6().icmp(128, 0)));
        assert_ne!(plain, addresses);
        assert_eq!(flow(v6().hop_by_hop(&[0; 20])), plain);
        assert_eq!(flow(v6().routing(&[0; 40]).destination(&[0; 6])), plain);
        assert_eq!(flow(v6().auth()), plain);
        assert_eq!(flow(v6().destination(&[0; 20]).auth().routing(&[])), plain);
        assert_eq!(flow(v6().fragment(9, 0, false)), plain, "it is the whole datagram");
        assert_eq!(flow(v6().fragment(9, 0, true)), addresses);
        assert_eq!(flow(v6().fragment(9, 8, false)), addresses);
        let chain = |length| (0..length).fold(v6(), |f, _| f.destination(&[]));
        assert_eq!((flow(chain(6)), flow(chain(7))), (plain, addresses));
    }

    #[test]
    fn headers_are_stepped_over_as_long_as_they_are() {
        let inner = frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").tcp(40_000, 443);
        let inner = inner.payload([7; 40]).build();
        let (plain, packet) = (whole(&inner), &inner[14..]);
        let outer = |port, parts: &[&[u8]]| {
            hash(&v4(frame().ethernet()).udp(50_000, port).payload(parts.concat()))
        };
        let around = |port| outer(port, &[&[0xff; 4]]);

        // GENEVE: options, version, and what it carries.
        for words in [0, 1, 2, 31, 63] {
            let options = vec![0xff; 4 * usize::from(words)];
            let header = |kind: [u8; 2]| [words, 0, kind[0], kind[1], 0, 0, 5, 0];
            assert_eq!(outer(6081, &[&header([0x65, 0x58]), &options, &inner]), plain, "{words}");
            assert_eq!(outer(6081, &[&header([0x08, 0x00]), &options, packet]), plain, "{words}");
            assert_eq!(outer(6081, &[&header([0x88, 0xcc]), &options, packet]), around(6081));
        }
        for version in [0x40, 0x80] {
            let header = [version, 0, 0x65, 0x58, 0, 0, 5, 0];
            assert_eq!(outer(6081, &[&header, &inner]), around(6081));
        }

        // VXLAN with a valid identifier; VXLAN-GPE with a next protocol or, as VXLAN, without.
        assert_eq!(outer(4789, &[&[0x08, 0, 0, 0, 0, 0, 5, 0], &inner]), plain);
        assert_eq!(outer(4789, &[&[0xf7, 0, 0, 0, 0, 0, 5, 0], &inner]), around(4789));
        let gpe = |flags, next, rest: &[u8]| outer(4790, &[&[flags, 0, 0, next, 0, 0, 5, 0], rest]);
        assert_eq!(gpe(0x0c, 1, packet), plain);
        assert_eq!(gpe(0x0c, 2, packet), plain, "the version says what it is");
        assert_eq!(gpe(0x0c, 3, &inner), plain);
        assert_eq!(gpe(0x08, 0, &inner), plain);
        assert_eq!(gpe(0x0c, 4, &inner), around(4790));
        assert_eq!(gpe(0x04, 3, &inner), around(4790));
        assert_eq!(gpe(0x1c, 3, &inner), around(4790));

        // GTP-U: user packets, with each of the optional fields.
        let gtp = |flags, kind, optional: &[u8]| {
            outer(2152, &[&[flags, kind, 0, 60, 0, 0, 0, 5], optional, packet])
        };
        assert_eq!(gtp(0x30, 0xff, &[]), plain);
        for flag in [0x01, 0x02, 0x03] {
            assert_eq!(
                gtp(0x30 | flag, 0xff, &[0, 1, 0, 0xff]),
                plain,
                "no extension: not looked at"
            );
        }
        assert_eq!(gtp(0x34, 0xff, &[0, 1, 0, 0]), plain);
        assert_eq!(gtp(0x34, 0xff, &[0, 1, 0, 0x85, 2, 9, 9, 9, 9, 9, 9, 0]), plain);
        assert_eq!(gtp(0x34, 0xff, &[0, 1, 0, 0x85, 0, 9, 9, 0]), around(2152), "no length");
        assert_eq!(gtp(0x30, 0xfe, &[]), around(2152));
        assert_eq!(gtp(0x50, 0xff, &[]), around(2152));

        // GRE: version 0 and no routing; ERSPAN III with the part that a platform adds.
        let gre = |flags: [u8; 2], optional: &[u8]| {
            let header = [flags[0], flags[1], 8, 0];
            hash(&v4(frame().ethernet()).protocol(47).payload([&header, optional, packet].concat()))
        };
        let addresses = hash(&v4(frame().ethernet()).icmp(8, 0));
        assert_eq!(gre([0x00, 0], &[]), plain);
        for flag in [0x80, 0x20, 0x10] {
            assert_eq!(gre([flag, 0], &[0; 4]), plain, "{flag:#x}");
        }
        for flags in [[0x40, 0], [0, 1], [0, 4]] {
            assert_eq!(gre(flags, &[]), addresses, "{flags:?}");
        }
        let flow = |f: Frame| hash(&f.ethernet().ipv4("10.0.0.1", "10.0.0.2").tcp(40_000, 443));
        assert_eq!(flow(v4(frame().ethernet()).erspan_iii(3, true)), plain);
        assert_eq!(flow(v4(frame().ethernet()).gre().next(0x88be)), plain, "ERSPAN I");
    }

    #[test]
    fn what_is_behind_the_last_of_a_kind_is_not_reached() {
        let flow = |f: Frame| hash(&f.ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).payload([7; 20]));
        let plain = flow(frame().ethernet());
        let check = |most: usize, wrap: Wrap, beyond: u32| {
            let times = |n| (0..n).fold(frame().ethernet(), |f, _| wrap(f));
            assert_eq!((flow(times(most)), flow(times(most + 1))), (plain, beyond));
        };
        check(3, |f| f.vlan(7), 0);
        check(4, |f| f.mpls(16), 0);
        // The third tunnel has addresses, and no ports.
        check(2, |f| v4(f).gre(), hash(&v4(frame().ethernet()).icmp(8, 0)));
        check(2, v4, hash(&v4(frame().ethernet()).icmp(8, 0)));
        let gtp = |extensions| {
            let tunnel = v4(frame().ethernet()).udp(2152, 2152).gtpu(5);
            (0..extensions).fold(tunnel, |f, _| f.gtpu_extension(0x85, &[1, 2]))
        };
        let around = hash(&v4(frame().ethernet()).udp(2152, 2152).payload(b"x"));
        assert_eq!((flow(gtp(2)), flow(gtp(3))), (plain, around));
    }

    #[test]
    fn flows_spread_over_members() {
        for members in [2, 3, 4, 8] {
            let mut counts = vec![0; members];
            for n in 0..1000 {
                let from = format!("10.0.{}.{}", n / 250, n % 250 + 1);
                let flow = frame().ethernet().ipv4(from, "10.9.9.9").tcp(40_000 + n, 443);
                counts[hash(&flow.payload(b"x")) as usize % members] += 1;
            }
            let fair = 1000 / members;
            assert!(counts.iter().all(|n| *n > fair / 2 && *n < fair * 2), "{counts:?}");
        }
    }

    #[test]
    fn what_is_not_reached_has_the_flow_around_it_or_none() {
        let outer = |f: Frame| hash(&f.payload([7; 60]));
        let tunnel = |port| frame().ethernet().ipv4("192.0.2.1", "192.0.2.2").udp(50_000, port);
        // A tunnel without an IP packet is the flow of its outer header.
        let plain = outer(tunnel(4789).vxlan(5).ethernet_between([2; 6], [3; 6]));
        assert_eq!(plain, outer(tunnel(4789)));
        assert_ne!(plain, outer(tunnel(6081)));
        assert_eq!(outer(frame().ethernet()), 0);
        let cut = frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet().cut(36);
        let program = build(LinkType::ETHERNET, Start::Frame).unwrap();
        assert_eq!(program.run(cut.view()), 0);
        assert!(Program::flow_hash(LinkType::LINUX_SLL).is_none());
        for link in [LinkType::ETHERNET, LinkType::RAW] {
            let program = Program::flow_hash(link).unwrap();
            assert!(program.instructions().len() < 4096, "the kernel takes no longer one");
        }
    }
}

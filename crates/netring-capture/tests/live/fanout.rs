//! Captures that share an interface's frames.

use flowscope_testkit::{Frame, frame};
use netring_capture::{AfPacket, Capture, CaptureError};

use crate::world::{config, in_namespace, open, rest, ring, send, until, while_sending};

pub(crate) fn both_directions_of_a_flow_reach_the_same_fanout_member() {
    const FLOWS: u16 = 64;
    in_namespace(name!(both_directions_of_a_flow_reach_the_same_fanout_member), || {
        let mut a = open("v0", &config());
        let member = || open("v1", &config().fanout_group(9).receive_hash(true));
        let mut members = [member(), member()];
        for flow in 0..FLOWS {
            let (near, far) = ("10.0.0.1", "10.0.0.2");
            let there =
                frame().ethernet().ipv4(near, far).udp(1000 + flow, 53).payload(b"question");
            let back = frame().ethernet().ipv4(far, near).udp(53, 1000 + flow).payload(b"answer");
            send(&mut a, &there.build());
            send(&mut a, &back.build());
        }
        let mut owners = vec![Vec::new(); usize::from(FLOWS)];
        until("all frames were read", || {
            for (name, member) in members.iter_mut().enumerate() {
                while let Some(block) = member.next_block() {
                    for packet in block.packets() {
                        let bytes = packet.frame();
                        let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
                        let flow = port(34).max(port(36)) - 1000;
                        owners[usize::from(flow)].push(name);
                        assert!(packet.rx_hash().is_some());
                    }
                }
            }
            owners.iter().map(Vec::len).sum::<usize>() >= usize::from(FLOWS) * 2
        });
        assert!(owners.iter().all(|owners| owners.len() == 2 && owners[0] == owners[1]));
        for name in 0..members.len() {
            assert!(owners.iter().any(|owners| owners[0] == name), "each has a share");
        }
        let total: u64 = members
            .iter_mut()
            .map(|member| member.stats().expect("the socket is open").packets)
            .sum();
        assert_eq!(total, u64::from(FLOWS) * 2);
        let error = AfPacket::open("v0", &config().fanout_group(9).ignore_outgoing(true))
            .expect_err("the group has other rules");
        assert!(matches!(error, CaptureError::FanoutRefused { group: 9, .. }), "{error}");
    });
}

pub(crate) fn nothing_is_captured_twice_while_members_join_a_fanout_group() {
    in_namespace(name!(nothing_is_captured_twice_while_members_join_a_fanout_group), || {
        let mut a = open("v0", &config());
        let member = || open("v1", &ring(512, 1 << 12, 10).fanout_group(1));
        let first = member();
        let flow = frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 53).payload([0; 4]);
        let flow = flow.build();
        let one_of = |number: u32| {
            let mut bytes = flow.clone();
            bytes[34..36].copy_from_slice(&(number as u16).to_be_bytes());
            bytes[42..46].copy_from_slice(&number.to_be_bytes());
            bytes
        };
        let mut members: Vec<AfPacket> =
            while_sending(&mut a, one_of, || (0..4).map(|_| member()).collect());
        members.push(first);
        let mut numbers = Vec::new();
        for member in &mut members {
            let mut share = rest(member, 42);
            assert!(!share.is_empty(), "each has a share");
            numbers.append(&mut share);
        }
        numbers.sort_unstable();
        assert!(numbers.is_sorted_by(|one, next| one < next), "none twice");
        assert_eq!(numbers.first(), Some(&0), "the first member had joined");
    });
}

/// Frames that go out have another start than those that come in, for the program of a group.
pub(crate) fn flows_in_tunnels_and_fragments_are_not_split() {
    in_namespace(name!(flows_in_tunnels_and_fragments_are_not_split), || {
        let (near, far) = ("192.0.2.1", "192.0.2.2");
        let inner = |frame: Frame, flow: u16, back: bool| {
            let (a, b) = (("10.0.0.1", 2000 + flow), ("10.0.0.2", 53));
            let (a, b) = if back { (b, a) } else { (a, b) };
            frame.ethernet().ipv4(a.0, b.0).udp(a.1, b.1).payload([flow as u8; 60])
        };
        let vxlan = |flow: u16, back: bool| {
            // Each direction has a source port of its own.
            let (from, to) = if back { (far, near) } else { (near, far) };
            let port = 50_000 + 7 * flow + u16::from(back);
            let outer = frame().ethernet().ipv4(from, to).udp(port, 4789).vxlan(5);
            inner(outer, flow, back).build()
        };
        let tagged = |flow: u16, back: bool| {
            let outer = frame().ethernet().vlan(3).vlan(4).ipv4(near, far).gre();
            let (a, b) = (("10.1.0.1", 2000 + flow), ("10.1.0.2", 53));
            let (a, b) = if back { (b, a) } else { (a, b) };
            outer.ipv4(a.0, b.0).udp(a.1, b.1).payload([flow as u8; 60]).build()
        };
        let fragments = |flow: u16| {
            let whole = frame().ethernet().ipv4(format!("10.2.0.{}", flow + 1), far);
            whole.udp(4000, 53).payload([flow as u8; 3000]).fragments(flow.into(), 1000)
        };
        // Incoming and outgoing: both ends of the cable have a group.
        for (interface, group) in [("v1", 20), ("v0", 21)] {
            let mut members = [(); 2].map(|()| open(interface, &config().fanout_group(group)));
            let mut a = open("v0", &config());
            let mut shares = [0, 0];
            for flow in 0..40 {
                let of_flow = [
                    vec![vxlan(flow, false), vxlan(flow, true)],
                    vec![tagged(flow, false), tagged(flow, true)],
                    fragments(flow),
                ];
                for frames in of_flow {
                    frames.iter().for_each(|frame| send(&mut a, frame));
                    let mut counts = [0, 0];
                    until("all came", || {
                        for (count, member) in counts.iter_mut().zip(&mut members) {
                            while let Some(block) = member.next_block() {
                                *count += block.packets().count();
                            }
                        }
                        counts.iter().sum::<usize>() == frames.len()
                    });
                    assert!(counts.contains(&0), "{interface}, flow {flow}: {counts:?}");
                    shares[usize::from(counts[0] == 0)] += 1;
                }
            }
            assert!(shares.iter().all(|share| *share > 20), "{shares:?}");
        }
    });
}

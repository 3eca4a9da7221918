//! What lies around IPv4 and TCP: IPv6, VXLAN, VLAN tags.

use super::capture::Stamps;
use super::lab::{End, Lab, without_offloads};
use super::{Recipe, Then, http};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "ipv6.pcap",
        holds: "HTTP, echo and a datagram to a closed port over IPv6, with the neighbour discovery before them.",
        stamps: Stamps::Micro,
        make: ipv6,
        then: Then::Keep,
        expected: &[
            ("ipv6 && http.request", 2),
            ("ipv6 && http.response", 2),
            ("icmpv6.type == 128", 3),
            ("icmpv6.type == 129", 3),
            ("icmpv6.type == 135", 1),
            ("icmpv6.type == 136", 1),
            ("icmpv6.type == 1 && icmpv6.code == 4", 1),
        ],
    },
    Recipe {
        name: "vxlan.pcap",
        holds: "ARP, echo and HTTP inside VXLAN network 42, as seen on the network below.",
        stamps: Stamps::Micro,
        make: vxlan,
        then: Then::Keep,
        expected: &[
            ("vxlan.vni == 42 && icmp", 6),
            ("vxlan && arp", 2),
            ("vxlan && http.request", 2),
            ("vxlan && http.response", 2),
        ],
    },
    Recipe {
        name: "vlan.pcap",
        holds: "HTTP and echo in VLAN 100. The frames were recorded without a tag.",
        stamps: Stamps::Micro,
        make: web_and_echo,
        then: Then::Tag(&[(0x8100, 100)]),
        expected: &[
            ("vlan.id == 100 && http.request", 2),
            ("vlan.id == 100 && http.response", 2),
            ("vlan && icmp", 6),
        ],
    },
    Recipe {
        name: "qinq.pcap",
        holds: "HTTP and echo in VLAN 100 (priority 3) inside service VLAN 200. The frames were recorded without tags.",
        stamps: Stamps::Micro,
        make: web_and_echo,
        then: Then::Tag(&[(0x88a8, 200), (0x8100, (3 << 13) | 100)]),
        expected: &[
            ("ieee8021ad.id == 200 && vlan.id == 100 && http.request", 2),
            ("http.response", 2),
            ("icmp", 6),
        ],
    },
];

fn web_and_echo(lab: &mut Lab) -> Result<()> {
    http::serve(lab, false)?;
    lab.client("ping -q -c 3 -i 0.2 10.77.0.2")?;
    lab.client("curl -sS -o /dev/null http://10.77.0.2/ -o /dev/null http://10.77.0.2/plain.txt")
}

fn ipv6(lab: &mut Lab) -> Result<()> {
    for (end, device, number) in [(End::Client, "c0", 1), (End::Server, "s0", 2)] {
        // No address but ours, and ours at once.
        lab.prepare(
            end,
            &format!(
                "sysctl -qw net.ipv6.conf.{device}.addr_gen_mode=1 net.ipv6.conf.{device}.accept_ra=0 \
                 net.ipv6.conf.{device}.disable_ipv6=0
ip addr add fd00:77::{number}/64 dev {device} nodad"
            ),
        )?;
    }
    http::serve(lab, false)?;
    lab.client("ping -q -6 -c 3 -i 0.2 fd00:77::2")?;
    lab.client("curl -sS -g -o /dev/null 'http://[fd00:77::2]/' -o /dev/null 'http://[fd00:77::2]/plain.txt'")?;
    lab.client("! dig +tries=1 +time=1 -p 5006 @fd00:77::2 www.lab.test AAAA")
}

fn vxlan(lab: &mut Lab) -> Result<()> {
    for (end, device, number, peer) in [(End::Client, "c0", 1, 2), (End::Server, "s0", 2, 1)] {
        lab.prepare(
            end,
            &format!(
                "ip link add vx0 address 02:00:00:00:42:0{number} type vxlan id 42 local 10.77.0.{number} \
                 remote 10.77.0.{peer} dstport 4789 dev {device}
ip addr add 10.78.0.{number}/24 dev vx0
ip link set vx0 up"
            ),
        )?;
        without_offloads(end, "vx0")?;
    }
    http::serve(lab, false)?;
    lab.client("ping -q -c 3 -i 0.2 10.78.0.2")?;
    lab.client("curl -sS -o /dev/null http://10.78.0.2/ -o /dev/null http://10.78.0.2/plain.txt")
}

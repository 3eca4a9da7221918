//! Datagrams that nobody wants, and ICMP.

use super::capture::Stamps;
use super::lab::Lab;
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "icmp.pcap",
        holds: "Echo requests and replies, short and long, and datagrams to a port on which nothing \
                listens, answered by port unreachable.",
        stamps: Stamps::Micro,
        make: icmp,
        then: Then::Keep,
        expected: &[
            ("icmp.type == 8", 5),
            ("icmp.type == 0", 5),
            ("icmp.type == 3 && icmp.code == 3", 1),
        ],
    },
    Recipe {
        name: "udp-unanswered.pcap",
        holds: "Datagrams that a server takes in silence: a queue of readings, and a DNS query asked twice.",
        stamps: Stamps::Micro,
        make: unanswered,
        then: Then::Keep,
        expected: &[
            ("udp.dstport == 5005", 3),
            ("dns.flags.response == 0", 2),
            ("ip.src == 10.77.0.1", 5),
        ],
    },
];

/// Takes datagrams on port 5005 and says nothing.
pub(super) fn serve_silence(lab: &mut Lab, port: u16) -> Result<()> {
    lab.server(&format!("udp/{port}"), &format!("socat -u UDP-RECV:{port} OPEN:/dev/null"))
}

/// Three datagrams from one socket.
pub(super) const READINGS: &str = "for number in 1 2 3; do echo reading $number; sleep 0.05; done | socat -u - UDP:10.77.0.2:5005";

/// A query to a port on which nothing listens.
pub(super) const UNREACHABLE: &str = "! dig +tries=1 +time=1 -p 5006 @10.77.0.2 www.lab.test A";

fn icmp(lab: &mut Lab) -> Result<()> {
    lab.client("ping -q -c 3 -i 0.2 10.77.0.2")?;
    lab.client("ping -q -c 2 -i 0.2 -s 1400 10.77.0.2")?;
    lab.client(UNREACHABLE)
}

fn unanswered(lab: &mut Lab) -> Result<()> {
    serve_silence(lab, 5005)?;
    serve_silence(lab, 53)?;
    lab.client(READINGS)?;
    lab.client("! dig +tries=2 +time=1 @10.77.0.2 www.lab.test A")
}

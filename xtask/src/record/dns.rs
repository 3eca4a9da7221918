//! DNS: dig against dnsmasq.

use super::capture::Stamps;
use super::lab::Lab;
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "dns-udp.pcap",
        holds: "Queries over UDP: A, AAAA, an alias, TXT, MX, SRV, PTR, a name that does not exist, \
                one that the server refuses, and one without EDNS.",
        stamps: Stamps::Nano,
        make: over_udp,
        then: Then::Keep,
        expected: &[
            ("udp && dns.flags.response == 0", 10),
            ("udp && dns.flags.response == 1", 10),
            ("dns.a", 2),
            ("dns.aaaa", 1),
            ("dns.txt", 1),
            ("dns.cname", 1),
            ("dns.flags.rcode == 3", 1),
            ("dns.flags.rcode == 5", 1),
        ],
    },
    Recipe {
        name: "dns-udp.pcap.gz",
        holds: "The queries of dns-udp.pcap once more, compressed.",
        stamps: Stamps::Nano,
        make: over_udp,
        then: Then::Gzip,
        expected: &[("dns.flags.response == 0", 10), ("dns.flags.response == 1", 10)],
    },
    Recipe {
        name: "dns-tcp.pcap",
        holds: "Queries over TCP: one connection for one, one connection for three, and one after an \
                answer over UDP that had to be cut short.",
        stamps: Stamps::Micro,
        make: over_tcp,
        then: Then::Keep,
        expected: &[
            ("tcp && dns.flags.response == 0", 5),
            ("tcp && dns.flags.response == 1", 5),
            ("udp && dns.flags.truncated == 1", 1),
        ],
    },
];

/// Serves the zone lab.test on port 53 and refuses every other name.
pub(super) fn serve(lab: &mut Lab) -> Result<()> {
    let long: Vec<String> =
        (1..=4).map(|number| format!("part {number} {}", "x".repeat(200))).collect();
    lab.file("long.conf", &format!("txt-record=long.lab.test,{}\n", long.join(",")))?;
    lab.server(
        "udp/53",
        "dnsmasq -k --conf-file=long.conf --pid-file --user=root --log-facility=- --no-resolv --no-hosts \
         --listen-address=10.77.0.2 --bind-interfaces --local=/lab.test/ \
         --host-record=www.lab.test,10.77.0.2,fd00:77::2 --cname=alias.lab.test,www.lab.test \
         --txt-record=txt.lab.test,flows,both --mx-host=lab.test,mail.lab.test,10 \
         --srv-host=_http._tcp.lab.test,www.lab.test,80",
    )
}

fn over_udp(lab: &mut Lab) -> Result<()> {
    serve(lab)?;
    for query in [
        "www.lab.test A",
        "www.lab.test AAAA",
        "alias.lab.test A",
        "txt.lab.test TXT",
        "lab.test MX",
        "_http._tcp.lab.test SRV",
        "-x 10.77.0.2",
        "missing.lab.test A",
        "www.example. A",
        "+noedns www.lab.test A",
    ] {
        lab.client(&format!("dig +tries=1 @10.77.0.2 {query}"))?;
    }
    Ok(())
}

fn over_tcp(lab: &mut Lab) -> Result<()> {
    serve(lab)?;
    lab.client("dig +tcp @10.77.0.2 www.lab.test A")?;
    lab.client(
        "dig +tcp +keepopen @10.77.0.2 www.lab.test A www.lab.test AAAA missing.lab.test A",
    )?;
    lab.client("dig +tries=1 +noedns @10.77.0.2 long.lab.test TXT")
}

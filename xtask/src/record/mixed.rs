//! A bit of everything, side by side.

use super::capture::Stamps;
use super::lab::Lab;
use super::{Recipe, Then, dns, http, ssh, tcp, tls, udp};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[Recipe {
    name: "mixed.pcapng",
    holds: "A little network at work: names are looked up, then pages, an upload, TLS, ssh, echo, a \
            half-closed, a refused and two reset connections, all at once.",
    stamps: Stamps::Nano,
    make: everything,
    then: Then::PcapNg,
    expected: &[
        ("http.request", 8),
        ("http.response", 8),
        ("http.response.code == 100", 1),
        ("tls.handshake.type == 1", 3),
        ("tls.handshake.type == 11", 1),
        ("udp && dns.flags.response == 1", 4),
        ("tcp && dns.flags.response == 1", 1),
        ("ssh.protocol", 2),
        ("icmp.type == 8", 3),
        ("icmp.type == 3", 1),
        ("tcp.flags.reset == 1 && tcp.srcport == 81", 1),
        ("tcp.flags.reset == 1 && tcp.dstport == 7001", 1),
        ("tcp.flags.reset == 1 && tcp.dstport == 80", 1),
    ],
}];

fn everything(lab: &mut Lab) -> Result<()> {
    tls::certificate(lab)?;
    http::serve(lab, true)?;
    dns::serve(lab)?;
    ssh::serve(lab)?;
    tcp::serve_after_fin(lab)?;
    tcp::serve_reader(lab)?;
    udp::serve_silence(lab, 5005)?;
    lab.clients(&[
        "dig +tries=1 @10.77.0.2 www.lab.test A",
        "dig +tries=1 @10.77.0.2 www.lab.test AAAA",
        "dig +tries=1 @10.77.0.2 txt.lab.test TXT",
        "dig +tries=1 @10.77.0.2 missing.lab.test A",
        "dig +tcp @10.77.0.2 alias.lab.test A",
        "ping -q -c 3 -i 0.2 10.77.0.2",
    ])?;
    lab.clients(&[
        "curl -sS -o /dev/null http://10.77.0.2/ -o /dev/null http://10.77.0.2/plain.txt -o /dev/null http://10.77.0.2/missing",
        "curl -sS --compressed -o /dev/null http://10.77.0.2/packed/list.txt",
        "curl -sS -o /dev/null http://10.77.0.2/parts/page.html --next -sS -I http://10.77.0.2/plain.txt",
        "curl -sS -o /dev/null -H 'Expect: 100-continue' --expect100-timeout 10 -T www/plain.txt http://10.77.0.2/upload",
        "curl -sS -o /dev/null --cacert cert.pem --resolve lab.test:443:10.77.0.2 https://lab.test/plain.txt",
        "curl -sS -o /dev/null --cacert cert.pem --resolve lab.test:443:10.77.0.2 --tls-max 1.2 --http1.1 https://lab.test/",
        "! curl -sS -o /dev/null --resolve lab.test:443:10.77.0.2 https://lab.test/",
        ssh::SESSION,
        "ping -q -c 3 -i 0.2 10.77.0.2",
        "! curl -sS http://10.77.0.2:81/",
        tcp::GIVE_UP,
        tcp::BREAK_OFF,
        tcp::HALF_CLOSE,
        udp::READINGS,
        udp::UNREACHABLE,
        "dig +tries=1 @10.77.0.2 lab.test MX",
    ])
}

//! Names without a server of DNS: multicast DNS by Avahi and zeroconf for Python, NetBIOS by Samba.

use super::capture::Stamps;
use super::lab::{DIR, End, Lab};
use super::{Recipe, Then, smb};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "mdns.pcap",
        holds: "Multicast DNS: a host and a service are probed for and announced, services are looked for, and one says goodbye.",
        stamps: Stamps::Micro,
        make: multicast,
        then: Then::Keep,
        expected: &[
            ("mdns && dns.flags.response == 0", 6),
            ("mdns && dns.flags.response == 1", 6),
            ("dns.qry.qu == 1", 3),
            ("dns.resp.cache_flush == 1", 6),
            ("dns.srv.name", 4),
        ],
    },
    Recipe {
        name: "nbns.pcap",
        holds: "NetBIOS names: a host registers its own, which is looked up by broadcast and by unicast; one of nobody is not \
                found, and the host says which it has.",
        stamps: Stamps::Micro,
        make: netbios,
        then: Then::Keep,
        expected: &[
            ("nbns.flags.opcode == 5", 10),
            ("nbns.flags.opcode == 0 && nbns.flags.response == 1", 3),
            ("nbns.type == 33", 2),
        ],
    },
];

/// Announces this host alone, without what it is made of.
const AVAHI: &str = "\
[server]
host-name=files
domain-name=local
use-ipv4=yes
use-ipv6=no
allow-interfaces=s0
enable-dbus=no
[publish]
publish-hinfo=no
publish-workstation=no
";

/// Announces a service, and looks for others for a second.
const ZEROCONF: &str = "\
import socket, time
from zeroconf import IPVersion, ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf

class Listener(ServiceListener):
    def add_service(self, zeroconf, kind, name):
        pass

    remove_service = update_service = add_service

zeroconf = Zeroconf(interfaces=['10.77.0.1'], ip_version=IPVersion.V4Only)
kind = '_http._tcp.local.'
zeroconf.register_service(ServiceInfo(
    kind, f'desk.{kind}', addresses=[socket.inet_aton('10.77.0.1')], port=80,
    properties={'path': '/'}, server='desk.local.'))
ServiceBrowser(zeroconf, kind, Listener())
time.sleep(1)
zeroconf.close()
";

fn multicast(lab: &mut Lab) -> Result<()> {
    lab.file("avahi.conf", AVAHI)?;
    lab.file("client.py", ZEROCONF)?;
    for (end, device) in [(End::Client, "c0"), (End::Server, "s0")] {
        lab.prepare(end, &format!("ip route add 224.0.0.0/4 dev {device}"))?;
    }
    lab.prepare(End::Server, "mkdir -p /run/avahi-daemon; rm -f /run/avahi-daemon/pid")?;
    lab.server(
        "udp/5353",
        &format!("avahi-daemon -f {DIR}/avahi.conf --no-drop-root --no-chroot --no-rlimits"),
    )?;
    lab.client("/usr/bin/python3 client.py")
}

fn netbios(lab: &mut Lab) -> Result<()> {
    let conf = [
        "[global]\nworkgroup = LAB\nnetbios name = FILES\ninterfaces = s0\nbind interfaces only = yes\n".to_owned(),
        smb::settings("nmbd"),
    ];
    lab.file("smb.conf", &conf.concat())?;
    lab.file("client.conf", "[global]\nworkgroup = LAB\nnetbios name = DESK\ninterfaces = c0\n")?;
    lab.prepare(End::Server, &format!("mkdir -p /run/samba {}", smb::FOLDERS.join(" ")))?;
    lab.server(
        "udp/137",
        "unshare --uts sh -c 'hostname files; exec nmbd -F --no-process-group -s smb.conf'",
    )?;
    // Names are registered three times before they are the host's.
    lab.prepare(End::Server, "sleep 4")?;
    let client = "nmblookup -s client.conf";
    lab.client(&format!("{client} FILES"))?;
    lab.client(&format!("{client} -U 10.77.0.2 --recursion FILES"))?;
    lab.client(&format!("! {client} NOBODY"))?;
    lab.client(&format!("{client} -A 10.77.0.2"))
}

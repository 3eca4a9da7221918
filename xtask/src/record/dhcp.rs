//! DHCP of both versions: dnsmasq and ISC's client.

use super::capture::Stamps;
use super::lab::{DIR, End, Lab};
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "dhcp.pcap",
        holds: "DHCP: an address is found, asked for and given back; one of another network is refused, and another is found.",
        stamps: Stamps::Micro,
        make: v4,
        then: Then::Keep,
        expected: &[
            ("dhcp.option.dhcp == 1", 2),
            ("dhcp.option.dhcp == 2", 2),
            ("dhcp.option.dhcp == 3", 3),
            ("dhcp.option.dhcp == 5", 2),
            ("dhcp.option.dhcp == 6", 1),
            ("dhcp.option.dhcp == 7", 1),
        ],
    },
    Recipe {
        name: "dhcpv6.pcap",
        holds: "DHCPv6: an address is found, asked for and released, then servers of DNS alone are asked for.",
        stamps: Stamps::Micro,
        make: v6,
        then: Then::Keep,
        expected: &[
            ("dhcpv6.msgtype == 1", 1),
            ("dhcpv6.msgtype == 2", 1),
            ("dhcpv6.msgtype == 3", 1),
            ("dhcpv6.msgtype == 7", 3),
            ("dhcpv6.msgtype == 8", 1),
            ("dhcpv6.msgtype == 11", 1),
        ],
    },
];

/// The options of dnsmasq that both versions share.
const SERVER: &str = "dnsmasq -k --conf-file=/dev/null --pid-file --user=root --log-facility=- --port=0 --interface=s0 \
     --bind-interfaces --no-ping --dhcp-authoritative";

const CLIENT: &str = "\
send host-name \"desk\";
send vendor-class-identifier \"lab\";
send dhcp-client-identifier 1:02:00:00:00:00:01;
send fqdn.fqdn \"desk.lab.test\";
send fqdn.encoded on;
request subnet-mask, routers, domain-name-servers, domain-name, host-name;
";

/// A lease of another network.
const OLD_LEASE: &str = "\
lease {
  interface \"c0\";
  fixed-address 10.99.0.5;
  option subnet-mask 255.255.255.0;
  option dhcp-lease-time 360000;
  renew 2 2030/01/01 00:00:00;
  rebind 2 2031/01/01 00:00:00;
  expire 2 2032/01/01 00:00:00;
}
";

/// The client once: it changes no address, and goes to the background with its lease.
fn client(version: u8, options: &str) -> String {
    format!(
        "dhclient -{version} -1 -cf {DIR}/dhclient.conf -sf /bin/true -pf {DIR}/client.pid {options} c0"
    )
}

/// Ends the client in the background.
const END: &str = "kill $(cat client.pid)";

fn v4(lab: &mut Lab) -> Result<()> {
    lab.file("dhclient.conf", CLIENT)?;
    lab.file("old.leases", OLD_LEASE)?;
    lab.server(
        "udp/67",
        &format!(
            "{SERVER} --dhcp-leasefile={DIR}/leases --dhcp-range=10.77.0.100,10.77.0.110,1h \
             --dhcp-option=option:router,10.77.0.2 --dhcp-option=option:dns-server,10.77.0.2 \
             --dhcp-option=option:domain-name,lab.test"
        ),
    )?;
    let new = format!("-lf {DIR}/new.leases");
    lab.client(&client(4, &new))?;
    lab.client(&client(4, &format!("-r {new}")))?;
    lab.client(&format!("{}; {END}", client(4, &format!("-lf {DIR}/old.leases"))))
}

fn v6(lab: &mut Lab) -> Result<()> {
    for (end, device, number, more) in [
        (End::Client, "c0", 1, ""),
        (End::Server, "s0", 2, "\nip addr add fd00:77::2/64 dev s0 nodad"),
    ] {
        lab.prepare(
            end,
            &format!(
                "sysctl -qw net.ipv6.conf.{device}.addr_gen_mode=1 net.ipv6.conf.{device}.accept_ra=0 \
                 net.ipv6.conf.{device}.disable_ipv6=0
ip addr add fe80::{number}/64 dev {device} nodad{more}"
            ),
        )?;
    }
    lab.file("dhclient.conf", CLIENT)?;
    lab.server(
        "udp/547",
        &format!(
            "{SERVER} --dhcp-leasefile={DIR}/leases --dhcp-range=fd00:77::100,fd00:77::1ff,64,1h \
             --dhcp-option=option6:dns-server,[fd00:77::2]"
        ),
    )?;
    let leases = format!("-lf {DIR}/client.leases");
    lab.client(&client(6, &leases))?;
    lab.client(&client(6, &format!("-r {leases}")))?;
    lab.client(&client(6, &format!("-S {leases}")))
}

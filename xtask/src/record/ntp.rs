//! NTP: chrony at both ends.

use super::capture::Stamps;
use super::lab::{DIR, Lab};
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[Recipe {
    name: "ntp.pcap",
    holds: "NTP: a client of version 4 that asks until it is sure, one whose messages are authenticated, and one of version 3.",
    stamps: Stamps::Micro,
    make: clocks,
    then: Then::Keep,
    expected: &[
        ("ntp.flags.mode == 3", 5),
        ("ntp.flags.mode == 4", 5),
        ("ntp.keyid", 2),
        ("ntp.flags.vn == 3", 2),
    ],
}];

/// The key of [`clocks`]: its number, its kind and its bytes.
const KEY: &str = "1 SHA1 HEX:1dc764e0791b11fa67efc7ecbc4b0d73f68a070c\n";

fn clocks(lab: &mut Lab) -> Result<()> {
    let conf = format!(
        "local stratum 3\nallow\ncmdport 0\nbindcmdaddress {DIR}/none\nkeyfile {DIR}/keys\npidfile {DIR}/server.pid\n"
    );
    lab.file("keys", KEY)?;
    lab.file("ntp.conf", &conf)?;
    // `-x`: the clock of this machine is let alone.
    lab.server("udp/123", "chronyd -d -x -u root -f ntp.conf")?;
    for (options, more) in [
        ("maxsamples 3", String::new()),
        ("maxsamples 1 key 1", format!(" 'keyfile {DIR}/keys'")),
        ("maxsamples 1 version 3", String::new()),
    ] {
        lab.client(&format!(
            "chronyd -Q -x -u root -t 15 'server 10.77.0.2 iburst {options}'{more} 'cmdport 0' 'pidfile {DIR}/client.pid'"
        ))?;
    }
    Ok(())
}

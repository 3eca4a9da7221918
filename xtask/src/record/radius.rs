//! RADIUS: FreeRADIUS and its client.

use super::capture::Stamps;
use super::lab::{DIR, Lab};
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[Recipe {
    name: "radius.pcap",
    holds: "RADIUS: a login by PAP, one by CHAP, one with a wrong password, the accounting of a session from start to stop, and \
            a question whether the server is there.",
    stamps: Stamps::Micro,
    make: sessions,
    then: Then::Keep,
    expected: &[
        ("radius.code == 1", 3),
        ("radius.code == 2", 3),
        ("radius.code == 3", 1),
        ("radius.code == 4", 3),
        ("radius.code == 5", 3),
        ("radius.code == 12", 1),
    ],
}];

const SERVER: &str = "\
libdir = /usr/lib/freeradius
confdir = DIR/radius
logdir = DIR/radius
run_dir = DIR/radius
pidfile = DIR/radius/pid
log {
  destination = stdout
}
security {
  reject_delay = 0
  status_server = yes
  allow_vulnerable_openssl = yes
}
client lab {
  ipaddr = 10.77.0.1
  secret = testing123
}
modules {
  pap {
  }
  chap {
  }
  detail {
    filename = DIR/radius/detail
  }
  files {
    usersfile = DIR/radius/users
  }
}
server default {
  listen {
    type = auth
    ipaddr = 10.77.0.2
    port = 1812
  }
  listen {
    type = acct
    ipaddr = 10.77.0.2
    port = 1813
  }
  authorize {
    chap
    files
    pap
  }
  authenticate {
    pap
    chap
  }
  accounting {
    detail
  }
}
";

const USERS: &str = "\
alice Cleartext-Password := \"wonder\"
  Reply-Message = \"welcome\",
  Service-Type = Framed-User,
  Framed-IP-Address = 10.77.1.5,
  Session-Timeout = 3600
";

fn sessions(lab: &mut Lab) -> Result<()> {
    lab.file("radius/radiusd.conf", &SERVER.replace("DIR", DIR))?;
    lab.file("radius/users", USERS)?;
    lab.server("udp/1812", "freeradius -f -l stdout -d radius")?;
    let switch = "User-Name = alice, NAS-IP-Address = 10.77.0.1, NAS-Identifier = switch, NAS-Port = 7, NAS-Port-Type = Ethernet, \
         Calling-Station-Id = \"02-00-00-00-00-09\", Called-Station-Id = \"02-00-00-00-00-01:lab\"";
    let session = "User-Name = alice, Acct-Session-Id = 4D2, NAS-IP-Address = 10.77.0.1, Framed-IP-Address = 10.77.1.5";
    for (service, attributes) in [
        ("auth", format!("{switch}, User-Password = wonder")),
        ("auth", "User-Name = alice, CHAP-Password = wonder, NAS-Port-Type = Virtual".to_owned()),
        ("acct", format!("{session}, Acct-Status-Type = Start, Connect-Info = \"1 Gbit/s\"")),
        (
            "acct",
            format!(
                "{session}, Acct-Status-Type = Interim-Update, Acct-Session-Time = 60, Acct-Input-Octets = 1000"
            ),
        ),
        (
            "acct",
            format!(
                "{session}, Acct-Status-Type = Stop, Acct-Session-Time = 90, Acct-Input-Octets = 1234, \
                 Acct-Output-Octets = 5678, Acct-Terminate-Cause = User-Request"
            ),
        ),
        ("status", "Message-Authenticator = 0x00".to_owned()),
    ] {
        lab.client(&format!(
            "echo '{attributes}' | radclient -r 1 -t 5 10.77.0.2 {service} testing123"
        ))?;
    }
    lab.client("! echo 'User-Name = alice, User-Password = wrong' | radclient -r 1 -t 5 10.77.0.2 auth testing123")
}

//! A session of OpenSSH.

use super::capture::Stamps;
use super::lab::{DIR, End, Lab};
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[Recipe {
    name: "ssh.pcap",
    holds: "Login by key and one command that prints a thousand lines.",
    stamps: Stamps::Micro,
    make: session,
    then: Then::Keep,
    expected: &[("ssh.protocol", 2), ("ssh.message_code == 20", 2), ("tcp.flags.fin == 1", 2)],
}];

/// Makes keys for both ends and serves on port 22.
pub(super) fn serve(lab: &mut Lab) -> Result<()> {
    for key in ["host", "user"] {
        lab.prepare(End::Server, &format!("ssh-keygen -q -t ed25519 -N '' -C '' -f {key}"))?;
    }
    lab.server(
        "tcp/22",
        &format!(
            "/usr/sbin/sshd -D -e -f /dev/null -h {DIR}/host -o AuthorizedKeysFile={DIR}/user.pub \
             -o StrictModes=no -o UsePAM=no -o PidFile=none"
        ),
    )
}

/// Logs in and runs one command.
pub(super) const SESSION: &str = "ssh -F none -i user -o IdentitiesOnly=yes -o UserKnownHostsFile=known \
     -o StrictHostKeyChecking=accept-new root@10.77.0.2 'seq 1000'";

fn session(lab: &mut Lab) -> Result<()> {
    serve(lab)?;
    lab.client(SESSION)
}

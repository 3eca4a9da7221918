//! RDP: xrdp and FreeRDP.

use super::capture::Stamps;
use super::lab::{DIR, End, Lab};
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[Recipe {
    name: "rdp.pcap",
    holds: "RDP: a client that speaks TLS, one that speaks the security of RDP itself, and one that leaves as the server does not \
            have what it wants.",
    stamps: Stamps::Micro,
    make: desktops,
    then: Then::Keep,
    expected: &[
        ("rdp.rt_cookie", 3),
        ("rdp.negReq.requestedProtocols", 2),
        ("rdp.negReq.selectedProtocol", 2),
        ("rdp.clientData", 1),
    ],
}];

const SERVER: &str = "\
[Globals]
ini_version=1
fork=true
port=tcp://10.77.0.2:3389
use_vsock=false
security_layer=negotiate
crypt_level=high
certificate=DIR/cert.pem
key_file=DIR/key.pem
ssl_protocols=TLSv1.2, TLSv1.3
[Logging]
LogFile=DIR/xrdp.log
LogLevel=INFO
[Xorg]
name=Xorg
lib=libxup.so
username=ask
password=ask
ip=127.0.0.1
port=-1
";

/// The client needs a display, though it shows nothing; its login fails after the handshake, without a session to log in to.
const CLIENT: &str = "\
hostname desk
mount -t tmpfs tmpfs /tmp
Xvfb :7 -nolisten tcp &
display=$!
until [ -e /tmp/.X11-unix/X7 ]; do sleep 0.1; done
for security in tls rdp nla; do
  DISPLAY=:7 timeout 5 xfreerdp /v:10.77.0.2 /u:alice /p:wonder /cert:ignore +auth-only /sec:$security || true
done
kill $display
wait
";

fn desktops(lab: &mut Lab) -> Result<()> {
    lab.file("xrdp.ini", &SERVER.replace("DIR", DIR))?;
    lab.file("desk.sh", CLIENT)?;
    lab.prepare(
        End::Server,
        "openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=lab.test -keyout key.pem -out cert.pem",
    )?;
    lab.server("tcp/3389", &format!("xrdp --nodaemon -c {DIR}/xrdp.ini"))?;
    lab.client("unshare --uts --mount sh -e desk.sh")
}

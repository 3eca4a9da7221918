//! Proxies: SOCKS by microsocks and OpenSSH, the PROXY protocol by curl and HAProxy.

use super::capture::Stamps;
use super::lab::{DIR, End, Lab};
use super::{Recipe, Then, http, ssh, tls};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "socks.pcap",
        holds: "SOCKS 5, 4 and 4a: targets by address and by name, a login, a wrong password, a client that offers none, and \
                targets at which nothing listens.",
        stamps: Stamps::Micro,
        make: socks,
        then: Then::Keep,
        expected: &[
            ("socks.version == 5", 12),
            ("tcp.port == 1081 && tcp.len > 0", 10),
            ("tcp.port == 1082 && tcp.len > 0", 7),
            ("http.response.code == 200", 5),
        ],
    },
    Recipe {
        name: "proxy.pcap",
        holds: "PROXY protocol versions 1 and 2 before HTTP: from curl, and from a proxy with and without what it knows of TLS.",
        stamps: Stamps::Micro,
        make: proxy,
        then: Then::Keep,
        expected: &[
            ("tcp.payload[0:6] == \"PROXY \"", 2),
            ("tcp.payload[0:5] == 0d:0a:0d:0a:00", 2),
            ("http.response.code == 200", 4),
        ],
    },
];

fn socks(lab: &mut Lab) -> Result<()> {
    http::serve(lab, false)?;
    ssh::serve(lab)?;
    lab.server("tcp/1080", "microsocks -i 10.77.0.2 -p 1080")?;
    lab.server("tcp/1081", "microsocks -i 10.77.0.2 -p 1081 -u alice -P wonder")?;
    // It ends with its command: no connection may be open at the end.
    lab.server(
        "tcp/1082",
        "ssh -F none -i user -o IdentitiesOnly=yes -o UserKnownHostsFile=known -o StrictHostKeyChecking=accept-new \
         -D 10.77.0.2:1082 root@127.0.0.1 'until [ -e /run/lab/done ]; do sleep 0.1; done'",
    )?;
    let (address, name, closed) = ("http://127.0.0.1/", "http://localhost/", "http://127.0.0.1:9/");
    for line in [
        format!("curl -sS --socks5 10.77.0.2:1080 {address}"),
        format!("curl -sS --socks5-hostname 10.77.0.2:1080 {name}"),
        format!("! curl -sS --socks5 10.77.0.2:1080 {closed}"),
        format!("curl -sS --proxy-user alice:wonder --socks5 10.77.0.2:1081 {address}"),
        format!("! curl -sS --proxy-user alice:wrong --socks5 10.77.0.2:1081 {address}"),
        format!("! curl -sS --socks5 10.77.0.2:1081 {address}"),
        format!("curl -sS --socks4 10.77.0.2:1082 {address}"),
        format!("curl -sS --socks4a 10.77.0.2:1082 {name}"),
        format!("! curl -sS --socks4 10.77.0.2:1082 {closed}"),
    ] {
        lab.client(&line)?;
    }
    lab.prepare(End::Server, "touch done")
}

/// Sends what comes to port 8001 on behind version 1, to 8002 behind version 2, and over TLS to 8443 with what it knows of that.
const HAPROXY: &str = "\
defaults
  mode tcp
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen version1
  bind 127.0.0.1:8001
  server web 10.77.0.2:80 send-proxy
listen version2
  bind 127.0.0.1:8002
  server web 10.77.0.2:80 send-proxy-v2
listen secure
  bind 127.0.0.1:8443 ssl crt DIR/both.pem alpn http/1.1
  server web 10.77.0.2:80 send-proxy-v2-ssl-cn proxy-v2-options authority,unique-id,crc32c
";

fn proxy(lab: &mut Lab) -> Result<()> {
    tls::certificate(lab)?;
    http::serve_at(lab, "listen 80 proxy_protocol;")?;
    lab.file("haproxy.cfg", &HAPROXY.replace("DIR", DIR))?;
    lab.prepare(
        End::Client,
        "cat cert.pem key.pem > both.pem; haproxy -D -p haproxy.pid -f haproxy.cfg > haproxy.log 2>&1",
    )?;
    lab.client("curl -sS --haproxy-protocol http://10.77.0.2/")?;
    lab.client("curl -sS http://127.0.0.1:8001/")?;
    lab.client("curl -sS http://127.0.0.1:8002/plain.txt")?;
    lab.client(
        "curl -sS --cacert cert.pem --resolve lab.test:8443:127.0.0.1 https://lab.test:8443/",
    )?;
    lab.prepare(End::Client, "kill $(cat haproxy.pid)")
}

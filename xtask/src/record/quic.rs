//! QUIC: ngtcp2 at both ends.

use super::capture::Stamps;
use super::lab::Lab;
use super::{Recipe, Then, http, tls};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[Recipe {
    name: "quic.pcap",
    holds: "QUIC: HTTP/3, HTTP/3 behind a Retry, and a version that the server does not have.",
    stamps: Stamps::Micro,
    make: connections,
    then: Then::Keep,
    expected: &[
        ("quic.long.packet_type == 0 && udp.dstport == 443", 2),
        ("quic.long.packet_type == 3", 1),
        ("quic.supported_version", 1),
        ("tls.handshake.extensions_alpn_str == \"h3\"", 2),
    ],
}];

fn connections(lab: &mut Lab) -> Result<()> {
    tls::certificate(lab)?;
    lab.file("www/index.html", &http::lines(3))?;
    let server = |options: &str, port: u16| {
        format!("gtlsserver -q {options}-d www 10.77.0.2 {port} key.pem cert.pem")
    };
    lab.server("udp/443", &server("", 443))?;
    lab.server("udp/444", &server("-V ", 444))?;
    for (port, options) in [(443, ""), (444, ""), (443, " --version=0x1a2a3a4a")] {
        lab.client(&format!(
            "gtlsclient -q --exit-on-all-streams-close{options} 10.77.0.2 {port} https://lab.test/"
        ))?;
    }
    Ok(())
}

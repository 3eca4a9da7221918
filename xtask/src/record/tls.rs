//! TLS: openssl at both ends.

use super::capture::Stamps;
use super::lab::{End, Lab};
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "tls12.pcap",
        holds: "TLS 1.2 with SNI and ALPN: a whole handshake, one resumed by ticket, and one that \
                the client ends with an alert because it does not trust the certificate.",
        stamps: Stamps::Micro,
        make: tls12,
        then: Then::Keep,
        expected: &[
            ("tls.handshake.type == 1 && tls.handshake.extensions_server_name == \"lab.test\"", 3),
            ("tls.handshake.type == 2 && tls.handshake.extensions_alpn_str == \"http/1.1\"", 3),
            ("tls.handshake.type == 11", 2),
            ("tls.handshake.type == 4", 1),
            ("tls.alert_message", 1),
            ("tls.app_data", 4),
        ],
    },
    Recipe {
        name: "tls13.pcap",
        holds: "TLS 1.3 with SNI and ALPN: a whole handshake, one resumed by pre-shared key, and one \
                that the server first answers with HelloRetryRequest.",
        stamps: Stamps::Nano,
        make: tls13,
        then: Then::Keep,
        expected: &[
            ("tls.handshake.type == 1 && tls.handshake.extensions_server_name == \"lab.test\"", 4),
            ("tls.handshake.type == 2 && tls.handshake.extensions.supported_version == 0x0304", 4),
            ("tls.handshake.extension.type == 41", 2),
            ("tls.handshake.extensions_alpn_str == \"h2\"", 4),
            ("tls.app_data", 6),
        ],
    },
];

/// Makes key.pem and cert.pem for lab.test.
pub(super) fn certificate(lab: &mut Lab) -> Result<()> {
    lab.prepare(
        End::Server,
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
         -subj /CN=lab.test -addext subjectAltName=DNS:lab.test -keyout key.pem -out cert.pem",
    )
}

fn serve(lab: &mut Lab) -> Result<()> {
    certificate(lab)?;
    lab.server(
        "tcp/443",
        "openssl s_server -quiet -accept 443 -cert cert.pem -key key.pem -groups X25519:P-256 -alpn http/1.1 -www",
    )
}

/// Asks for a page, with more options of `s_client`; `before` may be the shell's `!`.
fn ask(lab: &mut Lab, before: &str, options: &str) -> Result<()> {
    lab.client(&format!(
        "{before}printf 'GET / HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -connect 10.77.0.2:443 \
         -servername lab.test -alpn h2,http/1.1 -verify_return_error {options}"
    ))
}

fn tls12(lab: &mut Lab) -> Result<()> {
    serve(lab)?;
    ask(lab, "", "-tls1_2 -CAfile cert.pem -sess_out session.pem")?;
    ask(lab, "", "-tls1_2 -CAfile cert.pem -sess_in session.pem")?;
    ask(lab, "! ", "-tls1_2 -no-CAfile -no-CApath -no-CAstore")
}

fn tls13(lab: &mut Lab) -> Result<()> {
    serve(lab)?;
    ask(lab, "", "-tls1_3 -CAfile cert.pem -sess_out session.pem")?;
    ask(lab, "", "-tls1_3 -CAfile cert.pem -sess_in session.pem")?;
    ask(lab, "", "-tls1_3 -CAfile cert.pem -groups P-384:X25519")
}

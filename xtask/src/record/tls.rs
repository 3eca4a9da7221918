//! TLS: openssl at both ends.

use super::capture::Stamps;
use super::lab::{End, Lab};
use super::{KEYS, Recipe, Then, http};
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
    Recipe {
        name: "tls12-keys.pcap",
        holds: "TLS 1.2 with its secrets beside it, in tls12-keys.txt: HTTP/1.1 by AES-128-GCM, by AES-256-GCM and by \
                ChaCha20-Poly1305, HTTP/2, and HTTP/1.1 by AES-CBC.",
        stamps: Stamps::Micro,
        make: tls12_keys,
        then: Then::KeysBeside,
        expected: &[
            ("tls.handshake.type == 2 && tls.handshake.version == 0x0303", 5),
            ("tls.handshake.ciphersuite == 0xc02b && tls.handshake.type == 2", 2),
            ("tls.handshake.ciphersuite == 0xc02c && tls.handshake.type == 2", 1),
            ("tls.handshake.ciphersuite == 0xcca9 && tls.handshake.type == 2", 1),
            ("tls.handshake.ciphersuite == 0xc023 && tls.handshake.type == 2", 1),
        ],
    },
    Recipe {
        name: "tls13-keys.pcapng",
        holds: "TLS 1.3 with its secrets in the file: HTTP/1.1 by AES-256-GCM, AES-128-GCM and ChaCha20-Poly1305, \
                HTTP/2, and HTTP/1.1 behind HelloRetryRequest and a KeyUpdate of each side.",
        stamps: Stamps::Nano,
        make: tls13_keys,
        then: Then::KeysWithin,
        expected: &[
            ("tls.handshake.type == 2 && tls.handshake.extensions.supported_version == 0x0304", 6),
            ("tls.handshake.type == 24", 2),
            ("http.request.method == GET", 7),
            ("http.response.code == 200", 7),
            ("http2.headers.method == \"GET\"", 2),
        ],
    },
    Recipe {
        name: "dtls.pcap",
        holds: "DTLS 1.2 behind a cookie: a handshake with SNI and ALPN, one in fragments, and one that the client ends with an \
                alert because it does not trust the certificate.",
        stamps: Stamps::Micro,
        make: dtls,
        then: Then::Keep,
        expected: &[
            ("dtls.handshake.type == 1", 6),
            ("dtls.handshake.type == 3", 3),
            ("dtls.handshake.type == 2", 3),
            ("dtls.handshake.fragment_offset > 0", 2),
            ("dtls.alert_message.desc == 48", 1),
            ("dtls.app_data", 2),
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

/// Serves pages over TLS with nginx.
fn serve_pages(lab: &mut Lab, settings: &str) -> Result<()> {
    certificate(lab)?;
    http::serve_secure(lab, &format!("ssl_ecdh_curve X25519:prime256v1; {settings}"))
}

/// Asks nginx for two pages on one connection, and writes the secrets down.
fn pages(lab: &mut Lab, options: &str) -> Result<()> {
    lab.client(&format!(
        "SSLKEYLOGFILE={KEYS} curl -sS --cacert cert.pem --resolve lab.test:443:10.77.0.2 {options} \
         -o /dev/null https://lab.test/ -o /dev/null https://lab.test/plain.txt"
    ))
}

fn tls12_keys(lab: &mut Lab) -> Result<()> {
    serve_pages(lab, "ssl_protocols TLSv1.2; ssl_ciphers ALL;")?;
    for (version, cipher) in [
        ("--http1.1", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("--http1.1", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("--http1.1", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        ("--http2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("--http1.1", "ECDHE-ECDSA-AES128-SHA256"),
    ] {
        pages(lab, &format!("{version} --tls-max 1.2 --ciphers {cipher}"))?;
    }
    Ok(())
}

fn tls13_keys(lab: &mut Lab) -> Result<()> {
    serve_pages(lab, "ssl_protocols TLSv1.3;")?;
    for (version, cipher) in [
        ("--http1.1", "TLS_AES_256_GCM_SHA384"),
        ("--http1.1", "TLS_AES_128_GCM_SHA256"),
        ("--http1.1", "TLS_CHACHA20_POLY1305_SHA256"),
        ("--http2", "TLS_AES_256_GCM_SHA384"),
    ] {
        pages(lab, &format!("{version} --tls13-ciphers {cipher}"))?;
    }
    // A line of `K` updates the keys of both sides; s_client reads a line at a time where they come apart.
    lab.client(&format!(
        "(echo K; sleep 1; printf 'GET / HTTP/1.1\\r\\nHost: lab.test\\r\\nConnection: close\\r\\n\\r\\n'; sleep 1) | \
         openssl s_client -connect 10.77.0.2:443 -servername lab.test -CAfile cert.pem -groups P-384:X25519 -keylogfile {KEYS}"
    ))
}

fn dtls(lab: &mut Lab) -> Result<()> {
    certificate(lab)?;
    // It ends where its standard input does.
    lab.prepare(End::Server, "mkfifo silence")?;
    for (port, options) in [(4433, "-listen -alpn coap"), (4434, "-mtu 300")] {
        lab.server(
            &format!("udp/{port}"),
            &format!(
                "openssl s_server -dtls1_2 -quiet -accept {port} -cert cert.pem -key key.pem {options} <> silence"
            ),
        )?;
    }
    let ask = |port: u16, options: &str| {
        format!(
            "(sleep 0.5; echo hello; sleep 0.5; echo Q) | openssl s_client -dtls1_2 -connect 10.77.0.2:{port} \
             -servername lab.test -verify_return_error {options}"
        )
    };
    lab.client(&ask(4433, "-alpn coap -CAfile cert.pem"))?;
    lab.client(&ask(4434, "-mtu 300 -CAfile cert.pem"))?;
    lab.client(&format!("! {}", ask(4434, "-no-CAfile -no-CApath -no-CAstore")))
}

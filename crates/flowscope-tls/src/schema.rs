//! How TLS handshakes are written: the columns, and what EVE, Zeek's `ssl.log` and tables show.

use std::fmt::Write;

use flowscope_record::{Column, Kind, Record, Schema, Short, Value, Visitor, ZeekType, wire_text};

use crate::names;
use crate::{
    Alert, Certificate, CertificateChain, ClientHello, Ja3, ServerHello, TlsHandshake, TlsOutcome,
    TlsTransport, TlsVersion,
};

mod certificate;
mod x509;

/// The columns of a [`TlsHandshake`].
pub(crate) static SCHEMA: Schema<TlsHandshake> = Schema {
    zeek_log: "ssl",
    zeek_also: &[&x509::SCHEMA],
    columns: &[
        C::new(
            "sni",
            Kind::Bytes,
            |x| Value::some(x.server_name()),
            "Name of the server that the client asked for (RFC 6066 §3).",
        )
        .eve("tls.sni")
        .zeek(3, "server_name", ZeekType::String),
        C::new(
            "version",
            Kind::Text,
            |x| x.version().map_or(Value::Null, Value::short),
            "Version agreed on (RFC 8446 §4.2.1). EVE has TLSv1 for TLS 1.0, Zeek TLSv12 for TLS 1.2.",
        )
        .eve_as("tls.version", |x| x.version().map_or(Value::Null, eve_version))
        .zeek_as(0, "version", ZeekType::String, |x| x.version().map_or(Value::Null, zeek_version)),
        C::new(
            "cipher",
            Kind::U64,
            |x| Value::some(x.server_hello.as_ref().map(ServerHello::cipher)),
            "Cipher suite that the server chose, as its number (RFC 8446 §4.1.3); in Zeek by IANA's name.",
        )
        .zeek_as(1, "cipher", ZeekType::String, |x| {
            let cipher = x.server_hello.as_ref().map(ServerHello::cipher);
            cipher.map_or(Value::Null, |cipher| named(names::cipher(cipher), cipher))
        }),
        C::new(
            "curve",
            Kind::U64,
            |x| Value::some(x.group),
            "Group of the server's key share (RFC 8446 §4.2.8) or, up to TLS 1.2, curve of its \
             ServerKeyExchange (RFC 8422 §5.4), as its number; in Zeek by IANA's name.",
        )
        .zeek_as(2, "curve", ZeekType::String, |x| {
            x.group.map_or(Value::Null, |group| named(names::group(group), group))
        }),
        C::new(
            "subject",
            Kind::Bytes,
            |x| server(x, certificate::subject),
            "Subject of the server's first certificate (RFC 5280 §4.1.2.6). Certificates are in the clear up \
             to TLS 1.2. Zeek has names in the form of RFC 2253, and only if \
             `SSL::log_include_server_certificate_subject_issuer` is set.",
        )
        .eve("tls.subject")
        .zeek_as(10, "subject", ZeekType::String, |x| {
            server(x, certificate::subject_rfc2253)
        }),
        C::new(
            "issuer",
            Kind::Bytes,
            |x| server(x, certificate::issuer),
            "Issuer of the server's first certificate (RFC 5280 §4.1.2.4). Zeek: as the subject.",
        )
        .eve("tls.issuerdn")
        .zeek_as(11, "issuer", ZeekType::String, |x| {
            server(x, certificate::issuer_rfc2253)
        }),
        C::new(
            "serial",
            Kind::Text,
            |x| server(x, certificate::serial),
            "Serial number of the server's first certificate, in hexadecimal (RFC 5280 §4.1.2.2).",
        )
        .eve("tls.serial"),
        C::new(
            "fingerprint",
            Kind::Text,
            |x| server(x, certificate::sha1),
            "SHA-1 of the server's first certificate.",
        )
        .eve("tls.fingerprint"),
        C::new(
            "not_before",
            Kind::Text,
            |x| server(x, certificate::not_before),
            "Begin of the validity of the server's first certificate, in UTC (RFC 5280 §4.1.2.5).",
        )
        .eve("tls.notbefore"),
        C::new(
            "not_after",
            Kind::Text,
            |x| server(x, certificate::not_after),
            "End of the validity of the server's first certificate, in UTC (RFC 5280 §4.1.2.5).",
        )
        .eve("tls.notafter"),
        C::new(
            "subject_alt_names",
            Kind::List(&Kind::Bytes),
            |x| server(x, certificate::alternative_names),
            "Other names in the server's first certificate: hosts, mailboxes, URIs, addresses \
             (RFC 5280 §4.2.1.6).",
        )
        .eve("tls.subjectaltname"),
        C::new(
            "client_certificate",
            certificate::CLIENT,
            |x| client(x, certificate::object),
            "The client's first certificate, in the same fields (RFC 5246 §7.4.6).",
        )
        .eve("tls.client"),
        C::new(
            "client_subject",
            Kind::Bytes,
            |x| client(x, certificate::subject),
            "Subject of the client's first certificate. Zeek has names in the form of RFC 2253, and only if \
             `SSL::log_include_client_certificate_subject_issuer` is set.",
        )
        .zeek_as(12, "client_subject", ZeekType::String, |x| {
            client(x, certificate::subject_rfc2253)
        }),
        C::new(
            "client_issuer",
            Kind::Bytes,
            |x| client(x, certificate::issuer),
            "Issuer of the client's first certificate. Zeek: as the subject.",
        )
        .zeek_as(13, "client_issuer", ZeekType::String, |x| {
            client(x, certificate::issuer_rfc2253)
        }),
        C::new(
            "chain_fingerprints",
            Kind::List(&Kind::Text),
            |x| certificate::fingerprints(x.server_certificates.as_ref()),
            "SHA-256 of the certificates that the server sent, of the first 32.",
        )
        .zeek(8, "cert_chain_fps", ZeekType::VectorOfString),
        C::new(
            "client_chain_fingerprints",
            Kind::List(&Kind::Text),
            |x| certificate::fingerprints(x.client_certificates.as_ref()),
            "SHA-256 of the certificates that the client sent, of the first 32.",
        )
        .zeek(9, "client_cert_chain_fps", ZeekType::VectorOfString),
        C::new(
            "sni_matches",
            Kind::Bool,
            |x| {
                let certificate = x.server_certificate().zip(x.server_name());
                Value::some(certificate.map(|(certificate, name)| certificate.covers(name)))
            },
            "Whether the server's first certificate is for the name that the client asked for \
             (RFC 6125 §6.4).",
        )
        .zeek(14, "sni_matches_cert", ZeekType::Bool),
        C::new(
            "client_alpns",
            Kind::List(&Kind::Bytes),
            |x| Value::list(x.client_hello.iter().flat_map(ClientHello::alpn)),
            "Application protocols that the client offered (RFC 7301 §3.1).",
        )
        .eve("tls.client_alpns"),
        C::new(
            "server_alpn",
            Kind::Bytes,
            |x| Value::some(x.server_alpn()),
            "Application protocol that the server chose; encrypted from TLS 1.3 on (RFC 7301 §3.1). EVE has a \
             list of it.",
        )
        .eve_as("tls.server_alpns", |x| Value::list(x.server_alpn().into_iter()))
        .zeek(6, "next_protocol", ZeekType::String),
        C::new(
            "ja3",
            Kind::Text,
            |x| ja3_hash(x.client_hello.as_ref().and_then(ClientHello::ja3)),
            "JA3 fingerprint of the client's hello, as an MD5 in hexadecimal. EVE has an object: hash, string.",
        )
        .eve_as("tls.ja3", |x| ja3(x.client_hello.as_ref().and_then(ClientHello::ja3)))
        .zeek(15, "ja3", ZeekType::String),
        C::new(
            "ja4",
            Kind::Text,
            |x| {
                let ja4 = x.client_hello.as_ref().and_then(|hello| hello.ja4_over(x.transport));
                ja4.map_or(Value::Null, |ja4| Value::Short(Short::copy_of(ja4.as_str())))
            },
            "JA4 fingerprint of the client's hello.",
        )
        .eve("tls.ja4")
        .zeek(17, "ja4", ZeekType::String),
        C::new(
            "ja3s",
            Kind::Text,
            |x| ja3_hash(x.server_hello.as_ref().and_then(ServerHello::ja3s)),
            "JA3S fingerprint of the server's hello, as an MD5 in hexadecimal. EVE has an object: hash, string.",
        )
        .eve_as("tls.ja3s", |x| ja3(x.server_hello.as_ref().and_then(ServerHello::ja3s)))
        .zeek(16, "ja3s", ZeekType::String),
        C::new(
            "session_resumed",
            Kind::Bool,
            |x| Value::some(x.resumed),
            "Whether an earlier session was resumed (RFC 5246 §7.3, RFC 8446 §2.2). Zeek has F where that is not known.",
        )
        .eve("tls.session_resumed")
        .zeek_as(4, "resumed", ZeekType::Bool, |x| x.resumed.unwrap_or(false).into()),
        C::new(
            "established",
            Kind::Bool,
            |x| (x.outcome == TlsOutcome::Completed).into(),
            "Whether both sides went over to encryption (RFC 5246 §7.1, RFC 8446 §2).",
        )
        .zeek(7, "established", ZeekType::Bool),
        C::new(
            "outcome",
            Kind::Text,
            |x| outcome(x.outcome).into(),
            "How it went: completed, failed, one_sided or cut.",
        )
        .eve("flowscope.outcome"),
        C::new(
            "hello_retry",
            Kind::Bool,
            |x| Value::flag(x.hello_retry),
            "Whether the server asked for a second hello (RFC 8446 §4.1.4).",
        )
        .eve("flowscope.hello_retry"),
        C::new(
            "hello_verify",
            Kind::Bool,
            |x| Value::flag(x.hello_verify),
            "Whether a server of DTLS asked for a cookie before it answered (RFC 6347 §4.2.1).",
        )
        .eve("flowscope.hello_verify"),
        C::new(
            "alert",
            Kind::U64,
            |x| Value::some(x.alert.map(|alert| alert.description)),
            "Description of the alert that ended a side, else of the first warning, as its number \
             (RFC 8446 §6).",
        )
        .eve("flowscope.alert"),
        C::new(
            "alert_name",
            Kind::Text,
            |x| Value::some(x.alert.and_then(|alert| alert.name())),
            "Name of the alert (RFC 8446 §6). Zeek has unknown- and the number for one without a name.",
        )
        .eve("flowscope.alert_name")
        .zeek_as(5, "last_alert", ZeekType::String, |x| alert_name(x.alert)),
        C::new(
            "certificates",
            Kind::U64,
            |x| {
                let count = |chain: &CertificateChain| chain.certificates().count() as u64;
                Value::some(x.server_certificates.as_ref().map(count))
            },
            "Number of certificates that the server sent in the clear (RFC 5246 §7.4.2).",
        )
        .eve("flowscope.certificates"),
        C::new(
            "fingerprint_sha256",
            Kind::Text,
            |x| server(x, certificate::sha256),
            "SHA-256 of the server's first certificate.",
        )
        .eve("flowscope.fingerprint_sha256"),
        C::new(
            "key_type",
            Kind::Text,
            |x| server(x, certificate::key_type),
            "Kind of the public key in the server's first certificate: rsa, ecdsa, dsa, ed25519, ed448.",
        )
        .eve("flowscope.key_type"),
        C::new(
            "key_bits",
            Kind::U64,
            |x| server(x, certificate::key_bits),
            "Length of that key in bits.",
        )
        .eve("flowscope.key_bits"),
        C::new(
            "signature_algorithm",
            Kind::Text,
            |x| server(x, certificate::signature_algorithm),
            "How the server's first certificate is signed (RFC 5280 §4.1.1.2).",
        )
        .eve("flowscope.signature_algorithm"),
        C::new(
            "client_alert",
            Kind::Text,
            |x| alert_name(x.alerts[0]),
            "The client's alert: the one that ended its side, else its first warning (RFC 8446 §6).",
        )
        .eve("flowscope.client_alert"),
        C::new(
            "server_alert",
            Kind::Text,
            |x| alert_name(x.alerts[1]),
            "The server's alert: the one that ended its side, else its first warning (RFC 8446 §6).",
        )
        .eve("flowscope.server_alert"),
        C::new(
            "secure_renegotiation",
            Kind::Bool,
            |x| Value::some(x.secure_renegotiation),
            "Whether both sides can renegotiate safely, up to TLS 1.2 (RFC 5746 §3). A renegotiation itself \
             is encrypted.",
        )
        .eve("flowscope.secure_renegotiation"),
        C::new(
            "renegotiation",
            Kind::Bool,
            |x| Value::flag(x.renegotiation),
            "Whether the handshake renegotiates an earlier one (RFC 5746 §3.5); seen without encryption only.",
        )
        .eve("flowscope.renegotiation"),
        C::new(
            "anomalies",
            Kind::List(&Kind::Text),
            |x| Value::list(x.anomalies.iter().map(Value::short)),
            "Handshake messages that were damaged, lost or too long, in order.",
        )
        .eve("flowscope.anomalies"),
    ],
    summary,
    ..Schema::new("tls", |x| x.started)
};

/// The columns of a [`TlsHandshake`] over DTLS: the same, under the same names in EVE and in Zeek's log.
pub(crate) static DTLS: Schema<TlsHandshake> = Schema {
    eve_event: "tls",
    zeek_log: "ssl",
    zeek_also: &[&x509::SCHEMA],
    columns: SCHEMA.columns,
    summary,
    ..Schema::new("dtls", |x| x.started)
};

impl Record for TlsHandshake {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        match self.transport {
            TlsTransport::Dtls => visitor.record(&DTLS, self),
            _ => visitor.record(&SCHEMA, self),
        }
    }
}

type C = Column<TlsHandshake>;

/// What the server's first certificate says. Most handshakes have none that can be read: columns of it must
/// cost next to nothing then.
#[inline(always)]
fn server(x: &TlsHandshake, get: for<'a> fn(&'a Certificate) -> Value<'a>) -> Value<'_> {
    x.server_certificate().map_or(Value::Null, get)
}

/// What the client's first certificate says.
#[inline(always)]
fn client(x: &TlsHandshake, get: for<'a> fn(&'a Certificate) -> Value<'a>) -> Value<'_> {
    x.client_certificate().map_or(Value::Null, get)
}

fn ja3(ja3: Option<Ja3>) -> Value<'static> {
    ja3.map_or(Value::Null, |Ja3 { string, hash }| {
        let hash = Value::Short(Short::copy_of(hash.as_str()));
        Value::Object(vec![("hash", hash), ("string", string.into())])
    })
}

fn ja3_hash(ja3: Option<Ja3>) -> Value<'static> {
    ja3.map_or(Value::Null, |ja3| Value::Short(Short::copy_of(ja3.hash.as_str())))
}

/// A cipher suite or a group: the name, or Zeek's words for one without.
fn named(name: Option<&'static str>, number: u16) -> Value<'static> {
    name.map_or_else(|| Value::short(format_args!("unknown-{number}")), Value::from)
}

/// A version as Suricata writes it: the first one of TLS, and the drafts that Facebook numbered, have names of
/// their own there.
fn eve_version(version: TlsVersion) -> Value<'static> {
    match version {
        TlsVersion::TLS_1_0 => Value::short("TLSv1"),
        TlsVersion(0xfb00..=0xfbff) => Value::short(format_args!("{version}-fb")),
        _ => Value::short(version),
    }
}

/// A version as Zeek writes it.
fn zeek_version(version: TlsVersion) -> Value<'static> {
    match version {
        TlsVersion::SSL_2 => "SSLv2".into(),
        TlsVersion::SSL_3 => "SSLv3".into(),
        TlsVersion::TLS_1_0 => "TLSv10".into(),
        TlsVersion::TLS_1_1 => "TLSv11".into(),
        TlsVersion::TLS_1_2 => "TLSv12".into(),
        TlsVersion::DTLS_1_0 => "DTLSv10".into(),
        TlsVersion::DTLS_1_2 => "DTLSv12".into(),
        TlsVersion::DTLS_1_3 => "DTLSv13".into(),
        _ => match version.draft() {
            Some(draft) => Value::short(format_args!("TLSv13-draft{draft}")),
            None if version.is_tls13() => "TLSv13".into(),
            None => Value::short(format_args!("unknown-{}", version.0)),
        },
    }
}

/// The name of an alert, or its number.
fn alert_name(alert: Option<Alert>) -> Value<'static> {
    let Some(alert) = alert else { return Value::Null };
    let number = || Value::short(format_args!("unknown-{}", alert.description));
    alert.name().map_or_else(number, Value::from)
}

fn outcome(outcome: TlsOutcome) -> &'static str {
    match outcome {
        TlsOutcome::Completed => "completed",
        TlsOutcome::Failed => "failed",
        TlsOutcome::OneSided => "one_sided",
        TlsOutcome::Cut => "cut",
    }
}

/// `example.org TLS 1.3 h2 t13d0104h2_0f2cb44170f4_3953dc75acc4`.
fn summary(handshake: &TlsHandshake, text: &mut String) {
    match handshake.server_name() {
        Some(name) => text.push_str(&wire_text(name)),
        None if handshake.client_hello.is_some() => text.push_str("(no name)"),
        None => text.push_str("(no client hello)"),
    }
    let _ = match handshake.version() {
        Some(version) => write!(text, " {version}"),
        None => text.write_str(" (no server hello)"),
    };
    match handshake.server_alpn() {
        Some(chosen) => {
            let _ = write!(text, " {}", wire_text(chosen));
        }
        None => {
            let offered = handshake.client_hello.iter().flat_map(ClientHello::alpn);
            for (at, name) in offered.enumerate() {
                let between = if at == 0 { " " } else { "," };
                let _ = write!(text, "{between}{}", wire_text(name));
            }
        }
    }
    let ja4 = |hello: &ClientHello| hello.ja4_over(handshake.transport);
    if let Some(ja4) = handshake.client_hello.as_ref().and_then(ja4) {
        let _ = write!(text, " {}", ja4.as_str());
    }
    if let Some(alert) = &handshake.alert {
        let _ = match alert.name() {
            Some(name) => write!(text, " [{name}]"),
            None => write!(text, " [alert {}]", alert.description),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_sound() {
        assert_eq!(SCHEMA.faults(), Vec::<String>::new());
    }

    #[test]
    fn versions_are_named_as_in_suricata() {
        let check = |version, name: &str| {
            assert_eq!(eve_version(TlsVersion(version)), Value::short(name));
        };
        check(0x0002, "SSLv2");
        check(0x0300, "SSLv3");
        check(0x0301, "TLSv1");
        check(0x0302, "TLS 1.1");
        check(0x0303, "TLS 1.2");
        check(0x0304, "TLS 1.3");
        check(0x7f1c, "TLS 1.3 draft-28");
        check(0xfb17, "TLS 1.3 draft-23-fb");
        check(0x0305, "0x0305");
    }

    #[test]
    fn cipher_suites_and_groups_have_the_names_of_iana() {
        let check = |name, number, expected| assert_eq!(named(name, number), expected);
        check(names::cipher(0x1301), 0x1301, "TLS_AES_128_GCM_SHA256".into());
        check(names::cipher(0xc02f), 0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256".into());
        check(names::cipher(0x0a0a), 0x0a0a, Value::short("unknown-2570"));
        check(names::group(29), 29, "x25519".into());
        check(names::group(4588), 4588, "X25519MLKEM768".into());
        check(names::group(0x0a0a), 0x0a0a, Value::short("unknown-2570"));
    }

    #[test]
    fn versions_are_named_as_in_zeek() {
        let check = |version, name| assert_eq!(zeek_version(TlsVersion(version)), name);
        check(0x0002, "SSLv2".into());
        check(0x0303, "TLSv12".into());
        check(0x0304, "TLSv13".into());
        check(0x7f1c, Value::short("TLSv13-draft28"));
        check(0x0305, Value::short("unknown-773"));
    }
}

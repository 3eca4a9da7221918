//! Zeek's `x509.log`: a line for each certificate that can be read.

use flowscope_record::{Column, Kind, Schema, Value, ZeekType};

use crate::certificate::Hex;
use crate::summary::Listed;
use crate::{AlternativeName, Certificate, CertificateChain, TlsHandshake};

/// The fields of a line. Its records are handshakes, each with the certificate that the line is about.
pub(super) static SCHEMA: Schema<TlsHandshake> = Schema {
    zeek_rows: Some(lines),
    columns: &[
        C::new(
            "fingerprint",
            Kind::Text,
            |x| of(x, |listed| Hex::plain(&listed.certificate.sha256).to_string().into()),
            "SHA-256 of the certificate: as in `cert_chain_fps` of `ssl.log`.",
        )
        .zeek(0, "fingerprint", ZeekType::String),
        C::new(
            "version",
            Kind::U64,
            |x| of(x, |listed| listed.certificate.version.into()),
            "Version: 1, 2 or 3 (RFC 5280 §4.1.2.1).",
        )
        .zeek(1, "certificate.version", ZeekType::Count),
        C::new(
            "serial",
            Kind::Text,
            |x| of(x, |listed| serial(&listed.certificate.serial).into()),
            "Serial number, in hexadecimal (RFC 5280 §4.1.2.2).",
        )
        .zeek(2, "certificate.serial", ZeekType::String),
        C::new(
            "subject",
            Kind::Text,
            |x| of(x, |listed| listed.certificate.subject.to_rfc2253().into()),
            "Whom the key belongs to, in the form of RFC 2253 (RFC 5280 §4.1.2.6).",
        )
        .zeek(3, "certificate.subject", ZeekType::String),
        C::new(
            "issuer",
            Kind::Text,
            |x| of(x, |listed| listed.certificate.issuer.to_rfc2253().into()),
            "Who signed it, in the form of RFC 2253 (RFC 5280 §4.1.2.4).",
        )
        .zeek(4, "certificate.issuer", ZeekType::String),
        C::new(
            "not_before",
            Kind::U64,
            |x| of(x, |listed| seconds(listed.certificate.not_before)),
            "Begin of the validity, in seconds since 1970 (RFC 5280 §4.1.2.5).",
        )
        .zeek(5, "certificate.not_valid_before", ZeekType::Time),
        C::new(
            "not_after",
            Kind::U64,
            |x| of(x, |listed| seconds(listed.certificate.not_after)),
            "End of the validity, in seconds since 1970 (RFC 5280 §4.1.2.5).",
        )
        .zeek(6, "certificate.not_valid_after", ZeekType::Time),
        C::new(
            "key_algorithm",
            Kind::Text,
            |x| of(x, |listed| listed.certificate.key_algorithm.as_str().into()),
            "Algorithm of the public key, by OpenSSL's name for it (RFC 5280 §4.1.2.7).",
        )
        .zeek(7, "certificate.key_alg", ZeekType::String),
        C::new(
            "signature_algorithm",
            Kind::Text,
            |x| of(x, |listed| listed.certificate.signature_algorithm.as_str().into()),
            "Algorithm of the signature, by OpenSSL's name for it (RFC 5280 §4.1.1.2).",
        )
        .zeek(8, "certificate.sig_alg", ZeekType::String),
        C::new(
            "key_type",
            Kind::Text,
            |x| of(x, |listed| listed.certificate.key.kind.unwrap_or("unknown").into()),
            "Kind of the public key: rsa, ecdsa, dsa, ed25519, ed448 or unknown.",
        )
        .zeek(9, "certificate.key_type", ZeekType::String),
        C::new(
            "key_bits",
            Kind::U64,
            |x| of(x, |listed| Value::some(listed.certificate.key.bits)),
            "Length of the public key in bits.",
        )
        .zeek(10, "certificate.key_length", ZeekType::Count),
        C::new(
            "exponent",
            Kind::Text,
            |x| of(x, |listed| Value::some(listed.certificate.key.exponent.map(|e| e.to_string()))),
            "Public exponent of an RSA key (RFC 8017 §3.1).",
        )
        .zeek(11, "certificate.exponent", ZeekType::String),
        C::new(
            "curve",
            Kind::Text,
            |x| of(x, |listed| Value::some(listed.certificate.key.curve.as_deref())),
            "Curve of an EC key, by OpenSSL's name for it (RFC 5480 §2.1.1).",
        )
        .zeek(12, "certificate.curve", ZeekType::String),
        C::new(
            "san_dns",
            Kind::List(&Kind::Bytes),
            |x| {
                names(x, |name| match name {
                    AlternativeName::Dns(name) => Some(name.as_slice().into()),
                    _ => None,
                })
            },
            "Names of hosts among the alternative names (RFC 5280 §4.2.1.6).",
        )
        .zeek(13, "san.dns", ZeekType::VectorOfString),
        C::new(
            "san_uri",
            Kind::List(&Kind::Bytes),
            |x| {
                names(x, |name| match name {
                    AlternativeName::Uri(name) => Some(name.as_slice().into()),
                    _ => None,
                })
            },
            "URIs among the alternative names (RFC 5280 §4.2.1.6).",
        )
        .zeek(14, "san.uri", ZeekType::VectorOfString),
        C::new(
            "san_email",
            Kind::List(&Kind::Bytes),
            |x| {
                names(x, |name| match name {
                    AlternativeName::Email(name) => Some(name.as_slice().into()),
                    _ => None,
                })
            },
            "Mailboxes among the alternative names (RFC 5280 §4.2.1.6).",
        )
        .zeek(15, "san.email", ZeekType::VectorOfString),
        C::new(
            "san_ip",
            Kind::List(&Kind::Addr),
            |x| {
                names(x, |name| match name {
                    AlternativeName::Ip(addr) => Some((*addr).into()),
                    _ => None,
                })
            },
            "Addresses among the alternative names (RFC 5280 §4.2.1.6).",
        )
        .zeek(16, "san.ip", ZeekType::VectorOfAddr),
        C::new(
            "is_ca",
            Kind::Bool,
            |x| of(x, |listed| Value::some(listed.certificate.is_ca)),
            "Whether it may sign certificates (RFC 5280 §4.2.1.9).",
        )
        .zeek(17, "basic_constraints.ca", ZeekType::Bool),
        C::new(
            "path_len",
            Kind::U64,
            |x| of(x, |listed| Value::some(listed.certificate.path_len)),
            "How many certificates may stand between it and the last of a chain (RFC 5280 §4.2.1.9).",
        )
        .zeek(18, "basic_constraints.path_len", ZeekType::Count),
        C::new(
            "host_cert",
            Kind::Bool,
            |x| of(x, |listed| listed.is_first.into()),
            "Whether it is the first of its chain: that of the host itself.",
        )
        .zeek(19, "host_cert", ZeekType::Bool),
        C::new(
            "client_cert",
            Kind::Bool,
            |x| of(x, |listed| listed.of_client.into()),
            "Whether the client showed it.",
        )
        .zeek(20, "client_cert", ZeekType::Bool),
    ],
    ..Schema::new("x509", |x| x.started)
};

type C = Column<TlsHandshake>;

/// A line for each certificate of both chains, the server's first.
fn lines(handshake: &TlsHandshake, row: &mut dyn FnMut(&TlsHandshake)) {
    let chains = [(&handshake.server_certificates, false), (&handshake.client_certificates, true)];
    for (chain, of_client) in chains {
        let listed = chain.iter().flat_map(CertificateChain::certificates).enumerate();
        for (at, der) in listed.take(CertificateChain::MAX_LISTED) {
            let certificate = match at {
                0 => chain.as_ref().and_then(CertificateChain::leaf).cloned(),
                _ => Certificate::parse(der),
            };
            let Some(certificate) = certificate else { continue };
            let listed = Box::new(Listed { certificate, is_first: at == 0, of_client });
            row(&TlsHandshake::of_certificate(handshake, listed));
        }
    }
}

fn of<'a>(handshake: &'a TlsHandshake, get: fn(&'a Listed) -> Value<'a>) -> Value<'a> {
    handshake.listed.as_deref().map_or(Value::Null, get)
}

fn names<'a>(
    handshake: &'a TlsHandshake,
    of_kind: fn(&'a AlternativeName) -> Option<Value<'a>>,
) -> Value<'a> {
    let listed = handshake.listed.iter();
    Value::list(listed.flat_map(|listed| &listed.certificate.alternative_names).filter_map(of_kind))
}

/// A number as OpenSSL prints it: without leading zeros, a negative one with a sign.
fn serial(bytes: &[u8]) -> String {
    let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let mut number = bytes.to_vec();
    if negative {
        // Two's complement.
        let mut carry = true;
        for byte in number.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(carry.into());
        }
    }
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    let digits = &number[zeros.min(number.len().saturating_sub(1))..];
    let sign = if negative { "-" } else { "" };
    if digits.is_empty() { "00".into() } else { format!("{sign}{}", Hex::plain(digits).upper()) }
}

/// A time, unless it is before 1970, which Zeek's type cannot have.
fn seconds(time: i64) -> Value<'static> {
    Value::some(u64::try_from(time).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_printed_as_by_openssl() {
        let check = |bytes: &[u8], text| assert_eq!(serial(bytes), text, "{bytes:?}");
        check(&[0x0a, 0xff], "0AFF");
        check(&[0, 0x80], "80");
        check(&[0], "00");
        check(&[], "00");
        check(&[0xff], "-01");
        check(&[0xff, 0x00], "-0100");
        check(&[0x80], "-80");
    }
}

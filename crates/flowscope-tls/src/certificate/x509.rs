//! Reads certificates with `x509-parser`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sha1::{Digest, Sha1};
use x509_parser::asn1_rs::{Any, FromDer, Oid, Tag};
use x509_parser::certificate::{X509Certificate, X509CertificateParser};
use x509_parser::extensions::{BasicConstraints, GeneralName, SubjectAlternativeName};
use x509_parser::nom::Parser;
use x509_parser::public_key::PublicKey as KeyBits;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name};

use super::{AlternativeName, Attribute, Certificate, DistinguishedName, PublicKey, oid, sha256};

pub(super) fn parse(der: &[u8]) -> Option<Certificate> {
    // Of the extensions two are wanted; the others are not looked into.
    let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
    let (_, certificate) = parser.parse(der).ok()?;
    let constraints = extension(&certificate, BASIC_CONSTRAINTS)
        .and_then(|value| Some(BasicConstraints::from_der(value).ok()?.1));
    let key = certificate.public_key();
    Some(Certificate {
        // "v1(0), v2(1), v3(2)"
        version: certificate.version().0.saturating_add(1),
        serial: certificate.tbs_certificate.raw_serial().to_vec(),
        subject: name(certificate.subject()),
        issuer: name(certificate.issuer()),
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
        alternative_names: extension(&certificate, SUBJECT_ALTERNATIVE_NAME)
            .map(alternative_names)
            .unwrap_or_default(),
        key_algorithm: algorithm(&key.algorithm.algorithm),
        key: public_key(key),
        signature_algorithm: algorithm(&certificate.signature_algorithm.algorithm),
        is_ca: constraints.as_ref().map(|constraints| constraints.ca),
        path_len: constraints.and_then(|constraints| constraints.path_len_constraint),
        sha1: Sha1::digest(der).into(),
        sha256: sha256(der),
    })
}

/// The value of the first extension of this type.
fn extension<'a>(certificate: &X509Certificate<'a>, kind: &str) -> Option<&'a [u8]> {
    let found =
        certificate.extensions().iter().find(|extension| extension.oid.to_id_string() == kind);
    found.map(|extension| extension.value)
}

fn name(name: &X509Name<'_>) -> DistinguishedName {
    let mut attributes = Vec::new();
    for rdn in name.iter_rdn() {
        for (at, attribute) in rdn.iter().enumerate() {
            if attributes.len() == Certificate::MAX_ATTRIBUTES {
                return DistinguishedName::new(attributes);
            }
            let kind = attribute.attr_type().to_id_string();
            attributes.push(Attribute {
                kind: oid::attribute(&kind).map_or_else(|| kind.into(), Into::into),
                value: value(attribute.attr_value()),
                joined: at > 0,
            });
        }
    }
    DistinguishedName::new(attributes)
}

/// The value of an attribute, which may be a string of several kinds (RFC 5280 §4.1.2.4).
fn value(any: &Any<'_>) -> Vec<u8> {
    let text = |units: &mut dyn Iterator<Item = Option<char>>| {
        units.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>().into_bytes()
    };
    match any.tag() {
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::Ia5String
        | Tag::T61String
        | Tag::NumericString
        | Tag::VisibleString => any.data.to_vec(),
        Tag::BmpString => {
            let units = any.data.as_chunks().0.iter().map(|unit| u16::from_be_bytes(*unit));
            text(&mut char::decode_utf16(units).map(Result::ok))
        }
        Tag::UniversalString => {
            let units = any.data.as_chunks().0.iter().map(|unit| u32::from_be_bytes(*unit));
            text(&mut units.map(char::from_u32))
        }
        _ => format!("#{}", super::Hex::plain(any.data)).into_bytes(),
    }
}

fn alternative_names(value: &[u8]) -> Vec<AlternativeName> {
    let Ok((_, names)) = SubjectAlternativeName::from_der(value) else { return Vec::new() };
    let names = names.general_names.iter().filter_map(|name| {
        Some(match name {
            GeneralName::DNSName(name) => AlternativeName::Dns(name.as_bytes().to_vec()),
            GeneralName::RFC822Name(name) => AlternativeName::Email(name.as_bytes().to_vec()),
            GeneralName::URI(name) => AlternativeName::Uri(name.as_bytes().to_vec()),
            GeneralName::IPAddress(octets) => AlternativeName::Ip(address(octets)?),
            // Not ASCII, though it should be.
            GeneralName::Invalid(Tag(1), name) => AlternativeName::Email(name.to_vec()),
            GeneralName::Invalid(Tag(2), name) => AlternativeName::Dns(name.to_vec()),
            GeneralName::Invalid(Tag(6), name) => AlternativeName::Uri(name.to_vec()),
            _ => return None,
        })
    });
    names.take(Certificate::MAX_ALTERNATIVE_NAMES).collect()
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(Ipv4Addr::from(octets).into());
    }
    Some(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).into())
}

fn public_key(key: &SubjectPublicKeyInfo<'_>) -> PublicKey {
    let algorithm = key.algorithm.algorithm.to_id_string();
    let fixed =
        |kind, bits| PublicKey { kind: Some(kind), bits: Some(bits), ..PublicKey::default() };
    match oid::algorithm(&algorithm) {
        // What OpenSSL gives as their length.
        Some("ED25519") => return fixed("ed25519", 253),
        Some("ED448") => return fixed("ed448", 456),
        _ => {}
    }
    match key.parsed() {
        Ok(KeyBits::RSA(rsa)) => PublicKey {
            kind: Some("rsa"),
            bits: Some(bits(rsa.modulus)),
            exponent: rsa.try_exponent().ok(),
            curve: None,
        },
        Ok(KeyBits::EC(_)) => {
            let curve = key.algorithm.parameters.as_ref();
            let curve = curve
                .and_then(|any| Oid::try_from(any.clone()).ok())
                .map(|oid| self::algorithm(&oid));
            let bits = curve.as_deref().and_then(oid::curve_bits);
            PublicKey { kind: Some("ecdsa"), bits, exponent: None, curve }
        }
        Ok(KeyBits::DSA(_)) => {
            // The prime comes first (RFC 3279 §2.3.2).
            let parameters = key.algorithm.parameters.as_ref();
            let prime = parameters.and_then(|any| Some(Any::from_der(any.data).ok()?.1.data));
            PublicKey { kind: Some("dsa"), bits: prime.map(bits), ..PublicKey::default() }
        }
        _ => PublicKey::default(),
    }
}

/// Length of a number, most significant byte first.
fn bits(number: &[u8]) -> u32 {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    let number = &number[zeros..];
    number.first().map_or(0, |first| 8 * number.len() as u32 - first.leading_zeros())
}

/// The name of an algorithm, else its number.
fn algorithm(number: &Oid<'_>) -> String {
    let number = number.to_id_string();
    oid::algorithm(&number).map_or(number, Into::into)
}

const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const SUBJECT_ALTERNATIVE_NAME: &str = "2.5.29.17";

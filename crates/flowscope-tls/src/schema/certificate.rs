//! Values of certificates.

use flowscope_record::{Kind, Value};

use crate::certificate::{Hex, iso_date_time};
use crate::{AlternativeName, Certificate, CertificateChain};

macro_rules! values {
    ($($(#[$doc:meta])* $name:ident: $get:expr;)*) => {$(
        $(#[$doc])*
        #[inline(never)]
        pub(super) fn $name(leaf: &Certificate) -> Value<'_> {
            let get: for<'a> fn(&'a Certificate) -> Value<'a> = $get;
            get(leaf)
        }
    )*};
}

// Not inlined: the columns of handshakes without a certificate stay short.
values! {
    subject: |leaf| leaf.subject.to_text().into();
    subject_rfc2253: |leaf| leaf.subject.to_rfc2253().into();
    issuer: |leaf| leaf.issuer.to_text().into();
    issuer_rfc2253: |leaf| leaf.issuer.to_rfc2253().into();
    serial: |leaf| Hex::colons(&leaf.serial).upper().to_string().into();
    sha1: |leaf| Hex::colons(&leaf.sha1).to_string().into();
    sha256: |leaf| Hex::plain(&leaf.sha256).to_string().into();
    not_before: |leaf| iso_date_time(leaf.not_before).into();
    not_after: |leaf| iso_date_time(leaf.not_after).into();
    key_type: |leaf| Value::some(leaf.key.kind);
    key_bits: |leaf| Value::some(leaf.key.bits);
    signature_algorithm: |leaf| leaf.signature_algorithm.as_str().into();
}

/// Members of [`object`].
pub(super) const CLIENT: Kind = Kind::Object(&[
    ("subject", Kind::Bytes),
    ("issuerdn", Kind::Bytes),
    ("serial", Kind::Text),
    ("fingerprint", Kind::Text),
    ("notbefore", Kind::Text),
    ("notafter", Kind::Text),
    ("subjectaltname", Kind::List(&Kind::Bytes)),
]);

/// A certificate as the object that Suricata has for the client's.
#[inline(never)]
pub(super) fn object(leaf: &Certificate) -> Value<'_> {
    let mut members = vec![
        ("subject", subject(leaf)),
        ("issuerdn", issuer(leaf)),
        ("serial", serial(leaf)),
        ("fingerprint", sha1(leaf)),
        ("notbefore", not_before(leaf)),
        ("notafter", not_after(leaf)),
    ];
    if !leaf.alternative_names.is_empty() {
        members.push(("subjectaltname", alternative_names(leaf)));
    }
    Value::Object(members)
}

/// Alternative names of all kinds, as text.
#[inline(never)]
pub(super) fn alternative_names(leaf: &Certificate) -> Value<'_> {
    Value::list(leaf.alternative_names.iter().map(|name| match name {
        AlternativeName::Dns(name) | AlternativeName::Email(name) | AlternativeName::Uri(name) => {
            Value::from(name.as_slice())
        }
        AlternativeName::Ip(addr) => addr.to_string().into_bytes().into(),
    }))
}

/// SHA-256 of certificates.
pub(super) fn fingerprints(chain: Option<&CertificateChain>) -> Value<'_> {
    let digests = chain.into_iter().flat_map(CertificateChain::fingerprints);
    Value::list(digests.map(|digest| Hex::plain(&digest).to_string()))
}

//! Values of certificates.

use flowscope_record::{Kind, Value};

use crate::certificate::{Hex, iso_date_time};
use crate::{AlternativeName, Certificate, CertificateChain};

/// Members of [`client`].
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
pub(super) fn client(certificate: Option<&Certificate>) -> Value<'_> {
    let Some(leaf) = certificate else { return Value::Null };
    let mut members = vec![
        ("subject", leaf.subject.to_text().into()),
        ("issuerdn", leaf.issuer.to_text().into()),
        ("serial", Hex::colons(&leaf.serial).upper().to_string().into()),
        ("fingerprint", Hex::colons(&leaf.sha1).to_string().into()),
        ("notbefore", iso_date_time(leaf.not_before).into()),
        ("notafter", iso_date_time(leaf.not_after).into()),
    ];
    if !leaf.alternative_names.is_empty() {
        members.push(("subjectaltname", alternative_names(Some(leaf))));
    }
    Value::Object(members)
}

/// Alternative names of all kinds, as text.
pub(super) fn alternative_names(certificate: Option<&Certificate>) -> Value<'_> {
    let names = certificate.into_iter().flat_map(|leaf| &leaf.alternative_names);
    Value::list(names.map(|name| match name {
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

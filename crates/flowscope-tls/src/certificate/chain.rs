use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use flowscope_core::FlowSide;

use super::{Certificate, sha256};

/// The certificates one side showed, its own first, as sent. [`Certificate`](crate::Certificate) reads one.
#[derive(Clone)]
pub struct CertificateChain {
    side: FlowSide,
    body: Box<[u8]>,
    /// The first certificate, once it was asked for.
    leaf: OnceLock<Option<Box<Certificate>>>,
}

impl PartialEq for CertificateChain {
    fn eq(&self, other: &Self) -> bool {
        (self.side, &self.body) == (other.side, &other.body)
    }
}

impl Eq for CertificateChain {}

impl CertificateChain {
    /// How many certificates have fingerprints and lines of their own. More are counted only.
    pub const MAX_LISTED: usize = 32;

    /// `None` unless the chain fills the message and the certificates fill the chain.
    pub(crate) fn parse(side: FlowSide, body: Cow<'_, [u8]>) -> Option<Self> {
        let (chain, []) = split_vector24(&body)? else { return None };
        let mut certificates = Certificates(chain);
        while certificates.next().is_some() {}
        if !certificates.0.is_empty() {
            return None;
        }
        let body = body.into_owned().into_boxed_slice();
        Some(CertificateChain { side, body, leaf: OnceLock::new() })
    }

    /// Who showed them.
    #[must_use]
    pub fn side(&self) -> FlowSide {
        self.side
    }

    /// The certificates in DER, in the order sent. A client that has none sends an empty chain.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> + Clone + '_ {
        Certificates(split_vector24(&self.body).map_or(&[], |(chain, _)| chain))
    }

    /// What the first certificate says, if it can be read (feature `x509`). It is read when it is first asked for.
    #[must_use]
    pub fn leaf(&self) -> Option<&Certificate> {
        let read = || self.certificates().next().and_then(Certificate::parse).map(Box::new);
        self.leaf.get_or_init(read).as_deref()
    }

    /// SHA-256 of the first [`MAX_LISTED`](Self::MAX_LISTED) certificates.
    pub fn fingerprints(&self) -> impl Iterator<Item = [u8; 32]> + Clone + '_ {
        self.certificates().take(Self::MAX_LISTED).map(sha256)
    }

    /// Bytes of memory held beside the value itself.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.body.len()
    }
}

impl fmt::Debug for CertificateChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateChain")
            .field("side", &self.side)
            .field("lengths", &self.certificates().map(<[u8]>::len).collect::<Vec<_>>())
            .finish()
    }
}

/// Certificates, up to the first that is cut.
#[derive(Clone)]
struct Certificates<'a>(&'a [u8]);

impl<'a> Iterator for Certificates<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (certificate, rest) = split_vector24(self.0)?;
        self.0 = rest;
        Some(certificate)
    }
}

/// What follows a length of three bytes, and what follows that.
fn split_vector24(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([high, mid, low], rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes([0, *high, *mid, *low]) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_two_certificates_have_fingerprints() {
        let certificates = [0, 0, 1, 9].repeat(40);
        let body = [&[0, 0, certificates.len() as u8][..], &certificates].concat();
        let chain = CertificateChain::parse(FlowSide::Responder, body.into()).unwrap();
        assert_eq!((chain.certificates().count(), chain.fingerprints().count()), (40, 32));
    }

    #[test]
    fn chains_are_read_whole_or_not_at_all() {
        fn check(body: &[u8], expected: Option<&[&[u8]]>) {
            let chain = CertificateChain::parse(FlowSide::Responder, Cow::Borrowed(body));
            let read = chain.as_ref().map(|chain| chain.certificates().collect::<Vec<_>>());
            assert_eq!(read.as_deref(), expected, "{body:?}");
        }
        check(&[0, 0, 0], Some(&[]));
        check(&[0, 0, 9, 0, 0, 2, 7, 8, 0, 0, 1, 9], Some(&[&[7, 8], &[9]]));
        check(&[0, 0, 3, 0, 0, 0], Some(&[&[]]));
        check(&[], None);
        check(&[0, 0, 5, 0, 0, 1], None);
        check(&[0, 0, 4, 0, 0, 1, 9, 9], None);
        check(&[0, 0, 5, 0, 0, 9, 7, 8], None);
        check(&[0, 0, 2, 0, 0], None);
    }
}

//! Certificates that were damaged, cut, or made to be large.

#![cfg(feature = "x509")]

use std::path::Path;

use flowscope_conformance::Sample;
use flowscope_core::{SessionParser, StreamChunk, Timestamp};
use flowscope_testkit::Rng;
use flowscope_tls::{Certificate, TlsMessage, TlsParser};
use proptest::prelude::*;

/// The certificates of a sample with a chain for either side.
fn certificates() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/tls");
    let samples = Sample::in_folder(&folder);
    let sample = samples.iter().find(|sample| sample.name == "client_certificate");
    let (mut parser, mut out) = (TlsParser::default(), Vec::new());
    for turn in &sample.expect("the sample").conversation.turns {
        let chunk = StreamChunk::new(turn.side, Timestamp::ZERO, 0, &turn.bytes);
        parser.feed_into(chunk, &mut out);
    }
    let chains = out.iter().filter_map(|message| match message {
        TlsMessage::Certificate(chain) => Some(chain),
        _ => None,
    });
    chains.flat_map(|chain| chain.certificates().map(<[u8]>::to_vec)).collect()
}

/// DER of something in a tag.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len() as u32;
    [&[tag, 0x83][..], &len.to_be_bytes()[1..], content].concat()
}

#[test]
fn a_certificate_that_is_cut_is_none() {
    for certificate in certificates() {
        assert!(Certificate::parse(&certificate).is_some());
        for end in 0..certificate.len() {
            assert_eq!(Certificate::parse(&certificate[..end]), None, "{end}");
        }
    }
}

/// So many names that keeping all of them would take many times the certificate's length.
#[test]
fn names_are_kept_up_to_a_bound() {
    let attribute = der(0x30, &[&[6, 3, 0x55, 4, 3][..], &[12, 1, b'x']].concat());
    let name = der(0x30, &der(0x31, &attribute).repeat(2000));
    let names = der(0x30, &[0x82, 1, b'y'].repeat(5000));
    let algorithm = der(0x30, &[6, 3, 0x2b, 0x65, 0x70]);
    let time = [&[23, 13][..], b"260101000000Z"].concat();
    let extension = der(0x30, &[&[6, 3, 0x55, 0x1d, 0x11][..], &der(4, &names)].concat());
    let tbs = [
        vec![0xa0, 3, 2, 1, 2],
        vec![2, 1, 1],
        algorithm.clone(),
        name.clone(),
        der(0x30, &time.repeat(2)),
        name,
        der(0x30, &[&algorithm[..], &[3, 2, 0, 1]].concat()),
        der(0xa3, &der(0x30, &extension)),
    ];
    let certificate = [der(0x30, &tbs.concat()), algorithm, vec![3, 2, 0, 1]].concat();
    let certificate = Certificate::parse(&der(0x30, &certificate)).expect("a certificate");
    assert_eq!(certificate.subject.attributes().len(), Certificate::MAX_ATTRIBUTES);
    assert_eq!(certificate.alternative_names.len(), Certificate::MAX_ALTERNATIVE_NAMES);
    assert_eq!(certificate.key.kind, Some("ed25519"));
    // Version 3 is 2 on the wire.
    assert_eq!(certificate.version, 3);
}

/// RFC 1034 §3.1: a name may end with the root's dot.
#[test]
fn a_host_may_be_named_with_a_dot_at_its_end() {
    for certificate in certificates() {
        for host in ["www.lab.test", "lab.test", "other.test"] {
            let dotted = format!("{host}.");
            assert_eq!(
                certificate_covers(&certificate, host),
                certificate_covers(&certificate, &dotted)
            );
        }
    }
    let all = certificates();
    assert!(all.iter().any(|certificate| certificate_covers(certificate, "www.lab.test.")));
}

fn certificate_covers(der: &[u8], host: &str) -> bool {
    Certificate::parse(der).expect("a certificate").covers(host.as_bytes())
}

proptest! {
    #[test]
    fn a_damaged_certificate_can_be_read(seed: u64) {
        let rng = &mut Rng::new(seed);
        let all = certificates();
        let mut bytes = rng.pick(&all).clone();
        for _ in 0..=rng.below(4) {
            let at = rng.below(bytes.len());
            match rng.below(3) {
                0 => bytes[at] = rng.below(256) as u8,
                1 => bytes[at] ^= 1 << rng.below(8),
                // A length that is enormous.
                _ => bytes[at] = *rng.pick(&[0x7f, 0x80, 0x84, 0x88, 0xff]),
            }
        }
        if let Some(certificate) = Certificate::parse(&bytes) {
            let names = [&certificate.subject, &certificate.issuer];
            for name in names {
                prop_assert!(name.to_text().len() <= 8 * bytes.len());
                prop_assert!(name.to_rfc2253().len() <= 8 * bytes.len());
            }
            prop_assert!(certificate.serial.len() <= bytes.len());
            let covered = certificate.covers(b"www.lab.test");
            prop_assert!(!covered || bytes.windows(8).any(|part| part == b"lab.test"));
        }
    }
}

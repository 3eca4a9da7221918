use std::borrow::Cow;

use flowscope_tls::{ClientHello, ServerHello, TlsMessage, TlsParser, TlsVersion};

use crate::support::*;

fn read(hello: &Hello) -> ClientHello {
    ClientHello::parse(I, Cow::Owned(hello.client_body())).expect("a hello")
}

#[test]
fn a_client_hello_gives_what_it_was_made_of() {
    let made = hello(0x0303, &[0x0a0a, 0x1301, 0xc02f, 0x00ff])
        .session(&[3; 32])
        .ext(0x1a1a, [])
        .name("www.example.org")
        .alpn(&[b"h2", b"http/1.1"])
        .list(10, &[0x2a2a, 0x11ec, 29])
        .ext(11, [1, 0])
        .list(13, &[0x0403, 0x0804])
        .ext(43, [7, 0x3a, 0x3a, 3, 4, 3, 3, 9])
        .ext(51, [0, 11, 0x2a, 0x2a, 0, 1, 0, 0, 29, 0, 2, 7, 7])
        .ext(0xfe0d, [0])
        .ext(42, [])
        .ext(35, [1, 2])
        .ext(41, [0, 0]);
    let hello = read(&made);
    assert_eq!(hello.side(), I);
    assert_eq!(hello.as_bytes(), made.client_body());
    assert!(hello.is_intact() && !hello.is_sslv2());
    assert_eq!(hello.legacy_version(), TlsVersion::TLS_1_2);
    assert_eq!(hello.version(), TlsVersion::TLS_1_3);
    assert_eq!((hello.random(), hello.session_id()), (&[7; 32][..], &[3; 32][..]));
    assert_eq!(hello.ciphers().collect::<Vec<_>>(), made.ciphers);
    assert_eq!(hello.compression(), [0]);
    let extensions: Vec<(u16, Vec<u8>)> =
        hello.extensions().map(|(kind, content)| (kind, content.to_vec())).collect();
    assert_eq!(extensions, made.extensions);
    assert_eq!(hello.server_name(), Some(&b"www.example.org"[..]));
    assert_eq!(hello.alpn().collect::<Vec<_>>(), [&b"h2"[..], b"http/1.1"]);
    assert_eq!(hello.groups().collect::<Vec<_>>(), [0x2a2a, 0x11ec, 29]);
    assert_eq!(hello.point_formats(), [0]);
    assert_eq!(hello.signature_algorithms().collect::<Vec<_>>(), [0x0403, 0x0804]);
    let versions = [0x3a3a, 0x0304, 0x0303].map(TlsVersion);
    assert_eq!(hello.supported_versions().collect::<Vec<_>>(), versions);
    assert_eq!(hello.key_shares().collect::<Vec<_>>(), [0x2a2a, 29]);
    assert!(hello.has_ech() && hello.has_early_data() && hello.has_session_ticket());
    assert!(hello.has_pre_shared_key() && hello.has_grease());
    let shown = format!("{hello:?}");
    assert!(shown.contains("www.example.org") && shown.contains("TLS 1.3"), "{shown}");
}

#[test]
fn what_a_hello_lacks_is_empty() {
    let hello = read(&hello(0x0301, &[]));
    assert_eq!(hello.version(), TlsVersion::TLS_1_0);
    assert_eq!((hello.server_name(), hello.session_id()), (None, &[][..]));
    assert_eq!(hello.alpn().count() + hello.ciphers().count() + hello.extensions().count(), 0);
    assert_eq!(hello.groups().count() + hello.key_shares().count(), 0);
    assert!(!hello.has_ech() && !hello.has_early_data() && !hello.has_session_ticket());
    assert!(!hello.has_pre_shared_key() && !hello.has_grease());
}

#[test]
fn extensions_that_are_there_and_say_nothing() {
    // RFC 5077 §3.2: an empty ticket asks for one, and resumes nothing.
    assert!(!read(&hello(0x0303, &[1]).ext(35, [])).has_session_ticket());
    // Key shares had another number up to draft 22 of TLS 1.3.
    let draft = hello(0x0303, &[1]).ext(40, [0, 6, 0, 29, 0, 2, 7, 7]);
    assert_eq!(read(&draft).key_shares().collect::<Vec<_>>(), [29]);
    // RFC 8701 §2: any of these lists may have a reserved value.
    for grease in [
        hello(0x0303, &[0x0a0a]),
        hello(0x0303, &[1]).ext(0x1a1a, []),
        hello(0x0303, &[1]).list(10, &[0x2a2a]),
        hello(0x0303, &[1]).ext(43, [2, 0x3a, 0x3a]),
    ] {
        assert!(read(&grease).has_grease(), "{:?}", grease.extensions);
    }
}

#[test]
fn names_are_bytes() {
    let check = |content: &[u8], expected: Option<&[u8]>| {
        let hello = read(&hello(0x0303, &[1]).ext(0, content));
        assert_eq!(hello.server_name(), expected, "{content:?}");
    };
    check(&[0, 5, 0, 0, 2, 0xff, 0x1b], Some(&[0xff, 0x1b]));
    check(&[0, 3, 0, 0, 0], Some(&[]));
    // Names of other types come first; a list longer than the extension is read as far as it goes.
    check(&[0, 9, 1, 0, 1, 9, 0, 0, 2, b'a', b'b'], Some(b"ab"));
    check(&[0, 99, 0, 0, 2, b'a', b'b'], Some(b"ab"));
    check(&[0, 5, 0, 0, 3, b'a', b'b'], None);
    check(&[0], None);
    check(&[], None);
}

#[test]
fn the_highest_version_counts() {
    let check = |versions: &[u8], expected: u16| {
        let hello = read(&hello(0x0303, &[1]).ext(43, vector8(versions)));
        assert_eq!(hello.version(), TlsVersion(expected), "{versions:02x?}");
    };
    check(&[3, 1, 3, 4, 3, 3], 0x0304);
    check(&[0xfa, 0xfa, 3, 3], 0x0303);
    check(&[0x7f, 23, 0x7f, 28, 3, 3], 0x7f1c);
    check(&[0x7f, 28, 3, 4, 3, 3], 0x0304);
    check(&[], 0x0303);
    check(&[0x0a, 0x0a], 0x0303);
}

#[test]
fn a_server_hello_gives_what_it_was_made_of() {
    let made =
        hello(0x0303, &[0xc02f]).session(&[4; 8]).ext(0xff01, [0]).alpn(&[b"h2"]).ext(41, [0, 0]);
    let body = made.server()[4..].to_vec();
    let hello = ServerHello::parse(R, Cow::Borrowed(&body)).unwrap();
    assert_eq!(hello.as_bytes(), body);
    assert_eq!((hello.random(), hello.session_id()), (&[7; 32][..], &[4; 8][..]));
    assert_eq!((hello.cipher(), hello.alpn()), (0xc02f, Some(&b"h2"[..])));
    assert_eq!(
        (hello.version(), hello.legacy_version()),
        (TlsVersion::TLS_1_2, TlsVersion::TLS_1_2)
    );
    assert!(hello.has_pre_shared_key() && hello.is_intact() && !hello.is_retry_request());
    assert_eq!(hello.key_share(), None);
    for end in 0..body.len() {
        let hello = ServerHello::parse(R, Cow::Borrowed(&body[..end]));
        // TlsVersion to compression, then anything may be missing.
        assert_eq!(hello.is_some(), end >= 46, "{end}");
        assert_eq!(hello.is_some_and(|hello| hello.is_intact()), end == 46, "{end}");
    }
    let hello =
        ServerHello::parse(R, server13().random(RETRY).server()[4..].to_vec().into()).unwrap();
    assert_eq!((hello.version(), hello.key_share()), (TlsVersion::TLS_1_3, Some(29)));
    assert!(hello.is_retry_request());
    // RFC 8446 §4.2.8: a retry request has the group alone.
    let retry = hello_with_share(&[0, 29]);
    assert_eq!((retry.key_share(), hello_with_share(&[0]).key_share()), (Some(29), None));
}

fn hello_with_share(share: &[u8]) -> ServerHello {
    let body = hello(0x0303, &[0x1301]).ext(43, [3, 4]).ext(51, share).server()[4..].to_vec();
    ServerHello::parse(R, body.into()).expect("a hello")
}

/// RFC 5246 §7.4.1.2: a session has 32 bytes at most.
#[test]
fn a_session_of_dtls_is_bounded() {
    let parse = |len: u8| {
        let hello = hello(0xfefd, &[0xc02b]).session(&vec![4; len.into()]);
        ServerHello::parse_dtls(R, hello.server()[4..].to_vec().into())
    };
    assert_eq!(parse(32).expect("a hello").session_id(), [4; 32]);
    assert_eq!(parse(33), None);
}

#[test]
fn an_sslv2_hello_has_ciphers_and_a_challenge() {
    let bytes = sslv2_hello(0x0303, &[[0, 0, 0x39], [7, 0, 0xc0], [0, 0xc0, 0x2f]]);
    let (said, _) = feed(&mut TlsParser::default(), &[(I, bytes)], 1);
    let [TlsMessage::ClientHello(hello)] = &said[..] else { panic!("{said:?}") };
    assert!(hello.is_sslv2());
    assert_eq!(hello.version(), TlsVersion::TLS_1_2);
    assert_eq!(hello.ciphers().collect::<Vec<_>>(), [0x0039, 0xc02f]);
    assert_eq!((hello.random(), hello.session_id()), (&[9; 16][..], &[][..]));
    assert_eq!(hello.ja3(), None);
    assert_eq!(hello.ja4(), None);
}

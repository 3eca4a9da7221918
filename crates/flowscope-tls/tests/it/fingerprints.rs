use std::borrow::Cow;

use flowscope_tls::{ClientHello, ServerHello, TlsTransport};

use crate::support::*;

fn client(hello: &Hello) -> ClientHello {
    ClientHello::parse(I, Cow::Owned(hello.client_body())).expect("a hello")
}

#[test]
fn ja3_of_clients() {
    let check = |hello: &Hello, string: &str, hash: &str| {
        let ja3 = client(hello).ja3().unwrap();
        assert_eq!((ja3.string.as_str(), ja3.hash.as_str()), (string, hash));
    };
    // Both published with the method.
    let ciphers = [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4];
    check(
        &hello(769, &ciphers).name("x").list(10, &[23, 24, 25]).ext(11, [1, 0]),
        "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0",
        "ada70206e40642a3e4461f35503241d5",
    );
    check(
        &hello(769, &[4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99]),
        "769,4-5-10-9-100-98-3-6-19-18-99,,,",
        "de350869b8c85de67a350c8d186f11e6",
    );
    // GREASE is left out wherever it may be.
    check(
        &hello(769, &[0x0a0a, 47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4])
            .ext(0xfafa, [0])
            .name("x")
            .list(10, &[0x5a5a, 23, 24, 25])
            .ext(11, [1, 0]),
        "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0",
        "ada70206e40642a3e4461f35503241d5",
    );
}

#[test]
fn ja3s_of_servers() {
    // As Wireshark computes it for these fields.
    let body = server13().server()[4..].to_vec();
    let ja3s = ServerHello::parse(R, body.into()).unwrap().ja3s().unwrap();
    assert_eq!(ja3s.string, "771,4865,43-51");
    assert_eq!(ja3s.hash.as_str(), "f4febc55ea12b31ae17cfb7e614afda8");
    let body = hello(0x0301, &[0x0039]).server()[4..].to_vec();
    let ja3s = ServerHello::parse(R, body.into()).unwrap().ja3s().unwrap();
    assert_eq!(ja3s.string, "769,57,");
    assert_eq!(ja3s.hash.as_str(), "9a2c6bfd476184689a786457f33ece3a");
}

/// The client of the specification's example.
fn example() -> Hello {
    let ciphers = [
        0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
        0x009c, 0x009d, 0x002f, 0x0035,
    ];
    hello(0x0303, &ciphers)
        .ext(0x001b, [])
        .name("example.org")
        .ext(0x0033, [0, 0])
        .alpn(&[b"h2", b"http/1.1"])
        .ext(0x4469, [])
        .ext(0x0017, [])
        .ext(0x002d, [])
        .list(0x000d, &SIGNATURES)
        .ext(0x0005, [])
        .ext(0x0023, [])
        .ext(0x0012, [])
        .ext(0x002b, [6, 0x8a, 0x8a, 3, 4, 3, 3])
        .ext(0xff01, [0])
        .ext(0x000b, [1, 0])
        .list(0x000a, &[29, 23])
        .ext(0x0015, [])
}

const SIGNATURES: [u16; 8] = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];

#[test]
fn ja4_of_the_specification() {
    let hello = client(&example());
    assert_eq!(hello.ja4().unwrap().as_str(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    assert_eq!(
        hello.ja4_raw(TlsTransport::Tcp).unwrap(),
        "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_\
         0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_\
         0403,0804,0401,0503,0805,0501,0806,0601"
    );
}

#[test]
fn ja4_ignores_grease() {
    let mut grease = example();
    grease.ciphers.insert(0, 0x5a5a);
    grease.extensions.insert(0, (0x0a0a, vec![]));
    grease.extensions.push((0xfafa, vec![0]));
    let signatures = [&[0x1a1a][..], &SIGNATURES].concat();
    for (kind, content) in &mut grease.extensions {
        if *kind == 0x000d {
            *content = vector16(&numbers(&signatures));
        }
    }
    assert_eq!(client(&grease).ja4(), client(&example()).ja4());
}

#[test]
fn ja4_part_by_part() {
    let check = |hello: &Hello, transport: TlsTransport, expected: &str| {
        assert_eq!(client(hello).ja4_over(transport).unwrap().as_str(), expected);
    };
    let without = |kind: u16| {
        let mut hello = example();
        hello.extensions.retain(|(found, _)| *found != kind);
        hello
    };
    let other = TlsTransport::Quic;
    check(&example(), other, "q13d1516h2_8daaf6152771_e5627efa2ab1");
    check(&example(), TlsTransport::Dtls, "d13d1516h2_8daaf6152771_e5627efa2ab1");
    // Neither the name nor the protocol is in the hash.
    check(&without(0), TlsTransport::Tcp, "t13i1515h2_8daaf6152771_e5627efa2ab1");
    check(&without(16), TlsTransport::Tcp, "t13d151500_8daaf6152771_e5627efa2ab1");
    // Without signature algorithms there is no underscore to hash.
    let mut unsigned = example();
    unsigned.extensions.iter_mut().for_each(|(kind, content)| {
        if *kind == 0x000d {
            content.clear();
        }
    });
    check(&unsigned, TlsTransport::Tcp, "t13d1516h2_8daaf6152771_6d807ffa2a79");
    // The legacy version, where no other is offered; nothing to hash.
    check(&hello(0x0301, &[]), TlsTransport::Tcp, "t10i000000_000000000000_000000000000");
    check(
        &hello(0x0303, &[0x0a0a]).name("x"),
        TlsTransport::Tcp,
        "t12d000100_000000000000_000000000000",
    );
    let many = hello(0x0300, &(0..200).collect::<Vec<u16>>());
    assert_eq!(client(&many).ja4().unwrap().as_str()[..10], *"ts3i990000");
    let drafts = hello(0x0303, &[1]).ext(43, [4, 0x7f, 28, 3, 3]).alpn(&[b"\xab"]);
    assert_eq!(client(&drafts).ja4().unwrap().as_str()[..10], *"t00i0102ab");
}

/// A hello that came in QUIC, and what another implementation says of it.
#[test]
fn ja4_of_a_browser() {
    let hello = hello(0x0303, &[0x1301, 0x1302, 0x1303])
        .ext(17513, [])
        .ext(27, [])
        .name("www.blogger.com")
        .list(10, &[29, 23, 24])
        .ext(51, [0, 0])
        .ext(57, [])
        .list(13, &[&SIGNATURES[..], &[0x0201]].concat())
        .alpn(&[b"h3"])
        .ext(43, [2, 3, 4])
        .ext(45, []);
    let ja4 = client(&hello).ja4_over(TlsTransport::Quic).unwrap();
    assert_eq!(ja4.to_string(), "q13d0310h3_55b375c5d22e_cd85d2d88918");
}

#[test]
fn a_damaged_extension_block_costs_the_damaged_extension_alone() {
    let parse = |body: &[u8]| ClientHello::parse(I, Cow::Borrowed(body)).unwrap();
    let check = |body: &[u8], expected: &[u8]| {
        let (hello, expected) = (parse(body), parse(expected));
        assert!(!hello.is_intact());
        assert_eq!((hello.ja3(), hello.ja4()), (expected.ja3(), expected.ja4()));
        assert!(hello.ja4_raw(TlsTransport::Tcp).is_some());
    };
    let body = example().client_body();
    check(&[&body[..], &[0]].concat(), &body);
    // The last extension is cut, or longer than its block.
    let mut longer = example().ext(0x1234, [9]).client_body();
    check(&longer[..longer.len() - 1], &body);
    let len = longer.len();
    longer[len - 2] = 2;
    check(&longer, &body);
}

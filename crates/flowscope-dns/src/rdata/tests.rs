use crate::fixture::{Wire, read, samples};

fn check(rtype: u16, rdata: &[u8], expected: &str) {
    let message = read(&Wire::response(1, "a", 1).answer(b"\0", rtype, rdata).build()).unwrap();
    assert_eq!(message.answers()[0].rdata().to_string(), expected);
}

#[test]
fn each_type_in_its_own_form() {
    let message = read(&samples()[3]).unwrap();
    assert_eq!(message.defect, None);
    let shown: Vec<String> =
        message.records().iter().map(|r| format!("{} {}", r.rtype(), r.rdata())).collect();
    let expected = [
        "AAAA 101:101:101:101:101:101:101:101",
        "MX 10 mx.example.com",
        r#"TXT "hello" "" "\255\000\"""#,
        "SRV 1 2 5060 sip.example.com",
        r#"NAPTR 1 2 "u" "E2U+sip" "!.*!x" ."#,
        r#"CAA 128 issue "ca.example""#,
        "HTTPS 1 . alpn=h2,h3 ipv4hint=1.2.3.4",
        "TLSA 3 1 1 abcd",
        "SSHFP 1 1 abcd",
        "DS 4660 8 2 646967657374",
        r#"HINFO "cpu" "os""#,
        r"NULL \# 8 616e797468696e67",
        r"TYPE65280 \# 3 010203",
        "SOA ns.example.com me.example.com 9 9 9 9 9",
        "TSIG hmac 1 5 6d6d 7 0 ",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn numbers_of_a_zone_are_unsigned() {
    let soa = [&b"\0\0"[..], &[0xff; 20]].concat();
    let max = u32::MAX;
    check(6, &soa, &format!(". . {max} {max} {max} {max} {max}"));
}

#[test]
fn hostile_text_is_escaped() {
    check(16, b"\x05\x1b[2J\"", r#""\027[2J\"""#);
    check(13, b"\x01\n\x02\xe2\x80", r#""\010" "\226\128""#);
    check(5, b"\x04a\x00.\\\0", r"a\000\.\\");
}

#[test]
fn unknown_service_parameters_keep_their_bytes() {
    check(64, b"\0\x01\x01x\0\x02\x9a\0\x02\xff\"", r#"1 x unknown666="\255\"""#);
    check(65, b"\0\x01\0\0\x03\0\x02\x01\xbb", "1 . port=443");
}

#[test]
fn types_that_the_library_leaves_as_bytes() {
    const NAME: &[u8] = b"\x01a\x02b.\0";
    check(39, NAME, r"a.b\.");
    check(17, &[NAME, b"\0"].concat(), r"a.b\. .");
    check(18, &[b"\0\x01", NAME].concat(), r"1 a.b\.");
    check(99, b"\x03v=1\x02\"\x07", r#""v=1" "\"\007""#);
    check(256, b"\0\x0a\0\x01ftp://x/", r#"10 1 "ftp://x/""#);
    check(48, b"\x01\x01\x03\x08\x03\x01\0\x01\xa8", "257 3 8 AwEAAag=");
    let signature =
        [b"\0\x01\x08\x02\0\0\x01\x2c\x65\xe1\x09\x7f\x65\x69\x22\0\x30\x39", NAME, b"\x03\x01"];
    let expected = r"A 8 2 300 1709246847 1701388800 12345 a.b\. AwE=";
    check(46, &signature.concat(), expected);
    check(
        47,
        &[NAME, b"\0\x06\x40\x01\0\0\0\x02\xff\x01\x80"].concat(),
        r"a.b\. A MX RRSIG TYPE65280",
    );
    check(
        50,
        b"\x01\x01\0\x0c\x02\xaa\xbb\x05\x17\xf3\xdf\x17\xb2\0\x01\x40",
        "1 1 12 aabb 2vptu5ti A",
    );
    check(51, b"\x01\0\0\x0c\0", "1 0 12 -");
    check(108, b"\0\x11\x22\x33\x44\x55", "00-11-22-33-44-55");
    check(63, b"\0\0\0\x01\x01\x01\xab\xcd", "1 1 1 abcd");
    let place = b"\0\0\x16\x13\x8b\x3c\xf0\x18\x81\x0c\xbc\xe0\0\x98\x95\xb8";
    check(29, place, "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m");
}

#[test]
fn bytes_that_do_not_fit_their_type_stay_bytes() {
    // A compressed name, a cut one, a rest, a bit map of no bytes, a length beyond the end, another version.
    check(39, b"\xc0\x0c", r"\# 2 c00c");
    check(39, b"\x02a", r"\# 2 0261");
    check(39, b"\0\0", r"\# 2 0000");
    check(47, b"\0\0\0", r"\# 3 000000");
    check(51, b"\x01\0\0\x0c\x02\xaa", r"\# 6 0100000c02aa");
    // More types than there are.
    let all = [&b"\0\0\x20"[..], &[0xff; 32], b"\x01\x20", &[0xff; 32]].concat();
    check(47, &all, &format!(r"\# 69 000020{}0120{0}", "ff".repeat(32)));
    check(108, b"\0", r"\# 1 00");
    check(29, &[1; 16], &format!(r"\# 16 {}", "01".repeat(16)));
}

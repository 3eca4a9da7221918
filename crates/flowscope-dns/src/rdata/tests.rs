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
        r"DS \# 10 12340802646967657374",
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

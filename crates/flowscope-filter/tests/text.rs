//! The text form: what it reads, and what it says of what it does not.

use flowscope_filter::{Expr, Filter};

/// `text` reads as what prints as `expected`.
fn check(text: &str, expected: &str) {
    match text.parse::<Expr>() {
        Ok(expr) => assert_eq!(expr.to_string(), expected, "{text}"),
        Err(error) => panic!("{text}: {error}"),
    }
}

#[test]
fn words_of_tcpdump() {
    for word in ["ip", "ip6", "arp", "icmp", "icmp6", "tcp", "udp", "sctp", "vlan", "vlan 100"] {
        check(word, word);
    }
    check(" tcp\tport\n443 ", "tcp and port 443");
    check("tcp and port 443", "tcp and port 443");
    check("proto 89", "proto 89");
    check("ip proto 89", "ip and proto 89");
    check("ip6 proto 58", "ip6 and proto 58");
    check("vlan 0 and vlan 4095", "vlan 0 and vlan 4095");
    check("portrange 1-1023", "portrange 1-1023");
    check("portrange 1023-1", "portrange 1-1023");
    check("portrange 53-53", "port 53");
    check("udp dst portrange 1-2", "udp and dst portrange 1-2");
    check("ether host 2:0:0:0:0:A1", "ether host 02:00:00:00:00:a1");
    check("ether src 02:00:00:00:00:01", "ether src 02:00:00:00:00:01");
    check("ether dst host 02:00:00:00:00:01", "ether dst 02:00:00:00:00:01");
}

#[test]
fn addresses_and_networks() {
    check("host 10.0.0.1", "host 10.0.0.1");
    check("src 10.0.0.1", "src host 10.0.0.1");
    check("dst host 2001:DB8::1", "dst host 2001:db8::1");
    check("net 10.0.0.0/8", "net 10.0.0.0/8");
    check("src net 2001:db8::/32", "src net 2001:db8::/32");
    check("net 10.0.0.1/32", "host 10.0.0.1");
    check("net 0.0.0.0/0", "net 0.0.0.0/0");
    check("ip host 10.0.0.1", "ip and host 10.0.0.1");
    check("ip src 10.0.0.1", "ip and src host 10.0.0.1");
    check("arp net 10.0.0.0/8", "arp and net 10.0.0.0/8");
    check("ip6 net fe80::/10", "ip6 and net fe80::/10");
    check("src or dst host 10.0.0.1", "host 10.0.0.1");
    check("dst || src port 53", "port 53");
    check("src and dst port 53", "src port 53 and dst port 53");
    check("not src and dst port 53", "not (src port 53 and dst port 53)");
}

#[test]
fn operators() {
    // Of one rank, from left to right.
    check("arp or tcp and udp", "(arp or tcp) and udp");
    check("arp and tcp or udp", "(arp and tcp) or udp");
    check("arp or tcp or udp", "arp or tcp or udp");
    check("arp or (tcp or udp)", "arp or tcp or udp");
    check("arp or (tcp and udp)", "arp or (tcp and udp)");
    check("arp||tcp&&udp", "(arp or tcp) and udp");
    check("not arp and tcp", "not arp and tcp");
    check("not (arp and tcp)", "not (arp and tcp)");
    check("!arp and !!tcp", "not arp and tcp");
    check("not not not arp", "not arp");
    check("not tcp port 80", "not (tcp and port 80)");
    check("(((arp)))", "arp");
}

#[test]
fn words_that_are_left_out() {
    check("port 80 or 443", "port 80 or port 443");
    check("tcp dst port 80 or 443", "(tcp and dst port 80) or (tcp and dst port 443)");
    check("tcp port (80 or 443)", "(tcp and port 80) or (tcp and port 443)");
    check("host 10.0.0.1 and not 10.0.0.2", "host 10.0.0.1 and not host 10.0.0.2");
    check(
        "host 10.0.0.1 and (10.0.0.2 or 10.0.0.3)",
        "host 10.0.0.1 and (host 10.0.0.2 or host 10.0.0.3)",
    );
    check("src net 10.0.0.0/8 or 192.0.2.0/24", "src net 10.0.0.0/8 or src net 192.0.2.0/24");
    check("src 10.0.0.1 or 192.0.2.1", "src host 10.0.0.1 or src host 192.0.2.1");
    check("src fe80::1 or ::1", "src host fe80::1 or src host ::1");
    check("ip proto 6 or 17", "(ip and proto 6) or (ip and proto 17)");
}

/// The error of `text`, in a build without libpcap as in one with it.
fn wrong(text: &str, expected: &str) {
    assert_eq!(text.parse::<Expr>().expect_err(text).to_string(), expected, "{text}");
}

#[test]
fn errors_name_the_word_and_its_place() {
    const PRIMITIVE: &str = "a protocol, or one of `host`, `net`, `port`, `vlan`, `not`, `(`";
    wrong("", &format!("expected {PRIMITIVE} at the end"));
    wrong("tcp and", &format!("expected {PRIMITIVE} at the end"));
    wrong("(tcp", "expected `)` at the end");
    wrong("port", "expected a port number at the end");
    wrong("src", "expected `host`, `net`, `port`, `portrange` or an address at the end");
    wrong("port 65536", "expected a port number, not `65536` at byte 5");
    wrong("proto 256", "expected a number below 256, not `256` at byte 6");
    wrong("vlan 4096", "expected a VLAN id below 4096, not `4096` at byte 5");
    wrong(
        "net 10.0.0.1/8",
        "expected an address that is 0 behind its prefix, not `10.0.0.1/8` at byte 4",
    );
    wrong(
        "net 10.0.0.0/33",
        "expected a prefix no longer than an address, not `10.0.0.0/33` at byte 4",
    );
    wrong("ip6 host 10.0.0.1", "expected an IPv6 address, not `10.0.0.1` at byte 9");
    wrong("arp host ::1", "expected an IPv4 address, not `::1` at byte 9");
    wrong(&"(".repeat(65), "expected less nesting, not `(` at byte 64");
}

/// Groups count as deep as they are in each other, not how many there are.
#[test]
fn many_groups_side_by_side_are_not_deep() {
    let many = vec!["(udp or arp)"; 200].join(" and ");
    assert!(many.parse::<Expr>().is_ok());
    let deepest = format!("{}tcp{}", "(".repeat(64), ")".repeat(64));
    check(&format!("{deepest} or {deepest}"), "tcp or tcp");
}

#[test]
fn what_is_beyond_is_said_to_be_of_libpcap() {
    let beyond = |text: &str, word: &str, at: usize| {
        let error = text.parse::<Expr>().unwrap_err();
        assert_eq!((error.word(), error.at()), (Some(word), at), "{text}: {error}");
        assert!(error.is_beyond());
        let said = error.to_string();
        assert!(said.contains("a build with libpcap takes all of tcpdump's expressions"), "{said}");
    };
    beyond("tcp[13] & 2 != 0", "[", 3);
    beyond("greater 100", "greater", 0);
    beyond("tcp and len > 60", "len", 8);
    beyond("host example.com", "example.com", 5);
    beyond("10.0.0.1", "10.0.0.1", 0);
    beyond("arp or 10.0.0.1", "10.0.0.1", 7);
    beyond("src 10.0.0.0/8", "10.0.0.0/8", 4);
    beyond("src or src port 80", "or", 4);
    beyond("port http", "http", 5);
    beyond("net 10", "10", 4);
    beyond("ether proto 0x88cc", "proto", 6);
    beyond("tcp host 10.0.0.1", "host", 4);
    beyond("tcp udp", "udp", 4);
    beyond("tcp port 80 and é", "é", 16);
    beyond("port 80 or tcp)", ")", 14);
    beyond("tcp port (80 or udp)", "udp", 16);
    beyond("port +80", "+", 5);
    let long = "x".repeat(1000);
    beyond(&long, &long[..40], 0);
}

#[test]
#[cfg(not(feature = "libpcap"))]
fn a_filter_has_the_errors_of_its_text() {
    let error = Filter::parse("tcp[13] & 2 != 0").unwrap_err();
    assert!(error.to_string().contains("with libpcap"), "{error}");
}

#[test]
#[cfg(feature = "libpcap")]
fn a_filter_takes_what_libpcap_takes() {
    assert!(Filter::parse("tcp[13] & 2 != 0").unwrap().is_of_libpcap());
    assert!(Filter::parse("wlan type data").unwrap().is_of_libpcap());
    assert!(!Filter::parse("tcp").unwrap().is_of_libpcap());
    let error = Filter::parse("tcp[13").unwrap_err();
    assert!(error.to_string().contains("libpcap does not take the filter"), "{error}");
    let error = Filter::parse("port 65536").unwrap_err();
    assert!(error.to_string().contains("at byte 5"), "{error}");
}

#[test]
fn a_text_has_up_to_4096_terms() {
    let terms = |count: usize| vec!["tcp"; count].join(" or ").parse::<Expr>();
    assert!(terms(4096).is_ok());
    let error = terms(4097).unwrap_err();
    assert_eq!(error.at(), "tcp or ".len() * 4096);
    assert!(error.to_string().contains("at most 4096 terms"), "{error}");
}

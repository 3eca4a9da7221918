//! The text of filters: what is read prints as itself, and compiles to a program that agrees with itself.

use flowscope::core::{LinkType, PacketView, Timestamp};
use flowscope_filter::{Expr, Filter};

/// Text, a zero byte, and a frame.
pub(crate) fn run(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let text = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let frame = parts.next().unwrap_or_default();
    let Ok(expr) = text.parse::<Expr>() else { return };
    let printed = expr.to_string();
    assert_eq!(printed.parse::<Expr>(), Ok(expr.clone()), "{text:?} prints as {printed:?}");
    let negated = !expr.clone();
    for link in [LinkType::ETHERNET, LinkType::RAW, LinkType::LINUX_SLL, LinkType::PPP] {
        let (Ok(program), Ok(inverse)) = (expr.compile(link), negated.compile(link)) else {
            continue;
        };
        let view = PacketView::new(frame, link, Timestamp::ZERO);
        let (holds, fails) = (program.matches(view), inverse.matches(view));
        // A frame that ends too early is refused by both.
        assert!(!(holds && fails), "{printed}: {frame:02x?}");
        assert_eq!(program.matches(view), holds);
    }
    if let Ok(mut filter) = Filter::parse(&text) {
        let _ = filter.matches(PacketView::new(frame, LinkType::ETHERNET, Timestamp::ZERO));
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let frame = flowscope_testkit::frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").tcp(40_000, 80);
    let texts = [
        "tcp port 80 and host 10.0.0.1",
        "(host 10.0.0.1 or port 80) and dst host 10.0.0.9",
        "not (udp or icmp6) and net 2001:db8::/32",
        "vlan 7 and ip proto 47 or portrange 1-1023",
        "ether src 02:00:00:00:00:01 && !arp || sctp dst port 5",
        "src and dst net 10.0.0.0/30",
        "((((((tcp))))))",
        "ip6 host ::1 or ip6 net fe80::/10",
    ];
    texts.iter().map(|text| [text.as_bytes(), &[0], &frame.build()].concat()).collect()
}

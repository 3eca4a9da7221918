//! Compiled programs do what the model says, on whatever frame.

mod model;

use flowscope_core::{LinkType, VlanTag};
use flowscope_filter::{CompileError, Direction, Expr, Net};
use flowscope_testkit::{Frame, Order, Packet, Rng, frame, samples};
use model::{ADDRS, IDS, Model, PORTS, eval, expr, random};
use proptest::prelude::*;

/// A frame out of the values that random expressions are about.
fn random_frame(rng: &mut Rng) -> Packet {
    let link = match rng.below(12) {
        0 => frame().sll(),
        1 => frame().sll2(),
        2 => frame(),
        3 => frame().null(*rng.pick(&[Order::Big, Order::Little])),
        4 => frame().loopback(Order::Big),
        5 => frame().ppp(),
        6 => frame().ppp_bare(),
        _ => frame().ethernet(),
    };
    let tagged = !link.build().is_empty()
        && matches!(link.link(), LinkType::ETHERNET | LinkType::LINUX_SLL | LinkType::LINUX_SLL2);
    let mut link = link;
    if tagged {
        for _ in 0..*rng.pick(&[0, 0, 0, 1, 2, 3]) {
            link = link.vlan_tag(*rng.pick(&[0x8100, 0x88a8, 0x9100]), 0x2000 | *rng.pick(&IDS));
        }
        if rng.one_in(8) {
            let kind = *rng.pick(&[0x0806, 0x8035, 0x88cc]);
            return link.next(kind).payload(arp_body(rng)).packet();
        }
    }
    let ip = network(rng, link);
    let packet = transport(rng, ip).packet();
    match rng.below(6) {
        0 if packet.link == LinkType::ETHERNET => packet.stripped_vlan(*rng.pick(&IDS)),
        1 => packet.damaged(rng),
        _ => packet,
    }
}

fn arp_body(rng: &mut Rng) -> Vec<u8> {
    let mut body = vec![0, 1, 8, 0, 6, 4, 0, 1];
    for _ in 0..2 {
        body.extend([2, 0, 0, 0, 0, 1, 10, 0, 0, rng.below(3) as u8]);
    }
    body
}

fn network(rng: &mut Rng, link: Frame) -> Frame {
    if rng.one_in(2) {
        let ip = link.ipv4(rng.pick(&ADDRS[..4]), rng.pick(&ADDRS[..4]));
        let ip = if rng.one_in(4) { ip.options(&[148, 4, 0, 0]) } else { ip };
        return match rng.below(6) {
            0 => ip.fragment(1, 0, true),
            1 => ip.fragment(1, 64, rng.one_in(2)),
            _ => ip,
        };
    }
    let mut ip = link.ipv6(rng.pick(&ADDRS[4..]), rng.pick(&ADDRS[4..]));
    // The builder wants another header between two fragment headers.
    let mut fragment = false;
    for _ in 0..*rng.pick(&[0, 0, 0, 1, 2, 5, 6, 7]) {
        let kind = rng.below(if fragment { 4 } else { 6 });
        fragment = kind > 3;
        ip = match kind {
            0 => ip.hop_by_hop(&[]),
            1 => ip.routing(&[0; 14]),
            2 => ip.destination(&[]),
            3 => ip.destination(&[0; 20]),
            4 => ip.fragment(1, 0, rng.one_in(2)),
            _ => ip.fragment(1, 64, rng.one_in(2)),
        };
    }
    ip
}

fn transport(rng: &mut Rng, ip: Frame) -> Frame {
    let (src, dst) = (*rng.pick(&PORTS), *rng.pick(&PORTS));
    match rng.below(6) {
        0 | 1 => ip.tcp(src, dst),
        2 => ip.udp(src, dst),
        3 => ip.sctp(src, dst),
        4 => ip.echo_request(1, 1),
        _ => ip.protocol(*rng.pick(&[47, 50, 6, 17])),
    }
}

fn check(model: &Model, packet: &Packet) {
    let expr = expr(model);
    let program = expr.compile(packet.link).expect("a program");
    let expected = eval(model, packet.view()).unwrap_or(false);
    assert_eq!(program.matches(packet.view()), expected, "{expr}\n{packet:02x?}\n{program:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn programs_agree_with_the_model(seed: u64) {
        let rng = &mut Rng::new(seed);
        for _ in 0..4 {
            let packet = random_frame(rng);
            for _ in 0..4 {
                let model = random(rng, 3, packet.link == LinkType::ETHERNET);
                check(&model, &packet);
                check(&model, &packet.cut(rng.below(packet.bytes.len() + 1)));
            }
        }
    }

    #[test]
    fn programs_agree_with_the_model_on_spoilt_frames(seed: u64) {
        let rng = &mut Rng::new(seed);
        let samples = samples();
        let (_, sample) = rng.pick(&samples);
        if expr(&Model::Ip).compile(sample.link).is_ok() {
            let packet = sample.damaged(rng);
            check(&random(rng, 3, packet.link == LinkType::ETHERNET), &packet);
        }
    }

    /// What the kernel takes out of a frame changes nothing.
    #[test]
    fn a_tag_beside_the_frame_is_a_tag_in_it(seed: u64) {
        let rng = &mut Rng::new(seed);
        let mut link = frame().ethernet();
        let ids: Vec<u16> = (0..1 + rng.below(3)).map(|_| *rng.pick(&IDS)).collect();
        for id in &ids {
            link = link.vlan(*id);
        }
        let ip = network(rng, link);
        let inline = transport(rng, ip).packet();
        let mut stripped = inline.clone();
        stripped.bytes.drain(12..16);
        stripped.vlan = Some(VlanTag { tpid: 0x8100, tci: ids[0] });
        let expr = expr(&random(rng, 3, true));
        let program = expr.compile(LinkType::ETHERNET).unwrap();
        prop_assert_eq!(
            program.matches(inline.view()), program.matches(stripped.view()), "{}", expr
        );
    }

    #[test]
    fn text_reads_back(seed: u64) {
        let expr = expr(&random(&mut Rng::new(seed), 5, true));
        prop_assert_eq!(expr.to_string().parse(), Ok(expr));
    }
}

/// Compilers that refuse too much would pass the tests above.
#[test]
fn random_expressions_hold_about_as_often_as_not() {
    let rng = &mut Rng::new(1);
    let (mut held, mut ended) = (0, 0);
    for _ in 0..2000 {
        let packet = random_frame(rng);
        match eval(&random(rng, 3, packet.link == LinkType::ETHERNET), packet.view()) {
            Some(true) => held += 1,
            Some(false) => {}
            None => ended += 1,
        }
    }
    assert!((600..1400).contains(&held), "{held}");
    assert!(ended < 200, "{ended}");
}

#[test]
fn comparisons_reach_over_long_expressions() {
    for hosts in [1, 10, 40, 200, 260] {
        let host = |n: usize| Expr::host(Direction::Src, [10, 1, (n >> 8) as u8, n as u8]);
        let listed = (0..hosts).map(host).reduce(|a, b| a | b).unwrap();
        for other in [!listed.clone() & Expr::udp(), Expr::udp() & !listed.clone()] {
            let program = other.compile(LinkType::ETHERNET).unwrap();
            let from = |n: usize| {
                let src = format!("10.1.{}.{}", n >> 8, n & 0xff);
                frame().ethernet().ipv4(src, "10.0.0.2").udp(1, 2).packet()
            };
            assert!(!program.matches(from(0).view()));
            assert!(!program.matches(from(hosts - 1).view()));
            assert!(program.matches(from(hosts).view()));
        }
        let code = listed.compile(LinkType::ETHERNET).unwrap();
        let far = code.instructions().iter().any(|i| i.code == 5 && i.k > 255);
        assert_eq!(far, hosts >= 40, "{hosts} hosts: {}", code.instructions().len());
    }
}

/// The same for the other way out of a comparison, and for both.
#[test]
fn comparisons_reach_far_when_they_fail() {
    for nets in [10, 40, 100] {
        // The first decides; the others are in between.
        let net = Expr::net(Direction::Src, Net::new([10, 1, 0, 0], 16).unwrap());
        let other = Expr::net(Direction::Dst, Net::new([10, 0, 0, 0], 8).unwrap());
        let all = (0..nets).fold(net.clone(), |all, _| all & other.clone());
        let any = (0..nets).fold(!net, |any, _| any | !other.clone());
        // Both ways out of the protocols' comparisons lead over many instructions.
        let between = (Expr::udp() & all.clone()) | (Expr::tcp() & all.clone()) | all.clone();
        for (src, expected) in [("10.1.2.3", true), ("10.2.2.3", false)] {
            let packet = frame().ethernet().ipv4(src, "10.0.0.2").sctp(1, 2).packet();
            let matches = |e: &Expr| e.compile(LinkType::ETHERNET).unwrap().matches(packet.view());
            assert_eq!(matches(&all), expected, "{nets} {src}");
            assert_eq!(matches(&any), !expected, "{nets} {src}");
            assert_eq!(matches(&between), expected, "{nets} {src}");
            assert_eq!(matches(&!between.clone()), !expected, "{nets} {src}");
        }
    }
}

#[test]
fn what_is_too_much_is_an_error() {
    let host = |n: u32| Expr::host(Direction::Either, n.to_be_bytes());
    let many = (0..5000).map(host).reduce(|a, b| a | b).unwrap();
    assert!(matches!(many.compile(LinkType::ETHERNET), Err(CompileError::TooLong(_))));
    assert!(many.to_string().parse::<Expr>().unwrap_err().to_string().contains("4096 terms"));

    // Negations cancel out; operators in turn nest.
    let deep = |depth: usize| {
        (1..depth)
            .fold(Expr::tcp(), |e, n| if n % 2 == 0 { e & Expr::ip() } else { e | Expr::arp() })
    };
    assert!((0..1000).fold(Expr::tcp(), |e, _| !e).compile(LinkType::ETHERNET).is_ok());
    let deepest = deep(Expr::MAX_DEPTH);
    assert!(deepest.compile(LinkType::ETHERNET).is_ok());
    assert_eq!(deepest.to_string().parse(), Ok(deepest));
    for depth in [65, 66, 100_000] {
        let error = deep(depth).compile(LinkType::ETHERNET).unwrap_err();
        assert_eq!(error, CompileError::TooDeep);
        // The first that is too deep keeps no more of its terms than the deepest.
        assert_eq!(deep(depth).to_string(), deep(100_000).to_string());
    }

    let wifi = LinkType::IEEE802_11;
    assert_eq!(Expr::ip().compile(wifi), Err(CompileError::Link(wifi)));
    let mac = Expr::mac(Direction::Src, [0; 6]);
    assert_eq!(mac.compile(LinkType::RAW), Err(CompileError::Mac(LinkType::RAW)));
}

/// A jump that only leads to another, or that nobody comes to, is not there, nor is a store that
/// nobody asks for.
#[test]
fn programs_are_short() {
    let check = |text: &str, link: LinkType, expected: usize| {
        let program = text.parse::<Expr>().unwrap().compile(link).unwrap();
        assert_eq!(program.instructions().len(), expected, "{text}: {program:?}");
    };
    check("ether src 02:00:00:00:00:01", LinkType::ETHERNET, 6);
    check("arp", LinkType::IPV4, 6);
    check("arp", LinkType::RAW, 18);
    check("ip", LinkType::ETHERNET, 28);
    check("vlan 100", LinkType::ETHERNET, 49);
    check("host 10.0.0.1", LinkType::ETHERNET, 42);
    // Most of these step over extension headers.
    check("tcp", LinkType::IPV4, 166);
    check("tcp port 443", LinkType::ETHERNET, 210);
}

/// What a register holds where paths meet is only what all of them left in it.
#[test]
fn every_kind_of_term_behind_every_two_others() {
    let host = |direction| Model::Host(direction, "10.0.0.1".parse().expect("an address"));
    let terms = [
        Model::Ip,
        Model::Arp,
        Model::Icmp6,
        Model::Tcp,
        host(Direction::Either),
        host(Direction::Dst),
        Model::Ports(Direction::Either, 80, 80),
        Model::Ports(Direction::Src, 1, 1023),
        Model::Vlan(None),
        Model::Vlan(Some(7)),
        Model::Mac(Direction::Dst, [2, 0, 0, 0, 0, 2]),
    ];
    let v4 = |f: Frame, port| f.ipv4("10.0.0.2", "10.0.0.1").tcp(port, 80);
    let frames = [
        v4(frame().ethernet(), 40_000),
        v4(frame().ethernet().vlan(7), 80),
        v4(frame().ethernet().vlan(8).vlan(7), 40_000),
        frame().ethernet().ipv4("10.0.0.1", "10.0.0.3").udp(53, 40_000),
        frame().ethernet().ipv4("10.0.0.2", "10.0.0.3").echo_request(1, 1),
        frame().ethernet().ipv4("10.0.0.3", "10.0.0.2").fragment(1, 64, true),
        frame().ethernet().ipv6("2001:db8::1", "2001:db8::2").icmp(128, 0),
        frame().ethernet().ipv6("2001:db8::1", "2001:db8::2").udp(80, 53),
        frame().ethernet().next(0x0806).payload([0; 28]),
    ]
    .map(|frame| frame.packet());
    let not = |model: &Model| Model::Not(Box::new(model.clone()));
    for a in &terms {
        for b in &terms {
            let either = Model::Or(vec![a.clone(), b.clone()]);
            let both = Model::And(vec![a.clone(), b.clone()]);
            for c in &terms {
                let whole = [
                    Model::And(vec![either.clone(), c.clone()]),
                    Model::Or(vec![both.clone(), c.clone()]),
                    Model::And(vec![not(&both), c.clone()]),
                    Model::Or(vec![not(&either), not(c)]),
                ];
                for model in whole {
                    let program = expr(&model).compile(LinkType::ETHERNET).expect("short");
                    for packet in &frames {
                        let expected = eval(&model, packet.view()).unwrap_or(false);
                        assert_eq!(program.matches(packet.view()), expected, "{model:?}");
                    }
                }
            }
        }
    }
}

//! Headers that are cut, lie about lengths, or go on and on.

use flowscope_core::Loss;

use super::{Attack, Fate, attack};
use crate::{Frame, Packet, Rng, frame, samples};

/// All of this module.
pub fn list() -> Vec<Attack> {
    let malformed = Fate::Either(&[
        Loss::HeaderMalformed,
        Loss::NotAFlow,
        Loss::FragIncomplete,
        Loss::FragOverlap,
    ]);
    let cut = Fate::Either(&[
        Loss::SnaplenCut,
        Loss::HeaderMalformed,
        Loss::NotAFlow,
        Loss::FragIncomplete,
        Loss::FragOverlap,
    ]);
    let deep = Fate::Refused(&[Loss::DepthExceeded]);
    let refused = Fate::Refused(&[Loss::HeaderMalformed]);
    let mut all = vec![
        attack("headers cut by the snap length", cut, cut_captures()),
        attack("headers cut on the wire", malformed, cut_wires()),
        attack("wire lengths beyond belief", cut, huge_wires()),
        attack("errors that quote anything", Fate::Tracked, quotes()),
        attack("lengths that end within a header", refused, lengths_too_small()),
        attack("lengths that nothing follows from", Fate::Tracked, lengths_to_bear_with()),
        attack("twenty tags", deep, (9..=20).map(|tags| vlan_tags(tags, 0x8100))),
        attack("twenty service tags", deep, (9..=20).map(|tags| vlan_tags(tags, 0x88a8))),
        attack("labels without a bottom", refused, (1..=8).map(bottomless_labels)),
        attack("fifty labels without a bottom", deep, (9..=50).map(bottomless_labels)),
        attack("tunnels of all kinds in each other", deep, (0..50).map(|seed| mixed(50, seed))),
        attack("extension headers", Fate::Tracked, (1..=150).map(extension_chain)),
        attack("extension headers that end nowhere", refused, (1..=50).map(endless_extensions)),
    ];
    let tunnels = Tunnel::ALL.map(|tunnel| {
        attack(tunnel.name(), deep, (9..=50).map(move |depth| nested(tunnel, depth)))
    });
    all.extend(tunnels);
    all
}

/// Every [sample](samples), captured up to every length there is, from nothing to all of it.
pub fn cut_captures() -> impl Iterator<Item = Packet> {
    samples().into_iter().flat_map(|(_, packet)| {
        let len = packet.bytes.len();
        (0..=len).map(move |at| packet.cut(at))
    })
}

/// Every [sample](samples), sent up to every length: no more than what was captured ever existed.
pub fn cut_wires() -> impl Iterator<Item = Packet> {
    cut_captures().map(|mut packet| {
        packet.wire_len = packet.bytes.len() as u32;
        packet
    })
}

/// Every [sample](samples), whole and cut, said to have been of 4 GiB on the wire, and twice: pieces
/// of datagrams among them.
pub fn huge_wires() -> impl Iterator<Item = Packet> {
    let lens = |packet: &Packet| [packet.bytes.len(), 60, 40].map(|len| packet.cut(len));
    samples().into_iter().flat_map(move |(_, packet)| {
        lens(&packet).into_iter().flat_map(|mut packet| {
            packet.wire_len = u32::MAX;
            [packet.clone(), packet]
        })
    })
}

/// ICMP errors that quote what every [sample](samples) of an Ethernet frame carries, up to some
/// length; IP or not, by either family.
pub fn quotes() -> impl Iterator<Item = Packet> {
    samples().into_iter().flat_map(|(_, packet)| {
        [0, 1, 8, 19, 20, 28, 40, 44, 48, 200].into_iter().flat_map(move |len| {
            let quoted = packet.bytes.get(14..).unwrap_or_default();
            let quoted = &quoted[..quoted.len().min(len)];
            let errors = [v4().icmp(3, 4), v4().icmp(11, 0), v6().icmp(2, 0), v6().icmp(4, 1)];
            errors.map(|error| error.payload(quoted).packet())
        })
    })
}

fn v4() -> Frame {
    frame().ethernet().ipv4("10.0.0.1", "10.0.0.2")
}

fn v6() -> Frame {
    frame().ethernet().ipv6("2001:db8::1", "2001:db8::2")
}

/// Length fields that leave no room for a header that is needed to tell the flow.
pub fn lengths_too_small() -> impl Iterator<Item = Packet> {
    // Total lengths below the header's own, and those that end before the ports do.
    let total = (1..24).map(|len| v4().length(len).tcp(40000, 80).packet());
    let with_options = (1..28).map(|len| v4().options(&[1; 4]).length(len).udp(40000, 53).packet());
    let header = (0..5).map(|words| {
        let mut packet = v4().tcp(40000, 80).packet();
        packet.bytes[14] = 0x40 | words;
        packet
    });
    // 60 bytes of header in a packet of 40.
    let beyond = std::iter::once({
        let mut packet = v4().tcp(40000, 80).packet();
        packet.bytes[14] = 0x4f;
        packet
    });
    let v6_payload = (1..4).map(|len| v6().length(len).tcp(40000, 80).packet());
    // Extension headers that reach beyond the packet.
    let extension = (10..=255)
        .step_by(35)
        .map(|units| v6().hop_by_hop(&[]).length(units).tcp(40000, 80).payload([0; 40]).packet());
    let version = (0..16).filter(|v| *v != 4 && *v != 6).map(|version| {
        let mut packet = v4().tcp(40000, 80).packet();
        packet.bytes[14] = version << 4 | 5;
        packet
    });
    total
        .chain(with_options)
        .chain(header)
        .chain(beyond)
        .chain(v6_payload)
        .chain(extension)
        .chain(version)
}

/// Wrong lengths that leave the ports where they are: larger than what is there, or of the layers
/// below them.
pub fn lengths_to_bear_with() -> impl Iterator<Item = Packet> {
    let lens = [45, 60, 1000, 1500, 65_535];
    let total = lens.into_iter().map(|len| v4().length(len).tcp(40000, 80).packet());
    let v6_payload = lens.into_iter().map(|len| v6().length(len).udp(40000, 53).packet());
    let udp = [0, 1, 7, 8, 9, 12, 1000, 65_535].into_iter().flat_map(|len| {
        [v4(), v6()].map(|ip| ip.udp(40000, 53).length(len).payload([1; 9]).packet())
    });
    let tcp = (0..16).flat_map(|words| {
        [v4(), v6()].map(|ip| ip.tcp(40000, 80).length(words).payload([1; 9]).packet())
    });
    // TCP options that claim nothing, or more than there is.
    let options = [[2, 0, 0, 0], [2, 255, 0, 0], [3, 1, 0, 0], [8, 10, 0, 0], [5, 2, 5, 40]]
        .into_iter()
        .map(|list| v4().tcp(40000, 80).options(&list).packet());
    total.chain(v6_payload).chain(udp).chain(tcp).chain(options)
}

/// A frame with this many tags before a TCP segment.
#[must_use]
pub fn vlan_tags(tags: u16, tpid: u16) -> Packet {
    let tagged = (0..tags).fold(frame().ethernet(), |frame, id| frame.vlan_tag(tpid, id));
    tagged.ipv4("10.0.0.1", "10.0.0.2").tcp(40000, 80).packet()
}

/// MPLS labels of which none is the last, and then nothing.
#[must_use]
pub fn bottomless_labels(labels: u32) -> Packet {
    let mut packet = (0..labels).fold(frame().ethernet(), |frame, n| frame.mpls(16 + n)).packet();
    let last = packet.bytes.len() - 2;
    packet.bytes[last] &= 0xfe;
    packet
}

/// This many extension headers of every kind, some of them longer, before a TCP segment.
#[must_use]
pub fn extension_chain(headers: usize) -> Packet {
    let chain = (0..headers).fold(v6(), |frame, n| match n % 4 {
        0 => frame.destination(&[0; 6]),
        1 => frame.routing(&[0; 14]),
        2 => frame.auth(),
        _ => frame.hop_by_hop(&[1, 4, 0, 0, 0, 0]),
    });
    chain.tcp(40000, 80).packet()
}

/// The same, but the packet ends where the chain says that one more header follows.
#[must_use]
pub fn endless_extensions(headers: usize) -> Packet {
    (0..headers).fold(v6(), |frame, _| frame.destination(&[0; 6]).protocol(60)).packet()
}

/// What can be put into itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Tunnel {
    Tag,
    Label,
    Pseudowire,
    Pppoe,
    Vxlan,
    VxlanGpe,
    Geneve,
    Gre,
    GreBridge,
    Nvgre,
    ErspanI,
    ErspanIi,
    ErspanIii,
    Pptp,
    GtpU,
    FourInFour,
    SixInFour,
    FourInSix,
    SixInSix,
}

impl Tunnel {
    /// All of them.
    pub const ALL: [Tunnel; 19] = [
        Tunnel::Tag,
        Tunnel::Label,
        Tunnel::Pseudowire,
        Tunnel::Pppoe,
        Tunnel::Vxlan,
        Tunnel::VxlanGpe,
        Tunnel::Geneve,
        Tunnel::Gre,
        Tunnel::GreBridge,
        Tunnel::Nvgre,
        Tunnel::ErspanI,
        Tunnel::ErspanIi,
        Tunnel::ErspanIii,
        Tunnel::Pptp,
        Tunnel::GtpU,
        Tunnel::FourInFour,
        Tunnel::SixInFour,
        Tunnel::FourInSix,
        Tunnel::SixInSix,
    ];

    /// Its name among the attacks.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Tunnel::Tag => "fifty tags",
            Tunnel::Label => "fifty labels",
            Tunnel::Pseudowire => "fifty pseudo-wires",
            Tunnel::Pppoe => "fifty PPPoE sessions",
            Tunnel::Vxlan => "fifty times VXLAN",
            Tunnel::VxlanGpe => "fifty times VXLAN-GPE",
            Tunnel::Geneve => "fifty times GENEVE",
            Tunnel::Gre => "fifty times GRE",
            Tunnel::GreBridge => "fifty times Ethernet in GRE",
            Tunnel::Nvgre => "fifty times NVGRE",
            Tunnel::ErspanI => "fifty times ERSPAN I",
            Tunnel::ErspanIi => "fifty times ERSPAN II",
            Tunnel::ErspanIii => "fifty times ERSPAN III",
            Tunnel::Pptp => "fifty times PPTP",
            Tunnel::GtpU => "fifty times GTP-U",
            Tunnel::FourInFour => "fifty times 4in4",
            Tunnel::SixInFour => "fifty times 6in4 and back",
            Tunnel::FourInSix => "fifty times 4in6 and back",
            Tunnel::SixInSix => "fifty times 6in6",
        }
    }

    /// Adds this tunnel behind an Ethernet header, and another Ethernet header in it: each adds one
    /// layer or more.
    fn around_ethernet(self, below: Frame, n: usize) -> Frame {
        let id = n as u32;
        let (a, b) = (format!("10.1.{n}.1"), format!("10.1.{n}.2"));
        let (c, d) = (format!("2001:db8:1:{n}::1"), format!("2001:db8:1:{n}::2"));
        let v4 = |below: Frame| below.ipv4(&a, &b);
        let v6 = |below: Frame| below.ipv6(&c, &d);
        let bridge = |below: Frame| below.gre().ethernet();
        match self {
            Tunnel::Tag => bridge(v4(below.vlan(n as u16))),
            Tunnel::Label => bridge(v4(below.mpls(16 + id))),
            Tunnel::Pseudowire => below.mpls(16 + id).control_word().ethernet(),
            Tunnel::Pppoe => bridge(v4(below.pppoe(n as u16))),
            Tunnel::Vxlan => v4(below).vxlan(id).ethernet(),
            Tunnel::VxlanGpe => v6(below).vxlan_gpe(id).ethernet(),
            Tunnel::Geneve => v4(below).geneve(id).options(&[0; 4]).ethernet(),
            Tunnel::Gre => bridge(v4(v4(below).gre_full(id, 1))),
            Tunnel::GreBridge => bridge(v6(below)),
            Tunnel::Nvgre => v4(below).gre_key(id << 8).ethernet(),
            Tunnel::ErspanI => v4(below).gre().next(0x88be).ethernet(),
            Tunnel::ErspanIi => v4(below).erspan(n as u16).ethernet(),
            Tunnel::ErspanIii => v4(below).erspan_iii(n as u16, n.is_multiple_of(2)).ethernet(),
            Tunnel::Pptp => bridge(v4(v4(below).pptp(n as u16, true).ppp())),
            Tunnel::GtpU => bridge(v4(v4(below).gtpu(id))),
            Tunnel::FourInFour => bridge(v4(v4(below))),
            Tunnel::SixInFour => bridge(v6(v4(below))),
            Tunnel::FourInSix => bridge(v4(v6(below))),
            Tunnel::SixInSix => bridge(v6(v6(below))),
        }
    }
}

/// The same tunnel `depth` times in itself, and a TCP segment in the innermost. Tags and labels
/// stand one behind the other, IP right in IP; what carries no packet of its own kind has GRE in
/// between.
#[must_use]
pub fn nested(tunnel: Tunnel, depth: usize) -> Packet {
    let mut outer = frame().ethernet();
    for n in 0..depth {
        let v4 = |below: Frame| below.ipv4(format!("10.1.{n}.1"), format!("10.1.{n}.2"));
        let v6 =
            |below: Frame| below.ipv6(format!("2001:db8:1:{n}::1"), format!("2001:db8:1:{n}::2"));
        let odd = n % 2 == 1;
        outer = match tunnel {
            Tunnel::Tag => outer.vlan(n as u16),
            Tunnel::Label => outer.mpls(16 + n as u32),
            Tunnel::Gre => v4(outer).gre_full(n as u32, 1),
            Tunnel::Pptp => v4(outer).pptp(n as u16, odd).ppp(),
            Tunnel::GtpU => v4(outer).gtpu(n as u32),
            Tunnel::FourInFour => v4(outer),
            Tunnel::SixInSix => v6(outer),
            Tunnel::SixInFour if odd => v6(outer),
            Tunnel::SixInFour => v4(outer),
            Tunnel::FourInSix if odd => v4(outer),
            Tunnel::FourInSix => v6(outer),
            _ => tunnel.around_ethernet(outer, n),
        };
    }
    outer.ipv4("10.0.0.1", "10.0.0.2").tcp(40000, 80).packet()
}

/// Tunnels of `depth` kinds drawn at random, and a TCP segment in the innermost.
#[must_use]
pub fn mixed(depth: usize, seed: u64) -> Packet {
    let mut rng = Rng::new(seed);
    let outer = (0..depth)
        .fold(frame().ethernet(), |below, n| rng.pick(&Tunnel::ALL).around_ethernet(below, n));
    outer.ipv4("10.0.0.1", "10.0.0.2").tcp(40000, 80).packet()
}

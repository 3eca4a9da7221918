use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use flowscope_core::LinkType;

use crate::checksum::{internet_checksum, transport_checksum};

/// Byte order of a field that the capturing host wrote as it was in memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// Most significant byte first.
    Big,
    /// Least significant byte first.
    Little,
}

/// One header, with the fields that a test may force to a wrong value.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) kind: Kind,
    /// Instead of the length that belongs here.
    pub(crate) length: Option<u16>,
    /// Instead of the checksum that belongs here.
    pub(crate) checksum: Option<u16>,
    /// Instead of the number of the layer that follows.
    pub(crate) next: Option<u16>,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Ethernet {
        src: [u8; 6],
        dst: [u8; 6],
    },
    Snap,
    Sll,
    Sll2,
    Null {
        order: Order,
    },
    Loop {
        order: Order,
    },
    Ppp {
        address_control: bool,
        compressed: bool,
    },
    Wifi {
        qos: bool,
        radiotap: bool,
    },
    Vlan {
        tpid: u16,
        tci: u16,
    },
    Mpls {
        label: u32,
    },
    Pppoe {
        session: u16,
    },
    VnTag {
        dst: u16,
        src: u16,
    },
    /// MAC in MAC (IEEE 802.1ah).
    Pbb {
        service: u32,
    },
    /// Cisco metadata.
    TrustSec {
        group: u16,
    },
    Nsh {
        path: u32,
    },
    CiscoHdlc,
    FrameRelay,
    Fddi,
    TokenRing {
        route: bool,
    },
    Nflog {
        order: Order,
    },
    Ipv4 {
        src: Ipv4Addr,
        dst: Ipv4Addr,
        tos: u8,
        ttl: u8,
        id: u16,
        fragment: u16,
        options: Vec<u8>,
    },
    Ipv6 {
        src: Ipv6Addr,
        dst: Ipv6Addr,
        tos: u8,
        ttl: u8,
        flow_label: u32,
    },
    Extension {
        number: u8,
        body: Vec<u8>,
    },
    Auth,
    Fragment6 {
        id: u32,
        offset: u16,
        more: bool,
    },
    Tcp {
        src: u16,
        dst: u16,
        seq: u32,
        ack: u32,
        flags: u8,
        window: u16,
        urgent: u16,
        options: Vec<u8>,
    },
    Udp {
        src: u16,
        dst: u16,
    },
    Sctp {
        src: u16,
        dst: u16,
        tag: u32,
    },
    Icmp {
        v6: bool,
        kind: u8,
        code: u8,
        rest: [u8; 4],
    },
    Vxlan {
        vni: u32,
        gpe: bool,
    },
    /// Before the frame of a pseudo-wire.
    ControlWord,
    Geneve {
        vni: u32,
        options: Vec<u8>,
    },
    Gre {
        key: Option<u32>,
        seq: Option<u32>,
        checksum: bool,
    },
    /// The enhanced GRE of PPTP.
    Pptp {
        call: u16,
        ack: bool,
    },
    Erspan {
        session: u16,
        third: bool,
        /// Whether the eight bytes follow that some platforms add to type III.
        platform: bool,
    },
    GtpU {
        teid: u32,
        seq: Option<u16>,
        /// Type and content of each extension header.
        extensions: Vec<(u8, Vec<u8>)>,
    },
    Teredo {
        authentication: bool,
        origin: bool,
    },
    Ayiya,
}

impl Kind {
    /// The link type of a frame that begins with this layer.
    pub(crate) fn link(&self) -> LinkType {
        match self {
            Kind::Sll => LinkType::LINUX_SLL,
            Kind::Sll2 => LinkType::LINUX_SLL2,
            Kind::Null { .. } => LinkType::NULL,
            Kind::Loop { .. } => LinkType::LOOP,
            Kind::Ppp { .. } => LinkType::PPP,
            Kind::Pppoe { .. } => LinkType::PPP_ETHER,
            Kind::CiscoHdlc => LinkType::C_HDLC,
            Kind::FrameRelay => LinkType::FRELAY,
            Kind::Fddi => LinkType::FDDI,
            Kind::TokenRing { .. } => LinkType::IEEE802_5,
            Kind::Nflog { .. } => LinkType::NFLOG,
            Kind::Wifi { radiotap: true, .. } => LinkType::IEEE802_11_RADIOTAP,
            Kind::Wifi { .. } => LinkType::IEEE802_11,
            Kind::Ipv4 { .. } | Kind::Ipv6 { .. } => LinkType::RAW,
            _ => LinkType::ETHERNET,
        }
    }

    fn ethertype(&self) -> u16 {
        match self {
            Kind::Ipv4 { .. } => 0x0800,
            Kind::Ipv6 { .. } => 0x86dd,
            Kind::Vlan { tpid, .. } => *tpid,
            Kind::Mpls { .. } => 0x8847,
            Kind::Pppoe { .. } => 0x8864,
            Kind::VnTag { .. } => 0x8926,
            Kind::Pbb { .. } => 0x88e7,
            Kind::TrustSec { .. } => 0x8909,
            Kind::Nsh { .. } => 0x894f,
            Kind::Ethernet { .. } => 0x6558,
            Kind::Erspan { third: false, .. } => 0x88be,
            Kind::Erspan { third: true, .. } => 0x22eb,
            Kind::Ppp { .. } => 0x880b,
            other => panic!("{other:?} has no Ethertype"),
        }
    }

    pub(crate) fn ip_protocol(&self) -> u8 {
        match self {
            Kind::Tcp { .. } => 6,
            Kind::Udp { .. } => 17,
            Kind::Sctp { .. } => 132,
            Kind::Icmp { v6: false, .. } => 1,
            Kind::Icmp { v6: true, .. } => 58,
            Kind::Ipv4 { .. } => 4,
            Kind::Ipv6 { .. } => 41,
            Kind::Gre { .. } | Kind::Pptp { .. } => 47,
            Kind::Auth => 51,
            Kind::Fragment6 { .. } => 44,
            Kind::Mpls { .. } => 137,
            Kind::Ethernet { .. } => 143,
            Kind::Extension { number, .. } => *number,
            other => panic!("{other:?} has no IP protocol number"),
        }
    }

    fn ppp_protocol(&self) -> u16 {
        match self {
            Kind::Ipv4 { .. } => 0x0021,
            Kind::Ipv6 { .. } => 0x0057,
            Kind::Mpls { .. } => 0x0281,
            other => panic!("{other:?} has no PPP protocol number"),
        }
    }

    fn nsh_protocol(&self) -> u8 {
        match self {
            Kind::Ipv4 { .. } => 1,
            Kind::Ipv6 { .. } => 2,
            Kind::Ethernet { .. } => 3,
            Kind::Nsh { .. } => 4,
            Kind::Mpls { .. } => 5,
            other => panic!("{other:?} has no number in NSH"),
        }
    }

    fn linux_family(&self) -> u8 {
        match self {
            Kind::Ipv4 { .. } => 2,
            Kind::Ipv6 { .. } => 10,
            other => panic!("{other:?} has no address family"),
        }
    }

    fn bsd_family(&self) -> u32 {
        match self {
            Kind::Ipv4 { .. } => 2,
            Kind::Ipv6 { .. } => 30,
            other => panic!("{other:?} has no address family"),
        }
    }

    /// The addresses that a transport checksum below this layer takes in.
    fn ends(&self) -> Option<(IpAddr, IpAddr)> {
        match *self {
            Kind::Ipv4 { src, dst, .. } => Some((src.into(), dst.into())),
            Kind::Ipv6 { src, dst, .. } => Some((src.into(), dst.into())),
            _ => None,
        }
    }
}

/// The bytes of `layers` around `payload`, from the inside out.
pub(crate) fn encode(layers: &[Layer], payload: &[u8]) -> Vec<u8> {
    let mut body = payload.to_vec();
    for (at, layer) in layers.iter().enumerate().rev() {
        let below = layers.get(at + 1).map(|l| &l.kind);
        let ends = layers[..at].iter().rev().find_map(|l| l.kind.ends());
        body = layer.wrap(body, below, ends);
    }
    body
}

impl Layer {
    pub(crate) fn new(kind: Kind) -> Self {
        Layer { kind, length: None, checksum: None, next: None }
    }

    /// The number that says what follows: forced, or asked of `below`, or one that says "unknown".
    fn next_or<T>(&self, below: Option<&Kind>, ask: impl Fn(&Kind) -> T, unknown: T) -> T
    where
        T: TryFrom<u16>,
    {
        match (self.next, below) {
            (Some(next), _) => T::try_from(next).unwrap_or(unknown),
            (None, Some(below)) => ask(below),
            (None, None) => unknown,
        }
    }

    fn ethertype_of(&self, below: Option<&Kind>) -> u16 {
        // 0x88b5: IEEE local experimental Ethertype.
        self.next_or(below, Kind::ethertype, 0x88b5)
    }

    fn protocol_of(&self, below: Option<&Kind>) -> u8 {
        // 253: for experiments (RFC 3692).
        self.next_or(below, Kind::ip_protocol, 253)
    }

    fn wrap(&self, body: Vec<u8>, below: Option<&Kind>, ends: Option<(IpAddr, IpAddr)>) -> Vec<u8> {
        let mut out = Vec::with_capacity(body.len() + 60);
        match &self.kind {
            Kind::Ethernet { src, dst } => {
                out.extend(dst);
                out.extend(src);
                let field = match (below, self.next, self.length) {
                    (_, _, Some(length)) => length,
                    (Some(Kind::Snap), None, _) => body.len() as u16,
                    _ => self.ethertype_of(below),
                };
                out.extend(field.to_be_bytes());
            }
            Kind::Snap => {
                out.extend([0xaa, 0xaa, 0x03, 0, 0, 0]);
                out.extend(self.ethertype_of(below).to_be_bytes());
            }
            Kind::Sll => {
                out.extend([0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
                out.extend(self.ethertype_of(below).to_be_bytes());
            }
            Kind::Sll2 => {
                out.extend(self.ethertype_of(below).to_be_bytes());
                out.extend([0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
            }
            Kind::Null { order } | Kind::Loop { order } => {
                let family = match self.next {
                    Some(family) => u32::from(family),
                    None => below.map_or(0, Kind::bsd_family),
                };
                out.extend(match order {
                    Order::Big => family.to_be_bytes(),
                    Order::Little => family.to_le_bytes(),
                });
            }
            Kind::Ppp { address_control, compressed } => {
                if *address_control {
                    out.extend([0xff, 0x03]);
                }
                self.ppp_protocol(below, *compressed, &mut out);
            }
            Kind::Wifi { qos, radiotap } => {
                if *radiotap {
                    out.extend([0, 0, 8, 0, 0, 0, 0, 0]);
                }
                // Data frame to the distribution system (IEEE 802.11 §9.3.2).
                out.extend([if *qos { 0x88 } else { 0x08 }, 0x01, 0, 0]);
                out.extend([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0, 0]);
                if *qos {
                    out.extend([0, 0]);
                }
            }
            Kind::VnTag { dst, src } => {
                out.extend((dst & 0x3fff).to_be_bytes());
                out.extend((src & 0x0fff).to_be_bytes());
                out.extend(self.ethertype_of(below).to_be_bytes());
            }
            Kind::Pbb { service } => out.extend((service & 0xff_ffff).to_be_bytes()),
            Kind::TrustSec { group } => {
                // Version 1, one word of options, option 1.
                out.extend([1, 1, 0, 1]);
                out.extend(group.to_be_bytes());
                out.extend(self.ethertype_of(below).to_be_bytes());
            }
            Kind::Nsh { path } => {
                let protocol = self.next_or(below, Kind::nsh_protocol, 0xfe);
                // Version 0, 63 hops left, two words, metadata of type 2, service index 255.
                out.extend([0x0f, 0xc2, 2, protocol]);
                out.extend(((path << 8) | 0xff).to_be_bytes());
            }
            Kind::CiscoHdlc => {
                out.extend([0x0f, 0]);
                out.extend(self.ethertype_of(below).to_be_bytes());
            }
            Kind::FrameRelay => {
                // Data link connection 16, unnumbered information, SNAP.
                out.extend([0x04, 0x01, 0x03, 0x00, 0x80, 0, 0, 0]);
                out.extend(self.ethertype_of(below).to_be_bytes());
            }
            Kind::Fddi => {
                out.extend([0x50, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
                out.extend([0xaa, 0xaa, 0x03, 0, 0, 0]);
                out.extend(self.ethertype_of(below).to_be_bytes());
            }
            Kind::TokenRing { route } => {
                let first = if *route { 0x82 } else { 2 };
                out.extend([0x10, 0x40, 2, 0, 0, 0, 0, 2, first, 0, 0, 0, 0, 1]);
                if *route {
                    out.extend([0x06, 0x30, 0x00, 0x12, 0x00, 0x30]);
                }
                out.extend([0xaa, 0xaa, 0x03, 0, 0, 0]);
                out.extend(self.ethertype_of(below).to_be_bytes());
            }
            Kind::Nflog { order } => {
                let number = |value: u16| match order {
                    Order::Big => value.to_be_bytes(),
                    Order::Little => value.to_le_bytes(),
                };
                out.extend([below.map_or(0, Kind::linux_family), 0, 0, 0]);
                // The prefix, three bytes long, and the packet.
                out.extend([number(7), number(10)].as_flattened());
                out.extend(*b"in\0\0");
                out.extend([number(body.len() as u16 + 4), number(9)].as_flattened());
            }
            Kind::Vlan { tci, .. } => {
                out.extend(tci.to_be_bytes());
                let field = match (below, self.next) {
                    (Some(Kind::Snap), None) => body.len() as u16,
                    _ => self.ethertype_of(below),
                };
                out.extend(field.to_be_bytes());
            }
            Kind::Mpls { label } => {
                let bottom = !matches!(below, Some(Kind::Mpls { .. }));
                out.extend(((label << 12) | (u32::from(bottom) << 8) | 64).to_be_bytes());
            }
            Kind::Pppoe { session } => {
                out.extend([0x11, 0]);
                out.extend(session.to_be_bytes());
                out.extend(self.length.unwrap_or(body.len() as u16 + 2).to_be_bytes());
                self.ppp_protocol(below, false, &mut out);
            }
            Kind::Ipv4 { src, dst, tos, ttl, id, fragment, options } => {
                let header = 20 + options.len();
                assert!(
                    header <= 60 && header.is_multiple_of(4),
                    "options are padded and at most 40 bytes"
                );
                out.extend([0x40 | (header / 4) as u8, *tos]);
                out.extend(self.length.unwrap_or((header + body.len()) as u16).to_be_bytes());
                out.extend(id.to_be_bytes());
                out.extend(fragment.to_be_bytes());
                out.extend([*ttl, self.protocol_of(below), 0, 0]);
                out.extend(src.octets());
                out.extend(dst.octets());
                out.extend(options);
                let sum = self.checksum.unwrap_or(internet_checksum(&[&out]));
                out[10..12].copy_from_slice(&sum.to_be_bytes());
            }
            Kind::Ipv6 { src, dst, tos, ttl, flow_label } => {
                out.extend(
                    ((6 << 28) | (u32::from(*tos) << 20) | (flow_label & 0xf_ffff)).to_be_bytes(),
                );
                out.extend(self.length.unwrap_or(body.len() as u16).to_be_bytes());
                out.extend([self.protocol_of(below), *ttl]);
                out.extend(src.octets());
                out.extend(dst.octets());
            }
            Kind::Extension { body: options, .. } => {
                let length = (options.len() + 2).next_multiple_of(8);
                out.extend([self.protocol_of(below), (length / 8 - 1) as u8]);
                if let Some(length) = self.length {
                    out[1] = length as u8;
                }
                out.extend(options);
                out.resize(length, 0);
            }
            Kind::Auth => {
                // 12 bytes of ICV: the length field counts 4-byte words less two (RFC 4302 §2.2).
                out.extend([self.protocol_of(below), 4, 0, 0]);
                out.extend([0; 20]);
            }
            Kind::Fragment6 { id, offset, more } => {
                out.extend([self.protocol_of(below), 0]);
                out.extend(((offset & 0xfff8) | u16::from(*more)).to_be_bytes());
                out.extend(id.to_be_bytes());
            }
            Kind::Tcp { src, dst, seq, ack, flags, window, urgent, options } => {
                let header = (20 + options.len()).next_multiple_of(4);
                out.extend(src.to_be_bytes());
                out.extend(dst.to_be_bytes());
                out.extend(seq.to_be_bytes());
                out.extend(ack.to_be_bytes());
                let words = self.length.map_or(header / 4, usize::from);
                out.extend([(words << 4) as u8, *flags]);
                out.extend(window.to_be_bytes());
                out.extend([0, 0]);
                out.extend(urgent.to_be_bytes());
                out.extend(options);
                out.resize(header, 0);
                return self.summed(out, body, 16, 6, ends);
            }
            Kind::Udp { src, dst } => {
                out.extend(src.to_be_bytes());
                out.extend(dst.to_be_bytes());
                out.extend(self.length.unwrap_or((8 + body.len()) as u16).to_be_bytes());
                out.extend([0, 0]);
                return self.summed(out, body, 6, 17, ends);
            }
            Kind::Sctp { src, dst, tag } => {
                out.extend(src.to_be_bytes());
                out.extend(dst.to_be_bytes());
                out.extend(tag.to_be_bytes());
                // CRC32c (RFC 9260 §6.8) is left zero: nothing here reads it.
                out.extend([0; 4]);
            }
            Kind::Icmp { v6, kind, code, rest } => {
                out.extend([*kind, *code, 0, 0]);
                out.extend(rest);
                let ends = ends.filter(|_| *v6);
                return self.summed(out, body, 2, 58, ends);
            }
            Kind::Vxlan { vni, gpe: false } => {
                out.extend([0x08, 0, 0, 0]);
                out.extend((vni << 8).to_be_bytes());
            }
            Kind::Vxlan { vni, gpe: true } => {
                let protocol = match below {
                    Some(Kind::Ipv4 { .. }) => 1,
                    Some(Kind::Ipv6 { .. }) => 2,
                    Some(Kind::Nsh { .. }) => 4,
                    _ => 3,
                };
                out.extend([0x0c, 0, 0, self.next.map_or(protocol, |next| next as u8)]);
                out.extend((vni << 8).to_be_bytes());
            }
            Kind::ControlWord => out.extend([0; 4]),
            Kind::Geneve { vni, options } => {
                assert!(options.len().is_multiple_of(4), "GENEVE options come in 4-byte words");
                out.extend([(options.len() / 4) as u8, 0]);
                out.extend(self.ethertype_of(below).to_be_bytes());
                out.extend((vni << 8).to_be_bytes());
                out.extend(options);
            }
            Kind::Gre { key, seq, checksum } => {
                let bits = (u16::from(*checksum) << 15)
                    | (u16::from(key.is_some()) << 13)
                    | (u16::from(seq.is_some()) << 12);
                out.extend(bits.to_be_bytes());
                out.extend(self.ethertype_of(below).to_be_bytes());
                if *checksum {
                    out.extend([0; 4]);
                }
                out.extend(key.iter().flat_map(|key| key.to_be_bytes()));
                out.extend(seq.iter().flat_map(|seq| seq.to_be_bytes()));
                if *checksum {
                    let sum = self.checksum.unwrap_or(internet_checksum(&[&out, &body]));
                    out[4..6].copy_from_slice(&sum.to_be_bytes());
                }
            }
            Kind::Pptp { call, ack } => {
                // Version 1 with key and sequence number; the key is a length and a call id.
                out.extend([0x30, if *ack { 0x81 } else { 0x01 }]);
                out.extend(self.ethertype_of(below).to_be_bytes());
                out.extend(self.length.unwrap_or(body.len() as u16).to_be_bytes());
                out.extend(call.to_be_bytes());
                out.extend([0, 0, 0, 1]);
                out.extend(ack.then_some([0, 0, 0, 9]).into_iter().flatten());
            }
            Kind::Erspan { session, third, platform } => {
                // Type II is version 1 and type III version 2; the session id has ten bits.
                out.extend([if *third { 0x20 } else { 0x10 }, 0]);
                out.extend((session & 0x3ff).to_be_bytes());
                out.extend([0; 4]);
                if *third {
                    // An Ethernet frame, or type 2 for IP.
                    let ip = matches!(below, Some(Kind::Ipv4 { .. } | Kind::Ipv6 { .. }));
                    out.extend([0, 0, if ip { 2 << 2 } else { 0 }, u8::from(*platform)]);
                }
                if *platform {
                    out.extend([0; 8]);
                }
            }
            Kind::Teredo { authentication, origin } => {
                if *authentication {
                    // Identifier and value of three and two bytes, nonce, confirmation.
                    out.extend([0, 1, 3, 2]);
                    out.extend([0x61; 3 + 2 + 8 + 1]);
                }
                if *origin {
                    out.extend([0, 0, 0x63, 0xbf, 0x3f, 0xff, 0xfd, 0xfe]);
                }
            }
            Kind::Ayiya => {
                // An identity of 2^4 bytes, a signature of five words; SHA-1, a shared secret, forward.
                let next = if matches!(below, Some(Kind::Ipv4 { .. })) { 4 } else { 41 };
                out.extend([0x41, 0x52, 0x11, next, 0x65, 0, 0, 0]);
                out.extend([0x20; 16 + 20]);
            }
            Kind::GtpU { teid, seq, extensions } => {
                let mut optional = Vec::new();
                if seq.is_some() || !extensions.is_empty() {
                    optional.extend(seq.unwrap_or(0).to_be_bytes());
                    optional.push(0);
                    for (kind, content) in extensions {
                        assert!(content.len() % 4 == 2, "with two bytes more these are words");
                        optional.extend([*kind, (content.len() / 4 + 1) as u8]);
                        optional.extend(content);
                    }
                    optional.push(0);
                }
                let flags = u8::from(seq.is_some()) << 1 | u8::from(!extensions.is_empty()) << 2;
                out.extend([0x30 | flags, 0xff]);
                let length = (body.len() + optional.len()) as u16;
                out.extend(self.length.unwrap_or(length).to_be_bytes());
                out.extend(teid.to_be_bytes());
                out.extend(optional);
            }
        }
        out.extend(body);
        out
    }

    fn ppp_protocol(&self, below: Option<&Kind>, compressed: bool, out: &mut Vec<u8>) {
        // 0xc021: link control protocol.
        let protocol = self.next_or(below, Kind::ppp_protocol, 0xc021);
        if compressed {
            out.push(protocol as u8);
        } else {
            out.extend(protocol.to_be_bytes());
        }
    }

    /// Appends the body and writes the checksum over both at `at`.
    fn summed(
        &self,
        mut out: Vec<u8>,
        body: Vec<u8>,
        at: usize,
        protocol: u8,
        ends: Option<(IpAddr, IpAddr)>,
    ) -> Vec<u8> {
        out.extend(body);
        let sum = self.checksum.unwrap_or_else(|| match ends {
            Some(ends) => transport_checksum(ends, protocol, &out),
            None => internet_checksum(&[&out]),
        });
        // RFC 768: a checksum that comes out as zero is sent as all ones.
        let sum = if sum == 0 && protocol == 17 && self.checksum.is_none() { 0xffff } else { sum };
        out[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        out
    }
}

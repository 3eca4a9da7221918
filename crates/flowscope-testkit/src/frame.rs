use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use flowscope_core::{LinkType, PacketView, TcpFlags, Timestamp, VlanTag};

use crate::layer::{Kind, Layer, Order, encode};

/// An empty frame; the first layer added decides its link type.
pub fn frame() -> Frame {
    Frame { layers: Vec::new(), payload: Vec::new() }
}

/// Builder of one frame, outermost layer first.
///
/// Layers nest freely: after [`vxlan`](Frame::vxlan) an inner [`ethernet`](Frame::ethernet)
/// follows. Setters such as [`ttl`](Frame::ttl) or [`checksum`](Frame::checksum) change the layer
/// added last. Lengths, checksums and the numbers of the next layer are correct unless set.
///
/// # Panics
///
/// Setters panic on a layer that has no such field, address arguments when they do not parse.
#[derive(Clone, Debug)]
#[must_use]
pub struct Frame {
    layers: Vec<Layer>,
    payload: Vec<u8>,
}

/// A built frame with its capture metadata.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Packet {
    /// Captured bytes.
    pub bytes: Vec<u8>,
    /// Link type of the frame.
    pub link: LinkType,
    /// Capture time.
    pub ts: Timestamp,
    /// Length on the wire; raised to the captured length where it is below.
    pub wire_len: u32,
    /// VLAN tag that the capture removed.
    pub vlan: Option<VlanTag>,
}

impl Packet {
    /// An Ethernet frame that was captured whole.
    #[must_use]
    pub fn ethernet(ts: Timestamp, bytes: Vec<u8>) -> Packet {
        let wire_len = bytes.len() as u32;
        Packet { bytes, link: LinkType::ETHERNET, ts, wire_len, vlan: None }
    }

    /// Borrowed view, the input of extractors.
    #[must_use]
    pub fn view(&self) -> PacketView<'_> {
        let view = PacketView::new(&self.bytes, self.link, self.ts).with_wire_len(self.wire_len);
        match self.vlan {
            Some(tag) => view.with_vlan(tag),
            None => view,
        }
    }

    /// The same packet as a snap length of `len` bytes would have captured it.
    #[must_use]
    pub fn cut(&self, len: usize) -> Packet {
        let mut cut = self.clone();
        cut.bytes.truncate(len);
        cut
    }

    /// The same packet with a VLAN tag that the capture removed.
    #[must_use]
    pub fn stripped_vlan(mut self, id: u16) -> Packet {
        self.vlan = Some(VlanTag { tpid: 0x8100, tci: id });
        self
    }
}

/// Results.
impl Frame {
    /// The bytes.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        encode(&self.layers, &self.payload)
    }

    /// The bytes with the link type of the first layer, captured whole one second after the epoch.
    #[must_use]
    pub fn packet(&self) -> Packet {
        let bytes = self.build();
        let wire_len = bytes.len() as u32;
        Packet { bytes, link: self.link(), ts: Timestamp::from_secs(1), wire_len, vlan: None }
    }

    /// The link type of the first layer; Ethernet for a frame without any.
    #[must_use]
    pub fn link(&self) -> LinkType {
        self.layers.first().map_or(LinkType::ETHERNET, |layer| layer.kind.link())
    }

    /// The frames of the innermost IP packet cut into fragments that carry `size` bytes each (a
    /// multiple of 8; the last carries the rest), in order.
    #[must_use]
    pub fn fragments(&self, id: u32, size: usize) -> Vec<Vec<u8>> {
        assert!(size > 0 && size.is_multiple_of(8), "fragments carry a multiple of 8 bytes");
        let ip = self
            .layers
            .iter()
            .rposition(|l| matches!(l.kind, Kind::Ipv4 { .. } | Kind::Ipv6 { .. }))
            .expect("an IP layer to fragment");
        let whole = self.datagram_of(ip);
        let last = (whole.len().max(1) - 1) / size;
        whole
            .chunks(size)
            .enumerate()
            .map(|(at, piece)| {
                let head = Frame { layers: self.layers[..=ip].to_vec(), payload: piece.to_vec() };
                let next = self.layers.get(ip + 1).map_or(253, |l| l.kind.ip_protocol());
                let next = self.layers[ip].next.unwrap_or(u16::from(next));
                head.protocol(next as u8).fragment(id, (at * size) as u16, at < last).build()
            })
            .collect()
    }

    /// The bytes that layer `ip` carries, transport checksums included.
    fn datagram_of(&self, ip: usize) -> Vec<u8> {
        let mut alone = self.layers[ip..].to_vec();
        alone[0].length = None;
        let whole = encode(&alone, &self.payload);
        let head = match &alone[0].kind {
            Kind::Ipv4 { options, .. } => 20 + options.len(),
            _ => 40,
        };
        whole[head..].to_vec()
    }
}

/// Link layers.
impl Frame {
    /// Ethernet from 02:00:00:00:00:01 to 02:00:00:00:00:02.
    pub fn ethernet(self) -> Self {
        self.ethernet_between([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
    }

    /// Ethernet between these addresses.
    pub fn ethernet_between(self, src: [u8; 6], dst: [u8; 6]) -> Self {
        self.push(Kind::Ethernet { src, dst })
    }

    /// LLC and SNAP headers with organisation code 0 (RFC 1042); makes the type field of the
    /// Ethernet header or VLAN tag before it a length.
    pub fn snap(self) -> Self {
        self.push(Kind::Snap)
    }

    /// Linux cooked capture.
    pub fn sll(self) -> Self {
        self.push(Kind::Sll)
    }

    /// Linux cooked capture, version 2.
    pub fn sll2(self) -> Self {
        self.push(Kind::Sll2)
    }

    /// BSD loopback, the address family in the capturing host's byte order. [`Frame::next`] sets
    /// another family than 2 or 30.
    pub fn null(self, order: Order) -> Self {
        self.push(Kind::Null { order })
    }

    /// OpenBSD loopback.
    pub fn loopback(self, order: Order) -> Self {
        self.push(Kind::Loop { order })
    }

    /// PPP behind address and control bytes (RFC 1662 §3.1).
    pub fn ppp(self) -> Self {
        self.push(Kind::Ppp { address_control: true, compressed: false })
    }

    /// PPP that begins with its protocol field.
    pub fn ppp_bare(self) -> Self {
        self.push(Kind::Ppp { address_control: false, compressed: false })
    }

    /// Shortens the PPP protocol field to one byte (RFC 1661 §6.5).
    pub fn compressed_protocol(mut self) -> Self {
        match &mut self.last().kind {
            Kind::Ppp { compressed, .. } => *compressed = true,
            other => panic!("{other:?} has no protocol field to compress"),
        }
        self
    }

    /// An IEEE 802.11 data frame, to be followed by [`snap`](Frame::snap).
    pub fn wifi(self, qos: bool) -> Self {
        self.push(Kind::Wifi { qos, radiotap: false })
    }

    /// The same behind a radiotap header.
    pub fn radiotap(self, qos: bool) -> Self {
        self.push(Kind::Wifi { qos, radiotap: true })
    }
}

/// Tags and tunnels.
impl Frame {
    /// An 802.1Q tag.
    pub fn vlan(self, id: u16) -> Self {
        self.vlan_tag(0x8100, id)
    }

    /// A tag with another tag protocol identifier and all of its control field.
    pub fn vlan_tag(self, tpid: u16, tci: u16) -> Self {
        self.push(Kind::Vlan { tpid, tci })
    }

    /// An MPLS label; the bottom-of-stack bit is set where no other label follows.
    pub fn mpls(self, label: u32) -> Self {
        self.push(Kind::Mpls { label })
    }

    /// A PPPoE session header with the PPP protocol field.
    pub fn pppoe(self, session: u16) -> Self {
        self.push(Kind::Pppoe { session })
    }

    /// VXLAN, behind UDP to port 4789 unless a UDP layer is there already.
    pub fn vxlan(self, vni: u32) -> Self {
        self.over_udp(4789).push(Kind::Vxlan { vni, gpe: false })
    }

    /// VN-Tag with destination and source interface.
    pub fn vn_tag(self, dst: u16, src: u16) -> Self {
        self.push(Kind::VnTag { dst, src })
    }

    /// Provider backbone bridging (IEEE 802.1ah): an Ethernet layer follows.
    pub fn pbb(self, service: u32) -> Self {
        self.push(Kind::Pbb { service })
    }

    /// Cisco metadata with a security group.
    pub fn trustsec(self, group: u16) -> Self {
        self.push(Kind::TrustSec { group })
    }

    /// Network service header (RFC 8300) of a service path, without metadata.
    pub fn nsh(self, path: u32) -> Self {
        self.push(Kind::Nsh { path })
    }

    /// Cisco HDLC.
    pub fn cisco_hdlc(self) -> Self {
        self.push(Kind::CiscoHdlc)
    }

    /// Frame Relay with a SNAP header (RFC 2427).
    pub fn frame_relay(self) -> Self {
        self.push(Kind::FrameRelay)
    }

    /// Token Ring with a SNAP header, and with a source route or without.
    pub fn token_ring(self, route: bool) -> Self {
        self.push(Kind::TokenRing { route })
    }

    /// FDDI with a SNAP header.
    pub fn fddi(self) -> Self {
        self.push(Kind::Fddi)
    }

    /// What Linux netfilter logs, in the byte order of the capturing host.
    pub fn nflog(self, order: Order) -> Self {
        self.push(Kind::Nflog { order })
    }

    /// VXLAN with the generic protocol extension, behind UDP to port 4790 unless a UDP layer is there
    /// already.
    pub fn vxlan_gpe(self, vni: u32) -> Self {
        self.over_udp(4790).push(Kind::Vxlan { vni, gpe: true })
    }

    /// The control word of a pseudo-wire (RFC 4385), between MPLS labels and an Ethernet frame.
    pub fn control_word(self) -> Self {
        self.push(Kind::ControlWord)
    }

    /// GENEVE, behind UDP to port 6081 unless a UDP layer is there already.
    pub fn geneve(self, vni: u32) -> Self {
        self.over_udp(6081).push(Kind::Geneve { vni, options: Vec::new() })
    }

    /// GTP-U, behind UDP to port 2152 unless a UDP layer is there already.
    pub fn gtpu(self, teid: u32) -> Self {
        self.over_udp(2152).push(Kind::GtpU { teid, seq: None, extensions: Vec::new() })
    }

    /// Teredo, with the headers of RFC 4380 §5.1.1 or without, behind UDP to port 3544 unless a UDP layer is
    /// there already.
    pub fn teredo(self, authentication: bool, origin: bool) -> Self {
        self.over_udp(3544).push(Kind::Teredo { authentication, origin })
    }

    /// AYIYA with an identity of 16 bytes and a signature of 20, behind UDP to port 5072 unless a UDP layer
    /// is there already.
    pub fn ayiya(self) -> Self {
        self.over_udp(5072).push(Kind::Ayiya)
    }

    /// Adds an extension header to GTP-U. Its content has two bytes less than a multiple of four.
    pub fn gtpu_extension(mut self, kind: u8, content: &[u8]) -> Self {
        match &mut self.last().kind {
            Kind::GtpU { extensions, .. } => extensions.push((kind, content.to_vec())),
            other => panic!("{other:?} has no extension headers"),
        }
        self
    }

    /// GRE without optional fields.
    pub fn gre(self) -> Self {
        self.push(Kind::Gre { key: None, seq: None, checksum: false })
    }

    /// GRE with a key: before an Ethernet layer this is NVGRE, the upper 24 bits being its network.
    pub fn gre_key(self, key: u32) -> Self {
        self.push(Kind::Gre { key: Some(key), seq: None, checksum: false })
    }

    /// GRE with every optional field.
    pub fn gre_full(self, key: u32, seq: u32) -> Self {
        self.push(Kind::Gre { key: Some(key), seq: Some(seq), checksum: true })
    }

    /// ERSPAN type II, in GRE with a sequence number.
    pub fn erspan(self, session: u16) -> Self {
        self.push(Kind::Gre { key: None, seq: Some(1), checksum: false }).push(Kind::Erspan {
            session,
            third: false,
            platform: false,
        })
    }

    /// ERSPAN type III, with or without the eight bytes that some platforms add.
    pub fn erspan_iii(self, session: u16, platform: bool) -> Self {
        self.push(Kind::Gre { key: None, seq: Some(1), checksum: false }).push(Kind::Erspan {
            session,
            third: true,
            platform,
        })
    }

    /// The enhanced GRE of PPTP, to be followed by [`ppp`](Frame::ppp).
    pub fn pptp(self, call: u16, ack: bool) -> Self {
        self.push(Kind::Pptp { call, ack })
    }

    fn over_udp(self, port: u16) -> Self {
        match self.layers.last() {
            Some(Layer { kind: Kind::Udp { .. }, .. }) => self,
            _ => self.udp(49152, port),
        }
    }
}

/// IP and its extension headers.
impl Frame {
    /// IPv4 with TTL 64.
    pub fn ipv4(self, src: impl ToString, dst: impl ToString) -> Self {
        let (src, dst) = (parse::<Ipv4Addr>(src), parse::<Ipv4Addr>(dst));
        let options = Vec::new();
        self.push(Kind::Ipv4 { src, dst, tos: 0, ttl: 64, id: 1, fragment: 0x4000, options })
    }

    /// IPv6 with hop limit 64.
    pub fn ipv6(self, src: impl ToString, dst: impl ToString) -> Self {
        let (src, dst) = (parse::<Ipv6Addr>(src), parse::<Ipv6Addr>(dst));
        self.push(Kind::Ipv6 { src, dst, tos: 0, ttl: 64, flow_label: 0 })
    }

    /// IPv4 or IPv6, as the addresses say.
    pub fn ip(self, src: impl ToString, dst: impl ToString) -> Self {
        match (parse::<IpAddr>(src), parse::<IpAddr>(dst)) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => self.ipv4(src, dst),
            (IpAddr::V6(src), IpAddr::V6(dst)) => self.ipv6(src, dst),
            _ => panic!("addresses of two families in one header"),
        }
    }

    /// Hop-by-hop options (0), padded to a multiple of 8.
    pub fn hop_by_hop(self, options: &[u8]) -> Self {
        self.extension(0, options)
    }

    /// Destination options (60), padded to a multiple of 8.
    pub fn destination(self, options: &[u8]) -> Self {
        self.extension(60, options)
    }

    /// A routing header (43), padded to a multiple of 8.
    pub fn routing(self, body: &[u8]) -> Self {
        self.extension(43, body)
    }

    /// An extension header of this number with a length field in units of 8 bytes (RFC 6564).
    pub fn extension(self, number: u8, body: &[u8]) -> Self {
        self.push(Kind::Extension { number, body: body.to_vec() })
    }

    /// An authentication header (51, RFC 4302) with 12 bytes of check value.
    pub fn auth(self) -> Self {
        self.push(Kind::Auth)
    }

    /// Makes this a jumbogram (RFC 2675): payload length 0, and `length` in a hop-by-hop option.
    pub fn jumbo(mut self, length: u32) -> Self {
        self.last().length = Some(0);
        let mut option = vec![0xc2, 4];
        option.extend(length.to_be_bytes());
        self.hop_by_hop(&option)
    }

    /// Time to live or hop limit.
    pub fn ttl(mut self, value: u8) -> Self {
        match &mut self.last().kind {
            Kind::Ipv4 { ttl, .. } | Kind::Ipv6 { ttl, .. } => *ttl = value,
            other => panic!("{other:?} has no TTL"),
        }
        self
    }

    /// Type of service or traffic class.
    pub fn tos(mut self, value: u8) -> Self {
        match &mut self.last().kind {
            Kind::Ipv4 { tos, .. } | Kind::Ipv6 { tos, .. } => *tos = value,
            other => panic!("{other:?} has no type of service"),
        }
        self
    }

    /// IPv6 flow label.
    pub fn flow_label(mut self, value: u32) -> Self {
        match &mut self.last().kind {
            Kind::Ipv6 { flow_label, .. } => *flow_label = value,
            other => panic!("{other:?} has no flow label"),
        }
        self
    }

    /// Makes this a fragment: `offset` in bytes. IPv6 gets a fragment header.
    pub fn fragment(mut self, ident: u32, offset: u16, more: bool) -> Self {
        match &mut self.last().kind {
            Kind::Ipv4 { id, fragment, .. } => {
                *id = ident as u16;
                *fragment = (u16::from(more) << 13) | (offset / 8);
                self
            }
            Kind::Ipv6 { .. } | Kind::Extension { .. } => {
                let next = self.last().next.take();
                let mut built = self.push(Kind::Fragment6 { id: ident, offset, more });
                built.last().next = next;
                built
            }
            other => panic!("{other:?} cannot be a fragment"),
        }
    }
}

/// Transport headers.
impl Frame {
    /// A TCP SYN; [`flags`](Frame::flags) makes it another segment.
    pub fn tcp(self, src: u16, dst: u16) -> Self {
        let options = Vec::new();
        let (seq, ack, flags, window, urgent) = (1000, 0, TcpFlags::SYN.0, 64240, 0);
        self.push(Kind::Tcp { src, dst, seq, ack, flags, window, urgent, options })
    }

    /// UDP.
    pub fn udp(self, src: u16, dst: u16) -> Self {
        self.push(Kind::Udp { src, dst })
    }

    /// SCTP common header; chunks are payload.
    pub fn sctp(self, src: u16, dst: u16) -> Self {
        self.push(Kind::Sctp { src, dst, tag: 1 })
    }

    /// ICMP or ICMPv6, whichever the IP layer above asks for, with four zero bytes behind the
    /// checksum.
    pub fn icmp(self, kind: u8, code: u8) -> Self {
        self.icmp_with(kind, code, [0; 4])
    }

    /// The same with the four bytes behind the checksum.
    pub fn icmp_with(self, kind: u8, code: u8, rest: [u8; 4]) -> Self {
        let v6 = self
            .layers
            .iter()
            .rev()
            .find_map(|l| match l.kind {
                Kind::Ipv4 { .. } => Some(false),
                Kind::Ipv6 { .. } => Some(true),
                _ => None,
            })
            .expect("an IP layer above ICMP");
        self.push(Kind::Icmp { v6, kind, code, rest })
    }

    /// Echo request.
    pub fn echo_request(self, id: u16, seq: u16) -> Self {
        self.echo(8, 128, id, seq)
    }

    /// Echo reply.
    pub fn echo_reply(self, id: u16, seq: u16) -> Self {
        self.echo(0, 129, id, seq)
    }

    fn echo(self, v4: u8, v6: u8, id: u16, seq: u16) -> Self {
        let ([a, b], [c, d]) = (id.to_be_bytes(), seq.to_be_bytes());
        let mut built = self.icmp_with(v4, 0, [a, b, c, d]);
        if let Kind::Icmp { v6: true, kind, .. } = &mut built.last().kind {
            *kind = v6;
        }
        built
    }

    /// Sequence number.
    pub fn seq(mut self, value: u32) -> Self {
        match &mut self.last().kind {
            Kind::Tcp { seq, .. } => *seq = value,
            Kind::Gre { seq, .. } => *seq = Some(value),
            Kind::GtpU { seq, .. } => *seq = Some(value as u16),
            other => panic!("{other:?} has no sequence number"),
        }
        self
    }

    /// Acknowledgement number; sets the ACK flag.
    pub fn ack(mut self, value: u32) -> Self {
        match &mut self.last().kind {
            Kind::Tcp { ack, flags, .. } => {
                *ack = value;
                *flags |= TcpFlags::ACK.0;
            }
            other => panic!("{other:?} has no acknowledgement number"),
        }
        self
    }

    /// All TCP flags.
    pub fn flags(mut self, value: TcpFlags) -> Self {
        match &mut self.last().kind {
            Kind::Tcp { flags, .. } => *flags = value.0,
            other => panic!("{other:?} has no flags"),
        }
        self
    }

    /// TCP window, unscaled.
    pub fn window(mut self, value: u16) -> Self {
        match &mut self.last().kind {
            Kind::Tcp { window, .. } => *window = value,
            other => panic!("{other:?} has no window"),
        }
        self
    }

    /// TCP urgent pointer; sets the URG flag.
    pub fn urgent(mut self, value: u16) -> Self {
        match &mut self.last().kind {
            Kind::Tcp { urgent, flags, .. } => {
                *urgent = value;
                *flags |= TcpFlags::URG.0;
            }
            other => panic!("{other:?} has no urgent pointer"),
        }
        self
    }

    /// Options of an IPv4, TCP or GENEVE header, padded with zeros to whole words.
    pub fn options(mut self, value: &[u8]) -> Self {
        let mut padded = value.to_vec();
        padded.resize(value.len().next_multiple_of(4), 0);
        match &mut self.last().kind {
            Kind::Ipv4 { options, .. }
            | Kind::Tcp { options, .. }
            | Kind::Geneve { options, .. } => *options = padded,
            other => panic!("{other:?} has no options"),
        }
        self
    }
}

/// Fields of all layers, and the payload.
impl Frame {
    /// Payload of the innermost layer.
    pub fn payload(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.payload = bytes.as_ref().to_vec();
        self
    }

    /// The same where no payload was set.
    pub(crate) fn or_payload(self, bytes: &[u8]) -> Self {
        if self.payload.is_empty() { self.payload(bytes) } else { self }
    }

    /// Forces the length field of this layer: total length of IPv4, payload length of IPv6, data
    /// offset (in words) of TCP, the type field of Ethernet, and so on.
    pub fn length(mut self, value: u16) -> Self {
        self.last().length = Some(value);
        self
    }

    /// Forces the checksum of this layer.
    pub fn checksum(mut self, value: u16) -> Self {
        self.last().checksum = Some(value);
        self
    }

    /// Forces the field that names the next layer: Ethertype, protocol number, PPP protocol or
    /// address family.
    pub fn next(mut self, value: u16) -> Self {
        self.last().next = Some(value);
        self
    }

    /// Forces the IP protocol or next-header number of this layer.
    pub fn protocol(self, value: u8) -> Self {
        self.next(u16::from(value))
    }

    /// All layers of `inner`, and its payload, behind those of this frame.
    pub fn then(mut self, inner: &Frame) -> Self {
        self.layers.extend_from_slice(&inner.layers);
        self.payload.clone_from(&inner.payload);
        self
    }

    fn push(mut self, kind: Kind) -> Self {
        self.layers.push(Layer::new(kind));
        self
    }

    fn last(&mut self) -> &mut Layer {
        self.layers.last_mut().expect("a layer to set a field of")
    }
}

#[expect(clippy::needless_pass_by_value, reason = "callers hand on what they were given")]
fn parse<T: FromStr>(text: impl ToString) -> T {
    let text = text.to_string();
    text.parse().unwrap_or_else(|_| panic!("{text} is no address of the family asked for"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::internet_checksum;

    #[test]
    fn lengths_and_checksums_come_out_right() {
        let bytes = frame().ipv4("10.0.0.1", "10.0.0.2").udp(53, 5353).payload(b"odd").build();
        assert_eq!(bytes[2..4], 31u16.to_be_bytes());
        assert_eq!(internet_checksum(&[&bytes[..20]]), 0);
        let pseudo = [&bytes[12..20], &[0, 17, 0, 11]].concat();
        assert_eq!(internet_checksum(&[&pseudo, &bytes[20..]]), 0);
    }

    #[test]
    fn a_known_frame() {
        let bytes = frame().ethernet().vlan(5).ipv6("::1", "::2").hop_by_hop(&[]).tcp(1, 2).build();
        assert_eq!(bytes[12..18], [0x81, 0, 0, 5, 0x86, 0xdd]);
        assert_eq!((bytes[18 + 6], bytes[18 + 40]), (0, 6));
        assert_eq!(bytes[18 + 4..18 + 6], 28u16.to_be_bytes());
    }

    #[test]
    fn fragments_carry_the_whole_datagram() {
        let whole = frame().ethernet().ipv6("::1", "::2").udp(1, 2).payload([7; 100]);
        let joined: Vec<u8> =
            whole.fragments(9, 48).iter().flat_map(|f| f[14 + 40 + 8..].to_vec()).collect();
        assert_eq!(joined, whole.build()[54..]);
        let flags: Vec<u8> = whole.fragments(9, 48).iter().map(|f| f[14 + 40 + 3] & 1).collect();
        assert_eq!(flags, [1, 1, 0]);
    }

    #[test]
    fn tunnels_nest() {
        let bytes = frame()
            .ethernet()
            .ipv4("192.0.2.1", "192.0.2.2")
            .vxlan(42)
            .ethernet()
            .ipv4("10.0.0.1", "10.0.0.2")
            .tcp(1, 2)
            .build();
        assert_eq!(bytes.len(), 14 + 20 + 8 + 8 + 14 + 20 + 20);
        assert_eq!(bytes[36..38], 4789u16.to_be_bytes());
        assert_eq!(bytes[46..49], [0, 0, 42]);
    }
}

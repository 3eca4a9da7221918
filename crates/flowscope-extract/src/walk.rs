//! From the link layer down to the transport header, each header read once.

mod descent;
mod fast;
mod ip;
mod l4;
mod link;
mod peel;
mod tunnel;

use flowscope_core::{
    Extracted, Fragment, IcmpInfo, IpInfo, L4Proto, NextHeader, Orientation, PacketView, Payload,
    Refusal, TcpInfo,
};

pub use peel::peel;

pub(crate) use peel::peel_inline;

pub(crate) use descent::Start;
pub(crate) use fast::{five_tuple as everyday, is_plain, start};
pub(crate) use l4::icmp_family;
pub(crate) use link::macs;
#[cfg(test)]
pub(crate) use peel::general as peel_general;
#[cfg(test)]
pub(crate) use peel::innermost;

/// Source and destination of an IP packet, as numbers that compare as the addresses do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ends {
    V4 { src: u32, dst: u32 },
    V6 { src: [u64; 2], dst: [u64; 2] },
}

/// What an IP packet says of itself, down to the transport header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Packet {
    pub(crate) ends: Ends,
    pub(crate) ip: IpInfo,
    pub(crate) fragment: Option<Fragment>,
    pub(crate) l4_at: u32,
    pub(crate) l4: Transport,
}

/// What a transport header says, or all that is known where there is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Transport {
    pub(crate) proto: L4Proto,
    pub(crate) ports: Option<(u16, u16)>,
    pub(crate) tcp: Option<TcpInfo>,
    pub(crate) icmp: Option<IcmpInfo>,
    pub(crate) payload: Payload,
}

impl Packet {
    fn new(network: &ip::Network, l4: Transport) -> Self {
        Packet {
            ends: network.ends,
            ip: network.ip,
            fragment: network.fragment,
            // A piece of a datagram holds a piece of the transport header at best.
            l4_at: if network.fragment.is_none() { network.at as u32 } else { 0 },
            l4,
        }
    }

    #[inline(always)]
    pub(crate) fn with_key<K>(
        &self,
        view: &PacketView<'_>,
        key: K,
        orientation: Orientation,
    ) -> Extracted<K> {
        let mut found = Extracted::new(key, orientation);
        found.l4 = Some(self.l4.proto);
        found.tcp = self.l4.tcp;
        found.ports = self.l4.ports;
        found.icmp = self.l4.icmp;
        found.ip = self.ip;
        found.l4_at = self.l4_at;
        found.path = view.cursor().path;
        found.payload = self.l4.payload;
        found.fragment = self.fragment;
        found
    }
}

/// Moves the view's cursor to the innermost packet.
#[inline(always)]
pub(crate) fn to_innermost(view: &mut PacketView<'_>, start: Start) -> Result<(), Refusal> {
    if !descent::to_innermost(view, start) {
        *view.cursor_mut() = peel::innermost(view)?;
    }
    Ok(())
}

/// The IP packet at the view's cursor, with all that a five-tuple needs.
pub(crate) fn packet(view: &PacketView<'_>) -> Result<Packet, Refusal> {
    let (bytes, network) = network(view)?;
    let l4 = match network.fragment {
        None => l4::read(bytes.until(network.end), network.proto, network.at)?,
        Some(_) => l4::opaque(bytes.until(network.end), network.proto, network.at),
    };
    Ok(Packet::new(&network, l4))
}

/// The IP packet at the view's cursor; a transport header that cannot be read is left out.
pub(crate) fn addresses(view: &PacketView<'_>) -> Result<Packet, Refusal> {
    let (bytes, network) = network(view)?;
    let bytes = bytes.until(network.end);
    let opaque = l4::opaque(bytes, network.proto, network.at);
    let l4 = match network.fragment {
        None => l4::read(bytes, network.proto, network.at).unwrap_or(opaque),
        Some(_) => opaque,
    };
    Ok(Packet::new(&network, l4))
}

fn network<'a>(view: &PacketView<'a>) -> Result<(Bytes<'a>, ip::Network), Refusal> {
    // Layers that the path of a joined datagram still holds, or a tag beside the frame, are layers
    // that nobody peeled.
    if peel::has_unpeeled(view) {
        return Err(Refusal::NotAFlow);
    }
    let bytes = Bytes::of(view);
    let (next, at) = link::step_over(bytes, view.cursor().next, view.cursor().offset as usize)?;
    let version = version(next).ok_or(Refusal::NotAFlow)?;
    Ok((bytes, ip::read(bytes, at, version)?))
}

/// Which IP header comes next, if one does.
fn version(next: NextHeader) -> Option<ip::Version> {
    match next {
        NextHeader::Ip | NextHeader::IpFragment => Some(ip::Version::ByHeader),
        NextHeader::EtherType(ETHERTYPE_IPV4) => Some(ip::Version::V4),
        NextHeader::EtherType(ETHERTYPE_IPV6) => Some(ip::Version::V6),
        _ => None,
    }
}

/// Captured bytes, and how many there were on the wire. All offsets count from the start of the
/// frame.
#[derive(Clone, Copy, Debug)]
struct Bytes<'a> {
    captured: &'a [u8],
    wire: usize,
}

impl<'a> Bytes<'a> {
    fn of(view: &PacketView<'a>) -> Self {
        let captured = view.frame();
        let wire = match view.frames() {
            1 => view.wire_len() as usize,
            _ => joined_len(captured),
        };
        Bytes { captured, wire: wire.max(captured.len()) }
    }

    /// The bytes before `end`, the rest being padding.
    fn until(self, end: usize) -> Self {
        let captured = self.captured.get(..end).unwrap_or(self.captured);
        Bytes { captured, wire: self.wire.min(end) }
    }

    /// All captured bytes from `at` on.
    fn from(self, at: usize) -> &'a [u8] {
        self.captured.get(at..).unwrap_or_default()
    }

    /// The `N` bytes at `at`.
    fn array<const N: usize>(self, at: usize) -> Result<&'a [u8; N], Refusal> {
        self.from(at).first_chunk().ok_or_else(|| self.missing(at + N))
    }

    /// Why the bytes before `end` cannot be read: the capture was cut, or there never were that many.
    fn missing(self, end: usize) -> Refusal {
        if end <= self.wire { Refusal::SnaplenCut } else { Refusal::HeaderMalformed }
    }

    /// What is left behind a header of which the payload begins at `at`.
    fn payload(self, at: usize) -> Payload {
        Payload {
            offset: at as u32,
            captured: self.captured.len().saturating_sub(at) as u32,
            wire_len: self.wire.saturating_sub(at) as u32,
        }
    }
}

/// How long the datagram is that these bytes begin, by its IP header: a snap length may have cut its
/// pieces, and the wire length of the view is that of the frames that they came in.
#[cold]
fn joined_len(datagram: &[u8]) -> usize {
    match *datagram {
        [0x40..=0x4f, _, hi, lo, ..] => usize::from(u16::from_be_bytes([hi, lo])),
        [0x60..=0x6f, _, _, _, hi, lo, ..] => 40 + usize::from(u16::from_be_bytes([hi, lo])),
        _ => datagram.len(),
    }
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;

//! Reads the headers of a packet from the link layer to the transport layer, each once.

mod bytes;
mod either_port;
mod fast;
mod ip;
mod l4;
mod layer_header;
mod link;
mod link_payload;
mod macs;
mod numbers;
mod peel;
mod pseudowire;
mod shim;
mod tags;
mod tunnel;

use flowscope_core::{Extracted, Fragment, IpInfo, Orientation, PacketView, Refusal};

pub use peel::peel;

pub(crate) use peel::{peel_inline, unread};

pub(crate) use l4::{icmp_family, tcp_options};
pub(crate) use link_payload::{LinkPayload, array, ethertype, is_plain, link_payload};
pub(crate) use macs::macs;
pub(crate) use numbers::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, TCP, UDP};
#[cfg(test)]
pub(crate) use peel::innermost;
#[cfg(test)]
pub(crate) use peel::peel_general;

use crate::addr::AddrPair;
use bytes::Bytes;
use l4::Transport;

/// The header fields of an IP packet, transport header included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Packet {
    pub(crate) addrs: AddrPair,
    pub(crate) ip: IpInfo,
    pub(crate) fragment: Option<Fragment>,
    pub(crate) l4_at: u32,
    pub(crate) l4: Transport,
}

impl Packet {
    fn new(network: &ip::IpPacket, l4: Transport) -> Self {
        Packet {
            addrs: network.addrs,
            ip: network.ip,
            fragment: network.fragment,
            // A fragment has no complete transport header.
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
pub(crate) fn to_innermost(
    view: &mut PacketView<'_>,
    link_payload: LinkPayload,
) -> Result<(), Refusal> {
    if !fast::to_innermost(view, link_payload) {
        *view.cursor_mut() = peel::innermost(view)?;
    }
    Ok(())
}

/// The IP packet at the cursor, with everything that a five-tuple needs.
pub(crate) fn packet(view: &PacketView<'_>) -> Result<Packet, Refusal> {
    let (bytes, network) = network(view)?;
    let l4 = match network.fragment {
        None => l4::read(bytes.until(network.end), network.proto, network.at)?,
        Some(_) => l4::without_header(bytes.until(network.end), network.proto, network.at),
    };
    Ok(Packet::new(&network, l4))
}

/// The IP packet at the cursor; an unreadable transport header is left out.
pub(crate) fn addresses(view: &PacketView<'_>) -> Result<Packet, Refusal> {
    let (bytes, network) = network(view)?;
    let bytes = bytes.until(network.end);
    let opaque = l4::without_header(bytes, network.proto, network.at);
    let l4 = match network.fragment {
        None => l4::read(bytes, network.proto, network.at).unwrap_or(opaque),
        Some(_) => opaque,
    };
    Ok(Packet::new(&network, l4))
}

fn network<'a>(view: &PacketView<'a>) -> Result<(Bytes<'a>, ip::IpPacket), Refusal> {
    // Layers that no combinator removed: in the path of a reassembled datagram, or the stripped tag.
    if peel::has_unpeeled(view) {
        return Err(Refusal::NotAFlow);
    }
    let bytes = Bytes::of(view);
    let (next, at) = link::step_over(bytes, view.cursor().next, view.cursor().offset as usize)?;
    let version = ip::version(next).ok_or(Refusal::NotAFlow)?;
    Ok((bytes, ip::read(bytes, at, version)?))
}

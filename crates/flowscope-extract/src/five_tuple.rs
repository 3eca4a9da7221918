mod fast;

use std::net::SocketAddr;

use flowscope_core::{Endpoints, Extracted, FlowExtractor, PacketView, Refusal, UnreadHeader};

use crate::key::{Directionality, FiveTupleKey};
use crate::walk::{self, Packet};

/// Extractor of five-tuples: two IP addresses, two ports and the protocol.
///
/// Reads the IP packet at the cursor of the view: directly behind the link header, unless a combinator
/// removed layers between them. It does not look behind a VLAN tag or into a tunnel: a tagged frame is
/// refused, a tunnel is a flow of its own.
///
/// TCP, UDP and SCTP have ports. [`FiveTupleKey`] describes ICMP flows. The key of every other protocol is
/// addresses and protocol number. In IPv6 that is the number in the last extension header; ESP and "no next
/// header" end the chain (RFC 8200 §4).
///
/// A fragment has a key without ports and sets [`Extracted::fragment`]. A packet with a fragment header that
/// is a whole datagram counts as not fragmented (RFC 6946). The payload of a fragment is the part of the
/// datagram that it carries.
#[derive(Clone, Copy, Debug, Default)]
pub struct FiveTuple {
    directionality: Directionality,
}

impl FiveTuple {
    /// An extractor that gives both directions of a connection the same key.
    #[must_use]
    pub const fn bidirectional() -> Self {
        FiveTuple { directionality: Directionality::Bidirectional }
    }

    /// An extractor that gives each direction its own key, from sender to receiver.
    #[must_use]
    pub const fn unidirectional() -> Self {
        FiveTuple { directionality: Directionality::Unidirectional }
    }

    /// Same result as [`extract`](FlowExtractor::extract), without the fast path. The view is taken by value so that
    /// the fast path keeps its own in registers.
    #[inline(never)]
    fn general(self, view: PacketView<'_>) -> Option<Extracted<FiveTupleKey>> {
        let packet = walk::packet(&view).ok()?;
        Some(self.found(&view, &packet))
    }

    #[inline(always)]
    fn found(self, view: &PacketView<'_>, packet: &Packet) -> Extracted<FiveTupleKey> {
        let (addrs, l4) = (packet.addrs, packet.l4.proto);
        let (key, orientation) = match (packet.l4.icmp, walk::icmp_family(l4)) {
            (Some(icmp), Some(family)) => {
                let message = (icmp.kind, icmp.code, icmp.id.unwrap_or(0));
                FiveTupleKey::icmp(addrs, family, message, self.directionality)
            }
            _ => {
                let ports = packet.l4.ports.unwrap_or((0, 0));
                FiveTupleKey::from_parts(addrs, ports, l4.number(), self.directionality)
            }
        };
        packet.with_key(view, key, orientation)
    }
}

impl FlowExtractor for FiveTuple {
    type Key = FiveTupleKey;

    // Inlined so that checks of a combinator are not repeated here.
    #[inline(always)]
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<FiveTupleKey>> {
        let found = match self.directionality {
            Directionality::Bidirectional => fast::by_value::<false>(&view),
            Directionality::Unidirectional => fast::by_value::<true>(&view),
        };
        match found {
            None => self.general(view),
            found => found,
        }
    }

    #[inline(always)]
    fn extract_into(&self, view: &PacketView<'_>, found: &mut Option<Extracted<FiveTupleKey>>) {
        let done = match self.directionality {
            Directionality::Bidirectional => fast::in_place::<false>(view, found),
            Directionality::Unidirectional => fast::in_place::<true>(view, found),
        };
        if done.is_none() {
            *found = self.general(*view);
        }
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        walk::packet(&view).err().unwrap_or(Refusal::NotAFlow)
    }

    fn unread(&self, view: PacketView<'_>) -> Option<UnreadHeader> {
        walk::unread(&view)
    }

    fn endpoints(key: &FiveTupleKey) -> Option<Endpoints> {
        let [a, b] =
            [key.a(), key.b()].map(|end| end.port.map(|port| SocketAddr::new(end.addr, port)));
        Some(Endpoints { a: a?, b: b? })
    }
}

#[cfg(test)]
mod tests;

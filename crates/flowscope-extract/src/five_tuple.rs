mod fast;

use flowscope_core::{Extracted, FlowExtractor, PacketView, Refusal};

use crate::key::{FiveTupleKey, Sense};
use crate::walk::{self, Packet};

/// A flow is a connection: two addresses with ports, and the protocol.
///
/// Reads the IP packet at the view's cursor: right behind the link header, unless a combinator
/// peeled layers in between. A VLAN tag or a tunnel that nobody peeled is not looked through; a
/// tagged frame is refused, a tunnel is a flow of its own.
///
/// TCP, UDP and SCTP have ports. ICMP flows are described at [`FiveTupleKey`]. Every other
/// protocol is keyed by addresses and protocol number, which in IPv6 is the one behind the last
/// extension header; ESP and "no next header" end that walk (RFC 8200 §4).
///
/// A fragment has a key without ports and says so in [`Extracted::fragment`]; a fragment that is
/// a whole datagram is none (RFC 6946). The payload of a fragment is the piece it carries.
#[derive(Clone, Copy, Debug, Default)]
pub struct FiveTuple {
    sense: Sense,
}

impl FiveTuple {
    /// Both directions of a connection are one flow.
    #[must_use]
    pub const fn bidirectional() -> Self {
        FiveTuple { sense: Sense::Both }
    }

    /// Each direction is a flow of its own, keyed from sender to receiver.
    #[must_use]
    pub const fn unidirectional() -> Self {
        FiveTuple { sense: Sense::One }
    }

    /// By reference, so that a combinator that calls this copies no view.
    #[inline(always)]
    fn read(self, view: &PacketView<'_>) -> Option<Extracted<FiveTupleKey>> {
        let everyday = match self.sense {
            Sense::Both => fast::five_tuple::<false>(view),
            Sense::One => fast::five_tuple::<true>(view),
        };
        match everyday {
            None => self.general(view),
            found => found,
        }
    }

    /// What [`read`](Self::read) gives, without the shortcut for everyday packets.
    #[inline(never)]
    fn general(self, view: &PacketView<'_>) -> Option<Extracted<FiveTupleKey>> {
        let packet = walk::packet(view).ok()?;
        Some(self.found(view, &packet))
    }

    #[inline(always)]
    fn found(self, view: &PacketView<'_>, packet: &Packet) -> Extracted<FiveTupleKey> {
        let (ends, l4) = (packet.ends, packet.l4.proto);
        let (key, orientation) = match (packet.l4.icmp, walk::icmp_family(l4)) {
            (Some(icmp), Some(family)) => {
                let message = (icmp.kind, icmp.code, icmp.id.unwrap_or(0));
                FiveTupleKey::icmp(ends, family, message, self.sense)
            }
            _ => {
                let ports = packet.l4.ports.unwrap_or((0, 0));
                FiveTupleKey::of(ends, ports, l4.number(), self.sense)
            }
        };
        packet.with_key(view, key, orientation)
    }
}

impl FlowExtractor for FiveTuple {
    type Key = FiveTupleKey;

    // What a combinator checked is then known here too.
    #[inline(always)]
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<FiveTupleKey>> {
        self.read(&view)
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        walk::packet(&view).err().unwrap_or(Refusal::NotAFlow)
    }
}

#[cfg(test)]
mod tests;

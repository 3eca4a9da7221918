use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use flowscope_core::{Extracted, FlowExtractor, NextHeader, Orientation, PacketView, Refusal};

use crate::addr::Ends;
use crate::walk;

/// A flow is two IP addresses, whatever they say to each other.
///
/// Such a flow is many connections at once, so [`Extracted::tcp`] stays empty: no single TCP state
/// would be true of it. A fragment counts for itself, since its addresses are all the key needs; only one
/// that may hold a piece of a tunnel is to be joined first.
#[derive(Clone, Copy, Debug, Default)]
pub struct IpPair;

/// Two IP addresses, the lower one first.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct IpPairKey {
    a: IpAddr,
    b: IpAddr,
}

impl IpPairKey {
    /// The lower address.
    #[must_use]
    pub const fn a(&self) -> IpAddr {
        self.a
    }

    /// The higher address.
    #[must_use]
    pub const fn b(&self) -> IpAddr {
        self.b
    }

    /// Sender and receiver of a packet of this orientation.
    #[must_use]
    pub const fn endpoints(&self, orientation: Orientation) -> (IpAddr, IpAddr) {
        match orientation {
            Orientation::Forward => (self.a, self.b),
            Orientation::Reverse => (self.b, self.a),
        }
    }
}

impl fmt::Display for IpPairKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <-> {}", self.a, self.b)
    }
}

impl FlowExtractor for IpPair {
    type Key = IpPairKey;

    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<IpPairKey>> {
        let packet = walk::addresses(&view).ok()?;
        let (src, dst): (IpAddr, IpAddr) = match packet.ends {
            Ends::V4 { src, dst } => (Ipv4Addr::from(src).into(), Ipv4Addr::from(dst).into()),
            Ends::V6 { src, dst } => {
                let addr =
                    |[hi, lo]: [u64; 2]| Ipv6Addr::from(u128::from(hi) << 64 | u128::from(lo));
                (addr(src).into(), addr(dst).into())
            }
        };
        let (a, b, orientation) = ordered(src, dst);
        let mut found = packet.with_key(&view, IpPairKey { a, b }, orientation);
        found.tcp = None;
        // The pieces of a tunnel's packet have the tunnel's addresses.
        if view.cursor().next != NextHeader::IpFragment {
            found.fragment = None;
        }
        Some(found)
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        walk::addresses(&view).err().unwrap_or(Refusal::NotAFlow)
    }
}

/// A flow is two Ethernet addresses, whatever they say to each other.
///
/// Reads the Ethernet header at the view's cursor, or the one above it if nothing but VLAN tags was
/// peeled since. Only key, orientation, path and payload (what follows the Ethernet header) are given:
/// such a flow has no transport protocol.
///
/// `InnerVxlan(MacPair)` so is about the hosts of the virtual network, and `AutoDetectEncap(MacPair)`
/// about the frame that holds the innermost packet: the captured one where there is no tunnel, or the
/// tunnel's where it carries frames. A packet that lies in something else than a frame (GTP-U,
/// PPPoE, IP in IP) is refused by both. Where a tunnel's packet may have been cut into fragments,
/// these are joined first, and a datagram that then turns out to be no tunnel is refused too, since
/// it came in several frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct MacPair;

/// Two Ethernet addresses, the lower one first.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MacPairKey {
    a: [u8; 6],
    b: [u8; 6],
}

impl MacPairKey {
    /// The lower address.
    #[must_use]
    pub const fn a(&self) -> [u8; 6] {
        self.a
    }

    /// The higher address.
    #[must_use]
    pub const fn b(&self) -> [u8; 6] {
        self.b
    }

    /// Sender and receiver of a frame of this orientation.
    #[must_use]
    pub const fn endpoints(&self, orientation: Orientation) -> ([u8; 6], [u8; 6]) {
        match orientation {
            Orientation::Forward => (self.a, self.b),
            Orientation::Reverse => (self.b, self.a),
        }
    }
}

impl fmt::Display for MacPairKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <-> {}", Mac(self.a), Mac(self.b))
    }
}

impl FlowExtractor for MacPair {
    type Key = MacPairKey;

    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<MacPairKey>> {
        if view.cursor().next == NextHeader::IpFragment {
            return Self::to_be_joined(&view);
        }
        let (src, dst, payload) = walk::macs(&view).ok()?;
        let (a, b, orientation) = ordered(src, dst);
        let mut found = Extracted::new(MacPairKey { a, b }, orientation);
        found.path = view.cursor().path;
        found.payload = payload;
        Some(found)
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        if view.cursor().next == NextHeader::IpFragment {
            return walk::addresses(&view).err().unwrap_or(Refusal::NotAFlow);
        }
        walk::macs(&view).err().unwrap_or(Refusal::NotAFlow)
    }
}

impl MacPair {
    /// Only the whole datagram tells which frame is the innermost. Until then the key is of the frame
    /// around this piece, or of nobody.
    fn to_be_joined(view: &PacketView<'_>) -> Option<Extracted<MacPairKey>> {
        let packet = walk::addresses(view).ok()?;
        let (src, dst, _) = walk::macs(view).unwrap_or_default();
        let (a, b, orientation) = ordered(src, dst);
        Some(packet.with_key(view, MacPairKey { a, b }, orientation))
    }
}

fn ordered<T: PartialOrd>(src: T, dst: T) -> (T, T, Orientation) {
    if src <= dst { (src, dst, Orientation::Forward) } else { (dst, src, Orientation::Reverse) }
}

struct Mac([u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

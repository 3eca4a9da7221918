use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use flowscope_core::{
    Extracted, FlowExtractor, NextHeader, Orientation, PacketView, Refusal, UnreadHeader,
};

use crate::addr::AddrPair;
use crate::walk;

/// Extractor of IP address pairs: all packets between two hosts are one flow.
///
/// Such a flow contains many connections, so [`Extracted::tcp`] stays empty: no single TCP state describes
/// it. A fragment is a packet of the flow, because the key needs the addresses only. A fragment that may be
/// part of a tunnel packet is an exception: it has to be reassembled first.
#[derive(Clone, Copy, Debug, Default)]
pub struct IpPair;

/// Key of an IP address pair, the lower address first.
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

    /// Sender and receiver of a packet with this orientation.
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
        let (src, dst): (IpAddr, IpAddr) = match packet.addrs {
            AddrPair::V4 { src, dst } => (Ipv4Addr::from(src).into(), Ipv4Addr::from(dst).into()),
            AddrPair::V6 { src, dst } => {
                let addr =
                    |[hi, lo]: [u64; 2]| Ipv6Addr::from(u128::from(hi) << 64 | u128::from(lo));
                (addr(src).into(), addr(dst).into())
            }
        };
        let (a, b, orientation) = ordered(src, dst);
        let mut found = packet.with_key(&view, IpPairKey { a, b }, orientation);
        found.tcp = None;
        // Fragments of a tunnel packet have the addresses of the tunnel.
        if view.cursor().next != NextHeader::IpFragment {
            found.fragment = None;
        }
        Some(found)
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        walk::addresses(&view).err().unwrap_or(Refusal::NotAFlow)
    }

    fn unread(&self, view: PacketView<'_>) -> Option<UnreadHeader> {
        walk::unread(&view)
    }
}

/// Extractor of MAC address pairs: all frames between two stations are one flow.
///
/// Reads the Ethernet header at the cursor of the view, or the one above it if only VLAN tags were removed
/// since. The result has key, orientation, path and payload (what follows the Ethernet header) only: such a
/// flow has no transport protocol.
///
/// `InnerVxlan(MacPair)` gives the MAC addresses of the virtual network. `AutoDetectEncap(MacPair)` gives
/// those of the frame that holds the innermost packet: the captured frame without a tunnel, the inner frame
/// of a tunnel that carries frames. Both refuse a packet that is not in an Ethernet frame (in GTP-U, PPPoE,
/// IP in IP). Fragments that may belong to a tunnel packet are reassembled first. If the datagram then is not
/// a tunnel, it is refused, because it came in several frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct MacPair;

/// Key of a MAC address pair, the lower address first.
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

    /// Sender and receiver of a frame with this orientation.
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

    #[inline]
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<MacPairKey>> {
        if view.cursor().next == NextHeader::IpFragment {
            return Self::of_fragment(view);
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

    fn unread(&self, view: PacketView<'_>) -> Option<UnreadHeader> {
        walk::unread(&view)
    }
}

impl MacPair {
    /// The innermost frame is known only for the whole datagram. The key of a fragment is that of the frame
    /// around it, or zeros.
    #[inline(never)]
    fn of_fragment(view: PacketView<'_>) -> Option<Extracted<MacPairKey>> {
        let packet = walk::addresses(&view).ok()?;
        let (src, dst, _) = walk::macs(&view).unwrap_or_default();
        let (a, b, orientation) = ordered(src, dst);
        Some(packet.with_key(&view, MacPairKey { a, b }, orientation))
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

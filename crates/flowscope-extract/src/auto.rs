use flowscope_core::{Extracted, FlowExtractor, NextHeader, PacketView, Refusal};

use crate::combinator::Combinator;
use crate::walk::{Start, is_plain, start, to_innermost};

/// Peels whatever encapsulation there is, and shows its extractor the innermost packet.
///
/// One walk from the link layer down, so that the answer never is the tunnel around a flow. Opened
/// are VLAN tags, MPLS with IP or Ethernet pseudo-wires, PPPoE, VXLAN and its generic protocol
/// extension, GENEVE, GRE with NVGRE, ERSPAN and PPTP, GTP-U and IP in IP, nested in any way up to
/// [`MAX_DEPTH`](flowscope_core::MAX_DEPTH): beyond, the packet is refused as
/// [`DepthExceeded`](Refusal::DepthExceeded). A tunnel that carries no IP (ARP, say) is the innermost
/// flow itself. Packets without any encapsulation are shown as they are.
///
/// Not opened, and so flows of their own, are Teredo and L2TP, which their ports alone do not tell in
/// both directions and whose headers leave too much room for doubt; PPP in GRE of version 0; MPLS in
/// UDP (RFC 7510); and network service headers.
///
/// A fragment is shown as one, since only the whole datagram tells whether it carries a tunnel.
///
/// With [`IpPair`](crate::IpPair) the flow is two hosts inside of the tunnel. With
/// [`MacPair`](crate::MacPair) it is two stations of the innermost frame, and packets that lie in
/// no frame are refused.
///
/// ```
/// use flowscope_core::FlowExtractor;
/// use flowscope_extract::{AutoDetectEncap, FiveTuple};
/// use flowscope_testkit::frame;
///
/// let auto = AutoDetectEncap(FiveTuple::bidirectional());
/// let key = |packet: flowscope_testkit::Packet| {
///     auto.extract(packet.view()).map(|found| found.key.to_string())
/// };
/// let outer = frame().ethernet().vlan(5).ipv6("2001:db8::1", "2001:db8::2").vxlan(42).ethernet();
/// let inside = key(outer.ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet());
/// let plain = key(frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet());
/// assert_eq!(inside.as_deref(), Some("10.0.0.1:1 <-> 10.0.0.2:2"));
/// assert_eq!(inside, plain);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AutoDetectEncap<E>(pub E);

impl<E: FlowExtractor> AutoDetectEncap<E> {
    /// Apart, so that plain packets are not charged for it.
    #[inline(never)]
    fn inside(&self, view: &mut PacketView<'_>, start: Start) -> Option<Extracted<E::Key>> {
        to_innermost(view, start).ok()?;
        self.0.extract(*view)
    }
}

impl<E: FlowExtractor> Combinator for AutoDetectEncap<E> {
    type Inner = E;

    fn inner(&self) -> &E {
        &self.0
    }

    fn peel(&self, view: &mut PacketView<'_>) -> Result<bool, Refusal> {
        to_innermost(view, Start::UNKNOWN).map(|()| true)
    }
}

impl<E: FlowExtractor> FlowExtractor for AutoDetectEncap<E> {
    type Key = E::Key;

    #[inline]
    fn extract(&self, mut view: PacketView<'_>) -> Option<Extracted<E::Key>> {
        let Some(start) = start(&view) else {
            return self.inside(&mut view, Start::UNKNOWN);
        };
        if !is_plain(&view, start) {
            return self.inside(&mut view, start);
        }
        // What was read here, nobody below has to read again.
        let mut packet = view;
        let cursor = packet.cursor_mut();
        cursor.next = NextHeader::EtherType(start.ethertype);
        cursor.offset = start.at as u32;
        self.0.extract(packet)
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        self.explain_inside(view)
    }
}

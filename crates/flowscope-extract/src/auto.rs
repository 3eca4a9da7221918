use flowscope_core::{Extracted, FlowExtractor, PacketView, Refusal};

use crate::combinator::{self, Combinator};
use crate::walk::{innermost, is_plain, tags};

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
/// both directions and whose headers leave too much room for doubt, and network service headers.
///
/// A fragment is shown as one, since only the whole datagram tells whether it carries a tunnel.
///
/// With [`IpPair`](crate::IpPair) the flow is two hosts inside of the tunnel. With
/// [`MacPair`](crate::MacPair) it is two stations of the innermost frame, and packets that lie in
/// no frame are refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct AutoDetectEncap<E>(pub E);

impl<E: FlowExtractor> AutoDetectEncap<E> {
    /// Apart from the shortcut, so that plain packets are not charged for it. Tags have one too.
    #[inline(never)]
    fn inside(&self, view: &PacketView<'_>) -> Option<Extracted<E::Key>> {
        if let Some(cursor) = tags(view) {
            let inside = view.at(cursor);
            if is_plain(&inside) {
                return self.0.extract(inside);
            }
        }
        self.0.extract(view.at(innermost(view).ok()?))
    }
}

impl<E: FlowExtractor> Combinator for AutoDetectEncap<E> {
    type Inner = E;

    fn inner(&self) -> &E {
        &self.0
    }

    fn peel<'a>(&self, view: PacketView<'a>) -> Result<Option<PacketView<'a>>, Refusal> {
        Ok(Some(view.at(innermost(&view)?)))
    }
}

impl<E: FlowExtractor> FlowExtractor for AutoDetectEncap<E> {
    type Key = E::Key;

    #[inline]
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<E::Key>> {
        if is_plain(&view) { self.0.extract(view) } else { self.inside(&view) }
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        combinator::explain(self, view)
    }
}

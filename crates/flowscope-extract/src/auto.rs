use flowscope_core::{Extracted, FlowExtractor, PacketView, Refusal};

use crate::walk::{innermost, is_plain, tags};

/// Peels whatever encapsulation there is, and shows its extractor the innermost packet.
///
/// One walk from the link layer down, so that the answer never is the tunnel around a flow. Opened
/// are VLAN tags, MPLS, PPPoE, VXLAN, GENEVE, GRE with NVGRE and ERSPAN, GTP-U and IP in IP, nested in
/// any way up to [`MAX_DEPTH`](flowscope_core::MAX_DEPTH). A tunnel that carries no IP (ARP, say) is
/// the innermost flow itself. Packets without any encapsulation are shown as they are.
///
/// A fragment is shown as one, since only the whole datagram tells whether it carries a tunnel.
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

impl<E: FlowExtractor> FlowExtractor for AutoDetectEncap<E> {
    type Key = E::Key;

    #[inline]
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<E::Key>> {
        if is_plain(&view) { self.0.extract(view) } else { self.inside(&view) }
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        match innermost(&view) {
            Ok(cursor) => self.0.explain(view.at(cursor)),
            Err(refusal) => refusal,
        }
    }
}

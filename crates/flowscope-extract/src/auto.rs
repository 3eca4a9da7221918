use flowscope_core::{Extracted, FlowExtractor, PacketView, Refusal};

use crate::walk::innermost;

/// Peels whatever encapsulation there is, and shows its extractor the innermost packet.
///
/// One walk from the link layer down, so that the answer never is the tunnel around a flow. It
/// opens VLAN tags, one or more. Packets without any encapsulation are shown as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct AutoDetectEncap<E>(pub E);

impl<E: FlowExtractor> FlowExtractor for AutoDetectEncap<E> {
    type Key = E::Key;

    #[inline]
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<E::Key>> {
        self.0.extract(innermost(view).ok()?)
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        match innermost(view) {
            Ok(inside) => self.0.explain(inside),
            Err(refusal) => refusal,
        }
    }
}

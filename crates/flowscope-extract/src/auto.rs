use flowscope_core::{Extracted, FlowExtractor, PacketView, Refusal};

use crate::walk::{innermost, is_plain};

/// Peels whatever encapsulation there is, and shows its extractor the innermost packet.
///
/// One walk from the link layer down, so that the answer never is the tunnel around a flow. It
/// opens VLAN tags, one or more. Packets without any encapsulation are shown as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct AutoDetectEncap<E>(pub E);

impl<E: FlowExtractor> AutoDetectEncap<E> {
    /// Apart from the shortcut, so that plain packets are not charged for it.
    #[inline(never)]
    fn inside(&self, view: &PacketView<'_>) -> Option<Extracted<E::Key>> {
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

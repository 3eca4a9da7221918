use flowscope_core::{Extracted, FlowExtractor, Layer, PacketView, Refusal};

use crate::combinator::{self, Combinator};
use crate::walk::peel;

/// Peels VLAN tags: all that stand one behind the other, and the one that the capture took out.
///
/// Tags are those of IEEE 802.1Q and 802.1ad (0x8100, 0x88a8) and the older 0x9100; their ids are
/// in the path, outermost first. A packet without a tag is refused; [`OrPlain`](crate::OrPlain)
/// lets it through.
#[derive(Clone, Copy, Debug, Default)]
pub struct StripVlan<E>(pub E);

impl<E: FlowExtractor> Combinator for StripVlan<E> {
    type Inner = E;

    #[inline]
    fn inner(&self) -> &E {
        &self.0
    }

    #[inline]
    fn peel<'a>(&self, view: PacketView<'a>) -> Result<Option<PacketView<'a>>, Refusal> {
        peel(view, Layer::Vlan)
    }
}

impl<E: FlowExtractor> FlowExtractor for StripVlan<E> {
    type Key = E::Key;

    #[inline]
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<E::Key>> {
        combinator::extract(self, view)
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        combinator::explain(self, view)
    }
}

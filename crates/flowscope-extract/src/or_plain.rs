use flowscope_core::{Extracted, FlowExtractor, PacketView, Refusal};

use crate::combinator::{self, Combinator};

/// Makes a combinator's layer optional: a packet without it goes to the inner extractor as it is.
///
/// A packet that has the layer, but no flow inside, is refused as it is without this.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrPlain<C>(pub C);

impl<C: Combinator> Combinator for OrPlain<C> {
    type Inner = C::Inner;

    #[inline]
    fn inner(&self) -> &C::Inner {
        self.0.inner()
    }

    #[inline]
    fn peel<'a>(&self, view: PacketView<'a>) -> Result<Option<PacketView<'a>>, Refusal> {
        Ok(Some(self.0.peel(view)?.unwrap_or(view)))
    }
}

impl<C: Combinator> FlowExtractor for OrPlain<C> {
    type Key = C::Key;

    #[inline]
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<C::Key>> {
        combinator::extract(self, view)
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        combinator::explain(self, view)
    }
}

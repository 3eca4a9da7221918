use flowscope_core::{Extracted, FlowExtractor, PacketView, Refusal};

use crate::combinator::Combinator;

/// Makes a combinator's layer optional: a packet without it goes to the inner extractor as it is.
///
/// A packet that has the layer, but no flow inside, is refused as it is without this.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrPlain<C>(pub C);

impl<C: Combinator> OrPlain<C> {
    #[inline]
    fn peel<'a>(&self, view: PacketView<'a>) -> Result<PacketView<'a>, Refusal> {
        Ok(self.0.peel(view)?.unwrap_or(view))
    }
}

impl<C: Combinator> FlowExtractor for OrPlain<C> {
    type Key = C::Key;

    #[inline]
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<C::Key>> {
        self.0.inner().extract(self.peel(view).ok()?)
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        match self.peel(view) {
            Ok(inside) => self.0.inner().explain(inside),
            Err(refusal) => refusal,
        }
    }
}

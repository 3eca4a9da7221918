use flowscope_core::{Extracted, FlowExtractor, PacketView, Refusal};

/// An extractor that peels a layer and hands the rest to another.
///
/// [`OrPlain`](crate::OrPlain) asks for the parts of a combinator; whoever writes one of their own
/// implements this too. Layers are peeled with [`peel`](crate::peel).
pub trait Combinator: FlowExtractor {
    /// The extractor that sees what is inside.
    type Inner: FlowExtractor<Key = Self::Key>;

    /// That extractor.
    fn inner(&self) -> &Self::Inner;

    /// The view with its cursor behind the layer; `None` if the layer is not there.
    ///
    /// # Errors
    ///
    /// When the packet cannot be read that far.
    fn peel<'a>(&self, view: PacketView<'a>) -> Result<Option<PacketView<'a>>, Refusal>;
}

/// What [`FlowExtractor::extract`] is for a combinator.
#[inline]
pub(crate) fn extract<C: Combinator>(outer: &C, view: PacketView<'_>) -> Option<Extracted<C::Key>> {
    outer.inner().extract(outer.peel(view).ok()??)
}

/// What [`FlowExtractor::explain`] is for a combinator.
pub(crate) fn explain<C: Combinator>(outer: &C, view: PacketView<'_>) -> Refusal {
    match outer.peel(view) {
        Ok(Some(inside)) => outer.inner().explain(inside),
        Ok(None) => Refusal::NotAFlow,
        Err(refusal) => refusal,
    }
}

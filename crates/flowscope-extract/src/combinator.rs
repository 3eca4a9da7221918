use flowscope_core::{Extracted, FlowExtractor, PacketView, Refusal};

/// An extractor that removes one layer and passes the rest to an inner extractor.
///
/// [`OrPlain`](crate::OrPlain) needs this trait, so implement it for your own combinators.
/// [`peel`](crate::peel) removes a layer; the provided methods do the rest:
///
/// ```
/// use flowscope_extract::{
///     Combinator, Extracted, FiveTuple, FlowExtractor, Layer, OrPlain, PacketView, Refusal,
///     peel,
/// };
/// use flowscope_testkit::frame;
///
/// /// One kind of tunnel within another.
/// struct GtpInGre<E>(E);
///
/// impl<E: FlowExtractor> Combinator for GtpInGre<E> {
///     type Inner = E;
///
///     fn inner(&self) -> &E {
///         &self.0
///     }
///
///     fn peel(&self, view: &mut PacketView<'_>) -> Result<bool, Refusal> {
///         let mut inside = *view;
///         let found = peel(&mut inside, Layer::Gre)? && peel(&mut inside, Layer::GtpU)?;
///         if found {
///             *view = inside;
///         }
///         Ok(found)
///     }
/// }
///
/// impl<E: FlowExtractor> FlowExtractor for GtpInGre<E> {
///     type Key = E::Key;
///
///     fn extract(&self, view: PacketView<'_>) -> Option<Extracted<E::Key>> {
///         self.extract_inside(view)
///     }
///
///     fn explain(&self, view: PacketView<'_>) -> Refusal {
///         self.explain_inside(view)
///     }
/// }
///
/// let outer = frame().ethernet().ipv4("192.0.2.1", "192.0.2.2").gre().ipv4("192.0.2.3", "192.0.2.4");
/// let packet = outer.gtpu(77).ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet();
/// let extractor = OrPlain(GtpInGre(FiveTuple::bidirectional()));
/// let found = extractor.extract(packet.view()).expect("a flow");
/// assert_eq!(found.key.to_string(), "10.0.0.1:1 <-> 10.0.0.2:2");
/// ```
pub trait Combinator: FlowExtractor {
    /// The type of the inner extractor.
    type Inner: FlowExtractor<Key = Self::Key>;

    /// Returns the inner extractor.
    fn inner(&self) -> &Self::Inner;

    /// Moves the cursor of the view behind the layer and returns `true`. Returns `false` and leaves the view
    /// unchanged if the layer is not there.
    ///
    /// # Errors
    ///
    /// When the packet cannot be read that far. The view is unchanged.
    fn peel(&self, view: &mut PacketView<'_>) -> Result<bool, Refusal>;

    /// [`FlowExtractor::extract`] of a combinator: the result of the inner extractor.
    #[inline(always)]
    fn extract_inside(&self, mut view: PacketView<'_>) -> Option<Extracted<Self::Key>> {
        match self.peel(&mut view) {
            Ok(true) => self.inner().extract(view),
            _ => None,
        }
    }

    /// [`FlowExtractor::explain`] of a combinator: [`NotAFlow`](Refusal::NotAFlow) if the layer is missing,
    /// otherwise the explanation of the inner extractor.
    fn explain_inside(&self, mut view: PacketView<'_>) -> Refusal {
        match self.peel(&mut view) {
            Ok(true) => self.inner().explain(view),
            Ok(false) => Refusal::NotAFlow,
            Err(refusal) => refusal,
        }
    }
}

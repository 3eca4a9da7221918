use flowscope_core::{Extracted, FlowExtractor, PacketView, Refusal};

/// An extractor that peels a layer and hands the rest to another.
///
/// [`OrPlain`](crate::OrPlain) asks for the parts of a combinator; whoever writes one of their own
/// implements this too. Layers are peeled with [`peel`](crate::peel), the rest is given:
///
/// ```
/// use flowscope_core::{Extracted, FlowExtractor, Layer, PacketView, Refusal};
/// use flowscope_extract::{Combinator, FiveTuple, OrPlain, peel};
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
    /// The extractor that sees what is inside.
    type Inner: FlowExtractor<Key = Self::Key>;

    /// That extractor.
    fn inner(&self) -> &Self::Inner;

    /// Moves the view's cursor behind the layer; `false` if the layer is not there, and the view is
    /// as it was.
    ///
    /// # Errors
    ///
    /// When the packet cannot be read that far. The view is as it was.
    fn peel(&self, view: &mut PacketView<'_>) -> Result<bool, Refusal>;

    /// What [`FlowExtractor::extract`] is for a combinator: what the inner extractor says.
    #[inline(always)]
    fn extract_inside(&self, mut view: PacketView<'_>) -> Option<Extracted<Self::Key>> {
        match self.peel(&mut view) {
            Ok(true) => self.inner().extract(view),
            _ => None,
        }
    }

    /// What [`FlowExtractor::explain`] is for a combinator: a layer that is missing is
    /// [`NotAFlow`](Refusal::NotAFlow), and for the rest the inner extractor knows.
    fn explain_inside(&self, mut view: PacketView<'_>) -> Refusal {
        match self.peel(&mut view) {
            Ok(true) => self.inner().explain(view),
            Ok(false) => Refusal::NotAFlow,
            Err(refusal) => refusal,
        }
    }
}

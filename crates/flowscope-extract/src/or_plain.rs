use flowscope_core::{Endpoints, Extracted, FlowExtractor, PacketView, Refusal, UnreadHeader};

use crate::combinator::Combinator;

/// Makes the layer of a combinator optional: a packet without the layer goes unchanged to the inner
/// extractor.
///
/// A packet that has the layer but no flow inside is still refused.
///
/// ```
/// use flowscope_extract::{FiveTuple, FlowExtractor, OrPlain, StripVlan};
/// use flowscope_testkit::frame;
///
/// let plain = frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet();
/// let tagged = frame().ethernet().vlan(5).ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet();
/// let five = FiveTuple::bidirectional();
/// assert!(StripVlan(five).extract(plain.view()).is_none());
/// let keys = [plain, tagged].map(|packet| {
///     OrPlain(StripVlan(five)).extract(packet.view()).expect("a flow, tagged or not").key
/// });
/// assert_eq!(keys[0], keys[1]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OrPlain<C>(pub C);

impl<C: Combinator> Combinator for OrPlain<C> {
    type Inner = C::Inner;

    #[inline]
    fn inner(&self) -> &C::Inner {
        self.0.inner()
    }

    #[inline]
    fn peel(&self, view: &mut PacketView<'_>) -> Result<bool, Refusal> {
        self.0.peel(view).map(|_| true)
    }
}

impl<C: Combinator> FlowExtractor for OrPlain<C> {
    type Key = C::Key;

    #[inline]
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<C::Key>> {
        self.extract_inside(view)
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        self.explain_inside(view)
    }

    fn unread(&self, view: PacketView<'_>) -> Option<UnreadHeader> {
        self.0.unread(view)
    }

    fn endpoints(key: &C::Key) -> Option<Endpoints> {
        C::Inner::endpoints(key)
    }
}

use std::fmt;

use flowscope_core::{Endpoints, Extracted, FlowExtractor, PacketView, Refusal, UnreadHeader};

/// Adds the packet's IPv6 flow label (RFC 6437) to the key of another extractor.
///
/// The label is that of the innermost IP header. It is 0 for IPv4, for packets without a label, and without
/// an IP header.
///
/// Not suitable for bidirectional flows: each sender chooses its own label, so the two directions of a
/// connection have different keys. A sender may also change the label during a connection; Linux does so when
/// it suspects packet loss on a path. Use it with
/// [`FiveTuple::unidirectional`](crate::FiveTuple::unidirectional), to get the flows that a load balancer
/// sees. In other cases read [`IpInfo::flow_label`](flowscope_core::IpInfo::flow_label) instead.
///
/// ```
/// use flowscope_extract::{FiveTuple, FlowExtractor, FlowLabel};
/// use flowscope_testkit::frame;
///
/// let packet = frame().ethernet().ipv6("::1", "::2").flow_label(0x12345).tcp(1, 2).packet();
/// let found = FlowLabel(FiveTuple::unidirectional()).extract(packet.view()).expect("a flow");
/// assert_eq!(found.key.to_string(), "[::1]:1 -> [::2]:2 label 0x12345");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FlowLabel<E>(pub E);

/// Key of an inner extractor together with an IPv6 flow label.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FlowLabelKey<K> {
    inner: K,
    label: u32,
}

impl<K> FlowLabelKey<K> {
    /// Combines a key with a label, of which the low 20 bits count.
    #[must_use]
    pub fn new(inner: K, label: u32) -> Self {
        FlowLabelKey { inner, label: label & 0xf_ffff }
    }

    /// The key of the inner extractor.
    #[must_use]
    pub const fn inner(&self) -> &K {
        &self.inner
    }

    /// The flow label, 20 bits.
    #[must_use]
    pub const fn label(&self) -> u32 {
        self.label
    }
}

/// `[::1]:40000 -> [::2]:443 label 0x12345`; without a label, the key alone.
impl<K: fmt::Display> fmt::Display for FlowLabelKey<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)?;
        match self.label {
            0 => Ok(()),
            label => write!(f, " label {label:#07x}"),
        }
    }
}

impl<E: FlowExtractor> FlowExtractor for FlowLabel<E> {
    type Key = FlowLabelKey<E::Key>;

    #[inline]
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<Self::Key>> {
        let found = self.0.extract(view)?;
        let label = found.ip.flow_label;
        Some(found.map_key(|inner| FlowLabelKey::new(inner, label)))
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        self.0.explain(view)
    }

    fn unread(&self, view: PacketView<'_>) -> Option<UnreadHeader> {
        self.0.unread(view)
    }

    fn endpoints(key: &Self::Key) -> Option<Endpoints> {
        E::endpoints(key.inner())
    }
}

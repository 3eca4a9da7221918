use std::fmt;

use flowscope_core::{Extracted, FlowExtractor, PacketView, Refusal};

/// Adds the packet's IPv6 flow label (RFC 6437) to the key of another extractor.
///
/// The label is that of the innermost IP header, 0 for IPv4, for packets that are not labelled, and
/// where there is no IP header.
///
/// Wrong for flows of two directions: each sender chooses its own label, so the two halves of a
/// connection have different keys and become two flows. A sender may also change the label within a
/// connection, as Linux does when it suspects a path of losing packets. Right where each direction
/// is a flow anyway ([`FiveTuple::unidirectional`](crate::FiveTuple::unidirectional)) and flows are to be what a load balancer takes
/// for one. Elsewhere read [`IpInfo::flow_label`](flowscope_core::IpInfo::flow_label), which needs
/// no place in the key.
///
/// ```
/// use flowscope_core::FlowExtractor;
/// use flowscope_extract::{FiveTuple, FlowLabel};
/// use flowscope_testkit::frame;
///
/// let packet = frame().ethernet().ipv6("::1", "::2").flow_label(0x12345).tcp(1, 2).packet();
/// let found = FlowLabel(FiveTuple::unidirectional()).extract(packet.view()).expect("a flow");
/// assert_eq!(found.key.to_string(), "[::1]:1 -> [::2]:2 label 0x12345");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FlowLabel<E>(pub E);

/// A key and the flow label of its packets.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FlowLabelKey<K> {
    inner: K,
    label: u32,
}

impl<K> FlowLabelKey<K> {
    /// The key of packets that have this label, of which 20 bits count.
    #[must_use]
    pub fn new(inner: K, label: u32) -> Self {
        FlowLabelKey { inner, label: label & 0xf_ffff }
    }

    /// The key without the label.
    #[must_use]
    pub const fn inner(&self) -> &K {
        &self.inner
    }

    /// The label.
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
}

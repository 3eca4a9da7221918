use flowscope_core::{Datagram, Extracted, FlowExtractor, FlowSide, L4Proto, PacketView};

use crate::parser::read_datagram;
use crate::{DnsConfig, DnsKind, DnsMessage};

/// Takes the messages that a [`DnsUdpObserver`] finds. Any `FnMut(&K, DnsMessage)` is one.
pub trait DnsHandler<K> {
    /// A message of the flow `key`.
    fn message(&mut self, key: &K, message: DnsMessage);
}

impl<K, F: FnMut(&K, DnsMessage)> DnsHandler<K> for F {
    fn message(&mut self, key: &K, message: DnsMessage) {
        self(key, message);
    }
}

/// Looks for DNS messages in packets on their way to a tracker.
///
/// It extracts with `E`, hands messages to `H`, and returns what it extracted, so that nobody has
/// to do that twice. It keeps no flow state: a datagram is looked at if one of its ports is among
/// [`ports`](Self::ports), and gives the message that a [`DnsUdpParser`](crate::DnsUdpParser) reads
/// from it. Without a flow table nobody knows the initiator; the side of a message follows from the
/// ports, and where both or neither of them qualify, by whether it asks.
///
/// A fragment gives no message: join it, then observe the whole.
///
/// ```
/// # use flowscope_core::{Extracted, FlowExtractor, L4Proto, LinkType, Orientation, PacketView};
/// # use flowscope_core::{Payload, Timestamp};
/// # use flowscope_dns::DnsUdpObserver;
/// # struct Five;
/// # impl FlowExtractor for Five {
/// #     type Key = u8;
/// #     fn extract(&self, view: PacketView<'_>) -> Option<Extracted<u8>> {
/// #         let mut x = Extracted::new(7, Orientation::Forward);
/// #         let len = view.frame().len() as u32;
/// #         (x.l4, x.ports) = (Some(L4Proto::Udp), Some((40000, 53)));
/// #         x.payload = Payload::new(0, len, len);
/// #         Some(x)
/// #     }
/// # }
/// # let frame = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";
/// # let view = PacketView::new(frame, LinkType::RAW, Timestamp::ZERO);
/// # let extractor = Five;
/// let mut seen = Vec::new();
/// let mut observer = DnsUdpObserver::new(extractor, |_key: &_, message| seen.push(message));
/// let extracted = observer.observe(view).expect("a packet of a flow");
/// // tracker.track_extracted(view, extracted, &mut sink);
/// # assert_eq!(extracted.key, 7);
/// assert_eq!(seen[0].questions()[0].name().to_string(), "example.com");
/// ```
#[derive(Clone, Debug)]
pub struct DnsUdpObserver<E, H> {
    extractor: E,
    handler: H,
    ports: Vec<u16>,
    config: DnsConfig,
}

impl<E: FlowExtractor, H: DnsHandler<E::Key>> DnsUdpObserver<E, H> {
    /// An observer of port 53.
    #[must_use]
    pub fn new(extractor: E, handler: H) -> Self {
        DnsUdpObserver { extractor, handler, ports: vec![53], config: DnsConfig::default() }
    }

    /// The ports to look at; default 53. Multicast DNS uses 5353, LLMNR 5355.
    #[must_use]
    pub fn ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.ports = ports.into_iter().collect();
        self
    }

    /// The limits for reading a message.
    #[must_use]
    pub fn config(mut self, config: DnsConfig) -> Self {
        self.config = config;
        self
    }

    /// Looks at a packet, and returns what the extractor found in it.
    pub fn observe(&mut self, view: PacketView<'_>) -> Option<Extracted<E::Key>> {
        let extracted = self.extractor.extract(view)?;
        if let Some(message) = self.message(&view, &extracted) {
            self.handler.message(&extracted.key, message);
        }
        Some(extracted)
    }

    /// The extractor.
    #[must_use]
    pub fn extractor(&self) -> &E {
        &self.extractor
    }

    /// The handler.
    pub fn handler(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Gives the handler back.
    #[must_use]
    pub fn into_handler(self) -> H {
        self.handler
    }

    fn message(&self, view: &PacketView<'_>, x: &Extracted<E::Key>) -> Option<DnsMessage> {
        if x.l4 != Some(L4Proto::Udp) || x.fragment.is_some() || x.corrupt {
            return None;
        }
        let (from, to) = x.ports?;
        let [from, to] = [from, to].map(|port| self.ports.contains(&port));
        if !from && !to {
            return None;
        }
        let side = if to { FlowSide::Initiator } else { FlowSide::Responder };
        let payload = x.payload.of(view);
        let datagram = Datagram::new(side, view.ts(), payload).wire_len(x.payload.wire_len);
        let mut message = read_datagram(&datagram, &self.config)?;
        if from == to && message.kind() == DnsKind::Response {
            message.side = FlowSide::Responder;
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests;

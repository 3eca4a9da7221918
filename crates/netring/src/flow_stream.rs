use std::io::Write;

use flowscope_core::{DatagramParserFactory, FlowExtractor, SessionParserFactory};
use flowscope_driver::{
    DatagramDriver, Driver, DriverConfig, FlowDriver, Protocols, SessionDriver,
};
use flowscope_filter::Filter;
use flowscope_pcap::CaptureWriter;
use flowscope_track::TrackerConfig;

use crate::{
    AsyncPacketSource, AsyncReassemblerDriver, AsyncReassemblerFactory, ConversationConfig,
    ConversationDriver, Conversations, Dedup, EventStream, ReassembledStream, Stalled,
};

/// The life of every flow: a stream of [`FlowEvent`](flowscope_track::FlowEvent)s, and what other
/// streams are made of. See [`EventStream`] for what all streams of events do.
///
/// What is made of it uses its extractor and its configuration. Make it before the first item is
/// read: flows that this stream has begun are not told about any further.
pub type FlowStream<S, E> = EventStream<S, FlowDriver<E>>;

/// Flows and the messages of one stream protocol:
/// [`SessionEvent`](flowscope_driver::SessionEvent)s.
pub type SessionStream<S, E, F> = EventStream<S, SessionDriver<E, F>>;

/// Flows and the messages of one datagram protocol:
/// [`SessionEvent`](flowscope_driver::SessionEvent)s.
pub type DatagramStream<S, E, F> = EventStream<S, DatagramDriver<E, F>>;

/// Flows and the messages of several protocols: [`SessionEvent`](flowscope_driver::SessionEvent)s.
pub type ProtocolStream<S, E, M> = EventStream<S, Driver<E, M>>;

impl<S: AsyncPacketSource, E: FlowExtractor> FlowStream<S, E> {
    /// Has flows tracked and streams read as `config` says, instead of as
    /// [`default_config`](crate::default_config).
    #[must_use]
    pub fn with_config(self, config: DriverConfig) -> Self {
        self.replace_driver(|driver| FlowDriver::with_config(driver.into_parts().0, config))
    }

    /// Leaves out [`Packet`](flowscope_track::FlowEvent::Packet) events, of which there is one for each
    /// packet.
    #[must_use]
    pub fn without_packets(self) -> Self {
        let config = self.driver().config().clone().packet_events(false);
        self.with_config(config)
    }

    /// Changes the configuration of the flow table, keeping what `change` leaves alone; otherwise as
    /// [`with_config`](Self::with_config).
    #[must_use]
    pub fn with_tracker(self, change: impl FnOnce(TrackerConfig) -> TrackerConfig) -> Self {
        let config = self.driver().config().clone().map_tracker(change);
        self.with_config(config)
    }

    /// As [`AsyncCapture::with_filter`](crate::AsyncCapture::with_filter).
    #[must_use]
    pub fn with_filter(self, filter: Filter) -> Self {
        self.map_capture(|capture| capture.with_filter(filter))
    }

    /// As [`AsyncCapture::with_pcap_tap`](crate::AsyncCapture::with_pcap_tap).
    #[must_use]
    pub fn with_pcap_tap(self, writer: CaptureWriter<impl Write + Send + 'static>) -> Self {
        self.map_capture(|capture| capture.with_pcap_tap(writer))
    }

    /// As [`AsyncCapture::dedup`](crate::AsyncCapture::dedup).
    #[must_use]
    pub fn dedup(self, dedup: Dedup) -> Self {
        self.map_capture(|capture| capture.dedup(dedup))
    }

    /// Reads every TCP flow with a parser that `parsers` makes. A parser that is `Default + Clone` is
    /// its own factory.
    #[must_use]
    pub fn session_stream<F: SessionParserFactory<E::Key>>(
        self,
        parsers: F,
    ) -> SessionStream<S, E, F> {
        self.replace_driver(|driver| {
            let (extractor, config) = driver.into_parts();
            SessionDriver::<E, F>::with_config(extractor, parsers, config)
        })
    }

    /// Reads every flow but TCP's with a parser that `parsers` makes.
    #[must_use]
    pub fn datagram_stream<F: DatagramParserFactory<E::Key>>(
        self,
        parsers: F,
    ) -> DatagramStream<S, E, F> {
        self.replace_driver(|driver| {
            let (extractor, config) = driver.into_parts();
            DatagramDriver::<E, F>::with_config(extractor, parsers, config)
        })
    }

    /// Reads every flow with whichever of `protocols` it speaks.
    #[must_use]
    pub fn protocol_stream<M>(self, protocols: Protocols<M>) -> ProtocolStream<S, E, M> {
        self.replace_driver(|driver| {
            let (extractor, config) = driver.into_parts();
            Driver::with_config(extractor, protocols, config)
        })
    }

    /// Every TCP flow as a stream of what both its sides say, for as many readers as there are flows:
    /// see [`Conversations`].
    #[must_use]
    pub fn conversations(self, config: ConversationConfig) -> Conversations<S, E> {
        let config = config.or_stalled(self.policy());
        self.replace_driver(|driver| {
            let (extractor, driver_config) = driver.into_parts();
            ConversationDriver::new(extractor, driver_config, config)
        })
    }

    /// Has every side of every TCP flow read by an [`AsyncReassembler`](crate::AsyncReassembler) that
    /// `factory` makes, within the [`ConversationConfig`]'s defaults, but that the capture always
    /// [waits](Stalled::Wait) for one that has used up its credit.
    #[must_use]
    pub fn with_async_reassembler<F: AsyncReassemblerFactory<E::Key>>(
        self,
        factory: F,
    ) -> ReassembledStream<S, E, F> {
        self.with_async_reassembler_config(factory, ConversationConfig::default())
    }

    /// As [`with_async_reassembler`](Self::with_async_reassembler), with another credit or policy. The
    /// credit is each side's, and the policy [`Stalled::Wait`] unless another is set.
    #[must_use]
    pub fn with_async_reassembler_config<F: AsyncReassemblerFactory<E::Key>>(
        self,
        factory: F,
        config: ConversationConfig,
    ) -> ReassembledStream<S, E, F> {
        self.replace_driver(|driver| {
            let (extractor, driver_config) = driver.into_parts();
            AsyncReassemblerDriver::new(extractor, factory, driver_config, config)
        })
    }

    /// What a capture that can be made to wait without a loss does, and what another does.
    fn policy(&self) -> Stalled {
        match self.capture().source().latency() {
            Some(_) => Stalled::Gap,
            None => Stalled::Wait,
        }
    }
}

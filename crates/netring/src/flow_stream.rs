use std::io::Write;

use flowscope_core::{DatagramParserFactory, FlowExtractor, SessionParserFactory};
use flowscope_driver::{
    DatagramDriver, Driver, DriverConfig, FlowDriver, Protocols, SessionDriver,
};
use flowscope_filter::Filter;
use flowscope_pcap::CaptureWriter;
use flowscope_track::TrackerConfig;

use crate::{
    AsyncDriver, AsyncPacketSource, AsyncReassemblerDriver, AsyncReassemblerFactory,
    ConversationConfig, ConversationDriver, Conversations, Dedup, EventStream, ReassembledStream,
    Stalled,
};

/// Lifecycle of every flow, as [`FlowEvent`](flowscope_track::FlowEvent)s, and the base of the
/// other streams. See [`EventStream`] for what all event streams have in common.
///
/// Streams derived from this one take over its extractor and configuration. Derive them before
/// reading the first item: events of flows that this stream has already started are not continued.
pub type FlowStream<S, E> = EventStream<S, FlowDriver<E>>;

/// Flow events and the messages of one stream protocol:
/// [`SessionEvent`](flowscope_driver::SessionEvent)s.
pub type SessionStream<S, E, F> = EventStream<S, SessionDriver<E, F>>;

/// Flow events and the messages of one datagram protocol:
/// [`SessionEvent`](flowscope_driver::SessionEvent)s.
pub type DatagramStream<S, E, F> = EventStream<S, DatagramDriver<E, F>>;

/// Flow events and the messages of several protocols:
/// [`SessionEvent`](flowscope_driver::SessionEvent)s.
pub type ProtocolStream<S, E, M> = EventStream<S, Driver<E, M>>;

impl<S: AsyncPacketSource, E: FlowExtractor> FlowStream<S, E> {
    /// Sets the configuration of tracking and reassembly. Default:
    /// [`default_config`](crate::default_config).
    #[must_use]
    pub fn with_config(self, config: DriverConfig) -> Self {
        self.replace_driver(|driver| FlowDriver::with_config(driver.into_parts().0, config))
    }

    /// Omits [`Packet`](flowscope_track::FlowEvent::Packet) events, of which there is one per
    /// packet.
    #[must_use]
    pub fn without_packets(self) -> Self {
        let config = self.driver().config().clone().packet_events(false);
        self.with_config(config)
    }

    /// Changes the configuration of the flow table; see also [`with_config`](Self::with_config).
    #[must_use]
    pub fn with_tracker(self, change: impl FnOnce(TrackerConfig) -> TrackerConfig) -> Self {
        let config = self.driver().config().clone().map_tracker(change);
        self.with_config(config)
    }

    /// Drops packets that do not match: see
    /// [`AsyncCapture::with_filter`](crate::AsyncCapture::with_filter).
    #[must_use]
    pub fn with_filter(self, filter: Filter) -> Self {
        self.map_capture(|capture| capture.with_filter(filter))
    }

    /// Records packets: see [`AsyncCapture::with_pcap_tap`](crate::AsyncCapture::with_pcap_tap).
    #[must_use]
    pub fn with_pcap_tap(self, writer: CaptureWriter<impl Write + Send + 'static>) -> Self {
        self.map_capture(|capture| capture.with_pcap_tap(writer))
    }

    /// Removes duplicate packets: see [`AsyncCapture::dedup`](crate::AsyncCapture::dedup).
    #[must_use]
    pub fn dedup(self, dedup: Dedup) -> Self {
        self.map_capture(|capture| capture.dedup(dedup))
    }

    /// Parses every TCP flow with a parser made by `parsers`. A parser that is `Default + Clone` is
    /// its own factory.
    #[must_use]
    pub fn session_stream<F: SessionParserFactory<E::Key>>(
        self,
        parsers: F,
    ) -> SessionStream<S, E, F>
    where
        SessionDriver<E, F>: AsyncDriver,
    {
        self.replace_driver(|driver| {
            let (extractor, config) = driver.into_parts();
            SessionDriver::<E, F>::with_config(extractor, parsers, config)
        })
    }

    /// Parses every flow other than TCP with a parser made by `parsers`.
    #[must_use]
    pub fn datagram_stream<F: DatagramParserFactory<E::Key>>(
        self,
        parsers: F,
    ) -> DatagramStream<S, E, F>
    where
        DatagramDriver<E, F>: AsyncDriver,
    {
        self.replace_driver(|driver| {
            let (extractor, config) = driver.into_parts();
            DatagramDriver::<E, F>::with_config(extractor, parsers, config)
        })
    }

    /// Detects which of `protocols` each flow speaks, and parses it.
    #[must_use]
    pub fn protocol_stream<M>(self, protocols: Protocols<M>) -> ProtocolStream<S, E, M>
    where
        Driver<E, M>: AsyncDriver,
    {
        self.replace_driver(|driver| {
            let (extractor, config) = driver.into_parts();
            Driver::with_config(extractor, protocols, config)
        })
    }

    /// Opens a [`Conversation`](crate::Conversation) for every TCP flow: see [`Conversations`].
    #[must_use]
    pub fn conversations(self, config: ConversationConfig) -> Conversations<S, E> {
        let (config, live) = (config.or_stalled(self.policy()), self.is_live());
        self.replace_driver(|driver| {
            let (extractor, driver_config) = driver.into_parts();
            let driver = ConversationDriver::new(extractor, driver_config, config);
            if live { driver } else { driver.without_timers() }
        })
    }

    /// Passes each side of every TCP flow to an [`AsyncReassembler`](crate::AsyncReassembler) made
    /// by `factory`, with the default [`ConversationConfig`]: a slow reassembler of a live capture
    /// [misses bytes](Stalled::Gap) of its own flow, and a capture file [waits](Stalled::Wait).
    #[must_use]
    pub fn with_async_reassembler<F: AsyncReassemblerFactory<E::Key>>(
        self,
        factory: F,
    ) -> ReassembledStream<S, E, F> {
        self.with_async_reassembler_config(factory, ConversationConfig::default())
    }

    /// As [`with_async_reassembler`](Self::with_async_reassembler), with another configuration. The
    /// credit is per side.
    #[must_use]
    pub fn with_async_reassembler_config<F: AsyncReassemblerFactory<E::Key>>(
        self,
        factory: F,
        config: ConversationConfig,
    ) -> ReassembledStream<S, E, F> {
        let (config, live) = (config.or_stalled(self.policy()), self.is_live());
        self.replace_driver(|driver| {
            let (extractor, driver_config) = driver.into_parts();
            let driver = AsyncReassemblerDriver::new(extractor, factory, driver_config, config);
            if live { driver } else { driver.without_timers() }
        })
    }

    /// Default policy: wait if the capture can wait without loss, else leave a gap.
    fn policy(&self) -> Stalled {
        if self.is_live() { Stalled::Gap } else { Stalled::Wait }
    }

    fn is_live(&self) -> bool {
        self.capture().source().latency().is_some()
    }
}

use std::io::Write;

use flowscope_core::{DatagramParserFactory, FlowExtractor, PacketView, SessionParserFactory};
use flowscope_driver::{
    DatagramDriver, Driver, DriverConfig, FlowDriver, Protocols, SessionDriver,
};
use flowscope_pcap::CaptureWriter;

use crate::{AsyncPacketSource, Dedup, EventStream};

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
        self.replace_driver(config, |driver, config| {
            FlowDriver::with_config(driver.into_extractor(), config)
        })
    }

    /// As [`AsyncCapture::with_filter`](crate::AsyncCapture::with_filter).
    #[must_use]
    pub fn with_filter(self, filter: impl FnMut(PacketView<'_>) -> bool + Send + 'static) -> Self {
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
        let config = self.config().clone();
        self.replace_driver(config, |driver, config| {
            SessionDriver::<E, F>::with_config(driver.into_extractor(), parsers, config)
        })
    }

    /// Reads every flow but TCP's with a parser that `parsers` makes.
    #[must_use]
    pub fn datagram_stream<F: DatagramParserFactory<E::Key>>(
        self,
        parsers: F,
    ) -> DatagramStream<S, E, F> {
        let config = self.config().clone();
        self.replace_driver(config, |driver, config| {
            DatagramDriver::<E, F>::with_config(driver.into_extractor(), parsers, config)
        })
    }

    /// Reads every flow with whichever of `protocols` it speaks.
    #[must_use]
    pub fn protocol_stream<M>(self, protocols: Protocols<M>) -> ProtocolStream<S, E, M> {
        let config = self.config().clone();
        self.replace_driver(config, |driver, config| {
            Driver::with_config(driver.into_extractor(), protocols, config)
        })
    }
}

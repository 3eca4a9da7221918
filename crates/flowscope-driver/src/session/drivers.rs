use flowscope_core::{
    DatagramParserFactory, Extracted, FlowExtractor, ReassemblerFactory, SessionParserFactory,
};
use flowscope_reassembly::StreamReassemblerFactory;

use super::SessionEngine;
use crate::config::DriverConfig;
use crate::detection::{Datagrams, ProtocolSet, Protocols, Sessions, Streams};

/// Packets in, messages of one stream protocol out: a parser from the factory `F` reads each TCP flow.
///
/// See [`SessionEngine`] for the methods.
pub type SessionDriver<E, F, U = ()> = SessionEngine<E, Sessions<F>, U>;

/// Packets in, messages of one datagram protocol out: a parser from the factory `F` reads each flow that
/// is not TCP.
///
/// See [`SessionEngine`] for the methods.
pub type DatagramDriver<E, F, U = ()> = SessionEngine<E, Datagrams<F>, U>;

/// Packets in, TCP streams out: a reassembler from the factory `R` takes each direction of a flow and
/// does all further work itself.
///
/// Such a reassembler is the callback shape of a protocol,
/// [`Callbacks`](flowscope_session::Callbacks), or anything that reads or stores bytes. Flow events,
/// gaps and conflicts are reported as by the other drivers; callers who need none give `&mut ()` to
/// [`handle_batch_with`](SessionEngine::handle_batch_with).
///
/// See [`SessionEngine`] for the methods.
pub type StreamDriver<E, R, U = ()> = SessionEngine<E, Streams<R>, U>;

/// Packets in, messages of several protocols out: each flow is read by the one of [`Protocols`] that it
/// speaks, and messages are of the caller's type `M`.
///
/// See [`SessionEngine`] for the methods.
pub type Driver<E, M, U = (), S = ()> = SessionEngine<E, Protocols<M, S>, U>;

impl<E: FlowExtractor, F: SessionParserFactory<E::Key>> SessionEngine<E, Sessions<F>> {
    /// Creates a driver with the default configuration. A parser that is `Default + Clone` is its own
    /// factory: `SessionDriver::new(extractor, HttpParser::default())`.
    #[must_use]
    pub fn new(extractor: E, parsers: F) -> Self {
        Self::with_config(extractor, parsers, DriverConfig::default())
    }

    /// Creates a driver with this configuration.
    #[must_use]
    pub fn with_config(extractor: E, parsers: F, config: DriverConfig) -> Self {
        Self::with_state(extractor, parsers, config, |_| ())
    }
}

impl<E: FlowExtractor, F: SessionParserFactory<E::Key>, U> SessionEngine<E, Sessions<F>, U> {
    /// Creates a driver that keeps a state of the caller's with each flow; `init` makes it from the flow's
    /// first packet.
    #[must_use]
    pub fn with_state(
        extractor: E,
        parsers: F,
        config: DriverConfig,
        init: impl FnMut(&Extracted<E::Key>) -> U + Send + 'static,
    ) -> Self {
        let streams =
            StreamReassemblerFactory::new(config.streams.clone()).in_order_of_both_sides();
        Self::with_classifier(extractor, Sessions::new(parsers, streams), config, init)
    }
}

impl<E: FlowExtractor, F: DatagramParserFactory<E::Key>> SessionEngine<E, Datagrams<F>> {
    /// Creates a driver with the default configuration. A parser that is `Default + Clone` is its own
    /// factory: `DatagramDriver::new(extractor, DnsUdpParser::default())`.
    #[must_use]
    pub fn new(extractor: E, parsers: F) -> Self {
        Self::with_config(extractor, parsers, DriverConfig::default())
    }

    /// Creates a driver with this configuration.
    #[must_use]
    pub fn with_config(extractor: E, parsers: F, config: DriverConfig) -> Self {
        Self::with_state(extractor, parsers, config, |_| ())
    }
}

impl<E: FlowExtractor, F: DatagramParserFactory<E::Key>, U> SessionEngine<E, Datagrams<F>, U> {
    /// Creates a driver that keeps a state of the caller's with each flow; `init` makes it from the flow's
    /// first packet.
    #[must_use]
    pub fn with_state(
        extractor: E,
        parsers: F,
        config: DriverConfig,
        init: impl FnMut(&Extracted<E::Key>) -> U + Send + 'static,
    ) -> Self {
        Self::with_classifier(extractor, Datagrams::new(parsers), config, init)
    }
}

impl<E: FlowExtractor, R: ReassemblerFactory<E::Key>> SessionEngine<E, Streams<R>> {
    /// Creates a driver with the default configuration.
    #[must_use]
    pub fn new(extractor: E, reassemblers: R) -> Self {
        Self::with_config(extractor, reassemblers, DriverConfig::default())
    }

    /// Creates a driver with this configuration. Its [`streams`](DriverConfig::streams) are not used: the
    /// reassemblers are the caller's.
    #[must_use]
    pub fn with_config(extractor: E, reassemblers: R, config: DriverConfig) -> Self {
        Self::with_state(extractor, reassemblers, config, |_| ())
    }
}

impl<E: FlowExtractor, R: ReassemblerFactory<E::Key>, U> SessionEngine<E, Streams<R>, U> {
    /// As [`with_config`](Self::with_config), for a driver that keeps a state of the caller's with each
    /// flow; `init` makes it from the flow's first packet.
    #[must_use]
    pub fn with_state(
        extractor: E,
        reassemblers: R,
        config: DriverConfig,
        init: impl FnMut(&Extracted<E::Key>) -> U + Send + 'static,
    ) -> Self {
        Self::with_classifier(extractor, Streams::new(reassemblers), config, init)
    }
}

impl<E: FlowExtractor, M, S: ProtocolSet<M>> SessionEngine<E, Protocols<M, S>> {
    /// Creates a driver with the default configuration.
    #[must_use]
    pub fn new(extractor: E, protocols: Protocols<M, S>) -> Self {
        Self::with_config(extractor, protocols, DriverConfig::default())
    }

    /// Creates a driver with this configuration. The ports of the protocols are added to the
    /// [listening ports](flowscope_track::TrackerConfig::listening_ports).
    #[must_use]
    pub fn with_config(extractor: E, protocols: Protocols<M, S>, config: DriverConfig) -> Self {
        Self::with_state(extractor, protocols, config, |_| ())
    }
}

impl<E: FlowExtractor, M, U, S: ProtocolSet<M>> SessionEngine<E, Protocols<M, S>, U> {
    /// As [`with_config`](Self::with_config), for a driver that keeps a state of the caller's with each
    /// flow; `init` makes it from the flow's first packet.
    #[must_use]
    pub fn with_state(
        extractor: E,
        protocols: Protocols<M, S>,
        mut config: DriverConfig,
        init: impl FnMut(&Extracted<E::Key>) -> U + Send + 'static,
    ) -> Self {
        config.tracker = config.tracker.listening_ports(protocols.ports());
        let protocols = protocols.reassembly(config.streams.clone());
        Self::with_classifier(extractor, protocols, config, init)
    }
}

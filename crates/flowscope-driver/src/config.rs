use std::num::NonZeroUsize;

use flowscope_reassembly::{DefragConfig, StreamConfig};
use flowscope_track::TrackerConfig;

/// Driver configuration.
#[derive(Clone, Debug)]
pub struct DriverConfig {
    pub(crate) tracker: TrackerConfig,
    pub(crate) fragments: Option<DefragConfig>,
    pub(crate) checksums: Checksums,
    pub(crate) streams: StreamConfig,
    pub(crate) stream_share: u8,
    pub(crate) packet_events: bool,
}

impl Default for DriverConfig {
    fn default() -> Self {
        DriverConfig {
            tracker: TrackerConfig::default(),
            fragments: Some(DefragConfig::default()),
            checksums: Checksums::Off,
            streams: StreamConfig::default(),
            stream_share: 50,
            packet_events: true,
        }
    }
}

impl DriverConfig {
    /// Sets the configuration of the flow table. Default: [`TrackerConfig::default`].
    #[must_use]
    pub fn tracker(mut self, config: TrackerConfig) -> Self {
        self.tracker = config;
        self
    }

    /// Changes the configuration of the flow table, keeping what `change` leaves alone.
    #[must_use]
    pub fn map_tracker(mut self, change: impl FnOnce(TrackerConfig) -> TrackerConfig) -> Self {
        self.tracker = change(self.tracker);
        self
    }

    /// Sets how IP fragments are joined. Default: [`DefragConfig::default`]. With `None` every fragment is refused, as
    /// one whose datagram never became whole.
    #[must_use]
    pub fn fragments(mut self, config: Option<DefragConfig>) -> Self {
        self.fragments = config;
        self
    }

    /// Sets what wrong checksums lead to. Default: they are not verified.
    #[must_use]
    pub fn checksums(mut self, policy: Checksums) -> Self {
        self.checksums = policy;
        self
    }

    /// Sets how drivers that read TCP streams reassemble them. Default: [`StreamConfig::default`].
    #[must_use]
    pub fn streams(mut self, config: StreamConfig) -> Self {
        self.streams = config;
        self
    }

    /// How much of the tracker's [memory budget](TrackerConfig::memory_budget) reassemblers and
    /// parsers may take, in percent, the flow table getting the rest; default 50. What exceeds it is
    /// let go of: first what the flow that asks for more holds out of order, then that flow's parser.
    #[must_use]
    pub fn stream_share(mut self, percent: u8) -> Self {
        self.stream_share = percent.min(100);
        self
    }

    /// Whether a [`FlowDriver`](crate::FlowDriver) queues
    /// [`Packet`](flowscope_track::FlowEvent::Packet) events, one for each packet; default yes. Session
    /// engines have none.
    #[must_use]
    pub fn packet_events(mut self, on: bool) -> Self {
        self.packet_events = on;
        self
    }

    /// Returns how TCP streams are reassembled.
    #[must_use]
    pub fn stream_config(&self) -> &StreamConfig {
        &self.streams
    }

    /// The configuration of one of `shards` that share an input: limits are divided, but for the
    /// fragments, which the [`Router`](crate::Router) joins.
    #[must_use]
    pub fn divided(&self, shards: NonZeroUsize) -> Self {
        DriverConfig { tracker: self.tracker.divided(shards), ..self.clone() }
    }

    /// The table's configuration where streams are read too, and the bytes that those may hold.
    pub(crate) fn into_shares(self) -> (TrackerConfig, usize) {
        let budget = self.tracker.budget();
        let streams = budget / 100 * usize::from(self.stream_share);
        (self.tracker.memory_budget(budget - streams), streams)
    }
}

/// What wrong checksums lead to.
///
/// Captures taken on a sending host hold packets whose checksum the network card was still to fill
/// in. Those are recognised by what the kernel leaves in the field, and never count as wrong.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Checksums {
    /// They are not verified.
    #[default]
    Off,
    /// They are counted, nothing else.
    Count,
    /// The packet counts in its flow, but the receiver dropped it: it changes no TCP state, and its
    /// payload is no part of any stream.
    Exclude,
}

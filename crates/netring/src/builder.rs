use std::num::NonZeroU32;
use std::time::Duration;

use flowscope_filter::Filter;
use netring_capture::{AfPacket, AfPacketConfig, Capture, Fanout, Interface};

use crate::{AsyncCapture, Error, InOrder, Live, Merge};

/// Settings of a live capture. Made by [`AsyncCapture::builder`].
#[derive(Clone, Debug, Default)]
pub struct CaptureBuilder {
    config: AfPacketConfig,
    filter: Option<Filter>,
}

impl AsyncCapture<Live<AfPacket>> {
    /// Opens an interface of this thread's network namespace with default settings.
    ///
    /// # Errors
    ///
    /// [`CaptureError`](netring_capture::CaptureError): no such interface, missing permission, or a
    /// setting that the kernel refused.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or timers.
    pub fn open(interface: &str) -> Result<Self, Error> {
        Self::builder().open(interface)
    }

    /// Settings for a live capture.
    #[must_use]
    pub fn builder() -> CaptureBuilder {
        CaptureBuilder::default()
    }
}

impl<C: Capture + 'static> AsyncCapture<Live<C>> {
    /// Waits until there is a packet or an interface error to read, without reading it.
    ///
    /// # Errors
    ///
    /// [`Error::Wait`].
    pub async fn readable(&mut self) -> Result<(), Error> {
        self.source_mut().readable().await
    }
}

impl CaptureBuilder {
    /// Replaces all settings of the ring.
    #[must_use]
    pub fn af_packet(mut self, config: AfPacketConfig) -> Self {
        self.config = config;
        self
    }

    /// Captures only packets that match `filter`. The kernel applies it from the first packet on;
    /// packets that do not match take no space in the ring.
    #[must_use]
    pub fn filter(mut self, filter: impl Into<Filter>) -> Self {
        self.filter = Some(filter.into());
        self
    }

    /// See [`AfPacketConfig::promiscuous`].
    #[must_use]
    pub fn promiscuous(mut self, on: bool) -> Self {
        self.config = self.config.promiscuous(on);
        self
    }

    /// See [`AfPacketConfig::ignore_outgoing`].
    #[must_use]
    pub fn ignore_outgoing(mut self, on: bool) -> Self {
        self.config = self.config.ignore_outgoing(on);
        self
    }

    /// See [`AfPacketConfig::snap_len`].
    #[must_use]
    pub fn snap_len(mut self, bytes: NonZeroU32) -> Self {
        self.config = self.config.snap_len(bytes);
        self
    }

    /// See [`AfPacketConfig::hardware_timestamps`].
    #[must_use]
    pub fn hardware_timestamps(mut self, on: bool) -> Self {
        self.config = self.config.hardware_timestamps(on);
        self
    }

    /// How [`open_sharded`](Self::open_sharded) selects the worker of a packet: see
    /// [`AfPacketConfig::fanout`].
    #[must_use]
    pub fn fanout(mut self, fanout: Fanout) -> Self {
        self.config = self.config.fanout(fanout);
        self
    }

    /// Size of the kernel's ring: see [`AfPacketConfig::blocks`] and
    /// [`AfPacketConfig::block_size`].
    #[must_use]
    pub fn ring(mut self, blocks: NonZeroU32, block_size: NonZeroU32) -> Self {
        self.config = self.config.blocks(blocks).block_size(block_size);
        self
    }

    /// Longest time before a packet is seen: see [`AfPacketConfig::retire_timeout`].
    #[must_use]
    pub fn retire_timeout(mut self, timeout: Duration) -> Self {
        self.config = self.config.retire_timeout(timeout);
        self
    }

    /// See [`AfPacketConfig::shunt`]; each worker of [`open_sharded`](Self::open_sharded) has room for so many
    /// flows.
    #[must_use]
    pub fn shunt(mut self, flows: NonZeroU32) -> Self {
        self.config = self.config.shunt(flows);
        self
    }

    /// Opens the interface.
    ///
    /// # Errors
    ///
    /// As [`AsyncCapture::open`].
    ///
    /// # Panics
    ///
    /// As [`AsyncCapture::open`].
    pub fn open(self, interface: &str) -> Result<AsyncCapture<Live<AfPacket>>, Error> {
        let config = self.config_for(interface)?;
        Ok(AsyncCapture::new(Live::new(AfPacket::open(interface, &config)?)?))
    }

    /// Opens several interfaces as one capture, with packets in time order: see [`InOrder`]. The
    /// [`interface`](flowscope_core::PacketView::interface) of a packet is the index of its
    /// interface in the list, from 0.
    ///
    /// # Errors
    ///
    /// As [`AsyncCapture::open`], for the first interface that cannot be opened.
    ///
    /// # Panics
    ///
    /// As [`AsyncCapture::open`].
    pub fn open_all<'a>(
        self,
        interfaces: impl IntoIterator<Item = &'a str>,
    ) -> Result<AsyncCapture<InOrder<Merge<Live<AfPacket>>>>, Error> {
        let captures = (0..).zip(interfaces).map(|(number, interface)| {
            let config = self.config_for(interface)?.interface_number(number);
            Live::new(AfPacket::open(interface, &config)?)
        });
        let captures = captures.collect::<Result<Vec<_>, _>>()?;
        Ok(AsyncCapture::new(Merge::new(captures).in_order()))
    }

    /// Opens all interfaces whose name matches `pattern`, such as `eth*` or `any`, as
    /// [`open_all`](Self::open_all) does: see [`Interface::matching`]. Interfaces that are added later are
    /// not captured.
    ///
    /// # Errors
    ///
    /// As [`AsyncCapture::open`]; no such interface if none matches.
    ///
    /// # Panics
    ///
    /// As [`AsyncCapture::open`].
    pub fn open_matching(
        self,
        pattern: &str,
    ) -> Result<AsyncCapture<InOrder<Merge<Live<AfPacket>>>>, Error> {
        let found = Interface::matching(pattern)?;
        self.open_all(found.iter().map(|interface| interface.name.as_str()))
    }

    /// Ring configuration for this interface.
    pub(crate) fn config_for(&self, interface: &str) -> Result<AfPacketConfig, Error> {
        let config = self.config.clone();
        let Some(filter) = &self.filter else { return Ok(config) };
        let found = Interface::find(interface)?;
        Ok(match found.link {
            Some(link) => config.filter(filter.compile_for_interface(interface, link)?),
            // Opening it reports that its frames cannot be decoded.
            None => config,
        })
    }
}

use std::num::NonZeroU32;
use std::time::Duration;

use flowscope_filter::Filter;
use netring_capture::{AfPacket, AfPacketConfig, Capture, Interface};

use crate::{AsyncCapture, Error, InOrder, Live, Merge};

/// A live capture with other settings than the default ones. Made by [`AsyncCapture::builder`].
#[derive(Clone, Debug, Default)]
pub struct CaptureBuilder {
    config: AfPacketConfig,
    filter: Option<Filter>,
}

impl AsyncCapture<Live<AfPacket>> {
    /// Captures on an interface, as seen from this thread's network namespace, with default settings.
    ///
    /// # Errors
    ///
    /// The interface, the permission, or what the kernel did not accept:
    /// [`CaptureError`](netring_capture::CaptureError).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O.
    pub fn open(interface: &str) -> Result<Self, Error> {
        Self::builder().open(interface)
    }

    /// Settings first.
    #[must_use]
    pub fn builder() -> CaptureBuilder {
        CaptureBuilder::default()
    }
}

impl<C: Capture> AsyncCapture<Live<C>> {
    /// Waits until there is something to read, and does not read it; also when something befell the
    /// interface, which reading tells.
    ///
    /// # Errors
    ///
    /// [`Error::Wait`].
    pub async fn readable(&mut self) -> Result<(), Error> {
        self.source_mut().readable().await
    }
}

impl CaptureBuilder {
    /// All settings of the ring at once.
    #[must_use]
    pub fn af_packet(mut self, config: AfPacketConfig) -> Self {
        self.config = config;
        self
    }

    /// Which packets to take. The kernel looks, from the first packet on, and what it refuses takes
    /// no room in the ring.
    #[must_use]
    pub fn filter(mut self, filter: impl Into<Filter>) -> Self {
        self.filter = Some(filter.into());
        self
    }

    /// As [`AfPacketConfig::promiscuous`].
    #[must_use]
    pub fn promiscuous(mut self, on: bool) -> Self {
        self.config = self.config.promiscuous(on);
        self
    }

    /// As [`AfPacketConfig::ignore_outgoing`].
    #[must_use]
    pub fn ignore_outgoing(mut self, on: bool) -> Self {
        self.config = self.config.ignore_outgoing(on);
        self
    }

    /// As [`AfPacketConfig::snap_len`].
    #[must_use]
    pub fn snap_len(mut self, bytes: NonZeroU32) -> Self {
        self.config = self.config.snap_len(bytes);
        self
    }

    /// As [`AfPacketConfig::blocks`] and [`AfPacketConfig::block_size`]: how much may wait in the
    /// kernel.
    #[must_use]
    pub fn ring(mut self, blocks: NonZeroU32, block_size: NonZeroU32) -> Self {
        self.config = self.config.blocks(blocks).block_size(block_size);
        self
    }

    /// As [`AfPacketConfig::retire_timeout`]: how old a packet may be before it is seen.
    #[must_use]
    pub fn retire_timeout(mut self, timeout: Duration) -> Self {
        self.config = self.config.retire_timeout(timeout);
        self
    }

    /// Starts to capture.
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

    /// Starts to capture on several interfaces as one, their packets in the order of their times: see
    /// [`InOrder`]. Packets tell by
    /// [`interface`](flowscope_core::PacketView::interface) which of them they came by: the first is
    /// number 0.
    ///
    /// # Errors
    ///
    /// As [`AsyncCapture::open`], of the first that cannot be opened.
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

    /// The configuration of a capture on this interface.
    pub(crate) fn config_for(&self, interface: &str) -> Result<AfPacketConfig, Error> {
        let config = self.config.clone();
        let Some(filter) = &self.filter else { return Ok(config) };
        let found = Interface::find(interface)?;
        Ok(match found.link {
            Some(link) => config.filter(filter.compile_for_interface(interface, link)?),
            // Opening it tells that nothing here decodes its frames.
            None => config,
        })
    }
}

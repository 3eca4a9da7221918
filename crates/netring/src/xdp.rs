use netring_capture::{AfXdp, AfXdpConfig};

use crate::{AsyncCapture, Error, Live, Sharded};

impl AsyncCapture<Live<AfXdp>> {
    /// Opens an AF_XDP capture of all queues of an interface. Requires feature `af-xdp`.
    ///
    /// It is not a passive tap: captured packets do not reach the network stack. Use it on an
    /// interface that receives from a mirror port. Timestamps are taken when a batch is read. There
    /// is no filter in the kernel: see [`with_filter`](AsyncCapture::with_filter).
    ///
    /// # Errors
    ///
    /// As [`AfXdp::open`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or timers.
    pub fn open_xdp(interface: &str, config: &AfXdpConfig) -> Result<Self, Error> {
        Ok(AsyncCapture::new(Live::new(AfXdp::open(interface, config)?)?))
    }
}

impl Sharded<AfXdp> {
    /// Opens one worker per receive queue of an interface. Requires feature `af-xdp`.
    ///
    /// The network card selects the queue of each packet. Both directions of a flow reach one
    /// worker only if its hash is symmetric; [`Affinity`](crate::Affinity) measures that.
    ///
    /// # Errors
    ///
    /// As [`AfXdp::open_queues`].
    pub fn open_queues(interface: &str, config: &AfXdpConfig) -> Result<Self, Error> {
        Ok(Sharded::new(AfXdp::open_queues(interface, config)?))
    }
}

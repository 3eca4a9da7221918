use netring_capture::{AfXdp, AfXdpConfig};

use crate::{AsyncCapture, Error, Live, Sharded};

impl AsyncCapture<Live<AfXdp>> {
    /// Captures on an interface by AF_XDP, all queues as one source. Needs the feature `af-xdp`.
    ///
    /// This is no tap: what is captured does not reach the network stack, so capture on an interface
    /// that a mirror port feeds. Times are those at which a batch is read. There is no filter in the
    /// kernel: see [`with_filter`](AsyncCapture::with_filter).
    ///
    /// # Errors
    ///
    /// As [`AfXdp::open`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O.
    pub fn open_xdp(interface: &str, config: &AfXdpConfig) -> Result<Self, Error> {
        Ok(AsyncCapture::new(Live::new(AfXdp::open(interface, config)?)?))
    }
}

impl Sharded<AfXdp> {
    /// A worker for each receive queue of an interface. Needs the feature `af-xdp`.
    ///
    /// Which queue a packet comes by is the network card's detection: both directions of a flow meet
    /// only if its hash is symmetric, which [`Affinity`](crate::Affinity) tells.
    ///
    /// # Errors
    ///
    /// As [`AfXdp::open_queues`].
    pub fn open_queues(interface: &str, config: &AfXdpConfig) -> Result<Self, Error> {
        Ok(Sharded::new(AfXdp::open_queues(interface, config)?))
    }
}

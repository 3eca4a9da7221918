use std::thread;
use std::time::Duration;

use netring_capture::{AfXdp, AfXdpConfig, CaptureError};
use tokio::sync::oneshot;

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
    pub async fn open_xdp(interface: &str, config: &AfXdpConfig) -> Result<Self, Error> {
        let capture = in_a_thread(interface, config, AfXdp::open).await?;
        Ok(AsyncCapture::new(Live::new(capture)?))
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
    pub async fn open_queues(interface: &str, config: &AfXdpConfig) -> Result<Self, Error> {
        Ok(Sharded::new(in_a_thread(interface, config, AfXdp::open_queues).await?))
    }
}

/// Opens captures in a thread of its own, as the driver of the card may take half a second. A new
/// thread is in the network namespace of the one that starts it, unlike those of the runtime.
async fn in_a_thread<T: Send + 'static>(
    interface: &str,
    config: &AfXdpConfig,
    open: fn(&str, &AfXdpConfig) -> Result<T, CaptureError>,
) -> Result<T, Error> {
    let (interface, config) = (interface.to_owned(), config.clone());
    let (sender, opened) = oneshot::channel();
    thread::Builder::new()
        .name("netring-open".into())
        .spawn(move || {
            let mut opened = open(&interface, &config);
            for _ in 0..ATTEMPTS {
                // It may be the program of a capture that was dropped and is being closed.
                let Err(CaptureError::ProgramAttached { .. }) = opened else { break };
                thread::sleep(PAUSE);
                opened = open(&interface, &config);
            }
            // If the future was dropped, so is the capture.
            let _ = sender.send(opened);
        })
        .map_err(Error::Wait)?;
    let opened = opened.await.map_err(|_| Error::Panicked("while opening AF_XDP".into()))?;
    Ok(opened?)
}

/// Half a second, which is longer than closing takes.
const ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(10);

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use flowscope_core::PacketView;
use netring_capture::{AfPacket, Block, Capture, Packets};
#[cfg(feature = "af-xdp")]
use netring_capture::{AfXdp, XdpBlock, XdpPackets};
use tokio::task::coop;

use crate::budget;
use crate::{AsyncCapture, Error, Live};

/// Block of the ring that is read in place, for as long as it is kept, also across `.await`; it is `Send`.
/// Made by [`AsyncCapture::next_block`].
///
/// Dropping it returns the block to the kernel. While it is kept, the kernel fills the other blocks of
/// the ring, or the other frames of an AF_XDP queue; when those are full, it drops new packets and counts them.
#[must_use = "its packets are lost when it is dropped"]
pub struct HeldBlock<'a> {
    block: Option<Lent<'a>>,
    /// Which packets passed the filter and duplicate removal; `None` if all did.
    passed: Option<&'a [bool]>,
}

const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<HeldBlock<'_>>();
};

/// What a ring lends.
pub(crate) enum Lent<'a> {
    Ring(Block<'a>),
    #[cfg(feature = "af-xdp")]
    Queue(XdpBlock<'a>),
}

/// The packets of it.
#[derive(Clone)]
enum LentPackets<'b> {
    Ring(Packets<'b>),
    #[cfg(feature = "af-xdp")]
    Queue(XdpPackets<'b>),
}

impl Lent<'_> {
    fn packets(&self) -> LentPackets<'_> {
        match self {
            Lent::Ring(block) => LentPackets::Ring(block.packets()),
            #[cfg(feature = "af-xdp")]
            Lent::Queue(block) => LentPackets::Queue(block.packets()),
        }
    }
}

impl<'b> Iterator for LentPackets<'b> {
    type Item = PacketView<'b>;

    #[inline]
    fn next(&mut self) -> Option<PacketView<'b>> {
        match self {
            LentPackets::Ring(packets) => packets.next(),
            #[cfg(feature = "af-xdp")]
            LentPackets::Queue(packets) => packets.next(),
        }
    }
}

impl AsyncCapture<Live<AfPacket>> {
    /// Waits for the next block of the ring, and lends it as a whole; `None` once the capture has ended.
    /// Unlike [`next_batch`](AsyncCapture::next_batch), which lends to a closure, it allows to wait while
    /// packets are read. Dropping the future loses nothing.
    ///
    /// A block has the packets of up to [`retire_timeout`](crate::CaptureBuilder::retire_timeout), up to
    /// 256 KiB by default. A filter in user space, duplicate removal and a tap see them all at once; if
    /// none passes, the block is empty.
    ///
    /// # Errors
    ///
    /// As [`next_batch`](AsyncCapture::next_batch).
    ///
    /// ```no_run
    /// # async fn check() -> Result<(), netring::Error> {
    /// use netring::AsyncCapture;
    /// use tokio::io::AsyncWriteExt;
    /// use tokio::net::TcpStream;
    ///
    /// let mut capture = AsyncCapture::open("eth0")?;
    /// let mut peer = TcpStream::connect("192.0.2.1:4000").await?;
    /// while let Some(block) = capture.next_block().await? {
    ///     for packet in block.packets() {
    ///         // From the ring to the socket, without a copy between.
    ///         peer.write_all(packet.frame()).await?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next_block(&mut self) -> Result<Option<HeldBlock<'_>>, Error> {
        self.hold(|ring| ring.next_block().map(Lent::Ring)).await
    }
}

#[cfg(feature = "af-xdp")]
impl AsyncCapture<Live<AfXdp>> {
    /// As [`next_block`](AsyncCapture::next_block) of an AF_PACKET capture: waits for packets of a queue, and
    /// lends at most 64 of them; `None` once the capture has ended. Requires feature `af-xdp`.
    ///
    /// They take as many of the [`frames`](netring_capture::AfXdpConfig::frames) of the queue. Dropping the
    /// block returns them in order.
    ///
    /// # Errors
    ///
    /// As [`next_batch`](AsyncCapture::next_batch).
    pub async fn next_block(&mut self) -> Result<Option<HeldBlock<'_>>, Error> {
        self.hold(|queues| queues.next_block().map(Lent::Queue)).await
    }
}

impl<C: Capture + 'static> AsyncCapture<Live<C>> {
    /// Waits for frames, and lends what `next` takes of them.
    async fn hold<'a>(
        &'a mut self,
        next: impl FnOnce(&'a mut C) -> Option<Lent<'a>>,
    ) -> Result<Option<HeldBlock<'a>>, Error> {
        if !poll_fn(|cx| self.poll_frames(cx)).await? {
            return Ok(None);
        }
        let (source, stages) = self.parts_mut();
        let block = next(source.capture_mut());
        let (mut passed, mut units) = (None, 0);
        if let Some(block) = &block {
            units = budget::units(block.packets());
            passed = stages.mark(block.packets());
        }
        poll_fn(|cx| {
            budget::spend(cx, units);
            Poll::Ready(())
        })
        .await;
        Ok(Some(HeldBlock { block, passed }))
    }

    /// Ready once there is a block: true, or false at the end.
    fn poll_frames(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        self.poll_stop(cx);
        loop {
            if let Some(error) = self.parts_mut().1.take_error() {
                return Poll::Ready(Err(error));
            }
            if self.has_ended() {
                return Poll::Ready(Ok(false));
            }
            let unit = ready!(coop::poll_proceed(cx));
            let more = ready!(self.source_mut().poll_frames(cx));
            unit.made_progress();
            match more {
                Ok(false) => self.end(),
                more => return Poll::Ready(more),
            }
        }
    }
}

impl HeldBlock<'_> {
    /// The packets, in capture order. Their bytes stay in the ring until the block is dropped.
    pub fn packets(&self) -> impl Iterator<Item = PacketView<'_>> + Clone {
        let packets = self.block.iter().flat_map(Lent::packets);
        let passed = self.passed;
        let passes = move |at: usize| passed.is_none_or(|all| all.get(at) == Some(&true));
        packets.enumerate().filter(move |(at, _)| passes(*at)).map(|(_, packet)| packet)
    }

    /// Whether no packet has passed the filter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packets().next().is_none()
    }
}

impl fmt::Debug for HeldBlock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldBlock").field("packets", &self.packets().count()).finish()
    }
}

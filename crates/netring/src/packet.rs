use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use flowscope_core::{LinkType, PacketView, Timestamp, VlanTag};
use futures_core::Stream;

use crate::{AsyncCapture, AsyncPacketSource, Error, Stats};

/// A packet that may be kept: a copy of a frame, and all that the capture knew about it.
///
/// Packets of one batch share one allocation, which is freed with the last of them.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct OwnedPacket {
    /// The captured bytes, from the link header on.
    pub frame: Bytes,
    /// When it was captured.
    pub ts: Timestamp,
    /// Bytes on the wire.
    pub wire_len: u32,
    /// What the frame begins with.
    pub link: LinkType,
    /// The VLAN tag that the capture took out of the frame.
    pub vlan: Option<VlanTag>,
    /// The interface it was captured on, as the source counts them.
    pub interface: Option<u32>,
    /// The receive hash of card or kernel.
    pub rx_hash: Option<u32>,
}

impl OwnedPacket {
    /// The packet as extractors and drivers take it.
    #[must_use]
    pub fn view(&self) -> PacketView<'_> {
        let mut view =
            PacketView::new(&self.frame, self.link, self.ts).with_wire_len(self.wire_len);
        if let Some(tag) = self.vlan {
            view = view.with_vlan(tag);
        }
        if let Some(interface) = self.interface {
            view = view.with_interface(interface);
        }
        if let Some(hash) = self.rx_hash {
            view = view.with_rx_hash(hash);
        }
        view
    }

    /// A copy of a packet, in an allocation of its own.
    pub(crate) fn copied(view: &PacketView<'_>) -> Self {
        OwnedPacket::new(view, Bytes::copy_from_slice(view.frame()))
    }

    fn new(view: &PacketView<'_>, frame: Bytes) -> Self {
        OwnedPacket {
            frame,
            ts: view.ts(),
            wire_len: view.wire_len(),
            link: view.link(),
            vlan: view.vlan(),
            interface: view.interface(),
            rx_hash: view.rx_hash(),
        }
    }
}

/// The packets of a capture, copied. Made by [`AsyncCapture::packet_stream`].
///
/// Holds one batch at most.
#[derive(Debug)]
pub struct PacketStream<S> {
    capture: AsyncCapture<S>,
    ready: VecDeque<OwnedPacket>,
    /// Packets that came out.
    given: u64,
}

impl<S: AsyncPacketSource> PacketStream<S> {
    pub(crate) fn new(capture: AsyncCapture<S>) -> Self {
        PacketStream { capture, ready: VecDeque::new(), given: 0 }
    }

    /// Takes in no more packets: those received until now still come, then the stream ends.
    pub fn stop(&mut self) {
        self.capture.stop();
    }

    /// Where packets went: those that came out of the stream are delivered, those that were read and
    /// not taken yet are [waiting](Stats::pending_fragments).
    ///
    /// # Errors
    ///
    /// When the source cannot read its counters.
    pub fn stats(&mut self) -> Result<Stats, Error> {
        let mut stats = self.capture.stats()?;
        stats.packets.deliver(self.given);
        stats.waiting = self.ready.len() as u64;
        Ok(stats)
    }

    /// The capture, without the packets that were read and not taken.
    #[must_use]
    pub fn into_capture(self) -> AsyncCapture<S> {
        self.capture
    }
}

impl<S: AsyncPacketSource> Stream for PacketStream<S> {
    type Item = Result<OwnedPacket, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let PacketStream { capture, ready, given } = self.get_mut();
        if ready.is_empty() {
            let copied = capture.poll_batch(cx, &mut |packets| {
                let len = packets.iter().map(|packet| packet.frame().len()).sum();
                let mut all = BytesMut::with_capacity(len);
                ready.extend(packets.iter().map(|packet| {
                    all.extend_from_slice(packet.frame());
                    OwnedPacket::new(packet, all.split().freeze())
                }));
            });
            match copied {
                Poll::Ready(Ok(0)) => return Poll::Ready(None),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                Poll::Pending => return Poll::Pending,
            }
        }
        *given += u64::from(!ready.is_empty());
        Poll::Ready(ready.pop_front().map(Ok))
    }
}

/// Nothing in it is ever pinned.
impl<S> Unpin for PacketStream<S> {}

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use flowscope_core::{LinkType, PacketView, Timestamp, VlanTag};
use futures_core::Stream;
use futures_core::stream::FusedStream;

use crate::next::next_method;
use crate::{AsyncCapture, AsyncPacketSource, Error, Stats, StreamHandle};

/// Copy of a captured packet with its metadata.
///
/// Packets of one batch share one allocation, which is freed with the last of them.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct OwnedPacket {
    /// Captured bytes, from the link header on.
    pub frame: Bytes,
    /// Capture time.
    pub ts: Timestamp,
    /// Whether the capture stored `ts` for this packet; see [`PacketView::has_own_time`].
    pub has_own_time: bool,
    /// Length on the wire, in bytes.
    pub wire_len: u32,
    /// Link type of `frame`.
    pub link: LinkType,
    /// VLAN tag that the capture removed from the frame.
    pub vlan: Option<VlanTag>,
    /// Interface number, as the source assigns them.
    pub interface: Option<u32>,
    /// Receive hash of the network card or kernel.
    pub rx_hash: Option<u32>,
}

impl OwnedPacket {
    /// Borrowed view, the input of extractors and drivers.
    #[must_use]
    pub fn view(&self) -> PacketView<'_> {
        let mut view =
            PacketView::new(&self.frame, self.link, self.ts).with_wire_len(self.wire_len);
        if !self.has_own_time {
            view = view.without_own_time();
        }
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

    /// Copies a packet into an allocation of its own.
    pub(crate) fn copied(view: &PacketView<'_>) -> Self {
        OwnedPacket::new(view, Bytes::copy_from_slice(view.frame()))
    }

    pub(crate) fn new(view: &PacketView<'_>, frame: Bytes) -> Self {
        OwnedPacket {
            frame,
            ts: view.ts(),
            has_own_time: view.has_own_time(),
            wire_len: view.wire_len(),
            link: view.link(),
            vlan: view.vlan(),
            interface: view.interface(),
            rx_hash: view.rx_hash(),
        }
    }
}

/// Copies of the packets of a capture. Made by [`AsyncCapture::packet_stream`].
///
/// Buffers at most one batch.
#[derive(Debug)]
pub struct PacketStream<S> {
    capture: AsyncCapture<S>,
    ready: VecDeque<OwnedPacket>,
    /// Packets returned so far.
    given: u64,
}

impl<S: AsyncPacketSource> PacketStream<S> {
    next_method!();

    pub(crate) fn new(capture: AsyncCapture<S>) -> Self {
        PacketStream { capture, ready: VecDeque::new(), given: 0 }
    }

    /// Stops the capture: packets already received are still returned, then the stream ends.
    pub fn stop(&mut self) {
        self.capture.stop();
    }

    /// A handle with which other tasks stop this stream and wait for its end.
    pub fn handle(&mut self) -> StreamHandle {
        self.capture.handle()
    }

    /// Counters of packets. Returned packets count as delivered, buffered ones as
    /// [waiting](Stats::waiting).
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

    /// The capture. Packets that are buffered here are dropped.
    #[must_use]
    pub fn into_capture(self) -> AsyncCapture<S> {
        self.capture
    }
}

impl<S: AsyncPacketSource> Stream for PacketStream<S> {
    type Item = Result<OwnedPacket, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let PacketStream { capture, ready, given } = this;
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
                Poll::Ready(Ok(0)) => {
                    if capture.is_awaited() {
                        let stats = this.stats();
                        this.capture.report(stats);
                    }
                    return Poll::Ready(None);
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                Poll::Pending => return Poll::Pending,
            }
        }
        *given += u64::from(!ready.is_empty());
        Poll::Ready(ready.pop_front().map(Ok))
    }
}

impl<S: AsyncPacketSource> FusedStream for PacketStream<S> {
    fn is_terminated(&self) -> bool {
        self.capture.has_ended() && self.ready.is_empty()
    }
}

/// No field is ever pinned.
impl<S> Unpin for PacketStream<S> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_view_of_a_copy_is_that_of_the_packet() {
        let bare = PacketView::new(&[1; 60], LinkType::RAW, Timestamp::from_secs(3));
        let full = bare.with_wire_len(90).with_interface(2).with_rx_hash(9).without_own_time();
        let full = full.with_vlan(VlanTag { tpid: 0x8100, tci: 7 });
        for view in [bare, full] {
            assert_eq!(format!("{:?}", OwnedPacket::copied(&view).view()), format!("{view:?}"));
        }
    }
}

use std::time::UNIX_EPOCH;

use flowscope_core::{LinkType, PacketView, Timestamp};

use crate::AfXdp;
use crate::sys::xdp::Queue;
use crate::umem::chain::{Batch, Packet, Place};

/// Frames of one queue of an [`AfXdp`], at most 64; returned to the kernel when dropped, in the order in which
/// they came. Made by [`AfXdp::next_block`].
///
/// While it is kept, the kernel fills the other [`frames`](crate::AfXdpConfig::frames) of the queue; then it drops
/// new ones and counts them. Packets borrow from it, so none outlives its memory:
///
/// ```compile_fail,E0505
/// # fn check(capture: &mut netring_capture::AfXdp) {
/// if let Some(block) = capture.next_block() {
///     let packet = block.packets().next();
///     drop(block); // the kernel may write here from now on
///     println!("{packet:?}");
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct XdpBlock<'a> {
    capture: &'a mut AfXdp,
    /// Index of the queue.
    at: usize,
    now: Timestamp,
}

impl<'a> XdpBlock<'a> {
    /// Lends what was taken from a queue.
    pub(super) fn new(capture: &'a mut AfXdp, at: usize) -> Self {
        XdpBlock { capture, at, now: now() }
    }
}

impl XdpBlock<'_> {
    /// The frames as packet views, in the order of the queue.
    #[must_use]
    pub fn packets(&self) -> XdpPackets<'_> {
        self.capture.packets(self.at, self.now)
    }
}

impl Drop for XdpBlock<'_> {
    fn drop(&mut self) {
        self.capture.give_back(self.at);
    }
}

/// Iterator over the packets of an [`XdpBlock`].
#[derive(Clone, Debug)]
pub struct XdpPackets<'b> {
    packets: std::slice::Iter<'b, Packet>,
    /// `None` only if there are no packets.
    taken: Option<(&'b Queue, &'b Batch)>,
    now: Timestamp,
    interface_number: u32,
    snap_len: usize,
}

impl<'b> XdpPackets<'b> {
    /// The packets of a batch, which lie in the memory of the queue or in that of the batch.
    pub(super) fn new(
        taken: Option<(&'b Queue, &'b Batch)>,
        now: Timestamp,
        interface_number: u32,
        snap_len: usize,
    ) -> Self {
        let packets = taken.map_or(&[][..], |(_, batch)| batch.packets()).iter();
        XdpPackets { packets, taken, now, interface_number, snap_len }
    }
}

impl<'b> Iterator for XdpPackets<'b> {
    type Item = PacketView<'b>;

    #[inline]
    fn next(&mut self) -> Option<PacketView<'b>> {
        let (queue, batch) = self.taken?;
        let packet = self.packets.next()?;
        let bytes = match packet.place {
            Place::Frame { slot } => queue.bytes(slot).unwrap_or_default(),
            Place::Joined { start, len } => batch.joined(start, len),
        };
        let bytes = bytes.get(..self.snap_len).unwrap_or(bytes);
        let wire_len = u32::try_from(packet.wire_len).unwrap_or(u32::MAX);
        let view = PacketView::new(bytes, LinkType::ETHERNET, self.now).with_wire_len(wire_len);
        Some(view.with_interface(self.interface_number))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.packets.size_hint()
    }
}

/// The system's time, which frames get when they are taken.
pub(super) fn now() -> Timestamp {
    let nanos = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
    Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

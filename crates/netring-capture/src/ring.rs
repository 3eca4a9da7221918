//! Layout of frames in a `TPACKET_V3` block: arithmetic on plain memory, no system calls.
//!
//! The layouts are those of `linux/if_packet.h`, fields in the machine's byte order:
//! `tpacket_block_desc` at the start of a block; then, chained by `tp_next_offset`, frames that each
//! begin with `tpacket3_hdr` and `sockaddr_ll`.

use flowscope_core::{LinkType, PacketView, Timestamp};

pub(crate) mod tags;

/// Frame in the ring, with the kernel's metadata.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Frame<'b> {
    /// Captured bytes, from the link header on.
    pub bytes: &'b [u8],
    /// Length of the frame, in bytes. Exceeds the MTU of the interface where the kernel or the card
    /// has joined segments (GRO) or not split them yet (TSO).
    pub wire_len: u32,
    /// Time of reception.
    pub ts: Timestamp,
    /// Receive hash, if [`receive_hash`](crate::AfPacketConfig::receive_hash) is set.
    pub rx_hash: Option<u32>,
    /// Whether this host sent it.
    pub outgoing: bool,
    /// Whether the transport checksum is left to the network card: the one in `bytes` is then
    /// meaningless, not wrong.
    pub checksum_pending: bool,
}

impl<'b> Frame<'b> {
    /// The frame as a packet view.
    #[must_use]
    #[inline]
    pub fn view(self, link: LinkType) -> PacketView<'b> {
        let mut view = PacketView::new(self.bytes, link, self.ts).with_wire_len(self.wire_len);
        if let Some(hash) = self.rx_hash {
            view = view.with_rx_hash(hash);
        }
        view
    }
}

/// Iterator over the frames of one block, in the order in which the kernel wrote them.
///
/// Every offset is checked against the block. A contradictory header, which no kernel writes, ends
/// the iteration. Each step advances by at least a frame header, whatever the memory contains.
#[derive(Clone, Debug)]
pub struct Frames<'b> {
    block: &'b [u8],
    cursor: Cursor,
    snap_len: u32,
}

impl<'b> Frames<'b> {
    /// Iterates from `cursor`, each frame cut to `snap_len` bytes.
    pub(crate) fn new(block: &'b [u8], cursor: Cursor, snap_len: u32) -> Self {
        let used = read_u32(block, BLOCK_LEN).map_or(0, |len| len as usize);
        Frames { block: block.get(..used).unwrap_or(block), cursor, snap_len }
    }

    /// Position of the next frame.
    pub(crate) fn cursor(&self) -> Cursor {
        self.cursor
    }

    #[inline]
    fn read(&mut self) -> Option<Frame<'b>> {
        let start = self.cursor.offset as usize;
        let head = self.block.get(start..)?.first_chunk::<FRAME_HEADER>()?;
        let word = |at: usize| read_u32(head, at).unwrap_or_default();
        let half = |at: usize| read_u16(head, at).unwrap_or_default();

        self.cursor = self.cursor.behind(word(NEXT_OFFSET));

        let from = start.checked_add(usize::from(half(MAC_OFFSET)))?;
        let to = from.checked_add(word(SNAP_LEN) as usize)?;
        let bytes = self.block.get(from..to)?;
        let bytes = bytes.get(..self.snap_len as usize).unwrap_or(bytes);

        let status = word(STATUS);
        let nanos = u64::from(word(SECONDS)) * 1_000_000_000 + u64::from(word(NANOSECONDS));
        Some(Frame {
            bytes,
            wire_len: word(WIRE_LEN),
            ts: Timestamp::from_nanos(nanos),
            rx_hash: Some(word(RX_HASH)).filter(|&hash| hash != 0),
            outgoing: head[PACKET_TYPE] == PACKET_OUTGOING,
            checksum_pending: status & STATUS_CHECKSUM_NOT_READY != 0,
        })
    }
}

impl<'b> Iterator for Frames<'b> {
    type Item = Frame<'b>;

    #[inline]
    fn next(&mut self) -> Option<Frame<'b>> {
        if self.cursor.left == 0 {
            return None;
        }
        let frame = self.read();
        if frame.is_none() {
            self.cursor = Cursor::END;
        }
        frame
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.cursor.left as usize))
    }
}

/// Position in a block: offset of a frame, and the number of frames left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Cursor {
    offset: u32,
    left: u32,
}

impl Cursor {
    /// Behind the last frame.
    const END: Cursor = Cursor { offset: 0, left: 0 };

    /// Position of the first frame of `block`; no frame is left if the memory is too short for a
    /// block.
    pub(crate) fn start(block: &[u8]) -> Self {
        match (read_u32(block, FIRST_FRAME), read_u32(block, FRAME_COUNT)) {
            (Some(offset), Some(left)) => Cursor { offset, left },
            _ => Cursor::END,
        }
    }

    /// Position of the next frame, `next` bytes further, if it is valid.
    #[inline]
    fn behind(self, next: u32) -> Self {
        match (self.offset.checked_add(next), self.left.checked_sub(1)) {
            (Some(offset), Some(left)) if next as usize >= FRAME_HEADER => Cursor { offset, left },
            _ => Cursor::END,
        }
    }

    /// Number of frames left, as the block header says.
    pub(crate) fn left(self) -> u32 {
        self.left
    }
}

fn read_u32(memory: &[u8], at: usize) -> Option<u32> {
    memory.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

fn read_u16(memory: &[u8], at: usize) -> Option<u16> {
    memory.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
}

// `tpacket_block_desc`, whose header begins at byte 8.
/// `block_status`, the word that says whether the kernel or the program owns the block.
pub(crate) const BLOCK_STATUS: usize = 8;
const FRAME_COUNT: usize = 12;
const FIRST_FRAME: usize = 16;
const BLOCK_LEN: usize = 20;

// `tpacket3_hdr`: 48 bytes, then `sockaddr_ll`: 20 bytes.
const FRAME_HEADER: usize = 68;
const NEXT_OFFSET: usize = 0;
const SECONDS: usize = 4;
const NANOSECONDS: usize = 8;
const SNAP_LEN: usize = 12;
const WIRE_LEN: usize = 16;
const STATUS: usize = 20;
const MAC_OFFSET: usize = 24;
const RX_HASH: usize = 28;
const VLAN_TCI: usize = 32;
const VLAN_TPID: usize = 36;
const PACKET_TYPE: usize = 58;

const STATUS_CHECKSUM_NOT_READY: u32 = 1 << 3;
const STATUS_VLAN_VALID: u32 = 1 << 4;
const STATUS_VLAN_TPID_VALID: u32 = 1 << 6;
const PACKET_OUTGOING: u8 = 4;

/// Tag protocol of IEEE 802.1Q, for old kernels that do not report it.
const CUSTOMER_TAG: u16 = 0x8100;

#[cfg(test)]
mod tests;

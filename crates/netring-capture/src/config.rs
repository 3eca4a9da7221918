use std::num::NonZeroU32;
use std::time::Duration;

use flowscope_filter::Program;

/// How an [`AfPacket`](crate::AfPacket) captures.
#[derive(Clone, Debug)]
pub struct AfPacketConfig {
    pub(crate) block_size: u32,
    pub(crate) blocks: u32,
    pub(crate) retire: Duration,
    pub(crate) snap_len: u32,
    pub(crate) filter: Option<Program>,
    pub(crate) fanout_group: Option<u16>,
    pub(crate) promiscuous: bool,
    pub(crate) ignore_outgoing: bool,
    pub(crate) receive_hash: bool,
    pub(crate) hardware_timestamps: bool,
    pub(crate) interface_number: u32,
}

impl AfPacketConfig {
    /// Bytes of a block, which is what the kernel hands over at once; rounded up to a power of two
    /// that is a multiple of the page size. Also the longest frame, some headers less: what is
    /// longer is cut. Default 256 KiB.
    #[must_use]
    pub fn block_size(mut self, bytes: NonZeroU32) -> Self {
        self.block_size = bytes.get();
        self
    }

    /// How many blocks the ring has: its memory, which cannot be swapped out, is as many times
    /// [`block_size`](Self::block_size).
    ///
    /// A block is used up by a single frame once the [retire timeout](Self::retire_timeout) is over.
    /// So at low rates the count times the timeout is for how long a reader may pause without loss,
    /// and many small blocks are better than a few large ones. Default 128, which is 32 MiB and
    /// 1.28 s.
    #[must_use]
    pub fn blocks(mut self, count: NonZeroU32) -> Self {
        self.blocks = count.get();
        self
    }

    /// After how long the kernel hands over a block that is not full: how old a frame can be before
    /// it is seen. Whole milliseconds, from 1 to 10 000. An empty block is never handed over, so an
    /// idle interface wakes nobody. Default 10 ms.
    #[must_use]
    pub fn retire_timeout(mut self, timeout: Duration) -> Self {
        self.retire = timeout;
        self
    }

    /// How many bytes of a frame to keep, from the link header on, VLAN tags included. The rest takes no room in the
    /// ring; the view still tells the length on the wire. Default: all of them.
    #[must_use]
    pub fn snap_len(mut self, bytes: NonZeroU32) -> Self {
        self.snap_len = bytes.get();
        self
    }

    /// Which frames to take: a program that the kernel runs on every frame before it takes room in
    /// the ring. It holds from the first one on. Default: all of them.
    ///
    /// The kernel has taken the outer VLAN tag out of the frame by then: a term about VLANs has to use
    /// the ancillary loads for it, as programs of [`Expr`](flowscope_filter::Expr) do, and those that
    /// libpcap compiles for a live interface.
    #[must_use]
    pub fn filter(mut self, filter: Program) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Shares the interface's frames with all captures that join the group of this number, each
    /// frame going to one of them. Which one is told by a hash of addresses and ports that is the
    /// same for both directions of a flow; it changes for all flows when a member joins or leaves.
    /// The kernel joins IPv4 fragments first, so that they meet the rest of their flow: the view
    /// then has the whole datagram.
    ///
    /// Frames that arrive while a capture is being opened belong to nobody in it; frames that arrive
    /// while a member joins may be counted by none. Default: no group.
    #[must_use]
    pub fn fanout_group(mut self, number: u16) -> Self {
        self.fanout_group = Some(number);
        self
    }

    /// Whether to have the interface receive frames that are not addressed to it, until the capture
    /// is dropped. Default no.
    #[must_use]
    pub fn promiscuous(mut self, on: bool) -> Self {
        self.promiscuous = on;
        self
    }

    /// Whether to leave out frames that this host sends (Linux 4.20 and later). On the loopback
    /// interface they always are, for each would be seen a second time as it comes back. Default no.
    #[must_use]
    pub fn ignore_outgoing(mut self, on: bool) -> Self {
        self.ignore_outgoing = on;
        self
    }

    /// Whether to give each frame its receive hash, which costs the kernel a look into the headers
    /// unless the card has calculated it. Default no.
    #[must_use]
    pub fn receive_hash(mut self, on: bool) -> Self {
        self.receive_hash = on;
        self
    }

    /// Whether to take the time from the network card for those frames that it stamps. Its clock is
    /// not the system's unless something keeps them together, and the card has to be told to stamp
    /// by other means. Default no: the kernel's time of arrival.
    #[must_use]
    pub fn hardware_timestamps(mut self, on: bool) -> Self {
        self.hardware_timestamps = on;
        self
    }

    /// The number by which views name this interface, for those who merge several. Default 0.
    #[must_use]
    pub fn interface_number(mut self, number: u32) -> Self {
        self.interface_number = number;
        self
    }

    /// The retire timeout as the kernel is told it.
    pub(crate) fn retire_milliseconds(&self) -> u32 {
        self.retire.as_millis().clamp(1, 10_000) as u32
    }
}

impl Default for AfPacketConfig {
    fn default() -> Self {
        AfPacketConfig {
            block_size: 1 << 18,
            blocks: 128,
            retire: Duration::from_millis(10),
            snap_len: u32::MAX,
            filter: None,
            fanout_group: None,
            promiscuous: false,
            ignore_outgoing: false,
            receive_hash: false,
            hardware_timestamps: false,
            interface_number: 0,
        }
    }
}

use std::num::NonZeroU32;
use std::time::Duration;

use flowscope_filter::Program;

/// Configuration of an [`AfPacket`](crate::AfPacket) capture.
#[derive(Clone, Debug)]
pub struct AfPacketConfig {
    pub(crate) block_size: u32,
    pub(crate) blocks: u32,
    pub(crate) retire: Duration,
    pub(crate) snap_len: u32,
    pub(crate) filter: Option<Program>,
    pub(crate) fanout_group: Option<u16>,
    pub(crate) fanout: Fanout,
    pub(crate) promiscuous: bool,
    pub(crate) ignore_outgoing: bool,
    pub(crate) receive_hash: bool,
    pub(crate) hardware_timestamps: bool,
    pub(crate) interface_number: u32,
    pub(crate) shunt: Option<NonZeroU32>,
}

/// How a fanout group selects the member that receives a frame: see
/// [`AfPacketConfig::fanout_group`].
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Fanout {
    /// By a hash of the innermost addresses and ports that [`Program::flow_hash`] reaches, the same for
    /// both directions: flows in tunnels are not split. All fragments of a datagram reach one member,
    /// which joins them; other datagrams of the same flow may reach another one. Interfaces that are
    /// neither Ethernet nor raw IP use [`KernelHash`](Self::KernelHash).
    #[default]
    InnermostFlow,
    /// By the kernel's hash of addresses and ports, the same for both directions. Flows in a tunnel are
    /// split. The kernel joins IPv4 fragments first, so that they reach the member of their flow: the
    /// view has the whole datagram, and fragments of a datagram that is never complete **are counted
    /// nowhere**.
    KernelHash,
    /// By this program: its result modulo the number of members. It runs on the frame from the network
    /// header on, or from the link header on if the host sends the frame.
    Program(Program),
}

impl AfPacketConfig {
    /// Size of a block, the unit in which the kernel hands frames over, in bytes; rounded up to a
    /// power of two that is a multiple of the page size. It also limits the length of a frame,
    /// minus some headers: longer frames are cut. Default 256 KiB.
    #[must_use]
    pub fn block_size(mut self, bytes: NonZeroU32) -> Self {
        self.block_size = bytes.get();
        self
    }

    /// Number of blocks. The ring takes this many times [`block_size`](Self::block_size) of locked
    /// memory.
    ///
    /// At low rates, one frame uses up a block once the [retire timeout](Self::retire_timeout) is
    /// over. A reader may then pause for the number of blocks times the timeout without loss, so
    /// many small blocks are better than few large ones. Default 128, which is 32 MiB and 1.28 s.
    #[must_use]
    pub fn blocks(mut self, count: NonZeroU32) -> Self {
        self.blocks = count.get();
        self
    }

    /// Time after which the kernel hands over a block that is not full, and so the longest delay of
    /// a frame. Whole milliseconds, from 1 to 10 000. Empty blocks are never handed over: an idle
    /// interface causes no wake-ups. Default 10 ms.
    #[must_use]
    pub fn retire_timeout(mut self, timeout: Duration) -> Self {
        self.retire = timeout;
        self
    }

    /// Most bytes captured of a frame, from the link header on, VLAN tags included. The rest takes
    /// no space in the ring; the view still has the length on the wire. Default: all.
    #[must_use]
    pub fn snap_len(mut self, bytes: NonZeroU32) -> Self {
        self.snap_len = bytes.get();
        self
    }

    /// Filter program, run by the kernel on every frame before it takes space in the ring, from the
    /// first frame on. Default: none.
    ///
    /// At that point the kernel has already removed the outer VLAN tag: a program that matches
    /// VLANs must use the ancillary loads, as those of [`Expr`](flowscope_filter::Expr) and those
    /// of libpcap for live interfaces do.
    #[must_use]
    pub fn filter(mut self, filter: Program) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Joins a fanout group: its members share the frames of the interface, and each frame goes to
    /// one of them, as [`fanout`](Self::fanout) says. The selection changes for all flows when a member
    /// joins or leaves.
    ///
    /// Frames that arrive while a member joins may be counted by no member. Default: no group.
    #[must_use]
    pub fn fanout_group(mut self, number: u16) -> Self {
        self.fanout_group = Some(number);
        self
    }

    /// How the group selects a member, the same for all members. Default: [`Fanout::InnermostFlow`].
    #[must_use]
    pub fn fanout(mut self, fanout: Fanout) -> Self {
        self.fanout = fanout;
        self
    }

    /// Receives frames that are not addressed to the interface, until the capture is dropped.
    /// Default: no.
    #[must_use]
    pub fn promiscuous(mut self, on: bool) -> Self {
        self.promiscuous = on;
        self
    }

    /// Ignores frames that this host sends (Linux 4.20 and later). On the loopback interface they
    /// always are ignored, because each is seen again when it is received. Default: no.
    #[must_use]
    pub fn ignore_outgoing(mut self, on: bool) -> Self {
        self.ignore_outgoing = on;
        self
    }

    /// Provides the receive hash of each frame. Unless the card has computed it, the kernel has to
    /// parse the headers. Default: no.
    #[must_use]
    pub fn receive_hash(mut self, on: bool) -> Self {
        self.receive_hash = on;
        self
    }

    /// Uses the timestamps of the network card, for frames that it stamps. The clock of the card is
    /// not the system clock unless it is synchronised, and stamping must be enabled by other means.
    /// Default: the kernel's time of arrival.
    #[must_use]
    pub fn hardware_timestamps(mut self, on: bool) -> Self {
        self.hardware_timestamps = on;
        self
    }

    /// Lets the kernel count packets of at most so many flows at a time without this capture receiving them: see
    /// [`ShuntMap`](crate::ShuntMap). The host still gets them. It takes Linux 5.14 and `CAP_BPF`. A flow takes
    /// about 300 bytes of kernel memory while it is in the map; a flow that finds the map full is read as before.
    /// Not possible together with a [`filter`](Self::filter), as a socket has one program only. Default: no.
    #[must_use]
    pub fn shunt(mut self, flows: NonZeroU32) -> Self {
        self.shunt = Some(flows);
        self
    }

    /// Interface number in the views, to tell merged captures apart. Default 0.
    #[must_use]
    pub fn interface_number(mut self, number: u32) -> Self {
        self.interface_number = number;
        self
    }

    /// The retire timeout in the kernel's unit.
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
            fanout: Fanout::default(),
            promiscuous: false,
            ignore_outgoing: false,
            receive_hash: false,
            hardware_timestamps: false,
            interface_number: 0,
            shunt: None,
        }
    }
}

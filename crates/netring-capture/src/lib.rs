//! Live packet capture on Linux: AF_PACKET and AF_XDP rings, read in batches without copying.
//!
//! [`AfPacket`] opens a `TPACKET_V3` ring on one interface and leaves the network stack
//! undisturbed. `AfXdp`, with feature `af-xdp`, takes the frames of an interface's receive queues
//! before the network stack. Both lend frames in place, as
//! [`PacketView`](flowscope_core::PacketView)s. Reading never waits; [`Capture::wait`] does, or any
//! event loop that watches the file descriptor. Each is a
//! [`PacketSource`](flowscope_core::PacketSource), like a capture file, and lends the same bytes as
//! one. On other systems this crate is empty.
//!
//! | | `AfPacket` | `AfXdp` |
//! |---|---|---|
//! | frames | those that the interface receives and sends | received ones, which this host does not get |
//! | filters | [`Program`], attached before the first frame can arrive | queues, or a program of your own |
//! | snap length | cut by the kernel, which saves space in the ring | cut when lent |
//! | VLAN tags | the outer tag, which the kernel removes, is restored | left in place |
//! | timestamps | nanoseconds, from the kernel or the card | system clock, once per batch |
//! | several readers | fanout group: both directions of a flow reach the same one, in tunnels too | one per queue |
//! | losses | [`CaptureStats`], totals since the capture was opened | the same |
//! | sending | [`Capture::send`], [`Capture::send_batch`] | the same |
//!
//! Memory is allocated when a capture is opened; no frame allocates.
//!
//! # Privileges
//!
//! `CAP_NET_RAW` for AF_PACKET; for AF_XDP also `CAP_NET_ADMIN` and `CAP_BPF`, and `CAP_IPC_LOCK`
//! for large rings. Only opening needs them. [`CaptureError::NoPermission`] says which one is missing,
//! and what grants it: a command, or options for a container or a service.
//!
//! # Example
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use netring_capture::{AfPacket, AfPacketConfig, Capture};
//!
//! # fn main() -> Result<(), netring_capture::CaptureError> {
//! let mut capture = AfPacket::open("eth0", &AfPacketConfig::default().promiscuous(true))?;
//! let mut bytes = 0;
//! while bytes < 1_000_000 {
//!     capture.wait(Some(Duration::from_secs(1)))?;
//!     while let Some(block) = capture.next_block() {
//!         bytes += block.packets().map(|packet| u64::from(packet.wire_len())).sum::<u64>();
//!     }
//! }
//! println!("{} frames were lost", capture.stats()?.lost());
//! # Ok(())
//! # }
//! ```

#![cfg(target_os = "linux")]
#![deny(unsafe_code)]

mod af_packet;
mod block;
mod capture;
mod config;
mod cores;
mod denial;
mod error;
mod interface;
mod ring;
mod setup;
mod shunt;
mod stats;
#[expect(unsafe_code, reason = "system calls, and the memory that is shared with the kernel")]
mod sys;
#[cfg(test)]
mod testing;
#[cfg(any(feature = "af-xdp", test))]
mod umem;
mod views;
#[cfg(feature = "af-xdp")]
mod xdp;

pub use af_packet::AfPacket;
pub use block::{Block, Packets};
pub use capture::{Capture, wait_for_frames_under_way};
pub use config::{AfPacketConfig, Fanout};
pub use cores::{cores, pin_to_core};
pub use denial::Denial;
pub use error::CaptureError;
pub use flowscope_filter::Program;
pub use interface::{HardwareFeatures, Interface};
pub use ring::{Frame, Frames};
pub use shunt::{ShuntError, ShuntMap};
pub use stats::CaptureStats;
#[cfg(feature = "af-xdp")]
pub use xdp::{AfXdp, AfXdpConfig, CopyMode, XdpBlock, XdpCounters, XdpMode, XdpPackets};

//! Live capture on Linux: rings of memory that the kernel shares, lent batch by batch.
//!
//! [`AfPacket`] opens a `TPACKET_V3` ring on one interface, beside the network stack. `AfXdp`, with
//! the feature `af-xdp`, takes the frames of an interface's receive queues before the network stack
//! sees them. Both lend the frames where they lie, as [`PacketView`](flowscope_core::PacketView)s,
//! without copying them and without waiting: [`Capture::wait`] waits, or any event loop that watches
//! their file descriptor. Each is a [`PacketSource`](flowscope_core::PacketSource) as a capture file
//! is, and lends the same bytes. On other systems this crate is empty.
//!
//! | | `AfPacket` | `AfXdp` |
//! |---|---|---|
//! | sees | what the interface receives and sends | what it receives, in place of this host |
//! | filters | [`Program`], attached before the first frame can arrive | queues, or a program of your own |
//! | snap length | cut by the kernel, which saves room in the ring | cut when lent |
//! | VLAN | the outer tag, which the kernel takes out, is put back | all tags are in their place |
//! | time | nanoseconds, of the kernel or of the card | the system's clock, once per batch |
//! | several readers | a fanout group: both directions of a flow meet | one per queue |
//! | losses | [`CaptureStats`], totals of the life of the capture | the same |
//! | sending | [`Capture::send`], [`Capture::send_batch`] | the same |
//!
//! The memory is fixed when it is opened; nothing is allocated for a frame afterwards.
//!
//! # Privileges
//!
//! `CAP_NET_RAW` for AF_PACKET; for AF_XDP also `CAP_NET_ADMIN` and `CAP_BPF`, and `CAP_IPC_LOCK` for
//! much memory. They are asked for when a capture is opened only. What fails for want of one,
//! [`CaptureError::NoPermission`], prints the line that grants it.
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
mod error;
mod interface;
mod ring;
mod setup;
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
pub use capture::Capture;
pub use config::AfPacketConfig;
pub use cores::{cores, pin_to_core};
pub use error::CaptureError;
pub use flowscope_filter::Program;
pub use interface::Interface;
pub use ring::{Frame, Frames};
pub use stats::CaptureStats;
#[cfg(feature = "af-xdp")]
pub use xdp::{AfXdp, AfXdpConfig, CopyMode, XdpCounters, XdpMode};

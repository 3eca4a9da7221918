//! Live capture on Linux: the kernel's packet ring, lent block by block.
//!
//! [`AfPacket`] opens a `TPACKET_V3` ring on one interface and lends the frames that lie in it as
//! [`PacketView`](flowscope_core::PacketView)s, without copying them and without waiting:
//! [`Capture::wait`] waits, or any event loop that watches its file descriptor. It is a
//! [`PacketSource`](flowscope_core::PacketSource) as a capture file is. On other systems this crate
//! is empty.
//!
//! | | |
//! |---|---|
//! | filters | [`Filter`], attached before the first frame can arrive |
//! | snap length | cut by the kernel, so that no room in the ring is spent on the rest |
//! | VLAN | the outer tag, which the kernel takes out of the frame, is put back in its place |
//! | time | nanoseconds, of the kernel or of the network card |
//! | several readers | a fanout group: both directions of a flow meet at one member |
//! | losses | [`CaptureStats`], totals of the life of the capture |
//! | sending | [`Capture::send`], [`Capture::send_batch`] |
//!
//! The ring's memory is fixed when it is opened; nothing is allocated for a frame afterwards.
//!
//! # Privileges
//!
//! `CAP_NET_RAW`, asked for by [`AfPacket::open`] only. What fails for want of it,
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
mod filter;
mod interface;
mod ring;
mod setup;
mod stats;
#[expect(unsafe_code, reason = "system calls, and the memory that is shared with the kernel")]
mod sys;
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
pub use filter::{Filter, FilterError, Instruction};
pub use interface::Interface;
pub use ring::{Frame, Frames};
pub use stats::CaptureStats;
#[cfg(feature = "af-xdp")]
pub use xdp::{AfXdp, AfXdpConfig, CopyMode, XdpCounters, XdpMode};

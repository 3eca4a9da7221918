//! Capture that bypasses the network stack: `AF_XDP`.

mod block;
mod config;
mod program;
mod socket;

pub use block::{XdpBlock, XdpPackets};
pub use config::{AfXdpConfig, CopyMode, XdpMode};
pub use socket::{AfXdp, XdpCounters};

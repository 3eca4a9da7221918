//! Capture that bypasses the network stack: `AF_XDP`.

mod config;
mod program;
mod socket;

pub use config::{AfXdpConfig, CopyMode, XdpMode};
pub use socket::{AfXdp, XdpCounters};

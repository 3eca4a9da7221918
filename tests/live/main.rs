//! Traffic of real programs, captured live and by tcpdump at the same time: both tell the same.
//!
//! Each test starts itself again in namespaces of its own (network, mounts, processes), so that nothing
//! of it can reach the machine's interfaces or outlive it, however it ends.

#![cfg(target_os = "linux")]

mod bulk;
mod capture;
mod compare;
mod encapsulated;
mod names;
mod traffic;
mod web;
mod world;
#[cfg(feature = "af-xdp")]
mod xdp;

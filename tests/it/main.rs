//! End to end: packets in, events and records out.

mod driver;
#[cfg(target_os = "linux")]
mod encapsulation_live;
mod fragments;
mod life;

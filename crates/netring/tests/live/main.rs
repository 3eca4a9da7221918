//! Streams of live captures, each test in a network namespace of its own: see
//! [`flowscope_testkit::namespace`].

#![cfg(target_os = "linux")]

mod faults;
mod filters;
mod ledger;
mod replayed;
mod sharded;
mod world;
#[cfg(feature = "af-xdp")]
mod xdp;

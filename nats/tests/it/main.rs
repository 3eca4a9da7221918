//! Sensors, servers and collectors as processes.
//!
//! They need `nats-server`; without it they are skipped, unless `REQUIRE_DOWNLOADS` is 1.

#![cfg(unix)]
#![allow(missing_docs)]
#![expect(clippy::unwrap_used, reason = "helpers of tests, in tests")]

mod cluster;
mod collect;
mod login;
mod process;
mod publish;
mod server;
mod table;
mod traffic;

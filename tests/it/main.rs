//! End to end: packets in, events and records out.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

mod documents;
mod driver;
mod fragments;
mod hostile;
mod life;
mod sessions;

//! Conversations and asynchronous reassemblers: what is read equals what was sent, readers that are too
//! slow, readers and streams that are dropped at any time.

#![expect(clippy::unwrap_used, reason = "helpers of tests, in tests")]

mod busy;
mod policies;
mod reassemblers;
mod replay;
mod schedule;
mod world;

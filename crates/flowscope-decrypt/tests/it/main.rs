//! Connections whose secrets are known.

#![expect(clippy::unwrap_used, reason = "helpers of tests, in tests")]

mod connection;
mod gaps;
mod hostile;
mod reading;

//! Messages, read by a decoder that shares nothing with the encoder.

#![expect(clippy::unwrap_used, reason = "helpers of tests, in tests")]

#[path = "it/decode.rs"]
mod decode;
#[path = "it/make.rs"]
mod make;
#[path = "it/page.rs"]
mod page;
#[path = "it/session.rs"]
mod session;

//! The crate's public face: what comes out for what goes in.

mod dtls;
mod fingerprints;
mod hellos;
mod hostile;
mod messages;
mod summary;
#[path = "../support/mod.rs"]
mod support;

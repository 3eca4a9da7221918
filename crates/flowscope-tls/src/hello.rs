//! The hellos of both sides (RFC 8446 §4.1).

mod client;
pub(crate) mod ext;
mod fields;
mod server;

pub use client::ClientHello;
pub use server::ServerHello;

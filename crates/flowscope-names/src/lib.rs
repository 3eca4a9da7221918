//! Names of protocols that are not read: by the first bytes of a stream or datagram, and by port.
//!
//! [`NAMES`] is the table: a line for each protocol and transport, with its ports, its signature and the document
//! that the signature is from. A name costs a flow no parser and no memory. Names are those of Suricata's
//! `app_proto` where it has one, else nDPI's where that is the name of the protocol, else the usual one.
//!
//! ```
//! use flowscope_core::{L4Proto, Probe};
//!
//! let hello = b"RFB 003.008\n";
//! let found = flowscope_names::NAMES.iter().find(|known| {
//!     known.transport == L4Proto::Tcp
//!         && known.begins_with(hello[0])
//!         && known.probe(hello, 0, false) == Probe::Yes
//! });
//! assert_eq!(found.map(|known| known.name), Some("rfb"));
//! ```
//!
//! How sure a signature has to be: `Probe::Yes` names a flow on any port, so hardly any other bytes may look like
//! that. The tests hold each signature against the samples of all other protocols, random bytes and text. Of 50 million
//! starts of random bytes, no stream and 137 datagrams are named (`rtcp` 84, `radius` 27, `rtp` 25, `coap` 1); where half
//! of the bytes are 0, 38 streams and 42 datagrams in a million.
//! [`Probe::Maybe`](flowscope_core::Probe::Maybe) is the answer for too few bytes, and, on a port of an entry that has
//! `or_port`, for bytes that are plausible there.

mod answer;
mod database;
mod industry;
mod mail;
mod media;
mod messaging;
mod named;
mod peer;
mod routing;
mod rpc;
mod shape;
mod storage;
mod table;
mod telemetry;
mod terminal;
mod text;
mod vpn;
mod windows;

pub use named::{NamedProtocol, Signature};
pub use table::NAMES;

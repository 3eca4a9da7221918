//! Packets, captures and network namespaces for the tests of the workspace. Never published, and a
//! dependency of tests only.
//!
//! - [`frame()`] builds one frame, layer by layer, with correct lengths and checksums by default.
//! - [`Dialogue`] writes the packets of one connection as a script with a clock.
//! - [`Sample`] is a conversation of a protocol, in a file beside its parser.
//! - [`samples`] has one packet of every protocol stack; [`Packet::damaged`] damages one.
//! - [`Nesting`] puts tags and tunnels around a packet at random.
//! - [`attacks`] generates hostile packets, mixed with ordinary traffic whose counters are known.
//! - `namespace` runs a test in a network namespace with two connected interfaces (Linux).
//! - [`runner`] runs tests that need more than a Rust toolchain, and reports those that cannot run.
//! - [`splits`] and [`Rng`] split and vary input, deterministically.
//!
//! A test sets only what its case is about; everything else has a default. Misuse (a TTL on a TCP
//! layer, an address that does not parse) panics at once, since it is a mistake in a test.
//!
//! ```
//! use flowscope_testkit::{Dialogue, frame};
//! use flowscope_core::FlowSide;
//!
//! let syn = frame().ethernet().vlan(100).ipv4("10.0.0.1", "10.0.0.2").tcp(40000, 80).build();
//! assert_eq!(syn.len(), 14 + 4 + 20 + 20);
//!
//! let packets = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80")
//!     .handshake()
//!     .data(FlowSide::Initiator, b"GET / HTTP/1.0\r\n\r\n")
//!     .close(FlowSide::Responder)
//!     .build();
//! assert_eq!(packets.len(), 3 + 1 + 4);
//! ```

pub mod attacks;
mod checksum;
mod conversation;
mod dialogue;
mod frame;
mod layer;
#[cfg(target_os = "linux")]
pub mod namespace;
pub mod needs;
mod nesting;
mod packet;
mod rng;
pub mod runner;
mod samples;
mod splits;

pub use checksum::internet_checksum;
pub use conversation::{Conversation, Sample, Transport, Turn};
pub use dialogue::{Dialogue, views};
pub use frame::{Frame, frame};
pub use layer::Order;
pub use nesting::Nesting;
pub use packet::Packet;
pub use rng::Rng;
pub use samples::samples;
pub use splits::{pieces, splits};

//! The one loop of flowscope: extract, join fragments, track.
//!
//! [`FlowDriver`] is where extractor, defragmenter and flow table meet, for files and live captures
//! alike: packets in by [`handle_batch`](FlowDriver::handle_batch), events out by
//! [`poll_event`](FlowDriver::poll_event). [`Router`] is the same loop for those who spread the flows
//! of one input over several tables.
//!
//! Both are generic over the extractor and read no clock.
//!
//! ```
//! use flowscope_core::{Extracted, FlowExtractor, LinkType, Orientation, PacketView, Timestamp};
//! use flowscope_driver::FlowDriver;
//! use flowscope_track::{EndReason, FlowEvent};
//!
//! /// One flow per first byte of the frame.
//! #[derive(Clone)]
//! struct ByFirstByte;
//!
//! impl FlowExtractor for ByFirstByte {
//!     type Key = u8;
//!     fn extract(&self, view: PacketView<'_>) -> Option<Extracted<u8>> {
//!         Some(Extracted::new(*view.frame().first()?, Orientation::Forward))
//!     }
//! }
//!
//! let mut driver = FlowDriver::new(ByFirstByte);
//! driver.handle_packet(PacketView::new(b"a1", LinkType::ETHERNET, Timestamp::from_secs(1)));
//! driver.finish(EndReason::EndOfInput);
//! let mut ended = 0;
//! while let Some(event) = driver.poll_event() {
//!     ended += usize::from(matches!(event, FlowEvent::Ended { .. }));
//! }
//! assert_eq!(ended, 1);
//! ```

mod checksum;
mod claims;
mod config;
mod deliver;
mod engine;
mod flow_driver;
mod front;
mod line;
mod protocols;
mod pump;
mod router;
mod session_event;
mod sessions;
mod shard;
mod slot;

pub use claims::{Choice, ChosenBy, Claim, Claims, Start, Told, Transport};
pub use config::{Checksums, DriverConfig};
pub use engine::{DatagramDriver, Driver, SessionDriver, SessionEngine, StreamDriver};
pub use flow_driver::FlowDriver;
pub use front::{ChecksumStats, Claimed};
pub use protocols::{AnyParser, Protocols, Recognition};
pub use router::Router;
pub use session_event::{SessionChange, SessionEvent, SessionSink, StopReason};
pub use sessions::{Datagrams, Sessions, Streams};
pub use shard::SessionShard;
pub use slot::{Slot, SlotOf};

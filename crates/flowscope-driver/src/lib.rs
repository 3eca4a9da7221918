//! The one loop of flowscope: extract, join fragments, track, reassemble, parse.
//!
//! | driver | what comes out |
//! |---|---|
//! | [`FlowDriver`] | lives of flows |
//! | [`SessionDriver`] | and messages of one stream protocol |
//! | [`DatagramDriver`] | and messages of one datagram protocol |
//! | [`Driver`] | and messages of several [`Protocols`], recognised by port and by first bytes |
//! | [`StreamDriver`] | and bytes for reassemblers that do all there is to do themselves |
//!
//! Files and live captures are driven alike: packets in by [`handle_batch`](FlowDriver::handle_batch),
//! events out by [`poll_event`](FlowDriver::poll_event). All but the first are faces of one
//! [`SessionEngine`]. [`Router`] and [`SessionShard`] are the same loop for those who spread the flows of
//! one input over several tables.
//!
//! All are generic over the extractor, name no protocol and read no clock.
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

mod config;
mod detection;
mod flow_driver;
mod ingress;
mod packet_driver;
mod place;
mod session;
mod shard;
mod shunting;

pub use config::{Checksums, DriverConfig};
pub use detection::{
    AnyParser, Classification, Classifier, Contradiction, Datagrams, DetectedBy, Detection,
    NamedEntry, ProbeInput, ProtocolSet, Protocols, Recognition, Sessions, SetEntry, Streams,
    Transport,
};
pub use flow_driver::FlowDriver;
pub use flowscope_session::{StopReason, StreamEnd};
pub use ingress::{ChecksumStats, PayloadCounts};
pub use packet_driver::PacketDriver;
pub use session::{
    DatagramDriver, Driver, SessionChange, SessionDriver, SessionEngine, SessionEvent, SessionSink,
    Slot, SlotOf, StreamDriver,
};
pub use shard::{Router, SessionShard, ShardInput};
pub use shunting::ShuntingDriver;

pub use flowscope_core::Progress;
pub use flowscope_track::{ShuntRefusal, Shunting};

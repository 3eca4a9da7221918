//! Flow tracker: packets in, flow events out.
//!
//! [`FlowTracker`] combines a [`FlowExtractor`] with a flow table. It
//! counts both directions, follows TCP from handshake to close (also through resets, half closes,
//! port reuse and late packets), ends idle flows, evicts in exact order when the table is full, and
//! passes events to a [`FlowSink`]. The rules are in `docs/TCP_LIFE.md` of the repository.
//!
//! ```
//! use flowscope_core::{Extracted, FlowExtractor, L4Proto, LinkType, Orientation, PacketView, Timestamp};
//! use flowscope_track::{EndReason, FlowEvent, FlowTracker};
//!
//! /// One flow per first byte of the frame.
//! struct ByFirstByte;
//!
//! impl FlowExtractor for ByFirstByte {
//!     type Key = u8;
//!     fn extract(&self, view: PacketView<'_>) -> Option<Extracted<u8>> {
//!         let mut found = Extracted::new(*view.frame().first()?, Orientation::Forward);
//!         found.l4 = Some(L4Proto::Udp);
//!         Some(found)
//!     }
//! }
//!
//! let mut tracker = FlowTracker::new(ByFirstByte);
//! let mut events = Vec::new();
//! for (frame, secs) in [(b"a1", 0), (b"b1", 1), (b"a2", 2)] {
//!     tracker.track(PacketView::new(frame, LinkType::ETHERNET, Timestamp::from_secs(secs)), &mut events);
//! }
//! tracker.finish(EndReason::EndOfInput, &mut events);
//!
//! let ended: Vec<_> = events
//!     .iter()
//!     .filter_map(|event| match event {
//!         FlowEvent::Ended { flow, stats, .. } => Some((flow.key, stats.initiator.counters.packets)),
//!         _ => None,
//!     })
//!     .collect();
//! assert_eq!(ended, [(b'a', 2), (b'b', 1)]);
//! ```

mod chunked;
mod clock;
mod config;
mod engine;
mod entry;
mod event;
mod flow_table;
mod history;
mod holes;
mod index;
mod lists;
mod macs;
mod order;
mod places;
mod record;
mod seq;
mod shard;
mod shunt;
mod sink;
mod stats;
mod table;
mod tcp;
mod tcp_state;
mod times;
mod tracker;
mod wheel;

pub use clock::{Clock, PacketTime};
pub use config::{ClockConfig, Eviction, ResetRule, TableHash, TrackerConfig};
pub use event::{Anomaly, Change, EndReason, FlowEvent, FlowRef, FlowState, PacketInfo};
pub use flow_table::{FlowTable, LiveFlow, Prepared, TrackerStats};
#[doc(no_inline)]
pub use flowscope_core::{
    Datagram, Extracted, FlowExtractor, FlowSide, IcmpInfo, L4Proto, Ledger, LinkType, Loss,
    Orientation, PacketView, Path, Payload, Segment, TcpFlags, TcpInfo, Timestamp,
};
pub use history::History;
pub use macs::Macs;
pub use shard::{ShardBatch, kept_payload, merge};
pub use shunt::{Shunt, ShuntRefusal, Shunting};
pub use sink::{EventOrder, Flow, FlowId, FlowSink, Phase};
pub use stats::{ConnState, Counters, FlowStats, InitiatorEvidence, LateStats, SideStats};
pub use tcp_state::TcpState;
pub use tracker::FlowTracker;

//! Packets as they come, for tokio: flows, sessions, datagrams and conversations as streams.
//!
//! [`AsyncCapture`] waits for a source of packets, which is a live interface
//! ([`AsyncCapture::open`]), several, a capture file ([`AsyncCapture::open_file`]), or one of your own
//! ([`AsyncPacketSource`]). What comes out of it is a `Stream`:
//!
//! | call | items |
//! |---|---|
//! | [`flow_stream`](AsyncCapture::flow_stream) | the life of every flow: [`FlowEvent`] |
//! | [`session_stream`](FlowStream::session_stream) | and the messages of one stream protocol |
//! | [`datagram_stream`](FlowStream::datagram_stream) | and the messages of one datagram protocol |
//! | [`protocol_stream`](FlowStream::protocol_stream) | and the messages of several protocols |
//! | [`conversations`](FlowStream::conversations) | the TCP flows, each a [`Conversation`]: both its sides as one stream of bytes |
//! | [`with_async_reassembler`](FlowStream::with_async_reassembler) | flow events, while futures of yours read the bytes |
//! | [`broadcast`](EventStream::broadcast) | any of these, for many subscribers |
//! | [`packet_stream`](AsyncCapture::packet_stream) | the packets themselves, copied |
//!
//! Streams of events work where the packets lie: a batch is lent to the driver inside `poll_next`, and
//! nothing is copied or allocated for a packet; what conversations and packets are is copied, once.
//! Nothing is read from the source while the events of
//! the batch before are not taken, so a slow consumer slows the capture, and what the kernel drops
//! meanwhile stands in the ledger: [`stats`](EventStream::stats).
//!
//! This crate adds waiting to [`flowscope_driver`], and nothing else: a capture file streamed through
//! it gives the events of the synchronous driver, one by one.
//!
//! # Cancellation
//!
//! All state is in the stream: a future dropped between two polls loses nothing.
//! [`stop`](EventStream::stop) ends the capture; what was received still comes, open flows end as
//! [`Shutdown`](flowscope_track::EndReason::Shutdown), then the stream ends.
//!
//! # Example
//!
//! ```no_run
//! use flowscope_extract::FiveTuple;
//! use flowscope_track::FlowEvent;
//! use netring::{AsyncCapture, Next as _};
//!
//! # async fn check() -> Result<(), netring::Error> {
//! let mut flows = AsyncCapture::open("eth0")?.flow_stream(FiveTuple::bidirectional());
//! while let Some(event) = flows.next().await {
//!     if let FlowEvent::Ended { flow, reason, .. } = event? {
//!         println!("{} {reason:?}", flow.key);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod async_reassembler;
mod broadcast;
mod capture;
mod conversation;
mod dedup;
mod engine;
mod error;
mod event_stream;
mod flow_stream;
mod in_order;
mod next;
mod packet;
mod passing_time;
mod replay;
mod source;
mod stages;
mod stats;

#[cfg(target_os = "linux")]
mod builder;
#[cfg(target_os = "linux")]
mod live;
#[cfg(target_os = "linux")]
mod sharded;
#[cfg(all(target_os = "linux", feature = "af-xdp"))]
mod xdp;

pub use async_reassembler::{
    AsyncReassembler, AsyncReassemblerDriver, AsyncReassemblerFactory, ReassembledStream,
};
pub use broadcast::{Broadcast, Subscriber, SubscriberError};
pub use capture::{AsyncCapture, default_config};
pub use conversation::{
    BothSides, Conversation, ConversationConfig, ConversationDriver, Conversations, Ended,
    GapCause, OneSide, Piece, Stalled,
};
pub use dedup::Dedup;
pub use engine::Engine;
pub use error::Error;
pub use event_stream::EventStream;
pub use flow_stream::{DatagramStream, FlowStream, ProtocolStream, SessionStream};
pub use in_order::InOrder;
pub use next::Next;
pub use packet::{OwnedPacket, PacketStream};
pub use passing_time::LiveClock;
pub use replay::Replay;
pub use source::{AsyncPacketSource, Merge, SourceStats};
pub use stats::Stats;

pub use flowscope_driver::SessionEvent;
pub use flowscope_filter::{Expr, Filter};
pub use flowscope_track::{EndReason, FlowEvent};

#[cfg(target_os = "linux")]
pub use builder::CaptureBuilder;
#[cfg(target_os = "linux")]
pub use live::Live;
#[cfg(target_os = "linux")]
pub use sharded::{Affinity, Sharded, ShardedStream, Workers};

#[cfg(target_os = "linux")]
pub use netring_capture as ring;

/// The code of the guide, compiled.
#[cfg(all(doctest, target_os = "linux"))]
#[doc = include_str!("../../../docs/CAPTURE_GUIDE.md")]
struct Guide;

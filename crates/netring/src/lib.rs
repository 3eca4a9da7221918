//! Asynchronous packet capture for tokio: flows, sessions, datagrams and conversations as streams.
//!
//! [`AsyncCapture`] reads packets from a source: a live interface ([`AsyncCapture::open`]), several
//! of them, a capture file ([`AsyncCapture::open_file`]), a pipe or socket
//! ([`AsyncCapture::open_async_reader`]), or a source of your own ([`AsyncPacketSource`]). It becomes one of these `Stream`s:
//!
//! | call | items |
//! |---|---|
//! | [`flow_stream`](AsyncCapture::flow_stream) | lifecycle of every flow: [`FlowEvent`] |
//! | [`session_stream`](FlowStream::session_stream) | the same, and messages of one stream protocol |
//! | [`datagram_stream`](FlowStream::datagram_stream) | the same, and messages of one datagram protocol |
//! | [`protocol_stream`](FlowStream::protocol_stream) | the same, and messages of several protocols |
//! | [`conversations`](FlowStream::conversations) | one [`Conversation`] per TCP flow: the bytes of both sides as one stream |
//! | [`with_async_reassembler`](FlowStream::with_async_reassembler) | flow events, while your futures read the bytes |
//! | [`broadcast`](EventStream::broadcast) | any of these, for many subscribers |
//! | [`packet_stream`](AsyncCapture::packet_stream) | copies of the packets |
//!
//! Event streams process packets in place: `poll_next` lends a batch to the driver, and nothing is
//! copied or allocated per packet. Conversations and packet streams copy their bytes once.
//!
//! The source is read only when all events of the previous batch have been taken. A slow consumer
//! therefore slows the capture, and the ledger counts what the kernel drops meanwhile:
//! [`stats`](EventStream::stats).
//!
//! This crate adds only waiting to [`flowscope_driver`]: a stream over a capture file gives exactly
//! the events of the synchronous driver.
//!
//! # Cancellation
//!
//! All state is in the stream: dropping a future between two polls loses nothing.
//! [`stop`](EventStream::stop) ends the capture: packets already received are still processed, open
//! flows end as [`Shutdown`](flowscope_track::EndReason::Shutdown), then the stream ends.
//!
//! # Example
//!
//! ```no_run
//! use flowscope_extract::FiveTuple;
//! use flowscope_track::FlowEvent;
//! use netring::AsyncCapture;
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

mod async_driver;
mod async_reader;
mod async_reassembler;
mod blocking;
mod broadcast;
mod budget;
mod capture;
mod channel_driver;
mod conversation;
mod copied;
mod dedup;
mod discard;
mod error;
mod event_stream;
mod flow_stream;
mod handle;
mod in_order;
mod live_clock;
#[cfg_attr(feature = "metrics", path = "meter/published.rs")]
#[cfg_attr(not(feature = "metrics"), path = "meter/none.rs")]
mod meter;
mod next;
mod pacer;
mod packet;
mod replay;
mod source;
mod stages;
mod stats;

#[cfg(target_os = "linux")]
mod affinity;
#[cfg(target_os = "linux")]
mod builder;
#[cfg(target_os = "linux")]
mod held;
#[cfg(target_os = "linux")]
mod live;
#[cfg(target_os = "linux")]
mod sender;
#[cfg(target_os = "linux")]
mod sharded;
#[cfg(target_os = "linux")]
mod shunt;
#[cfg(all(target_os = "linux", feature = "af-xdp"))]
mod xdp;

pub use async_driver::AsyncDriver;
pub use async_reader::AsyncReader;
pub use async_reassembler::{
    AsyncReassembler, AsyncReassemblerDriver, AsyncReassemblerFactory, ReassembledStream,
};
pub use blocking::Blocking;
pub use broadcast::{Broadcast, Subscriber, SubscriberError};
pub use capture::{AsyncCapture, default_config};
pub use channel_driver::ChannelDriver;
pub use conversation::{
    BothSides, Conversation, ConversationConfig, ConversationDriver, Conversations, Ended,
    GapCause, OneSide, Piece, Stalled,
};
pub use dedup::Dedup;
pub use error::Error;
pub use event_stream::EventStream;
pub use flow_stream::{DatagramStream, FlowStream, ProtocolStream, SessionStream};
pub use handle::StreamHandle;
pub use in_order::InOrder;
pub use live_clock::LiveClock;
pub use pacer::{Pace, Pacer};
pub use packet::{OwnedPacket, PacketStream};
pub use replay::Replay;
pub use source::{AsyncPacketSource, Merge, RingUse, SourceStats};
pub use stats::Stats;

pub use flowscope_driver::{PacketDriver, Progress, SessionEvent, ShuntRefusal, Shunting};
pub use flowscope_filter::{Expr, Filter};
pub use flowscope_track::{EndReason, FlowEvent};

#[cfg(target_os = "linux")]
pub use affinity::{Affinity, FlowAffinity, Watched};
#[cfg(target_os = "linux")]
pub use builder::CaptureBuilder;
#[cfg(target_os = "linux")]
pub use held::HeldBlock;
#[cfg(target_os = "linux")]
pub use live::Live;
#[cfg(target_os = "linux")]
pub use sender::Sender;
#[cfg(target_os = "linux")]
pub use sharded::{Sharded, ShardedStream, Workers};
#[cfg(target_os = "linux")]
pub use shunt::{KernelShunt, ShardedShunting, ShuntFault, WithShunting};

#[cfg(target_os = "linux")]
pub use netring_capture as ring;

/// The code of the guide, compiled.
#[cfg(all(doctest, target_os = "linux"))]
#[doc = include_str!("../../../docs/CAPTURE_GUIDE.md")]
struct Guide;

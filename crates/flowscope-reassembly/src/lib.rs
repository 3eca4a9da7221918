//! From pieces to wholes: TCP segments in, bytes in order out; IP fragments in, datagrams out.
//!
//! # Streams
//!
//! One reassembler per direction of a flow hands the bytes to a
//! [`StreamSink`](flowscope_core::StreamSink) in order, and says where some are missing:
//!
//! - [`StreamReassembler`] waits for what is missing and gives it up as a gap in the end; what a driver
//!   uses.
//! - [`BufferedReassembler`] takes what comes in order and drops the rest.
//! - [`Callbacks`] puts a parser behind hole-filling streams and calls a handler with its messages.
//!
//! All are bounded in memory, and every byte that goes in comes out, waits, or is lost under a
//! name.
//!
//! ```
//! use flowscope_reassembly::{
//!     FlowSide, Reassembler, Segment, StreamConfig, StreamReassemblerFactory, StreamSink,
//!     Timestamp,
//! };
//!
//! struct Print(String);
//!
//! impl StreamSink for Print {
//!     fn bytes(&mut self, at: u64, bytes: &[u8]) {
//!         self.0 += &format!("[{at}: {}]", String::from_utf8_lossy(bytes));
//!     }
//!     fn gap(&mut self, at: u64, len: u64) {
//!         self.0 += &format!("[{at}: {len} missing]");
//!     }
//! }
//!
//! let factory = StreamReassemblerFactory::new(StreamConfig::default());
//! let (mut client, mut server) = (factory.make(), factory.make());
//! let mut out = Print(String::new());
//! let segment = |seq, payload: &'static [u8]| {
//!     Segment::new(FlowSide::Initiator, Timestamp::from_secs(1), seq, payload)
//! };
//! // The stream begins at 100. A segment comes twice, one comes late, one never.
//! client.push(segment(100, b"").syn(), &mut server, &mut out);
//! client.push(segment(106, b"world"), &mut server, &mut out);
//! client.push(segment(100, b"hello "), &mut server, &mut out);
//! client.push(segment(100, b"hello "), &mut server, &mut out);
//! client.push(segment(114, b"bye").fin(), &mut server, &mut out);
//! assert_eq!(out.0, "[0: hello ][6: world]");
//! client.end(&mut server, &mut out);
//! assert_eq!(out.0, "[0: hello ][6: world][11: 3 missing][14: bye]");
//! assert!(client.finished());
//! ```
//!
//! # Fragments
//!
//! An extractor that meets a fragment says so and cannot say more, since ports stand in the first
//! piece only. [`Defragmenter`] collects the pieces, IPv4 and IPv6, and gives a [`ReassembledDatagram`] datagram
//! when none is missing: a [`PacketView`](flowscope_core::PacketView) like any other, to be shown
//! to the extractor again. It counts for all the frames it came in.
//!
//! The pool is bounded in bytes and in datagrams, and every frame that goes in comes out in a
//! joined datagram or under the name of a loss.
//!
//! ```
//! use flowscope_reassembly::{
//!     DefragConfig, Defragmented, Defragmenter, Fragment, LinkType, PacketView, Path, Payload,
//!     Timestamp,
//! };
//! use flowscope_testkit::frame;
//!
//! let whole = frame().ipv4("10.0.0.1", "10.0.0.2").udp(53, 40000).payload([7; 92]);
//! let mut defrag = Defragmenter::new(DefragConfig::default());
//! let mut joined = None;
//! // The last piece first. An extractor would say where the pieces lie; here it is known.
//! for (at, piece) in whole.fragments(9, 56).iter().enumerate().rev() {
//!     let ts = Timestamp::from_secs(1);
//!     let view = PacketView::new(piece, LinkType::RAW, ts);
//!     let fragment = Fragment { id: 9, offset: at as u32 * 56, more: at == 0, header_at: 0 };
//!     let len = piece.len() as u32 - 20;
//!     let payload = Payload { offset: 20, captured: len, wire_len: len };
//!     if let Defragmented::ReassembledDatagram(whole) = defrag.push(&view, &fragment, &Path::EMPTY, &payload, ts) {
//!         joined = Some(whole);
//!     }
//! }
//!
//! let joined = joined.expect("no piece is missing");
//! let view = joined.view();
//! assert_eq!(view.frame()[20..], whole.build()[20..]);
//! assert_eq!((view.frames(), view.wire_len()), (2, 76 + 64));
//! defrag.recycle(joined);
//! ```

mod buffered;
mod callbacks;
mod defrag;
mod stream;

pub use buffered::{BufferedFactory, BufferedReassembler};
pub use callbacks::{CallbackStream, Callbacks, Discard, MessageHandler, Origin};
pub use defrag::{DefragConfig, Defragmented, Defragmenter, ReassembledDatagram};
#[doc(no_inline)]
pub use flowscope_core::{
    Conflict, FlowSide, Fragment, KeptCopy, Ledger, LinkType, Loss, PacketView, Path, Payload,
    Reassembler, ReassemblerFactory, Segment, StreamSink, Timestamp,
};
pub use stream::{OverlapPolicy, StreamConfig, StreamReassembler, StreamReassemblerFactory};

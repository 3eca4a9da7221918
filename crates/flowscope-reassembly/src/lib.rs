//! TCP stream reassembly and IP defragmentation.
//!
//! # Streams
//!
//! One reassembler per direction of a flow delivers the bytes to a [`StreamSink`] in order and reports gaps:
//!
//! - [`StreamReassembler`] buffers out-of-order segments until missing bytes arrive or are reported as a gap.
//!   Drivers use it.
//! - [`BufferedReassembler`] keeps in-order bytes and drops out-of-order segments.
//!
//! Both are bounded in memory. Every input byte is delivered, pending, or reported as lost with a cause.
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
//! An extractor marks fragments, but cannot read ports from them, because only the first fragment has ports.
//! [`Defragmenter`] collects the fragments of IPv4 and IPv6 datagrams and returns a [`ReassembledDatagram`]
//! when none is missing. Its [`PacketView`] goes to the extractor like any other packet and counts for all
//! frames that carried the fragments.
//!
//! Memory is bounded in bytes and in datagrams. Every input frame is part of a reassembled datagram, pending,
//! or counted as lost with a cause.
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
//!     let payload = Payload::new(20, len, len);
//!     if let Defragmented::Complete(whole) = defrag.push(&view, &fragment, &Path::EMPTY, &payload, ts) {
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
mod defrag;
mod discard;
mod stream;

pub use buffered::{BufferedFactory, BufferedReassembler};
pub use defrag::{DefragConfig, Defragmented, Defragmenter, ReassembledDatagram};
pub use discard::Discard;
#[doc(no_inline)]
pub use flowscope_core::{
    Conflict, FlowSide, Fragment, KeptCopy, Ledger, LinkType, Loss, PacketView, Path, Payload,
    Reassembler, ReassemblerFactory, Segment, StreamSink, Timestamp,
};
pub use stream::{OverlapPolicy, StreamConfig, StreamReassembler, StreamReassemblerFactory};

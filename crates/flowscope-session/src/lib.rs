//! Drives a protocol parser over the two byte streams of a flow.
//!
//! A stream protocol has one parser ([`SessionParser`]) and two ways to use it. In the parser shape a
//! driver owns the parsers and returns messages as events. In the callback shape [`Callbacks`] is a
//! [`ReassemblerFactory`] that calls a handler with each message. Both give the same messages,
//! gaps and stops for the same packets, because one state machine stands behind both:
//!
//! - [`ParserState`] decides what a parser learns: starts in mid-stream, gaps, stops of one side or
//!   both, FIN, reset and end, and what becomes of bytes that are not read.
//! - [`Delivery`] is what it drives: a parser and the receiver of its messages. [`Callbacks`] has
//!   one, and `flowscope-driver` has another.
//!
//! ```
//! use flowscope_session::{
//!     Callbacks, Discard, FlowSide, Origin, Reassembler, ReassemblerFactory, Segment,
//!     SessionParser, Timestamp,
//! };
//!
//! #[derive(Clone, Default)]
//! struct Bytes;
//! impl SessionParser for Bytes {
//!     type Message = u8;
//!     fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<u8> {
//!         bytes.to_vec()
//!     }
//!     fn feed_responder(&mut self, _: &[u8]) -> Vec<u8> {
//!         Vec::new()
//!     }
//! }
//!
//! let (sender, messages) = std::sync::mpsc::channel();
//! let mut factory = Callbacks::<Bytes, _>::new(move |origin: Origin<'_, u32>, byte| {
//!     sender.send((*origin.key, byte)).unwrap();
//! });
//! let mut initiator = factory.new_reassembler(&5, FlowSide::Initiator);
//! let mut responder = factory.new_reassembler(&5, FlowSide::Responder);
//! let segment = Segment::new(FlowSide::Initiator, Timestamp::from_secs(1), 1, b"hi").syn();
//! initiator.push(segment, &mut responder, &mut Discard);
//! assert_eq!(messages.try_iter().collect::<Vec<_>>(), [(5, b'h'), (5, b'i')]);
//! ```
//!
//! # Errors
//!
//! Nothing here returns an error. A parser that fails is reported as [`StopReason::Failed`], and
//! the payload that follows as a [`Loss`].

mod callbacks;
mod delivery;
mod handler;
mod state;

pub use callbacks::{CallbackStream, Callbacks};
pub use delivery::{Delivery, StopReason, StreamEnd, StreamPosition};
pub use handler::{MessageHandler, Origin};
pub use state::ParserState;

#[doc(no_inline)]
pub use flowscope_core::{
    FlowSide, Loss, ParseError, ParserStatus, Probe, Reassembler, ReassemblerFactory, Segment,
    SessionParser, SessionParserFactory, StreamChunk, StreamSink, Timestamp,
};
#[doc(no_inline)]
pub use flowscope_reassembly::{Discard, StreamConfig};

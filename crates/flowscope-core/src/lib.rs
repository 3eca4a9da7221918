//! Vocabulary and traits of flowscope.
//!
//! A packet goes through four layers, and each is a trait here so that each can be replaced:
//!
//! | layer | trait | from → to |
//! |---|---|---|
//! | source | [`PacketSource`] | file, ring, socket → batches of [`PacketView`] |
//! | extractor | [`FlowExtractor`] | [`PacketView`] → [`Extracted`] (key, orientation, L4 facts) |
//! | reassembler | [`Reassembler`] | [`Segment`]s of one direction → bytes in order, gaps named |
//! | parser | [`SessionParser`], [`DatagramParser`] | bytes or datagrams → messages |
//!
//! The crate depends on `std` alone. It knows no clock, no thread, no runtime and no global: time is
//! what packets say ([`Timestamp`]), and all state is the caller's. (One thread-local variable ends
//! the endless recursion of a parser that is [written wrongly](SessionParser::feed_into); no result
//! depends on it.)
//!
//! ```
//! use flowscope_core::{Extracted, FlowExtractor, LinkType, Orientation, PacketView, Timestamp};
//!
//! /// Every packet of a link is one flow.
//! struct Everything;
//!
//! impl FlowExtractor for Everything {
//!     type Key = ();
//!     fn extract(&self, _: PacketView<'_>) -> Option<Extracted<()>> {
//!         Some(Extracted::new((), Orientation::Forward))
//!     }
//! }
//!
//! let view = PacketView::new(&[0; 60], LinkType::ETHERNET, Timestamp::from_secs(1));
//! assert_eq!(Everything.extract(view).unwrap().orientation, Orientation::Forward);
//! ```

mod check;
mod expectation;
mod extract;
mod ledger;
mod link;
mod parse;
mod path;
mod progress;
mod proto;
mod recursion;
mod shunt;
mod side;
mod source;
mod stream;
mod tcp;
mod time;
mod unread;
mod view;

pub use check::MessageCheck;
pub use expectation::{Announcement, Announcer, Endpoints, Expectation};
pub use extract::{Extracted, FlowExtractor, Fragment, IcmpInfo, IpInfo, Payload, Refusal};
pub use ledger::{Ledger, Loss};
pub use link::LinkType;
pub use parse::{
    Datagram, DatagramParser, DatagramParserFactory, ParseError, ParserStatus, Probe, Remainder,
    SessionParser, SessionParserFactory, StreamChunk, feed_once, parse_once,
};
pub use path::{Layer, MAX_DEPTH, Path, PathLayer};
pub use progress::Progress;
pub use proto::L4Proto;
pub use shunt::{
    ReturnedPacket, ShuntKey, ShuntSide, ShuntStart, Shunted, ShuntedSide, ToShuntKey,
};
pub use side::{FlowSide, Orientation};
pub use source::PacketSource;
pub use stream::{Conflict, KeptCopy, Reassembler, ReassemblerFactory, Segment, StreamSink};
pub use tcp::{TcpFlags, TcpInfo, TcpOptions};
pub use time::Timestamp;
pub use unread::{UnreadHeader, UnreadHeaders};
pub use view::{Cursor, NextHeader, PacketView, VlanTag};

use std::fmt;

use crate::{FlowSide, Timestamp};

/// Bytes of one direction of a stream, in order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StreamChunk<'a> {
    /// Who sent them.
    pub side: FlowSide,
    /// When the packet that completed them was captured.
    pub ts: Timestamp,
    /// Where they stand in the side's stream, in bytes; gaps count.
    pub offset: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// One datagram of a flow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub side: FlowSide,
    /// When it was captured.
    pub ts: Timestamp,
    /// What was captured of its payload.
    pub payload: &'a [u8],
    /// Payload length on the wire, in bytes; more than `payload.len()` if the snap length cut it.
    pub wire_len: u32,
}

/// Whether a parser wants more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ParserStatus {
    /// More bytes of both sides are welcome.
    Continue,
    /// No more bytes of this side, please; the other goes on.
    StopSide(FlowSide),
    /// All that the parser is there for has been seen: feed it nothing more.
    Done,
    /// The bytes are not, or no longer, the protocol.
    Failed(ParseError),
}

/// What the first bytes of a stream, or a datagram, say about its protocol.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Probe {
    /// They are the protocol's, and hardly any other's.
    Yes,
    /// They may be; more of them may tell.
    Maybe,
    /// They are not.
    No,
}

/// Why a byte stream stopped being valid protocol.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ParseError {
    /// The bytes are another protocol, or none.
    NotTheProtocol,
    /// A field, named here as in its RFC, holds a value the protocol forbids.
    InvalidField(&'static str),
    /// The wire declared, or sent, this many bytes, more than the parser's bound.
    TooLong(u64),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::NotTheProtocol => f.write_str("not the protocol"),
            ParseError::InvalidField(field) => write!(f, "invalid {field}"),
            ParseError::TooLong(bytes) => write!(f, "{bytes} bytes are more than the bound"),
        }
    }
}

impl std::error::Error for ParseError {}

/// Turns the two byte streams of a flow into messages; one parser per flow.
///
/// The first two methods are locked: a parser that has only them is complete. The others are
/// additions with default bodies, and the only ones an engine calls. A parser that overrides
/// [`feed_into`](Self::feed_into) writes the locked two in terms of it.
///
/// Messages do not depend on how the bytes were cut into calls, and no bytes make a parser panic.
pub trait SessionParser {
    /// One typed unit of the protocol.
    type Message;

    /// The next bytes that the initiator sent; returns the messages they complete.
    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Self::Message>;

    /// The next bytes that the responder sent; returns the messages they complete.
    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Self::Message>;

    /// The next bytes of one side; appends the messages they complete to storage of the caller's.
    ///
    /// The default body calls the two methods above, so a parser must write either it or them.
    fn feed_into(&mut self, feed: StreamChunk<'_>, out: &mut Vec<Self::Message>) -> ParserStatus {
        out.extend(match feed.side {
            FlowSide::Initiator => self.feed_initiator(feed.bytes),
            FlowSide::Responder => self.feed_responder(feed.bytes),
        });
        ParserStatus::Continue
    }

    /// `len` bytes of `side` were never captured. By default that side is given up.
    fn gap(&mut self, side: FlowSide, _len: u64, _out: &mut Vec<Self::Message>) -> ParserStatus {
        ParserStatus::StopSide(side)
    }

    /// `side` has finished sending.
    fn fin(&mut self, _side: FlowSide, _out: &mut Vec<Self::Message>) {}

    /// The flow was reset by `side`.
    fn rst(&mut self, _side: FlowSide, _out: &mut Vec<Self::Message>) {}

    /// The flow is over, for whatever reason, or has no more room: the last call a parser gets.
    fn end(&mut self, _out: &mut Vec<Self::Message>) {}

    /// Packet time has reached `now` without anything to parse. Engines hand the time in with each feed
    /// and do not call this: it is for callers that know of time that passes in silence.
    fn tick(&mut self, _now: Timestamp, _out: &mut Vec<Self::Message>) {}

    /// Bytes of memory held beside the value itself, by capacity.
    fn heap_bytes(&self) -> usize {
        0
    }

    /// Whether `start`, the first bytes that `side` sent, look like the protocol. What is
    /// [`Probe::Yes`] or [`Probe::No`] stays so when more bytes follow.
    #[must_use]
    fn probe(_side: FlowSide, _start: &[u8]) -> Probe
    where
        Self: Sized,
    {
        Probe::Maybe
    }
}

/// Turns datagrams of a flow into messages; one parser per flow.
///
/// The first method is locked: a parser that has only it is complete.
pub trait DatagramParser {
    /// One typed unit of the protocol.
    type Message;

    /// The messages in one datagram that `side` sent.
    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<Self::Message>;

    /// As [`parse`](Self::parse), with everything known about the datagram, appending to storage of
    /// the caller's.
    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<Self::Message>) -> ParserStatus {
        out.extend(self.parse(datagram.payload, datagram.side));
        ParserStatus::Continue
    }

    /// The flow is over, for whatever reason, or has no more room: the last call a parser gets.
    fn end(&mut self, _out: &mut Vec<Self::Message>) {}

    /// Packet time has reached `now` without anything to parse. Engines hand the time in with each feed
    /// and do not call this: it is for callers that know of time that passes in silence.
    fn tick(&mut self, _now: Timestamp, _out: &mut Vec<Self::Message>) {}

    /// Bytes of memory held beside the value itself, by capacity.
    fn heap_bytes(&self) -> usize {
        0
    }

    /// Whether a datagram that `side` sent looks like the protocol.
    #[must_use]
    fn probe(_side: FlowSide, _payload: &[u8]) -> Probe
    where
        Self: Sized,
    {
        Probe::Maybe
    }
}

/// Makes a [`SessionParser`] per flow. A parser that is `Default + Clone` is its own factory.
pub trait SessionParserFactory<K> {
    /// What it makes.
    type Parser: SessionParser;

    /// A parser for the flow `key`; on `None` the flow is tracked but never buffered or parsed.
    fn new_parser(&mut self, key: &K) -> Option<Self::Parser>;
}

impl<K, P: SessionParser + Default + Clone> SessionParserFactory<K> for P {
    type Parser = P;

    fn new_parser(&mut self, _key: &K) -> Option<P> {
        Some(self.clone())
    }
}

/// Makes a [`DatagramParser`] per flow. A parser that is `Default + Clone` is its own factory.
pub trait DatagramParserFactory<K> {
    /// What it makes.
    type Parser: DatagramParser;

    /// A parser for the flow `key`; on `None` the flow is tracked but its datagrams are not parsed.
    fn new_parser(&mut self, key: &K) -> Option<Self::Parser>;
}

impl<K, P: DatagramParser + Default + Clone> DatagramParserFactory<K> for P {
    type Parser = P;

    fn new_parser(&mut self, _key: &K) -> Option<P> {
        Some(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines, by the locked methods alone.
    #[derive(Clone, Default)]
    struct Lines([Vec<u8>; 2]);

    impl Lines {
        fn feed(&mut self, side: FlowSide, bytes: &[u8]) -> Vec<String> {
            let held = &mut self.0[side.index()];
            held.extend_from_slice(bytes);
            let mut lines = Vec::new();
            while let Some(end) = held.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = held.drain(..=end).collect();
                lines.push(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            lines
        }
    }

    impl SessionParser for Lines {
        type Message = String;
        fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<String> {
            self.feed(FlowSide::Initiator, bytes)
        }
        fn feed_responder(&mut self, bytes: &[u8]) -> Vec<String> {
            self.feed(FlowSide::Responder, bytes)
        }
    }

    #[test]
    fn the_locked_methods_make_a_complete_parser_and_its_factory() {
        let mut factory = Lines::default();
        let mut parser = SessionParserFactory::<u8>::new_parser(&mut factory, &7).unwrap();
        let mut out = Vec::new();
        for (side, bytes) in [
            (FlowSide::Initiator, "he"),
            (FlowSide::Responder, "yo\n"),
            (FlowSide::Initiator, "y\n"),
        ] {
            let feed =
                StreamChunk { side, ts: Timestamp::ZERO, offset: 0, bytes: bytes.as_bytes() };
            assert_eq!(parser.feed_into(feed, &mut out), ParserStatus::Continue);
        }
        assert_eq!(out, ["yo", "hey"]);
        assert_eq!(
            parser.gap(FlowSide::Responder, 10, &mut out),
            ParserStatus::StopSide(FlowSide::Responder)
        );
    }
}

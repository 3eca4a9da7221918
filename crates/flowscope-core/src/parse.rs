use std::fmt;

use crate::recursion::DefaultBody;
use crate::{Expectation, FlowSide, Timestamp};

/// Consecutive bytes of one direction of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StreamChunk<'a> {
    /// The side that sent the bytes.
    pub side: FlowSide,
    /// When the bytes were there, and all before them: the capture time of their packet, or of a later one that brought what
    /// was missing before them. A gap before them changes nothing.
    pub ts: Timestamp,
    /// Position of the first byte in the stream of its side, in bytes; gaps count.
    pub offset: u64,
    /// The bytes; never empty when an engine passes them to a parser.
    pub bytes: &'a [u8],
    /// Stream offset of the other side up to which the segment that carried the bytes acknowledges
    /// (RFC 9293 §3.4): what its sender had received when it sent them. `None` if not known.
    ///
    /// Engines take it from the segment itself, also for bytes that waited for others. It may lie
    /// beyond what was captured of the other side so far, and counts no FIN whose place is known.
    pub acked: Option<u64>,
    /// The first bytes of a side whose SYN was not seen: others may have come before them.
    pub mid_stream: bool,
}

/// One datagram of a flow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Datagram<'a> {
    /// The side that sent the datagram.
    pub side: FlowSide,
    /// Capture time.
    pub ts: Timestamp,
    /// The captured payload.
    pub payload: &'a [u8],
    /// Payload length on the wire, in bytes; more than `payload.len()` if the snap length cut it.
    pub wire_len: u32,
}

impl<'a> StreamChunk<'a> {
    /// Creates a chunk of the bytes that `side` sent at `offset` of its stream.
    #[must_use]
    pub fn new(side: FlowSide, ts: Timestamp, offset: u64, bytes: &'a [u8]) -> Self {
        StreamChunk { side, ts, offset, bytes, acked: None, mid_stream: false }
    }

    /// Sets what the segment of the bytes acknowledges: an offset in the stream of the other side.
    /// Default: not known.
    #[must_use]
    pub fn acked(mut self, acked: Option<u64>) -> Self {
        self.acked = acked;
        self
    }

    /// Sets whether bytes of the side may have come before these, its first. Default: no.
    #[must_use]
    pub fn mid_stream(mut self, mid_stream: bool) -> Self {
        self.mid_stream = mid_stream;
        self
    }
}

impl<'a> Datagram<'a> {
    /// Creates a datagram whose payload was captured whole.
    #[must_use]
    pub fn new(side: FlowSide, ts: Timestamp, payload: &'a [u8]) -> Self {
        let wire_len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        Datagram { side, ts, payload, wire_len }
    }

    /// Sets the payload length on the wire, in bytes. Default: the length of the payload.
    #[must_use]
    pub fn wire_len(mut self, wire_len: u32) -> Self {
        self.wire_len = wire_len;
        self
    }
}

/// What a parser needs next from its engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ParserStatus {
    /// The parser reads on, both sides.
    Continue,
    /// The parser reads no more bytes of this side. The other side goes on.
    StopSide(FlowSide),
    /// The parser has all it needs and reads no more bytes of either side.
    Done,
    /// Another protocol goes on in the same connection (STARTTLS, `CONNECT`). The parser reads no more of
    /// either side; what it was fed of the bytes that follow is in
    /// [`take_remainder`](SessionParser::take_remainder).
    Upgrade,
    /// As [`Upgrade`](Self::Upgrade), and the two ends have agreed on the protocol of this name (`Upgrade: websocket`).
    UpgradeTo(&'static str),
    /// The stream carries that of another protocol, of which there are bytes in
    /// [`take_remainder`](SessionParser::take_remainder); of the protocol of this name, if the two ends have agreed
    /// on it. The parser reads on, both sides: TLS whose keys are known.
    Carries(Option<&'static str>),
    /// The two ends are about to open another connection, of which
    /// [`take_expectation`](SessionParser::take_expectation) says what is known. The parser reads on, both sides.
    Expects,
    /// The bytes are not, or no longer, the protocol. The parser reads no more of either side.
    Failed(ParseError),
}

/// Bytes that belong to the protocol behind a parser's own, or within it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Remainder {
    /// Position of the first byte in the stream of its side; after [`ParserStatus::Carries`], in the stream that
    /// is carried. What lies between two of them is a gap.
    pub offset: u64,
    /// The bytes; those behind the parser's own are the last ones that were fed of that side.
    pub bytes: Vec<u8>,
}

/// Whether the first bytes of a stream, or a datagram, belong to a protocol.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Probe {
    /// They belong to the protocol, and to hardly any other.
    Yes,
    /// They may belong to the protocol. More bytes may decide.
    Maybe,
    /// They do not belong to the protocol.
    No,
}

/// Why a byte stream stopped being valid protocol.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ParseError {
    /// The bytes belong to another protocol, or to none.
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

/// Parses the two byte streams of a flow into messages; one parser per flow.
///
/// [`feed_initiator`](Self::feed_initiator) and [`feed_responder`](Self::feed_responder) are
/// required, and a parser that has only them is complete. Everything else has a default body.
/// Engines call [`feed_into`](Self::feed_into), never the two required methods.
///
/// A parser is written in one of two ways:
///
/// - It implements the two required methods and leaves `feed_into` alone.
/// - It implements `feed_into`, which has the side, the time and the offset and allocates no `Vec`
///   per call, and implements the required two with [`feed_once`].
///
/// Messages do not depend on how the bytes were cut into calls, and no bytes make a parser panic.
///
/// ```
/// use flowscope_core::{
///     FlowSide, ParserStatus, SessionParser, StreamChunk, Timestamp, feed_once,
/// };
///
/// /// Reports the offset of each line feed.
/// struct LineFeeds;
///
/// impl SessionParser for LineFeeds {
///     type Message = u64;
///     fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<u64> {
///         feed_once(self, StreamChunk::new(FlowSide::Initiator, Timestamp::ZERO, 0, bytes))
///     }
///     fn feed_responder(&mut self, bytes: &[u8]) -> Vec<u64> {
///         feed_once(self, StreamChunk::new(FlowSide::Responder, Timestamp::ZERO, 0, bytes))
///     }
///     fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<u64>) -> ParserStatus {
///         let offsets = (chunk.offset..).zip(chunk.bytes);
///         out.extend(offsets.filter(|&(_, byte)| *byte == b'\n').map(|(offset, _)| offset));
///         ParserStatus::Continue
///     }
/// }
///
/// assert_eq!(LineFeeds.feed_initiator(b"a\nbc\n"), [1, 4]);
/// ```
pub trait SessionParser {
    /// One typed unit of the protocol.
    type Message;

    /// Parses the next bytes that the initiator sent and returns the messages they complete.
    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Self::Message>;

    /// Parses the next bytes that the responder sent and returns the messages they complete.
    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Self::Message>;

    /// Parses the next bytes of one side and appends the messages they complete to `out`.
    ///
    /// The default body calls [`feed_initiator`](Self::feed_initiator) or
    /// [`feed_responder`](Self::feed_responder). A parser whose required methods call `feed_into`,
    /// or [`feed_once`], must implement it.
    ///
    /// # Panics
    ///
    /// The default body panics when the required method that it calls has called it again 32 times,
    /// each within the one before: the parser lacks its own `feed_into`, and the two would call each
    /// other until the stack overflows. The compiler cannot see this mistake; the first byte that
    /// is fed shows it.
    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<Self::Message>) -> ParserStatus {
        out.extend(match chunk.side {
            FlowSide::Initiator => {
                let _guard = DefaultBody::enter(self, "feed_initiator", "feed_into");
                self.feed_initiator(chunk.bytes)
            }
            FlowSide::Responder => {
                let _guard = DefaultBody::enter(self, "feed_responder", "feed_into");
                self.feed_responder(chunk.bytes)
            }
        });
        ParserStatus::Continue
    }

    /// Handles `len` bytes of `side` that were never captured.
    ///
    /// `len` is 0 where the side is picked up in the middle of its stream: bytes may be missing
    /// before those that follow. The default body stops reading the side.
    fn gap(&mut self, side: FlowSide, _len: u64, _out: &mut Vec<Self::Message>) -> ParserStatus {
        ParserStatus::StopSide(side)
    }

    /// Handles the end of the stream of `side` (FIN), after its last byte. If that FIN turns out to be none of the
    /// sender's, bytes follow, and perhaps another FIN.
    fn fin(&mut self, _side: FlowSide, _out: &mut Vec<Self::Message>) {}

    /// Handles a reset of the flow by `side`.
    fn rst(&mut self, _side: FlowSide, _out: &mut Vec<Self::Message>) {}

    /// Handles the end of parsing: the flow has ended, or is read no further. The last call.
    fn end(&mut self, _out: &mut Vec<Self::Message>) {}

    /// The status after [`end`](Self::end): [`ParserStatus::Carries`] if [`take_remainder`](Self::take_remainder) has
    /// bytes that the parser held back until then. The default, and any other status, says that there are none.
    fn end_status(&self) -> ParserStatus {
        ParserStatus::Done
    }

    /// Takes the bytes of `side` that were fed and belong to what follows, after
    /// [`ParserStatus::Upgrade`] or [`ParserStatus::UpgradeTo`]. `None` if there are none.
    ///
    /// A parser that returns that status keeps the rest of the chunk at hand, and what it had of the other side
    /// behind its last message, for this.
    ///
    /// After [`ParserStatus::Carries`] it is called until there are none, first for the side that was not fed. Bytes
    /// that nobody takes are dropped with the next chunk.
    fn take_remainder(&mut self, _side: FlowSide) -> Option<Remainder> {
        None
    }

    /// Takes a connection that the two ends are about to open, after [`ParserStatus::Expects`]: called until there are
    /// none. Where engines do not, the parser bounds what it holds of them.
    fn take_expectation(&mut self) -> Option<Expectation> {
        None
    }

    /// Handles what the parser of another flow has said of this one in its [`Expectation`]: `flow` is the id of that
    /// flow, the number of its first packet. Called before the first bytes, and once more before [`end`](Self::end)
    /// or a protocol that follows.
    fn introduce(&mut self, _flow: u64, _about: &[u8]) {}

    /// Handles packet time that has reached `now` without bytes to parse.
    ///
    /// Engines pass the time with each chunk and do not call this; callers that know of time that
    /// passes in silence do.
    fn tick(&mut self, _now: Timestamp, _out: &mut Vec<Self::Message>) {}

    /// Returns the memory allocated by the parser, in bytes, by capacity, without the value itself.
    fn heap_bytes(&self) -> usize {
        0
    }

    /// Returns whether `start`, the first bytes that `side` sent, belong to the protocol.
    ///
    /// An answer of [`Probe::Yes`] or [`Probe::No`] stays the same when more bytes follow.
    #[must_use]
    fn probe(_side: FlowSide, _start: &[u8]) -> Probe
    where
        Self: Sized,
    {
        Probe::Maybe
    }
}

/// Parses one chunk with [`SessionParser::feed_into`] and returns the messages it completes.
///
/// With this, a parser that implements `feed_into` implements the two required methods. The
/// parser's status is not returned.
///
/// # Panics
///
/// As [`SessionParser::feed_into`], if the parser does not implement that.
pub fn feed_once<P: SessionParser + ?Sized>(
    parser: &mut P,
    chunk: StreamChunk<'_>,
) -> Vec<P::Message> {
    let mut out = Vec::new();
    parser.feed_into(chunk, &mut out);
    out
}

/// Parses the datagrams of a flow into messages; one parser per flow.
///
/// [`parse`](Self::parse) is required, and a parser that has only it is complete. A parser that
/// implements [`parse_into`](Self::parse_into) implements `parse` with [`parse_once`]. Engines call
/// `parse_into`, never `parse`.
pub trait DatagramParser {
    /// One typed unit of the protocol.
    type Message;

    /// Parses one datagram that `side` sent and returns the messages in it.
    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<Self::Message>;

    /// Parses one datagram and appends the messages in it to `out`.
    ///
    /// The default body calls [`parse`](Self::parse). A parser whose `parse` calls `parse_into`, or
    /// [`parse_once`], must implement it.
    ///
    /// # Panics
    ///
    /// The default body panics when `parse` has called it again 32 times, each within the one
    /// before: the parser lacks its own `parse_into`, as with [`SessionParser::feed_into`].
    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<Self::Message>) -> ParserStatus {
        let _guard = DefaultBody::enter(self, "parse", "parse_into");
        out.extend(self.parse(datagram.payload, datagram.side));
        ParserStatus::Continue
    }

    /// Handles the end of parsing: the flow has ended, or is read no further. The last call.
    fn end(&mut self, _out: &mut Vec<Self::Message>) {}

    /// Handles packet time that has reached `now` without a datagram to parse.
    ///
    /// Engines pass the time with each datagram and do not call this; callers that know of time that
    /// passes in silence do.
    fn tick(&mut self, _now: Timestamp, _out: &mut Vec<Self::Message>) {}

    /// Returns the memory allocated by the parser, in bytes, by capacity, without the value itself.
    fn heap_bytes(&self) -> usize {
        0
    }

    /// Returns whether a datagram that `side` sent belongs to the protocol.
    #[must_use]
    fn probe(_side: FlowSide, _payload: &[u8]) -> Probe
    where
        Self: Sized,
    {
        Probe::Maybe
    }
}

/// Parses one datagram with [`DatagramParser::parse_into`] and returns the messages in it.
///
/// With this, a parser that implements `parse_into` implements `parse`. The parser's status is not
/// returned.
///
/// # Panics
///
/// As [`DatagramParser::parse_into`], if the parser does not implement that.
pub fn parse_once<P: DatagramParser + ?Sized>(
    parser: &mut P,
    datagram: Datagram<'_>,
) -> Vec<P::Message> {
    let mut out = Vec::new();
    parser.parse_into(datagram, &mut out);
    out
}

/// Creates a [`SessionParser`] per flow. A parser that is `Default + Clone` is its own factory.
pub trait SessionParserFactory<K> {
    /// The type of the parsers.
    type Parser: SessionParser;

    /// Creates a parser for the flow `key`; on `None` the flow is tracked but never buffered or parsed.
    fn new_parser(&mut self, key: &K) -> Option<Self::Parser>;
}

impl<K, P: SessionParser + Default + Clone> SessionParserFactory<K> for P {
    type Parser = P;

    fn new_parser(&mut self, _key: &K) -> Option<P> {
        Some(self.clone())
    }
}

/// Creates a [`DatagramParser`] per flow. A parser that is `Default + Clone` is its own factory.
pub trait DatagramParserFactory<K> {
    /// The type of the parsers.
    type Parser: DatagramParser;

    /// Creates a parser for the flow `key`; on `None` the flow is tracked but its datagrams are not
    /// parsed.
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

    /// Splits into lines, with the required methods alone.
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
    fn the_required_methods_make_a_complete_parser_and_its_factory() {
        let mut factory = Lines::default();
        let mut parser = SessionParserFactory::<u8>::new_parser(&mut factory, &7).unwrap();
        let mut out = Vec::new();
        for (side, bytes) in [
            (FlowSide::Initiator, "he"),
            (FlowSide::Responder, "yo\n"),
            (FlowSide::Initiator, "y\n"),
        ] {
            let chunk = StreamChunk::new(side, Timestamp::ZERO, 0, bytes.as_bytes());
            assert_eq!(parser.feed_into(chunk, &mut out), ParserStatus::Continue);
        }
        assert_eq!(out, ["yo", "hey"]);
        assert_eq!(
            parser.gap(FlowSide::Responder, 10, &mut out),
            ParserStatus::StopSide(FlowSide::Responder)
        );
    }

    /// Writes the required methods through those that it does not implement.
    #[derive(Default)]
    struct Circular;

    impl SessionParser for Circular {
        type Message = ();
        fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<()> {
            let chunk = StreamChunk::new(FlowSide::Initiator, Timestamp::ZERO, 0, bytes);
            let mut out = Vec::new();
            self.feed_into(chunk, &mut out);
            out
        }
        fn feed_responder(&mut self, bytes: &[u8]) -> Vec<()> {
            feed_once(self, StreamChunk::new(FlowSide::Responder, Timestamp::ZERO, 0, bytes))
        }
    }

    impl DatagramParser for Circular {
        type Message = ();
        fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<()> {
            parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
        }
    }

    #[test]
    #[should_panic(expected = "implement `feed_into`, or do not call it")]
    fn feed_initiator_through_the_default_feed_into_panics() {
        Circular.feed_initiator(b"x");
    }

    #[test]
    #[should_panic(expected = "implement `feed_into`, or do not call it")]
    fn feed_once_through_the_default_feed_into_panics() {
        Circular.feed_responder(b"x");
    }

    #[test]
    #[should_panic(expected = "implement `parse_into`, or do not call it")]
    fn parse_through_the_default_parse_into_panics() {
        DatagramParser::parse(&mut Circular, b"x", FlowSide::Initiator);
    }

    /// Passes everything on to the parser within, which stands at the same address.
    struct Wrapper<P>(P);

    impl<P: SessionParser> SessionParser for Wrapper<P> {
        type Message = P::Message;
        fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<P::Message> {
            feed_once(&mut self.0, StreamChunk::new(FlowSide::Initiator, Timestamp::ZERO, 0, bytes))
        }
        fn feed_responder(&mut self, bytes: &[u8]) -> Vec<P::Message> {
            feed_once(&mut self.0, StreamChunk::new(FlowSide::Responder, Timestamp::ZERO, 0, bytes))
        }
    }

    #[test]
    fn parsers_within_parsers_are_no_recursion() {
        let mut parser = Wrapper(Wrapper(Wrapper(Lines::default())));
        for _ in 0..100 {
            let chunk = StreamChunk::new(FlowSide::Initiator, Timestamp::ZERO, 0, b"x\n");
            assert_eq!(feed_once(&mut parser, chunk), ["x"]);
        }
    }

    #[test]
    fn the_guard_against_recursion_survives_a_panic() {
        for _ in 0..2 {
            let caught = std::panic::catch_unwind(|| Circular.feed_initiator(b"x"));
            assert!(caught.is_err());
            let mut parser = Lines::default();
            let chunk = StreamChunk::new(FlowSide::Responder, Timestamp::ZERO, 0, b"y\n");
            assert_eq!(feed_once(&mut parser, chunk), ["y"]);
        }
    }

    #[test]
    fn a_datagram_is_whole_unless_its_length_says_otherwise() {
        let whole = Datagram::new(FlowSide::Initiator, Timestamp::ZERO, b"abc");
        assert_eq!((whole.wire_len, whole.wire_len(9).wire_len), (3, 9));
    }
}

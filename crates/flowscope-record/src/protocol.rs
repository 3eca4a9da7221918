use std::fmt;
use std::marker::PhantomData;

use flowscope_core::{
    Announcer, Datagram, DatagramParser, FlowSide, ParserStatus, SessionParser, StreamChunk,
};

use crate::{ByteSet, Schema};

/// A protocol: its name, the evidence by which flows are found to speak it, its parsers and the schema
/// of their records.
///
/// Everything that lists protocols (detection, `--protocol`, help texts, `app_proto`, writers,
/// documentation) is derived from implementations of this trait.
pub trait Protocol {
    /// The name in `app_proto`, `--protocol` and features, in lower case.
    const NAME: &'static str;
    /// What has a record, for help texts: "one per handshake, also if it fails".
    const RECORDS: &'static str;
    /// The ports on which the protocol is expected.
    const PORTS: Ports;
    /// The bytes by which a stream or datagram of the protocol may begin, on any port.
    ///
    /// A prefilter: [`SessionParser::probe`] is asked only where the first byte is among them or a port
    /// is the protocol's. [`ByteSet::NONE`] for a protocol that is found by port alone.
    const FIRST_BYTES: ByteSet;
    /// The bytes by which a stream may begin, where they are not those of datagrams.
    const STREAM_FIRST_BYTES: ByteSet = Self::FIRST_BYTES;
    /// Whether a connection may go over to another protocol, or have one within: STARTTLS, `CONNECT`, a proxy, TLS
    /// that is decrypted.
    const CARRIES: bool = false;
    /// By what packets are known that announce connections which the stream parser
    /// [expects](SessionParser::take_expectation), if it expects any.
    const ANNOUNCER: Option<Announcer> = None;
    /// The parser of TCP flows; [`NoParser`] if there is none.
    type Stream: SessionParser<Message = Self::Record> + Clone + Default + Send + 'static;
    /// The parser of all other flows; [`NoParser`] if there is none.
    type Datagram: DatagramParser<Message = Self::Record> + Clone + Default + Send + 'static;
    /// What the parsers emit.
    type Record: Send + 'static;
    /// The columns of a record.
    const SCHEMA: &'static Schema<Self::Record>;

    /// The parser that each TCP flow gets a clone of. By default the same for all options.
    fn stream(_options: &ParserOptions) -> Self::Stream {
        Self::Stream::default()
    }

    /// The parser that each other flow gets a clone of. By default the same for all options.
    fn datagram(_options: &ParserOptions) -> Self::Datagram {
        Self::Datagram::default()
    }
}

/// What a consumer of records asks of the parsers of every protocol.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ParserOptions {
    /// Whether a request and its response are one record where the protocol's messages are records
    /// otherwise: Zeek's `dns.log` has one line for both, EVE has a line for each.
    pub transactions: bool,
    /// Whether the files that the protocol carries are examined: their types and SHA-256, where it can do that.
    pub files: bool,
    /// How many first bytes of each file are kept with its record, at most.
    pub file_bytes: usize,
}

impl ParserOptions {
    /// One record for a request and its response, or one for each.
    #[must_use]
    pub fn transactions(mut self, transactions: bool) -> Self {
        self.transactions = transactions;
        self
    }

    /// Examines the files that the protocol carries, or does not.
    #[must_use]
    pub fn files(mut self, files: bool) -> Self {
        self.files = files;
        self
    }

    /// Keeps at most this many first bytes of each file that is examined.
    #[must_use]
    pub fn file_bytes(mut self, bytes: usize) -> Self {
        self.file_bytes = bytes;
        self
    }
}

/// The ports on which a protocol is expected.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Ports {
    /// TCP ports.
    pub tcp: &'static [u16],
    /// UDP ports.
    pub udp: &'static [u16],
}

impl Ports {
    /// No port.
    pub const NONE: Ports = Ports { tcp: &[], udp: &[] };

    /// TCP ports only.
    #[must_use]
    pub const fn tcp(ports: &'static [u16]) -> Self {
        Ports { tcp: ports, udp: &[] }
    }

    /// UDP ports only.
    #[must_use]
    pub const fn udp(ports: &'static [u16]) -> Self {
        Ports { tcp: &[], udp: ports }
    }
}

/// No parser: stands for the transport that a protocol does not use.
pub struct NoParser<R>(PhantomData<fn() -> R>);

impl<R> NoParser<R> {
    /// The absence of a parser.
    #[must_use]
    pub const fn new() -> Self {
        NoParser(PhantomData)
    }
}

impl<R> Default for NoParser<R> {
    fn default() -> Self {
        NoParser::new()
    }
}

impl<R> Clone for NoParser<R> {
    fn clone(&self) -> Self {
        NoParser::new()
    }
}

impl<R> fmt::Debug for NoParser<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoParser")
    }
}

impl<R> SessionParser for NoParser<R> {
    type Message = R;

    fn feed_initiator(&mut self, _bytes: &[u8]) -> Vec<R> {
        Vec::new()
    }

    fn feed_responder(&mut self, _bytes: &[u8]) -> Vec<R> {
        Vec::new()
    }

    fn feed_into(&mut self, _chunk: StreamChunk<'_>, _out: &mut Vec<R>) -> ParserStatus {
        ParserStatus::Done
    }
}

impl<R> DatagramParser for NoParser<R> {
    type Message = R;

    fn parse(&mut self, _payload: &[u8], _side: FlowSide) -> Vec<R> {
        Vec::new()
    }

    fn parse_into(&mut self, _datagram: Datagram<'_>, _out: &mut Vec<R>) -> ParserStatus {
        ParserStatus::Done
    }
}

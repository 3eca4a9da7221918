use std::any::Any;

use flowscope_core::{
    Datagram, DatagramParser, FlowSide, ParserStatus, Probe, SessionParser, StreamChunk,
};
use flowscope_reassembly::{StreamConfig, StreamReassemblerFactory};
use flowscope_session::StreamEnd;

use crate::detection::{Classification, Classifier, DetectedBy, Detection, ProbeInput, Transport};

/// Several protocols on one flow table, their messages as one type of the caller's.
///
/// A port is an expectation, bytes are evidence. The first protocol added that is sure of the bytes of
/// either side reads the flow, also one that is joined in the middle; among those that are sure, one
/// that has a port of the flow comes first. If none is sure, one that has a port of the flow reads it
/// unless the bytes rule it out. A flow on a port of a protocol is not given up for an unreadable start:
/// the other side's bytes and further datagrams are asked too, up to 256 bytes of a stream and 32
/// datagrams.
///
/// ```
/// use flowscope_core::SessionParser;
/// use flowscope_driver::{Protocols, Recognition};
///
/// /// Counts what both sides say.
/// #[derive(Clone, Default)]
/// struct Count;
///
/// impl SessionParser for Count {
///     type Message = usize;
///     fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<usize> {
///         vec![bytes.len()]
///     }
///     fn feed_responder(&mut self, bytes: &[u8]) -> Vec<usize> {
///         vec![bytes.len()]
///     }
/// }
///
/// enum AppRecord {
///     Bytes(usize),
/// }
///
/// let protocols = Protocols::new().stream("count", Count, Recognition::by_ports([7]), AppRecord::Bytes);
/// assert_eq!(protocols.ports().collect::<Vec<_>>(), [7]);
/// ```
pub struct Protocols<M> {
    entries: Vec<Entry<M>>,
    streams: StreamReassemblerFactory,
    recognise_only: bool,
}

/// How flows of a protocol are recognised.
#[derive(Clone, Debug, Default)]
pub struct Recognition {
    ports: Vec<u16>,
    bytes: bool,
}

impl Recognition {
    /// By one of these ports, if the first bytes do not speak against it.
    #[must_use]
    pub fn by_ports(ports: impl IntoIterator<Item = u16>) -> Self {
        Recognition { ports: ports.into_iter().collect(), bytes: false }
    }

    /// By the first bytes, on any port.
    #[must_use]
    pub fn by_bytes() -> Self {
        Recognition { ports: Vec::new(), bytes: true }
    }

    /// By the first bytes too, on any port.
    #[must_use]
    pub fn or_bytes(mut self) -> Self {
        self.bytes = true;
        self
    }
}

struct Entry<M> {
    name: &'static str,
    transport: Transport,
    recognition: Recognition,
    reader: Box<dyn DynParser<M>>,
}

/// A protocol without its types.
trait DynParser<M>: Send {
    fn start(&self) -> Box<dyn Any + Send>;
    fn probe(&self, side: FlowSide, bytes: &[u8]) -> Probe;
    fn feed(
        &mut self,
        parser: &mut dyn Any,
        feed: StreamChunk<'_>,
        out: &mut Vec<M>,
    ) -> ParserStatus;
    fn gap(
        &mut self,
        parser: &mut dyn Any,
        side: FlowSide,
        len: u64,
        out: &mut Vec<M>,
    ) -> ParserStatus;
    fn datagram(
        &mut self,
        parser: &mut dyn Any,
        datagram: Datagram<'_>,
        out: &mut Vec<M>,
    ) -> ParserStatus;
    fn notify(&mut self, parser: &mut dyn Any, what: StreamEnd, out: &mut Vec<M>);
    fn heap_bytes(&self, parser: &dyn Any) -> usize;
}

/// A parser of one of several protocols.
pub struct AnyParser {
    entry: usize,
    state: Box<dyn Any + Send>,
}

impl<M> Default for Protocols<M> {
    fn default() -> Self {
        Protocols::new()
    }
}

impl<M> Protocols<M> {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Protocols {
            entries: Vec::new(),
            streams: StreamReassemblerFactory::default(),
            recognise_only: false,
        }
    }

    /// Adds a stream protocol: flows get clones of `parser`, and `wrap` makes the caller's messages
    /// of the parser's.
    #[must_use]
    pub fn stream<P>(
        mut self,
        name: &'static str,
        parser: P,
        recognition: Recognition,
        wrap: impl FnMut(P::Message) -> M + Send + 'static,
    ) -> Self
    where
        P: SessionParser + Clone + Send + 'static,
        P::Message: Send + 'static,
    {
        let reader = Box::new(Streams(ParserTemplate { parser, wrap, made: Vec::new() }));
        self.entries.push(Entry { name, transport: Transport::Stream, recognition, reader });
        self
    }

    /// Adds a datagram protocol, likewise.
    #[must_use]
    pub fn datagram<P>(
        mut self,
        name: &'static str,
        parser: P,
        recognition: Recognition,
        wrap: impl FnMut(P::Message) -> M + Send + 'static,
    ) -> Self
    where
        P: DatagramParser + Clone + Send + 'static,
        P::Message: Send + 'static,
    {
        let reader = Box::new(Packets(ParserTemplate { parser, wrap, made: Vec::new() }));
        self.entries.push(Entry { name, transport: Transport::Datagram, recognition, reader });
        self
    }

    /// How streams are reassembled; by default as [`StreamConfig::default`] says.
    #[must_use]
    pub fn reassembly(mut self, config: StreamConfig) -> Self {
        self.streams = StreamReassemblerFactory::new(config);
        self
    }

    /// Flows are recognised, not read: the events say which protocol was chosen, and there are no
    /// messages.
    #[must_use]
    pub fn recognise_only(mut self) -> Self {
        self.recognise_only = true;
        self
    }

    /// All ports that a protocol is recognised by: those that servers listen on.
    pub fn ports(&self) -> impl Iterator<Item = u16> + '_ {
        self.entries.iter().flat_map(|entry| entry.recognition.ports.iter().copied())
    }

    fn read(&self, at: usize, by: DetectedBy) -> Classification<AnyParser> {
        let entry = &self.entries[at];
        let detection = Detection { protocol: entry.name, by };
        if self.recognise_only {
            return Classification::Recognised(detection);
        }
        Classification::Read(AnyParser { entry: at, state: entry.reader.start() }, detection)
    }
}

impl<K, M> Classifier<K> for Protocols<M> {
    type Streams = StreamReassemblerFactory;
    type Parser = AnyParser;
    type Message = M;

    fn streams(&mut self) -> &mut StreamReassemblerFactory {
        &mut self.streams
    }

    fn reads(&self, transport: Transport) -> bool {
        self.entries.iter().any(|entry| entry.transport == transport)
    }

    fn classify(&mut self, start: &ProbeInput<'_, K>) -> Classification<AnyParser> {
        let mut wait = false;
        let (mut expected, mut by_bytes) = (None, None);
        for (at, entry) in self.entries.iter().enumerate() {
            let by_port = start.has_port(&entry.recognition.ports);
            if entry.transport != start.transport || !(by_port || entry.recognition.bytes) {
                continue;
            }
            match start.probe(|side, bytes| entry.reader.probe(side, bytes)) {
                Probe::Yes if by_port => return self.read(at, DetectedBy::Port),
                Probe::Yes => by_bytes = by_bytes.or(Some(at)),
                Probe::Maybe => {
                    wait = true;
                    // Datagrams stand alone: there are no more bytes to wait for. What is missing at
                    // the start of a stream is not waited for either.
                    let now = start.transport == Transport::Datagram || !start.whole;
                    if by_port && (start.last || now) {
                        expected = expected.or(Some(at));
                    }
                }
                // Bytes of the middle may be of anything, but sure ones may follow.
                Probe::No if by_port && !start.whole => {
                    wait = true;
                    if start.last {
                        expected = expected.or(Some(at));
                    }
                }
                // The port is an expectation, which one unreadable datagram, or the bytes of one
                // side, do not end.
                Probe::No if by_port => wait |= start.may_be_followed(),
                Probe::No => {}
            }
        }
        match (by_bytes, expected) {
            (Some(at), _) => self.read(at, DetectedBy::Bytes),
            (None, Some(at)) => self.read(at, DetectedBy::Port),
            (None, None) if wait && !start.last => Classification::NeedMore,
            (None, None) => Classification::Reject,
        }
    }

    #[inline]
    fn feed(
        &mut self,
        parser: &mut AnyParser,
        feed: StreamChunk<'_>,
        out: &mut Vec<M>,
    ) -> ParserStatus {
        self.entries[parser.entry].reader.feed(&mut *parser.state, feed, out)
    }

    fn gap(
        &mut self,
        parser: &mut AnyParser,
        side: FlowSide,
        len: u64,
        out: &mut Vec<M>,
    ) -> ParserStatus {
        self.entries[parser.entry].reader.gap(&mut *parser.state, side, len, out)
    }

    fn datagram(
        &mut self,
        parser: &mut AnyParser,
        datagram: Datagram<'_>,
        out: &mut Vec<M>,
    ) -> ParserStatus {
        self.entries[parser.entry].reader.datagram(&mut *parser.state, datagram, out)
    }

    fn notify(&mut self, parser: &mut AnyParser, what: StreamEnd, out: &mut Vec<M>) {
        self.entries[parser.entry].reader.notify(&mut *parser.state, what, out);
    }

    fn probe(&self, parser: &AnyParser, side: FlowSide, start: &[u8]) -> Probe {
        self.entries[parser.entry].reader.probe(side, start)
    }

    fn heap_bytes(&self, parser: &AnyParser) -> usize {
        self.entries[parser.entry].reader.heap_bytes(&*parser.state)
    }
}

/// One protocol: a parser to be cloned, and what makes messages of its own kind.
struct ParserTemplate<P, W, T> {
    parser: P,
    wrap: W,
    /// Storage for what parsers make.
    made: Vec<T>,
}

struct Streams<P: SessionParser, W>(ParserTemplate<P, W, P::Message>);

struct Packets<P: DatagramParser, W>(ParserTemplate<P, W, P::Message>);

impl<P, W, T> ParserTemplate<P, W, T> {
    fn emit<M>(&mut self, out: &mut Vec<M>)
    where
        W: FnMut(T) -> M,
    {
        out.extend(self.made.drain(..).map(&mut self.wrap));
    }
}

impl<M, P, W> DynParser<M> for Streams<P, W>
where
    P: SessionParser + Clone + Send + 'static,
    P::Message: Send,
    W: FnMut(P::Message) -> M + Send,
{
    fn start(&self) -> Box<dyn Any + Send> {
        Box::new(self.0.parser.clone())
    }

    fn probe(&self, side: FlowSide, bytes: &[u8]) -> Probe {
        P::probe(side, bytes)
    }

    fn feed(
        &mut self,
        parser: &mut dyn Any,
        feed: StreamChunk<'_>,
        out: &mut Vec<M>,
    ) -> ParserStatus {
        let Some(parser) = parser.downcast_mut::<P>() else { return ParserStatus::Done };
        let status = parser.feed_into(feed, &mut self.0.made);
        self.0.emit(out);
        status
    }

    fn gap(
        &mut self,
        parser: &mut dyn Any,
        side: FlowSide,
        len: u64,
        out: &mut Vec<M>,
    ) -> ParserStatus {
        let Some(parser) = parser.downcast_mut::<P>() else { return ParserStatus::Done };
        let status = parser.gap(side, len, &mut self.0.made);
        self.0.emit(out);
        status
    }

    fn datagram(&mut self, _: &mut dyn Any, _: Datagram<'_>, _: &mut Vec<M>) -> ParserStatus {
        ParserStatus::Done
    }

    fn notify(&mut self, parser: &mut dyn Any, what: StreamEnd, out: &mut Vec<M>) {
        if let Some(parser) = parser.downcast_mut::<P>() {
            what.notify_parser(parser, &mut self.0.made);
            self.0.emit(out);
        }
    }

    fn heap_bytes(&self, parser: &dyn Any) -> usize {
        parser.downcast_ref::<P>().map_or(0, |parser| size_of::<P>() + parser.heap_bytes())
    }
}

impl<M, P, W> DynParser<M> for Packets<P, W>
where
    P: DatagramParser + Clone + Send + 'static,
    P::Message: Send,
    W: FnMut(P::Message) -> M + Send,
{
    fn start(&self) -> Box<dyn Any + Send> {
        Box::new(self.0.parser.clone())
    }

    fn probe(&self, side: FlowSide, bytes: &[u8]) -> Probe {
        P::probe(side, bytes)
    }

    fn feed(&mut self, _: &mut dyn Any, _: StreamChunk<'_>, _: &mut Vec<M>) -> ParserStatus {
        ParserStatus::Done
    }

    fn gap(&mut self, _: &mut dyn Any, _: FlowSide, _: u64, _: &mut Vec<M>) -> ParserStatus {
        ParserStatus::Done
    }

    fn datagram(
        &mut self,
        parser: &mut dyn Any,
        datagram: Datagram<'_>,
        out: &mut Vec<M>,
    ) -> ParserStatus {
        let Some(parser) = parser.downcast_mut::<P>() else { return ParserStatus::Done };
        let status = parser.parse_into(datagram, &mut self.0.made);
        self.0.emit(out);
        status
    }

    fn notify(&mut self, parser: &mut dyn Any, what: StreamEnd, out: &mut Vec<M>) {
        if let Some(parser) = parser.downcast_mut::<P>() {
            what.notify_datagram_parser(parser, &mut self.0.made);
            self.0.emit(out);
        }
    }

    fn heap_bytes(&self, parser: &dyn Any) -> usize {
        parser.downcast_ref::<P>().map_or(0, |parser| size_of::<P>() + parser.heap_bytes())
    }
}

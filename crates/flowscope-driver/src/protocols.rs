use std::any::Any;

use flowscope_core::{
    DatagramFeed, DatagramParser, Feed, FlowSide, ParserStatus, Probe, SessionParser,
};
use flowscope_reassembly::{HoleFillingFactory, StreamConfig};

use crate::claims::{Choice, ChosenBy, Claim, Claims, Start, Told, Transport};

/// Several protocols on one flow table, their messages as one type of the caller's.
///
/// Who reads a flow is decided by its first bytes, and its ports say whom to ask first: a protocol
/// that has one of them reads the flow unless the bytes speak against it; else the first one added
/// that is sure of the bytes does.
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
/// enum Said {
///     Bytes(usize),
/// }
///
/// let protocols = Protocols::new().stream("count", Count, Recognition::by_ports([7]), Said::Bytes);
/// assert_eq!(protocols.ports().collect::<Vec<_>>(), [7]);
/// ```
pub struct Protocols<M> {
    entries: Vec<Entry<M>>,
    streams: HoleFillingFactory,
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
    reader: Box<dyn Reads<M>>,
}

/// A protocol without its types.
trait Reads<M>: Send {
    fn start(&self) -> Box<dyn Any + Send>;
    fn probe(&self, side: FlowSide, bytes: &[u8]) -> Probe;
    fn feed(&mut self, parser: &mut dyn Any, feed: Feed<'_>, out: &mut Vec<M>) -> ParserStatus;
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
        datagram: DatagramFeed<'_>,
        out: &mut Vec<M>,
    ) -> ParserStatus;
    fn tell(&mut self, parser: &mut dyn Any, what: Told, out: &mut Vec<M>);
    fn held(&self, parser: &dyn Any) -> usize;
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
            streams: HoleFillingFactory::default(),
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
        let reader = Box::new(Streams(Of { parser, wrap, made: Vec::new() }));
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
        let reader = Box::new(Packets(Of { parser, wrap, made: Vec::new() }));
        self.entries.push(Entry { name, transport: Transport::Datagram, recognition, reader });
        self
    }

    /// How streams are reassembled; by default as [`StreamConfig::default`] says.
    #[must_use]
    pub fn reassembly(mut self, config: StreamConfig) -> Self {
        self.streams = HoleFillingFactory::new(config);
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

    fn read(&self, at: usize, by: ChosenBy) -> Claim<AnyParser> {
        let entry = &self.entries[at];
        let choice = Choice { protocol: entry.name, by };
        if self.recognise_only {
            return Claim::Recognised(choice);
        }
        Claim::Read(AnyParser { entry: at, state: entry.reader.start() }, choice)
    }
}

impl<K, M> Claims<K> for Protocols<M> {
    type Streams = HoleFillingFactory;
    type Parser = AnyParser;
    type Message = M;

    fn streams(&mut self) -> &mut HoleFillingFactory {
        &mut self.streams
    }

    fn reads(&self, transport: Transport) -> bool {
        self.entries.iter().any(|entry| entry.transport == transport)
    }

    fn claim(&mut self, start: &Start<'_, K>) -> Claim<AnyParser> {
        let mut wait = false;
        let mut by_bytes = None;
        for (at, entry) in self.entries.iter().enumerate() {
            let by_port = start.has_port(&entry.recognition.ports);
            if entry.transport != start.transport || !(by_port || entry.recognition.bytes) {
                continue;
            }
            let probe = start.probe(|side, bytes| entry.reader.probe(side, bytes));
            match probe {
                Probe::Yes if by_port => return self.read(at, ChosenBy::Port),
                // Datagrams stand alone: there are no more bytes to wait for.
                Probe::Maybe
                    if by_port && (start.last || start.transport == Transport::Datagram) =>
                {
                    return self.read(at, ChosenBy::Port);
                }
                // The start is missing, so the bytes may be the middle of anything.
                _ if by_port && !start.whole => return self.read(at, ChosenBy::Port),
                Probe::Yes => by_bytes = by_bytes.or(Some(at)),
                Probe::Maybe => wait = true,
                Probe::No => {}
            }
        }
        match by_bytes {
            Some(at) => self.read(at, ChosenBy::Bytes),
            None if wait && !start.last => Claim::Wait,
            None => Claim::Leave,
        }
    }

    #[inline]
    fn feed(&mut self, parser: &mut AnyParser, feed: Feed<'_>, out: &mut Vec<M>) -> ParserStatus {
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
        datagram: DatagramFeed<'_>,
        out: &mut Vec<M>,
    ) -> ParserStatus {
        self.entries[parser.entry].reader.datagram(&mut *parser.state, datagram, out)
    }

    fn tell(&mut self, parser: &mut AnyParser, what: Told, out: &mut Vec<M>) {
        self.entries[parser.entry].reader.tell(&mut *parser.state, what, out);
    }

    fn probe(&self, parser: &AnyParser, side: FlowSide, start: &[u8]) -> Probe {
        self.entries[parser.entry].reader.probe(side, start)
    }

    fn held(&self, parser: &AnyParser) -> usize {
        self.entries[parser.entry].reader.held(&*parser.state)
    }
}

/// One protocol: a parser to be cloned, and what makes messages of its own kind.
struct Of<P, W, T> {
    parser: P,
    wrap: W,
    /// Storage for what parsers make.
    made: Vec<T>,
}

struct Streams<P: SessionParser, W>(Of<P, W, P::Message>);

struct Packets<P: DatagramParser, W>(Of<P, W, P::Message>);

impl<P, W, T> Of<P, W, T> {
    fn hand_on<M>(&mut self, out: &mut Vec<M>)
    where
        W: FnMut(T) -> M,
    {
        out.extend(self.made.drain(..).map(&mut self.wrap));
    }
}

impl<M, P, W> Reads<M> for Streams<P, W>
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

    fn feed(&mut self, parser: &mut dyn Any, feed: Feed<'_>, out: &mut Vec<M>) -> ParserStatus {
        let Some(parser) = parser.downcast_mut::<P>() else { return ParserStatus::Done };
        let status = parser.feed_into(feed, &mut self.0.made);
        self.0.hand_on(out);
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
        self.0.hand_on(out);
        status
    }

    fn datagram(&mut self, _: &mut dyn Any, _: DatagramFeed<'_>, _: &mut Vec<M>) -> ParserStatus {
        ParserStatus::Done
    }

    fn tell(&mut self, parser: &mut dyn Any, what: Told, out: &mut Vec<M>) {
        if let Some(parser) = parser.downcast_mut::<P>() {
            what.to_session(parser, &mut self.0.made);
            self.0.hand_on(out);
        }
    }

    fn held(&self, parser: &dyn Any) -> usize {
        parser.downcast_ref::<P>().map_or(0, |parser| size_of::<P>() + parser.held())
    }
}

impl<M, P, W> Reads<M> for Packets<P, W>
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

    fn feed(&mut self, _: &mut dyn Any, _: Feed<'_>, _: &mut Vec<M>) -> ParserStatus {
        ParserStatus::Done
    }

    fn gap(&mut self, _: &mut dyn Any, _: FlowSide, _: u64, _: &mut Vec<M>) -> ParserStatus {
        ParserStatus::Done
    }

    fn datagram(
        &mut self,
        parser: &mut dyn Any,
        datagram: DatagramFeed<'_>,
        out: &mut Vec<M>,
    ) -> ParserStatus {
        let Some(parser) = parser.downcast_mut::<P>() else { return ParserStatus::Done };
        let status = parser.parse_into(datagram, &mut self.0.made);
        self.0.hand_on(out);
        status
    }

    fn tell(&mut self, parser: &mut dyn Any, what: Told, out: &mut Vec<M>) {
        if let Some(parser) = parser.downcast_mut::<P>() {
            what.to_datagrams(parser, &mut self.0.made);
            self.0.hand_on(out);
        }
    }

    fn held(&self, parser: &dyn Any) -> usize {
        parser.downcast_ref::<P>().map_or(0, |parser| size_of::<P>() + parser.held())
    }
}

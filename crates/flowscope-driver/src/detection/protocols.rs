use std::any::Any;
use std::convert::Infallible;

use flowscope_core::{
    Announcer, Datagram, DatagramParser, Expectation, FlowSide, ParserStatus, Probe, Remainder,
    SessionParser, StreamChunk,
};
use flowscope_reassembly::{StreamConfig, StreamReassemblerFactory};
use flowscope_session::StreamEnd;

use crate::detection::erased::{self, DynParser};
use crate::detection::index::CandidateIndex;
use crate::detection::naming::Names;
use crate::detection::rules::{self, Certainty, Choice};
use crate::detection::set::ProtocolSet;
use crate::detection::{
    Classification, Classifier, Contradiction, DetectedBy, Detection, ProbeInput, Transport,
};

/// Several protocols on one flow table, their messages as one type of the caller's.
///
/// A port is an expectation, bytes are evidence. The first protocol added that is sure of the bytes of
/// either side reads the flow, also one that is joined in the middle; among those that are sure, one
/// that has a port of the flow comes first. If none is sure, one that has a port of the flow reads it
/// unless the bytes of either side rule it out. Bytes from the middle of a stream rule out nothing, and name nothing
/// either: where those of a stream that was joined look like no start, the parser reads them, and the protocol is
/// [chosen](crate::SessionEvent::ParserChosen) with its first message, or, where flows are
/// [recognised](Self::recognise_only) and no more, if the other side's are sure. A flow on a port of a protocol is
/// not given up for an unreadable start: the other side's bytes and further datagrams are asked too, up to 256 bytes
/// of a stream and 32 datagrams.
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
///
/// Where two ends agree on a protocol within another ([`ParserStatus::UpgradeTo`]), the one of that name reads what follows.
///
/// A set may also have protocols that flows are [named](ProtocolSet::named) by and that no parser reads. Such a name is
/// given where no parser is sure of the bytes: to bytes that it is sure of, which outweigh the port of a parser, and, where
/// no parser expects the flow on its port, to bytes that do not contradict a port of the name.
///
/// `S` is a [`ProtocolSet`] that was given first, such as the registry of the umbrella crate: its protocols are
/// asked before those that are added here. There may be 64 protocols of each transport.
pub struct Protocols<M, S = ()> {
    set: S,
    added: Vec<Box<dyn DynParser<M>>>,
    streams_index: CandidateIndex<EntryRef>,
    datagrams_index: CandidateIndex<EntryRef>,
    names: Names,
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
    /// Recognises flows by one of these ports, if the first bytes do not contradict it.
    #[must_use]
    pub fn by_ports(ports: impl IntoIterator<Item = u16>) -> Self {
        Recognition { ports: ports.into_iter().collect(), bytes: false }
    }

    /// Recognises flows by their first bytes, on any port.
    #[must_use]
    pub fn by_bytes() -> Self {
        Recognition { ports: Vec::new(), bytes: true }
    }

    /// Recognises flows by their first bytes too, on any port.
    #[must_use]
    pub fn or_bytes(mut self) -> Self {
        self.bytes = true;
        self
    }
}

/// A protocol of the set, or one that was added.
#[derive(Clone, Copy)]
struct EntryRef {
    name: &'static str,
    place: Place,
}

#[derive(Clone, Copy)]
enum Place {
    Set(usize),
    Added(usize),
}

/// A parser of one of several protocols; `P` is that of a [`ProtocolSet`].
pub struct AnyParser<P = Infallible>(Reader<P>);

enum Reader<P> {
    Set(P),
    Added { entry: usize, state: Box<dyn Any + Send> },
}

impl<M> Default for Protocols<M> {
    fn default() -> Self {
        Protocols::new()
    }
}

impl<M> Protocols<M> {
    /// Creates an empty list.
    #[must_use]
    pub fn new() -> Self {
        Protocols::with_set(())
    }
}

impl<M, S: ProtocolSet<M>> Protocols<M, S> {
    /// Creates a list of the protocols of a set.
    ///
    /// # Panics
    ///
    /// If it has more than 64 of one transport that are read, or that are named.
    #[must_use]
    pub fn with_set(set: S) -> Self {
        let mut protocols = Protocols {
            added: Vec::new(),
            streams_index: CandidateIndex::new(),
            datagrams_index: CandidateIndex::new(),
            names: Names::new(),
            streams: StreamReassemblerFactory::default().in_order_of_both_sides(),
            recognise_only: false,
            set,
        };
        for entry in protocols.set.recognised() {
            let place = EntryRef { name: entry.name, place: Place::Set(entry.id) };
            protocols.index_mut(entry.transport).add(place, entry.ports, entry.first_byte);
        }
        for entry in protocols.set.named() {
            let Protocols { set, names, .. } = &mut protocols;
            names.add(entry, |first| set.name_begins_with(entry.id, first));
        }
        protocols
    }

    /// Adds a stream protocol: flows get clones of `parser`, and `wrap` makes the caller's messages
    /// of the parser's.
    ///
    /// # Panics
    ///
    /// If there are 64 stream protocols already.
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
        self.add(name, Transport::Stream, recognition, erased::streams(parser, wrap));
        self
    }

    /// Adds a datagram protocol, likewise.
    ///
    /// # Panics
    ///
    /// If there are 64 datagram protocols already.
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
        self.add(name, Transport::Datagram, recognition, erased::datagrams(parser, wrap));
        self
    }

    /// Replaces the parser of a stream protocol: flows get clones of `parser`, and are detected as before by port and
    /// first byte. Nothing happens if no stream protocol has this name.
    #[must_use]
    pub fn replace_stream<P>(
        mut self,
        name: &'static str,
        parser: P,
        wrap: impl FnMut(P::Message) -> M + Send + 'static,
    ) -> Self
    where
        P: SessionParser + Clone + Send + 'static,
        P::Message: Send + 'static,
    {
        if let Some(entry) = self.streams_index.entries_mut().find(|entry| entry.name == name) {
            entry.place = Place::Added(self.added.len());
            self.added.push(erased::streams(parser, wrap));
        }
        self
    }

    /// Sets how streams are reassembled. Default: [`StreamConfig::default`].
    #[must_use]
    pub fn reassembly(mut self, config: StreamConfig) -> Self {
        self.streams = StreamReassemblerFactory::new(config).in_order_of_both_sides();
        self
    }

    /// Recognises flows without reading them: the events say which protocol was chosen, and there are no
    /// messages.
    #[must_use]
    pub fn recognise_only(mut self) -> Self {
        self.recognise_only = true;
        self
    }

    /// All ports that a protocol is recognised by: those that servers listen on.
    pub fn ports(&self) -> impl Iterator<Item = u16> + '_ {
        self.streams_index.ports().chain(self.datagrams_index.ports())
    }

    fn add(
        &mut self,
        name: &'static str,
        transport: Transport,
        recognition: Recognition,
        reader: Box<dyn DynParser<M>>,
    ) {
        let place = EntryRef { name, place: Place::Added(self.added.len()) };
        self.added.push(reader);
        let Recognition { ports, bytes } = recognition;
        self.index_mut(transport).add(place, &ports, |_| bytes);
    }

    fn index(&self, transport: Transport) -> &CandidateIndex<EntryRef> {
        match transport {
            Transport::Stream => &self.streams_index,
            Transport::Datagram => &self.datagrams_index,
        }
    }

    fn index_mut(&mut self, transport: Transport) -> &mut CandidateIndex<EntryRef> {
        match transport {
            Transport::Stream => &mut self.streams_index,
            Transport::Datagram => &mut self.datagrams_index,
        }
    }

    fn probe_entry(&self, entry: EntryRef, side: FlowSide, start: &[u8]) -> Probe {
        match entry.place {
            Place::Set(id) => self.set.probe_start(id, side, start),
            Place::Added(entry) => self.added[entry].probe(side, start),
        }
    }

    /// What is known of the sides of a stream whose parser was chosen by the bytes of both.
    fn compare_sides<K>(&self, entry: EntryRef, start: &ProbeInput<'_, K>, found: &mut Detection) {
        for side in [FlowSide::Initiator, FlowSide::Responder] {
            let bytes = start.bytes[side.index()];
            match self.probe_entry(entry, side, bytes) {
                Probe::Yes => found.sure = found.sure.or(Some(side)),
                Probe::No if start.whole => {
                    let protocol = Classifier::<K>::recognise(self, side, bytes);
                    found.contradicted = Some(Contradiction { side, protocol });
                }
                Probe::No | Probe::Maybe => {}
            }
        }
    }

    /// How a flow was found to speak the protocol of `entry`; `sure`: by bytes that leave no doubt.
    fn detected<K>(
        &self,
        entry: EntryRef,
        by: DetectedBy,
        sure: bool,
        start: &ProbeInput<'_, K>,
    ) -> Detection {
        let mut detection = Detection::new(entry.name, by);
        match start.bytes.map(<[u8]>::is_empty) {
            [false, false] => self.compare_sides(entry, start, &mut detection),
            [_, true] if sure => detection.sure = Some(FlowSide::Initiator),
            [true, _] if sure => detection.sure = Some(FlowSide::Responder),
            _ => {}
        }
        detection
    }

    fn read(&self, entry: EntryRef, detection: Detection) -> Classification<AnyParser<S::Parser>> {
        if self.recognise_only {
            return Classification::Recognised(detection);
        }
        Classification::Read(self.parser_of(entry), detection)
    }

    fn parser_of(&self, entry: EntryRef) -> AnyParser<S::Parser> {
        AnyParser(match entry.place {
            Place::Set(id) => Reader::Set(self.set.new_parser(id)),
            Place::Added(entry) => Reader::Added { entry, state: self.added[entry].start() },
        })
    }
}

fn recognised<P>(protocol: &'static str, by: DetectedBy) -> Classification<P> {
    Classification::Recognised(Detection::new(protocol, by))
}

impl<K, M, S: ProtocolSet<M>> Classifier<K> for Protocols<M, S> {
    type Streams = StreamReassemblerFactory;
    type Parser = AnyParser<S::Parser>;
    type Message = M;

    fn streams(&mut self) -> &mut StreamReassemblerFactory {
        &mut self.streams
    }

    fn reads(&self, transport: Transport) -> bool {
        !self.index(transport).is_empty() || !self.names.of(transport).is_empty()
    }

    fn classify(&mut self, start: &ProbeInput<'_, K>) -> Classification<Self::Parser> {
        if let Some(name) = start.agreed
            && let Some(entry) = self.streams_index.entries().find(|entry| entry.name == name)
        {
            return self.read(*entry, Detection::new(name, DetectedBy::Agreement));
        }
        let candidates = self.index(start.transport).candidates(start);
        let choice = rules::choose(start, candidates, |entry, side, bytes| {
            self.probe_entry(entry, side, bytes)
        });
        if let Choice::Found(entry, by, Certainty::Sure) = choice {
            return self.read(entry, self.detected(entry, by, true, start));
        }
        let len = start.wire_len as usize;
        let named = self
            .names
            .choose(start, |id, bytes, on_port| self.set.probe_name(id, bytes, len, on_port));
        let is_datagram = start.transport == Transport::Datagram;
        match (choice, named) {
            // A parser may yet be sure of what follows. A stream is decided when that has come; of datagrams,
            // the flow may have no more.
            (Choice::NeedMore, Choice::Found(name, by, _)) if is_datagram => {
                Classification::NamedSoFar(Detection::new(name, by))
            }
            (Choice::NeedMore, _) => Classification::NeedMore,
            (_, Choice::Found(name, by, Certainty::Sure))
            | (Choice::Found(.., Certainty::Unlikely), Choice::Found(name, by, _)) => {
                recognised(name, by)
            }
            (Choice::Found(entry, by, Certainty::Unlikely), _) if self.recognise_only => {
                Classification::Suspected(Detection::new(entry.name, by))
            }
            (Choice::Found(entry, by, Certainty::Unlikely), _) => {
                Classification::Try(self.parser_of(entry), Detection::new(entry.name, by))
            }
            (Choice::Found(entry, by, _), _) => {
                self.read(entry, self.detected(entry, by, false, start))
            }
            (Choice::Reject, Choice::Found(name, by, _)) => recognised(name, by),
            (Choice::Reject, Choice::NeedMore) => Classification::NeedMore,
            (Choice::Reject, Choice::Reject) => Classification::Reject,
        }
    }

    #[inline]
    fn feed(
        &mut self,
        parser: &mut Self::Parser,
        chunk: StreamChunk<'_>,
        out: &mut Vec<M>,
    ) -> ParserStatus {
        match &mut parser.0 {
            Reader::Set(parser) => self.set.feed(parser, chunk, out),
            Reader::Added { entry, state } => self.added[*entry].feed(&mut **state, chunk, out),
        }
    }

    fn gap(
        &mut self,
        parser: &mut Self::Parser,
        side: FlowSide,
        len: u64,
        out: &mut Vec<M>,
    ) -> ParserStatus {
        match &mut parser.0 {
            Reader::Set(parser) => self.set.gap(parser, side, len, out),
            Reader::Added { entry, state } => self.added[*entry].gap(&mut **state, side, len, out),
        }
    }

    fn datagram(
        &mut self,
        parser: &mut Self::Parser,
        datagram: Datagram<'_>,
        out: &mut Vec<M>,
    ) -> ParserStatus {
        match &mut parser.0 {
            Reader::Set(parser) => self.set.datagram(parser, datagram, out),
            Reader::Added { entry, state } => {
                self.added[*entry].datagram(&mut **state, datagram, out)
            }
        }
    }

    fn take_remainder(&mut self, parser: &mut Self::Parser, side: FlowSide) -> Option<Remainder> {
        match &mut parser.0 {
            Reader::Set(parser) => self.set.take_remainder(parser, side),
            Reader::Added { entry, state } => self.added[*entry].take_remainder(&mut **state, side),
        }
    }

    fn take_expectation(&mut self, parser: &mut Self::Parser) -> Option<Expectation> {
        match &mut parser.0 {
            Reader::Set(parser) => self.set.take_expectation(parser),
            Reader::Added { entry, state } => self.added[*entry].take_expectation(&mut **state),
        }
    }

    fn introduce(&mut self, parser: &mut Self::Parser, by: u64, about: &[u8]) {
        match &mut parser.0 {
            Reader::Set(parser) => self.set.introduce(parser, by, about),
            Reader::Added { entry, state } => self.added[*entry].introduce(&mut **state, by, about),
        }
    }

    fn announcers(&self) -> Vec<Announcer> {
        self.set.announcers()
    }

    fn recognises_only(&self) -> bool {
        self.recognise_only
    }

    fn upgrades(&self) -> bool {
        true
    }

    fn end_status(&self, parser: &Self::Parser) -> ParserStatus {
        match &parser.0 {
            Reader::Set(parser) => self.set.end_status(parser),
            Reader::Added { entry, state } => self.added[*entry].end_status(&**state),
        }
    }

    fn notify(&mut self, parser: &mut Self::Parser, what: StreamEnd, out: &mut Vec<M>) {
        match &mut parser.0 {
            Reader::Set(parser) => self.set.notify(parser, what, out),
            Reader::Added { entry, state } => {
                self.added[*entry].notify(&mut **state, what, out);
            }
        }
    }

    fn probe_start(&self, detection: Detection, side: FlowSide, start: &[u8]) -> Probe {
        let known = self.streams_index.entries().find(|entry| entry.name == detection.protocol);
        match known {
            Some(entry) => self.probe_entry(*entry, side, start),
            None => self.names.probe_start(detection, |id| self.set.probe_name(id, start, 0, true)),
        }
    }

    fn recognise(&self, side: FlowSide, start: &[u8]) -> Option<&'static str> {
        let mut entries = self.streams_index.entries();
        let known = entries.find(|entry| self.probe_entry(**entry, side, start) == Probe::Yes);
        known.map(|entry| entry.name)
    }

    fn probe(&self, parser: &Self::Parser, side: FlowSide, start: &[u8]) -> Probe {
        match &parser.0 {
            Reader::Set(parser) => self.set.probe(parser, side, start),
            Reader::Added { entry, .. } => self.added[*entry].probe(side, start),
        }
    }

    fn heap_bytes(&self, parser: &Self::Parser) -> usize {
        match &parser.0 {
            Reader::Set(parser) => self.set.heap_bytes(parser),
            Reader::Added { entry, state } => self.added[*entry].heap_bytes(&**state),
        }
    }
}

use std::any::TypeId;

use flowscope_core::{
    Datagram, DatagramParser, Expectation, FlowSide, ParserStatus, Probe, Remainder, SessionParser,
    StreamChunk,
};
use flowscope_driver::{SetEntry, Transport};
use flowscope_record::{NoParser, ParserOptions, Protocol};
use flowscope_session::StreamEnd;

/// The parsers of one protocol, of which flows get clones.
pub(super) struct Entry<P: Protocol> {
    stream: P::Stream,
    datagram: P::Datagram,
    /// Storage for what parsers emit.
    records: Vec<P::Record>,
}

/// A parser of one protocol.
pub enum Parser<P: Protocol> {
    /// Of a TCP flow.
    Stream(Box<P::Stream>),
    /// Of another flow.
    Datagram(Box<P::Datagram>),
}

/// The place in the registry of an entry's id.
pub(super) const fn place_of(id: usize) -> usize {
    id >> 1
}

const fn is_datagram(id: usize) -> bool {
    id & 1 != 0
}

impl<P: Protocol> Entry<P> {
    pub(super) fn new(options: &ParserOptions) -> Self {
        let (stream, datagram) = (P::stream(options), P::datagram(options));
        Entry { stream, datagram, records: Vec::new() }
    }

    /// How flows of the protocol are recognised, over the transports for which it has parsers.
    pub(super) fn recognised(&self, place: usize) -> impl Iterator<Item = SetEntry> {
        let none = TypeId::of::<NoParser<P::Record>>();
        let stream = SetEntry {
            id: place << 1,
            name: P::NAME,
            transport: Transport::Stream,
            ports: P::PORTS.tcp,
            first_byte: |byte| P::STREAM_FIRST_BYTES.contains(byte),
        };
        let datagram = SetEntry {
            id: place << 1 | 1,
            name: P::NAME,
            transport: Transport::Datagram,
            ports: P::PORTS.udp,
            first_byte: |byte| P::FIRST_BYTES.contains(byte),
        };
        let stream = (TypeId::of::<P::Stream>() != none).then_some(stream);
        let datagram = (TypeId::of::<P::Datagram>() != none).then_some(datagram);
        stream.into_iter().chain(datagram)
    }

    pub(super) fn new_parser(&self, id: usize) -> Parser<P> {
        if is_datagram(id) {
            Parser::Datagram(Box::new(self.datagram.clone()))
        } else {
            Parser::Stream(Box::new(self.stream.clone()))
        }
    }

    pub(super) fn probe_start(id: usize, side: FlowSide, start: &[u8]) -> Probe {
        if is_datagram(id) {
            P::Datagram::probe(side, start)
        } else {
            P::Stream::probe(side, start)
        }
    }

    /// Lets a parser emit records, and appends them to `out` as messages.
    #[inline]
    pub(super) fn run<M, T>(
        &mut self,
        parse: impl FnOnce(&mut Vec<P::Record>) -> T,
        message: impl FnMut(P::Record) -> M,
        out: &mut Vec<M>,
    ) -> T {
        let result = parse(&mut self.records);
        out.extend(self.records.drain(..).map(message));
        result
    }
}

impl<P: Protocol> Parser<P> {
    #[inline]
    pub(super) fn feed(
        &mut self,
        chunk: StreamChunk<'_>,
        out: &mut Vec<P::Record>,
    ) -> ParserStatus {
        match self {
            Parser::Stream(parser) => parser.feed_into(chunk, out),
            Parser::Datagram(_) => ParserStatus::Done,
        }
    }

    pub(super) fn gap(
        &mut self,
        side: FlowSide,
        len: u64,
        out: &mut Vec<P::Record>,
    ) -> ParserStatus {
        match self {
            Parser::Stream(parser) => parser.gap(side, len, out),
            Parser::Datagram(_) => ParserStatus::Done,
        }
    }

    pub(super) fn datagram(
        &mut self,
        datagram: Datagram<'_>,
        out: &mut Vec<P::Record>,
    ) -> ParserStatus {
        match self {
            Parser::Datagram(parser) => parser.parse_into(datagram, out),
            Parser::Stream(_) => ParserStatus::Done,
        }
    }

    pub(super) fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        match self {
            Parser::Stream(parser) => parser.take_remainder(side),
            Parser::Datagram(_) => None,
        }
    }

    pub(super) fn take_expectation(&mut self) -> Option<Expectation> {
        match self {
            Parser::Stream(parser) => parser.take_expectation(),
            Parser::Datagram(_) => None,
        }
    }

    pub(super) fn introduce(&mut self, by: u64, about: &[u8]) {
        if let Parser::Stream(parser) = self {
            parser.introduce(by, about);
        }
    }

    pub(super) fn end_status(&self) -> ParserStatus {
        match self {
            Parser::Stream(parser) => parser.end_status(),
            Parser::Datagram(_) => ParserStatus::Done,
        }
    }

    pub(super) fn notify(&mut self, end: StreamEnd, out: &mut Vec<P::Record>) {
        match (self, end) {
            (Parser::Stream(parser), StreamEnd::Fin(side)) => parser.fin(side, out),
            (Parser::Stream(parser), StreamEnd::Rst(side)) => parser.rst(side, out),
            (Parser::Stream(parser), StreamEnd::End) => parser.end(out),
            (Parser::Datagram(parser), StreamEnd::End) => parser.end(out),
            (Parser::Datagram(_), StreamEnd::Fin(_) | StreamEnd::Rst(_)) => {}
        }
    }

    pub(super) fn probe(&self, side: FlowSide, start: &[u8]) -> Probe {
        match self {
            Parser::Stream(_) => P::Stream::probe(side, start),
            Parser::Datagram(_) => P::Datagram::probe(side, start),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Parser::Stream(parser) => size_of::<P::Stream>() + parser.heap_bytes(),
            Parser::Datagram(parser) => size_of::<P::Datagram>() + parser.heap_bytes(),
        }
    }
}

use std::convert::Infallible;

use flowscope_core::{
    Announcer, Datagram, Expectation, FlowSide, ParserStatus, Probe, Remainder, StreamChunk,
};
use flowscope_session::StreamEnd;

use crate::detection::Transport;

/// A fixed list of protocols whose parsers have known types: [`Protocols`](crate::Protocols) calls them
/// without `dyn`.
///
/// `flowscope::protocols` has the one of this project. `M` is the caller's message type.
pub trait ProtocolSet<M>: Send {
    /// A parser of any protocol of the list.
    type Parser;

    /// How flows of each protocol are recognised, in the order in which they are asked.
    fn recognised(&self) -> Vec<SetEntry>;

    /// A new parser of the entry with this [id](SetEntry::id).
    fn new_parser(&self, id: usize) -> Self::Parser;

    /// Whether these bytes, which `side` sent, look like the start of the protocol with this id.
    fn probe_start(&self, id: usize, side: FlowSide, start: &[u8]) -> Probe;

    /// Whether these bytes, which `side` sent, look like the start of what the parser reads.
    fn probe(&self, parser: &Self::Parser, side: FlowSide, start: &[u8]) -> Probe;

    /// Bytes of a stream.
    fn feed(
        &mut self,
        parser: &mut Self::Parser,
        chunk: StreamChunk<'_>,
        out: &mut Vec<M>,
    ) -> ParserStatus;

    /// Bytes of a stream that were never captured.
    fn gap(
        &mut self,
        parser: &mut Self::Parser,
        side: FlowSide,
        len: u64,
        out: &mut Vec<M>,
    ) -> ParserStatus;

    /// A datagram.
    fn datagram(
        &mut self,
        parser: &mut Self::Parser,
        datagram: Datagram<'_>,
        out: &mut Vec<M>,
    ) -> ParserStatus;

    /// The bytes of `side` that the parser leaves to the protocol that follows its own.
    fn take_remainder(&mut self, parser: &mut Self::Parser, side: FlowSide) -> Option<Remainder>;

    /// A connection that the parser expects.
    fn take_expectation(&mut self, _parser: &mut Self::Parser) -> Option<Expectation> {
        None
    }

    /// What the parser of another flow, of the id `by`, says of that of the parser.
    fn introduce(&mut self, _parser: &mut Self::Parser, _by: u64, _about: &[u8]) {}

    /// By what packets are known that announce connections which parsers expect.
    fn announcers(&self) -> Vec<Announcer> {
        Vec::new()
    }

    /// FIN, RST, or the end of parsing.
    fn notify(&mut self, parser: &mut Self::Parser, end: StreamEnd, out: &mut Vec<M>);

    /// The status of a parser after its end; see [`SessionParser::end_status`](flowscope_core::SessionParser::end_status).
    fn end_status(&self, _parser: &Self::Parser) -> ParserStatus {
        ParserStatus::Done
    }

    /// Memory allocated for the parser, in bytes.
    fn heap_bytes(&self, parser: &Self::Parser) -> usize;

    /// The protocols that flows are named by and that have no parser, in the order in which they are probed.
    fn named(&self) -> Vec<NamedEntry> {
        Vec::new()
    }

    /// Whether the named protocol with this id may begin with this byte, on any port.
    fn name_begins_with(&self, _id: usize, _first: u8) -> bool {
        false
    }

    /// Whether these bytes are the start of a stream, or a datagram, of the named protocol with this id. A
    /// datagram has `len` bytes, of which more may have been captured than are here. `on_port` says whether a port
    /// of the flow is one of the protocol's.
    ///
    /// An answer of [`Probe::Yes`] or [`Probe::No`] about a stream stays the same when more bytes follow.
    fn probe_name(&self, _id: usize, _start: &[u8], _len: usize, _on_port: bool) -> Probe {
        Probe::No
    }
}

/// How flows of one protocol over one transport are recognised.
#[derive(Clone, Copy, Debug)]
pub struct SetEntry {
    /// By what the set knows the entry.
    pub id: usize,
    /// The name in events.
    pub name: &'static str,
    /// How its payload comes.
    pub transport: Transport,
    /// The ports on which it is expected.
    pub ports: &'static [u16],
    /// Whether its first byte may be this one, on any port.
    pub first_byte: fn(u8) -> bool,
}

/// How flows are recognised that get the name of a protocol, and no parser.
#[derive(Clone, Copy, Debug)]
pub struct NamedEntry {
    /// By what the set knows the entry.
    pub id: usize,
    /// The name in events.
    pub name: &'static str,
    /// How its payload comes.
    pub transport: Transport,
    /// The ports on which it is probed whatever the first byte is.
    pub ports: &'static [u16],
    /// Whether bytes that only may be its own ([`Probe::Maybe`]) are enough on one of these ports.
    pub or_port: bool,
}

/// The empty list.
impl<M> ProtocolSet<M> for () {
    type Parser = Infallible;

    fn recognised(&self) -> Vec<SetEntry> {
        Vec::new()
    }

    fn new_parser(&self, id: usize) -> Infallible {
        unreachable!("the empty list has no entry {id}")
    }

    fn probe_start(&self, _: usize, _: FlowSide, _: &[u8]) -> Probe {
        Probe::No
    }

    fn probe(&self, parser: &Infallible, _: FlowSide, _: &[u8]) -> Probe {
        match *parser {}
    }

    fn feed(
        &mut self,
        parser: &mut Infallible,
        _: StreamChunk<'_>,
        _: &mut Vec<M>,
    ) -> ParserStatus {
        match *parser {}
    }

    fn gap(
        &mut self,
        parser: &mut Infallible,
        _: FlowSide,
        _: u64,
        _: &mut Vec<M>,
    ) -> ParserStatus {
        match *parser {}
    }

    fn datagram(
        &mut self,
        parser: &mut Infallible,
        _: Datagram<'_>,
        _: &mut Vec<M>,
    ) -> ParserStatus {
        match *parser {}
    }

    fn take_remainder(&mut self, parser: &mut Infallible, _: FlowSide) -> Option<Remainder> {
        match *parser {}
    }

    fn notify(&mut self, parser: &mut Infallible, _: StreamEnd, _: &mut Vec<M>) {
        match *parser {}
    }

    fn heap_bytes(&self, parser: &Infallible) -> usize {
        match *parser {}
    }
}

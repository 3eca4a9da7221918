use std::convert::Infallible;

use flowscope_core::{
    Datagram, DatagramParser, DatagramParserFactory, FlowSide, ParserStatus, Probe,
    ReassemblerFactory, SessionParser, SessionParserFactory, StreamChunk,
};
use flowscope_reassembly::StreamReassemblerFactory;
use flowscope_session::StreamEnd;

use crate::detection::{Classification, Classifier, DetectedBy, Detection, ProbeInput, Transport};

/// One stream protocol: every TCP flow for which the factory has a parser is read by it. `R` makes
/// the reassemblers.
#[derive(Clone, Debug)]
pub struct Sessions<F, R = StreamReassemblerFactory> {
    parsers: F,
    streams: R,
}

impl<F, R> Sessions<F, R> {
    /// Reads streams with parsers and reassemblers of these factories.
    #[must_use]
    pub fn new(parsers: F, streams: R) -> Self {
        Sessions { parsers, streams }
    }
}

const ONLY: Detection = Detection::new("", DetectedBy::Only);

impl<K, F: SessionParserFactory<K>, R: ReassemblerFactory<K>> Classifier<K> for Sessions<F, R> {
    type Streams = R;
    type Parser = F::Parser;
    type Message = <F::Parser as SessionParser>::Message;

    fn streams(&mut self) -> &mut R {
        &mut self.streams
    }

    fn reads(&self, transport: Transport) -> bool {
        transport == Transport::Stream
    }

    fn needs_bytes(&self) -> bool {
        false
    }

    fn classify(&mut self, start: &ProbeInput<'_, K>) -> Classification<F::Parser> {
        match self.parsers.new_parser(start.key) {
            Some(parser) => Classification::Read(parser, ONLY),
            None => Classification::Reject,
        }
    }

    #[inline]
    fn feed(
        &mut self,
        parser: &mut F::Parser,
        feed: StreamChunk<'_>,
        out: &mut Vec<Self::Message>,
    ) -> ParserStatus {
        parser.feed_into(feed, out)
    }

    fn gap(
        &mut self,
        parser: &mut F::Parser,
        side: FlowSide,
        len: u64,
        out: &mut Vec<Self::Message>,
    ) -> ParserStatus {
        parser.gap(side, len, out)
    }

    fn datagram(
        &mut self,
        _: &mut F::Parser,
        _: Datagram<'_>,
        _: &mut Vec<Self::Message>,
    ) -> ParserStatus {
        ParserStatus::Done
    }

    fn notify(&mut self, parser: &mut F::Parser, what: StreamEnd, out: &mut Vec<Self::Message>) {
        what.notify_parser(parser, out);
    }

    fn probe(&self, _: &F::Parser, side: FlowSide, start: &[u8]) -> Probe {
        F::Parser::probe(side, start)
    }

    fn heap_bytes(&self, parser: &F::Parser) -> usize {
        parser.heap_bytes()
    }
}

/// One datagram protocol: every flow but TCP's for which the factory has a parser is read by it.
#[derive(Clone, Debug)]
pub struct Datagrams<F> {
    parsers: F,
    streams: StreamReassemblerFactory,
}

impl<F> Datagrams<F> {
    /// Reads datagrams with parsers of this factory.
    #[must_use]
    pub fn new(parsers: F) -> Self {
        Datagrams { parsers, streams: StreamReassemblerFactory::default() }
    }
}

impl<K, F: DatagramParserFactory<K>> Classifier<K> for Datagrams<F> {
    type Streams = StreamReassemblerFactory;
    type Parser = F::Parser;
    type Message = <F::Parser as DatagramParser>::Message;

    fn streams(&mut self) -> &mut StreamReassemblerFactory {
        &mut self.streams
    }

    fn reads(&self, transport: Transport) -> bool {
        transport == Transport::Datagram
    }

    fn classify(&mut self, start: &ProbeInput<'_, K>) -> Classification<F::Parser> {
        match self.parsers.new_parser(start.key) {
            Some(parser) => Classification::Read(parser, ONLY),
            None => Classification::Reject,
        }
    }

    fn feed(
        &mut self,
        _: &mut F::Parser,
        _: StreamChunk<'_>,
        _: &mut Vec<Self::Message>,
    ) -> ParserStatus {
        ParserStatus::Done
    }

    fn gap(
        &mut self,
        _: &mut F::Parser,
        _: FlowSide,
        _: u64,
        _: &mut Vec<Self::Message>,
    ) -> ParserStatus {
        ParserStatus::Done
    }

    fn datagram(
        &mut self,
        parser: &mut F::Parser,
        datagram: Datagram<'_>,
        out: &mut Vec<Self::Message>,
    ) -> ParserStatus {
        parser.parse_into(datagram, out)
    }

    fn notify(&mut self, parser: &mut F::Parser, what: StreamEnd, out: &mut Vec<Self::Message>) {
        what.notify_datagram_parser(parser, out);
    }

    fn probe(&self, _: &F::Parser, side: FlowSide, start: &[u8]) -> Probe {
        F::Parser::probe(side, start)
    }

    fn heap_bytes(&self, parser: &F::Parser) -> usize {
        parser.heap_bytes()
    }
}

/// No parsers: reassemblers that do all there is to do themselves, such as
/// [`Callbacks`](flowscope_session::Callbacks).
#[derive(Clone, Debug)]
pub struct Streams<R> {
    streams: R,
}

impl<R> Streams<R> {
    /// Reads streams with reassemblers of this factory.
    #[must_use]
    pub fn new(streams: R) -> Self {
        Streams { streams }
    }
}

impl<K, R: ReassemblerFactory<K>> Classifier<K> for Streams<R> {
    type Streams = R;
    type Parser = ();
    type Message = Infallible;

    fn streams(&mut self) -> &mut R {
        &mut self.streams
    }

    fn reads(&self, transport: Transport) -> bool {
        transport == Transport::Stream
    }

    fn needs_bytes(&self) -> bool {
        false
    }

    fn classify(&mut self, _: &ProbeInput<'_, K>) -> Classification<()> {
        Classification::Read((), ONLY)
    }

    #[inline]
    fn feed(&mut self, (): &mut (), _: StreamChunk<'_>, _: &mut Vec<Infallible>) -> ParserStatus {
        ParserStatus::Continue
    }

    fn gap(&mut self, (): &mut (), _: FlowSide, _: u64, _: &mut Vec<Infallible>) -> ParserStatus {
        ParserStatus::Continue
    }

    fn datagram(&mut self, (): &mut (), _: Datagram<'_>, _: &mut Vec<Infallible>) -> ParserStatus {
        ParserStatus::Done
    }

    fn notify(&mut self, (): &mut (), _: StreamEnd, _: &mut Vec<Infallible>) {}

    fn probe(&self, (): &(), _: FlowSide, _: &[u8]) -> Probe {
        Probe::Maybe
    }

    fn heap_bytes(&self, (): &()) -> usize {
        0
    }
}

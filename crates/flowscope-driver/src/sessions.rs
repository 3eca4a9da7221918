use std::convert::Infallible;

use flowscope_core::{
    DatagramFeed, DatagramParser, DatagramParserFactory, Feed, FlowSide, ParserStatus, Probe,
    ReassemblerFactory, SessionParser, SessionParserFactory,
};
use flowscope_reassembly::HoleFillingFactory;

use crate::claims::{Choice, ChosenBy, Claim, Claims, Start, Told, Transport};

/// One stream protocol: every TCP flow for which the factory has a parser is read by it. `R` makes
/// the reassemblers.
#[derive(Clone, Debug)]
pub struct Sessions<F, R = HoleFillingFactory> {
    parsers: F,
    streams: R,
}

impl<F, R> Sessions<F, R> {
    /// Parsers and reassemblers of these makes.
    #[must_use]
    pub fn new(parsers: F, streams: R) -> Self {
        Sessions { parsers, streams }
    }
}

const ONLY: Choice = Choice { protocol: "", by: ChosenBy::Only };

impl<K, F: SessionParserFactory<K>, R: ReassemblerFactory<K>> Claims<K> for Sessions<F, R> {
    type Streams = R;
    type Parser = F::Parser;
    type Message = <F::Parser as SessionParser>::Message;

    fn streams(&mut self) -> &mut R {
        &mut self.streams
    }

    fn reads(&self, transport: Transport) -> bool {
        transport == Transport::Stream
    }

    fn claim(&mut self, start: &Start<'_, K>) -> Claim<F::Parser> {
        match self.parsers.new_parser(start.key) {
            Some(parser) => Claim::Read(parser, ONLY),
            None => Claim::Leave,
        }
    }

    #[inline]
    fn feed(
        &mut self,
        parser: &mut F::Parser,
        feed: Feed<'_>,
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
        _: DatagramFeed<'_>,
        _: &mut Vec<Self::Message>,
    ) -> ParserStatus {
        ParserStatus::Done
    }

    fn tell(&mut self, parser: &mut F::Parser, what: Told, out: &mut Vec<Self::Message>) {
        what.to_session(parser, out);
    }

    fn probe(&self, _: &F::Parser, side: FlowSide, start: &[u8]) -> Probe {
        F::Parser::probe(side, start)
    }

    fn held(&self, parser: &F::Parser) -> usize {
        parser.held()
    }
}

/// One datagram protocol: every flow but TCP's for which the factory has a parser is read by it.
#[derive(Clone, Debug)]
pub struct Datagrams<F> {
    parsers: F,
    streams: HoleFillingFactory,
}

impl<F> Datagrams<F> {
    /// Parsers of this make.
    #[must_use]
    pub fn new(parsers: F) -> Self {
        Datagrams { parsers, streams: HoleFillingFactory::default() }
    }
}

impl<K, F: DatagramParserFactory<K>> Claims<K> for Datagrams<F> {
    type Streams = HoleFillingFactory;
    type Parser = F::Parser;
    type Message = <F::Parser as DatagramParser>::Message;

    fn streams(&mut self) -> &mut HoleFillingFactory {
        &mut self.streams
    }

    fn reads(&self, transport: Transport) -> bool {
        transport == Transport::Datagram
    }

    fn claim(&mut self, start: &Start<'_, K>) -> Claim<F::Parser> {
        match self.parsers.new_parser(start.key) {
            Some(parser) => Claim::Read(parser, ONLY),
            None => Claim::Leave,
        }
    }

    fn feed(&mut self, _: &mut F::Parser, _: Feed<'_>, _: &mut Vec<Self::Message>) -> ParserStatus {
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
        datagram: DatagramFeed<'_>,
        out: &mut Vec<Self::Message>,
    ) -> ParserStatus {
        parser.parse_into(datagram, out)
    }

    fn tell(&mut self, parser: &mut F::Parser, what: Told, out: &mut Vec<Self::Message>) {
        what.to_datagrams(parser, out);
    }

    fn probe(&self, _: &F::Parser, side: FlowSide, start: &[u8]) -> Probe {
        F::Parser::probe(side, start)
    }

    fn held(&self, parser: &F::Parser) -> usize {
        parser.held()
    }
}

/// No parsers: reassemblers that do all there is to do themselves, such as
/// [`Callbacks`](flowscope_reassembly::Callbacks).
#[derive(Clone, Debug)]
pub struct Streams<R> {
    streams: R,
}

impl<R> Streams<R> {
    /// Reassemblers of this make.
    #[must_use]
    pub fn new(streams: R) -> Self {
        Streams { streams }
    }
}

impl<K, R: ReassemblerFactory<K>> Claims<K> for Streams<R> {
    type Streams = R;
    type Parser = ();
    type Message = Infallible;

    fn streams(&mut self) -> &mut R {
        &mut self.streams
    }

    fn reads(&self, transport: Transport) -> bool {
        transport == Transport::Stream
    }

    fn claim(&mut self, _: &Start<'_, K>) -> Claim<()> {
        Claim::Read((), ONLY)
    }

    #[inline]
    fn feed(&mut self, (): &mut (), _: Feed<'_>, _: &mut Vec<Infallible>) -> ParserStatus {
        ParserStatus::Continue
    }

    fn gap(&mut self, (): &mut (), _: FlowSide, _: u64, _: &mut Vec<Infallible>) -> ParserStatus {
        ParserStatus::Continue
    }

    fn datagram(
        &mut self,
        (): &mut (),
        _: DatagramFeed<'_>,
        _: &mut Vec<Infallible>,
    ) -> ParserStatus {
        ParserStatus::Done
    }

    fn tell(&mut self, (): &mut (), _: Told, _: &mut Vec<Infallible>) {}

    fn probe(&self, (): &(), _: FlowSide, _: &[u8]) -> Probe {
        Probe::Maybe
    }

    fn held(&self, (): &()) -> usize {
        0
    }
}

impl Told {
    pub(crate) fn to_session<P: SessionParser>(self, parser: &mut P, out: &mut Vec<P::Message>) {
        match self {
            Told::Fin(side) => parser.fin(side, out),
            Told::Rst(side) => parser.rst(side, out),
            Told::End => parser.end(out),
        }
    }

    pub(crate) fn to_datagrams<P: DatagramParser>(self, parser: &mut P, out: &mut Vec<P::Message>) {
        match self {
            Told::Fin(_) | Told::Rst(_) => {}
            Told::End => parser.end(out),
        }
    }
}

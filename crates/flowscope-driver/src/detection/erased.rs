//! Parsers without their types.

use std::any::Any;

use flowscope_core::{
    Datagram, DatagramParser, Expectation, FlowSide, ParserStatus, Probe, Remainder, SessionParser,
    StreamChunk,
};
use flowscope_session::StreamEnd;

/// A protocol without its types.
pub(crate) trait DynParser<M>: Send {
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
    fn take_remainder(&mut self, _parser: &mut dyn Any, _side: FlowSide) -> Option<Remainder> {
        None
    }
    fn take_expectation(&mut self, _parser: &mut dyn Any) -> Option<Expectation> {
        None
    }
    fn introduce(&mut self, _parser: &mut dyn Any, _by: u64, _about: &[u8]) {}
    fn notify(&mut self, parser: &mut dyn Any, what: StreamEnd, out: &mut Vec<M>);
    fn end_status(&self, _parser: &dyn Any) -> ParserStatus {
        ParserStatus::Done
    }
    fn heap_bytes(&self, parser: &dyn Any) -> usize;
}

/// A stream protocol.
pub(crate) fn streams<M, P, W>(parser: P, wrap: W) -> Box<dyn DynParser<M>>
where
    P: SessionParser + Clone + Send + 'static,
    P::Message: Send + 'static,
    W: FnMut(P::Message) -> M + Send + 'static,
{
    Box::new(Streams(ParserTemplate { parser, wrap, made: Vec::new() }))
}

/// A datagram protocol.
pub(crate) fn datagrams<M, P, W>(parser: P, wrap: W) -> Box<dyn DynParser<M>>
where
    P: DatagramParser + Clone + Send + 'static,
    P::Message: Send + 'static,
    W: FnMut(P::Message) -> M + Send + 'static,
{
    Box::new(Packets(ParserTemplate { parser, wrap, made: Vec::new() }))
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

    fn take_remainder(&mut self, parser: &mut dyn Any, side: FlowSide) -> Option<Remainder> {
        parser.downcast_mut::<P>()?.take_remainder(side)
    }

    fn take_expectation(&mut self, parser: &mut dyn Any) -> Option<Expectation> {
        parser.downcast_mut::<P>()?.take_expectation()
    }

    fn introduce(&mut self, parser: &mut dyn Any, by: u64, about: &[u8]) {
        if let Some(parser) = parser.downcast_mut::<P>() {
            parser.introduce(by, about);
        }
    }

    fn end_status(&self, parser: &dyn Any) -> ParserStatus {
        parser.downcast_ref::<P>().map_or(ParserStatus::Done, P::end_status)
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

//! Parsers alone, over the samples of their protocols, fed as a driver feeds them.

use std::any::TypeId;
use std::hint::black_box;
use std::path::Path;

use flowscope::session::{Delivery, ParserState, StopReason, StreamEnd, StreamPosition};
use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    Datagram, DatagramParser, Loss, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp,
};
use flowscope_record::{NoParser, ParserOptions, Protocol};
use flowscope_testkit::{Conversation, Sample, Transport};

/// The parsers of a protocol, and the conversations that they read.
pub struct Parsers<S: SessionParser, D> {
    stream: S,
    datagram: D,
    conversations: Vec<Conversation>,
    /// Storage for what parsers emit.
    messages: Vec<S::Message>,
}

/// What a pass over all conversations comes to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pass {
    /// Messages that were emitted.
    pub messages: u64,
    /// Payload bytes that parsers were fed.
    pub bytes: u64,
}

/// Longest chunk of a stream, in bytes: the payload of a segment on Ethernet.
const MSS: usize = 1460;

/// The time of all bytes.
const TS: Timestamp = Timestamp::from_secs(7);

/// The parsers of a protocol with default options, over the samples that its crate has.
///
/// # Errors
///
/// If a transport for which there is a parser has no message in any sample.
///
/// # Panics
///
/// If a sample cannot be read.
pub fn of_samples<P: Protocol>() -> Result<Parsers<P::Stream, P::Datagram>, String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let samples = Sample::of_protocol(&crates, P::NAME);
    over::<P>(samples.into_iter().map(|sample| sample.conversation).collect())
}

/// The parsers of a protocol with default options, over these conversations.
fn over<P: Protocol>(
    conversations: Vec<Conversation>,
) -> Result<Parsers<P::Stream, P::Datagram>, String> {
    let options = ParserOptions::default();
    let (stream, datagram) = (P::stream(&options), P::datagram(&options));
    let mut parsers = Parsers { stream, datagram, conversations, messages: Vec::new() };
    let none = TypeId::of::<NoParser<P::Record>>();
    let has_parser = [
        (Transport::Tcp, "TCP", TypeId::of::<P::Stream>() != none),
        (Transport::Udp, "UDP", TypeId::of::<P::Datagram>() != none),
    ];
    for (transport, name, has_parser) in has_parser {
        if has_parser && parsers.read(|of| of.transport == transport).messages == 0 {
            return Err(format!("{}: no message over {name} in its samples", P::NAME));
        }
    }
    Ok(parsers)
}

impl<S, D> Parsers<S, D>
where
    S: SessionParser + Clone,
    D: DatagramParser<Message = S::Message> + Clone,
{
    /// Reads each conversation once, from its first byte to its end, with a parser of its own.
    pub fn pass(&mut self) -> Pass {
        self.read(|_| true)
    }

    fn read(&mut self, wanted: impl Fn(&Conversation) -> bool) -> Pass {
        let mut pass = Pass::default();
        let Parsers { stream, datagram, conversations, messages } = self;
        for conversation in conversations.iter().filter(|of| wanted(of)) {
            let pass = &mut pass;
            // Parsers are on the heap, as the registry has them.
            match conversation.transport {
                Transport::Tcp => {
                    let parser = Box::new(stream.clone());
                    read_streams(Reader { parser, messages, pass }, conversation);
                }
                Transport::Udp => {
                    let parser = Box::new(datagram.clone());
                    read_datagrams(Reader { parser, messages, pass }, conversation);
                }
            }
        }
        pass
    }
}

/// The streams of a connection: both SYNs, the turns, both FINs, the end.
fn read_streams<P: SessionParser>(mut reader: Reader<'_, P, P::Message>, of: &Conversation) {
    let mut state = ParserState::new();
    let mut offsets = [0_u64; 2];
    [Initiator, Responder].into_iter().for_each(|side| state.syn(side));
    for turn in &of.turns {
        let offset = &mut offsets[turn.side.index()];
        for bytes in turn.bytes.chunks(MSS) {
            state.bytes(StreamChunk::new(turn.side, TS, *offset, bytes), &mut reader);
            *offset += bytes.len() as u64;
        }
    }
    let at = |side| StreamPosition { side, ts: TS, offset: offsets[side.index()] };
    for side in [Initiator, Responder] {
        state.fin(at(side), &mut reader);
    }
    state.end(at(Responder), None, &mut reader);
}

/// The datagrams of a flow, and its end.
fn read_datagrams<P: DatagramParser>(mut reader: Reader<'_, P, P::Message>, of: &Conversation) {
    let mut stopped = [false; 2];
    for turn in &of.turns {
        if stopped[turn.side.index()] {
            continue;
        }
        reader.pass.bytes += turn.bytes.len() as u64;
        let datagram = Datagram::new(turn.side, TS, &turn.bytes);
        match reader.parser.parse_into(datagram, reader.messages) {
            ParserStatus::Continue => {}
            ParserStatus::StopSide(side) => stopped[side.index()] = true,
            _ => stopped = [true; 2],
        }
        reader.take();
    }
    reader.parser.end(reader.messages);
    reader.take();
}

/// A parser, whose messages are counted and dropped as soon as a call has returned.
struct Reader<'a, P, M> {
    parser: Box<P>,
    messages: &'a mut Vec<M>,
    pass: &'a mut Pass,
}

impl<P, M> Reader<'_, P, M> {
    fn take(&mut self) {
        self.pass.messages += self.messages.len() as u64;
        black_box(&mut *self.messages).clear();
    }
}

impl<P: SessionParser> Delivery for Reader<'_, P, P::Message> {
    fn probe(&mut self, side: FlowSide, start: &[u8]) -> Probe {
        P::probe(side, start)
    }

    fn feed(&mut self, chunk: StreamChunk<'_>) -> ParserStatus {
        self.pass.bytes += chunk.bytes.len() as u64;
        let status = self.parser.feed_into(chunk, self.messages);
        self.take();
        status
    }

    fn gap(&mut self, at: StreamPosition, len: u64) -> ParserStatus {
        let status = self.parser.gap(at.side, len, self.messages);
        self.take();
        status
    }

    fn notify(&mut self, _at: StreamPosition, end: StreamEnd) {
        end.notify_parser(&mut *self.parser, self.messages);
        self.take();
    }

    fn release(&mut self) {}

    fn report_gap(&mut self, _at: StreamPosition, _len: u64) {}

    fn report_stop(&mut self, _at: StreamPosition, _side: Option<FlowSide>, _why: StopReason) {}

    fn report_loss(&mut self, _cause: Loss, _bytes: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowscope::protocols::{self, ProtocolVisitor};
    use flowscope_dns::Dns;
    use flowscope_http::Http;
    use flowscope_testkit::Turn;

    /// Reads the samples of each protocol.
    #[derive(Default)]
    struct Names(Vec<&'static str>);

    impl ProtocolVisitor for Names {
        fn protocol<P: Protocol>(&mut self) {
            let mut parsers = of_samples::<P>().unwrap();
            let pass = parsers.pass();
            assert!(pass.messages > 0 && pass.bytes > 0, "{}: {pass:?}", P::NAME);
            assert_eq!(parsers.pass(), pass, "{}: passes differ", P::NAME);
            self.0.push(P::NAME);
        }
    }

    #[test]
    fn every_protocol_of_the_registry_is_read() {
        let mut names = Names::default();
        protocols::for_each(&mut names);
        let all: Vec<&str> = protocols::all().iter().map(|protocol| protocol.name).collect();
        assert_eq!(names.0, all);
    }

    /// An exchange with a body that takes two segments.
    fn exchange() -> Conversation {
        let turn = |side, text: String| Turn { side, bytes: text.into_bytes() };
        let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {MSS}\r\n\r\n");
        let turns = vec![turn(Initiator, request), turn(Responder, head + &"x".repeat(MSS))];
        Conversation { transport: Transport::Tcp, port: 80, turns }
    }

    #[test]
    fn messages_and_bytes_are_counted() {
        let conversation = exchange();
        let bytes: u64 = conversation.turns.iter().map(|turn| turn.bytes.len() as u64).sum();
        let mut parsers = over::<Http>(vec![conversation; 3]).unwrap();
        assert_eq!(parsers.pass(), Pass { messages: 3, bytes: bytes * 3 });
    }

    fn error<P: Protocol>(conversations: Vec<Conversation>) -> String {
        over::<P>(conversations).map(|_| ()).unwrap_err()
    }

    #[test]
    fn samples_without_a_message_are_refused() {
        assert_eq!(error::<Http>(Vec::new()), "http: no message over TCP in its samples");
        let mut half = exchange();
        half.turns.truncate(1);
        half.turns[0].bytes.truncate(8);
        assert_eq!(error::<Http>(vec![half]), "http: no message over TCP in its samples");
    }

    #[test]
    fn a_parser_that_reads_nothing_is_not_hidden_by_that_of_the_other_transport() {
        let query = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01";
        let turns = vec![Turn { side: Initiator, bytes: query.to_vec() }];
        let query = Conversation { transport: Transport::Udp, port: 53, turns };
        assert_eq!(error::<Dns>(vec![query]), "dns: no message over TCP in its samples");
    }
}

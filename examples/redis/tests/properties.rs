//! Laws that hold for any bytes.

use example_redis::{
    Kind, MAX_DEPTH, MAX_LINE, MAX_PIPELINED, MAX_TEXT, MAX_VALUES, RedisMessage, RedisParser,
    Value,
};
use flowscope_core::{FlowSide, ParserStatus, SessionParser, StreamChunk, Timestamp};
use flowscope_testkit::{pieces, splits};
use proptest::collection::vec;
use proptest::prelude::*;

/// Values to be sent, and the wire form of them.
#[derive(Clone, Debug)]
enum Sent {
    Null,
    Yes(bool),
    Number(i64),
    Simple(String),
    Bulk(Vec<u8>),
    List(u8, Vec<Sent>),
}

impl Sent {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Sent::Null => out.extend(b"_\r\n"),
            Sent::Yes(yes) => out.extend(if *yes { b"#t\r\n" } else { b"#f\r\n" }),
            Sent::Number(number) => out.extend(format!(":{number}\r\n").bytes()),
            Sent::Simple(text) => out.extend(format!("+{text}\r\n").bytes()),
            Sent::Bulk(bytes) => {
                out.extend(format!("${}\r\n", bytes.len()).bytes());
                out.extend(bytes);
                out.extend(b"\r\n");
            }
            Sent::List(kind, values) => {
                let len = if *kind == b'%' { values.len() / 2 } else { values.len() };
                out.extend(format!("{}{len}\r\n", char::from(*kind)).bytes());
                values.iter().for_each(|value| value.write(out));
            }
        }
    }

    /// Whether that is what was read.
    fn is(&self, read: &Value) -> bool {
        match (self, read) {
            (Sent::Null, Value::Null) => true,
            (Sent::Yes(sent), Value::Boolean(read)) => sent == read,
            (Sent::Number(sent), Value::Integer(read)) => sent == read,
            (Sent::Simple(sent), Value::Text(read)) => sent.as_bytes() == read.bytes,
            (Sent::Bulk(sent), Value::Text(read)) => *sent == read.bytes && read.is_whole(),
            (Sent::List(kind, sent), Value::List(read)) => {
                let kind = match kind {
                    b'~' => Kind::Set,
                    b'%' => Kind::Map,
                    _ => Kind::Array,
                };
                (kind, sent.len() as u64, sent.len()) == (read.kind, read.len, read.values.len())
                    && sent.iter().zip(&read.values).all(|(sent, read)| sent.is(read))
            }
            _ => false,
        }
    }
}

fn value() -> impl Strategy<Value = Sent> {
    let leaf = prop_oneof![
        Just(Sent::Null),
        any::<bool>().prop_map(Sent::Yes),
        any::<i64>().prop_map(Sent::Number),
        "[ -~]{0,12}".prop_map(Sent::Simple),
        vec(any::<u8>(), 0..40).prop_map(Sent::Bulk),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        (prop_oneof![Just(b'*'), Just(b'~'), Just(b'%')], vec(inner, 0..5)).prop_map(
            |(kind, mut values)| {
                if kind == b'%' && values.len() % 2 == 1 {
                    values.pop();
                }
                Sent::List(kind, values)
            },
        )
    })
}

/// Bytes that look like the protocol more often than not.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[*$+:_#,(!=~%>|-][0-9-]{0,3}\r\n".prop_map(String::into_bytes),
        1 => Just(b"PSYNC\r\n".to_vec()),
        2 => "[a-zA-Z ]{1,9}\r?\n".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 1..20),
        1 => Just(b"$4\r\nPING\r\n".to_vec()),
        1 => Just(b"*1\r\n$4\r\nPING\r\n".to_vec()),
    ];
    vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

fn feed(parser: &mut RedisParser, side: FlowSide, bytes: &[u8]) -> Vec<RedisMessage> {
    match side {
        FlowSide::Initiator => parser.feed_initiator(bytes),
        FlowSide::Responder => parser.feed_responder(bytes),
    }
}

/// The messages in these pieces, and what the parser wants after them.
fn read(side: FlowSide, pieces: &[&[u8]]) -> (Vec<RedisMessage>, ParserStatus) {
    let (mut parser, mut out) = (RedisParser::default(), Vec::new());
    let mut status = ParserStatus::Continue;
    for bytes in pieces.iter().filter(|piece| !piece.is_empty()) {
        status = parser.feed_into(StreamChunk::new(side, Timestamp::ZERO, 0, bytes), &mut out);
    }
    (out, status)
}

fn side() -> impl Strategy<Value = FlowSide> {
    prop_oneof![Just(FlowSide::Initiator), Just(FlowSide::Responder)]
}

proptest! {
    #[test]
    fn what_is_sent_is_read(values in vec(value(), 0..8)) {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| value.write(&mut bytes));
        let read = RedisParser::default().feed_responder(&bytes);
        prop_assert_eq!(read.len(), values.len());
        for (sent, read) in values.iter().zip(&read) {
            let RedisMessage::Reply(reply) = read else { panic!("{read:?}") };
            prop_assert!(sent.is(&reply.value), "{:?} {:?}", sent, reply);
        }
    }

    #[test]
    fn messages_do_not_depend_on_segmentation(bytes in noise(), side in side(), seed: u64) {
        let whole = read(side, &[&bytes]);
        for cuts in splits(bytes.len(), seed) {
            let parts: Vec<&[u8]> = pieces(&bytes, &cuts).collect();
            prop_assert_eq!(&read(side, &parts), &whole, "cuts {:?}", cuts);
        }
    }

    /// No bytes, gaps between them anywhere, make it panic or hold more than it says.
    #[test]
    fn memory_is_bounded(steps in vec((side(), noise(), 0_u64..40), 0..12)) {
        let mut parser = RedisParser::default();
        let values = (MAX_VALUES + 4 * MAX_DEPTH) * 2 * size_of::<Value>();
        let a_side = 2 * MAX_LINE + 2 * MAX_TEXT + 8 * MAX_VALUES + values;
        for (side, bytes, gap) in steps {
            feed(&mut parser, side, &bytes);
            if gap < 10 {
                parser.gap(side, gap, &mut Vec::new());
            }
            prop_assert!(parser.heap_bytes() <= 2 * a_side + 2 * MAX_PIPELINED * 16 + 4096);
        }
    }
}

/// What would have the most memory held: the deepest lists, as many values as are kept, a line and a
/// string that never end, requests that nobody answers.
#[test]
fn attacks_reach_the_bounds_and_stay_there() {
    let values = (MAX_VALUES + 4 * MAX_DEPTH) * 2 * size_of::<Value>();
    let bound = 2 * MAX_LINE + 2 * MAX_TEXT + 8 * MAX_VALUES + values + 4096;
    let deep = b"*4294967295\r\n".repeat(MAX_DEPTH);
    let attacks: [(&[u8], &[u8], usize); 5] = [
        (&deep, b"$3\r\nabc\r\n", 100_000),
        (&deep, b"*1\r\n:1\r\n", 10),
        (b"$4294967295\r\n", &[b'x'; 1000], 1000),
        (b"+", b"x", 8 * MAX_LINE),
        (b"%4294967295\r\n", b"*1\r\n$1\r\na\r\n", 100_000),
    ];
    for (start, more, times) in attacks {
        let mut parser = RedisParser::default();
        parser.feed_responder(start);
        for _ in 0..times {
            parser.feed_responder(more);
        }
        assert!(
            parser.heap_bytes() <= bound,
            "{} after {}",
            parser.heap_bytes(),
            start.escape_ascii()
        );
    }
    let mut parser = RedisParser::default();
    for _ in 0..3 * MAX_PIPELINED {
        parser.feed_initiator(b"PING\r\n");
    }
    assert!(parser.heap_bytes() <= 4096, "pairing is given up, and its memory with it");
}

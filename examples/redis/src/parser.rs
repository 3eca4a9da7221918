use std::collections::VecDeque;

use flowscope_core::{
    FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp, feed_once,
};

use crate::message::{Kind, RedisMessage, Reply, Request, Value};
use crate::reader::{Reader, Speaker, Whole};

/// Requests that may wait for their replies; with one more, replies are no longer paired.
pub const MAX_PIPELINED: usize = 4096;

/// Reads what a Redis client, the initiator, asks and what the server answers.
///
/// Replies are paired with requests by their order, as the protocol has it, and only as long as nothing
/// that was seen speaks against it; what a capture that began later did not see, nobody can know. With
/// `SYNC` or `PSYNC` the connection becomes a replication stream, and the parser is done.
///
/// A gap within a string costs the bytes of that string. After any other the side is given up: bytes
/// that look like a header may as well be what somebody stored.
///
/// Memory: of each side a line of [`MAX_LINE`](crate::MAX_LINE) bytes, or one message within
/// [`MAX_TEXT`](crate::MAX_TEXT) and [`MAX_VALUES`](crate::MAX_VALUES); and a number and a time for each
/// of [`MAX_PIPELINED`] requests.
#[derive(Clone, Debug)]
pub struct RedisParser {
    client: Reader,
    server: Reader,
    /// How many requests there were.
    requests: u64,
    /// Those without a reply, oldest first; none once it is uncertain which is next.
    open: Option<VecDeque<(u64, Timestamp)>>,
    stopped: [bool; 2],
    over: Option<ParserStatus>,
    /// Time of the latest bytes.
    last: Timestamp,
}

impl Default for RedisParser {
    fn default() -> Self {
        RedisParser {
            client: Reader::new(Speaker::Client),
            server: Reader::new(Speaker::Server),
            requests: 0,
            open: Some(VecDeque::new()),
            stopped: [false; 2],
            over: None,
            last: Timestamp::ZERO,
        }
    }
}

impl RedisParser {
    fn reader(&mut self, side: FlowSide) -> &mut Reader {
        match side {
            FlowSide::Initiator => &mut self.client,
            FlowSide::Responder => &mut self.server,
        }
    }

    /// Makes a message of what a side has said.
    fn said(&mut self, side: FlowSide, whole: Whole, out: &mut Vec<RedisMessage>) {
        match (side, whole) {
            (FlowSide::Initiator, Whole::Inline(words, len)) => self.request(words, len, true, out),
            (FlowSide::Initiator, Whole::Value(Value::List(list))) => {
                let words = list.values.into_iter().filter_map(|value| match value {
                    Value::Text(text) => Some(text),
                    _ => None,
                });
                self.request(words.collect(), list.len, false, out);
            }
            (FlowSide::Responder, Whole::Value(Value::List(list))) if list.kind == Kind::Push => {
                out.push(RedisMessage::Push(list));
            }
            (FlowSide::Responder, Whole::Value(value)) => {
                let asked = self.open.as_mut().and_then(VecDeque::pop_front);
                if asked.is_none() {
                    self.open = None;
                }
                let request = asked.map(|(number, _)| number);
                let latency = asked.map(|(_, asked)| self.last.since(asked));
                out.push(RedisMessage::Reply(Reply { request, latency, value }));
            }
            // A null array is a request for nothing.
            _ => {}
        }
    }

    fn request(
        &mut self,
        words: Vec<crate::Text>,
        len: u64,
        inline: bool,
        out: &mut Vec<RedisMessage>,
    ) {
        if len == 0 {
            // Redis takes no notice.
            return;
        }
        let request = Request { number: self.requests, words, len, inline };
        self.requests += 1;
        let is = |names: &[&str]| {
            names.iter().any(|name| request.command().eq_ignore_ascii_case(name.as_bytes()))
        };
        let mute = is(&["CLIENT"])
            && request.words.get(1).is_some_and(|word| word.bytes.eq_ignore_ascii_case(b"REPLY"));
        if mute || is(TALKATIVE) {
            self.open = None;
        }
        if is(&["SYNC", "PSYNC"]) {
            self.over = Some(ParserStatus::Done);
        }
        if let Some(open) = &mut self.open {
            open.push_back((request.number, self.last));
            if open.len() > MAX_PIPELINED {
                self.open = None;
            }
        }
        out.push(RedisMessage::Request(request));
    }
}

/// What has any number of answers, or makes others come.
const TALKATIVE: &[&str] = &[
    "SUBSCRIBE",
    "PSUBSCRIBE",
    "SSUBSCRIBE",
    "UNSUBSCRIBE",
    "PUNSUBSCRIBE",
    "SUNSUBSCRIBE",
    "MONITOR",
];

impl SessionParser for RedisParser {
    type Message = RedisMessage;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<RedisMessage> {
        feed_once(self, StreamChunk::new(FlowSide::Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<RedisMessage> {
        feed_once(self, StreamChunk::new(FlowSide::Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, feed: StreamChunk<'_>, out: &mut Vec<RedisMessage>) -> ParserStatus {
        let mut rest = feed.bytes;
        self.last = feed.ts;
        while self.over.is_none() && !rest.is_empty() {
            if self.stopped[feed.side.index()] {
                return ParserStatus::StopSide(feed.side);
            }
            match self.reader(feed.side).take(&mut rest) {
                Ok(Some(whole)) => self.said(feed.side, whole, out),
                Ok(None) => {}
                Err(error) => self.over = Some(ParserStatus::Failed(error)),
            }
        }
        self.over.unwrap_or(ParserStatus::Continue)
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<RedisMessage>) -> ParserStatus {
        match self.reader(side).skip(len) {
            Ok(whole) => {
                if let Some(whole) = whole {
                    self.said(side, whole, out);
                }
                self.over.unwrap_or(ParserStatus::Continue)
            }
            Err(_) => {
                self.open = None;
                self.stopped[side.index()] = true;
                *self.reader(side) = Reader::new(Speaker::Server);
                ParserStatus::StopSide(side)
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        let open = self.open.as_ref().map_or(0, VecDeque::capacity);
        self.client.heap_bytes() + self.server.heap_bytes() + open * size_of::<(u64, Timestamp)>()
    }

    fn probe(side: FlowSide, start: &[u8]) -> Probe {
        let Some((&kind, rest)) = start.split_first() else { return Probe::Maybe };
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let tail = rest.get(digits..).unwrap_or_default();
        let counted = match (digits, tail) {
            (0, []) | (1..=10, [] | [b'\r']) => Probe::Maybe,
            (1..=10, [b'\r', b'\n', ..]) => Probe::Yes,
            _ => Probe::No,
        };
        match (side, kind, counted) {
            // What stands in a request is told by its first byte.
            (FlowSide::Initiator, b'*', Probe::Yes) => match tail.get(2) {
                None => Probe::Maybe,
                Some(b'$') => Probe::Yes,
                Some(_) => Probe::No,
            },
            (FlowSide::Initiator, b'*', counted) => counted,
            // An inline command, or any other protocol made of words.
            (FlowSide::Initiator, b'A'..=b'Z' | b'a'..=b'z', _) => Probe::Maybe,
            (FlowSide::Responder, b'$' | b'*' | b'%', counted @ (Probe::Yes | Probe::Maybe)) => {
                counted
            }
            (FlowSide::Responder, b'$' | b'*', _) if tail.starts_with(b"-") => Probe::Maybe,
            // Words again: `+OK` is what POP3 says too.
            (
                FlowSide::Responder,
                b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' | b'!' | b'=' | b'~' | b'>' | b'|',
                _,
            ) => Probe::Maybe,
            _ => Probe::No,
        }
    }
}

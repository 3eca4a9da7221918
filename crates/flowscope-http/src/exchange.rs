use std::collections::VecDeque;
use std::time::Duration;

use flowscope_core::{
    FlowSide, ParserStatus, Probe, Remainder, SessionParser, StreamChunk, Timestamp,
};
use flowscope_files::{FileInfo, Form};

use crate::config::{Bodies, HttpConfig};
use crate::message::{
    Framing, HttpAnomaly, HttpMessage, MessageEnd, MessageKind, Paired, Request, Response,
};
use crate::parser::HttpParser;

/// One transaction: a request, the response to it, or both.
///
/// There is one for each request, answered or not, and one for each response whose request was not
/// seen. Interim responses (1xx) are left out; `101` is a response like others.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpExchange {
    /// Its number in the flow: 0, 1, … in the order of requests; a response without a request counts
    /// where it occurs.
    pub id: u64,
    /// The head of the request, if it was seen.
    pub request: Option<Request>,
    /// The head of the final response, if it was seen.
    pub response: Option<Response>,
    /// The body of the request.
    pub request_body: BodySummary,
    /// The body of the final response.
    pub response_body: BodySummary,
    /// The body of the request as a file, content coding as sent: with [`Bodies::Files`] and if a byte of it was captured.
    pub request_file: Option<Box<FileInfo>>,
    /// The body of the final response as a file, likewise; of a `206` the part that was sent.
    pub response_file: Option<Box<FileInfo>>,
    /// The files in the body of the request, if it is a form (RFC 7578), likewise.
    pub request_form: Option<Box<Form>>,
    /// When the first byte of its first message was captured.
    pub started: Timestamp,
    /// When the last byte of its last message was captured.
    pub ended: Timestamp,
    /// From the end of the request to the end of the response's head; zero if that came first.
    pub latency: Option<Duration>,
    /// How it ended.
    pub outcome: HttpOutcome,
    /// Its messages are paired since pairing was resumed: it had been lost in a gap, or before the capture
    /// began, and the connection was seen in lockstep since.
    pub resumed: bool,
    /// Anomalies in its messages, and between them and the messages before.
    pub anomalies: Vec<HttpAnomaly>,
}

/// Length and completeness of a body.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BodySummary {
    /// Bytes that were captured, without chunk framing.
    pub len: u64,
    /// Bytes that passed but were not captured, as far as known.
    pub missing: u64,
    /// Whether it ended as its framing says, with no byte missing.
    pub complete: bool,
}

/// How an exchange ended.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum HttpOutcome {
    /// The response came, and ended as its framing says.
    Answered,
    /// The response came, but was cut short.
    Cut,
    /// The response made the connection a tunnel.
    Tunnel,
    /// The response was one to an HTTP/0.9 request: a body without a head.
    SimpleResponse,
    /// No response was seen.
    Unanswered,
    /// A gap leaves open whether there was a response, and which.
    Unpaired,
    /// A response whose request was not seen, or which a gap leaves without one.
    Orphan,
}

/// An [`HttpParser`] that emits [exchanges](HttpExchange) instead of messages.
///
/// An exchange is given out as soon as both its messages are over and all before it were given out,
/// so that those of a flow come in the order of their numbers; those without a response when it is
/// certain that none can be paired with them, at the latest when the flow ends.
///
/// **Bounds.** Beside what the parser holds, the heads of open exchanges, within
/// [`max_open_bytes`](HttpConfig::max_open_bytes): beyond, the oldest is given out as it is.
/// Bodies are counted and not kept, whatever the configuration says of them; with [`Bodies::Files`] they are hashed too, and
/// what is kept of them counts as the heads do.
#[derive(Clone, Debug, Default)]
pub struct HttpExchanges {
    parser: HttpParser,
    messages: Vec<HttpMessage>,
    open: VecDeque<Open>,
    /// Number of the first that is open.
    first: u64,
    open_bytes: usize,
    /// The numbers of those whose messages have no end yet: request, response.
    current: [Option<u64>; 2],
    /// Between the head and the end of an interim response.
    interim: bool,
    /// Who sends requests, once known.
    requester: Option<FlowSide>,
    /// Anomalies found between messages.
    loose: Vec<HttpAnomaly>,
    /// The largest [`Request::exchange`] so far, and one more.
    asked: u64,
}

#[derive(Clone, Debug)]
struct Open {
    exchange: HttpExchange,
    /// One more than the largest [`Request::exchange`] up to here; ascends with the numbers.
    asked: u64,
    request_ended: Option<Timestamp>,
    response_ended: bool,
}

/// Anomalies between messages that are kept for the next.
const MAX_LOOSE: usize = 32;

impl HttpExchanges {
    /// With bounds other than the defaults.
    #[must_use]
    pub fn with_config(config: HttpConfig) -> Self {
        let bodies = match config.bodies {
            files @ Bodies::Files(_) => files,
            _ => Bodies::Skip,
        };
        let parser = HttpParser::with_config(config.bodies(bodies));
        HttpExchanges { parser, ..HttpExchanges::default() }
    }

    /// Takes the messages that the parser has made, and gives out what is whole.
    fn take(&mut self, status: ParserStatus, out: &mut Vec<HttpExchange>) -> ParserStatus {
        let mut messages = std::mem::take(&mut self.messages);
        for message in messages.drain(..) {
            match message {
                HttpMessage::Request(request) => self.request(request),
                HttpMessage::Response(response) => self.response(response),
                HttpMessage::End(mut end) => self.message_end(&mut end),
                HttpMessage::Anomaly(anomaly) => self.anomaly(anomaly),
                HttpMessage::Paired(paired) => self.paired(paired),
                HttpMessage::Body(_) => {}
            }
        }
        self.messages = messages;
        self.release(out);
        if !matches!(status, ParserStatus::Continue | ParserStatus::StopSide(_)) {
            self.flush(out);
        }
        status
    }

    fn request(&mut self, request: Request) {
        self.requester = Some(request.side);
        if let Some(exchange) = request.exchange {
            self.asked = exchange + 1;
        }
        let mut exchange = HttpExchange::new(request.first_ts, request.ts);
        exchange.request = Some(request);
        self.current[0] = Some(self.open(exchange));
    }

    fn response(&mut self, response: Response) {
        self.requester = Some(!response.side);
        self.interim = response.is_interim();
        if self.interim {
            return;
        }
        let id = match response.exchange.and_then(|exchange| self.find(exchange)) {
            Some(id) => id,
            None => self.open(HttpExchange::new(response.first_ts, response.ts)),
        };
        self.current[1] = Some(id);
        if let Some(open) = self.get(id) {
            let held = response.headers().heap_bytes();
            open.exchange.ended = open.exchange.ended.max(response.ts);
            open.exchange.resumed = response.resumed;
            open.exchange.response = Some(response);
            self.open_bytes += held;
        }
    }

    fn message_end(&mut self, end: &mut MessageEnd) {
        let body =
            BodySummary { len: end.body_len, missing: end.missing, complete: end.is_complete() };
        let (file, form) = (end.file.take(), end.form.take());
        let held = file_bytes(file.as_deref()) + form_bytes(form.as_deref());
        if end.kind == MessageKind::Request {
            if let Some(open) = self.current[0].take().and_then(|id| self.get(id)) {
                open.request_ended = Some(end.ts);
                open.exchange.request_body = body;
                open.exchange.request_file = file;
                open.exchange.request_form = form;
                open.exchange.ended = open.exchange.ended.max(end.ts);
                self.open_bytes += held;
            }
            return;
        }
        if std::mem::take(&mut self.interim) {
            return;
        }
        let without_head = end.exchange.filter(|_| self.current[1].is_none());
        let id = self.current[1].take().or(without_head.and_then(|exchange| self.find(exchange)));
        if let Some(open) = id.and_then(|id| self.get(id)) {
            open.response_ended = true;
            open.exchange.response_body = body;
            open.exchange.response_file = file;
            open.exchange.ended = open.exchange.ended.max(end.ts);
            self.open_bytes += held;
        }
    }

    /// Joins a request and the response to it, which was opened as one without a request. One request at
    /// most was opened behind it.
    fn paired(&mut self, paired: Paired) {
        let is_response = |open: &Open| {
            open.exchange.request.is_none()
                && open.exchange.response.as_ref().is_some_and(|r| r.offset == paired.offset)
        };
        let place = self.open.iter().rposition(is_response);
        // One of the two may have been given out already, for want of room.
        let (Some(place), Some(id)) = (place, self.find(paired.exchange)) else { return };
        let Some(orphan) = self.open.remove(place) else { return };
        for open in self.open.range_mut(place..) {
            open.exchange.id -= 1;
        }
        let removed = self.first + place as u64;
        for current in self.current.iter_mut().flatten() {
            *current -= u64::from(*current > removed);
        }
        let exchange = orphan.exchange;
        let Some(open) = self.get(id) else { return };
        open.response_ended = orphan.response_ended;
        let own = &mut open.exchange;
        own.ended = own.ended.max(exchange.ended);
        own.response_body = exchange.response_body;
        own.response_file = exchange.response_file;
        own.response = exchange.response;
        if let Some(response) = &mut own.response {
            (response.exchange, response.resumed) = (Some(paired.exchange), true);
        }
        own.resumed = true;
        own.anomalies.extend(exchange.anomalies);
    }

    fn anomaly(&mut self, anomaly: HttpAnomaly) {
        let response = self.requester == Some(!anomaly.side);
        let current = self.current[usize::from(response)];
        if let Some(open) = current.and_then(|id| self.get(id)) {
            open.exchange.anomalies.push(anomaly);
            self.open_bytes += size_of::<HttpAnomaly>();
        } else if self.loose.len() < MAX_LOOSE {
            self.loose.push(anomaly);
        }
    }

    /// Adds an exchange behind all others; returns its number.
    fn open(&mut self, mut exchange: HttpExchange) -> u64 {
        exchange.id = self.first + self.open.len() as u64;
        exchange.anomalies = std::mem::take(&mut self.loose);
        let (id, asked) = (exchange.id, self.asked);
        self.open_bytes += exchange.heap_bytes();
        if self.open.capacity() == 0 {
            // Most flows never have a second one open; the library would make room for four.
            self.open.reserve_exact(1);
        }
        self.open.push_back(Open { exchange, asked, request_ended: None, response_ended: false });
        id
    }

    fn get(&mut self, id: u64) -> Option<&mut Open> {
        let at = usize::try_from(id.checked_sub(self.first)?).ok()?;
        self.open.get_mut(at)
    }

    /// The number of the open exchange whose request the parser calls `exchange`.
    fn find(&self, exchange: u64) -> Option<u64> {
        let at = self.open.partition_point(|open| open.asked <= exchange);
        let request = self.open.get(at)?.exchange.request.as_ref()?;
        (request.exchange == Some(exchange)).then_some(self.first + at as u64)
    }

    /// Gives out what is over, from the front, and what there is no room for.
    fn release(&mut self, out: &mut Vec<HttpExchange>) {
        let most = self.parser.config().max_open_bytes;
        while let Some(open) = self.open.front()
            && (open.is_over(&self.parser)
                || self.open_bytes + self.open.len() * size_of::<Open>() > most)
        {
            self.pop(out);
        }
        if self.open.is_empty() && self.open.capacity() > 64 {
            self.open = VecDeque::new();
        }
    }

    fn pop(&mut self, out: &mut Vec<HttpExchange>) {
        let Some(open) = self.open.pop_front() else { return };
        self.first += 1;
        self.open_bytes = self.open_bytes.saturating_sub(open.exchange.heap_bytes());
        out.push(open.finish(&self.parser));
    }

    /// Nothing more comes.
    fn flush(&mut self, out: &mut Vec<HttpExchange>) {
        while !self.open.is_empty() {
            self.pop(out);
        }
    }

    fn feed_locked(&mut self, side: FlowSide, bytes: &[u8]) -> Vec<HttpExchange> {
        let mut out = Vec::new();
        self.messages = match side {
            FlowSide::Initiator => self.parser.feed_initiator(bytes),
            FlowSide::Responder => self.parser.feed_responder(bytes),
        };
        let status = self.parser.status(side);
        self.take(status, &mut out);
        out
    }
}

impl HttpExchange {
    fn new(started: Timestamp, ended: Timestamp) -> Self {
        HttpExchange {
            id: 0,
            request: None,
            response: None,
            request_body: BodySummary::default(),
            response_body: BodySummary::default(),
            request_file: None,
            response_file: None,
            request_form: None,
            started,
            ended,
            latency: None,
            outcome: HttpOutcome::Unanswered,
            resumed: false,
            anomalies: Vec::new(),
        }
    }

    /// Bytes of memory beside the value itself.
    fn heap_bytes(&self) -> usize {
        self.request.as_ref().map_or(0, |request| request.headers().heap_bytes())
            + self.response.as_ref().map_or(0, |response| response.headers().heap_bytes())
            + self.anomalies.len() * size_of::<HttpAnomaly>()
            + file_bytes(self.request_file.as_deref())
            + file_bytes(self.response_file.as_deref())
            + form_bytes(self.request_form.as_deref())
    }
}

/// Memory of the files in a form.
fn form_bytes(form: Option<&Form>) -> usize {
    form.map_or(0, |form| size_of::<Form>() + form.heap_bytes())
}

/// Memory of a file.
fn file_bytes(file: Option<&FileInfo>) -> usize {
    file.map_or(0, |file| size_of::<FileInfo>() + file.heap_bytes())
}

impl Open {
    /// Whether no message can say more of it.
    fn is_over(&self, parser: &HttpParser) -> bool {
        let Some(request) = &self.exchange.request else { return self.response_ended };
        let answered =
            self.response_ended || self.exchange.response.is_none() && request.is_unpaired(parser);
        answered && self.request_ended.is_some()
    }

    fn finish(self, parser: &HttpParser) -> HttpExchange {
        let mut exchange = self.exchange;
        let complete = exchange.response_body.complete;
        exchange.outcome = match (&exchange.request, &exchange.response) {
            (None, _) => HttpOutcome::Orphan,
            (_, Some(response)) if response.framing == Framing::Tunnel => HttpOutcome::Tunnel,
            (_, Some(_)) if complete => HttpOutcome::Answered,
            (_, Some(_)) => HttpOutcome::Cut,
            (_, None) if self.response_ended => HttpOutcome::SimpleResponse,
            (Some(request), None) if request.is_unpaired(parser) => HttpOutcome::Unpaired,
            (Some(_), None) => HttpOutcome::Unanswered,
        };
        let response = exchange.response.as_ref();
        exchange.latency =
            self.request_ended.zip(response).map(|(ended, response)| response.ts.since(ended));
        exchange
    }
}

impl Request {
    /// Whether no response that comes now can be said to be its own.
    fn is_unpaired(&self, parser: &HttpParser) -> bool {
        self.exchange.is_none_or(|exchange| !parser.may_pair(exchange))
    }
}

impl SessionParser for HttpExchanges {
    type Message = HttpExchange;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<HttpExchange> {
        self.feed_locked(FlowSide::Initiator, bytes)
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<HttpExchange> {
        self.feed_locked(FlowSide::Responder, bytes)
    }

    fn feed_into(&mut self, feed: StreamChunk<'_>, out: &mut Vec<HttpExchange>) -> ParserStatus {
        if self.messages.capacity() == 0 {
            // A head and the end of a message without a body.
            self.messages.reserve_exact(2);
        }
        let status = self.parser.feed_into(feed, &mut self.messages);
        self.take(status, out)
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<HttpExchange>) -> ParserStatus {
        let status = self.parser.gap(side, len, &mut self.messages);
        self.take(status, out)
    }

    fn fin(&mut self, side: FlowSide, out: &mut Vec<HttpExchange>) {
        self.parser.fin(side, &mut self.messages);
        self.take(ParserStatus::Continue, out);
    }

    fn rst(&mut self, side: FlowSide, out: &mut Vec<HttpExchange>) {
        self.parser.rst(side, &mut self.messages);
        self.take(ParserStatus::Done, out);
    }

    fn end(&mut self, out: &mut Vec<HttpExchange>) {
        self.parser.end(&mut self.messages);
        self.take(ParserStatus::Done, out);
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        self.parser.take_remainder(side)
    }

    fn heap_bytes(&self) -> usize {
        self.parser.heap_bytes()
            + self.open_bytes
            + self.open.capacity() * size_of::<Open>()
            + self.messages.capacity() * size_of::<HttpMessage>()
            + self.loose.capacity() * size_of::<HttpAnomaly>()
    }

    fn probe(side: FlowSide, start: &[u8]) -> Probe {
        HttpParser::probe(side, start)
    }
}

//! The streams that are open, and what comes on them (RFC 9113 §5).

use std::ops::RangeInclusive;

use flowscope_core::{FlowSide, Timestamp};

use crate::field::{Field, Fields};
use crate::files::{Contents, Examination};
use crate::message::{Http2Exchange, Http2Outcome, Http2Request, Http2Response, number};

/// Streams that may be open at once.
const MAX_OPEN: usize = 128;
/// What all of them may hold, in bytes.
const MAX_OPEN_BYTES: usize = 128 * 1024;

/// The exchanges whose end was not seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams {
    /// In the order of the identifiers of their streams.
    open: Vec<(u32, Box<Open>)>,
    heap_bytes: usize,
    /// Whether and how contents are examined.
    examination: Option<Examination>,
    /// What the contents of the open streams hold.
    content_bytes: usize,
    /// The largest identifiers of streams that were opened by requests, and by promises.
    requested: u32,
    promised: u32,
    /// Up to which stream each side has said that it serves those of the other, and with which code it goes.
    goaways: [Option<(u32, u32)>; 2],
    /// The streams that were opened by responses without a request.
    answered: Answered,
    /// Whether nothing more of the client is read.
    is_client_lost: bool,
}

#[derive(Clone, Debug)]
struct Open {
    exchange: Http2Exchange,
    contents: Contents,
    request_at: Option<Timestamp>,
    request_ended: Option<Timestamp>,
    response_at: Option<Timestamp>,
    /// Whether nothing more of the request can come.
    is_requested: bool,
}

/// A header section of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) stream: u32,
    /// The stream that is promised.
    pub(crate) promised: Option<u32>,
    /// Whether nothing of its sender follows on the stream.
    pub(crate) ends_stream: bool,
    pub(crate) fields: Fields,
}

impl Open {
    fn new(exchange: Http2Exchange) -> Self {
        Open {
            exchange,
            contents: Contents::default(),
            request_at: None,
            request_ended: None,
            response_at: None,
            is_requested: false,
        }
    }

    fn heap_bytes(&self) -> usize {
        size_of::<Open>() + self.exchange.heap_bytes()
    }

    /// Whether nothing more of it comes.
    fn is_over(&self, is_client_lost: bool) -> bool {
        (self.is_requested || is_client_lost) && self.exchange.response_body.is_complete
    }

    fn finish(mut self) -> Http2Exchange {
        let mut exchange = self.exchange;
        let declared = exchange.request.as_ref().and_then(Http2Request::content_length);
        let (file, form) = self.contents.take(false, exchange.request_body, declared);
        (exchange.request_file, exchange.request_form) = (file, form);
        let declared = exchange.response.as_ref().and_then(Http2Response::content_length);
        (exchange.response_file, _) = self.contents.take(true, exchange.response_body, declared);
        exchange.outcome = match (&exchange.request, &exchange.response) {
            (None, _) => Http2Outcome::Orphan,
            (Some(_), None) => Http2Outcome::Unanswered,
            (Some(_), Some(_)) if exchange.response_body.is_complete => Http2Outcome::Answered,
            (Some(_), Some(_)) => Http2Outcome::Cut,
        };
        let answered = self.response_at.filter(|_| !exchange.is_pushed);
        exchange.latency = answered.and_then(|answered| {
            let ended = self.request_ended.filter(|ended| *ended <= answered);
            let asked = ended.or(self.request_at).filter(|asked| *asked <= answered)?;
            Some(answered.since(asked))
        });
        exchange
    }
}

impl Streams {
    /// Examines contents.
    pub(crate) fn examining(examination: Examination) -> Self {
        Streams { examination: Some(examination), ..Streams::default() }
    }

    /// A header section of the client is whole.
    pub(crate) fn request(
        &mut self,
        ts: Timestamp,
        client: FlowSide,
        section: Section,
        out: &mut Vec<Http2Exchange>,
    ) {
        let Section { stream, ends_stream, fields, .. } = section;
        let at = match self.find(stream) {
            Ok(at) => at,
            Err(at) if stream > self.requested => {
                self.insert(at, Http2Exchange::new(ts, client, stream))
            }
            Err(_) => return,
        };
        // A stream that a client opens closes those before it that it never used (RFC 9113 §5.1.1).
        let mut closed = stream..=stream;
        if stream > self.requested {
            closed = self.requested + 1..=stream;
            self.requested = stream;
            let from = self.find(*closed.start()).unwrap_or_else(|at| at);
            for (_, open) in &mut self.open[from..at] {
                open.is_requested |= open.exchange.request.is_none();
            }
        }
        // Sent before it was known.
        let goaway = self.goaways[(!client).index()].filter(|(last, _)| stream > *last);
        self.update(at, |open| {
            open.exchange.goaway = open.exchange.goaway.or(goaway.map(|(_, code)| code));
            // Trailers otherwise.
            if open.exchange.request.is_none() {
                open.exchange.request = Some(Http2Request(fields));
                open.exchange.ts = open.exchange.ts.min(ts);
                open.request_at = Some(ts);
            }
        });
        if ends_stream {
            self.side_ends(ts, client, stream);
        }
        self.release(closed, out);
    }

    /// A header section of the server is whole.
    pub(crate) fn response(
        &mut self,
        ts: Timestamp,
        client: FlowSide,
        section: Section,
        out: &mut Vec<Http2Exchange>,
    ) {
        let Section { stream, promised, ends_stream, fields } = section;
        if let Some(promised) = promised {
            return self.promise(ts, client, promised, fields, out);
        }
        let is_pushed = stream.is_multiple_of(2);
        let at = match self.find(stream) {
            Ok(at) => at,
            // Its request may be captured later.
            Err(at) if self.may_answer(stream) => {
                let mut exchange = Http2Exchange::new(ts, client, stream);
                exchange.is_pushed = is_pushed;
                if is_pushed {
                    self.promised = stream;
                } else {
                    self.answered.insert(stream);
                }
                let at = self.insert(at, exchange);
                self.open[at].1.is_requested = is_pushed;
                at
            }
            Err(_) => return,
        };
        self.update(at, |open| open.section(ts, fields, ends_stream));
        if ends_stream {
            self.side_ends(ts, !client, stream);
        }
        self.release(stream..=stream, out);
    }

    /// The server says that it will answer a request that it makes up (RFC 9113 §8.4).
    fn promise(
        &mut self,
        ts: Timestamp,
        client: FlowSide,
        promised: u32,
        fields: Fields,
        out: &mut Vec<Http2Exchange>,
    ) {
        let Err(at) = self.find(promised) else { return };
        if promised <= self.promised || !promised.is_multiple_of(2) {
            return;
        }
        self.promised = promised;
        let mut exchange = Http2Exchange::new(ts, client, promised);
        exchange.is_pushed = true;
        exchange.request = Some(Http2Request(fields));
        exchange.request_body.is_complete = true;
        let at = self.insert(at, exchange);
        self.open[at].1.is_requested = true;
        self.make_room(out);
    }

    /// Content that a side sends.
    pub(crate) fn data(&mut self, side: FlowSide, stream: u32, bytes: &[u8]) {
        let Ok(at) = self.find(stream) else { return };
        if let Some(examination) = self.examination {
            self.examine(at, side, bytes, examination);
        }
        self.open[at].1.exchange.body_mut(side).len += bytes.len() as u64;
    }

    #[cold]
    fn examine(&mut self, at: usize, side: FlowSide, bytes: &[u8], examination: Examination) {
        let Open { exchange, contents, .. } = &mut *self.open[at].1;
        // What is within a tunnel is no file (RFC 9113 §8.5).
        if exchange.request.as_ref().and_then(Http2Request::method) == Some(&b"CONNECT"[..]) {
            return;
        }
        let before = contents.heap_bytes();
        let has_room = self.content_bytes <= examination.room();
        let is_response = side != exchange.client;
        let body = *exchange.body_mut(side);
        let media_type = exchange.request.as_ref().and_then(Http2Request::content_type);
        contents.push((is_response, media_type), bytes, body, examination, has_room);
        self.content_bytes = self.content_bytes + contents.heap_bytes() - before;
    }

    /// Content that a side has sent and that was not captured.
    pub(crate) fn data_is_missing(&mut self, side: FlowSide, stream: u32, len: u64) {
        let Ok(at) = self.find(stream) else { return };
        let Open { exchange, contents, .. } = &mut *self.open[at].1;
        exchange.body_mut(side).missing += len;
        let before = contents.heap_bytes();
        contents.gap(side != exchange.client, len);
        self.content_bytes = self.content_bytes + contents.heap_bytes() - before;
    }

    /// A side has sent all it sends on a stream.
    pub(crate) fn end(
        &mut self,
        ts: Timestamp,
        side: FlowSide,
        stream: u32,
        out: &mut Vec<Http2Exchange>,
    ) {
        self.side_ends(ts, side, stream);
        self.release(stream..=stream, out);
    }

    /// A side resets a stream.
    pub(crate) fn reset(
        &mut self,
        side: FlowSide,
        stream: u32,
        code: u32,
        out: &mut Vec<Http2Exchange>,
    ) {
        if let Ok(at) = self.find(stream) {
            self.open[at].1.exchange.reset = Some((side, code));
            self.remove(at, out);
        }
    }

    /// A side closes the connection, and serves streams up to `last` that the other side has opened.
    pub(crate) fn goaway(
        &mut self,
        side: FlowSide,
        [last, code]: [u32; 2],
        out: &mut Vec<Http2Exchange>,
    ) {
        let last = last & 0x7fff_ffff;
        self.goaways[side.index()] = Some((last, code));
        let mut at = 0;
        while let Some((_, open)) = self.open.get_mut(at) {
            let exchange = &mut open.exchange;
            let by_the_other = exchange.is_pushed == (side == exchange.client);
            if by_the_other && exchange.stream_id > last {
                exchange.goaway = Some(code);
                self.remove(at, out);
                continue;
            }
            if code != 0 {
                exchange.goaway = Some(code);
            }
            at += 1;
        }
    }

    /// Where the next frame of the client begins is not known: nothing more of its requests comes.
    pub(crate) fn client_is_lost(&mut self, out: &mut Vec<Http2Exchange>) {
        self.is_client_lost = true;
        self.release(0..=u32::MAX, out);
    }

    /// Nothing more comes.
    pub(crate) fn flush(&mut self, out: &mut Vec<Http2Exchange>) {
        out.extend(self.open.drain(..).map(|(_, open)| open.finish()));
        self.open = Vec::new();
        self.heap_bytes = 0;
        self.content_bytes = 0;
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.open.capacity() * size_of::<(u32, Box<Open>)>() + self.heap_bytes + self.content_bytes
    }

    fn find(&self, stream: u32) -> Result<usize, usize> {
        self.open.binary_search_by_key(&stream, |(id, _)| *id)
    }

    /// Whether a response on a stream that is not open may be one whose request was not captured yet.
    fn may_answer(&self, stream: u32) -> bool {
        if stream.is_multiple_of(2) {
            stream > self.promised
        } else {
            stream > self.requested && !self.answered.contains(stream)
        }
    }

    fn insert(&mut self, at: usize, exchange: Http2Exchange) -> usize {
        let open = Box::new(Open::new(exchange));
        self.heap_bytes += open.heap_bytes();
        self.open.insert(at, (open.exchange.stream_id, open));
        at
    }

    fn update(&mut self, at: usize, update: impl FnOnce(&mut Open)) {
        let open = &mut self.open[at].1;
        let before = open.heap_bytes();
        update(open);
        self.heap_bytes = self.heap_bytes + open.heap_bytes() - before;
    }

    fn remove(&mut self, at: usize, out: &mut Vec<Http2Exchange>) {
        let (_, open) = self.open.remove(at);
        self.heap_bytes -= open.heap_bytes();
        self.content_bytes -= open.contents.heap_bytes();
        out.push(open.finish());
    }

    fn side_ends(&mut self, ts: Timestamp, side: FlowSide, stream: u32) {
        let Ok(at) = self.find(stream) else { return };
        let open = &mut self.open[at].1;
        open.exchange.body_mut(side).is_complete = true;
        if side == open.exchange.client {
            open.request_ended = Some(ts);
            open.is_requested = true;
        }
    }

    /// Gives out which of these streams are over, and the oldest of what there is no room for.
    fn release(&mut self, streams: RangeInclusive<u32>, out: &mut Vec<Http2Exchange>) {
        let mut at = self.find(*streams.start()).unwrap_or_else(|at| at);
        while let Some((stream, open)) = self.open.get(at)
            && stream <= streams.end()
        {
            if open.is_over(self.is_client_lost) {
                self.remove(at, out);
            } else {
                at += 1;
            }
        }
        self.make_room(out);
    }

    fn make_room(&mut self, out: &mut Vec<Http2Exchange>) {
        while self.open.len() > MAX_OPEN || self.heap_bytes > MAX_OPEN_BYTES {
            self.remove(0, out);
        }
    }
}

/// Streams of clients, whose responses come in any order: the latest 128 by their identifiers.
#[derive(Clone, Copy, Debug, Default)]
struct Answered {
    /// How many streams there are up to the largest that was answered; none: 0.
    up_to: u32,
    /// A bit for each of the latest of these, that of the largest first.
    latest: u128,
}

impl Answered {
    fn insert(&mut self, stream: u32) {
        let nth = stream / 2 + 1;
        if let Some(newer) = nth.checked_sub(self.up_to) {
            self.latest = self.latest.checked_shl(newer).unwrap_or(0);
            self.up_to = nth;
        }
        self.latest |= 1_u128.checked_shl(self.up_to - nth).unwrap_or(0);
    }

    /// Whether it is one of them, or so old that it may be.
    fn contains(&self, stream: u32) -> bool {
        let older = self.up_to.checked_sub(stream / 2 + 1);
        older.is_some_and(|older| self.latest.checked_shr(older).is_none_or(|bits| bits & 1 != 0))
    }
}

impl Open {
    /// A header section of the server: a response, an interim one, or trailers.
    fn section(&mut self, ts: Timestamp, fields: Fields, ends_stream: bool) {
        if let Some(status) = fields.get(Field::GrpcStatus).and_then(number) {
            self.exchange.grpc_status = Some(status);
            self.exchange.grpc_message = fields.get(Field::GrpcMessage).map(<[u8]>::to_vec);
        }
        let response = Http2Response(fields);
        let is_interim = response.status().is_some_and(|status| status / 100 == 1);
        // Where the status was not captured, a later section that has one shows that this was interim.
        let is_known = self.exchange.response.as_ref().is_some_and(|it| it.status().is_some());
        let is_first = self.exchange.response.is_none();
        if is_interim && !ends_stream || is_known || !is_first && response.status().is_none() {
            return;
        }
        self.exchange.response = Some(response);
        self.response_at = Some(ts);
    }
}

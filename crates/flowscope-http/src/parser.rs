mod heads;
mod order;

use flowscope_core::{
    FlowSide, ParseError, ParserStatus, Probe, Remainder, SessionParser, StreamChunk, Timestamp,
    feed_once,
};
use flowscope_files::{Content, FileInfo, Form};

use crate::anomalies::HeadAnomalies;
use crate::chunked::{Chunked, Step};
use crate::config::{Bodies, HttpConfig};
use crate::fields::Fields;
use crate::head::{self, Expect};
use crate::held::Held;
use crate::message::{
    Body, Ending, Framing, HttpAnomaly, HttpAnomalyKind, HttpMessage, MessageEnd, MessageKind,
};
use crate::pairing::{Pairing, RequestClass};
use crate::stream_state::{CurrentMessage, KeptBody, LinePosition, State, StreamState};
use crate::wire;

/// Reads the HTTP/1.x messages of one connection (RFC 9112).
///
/// Which side sends requests is learned from the first message of either side, so that a flow whose
/// initiator was guessed wrong is read all the same.
///
/// **Order.** Requests are expected to be fed before their responses. Where chunks say what they
/// [acknowledge](StreamChunk::acked), as those of engines do, the order between the sides does not matter:
/// what was sent after bytes that are still to come waits for them, for a gap in their place, or for the end
/// of their side. Messages of one side may thus come while the other is fed.
///
/// **Bounds.** A side holds at most one head, trailer section or line
/// ([`max_head`](HttpConfig::max_head)), released when it is complete, and 4 bytes per request that
/// waits for its response ([`max_pipelined`](HttpConfig::max_pipelined)); one of the sides, what waits for
/// earlier bytes of the other ([`max_held`](HttpConfig::max_held)). Work is linear in the bytes, however
/// they are cut.
///
/// **Gaps.** Within a body of known length, or within one chunk, a gap is passed over exactly.
/// Otherwise the message at hand is [lost](Ending::Lost) and the next one is searched for, at the
/// first byte after the gap, after each LF, and, since bodies need not end with one, within lines: a status line,
/// or a request line with a well-known method, of the exact form.
/// Responses that follow name a request only where no other can be meant
/// ([`pipelining`](HttpConfig::pipelining)), or once acknowledgements have shown that the connection is in
/// lockstep: two exchanges in a row whose request begins when all before was answered and received, and whose
/// response acknowledges it; a [`Paired`](crate::Paired) describes the first of them. It takes no pair for
/// certain of a client that was seen pipelining. A client that always keeps one request ahead, whose first
/// requests were not seen and whose server answers only after the next has arrived, looks like one in lockstep.
/// A flow that does not begin with a message is treated
/// alike, and so is a side that was joined in the middle, of which engines tell by a gap of no length.
///
/// **Statuses.** [`Upgrade`](ParserStatus::Upgrade) when the connection becomes a tunnel (`101`, or a `2xx` to
/// `CONNECT`), [`UpgradeTo`](ParserStatus::UpgradeTo) where a `101` names `websocket` or `h2c`, which is `http2`: bytes of
/// it that came with the response, and up to 16 KiB that the client sent before that, are left to who reads what follows.
/// [`StopSide`](ParserStatus::StopSide) when a side exceeds a bound; an [`HttpAnomaly`] says which.
/// [`Failed`](ParserStatus::Failed) when both did, and when the flow is another protocol.
#[derive(Clone, Debug, Default)]
pub struct HttpParser {
    config: HttpConfig,
    sides: [StreamState; 2],
    pairing: Pairing,
    /// What waits for earlier bytes of the other side.
    held: Option<Box<Held>>,
    /// The latest time fed.
    now: Timestamp,
    /// What the segment of the bytes at hand acknowledges, if that is known.
    acked: Option<u64>,
    /// A side was joined in the middle of its stream.
    mid_stream: bool,
    /// The connection began as another protocol.
    within: bool,
    /// What every call returns from now on.
    final_status: Option<ParserStatus>,
    /// What was fed of a tunnel.
    remainders: [Option<Remainder>; 2],
}

impl HttpParser {
    /// A parser with bounds, or with a use for bodies, other than the defaults.
    #[must_use]
    pub fn with_config(config: HttpConfig) -> Self {
        HttpParser { config, ..HttpParser::default() }
    }

    pub(crate) fn config(&self) -> &HttpConfig {
        &self.config
    }

    /// Whether a response may still be paired with the request of this number.
    pub(crate) fn may_pair(&self, exchange: u64) -> bool {
        self.pairing.may_pair(exchange)
    }

    /// Reads the next bytes of a side.
    fn read_chunk(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<HttpMessage>) {
        let StreamChunk { side, ts, offset, mut bytes, acked, mid_stream } = chunk;
        self.now = ts;
        self.acked = acked;
        let own = &mut self.sides[side.index()];
        (own.pos, own.chunk_at) = (offset, offset);
        if mid_stream {
            self.begin_mid_stream(side);
        }
        if self.sides[side.index()].doubted {
            self.sides[side.index()].doubted = false;
            self.decide_doubt(side, bytes, out);
        }
        while !bytes.is_empty() && self.final_status.is_none() {
            let n = self.step(side, bytes, out);
            bytes = bytes.get(n..).unwrap_or_default();
        }
        if let Some(ParserStatus::Upgrade | ParserStatus::UpgradeTo(_)) = self.final_status {
            self.leave(side, self.sides[side.index()].pos, bytes);
            self.leave_held();
        }
    }

    /// Leaves bytes of a tunnel to who reads that, if they follow what was left before.
    fn leave(&mut self, side: FlowSide, offset: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let new = || Remainder { offset, bytes: Vec::new() };
        let left = self.remainders[side.index()].get_or_insert_with(new);
        if left.offset + left.bytes.len() as u64 == offset {
            left.bytes.extend_from_slice(bytes);
        }
    }

    /// Decides whether a body begins here, or the next response, since the one at hand answers a `HEAD`
    /// that was not seen: its client sent another request when it had the head alone.
    #[cold]
    fn decide_doubt(&mut self, side: FlowSide, bytes: &[u8], out: &mut Vec<HttpMessage>) {
        if bytes.starts_with(b"H") {
            self.end_message(side, Ending::Complete, None, out);
        } else {
            self.pairing.is_pipelined();
        }
    }

    /// Passes over `len` bytes that were never captured.
    fn read_gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<HttpMessage>) {
        let own = &mut self.sides[side.index()];
        if self.final_status.is_some() {
            return;
        }
        own.doubted = false;
        let passed = match &mut own.state {
            State::Length(left) if len <= *left => {
                *left -= len;
                true
            }
            State::Chunked(chunked) => chunked.skip(len),
            State::UntilClose => true,
            _ => false,
        };
        own.pos = own.pos.saturating_add(len);
        if len > 0 {
            own.gap_end = own.pos;
        }
        if passed {
            own.current.missing = own.current.missing.saturating_add(len);
            if let KeptBody::File(file) = &mut own.current.body {
                file.gap(len);
            }
            if matches!(own.state, State::Length(0)) {
                self.end_message(side, Ending::Gap, None, out);
            }
            return;
        }
        match own.state {
            State::Ended | State::Stopped => return,
            State::Await { .. } => {
                own.state = State::Await { skipped: true, keep: false };
                own.buf = Vec::new();
                return;
            }
            State::Head if !own.buf.is_empty() => {
                let at = own.head_at;
                self.anomaly(side, HttpAnomalyKind::CutHead, at, out);
            }
            _ if own.in_body() => self.end_message(side, Ending::Lost, None, out),
            _ => {}
        }
        let own = &mut self.sides[side.index()];
        own.buf = Vec::new();
        own.state = State::Search;
        own.position = LinePosition::Line;
        own.maybe_truncated = true;
        self.mark_unknown(side);
    }

    /// Handles the end of a side.
    fn read_fin(&mut self, side: FlowSide, out: &mut Vec<HttpMessage>) {
        self.close(side, Ending::Fin, out);
        let whole = self.sides[side.index()].kind == Some(MessageKind::Response);
        self.pair_answered(whole, out);
    }

    /// No request follows a response that is over. `whole`: nothing of the responses is missing behind it.
    ///
    /// Where packets were lost, the response that would show that the two are no pair may be lost too.
    fn pair_answered(&mut self, whole: bool, out: &mut Vec<HttpMessage>) {
        let lossless = self.sides.iter().all(|side| side.gap_end == 0);
        if (whole || lossless)
            && let Some(pair) = self.pairing.take_answered()
        {
            let responses = self.sides[0].kind == Some(MessageKind::Response);
            let side = if responses { FlowSide::Initiator } else { FlowSide::Responder };
            self.paired(side, Some(pair), out);
        }
    }

    /// Takes bytes from the start of `bytes`, as many as one state reads; returns how many. None
    /// only if it has gone from between messages into a head.
    fn step(&mut self, side: FlowSide, bytes: &[u8], out: &mut Vec<HttpMessage>) -> usize {
        let own = &mut self.sides[side.index()];
        match own.state {
            State::Start => self.start(side, bytes, out),
            State::Head => self.head(side, bytes, out),
            State::Length(left) => {
                let n = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                let left = left - n as u64;
                own.state = State::Length(left);
                own.advance(n);
                self.body(side, &bytes[..n], out);
                if left == 0 {
                    let ending = self.sides[side.index()].current.ending();
                    self.end_message(side, ending, None, out);
                }
                n
            }
            State::UntilClose => {
                own.advance(bytes.len());
                self.body(side, bytes, out);
                bytes.len()
            }
            State::Chunked(chunked) => self.chunk(side, chunked, bytes, out),
            State::Trailers => self.trailers(side, bytes, out),
            State::Search => self.search(side, bytes),
            State::Await { keep, .. } => {
                own.await_answer(bytes, keep);
                bytes.len()
            }
            State::Ended | State::Stopped => {
                own.advance(bytes.len());
                bytes.len()
            }
        }
    }

    fn begin_body(
        &mut self,
        side: FlowSide,
        current: CurrentMessage,
        framing: Framing,
        out: &mut Vec<HttpMessage>,
    ) {
        let own = &mut self.sides[side.index()];
        own.current = current;
        own.state = match framing {
            Framing::Length(length) if length > 0 => State::Length(length),
            Framing::Chunked => State::Chunked(Chunked::new()),
            Framing::UntilClose => State::UntilClose,
            Framing::None | Framing::Tunnel | Framing::Length(_) => {
                return self.end_message(side, Ending::Complete, None, out);
            }
        };
    }

    fn body(&mut self, side: FlowSide, bytes: &[u8], out: &mut Vec<HttpMessage>) {
        let current = &mut self.sides[side.index()].current;
        let at = current.body_len.saturating_add(current.missing);
        current.body_len = current.body_len.saturating_add(bytes.len() as u64);
        match self.config.bodies {
            Bodies::Skip => {}
            Bodies::Spans if bytes.is_empty() => {}
            Bodies::Spans => {
                let exchange = current.exchange;
                out.push(HttpMessage::Body(Body { side, exchange, at, bytes: bytes.to_vec() }));
            }
            Bodies::Collect(most) => {
                if current.missing == 0 {
                    current.body.collect(bytes, most);
                }
            }
            Bodies::Files(most) => current.body.examine(bytes, current.missing, most),
        }
    }

    fn chunk(
        &mut self,
        side: FlowSide,
        mut chunked: Chunked,
        bytes: &[u8],
        out: &mut Vec<HttpMessage>,
    ) -> usize {
        let own = &mut self.sides[side.index()];
        let pos = own.pos;
        let mut note = |kind, at: usize| {
            if own.seen.first(kind) {
                let offset = pos.saturating_add(at as u64);
                out.push(HttpMessage::Anomaly(HttpAnomaly { side, kind, offset }));
            }
        };
        let step = chunked.step(bytes, self.config.max_chunk_line, &mut note);
        own.state = State::Chunked(chunked);
        match step {
            Step::Framing(n) => {
                own.advance(n);
                n
            }
            Step::Data(n) => {
                own.advance(n);
                self.body(side, &bytes[..n], out);
                n
            }
            Step::Last(n) => {
                own.advance(n);
                own.state = State::Trailers;
                own.lines = Default::default();
                n
            }
            Step::Broken(kind, n) => {
                own.advance(n);
                if kind == HttpAnomalyKind::ChunkLineTooLong {
                    self.too_long(side, kind, self.config.max_chunk_line, out);
                } else {
                    self.anomaly(side, kind, pos.saturating_add(n as u64), out);
                    self.end_message(side, Ending::Invalid, None, out);
                    self.sides[side.index()].skip_line(false);
                    self.mark_unknown(side);
                }
                n
            }
        }
    }

    fn trailers(&mut self, side: FlowSide, bytes: &[u8], out: &mut Vec<HttpMessage>) -> usize {
        let most = self.config.max_head;
        let own = &mut self.sides[side.index()];
        let start = own.pos.saturating_sub(own.buf.len() as u64);
        let end = own.lines.end(bytes);
        if own.buf.is_empty() && end == Some(2) && bytes.starts_with(b"\r\n") {
            own.advance(2);
            let ending = own.current.ending();
            self.end_message(side, ending, None, out);
            return 2;
        }
        let n = own.collect(&bytes[..end.unwrap_or(bytes.len())], most);
        own.advance(n);
        if own.buf.len() > most {
            self.too_long(side, HttpAnomalyKind::HeadTooLong, most, out);
        } else if end.is_some() {
            let raw = std::mem::take(&mut own.buf).into_boxed_slice();
            let (lines, ending) = (own.lines.count, own.current.ending());
            if lines.saturating_sub(1) > self.config.max_headers {
                self.too_long(side, HttpAnomalyKind::TooManyHeaders, lines, out);
                return n;
            }
            let head = head::read(&raw, Expect::Trailers, lines);
            let trailers = head.map(|head| {
                for (kind, at) in head.anomalies.iter() {
                    self.anomaly(side, kind, start.saturating_add(at as u64), out);
                }
                Fields::new(raw, head.spans)
            });
            self.end_message(side, ending, trailers.filter(|fields| !fields.is_empty()), out);
        }
        n
    }

    fn end_message(
        &mut self,
        side: FlowSide,
        ending: Ending,
        trailers: Option<Fields>,
        out: &mut Vec<HttpMessage>,
    ) {
        let own = &mut self.sides[side.index()];
        let current = std::mem::take(&mut own.current);
        let CurrentMessage { kind, exchange, asked, body_len, missing, body, .. } = current;
        let (file, form) = match body {
            KeptBody::Nothing => (None, None),
            KeptBody::Collected(bytes) => {
                if !bytes.is_empty() {
                    out.push(HttpMessage::Body(Body { side, exchange, at: 0, bytes }));
                }
                (None, None)
            }
            // What is known of a form before its first byte is no file.
            KeptBody::File(_) if body_len == 0 => (None, None),
            KeptBody::File(file) => finish(*file, ending),
        };
        let (offset, ts) = (own.pos, self.now);
        if kind == MessageKind::Response {
            let complete = matches!(ending, Ending::Complete | Ending::Gap);
            self.pairing.response_end(offset, complete);
        }
        out.push(HttpMessage::End(MessageEnd {
            side,
            kind,
            exchange,
            body_len,
            missing,
            ending,
            trailers,
            file,
            form,
            offset,
            ts,
        }));
        own.buf = Vec::new();
        own.state = match (kind, asked) {
            (MessageKind::Request, RequestClass::Simple) => State::Ended,
            (MessageKind::Request, RequestClass::Connect) if exchange.is_some() => {
                State::Await { skipped: false, keep: true }
            }
            // Nothing will tell when the tunnel begins.
            (MessageKind::Request, RequestClass::Connect) => State::Search,
            _ => State::Start,
        };
    }

    /// `kind` of bound was reached, by `n` of something: the side is given up.
    fn too_long(
        &mut self,
        side: FlowSide,
        kind: HttpAnomalyKind,
        n: usize,
        out: &mut Vec<HttpMessage>,
    ) {
        let at = self.sides[side.index()].head_at;
        self.anomaly(side, kind, at, out);
        if self.sides[side.index()].in_body() {
            self.end_message(side, Ending::TooLong, None, out);
        }
        self.mark_unknown(side);
        let own = &mut self.sides[side.index()];
        own.buf = Vec::new();
        own.state = State::Stopped;
        if matches!(self.sides[(!side).index()].state, State::Stopped) {
            self.final_status = Some(ParserStatus::Failed(ParseError::TooLong(n as u64 + 1)));
        }
    }

    /// Nothing more comes from `side`, and this is why.
    fn close(&mut self, side: FlowSide, why: Ending, out: &mut Vec<HttpMessage>) {
        let own = &mut self.sides[side.index()];
        match own.state {
            State::Head if !own.buf.is_empty() => {
                let at = own.head_at;
                self.anomaly(side, HttpAnomalyKind::CutHead, at, out);
            }
            // The one body that the end of the stream ends as it should.
            State::UntilClose if why == Ending::Fin => {
                let ending = own.current.ending();
                self.end_message(side, ending, None, out);
            }
            _ if own.in_body() => self.end_message(side, why, None, out),
            State::Stopped => return,
            _ => {}
        }
        let own = &mut self.sides[side.index()];
        own.state = State::Ended;
        own.buf = Vec::new();
    }

    fn anomalies(&mut self, side: FlowSide, anomalies: &HeadAnomalies, out: &mut Vec<HttpMessage>) {
        let start = self.sides[side.index()].head_at;
        for (kind, at) in anomalies.iter() {
            self.anomaly(side, kind, start.saturating_add(at as u64), out);
        }
    }

    fn anomaly(
        &mut self,
        side: FlowSide,
        kind: HttpAnomalyKind,
        offset: u64,
        out: &mut Vec<HttpMessage>,
    ) {
        if self.sides[side.index()].seen.first(kind) {
            out.push(HttpMessage::Anomaly(HttpAnomaly { side, kind, offset }));
        }
    }

    pub(crate) fn status(&self, side: FlowSide) -> ParserStatus {
        match self.final_status {
            Some(status) => status,
            None if matches!(self.sides[side.index()].state, State::Stopped) => {
                ParserStatus::StopSide(side)
            }
            None => ParserStatus::Continue,
        }
    }

    /// The next bytes of a side, as a chunk that follows the last one.
    fn next_chunk<'a>(&self, side: FlowSide, bytes: &'a [u8]) -> StreamChunk<'a> {
        StreamChunk::new(side, self.now, self.sides[side.index()].pos, bytes)
    }
}

/// What is known of a body that ended so.
#[cold]
fn finish(content: Content, ending: Ending) -> (Option<Box<FileInfo>>, Option<Box<Form>>) {
    let (file, form) = content.finish(!matches!(ending, Ending::Complete | Ending::Gap));
    (Some(Box::new(file)), form)
}

impl SessionParser for HttpParser {
    type Message = HttpMessage;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<HttpMessage> {
        let chunk = self.next_chunk(FlowSide::Initiator, bytes);
        feed_once(self, chunk)
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<HttpMessage> {
        let chunk = self.next_chunk(FlowSide::Responder, bytes);
        feed_once(self, chunk)
    }

    fn feed_into(&mut self, feed: StreamChunk<'_>, out: &mut Vec<HttpMessage>) -> ParserStatus {
        self.take_chunk(feed, out)
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<HttpMessage>) -> ParserStatus {
        self.take_gap(side, len, out)
    }

    fn fin(&mut self, side: FlowSide, out: &mut Vec<HttpMessage>) {
        self.take_fin(side, out);
    }

    fn rst(&mut self, side: FlowSide, out: &mut Vec<HttpMessage>) {
        self.read_held(out);
        self.pair_answered(false, out);
        self.close(side, Ending::Rst, out);
        self.close(!side, Ending::Rst, out);
    }

    fn end(&mut self, out: &mut Vec<HttpMessage>) {
        self.read_held(out);
        self.close(FlowSide::Initiator, Ending::FlowEnd, out);
        self.close(FlowSide::Responder, Ending::FlowEnd, out);
        self.pair_answered(false, out);
        self.pairing.end();
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        self.remainders[side.index()].take()
    }

    fn heap_bytes(&self) -> usize {
        let held = self.held.as_ref().map_or(0, |held| size_of::<Held>() + held.heap_bytes());
        let remainders = self.remainders.iter().flatten().map(|left| left.bytes.capacity());
        let sides = self.sides[0].heap_bytes() + self.sides[1].heap_bytes();
        sides + self.pairing.heap_bytes() + held + remainders.sum::<usize>()
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        wire::probe(start)
    }
}

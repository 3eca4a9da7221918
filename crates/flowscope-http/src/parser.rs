use flowscope_core::{Feed, FlowSide, ParseError, ParserStatus, Probe, SessionParser, Timestamp};

use crate::chunked::{Chunked, Step};
use crate::config::{Bodies, HttpConfig};
use crate::fields::Fields;
use crate::framing;
use crate::head::{self, Expect, Head, Start};
use crate::message::{
    Anomaly, AnomalyKind, Body, Ending, Framing, HttpMessage, MessageEnd, MessageKind, Request,
    Response, Version, is_interim,
};
use crate::notes::Notes;
use crate::pairing::{Asked, Pairing};
use crate::side::{Current, Side, State};
use crate::wire::{self, StartLine};

/// Reads the HTTP/1.x messages of one connection (RFC 9112).
///
/// Which side sends requests is learned from the first message of either side, so that a flow whose
/// initiator was guessed wrong is read all the same. Requests are expected to be fed before their
/// responses, as they are captured.
///
/// **Bounds.** A side holds at most one head, trailer section or line
/// ([`max_head`](HttpConfig::max_head)), released when it is complete, and one byte per request that
/// waits for its response ([`max_pipelined`](HttpConfig::max_pipelined)). Work is linear in the
/// bytes, however they are cut.
///
/// **Gaps.** Within a body of known length, or within one chunk, a gap is passed over exactly.
/// Otherwise the message at hand is [lost](Ending::Lost) and the next one is searched for, at the
/// first byte after the gap and after each LF: a status line, or a request line with a well-known
/// method, of the exact form.
/// Responses that follow name a request only where no other can be meant
/// ([`pipelining`](HttpConfig::pipelining)). A flow that does not begin with a message is treated
/// alike.
///
/// **Statuses.** [`Done`](ParserStatus::Done) when the connection becomes a tunnel.
/// [`StopSide`](ParserStatus::StopSide) when a side exceeds a bound; an [`Anomaly`] says which.
/// [`Failed`](ParserStatus::Failed) when both did, and when the flow is another protocol.
#[derive(Clone, Debug, Default)]
pub struct HttpParser {
    config: HttpConfig,
    sides: [Side; 2],
    pairing: Pairing,
    /// The latest time fed.
    now: Timestamp,
    /// What every call returns from now on.
    over: Option<ParserStatus>,
}

/// A line that is longer is not what a search looks for.
const MAX_SEARCH_LINE: usize = 8192;

impl HttpParser {
    /// A parser with bounds, or with a use for bodies, other than the defaults.
    #[must_use]
    pub fn with_config(config: HttpConfig) -> Self {
        HttpParser { config, ..HttpParser::default() }
    }

    pub(crate) fn config(&self) -> &HttpConfig {
        &self.config
    }

    /// All requests with a smaller number have been answered, or can no more be paired.
    pub(crate) fn settled_before(&self) -> u64 {
        self.pairing.settled_before()
    }

    /// Takes bytes from the start of `bytes`, as many as one state reads; returns how many. None
    /// only if it has gone from between messages into a head.
    fn step(&mut self, side: FlowSide, bytes: &[u8], out: &mut Vec<HttpMessage>) -> usize {
        let now = self.now;
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
            State::SkipLine => {
                let end = wire::find_lf(bytes);
                let n = end.map_or(bytes.len(), |lf| lf + 1);
                if end.is_some() {
                    own.state = State::Search;
                }
                own.advance(n);
                own.first_ts = now;
                self.count_searched(side, n);
                n
            }
            State::Await { .. } => {
                own.state = State::Await { skipped: true };
                own.advance(bytes.len());
                bytes.len()
            }
            State::Over | State::Stopped => {
                own.advance(bytes.len());
                bytes.len()
            }
        }
    }

    fn start(&mut self, side: FlowSide, bytes: &[u8], out: &mut Vec<HttpMessage>) -> usize {
        let own = &mut self.sides[side.index()];
        // RFC 9112 §2.2: "a server [...] SHOULD ignore at least one empty line (CRLF) received
        // prior to the request-line".
        let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if blank > 0 {
            own.advance(blank);
            return blank;
        }
        own.begin(self.now);
        own.state = State::Head;
        let expect = match (own.kind, bytes.starts_with(b"HTTP/")) {
            (Some(MessageKind::Request) | None, false) => Expect::Request,
            (Some(MessageKind::Response) | None, true) => Expect::Response,
            _ => return 0,
        };
        // The usual case: the head lies whole in one segment and is read in place.
        let Some((head, len)) = head::strict(bytes, expect) else { return 0 };
        if len > self.config.max_head || head.spans.len() > self.config.max_headers {
            return 0;
        }
        own.advance(len);
        self.begin_message(side, head, bytes[..len].into(), out);
        len
    }

    fn head(&mut self, side: FlowSide, bytes: &[u8], out: &mut Vec<HttpMessage>) -> usize {
        let most = self.config.max_head;
        let own = &mut self.sides[side.index()];
        if own.lines.count == 0 {
            return self.first_line(side, bytes, out);
        }
        let end = own.lines.end(bytes);
        let n = own.collect(&bytes[..end.unwrap_or(bytes.len())], most);
        own.advance(n);
        if own.buf.len() > most {
            self.too_long(side, AnomalyKind::HeadTooLong, most, out);
        } else if end.is_some() {
            let raw = std::mem::take(&mut own.buf).into_boxed_slice();
            let lines = own.lines.count;
            let expect = match own.kind {
                Some(MessageKind::Response) => Expect::Response,
                _ => Expect::Request,
            };
            // Neither the first line nor the empty one is a header.
            if lines.saturating_sub(2) > self.config.max_headers {
                self.too_long(side, AnomalyKind::TooManyHeaders, lines, out);
            } else if let Some(head) = head::read(&raw, expect, lines) {
                self.begin_message(side, head, raw, out);
            } else {
                self.garbage(side, true, out);
            }
        }
        n
    }

    /// Collects the first line of a head, which says what the head is of, or that it is none.
    fn first_line(&mut self, side: FlowSide, bytes: &[u8], out: &mut Vec<HttpMessage>) -> usize {
        let most = self.config.max_head;
        let own = &mut self.sides[side.index()];
        let line = wire::find_lf(bytes).map_or(bytes, |lf| &bytes[..=lf]);
        let n = own.collect(line, most);
        own.advance(n);
        if !wire::may_begin(&own.buf, own.kind) {
            let whole = own.buf.ends_with(b"\n");
            self.no_message(side, whole, out);
            return n;
        }
        if own.buf.len() > most {
            self.too_long(side, AnomalyKind::HeadTooLong, most, out);
            return n;
        }
        if !own.buf.ends_with(b"\n") {
            return n;
        }
        match wire::start_line(wire::without_end(&own.buf), own.kind) {
            Some(StartLine::Request { .. }) => self.is_known(side, MessageKind::Request),
            Some(StartLine::Response { .. }) => self.is_known(side, MessageKind::Response),
            Some(StartLine::Simple { target }) => {
                let raw = std::mem::take(&mut own.buf).into_boxed_slice();
                let start = Start::Request {
                    method: crate::fields::Part::new(0, 3),
                    target,
                    version: Version::HTTP_09,
                };
                let mut notes = Notes::default();
                notes.add(AnomalyKind::NoVersion, 0);
                self.is_known(side, MessageKind::Request);
                self.begin_message(side, Head { start, spans: Box::default(), notes }, raw, out);
                return n;
            }
            Some(StartLine::Http2) if own.kind.is_none() => {
                self.over = Some(ParserStatus::Failed(ParseError::NotTheProtocol));
                own.buf = Vec::new();
                return n;
            }
            Some(StartLine::Http2) | None => {
                self.no_message(side, true, out);
                return n;
            }
        }
        self.sides[side.index()].lines.count = 1;
        n
    }

    /// What is collected begins no message. `whole`: it is a whole line.
    fn no_message(&mut self, side: FlowSide, whole: bool, out: &mut Vec<HttpMessage>) {
        let own = &mut self.sides[side.index()];
        if own.kind == Some(MessageKind::Response) && self.pairing.next_is(Asked::Simple) {
            // "The response to a Simple-Request is the entity body alone" in RFC 1945 §6.
            let body = std::mem::take(&mut own.buf);
            // It stays the one that is answered: nothing comes behind it.
            let exchange = self.pairing.answer(true).exchange;
            own.current = Current { kind: MessageKind::Response, exchange, ..Current::default() };
            own.state = State::UntilClose;
            self.body(side, &body, out);
            return;
        }
        // A byte that begins a TLS record, or a banner: no use searching.
        let other = own.buf.starts_with(&[0x16]) || own.buf.starts_with(b"SSH-");
        if own.kind.is_none() && other {
            own.buf = Vec::new();
            self.over = Some(ParserStatus::Failed(ParseError::NotTheProtocol));
            return;
        }
        self.garbage(side, whole, out);
    }

    fn garbage(&mut self, side: FlowSide, whole: bool, out: &mut Vec<HttpMessage>) {
        let own = &mut self.sides[side.index()];
        let (at, n) = (own.head_at, own.buf.len());
        own.skip_line(whole);
        self.anomaly(side, AnomalyKind::Garbage, at, out);
        self.hole(side);
        self.count_searched(side, n);
    }

    /// Takes a line, or what there is of it; one that begins a message beyond doubt is a first line.
    fn search(&mut self, side: FlowSide, bytes: &[u8]) -> usize {
        let most = MAX_SEARCH_LINE.min(self.config.max_head);
        let own = &mut self.sides[side.index()];
        let line = wire::find_lf(bytes).map_or(bytes, |lf| &bytes[..=lf]);
        let whole = line.ends_with(b"\n");
        if own.buf.is_empty() {
            own.begin(self.now);
            // Nearly every line is none, which is seen without a copy of it.
            let hopeless = if whole {
                line.len() > most || !wire::is_unmistakable(line, own.kind, own.torn)
            } else {
                !wire::may_begin(line, own.kind)
            };
            if hopeless {
                own.skip_line(whole);
                own.advance(line.len());
                self.count_searched(side, line.len());
                return line.len();
            }
        }
        let n = own.collect(line, most);
        own.advance(n);
        let whole = whole && n == line.len();
        let found = own.buf.len() <= most && wire::is_unmistakable(&own.buf, own.kind, own.torn);
        if whole && !found || own.buf.len() > most || !wire::may_begin(&own.buf, own.kind) {
            own.skip_line(whole);
        }
        self.count_searched(side, n);
        if found && self.over.is_none() {
            let own = &mut self.sides[side.index()];
            own.state = State::Head;
            let response = own.buf.starts_with(b"HTTP/");
            let skipped = std::mem::take(&mut own.skipped);
            own.torn = false;
            self.is_known(
                side,
                if response { MessageKind::Response } else { MessageKind::Request },
            );
            self.sides[side.index()].lines.count = 1;
            if skipped {
                // What was passed over may have answered requests that were sent meanwhile.
                self.hole(side);
            }
        }
        n
    }

    /// A flow that is not HTTP is not searched for ever.
    fn count_searched(&mut self, side: FlowSide, n: usize) {
        let own = &mut self.sides[side.index()];
        if own.kind.is_none() {
            own.searched += n as u64;
            if own.searched > self.config.max_search {
                own.buf = Vec::new();
                self.over = Some(ParserStatus::Failed(ParseError::NotTheProtocol));
            }
        }
    }

    /// `side` sends messages of `kind`, so the other sends those of the other kind.
    fn is_known(&mut self, side: FlowSide, kind: MessageKind) {
        if self.sides[side.index()].kind.is_some() {
            return;
        }
        let other = match kind {
            MessageKind::Request => MessageKind::Response,
            MessageKind::Response => MessageKind::Request,
        };
        self.sides[side.index()].kind = Some(kind);
        self.sides[(!side).index()].kind = Some(other);
        for side in [side, !side] {
            if std::mem::take(&mut self.sides[side.index()].lost) {
                self.hole(side);
            }
        }
    }

    /// Bytes of `side` that may have held the start of messages are unknown.
    fn hole(&mut self, side: FlowSide) {
        let own = &mut self.sides[side.index()];
        match own.kind {
            None => own.lost = true,
            Some(MessageKind::Request) => self.pairing.requests_lost(),
            Some(MessageKind::Response) => self.pairing.responses_lost(),
        }
    }

    fn begin_message(
        &mut self,
        side: FlowSide,
        head: Head,
        raw: Box<[u8]>,
        out: &mut Vec<HttpMessage>,
    ) {
        match head.start {
            Start::Response { version, status, reason } => {
                self.is_known(side, MessageKind::Response);
                let fields = Fields::new(raw, head.spans);
                let notes = head.notes;
                let own = &self.sides[side.index()];
                let response = Response {
                    side,
                    exchange: None,
                    framing: Framing::None,
                    offset: own.head_at,
                    first_ts: own.first_ts,
                    ts: self.now,
                    version,
                    status,
                    reason,
                    fields,
                };
                self.begin_response(response, notes, out);
            }
            Start::Request { method, target, version } => {
                self.is_known(side, MessageKind::Request);
                let fields = Fields::new(raw, head.spans);
                let notes = head.notes;
                let own = &self.sides[side.index()];
                let request = Request {
                    side,
                    exchange: None,
                    framing: Framing::None,
                    offset: own.head_at,
                    first_ts: own.first_ts,
                    ts: self.now,
                    version,
                    method,
                    target,
                    fields,
                };
                self.begin_request(request, notes, out);
            }
            Start::Trailers => {}
        }
    }

    fn begin_request(
        &mut self,
        mut request: Request,
        mut notes: Notes,
        out: &mut Vec<HttpMessage>,
    ) {
        let HttpConfig { max_pipelined, pipelining, .. } = self.config;
        let asked = match request.method() {
            _ if request.version == Version::HTTP_09 => Asked::Simple,
            "HEAD" => Asked::Head,
            "CONNECT" => Asked::Connect,
            _ => Asked::Other,
        };
        let (exchange, full) = self.pairing.ask(asked, max_pipelined, pipelining);
        if full {
            notes.add(AnomalyKind::PipelineFull, 0);
        }
        let framing = framing::of_request(request.version, &request.fields, &mut notes);
        (request.exchange, request.framing) = (exchange, framing);
        let side = request.side;
        out.push(HttpMessage::Request(request));
        self.anomalies(side, &notes, out);
        let current = Current { kind: MessageKind::Request, exchange, asked, ..Current::default() };
        self.begin_body(side, current, framing, out);
    }

    fn begin_response(
        &mut self,
        mut response: Response,
        mut notes: Notes,
        out: &mut Vec<HttpMessage>,
    ) {
        let (version, status, side) = (response.version, response.status, response.side);
        let answers = self.pairing.answer(is_interim(status));
        let asked = answers.asked.unwrap_or(Asked::Other);
        let framing = framing::of_response(version, status, asked, &response.fields, &mut notes);
        (response.exchange, response.framing) = (answers.exchange, framing);
        out.push(HttpMessage::Response(response));
        self.anomalies(side, &notes, out);
        let current = Current {
            kind: MessageKind::Response,
            exchange: answers.exchange,
            asked,
            ..Current::default()
        };
        self.begin_body(side, current, framing, out);
        if framing == Framing::Tunnel {
            for side in [side, !side] {
                self.close(side, Ending::Tunnel, out);
            }
            self.over = Some(ParserStatus::Done);
        } else if !is_interim(status) {
            self.answered(!side, answers.exchange.is_some(), asked);
        }
    }

    /// A response that begins no tunnel was sent: `requester` may be one who waits for a tunnel.
    fn answered(&mut self, requester: FlowSide, sure: bool, asked: Asked) {
        let own = &mut self.sides[requester.index()];
        let State::Await { skipped } = own.state else { return };
        if sure && asked != Asked::Connect {
            return;
        }
        own.state = State::Start;
        if skipped || !sure {
            own.state = State::Search;
            self.hole(requester);
        }
    }

    fn begin_body(
        &mut self,
        side: FlowSide,
        current: Current,
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
                    let room = most.saturating_sub(current.body.len());
                    current.body.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
                }
            }
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
                out.push(HttpMessage::Anomaly(Anomaly { side, kind, offset }));
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
                if kind == AnomalyKind::ChunkLineTooLong {
                    self.too_long(side, kind, self.config.max_chunk_line, out);
                } else {
                    self.anomaly(side, kind, pos.saturating_add(n as u64), out);
                    self.end_message(side, Ending::Invalid, None, out);
                    self.sides[side.index()].skip_line(false);
                    self.hole(side);
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
            self.too_long(side, AnomalyKind::HeadTooLong, most, out);
        } else if end.is_some() {
            let raw = std::mem::take(&mut own.buf).into_boxed_slice();
            let (lines, ending) = (own.lines.count, own.current.ending());
            if lines.saturating_sub(1) > self.config.max_headers {
                self.too_long(side, AnomalyKind::TooManyHeaders, lines, out);
                return n;
            }
            let head = head::read(&raw, Expect::Trailers, lines);
            let trailers = head.map(|head| {
                for (kind, at) in head.notes.iter() {
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
        let Current { kind, exchange, asked, body_len, missing, body } = current;
        if !body.is_empty() {
            out.push(HttpMessage::Body(Body { side, exchange, at: 0, bytes: body }));
        }
        let (offset, ts) = (own.pos, self.now);
        out.push(HttpMessage::End(MessageEnd {
            side,
            kind,
            exchange,
            body_len,
            missing,
            ending,
            trailers,
            offset,
            ts,
        }));
        own.buf = Vec::new();
        own.state = match (kind, asked) {
            (MessageKind::Request, Asked::Simple) => State::Over,
            (MessageKind::Request, Asked::Connect) if exchange.is_some() => {
                State::Await { skipped: false }
            }
            // Nothing will tell when the tunnel begins.
            (MessageKind::Request, Asked::Connect) => State::Search,
            _ => State::Start,
        };
    }

    /// `kind` of bound was reached, by `n` of something: the side is given up.
    fn too_long(
        &mut self,
        side: FlowSide,
        kind: AnomalyKind,
        n: usize,
        out: &mut Vec<HttpMessage>,
    ) {
        let at = self.sides[side.index()].head_at;
        self.anomaly(side, kind, at, out);
        if self.sides[side.index()].in_body() {
            self.end_message(side, Ending::TooLong, None, out);
        }
        self.hole(side);
        let own = &mut self.sides[side.index()];
        own.buf = Vec::new();
        own.state = State::Stopped;
        if matches!(self.sides[(!side).index()].state, State::Stopped) {
            self.over = Some(ParserStatus::Failed(ParseError::TooLong(n as u64 + 1)));
        }
    }

    /// Nothing more comes from `side`, and this is why.
    fn close(&mut self, side: FlowSide, why: Ending, out: &mut Vec<HttpMessage>) {
        let own = &mut self.sides[side.index()];
        match own.state {
            State::Head if !own.buf.is_empty() => {
                let at = own.head_at;
                self.anomaly(side, AnomalyKind::CutHead, at, out);
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
        own.state = State::Over;
        own.buf = Vec::new();
    }

    fn anomalies(&mut self, side: FlowSide, notes: &Notes, out: &mut Vec<HttpMessage>) {
        let start = self.sides[side.index()].head_at;
        for (kind, at) in notes.iter() {
            self.anomaly(side, kind, start.saturating_add(at as u64), out);
        }
    }

    fn anomaly(
        &mut self,
        side: FlowSide,
        kind: AnomalyKind,
        offset: u64,
        out: &mut Vec<HttpMessage>,
    ) {
        if self.sides[side.index()].seen.first(kind) {
            out.push(HttpMessage::Anomaly(Anomaly { side, kind, offset }));
        }
    }

    pub(crate) fn status(&self, side: FlowSide) -> ParserStatus {
        match self.over {
            Some(status) => status,
            None if matches!(self.sides[side.index()].state, State::Stopped) => {
                ParserStatus::StopSide(side)
            }
            None => ParserStatus::Continue,
        }
    }

    fn feed_locked(&mut self, side: FlowSide, bytes: &[u8]) -> Vec<HttpMessage> {
        let mut out = Vec::new();
        let offset = self.sides[side.index()].pos;
        self.feed_into(Feed { side, ts: self.now, offset, bytes }, &mut out);
        out
    }
}

impl SessionParser for HttpParser {
    type Message = HttpMessage;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<HttpMessage> {
        self.feed_locked(FlowSide::Initiator, bytes)
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<HttpMessage> {
        self.feed_locked(FlowSide::Responder, bytes)
    }

    fn feed_into(&mut self, feed: Feed<'_>, out: &mut Vec<HttpMessage>) -> ParserStatus {
        let Feed { side, ts, offset, mut bytes } = feed;
        self.now = ts;
        self.sides[side.index()].pos = offset;
        while !bytes.is_empty() && self.over.is_none() {
            let n = self.step(side, bytes, out);
            bytes = bytes.get(n..).unwrap_or_default();
        }
        self.status(side)
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<HttpMessage>) -> ParserStatus {
        let own = &mut self.sides[side.index()];
        if self.over.is_some() || len == 0 {
            return self.status(side);
        }
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
        if passed {
            own.current.missing = own.current.missing.saturating_add(len);
            if matches!(own.state, State::Length(0)) {
                self.end_message(side, Ending::Gap, None, out);
            }
            return self.status(side);
        }
        match own.state {
            State::Over | State::Stopped => return self.status(side),
            State::Await { .. } => {
                own.state = State::Await { skipped: true };
                return self.status(side);
            }
            State::Head if !own.buf.is_empty() => {
                let at = own.head_at;
                self.anomaly(side, AnomalyKind::CutHead, at, out);
            }
            _ if own.in_body() => self.end_message(side, Ending::Lost, None, out),
            _ => {}
        }
        let own = &mut self.sides[side.index()];
        own.buf = Vec::new();
        own.state = State::Search;
        own.torn = true;
        self.hole(side);
        self.status(side)
    }

    fn fin(&mut self, side: FlowSide, out: &mut Vec<HttpMessage>) {
        self.close(side, Ending::Fin, out);
    }

    fn rst(&mut self, side: FlowSide, out: &mut Vec<HttpMessage>) {
        self.close(side, Ending::Rst, out);
        self.close(!side, Ending::Rst, out);
    }

    fn end(&mut self, out: &mut Vec<HttpMessage>) {
        self.close(FlowSide::Initiator, Ending::FlowEnd, out);
        self.close(FlowSide::Responder, Ending::FlowEnd, out);
    }

    fn held(&self) -> usize {
        self.sides[0].held() + self.sides[1].held() + self.pairing.held()
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        wire::probe(start)
    }
}

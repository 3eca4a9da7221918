//! From between messages to the end of a head, and to what that says of the sides.

use flowscope_core::{FlowSide, ParseError, ParserStatus};

use super::HttpParser;
use crate::anomalies::HeadAnomalies;
use crate::config::{Bodies, HttpConfig};
use crate::fields::{Fields, Part};
use crate::framing;
use crate::head::{self, Expect, Head, HeadStart};
use crate::lockstep::{LatePair, RequestSeen, ResponseSeen};
use crate::message::{
    Ending, Framing, HttpAnomalyKind, HttpMessage, HttpVersion, MessageKind, Paired, Request,
    Response, is_interim,
};
use crate::pairing::{Asked, RequestClass};
use crate::stream_state::{CurrentMessage, KeptBody, LinePosition, State};
use crate::wire::{self, StartLine};

/// A line that is longer is not what a search looks for.
const MAX_SEARCH_LINE: usize = 8192;

impl HttpParser {
    pub(super) fn start(
        &mut self,
        side: FlowSide,
        bytes: &[u8],
        out: &mut Vec<HttpMessage>,
    ) -> usize {
        let own = &mut self.sides[side.index()];
        // RFC 9112 §2.2: "a server [...] SHOULD ignore at least one empty line (CRLF) received
        // prior to the request-line".
        let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if blank > 0 {
            own.advance(blank);
            return blank;
        }
        own.begin(self.now, self.acked);
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

    pub(super) fn head(
        &mut self,
        side: FlowSide,
        bytes: &[u8],
        out: &mut Vec<HttpMessage>,
    ) -> usize {
        let most = self.config.max_head;
        let own = &mut self.sides[side.index()];
        if own.lines.count == 0 {
            return self.first_line(side, bytes, out);
        }
        let end = own.lines.end(bytes);
        let n = own.collect(&bytes[..end.unwrap_or(bytes.len())], most);
        own.advance(n);
        if own.buf.len() > most {
            self.too_long(side, HttpAnomalyKind::HeadTooLong, most, out);
        } else if end.is_some() {
            let raw = std::mem::take(&mut own.buf).into_boxed_slice();
            let lines = own.lines.count;
            let expect = match own.kind {
                Some(MessageKind::Response) => Expect::Response,
                _ => Expect::Request,
            };
            // Neither the first line nor the empty one is a header.
            if lines.saturating_sub(2) > self.config.max_headers {
                self.too_long(side, HttpAnomalyKind::TooManyHeaders, lines, out);
            } else if let Some(head) = head::read(&raw, expect, lines) {
                self.begin_message(side, head, raw, out);
            } else {
                self.garbage(side, true, out);
            }
        }
        n
    }

    /// Collects the first line of a head, which says what the head is of, or that it is none.
    pub(super) fn first_line(
        &mut self,
        side: FlowSide,
        bytes: &[u8],
        out: &mut Vec<HttpMessage>,
    ) -> usize {
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
            self.too_long(side, HttpAnomalyKind::HeadTooLong, most, out);
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
                let start = HeadStart::Request {
                    method: Part::new(0, 3),
                    target,
                    version: HttpVersion::HTTP_09,
                };
                let mut anomalies = HeadAnomalies::default();
                anomalies.add(HttpAnomalyKind::NoVersion, 0);
                self.is_known(side, MessageKind::Request);
                self.begin_message(
                    side,
                    Head { start, spans: Box::default(), anomalies },
                    raw,
                    out,
                );
                return n;
            }
            Some(StartLine::Http2) if own.kind.is_none() => {
                self.final_status = Some(ParserStatus::Failed(ParseError::NotTheProtocol));
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
    pub(super) fn no_message(&mut self, side: FlowSide, whole: bool, out: &mut Vec<HttpMessage>) {
        let own = &mut self.sides[side.index()];
        if own.kind == Some(MessageKind::Response) && self.pairing.next_is(RequestClass::Simple) {
            // "The response to a Simple-Request is the entity body alone" in RFC 1945 §6.
            let body = std::mem::take(&mut own.buf);
            // It stays the one that is answered: nothing comes behind it.
            let seen = ResponseSeen { interim: true, at: own.head_at, acked: own.head_acked };
            let exchange = self.pairing.response(seen).exchange;
            own.current = CurrentMessage {
                kind: MessageKind::Response,
                exchange,
                ..CurrentMessage::default()
            };
            own.state = State::UntilClose;
            self.body(side, &body, out);
            return;
        }
        // A byte that begins a TLS record, or a banner: not worth a search if both sides have one. A
        // server that gets such bytes from one side only may answer in HTTP.
        own.foreign |= own.buf.starts_with(&[0x16]) || own.buf.starts_with(b"SSH-");
        let foreign = self.sides[0].foreign && self.sides[1].foreign;
        let own = &mut self.sides[side.index()];
        if own.kind.is_none() && foreign {
            own.buf = Vec::new();
            self.final_status = Some(ParserStatus::Failed(ParseError::NotTheProtocol));
            return;
        }
        self.garbage(side, whole, out);
    }

    pub(super) fn garbage(&mut self, side: FlowSide, whole: bool, out: &mut Vec<HttpMessage>) {
        let own = &mut self.sides[side.index()];
        let (at, n) = (own.head_at, own.buf.len());
        if own.buf.is_empty() {
            own.skip_line(whole);
        } else {
            own.state = State::Search;
            own.position = LinePosition::Line;
            own.reject(self.now, self.acked);
        }
        self.anomaly(side, HttpAnomalyKind::Garbage, at, out);
        self.mark_unknown(side);
        self.count_searched(side, n);
        if self.final_status.is_none() {
            self.check_candidate(side, MAX_SEARCH_LINE.min(self.config.max_head));
        }
    }

    /// Takes a line, or what there is of it; one that begins a message beyond doubt is a first line. It
    /// may begin within another line: bodies need not end with one.
    pub(super) fn search(&mut self, side: FlowSide, bytes: &[u8]) -> usize {
        let most = MAX_SEARCH_LINE.min(self.config.max_head);
        let own = &mut self.sides[side.index()];
        let line = wire::find_lf(bytes).map_or(bytes, |lf| &bytes[..=lf]);
        if own.buf.is_empty() {
            own.begin(self.now, self.acked);
            if own.maybe_truncated && bytes.first() == Some(&0) {
                // RFC 9293 §3.8.4: a keep-alive may carry "one garbage octet", which is the first
                // of a stream that was joined there.
                own.advance(1);
                return 1;
            }
            // Nearly every line is none, which is seen without a copy of it.
            let no_candidate = match own.position {
                LinePosition::Line if line.ends_with(b"\n") => {
                    line.len() > most || !wire::is_unmistakable(line, own.kind, own.maybe_truncated)
                }
                LinePosition::Line => !wire::may_begin(line, own.kind),
                LinePosition::Word => !wire::may_begin_within(line, own.kind),
                LinePosition::Within => true,
            };
            if no_candidate {
                let from = usize::from(own.position != LinePosition::Within);
                let next = from + wire::next_word(&line[from..], own.kind);
                own.pass(&line[..next], next < line.len());
                self.count_searched(side, next);
                return next;
            }
        }
        let n = own.collect(line, most);
        own.advance(n);
        self.count_searched(side, n);
        if self.final_status.is_none() {
            self.check_candidate(side, most);
        }
        n
    }

    /// Whether what was collected begins a message, may do so, or does not; then something in it may.
    fn check_candidate(&mut self, side: FlowSide, most: usize) {
        loop {
            let own = &mut self.sides[side.index()];
            if own.buf.is_empty() {
                return;
            }
            let may = own.buf.len() <= most
                && match own.position {
                    LinePosition::Word => wire::may_begin_within(&own.buf, own.kind),
                    _ => wire::may_begin(&own.buf, own.kind),
                };
            if may && wire::is_unmistakable(&own.buf, own.kind, own.maybe_truncated) {
                return self.accept_start_line(side);
            }
            if may && !own.buf.ends_with(b"\n") {
                return;
            }
            own.reject(self.now, self.acked);
        }
    }

    /// What was collected is the first line of a message.
    fn accept_start_line(&mut self, side: FlowSide) {
        let own = &mut self.sides[side.index()];
        own.state = State::Head;
        own.position = LinePosition::Line;
        let response = own.buf.starts_with(b"HTTP/");
        let skipped = std::mem::take(&mut own.skipped);
        own.maybe_truncated = false;
        self.is_known(side, if response { MessageKind::Response } else { MessageKind::Request });
        self.sides[side.index()].lines.count = 1;
        if skipped {
            // What was passed over may have answered requests that were sent meanwhile.
            self.mark_unknown(side);
        }
    }

    /// A flow that is not HTTP is not searched for ever.
    pub(super) fn count_searched(&mut self, side: FlowSide, n: usize) {
        let own = &mut self.sides[side.index()];
        if own.kind.is_none() {
            own.searched += n as u64;
            if own.searched > self.config.max_search {
                own.buf = Vec::new();
                self.final_status = Some(ParserStatus::Failed(ParseError::NotTheProtocol));
            }
        }
    }

    /// `side` sends messages of `kind`, so the other sends those of the other kind.
    pub(super) fn is_known(&mut self, side: FlowSide, kind: MessageKind) {
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
                self.mark_unknown(side);
            }
        }
    }

    /// The first bytes that are seen of `side` may not be the first that it sent.
    pub(super) fn begin_mid_stream(&mut self, side: FlowSide) {
        self.mid_stream = true;
        match self.sides[side.index()].kind {
            Some(MessageKind::Response) => self.pairing.responses_begin_late(),
            _ => self.mark_unknown(side),
        }
    }

    /// Bytes of `side` that may have held the start of messages are unknown.
    pub(super) fn mark_unknown(&mut self, side: FlowSide) {
        let own = &mut self.sides[side.index()];
        match own.kind {
            None => own.lost = true,
            Some(MessageKind::Request) => self.pairing.requests_lost(),
            Some(MessageKind::Response) => self.pairing.responses_lost(),
        }
    }

    pub(super) fn begin_message(
        &mut self,
        side: FlowSide,
        head: Head,
        raw: Box<[u8]>,
        out: &mut Vec<HttpMessage>,
    ) {
        match head.start {
            HeadStart::Response { version, status, reason } => {
                self.is_known(side, MessageKind::Response);
                let fields = Fields::new(raw, head.spans);
                let anomalies = head.anomalies;
                let own = &self.sides[side.index()];
                let response = Response {
                    side,
                    exchange: None,
                    resumed: false,
                    framing: Framing::None,
                    offset: own.head_at,
                    first_ts: own.first_ts,
                    ts: self.now,
                    version,
                    status,
                    reason,
                    fields,
                };
                self.begin_response(response, anomalies, out);
            }
            HeadStart::Request { method, target, version } => {
                self.is_known(side, MessageKind::Request);
                let fields = Fields::new(raw, head.spans);
                let anomalies = head.anomalies;
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
                self.begin_request(request, anomalies, out);
            }
            HeadStart::Trailers => {}
        }
    }

    pub(super) fn begin_request(
        &mut self,
        mut request: Request,
        mut anomalies: HeadAnomalies,
        out: &mut Vec<HttpMessage>,
    ) {
        let HttpConfig { max_pipelined, pipelining, .. } = self.config;
        let asked = match request.method() {
            _ if request.version == HttpVersion::HTTP_09 => RequestClass::Simple,
            "HEAD" => RequestClass::Head,
            "CONNECT" => RequestClass::Connect,
            _ => RequestClass::Other,
        };
        let side = request.side;
        let seen = self.request_seen(side);
        let other = &mut self.sides[(!side).index()];
        if seen.idle == Some(true) {
            other.doubted = other.may_be_over();
            if std::mem::take(&mut other.skipped) {
                // It was passed over before this request was sent, and answers none that comes.
                self.pairing.responses_lost();
            }
        }
        let Asked { exchange, full } = self.pairing.request(asked, max_pipelined, pipelining, seen);
        if full {
            anomalies.add(HttpAnomalyKind::PipelineFull, 0);
        }
        let framing = framing::of_request(request.version, &request.fields, &mut anomalies);
        (request.exchange, request.framing) = (exchange, framing);
        let body = match self.config.bodies {
            Bodies::Files(most_kept) => KeptBody::of_request(&request, most_kept),
            _ => KeptBody::Nothing,
        };
        out.push(HttpMessage::Request(request));
        self.anomalies(side, &anomalies, out);
        let current = CurrentMessage {
            kind: MessageKind::Request,
            exchange,
            asked,
            body,
            ..CurrentMessage::default()
        };
        self.begin_body(side, current, framing, out);
    }

    pub(super) fn begin_response(
        &mut self,
        mut response: Response,
        mut anomalies: HeadAnomalies,
        out: &mut Vec<HttpMessage>,
    ) {
        let (version, status, side) = (response.version, response.status, response.side);
        let own = &self.sides[side.index()];
        let interim = is_interim(status);
        let seen = ResponseSeen { interim, at: own.head_at, acked: own.head_acked };
        let answers = self.pairing.response(seen);
        let asked = answers.asked.unwrap_or(RequestClass::Other);
        let framing =
            framing::of_response(version, status, asked, &response.fields, &mut anomalies);
        (response.exchange, response.framing) = (answers.exchange, framing);
        response.resumed = answers.resumed;
        let agreed = agreed(&response);
        self.paired(side, answers.before, out);
        out.push(HttpMessage::Response(response));
        self.anomalies(side, &anomalies, out);
        let current = CurrentMessage {
            kind: MessageKind::Response,
            exchange: answers.exchange,
            asked,
            guessed: answers.asked.is_none(),
            head_end: self.sides[side.index()].pos,
            ..CurrentMessage::default()
        };
        self.begin_body(side, current, framing, out);
        if framing == Framing::Tunnel {
            let pair = self.pairing.take_tunnel();
            self.paired(side, pair, out);
            for side in [side, !side] {
                self.remainders[side.index()] = self.sides[side.index()].take_early();
                self.close(side, Ending::Tunnel, out);
            }
            self.final_status = Some(agreed.map_or(ParserStatus::Upgrade, ParserStatus::UpgradeTo));
        } else if !interim {
            self.answered(!side, answers.exchange.is_some(), asked);
        }
    }

    /// What is known of the request that `side` has just sent.
    fn request_seen(&self, side: FlowSide) -> RequestSeen {
        let (own, other) = (&self.sides[side.index()], &self.sides[(!side).index()]);
        let between = match other.state {
            State::Start => true,
            State::Search => {
                other.buf.is_empty() || !wire::may_begin(&other.buf, Some(MessageKind::Response))
            }
            _ => other.may_be_over(),
        };
        let idle = match own.head_acked {
            // Where a response ends is a guess, if it is not known what it answers.
            Some(_) if !between && other.in_body() && other.current.guessed => None,
            // What was missed may be the response to this very request.
            Some(acked) if acked < other.gap_end => None,
            // A byte to come, or a FIN.
            Some(acked) if acked == other.pos.saturating_add(1) => None,
            Some(acked) => Some(between && acked == other.pos),
            // What was joined in the middle may be acknowledged before any of it is seen.
            None if self.mid_stream && other.pos == 0 => Some(between),
            None => None,
        };
        RequestSeen { at: own.head_at, end: own.pos, acked: own.head_acked, other: other.pos, idle }
    }

    /// Reports a pair that was found out late; `side` sent the response.
    pub(super) fn paired(
        &mut self,
        side: FlowSide,
        pair: Option<LatePair>,
        out: &mut Vec<HttpMessage>,
    ) {
        if let Some(LatePair { exchange, response }) = pair {
            out.push(HttpMessage::Paired(Paired { side, exchange, offset: response }));
        }
    }

    /// A response that begins no tunnel was sent: `requester` may be one who waits for a tunnel.
    pub(super) fn answered(&mut self, requester: FlowSide, sure: bool, asked: RequestClass) {
        let own = &mut self.sides[requester.index()];
        let State::Await { skipped, .. } = own.state else { return };
        if sure && asked != RequestClass::Connect {
            return;
        }
        own.state = State::Start;
        own.buf = Vec::new();
        if skipped || !sure {
            own.state = State::Search;
            self.mark_unknown(requester);
        }
    }
}

/// The protocol that a `101` says to go on with, by the name that records have, where there is one (RFC 9110 §7.8).
fn agreed(response: &Response) -> Option<&'static str> {
    if response.status != 101 {
        return None;
    }
    let name = response.header("upgrade")?;
    let is = |token: &str| name.trim_ascii().eq_ignore_ascii_case(token.as_bytes());
    if is("websocket") {
        Some("websocket")
    } else if is("h2c") {
        Some("http2")
    } else {
        None
    }
}

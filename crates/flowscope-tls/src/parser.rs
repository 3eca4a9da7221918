use std::borrow::Cow;

use flowscope_core::{Feed, FlowSide, ParserStatus, Probe, SessionParser, Timestamp};

use crate::handshake::{Gap, Messages, Step, kind};
use crate::message::{Alert, Anomaly, AnomalyKind, CertificateChain, TlsMessage};
use crate::wire::{self, Content, Piece, Record, Records};
use crate::{ClientHello, ServerHello, TlsConfig};

/// Reads what a TLS handshake says in the clear (RFC 8446, RFC 5246, RFC 6101).
///
/// Who is the client is told by who sends the ClientHello, not by who opened the connection.
///
/// A side is **encrypted** from its ChangeCipherSpec on, hellos and two-byte alerts excepted, as TLS
/// 1.3 allows them, or from its first application data (early data excepted, while the server's
/// hello is awaited). Nothing more is asked of it then ([`ParserStatus::StopSide`]), and the parser is
/// **done** when
/// - both sides are encrypted, or given up for a gap;
/// - a final alert answers the other side's hello;
/// - one side is encrypted, sends sixteen more records, and of the other nothing was ever captured.
///
/// Lost bytes within a record are passed over, at the price of the message they are in; any other
/// gap gives its side up. Bytes that are no record fail the parser.
///
/// Memory: one handshake message per side while it is incomplete, as much of it as has arrived, the
/// bounds being those of [`TlsConfig`]. Work is linear in the bytes fed.
#[derive(Clone, Debug, Default)]
pub struct TlsParser {
    config: TlsConfig,
    sides: [Side; 2],
    /// Final once set.
    verdict: Option<ParserStatus>,
}

#[derive(Clone, Debug, Default)]
struct Side {
    records: Records,
    messages: Messages,
    phase: Phase,
    /// Any of its bytes were captured.
    begun: bool,
    hello: Option<Hello>,
    /// A ServerHelloDone was sent: the handshake is not an abbreviated one.
    hello_done: bool,
    changed_cipher: bool,
    /// First byte of an alert whose second is to come.
    alert: Option<u8>,
    /// Records that were passed over because nobody can read them.
    opaque: u8,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Phase {
    #[default]
    Clear,
    Encrypted,
    /// Given up, or closed by its sender.
    Over,
}

/// The last hello that a side sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Hello {
    Client { early_data: bool },
    Retry,
    Server,
}

impl TlsParser {
    /// A parser with these bounds.
    #[must_use]
    pub fn new(config: TlsConfig) -> Self {
        TlsParser { config, ..TlsParser::default() }
    }

    /// Which side is the client, once a hello has said so.
    #[must_use]
    pub fn client(&self) -> Option<FlowSide> {
        BOTH.into_iter().find_map(|side| match self.side(side).hello? {
            Hello::Client { .. } => Some(side),
            Hello::Retry | Hello::Server => Some(!side),
        })
    }

    pub(crate) fn has_begun(&self, side: FlowSide) -> bool {
        self.side(side).begun
    }

    pub(crate) fn has_hello_done(&self, side: FlowSide) -> bool {
        self.side(side).hello_done
    }

    /// One piece of a record.
    fn piece(&mut self, from: FlowSide, piece: Piece<'_>, out: &mut Vec<TlsMessage>) {
        match piece {
            Piece::Header(record) => self.header(from, record, out),
            Piece::Body(_, _) if self.side(from).phase != Phase::Clear => {}
            Piece::Body(Record { content, .. }, body) => match content {
                Content::Handshake | Content::Sslv2Hello(_) => self.handshake(from, body, out),
                Content::Alert => self.alert(from, body, out),
                _ => {}
            },
        }
    }

    fn header(&mut self, from: FlowSide, record: Record, out: &mut Vec<TlsMessage>) {
        let early_data = self.awaits_early_data(from);
        let config = self.config;
        let side = self.side_mut(from);
        match record.content {
            _ if side.phase != Phase::Clear => side.opaque = side.opaque.saturating_add(1),
            Content::ApplicationData if early_data => side.opaque = side.opaque.saturating_add(1),
            Content::ApplicationData => self.encrypted(from, out),
            Content::ChangeCipherSpec => {
                side.changed_cipher = true;
                side.messages.guard();
            }
            // An encrypted alert is longer.
            Content::Alert if side.changed_cipher && record.len != 2 => self.encrypted(from, out),
            Content::Sslv2Hello(version) => {
                let len = u32::from(record.len) - 1;
                if !side.messages.begin_sslv2(len, version, &config) {
                    let (message, kind) = (kind::CLIENT_HELLO, AnomalyKind::TooLong(len));
                    out.push(TlsMessage::Anomaly(Anomaly { side: from, message, kind }));
                }
            }
            Content::Alert | Content::Handshake | Content::Heartbeat => {}
        }
    }

    fn handshake(&mut self, from: FlowSide, mut body: &[u8], out: &mut Vec<TlsMessage>) {
        let config = self.config;
        while let Some(step) = self.side_mut(from).messages.next(&mut body, &config) {
            match step {
                Step::Message { kind, body } => {
                    let read = out.len();
                    self.message(from, kind, body, out);
                    if out.len() == read {
                        let message =
                            if kind == kind::SSLV2_HELLO { kind::CLIENT_HELLO } else { kind };
                        let kind = AnomalyKind::Malformed;
                        out.push(TlsMessage::Anomaly(Anomaly { side: from, message, kind }));
                    }
                }
                Step::Passed { kind: kind::SERVER_HELLO_DONE } => {
                    self.side_mut(from).hello_done = true;
                }
                Step::Passed { .. } => {}
                Step::TooLong { kind: message, len } => {
                    let kind = AnomalyKind::TooLong(len);
                    out.push(TlsMessage::Anomaly(Anomaly { side: from, message, kind }));
                }
                Step::Encrypted => return self.encrypted(from, out),
            }
        }
    }

    /// Appends what the message says, or nothing if it cannot be read.
    fn message(
        &mut self,
        from: FlowSide,
        kind: u8,
        body: Cow<'_, [u8]>,
        out: &mut Vec<TlsMessage>,
    ) {
        let (message, hello, intact) = match kind {
            kind::CLIENT_HELLO | kind::SSLV2_HELLO => {
                let hello = if kind == kind::CLIENT_HELLO {
                    ClientHello::parse(from, body)
                } else {
                    ClientHello::parse_sslv2(from, body)
                };
                let Some(hello) = hello else { return };
                let early_data = hello.has_early_data();
                let intact = hello.is_intact();
                (TlsMessage::ClientHello(hello), Hello::Client { early_data }, intact)
            }
            kind::SERVER_HELLO => {
                let Some(hello) = ServerHello::parse(from, body) else { return };
                let intact = hello.is_intact();
                if hello.is_retry_request() {
                    (TlsMessage::HelloRetryRequest(hello), Hello::Retry, intact)
                } else {
                    (TlsMessage::ServerHello(hello), Hello::Server, intact)
                }
            }
            kind::HELLO_RETRY_REQUEST => {
                let Some(hello) = ServerHello::parse_draft_retry(from, body) else { return };
                let intact = hello.is_intact();
                (TlsMessage::HelloRetryRequest(hello), Hello::Retry, intact)
            }
            _ => {
                out.extend(CertificateChain::parse(from, body).map(TlsMessage::Certificate));
                return;
            }
        };
        self.side_mut(from).hello = Some(hello);
        out.push(message);
        if !intact {
            let kind = AnomalyKind::Malformed;
            let message = match hello {
                Hello::Client { .. } => kind::CLIENT_HELLO,
                Hello::Retry | Hello::Server => kind::SERVER_HELLO,
            };
            out.push(TlsMessage::Anomaly(Anomaly { side: from, message, kind }));
        }
    }

    /// "Multiple Alert messages ... of the same ContentType MAY be coalesced into a single record"
    /// up to TLS 1.2, or split among records.
    fn alert(&mut self, from: FlowSide, body: &[u8], out: &mut Vec<TlsMessage>) {
        for byte in body {
            let side = self.side_mut(from);
            let Some(level) = side.alert.take() else {
                side.alert = Some(*byte);
                continue;
            };
            let alert = Alert { side: from, level, description: *byte };
            if !matches!(level, 1 | 2) {
                // Not in the clear, though the handshake has not come so far: it began earlier.
                return self.give_up(from);
            }
            out.push(TlsMessage::Alert(alert));
            if alert.is_final() {
                self.give_up(from);
                if self.side(!from).hello.is_some() {
                    self.conclude(ParserStatus::Done);
                }
                return;
            }
        }
    }

    fn encrypted(&mut self, side: FlowSide, out: &mut Vec<TlsMessage>) {
        self.give_up(side);
        self.side_mut(side).phase = Phase::Encrypted;
        out.push(TlsMessage::Encrypted { side });
    }

    fn give_up(&mut self, side: FlowSide) {
        let side = self.side_mut(side);
        side.messages = Messages::default();
        side.phase = Phase::Over;
    }

    fn conclude(&mut self, verdict: ParserStatus) -> ParserStatus {
        for side in &mut self.sides {
            side.messages = Messages::default();
        }
        *self.verdict.insert(verdict)
    }

    /// Whether application data of this side may be early data (RFC 8446 §4.2.10), after which
    /// another hello may come.
    fn awaits_early_data(&self, side: FlowSide) -> bool {
        let server = self.side(!side);
        self.side(side).hello == Some(Hello::Client { early_data: true })
            && server.phase == Phase::Clear
            && server.hello != Some(Hello::Server)
    }

    /// Whether this side's bytes are still looked at.
    fn reads(&self, side: FlowSide) -> bool {
        self.verdict.is_none()
            && match self.side(side).phase {
                Phase::Clear => true,
                // To count them, as long as nobody else says that the handshake is over.
                Phase::Encrypted => !self.side(!side).begun,
                Phase::Over => false,
            }
    }

    fn status(&mut self, from: FlowSide) -> ParserStatus {
        if let Some(verdict) = self.verdict {
            return verdict;
        }
        let (side, peer) = (self.side(from), self.side(!from));
        if side.phase != Phase::Clear && peer.phase != Phase::Clear
            || side.opaque >= OPAQUE_ALONE && !peer.begun && peer.phase == Phase::Clear
        {
            return self.conclude(ParserStatus::Done);
        }
        if self.reads(from) { ParserStatus::Continue } else { ParserStatus::StopSide(from) }
    }

    fn side(&self, side: FlowSide) -> &Side {
        &self.sides[side.index()]
    }

    fn side_mut(&mut self, side: FlowSide) -> &mut Side {
        &mut self.sides[side.index()]
    }

    fn feed_vec(&mut self, side: FlowSide, bytes: &[u8]) -> Vec<TlsMessage> {
        let mut out = Vec::new();
        self.feed_into(Feed { side, ts: Timestamp::ZERO, offset: 0, bytes }, &mut out);
        out
    }
}

impl SessionParser for TlsParser {
    type Message = TlsMessage;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<TlsMessage> {
        self.feed_vec(FlowSide::Initiator, bytes)
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<TlsMessage> {
        self.feed_vec(FlowSide::Responder, bytes)
    }

    fn feed_into(&mut self, feed: Feed<'_>, out: &mut Vec<TlsMessage>) -> ParserStatus {
        let Feed { side, mut bytes, .. } = feed;
        if !bytes.is_empty() {
            self.side_mut(side).begun = true;
        }
        while self.reads(side) {
            match self.side_mut(side).records.next(&mut bytes) {
                Ok(Some(piece)) => self.piece(side, piece, out),
                Ok(None) => break,
                // What matters of this side has been read.
                Err(_) if self.side(side).phase == Phase::Encrypted => self.give_up(side),
                Err(error) => return self.conclude(ParserStatus::Failed(error)),
            }
            self.status(side);
        }
        self.status(side)
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<TlsMessage>) -> ParserStatus {
        if !self.reads(side) || len == 0 {
            return self.status(side);
        }
        let state = self.side_mut(side);
        state.begun = true;
        let gap = match state.records.skip(len).map(|record| record.content) {
            None => Gap::Desync,
            Some(_) if state.phase == Phase::Encrypted => Gap::Passed,
            Some(Content::Handshake | Content::Sslv2Hello(_)) => state.messages.gap(len),
            Some(_) => {
                state.alert = None;
                Gap::Passed
            }
        };
        match gap {
            Gap::Passed => {}
            Gap::Lost { kind } => {
                let message = if kind == kind::SSLV2_HELLO { kind::CLIENT_HELLO } else { kind };
                let kind = AnomalyKind::Lost;
                out.push(TlsMessage::Anomaly(Anomaly { side, message, kind }));
            }
            Gap::Desync => self.give_up(side),
        }
        self.status(side)
    }

    fn fin(&mut self, side: FlowSide, _out: &mut Vec<TlsMessage>) {
        if self.side(side).phase == Phase::Clear {
            self.give_up(side);
        }
    }

    fn held(&self) -> usize {
        self.sides.iter().map(|side| side.messages.held()).sum()
    }

    /// [`Probe::Yes`] for a handshake record that begins with a hello, and for a hello in SSL 2.0
    /// framing.
    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        wire::probe(start)
    }
}

const BOTH: [FlowSide; 2] = [FlowSide::Initiator, FlowSide::Responder];
/// After so many records of an encrypted side, the other was not captured at all.
const OPAQUE_ALONE: u8 = 16;

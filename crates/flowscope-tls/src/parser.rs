use std::borrow::Cow;

use flowscope_core::{
    FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp, feed_once,
};

use tls_parser::{TlsCipherAu, TlsCipherKx, TlsCipherSuite};

use crate::handshake::{Gap, Head, Messages, Step, kind};
use crate::message::{Alert, TlsAnomaly, TlsAnomalyKind, TlsMessage};
use crate::summary::SidesSeen;
use crate::wire::{self, Content, Piece, Record, Records};
use crate::{CertificateChain, ClientHello, ServerHello, TlsConfig, TlsTransport};

/// Parses the unencrypted messages of a TLS handshake (RFC 8446, RFC 5246, RFC 6101).
///
/// The client is the side that sends the ClientHello, not the side that opened the connection.
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
/// gap gives its side up, and so do 64 messages of it in the clear, which no handshake needs. Bytes
/// that are no record fail the parser.
///
/// Memory: one handshake message per side while it is incomplete, as much of it as has arrived, the
/// bounds being those of [`TlsConfig`]. Work is linear in the bytes fed.
#[derive(Clone, Debug, Default)]
pub struct TlsParser {
    config: TlsConfig,
    sides: [Side; 2],
    /// Final once set.
    final_status: Option<ParserStatus>,
}

#[derive(Clone, Debug, Default)]
struct Side {
    records: Records,
    messages: Messages,
    phase: Phase,
    /// Any of its bytes were captured.
    has_bytes: bool,
    hello: Option<Hello>,
    /// A ServerHelloDone was sent: the handshake is not an abbreviated one.
    hello_done: bool,
    changed_cipher: bool,
    alert: AlertState,
    /// Records that were passed over because they cannot be read.
    unreadable: u8,
    /// Messages reported of it.
    reported: u8,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Phase {
    #[default]
    Clear,
    Encrypted,
    /// Given up, or closed by its sender.
    Over,
}

/// What has come of an alert.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum AlertState {
    #[default]
    Empty,
    Level(u8),
    /// Bytes are missing before the next record.
    Incomplete,
}

/// The last hello that a side sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Hello {
    Client { early_data: bool },
    Retry,
    Server { cipher: u16 },
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
            Hello::Retry | Hello::Server { .. } => Some(!side),
        })
    }

    pub(crate) fn seen(&self) -> SidesSeen {
        SidesSeen {
            transport: TlsTransport::Tcp,
            client: self.client(),
            has_bytes: BOTH.map(|side| self.side(side).has_bytes),
            hello_done: BOTH.map(|side| self.side(side).hello_done),
        }
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
            _ if side.phase != Phase::Clear => side.unreadable = side.unreadable.saturating_add(1),
            Content::ApplicationData if early_data => {
                side.unreadable = side.unreadable.saturating_add(1);
            }
            Content::ApplicationData => self.encrypted(from, out),
            Content::ChangeCipherSpec => {
                side.changed_cipher = true;
                side.messages.expect_hellos_only();
            }
            // An encrypted alert is longer.
            Content::Alert if side.changed_cipher && record.len != 2 => self.encrypted(from, out),
            Content::Sslv2Hello(version) => {
                let len = u32::from(record.len) - 1;
                if !side.messages.begin_sslv2(len, version, &config) {
                    self.anomaly(from, kind::SSLV2_HELLO, TlsAnomalyKind::TooLong(len), out);
                }
            }
            Content::Alert if side.alert == AlertState::Incomplete => {
                side.alert = AlertState::Empty;
            }
            Content::Alert | Content::Handshake | Content::Heartbeat => {}
        }
    }

    fn handshake(&mut self, from: FlowSide, mut body: &[u8], out: &mut Vec<TlsMessage>) {
        let config = self.config;
        while self.side(from).phase == Phase::Clear
            && let Some(step) = self.side_mut(from).messages.next(&mut body, &config)
        {
            match step {
                Step::Message { kind, body } => self.message(from, kind, body, out),
                Step::Passed { kind: kind::SERVER_KEY_EXCHANGE, head } => {
                    self.key_exchange(from, head, out);
                }
                Step::Passed { kind, .. } => {
                    self.side_mut(from).hello_done |= kind == kind::SERVER_HELLO_DONE;
                }
                Step::TooLong { kind, len } => {
                    self.anomaly(from, kind, TlsAnomalyKind::TooLong(len), out);
                }
                Step::Encrypted => self.encrypted(from, out),
            }
        }
    }

    fn message(
        &mut self,
        from: FlowSide,
        kind: u8,
        body: Cow<'_, [u8]>,
        out: &mut Vec<TlsMessage>,
    ) {
        let message = match kind {
            kind::CLIENT_HELLO => ClientHello::parse(from, body).map(TlsMessage::ClientHello),
            kind::SSLV2_HELLO => ClientHello::parse_sslv2(from, body).map(TlsMessage::ClientHello),
            kind::SERVER_HELLO => ServerHello::parse(from, body).map(|hello| {
                if hello.is_retry_request() {
                    TlsMessage::HelloRetryRequest(hello)
                } else {
                    TlsMessage::ServerHello(hello)
                }
            }),
            kind::HELLO_RETRY_REQUEST => {
                ServerHello::parse_draft_retry(from, body).map(TlsMessage::HelloRetryRequest)
            }
            _ => CertificateChain::parse(from, body).map(TlsMessage::Certificate),
        };
        let (hello, intact) = match &message {
            Some(TlsMessage::ClientHello(hello)) => {
                let early_data = hello.has_early_data();
                (Some(Hello::Client { early_data }), hello.is_intact())
            }
            Some(TlsMessage::HelloRetryRequest(hello)) => (Some(Hello::Retry), hello.is_intact()),
            Some(TlsMessage::ServerHello(hello)) => {
                (Some(Hello::Server { cipher: hello.cipher() }), hello.is_intact())
            }
            message => (None, message.is_some()),
        };
        let side = self.side_mut(from);
        side.hello = hello.or(side.hello);
        if let Some(message) = message {
            self.report(message, out);
        }
        if !intact {
            self.anomaly(from, kind, TlsAnomalyKind::Malformed, out);
        }
    }

    /// A ServerKeyExchange: of it only the curve is read, where the cipher suite says that there is one.
    fn key_exchange(&mut self, from: FlowSide, head: Head, out: &mut Vec<TlsMessage>) {
        let Some(Hello::Server { cipher }) = self.side(from).hello else { return };
        if let Some(group) = head.bytes().and_then(|start| named_group(cipher, start)) {
            self.report(TlsMessage::ServerKeyExchange { side: from, group }, out);
        }
    }

    /// Up to TLS 1.2 "multiple client messages of the same ContentType MAY be coalesced into a single
    /// TLSPlaintext record, or a single message MAY be fragmented across several records" (RFC 5246
    /// §6.2.1).
    fn alert(&mut self, from: FlowSide, body: &[u8], out: &mut Vec<TlsMessage>) {
        for byte in body {
            let side = self.side_mut(from);
            if side.phase != Phase::Clear {
                return;
            }
            let level = match side.alert {
                AlertState::Incomplete => return,
                AlertState::Empty => {
                    side.alert = AlertState::Level(*byte);
                    continue;
                }
                AlertState::Level(level @ (1 | 2)) => level,
                // It is encrypted: the connection is older than what was captured of it.
                AlertState::Level(_) => return self.stop_side(from),
            };
            side.alert = AlertState::Empty;
            let alert = Alert { side: from, level, description: *byte };
            self.report(TlsMessage::Alert(alert), out);
            if alert.is_final() {
                self.stop_side(from);
                if self.side(!from).hello.is_some() {
                    self.finish(ParserStatus::Done);
                }
            }
        }
    }

    fn anomaly(
        &mut self,
        side: FlowSide,
        message: u8,
        kind: TlsAnomalyKind,
        out: &mut Vec<TlsMessage>,
    ) {
        let message = if message == kind::SSLV2_HELLO { kind::CLIENT_HELLO } else { message };
        self.report(TlsMessage::Anomaly(TlsAnomaly { side, message, kind }), out);
    }

    fn report(&mut self, message: TlsMessage, out: &mut Vec<TlsMessage>) {
        let side = message.side();
        out.push(message);
        let reported = &mut self.side_mut(side).reported;
        *reported += 1;
        if *reported >= MAX_MESSAGES {
            self.stop_side(side);
        }
    }

    fn encrypted(&mut self, side: FlowSide, out: &mut Vec<TlsMessage>) {
        self.stop_side(side);
        self.side_mut(side).phase = Phase::Encrypted;
        out.push(TlsMessage::Encrypted { side });
    }

    fn stop_side(&mut self, side: FlowSide) {
        let side = self.side_mut(side);
        side.messages = Messages::default();
        side.phase = Phase::Over;
    }

    fn finish(&mut self, final_status: ParserStatus) -> ParserStatus {
        for side in &mut self.sides {
            side.messages = Messages::default();
        }
        *self.final_status.insert(final_status)
    }

    /// Whether application data of this side may be early data (RFC 8446 §4.2.10), after which
    /// another hello may come.
    fn awaits_early_data(&self, side: FlowSide) -> bool {
        let server = self.side(!side);
        self.side(side).hello == Some(Hello::Client { early_data: true })
            && server.phase == Phase::Clear
            && !matches!(server.hello, Some(Hello::Server { .. }))
    }

    /// Whether this side's bytes are still looked at.
    fn reads(&self, side: FlowSide) -> bool {
        self.final_status.is_none()
            && match self.side(side).phase {
                Phase::Clear => true,
                // To count them, as long as nobody else says that the handshake is over.
                Phase::Encrypted => !self.side(!side).has_bytes,
                Phase::Over => false,
            }
    }

    fn status(&mut self, from: FlowSide) -> ParserStatus {
        if let Some(final_status) = self.final_status {
            return final_status;
        }
        let (side, peer) = (self.side(from), self.side(!from));
        if side.phase != Phase::Clear && peer.phase != Phase::Clear
            || side.unreadable >= MAX_UNREADABLE && !peer.has_bytes
        {
            return self.finish(ParserStatus::Done);
        }
        if self.reads(from) { ParserStatus::Continue } else { ParserStatus::StopSide(from) }
    }

    fn side(&self, side: FlowSide) -> &Side {
        &self.sides[side.index()]
    }

    fn side_mut(&mut self, side: FlowSide) -> &mut Side {
        &mut self.sides[side.index()]
    }
}

impl SessionParser for TlsParser {
    type Message = TlsMessage;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<TlsMessage> {
        feed_once(self, StreamChunk::new(FlowSide::Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<TlsMessage> {
        feed_once(self, StreamChunk::new(FlowSide::Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, feed: StreamChunk<'_>, out: &mut Vec<TlsMessage>) -> ParserStatus {
        let StreamChunk { side, mut bytes, .. } = feed;
        if !bytes.is_empty() {
            self.side_mut(side).has_bytes = true;
        }
        while self.reads(side) {
            match self.side_mut(side).records.next(&mut bytes) {
                Ok(Some(piece)) => self.piece(side, piece, out),
                Ok(None) => break,
                // What matters of this side has been read.
                Err(_) if self.side(side).phase == Phase::Encrypted => self.stop_side(side),
                Err(error) => return self.finish(ParserStatus::Failed(error)),
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
        state.has_bytes = true;
        let gap = match state.records.skip(len).map(|record| record.content) {
            None => Gap::Desync,
            Some(_) if state.phase == Phase::Encrypted => Gap::Passed,
            Some(Content::Handshake | Content::Sslv2Hello(_)) => state.messages.gap(len),
            Some(Content::Alert) => {
                state.alert = AlertState::Incomplete;
                Gap::Passed
            }
            Some(_) => Gap::Passed,
        };
        match gap {
            Gap::Passed => {}
            Gap::Lost { kind } => self.anomaly(side, kind, TlsAnomalyKind::Lost, out),
            Gap::Desync => self.stop_side(side),
        }
        self.status(side)
    }

    fn fin(&mut self, side: FlowSide, _out: &mut Vec<TlsMessage>) {
        if self.side(side).phase == Phase::Clear {
            self.stop_side(side);
        }
    }

    fn heap_bytes(&self) -> usize {
        self.sides.iter().map(|side| side.messages.heap_bytes()).sum()
    }

    /// [`Probe::Yes`] for a handshake record that begins with a hello, and for a hello in SSL 2.0
    /// framing.
    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        wire::probe(start)
    }
}

/// Whether the ServerKeyExchange of this cipher suite begins with a curve (RFC 8422 §5.4, RFC 5489 §2).
fn has_ecdh_parameters(cipher: u16) -> bool {
    let suite = TlsCipherSuite::from_id(cipher);
    // With a pre-shared key, a hint of its identity comes first.
    suite.is_some_and(|suite| {
        matches!(suite.kx, TlsCipherKx::Ecdhe | TlsCipherKx::Aecdh) && suite.au != TlsCipherAu::Psk
    })
}

/// The group that a ServerKeyExchange with this start names (RFC 8422 §5.4).
pub(crate) fn named_group(cipher: u16, start: [u8; 3]) -> Option<u16> {
    let [NAMED_CURVE, high, low] = start else { return None };
    has_ecdh_parameters(cipher).then(|| u16::from_be_bytes([high, low]))
}

/// `ECCurveType.named_curve` (RFC 8422 §5.4).
const NAMED_CURVE: u8 = 3;
const BOTH: [FlowSide; 2] = [FlowSide::Initiator, FlowSide::Responder];
/// After so many records of an encrypted side, the other was not captured at all.
pub(crate) const MAX_UNREADABLE: u8 = 16;
/// More than this in the clear is no handshake: a peer ends it after a few warnings.
const MAX_MESSAGES: u8 = 64;

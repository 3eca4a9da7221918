use flowscope_core::{
    FlowSide, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp, feed_once,
};

use crate::handshake::kind;
use crate::{
    Alert, Certificate, CertificateChain, ClientHello, ServerHello, TlsAnomaly, TlsAnomalyKind,
    TlsConfig, TlsMessage, TlsParser, TlsTransport, TlsVersion,
};

/// Sums up a connection's handshake as one [`TlsHandshake`].
///
/// The record comes as soon as the [`TlsParser`] inside is done or fails, else at the end of the
/// flow; there is one for every flow in which any handshake message was seen.
///
/// Memory: the parser's, and what the record holds: one hello and one chain per side, each within
/// the bounds of [`TlsConfig`].
#[derive(Clone, Debug, Default)]
pub struct TlsHandshakes {
    parser: TlsParser,
    partial: PartialHandshake,
    /// Messages of one call, kept for its capacity.
    scratch: Vec<TlsMessage>,
}

/// One TLS handshake, as far as it went in the clear.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsHandshake {
    /// Which side is the client; `None` if no hello was seen.
    pub client: Option<FlowSide>,
    /// The client's offer; of two the first.
    pub client_hello: Option<ClientHello>,
    /// The server's choice.
    pub server_hello: Option<ServerHello>,
    /// What carried it: TCP, or datagrams of DTLS.
    pub transport: TlsTransport,
    /// Whether the server asked for a second offer (RFC 8446 §4.1.4).
    pub hello_retry: bool,
    /// Whether the server asked for a cookie first, in DTLS (RFC 6347 §4.2.1).
    pub hello_verify: bool,
    /// The server's certificates, up to TLS 1.2.
    pub server_certificates: Option<CertificateChain>,
    /// The client's certificates, up to TLS 1.2.
    pub client_certificates: Option<CertificateChain>,
    /// Group of the key exchange: of the server's key share (RFC 8446 §4.2.8) or, up to TLS 1.2, of its
    /// ServerKeyExchange (RFC 8422 §5.4).
    pub group: Option<u16>,
    /// Whether both sides can renegotiate safely (RFC 5746); `None` in TLS 1.3, which cannot at all, and if
    /// only one hello was seen. A renegotiation itself is encrypted.
    pub secure_renegotiation: Option<bool>,
    /// Whether this handshake renegotiates, which only a connection without encryption shows.
    pub renegotiation: bool,
    /// The first alert in the clear that ended a side, else the first warning.
    pub alert: Option<Alert>,
    /// The same for each side by itself: client, server.
    pub alerts: [Option<Alert>; 2],
    /// Handshake messages that were damaged, lost or too long, at most 128.
    pub anomalies: Vec<TlsAnomaly>,
    /// How it went.
    pub outcome: TlsOutcome,
    /// Whether an earlier session was resumed: up to TLS 1.2, an abbreviated handshake (RFC 5246
    /// §7.3, RFC 5077 §3.1); in TLS 1.3, a pre-shared key was accepted (RFC 8446 §2.2). `None` if
    /// too little was seen to say.
    pub resumed: Option<bool>,
    /// When the first bytes of the connection were captured.
    pub started: Timestamp,
    /// When those were captured that completed the record.
    pub ended: Timestamp,
    /// In a line of Zeek's `x509.log`: the certificate that the line is about.
    pub(crate) listed: Option<Box<Listed>>,
}

/// A certificate with a line of its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Listed {
    pub(crate) certificate: Certificate,
    /// Whether it is the first of its chain.
    pub(crate) is_first: bool,
    /// Whether the client showed it.
    pub(crate) of_client: bool,
}

/// How a handshake went.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TlsOutcome {
    /// Both sides went over to encryption. What they say then is not known: an error may be in it.
    Completed,
    /// An alert in the clear ended it, or bytes that are not TLS.
    Failed,
    /// Of one side nothing was captured.
    OneSided,
    /// The flow or the capture ended first, or a gap hid the rest.
    Cut,
}

/// What messages and the parser have said so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartialHandshake {
    client_hello: Option<ClientHello>,
    server_hello: Option<ServerHello>,
    hello_retry: bool,
    pub(crate) hello_verify: bool,
    certificates: [Option<CertificateChain>; 2],
    group: Option<u16>,
    alert: Option<Alert>,
    alerts: [Option<Alert>; 2],
    anomalies: Vec<TlsAnomaly>,
    encrypted: [bool; 2],
    /// There is something to report.
    pub(crate) seen: bool,
    pub(crate) started: Option<Timestamp>,
    pub(crate) ended: Timestamp,
}

/// What is known of the two sides beside their messages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SidesSeen {
    pub(crate) transport: TlsTransport,
    /// Which side is the client, once a hello has said so.
    pub(crate) client: Option<FlowSide>,
    /// Any bytes of the side were captured.
    pub(crate) has_bytes: [bool; 2],
    /// The side sent a ServerHelloDone.
    pub(crate) hello_done: [bool; 2],
}

impl TlsHandshakes {
    /// An adapter whose parser has these bounds.
    #[must_use]
    pub fn new(config: TlsConfig) -> Self {
        TlsHandshakes { parser: TlsParser::new(config), ..TlsHandshakes::default() }
    }

    /// The client's offer, of two the first; `None` before it was seen, and once the record has been made.
    #[must_use]
    pub fn client_hello(&self) -> Option<&ClientHello> {
        self.partial.client_hello.as_ref()
    }

    /// The server's choice; `None` before it was seen, and once the record has been made.
    #[must_use]
    pub fn server_hello(&self) -> Option<&ServerHello> {
        self.partial.server_hello.as_ref()
    }

    /// Takes what the parser said, and reports if there is nothing more to come.
    fn process(&mut self, status: ParserStatus, out: &mut Vec<TlsHandshake>) -> ParserStatus {
        for message in self.scratch.drain(..) {
            self.partial.add(message);
        }
        match status {
            ParserStatus::Done => self.report(false, out),
            ParserStatus::Failed(_) => self.report(true, out),
            _ => {}
        }
        status
    }

    fn report(&mut self, failed: bool, out: &mut Vec<TlsHandshake>) {
        let partial = std::mem::take(&mut self.partial);
        self.scratch = Vec::new();
        if partial.seen {
            out.push(partial.finish(self.parser.seen(), failed));
        }
    }
}

impl TlsHandshake {
    /// The version agreed on, if the server has answered.
    #[must_use]
    pub fn version(&self) -> Option<TlsVersion> {
        self.server_hello.as_ref().map(ServerHello::version)
    }

    /// The application protocol the server chose; from TLS 1.3 on it is encrypted.
    #[must_use]
    pub fn server_alpn(&self) -> Option<&[u8]> {
        self.server_hello.as_ref()?.alpn()
    }

    /// The name of the server the client wanted, as sent.
    #[must_use]
    pub fn server_name(&self) -> Option<&[u8]> {
        self.client_hello.as_ref()?.server_name()
    }

    /// What the first of the server's certificates says, if it can be read (feature `x509`).
    #[must_use]
    pub fn server_certificate(&self) -> Option<&Certificate> {
        self.server_certificates.as_ref()?.leaf()
    }

    /// What the first of the client's certificates says, if it can be read (feature `x509`).
    #[must_use]
    pub fn client_certificate(&self) -> Option<&Certificate> {
        self.client_certificates.as_ref()?.leaf()
    }
}

impl TlsHandshake {
    /// One that is about a certificate of another, and else says nothing.
    pub(crate) fn of_certificate(of: &TlsHandshake, listed: Box<Listed>) -> Self {
        TlsHandshake {
            client: of.client,
            client_hello: None,
            server_hello: None,
            transport: of.transport,
            hello_retry: false,
            hello_verify: false,
            server_certificates: None,
            client_certificates: None,
            group: None,
            secure_renegotiation: None,
            renegotiation: false,
            alert: None,
            alerts: [None; 2],
            anomalies: Vec::new(),
            outcome: of.outcome,
            resumed: None,
            started: of.started,
            ended: of.ended,
            listed: Some(listed),
        }
    }
}

impl PartialHandshake {
    pub(crate) fn add(&mut self, message: TlsMessage) {
        match message {
            TlsMessage::ClientHello(hello) => {
                self.seen = true;
                self.client_hello.get_or_insert(hello);
            }
            TlsMessage::ServerHello(hello) => {
                self.seen = true;
                self.server_hello.get_or_insert(hello);
            }
            TlsMessage::HelloRetryRequest(_) => {
                self.seen = true;
                self.hello_retry = true;
            }
            TlsMessage::Certificate(chain) => {
                self.seen = true;
                self.certificates[chain.side().index()].get_or_insert(chain);
            }
            TlsMessage::ServerKeyExchange { group, .. } => {
                self.group.get_or_insert(group);
            }
            TlsMessage::Alert(alert) => {
                for kept in [&mut self.alert, &mut self.alerts[alert.side.index()]] {
                    match kept {
                        Some(earlier) if earlier.is_final() || !alert.is_final() => {}
                        _ => *kept = Some(alert),
                    }
                }
            }
            TlsMessage::Encrypted { side } => self.encrypted[side.index()] = true,
            TlsMessage::Anomaly(anomaly) => {
                self.seen |= matches!(anomaly.message, kind::CLIENT_HELLO | kind::SERVER_HELLO);
                self.anomalies.push(anomaly);
            }
        }
    }

    /// The record of it.
    pub(crate) fn finish(self, seen: SidesSeen, failed: bool) -> TlsHandshake {
        let client = seen.client;
        let [initiator, responder] = self.certificates;
        let (server_certificates, client_certificates) = match client {
            Some(FlowSide::Responder) => (initiator, responder),
            _ => (responder, initiator),
        };
        let alerts = match client {
            Some(FlowSide::Responder) => [self.alerts[1], self.alerts[0]],
            _ => self.alerts,
        };
        let outcome = if failed || self.alert.is_some_and(|alert| alert.is_final()) {
            TlsOutcome::Failed
        } else if self.encrypted == [true, true] {
            TlsOutcome::Completed
        } else if seen.has_bytes != [true, true] {
            TlsOutcome::OneSided
        } else {
            TlsOutcome::Cut
        };
        let server = client.map(|client| !client);
        let has_lost = |side: FlowSide| {
            let is_lost = |it: &TlsAnomaly| it.side == side && it.kind == TlsAnomalyKind::Lost;
            self.anomalies.iter().any(is_lost)
        };
        let resumed = self.server_hello.as_ref().zip(server).and_then(|(hello, server)| {
            let encrypted = self.encrypted[server.index()];
            if hello.version().is_tls13() {
                Some(hello.has_pre_shared_key())
            } else if server_certificates.is_some() || seen.hello_done[server.index()] {
                Some(false)
            } else if has_lost(server) {
                // What its hello was followed by is not known.
                None
            } else if encrypted {
                // Straight from the hello to the ciphers.
                Some(true)
            } else {
                let offered = self.client_hello.as_ref().map(ClientHello::session_id);
                let echoed = !hello.session_id().is_empty() && offered == Some(hello.session_id());
                echoed.then_some(true)
            }
        });
        let hellos = self.client_hello.as_ref().zip(self.server_hello.as_ref());
        let renegotiation = hellos
            .filter(|(_, server)| !server.version().is_tls13())
            .map(|(client, server)| [client.renegotiation_info(), server.renegotiation_info()]);
        TlsHandshake {
            client,
            group: self.server_hello.as_ref().and_then(ServerHello::key_share).or(self.group),
            secure_renegotiation: renegotiation.map(|infos| infos.iter().all(Option::is_some)),
            renegotiation: renegotiation
                .is_some_and(|infos| infos.into_iter().flatten().any(|info| !info.is_empty())),
            alerts,
            listed: None,
            client_hello: self.client_hello,
            server_hello: self.server_hello,
            transport: seen.transport,
            hello_retry: self.hello_retry,
            hello_verify: self.hello_verify,
            server_certificates,
            client_certificates,
            alert: self.alert,
            anomalies: self.anomalies,
            outcome,
            resumed,
            started: self.started.unwrap_or(self.ended),
            ended: self.ended,
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let chains = self.certificates.iter().flatten().map(CertificateChain::heap_bytes);
        self.client_hello.as_ref().map_or(0, ClientHello::heap_bytes)
            + self.server_hello.as_ref().map_or(0, ServerHello::heap_bytes)
            + chains.sum::<usize>()
            + self.anomalies.capacity() * size_of::<TlsAnomaly>()
    }
}

impl SessionParser for TlsHandshakes {
    type Message = TlsHandshake;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<TlsHandshake> {
        let chunk = StreamChunk::new(FlowSide::Initiator, self.partial.ended, 0, bytes);
        feed_once(self, chunk)
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<TlsHandshake> {
        let chunk = StreamChunk::new(FlowSide::Responder, self.partial.ended, 0, bytes);
        feed_once(self, chunk)
    }

    fn feed_into(&mut self, feed: StreamChunk<'_>, out: &mut Vec<TlsHandshake>) -> ParserStatus {
        if !feed.bytes.is_empty() {
            self.partial.started.get_or_insert(feed.ts);
            self.partial.ended = feed.ts;
        }
        let status = self.parser.feed_into(feed, &mut self.scratch);
        self.process(status, out)
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<TlsHandshake>) -> ParserStatus {
        let status = self.parser.gap(side, len, &mut self.scratch);
        self.process(status, out)
    }

    fn fin(&mut self, side: FlowSide, _out: &mut Vec<TlsHandshake>) {
        self.parser.fin(side, &mut self.scratch);
    }

    fn rst(&mut self, side: FlowSide, _out: &mut Vec<TlsHandshake>) {
        self.parser.rst(side, &mut self.scratch);
    }

    fn end(&mut self, out: &mut Vec<TlsHandshake>) {
        self.parser.end(&mut self.scratch);
        self.report(false, out);
    }

    fn heap_bytes(&self) -> usize {
        self.parser.heap_bytes()
            + self.partial.heap_bytes()
            + self.scratch.capacity() * size_of::<TlsMessage>()
    }

    fn probe(side: FlowSide, start: &[u8]) -> Probe {
        TlsParser::probe(side, start)
    }
}

use flowscope_core::{
    Datagram, DatagramParser, FlowSide, ParserStatus, Probe, Timestamp, parse_once,
};

use super::messages::{Messages, Step};
use super::wire::{self, DtlsRecord, Fragment};
use crate::handshake::kind;
use crate::message::{Alert, TlsAnomaly, TlsAnomalyKind};
use crate::parser::{MAX_UNREADABLE, named_group};
use crate::summary::{PartialHandshake, SidesSeen};
use crate::{
    CertificateChain, ClientHello, ServerHello, TlsConfig, TlsHandshake, TlsMessage, TlsTransport,
};

/// Reads the handshake of a DTLS connection from its datagrams (RFC 6347, RFC 9147).
///
/// Fragments of messages are put together in whatever order they come; repetitions say nothing new. Other
/// protocols in the same flow, such as the STUN and RTP of WebRTC (RFC 7983 §7), are passed over. One
/// [`TlsHandshake`] comes of a flow: when both sides send protected records, when an alert ends the
/// connection, or at the end of the flow. Then the parser is done.
///
/// Bounds: three incomplete messages per side, each as [`TlsConfig`] says and of at most 64 KiB, and
/// [`MAX_DATAGRAMS`](Self::MAX_DATAGRAMS) datagrams.
#[derive(Clone, Debug, Default)]
pub struct DtlsHandshakes {
    config: TlsConfig,
    sides: [Side; 2],
    client: Option<FlowSide>,
    partial: PartialHandshake,
    datagrams: u16,
    reported: u8,
    over: bool,
}

#[derive(Clone, Debug, Default)]
struct Side {
    messages: Messages,
    has_bytes: bool,
    hello_done: bool,
    /// Of its ServerHello.
    cipher: Option<u16>,
    /// Protected records.
    protected: u8,
}

impl DtlsHandshakes {
    /// As many datagrams of a flow are looked at before the parser is done, whatever they brought.
    pub const MAX_DATAGRAMS: u16 = 256;

    /// A parser with these bounds.
    #[must_use]
    pub fn new(config: TlsConfig) -> Self {
        DtlsHandshakes { config, ..DtlsHandshakes::default() }
    }

    fn record(&mut self, from: FlowSide, record: DtlsRecord<'_>) {
        match record {
            DtlsRecord::Protected => self.protected(from),
            DtlsRecord::Plain { content: HANDSHAKE, body } => self.fragments(from, body),
            DtlsRecord::Plain { content: ALERT, body: &[level, description] } => {
                let alert = Alert { side: from, level, description };
                self.report(TlsMessage::Alert(alert));
                self.over |= alert.is_final() && self.client == Some(!from)
                    || alert.is_final() && self.sides[(!from).index()].cipher.is_some();
            }
            // What follows a ChangeCipherSpec is of another epoch, which says so itself.
            DtlsRecord::Plain { .. } => {}
        }
    }

    fn protected(&mut self, from: FlowSide) {
        let side = &mut self.sides[from.index()];
        side.protected = side.protected.saturating_add(1);
        if side.protected == 1 {
            self.report(TlsMessage::Encrypted { side: from });
        }
        let [a, b] = &self.sides;
        let one_sided =
            |side: &Side, other: &Side| side.protected >= MAX_UNREADABLE && !other.has_bytes;
        self.over |= a.protected > 0 && b.protected > 0 || one_sided(a, b) || one_sided(b, a);
    }

    fn fragments(&mut self, from: FlowSide, mut body: &[u8]) {
        while let Some((fragment, rest)) = wire::fragment(body) {
            body = rest;
            self.fragment(from, fragment);
        }
    }

    fn fragment(&mut self, from: FlowSide, fragment: Fragment<'_>) {
        let config = self.config;
        match self.sides[from.index()].messages.fragment(fragment, &config) {
            Step::Nothing => {}
            Step::Message { kind, body } => self.message(from, kind, body),
            Step::GivenUp { kind, why } => self.anomaly(from, kind, why),
        }
    }

    fn message(&mut self, from: FlowSide, kind: u8, body: Vec<u8>) {
        let side = &mut self.sides[from.index()];
        let (message, intact) = match kind {
            kind::CLIENT_HELLO => {
                let hello = ClientHello::parse_dtls(from, &body);
                if hello.is_some() {
                    self.client = Some(from);
                }
                let intact = hello.as_ref().is_some_and(ClientHello::is_intact);
                (hello.map(TlsMessage::ClientHello), intact)
            }
            kind::SERVER_HELLO => {
                let hello = ServerHello::parse_dtls(from, body.into());
                let intact = hello.as_ref().is_some_and(ServerHello::is_intact);
                if hello.is_some() {
                    self.client = Some(!from);
                }
                let message = hello.map(|hello| {
                    if hello.is_retry_request() {
                        TlsMessage::HelloRetryRequest(hello)
                    } else {
                        side.cipher = Some(hello.cipher());
                        TlsMessage::ServerHello(hello)
                    }
                });
                (message, intact)
            }
            kind::HELLO_VERIFY_REQUEST => {
                self.client.get_or_insert(!from);
                self.partial.hello_verify = true;
                self.partial.seen = true;
                return;
            }
            kind::CERTIFICATE => {
                let chain = CertificateChain::parse(from, body.into());
                let intact = chain.is_some();
                (chain.map(TlsMessage::Certificate), intact)
            }
            kind::SERVER_KEY_EXCHANGE => {
                let start = side.cipher.zip(body.first_chunk().copied());
                let group = start.and_then(|(cipher, start)| named_group(cipher, start));
                (group.map(|group| TlsMessage::ServerKeyExchange { side: from, group }), true)
            }
            kind::SERVER_HELLO_DONE => {
                side.hello_done = true;
                return;
            }
            _ => return,
        };
        if let Some(message) = message {
            self.report(message);
        }
        if !intact {
            self.anomaly(from, kind, TlsAnomalyKind::Malformed);
        }
    }

    fn anomaly(&mut self, side: FlowSide, message: u8, kind: TlsAnomalyKind) {
        self.report(TlsMessage::Anomaly(TlsAnomaly { side, message, kind }));
    }

    fn report(&mut self, message: TlsMessage) {
        self.partial.add(message);
        self.reported = self.reported.saturating_add(1);
        self.over |= self.reported >= MAX_MESSAGES;
    }

    fn finish(&mut self, out: &mut Vec<TlsHandshake>) {
        self.over = true;
        for side in [FlowSide::Initiator, FlowSide::Responder] {
            for kind in self.sides[side.index()].messages.incomplete() {
                self.anomaly(side, kind, TlsAnomalyKind::Lost);
            }
        }
        let partial = std::mem::take(&mut self.partial);
        if partial.seen {
            let seen = SidesSeen {
                transport: TlsTransport::Dtls,
                client: self.client,
                has_bytes: self.sides.each_ref().map(|side| side.has_bytes),
                hello_done: self.sides.each_ref().map(|side| side.hello_done),
            };
            out.push(partial.finish(seen, false));
        }
        self.sides = Default::default();
    }
}

impl DatagramParser for DtlsHandshakes {
    type Message = TlsHandshake;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<TlsHandshake> {
        parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
    }

    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<TlsHandshake>) -> ParserStatus {
        if self.over {
            return ParserStatus::Done;
        }
        self.datagrams += 1;
        let (side, mut rest) = (datagram.side, datagram.payload);
        while let Some((record, behind)) = wire::record(rest) {
            self.sides[side.index()].has_bytes = true;
            self.partial.started.get_or_insert(datagram.ts);
            self.partial.ended = datagram.ts;
            rest = behind;
            self.record(side, record);
            if self.over {
                break;
            }
        }
        if self.over || self.datagrams == Self::MAX_DATAGRAMS {
            self.finish(out);
            return ParserStatus::Done;
        }
        ParserStatus::Continue
    }

    fn end(&mut self, out: &mut Vec<TlsHandshake>) {
        if !self.over {
            self.finish(out);
        }
    }

    fn heap_bytes(&self) -> usize {
        let messages = self.sides.iter().map(|side| side.messages.heap_bytes());
        self.partial.heap_bytes() + messages.sum::<usize>()
    }

    /// Sure of a handshake record in the clear that begins with a fragment of a hello, or of the request for
    /// its cookie.
    fn probe(_side: FlowSide, payload: &[u8]) -> Probe {
        match wire::record(payload) {
            Some((DtlsRecord::Plain { content: HANDSHAKE, body }, _)) => {
                match wire::fragment(body) {
                    Some((Fragment { kind: 1..=3, len: 1.., .. }, _)) => Probe::Yes,
                    Some(_) => Probe::Maybe,
                    None => Probe::No,
                }
            }
            Some(_) => Probe::Maybe,
            None => Probe::No,
        }
    }
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
/// Messages of both sides. No handshake has more.
const MAX_MESSAGES: u8 = 128;

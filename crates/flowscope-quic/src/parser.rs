use std::mem;

use flowscope_core::{Datagram, DatagramParser, FlowSide, ParserStatus, Probe, Timestamp};
use flowscope_tls::{ClientHello, Fragments, ServerHello};

use crate::QuicVersion;
use crate::keys::{InitialKeys, Sender};
use crate::message::{ConnectionId, QuicHandshake, QuicHistory, QuicOutcome};
use crate::wire::{Frame, LongPacket, PacketType, frames};

/// Reads the handshake of a QUIC connection from its datagrams.
///
/// Initial packets are protected with keys that follow from what is on the wire (RFC 9001 §5.2): they
/// are decrypted, their CRYPTO frames put in order, and the TLS hellos read. One [`QuicHandshake`] comes
/// of a flow: when the server's hello is complete, when an end closes the connection, or at the end of
/// the flow. Then the parser is done: everything later is encrypted with keys that only the ends have.
///
/// Bounds: 64 KiB and 64 separate pieces of CRYPTO data per side, [`MAX_DATAGRAMS`](Self::MAX_DATAGRAMS)
/// datagrams and four changes of keys.
#[derive(Clone, Debug, Default)]
pub struct QuicParser {
    connection: Option<Box<Connection>>,
    datagrams: u16,
}

/// As many datagrams may pass before an Initial that can be opened.
const MAX_UNREADABLE: u16 = 16;

/// Keys change with a Retry and with another version.
const MAX_KEY_CHANGES: u8 = 4;

/// A client pads the datagram of an Initial to this length (RFC 9000 §14.1).
const MIN_CLIENT_DATAGRAM: usize = 1200;

/// Packets in one datagram that are looked at: coalescing packets of one level is pointless, so a
/// datagram has three or four (RFC 9000 §12.2).
const MAX_COALESCED: usize = 8;

#[derive(Clone, Debug)]
struct Connection {
    keys: InitialKeys,
    key_changes: u8,
    client: Half,
    server: Half,
    handshake: QuicHandshake,
}

/// What one end sent.
#[derive(Clone, Debug, Default)]
struct Half {
    stream: Fragments,
    /// Bytes of the stream whose messages were read.
    read: usize,
}

/// Whether a handshake has more to say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Open,
    Over,
}

impl QuicParser {
    /// As many datagrams of a flow are looked at before the parser is done, whatever they brought.
    pub const MAX_DATAGRAMS: u16 = 64;

    /// A parser at the start of a flow.
    #[must_use]
    pub fn new() -> Self {
        QuicParser::default()
    }

    /// Reads the packets of a datagram.
    fn read(&mut self, datagram: Datagram<'_>) -> Stage {
        let mut rest = datagram.payload;
        // Packets in one datagram are of one connection (RFC 9000 §12.2), and so have the same keys. To derive these takes
        // far longer than the rest: where the first Initial cannot be opened, others in its datagram are not tried.
        let mut may_begin = true;
        for _ in 0..MAX_COALESCED {
            let Some((packet, behind)) = LongPacket::read(rest) else { break };
            rest = behind;
            if self.connection.is_none() && packet.may_begin() && !mem::take(&mut may_begin) {
                continue;
            }
            if self.packet(datagram.side, datagram.ts, &packet) == Stage::Over {
                return Stage::Over;
            }
        }
        Stage::Open
    }

    fn packet(&mut self, side: FlowSide, ts: Timestamp, packet: &LongPacket<'_>) -> Stage {
        match &mut self.connection {
            Some(connection) => connection.packet(side, ts, packet),
            None if packet.may_begin() => {
                let Some((mut connection, payload)) = Connection::begin(side, ts, packet) else {
                    return Stage::Open;
                };
                let stage = connection.initial(Sender::Client, ts, &payload);
                self.connection = Some(Box::new(connection));
                stage
            }
            None => Stage::Open,
        }
    }

    fn finish(&mut self, out: &mut Vec<QuicHandshake>) {
        out.extend(self.connection.take().map(|connection| connection.handshake));
    }
}

impl Connection {
    /// The connection that this Initial opens, and the Initial's payload.
    fn begin(client: FlowSide, ts: Timestamp, packet: &LongPacket<'_>) -> Option<(Self, Vec<u8>)> {
        let keys = InitialKeys::new(packet.version, packet.destination)?;
        let payload = keys.open(Sender::Client, packet)?;
        let handshake = QuicHandshake {
            started: ts,
            client,
            version: packet.version,
            offered_versions: Vec::new(),
            original_destination: ConnectionId::new(packet.destination)?,
            client_id: ConnectionId::new(packet.source)?,
            server_id: None,
            retry: false,
            client_hello: None,
            server_hello: None,
            hello_retry: false,
            close_code: None,
            latency: None,
            outcome: QuicOutcome::Unanswered,
            history: QuicHistory::default(),
        };
        let (client, server) = (Half::default(), Half::default());
        Some((Connection { keys, key_changes: 0, client, server, handshake }, payload))
    }

    fn packet(&mut self, side: FlowSide, ts: Timestamp, packet: &LongPacket<'_>) -> Stage {
        let from_client = side == self.handshake.client;
        let history = &mut self.handshake.history;
        match packet.kind {
            PacketType::ZeroRtt => history.push(b'Z', from_client),
            PacketType::Handshake => history.push(b'H', from_client),
            PacketType::Retry if !from_client => {
                history.push(b'R', from_client);
                self.handshake.retry = true;
            }
            PacketType::Negotiation if !from_client => {
                history.push(b'V', from_client);
                self.offer(packet.versions());
            }
            PacketType::Retry | PacketType::Negotiation => {}
            PacketType::Initial if from_client => {
                if let Some(payload) = self.open_from_client(packet) {
                    return self.initial(Sender::Client, ts, &payload);
                }
            }
            PacketType::Initial => {
                if let Some(payload) = self.keys.open(Sender::Server, packet) {
                    self.handshake.server_id = ConnectionId::new(packet.source);
                    return self.initial(Sender::Server, ts, &payload);
                }
            }
        }
        Stage::Open
    }

    /// Opens an Initial of the client; where a Retry or a Version Negotiation made the client begin
    /// anew, with new keys.
    fn open_from_client(&mut self, packet: &LongPacket<'_>) -> Option<Vec<u8>> {
        if packet.version == self.handshake.version
            && let Some(payload) = self.keys.open(Sender::Client, packet)
        {
            return Some(payload);
        }
        let may_change = packet.has_sample() && self.handshake.server_id.is_none();
        if self.key_changes == MAX_KEY_CHANGES || !may_change {
            return None;
        }
        self.key_changes += 1;
        let keys = InitialKeys::new(packet.version, packet.destination)?;
        let payload = keys.open(Sender::Client, packet)?;
        self.keys = keys;
        if self.handshake.version != packet.version {
            // RFC 9000 §6.2: a connection of another version is a new one.
            self.handshake.version = packet.version;
            self.handshake.outcome = QuicOutcome::Unanswered;
            (self.client, self.server) = (Half::default(), Half::default());
        }
        Some(payload)
    }

    fn offer(&mut self, versions: impl Iterator<Item = QuicVersion>) {
        if self.handshake.server_id.is_some() {
            return; // RFC 9000 §6.2: discarded once another packet of the server was processed.
        }
        let offered: Vec<_> = versions.take(QuicHandshake::MAX_VERSIONS).collect();
        if !offered.is_empty() && !offered.contains(&self.handshake.version) {
            self.handshake.offered_versions = offered;
            self.handshake.outcome = QuicOutcome::VersionNegotiation;
        }
    }

    /// The payload of an Initial packet.
    fn initial(&mut self, sender: Sender, ts: Timestamp, payload: &[u8]) -> Stage {
        let from_client = sender == Sender::Client;
        self.handshake.history.push(b'I', from_client);
        let half = if from_client { &mut self.client } else { &mut self.server };
        let mut closed = false;
        for frame in frames(payload) {
            match frame {
                Frame::Ignored => {}
                Frame::Crypto { offset, data } => {
                    half.stream.insert(offset, data);
                }
                Frame::ConnectionClose { code } => {
                    self.handshake.history.push(b'C', from_client);
                    self.handshake.close_code.get_or_insert(code);
                    closed = true;
                }
            }
        }
        let stage = self.messages(sender, ts);
        if closed && stage == Stage::Open {
            self.handshake.outcome = QuicOutcome::Refused;
            return Stage::Over;
        }
        stage
    }

    /// Reads the TLS messages that are complete (RFC 8446 §4).
    fn messages(&mut self, sender: Sender, ts: Timestamp) -> Stage {
        let Connection { client, server, handshake, .. } = self;
        let (half, side) = match sender {
            Sender::Client => (client, handshake.client),
            Sender::Server => (server, !handshake.client),
        };
        while let Some((&kind, [a, b, c, rest @ ..])) =
            half.stream.ready().get(half.read..).and_then(<[u8]>::split_first)
        {
            let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            let Some(body) = rest.get(..len) else { break };
            match (sender, kind) {
                (Sender::Client, 1) => {
                    handshake.client_hello = ClientHello::parse(side, body.into());
                    handshake.history.push(b'S', true);
                }
                (Sender::Server, 2) => {
                    let Some(hello) = ServerHello::parse(side, body.into()) else { break };
                    handshake.history.push(b'S', false);
                    if hello.is_retry_request() {
                        handshake.hello_retry = true;
                    } else {
                        handshake.server_hello = Some(hello);
                        handshake.latency = Some(ts.since(handshake.started));
                        handshake.outcome = QuicOutcome::Accepted;
                        return Stage::Over;
                    }
                }
                _ => {}
            }
            half.read += 4 + len;
        }
        Stage::Open
    }
}

impl DatagramParser for QuicParser {
    type Message = QuicHandshake;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<QuicHandshake> {
        let mut out = Vec::new();
        self.parse_into(Datagram::new(side, Timestamp::ZERO, payload), &mut out);
        out
    }

    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<QuicHandshake>) -> ParserStatus {
        self.datagrams += 1;
        if self.read(datagram) == Stage::Over || self.datagrams == Self::MAX_DATAGRAMS {
            self.finish(out);
            return ParserStatus::Done;
        }
        if self.connection.is_none() && self.datagrams == MAX_UNREADABLE {
            // The handshake was not captured: what is encrypted contradicts nothing.
            return ParserStatus::Done;
        }
        ParserStatus::Continue
    }

    fn end(&mut self, out: &mut Vec<QuicHandshake>) {
        self.finish(out);
    }

    fn heap_bytes(&self) -> usize {
        self.connection.as_ref().map_or(0, |connection| {
            size_of::<Connection>()
                + connection.client.stream.heap_bytes()
                + connection.server.stream.heap_bytes()
                + connection.handshake.heap_bytes()
        })
    }

    /// Sure of a client's Initial in a datagram as long as one has to be, and of a Version Negotiation
    /// that offers a version which can be read.
    fn probe(_side: FlowSide, payload: &[u8]) -> Probe {
        if payload.first().is_none_or(|first| first & 0x80 == 0) {
            // A short header says nothing: any byte with the fixed bit begins one.
            return match payload.first() {
                Some(first) if first & 0x40 == 0 => Probe::No,
                _ => Probe::Maybe,
            };
        }
        match LongPacket::read(payload) {
            Some((packet, _)) if packet.has_quic_bit || packet.kind == PacketType::Negotiation => {
                match packet.kind {
                    PacketType::Initial if payload.len() >= MIN_CLIENT_DATAGRAM => Probe::Yes,
                    PacketType::Negotiation if packet.versions().any(QuicVersion::is_readable) => {
                        Probe::Yes
                    }
                    PacketType::Negotiation => Probe::No,
                    _ => Probe::Maybe,
                }
            }
            _ => Probe::No,
        }
    }
}

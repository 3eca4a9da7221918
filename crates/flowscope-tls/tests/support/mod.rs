//! Handshakes to feed to a parser.

#![allow(dead_code, unreachable_pub)] // each test binary takes what it needs

use flowscope_core::{FlowSide, ParserStatus, SessionParser, StreamChunk, Timestamp};
use flowscope_tls::{TlsMessage, TlsParser};

pub const I: FlowSide = FlowSide::Initiator;
pub const R: FlowSide = FlowSide::Responder;

/// SHA-256 of "HelloRetryRequest" (RFC 8446 §4.1.3).
pub const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What the two sides send, in the order captured.
pub type Dialogue = Vec<(FlowSide, Vec<u8>)>;

/// A hello of either kind: the fields that cases are about, the others plain.
#[derive(Clone)]
pub struct Hello {
    pub version: u16,
    pub random: [u8; 32],
    pub session: Vec<u8>,
    pub ciphers: Vec<u16>,
    pub extensions: Vec<(u16, Vec<u8>)>,
}

pub fn hello(version: u16, ciphers: &[u16]) -> Hello {
    Hello {
        version,
        random: [7; 32],
        session: Vec::new(),
        ciphers: ciphers.to_vec(),
        extensions: Vec::new(),
    }
}

/// A client of TLS 1.3 that wants `name`.
pub fn client13(name: &str) -> Hello {
    hello(0x0303, &[0x1301, 0x1302]).name(name).ext(43, [4, 3, 4, 3, 3]).ext(51, [0, 0])
}

/// A server that chooses TLS 1.3.
pub fn server13() -> Hello {
    hello(0x0303, &[0x1301]).ext(43, [3, 4]).ext(51, [0, 29, 0, 1, 9])
}

impl Hello {
    pub fn random(mut self, random: [u8; 32]) -> Self {
        self.random = random;
        self
    }

    pub fn session(mut self, session: &[u8]) -> Self {
        self.session = session.to_vec();
        self
    }

    pub fn ext(mut self, kind: u16, content: impl AsRef<[u8]>) -> Self {
        self.extensions.push((kind, content.as_ref().to_vec()));
        self
    }

    pub fn name(self, name: &str) -> Self {
        let entry = [&[0][..], &vector16(name.as_bytes())].concat();
        self.ext(0, vector16(&entry))
    }

    pub fn alpn(self, names: &[&[u8]]) -> Self {
        let names: Vec<u8> = names.iter().flat_map(|name| vector8(name)).collect();
        self.ext(16, vector16(&names))
    }

    /// An extension that is a list of numbers: groups, signature algorithms.
    pub fn list(self, kind: u16, values: &[u16]) -> Self {
        self.ext(kind, vector16(&numbers(values)))
    }

    pub fn client_body(&self) -> Vec<u8> {
        let (ciphers, compression) = (vector16(&numbers(&self.ciphers)), [1, 0]);
        [&self.start()[..], &ciphers, &compression, &self.end()].concat()
    }

    pub fn client(&self) -> Vec<u8> {
        message(1, &self.client_body())
    }

    pub fn server(&self) -> Vec<u8> {
        let cipher = self.ciphers[0].to_be_bytes();
        message(2, &[&self.start()[..], &cipher, &[0], &self.end()].concat())
    }

    fn start(&self) -> Vec<u8> {
        [&self.version.to_be_bytes()[..], &self.random, &vector8(&self.session)].concat()
    }

    fn end(&self) -> Vec<u8> {
        if self.extensions.is_empty() {
            return Vec::new();
        }
        let all: Vec<u8> = self
            .extensions
            .iter()
            .flat_map(|(kind, content)| [&kind.to_be_bytes()[..], &vector16(content)].concat())
            .collect();
        vector16(&all)
    }
}

pub fn numbers(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

pub fn vector8(bytes: &[u8]) -> Vec<u8> {
    [&[bytes.len() as u8][..], bytes].concat()
}

pub fn vector16(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

pub fn vector24(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[1..], bytes].concat()
}

/// A handshake message.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &vector24(body)].concat()
}

pub fn certificate(certificates: &[&[u8]]) -> Vec<u8> {
    let all: Vec<u8> = certificates.iter().flat_map(|der| vector24(der)).collect();
    message(11, &vector24(&all))
}

pub fn record(content: u8, body: &[u8]) -> Vec<u8> {
    [&[content, 3, 3][..], &vector16(body)].concat()
}

/// Handshake messages in records of at most `size` bytes.
pub fn records(messages: &[u8], size: usize) -> Vec<u8> {
    messages.chunks(size).flat_map(|body| record(22, body)).collect()
}

/// Handshake messages in one record.
pub fn clear(messages: &[&[u8]]) -> Vec<u8> {
    record(22, &messages.concat())
}

pub fn change_cipher() -> Vec<u8> {
    record(20, &[1])
}

pub fn alert(level: u8, description: u8) -> Vec<u8> {
    record(21, &[level, description])
}

/// A handshake record that nobody can read.
pub fn finished() -> Vec<u8> {
    record(22, &[0xa5; 40])
}

pub fn data(len: usize) -> Vec<u8> {
    record(23, &vec![0x5a; len])
}

/// A ClientHello in SSL 2.0 framing.
pub fn sslv2_hello(version: u16, ciphers: &[[u8; 3]]) -> Vec<u8> {
    let specs = ciphers.concat();
    let lengths = numbers(&[version, specs.len() as u16, 0, 16]);
    let body = [&[1][..], &lengths, &specs, &[9; 16]].concat();
    [&(0x8000 | body.len() as u16).to_be_bytes()[..], &body].concat()
}

/// What a message says, in short.
pub fn describe(message: &TlsMessage) -> String {
    let side = |side: FlowSide| if side == I { 'I' } else { 'R' };
    let from = side(message.side());
    match message {
        TlsMessage::ClientHello(hello) => {
            let name = hello.server_name().unwrap_or(b"-").escape_ascii();
            format!("{from} client {} {name}", hello.version())
        }
        TlsMessage::ServerHello(hello) => {
            format!("{from} server {} {:04x}", hello.version(), hello.cipher())
        }
        TlsMessage::HelloRetryRequest(hello) => format!("{from} retry {}", hello.version()),
        TlsMessage::Certificate(chain) => {
            let lens: Vec<usize> = chain.certificates().map(<[u8]>::len).collect();
            format!("{from} certificate {lens:?}")
        }
        TlsMessage::Alert(alert) => {
            format!("{from} alert {} {}", alert.level, alert.name().unwrap_or("?"))
        }
        TlsMessage::ServerKeyExchange { group, .. } => format!("{from} group {group}"),
        TlsMessage::Encrypted { .. } => format!("{from} encrypted"),
        TlsMessage::Anomaly(anomaly) => {
            format!("{from} anomaly in {}: {:?}", anomaly.message, anomaly.kind)
        }
        other => format!("{other:?}"),
    }
}

/// Feeds a dialogue, each of its turns in pieces of at most `size`; stops where the parser says so.
pub fn feed<P: SessionParser>(
    parser: &mut P,
    dialogue: &[(FlowSide, Vec<u8>)],
    size: usize,
) -> (Vec<P::Message>, ParserStatus) {
    let (mut out, mut status, mut stopped) = (Vec::new(), ParserStatus::Continue, [false; 2]);
    for (n, (side, bytes)) in dialogue.iter().enumerate() {
        let ts = Timestamp::from_secs(n as u64);
        for bytes in bytes.chunks(size) {
            if stopped[side.index()] {
                continue;
            }
            status = parser.feed_into(StreamChunk::new(*side, ts, 0, bytes), &mut out);
            match status {
                ParserStatus::StopSide(side) => stopped[side.index()] = true,
                ParserStatus::Done | ParserStatus::Failed(_) => return (out, status),
                _ => {}
            }
        }
    }
    (out, status)
}

/// What a parser says of a dialogue in short, and what it wants at the end.
pub fn parse(
    parser: &TlsParser,
    dialogue: &[(FlowSide, Vec<u8>)],
    size: usize,
) -> (Vec<String>, ParserStatus) {
    let (out, status) = feed(&mut parser.clone(), dialogue, size);
    (out.iter().map(describe).collect(), status)
}

/// A full handshake of TLS 1.2, both sides' first encrypted data included.
pub fn tls12() -> Dialogue {
    let server = hello(0x0303, &[0xc02f]).session(&[5; 32]).alpn(&[b"h2"]);
    let (server, chain) = (server.server(), certificate(&[&[1; 900], &[2; 1100]]));
    let client = hello(0x0303, &[0xc02f, 0xc030]).name("old.example").alpn(&[b"h2", b"http/1.1"]);
    let key_exchange = clear(&[&message(16, &[4; 66])]);
    vec![
        (I, clear(&[&client.client()])),
        (R, clear(&[&server, &chain, &key_exchange_x25519(), &message(14, &[])])),
        (I, [key_exchange, change_cipher(), finished()].concat()),
        (R, [change_cipher(), finished(), data(100)].concat()),
        (I, data(100)),
    ]
}

/// A ServerKeyExchange over x25519.
pub fn key_exchange_x25519() -> Vec<u8> {
    message(12, &[&[3, 0, 29, 32][..], &[3; 296]].concat())
}

/// A handshake of TLS 1.3.
pub fn tls13() -> Dialogue {
    vec![
        (I, clear(&[&client13("new.example").client()])),
        (R, [clear(&[&server13().server()]), change_cipher(), data(600)].concat()),
        (I, [change_cipher(), data(53), data(200)].concat()),
        (R, data(100)),
    ]
}

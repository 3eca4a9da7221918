//! Connections of TLS, sealed with secrets of the test's choice, and what a parser reads of them.

use std::sync::Arc;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use chacha20poly1305::ChaCha20Poly1305;
use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{ParserStatus, SessionParser, StreamChunk, Timestamp};
use flowscope_decrypt::{KeyLog, TlsDecryption};
use flowscope_tls::TlsHandshake;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384};

pub(crate) const CLIENT: FlowSide = Initiator;
pub(crate) const SERVER: FlowSide = Responder;
pub(crate) const CLIENT_RANDOM: [u8; 32] = [0xc1; 32];
const SERVER_RANDOM: [u8; 32] = [0x5e; 32];

pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(crate) const DATA: u8 = 23;

/// Bytes that a side sends.
pub(crate) type Turns = Vec<(FlowSide, Vec<u8>)>;

pub(crate) const TLS12: [u16; 3] = [0xc02f, 0xc030, 0xcca8];
pub(crate) const TLS13: [u16; 3] = [0x1301, 0x1302, 0x1303];

/// Seals the records of one side.
pub(crate) struct Sealer {
    cipher: u16,
    secret: Vec<u8>,
    key: Vec<u8>,
    iv: Vec<u8>,
    sequence: u64,
    /// Length of the padding of records of TLS 1.3, in bytes.
    pub(crate) padding: usize,
}

/// The ends of a connection.
pub(crate) struct Ends {
    cipher: u16,
    pub(crate) client: Sealer,
    pub(crate) server: Sealer,
    secrets: Vec<(&'static str, Vec<u8>)>,
}

/// How a connection begins.
#[derive(Clone, Copy, Default)]
pub(crate) struct Beginning {
    pub(crate) early_data: bool,
    /// The server sends this before the client has finished the handshake.
    pub(crate) early_answer: Option<&'static [u8]>,
}

fn is_tls13(cipher: u16) -> bool {
    cipher >> 8 == 0x13
}

fn has_sha384(cipher: u16) -> bool {
    matches!(cipher, 0x1302 | 0xc030)
}

fn expand(secret: &[u8], label: &str, len: usize) -> Vec<u8> {
    let mut info = vec![0, len as u8, 6 + label.len() as u8];
    info.extend(b"tls13 ");
    info.extend(label.as_bytes());
    info.push(0);
    let mut out = vec![0; len];
    match secret.len() {
        32 => Hkdf::<Sha256>::from_prk(secret).unwrap().expand(&info, &mut out).unwrap(),
        _ => Hkdf::<Sha384>::from_prk(secret).unwrap().expand(&info, &mut out).unwrap(),
    }
    out
}

fn prf<M: Mac + KeyInit>(secret: &[u8], seed: &[u8]) -> Vec<u8> {
    let mac = |bytes: &[u8]| {
        let mut mac = <M as KeyInit>::new_from_slice(secret).unwrap();
        mac.update(bytes);
        mac.finalize().into_bytes().to_vec()
    };
    let (mut a, mut out) = (mac(seed), Vec::new());
    while out.len() < 88 {
        out.extend(mac(&[&a[..], seed].concat()));
        a = mac(&a);
    }
    out
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, high, mid, low] = (body.len() as u32).to_be_bytes();
    [&[kind, high, mid, low][..], body].concat()
}

fn hello(random: [u8; 32], ciphers: &[u8], extensions: &[u8]) -> Vec<u8> {
    let len = (extensions.len() as u16).to_be_bytes();
    [&[3, 3][..], &random, &[0], ciphers, &len, extensions].concat()
}

impl Sealer {
    fn tls13(cipher: u16, secret: Vec<u8>) -> Self {
        let key = expand(&secret, "key", if cipher == 0x1301 { 16 } else { 32 });
        let iv = expand(&secret, "iv", 12);
        Sealer { cipher, secret, key, iv, sequence: 0, padding: 3 }
    }

    /// The keys behind a KeyUpdate.
    pub(crate) fn update(&mut self) {
        let next = expand(&self.secret, "traffic upd", self.secret.len());
        *self = Sealer::tls13(self.cipher, next);
    }

    /// A record with this content.
    pub(crate) fn seal(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
        let number = self.sequence.to_be_bytes();
        self.sequence += 1;
        let mut nonce: [u8; 12] = self.iv.clone().try_into().unwrap_or_default();
        let explicit = !is_tls13(self.cipher) && self.cipher != 0xcca8;
        if explicit {
            nonce[..4].copy_from_slice(&self.iv);
            nonce[4..].copy_from_slice(&number);
        } else {
            nonce[4..].iter_mut().zip(number).for_each(|(to, byte)| *to ^= byte);
        }
        if is_tls13(self.cipher) {
            let inner = [content, &[kind], &vec![0; self.padding]].concat();
            let header = [&[DATA, 3, 3][..], &(inner.len() as u16 + 16).to_be_bytes()].concat();
            return [&header[..], &self.encrypt(nonce, &header, &inner)].concat();
        }
        let len = (content.len() as u16).to_be_bytes();
        let aad = [&number[..], &[kind, 3, 3], &len].concat();
        let sealed = self.encrypt(nonce, &aad, content);
        record(kind, &[if explicit { &number[..] } else { &[] }, &sealed].concat())
    }

    fn encrypt(&self, nonce: [u8; 12], aad: &[u8], msg: &[u8]) -> Vec<u8> {
        let (nonce, payload) = (&nonce.into(), Payload { msg, aad });
        match self.cipher {
            0x1301 | 0xc02f => {
                Aes128Gcm::new_from_slice(&self.key).unwrap().encrypt(nonce, payload).unwrap()
            }
            0x1302 | 0xc030 => {
                Aes256Gcm::new_from_slice(&self.key).unwrap().encrypt(nonce, payload).unwrap()
            }
            _ => {
                let aead = ChaCha20Poly1305::new_from_slice(&self.key).unwrap();
                aead.encrypt(nonce, payload).unwrap()
            }
        }
    }

    /// Data, in records of at most this length.
    pub(crate) fn data(&mut self, bytes: &[u8], len: usize) -> Vec<u8> {
        bytes.chunks(len).flat_map(|piece| self.seal(DATA, piece)).collect()
    }
}

impl Ends {
    /// The two ends of a new connection with this cipher suite, and its handshake.
    pub(crate) fn new(cipher: u16, beginning: Beginning) -> (Self, Turns) {
        let offer = [&[0, 2][..], &cipher.to_be_bytes(), &[1, 0]].concat();
        let choice = [&cipher.to_be_bytes()[..], &[0]].concat();
        if is_tls13(cipher) {
            return Ends::tls13(cipher, &offer, &choice, beginning);
        }
        let master = vec![0x3a; 48];
        let seed = [&b"key expansion"[..], &SERVER_RANDOM, &CLIENT_RANDOM].concat();
        let block = if has_sha384(cipher) {
            prf::<Hmac<Sha384>>(&master, &seed)
        } else {
            prf::<Hmac<Sha256>>(&master, &seed)
        };
        let (key, iv) = match cipher {
            0xc02f => (16, 4),
            0xc030 => (32, 4),
            _ => (32, 12),
        };
        let sealer = |place: usize| Sealer {
            cipher,
            secret: Vec::new(),
            key: block[place * key..][..key].to_vec(),
            iv: block[2 * key + place * iv..][..iv].to_vec(),
            sequence: 0,
            padding: 0,
        };
        let (mut client, mut server) = (sealer(0), sealer(1));
        let client_hello = hello(CLIENT_RANDOM, &offer, b"\0\x10\0\x05\0\x03\x02h2");
        let server_hello = hello(SERVER_RANDOM, &choice, b"\0\x10\0\x05\0\x03\x02h2");
        let server_flight = [message(2, &server_hello), message(14, b"")].concat();
        let finished = message(20, &[0; 12]);
        let turns = vec![
            (CLIENT, record(HANDSHAKE, &message(1, &client_hello))),
            (SERVER, record(HANDSHAKE, &server_flight)),
            (
                CLIENT,
                [
                    record(HANDSHAKE, &message(16, &[1; 33])),
                    record(20, &[1]),
                    client.seal(HANDSHAKE, &finished),
                ]
                .concat(),
            ),
            (SERVER, [record(20, &[1]), server.seal(HANDSHAKE, &finished)].concat()),
        ];
        (Ends { cipher, client, server, secrets: vec![("CLIENT_RANDOM", master)] }, turns)
    }

    fn tls13(cipher: u16, offer: &[u8], choice: &[u8], beginning: Beginning) -> (Self, Turns) {
        let secret = |byte: u8| vec![byte; if has_sha384(cipher) { 48 } else { 32 }];
        let mut handshakes = [0x11, 0x12].map(|byte| Sealer::tls13(cipher, secret(byte)));
        let client = Sealer::tls13(cipher, secret(0x13));
        let mut server = Sealer::tls13(cipher, secret(0x14));
        let mut extensions = b"\0\x2b\0\x03\x02\x03\x04".to_vec();
        if beginning.early_data {
            extensions.extend(b"\0\x2a\0\0");
        }
        let mut first = record(HANDSHAKE, &message(1, &hello(CLIENT_RANDOM, offer, &extensions)));
        if beginning.early_data {
            let mut early = Sealer::tls13(cipher, secret(0x15));
            first.extend(early.seal(DATA, b"early"));
        }
        let extensions = message(8, b"\0\x09\0\x10\0\x05\0\x03\x02h2");
        let finished = message(20, &vec![0; secret(0).len()]);
        let [of_client, of_server] = &mut handshakes;
        let server_hello = hello(SERVER_RANDOM, choice, b"\0\x2b\0\x02\x03\x04");
        let mut flight = [
            record(HANDSHAKE, &message(2, &server_hello)),
            record(20, &[1]),
            of_server.seal(HANDSHAKE, &extensions),
            of_server.seal(HANDSHAKE, &finished[..7]),
            of_server.seal(HANDSHAKE, &finished[7..]),
        ]
        .concat();
        if let Some(answer) = beginning.early_answer {
            flight.extend(server.seal(DATA, answer));
        }
        let turns = vec![
            (CLIENT, first),
            (SERVER, flight),
            (CLIENT, [record(20, &[1]), of_client.seal(HANDSHAKE, &finished)].concat()),
        ];
        let secrets = vec![
            ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", secret(0x11)),
            ("SERVER_HANDSHAKE_TRAFFIC_SECRET", secret(0x12)),
            ("CLIENT_TRAFFIC_SECRET_0", secret(0x13)),
            ("SERVER_TRAFFIC_SECRET_0", secret(0x14)),
        ];
        (Ends { cipher, client, server, secrets }, turns)
    }

    /// Length of a record with so much data, in bytes.
    pub(crate) fn record_len(&self, data: usize) -> usize {
        let overhead = match self.cipher {
            0x1301..=0x1303 => 16 + 1 + 3,
            0xcca8 => 16,
            _ => 8 + 16,
        };
        5 + data + overhead
    }

    /// The key log of the connection, those lines whose label contains `of`.
    pub(crate) fn log(&self, of: &str) -> KeyLog {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let lines = self.secrets.iter().filter(|(label, _)| label.contains(of));
        let text: String = lines
            .map(|(label, secret)| format!("{label} {} {}\n", hex(&CLIENT_RANDOM), hex(secret)))
            .collect();
        let mut log = KeyLog::new();
        log.extend(text.as_bytes());
        log
    }
}

/// What a parser has read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) records: Vec<TlsHandshake>,
    /// What the streams of the two sides carry, by position.
    pub(crate) carried: [Vec<(u64, Vec<u8>)>; 2],
    pub(crate) protocol: Option<&'static str>,
}

/// Reads bytes as an engine does.
pub(crate) struct Reading {
    pub(crate) parser: TlsDecryption,
    pub(crate) seen: Seen,
    pub(crate) stopped: [bool; 2],
    pub(crate) most_heap: usize,
}

impl Reading {
    pub(crate) fn new(log: KeyLog) -> Self {
        Reading {
            parser: TlsDecryption::new(Arc::new(log)),
            seen: Seen::default(),
            stopped: [false; 2],
            most_heap: 0,
        }
    }

    pub(crate) fn feed(&mut self, side: FlowSide, bytes: &[u8]) {
        if !self.stopped[side.index()] && !bytes.is_empty() {
            let chunk = StreamChunk::new(side, Timestamp::from_secs(7), 0, bytes);
            let status = self.parser.feed_into(chunk, &mut self.seen.records);
            self.apply(status);
        }
    }

    pub(crate) fn gap(&mut self, side: FlowSide, len: u64) {
        if !self.stopped[side.index()] {
            let status = self.parser.gap(side, len, &mut self.seen.records);
            self.apply(status);
        }
    }

    pub(crate) fn end(mut self) -> Seen {
        if self.stopped != [true; 2] {
            self.finish();
        }
        self.seen
    }

    fn apply(&mut self, status: ParserStatus) {
        self.most_heap = self.most_heap.max(self.parser.heap_bytes());
        match status {
            ParserStatus::Continue => {}
            ParserStatus::Carries(protocol) => self.take(protocol),
            ParserStatus::StopSide(side) => self.stopped[side.index()] = true,
            ParserStatus::Done | ParserStatus::Failed(_) => self.stopped = [true; 2],
            other => panic!("{other:?}"),
        }
        if self.stopped == [true; 2] {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.parser.end(&mut self.seen.records);
        if let ParserStatus::Carries(protocol) = self.parser.end_status() {
            self.take(protocol);
        }
    }

    fn take(&mut self, protocol: Option<&'static str>) {
        self.seen.protocol = protocol;
        for side in [SERVER, CLIENT] {
            let carried = &mut self.seen.carried[side.index()];
            while let Some(taken) = self.parser.take_remainder(side) {
                match carried.last_mut() {
                    Some((at, bytes)) if *at + bytes.len() as u64 == taken.offset => {
                        bytes.extend(taken.bytes);
                    }
                    _ => carried.push((taken.offset, taken.bytes)),
                }
            }
        }
    }
}

/// What is read of these turns, cut into pieces of `size`.
pub(crate) fn read(log: KeyLog, turns: &Turns, size: usize) -> Seen {
    let mut reading = Reading::new(log);
    for (side, bytes) in turns {
        bytes.chunks(size).for_each(|piece| reading.feed(*side, piece));
    }
    reading.end()
}

/// A connection on which each side says this, after its handshake.
pub(crate) fn conversation(cipher: u16, says: [&[u8]; 2], record_len: usize) -> (Ends, Turns) {
    let (mut ends, mut turns) = Ends::new(cipher, Beginning::default());
    turns.push((CLIENT, ends.client.data(says[0], record_len)));
    turns.push((SERVER, ends.server.data(says[1], record_len)));
    (ends, turns)
}

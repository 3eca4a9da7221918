use std::fmt;
use std::sync::Arc;

use flowscope_core::{
    FlowSide, ParserStatus, Probe, Remainder, SessionParser, StreamChunk, Timestamp, feed_once,
};
use flowscope_tls::{ClientHello, ServerHello, TlsHandshake, TlsHandshakes, TlsVersion};

use crate::alpn;
use crate::keys::RecordKeys;
use crate::schedule::KeyBlock;
use crate::secrets::{SecretLabel, SecretSource};
use crate::side::{Keys, Side, Tls13};
use crate::suite::Suite;

/// Reads TLS as [`TlsHandshakes`] does, with the same records, and decrypts the connections whose secrets are known:
/// the streams within them are [carried](ParserStatus::Carries).
///
/// Secrets are looked for when both hellos are there; those that come later are not used. A connection that has none,
/// or a suite that is not supported, is read no further than its handshake, as without a key log.
///
/// Positions in the streams that are carried count the bytes of the application protocol, from the first one on. Data
/// that was lost, or is early, counts with its length: exactly where the records are known, else with what the bytes
/// on the wire can have held. Of what was lost between records, up to 64 records are passed over: the first one that is
/// whole shows how many there were. Where it does not begin right behind the gap, or is not authentic, its side is
/// over, as it is after any record that is not authentic; the other side goes on. The name of the protocol is that of
/// ALPN, where that was seen.
///
/// What is carried waits until the record of the handshake is there, or the connection ends, up to 64 KiB.
///
/// Memory: that of [`TlsHandshakes`]; of each side its keys, and of one record of up to 16 640 bytes what has arrived;
/// and what was decrypted until it is taken: 64 KiB that wait, and what is in one chunk. Buffers that grow are up to
/// twice as large.
#[derive(Clone)]
pub struct TlsDecryption {
    secrets: Arc<dyn SecretSource>,
    /// `None` once they have been read.
    handshakes: Option<TlsHandshakes>,
    /// Sides of which the handshake is not read any more.
    stopped: [bool; 2],
    sides: [Side; 2],
    state: State,
    /// What the two ends have agreed on.
    protocol: Option<&'static str>,
    /// What is carried may be taken.
    released: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// The hellos have not been read.
    Waiting,
    /// There are secrets.
    Decrypting,
    /// There are none.
    Closed,
}

impl TlsDecryption {
    /// A parser that takes the secrets of a connection from there.
    #[must_use]
    pub fn new(secrets: Arc<dyn SecretSource>) -> Self {
        TlsDecryption {
            secrets,
            handshakes: Some(TlsHandshakes::default()),
            stopped: [false; 2],
            sides: [Side::default(), Side::default()],
            state: State::Waiting,
            protocol: None,
            released: false,
        }
    }

    /// Lets the handshakes read, unless they do not want to any more.
    fn handshake(
        &mut self,
        side: FlowSide,
        out: &mut Vec<TlsHandshake>,
        read: impl FnOnce(&mut TlsHandshakes, &mut Vec<TlsHandshake>) -> ParserStatus,
    ) -> ParserStatus {
        if self.stopped[side.index()] {
            return ParserStatus::StopSide(side);
        }
        let Some(handshakes) = &mut self.handshakes else { return ParserStatus::Done };
        // Those before it are of other connections.
        let before = out.len();
        let status = read(handshakes, out);
        if self.state == State::Waiting {
            self.look_for_secrets(out.get(before..).and_then(<[_]>::last));
        }
        match status {
            ParserStatus::StopSide(side) => self.stopped[side.index()] = true,
            ParserStatus::Done | ParserStatus::Failed(_) => self.handshakes = None,
            _ => {}
        }
        if self.stopped == [true; 2]
            && let Some(mut handshakes) = self.handshakes.take()
        {
            handshakes.end(out);
        }
        status
    }

    /// Looks for secrets once both hellos are there: under way, or in the record that has just been made of them.
    fn look_for_secrets(&mut self, record: Option<&TlsHandshake>) {
        let under_way = self.handshakes.as_ref();
        let (client, server) = match (record, under_way) {
            (Some(record), _) => (record.client_hello.as_ref(), record.server_hello.as_ref()),
            (None, Some(under_way)) => (under_way.client_hello(), under_way.server_hello()),
            (None, None) => return,
        };
        let Some(client) = client else { return };
        let client_side = client.side().index();
        self.sides[client_side].set_early_data(client.has_early_data());
        let Some(server) = server else { return };
        let server_side = server.side().index();
        self.protocol = server.alpn().and_then(alpn::protocol);
        self.state = match keys(&*self.secrets, client, server) {
            Some([client_keys, server_keys]) if client_side != server_side => {
                self.sides[client_side].set_keys(client_keys);
                self.sides[server_side].set_keys(server_keys);
                State::Decrypting
            }
            _ => {
                self.sides.iter_mut().for_each(Side::give_up);
                State::Closed
            }
        };
    }

    fn reads(&self, side: FlowSide) -> bool {
        let of_handshake = self.handshakes.is_some() && !self.stopped[side.index()];
        of_handshake || !self.sides[side.index()].is_over()
    }

    /// What is needed next; `status` is that of the handshakes.
    fn status(&mut self, side: FlowSide, status: ParserStatus) -> ParserStatus {
        if let ParserStatus::Failed(_) = status {
            self.sides = [Side::default(), Side::default()];
            self.sides.iter_mut().for_each(Side::give_up);
        }
        if self.state != State::Decrypting || matches!(status, ParserStatus::Failed(_)) {
            return status;
        }
        let ready = self.sides.iter().map(Side::ready_bytes).sum::<usize>();
        self.released |= self.handshakes.is_none() || ready > MAX_WAITING;
        if self.released && ready > 0 {
            return ParserStatus::Carries(self.protocol);
        }
        match (self.reads(side), self.reads(!side)) {
            (true, _) => ParserStatus::Continue,
            (false, true) => ParserStatus::StopSide(side),
            (false, false) => ParserStatus::Done,
        }
    }
}

/// The keys of client and server; `None` if there are none of either, or the suite is not supported.
fn keys(
    secrets: &dyn SecretSource,
    client: &ClientHello,
    server: &ServerHello,
) -> Option<[Option<Keys>; 2]> {
    let suite = Suite::of(server.cipher())?;
    let is_tls13 = server.version() == TlsVersion::TLS_1_3;
    if Suite::is_tls13(server.cipher()) != is_tls13
        || !is_tls13 && server.version() != TlsVersion::TLS_1_2
    {
        return None;
    }
    let session = secrets.session(client.random().try_into().ok()?)?;
    let keys = if is_tls13 {
        use SecretLabel::{ClientHandshake, ClientTraffic, ServerHandshake, ServerTraffic};
        let of = |handshake, traffic| {
            let keys = Tls13::new(suite, session.secret(handshake), session.secret(traffic)?)?;
            Some(Keys::Tls13(Box::new(keys)))
        };
        [of(ClientHandshake, ClientTraffic), of(ServerHandshake, ServerTraffic)]
    } else {
        let master = session.secret(SecretLabel::Master)?;
        let block = KeyBlock::new(suite, master, client.random(), server.random())?;
        [true, false].map(|is_client| {
            let (key, nonce) = block.of(is_client)?;
            RecordKeys::tls12(suite, key, nonce).map(Keys::Tls12)
        })
    };
    keys.iter().any(Option::is_some).then_some(keys)
}

impl SessionParser for TlsDecryption {
    type Message = TlsHandshake;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<TlsHandshake> {
        feed_once(self, StreamChunk::new(FlowSide::Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<TlsHandshake> {
        feed_once(self, StreamChunk::new(FlowSide::Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<TlsHandshake>) -> ParserStatus {
        if self.released {
            self.sides.iter_mut().for_each(Side::drop_ready);
        }
        let side = chunk.side;
        let status = self.handshake(side, out, |read, out| read.feed_into(chunk, out));
        self.sides[side.index()].feed(chunk.bytes, &mut self.protocol);
        self.status(side, status)
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<TlsHandshake>) -> ParserStatus {
        if self.released {
            self.sides.iter_mut().for_each(Side::drop_ready);
        }
        let status = self.handshake(side, out, |read, out| read.gap(side, len, out));
        self.sides[side.index()].gap(len);
        self.status(side, status)
    }

    fn fin(&mut self, side: FlowSide, out: &mut Vec<TlsHandshake>) {
        if let Some(handshakes) = &mut self.handshakes
            && !self.stopped[side.index()]
        {
            handshakes.fin(side, out);
        }
    }

    fn rst(&mut self, side: FlowSide, out: &mut Vec<TlsHandshake>) {
        if let Some(handshakes) = &mut self.handshakes {
            handshakes.rst(side, out);
        }
    }

    fn end(&mut self, out: &mut Vec<TlsHandshake>) {
        self.released = true;
        if let Some(mut handshakes) = self.handshakes.take() {
            handshakes.end(out);
        }
    }

    fn end_status(&self) -> ParserStatus {
        let has_bytes = self.released && self.sides.iter().any(|side| side.ready_bytes() > 0);
        if has_bytes { ParserStatus::Carries(self.protocol) } else { ParserStatus::Done }
    }

    fn take_remainder(&mut self, side: FlowSide) -> Option<Remainder> {
        if self.released { self.sides[side.index()].take_ready() } else { None }
    }

    fn heap_bytes(&self) -> usize {
        self.handshakes.as_ref().map_or(0, SessionParser::heap_bytes)
            + self.sides.iter().map(Side::heap_bytes).sum::<usize>()
    }

    fn probe(side: FlowSide, start: &[u8]) -> Probe {
        TlsHandshakes::probe(side, start)
    }
}

impl fmt::Debug for TlsDecryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsDecryption").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Bytes that wait for the record of the handshake at most, with the memory for each piece.
const MAX_WAITING: usize = 1 << 16;

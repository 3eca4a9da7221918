use std::collections::VecDeque;

use flowscope_core::Remainder;

use crate::alpn;
use crate::keys::{Decrypted, RecordKeys};
use crate::messages::{Messages, kind};
use crate::records::{Lost, Records, Step};
use crate::schedule::next_traffic_secret;
use crate::secrets::Secret;
use crate::suite::Suite;

/// The records of one side, and what was in them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    records: Records,
    keys: Option<Keys>,
    /// A ChangeCipherSpec was sent: in TLS 1.2 all that follows is protected.
    changed_cipher: bool,
    /// So many bytes were lost, and the next record has to show how many records they were.
    lost: Option<u64>,
    /// It may send early data, with keys that are not used here.
    early_data: bool,
    /// Nothing of it is decrypted any more.
    over: bool,
    /// Position in the stream that is carried.
    offset: u64,
    ready: VecDeque<Remainder>,
    /// What is ready, each piece with [`PIECE`].
    ready_bytes: usize,
}

/// The keys of one side.
#[derive(Clone, Debug)]
pub(crate) enum Keys {
    Tls12(RecordKeys),
    Tls13(Box<Tls13>),
}

/// Keys of TLS 1.3, which change.
#[derive(Clone, Debug)]
pub(crate) struct Tls13 {
    suite: Suite,
    /// Those of the handshake; `None` if they are not known.
    handshake: Option<RecordKeys>,
    traffic: RecordKeys,
    secret: Secret,
    /// The handshake is over.
    in_traffic: bool,
    messages: Messages,
    /// Records of the handshake, or before it, that were not decrypted.
    undecrypted: u16,
}

/// What became of a record.
enum Outcome {
    /// What was in it, and whether it has the keys of data, not those of the handshake.
    Decrypted(Decrypted, bool),
    /// It has other keys, as early data has.
    OtherKeys,
    /// It is not authentic, or keys that are not known have come into use.
    Failed,
}

impl Tls13 {
    /// Keys of a side with these secrets; `None` if they are not secrets of the suite.
    pub(crate) fn new(suite: Suite, handshake: Option<&Secret>, traffic: &Secret) -> Option<Self> {
        Some(Tls13 {
            suite,
            handshake: handshake.and_then(|secret| RecordKeys::tls13(suite, secret)),
            traffic: RecordKeys::tls13(suite, traffic)?,
            secret: traffic.clone(),
            in_traffic: false,
            messages: Messages::default(),
            undecrypted: 0,
        })
    }

    fn decrypt(
        &mut self,
        header: &[u8; 5],
        body: &[u8],
        ahead: u64,
        early_data: bool,
        protocol: &mut Option<&'static str>,
    ) -> Outcome {
        if !self.in_traffic {
            let handshake = self.handshake.as_mut();
            if let Some(decrypted) = handshake.and_then(|keys| keys.decrypt(header, body, ahead)) {
                self.handshake_record(&decrypted, protocol);
                return Outcome::Decrypted(decrypted, false);
            }
        }
        // Without keys of the handshake, the first record that is decrypted shows that it is over.
        if let Some(decrypted) = self.traffic.decrypt(header, body, ahead) {
            self.in_traffic = true;
            self.handshake = None;
            return match self.traffic_record(&decrypted) {
                Some(()) => Outcome::Decrypted(decrypted, true),
                None => Outcome::Failed,
            };
        }
        self.undecrypted += 1;
        let is_patient = !self.in_traffic && (early_data || self.handshake.is_none());
        if is_patient && self.undecrypted < MAX_UNDECRYPTED {
            Outcome::OtherKeys
        } else {
            Outcome::Failed
        }
    }

    fn handshake_record(&mut self, decrypted: &Decrypted, protocol: &mut Option<&'static str>) {
        if decrypted.kind != HANDSHAKE {
            return;
        }
        let finished = &mut self.in_traffic;
        self.messages.feed(&decrypted.content, |kind, body| match kind {
            kind::ENCRYPTED_EXTENSIONS => *protocol = alpn::of_encrypted_extensions(body),
            kind::FINISHED => *finished = true,
            _ => {}
        });
        if self.in_traffic {
            self.handshake = None;
            self.messages = Messages::default();
        }
    }

    fn traffic_record(&mut self, decrypted: &Decrypted) -> Option<()> {
        if decrypted.kind != HANDSHAKE {
            return Some(());
        }
        let mut is_update = false;
        self.messages.feed(&decrypted.content, |kind, _| is_update |= kind == kind::KEY_UPDATE);
        if is_update {
            self.secret = next_traffic_secret(self.suite.hash, &self.secret)?;
            self.traffic = RecordKeys::tls13(self.suite, &self.secret)?;
        }
        Some(())
    }
}

impl Keys {
    fn decrypt(
        &mut self,
        header: &[u8; 5],
        body: &[u8],
        ahead: u64,
        early_data: bool,
        protocol: &mut Option<&'static str>,
    ) -> Outcome {
        match self {
            Keys::Tls13(keys) => keys.decrypt(header, body, ahead, early_data, protocol),
            Keys::Tls12(keys) => match keys.decrypt(header, body, ahead) {
                // A renegotiation: keys follow that no log has.
                Some(Decrypted { kind: CHANGE_CIPHER_SPEC, .. }) | None => Outcome::Failed,
                Some(decrypted) => Outcome::Decrypted(decrypted, true),
            },
        }
    }

    /// Passes over a record that was lost; returns by how much it was longer than its content, if that was data.
    fn pass(&mut self) -> Option<u64> {
        match self {
            Keys::Tls12(keys) => {
                keys.pass();
                Some(keys.overhead())
            }
            Keys::Tls13(keys) => {
                keys.messages = Messages::default();
                if keys.in_traffic {
                    keys.traffic.pass();
                    return Some(keys.traffic.overhead());
                }
                if let Some(handshake) = &mut keys.handshake {
                    handshake.pass();
                }
                None
            }
        }
    }

    /// By how much a record is longer than its content, with its header.
    fn record_overhead(&self) -> u64 {
        HEADER
            + match self {
                Keys::Tls12(keys) => keys.overhead(),
                Keys::Tls13(keys) => keys.traffic.overhead(),
            }
    }
}

impl Side {
    /// Gives the side its keys.
    pub(crate) fn set_keys(&mut self, keys: Option<Keys>) {
        self.over |= keys.is_none();
        self.keys = keys;
    }

    /// Sets whether the side may send early data.
    pub(crate) fn set_early_data(&mut self, early_data: bool) {
        self.early_data = early_data;
    }

    fn is_tls12(&self) -> bool {
        matches!(self.keys, Some(Keys::Tls12(_)))
    }

    /// Takes the next bytes of the side. `protocol` is set to what the two ends agree on.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], protocol: &mut Option<&'static str>) {
        while !self.over {
            let all = self.is_tls12() && self.changed_cipher;
            let has_keys = self.keys.is_some();
            let protects = |kind: u8| has_keys && (all || kind == APPLICATION_DATA);
            match self.records.next(&mut bytes, protects) {
                None => return,
                Some(Step::Clear { kind: APPLICATION_DATA, len }) if self.early_data => {
                    self.pass_data(early_data(len));
                }
                Some(Step::Clear { kind: CHANGE_CIPHER_SPEC, .. }) if self.lost.is_none() => {
                    self.changed_cipher = true;
                }
                Some(Step::Clear { kind, .. })
                    if kind != APPLICATION_DATA && self.lost.is_none() => {}
                Some(Step::Clear { .. } | Step::Invalid) => self.give_up(),
                Some(Step::Protected { header, body }) => {
                    let Some(keys) = &mut self.keys else { return };
                    let ahead = if self.lost.is_some() { MAX_LOST } else { 0 };
                    let len = body.len();
                    match keys.decrypt(&header, body, ahead, self.early_data, protocol) {
                        Outcome::Decrypted(decrypted, in_traffic) => {
                            self.handle_record(decrypted, in_traffic);
                        }
                        Outcome::OtherKeys if self.early_data => self.pass_data(early_data(len)),
                        Outcome::OtherKeys => {}
                        Outcome::Failed => self.give_up(),
                    }
                }
            }
        }
    }

    /// Goes over `len` bytes that were never captured; 0 if the side is picked up in the middle.
    pub(crate) fn gap(&mut self, len: u64) {
        if self.over {
            return;
        }
        let keys_are_in_use = self.changed_cipher || !self.is_tls12();
        match (self.records.gap(len), &mut self.keys) {
            (Lost::Clear, _) => {}
            (Lost::Protected { len }, Some(keys)) => {
                let data = keys.pass().map_or(0, |overhead| (len as u64).saturating_sub(overhead));
                self.pass_data(data);
            }
            (Lost::Protected { .. }, None) => {}
            // In TLS 1.2 the change of keys may be among what was lost.
            (Lost::Boundary { bytes }, Some(keys)) if len > 0 && keys_are_in_use => {
                if let Keys::Tls13(keys) = keys {
                    keys.messages = Messages::default();
                }
                self.lost = Some(self.lost.unwrap_or(0).saturating_add(bytes));
            }
            (Lost::Boundary { .. }, _) => self.give_up(),
        }
    }

    /// Passes over data of the stream that is carried.
    fn pass_data(&mut self, len: u64) {
        self.offset = self.offset.saturating_add(len);
    }

    /// Handles a record, which has the keys of data or those of the handshake.
    fn handle_record(&mut self, decrypted: Decrypted, in_traffic: bool) {
        // What was lost before a record of the handshake is of the handshake, or before it.
        if let Some((lost, keys)) = self.lost.take().zip(self.keys.as_ref())
            && in_traffic
        {
            let overhead = decrypted.passed.saturating_mul(keys.record_overhead());
            self.pass_data(lost.saturating_sub(overhead).max(1));
        }
        if decrypted.kind != APPLICATION_DATA || decrypted.content.is_empty() {
            return;
        }
        let (offset, mut bytes) = (self.offset, decrypted.content);
        self.pass_data(bytes.len() as u64);
        self.ready_bytes += bytes.len();
        match self.ready.back_mut() {
            Some(last) if last.offset.saturating_add(last.bytes.len() as u64) == offset => {
                last.bytes.extend_from_slice(&bytes);
            }
            _ => {
                // Of a record that was mostly padding.
                if bytes.capacity() / 2 > bytes.len() {
                    bytes.shrink_to_fit();
                }
                self.ready_bytes += PIECE;
                self.ready.push_back(Remainder { offset, bytes });
            }
        }
    }

    /// What was in the records, in order.
    pub(crate) fn take_ready(&mut self) -> Option<Remainder> {
        let ready = self.ready.pop_front()?;
        self.ready_bytes -= PIECE + ready.bytes.len();
        Some(ready)
    }

    /// Drops what was not taken.
    pub(crate) fn drop_ready(&mut self) {
        self.ready.clear();
        self.ready_bytes = 0;
    }

    /// What waits to be taken, with the memory for each piece, in bytes.
    pub(crate) fn ready_bytes(&self) -> usize {
        self.ready_bytes
    }

    /// Whether nothing of the side is decrypted any more.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    pub(crate) fn give_up(&mut self) {
        self.over = true;
        self.records = Records::default();
        self.keys = None;
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let keys = match &self.keys {
            Some(Keys::Tls13(keys)) => size_of::<Tls13>() + keys.messages.heap_bytes() + 2 * CIPHER,
            Some(Keys::Tls12(_)) => CIPHER,
            None => 0,
        };
        let ready = self.ready.iter().map(|ready| ready.bytes.capacity()).sum::<usize>();
        self.records.heap_bytes() + keys + ready + self.ready.capacity() * PIECE
    }
}

/// How much early data a record with a body of this length holds at most: tag and content type are no data.
fn early_data(len: usize) -> u64 {
    (len as u64).saturating_sub(17)
}

/// Content types (RFC 8446 §5.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

const HEADER: u64 = 5;
/// What a piece of the stream takes beside its bytes.
const PIECE: usize = size_of::<Remainder>();
/// So many records may be lost in a gap of which the records are not known.
const MAX_LOST: u64 = 64;
/// So many records before the first one that is decrypted may have other keys.
const MAX_UNDECRYPTED: u16 = 256;
/// An upper bound on the expanded key of a cipher, in bytes.
const CIPHER: usize = 1024;

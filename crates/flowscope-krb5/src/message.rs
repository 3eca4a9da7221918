use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};

use crate::{Krb5Encryption, names};

/// A request with its answer, or an answer without a request. Sections are those of RFC 4120.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Krb5Exchange {
    /// When the request was captured; without one, the answer.
    pub ts: Timestamp,
    /// Who sent the request, or would have.
    pub side: FlowSide,
    /// The type of the request; `None` if it was not captured.
    pub request: Option<Krb5MessageType>,
    /// The type of the answer; `None` if there was none.
    pub response: Option<Krb5MessageType>,
    /// The client: of the answer, else of the request. Its components between slashes, up to 256 bytes (§5.2.2). The request for
    /// the ticket of a service does not name it.
    pub client: Option<Vec<u8>>,
    /// The realm of the client of an answer, else that of the server, up to 128 bytes (§5.2.2).
    pub realm: Option<Vec<u8>>,
    /// The service that the ticket is for, of the answer, else of the request. As `client`, up to 256 bytes.
    pub service: Option<Vec<u8>>,
    /// What the client wants of the ticket (§5.4.1).
    pub options: Option<Krb5Options>,
    /// When the ticket is to begin, to end, and to be renewed no more. The epoch is as late as the server allows (§5.4.1).
    pub from: Option<Timestamp>,
    /// See [`from`](Self::from).
    pub till: Option<Timestamp>,
    /// See [`from`](Self::from).
    pub renew_till: Option<Timestamp>,
    /// The encryption types that the client offers, in its order; the first 32 (§5.4.1).
    pub offered: Vec<Krb5Encryption>,
    /// The types of the pre-authentication data of the request, the first 16 (§5.2.7, §7.5.2): 2 is an encrypted timestamp, 16
    /// a signature, 138 an encrypted challenge.
    pub preauth: Vec<i32>,
    /// How the answer is encrypted; with a key of the client (§5.4.2).
    pub encryption: Option<Krb5Encryption>,
    /// How the ticket is encrypted; with a key of the service (§5.3).
    pub ticket_encryption: Option<Krb5Encryption>,
    /// The code of an error (§7.5.9).
    pub error_code: Option<i32>,
    /// What the server says of an error, up to 128 bytes (§5.9.1).
    pub error_text: Option<Vec<u8>>,
    /// Repetitions of the request before its answer: of the same type, with the same nonce. Later ones are not counted.
    pub retransmissions: u32,
    /// From the request to its answer.
    pub latency: Option<Duration>,
}

/// The type of a message (RFC 4120 §7.5.7).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Krb5MessageType(pub u8);

impl Krb5MessageType {
    /// A client wants a ticket, in most cases one that gets it others.
    pub const AS_REQ: Krb5MessageType = Krb5MessageType(10);
    /// It gets it.
    pub const AS_REP: Krb5MessageType = Krb5MessageType(11);
    /// A client that has a ticket wants one for a service.
    pub const TGS_REQ: Krb5MessageType = Krb5MessageType(12);
    /// It gets it.
    pub const TGS_REP: Krb5MessageType = Krb5MessageType(13);
    /// A client shows its ticket to a service.
    pub const AP_REQ: Krb5MessageType = Krb5MessageType(14);
    /// The service proves who it is.
    pub const AP_REP: Krb5MessageType = Krb5MessageType(15);
    /// The answer is no.
    pub const KRB_ERROR: Krb5MessageType = Krb5MessageType(30);

    /// The name, as Suricata has it, where the number has one.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            10 => "KRB_AS_REQ",
            11 => "KRB_AS_REP",
            12 => "KRB_TGS_REQ",
            13 => "KRB_TGS_REP",
            14 => "KRB_AP_REQ",
            15 => "KRB_AP_REP",
            20 => "KRB_SAFE",
            21 => "KRB_PRIV",
            22 => "KRB_CRED",
            30 => "KRB_ERROR",
            _ => return None,
        })
    }

    /// Whether it is a request.
    #[must_use]
    pub const fn is_request(self) -> bool {
        matches!(self.0, 10 | 12 | 14)
    }

    /// Whether it answers a request. KRB_SAFE, KRB_PRIV and KRB_CRED do not: applications send them in both directions (§3.4 to
    /// §3.6).
    #[must_use]
    pub const fn is_answer(self) -> bool {
        matches!(self.0, 11 | 13 | 15 | 30)
    }

    /// Whether it may answer a request of this type.
    #[must_use]
    pub const fn answers(self, request: Krb5MessageType) -> bool {
        request.is_request() && (self.0 == 30 || self.0 == request.0 + 1)
    }
}

/// Options of a request for a ticket, the first bit the highest (RFC 4120 §5.4.1).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Krb5Options(pub u32);

impl Krb5Options {
    /// Whether the option at this bit is set, counted from the first.
    #[must_use]
    pub const fn has(self, bit: u32) -> bool {
        bit < 32 && self.0 & (1 << (31 - bit)) != 0
    }

    /// Whether the ticket is to be used from other addresses too.
    #[must_use]
    pub const fn is_forwardable(self) -> bool {
        self.has(1)
    }

    /// Whether the ticket is to be renewed later.
    #[must_use]
    pub const fn is_renewable(self) -> bool {
        self.has(8)
    }

    /// The names of those that are set and have one.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        names::OPTIONS.into_iter().filter(move |(bit, _)| self.has(*bit)).map(|(_, name)| name)
    }
}

impl Krb5Exchange {
    /// One without a side, and without anything that was read.
    pub(crate) fn empty() -> Self {
        Krb5Exchange {
            ts: Timestamp::ZERO,
            side: FlowSide::Initiator,
            request: None,
            response: None,
            client: None,
            realm: None,
            service: None,
            options: None,
            from: None,
            till: None,
            renew_till: None,
            offered: Vec::new(),
            preauth: Vec::new(),
            encryption: None,
            ticket_encryption: None,
            error_code: None,
            error_text: None,
            retransmissions: 0,
            latency: None,
        }
    }

    /// Whether the client got what it asked for; `None` if there was no answer.
    #[must_use]
    pub fn success(&self) -> Option<bool> {
        self.response.map(|response| response != Krb5MessageType::KRB_ERROR)
    }

    /// The name of the error, where there is one and its code has a name (RFC 4120 §7.5.9).
    #[must_use]
    pub fn error(&self) -> Option<&'static str> {
        self.error_code.and_then(names::error)
    }

    /// Adds the answer. What it says counts more than what was asked.
    pub(crate) fn answered(&mut self, answer: Krb5Exchange) {
        self.latency = Some(answer.ts.since(self.ts));
        self.response = answer.response;
        self.client = answer.client.or(self.client.take());
        self.realm = answer.realm.or(self.realm.take());
        self.service = answer.service.or(self.service.take());
        self.encryption = answer.encryption;
        self.ticket_encryption = answer.ticket_encryption.or(self.ticket_encryption);
        self.error_code = answer.error_code;
        self.error_text = answer.error_text;
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let texts = [&self.client, &self.realm, &self.service, &self.error_text];
        texts.into_iter().flatten().map(Vec::capacity).sum::<usize>()
            + self.offered.capacity() * size_of::<Krb5Encryption>()
            + self.preauth.capacity() * size_of::<i32>()
    }
}

use std::fmt;

use flowscope_core::{FlowSide, Timestamp};

use crate::wire::be16;
use crate::{Edns, Opcode, Question, Rcode, Record};

/// One DNS message as it was seen (RFC 1035 §4.1).
///
/// All records of a message lie in one allocation; a query with one question needs none. Names
/// longer than 32 bytes and data of variable length bring their own. At most 65 535 bytes of wire
/// and [`max_records`](crate::DnsConfig::max_records) records and questions each stand behind it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DnsMessage {
    /// Who sent it.
    pub side: FlowSide,
    /// When the packet that completed it was captured.
    pub ts: Timestamp,
    /// What carried it.
    pub transport: DnsTransport,
    /// Its length on the wire, in bytes; over TCP without the two of the length prefix.
    pub len: u32,
    /// The fixed part.
    pub header: Header,
    /// The extension that an OPT record carries (RFC 6891). That record is in no section.
    pub edns: Option<Edns>,
    /// What is wrong with the message, if anything: why the rest of it was not read or, where all of it
    /// was, the first thing that its sender should not have written.
    pub defect: Option<DnsDefect>,
    /// Bytes behind the last record that belong to none.
    pub trailing: u32,
    pub(crate) questions: Questions,
    pub(crate) records: Vec<Record>,
    /// Where in `records` the answers and the authorities end.
    pub(crate) ends: [usize; 2],
}

impl DnsMessage {
    /// The identifier that a response has from its query.
    #[must_use]
    pub fn id(&self) -> u16 {
        self.header.id
    }

    /// Whether it asks or answers.
    #[must_use]
    pub fn kind(&self) -> DnsKind {
        if self.header.flags & 0x8000 == 0 { DnsKind::Query } else { DnsKind::Response }
    }

    /// What kind of request it is, or answers.
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        self.header.opcode()
    }

    /// How the request went, the upper eight bits from EDNS included.
    #[must_use]
    pub fn rcode(&self) -> Rcode {
        let upper = self.edns.as_ref().map_or(0, |edns| edns.rcode_high);
        Rcode(u16::from(upper) << 4 | self.header.rcode().0)
    }

    /// What is asked. Mostly one; a response may leave it out, multicast DNS asks several at once.
    /// In an update (RFC 2136) it is the zone.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        match &self.questions {
            Questions::One(question) => question.as_slice(),
            Questions::Many(questions) => questions,
        }
    }

    /// The records that answer. In an update, what must hold before it.
    #[must_use]
    pub fn answers(&self) -> &[Record] {
        self.records.get(..self.ends[0]).unwrap_or_default()
    }

    /// The records that name an authority. In an update, the changes.
    #[must_use]
    pub fn authorities(&self) -> &[Record] {
        self.records.get(self.ends[0]..self.ends[1]).unwrap_or_default()
    }

    /// The records that may help, without OPT.
    #[must_use]
    pub fn additionals(&self) -> &[Record] {
        self.records.get(self.ends[1]..).unwrap_or_default()
    }

    /// The records of all three sections, in the order of the wire.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Bytes of memory held beside the value itself, by capacity. What names and data of single
    /// records hold is estimated by their length on the wire.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let questions = match &self.questions {
            Questions::One(_) => 0,
            Questions::Many(questions) => questions.capacity() * size_of::<Question>(),
        };
        self.records.capacity() * size_of::<Record>() + questions + self.len as usize
    }
}

/// `1234 response NXDOMAIN www.example.com IN A`, for people.
impl fmt::Display for DnsMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            DnsKind::Query => write!(f, "{} query {}", self.id(), self.opcode())?,
            DnsKind::Response => write!(f, "{} response {}", self.id(), self.rcode())?,
        }
        self.questions().iter().try_for_each(|question| write!(f, " {question}"))
    }
}

/// The twelve bytes that a message begins with (RFC 1035 §4.1.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Header {
    /// The identifier that a response has from its query.
    pub id: u16,
    /// The second 16 bits: QR, opcode, flags, rcode.
    pub flags: u16,
    /// How many questions, answers, authorities and additionals there are, by the sender's word.
    /// OPT counts as an additional here.
    pub counts: [u16; 4],
}

impl Header {
    /// Its length, in bytes.
    pub const LEN: usize = 12;

    pub(crate) fn read(bytes: &[u8]) -> Option<Header> {
        let at = |at| be16(bytes, at);
        Some(Header { id: at(0)?, flags: at(2)?, counts: [at(4)?, at(6)?, at(8)?, at(10)?] })
    }

    /// The kind of request.
    #[must_use]
    pub const fn opcode(self) -> Opcode {
        Opcode((self.flags >> 11) as u8 & 0x0f)
    }

    /// The four bits of the response code that stand in the header.
    #[must_use]
    pub const fn rcode(self) -> Rcode {
        Rcode(self.flags & 0x000f)
    }

    /// AA: the responder is an authority for the name.
    #[must_use]
    pub const fn authoritative(self) -> bool {
        self.flags & 0x0400 != 0
    }

    /// TC: the message had to be cut to fit. In LLMNR the same bit has the same meaning.
    #[must_use]
    pub const fn truncated(self) -> bool {
        self.flags & 0x0200 != 0
    }

    /// RD: the server shall ask others.
    #[must_use]
    pub const fn recursion_desired(self) -> bool {
        self.flags & 0x0100 != 0
    }

    /// RA: the server would ask others.
    #[must_use]
    pub const fn recursion_available(self) -> bool {
        self.flags & 0x0080 != 0
    }

    /// AD: the data is authenticated (RFC 4035 §3.1.6).
    #[must_use]
    pub const fn authentic_data(self) -> bool {
        self.flags & 0x0020 != 0
    }

    /// CD: the data need not be authenticated (RFC 4035 §3.2.2).
    #[must_use]
    pub const fn checking_disabled(self) -> bool {
        self.flags & 0x0010 != 0
    }

    /// The bit that is reserved and zero.
    #[must_use]
    pub const fn z(self) -> bool {
        self.flags & 0x0040 != 0
    }
}

/// Whether a message asks or answers.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DnsKind {
    /// It asks: QR is 0.
    Query,
    /// It answers: QR is 1.
    Response,
}

/// What carries a message.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DnsTransport {
    /// A datagram, one message in each.
    Udp,
    /// A stream, each message behind its length.
    Tcp,
}

/// One of the four parts behind the header.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Section {
    /// The questions.
    Question,
    /// The answers.
    Answer,
    /// The authorities.
    Authority,
    /// The additionals.
    Additional,
}

/// What could not be read of a message, or must not be as it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DnsDefect {
    /// The capture lacks its end: a snap length, a gap in the stream, or a stream that stopped.
    Cut,
    /// This section breaks the rules, or is not there though the header counts it; what follows it
    /// is not read.
    Malformed(Section),
    /// The data of a record does not fit its type. The record is there, its data in the form of an
    /// unknown type, and so are those behind it.
    RecordData,
    /// A name that is a pointer forwards, where it must lead backwards (RFC 1035 §4.1.4). It is read,
    /// as some servers do; others refuse the message.
    ForwardPointer,
    /// An OPT record outside of the additionals, or a second one (RFC 6891 §6.1.1); it is left out.
    MisplacedOpt,
    /// More records or questions than [`max_records`](crate::DnsConfig::max_records); the rest is not read.
    TooManyRecords,
    /// Names that point to names that point to names, beyond what a sender needs to; what follows
    /// is not read.
    TooComplex,
}

/// One question needs no allocation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Questions {
    One(Option<Question>),
    Many(Vec<Question>),
}

impl Questions {
    pub(crate) fn push(&mut self, question: Question) {
        match self {
            Questions::One(one) => match one.take() {
                None => *one = Some(question),
                Some(first) => *self = Questions::Many(vec![first, question]),
            },
            Questions::Many(many) => many.push(question),
        }
    }
}

use std::fmt;

use hickory_proto::rr::{RData, rdata};

use crate::rdata::RdataText;
use crate::wire::be16;
use crate::{Class, Name, RecordType};

/// What a message asks (RFC 1035 §4.1.2). Displays as `www.example.com IN A`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Question {
    pub(crate) name: Name,
    pub(crate) rtype: RecordType,
    pub(crate) class: Class,
}

impl Question {
    /// The name asked about.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The type asked for.
    #[must_use]
    pub fn rtype(&self) -> RecordType {
        self.rtype
    }

    /// The class asked in, as on the wire.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.class, self.rtype)
    }
}

/// A resource record (RFC 1035 §4.1.3). Displays as a line of a zone file:
/// `www.example.com 300 IN A 192.0.2.1`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    pub(crate) name: Name,
    pub(crate) rtype: RecordType,
    pub(crate) class: Class,
    pub(crate) ttl: u32,
    pub(crate) data: RData,
}

impl Record {
    /// The name it is about.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its type.
    #[must_use]
    pub fn rtype(&self) -> RecordType {
        self.rtype
    }

    /// Its class, as on the wire.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// How long it may be cached, in seconds.
    #[must_use]
    pub fn ttl(&self) -> u32 {
        self.ttl
    }

    /// Its data in presentation form, formatted when asked for: `192.0.2.1`, `10 mx.example.com`.
    ///
    /// Only visible ASCII and spaces come out. Types without a form of their own, and data that does
    /// not fit its type, show as `\# 3 abcdef` (RFC 3597 §5). Names have no dot at their end.
    #[must_use]
    pub fn rdata(&self) -> impl fmt::Display + '_ {
        RdataText(self)
    }

    /// The strings of a TXT record, as bytes; none for other types.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        let strings: &[Box<[u8]>] = match &self.data {
            RData::TXT(txt) => &txt.txt_data,
            _ => &[],
        };
        strings.iter().map(AsRef::as_ref)
    }

    /// The address of an A or AAAA record.
    #[must_use]
    pub fn address(&self) -> Option<std::net::IpAddr> {
        match self.data {
            RData::A(rdata::A(v4)) => Some(v4.into()),
            RData::AAAA(rdata::AAAA(v6)) => Some(v6.into()),
            _ => None,
        }
    }

    /// Its data as the library has it.
    #[must_use]
    pub fn as_hickory(&self) -> &RData {
        &self.data
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {} {}", self.name, self.ttl, self.class, self.rtype, self.rdata())
    }
}

/// What an OPT record says (RFC 6891 §6.1).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Edns {
    /// The largest datagram its sender can take, in bytes; values below 512 mean 512.
    pub udp_size: u16,
    /// The upper eight bits of the response code.
    pub rcode_high: u8,
    /// The version; 0 is the only one there is.
    pub version: u8,
    /// DO: the sender wants DNSSEC records (RFC 3225).
    pub dnssec_ok: bool,
    pub(crate) options: Box<[u8]>,
}

impl Edns {
    pub(crate) fn read(class: Class, ttl: u32, rdata: &[u8]) -> Edns {
        let [rcode_high, version, flags, _] = ttl.to_be_bytes();
        Edns {
            udp_size: class.0,
            rcode_high,
            version,
            dnssec_ok: flags & 0x80 != 0,
            options: rdata.into(),
        }
    }

    /// The options, in order: code and data.
    #[must_use]
    pub fn options(&self) -> EdnsOptions<'_> {
        EdnsOptions { rest: &self.options }
    }
}

/// The options of an OPT record. Ends where the next one would not fit.
#[derive(Clone, Debug)]
pub struct EdnsOptions<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for EdnsOptions<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (code, len) = (be16(self.rest, 0)?, be16(self.rest, 2)?);
        let (data, rest) = self.rest.get(4..)?.split_at_checked(usize::from(len))?;
        self.rest = rest;
        Some((code, data))
    }
}

use std::{fmt, io};

use flowscope_core::LinkType;

use crate::Compression;

/// Why a capture could not be read, or not to its end.
///
/// Each variant names its input: the path, `standard input`, or what
/// [`ReadConfig::name`](crate::ReadConfig::name) was given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The input began as a capture and holds something else from `offset` on, or ends within a
    /// record. All packets before it were lent.
    #[error("{input}: byte {offset}: expected {expected}")]
    Damaged {
        /// Which input.
        input: String,
        /// Where the broken record starts, in bytes from the start of the decompressed file.
        offset: u64,
        /// What should have been there.
        expected: Expected,
    },
    /// The input is no capture in a format that is read here.
    #[error("{input}: not a pcap or pcapng capture: {found}")]
    NotACapture {
        /// Which input.
        input: String,
        /// What it is instead, as far as its first bytes tell.
        found: String,
    },
    /// The operating system, or the reader given, said no.
    #[error("{input}: {source}")]
    Io {
        /// Which input.
        input: String,
        /// What it said.
        source: io::Error,
    },
}

/// What should have stood where a capture is damaged.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Expected {
    /// A record of `need` bytes, of which the file holds `have`.
    Whole {
        /// What kind of record.
        record: &'static str,
        /// Its length as far as its own header tells, in bytes.
        need: u64,
        /// Bytes that are there.
        have: u64,
    },
    /// A record of at most `max` bytes; this one claims `claimed`.
    AtMost {
        /// What kind of record.
        record: &'static str,
        /// The limit, in bytes.
        max: u32,
        /// Its length by its own header, in bytes.
        claimed: u64,
    },
    /// A record whose parts agree with each other.
    WellFormed(&'static str),
    /// Format version `expected`; the file says `found`.
    Version {
        /// The major version that is read here.
        expected: u16,
        /// Major and minor version in the file.
        found: (u16, u16),
    },
    /// An interface that the section described before; it described `described` of them.
    Interface {
        /// The number that the packet block gives.
        id: u32,
        /// How many interfaces there are; their numbers start at 0.
        described: usize,
    },
    /// No more interfaces than this many in one file.
    FewerInterfaces(usize),
    /// A clock that ticks at most 10^18 or 2^60 times a second; this is the `if_tsresol` found.
    Resolution(u8),
    /// Compressed data that can be decompressed.
    Compressed {
        /// By which method.
        method: Compression,
        /// What the decompressor says.
        problem: String,
    },
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::Whole { record, need, have } => {
                write!(f, "a {record} of {need} bytes, found the end after {have}")
            }
            Expected::AtMost { record, max, claimed } => {
                write!(f, "a {record} of at most {max} bytes, found one that claims {claimed}")
            }
            Expected::WellFormed(what) => f.write_str(what),
            Expected::Version { expected, found: (major, minor) } => {
                write!(f, "format version {expected}, found {major}.{minor}")
            }
            Expected::Interface { id, described } => {
                write!(f, "one of {described} interfaces, found number {id}")
            }
            Expected::FewerInterfaces(max) => write!(f, "at most {max} interfaces, found more"),
            Expected::Resolution(raw) => {
                let base = if raw & 0x80 == 0 { 10 } else { 2 };
                let exponent = raw & 0x7f;
                write!(
                    f,
                    "a clock of at most 10^18 or 2^60 ticks a second, found {base}^{exponent}"
                )
            }
            Expected::Compressed { method, problem } => {
                write!(f, "more {method} data, found damage: {problem}")
            }
        }
    }
}

/// Why a capture could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The output failed. It may end within a record.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An earlier write failed, so that what is written now would follow half a record.
    #[error("an earlier write failed, the file may end within a record")]
    Broken,
    /// A pcap file holds packets of one link type. Nothing was written.
    #[error("a pcap file of link type {file} cannot hold a packet of link type {packet}")]
    LinkType {
        /// That of the file.
        file: LinkType,
        /// That of the packet.
        packet: LinkType,
    },
    /// A pcap file counts seconds in 32 bits, to the year 2106. Nothing was written.
    #[error("a pcap file cannot express the time {0}")]
    Time(flowscope_core::Timestamp),
    /// The frame does not fit the 32-bit lengths of the format. Nothing was written.
    #[error("a frame of {0} bytes is too long for a capture file")]
    TooLong(usize),
}

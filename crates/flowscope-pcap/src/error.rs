use std::{fmt, io};

use flowscope_core::LinkType;

use crate::Compression;

/// Error reading a capture.
///
/// Each variant names its input: the path, `standard input`, or what
/// [`ReadConfig::name`](crate::ReadConfig::name) was given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The capture is damaged at `offset`, or ends within a record. All packets before it were delivered.
    #[error("{input}: byte {offset}: expected {expected}")]
    Damaged {
        /// Which input.
        input: String,
        /// Where the broken record starts, in bytes from the start of the decompressed file.
        offset: u64,
        /// What should have been there.
        expected: Expected,
    },
    /// The input is not a capture in a supported format.
    #[error("{input}: not a pcap or pcapng capture: {found}")]
    NotACapture {
        /// Which input.
        input: String,
        /// What it is instead, judged by its first bytes.
        found: String,
    },
    /// The operating system, or the given reader, returned an error.
    #[error("{input}: {source}")]
    Io {
        /// Which input.
        input: String,
        /// The error of the reader.
        source: io::Error,
    },
}

/// What a damaged capture should have contained at the offset of the damage.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Expected {
    /// A record of `need` bytes, of which the file holds `have`.
    Whole {
        /// What kind of record.
        record: &'static str,
        /// Its length by its own header, in bytes.
        need: u64,
        /// Bytes in the file.
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
    /// A record with consistent fields.
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
        /// The compression method.
        method: Compression,
        /// The error of the decompressor.
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

/// Error writing a capture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The output failed, and may end within a record.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An earlier write failed, so the file may end within a record.
    #[error("an earlier write failed, the file may end within a record")]
    Broken,
    /// A pcap file holds packets of one link type. Nothing was written.
    #[error("a pcap file of link type {file} cannot hold a packet of link type {packet}")]
    LinkType {
        /// Link type of the file.
        file: LinkType,
        /// Link type of the packet.
        packet: LinkType,
    },
    /// A pcap file counts seconds in 32 bits, to the year 2106. Nothing was written.
    #[error("a pcap file cannot express the time {0}")]
    Time(flowscope_core::Timestamp),
    /// The frame does not fit the 32-bit lengths of the format. Nothing was written.
    #[error("a frame of {0} bytes is too long for a capture file")]
    TooLong(usize),
}

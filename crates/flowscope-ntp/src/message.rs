use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};

use crate::time::power_of_two;
use crate::{NtpShort, NtpTimestamp};

/// One NTP message (RFC 5905 §7.3). It holds no memory beside itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NtpMessage {
    /// Who sent it.
    pub side: FlowSide,
    /// When it was captured.
    pub ts: Timestamp,
    /// Its length on the wire, in bytes.
    pub len: u32,
    /// The leap indicator: 1 and 2 announce a leap second, 3 is an unsynchronised clock.
    pub leap: u8,
    /// The version, from 1 to 4.
    pub version: u8,
    /// The role of its sender.
    pub mode: NtpMode,
    /// What it says of clocks: modes 1 to 5, and 0 of version 1.
    pub times: Option<NtpTimes>,
}

/// What a message says of its sender's clock (RFC 5905 §7.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NtpTimes {
    /// How far the sender is from a reference clock: 1 is next to it, 0 does not say, 16 is unsynchronised.
    pub stratum: u8,
    /// The longest interval between messages, as a power of two of seconds.
    pub poll: i8,
    /// The precision of the sender's clock, as a power of two of seconds.
    pub precision: i8,
    /// Round trip to the reference clock.
    pub root_delay: NtpShort,
    /// Largest error relative to the reference clock.
    pub root_dispersion: NtpShort,
    /// What the sender synchronises with, in four bytes whose meaning depends on the stratum.
    pub reference_id: [u8; 4],
    /// When the sender's clock was last set.
    pub reference: NtpTimestamp,
    /// When the client sent its request, by its clock.
    pub origin: NtpTimestamp,
    /// When the server received it, by its clock.
    pub receive: NtpTimestamp,
    /// When this message was sent, by its sender's clock.
    pub transmit: NtpTimestamp,
    /// Extension fields behind the header (RFC 7822 §3). Those of NTS are not decrypted.
    pub extensions: u16,
    /// Whether a message authentication code follows (RFC 5905 §7.3).
    pub authenticated: bool,
}

/// What a reference identifier stands for (RFC 5905 §7.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NtpReference {
    /// Stratum 0: why the server does not want to serve, as RATE or DENY (§7.4).
    KissCode([u8; 4]),
    /// Stratum 1: the kind of the reference clock, as GPS or PPS.
    Clock([u8; 4]),
    /// Above: the server that is synchronised with. With IPv6 these are the first bytes of a digest of its address.
    Server(Ipv4Addr),
}

/// The role of a message's sender (RFC 5905 §7.3).
///
/// Displays its name, or its number where it has none.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct NtpMode(pub u8);

impl NtpTimes {
    /// What the reference identifier stands for.
    #[must_use]
    pub fn reference_kind(&self) -> NtpReference {
        match self.stratum {
            0 => NtpReference::KissCode(self.reference_id),
            1 => NtpReference::Clock(self.reference_id),
            _ => NtpReference::Server(self.reference_id.into()),
        }
    }

    /// The longest interval between messages.
    #[must_use]
    pub fn poll_interval(&self) -> Duration {
        power_of_two(self.poll)
    }

    /// The precision of the clock; zero below a nanosecond.
    #[must_use]
    pub fn precision_interval(&self) -> Duration {
        power_of_two(self.precision)
    }
}

impl NtpReference {
    /// Text: the address, or the characters without the zeros that fill them up.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        match self {
            NtpReference::KissCode(code) | NtpReference::Clock(code) => {
                let end = code.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
                code[..end].to_vec()
            }
            NtpReference::Server(address) => address.to_string().into_bytes(),
        }
    }
}

impl NtpMode {
    /// One of two that synchronise each other, the one that began.
    pub const SYMMETRIC_ACTIVE: NtpMode = NtpMode(1);
    /// The other one.
    pub const SYMMETRIC_PASSIVE: NtpMode = NtpMode(2);
    /// A client.
    pub const CLIENT: NtpMode = NtpMode(3);
    /// A server.
    pub const SERVER: NtpMode = NtpMode(4);
    /// A server that was not asked.
    pub const BROADCAST: NtpMode = NtpMode(5);
    /// A control message (RFC 9327).
    pub const CONTROL: NtpMode = NtpMode(6);
    /// A message of an implementation's own.
    pub const PRIVATE: NtpMode = NtpMode(7);

    /// The name, where the number has one.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "symmetric_active",
            2 => "symmetric_passive",
            3 => "client",
            4 => "server",
            5 => "broadcast",
            6 => "control",
            7 => "private",
            _ => return None,
        })
    }
}

impl fmt::Display for NtpMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "mode {}", self.0),
        }
    }
}

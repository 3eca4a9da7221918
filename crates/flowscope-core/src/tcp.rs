use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// The flag octet of a TCP header (RFC 9293 §3.1; ECE and CWR of RFC 3168).
#[derive(Clone, Copy, Default, Eq, Hash, PartialEq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: TcpFlags = TcpFlags(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: TcpFlags = TcpFlags(0x02);
    /// Reset the connection.
    pub const RST: TcpFlags = TcpFlags(0x04);
    /// Push.
    pub const PSH: TcpFlags = TcpFlags(0x08);
    /// The acknowledgement number is valid.
    pub const ACK: TcpFlags = TcpFlags(0x10);
    /// The urgent pointer is valid.
    pub const URG: TcpFlags = TcpFlags(0x20);
    /// ECN echo.
    pub const ECE: TcpFlags = TcpFlags(0x40);
    /// Congestion window reduced.
    pub const CWR: TcpFlags = TcpFlags(0x80);

    /// Whether every flag of `flags` is set.
    #[must_use]
    pub const fn contains(self, flags: TcpFlags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Whether any flag of `flags` is set.
    #[must_use]
    pub const fn intersects(self, flags: TcpFlags) -> bool {
        self.0 & flags.0 != 0
    }

    /// FIN is set.
    #[must_use]
    pub const fn fin(self) -> bool {
        self.contains(TcpFlags::FIN)
    }

    /// SYN is set.
    #[must_use]
    pub const fn syn(self) -> bool {
        self.contains(TcpFlags::SYN)
    }

    /// RST is set.
    #[must_use]
    pub const fn rst(self) -> bool {
        self.contains(TcpFlags::RST)
    }

    /// ACK is set.
    #[must_use]
    pub const fn ack(self) -> bool {
        self.contains(TcpFlags::ACK)
    }
}

impl BitOr for TcpFlags {
    type Output = TcpFlags;

    fn bitor(self, other: TcpFlags) -> TcpFlags {
        TcpFlags(self.0 | other.0)
    }
}

impl BitOrAssign for TcpFlags {
    fn bitor_assign(&mut self, other: TcpFlags) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcpFlags({self})")
    }
}

/// One letter per flag that is set, in the order `CEUAPRSF`; `.` when none is.
impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str(".");
        }
        for (bit, letter) in "CEUAPRSF".chars().enumerate() {
            if self.0 & (0x80 >> bit) != 0 {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

/// The parts of a TCP header that flow tracking reads.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TcpInfo {
    /// Sequence number of the first byte of the segment (of the SYN itself, if SYN is set).
    pub seq: u32,
    /// Acknowledgement number; without meaning unless ACK is set.
    pub ack: u32,
    /// Window as sent, unscaled.
    pub window: u16,
    /// Urgent pointer; without meaning unless URG is set.
    pub urgent: u16,
    /// Flags.
    pub flags: TcpFlags,
    /// Options of a SYN or a reset; all absent on other segments, and where the header was cut.
    pub options: TcpOptions,
}

/// What a SYN negotiates, and whether a SYN or a reset is signed. Options of other segments are not read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TcpOptions {
    /// Maximum segment size, in bytes (RFC 9293 §3.7.1).
    pub mss: Option<u16>,
    /// Window scale shift, as sent (RFC 7323 §2; receivers cap it at 14).
    pub window_scale: Option<u8>,
    /// Selective acknowledgement permitted (RFC 2018).
    pub sack_permitted: bool,
    /// The segment carries a signature: TCP MD5 (RFC 2385) or TCP-AO (RFC 5925).
    pub signed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_display_in_wire_order() {
        assert_eq!((TcpFlags::SYN | TcpFlags::ACK).to_string(), "AS");
        assert_eq!(TcpFlags::default().to_string(), ".");
        assert_eq!(TcpFlags(0xff).to_string(), "CEUAPRSF");
    }
}

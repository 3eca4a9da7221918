use std::fmt;

/// The protocol an IP packet carries, by its IANA protocol number.
///
/// For IPv6 it is the number behind the last extension header that was walked.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum L4Proto {
    /// Protocol 6 (RFC 9293).
    Tcp,
    /// Protocol 17 (RFC 768).
    Udp,
    /// Protocol 1 (RFC 792).
    Icmp,
    /// Protocol 58 (RFC 4443).
    Icmpv6,
    /// Protocol 132 (RFC 9260).
    Sctp,
    /// Any other protocol number. Numbers that have a variant of their own never appear here when
    /// the value came from [`L4Proto::from_number`].
    Other(u8),
}

impl L4Proto {
    /// The protocol of an IANA number.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => L4Proto::Icmp,
            6 => L4Proto::Tcp,
            17 => L4Proto::Udp,
            58 => L4Proto::Icmpv6,
            132 => L4Proto::Sctp,
            other => L4Proto::Other(other),
        }
    }

    /// Its IANA number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            L4Proto::Icmp => 1,
            L4Proto::Tcp => 6,
            L4Proto::Udp => 17,
            L4Proto::Icmpv6 => 58,
            L4Proto::Sctp => 132,
            L4Proto::Other(number) => number,
        }
    }

    /// Whether its header begins with a source and a destination port.
    #[must_use]
    pub const fn has_ports(self) -> bool {
        matches!(self, L4Proto::Tcp | L4Proto::Udp | L4Proto::Sctp)
    }
}

/// Lower-case name, or the number where there is no variant.
impl fmt::Display for L4Proto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            L4Proto::Tcp => "tcp",
            L4Proto::Udp => "udp",
            L4Proto::Icmp => "icmp",
            L4Proto::Icmpv6 => "icmpv6",
            L4Proto::Sctp => "sctp",
            L4Proto::Other(number) => return write!(f, "{number}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        for number in 0..=u8::MAX {
            assert_eq!(L4Proto::from_number(number).number(), number);
        }
    }
}

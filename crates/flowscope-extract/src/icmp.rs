//! ICMP message types: which type answers which, and which messages quote another packet.

/// The two ICMP protocols, which number their messages differently.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Family {
    /// Protocol 1 (RFC 792).
    V4,
    /// Protocol 58 (RFC 4443).
    V6,
}

impl Family {
    /// The type that answers `kind` or is answered by it; `None` for one-way messages. These are the pairs of
    /// the Community ID specification, version 1.
    pub(crate) const fn counterpart(self, kind: u8) -> Option<u8> {
        Some(match (self, kind) {
            // Echo, router discovery, timestamp, information, address mask.
            (Family::V4, 0) => 8,
            (Family::V4, 8) => 0,
            (Family::V4, 9) => 10,
            (Family::V4, 10) => 9,
            (Family::V4, 13) => 14,
            (Family::V4, 14) => 13,
            (Family::V4, 15) => 16,
            (Family::V4, 16) => 15,
            (Family::V4, 17) => 18,
            (Family::V4, 18) => 17,
            // Echo, listener discovery, router and neighbour discovery, node information, home agent
            // address discovery.
            (Family::V6, 128) => 129,
            (Family::V6, 129) => 128,
            (Family::V6, 130) => 131,
            (Family::V6, 131) => 130,
            (Family::V6, 133) => 134,
            (Family::V6, 134) => 133,
            (Family::V6, 135) => 136,
            (Family::V6, 136) => 135,
            (Family::V6, 139) => 140,
            (Family::V6, 140) => 139,
            (Family::V6, 144) => 145,
            (Family::V6, 145) => 144,
            _ => return None,
        })
    }

    /// Whether the message has a 16-bit identifier behind its checksum (RFC 792, RFC 950,
    /// RFC 4443 §4, RFC 6275 §6.5).
    pub(crate) const fn has_id(self, kind: u8) -> bool {
        match self {
            Family::V4 => matches!(kind, 0 | 8 | 13..=18),
            Family::V6 => matches!(kind, 128 | 129 | 144 | 145),
        }
    }

    /// Whether the message quotes the packet that caused it: destination unreachable, source
    /// quench, redirect, time exceeded, parameter problem (RFC 792); destination unreachable,
    /// packet too big, time exceeded, parameter problem (RFC 4443 §3).
    pub(crate) const fn quotes(self, kind: u8) -> bool {
        match self {
            Family::V4 => matches!(kind, 3 | 4 | 5 | 11 | 12),
            Family::V6 => matches!(kind, 1..=4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counterparts_answer_each_other() {
        for family in [Family::V4, Family::V6] {
            for kind in 0..=u8::MAX {
                if let Some(other) = family.counterpart(kind) {
                    assert_eq!(family.counterpart(other), Some(kind));
                    assert_eq!(family.has_id(other), family.has_id(kind));
                    assert!(!family.quotes(kind));
                }
            }
        }
    }
}

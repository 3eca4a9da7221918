use std::fmt;

use flowscope_core::FlowSide;

/// What happened on a TCP flow, in Zeek's letters, in order: `ShADadFf`.
///
/// | letter | meaning | how often |
/// |---|---|---|
/// | `s` | SYN without ACK | again if its sequence number differs from the last |
/// | `h` | SYN with ACK | likewise |
/// | `f` | FIN | likewise |
/// | `r` | RST | likewise |
/// | `a` | pure acknowledgement | once per side |
/// | `d` | payload; of UDP and ICMP, any packet | once per side |
/// | `i` | inconsistent flags (FIN and RST together) | once per side |
/// | `q` | SYN together with FIN or RST | once per side |
/// | `c` | wrong checksum, where those are excluded; any protocol | the 1st, 10th, 100th … time |
/// | `g` | bytes missing from the capture, which the other side acknowledged | likewise |
/// | `t` | retransmitted payload | likewise |
/// | `w` | zero window | likewise |
/// | `^` | the initiator is not who sent the first packet | once |
///
/// Upper case for the initiator, lower case for the responder. At most [`History::CAP`] letters
/// are kept; what comes later is not recorded.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub struct History {
    letters: [u8; History::CAP],
    len: u8,
}

impl History {
    /// Maximum number of letters.
    pub const CAP: usize = 15;

    pub(crate) const EMPTY: History = History { letters: [0; History::CAP], len: 0 };

    /// The letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.letters[..usize::from(self.len)]).unwrap_or_default()
    }

    /// The history before its last `count` letters.
    pub(crate) fn without_last(mut self, count: u8) -> Self {
        self.len = self.len.saturating_sub(count);
        self.letters[usize::from(self.len)..].fill(0);
        self
    }

    pub(crate) fn len(&self) -> u8 {
        self.len
    }

    #[inline]
    pub(crate) fn push(&mut self, letter: u8, side: FlowSide) {
        let at = usize::from(self.len);
        if at < History::CAP {
            self.letters[at] = match side {
                FlowSide::Initiator => letter.to_ascii_uppercase(),
                FlowSide::Responder => letter,
            };
            self.len += 1;
        }
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether the `n`-th occurrence of a letter recorded logarithmically is written: 1, 10, 100, ….
pub(crate) fn is_power_of_ten(mut n: u32) -> bool {
    while n >= 10 && n.is_multiple_of(10) {
        n /= 10;
    }
    n == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_holds() {
        let mut history = History::EMPTY;
        for _ in 0..100 {
            history.push(b's', FlowSide::Initiator);
        }
        assert_eq!(history.as_str(), "S".repeat(History::CAP));
    }

    #[test]
    fn powers_of_ten() {
        let found: Vec<u32> = (0..=10_000).filter(|n| is_power_of_ten(*n)).collect();
        assert_eq!(found, [1, 10, 100, 1000, 10_000]);
    }
}

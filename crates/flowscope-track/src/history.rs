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

    /// The history of these letters; `None` if there is anything but letters and `^`, or more than [`CAP`](Self::CAP).
    #[must_use]
    pub fn of_letters(letters: &str) -> Option<History> {
        let mut history = History::default();
        letters.bytes().try_for_each(|letter| history.push(letter))?;
        Some(history)
    }

    /// The history with these letters behind its own: those that it has not yet, and for which there is
    /// [room](Self::CAP). A later history that begins with this one is that of the whole.
    #[must_use]
    pub fn followed_by(mut self, later: History) -> History {
        if later.as_str().starts_with(self.as_str()) {
            return later;
        }
        for letter in later.as_str().bytes().filter(|letter| *letter != b'^') {
            if !self.as_str().as_bytes().contains(&letter) && self.push(letter).is_none() {
                break;
            }
        }
        self
    }

    /// The history if the other side were the initiator.
    #[must_use]
    pub fn turned(mut self) -> History {
        for letter in &mut self.letters[..usize::from(self.len)] {
            *letter ^= if letter.is_ascii_alphabetic() { 0x20 } else { 0 };
        }
        self
    }

    fn push(&mut self, letter: u8) -> Option<()> {
        let is_known = letter.is_ascii_alphabetic() || letter == b'^';
        *self.letters.get_mut(usize::from(self.len)).filter(|_| is_known)? = letter;
        self.len += 1;
        Some(())
    }

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
}

/// Letters for which the flow's own record has room: a connection without losses has eight, nine with a reset.
const NEAR: usize = 9;

/// The first letters of a flow's history, and how many there are in all.
#[derive(Clone, Copy)]
pub(crate) struct Letters {
    near: [u8; NEAR],
    len: u8,
}

/// The letters behind those.
pub(crate) type MoreLetters = [u8; History::CAP - NEAR];

impl Letters {
    pub(crate) const EMPTY: Letters = Letters { near: [0; NEAR], len: 0 };

    /// How many letters there are, further ones included.
    pub(crate) fn len(self) -> u8 {
        self.len
    }

    /// Whether no letter is recorded any more.
    pub(crate) fn is_full(self) -> bool {
        usize::from(self.len) >= History::CAP
    }

    /// Adds a letter, if there is room for it here; says whether there was.
    #[inline]
    pub(crate) fn push(&mut self, letter: u8, side: FlowSide) -> bool {
        let Some(place) = self.near.get_mut(usize::from(self.len)) else { return false };
        *place = of_side(letter, side);
        self.len += 1;
        true
    }

    /// Adds a letter to those for which there is no room here, up to [`History::CAP`] in all.
    pub(crate) fn push_further(&mut self, letter: u8, side: FlowSide, more: &mut MoreLetters) {
        let place = usize::from(self.len).checked_sub(NEAR).and_then(|at| more.get_mut(at));
        if let Some(place) = place {
            *place = of_side(letter, side);
            self.len += 1;
        }
    }

    /// All letters.
    pub(crate) fn history(self, more: &MoreLetters) -> History {
        let mut letters = [0; History::CAP];
        letters[..NEAR].copy_from_slice(&self.near);
        letters[NEAR..].copy_from_slice(more);
        History { letters, len: self.len }
    }
}

fn of_side(letter: u8, side: FlowSide) -> u8 {
    match side {
        FlowSide::Initiator => letter.to_ascii_uppercase(),
        FlowSide::Responder => letter,
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
        let mut cold = crate::table::blank_cold();
        let shown = |cold: &crate::entry::Cold| {
            let more =
                cold.rare.as_ref().map_or_else(MoreLetters::default, |rare| rare.more_letters);
            cold.letters.history(&more).as_str().to_owned()
        };
        for letter in 0..100 {
            let expected = "Sf".repeat(History::CAP)[..letter.min(History::CAP)].to_owned();
            assert_eq!(shown(&cold), expected);
            match letter % 2 {
                0 => cold.push_letter(b's', FlowSide::Initiator),
                _ => cold.push_letter(b'f', FlowSide::Responder),
            }
        }
        assert_eq!(cold.letters.len(), 15);
    }

    #[test]
    fn a_connection_without_losses_has_room_in_its_own_record() {
        let mut cold = crate::table::blank_cold();
        for letter in *b"ShADadFfR" {
            let side = match letter.is_ascii_uppercase() {
                true => FlowSide::Initiator,
                false => FlowSide::Responder,
            };
            cold.push_letter(letter.to_ascii_lowercase(), side);
        }
        assert!(cold.rare.is_none());
        assert_eq!(cold.letters.history(&[0; 6]).as_str(), "ShADadFfR");
    }

    #[test]
    fn letters_are_read_put_together_and_turned() {
        let of = |letters: &str| History::of_letters(letters).unwrap();
        assert_eq!(of("^ShADT").as_str(), "^ShADT");
        assert_eq!(History::of_letters("Sh ").map(|_| ()), None);
        assert_eq!(History::of_letters("é").map(|_| ()), None);
        assert_eq!(History::of_letters(&"S".repeat(16)).map(|_| ()), None);
        assert_eq!(of("^ShA").turned().as_str(), "^sHa");
        assert_eq!(of("ShAD").followed_by(of("^dADFf")).as_str(), "ShADdFf");
        assert_eq!(of("ShADT").followed_by(of("ShADTT")).as_str(), "ShADTT");
        assert_eq!(of(&"S".repeat(15)).followed_by(of("F")).as_str(), "S".repeat(15));
        assert_eq!(History::default().followed_by(of("Sh")), of("Sh"));
    }

    #[test]
    fn powers_of_ten() {
        let found: Vec<u32> = (0..=10_000).filter(|n| is_power_of_ten(*n)).collect();
        assert_eq!(found, [1, 10, 100, 1000, 10_000]);
    }
}

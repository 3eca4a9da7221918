//! What is checked before the library sees the bytes, so that time and memory are linear in them.
//!
//! A record takes at least eleven bytes and may point to names anywhere before it, each of them up
//! to 127 labels long and reached over a chain of pointers. Left alone, that makes a message of `n`
//! bytes cost `n²`: one half of it a chain, the other half records that enter the chain at its far
//! end. Each name is therefore walked first, and its steps are paid from a [`Budget`].

use crate::DnsDefect;

/// The most bytes a message can have: its length is a 16-bit field over TCP, and a datagram's is too.
pub(crate) const MAX_MESSAGE: usize = 65_535;

/// How many labels and pointers the names of one message may take together.
///
/// Four steps for each byte, and 512 for the small. A record of a reverse zone for IPv6, with 34
/// labels behind each pointer and the least of data, takes two for each byte.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) fn of(message: &[u8]) -> Self {
        Budget(512 + 4 * message.len())
    }

    /// Walks over the name at `at` of `message`, paying for each step, also for those that led nowhere.
    pub(crate) fn walk(&mut self, message: &[u8], at: usize) -> Result<WalkedName, Unreadable> {
        let mut steps = 0;
        let walked = walk(message, at, &mut steps);
        self.spend(steps)?;
        walked
    }

    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), Unreadable> {
        self.0 = self.0.checked_sub(steps).ok_or(Unreadable::TooComplex)?;
        Ok(())
    }
}

/// Why something is not read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unreadable {
    /// The message ends before it does.
    Short,
    /// It breaks the rules of the format.
    Malformed,
    /// It would cost too much.
    TooComplex,
}

/// A name on the wire.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct WalkedName {
    /// Where what follows it begins.
    pub(crate) end: usize,
    /// Where its first label is, if the name is a pointer that leads there forwards.
    pub(crate) forward: Option<usize>,
}

/// Steps over the name at `at`, and counts the steps.
///
/// A pointer leads backwards, further than the one before (RFC 1035 §4.1.4: "a prior occurrence").
/// There are servers that follow others too. Those are stepped over where a name is nothing but a
/// pointer; behind labels they are malformed.
pub(crate) fn walk(message: &[u8], at: usize, steps: &mut usize) -> Result<WalkedName, Unreadable> {
    let (mut pos, mut start, mut end) = (at, at, None);
    let (mut labels, mut forward) = (false, false);
    while *steps < MAX_STEPS {
        *steps += 1;
        let byte = *message.get(pos).ok_or(Unreadable::Short)?;
        match byte >> 6 {
            0 if byte == 0 => {
                let end = end.unwrap_or(pos + 1);
                return Ok(WalkedName { end, forward: forward.then_some(start) });
            }
            0 => {
                labels = true;
                pos += 1 + usize::from(byte);
            }
            3 => {
                let target = usize::from(be16(message, pos).ok_or(Unreadable::Short)? & 0x3fff);
                if target >= start {
                    if labels {
                        return Err(Unreadable::Malformed);
                    }
                    forward = true;
                }
                end.get_or_insert(pos + 2);
                (pos, start) = (target, target);
            }
            _ => return Err(Unreadable::Malformed),
        }
    }
    Err(Unreadable::Malformed)
}

/// A name of 255 bytes has at most 127 labels and the root; as many pointers may stand between them.
const MAX_STEPS: usize = 255;

pub(crate) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

impl Unreadable {
    /// What it means for the message, of which `cut` says that the capture lacks the end.
    pub(crate) fn defect(self, cut: bool, section: crate::Section) -> DnsDefect {
        match self {
            Unreadable::Short if cut => DnsDefect::Cut,
            Unreadable::TooComplex => DnsDefect::TooComplex,
            Unreadable::Short | Unreadable::Malformed => DnsDefect::Malformed(section),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many steps the name takes, where it ends, and where it leads if that is forwards.
    fn check(
        message: &[u8],
        at: usize,
        expected: Result<(usize, usize, Option<usize>), Unreadable>,
    ) {
        let mut steps = 0;
        let walked = walk(message, at, &mut steps);
        assert_eq!(walked.map(|walked| (steps, walked.end, walked.forward)), expected);
    }

    #[test]
    fn names_are_walked() {
        check(b"\0", 0, Ok((1, 1, None)));
        check(b"\x01a\x02bc\0rest", 0, Ok((3, 6, None)));
        check(b"\x01a\0\x01b\xc0\x00", 3, Ok((4, 7, None)));
        check(b"", 0, Err(Unreadable::Short));
        check(b"\x01a", 0, Err(Unreadable::Short));
        check(b"\xc0", 0, Err(Unreadable::Short));
        // To itself, in a circle, and back into its own labels.
        check(b"\xc0\x00", 0, Err(Unreadable::Malformed));
        check(b"\xc0\x02\xc0\x00", 0, Err(Unreadable::Malformed));
        check(b"\0\x01a\xc0\x01", 1, Err(Unreadable::Malformed));
        // Forwards, by itself and behind a label.
        check(b"\xc0\x03\x07\x01a\0", 0, Ok((3, 2, Some(3))));
        check(b"\x01a\xc0\x04\0", 0, Err(Unreadable::Malformed));
        // Label types 01 and 10.
        check(b"\x40", 0, Err(Unreadable::Malformed));
        check(b"\x80", 0, Err(Unreadable::Malformed));
    }

    #[test]
    fn a_chain_of_pointers_has_an_end() {
        let mut message = vec![0, 0];
        for target in 0..1000_u16 {
            message.extend((0xc000 | (2 * target)).to_be_bytes());
        }
        check(&message, 2 * 254, Ok((255, 510, None)));
        check(&message, 2 * 255, Err(Unreadable::Malformed));
    }

    #[test]
    fn a_budget_is_spent() {
        let message = b"\x01a\0";
        let mut budget = Budget::of(message);
        let names = (0..).take_while(|_| budget.walk(message, 0).is_ok()).count();
        assert_eq!(names, (512 + 12) / 2);
        assert_eq!(budget.walk(message, 0), Err(Unreadable::TooComplex));
    }
}

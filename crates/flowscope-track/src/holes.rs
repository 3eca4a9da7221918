//! Holes in the sequence numbers of a stream.

use crate::seq::{earlier, later, serial};

/// Ranges of sequence numbers below `next` that were not seen, oldest first.
#[derive(Clone, Default)]
pub(crate) struct Holes {
    ranges: [(u32, u32); Holes::CAP],
    len: u8,
}

impl Holes {
    pub(crate) const CAP: usize = 8;

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.ranges[..usize::from(self.len)].iter().copied()
    }

    /// Bytes in all of them.
    pub(crate) fn bytes(&self) -> u64 {
        self.iter().map(|(from, to)| u64::from(to.wrapping_sub(from))).sum()
    }

    /// SEQ-3: remembers `from..to`; returns the bytes of the oldest one if it had to be forgotten.
    pub(crate) fn add(&mut self, from: u32, to: u32) -> u64 {
        let mut forgotten = 0;
        if usize::from(self.len) == Holes::CAP {
            forgotten = u64::from(self.ranges[0].1.wrapping_sub(self.ranges[0].0));
            self.ranges.copy_within(1.., 0);
            self.len -= 1;
        }
        self.ranges[usize::from(self.len)] = (from, to);
        self.len += 1;
        forgotten
    }

    /// Takes `from..to` out; says whether any of it was missing, and how many bytes the oldest hole
    /// had if it was forgotten because another one was split.
    pub(crate) fn fill(&mut self, from: u32, to: u32) -> (bool, u64) {
        let (mut filled, mut forgotten) = (false, 0);
        let old = self.clone();
        self.len = 0;
        for (start, end) in old.iter() {
            let (left, right) = (later(start, from), earlier(end, to));
            if serial(right, left) <= 0 {
                forgotten += self.add(start, end);
                continue;
            }
            filled = true;
            if serial(left, start) > 0 {
                forgotten += self.add(start, left);
            }
            if serial(end, right) > 0 {
                forgotten += self.add(right, end);
            }
        }
        (filled, forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_split_shrink_and_close_across_the_wrap() {
        let mut holes = Holes::default();
        assert_eq!(holes.add(u32::MAX - 9, 10), 0);
        assert_eq!(holes.bytes(), 20);
        assert_eq!(holes.fill(u32::MAX - 4, 5), (true, 0));
        assert_eq!(holes.iter().collect::<Vec<_>>(), [(u32::MAX - 9, u32::MAX - 4), (5, 10)]);
        assert_eq!(holes.fill(0, 5), (false, 0), "that was filled before");
        assert_eq!(holes.fill(u32::MAX - 100, 100), (true, 0));
        assert!(holes.is_empty());
    }

    #[test]
    fn the_oldest_hole_is_forgotten_first() {
        let mut holes = Holes::default();
        for i in 0..Holes::CAP as u32 {
            holes.add(i * 10, i * 10 + 3);
        }
        assert_eq!(holes.add(1000, 1001), 3);
        assert_eq!(holes.fill(0, 3), (false, 0));
    }
}

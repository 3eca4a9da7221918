use std::fmt;

/// A set of byte values: the first bytes by which a protocol may begin.
///
/// 32 bytes, built in constants, one shift and mask per look-up.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    /// No byte: the protocol is never detected by its bytes alone.
    pub const NONE: ByteSet = ByteSet([0; 4]);

    /// Every byte.
    pub const ALL: ByteSet = ByteSet([u64::MAX; 4]);

    /// The bytes of this list.
    #[must_use]
    pub const fn of(bytes: &[u8]) -> Self {
        let mut set = ByteSet::NONE;
        let mut at = 0;
        while at < bytes.len() {
            set = set.with(bytes[at]);
            at += 1;
        }
        set
    }

    /// All bytes from `first` to `last`, both included.
    #[must_use]
    pub const fn range(first: u8, last: u8) -> Self {
        let mut set = ByteSet::NONE;
        let mut byte = first as u16;
        while byte <= last as u16 {
            set = set.with(byte as u8);
            byte += 1;
        }
        set
    }

    /// The bytes of either set.
    #[must_use]
    pub const fn union(self, other: ByteSet) -> Self {
        let (ByteSet([a0, a1, a2, a3]), ByteSet([b0, b1, b2, b3])) = (self, other);
        ByteSet([a0 | b0, a1 | b1, a2 | b2, a3 | b3])
    }

    /// The set and this byte.
    #[must_use]
    pub const fn with(mut self, byte: u8) -> Self {
        self.0[(byte >> 6) as usize] |= 1 << (byte & 63);
        self
    }

    /// Whether the set has this byte.
    #[inline]
    #[must_use]
    pub const fn contains(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] & (1 << (byte & 63)) != 0
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        let [a, b, c, d] = self.0;
        a | b | c | d == 0
    }
}

impl fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries((0..=u8::MAX).filter(|byte| self.contains(*byte))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_the_bytes_it_was_made_of() {
        let set = ByteSet::of(b"\x00G\xff").union(ByteSet::range(0x14, 0x17));
        let members: Vec<u8> = (0..=u8::MAX).filter(|byte| set.contains(*byte)).collect();
        assert_eq!(members, [0, 0x14, 0x15, 0x16, 0x17, b'G', 0xff]);
        assert!(ByteSet::NONE.is_empty() && !set.is_empty());
        assert!((0..=u8::MAX).all(|byte| ByteSet::ALL.contains(byte)));
        assert_eq!(ByteSet::range(0, 255), ByteSet::ALL);
    }
}

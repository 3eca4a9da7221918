/// A set of numbers of packets, or of flow ids, which are such numbers: one bit for each up to the largest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    words: Vec<u64>,
    len: u64,
}

impl Numbers {
    /// Adds a number that a packet of the input has.
    pub(crate) fn insert(&mut self, number: u64) {
        let (at, bit) = place(number);
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
        }
        self.len += u64::from(self.words[at] & bit == 0);
        self.words[at] |= bit;
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        let (at, bit) = place(number);
        self.words.get(at).is_some_and(|word| word & bit != 0)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }
}

fn place(number: u64) -> (usize, u64) {
    ((number / 64) as usize, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_again() {
        let mut set = Numbers::default();
        assert!(!set.contains(0) && !set.contains(u64::MAX));
        for number in [63, 64, 1, 1000, 64] {
            set.insert(number);
        }
        let found: Vec<_> = (0..2000).filter(|number| set.contains(*number)).collect();
        assert_eq!(found, [1, 63, 64, 1000]);
        assert_eq!(set.len(), 4);
    }
}

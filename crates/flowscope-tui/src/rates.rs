//! Bytes of each second of the last minute.

use std::time::Duration;

use flowscope_core::Timestamp;

/// Seconds that are kept.
pub(crate) const SECONDS: usize = 60;

/// Bytes on the wire, by the second of packet time.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    /// The latest second, since 1970.
    latest: u64,
    /// The last one is that of the latest second.
    bytes: [u64; SECONDS],
}

impl Default for Rates {
    fn default() -> Self {
        Rates { latest: 0, bytes: [0; SECONDS] }
    }
}

impl Rates {
    /// Adds bytes that passed evenly between two times.
    pub(crate) fn add(&mut self, from: Timestamp, to: Timestamp, bytes: u64) {
        self.advance(to.secs());
        let total = to.since(from).as_nanos().max(1);
        for (age, slot) in self.bytes.iter_mut().rev().enumerate() {
            let Some(second) = self.latest.checked_sub(age as u64) else { return };
            let begin = Timestamp::from_secs(second).max(from);
            let end = Timestamp::from_secs(second).saturating_add(Duration::from_secs(1)).min(to);
            let share = u128::from(bytes) * end.since(begin).as_nanos() / total;
            *slot = slot.saturating_add(u64::try_from(share).unwrap_or(u64::MAX));
            if begin == from {
                return;
            }
        }
    }

    fn advance(&mut self, second: u64) {
        let passed = second.saturating_sub(self.latest);
        self.latest = self.latest.max(second);
        let passed = usize::try_from(passed).unwrap_or(SECONDS).min(SECONDS);
        self.bytes.rotate_left(passed);
        self.bytes[SECONDS - passed..].fill(0);
    }

    /// The minute in so many bars, the latest last; one for each second at most.
    pub(crate) fn bars(&self, width: usize) -> String {
        let width = width.min(SECONDS);
        let sum = |at: usize| -> u64 {
            let of = |bar: usize| bar * SECONDS / width;
            self.bytes[of(at)..of(at + 1)].iter().fold(0_u64, |sum, n| sum.saturating_add(*n))
                / (of(at + 1) - of(at)) as u64
        };
        let sums: Vec<u64> = (0..width).map(sum).collect();
        let most = sums.iter().copied().max().unwrap_or(0).max(1);
        sums.iter().map(|sum| BARS[(u128::from(*sum) * 7).div_ceil(most.into()) as usize]).collect()
    }
}

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn bytes_are_spread_over_the_seconds_they_took() {
        let mut rates = Rates::default();
        rates.add(at(100_500), at(102_500), 4000);
        assert_eq!(rates.bytes[SECONDS - 3..], [1000, 2000, 1000]);
        rates.add(at(102_500), at(103_000), 500);
        assert_eq!(rates.bytes[SECONDS - 4..], [1000, 2000, 1500, 0]);
        // Time that stands still, or goes back, has no place for more.
        rates.add(at(103_000), at(103_000), 7);
        rates.add(at(103_000), at(90_000), 7);
        assert_eq!(rates.bytes[SECONDS - 4..], [1000, 2000, 1500, 0]);
        rates.add(at(103_000), at(10_000_000), 9_897_000);
        assert_eq!(rates.bytes.to_vec(), [[1000; SECONDS - 1].as_slice(), &[0]].concat());
    }

    #[test]
    fn bars_have_the_shape_of_the_minute() {
        let mut rates = Rates::default();
        rates.add(at(0), at(1000), 100);
        assert_eq!(rates.bars(0), "");
        assert_eq!(rates.bars(3), "▁▁█");
        assert_eq!(rates.bars(1000).chars().count(), SECONDS);
        rates.add(at(30_000), at(31_000), u64::MAX);
        rates.add(at(30_000), at(31_000), u64::MAX);
        assert!(rates.bars(60).ends_with("█▁"));
        rates.add(at(0), Timestamp::from_nanos(u64::MAX), u64::MAX);
        assert_eq!(rates.bars(7).chars().count(), 7);
    }
}

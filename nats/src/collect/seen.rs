//! Which batches were written.

use std::collections::BTreeMap;
use std::fmt;

use crate::message::{Source, is_name};

/// Most ranges of numbers that are kept. Beyond that, the source that had no batch for longest is forgotten.
const MAX_RANGES: usize = 1 << 18;

/// Numbers of batches, by source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    sources: BTreeMap<Source, (u64, Ranges)>,
    /// How many ranges there are.
    ranges: usize,
    /// Counts insertions.
    clock: u64,
}

impl Seen {
    pub(crate) fn contains(&self, source: &Source, number: u64) -> bool {
        self.sources.get(source).is_some_and(|(_, ranges)| ranges.contains(number))
    }

    pub(crate) fn insert(&mut self, source: &Source, number: u64) {
        self.clock += 1;
        let (latest, ranges) = self.sources.entry(source.clone()).or_default();
        *latest = self.clock;
        let before = ranges.0.len();
        ranges.insert(number);
        self.ranges = self.ranges + ranges.0.len() - before;
        self.forget(MAX_RANGES);
    }

    /// Forgets sources until there are at most this many ranges; never the only one.
    fn forget(&mut self, most: usize) {
        while self.ranges > most && self.sources.len() > 1 {
            let oldest = self.sources.iter().min_by_key(|(_, (latest, _))| *latest);
            let Some(oldest) = oldest.map(|(source, _)| source.clone()) else { return };
            if let Some((_, ranges)) = self.sources.remove(&oldest) {
                self.ranges -= ranges.0.len();
            }
        }
    }

    /// One line for each source, the one that had no batch for longest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut sources: Vec<_> = self.sources.iter().collect();
        sources.sort_by_key(|(_, (latest, _))| *latest);
        let line = |(source, (_, ranges)): (&Source, &(u64, Ranges))| {
            let Source { site, run, partition } = source;
            format!("{site} {run} {partition} {ranges}")
        };
        sources.into_iter().map(line).collect()
    }

    /// Adds what a line has. `None` if it is none.
    pub(crate) fn add_line(&mut self, line: &str) -> Option<()> {
        let mut parts = line.split(' ');
        let mut name = || parts.next().filter(|part| is_name(part)).map(str::to_owned);
        let (site, run) = (name()?, name()?);
        let source = Source { site, run, partition: parts.next()?.parse().ok()? };
        let ranges = Ranges::parse(parts.next()?)?;
        if parts.next().is_some() || self.sources.contains_key(&source) {
            return None;
        }
        self.clock += 1;
        self.ranges += ranges.0.len();
        self.sources.insert(source, (self.clock, ranges));
        Some(())
    }
}

/// A set of numbers: ranges that do not touch, by their first number; with their last.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    fn contains(&self, number: u64) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, last)| number <= *last)
    }

    fn insert(&mut self, number: u64) {
        if self.contains(number) {
            return;
        }
        let last = number.checked_add(1).and_then(|next| self.0.remove(&next)).unwrap_or(number);
        match self.0.range_mut(..number).next_back() {
            Some((_, before)) if *before + 1 == number => *before = last,
            _ => {
                self.0.insert(number, last);
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut ranges = Ranges::default();
        let mut end = None;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            // In order, with room between them.
            if first > last || end.is_some_and(|end: u64| first <= end.saturating_add(1)) {
                return None;
            }
            end = Some(last);
            ranges.0.insert(first, last);
        }
        Some(ranges)
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(run: &str) -> Source {
        Source { site: "site".to_owned(), run: run.to_owned(), partition: 3 }
    }

    #[test]
    fn numbers_become_ranges() {
        let mut ranges = Ranges::default();
        for (number, expected) in [
            (5, "5"),
            (7, "5,7"),
            (6, "5-7"),
            (6, "5-7"),
            (0, "0,5-7"),
            (4, "0,4-7"),
            (1, "0-1,4-7"),
            (u64::MAX, "0-1,4-7,18446744073709551615"),
        ] {
            ranges.insert(number);
            assert_eq!(ranges.to_string(), expected);
            assert_eq!(Ranges::parse(expected), Some(ranges.clone()));
        }
        let inside: Vec<_> = (0..10).filter(|number| ranges.contains(*number)).collect();
        assert_eq!(inside, [0, 1, 4, 5, 6, 7]);
    }

    #[test]
    fn lines_come_back_in_their_order() {
        let mut seen = Seen::default();
        for (run, number) in [("b", 0), ("a", 0), ("b", 2), ("c", 9), ("a", 1)] {
            seen.insert(&source(run), number);
        }
        let lines = seen.lines();
        assert_eq!(lines, ["site b 3 0,2", "site c 3 9", "site a 3 0-1"]);
        let mut again = Seen::default();
        assert!(lines.iter().all(|line| again.add_line(line).is_some()));
        assert_eq!(again.lines(), lines);
        assert!(again.contains(&source("b"), 2) && !again.contains(&source("b"), 1));
        for line in [
            "",
            "site b 3 0,2",
            "site d 3",
            "site d 3 2-1",
            "site d 3 1,2",
            "site d 3 1 2",
            "a/b d 3 1",
            "site d 3 ",
        ] {
            assert!(again.add_line(line).is_none(), "{line}");
        }
    }

    #[test]
    fn the_oldest_source_is_forgotten() {
        let mut seen = Seen::default();
        for (run, number) in [("a", 0), ("b", 0), ("b", 2), ("a", 1), ("c", 0)] {
            seen.insert(&source(run), number);
        }
        seen.forget(4);
        assert_eq!(seen.lines().len(), 3);
        seen.forget(3);
        assert_eq!(seen.lines(), ["site a 3 0-1", "site c 3 0"]);
        seen.forget(0);
        assert_eq!(seen.lines(), ["site c 3 0"]);
    }
}

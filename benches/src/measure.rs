use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time that this thread has used: what others do on the machine is not in it, except for what
/// they take from the caches.
#[must_use]
pub fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// CPU nanoseconds per unit that `work` takes for `units` of them.
pub fn per_unit(units: usize, work: impl FnOnce()) -> f64 {
    let before = cpu_time();
    work();
    (cpu_time() - before).as_nanos() as f64 / units.max(1) as f64
}

/// Calls `call` until it says that nothing is left, and returns how often, the CPU microseconds of
/// the worst single call, and those of all calls.
pub fn worst_of(mut call: impl FnMut() -> bool) -> (usize, f64, f64) {
    let (mut calls, mut worst) = (0, Duration::ZERO);
    let start = cpu_time();
    let mut before = start;
    loop {
        let more = call();
        let after = cpu_time();
        worst = worst.max(after - before);
        before = after;
        calls += 1;
        if !more {
            return (calls, micros(worst), micros(after - start));
        }
    }
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1000.0
}

/// Rivals that take turns, so that a busy minute of the machine hits all of them.
#[derive(Default)]
pub struct Contest<'a> {
    rivals: Vec<(String, Round<'a>)>,
}

impl<'a> Contest<'a> {
    /// Enters a rival: `round` gets the number of the round and returns a cost per unit.
    #[must_use]
    pub fn enter(mut self, name: impl Into<String>, round: impl FnMut(usize) -> f64 + 'a) -> Self {
        self.rivals.push((name.into(), Box::new(round)));
        self
    }

    /// Runs them, round by round, each in turn. Round 0 touches memory and warms caches, and is
    /// not counted.
    #[must_use]
    pub fn run(mut self, rounds: usize) -> Vec<Figure> {
        let mut figures: Vec<Figure> = self
            .rivals
            .iter()
            .map(|(name, _)| Figure { name: name.clone(), samples: Vec::new() })
            .collect();
        for round in 0..=rounds {
            for ((_, run), figure) in self.rivals.iter_mut().zip(&mut figures) {
                let cost = run(round);
                if round > 0 {
                    figure.samples.push(cost);
                }
            }
        }
        figures
    }
}

/// Gets the number of the round, returns a cost per unit.
type Round<'a> = Box<dyn FnMut(usize) -> f64 + 'a>;

/// What a rival's rounds cost.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Who.
    pub name: String,
    /// Each round that counts.
    pub samples: Vec<f64>,
}

impl Figure {
    /// A figure of one sample.
    #[must_use]
    pub fn once(name: impl Into<String>, value: f64) -> Self {
        Figure { name: name.into(), samples: vec![value] }
    }

    /// The round in the middle; 0 without any.
    #[must_use]
    pub fn median(&self) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
    }

    /// The cheapest round.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.samples.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The dearest round.
    #[must_use]
    pub fn most(&self) -> f64 {
        self.samples.iter().copied().fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_round_does_not_count() {
        let figures = Contest::default()
            .enter("a", |round| if round == 0 { 1000.0 } else { round as f64 })
            .enter("b", |_| 7.0)
            .run(3);
        assert_eq!(figures[0].samples, [1.0, 2.0, 3.0]);
        assert_eq!((figures[0].median(), figures[1].most()), (2.0, 7.0));
    }
}

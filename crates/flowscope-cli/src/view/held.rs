//! Lines for standard error, which is the terminal of the view, until the view has left it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::say;

/// The lines, if there is a view.
static HELD: Mutex<Option<Held>> = Mutex::new(None);

/// The first lines, and the last.
#[derive(Default)]
struct Held {
    lines: Vec<String>,
    /// How many there were.
    total: u64,
}

/// Most lines that are held.
const MOST: usize = 100;

fn held() -> MutexGuard<'static, Option<Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a line, if there is a view; of more than 100, the first and the last.
pub(crate) fn hold(line: &str) -> bool {
    let mut held = held();
    held.as_mut().map(|held| held.add(line)).is_some()
}

impl Held {
    fn add(&mut self, line: &str) {
        self.total += 1;
        self.lines.truncate(MOST - 1);
        self.lines.push(line.to_owned());
    }

    /// The last line, unless there were no more than `shown`, which is set to how many there were.
    fn next(&self, shown: &mut u64) -> Option<String> {
        let is_new = self.total > *shown;
        *shown = self.total;
        if is_new { self.lines.last().cloned() } else { None }
    }
}

/// Lines are held as long as there is one. Then they are printed.
pub(super) struct Holding {
    /// How many there were at the last call of [`next`](Self::next).
    shown: u64,
}

impl Holding {
    pub(super) fn start() -> Self {
        *held() = Some(Held::default());
        Holding { shown: 0 }
    }

    /// The last line that came since the last call.
    pub(super) fn next(&mut self) -> Option<String> {
        held().as_ref()?.next(&mut self.shown)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let held = held().take();
        held.iter().flat_map(|held| &held.lines).for_each(|line| say(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_shown_however_many_there_were() {
        let (mut held, mut shown) = (Held::default(), 0);
        assert_eq!(held.next(&mut shown), None);
        for number in 0..MOST * 3 {
            held.add(&number.to_string());
            assert_eq!(held.next(&mut shown), Some(number.to_string()));
            assert_eq!(held.next(&mut shown), None);
        }
        assert_eq!(held.lines.len(), MOST);
        assert_eq!(held.lines[MOST - 2..], [MOST - 2, MOST * 3 - 1].map(|it| it.to_string()));
    }
}

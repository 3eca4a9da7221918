//! Lines for standard error, which is the terminal of the view, until the view has left it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::say;

/// The lines, if there is a view.
static HELD: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// Most lines that are held.
const MOST: usize = 100;

fn held() -> MutexGuard<'static, Option<Vec<String>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a line, if there is a view; of more than 100, the first and the last.
pub(crate) fn hold(line: &str) -> bool {
    let mut held = held();
    let Some(lines) = held.as_mut() else { return false };
    if lines.len() == MOST {
        lines.pop();
    }
    lines.push(line.to_owned());
    true
}

/// Lines are held as long as there is one. Then they are printed.
pub(super) struct Holding {
    /// How many were shown in the view.
    shown: usize,
}

impl Holding {
    pub(super) fn start() -> Self {
        *held() = Some(Vec::new());
        Holding { shown: 0 }
    }

    /// The last line that came since the last call.
    pub(super) fn next(&mut self) -> Option<String> {
        let held = held();
        let lines = held.as_ref()?;
        let is_new = lines.len() > self.shown;
        self.shown = lines.len();
        if is_new { lines.last().cloned() } else { None }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let lines = held().take();
        lines.iter().flatten().for_each(|line| say(line));
    }
}

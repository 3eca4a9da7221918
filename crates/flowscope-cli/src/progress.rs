use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use flowscope::record::amount;

/// Progress bar on standard error.
///
/// It appears after half a second, on a terminal only, and is removed at the end.
pub(crate) struct Progress {
    /// Total size of all inputs, if known.
    total: Option<u64>,
    started: Instant,
    looked: Instant,
    bar: Option<ProgressBar>,
    hidden: bool,
}

/// Values that it shows.
pub(crate) struct Shown {
    /// Bytes read from the inputs as stored.
    pub(crate) position: u64,
    pub(crate) packets: u64,
    pub(crate) flows: u64,
    /// Packets that were not tracked.
    pub(crate) lost: u64,
}

impl Progress {
    /// For a run over `total` bytes, if known; never shown if `hidden`.
    pub(crate) fn new(total: Option<u64>, hidden: bool) -> Self {
        let now = Instant::now();
        let hidden = hidden || !io::stderr().is_terminal();
        Progress { total, started: now, looked: now, bar: None, hidden }
    }

    /// Updates the bar, if it is due.
    pub(crate) fn show(&mut self, shown: impl FnOnce() -> Shown) {
        if self.hidden || self.looked.elapsed() < EVERY {
            return;
        }
        self.looked = Instant::now();
        let age = self.started.elapsed();
        if age < QUICK {
            return;
        }
        let shown = shown();
        let bar = self.bar.get_or_insert_with(|| bar(self.total));
        let rate = shown.packets as f64 / age.as_secs_f64();
        bar.set_message(format!(
            "{} packets ({}/s), {} flows, {} not tracked",
            amount(shown.packets).as_str(),
            amount(rate as u64).as_str(),
            amount(shown.flows).as_str(),
            amount(shown.lost).as_str()
        ));
        bar.set_position(shown.position);
    }

    /// Hides the bar while `act` writes to the terminal.
    pub(crate) fn aside(&self, act: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(act),
            None => act(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let template = TEMPLATES[usize::from(total.is_some())];
    bar.with_style(style(template).unwrap_or_else(ProgressStyle::default_bar))
}

/// Without and with a known end.
const TEMPLATES: [&str; 2] =
    ["{bytes} in {elapsed}  {wide_msg}", "{bar:20} {bytes}/{total_bytes} {eta} left  {wide_msg}"];

fn style(template: &str) -> Option<ProgressStyle> {
    ProgressStyle::with_template(template).ok()
}

/// Interval of updates.
const EVERY: Duration = Duration::from_millis(100);
/// Runs shorter than this show no bar.
const QUICK: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_well_formed() {
        for template in TEMPLATES {
            assert!(style(template).is_some(), "{template}");
        }
    }
}

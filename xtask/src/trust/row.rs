//! The rows, and what comes of measuring one.

use std::fmt;

use super::setup::Setup;
use super::{damage, determinism, flood, hostile_text, output, signals, steps, suites, work};
use crate::Result;

/// A promise, and how it is measured.
pub(crate) struct Row {
    pub(crate) number: u8,
    pub(crate) promise: &'static str,
    /// What the figure does not show.
    pub(crate) not_shown: &'static str,
    pub(crate) run: fn(&Setup) -> Result<Measured>,
}

/// What came of a row.
#[derive(Debug, PartialEq)]
pub(crate) struct Measured {
    /// What was run.
    pub(crate) load: String,
    /// What was counted.
    pub(crate) figure: String,
    pub(crate) verdict: Verdict,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Passed,
    /// Why.
    Failed(String),
    /// What is missing.
    Skipped(String),
}

impl Verdict {
    pub(crate) fn is_failed(&self) -> bool {
        matches!(self, Verdict::Failed(_))
    }

    pub(crate) fn is_skipped(&self) -> bool {
        matches!(self, Verdict::Skipped(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Passed => f.write_str("passed"),
            Verdict::Failed(why) => write!(f, "FAILED: {why}"),
            Verdict::Skipped(why) => write!(f, "SKIPPED: {why}"),
        }
    }
}

impl Measured {
    /// Passed if nothing is wrong.
    pub(crate) fn unless(
        wrong: &[String],
        load: impl Into<String>,
        figure: impl Into<String>,
    ) -> Measured {
        let verdict =
            if wrong.is_empty() { Verdict::Passed } else { Verdict::Failed(summary(wrong)) };
        Measured { load: load.into(), figure: figure.into(), verdict }
    }

    pub(crate) fn skipped(why: impl Into<String>) -> Measured {
        Measured { load: "–".into(), figure: "–".into(), verdict: Verdict::Skipped(why.into()) }
    }
}

/// The first faults, and how many more there are.
fn summary(wrong: &[String]) -> String {
    const SHOWN: usize = 4;
    let mut text = wrong.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if wrong.len() > SHOWN {
        text.push_str(&format!("; and {} more", wrong.len() - SHOWN));
    }
    text
}

impl Row {
    /// Measures it. What keeps it from being measured is a failure.
    pub(crate) fn measure(&self, setup: &Setup) -> Measured {
        (self.run)(setup).unwrap_or_else(|error| Measured {
            load: "–".into(),
            figure: "–".into(),
            verdict: Verdict::Failed(error.to_string()),
        })
    }
}

/// In the order of their numbers, which are kept when rows come and go.
pub(crate) const ROWS: &[Row] = &[
    Row {
        number: 1,
        promise: "No panic and no endless loop on any bytes",
        not_shown: "inputs that a fuzzer looks for: `cargo xtask fuzz`; time per input",
        run: suites::any_bytes,
    },
    Row {
        number: 2,
        promise: "Records do not depend on how bytes are cut",
        not_shown: "protocols without a sample of the kind of message; pairs of cuts",
        run: suites::cuts,
    },
    Row {
        number: 3,
        promise: "Output does not depend on the hash seed or the number of workers",
        not_shown: "live capture, where batches depend on the kernel; other machines",
        run: determinism::run,
    },
    Row {
        number: 4,
        promise: "Every packet and byte is in the ledger",
        not_shown: "losses in front of the capture, which a ledger cannot know",
        run: suites::ledger,
    },
    Row {
        number: 5,
        promise: "A capture that is cut gives what is before the cut",
        not_shown: "long captures, compressed ones; that other programs read the same packets",
        run: suites::cut_files,
    },
    Row {
        number: 8,
        promise: "Overlaps are resolved as the policy says, and conflicts are reported",
        not_shown: "that hosts do as the policy of their name",
        run: suites::overlaps,
    },
    Row {
        number: 9,
        promise: "A SYN flood takes no more memory than was set, and 64 MiB",
        not_shown: "live capture, the ring of which is memory of the kernel",
        run: flood::memory,
    },
    Row {
        number: 10,
        promise: "Established connections survive a SYN flood",
        not_shown: "floods that complete the handshake, floods of UDP with answers",
        run: flood::fairness,
    },
    Row {
        number: 11,
        promise: "Work per byte of an attack: at most 10 times that of ordinary flows, not growing with length",
        not_shown: "cache misses; attacks of more packets; the cost of output",
        run: work::run,
    },
    Row {
        number: 12,
        promise: "Segments behind holes: bounded memory, work in proportion",
        not_shown: "memory beside the driver's own count: `--test memory` counts by allocator",
        run: work::out_of_order,
    },
    Row {
        number: 13,
        promise: "Fragments that are never whole displace at most one of a hundred sound datagrams",
        not_shown: "sound datagrams whose pieces are far apart in time",
        run: suites::fragments,
    },
    Row {
        number: 14,
        promise: "Keys that collide under a known seed are noticed, and then have no effect",
        not_shown: "an attacker who measures the time of packets and learns the seed of SipHash",
        run: suites::collisions,
    },
    Row {
        number: 15,
        promise: "Wrong times flush no flow and are counted",
        not_shown: "clocks that drift",
        run: suites::clock,
    },
    Row {
        number: 16,
        promise: "A snap length changes no counter of a flow",
        not_shown: "what parsers lose",
        run: suites::snap_length,
    },
    Row {
        number: 17,
        promise: "Packets that are captured twice are all counted",
        not_shown: "that copies are left out: tracking files does not do it",
        run: suites::copies,
    },
    Row {
        number: 18,
        promise: "Bit errors: no panic, a balanced ledger, no more flows lost than by tshark",
        not_shown: "bursts of errors, errors in the headers of the file",
        run: damage::run,
    },
    Row {
        number: 20,
        promise: "A disk that is full, a pipe that is closed: exit code, and nothing half renamed",
        not_shown: "a disk that fails on fsync; Parquet; rotated logs",
        run: output::run,
    },
    Row {
        number: 21,
        promise: "SIGTERM at any time: every flow has its record, exit code 0, within 5 s",
        not_shown: "cards and drivers: it is a veth pair; more than one interface",
        run: signals::run,
    },
    Row {
        number: 22,
        promise: "A slow subscriber learns how much it missed, and slows no other",
        not_shown: "the rate of the others, since time is paused; ten million events",
        run: suites::lag,
    },
    Row {
        number: 23,
        promise: "A future that is dropped at any poll loses nothing",
        not_shown: "all schedules: it is not checked with shuttle or loom",
        run: suites::cancellation,
    },
    Row {
        number: 28,
        promise: "Allocations and instructions per packet and record stay within their limits",
        not_shown: "protocols other than HTTP, TLS and DNS",
        run: steps::gate,
    },
    Row {
        number: 30,
        promise: "Text of strangers controls no terminal, and breaks no format",
        not_shown: "pages of `report` (the step `browser`); formulas in CSV, which are written as they are",
        run: hostile_text::run,
    },
    Row {
        number: 35,
        promise: "Arithmetic on shared memory is sound",
        not_shown: "threads of netring; other processors; the kernel's side of the rings",
        run: steps::memory,
    },
    Row {
        number: 36,
        promise: "Dependencies have licences and sources that are permitted, and are locked",
        not_shown: "advisories, whose database has to be fetched; pairs of features",
        run: steps::supply,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_order_and_no_cell_breaks_the_table() {
        assert!(ROWS.is_sorted_by(|a, b| a.number < b.number));
        let sound = |text: &str| !text.is_empty() && !text.contains(['|', '\n']);
        assert!(ROWS.iter().all(|row| sound(row.promise) && sound(row.not_shown)));
    }

    #[test]
    fn one_fault_fails_a_row_and_many_are_summed_up() {
        assert_eq!(Measured::unless(&[], "a", "b").verdict, Verdict::Passed);
        let faults: Vec<String> = (0..6).map(|n| format!("fault {n}")).collect();
        let Verdict::Failed(why) = Measured::unless(&faults, "a", "b").verdict else { panic!() };
        assert_eq!(why, "fault 0; fault 1; fault 2; fault 3; and 2 more");
        assert!(Measured::skipped("no root").verdict.is_skipped());
    }

    #[test]
    fn what_cannot_be_measured_is_a_failure() {
        let row = Row {
            number: 1,
            promise: "a",
            not_shown: "b",
            run: |_| Err("there is no such program".into()),
        };
        let setup = Setup::new(true, 1).unwrap();
        assert!(row.measure(&setup).verdict.is_failed());
    }
}

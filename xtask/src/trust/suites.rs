//! Rows that are tests: run as they are, with the figures that they print.

use std::path::Path;

use super::row::Measured;
use super::setup::{Setup, grouped};
use crate::Result;

/// What is in the loads of tests that have two.
fn build(setup: &Setup) -> &'static str {
    setup.load("optimised", "not optimised")
}

/// Row 1.
pub(crate) fn any_bytes(setup: &Setup) -> Result<Measured> {
    let tests = setup.tests(&["-p", "flowscope-fuzz-targets", "--test", "replay"], &[])?;
    let load = format!("{} fuzz targets, {}", tests.figures.len(), build(setup));
    let figure = format!("{} inputs, no failure", grouped(tests.sum()));
    Ok(Measured::unless(&[], load, figure))
}

/// Row 2.
pub(crate) fn cuts(setup: &Setup) -> Result<Measured> {
    let mut packages = Vec::new();
    for folder in setup.sh.read_dir("crates")? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if folder.join("tests/conformance.rs").exists() {
            packages.extend(["-p".to_owned(), name]);
        }
    }
    let crates = packages.len() / 2;
    let mut words: Vec<&str> = packages.iter().map(String::as_str).collect();
    words.extend(["--test", "conformance"]);
    let laws = setup.tests(&words, &["stream::cuts"])?;
    let fuzzed =
        setup.tests(&["-p", "flowscope-fuzz-targets", "--test", "replay"], &["parsers"])?;
    let load = format!("samples of {crates} crates, sound and damaged; fuzz target `parsers`");
    let passed = laws.passed;
    let figure = format!("{passed} protocols and {} inputs, the same", grouped(fuzzed.sum()));
    Ok(Measured::unless(&[], load, figure))
}

/// Row 4.
pub(crate) fn ledger(setup: &Setup) -> Result<Measured> {
    let words = ["-p", "flowscope-fuzz-targets", "--test", "attacks"];
    let ordinary = setup.tests(&words, &["ordinary"])?;
    setup.tests(&words, &["twice"])?;
    let load = ordinary.figures.first().cloned().unwrap_or_default();
    let figure = "packets and bytes: seen = delivered + lost, in each run";
    Ok(Measured::unless(&[], load, figure))
}

/// Row 5.
pub(crate) fn cut_files(setup: &Setup) -> Result<Measured> {
    let words = ["-p", "flowscope-fuzz-targets", "--test", "attacks"];
    let tests = setup.tests(&words, &["captures_cut_at_every_byte"])?;
    let load = "a pcap and a pcapng of 6 packets, cut at every byte";
    let figure = format!("{}: the packets before the cut, and an error", tests.figures.join(", "));
    Ok(Measured::unless(&[], load, figure))
}

/// Row 8.
pub(crate) fn overlaps(setup: &Setup) -> Result<Measured> {
    let words = ["-p", "flowscope-reassembly", "--test", "stream_overlap", "--test", "defrag"];
    let tests = setup.tests(&words, &["every_"])?;
    let load = tests.figures.join(", ");
    let figure = format!("all as a per-byte oracle has it (tests: {})", tests.passed);
    Ok(Measured::unless(&[], load, figure))
}

/// Row 13.
pub(crate) fn fragments(setup: &Setup) -> Result<Measured> {
    let words = ["-p", "flowscope-tests", "--test", "it"];
    setup.tests(&words, &["hostile::large::many_datagrams_that_are_never_whole"])?;
    let pieces = grouped(setup.load(1_000_000, 20_000));
    let load = format!("6 floods of {pieces} fragments, or half as many");
    let figure = "at least 99 % of the others joined, budget of 4 MiB kept";
    Ok(Measured::unless(&[], load, figure))
}

/// Least speed, in hundredths of that of keys that do not collide.
const SPEED: u64 = 80;

/// Row 14.
pub(crate) fn collisions(setup: &Setup) -> Result<Measured> {
    let tests = setup.tests(&["-p", "flowscope-track", "--test", "collisions"], &[])?;
    let figure = tests.figures.first().ok_or("the test prints no figure")?;
    let speed = figure.split_once("then ").and_then(|(_, behind)| super::setup::number(behind));
    let speed = speed.ok_or_else(|| format!("no speed in `{figure}`"))?;
    let mut wrong = Vec::new();
    // Where nothing is optimised, the hash function is not what takes the time.
    if !setup.quick && speed < SPEED {
        wrong.push(format!("{speed} % of the speed, less than {SPEED} %"));
    }
    let load = format!("keys found by search, {}", build(setup));
    Ok(Measured::unless(&wrong, load, figure.clone()))
}

/// Rows of the tests of whole pipelines, `tests/it`.
fn hostile(setup: &Setup, test: &str, load: &str, figure: &str) -> Result<Measured> {
    let tests = setup.tests(&["-p", "flowscope-tests", "--test", "it"], &[test])?;
    let figure = format!("{figure} (tests: {})", tests.passed);
    Ok(Measured::unless(&[], load, figure))
}

/// Row 15.
pub(crate) fn clock(setup: &Setup) -> Result<Measured> {
    let load = "8 kinds of wrong time, in 1 of 200, 20 and 3 packets; leaps; time that runs back";
    hostile(setup, "hostile::clock", load, "no flow flushed, each step back counted")
}

/// Row 16.
pub(crate) fn snap_length(setup: &Setup) -> Result<Measured> {
    let load = format!("{} captures of tests/data, cut to 128, 96 and 64 bytes", captures()?);
    let test = "hostile::damage::a_snap_length_changes_no_counter_of_a_flow";
    hostile(setup, test, &load, "equal counters, but for headers that were cut")
}

/// Row 17.
pub(crate) fn copies(setup: &Setup) -> Result<Measured> {
    let load = format!("{} captures of tests/data, each packet 2 and 4 times", captures()?);
    let test = "hostile::damage::repeated_packets_are_all_counted";
    hostile(setup, test, &load, "each copy is counted")
}

/// How many captures the tests read.
fn captures() -> Result<usize> {
    let mut count = 0;
    for entry in Path::new("tests/data").read_dir()? {
        let path = entry?.path();
        count += usize::from(path.extension().is_some_and(|end| end == "pcap" || end == "pcapng"));
    }
    Ok(count)
}

/// Row 22.
pub(crate) fn lag(setup: &Setup) -> Result<Measured> {
    let tests = setup.tests(&["-p", "netring", "--test", "it"], &["what_the_slow_did_not_get"])?;
    let load = "8 subscribers, one slow; buffer of 1024; 60 000 events";
    let figure = tests.figures.first().cloned().unwrap_or_default();
    Ok(Measured::unless(&[], load, figure))
}

/// Row 23.
pub(crate) fn cancellation(setup: &Setup) -> Result<Measured> {
    let words = ["-p", "netring", "--test", "it"];
    setup.tests(&words, &["dropping_a_future_at_any_poll_loses_nothing"])?;
    setup.tests(&["-p", "netring", "--test", "conversations"], &["cancelled"])?;
    let load = "600 packets, pauses and failures in between; each future dropped unless it is ready at once";
    Ok(Measured::unless(&[], load, "the same events and errors"))
}

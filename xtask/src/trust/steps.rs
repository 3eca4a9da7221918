//! Rows that are steps of `cargo xtask ci`, or other tasks.

use super::row::Measured;
use super::setup::{Setup, is_there};
use crate::{Result, ci, gate};

/// Row 28.
pub(crate) fn gate(setup: &Setup) -> Result<Measured> {
    if !is_there(&["valgrind", "--version"]) {
        return Ok(Measured::skipped("valgrind is not installed"));
    }
    let limits = setup.sh.read_file("benches/limits.tsv")?;
    let rows = limits.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count();
    let beyond = gate::run(&[]).err().map(|error| error.to_string());
    let load = format!("{rows} scenarios of benches/limits.tsv");
    Ok(Measured::unless(beyond.as_slice(), load, "none beyond its limits"))
}

/// Runs steps of `cargo xtask ci`, and gives what failed.
fn step(name: &str) -> Vec<String> {
    ci::run(&[name.to_owned()]).err().map(|error| error.to_string()).into_iter().collect()
}

/// Row 35.
pub(crate) fn memory(_: &Setup) -> Result<Measured> {
    if !is_there(&["cargo", "+nightly", "miri", "--version"]) {
        return Ok(Measured::skipped("no nightly toolchain with Miri"));
    }
    let load = "the tests of netring-capture, by `cargo xtask ci memory`";
    Ok(Measured::unless(&step("memory"), load, "clean under Miri and the address sanitizer"))
}

/// Row 36.
pub(crate) fn supply(_: &Setup) -> Result<Measured> {
    if !is_there(&["cargo", "deny", "--version"]) {
        return Ok(Measured::skipped("cargo-deny is not installed"));
    }
    let load = "bans, licences and sources, by `cargo xtask ci deny`";
    Ok(Measured::unless(&step("deny"), load, "clean, with the lock file as it is"))
}

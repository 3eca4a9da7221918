//! The package `columnar`, which is no member of the workspace: its tests, and what other programs read of its files.

use xshell::{Shell, cmd};

use crate::{Result, ci, needs};

/// The package.
const MANIFEST: &str = "columnar/Cargo.toml";

/// The other readers, as pip's arguments.
const READERS: [&str; 2] = ["--requirement", "columnar/readers/requirements.txt"];

/// Captures that other readers are asked about.
const CAPTURES: [&str; 4] = ["mixed.pcapng", "dns-tcp.pcap", "vlan.pcap", "icmp.pcap"];

/// Formats, lints and tests the package, and checks its dependencies as those of the workspace. Then pyarrow, DuckDB and
/// Polars read its files, where they can be installed.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    cmd!(sh, "cargo fmt --manifest-path {MANIFEST} --check").run()?;
    // Not `--locked`: a new crate of the workspace is new in this lock file too.
    cmd!(sh, "cargo clippy --manifest-path {MANIFEST} --all-targets -- -D warnings").run()?;
    cmd!(sh, "cargo test --manifest-path {MANIFEST}").run()?;
    ci::deny(sh, MANIFEST)?;
    // Programs of the package are built for its tests.
    let program = "columnar/target/debug/flowscope-parquet";
    let Some(python) = needs::python(sh, "columnar/target/readers", &READERS) else {
        return needs::skip("columns", "pyarrow, DuckDB and Polars cannot be installed");
    };
    let captures = CAPTURES.map(|name| format!("tests/data/{name}"));
    Ok(cmd!(sh, "{python} columnar/readers/check.py {program} {captures...}").run()?)
}

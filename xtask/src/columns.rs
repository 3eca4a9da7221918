//! The package `columnar`, which is no member of the workspace: its tests, and what other programs read of its files.

use xshell::{Shell, cmd};

use crate::{Result, ci};

/// The package.
const MANIFEST: &str = "columnar/Cargo.toml";

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
    let Some(python) = python(sh)? else {
        println!("SKIPPED: columns: pyarrow, DuckDB and Polars cannot be installed");
        return Ok(());
    };
    let captures = CAPTURES.map(|name| format!("tests/data/{name}"));
    Ok(cmd!(sh, "{python} columnar/readers/check.py {program} {captures...}").run()?)
}

/// The Python that has the readers, in an environment of its own; `None` without a network, or without Python.
fn python(sh: &Shell) -> Result<Option<String>> {
    let (folder, wanted) = ("columnar/target/readers", "columnar/readers/requirements.txt");
    let python = format!("{folder}/bin/python");
    let make = cmd!(sh, "python3 -m venv {folder}").quiet().ignore_stdout().ignore_stderr();
    if make.run().is_err() {
        return Ok(None);
    }
    let install = cmd!(sh, "{python} -m pip install --quiet --requirement {wanted}").quiet();
    Ok(install.run().is_ok().then_some(python))
}

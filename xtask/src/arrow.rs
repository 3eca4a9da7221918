//! The packages that need Arrow: `columnar`, `nats` and `query`. They are a workspace of their own.

use xshell::{Shell, cmd};

use crate::{Result, ci, needs};

/// The manifest of that workspace, and of the package `columnar`.
pub(crate) const MANIFEST: &str = "columnar/Cargo.toml";

/// The other readers, as pip's arguments.
const READERS: [&str; 2] = ["--requirement", "columnar/readers/requirements.txt"];

/// Captures that other readers are asked about.
const CAPTURES: [&str; 4] = ["mixed.pcapng", "dns-tcp.pcap", "vlan.pcap", "icmp.pcap"];

/// Formats, lints and tests the packages, and checks their dependencies as those of the workspace. Tests that need servers are
/// skipped without `nats-server`. Then pyarrow, DuckDB and Polars read the files of `columnar`, where they can be installed.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    cmd!(sh, "cargo fmt --manifest-path {MANIFEST} --all --check").run()?;
    // Fails if the lock file is not current.
    cmd!(sh, "cargo fetch --locked --manifest-path {MANIFEST}").run()?;
    ci::deny(sh, MANIFEST)?;
    let all = ["--manifest-path", MANIFEST, "--workspace"];
    ci::clippy_outside(sh, &all)?;
    cmd!(sh, "cargo test {all...}").run()?;
    // Alone, it has fewer features of Arrow than together with DataFusion.
    cmd!(sh, "cargo check --manifest-path {MANIFEST}").run()?;
    let probe = cmd!(sh, "nats-server --version").quiet().ignore_stdout().ignore_stderr();
    if probe.run().is_err() {
        needs::skip("arrow", "there is no nats-server, so that servers were not tested")?;
    }
    let Some(python) = needs::python(sh, "columnar/target/readers", &READERS) else {
        return needs::skip("arrow", "pyarrow, DuckDB and Polars cannot be installed");
    };
    // Programs of the package are built for its tests.
    let program = "columnar/target/debug/flowscope-parquet";
    let captures = CAPTURES.map(|name| format!("tests/data/{name}"));
    Ok(cmd!(sh, "{python} columnar/readers/check.py {program} {captures...}").run()?)
}

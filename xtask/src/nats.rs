//! The package `nats`, which is no member of the workspace: sensors and collectors over NATS JetStream.

use xshell::{Shell, cmd};

use crate::{Result, ci, needs};

/// The package.
const MANIFEST: &str = "nats/Cargo.toml";

/// Where it is built: most of what it needs is what `columnar` needs.
const TARGET: &str = "columnar/target";

/// Formats, lints and tests the package, and checks its dependencies as those of the workspace. Tests that need servers are
/// skipped without `nats-server`.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    cmd!(sh, "cargo fmt --manifest-path {MANIFEST} --check").run()?;
    // Fails if the lock file is not current.
    cmd!(sh, "cargo fetch --locked --manifest-path {MANIFEST}").run()?;
    ci::deny(sh, MANIFEST)?;
    let target = ["--target-dir", TARGET];
    cmd!(sh, "cargo clippy --manifest-path {MANIFEST} {target...} --all-targets -- -D warnings")
        .run()?;
    cmd!(sh, "cargo test --manifest-path {MANIFEST} {target...}").run()?;
    let probe = cmd!(sh, "nats-server --version").quiet().ignore_stdout().ignore_stderr();
    if probe.run().is_err() {
        return needs::skip("nats", "there is no nats-server, so that servers were not tested");
    }
    Ok(())
}

/// Runs three servers, three sensors and two collectors on this machine, kills one of each, and compares the files with the records of one
/// process. Needs `nats-server`.
pub(crate) fn cluster(sh: &Shell) -> Result<()> {
    let _required = sh.push_env("REQUIRE_DOWNLOADS", "1");
    let test = ["--test", "it", "--", "cluster"];
    cmd!(sh, "cargo test --quiet --manifest-path {MANIFEST} --target-dir {TARGET} {test...}")
        .run()?;
    println!("cluster: each record is in the files once, as from one process");
    Ok(())
}

//! The package `query`, which is no member of the workspace: SQL, by DataFusion.

use xshell::{Shell, cmd};

use crate::{Result, ci};

/// The package.
const MANIFEST: &str = "query/Cargo.toml";

/// Formats, lints and tests the package, and checks its dependencies as those of the workspace.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    cmd!(sh, "cargo fmt --manifest-path {MANIFEST} --check").run()?;
    // Fails if the lock file is not current.
    cmd!(sh, "cargo fetch --locked --manifest-path {MANIFEST}").run()?;
    ci::deny(sh, MANIFEST)?;
    cmd!(sh, "cargo clippy --manifest-path {MANIFEST} --all-targets -- -D warnings").run()?;
    Ok(cmd!(sh, "cargo test --manifest-path {MANIFEST}").run()?)
}

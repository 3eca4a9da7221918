//! `cargo xtask cluster`: servers of NATS, sensors and collectors, some of which are killed.

use xshell::{Shell, cmd};

use crate::{Result, arrow};

/// Runs three servers, three sensors and two collectors on this machine, kills one of each, and compares the files with the
/// records of one process. Needs `nats-server`.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let _required = sh.push_env("REQUIRE_DOWNLOADS", "1");
    let package = ["--manifest-path", arrow::MANIFEST, "-p", "flowscope-nats"];
    cmd!(sh, "cargo test --quiet {package...} --test it -- cluster").run()?;
    println!("cluster: each record is in the files once, as from one process");
    Ok(())
}

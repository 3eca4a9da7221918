//! `cargo xtask formats`: the tables of `docs/FORMATS.md` and `docs/IPFIX.md`, and that of protocols in `README.md`.
//!
//! Tests of the crate `flowscope` make them, because it has all schemas and this package has none; the
//! same tests check them in every run of the tests.

use xshell::{Shell, cmd};

use crate::Result;

/// Writes the tables, or checks them.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let sh = Shell::new()?;
    let _update = match args {
        [] => Some(sh.push_env("UPDATE_GOLDEN", "1")),
        [check] if check == "--check" => None,
        _ => return Err("formats takes --check, or nothing".into()),
    };
    cmd!(sh, "cargo test --quiet -p flowscope --test formats_page --test readme").run()?;
    Ok(cmd!(sh, "cargo test --quiet -p flowscope-ipfix --test it page").run()?)
}

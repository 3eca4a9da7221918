//! `cargo xtask cli-pages`: the pages of the manual in `contrib/man`, and the completions in `contrib/completions`.
//!
//! A test of the crate `flowscope-cli` makes them, because it has the command line and this package has none; the same
//! test checks them in every run of the tests.

use xshell::{Shell, cmd};

use crate::Result;

/// Writes the files, or checks them.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let sh = Shell::new()?;
    let _update = match args {
        [] => Some(sh.push_env("UPDATE_GOLDEN", "1")),
        [check] if check == "--check" => None,
        _ => return Err("cli-pages takes --check, or nothing".into()),
    };
    Ok(cmd!(sh, "cargo test --quiet -p flowscope-cli --lib pages").run()?)
}

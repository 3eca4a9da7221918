//! What steps need besides Rust: programs of this machine, and packages that are downloaded.

use std::env;

use xshell::{Shell, cmd};

use crate::Result;

/// If it is 1, a step that lacks what it needs fails.
const REQUIRED: &str = "REQUIRE_DOWNLOADS";

/// Says that a step is skipped, and why.
///
/// # Errors
///
/// With `REQUIRE_DOWNLOADS=1` in the environment: nothing is skipped for want of a program or a package.
pub(crate) fn skip(step: &str, why: &str) -> Result<()> {
    skip_unless(env::var_os(REQUIRED).is_some_and(|value| value == "1"), step, why)
}

fn skip_unless(is_required: bool, step: &str, why: &str) -> Result<()> {
    if is_required {
        return Err(format!("{step}: {why}, and {REQUIRED} is 1").into());
    }
    println!("SKIPPED: {step}: {why}");
    Ok(())
}

/// Makes an environment of Python in this folder, and installs what pip's arguments name. Returns its Python, or `None`
/// without a network, or without Python and venv.
pub(crate) fn python(sh: &Shell, folder: &str, wanted: &[&str]) -> Option<String> {
    let python = format!("{folder}/bin/python");
    let make = cmd!(sh, "python3 -m venv {folder}").quiet().ignore_stdout().ignore_stderr();
    let install = cmd!(sh, "{python} -m pip install --quiet {wanted...}").quiet();
    (make.run().is_ok() && install.run().is_ok()).then_some(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_skipped_unless_downloads_are_required() {
        assert!(skip_unless(false, "browser", "there is no npm").is_ok());
        let error = skip_unless(true, "browser", "there is no npm").unwrap_err().to_string();
        assert_eq!(error, "browser: there is no npm, and REQUIRE_DOWNLOADS is 1");
    }

    #[test]
    fn an_environment_that_cannot_be_made_is_none() {
        let sh = Shell::new().unwrap();
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert_eq!(python(&sh, file, &["pip"]), None);
    }
}

//! The package `python`, which is no member of the workspace: its wheel, and tests of that beside the command.

use xshell::{Shell, cmd};

use crate::{Result, ci};

/// The package.
const MANIFEST: &str = "python/Cargo.toml";

/// Formats and lints the package, and checks its dependencies as those of the workspace. Then its wheel is built, and
/// tested as it is installed, where maturin can be installed.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    cmd!(sh, "cargo fmt --manifest-path {MANIFEST} --check").run()?;
    ci::deny(sh, MANIFEST)?;
    let Some(python) = environment(sh)? else {
        println!("SKIPPED: python: there is no Python with venv, or maturin cannot be installed");
        return Ok(());
    };
    let python = sh.current_dir().join(python);
    {
        // As maturin sets it: what is compiled for one is not compiled again for the other.
        let _extension = sh.push_env("PYO3_BUILD_EXTENSION_MODULE", "1");
        let _python = sh.push_env("PYO3_PYTHON", &python);
        // Not `--locked`: a new crate of the workspace is new in this lock file too.
        cmd!(sh, "cargo clippy --manifest-path {MANIFEST} --all-targets -- -D warnings").run()?;
    }
    let wheels = "python/target/wheels";
    sh.remove_path(wheels)?;
    let build = ["--manifest-path", MANIFEST, "--out", wheels, "--quiet"];
    cmd!(sh, "{python} -m maturin build {build...}").run()?;
    for wheel in sh.read_dir(wheels)? {
        cmd!(sh, "{python} -m pip install --quiet --force-reinstall {wheel}").run()?;
    }
    cmd!(sh, "cargo build -p flowscope-cli").run()?;
    let _program = sh.push_env("FLOWSCOPE", sh.current_dir().join("target/debug/flowscope"));
    Ok(cmd!(sh, "{python} -m unittest discover python/tests").run()?)
}

/// The Python of an environment that has maturin; `None` without a network, or without Python.
fn environment(sh: &Shell) -> Result<Option<String>> {
    let folder = "python/target/venv";
    let python = format!("{folder}/bin/python");
    let make = cmd!(sh, "python3 -m venv {folder}").quiet().ignore_stdout().ignore_stderr();
    if make.run().is_err() {
        return Ok(None);
    }
    let wanted = ["maturin>=1.9,<2"];
    let install = cmd!(sh, "{python} -m pip install --quiet {wanted...}").quiet();
    Ok(install.run().is_ok().then_some(python))
}

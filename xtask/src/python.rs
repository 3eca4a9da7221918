//! The package `python`, which is no member of the workspace: its wheel, and tests of that beside the command.

use xshell::{Shell, cmd};

use crate::{Result, ci, needs};

/// The package.
const MANIFEST: &str = "python/Cargo.toml";

/// Formats and lints the package, and checks its dependencies as those of the workspace. Then its wheel is built, and
/// tested as it is installed, where maturin can be installed.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    cmd!(sh, "cargo fmt --manifest-path {MANIFEST} --check").run()?;
    ci::deny(sh, MANIFEST)?;
    let Some(python) = needs::python(sh, "python/target/venv", &["maturin>=1.9,<2"]) else {
        return needs::skip(
            "python",
            "there is no Python with venv, or maturin cannot be installed",
        );
    };
    let python = sh.current_dir().join(python);
    {
        // As maturin sets it: what is compiled for one is not compiled again for the other.
        let _extension = sh.push_env("PYO3_BUILD_EXTENSION_MODULE", "1");
        let _python = sh.push_env("PYO3_PYTHON", &python);
        ci::clippy_outside(sh, &["--manifest-path", MANIFEST])?;
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

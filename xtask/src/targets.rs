//! Whether the libraries compile for other platforms, and the command for those that have terminals. Nothing of it is run.

use std::path::Path;

use xshell::{Shell, cmd};

use crate::Result;

/// A platform beside that of this machine.
struct Platform {
    /// As rustc calls it.
    target: &'static str,
    has_command: bool,
}

const PLATFORMS: [Platform; 5] = [
    Platform { target: "x86_64-pc-windows-gnu", has_command: true },
    Platform { target: "aarch64-apple-darwin", has_command: true },
    Platform { target: "aarch64-unknown-linux-gnu", has_command: false },
    Platform { target: "i686-unknown-linux-gnu", has_command: false },
    Platform { target: "wasm32-unknown-unknown", has_command: false },
];

/// Libraries that bring all others with them but for live capture, which is of Linux.
const LIBRARIES: [&str; 6] = [
    "flowscope",
    "flowscope-filter",
    "flowscope-ipfix",
    "flowscope-parallel",
    "flowscope-report",
    "flowscope-where",
];

const COMMAND: &str = "flowscope-cli";

/// Checks them for every target that is installed, and names the others.
pub(crate) fn check(sh: &Shell) -> Result<()> {
    for Platform { target, has_command } in PLATFORMS {
        if !is_installed(sh, target)? {
            println!("SKIPPED: targets: {}", how_to_install(target));
            continue;
        }
        let command = has_command.then_some(COMMAND);
        let packages = LIBRARIES.into_iter().chain(command).flat_map(|name| ["-p", name]);
        // The feature is not a default one.
        let features = ["--features", "flowscope/keylog"];
        cmd!(sh, "cargo check --quiet --locked {packages...} {features...} --target {target}")
            .run()?;
    }
    Ok(())
}

/// Whether the standard library for a target is installed.
pub(crate) fn is_installed(sh: &Shell, target: &str) -> Result<bool> {
    let folder = cmd!(sh, "rustc --print target-libdir --target {target}").quiet().read()?;
    Ok(Path::new(&folder).is_dir())
}

/// Why there is nothing for a target, and the remedy.
pub(crate) fn how_to_install(target: &str) -> String {
    format!("the target is not installed: rustup target add {target}")
}

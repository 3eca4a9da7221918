//! Formats whose libraries are too large for this program: another one has the same command line, and does the work.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::error::Failure;

/// The program that has `--format parquet`.
pub(crate) const PARQUET: &str = "flowscope-parquet";

/// How to get it, in the folder of the sources.
pub(crate) const INSTALL: &str = "cargo install --locked --path columnar";

/// Runs the program of this name with the arguments of this one, in its place. Returns only if it could not be started.
pub(crate) fn run(name: &'static str) -> Failure {
    let mut command = Command::new(beside(name).unwrap_or_else(|| name.into()));
    command.args(env::args_os().skip(1));
    replace(name, command)
}

/// The program of this name in the folder of this one.
fn beside(name: &str) -> Option<PathBuf> {
    let path =
        env::current_exe().ok()?.with_file_name(format!("{name}{}", env::consts::EXE_SUFFIX));
    path.is_file().then_some(path)
}

#[cfg(unix)]
fn replace(name: &'static str, mut command: Command) -> Failure {
    use std::os::unix::process::CommandExt;

    Failure::Companion { name, source: command.exec() }
}

#[cfg(not(unix))]
fn replace(name: &'static str, mut command: Command) -> Failure {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(source) => Failure::Companion { name, source },
    }
}

//! Formats whose libraries are too large for this program: another one has the same command line, and does the work.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::error::Failure;

/// Another program that does some of the work.
#[derive(Debug)]
pub(crate) struct Companion {
    pub(crate) name: &'static str,
    /// How to get it, in the folder of the sources.
    pub(crate) install: &'static str,
    /// How many arguments of the command line, its program among them, are not for it.
    skipped: usize,
}

/// What has `--format parquet`.
pub(crate) const PARQUET: Companion = Companion {
    name: "flowscope-parquet",
    install: "cargo install --locked --path columnar",
    skipped: 1,
};

/// What has `--format arrow`, and is `flowscope collect`.
pub(crate) const NATS: Companion =
    Companion { name: "flowscope-nats", install: "cargo install --locked --path nats", skipped: 1 };

/// What is `flowscope query`.
pub(crate) const QUERY: Companion = Companion {
    name: "flowscope-query",
    install: "cargo install --locked --path query",
    skipped: 2,
};

impl Companion {
    /// Runs it with the arguments of this program, in its place. Returns only if it could not be started.
    pub(crate) fn run(&'static self) -> Failure {
        let mut command = Command::new(beside(self.name).unwrap_or_else(|| self.name.into()));
        command.args(env::args_os().skip(self.skipped));
        self.replace(command)
    }

    #[cfg(unix)]
    fn replace(&'static self, mut command: Command) -> Failure {
        use std::os::unix::process::CommandExt;

        Failure::Companion { companion: self, source: command.exec() }
    }

    #[cfg(not(unix))]
    fn replace(&'static self, mut command: Command) -> Failure {
        match command.status() {
            Ok(status) => std::process::exit(status.code().unwrap_or(1)),
            Err(source) => Failure::Companion { companion: self, source },
        }
    }
}

/// The program of this name in the folder of this one.
fn beside(name: &str) -> Option<PathBuf> {
    let path =
        env::current_exe().ok()?.with_file_name(format!("{name}{}", env::consts::EXE_SUFFIX));
    path.is_file().then_some(path)
}

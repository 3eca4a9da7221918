use std::io;

use flowscope_where::WhereError;

use crate::companion::Companion;

/// Result of a run that was completed. Of several, the last in this order is reported.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Status {
    /// All input was read, all output written.
    #[default]
    Done,
    /// Completed, but input was damaged, or packets were lost for lack of room.
    Incomplete,
    /// An input could not be read.
    Failed,
    /// There was no permission to read an input.
    Denied,
}

impl Status {
    /// The exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Status::Done => 0,
            Status::Failed => 1,
            Status::Incomplete => 3,
            Status::Denied => 4,
        }
    }
}

/// Why a run was aborted.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The reader of the output has closed it.
    Closed,
    /// The output could not be written.
    Output {
        /// Name of the output.
        name: String,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A file that is needed beside the captures could not be read.
    Input {
        /// Its name.
        name: String,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A worker thread ended early.
    Worker(String),
    /// Another program was to do the work, and could not be started.
    Companion { companion: &'static Companion, source: io::Error },
    /// Invalid command line.
    Usage(String),
    /// An expression, or the name of a field, that is not understood: the option, and what is wrong.
    Expression(&'static str, WhereError),
    /// Error of a live capture, of sending, or of a packet that its file cannot hold.
    Failed(String),
    /// No permission to capture.
    #[cfg(all(feature = "live", target_os = "linux"))]
    Denied {
        what: String,
        /// Command, or options, that grant it.
        remedy: String,
    },
}

impl Failure {
    /// Message for the user, if any.
    pub(crate) fn message(&self) -> Option<String> {
        match self {
            Failure::Closed => None,
            Failure::Output { name, source } => Some(format!("{name}: cannot write: {source}")),
            Failure::Input { name, source } => Some(format!("{name}: cannot read: {source}")),
            Failure::Worker(why) => Some(format!("a worker thread failed: {why}")),
            Failure::Companion { companion: Companion { name, .. }, source } => {
                Some(match source.kind() {
                    io::ErrorKind::NotFound => format!(
                        "the program `{name}` is needed, and is neither beside this one nor in PATH"
                    ),
                    _ => format!("the program `{name}` cannot be started: {source}"),
                })
            }
            Failure::Usage(what) => Some(what.clone()),
            Failure::Expression(option, error) => Some(format!("{option}: {}", error.message())),
            Failure::Failed(what) => Some(what.clone()),
            #[cfg(all(feature = "live", target_os = "linux"))]
            Failure::Denied { what, .. } => Some(what.clone()),
        }
    }

    /// Lines below the message: a command that fixes the error, or the place of it.
    pub(crate) fn details(&self) -> Vec<String> {
        match self {
            Failure::Expression(_, error) => error.explanation(),
            Failure::Companion { companion, .. } => vec![companion.install.to_owned()],
            #[cfg(all(feature = "live", target_os = "linux"))]
            Failure::Denied { remedy, .. } => vec![remedy.clone()],
            _ => Vec::new(),
        }
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::Closed => 0,
            Failure::Worker(_) | Failure::Companion { .. } | Failure::Failed(_) => 1,
            Failure::Usage(_) | Failure::Expression(..) => 2,
            Failure::Input { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => 4,
            Failure::Input { .. } => 1,
            Failure::Output { .. } => 5,
            #[cfg(all(feature = "live", target_os = "linux"))]
            Failure::Denied { .. } => 4,
        }
    }
}

use std::io;

/// How a run ended that came to its end. Of several, the last in this order is reported.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Status {
    /// All input was read, all output written.
    #[default]
    Done,
    /// Finished, but input was damaged, or packets were lost for want of room.
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

/// Why a run was given up.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Whoever read the output has had enough.
    Closed,
    /// The output could not be written.
    Output {
        /// What it is called.
        name: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A worker thread ended before its work did.
    Worker(String),
    /// The command line asks for what cannot be.
    Usage(String),
    /// What a live capture, or sending, could not do.
    #[cfg(all(feature = "live", target_os = "linux"))]
    Failed(String),
    /// There is no permission to capture.
    #[cfg(all(feature = "live", target_os = "linux"))]
    Denied {
        what: String,
        /// The line that grants it.
        remedy: String,
    },
}

impl Failure {
    /// What to tell the user, if anything.
    pub(crate) fn message(&self) -> Option<String> {
        match self {
            Failure::Closed => None,
            Failure::Output { name, source } => Some(format!("{name}: cannot write: {source}")),
            Failure::Worker(why) => Some(format!("a worker thread failed: {why}")),
            Failure::Usage(what) => Some(what.clone()),
            #[cfg(all(feature = "live", target_os = "linux"))]
            Failure::Failed(what) | Failure::Denied { what, .. } => Some(what.clone()),
        }
    }

    /// A line for the user to copy, if there is one that helps.
    pub(crate) fn remedy(&self) -> Option<&str> {
        match self {
            #[cfg(all(feature = "live", target_os = "linux"))]
            Failure::Denied { remedy, .. } => Some(remedy),
            _ => None,
        }
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::Closed => 0,
            Failure::Worker(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Output { .. } => 5,
            #[cfg(all(feature = "live", target_os = "linux"))]
            Failure::Failed(_) => 1,
            #[cfg(all(feature = "live", target_os = "linux"))]
            Failure::Denied { .. } => 4,
        }
    }
}

use std::error::Error;
use std::fmt;

/// A worker thread could not be started, or panicked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WorkerError {
    message: String,
}

impl WorkerError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        WorkerError { message: message.into() }
    }

    /// The message of the panic, or why the thread could not be started.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for WorkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a worker thread failed: {}", self.message)
    }
}

impl Error for WorkerError {}

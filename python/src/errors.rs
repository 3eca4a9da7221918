//! Exceptions and warnings.

use std::ffi::CString;
use std::io;
use std::path::Path;

use flowscope::pcap::ReadError;
use flowscope_cli::RecordRunError;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyOSError, PyRuntimeError, PyUserWarning, PyValueError};
use pyo3::prelude::*;

create_exception!(flowscope, CaptureError, PyException, "A file is not a packet capture.");
create_exception!(
    flowscope,
    CaptureWarning,
    PyUserWarning,
    "A capture is damaged, or ends within a record. Everything before that was read."
);

/// An error of an input, which is reported when all records have been taken.
pub(crate) enum InputError {
    Damaged(String),
    NotACapture(String),
    Io(io::Error, String),
    Other(String),
}

impl InputError {
    pub(crate) fn of(error: &ReadError) -> Self {
        match error {
            ReadError::Damaged { .. } => InputError::Damaged(error.to_string()),
            ReadError::NotACapture { .. } => InputError::NotACapture(error.to_string()),
            ReadError::Io { input, source } => {
                let source = match source.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => io::Error::new(source.kind(), source.to_string()),
                };
                InputError::Io(source, input.clone())
            }
            _ => InputError::Other(error.to_string()),
        }
    }

    /// Warns of a damaged capture; anything else is the exception.
    pub(crate) fn report(self, py: Python<'_>) -> PyResult<()> {
        match self {
            InputError::Damaged(what) => {
                let what = CString::new(what.replace('\0', "\\0"))?;
                PyErr::warn(py, &py.get_type::<CaptureWarning>(), &what, 1)
            }
            InputError::NotACapture(what) => Err(CaptureError::new_err(what)),
            InputError::Io(error, input) => Err(of_file(&error, Path::new(&input))),
            InputError::Other(what) => Err(CaptureError::new_err(what)),
        }
    }

    /// Whether there is an exception for it.
    pub(crate) fn is_exception(&self) -> bool {
        !matches!(self, InputError::Damaged(_))
    }
}

/// The subclass of `OSError` for an error, which names the file.
pub(crate) fn of_file(error: &io::Error, path: &Path) -> PyErr {
    match error.raw_os_error() {
        Some(code) => {
            let text = error.to_string();
            let what = text.split(" (os error").next().unwrap_or_default().to_owned();
            PyOSError::new_err((code, what, path.as_os_str().to_owned()))
        }
        None => PyOSError::new_err(format!("{}: {error}", path.display())),
    }
}

/// The exception for a run that could not begin, or did not come to its end.
pub(crate) fn of_run(error: RecordRunError) -> PyErr {
    match error {
        RecordRunError::Usage(what) => PyValueError::new_err(what),
        other => PyRuntimeError::new_err(other.to_string()),
    }
}

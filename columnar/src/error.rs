use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use flowscope::output::FlowLineError;
use parquet::errors::ParquetError;

/// Why records could not be written, or read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The system refused to create, read, write or rename this file or directory.
    Io(PathBuf, io::Error),
    /// This file could not be written, or is damaged.
    Parquet(PathBuf, ParquetError),
    /// The row of this number, from 1, is no flow record.
    Row(PathBuf, u64, FlowLineError),
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error {
        |error| Error::Io(path.to_owned(), error)
    }

    pub(crate) fn parquet(path: &Path) -> impl FnOnce(ParquetError) -> Error {
        |error| match error {
            ParquetError::External(error) => match error.downcast::<io::Error>() {
                Ok(error) => Error::Io(path.to_owned(), *error),
                Err(error) => Error::Parquet(path.to_owned(), ParquetError::External(error)),
            },
            error => Error::Parquet(path.to_owned(), error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Error::Parquet(path, error) => write!(f, "{}: {error}", path.display()),
            Error::Row(path, row, error) => write!(f, "{}: row {row}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io(_, error) => Some(error),
            Error::Parquet(_, error) => Some(error),
            Error::Row(_, _, error) => Some(error),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match &error {
            Error::Io(_, error) => error.kind(),
            Error::Parquet(..) => io::ErrorKind::Other,
            Error::Row(..) => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

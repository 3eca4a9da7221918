use std::any::Any;
use std::io;
use std::sync::Arc;

use flowscope_filter::FilterError;
use flowscope_pcap::{ReadError, WriteError};

/// Error of a capture. It is an item of the stream, which goes on if it can.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Error of the live capture: interface, permission, or a setting that the kernel refused.
    #[cfg(target_os = "linux")]
    #[error(transparent)]
    Capture(#[from] netring_capture::CaptureError),
    /// The map of flows that the kernel counts cannot be read; counters of a flow may be missing, and the kernel
    /// may go on to count packets of it that no ledger has.
    #[cfg(target_os = "linux")]
    #[error(transparent)]
    Shunt(netring_capture::ShuntError),
    /// The filter cannot be compiled for the interface.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Error of a capture file.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Writing to the tap failed; recording has ended.
    #[error("recording has ended: {0}")]
    Tap(#[source] WriteError),
    /// The runtime cannot wait for the source.
    #[error("cannot wait for packets: {0}")]
    Wait(#[source] io::Error),
    /// A worker, parser, extractor or consumer panicked with this message.
    #[error("panicked: {0}")]
    Panicked(String),
    /// The stream that a handle belongs to was dropped before its end.
    #[error("the stream was dropped before its end")]
    Dropped,
    /// Error that several callers receive.
    #[error(transparent)]
    Shared(Arc<Error>),
    /// Error of a source outside this crate.
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
}

/// Errors of custom sources that do I/O.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::source(error)
    }
}

impl Error {
    /// Whether the stream goes on after this error: an interface that is down and may come up
    /// again, counters of a shunted flow that cannot be read, a recording that has ended, one of several files that
    /// could not be read to its end.
    ///
    /// After any other error, only packets that were already received follow, and packets of other
    /// interfaces of the same capture.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Error::Capture(netring_capture::CaptureError::InterfaceDown { .. }) => true,
            #[cfg(target_os = "linux")]
            Error::Shunt(_) => true,
            Error::Tap(_) | Error::Read(_) => true,
            Error::Shared(error) => error.is_passing(),
            _ => false,
        }
    }

    /// Whether a privilege is missing; the message says how to grant it.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Error::Capture(netring_capture::CaptureError::NoPermission { .. }) => true,
            Error::Read(ReadError::Io { source, .. }) => {
                source.kind() == io::ErrorKind::PermissionDenied
            }
            Error::Shared(error) => error.is_permission(),
            _ => false,
        }
    }

    /// Error for a caught panic.
    pub(crate) fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Error::Panicked(text.unwrap_or_else(|| "without a message".to_owned()))
    }

    /// Error of a custom source.
    pub fn source(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Source(error.into())
    }
}

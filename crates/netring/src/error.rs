use std::io;

use flowscope_filter::FilterError;
use flowscope_pcap::{ReadError, WriteError};

/// What can go wrong with a capture. A stream gives it as an item and goes on where it can.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The live capture: the interface, the permission, or what the kernel did not accept.
    #[cfg(target_os = "linux")]
    #[error(transparent)]
    Capture(#[from] netring_capture::CaptureError),
    /// The filter has no program for the interface.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The capture file.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What is recorded could not be written; nothing more is recorded.
    #[error("recording has ended: {0}")]
    Tap(#[source] WriteError),
    /// The runtime cannot wait for the source.
    #[error("cannot wait for packets: {0}")]
    Wait(#[source] io::Error),
    /// A source that is none of this crate's.
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Whether the stream goes on although this was not whole: an interface that is down and may come
    /// up again, a recording that has ended, one of several files that could not be read to its end.
    /// After any other there is at most what had been received already, but from other interfaces of the
    /// same capture.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Error::Capture(netring_capture::CaptureError::InterfaceDown { .. }) => true,
            Error::Tap(_) | Error::Read(_) => true,
            _ => false,
        }
    }

    /// Whether it is for want of a privilege; its text then says how to get it.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Error::Capture(netring_capture::CaptureError::NoPermission { .. }) => true,
            Error::Read(ReadError::Io { source, .. }) => {
                source.kind() == io::ErrorKind::PermissionDenied
            }
            _ => false,
        }
    }

    /// The error of a source of one's own.
    pub fn source(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Source(error.into())
    }
}

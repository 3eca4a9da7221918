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
    /// The error of a source of one's own.
    pub fn source(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Source(error.into())
    }
}

use std::task::{Context, Poll};

use flowscope_core::{PacketSource, PacketView};

use crate::{AsyncPacketSource, Error, SourceStats};

/// Asynchronous source over a synchronous one that never waits for packets, such as a capture file.
///
/// Nothing is copied. Reading a file blocks the thread while the operating system fetches it;
/// [`Blocking`](crate::Blocking), which [`AsyncCapture::open_file`](crate::AsyncCapture::open_file) uses,
/// reads in a thread of its own.
///
/// ```no_run
/// use flowscope_pcap::CaptureFiles;
/// use netring::{AsyncCapture, Replay};
///
/// let capture = AsyncCapture::new(Replay::new(CaptureFiles::new(["trace.pcap"])));
/// ```
#[derive(Debug)]
pub struct Replay<S> {
    source: S,
    stopped: bool,
}

impl<S: PacketSource> Replay<S> {
    /// Reads from the current position of `source`.
    pub fn new(source: S) -> Self {
        Replay { source, stopped: false }
    }

    /// The source.
    pub fn get_ref(&self) -> &S {
        &self.source
    }
}

impl<S: PacketSource> AsyncPacketSource for Replay<S>
where
    S::Error: Into<Error>,
{
    fn poll_batch(
        &mut self,
        _: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>> {
        if self.stopped {
            return Poll::Ready(Ok(0));
        }
        Poll::Ready(self.source.next_batch(lend).map_err(Into::into))
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn stats(&mut self) -> Result<SourceStats, Error> {
        Ok(SourceStats::default())
    }
}

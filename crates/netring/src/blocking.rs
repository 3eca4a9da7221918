use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::{mem, thread};

use flowscope_core::{PacketSource, PacketView};
use flowscope_pcap::CaptureReader;
use tokio::sync::mpsc;

use crate::copied::Copied;
use crate::stages::recycle;
use crate::{AsyncCapture, AsyncPacketSource, Error};

/// Asynchronous source over a synchronous one that waits for packets, or for the disk: a thread of its own
/// reads it. [`AsyncCapture::open_file`] uses it for files, [`AsyncCapture::open_reader`] for whatever else
/// is read.
///
/// Packets are copied, and at most eight batches wait. The thread ends when the source does, or when this
/// is dropped and the source returns from the read that it is in.
///
/// ```no_run
/// use flowscope_pcap::{CaptureFiles, ReadConfig, ReadError};
/// use netring::{AsyncCapture, Blocking};
///
/// # fn check() -> Result<(), netring::Error> {
/// // A file with records of at most 64 KiB, read while other tasks run.
/// let config = ReadConfig::default().max_record(1 << 16);
/// let open = || Ok::<_, ReadError>(CaptureFiles::with_config(["trace.pcap"], config));
/// let capture = AsyncCapture::new(Blocking::new(open)?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Blocking {
    batches: mpsc::Receiver<Result<Copied, Error>>,
    /// Memory of batches that were lent.
    used: Arc<Used>,
    /// Storage for the views of a batch; empty between batches.
    views: Vec<PacketView<'static>>,
}

type Used = Mutex<Vec<Copied>>;

/// Batches that wait between the thread and the stream.
const BATCHES: usize = 8;

impl Blocking {
    /// Opens a source in a thread, and reads it there. An error of `open` is an item of the stream, as
    /// is a panic of the source, after which the stream ends.
    ///
    /// # Errors
    ///
    /// [`Error::Wait`] when no thread can be created.
    pub fn new<S, E>(open: impl FnOnce() -> Result<S, E> + Send + 'static) -> Result<Self, Error>
    where
        S: PacketSource,
        S::Error: Into<Error>,
        E: Into<Error>,
    {
        let (sender, batches) = mpsc::channel(BATCHES);
        let used = Arc::new(Used::default());
        let recycled = Arc::clone(&used);
        let work = move || {
            let read = AssertUnwindSafe(|| match open() {
                Ok(source) => read(source, &sender, &recycled),
                Err(error) => drop(sender.blocking_send(Err(error.into()))),
            });
            if let Err(payload) = catch_unwind(read) {
                let _ = sender.blocking_send(Err(Error::panicked(&*payload)));
            }
        };
        thread::Builder::new().name("netring-read".into()).spawn(work).map_err(Error::Wait)?;
        Ok(Blocking { batches, used, views: Vec::new() })
    }

    /// As [`new`](Self::new); when no thread can be created, that is the only item of the stream.
    pub(crate) fn deferred<S, E>(open: impl FnOnce() -> Result<S, E> + Send + 'static) -> Self
    where
        S: PacketSource,
        S::Error: Into<Error>,
        E: Into<Error>,
    {
        Blocking::new(open).unwrap_or_else(|error| {
            let (sender, batches) = mpsc::channel(1);
            // There is room for one.
            let _ = sender.try_send(Err(error));
            Blocking { batches, used: Arc::default(), views: Vec::new() }
        })
    }
}

/// Sends batches until the source ends, or the receiver is gone.
fn read<S: PacketSource>(mut source: S, to: &mpsc::Sender<Result<Copied, Error>>, used: &Used)
where
    S::Error: Into<Error>,
{
    loop {
        let recycled = used.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut copied = recycled.unwrap_or_default();
        let item = match source.next_batch(&mut |packets| copied.fill(packets)) {
            Ok(0) => return,
            Ok(_) => Ok(copied),
            Err(error) => Err(error.into()),
        };
        if to.blocking_send(item).is_err() {
            return;
        }
    }
}

impl AsyncPacketSource for Blocking {
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>> {
        let Some(batch) = ready!(self.batches.poll_recv(cx)) else { return Poll::Ready(Ok(0)) };
        let batch = batch?;
        let mut views = recycle(mem::take(&mut self.views));
        views.extend(batch.views());
        let lent = views.len();
        lend(&views);
        self.views = recycle(views);
        self.used.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
        Poll::Ready(Ok(lent))
    }

    /// Batches that were read are still lent.
    fn stop(&mut self) {
        self.batches.close();
    }
}

impl AsyncCapture<Blocking> {
    /// Reads a capture, pcap or pcapng, from anything that is [`Read`], as it comes, such as standard
    /// input. A thread reads it; if it is no capture, the first item is the error. For
    /// [`AsyncRead`](tokio::io::AsyncRead) see [`open_async_reader`](AsyncCapture::open_async_reader).
    ///
    /// Time passes with its packets only, as in a file.
    ///
    /// # Errors
    ///
    /// [`Error::Wait`] when no thread can be created.
    pub fn open_reader(input: impl Read + Send + 'static) -> Result<Self, Error> {
        Ok(AsyncCapture::new(Blocking::new(|| CaptureReader::new(input))?))
    }
}

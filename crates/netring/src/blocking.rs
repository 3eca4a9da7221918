use std::io::Read;
use std::task::{Context, Poll, ready};
use std::thread;

use bytes::BytesMut;
use flowscope_core::{PacketSource, PacketView};
use flowscope_pcap::CaptureReader;
use tokio::sync::mpsc;

use crate::{AsyncCapture, AsyncPacketSource, Error, OwnedPacket};

/// Asynchronous source over a synchronous one that waits for packets, or for the disk: a thread of its own
/// reads it. [`AsyncCapture::open_reader`] uses it for pipes and sockets.
///
/// Packets are copied, and at most eight batches wait. The thread ends when the source does, or when this
/// is dropped and the source returns from the read that it is in.
///
/// ```no_run
/// use flowscope_pcap::{CaptureFiles, ReadError};
/// use netring::{AsyncCapture, Blocking};
///
/// # fn check() -> Result<(), netring::Error> {
/// // A file on a slow disk, read while other tasks run.
/// let source = Blocking::new(|| Ok::<_, ReadError>(CaptureFiles::new(["trace.pcap"])))?;
/// let capture = AsyncCapture::new(source);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Blocking {
    batches: mpsc::Receiver<Result<Vec<OwnedPacket>, Error>>,
}

/// Batches that wait between the thread and the stream.
const BATCHES: usize = 8;

impl Blocking {
    /// Opens a source in a thread, and reads it there. An error of `open` is an item of the stream.
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
        let read = move || match open() {
            Ok(source) => read(source, &sender),
            Err(error) => drop(sender.blocking_send(Err(error.into()))),
        };
        thread::Builder::new().name("netring-read".into()).spawn(read).map_err(Error::Wait)?;
        Ok(Blocking { batches })
    }
}

/// Sends batches until the source ends, or nobody receives them.
fn read<S: PacketSource>(mut source: S, to: &mpsc::Sender<Result<Vec<OwnedPacket>, Error>>)
where
    S::Error: Into<Error>,
{
    loop {
        let mut copies = Vec::new();
        let read = source.next_batch(&mut |packets| copies = copy(packets));
        let item = match read {
            Ok(0) => return,
            Ok(_) => Ok(copies),
            Err(error) => Err(error.into()),
        };
        if to.blocking_send(item).is_err() {
            return;
        }
    }
}

/// Copies packets into one allocation.
fn copy(packets: &[PacketView<'_>]) -> Vec<OwnedPacket> {
    let mut all = BytesMut::with_capacity(packets.iter().map(|packet| packet.frame().len()).sum());
    let one = |packet: &PacketView<'_>| {
        all.extend_from_slice(packet.frame());
        OwnedPacket::new(packet, all.split().freeze())
    };
    packets.iter().map(one).collect()
}

impl AsyncPacketSource for Blocking {
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>> {
        let Some(batch) = ready!(self.batches.poll_recv(cx)) else { return Poll::Ready(Ok(0)) };
        let batch = batch?;
        let views: Vec<PacketView<'_>> = batch.iter().map(OwnedPacket::view).collect();
        lend(&views);
        Poll::Ready(Ok(views.len()))
    }

    /// Batches that were read are still lent.
    fn stop(&mut self) {
        self.batches.close();
    }
}

impl AsyncCapture<Blocking> {
    /// Reads a capture, pcap or pcapng, from a pipe, a socket or standard input, as it comes. A thread
    /// reads it; if it is no capture, the first item is the error.
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

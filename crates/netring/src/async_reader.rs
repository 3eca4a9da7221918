use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use flowscope_core::PacketView;
use flowscope_pcap::CaptureReader;
use tokio::io::{AsyncRead, ReadBuf};

use crate::{AsyncCapture, AsyncPacketSource, Blocking, Error};

/// Capture that is read from an [`AsyncRead`]: a pipe, a socket, the output of a child process.
///
/// The task that polls the stream reads the bytes; a thread of its own decompresses them and takes them
/// apart. At most 256 KiB wait between the two, and eight batches of copied packets on the way back: a
/// slow consumer slows the writer.
///
/// Time passes with its packets only, as in a file.
pub struct AsyncReader<R> {
    /// `None` once it has ended.
    input: Option<R>,
    buffer: Box<[u8]>,
    /// Bytes of the buffer that were not passed on yet.
    filled: (usize, usize),
    pipe: Arc<Pipe>,
    packets: Blocking,
}

/// Bytes read at a time.
const READ: usize = 64 * 1024;

/// Reads of one poll, so that an input that always has bytes does not keep other tasks waiting.
const READS: usize = 2;

impl<R: AsyncRead + Unpin> AsyncCapture<AsyncReader<R>> {
    /// Reads a capture, pcap or pcapng, plain or compressed with gzip or zstd, from an asynchronous
    /// input, as it comes. If it is no capture, the first item is the error.
    ///
    /// [`stop`](AsyncCapture::stop) ends it at once, after packets that were taken apart already.
    ///
    /// # Errors
    ///
    /// [`Error::Wait`] when no thread can be created.
    ///
    /// ```no_run
    /// use flowscope_extract::FiveTuple;
    /// use netring::AsyncCapture;
    /// use tokio::net::UnixStream;
    ///
    /// # async fn check() -> Result<(), netring::Error> {
    /// let input = UnixStream::connect("/run/captures.sock").await?;
    /// let mut flows =
    ///     AsyncCapture::open_async_reader(input)?.flow_stream(FiveTuple::bidirectional());
    /// while let Some(event) = flows.next().await {
    ///     println!("{:?}", event?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn open_async_reader(input: R) -> Result<Self, Error> {
        let pipe = Arc::new(Pipe::new());
        let output = Output(Arc::clone(&pipe));
        Ok(AsyncCapture::new(AsyncReader {
            input: Some(input),
            buffer: vec![0; READ].into(),
            filled: (0, 0),
            packets: Blocking::new(|| CaptureReader::new(output))?,
            pipe,
        }))
    }
}

impl<R: AsyncRead + Unpin> AsyncReader<R> {
    /// Passes bytes on until the input has none, or there is no room.
    fn pump(&mut self, cx: &mut Context<'_>) {
        let mut reads = 0;
        while let Some(input) = &mut self.input {
            let (start, end) = self.filled;
            if start < end {
                let Poll::Ready(taken) = self.pipe.poll_push(cx, &self.buffer[start..end]) else {
                    return;
                };
                self.filled.0 += taken;
                continue;
            }
            if reads == READS {
                cx.waker().wake_by_ref();
                return;
            }
            reads += 1;
            let mut buffer = ReadBuf::new(&mut self.buffer);
            match Pin::new(input).poll_read(cx, &mut buffer) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.filled = (0, buffer.filled().len());
                }
                Poll::Ready(ended) => {
                    self.pipe.end(ended.err());
                    self.input = None;
                }
            }
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncPacketSource for AsyncReader<R> {
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>> {
        self.pump(cx);
        self.packets.poll_batch(cx, lend)
    }

    fn stop(&mut self) {
        // First, so that the thread cannot take the end of the pipe for that of the capture.
        self.packets.stop();
        self.pipe.end(None);
        self.input = None;
    }
}

impl<R> Drop for AsyncReader<R> {
    fn drop(&mut self) {
        self.pipe.end(None);
    }
}

impl<R> fmt::Debug for AsyncReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncReader").field("ended", &self.input.is_none()).finish_non_exhaustive()
    }
}

/// Bytes on the way from a task to a thread, which waits for them.
struct Pipe {
    state: Mutex<State>,
    /// Bytes came, or the end.
    came: Condvar,
}

struct State {
    /// Not read yet. They never need more memory than was reserved at the start.
    bytes: VecDeque<u8>,
    ended: bool,
    error: Option<io::Error>,
    /// The task that waits for room.
    waker: Option<Waker>,
}

/// Bytes that wait in the pipe. As many as one read gives wait in front of it.
const CAPACITY: usize = 256 * 1024 - READ;

impl Pipe {
    fn new() -> Self {
        let bytes = VecDeque::with_capacity(CAPACITY);
        let state = State { bytes, ended: false, error: None, waker: None };
        Pipe { state: Mutex::new(state), came: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The bytes behind the lock are consistent at any time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends as many bytes as there is room for, and returns their number, at least 1.
    fn poll_push(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<usize> {
        let mut state = self.state();
        let room = CAPACITY - state.bytes.len();
        if room == 0 {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let taken = bytes.len().min(room);
        state.bytes.extend(&bytes[..taken]);
        drop(state);
        self.came.notify_one();
        Poll::Ready(taken)
    }

    /// Ends the bytes, with an error that follows them. Only the first call has an effect.
    fn end(&self, error: Option<io::Error>) {
        let mut state = self.state();
        if !state.ended {
            (state.ended, state.error) = (true, error);
            drop(state);
            self.came.notify_one();
        }
    }
}

/// The end that the thread reads.
struct Output(Arc<Pipe>);

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        loop {
            if !state.bytes.is_empty() || buffer.is_empty() {
                let taken = state.bytes.read(buffer)?;
                let waker = if taken > 0 { state.waker.take() } else { None };
                // The task that is woken takes the lock, maybe at once.
                drop(state);
                if let Some(waker) = waker {
                    waker.wake();
                }
                return Ok(taken);
            }
            if let Some(error) = state.error.take() {
                return Err(error);
            }
            if state.ended {
                return Ok(0);
            }
            state = self.0.came.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::thread;

    use super::*;

    #[test]
    fn bytes_pass_the_pipe_in_order_and_bounded() {
        let pipe = Arc::new(Pipe::new());
        let reserved = pipe.state().bytes.capacity();
        let mut output = Output(Arc::clone(&pipe));
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let expected = bytes.clone();
        let writer = thread::spawn(move || {
            let mut cx = Context::from_waker(Waker::noop());
            let (mut rest, mut piece) = (&bytes[..], 1);
            while !rest.is_empty() {
                let next = &rest[..rest.len().min(piece % 70_000 + 1)];
                match pipe.poll_push(&mut cx, next) {
                    Poll::Ready(taken) => rest = &rest[taken..],
                    Poll::Pending => thread::yield_now(),
                }
                piece = piece * 7 + 1;
                let state = pipe.state();
                assert!(state.bytes.len() <= CAPACITY);
                assert_eq!(state.bytes.capacity(), reserved);
                piece %= 1_000_003;
            }
            pipe.end(Some(io::Error::other("torn")));
            pipe.end(None);
        });
        let (mut read, mut buffer) = (Vec::new(), vec![0; 50_000]);
        let error = loop {
            match output.read(&mut buffer) {
                Ok(len) => read.extend_from_slice(&buffer[..len]),
                Err(error) => break error,
            }
        };
        writer.join().unwrap();
        assert_eq!(error.to_string(), "torn");
        assert!(read == expected, "{} bytes", read.len());
        assert_eq!(output.read(&mut buffer).unwrap(), 0, "then the end");
    }

    #[test]
    fn a_full_pipe_wakes_its_writer_when_there_is_room() {
        struct Count(AtomicUsize, OnceLock<Arc<Pipe>>);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                assert!(self.1.get().unwrap().state.try_lock().is_ok(), "woken under the lock");
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let count = Arc::new(Count(AtomicUsize::new(0), OnceLock::new()));
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        let pipe = Arc::new(Pipe::new());
        assert!(count.1.set(Arc::clone(&pipe)).is_ok());
        let all = vec![7; CAPACITY + 1];
        assert_eq!(pipe.poll_push(&mut cx, &all), Poll::Ready(CAPACITY));
        assert_eq!(pipe.poll_push(&mut cx, &all), Poll::Pending);
        Output(Arc::clone(&pipe)).read_exact(&mut [0; 10]).unwrap();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(pipe.poll_push(&mut cx, &all), Poll::Ready(10));
    }
}

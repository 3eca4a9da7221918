mod driver;
mod tasks;

use std::future::Future;

use bytes::Bytes;
use flowscope_core::FlowSide;

use crate::{Ended, EventStream, GapCause};

pub use driver::AsyncReassemblerDriver;

/// Flow events, while futures process the payload. Made by
/// [`FlowStream::with_async_reassembler`](crate::FlowStream::with_async_reassembler).
///
/// Polling this stream drives the capture and the futures, without extra tasks. Events do not wait
/// for the futures: a flow may be reported as ended before all of its bytes were processed. The
/// stream ends, and [`shutdown`](EventStream::shutdown) returns, only when every future has
/// completed; to bound that, use a timeout, or drop the stream together with the futures.
pub type ReassembledStream<S, E, F> = EventStream<S, AsyncReassemblerDriver<E, F>>;

/// Asynchronous consumer of the bytes of one side of a TCP flow, in order.
///
/// It is the asynchronous counterpart of a [`Reassembler`](flowscope_core::Reassembler), behind one
/// that has put the bytes in order. Each call is awaited before the next call for the same side;
/// the sides of all flows proceed independently. Bytes that arrive meanwhile are buffered up to the
/// [credit](crate::ConversationConfig::credit); then the
/// [policy](crate::ConversationConfig::stalled) applies. By default, a slow consumer of a live capture
/// misses bytes of its own side, and no other flow waits for it.
///
/// A panic ends this consumer only: the rest of its side is not read, the stream has an item
/// [`Error::Panicked`](crate::Error::Panicked) with the message, and all other flows go on.
///
/// ```no_run
/// use bytes::Bytes;
/// use flowscope_core::FlowSide;
/// use flowscope_extract::{FiveTuple, FiveTupleKey};
/// use netring::{AsyncCapture, AsyncReassembler};
/// use tokio::sync::mpsc;
///
/// /// Forwards bytes to a channel that may be full.
/// struct Forward(mpsc::Sender<Bytes>);
///
/// impl AsyncReassembler for Forward {
///     async fn segment(&mut self, _at: u64, bytes: Bytes) {
///         let _ = self.0.send(bytes).await;
///     }
/// }
///
/// # async fn check(to: mpsc::Sender<Bytes>) -> Result<(), netring::Error> {
/// let mut flows = AsyncCapture::open("eth0")?
///     .flow_stream(FiveTuple::bidirectional())
///     .with_async_reassembler(move |_: &FiveTupleKey, _: FlowSide| Forward(to.clone()));
/// while let Some(event) = flows.next().await {
///     event?;
/// }
/// # Ok(())
/// # }
/// ```
pub trait AsyncReassembler: Send + 'static {
    /// Bytes at stream offset `at`.
    fn segment(&mut self, at: u64, bytes: Bytes) -> impl Future<Output = ()> + Send;

    /// `len` missing bytes at stream offset `at`.
    fn gap(&mut self, _at: u64, _len: u64, _cause: GapCause) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// End of the side by FIN: all of its bytes were passed, or are gaps.
    fn fin(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// End of the side for any reason; the last call.
    fn end(&mut self, _ended: Ended) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Makes an [`AsyncReassembler`] per direction of a flow, when its first payload arrives.
pub trait AsyncReassemblerFactory<K>: Send + 'static {
    /// Type of the reassemblers.
    type Reassembler: AsyncReassembler;

    /// New reassembler for the bytes that `side` of the flow `key` sends.
    fn new_reassembler(&mut self, key: &K, side: FlowSide) -> Self::Reassembler;
}

/// A closure is a factory.
impl<K, R, F> AsyncReassemblerFactory<K> for F
where
    R: AsyncReassembler,
    F: FnMut(&K, FlowSide) -> R + Send + 'static,
{
    type Reassembler = R;

    fn new_reassembler(&mut self, key: &K, side: FlowSide) -> R {
        self(key, side)
    }
}

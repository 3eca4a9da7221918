mod driver;
mod tasks;

use std::future::Future;

use bytes::Bytes;
use flowscope_core::FlowSide;

use crate::{Ended, EventStream, GapCause};

pub use driver::AsyncReassemblerDriver;

/// The life of every flow, as [`FlowEvent`](flowscope_track::FlowEvent)s, while futures read what the
/// flows say. Made by [`FlowStream::with_async_reassembler`](crate::FlowStream::with_async_reassembler).
///
/// Reading this stream is what drives the capture and the futures, without tasks of their own: those
/// that could go on are polled in turn. Events do not wait for them: the end of a flow may be told
/// before all of its bytes were worked off. The stream itself ends, and
/// [`shutdown`](EventStream::shutdown) returns, only once every future has run to its end; those who
/// cannot wait for that put a timeout around it, or drop the stream and the futures with it.
pub type ReassembledStream<S, E, F> = EventStream<S, AsyncReassemblerDriver<E, F>>;

/// Takes what one side of a TCP flow says, in order, and may take its time about it.
///
/// The asynchronous counterpart of a [`Reassembler`](flowscope_core::Reassembler) behind one that has
/// put the bytes in order. Each call is awaited before the next one for the same side; the two sides,
/// and all flows, go on independently. What comes meanwhile waits within the
/// [credit](crate::ConversationConfig::credit); when that is used up, the
/// [policy](crate::ConversationConfig::stalled) decides, which by default has the capture wait.
///
/// ```no_run
/// use bytes::Bytes;
/// use flowscope_core::FlowSide;
/// use flowscope_extract::{FiveTuple, FiveTupleKey};
/// use netring::{AsyncCapture, AsyncReassembler, Next as _};
/// use tokio::sync::mpsc;
///
/// /// Sends what it reads to somebody who may be slow.
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

    /// `len` bytes at stream offset `at` that are missing.
    fn gap(&mut self, _at: u64, _len: u64, _cause: GapCause) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// The side has finished: all that it sent has come, or is a gap.
    fn fin(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Nothing more comes of this side. The last call.
    fn end(&mut self, _ended: Ended) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// Makes an [`AsyncReassembler`] per direction of a flow, when its first payload comes. The factory is
/// shared, its products are not.
pub trait AsyncReassemblerFactory<K>: Send + 'static {
    /// What it makes.
    type Reassembler: AsyncReassembler;

    /// A fresh reassembler for the bytes that `side` of the flow `key` sends.
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

mod block;
mod channel;
mod config;
mod driver;
mod hub;
mod plain;
mod queue;
mod turn;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flowscope_core::{FlowSide, Timestamp};
use flowscope_track::{EndReason, FlowId, FlowRef, FlowStats};
use futures_core::Stream;
use futures_core::stream::FusedStream;
use tokio::task::coop;

use crate::EventStream;
use crate::next::next_method;

pub use config::{ConversationConfig, Stalled};
pub use driver::ConversationDriver;
pub use plain::{BothSides, OneSide};

pub(crate) use channel::{Receiver, Sender, channel};
pub(crate) use hub::Hub;
pub(crate) use turn::Turns;

/// TCP flows of a capture, each as a [`Conversation`] from its first payload on. Made by
/// [`FlowStream::conversations`](crate::FlowStream::conversations).
///
/// Polling this stream drives the capture. Read each conversation in a task of its own: a program
/// that reads one conversation to its end before it polls this stream again waits for ever.
///
/// Bytes taken from a conversation count as delivered in the [`stats`](EventStream::stats); those
/// not taken yet are [pending](crate::Stats::pending).
///
/// ```no_run
/// use flowscope_extract::FiveTuple;
/// use netring::{AsyncCapture, ConversationConfig, Piece};
///
/// # async fn check() -> Result<(), netring::Error> {
/// let flows = AsyncCapture::open("eth0")?.flow_stream(FiveTuple::bidirectional());
/// let mut conversations = flows.conversations(ConversationConfig::default());
/// while let Some(conversation) = conversations.next().await {
///     let mut conversation = conversation?;
///     tokio::spawn(async move {
///         while let Some(piece) = conversation.next().await {
///             if let Piece::Bytes { side, bytes, .. } = piece {
///                 println!("{} {side:?}: {} bytes", conversation.key(), bytes.len());
///             }
///         }
///     });
/// }
/// # Ok(())
/// # }
/// ```
pub type Conversations<S, E> = EventStream<S, ConversationDriver<E>>;

/// Bytes of both sides of one TCP flow: a stream of [`Piece`]s in the order in which they became
/// readable. It can be sent to another task.
///
/// A conversation begins with the first payload of the flow, or with the gap before it; a flow
/// without payload has none. The last item is always [`Piece::Ended`], also when the capture was
/// dropped.
///
/// Unread bytes are buffered up to the [credit](ConversationConfig::credit). Dropping the
/// conversation frees them at once, and later payload of the flow is not reassembled: both count as
/// [`Unclaimed`](flowscope_core::Loss::Unclaimed).
#[must_use = "a conversation that is dropped is not read"]
pub struct Conversation<K> {
    flow: FlowRef<K>,
    receiver: Receiver,
    /// `None` was returned.
    terminated: bool,
}

/// Item of a [`Conversation`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Piece {
    /// Bytes sent by one side.
    Bytes {
        /// The sender.
        side: FlowSide,
        /// Offset in the stream of this side; gaps count.
        offset: u64,
        /// Capture time of the packet that made the bytes readable.
        ts: Timestamp,
        /// The bytes. Pieces of one flow may share an allocation of at most 16 KiB.
        bytes: Bytes,
    },
    /// Missing bytes of one side.
    Gap {
        /// The sender.
        side: FlowSide,
        /// Offset in the stream of this side.
        offset: u64,
        /// Number of missing bytes.
        len: u64,
        /// Why they are missing.
        cause: GapCause,
    },
    /// End of one side by FIN: all of its bytes were read, or are gaps.
    Fin {
        /// The side that has ended.
        side: FlowSide,
    },
    /// End of the conversation; the last piece.
    Ended(Ended),
}

/// Why bytes are missing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum GapCause {
    /// Never captured.
    NotCaptured,
    /// Dropped because the reader was too slow ([`Stalled::Gap`]). Some of them may not have been
    /// captured either.
    Lag,
}

/// How a [`Conversation`] ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Ended {
    /// With its flow. The end of the capture ends all flows, as `EndOfInput`, or as `Shutdown` if
    /// it was stopped. A conversation whose flow was reset, or closed while bytes were missing, ends when no more
    /// of them can come: after the [linger time](flowscope_track::TrackerConfig::linger) at the latest.
    Flow {
        /// Why the flow ended.
        reason: EndReason,
        /// Counters of the flow.
        stats: Box<FlowStats>,
    },
    /// The reader was too slow ([`Stalled::Close`]). The flow goes on.
    Lagged,
    /// The memory budget of the driver was exhausted. The flow goes on.
    MemoryLimit,
    /// The stream that drives the capture was dropped.
    Abandoned,
}

impl<K> Conversation<K> {
    next_method!();

    pub(crate) fn new(flow: FlowRef<K>, receiver: Receiver) -> Self {
        Conversation { flow, receiver, terminated: false }
    }

    /// The flow, and the packet number of its first payload.
    pub fn flow(&self) -> &FlowRef<K> {
        &self.flow
    }

    /// The flow's key.
    pub fn key(&self) -> &K {
        &self.flow.key
    }

    /// The flow's id.
    pub fn id(&self) -> FlowId {
        self.flow.id
    }

    /// Bytes that can be read now.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.receiver.queued()
    }

    /// Bytes dropped so far because the reader was too slow.
    #[must_use]
    pub fn lagged(&self) -> u64 {
        self.receiver.lagged()
    }

    /// Reduces the items to bytes and their side.
    #[must_use]
    pub fn both_sides(self) -> BothSides<K> {
        BothSides::new(self)
    }

    /// Reduces the items to the bytes of one side. Those of the other side are read and dropped.
    #[must_use]
    pub fn one_side(self, side: FlowSide) -> OneSide<K> {
        OneSide::new(self, side)
    }
}

impl<K> Stream for Conversation<K> {
    type Item = Piece;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        let this = self.get_mut();
        let Poll::Ready(budget) = coop::poll_proceed(cx) else {
            this.receiver.gave_way();
            return Poll::Pending;
        };
        let piece = this.receiver.poll_piece(cx);
        if piece.is_ready() {
            budget.made_progress();
        }
        this.terminated |= matches!(piece, Poll::Ready(None));
        piece
    }
}

impl<K> FusedStream for Conversation<K> {
    fn is_terminated(&self) -> bool {
        self.terminated
    }
}

/// No field is ever pinned.
impl<K> Unpin for Conversation<K> {}

impl<K: fmt::Debug> fmt::Debug for Conversation<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("flow", &self.flow)
            .field("queued", &self.queued())
            .field("lagged", &self.lagged())
            .finish_non_exhaustive()
    }
}

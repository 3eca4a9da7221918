mod block;
mod channel;
mod config;
mod driver;
mod hub;
mod plain;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flowscope_core::{FlowSide, Timestamp};
use flowscope_track::{EndReason, FlowId, FlowRef, FlowStats};
use futures_core::Stream;

use crate::EventStream;

pub use config::{ConversationConfig, Stalled};
pub use driver::ConversationDriver;
pub use plain::{BothSides, OneSide};

pub(crate) use channel::{Receiver, Sender, channel};
pub(crate) use hub::Hub;

/// The TCP flows of a capture, each as a [`Conversation`], as they begin to speak. Made by
/// [`FlowStream::conversations`](crate::FlowStream::conversations).
///
/// Reading this stream is what drives the capture: conversations are to be read beside it, as by a
/// task for each. One that reads a conversation to its end before it asks for the next waits for
/// ever.
///
/// Bytes that were taken from a conversation are delivered in the [`stats`](EventStream::stats), those
/// that wait to be taken are [pending](crate::Stats::pending).
///
/// ```no_run
/// use flowscope_extract::FiveTuple;
/// use netring::{AsyncCapture, ConversationConfig, Next as _, Piece};
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

/// What both sides of one TCP flow said: a stream of [`Piece`]s in the order in which they became
/// readable, which may be sent to another task.
///
/// A conversation begins with the flow's first payload, or where the first is known to be missing;
/// flows without any have none. Its last item is [`Piece::Ended`], whatever comes: it does not wait for
/// a capture that is gone.
///
/// What is not read yet is held, within the [credit](ConversationConfig::credit). Dropping the
/// conversation frees it at once, and what the flow says from then on is not put in order any more: both
/// count as [`Unclaimed`](flowscope_core::Loss::Unclaimed).
#[must_use = "a conversation that is dropped is not read"]
pub struct Conversation<K> {
    flow: FlowRef<K>,
    receiver: Receiver,
}

/// A piece of a [`Conversation`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Piece {
    /// Bytes that one side sent.
    Bytes {
        /// Who.
        side: FlowSide,
        /// Where in the side's stream they begin; gaps count.
        offset: u64,
        /// When the packet that made them readable was captured.
        ts: Timestamp,
        /// The bytes; those of one flow may share an allocation of at most 16 KiB.
        bytes: Bytes,
    },
    /// Bytes that one side sent and that are missing.
    Gap {
        /// Who.
        side: FlowSide,
        /// Where in the side's stream they are missing.
        offset: u64,
        /// How many are.
        len: u64,
        /// Why.
        cause: GapCause,
    },
    /// All that this side sent up to its FIN has come, or is a gap.
    Fin {
        /// Who has finished.
        side: FlowSide,
    },
    /// The last piece: why there are no more.
    Ended(Ended),
}

/// Why bytes are missing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum GapCause {
    /// They were never captured.
    NotCaptured,
    /// The reader was too slow, and they were let go, as [`Stalled::Gap`] has it; some of them may not
    /// have been captured in the first place.
    Lag,
}

/// How a [`Conversation`] ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Ended {
    /// With its flow. When the capture ends, so do all flows: as `EndOfInput`, or as `Shutdown` if it
    /// was stopped.
    Flow {
        /// Why the flow did.
        reason: EndReason,
        /// Everything counted.
        stats: Box<FlowStats>,
    },
    /// The reader was too slow, as [`Stalled::Close`] has it. The flow goes on.
    Lagged,
    /// There was no more room within the driver's memory budget. The flow goes on.
    MemoryLimit,
    /// The stream that drove the capture was dropped.
    Abandoned,
}

impl<K> Conversation<K> {
    pub(crate) fn new(flow: FlowRef<K>, receiver: Receiver) -> Self {
        Conversation { flow, receiver }
    }

    /// Which flow it is, and where in the input its first payload stands.
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

    /// Bytes that are there to be read.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.receiver.queued()
    }

    /// Bytes lost so far because the reader was too slow.
    #[must_use]
    pub fn lagged(&self) -> u64 {
        self.receiver.lagged()
    }

    /// The bytes alone, and who sent them.
    #[must_use]
    pub fn both_sides(self) -> BothSides<K> {
        BothSides::new(self)
    }

    /// The bytes alone that one side sent. Those of the other are read and thrown away.
    #[must_use]
    pub fn one_side(self, side: FlowSide) -> OneSide<K> {
        OneSide::new(self, side)
    }
}

impl<K> Stream for Conversation<K> {
    type Item = Piece;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        self.get_mut().receiver.poll_piece(cx)
    }
}

/// Nothing in it is ever pinned.
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

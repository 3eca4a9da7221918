use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flowscope_core::FlowSide;
use futures_core::Stream;
use futures_core::stream::FusedStream;

use crate::next::next_method;

use super::{Conversation, Ended, Piece};

/// Bytes of a [`Conversation`] and their side, without gaps and ends. Made by
/// [`Conversation::both_sides`].
///
/// Missing bytes are skipped and counted: see [`missing`](Self::missing).
#[derive(Debug)]
pub struct BothSides<K> {
    conversation: Conversation<K>,
    missing: u64,
    ended: Option<Ended>,
}

/// Bytes of one side of a [`Conversation`]. Made by [`Conversation::one_side`].
///
/// Missing bytes are skipped and counted: see [`missing`](Self::missing).
#[derive(Debug)]
pub struct OneSide<K> {
    conversation: Conversation<K>,
    side: FlowSide,
    missing: u64,
    ended: Option<Ended>,
}

impl<K> BothSides<K> {
    next_method!();

    pub(super) fn new(conversation: Conversation<K>) -> Self {
        BothSides { conversation, missing: 0, ended: None }
    }

    /// Bytes skipped so far, because they were not captured or the reader was too slow.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// How the conversation ended; `None` before.
    #[must_use]
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// The conversation.
    pub fn conversation(&self) -> &Conversation<K> {
        &self.conversation
    }
}

impl<K> OneSide<K> {
    next_method!();

    pub(super) fn new(conversation: Conversation<K>, side: FlowSide) -> Self {
        OneSide { conversation, side, missing: 0, ended: None }
    }

    /// Bytes of this side skipped so far, because they were not captured or the reader was too
    /// slow.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// How the conversation ended; `None` before.
    #[must_use]
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// The conversation.
    pub fn conversation(&self) -> &Conversation<K> {
        &self.conversation
    }
}

impl<K> Stream for BothSides<K> {
    type Item = (FlowSide, Bytes);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let BothSides { conversation, missing, ended } = self.get_mut();
        poll_bytes(conversation, cx, |_| true, missing, ended)
    }
}

impl<K> Stream for OneSide<K> {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let OneSide { conversation, side: wanted, missing, ended } = self.get_mut();
        poll_bytes(conversation, cx, |side| side == *wanted, missing, ended)
            .map(|item| item.map(|(_, bytes)| bytes))
    }
}

impl<K> FusedStream for BothSides<K> {
    fn is_terminated(&self) -> bool {
        self.conversation.is_terminated()
    }
}

impl<K> FusedStream for OneSide<K> {
    fn is_terminated(&self) -> bool {
        self.conversation.is_terminated()
    }
}

/// Next bytes of a wanted side. The credit bounds the number of pieces skipped.
fn poll_bytes<K>(
    conversation: &mut Conversation<K>,
    cx: &mut Context<'_>,
    wanted: impl Fn(FlowSide) -> bool,
    missing: &mut u64,
    ended: &mut Option<Ended>,
) -> Poll<Option<(FlowSide, Bytes)>> {
    loop {
        match std::task::ready!(Pin::new(&mut *conversation).poll_next(cx)) {
            Some(Piece::Bytes { side, bytes, .. }) if wanted(side) => {
                return Poll::Ready(Some((side, bytes)));
            }
            Some(Piece::Gap { side, len, .. }) if wanted(side) => *missing += len,
            Some(Piece::Ended(why)) => *ended = Some(why),
            Some(_) => {}
            None => return Poll::Ready(None),
        }
    }
}

/// No field is ever pinned.
impl<K> Unpin for BothSides<K> {}

/// No field is ever pinned.
impl<K> Unpin for OneSide<K> {}

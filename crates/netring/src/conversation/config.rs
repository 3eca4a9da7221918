/// Limits of what conversations buffer, and the policy for slow readers.
#[derive(Clone, Debug)]
pub struct ConversationConfig {
    pub(crate) credit: usize,
    pub(crate) total: usize,
    pub(crate) stalled: Option<Stalled>,
}

/// Policy for a flow whose reader has used up its credit.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Stalled {
    /// The capture is not read until the reader has taken something; the ledger counts what the
    /// kernel drops meanwhile: one stalled reader stops all flows. The bytes of one batch of packets
    /// may exceed the credit. After a stop, the capture is read to its end regardless of the credit.
    Wait,
    /// Bytes that do not fit are dropped until half of the credit is free again, and become one gap
    /// per side. The ledger counts them as [`SubscriberLag`](flowscope_core::Loss::SubscriberLag).
    ///
    /// A reader is slow only if it had its turn: when the credit is used up, the capture waits until
    /// the reader has taken something, at most 100 ms until it comes, and then at most 50 ms from one
    /// piece to the next. A slow reader is not waited for again until it has read all. Waits for
    /// readers that do not come take at most a quarter of the time, those for readers that read take
    /// at most half of it; so slow readers do not stop the capture, and packets wait in its ring.
    Gap,
    /// The conversation ends as [`Ended::Lagged`](crate::Ended::Lagged), where [`Gap`](Self::Gap)
    /// begins to drop bytes. The ledger counts later bytes of the flow as
    /// [`SubscriberLag`](flowscope_core::Loss::SubscriberLag).
    Close,
}

impl Default for ConversationConfig {
    fn default() -> Self {
        ConversationConfig { credit: 256 * 1024, total: 64 * 1024 * 1024, stalled: None }
    }
}

impl ConversationConfig {
    /// Most bytes of one flow that wait for a slow reader, including a few dozen bytes of overhead per
    /// piece. Default 256 KiB, at least 1 KiB.
    ///
    /// For a reader that is not slow, more may wait for a moment: it grows to four times what comes
    /// between two turns of the readers, within the [total](Self::total).
    #[must_use]
    pub fn credit(mut self, bytes: usize) -> Self {
        self.credit = bytes.max(LEAST);
        self
    }

    /// Most bytes of all flows together that wait to be read. Default 64 MiB, at least 1 KiB.
    ///
    /// Flows without a reader share one half of it: none holds more than what is left of that half,
    /// so each gets less the more of them there are. The other half is for flows that are read. It
    /// should hold the payload of some batches of packets, of which one has up to 64 packets and, where
    /// the card joins segments, 256 KiB.
    #[must_use]
    pub fn total(mut self, bytes: usize) -> Self {
        self.total = bytes.max(LEAST);
        self
    }

    /// Policy for slow readers. Default: [`Wait`](Stalled::Wait) where the capture can wait without
    /// loss, as a capture file can, and [`Gap`](Stalled::Gap) for live captures.
    #[must_use]
    pub fn stalled(mut self, policy: Stalled) -> Self {
        self.stalled = Some(policy);
        self
    }

    /// Sets the policy if none is set.
    pub(crate) fn or_stalled(mut self, policy: Stalled) -> Self {
        self.stalled.get_or_insert(policy);
        self
    }
}

const LEAST: usize = 1024;

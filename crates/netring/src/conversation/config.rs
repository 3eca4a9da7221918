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
    /// kernel drops meanwhile. The bytes of one batch of packets may exceed the credit. After a
    /// stop, the capture is read to its end regardless of the credit.
    Wait,
    /// Bytes that do not fit are dropped until half of the credit is free again, and become one gap
    /// per side. No other flow waits. The ledger counts the bytes as
    /// [`SubscriberLag`](flowscope_core::Loss::SubscriberLag).
    Gap,
    /// The conversation ends as [`Ended::Lagged`](crate::Ended::Lagged). No other flow waits. The
    /// ledger counts later bytes of the flow as
    /// [`SubscriberLag`](flowscope_core::Loss::SubscriberLag).
    Close,
}

impl Default for ConversationConfig {
    fn default() -> Self {
        ConversationConfig { credit: 256 * 1024, total: 64 * 1024 * 1024, stalled: None }
    }
}

impl ConversationConfig {
    /// Most bytes of one flow that wait to be read, including a few dozen bytes of overhead per
    /// piece. Default 256 KiB, at least 1 KiB.
    #[must_use]
    pub fn credit(mut self, bytes: usize) -> Self {
        self.credit = bytes.max(LEAST);
        self
    }

    /// Most bytes of all flows together that wait to be read. Default 64 MiB, at least 1 KiB.
    ///
    /// No flow may hold more than what is left of it. Flows that nobody reads therefore share the
    /// total and always leave room for one that is read; each gets less the more of them there are.
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

/// How much waits to be read, and what becomes of what does not fit.
#[derive(Clone, Debug)]
pub struct ConversationConfig {
    pub(crate) credit: usize,
    pub(crate) total: usize,
    pub(crate) stalled: Option<Stalled>,
}

/// What happens to a flow whose reader has used up its credit.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Stalled {
    /// The capture is not read on until the reader has taken something: what the kernel drops
    /// meanwhile is in the ledger as its loss. The credit may be exceeded by what one batch of packets
    /// carries. After a stop the capture is read to its end nevertheless: what was received by then
    /// is held, whatever the credit.
    Wait,
    /// What does not fit is let go, until half of the credit is free again, and stands as one gap for
    /// each side. No other flow is held up. The bytes are in the ledger as
    /// [`SubscriberLag`](flowscope_core::Loss::SubscriberLag).
    Gap,
    /// The flow is not read any further, and the reader is told. No other flow is held up. What the flow
    /// says from then on is in the ledger as [`SubscriberLag`](flowscope_core::Loss::SubscriberLag).
    Close,
}

impl Default for ConversationConfig {
    fn default() -> Self {
        ConversationConfig { credit: 256 * 1024, total: 64 * 1024 * 1024, stalled: None }
    }
}

impl ConversationConfig {
    /// Bytes of one flow that wait to be read at most, a few dozen per piece included; default
    /// 256 KiB, at least 1 KiB.
    #[must_use]
    pub fn credit(mut self, bytes: usize) -> Self {
        self.credit = bytes.max(LEAST);
        self
    }

    /// Bytes of all flows together that wait to be read at most; default 64 MiB, at least 1 KiB.
    ///
    /// No flow may hold more than what is left of it. So flows that nobody reads share the whole, and
    /// always leave room for one that is read; each gets less the more of them there are.
    #[must_use]
    pub fn total(mut self, bytes: usize) -> Self {
        self.total = bytes.max(LEAST);
        self
    }

    /// What becomes of a flow whose reader is too slow. By default the capture
    /// [waits](Stalled::Wait) where it can be made to, as a capture file can, and live flows have
    /// [gaps](Stalled::Gap).
    #[must_use]
    pub fn stalled(mut self, policy: Stalled) -> Self {
        self.stalled = Some(policy);
        self
    }

    /// With this policy unless there is one.
    pub(crate) fn or_stalled(mut self, policy: Stalled) -> Self {
        self.stalled.get_or_insert(policy);
        self
    }
}

const LEAST: usize = 1024;

use std::num::NonZeroUsize;
use std::time::Duration;

use super::history::History;
use super::overlap::OverlapPolicy;

/// What a [`StreamReassembler`](crate::StreamReassembler) reassembler is told when it is made. Every default is
/// documented on its setter.
#[derive(Clone, Debug)]
pub struct StreamConfig {
    pub(super) max_held: NonZeroUsize,
    pub(super) max_ahead: u32,
    pub(super) grace: Duration,
    pub(super) hole_timeout: Duration,
    pub(super) overlap: OverlapPolicy,
    pub(super) history: u8,
    pub(super) seed: u64,
}

impl Default for StreamConfig {
    fn default() -> Self {
        StreamConfig {
            max_held: NonZeroUsize::new(1 << 20).expect("not zero"),
            max_ahead: 16 << 20,
            grace: Duration::from_millis(10),
            hole_timeout: Duration::from_secs(10),
            overlap: OverlapPolicy::default(),
            history: History::LARGEST,
            seed: 0,
        }
    }
}

impl StreamConfig {
    /// How many bytes of memory the data that waits behind a hole may take, per side and by
    /// capacity; default 1 MiB. Reaching it releases the lowest hole as a gap, so that what waits
    /// goes out: nothing that is held is dropped.
    ///
    /// The bookkeeping is counted too. Data is held in pages of 1 KiB; segments of one byte each
    /// cost a page each where they lie far apart, and 80 bytes each where they are neighbors whose
    /// boundaries the [overlap policy](Self::overlap) needs to know.
    #[must_use]
    pub fn max_held(mut self, bytes: NonZeroUsize) -> Self {
        self.max_held = bytes;
        self
    }

    /// How far from where the stream stands a segment may lie and be believed, in bytes; default
    /// 16 MiB, at most 1 GiB. One farther ahead is set aside until the next one continues it.
    #[must_use]
    pub fn max_ahead(mut self, bytes: u32) -> Self {
        self.max_ahead = bytes.min(1 << 30);
        self
    }

    /// How long, in packet time, a hole is kept open that the receiver has acknowledged, and how
    /// long the first data of a stream without a SYN waits for data before it; default 10 ms, which
    /// captures do not exceed when they swap packets.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long, in packet time, a hole is kept open that was not acknowledged; default 10 seconds.
    #[must_use]
    pub fn hole_timeout(mut self, timeout: Duration) -> Self {
        self.hole_timeout = timeout;
        self
    }

    /// Which copy is delivered where segments that wait overlap; default
    /// [`First`](OverlapPolicy::First).
    #[must_use]
    pub fn overlap(mut self, policy: OverlapPolicy) -> Self {
        self.overlap = policy;
        self
    }

    /// Of how many delivered chunks a digest is kept, so that a retransmission with other bytes is
    /// noticed; default 16, which is also the most. 0 keeps none and saves the allocation that each
    /// side of a flow with data makes for it.
    #[must_use]
    pub fn history(mut self, chunks: u8) -> Self {
        self.history = chunks.min(History::LARGEST);
        self
    }

    /// Seed of the digests; default 0. Give a random one where strangers can aim bytes at it. No
    /// output depends on it, unless two chunks have the same digest: one pair in 2³².
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

use std::num::NonZeroUsize;
use std::time::Duration;

use super::history::History;
use super::overlap::OverlapPolicy;

/// Configuration of a [`StreamReassembler`](crate::StreamReassembler). Each setter documents its default.
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
            grace: Duration::from_millis(25),
            hole_timeout: Duration::from_secs(10),
            overlap: OverlapPolicy::default(),
            history: History::LARGEST,
            seed: 0,
        }
    }
}

impl StreamConfig {
    /// Memory limit for out-of-order data, in bytes per side, by capacity; default 1 MiB. At the limit the
    /// lowest missing range is reported as a gap, so that the data behind it is delivered. No buffered data
    /// is dropped, except segments farther ahead than [`max_ahead`](Self::max_ahead).
    ///
    /// The bookkeeping is counted too. Data is held in pages of 1 KiB; segments of one byte each
    /// cost a page each where they lie far apart, and 80 bytes each where they are neighbors whose
    /// boundaries the [overlap policy](Self::overlap) needs to know.
    #[must_use]
    pub fn max_held(mut self, bytes: NonZeroUsize) -> Self {
        self.max_held = bytes;
        self
    }

    /// Maximum distance of a segment from the stream position, in bytes; default 16 MiB, at most 1 GiB. Segments
    /// farther ahead are kept, and accepted if the receiver acknowledges them, or if there are 16 of them and
    /// the other side was not captured.
    #[must_use]
    pub fn max_ahead(mut self, bytes: u32) -> Self {
        self.max_ahead = bytes.min(1 << 30);
        self
    }

    /// Time, by packet timestamps, to wait for missing bytes that the receiver has acknowledged; default 25
    /// ms, longer than captures usually reorder packets, and than the delay between two taps of one link. The first data of a stream without a SYN waits as
    /// long for earlier data.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Time, by packet timestamps, to wait for missing bytes that are not acknowledged; default 10 seconds.
    #[must_use]
    pub fn hole_timeout(mut self, timeout: Duration) -> Self {
        self.hole_timeout = timeout;
        self
    }

    /// Which copy is delivered where buffered segments overlap; default [`First`](OverlapPolicy::First).
    #[must_use]
    pub fn overlap(mut self, policy: OverlapPolicy) -> Self {
        self.overlap = policy;
        self
    }

    /// Number of delivered chunks whose digest is kept, to detect retransmissions with different bytes;
    /// default 16, the maximum. 0 keeps none and saves one allocation per side.
    #[must_use]
    pub fn history(mut self, chunks: u8) -> Self {
        self.history = chunks.min(History::LARGEST);
        self
    }

    /// Seed of the digests; default 0. Set a random seed where attackers can choose the payload. Output
    /// depends on it only if two different chunks have equal digests (probability 2⁻³²).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

use std::num::NonZeroUsize;
use std::time::Duration;

use super::key::Family;
use super::table::Table;

/// What a [`Defragmenter`](crate::Defragmenter) is told when it is made. Every default is documented
/// on its setter.
#[derive(Clone, Debug)]
pub struct DefragConfig {
    memory_budget: usize,
    max_datagrams: NonZeroUsize,
    pub(super) max_fragments: NonZeroUsize,
    ipv4_timeout: Duration,
    ipv6_timeout: Duration,
    pub(super) seed: u64,
}

impl Default for DefragConfig {
    fn default() -> Self {
        DefragConfig {
            memory_budget: 4 << 20,
            max_datagrams: NonZeroUsize::new(4096).expect("not zero"),
            max_fragments: NonZeroUsize::new(1366).expect("not zero"),
            ipv4_timeout: Duration::from_secs(30),
            ipv6_timeout: Duration::from_secs(60),
            seed: 0,
        }
    }
}

impl DefragConfig {
    /// How many bytes the pool may hold, by capacity; default 4 MiB. Reaching it evicts the oldest
    /// datagram. A datagram that does not fit by itself is refused: 512 KiB are enough for any.
    #[must_use]
    pub fn memory_budget(mut self, bytes: usize) -> Self {
        self.memory_budget = bytes;
        self
    }

    /// How many datagrams the pool may hold, those included that were dropped and whose later
    /// pieces are still to be recognised; default 4096. Reaching it evicts the oldest. Their records
    /// take at most half of the memory budget, which lowers this where it is small.
    #[must_use]
    pub fn max_datagrams(mut self, datagrams: NonZeroUsize) -> Self {
        self.max_datagrams = datagrams;
        self
    }

    /// In how many pieces a datagram may come; default 1366, which is the largest datagram over the
    /// smallest link: 65 515 bytes behind headers of 20, 48 at a time (RFC 791 §3.2: every link
    /// carries 68 bytes). One that comes in more is dropped.
    ///
    /// Placing a piece takes a binary search, and moving up to 12 bytes for every other one.
    #[must_use]
    pub fn max_fragments(mut self, fragments: NonZeroUsize) -> Self {
        self.max_fragments = fragments;
        self
    }

    /// An IPv4 datagram is given up when longer than this has passed since its first piece came;
    /// default 30 seconds, as Linux has it.
    #[must_use]
    pub fn ipv4_timeout(mut self, timeout: Duration) -> Self {
        self.ipv4_timeout = timeout;
        self
    }

    /// An IPv6 datagram is given up when longer than this has passed since its first piece came;
    /// default 60 seconds (RFC 8200 §4.5).
    #[must_use]
    pub fn ipv6_timeout(mut self, timeout: Duration) -> Self {
        self.ipv6_timeout = timeout;
        self
    }

    /// Seed of the table's hash; default 0. Give a random one where strangers can aim packets at
    /// the table. No output depends on it.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    pub(super) fn timeout(&self, family: Family) -> Duration {
        match family {
            Family::V4 => self.ipv4_timeout,
            Family::V6 => self.ipv6_timeout,
        }
    }

    /// How many datagrams, and how many bytes for their buffers. Set apart once for all, so that who
    /// has to leave follows from what is held and not from what the table once grew to.
    pub(super) fn limits(&self) -> (usize, usize) {
        let fit = self.memory_budget / 2 / Table::most_bytes(1);
        let datagrams = self.max_datagrams.get().min(fit);
        (datagrams, self.memory_budget - Table::most_bytes(datagrams))
    }
}

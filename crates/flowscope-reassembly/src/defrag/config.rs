use std::num::NonZeroUsize;
use std::time::Duration;

use super::key::Family;
use super::table::Table;

/// Configuration of a [`Defragmenter`](crate::Defragmenter). Each setter documents its default.
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
    /// Memory limit in bytes, by capacity; default 4 MiB. At the limit the oldest datagram is evicted. A
    /// datagram that does not fit alone is refused: 512 KiB are enough for any.
    #[must_use]
    pub fn memory_budget(mut self, bytes: usize) -> Self {
        self.memory_budget = bytes;
        self
    }

    /// Maximum number of datagrams, remembered dropped ones included; default 4096. At the limit the oldest
    /// is evicted. Their table entries take at most half of the memory budget, so a small budget lowers this
    /// limit.
    #[must_use]
    pub fn max_datagrams(mut self, datagrams: NonZeroUsize) -> Self {
        self.max_datagrams = datagrams;
        self
    }

    /// Maximum number of fragments per datagram; default 1366. That is the largest datagram over the smallest
    /// link: 65 515 bytes in fragments of 48 bytes (RFC 791 §3.2: every link carries 68 bytes). A datagram
    /// with more fragments is dropped.
    ///
    /// Adding a fragment takes a binary search and moves up to 12 bytes per other fragment.
    #[must_use]
    pub fn max_fragments(mut self, fragments: NonZeroUsize) -> Self {
        self.max_fragments = fragments;
        self
    }

    /// Timeout of IPv4 datagrams, counted from their first fragment; default 30 seconds, as in Linux.
    #[must_use]
    pub fn ipv4_timeout(mut self, timeout: Duration) -> Self {
        self.ipv4_timeout = timeout;
        self
    }

    /// Timeout of IPv6 datagrams, counted from their first fragment; default 60 seconds (RFC 8200 §4.5).
    #[must_use]
    pub fn ipv6_timeout(mut self, timeout: Duration) -> Self {
        self.ipv6_timeout = timeout;
        self
    }

    /// Seed of the hash table; default 0. Set a random seed where attackers can choose the packets. No output
    /// depends on it.
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

    /// Maximum number of datagrams, and the bytes for their buffers. Both are fixed, so that evictions depend
    /// on the buffered fragments and not on how far the table once grew.
    pub(super) fn limits(&self) -> (usize, usize) {
        let fit = self.memory_budget / 2 / Table::max_bytes(1);
        let datagrams = self.max_datagrams.get().min(fit);
        (datagrams, self.memory_budget - Table::max_bytes(datagrams))
    }
}

use std::task::{Context, Poll};
use std::time::Duration;

use flowscope_core::{Ledger, PacketView};

use crate::{Error, InOrder};

/// Asynchronous source of packets. All streams of this crate are generic over it.
///
/// It is the asynchronous counterpart of [`PacketSource`](flowscope_core::PacketSource): packets
/// are lent, and their views are valid only during the call.
pub trait AsyncPacketSource {
    /// Passes the next packets to `lend`, in one call and in capture order, and returns their
    /// number.
    ///
    /// `Ready(Ok(0))` means that the source has ended. `Pending` means that nothing was lent; the
    /// task is woken when there may be packets. An error is reported once; the next call continues
    /// if the source can, or returns the end. No source returns errors for ever.
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>>;

    /// Stops receiving. Packets already received are still lent, then the source ends. A source
    /// that cannot tell which those are ends at once.
    fn stop(&mut self);

    /// Counters of the source itself.
    ///
    /// # Errors
    ///
    /// When the counters cannot be read.
    fn stats(&mut self) -> Result<SourceStats, Error> {
        Ok(SourceStats::default())
    }

    /// Upper bound of the delay from a packet's timestamp to its lending, for a live source.
    ///
    /// Without packets, flows expire by elapsed time minus this delay. `None`, the default, is for
    /// recorded packets: only packets advance time.
    fn latency(&self) -> Option<Duration> {
        None
    }

    /// Whether the last [`poll_batch`](Self::poll_batch) was pending only to let other tasks run,
    /// although packets may be ready. Time does not pass meanwhile.
    fn gave_way(&self) -> bool {
        false
    }
}

impl<S: AsyncPacketSource + ?Sized> AsyncPacketSource for Box<S> {
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>> {
        (**self).poll_batch(cx, lend)
    }

    fn stop(&mut self) {
        (**self).stop();
    }

    fn stats(&mut self) -> Result<SourceStats, Error> {
        (**self).stats()
    }

    fn latency(&self) -> Option<Duration> {
        (**self).latency()
    }

    fn gave_way(&self) -> bool {
        (**self).gave_way()
    }
}

/// How much of a ring is not read yet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RingUse {
    /// Blocks that the kernel has handed over and that were not returned yet.
    pub used: u64,
    /// Blocks of the ring.
    pub size: u64,
}

impl RingUse {
    /// So many blocks used, of so many.
    #[must_use]
    pub fn new(used: u64, size: u64) -> Self {
        RingUse { used, size }
    }

    /// Part of the ring that is used, from 0 to 1.
    #[must_use]
    pub fn ratio(self) -> f64 {
        if self.size == 0 { 0.0 } else { self.used as f64 / self.size as f64 }
    }

    /// Both rings together.
    pub(crate) fn merged(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(a), Some(b)) => Some(RingUse::new(a.used + b.used, a.size + b.size)),
            (one, other) => one.or(other),
        }
    }
}

/// Counters of a source.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SourceStats {
    /// Packets that arrived, including lost ones; `None` if the source does not count them.
    pub arrived: Option<u64>,
    /// Packets lost before they could be lent, by cause. None of them counts as delivered.
    pub lost: Ledger,
    /// How often a ring was found full. This does not count packets.
    pub freezes: u64,
    /// How much of the rings is not read yet; `None` if there are none, or they have no such figure.
    pub ring: Option<RingUse>,
}

impl SourceStats {
    /// Counters of arrived and lost packets.
    #[must_use]
    pub fn new(arrived: Option<u64>, lost: Ledger) -> Self {
        SourceStats { arrived, lost, freezes: 0, ring: None }
    }

    /// Adds the counters of another source. Start a sum with `arrived` at `Some(0)`; it becomes
    /// `None` if any source does not count.
    pub fn merge(&mut self, other: &SourceStats) {
        self.arrived = self.arrived.zip(other.arrived).map(|(a, b)| a + b);
        self.lost.merge(&other.lost);
        self.freezes += other.freezes;
        self.ring = RingUse::merged(self.ring, other.ring);
    }
}

/// Several sources read in turn as one, which ends with the last of them.
///
/// Packets of one source keep their order; packets of different sources are interleaved as they
/// arrive. The interface number of a view identifies its source, if the sources set it.
#[derive(Debug)]
pub struct Merge<S> {
    sources: Vec<S>,
    /// Sources that have not ended are the first `alive` ones.
    alive: usize,
    /// Index of the source to read next.
    next: usize,
}

impl<S: AsyncPacketSource> Merge<S> {
    /// Merges these sources.
    pub fn new(sources: impl IntoIterator<Item = S>) -> Self {
        let sources: Vec<S> = sources.into_iter().collect();
        let alive = sources.len();
        Merge { sources, alive, next: 0 }
    }

    /// Returns live packets in the order of their timestamps, if there are several sources.
    pub fn in_order(self) -> InOrder<Self> {
        if self.sources.len() > 1 { InOrder::new(self) } else { InOrder::as_they_come(self) }
    }

    /// The sources. Those that have ended come last; otherwise the order is unspecified.
    #[must_use]
    pub fn sources(&self) -> &[S] {
        &self.sources
    }
}

impl<S: AsyncPacketSource> AsyncPacketSource for Merge<S> {
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>> {
        let mut asked = 0;
        while asked < self.alive {
            let at = self.next % self.alive;
            match self.sources[at].poll_batch(cx, lend) {
                Poll::Ready(Ok(0)) => {
                    self.alive -= 1;
                    self.sources.swap(at, self.alive);
                    self.next = at;
                }
                Poll::Ready(said) => {
                    self.next = at + 1;
                    return Poll::Ready(said);
                }
                Poll::Pending => {
                    self.next = at + 1;
                    asked += 1;
                }
            }
        }
        if self.alive == 0 { Poll::Ready(Ok(0)) } else { Poll::Pending }
    }

    fn stop(&mut self) {
        self.sources.iter_mut().for_each(S::stop);
    }

    fn stats(&mut self) -> Result<SourceStats, Error> {
        let mut all = SourceStats { arrived: Some(0), ..SourceStats::default() };
        for source in &mut self.sources {
            all.merge(&source.stats()?);
        }
        Ok(all)
    }

    fn latency(&self) -> Option<Duration> {
        self.sources.iter().filter_map(S::latency).max()
    }

    fn gave_way(&self) -> bool {
        self.sources[..self.alive].iter().any(S::gave_way)
    }
}

use std::task::{Context, Poll};
use std::time::Duration;

use flowscope_core::{Ledger, PacketView};

use crate::{Error, InOrder};

/// Where packets come from, as they come: what all streams of this crate are generic over.
///
/// The asynchronous counterpart of [`PacketSource`](flowscope_core::PacketSource): packets are lent,
/// and the views die with the call.
pub trait AsyncPacketSource {
    /// Lends the next packets to `lend`, in one call and in capture order, and says how many there
    /// were.
    ///
    /// `Ready(Ok(0))` means that the source has ended for good. With `Pending` nothing was lent, and
    /// the task is woken once there may be something. An error is told once, and the source goes on
    /// with the next call if it can, or ends; none fails for ever.
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>>;

    /// Takes in nothing more from now on. What was received until now is still lent, then the source
    /// ends. Sources that cannot know the difference end at once.
    fn stop(&mut self);

    /// What the source itself counted so far.
    ///
    /// # Errors
    ///
    /// When the counters cannot be read.
    fn stats(&mut self) -> Result<SourceStats, Error> {
        Ok(SourceStats::default())
    }

    /// For a live source, the longest time that a packet takes from its timestamp until it is lent to
    /// one who asks: flows end in silence too, so much later. `None`, the default, for what was
    /// captured before: time passes by its packets only.
    fn latency(&self) -> Option<Duration> {
        None
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
}

/// What a source counted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SourceStats {
    /// Packets that arrived, lost ones included; `None` from a source that does not count them.
    pub arrived: Option<u64>,
    /// Packets that were lost before they could be lent, by cause; none counts as delivered.
    pub lost: Ledger,
    /// How many times a ring was found full. These are no packets.
    pub freezes: u64,
}

impl SourceStats {
    /// As many packets arrived, of which these were lost.
    #[must_use]
    pub fn new(arrived: Option<u64>, lost: Ledger) -> Self {
        SourceStats { arrived, lost, freezes: 0 }
    }

    /// Adds what another source counted. A sum begins with 0 `arrived`: once one does not count them,
    /// the sum does not.
    pub fn merge(&mut self, other: &SourceStats) {
        self.arrived = self.arrived.zip(other.arrived).map(|(a, b)| a + b);
        self.lost.merge(&other.lost);
        self.freezes += other.freezes;
    }
}

/// Several sources as one: each lends its batches in turn, and the whole ends with the last of them.
///
/// Packets of one source keep their order, those of different sources come as they are found. The
/// interface number of a view tells where it came from, where its source sets it.
#[derive(Debug)]
pub struct Merge<S> {
    sources: Vec<S>,
    /// Sources that have not ended: the first so many.
    alive: usize,
    /// Whose turn it is.
    next: usize,
}

impl<S: AsyncPacketSource> Merge<S> {
    /// These sources as one.
    pub fn new(sources: impl IntoIterator<Item = S>) -> Self {
        let sources: Vec<S> = sources.into_iter().collect();
        let alive = sources.len();
        Merge { sources, alive, next: 0 }
    }

    /// The packets of live sources in the order of their times, if there are several.
    pub fn in_order(self) -> InOrder<Self> {
        if self.sources.len() > 1 { InOrder::new(self) } else { InOrder::as_they_come(self) }
    }

    /// The sources. Those that have ended come last; the order is otherwise of no meaning.
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
}

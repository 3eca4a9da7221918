use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fmt;
use std::future::Future as _;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use flowscope_core::{PacketView, Timestamp};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::discard::drop_elsewhere;
use crate::{AsyncPacketSource, Error, OwnedPacket, SourceStats};

/// Packets of several live sources, in the order of their timestamps.
///
/// A ring hands packets over in blocks, each when it is full or a few milliseconds old. A packet
/// from one interface may therefore be older than one that another interface has delivered already.
/// Where the two directions of a link are two interfaces, a response would come before its request.
/// So each packet is held for the latency of the source, until no older one can arrive.
///
/// Packets are copied. At most 65 536 packets or 64 MiB are held; beyond that the oldest are lent
/// early. Packets of a source without a latency, which is not live, are lent as they come.
pub struct InOrder<S> {
    source: S,
    /// Packets are lent as they come.
    as_they_come: bool,
    held: BinaryHeap<Held>,
    /// Total length of the held packets.
    bytes: usize,
    /// Packets held so far.
    number: u64,
    /// All packets that arrived up to then have been waited for.
    settled: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    ended: bool,
    /// There may be more ready packets.
    gave_way: bool,
}

/// A held packet.
struct Held {
    packet: OwnedPacket,
    /// Breaks ties between equal timestamps.
    number: u64,
    came: Instant,
}

const MOST: usize = 1 << 16;
const MOST_BYTES: usize = 64 << 20;

/// Packets lent per call.
const BATCH: usize = 64;

/// Most packets that are dropped in place.
const FEW: usize = 1024;

/// Packets and bytes copied in one poll, exceeded by at most one batch of the source.
const TURN: usize = 256;
const TURN_BYTES: usize = 256 << 10;

/// Resolution of timers.
const TICK: Duration = Duration::from_millis(1);

impl<S: AsyncPacketSource> InOrder<S> {
    /// Orders the packets of `source`.
    pub fn new(source: S) -> Self {
        InOrder {
            source,
            as_they_come: false,
            held: BinaryHeap::new(),
            bytes: 0,
            number: 0,
            settled: None,
            sleep: None,
            ended: false,
            gave_way: false,
        }
    }

    /// Lends the packets of `source` as they come, for a caller that has a single source.
    pub fn as_they_come(source: S) -> Self {
        let mut all = InOrder::new(source);
        all.as_they_come = true;
        all
    }

    /// The source. Packets read from it directly are not ordered.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Longest delay of a packet in `source`.
    fn wait(&self) -> Duration {
        self.source.latency().unwrap_or_default()
    }

    /// Reads ready packets, as far as there is room, and says whether it read all. After that, nothing
    /// older than the latency can arrive.
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let now = Instant::now();
        let (packets, bytes) = (self.held.len(), self.bytes);
        while !self.ended {
            if self.is_full() {
                return Ok(true);
            }
            if self.held.len() >= packets + TURN || self.bytes >= bytes + TURN_BYTES {
                return Ok(false);
            }
            let InOrder { source, held, bytes, number, .. } = self;
            let taken = source.poll_batch(cx, &mut |views| {
                for view in views {
                    *number += 1;
                    *bytes += view.frame().len();
                    let packet = OwnedPacket::copied(view);
                    held.push(Held { packet, number: *number, came: now });
                }
            });
            match taken {
                Poll::Ready(Ok(0)) => self.ended = true,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        self.settled = now.checked_sub(self.wait());
        Ok(true)
    }

    fn is_full(&self) -> bool {
        self.held.len() >= MOST || self.bytes >= MOST_BYTES
    }

    /// The oldest packet, if no older one can arrive.
    fn next(&mut self) -> Option<Held> {
        let oldest = self.held.peek()?;
        let settled = self.settled.is_some_and(|settled| oldest.came <= settled);
        if !settled && !self.ended && !self.is_full() {
            return None;
        }
        let oldest = self.held.pop()?;
        self.bytes -= oldest.packet.frame.len();
        Some(oldest)
    }
}

/// Freeing a hundred thousand copies takes a while: other tasks of the thread do not wait for it.
impl<S> Drop for InOrder<S> {
    fn drop(&mut self) {
        if self.held.len() > FEW {
            drop_elsewhere(mem::take(&mut self.held));
        }
    }
}

impl<S: AsyncPacketSource> AsyncPacketSource for InOrder<S> {
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>> {
        if self.as_they_come || self.source.latency().is_none() {
            return self.source.poll_batch(cx, lend);
        }
        self.gave_way = false;
        loop {
            let mut batch: Vec<Held> = Vec::new();
            while batch.len() < BATCH
                && let Some(next) = self.next()
            {
                batch.push(next);
            }
            if !batch.is_empty() {
                let views: Vec<PacketView<'_>> =
                    batch.iter().map(|held| held.packet.view()).collect();
                lend(&views);
                return Poll::Ready(Ok(views.len()));
            }
            if self.ended {
                return Poll::Ready(Ok(0));
            }
            if !self.poll_take(cx)? {
                self.gave_way = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let settled = self.settled;
            let Some(oldest) = self.held.peek() else {
                if self.ended {
                    continue;
                }
                return Poll::Pending;
            };
            if self.ended || self.is_full() || settled.is_some_and(|settled| oldest.came <= settled)
            {
                continue;
            }
            let when = oldest.came + self.wait() + TICK;
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(when)));
            if sleep.deadline() != when {
                sleep.as_mut().reset(when);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn stop(&mut self) {
        self.source.stop();
    }

    fn stats(&mut self) -> Result<SourceStats, Error> {
        self.source.stats()
    }

    fn latency(&self) -> Option<Duration> {
        let latency = self.source.latency()?;
        Some(if self.as_they_come { latency } else { 2 * latency + 2 * TICK })
    }

    fn gave_way(&self) -> bool {
        self.gave_way || self.source.gave_way()
    }
}

impl Held {
    fn key(&self) -> (Timestamp, u64) {
        (self.packet.ts, self.number)
    }
}

impl<S: fmt::Debug> fmt::Debug for InOrder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InOrder")
            .field("source", &self.source)
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}

/// The greatest is the oldest, because a heap returns the greatest first.
impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Held {}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::future::poll_fn;

    use flowscope_core::LinkType;

    use super::*;
    use crate::AsyncCapture;

    /// Lends times of packets in batches; without one, it has nothing at the moment.
    struct Script(VecDeque<Option<Vec<u64>>>, bool);

    impl AsyncPacketSource for Script {
        fn poll_batch(
            &mut self,
            cx: &mut Context<'_>,
            lend: &mut dyn FnMut(&[PacketView<'_>]),
        ) -> Poll<Result<usize, Error>> {
            let Some(next) = self.0.pop_front() else { return Poll::Ready(Ok(0)) };
            let Some(times) = next else {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            };
            let view = |at: &u64| {
                let frame = &[9; 20][..*at as usize % 20];
                PacketView::new(frame, LinkType::ETHERNET, Timestamp::from_secs(*at))
            };
            let views: Vec<PacketView<'_>> = times.iter().map(view).collect();
            lend(&views);
            Poll::Ready(Ok(views.len()))
        }

        fn stop(&mut self) {}

        fn latency(&self) -> Option<Duration> {
            self.1.then_some(Duration::from_millis(5))
        }
    }

    /// The times in the order in which packets are lent.
    fn lent(script: impl IntoIterator<Item = Option<Vec<u64>>>, live: bool) -> Vec<u64> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let source = InOrder::new(Script(script.into_iter().collect(), live));
            let mut capture = AsyncCapture::new(source);
            let mut times = Vec::new();
            let mut lend = |views: &[PacketView<'_>]| {
                for view in views {
                    assert_eq!(view.frame().len() as u64, view.ts().secs() % 20);
                    times.push(view.ts().secs());
                }
            };
            while poll_fn(|cx| capture.poll_batch(cx, &mut lend)).await.unwrap() > 0 {}
            times
        })
    }

    #[test]
    fn what_lies_ready_at_once_is_put_in_order() {
        let batches =
            [Some(vec![1, 4, 5]), Some(vec![2, 3, 9]), None, None, Some(vec![6, 7]), None];
        assert_eq!(lent(batches.clone(), true), [1, 2, 3, 4, 5, 6, 7, 9]);
        assert_eq!(lent(batches, false), [1, 4, 5, 2, 3, 9, 6, 7]);
    }

    #[test]
    fn those_of_one_time_keep_their_order_and_none_is_left() {
        let batches =
            (0..200).map(|n| (n % 7 != 0).then(|| vec![1000 - n; 30])).collect::<Vec<_>>();
        let mut expected: Vec<u64> = batches.iter().flatten().flatten().copied().collect();
        expected.sort_unstable();
        let mut all = lent(batches, true);
        all.sort_unstable();
        assert_eq!(all, expected);
    }

    /// The oldest go when there is no room: those that come then are late.
    #[test]
    fn what_is_held_has_a_bound() {
        let early = (1..=MOST as u64 + 100).map(|n| n + 10);
        let batches: Vec<_> =
            early.collect::<Vec<_>>().chunks(64).map(|n| Some(n.to_vec())).collect();
        let times = lent(batches.into_iter().chain([Some(vec![1])]), true);
        assert_eq!(times.len(), MOST + 101);
        // One batch of the source beyond the bound at most, and no fewer than the bound.
        let early = times.iter().position(|time| *time == 1).unwrap();
        assert!((37..=101).contains(&early), "{early}");
    }

    #[test]
    fn the_bytes_that_are_held_have_a_bound() {
        let frame = vec![0; MOST_BYTES / 64];
        let mut source = InOrder::new(Script(VecDeque::new(), true));
        let hold = |source: &mut InOrder<Script>, at| {
            let view = PacketView::new(&frame, LinkType::ETHERNET, Timestamp::from_secs(at));
            source.bytes += frame.len();
            let (packet, came) = (OwnedPacket::copied(&view), Instant::now());
            source.held.push(Held { packet, number: at, came });
        };
        (0..63).for_each(|at| hold(&mut source, at));
        // An older one may still come.
        assert!(source.next().is_none());
        hold(&mut source, 63);
        // There is no room for another.
        assert_eq!(source.next().map(|held| held.packet.ts), Some(Timestamp::ZERO));
        assert!(source.next().is_none());
        assert_eq!(source.bytes, 63 * frame.len());
    }
}

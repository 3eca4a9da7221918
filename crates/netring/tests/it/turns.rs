//! How much work one poll does before other tasks have their turn, with 300 000 flows open: packets
//! handled, flows ended, events returned; and who frees the flows.

use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};
use std::time::Duration;

use flowscope_core::{Ledger, LinkType, PacketView, Timestamp};
use flowscope_driver::{DriverConfig, FlowDriver, PacketDriver, Progress};
use flowscope_extract::{FiveTuple, FiveTupleKey};
use flowscope_testkit::frame;
use flowscope_track::{Clock, EndReason, FlowEvent};
use netring::{AsyncCapture, AsyncDriver, AsyncPacketSource, Error, EventStream, InOrder};

const FLOWS: usize = 300_000;
const BATCH: usize = 64;

/// A live source with one packet of each flow, which has all of them from the start.
struct Memory {
    next: usize,
    flows: usize,
    frame: Vec<u8>,
    stopped: bool,
    lent: Arc<AtomicUsize>,
}

impl Memory {
    fn new(flows: usize) -> Self {
        let frame = frame().ethernet().ipv4("10.0.0.0", "172.16.0.1").udp(4000, 9).payload(b"x");
        let lent = Arc::new(AtomicUsize::new(0));
        Memory { next: 0, flows, frame: frame.build(), stopped: false, lent }
    }
}

impl AsyncPacketSource for Memory {
    fn poll_batch(
        &mut self,
        _: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>> {
        if self.next == self.flows {
            return if self.stopped { Poll::Ready(Ok(0)) } else { Poll::Pending };
        }
        let until = self.flows.min(self.next + BATCH);
        let frames = (self.next..until).map(|flow| {
            let mut frame = self.frame.clone();
            // The last three bytes of the source address. The checksum is not verified.
            frame[27..30].copy_from_slice(&(flow as u32).to_be_bytes()[1..]);
            frame
        });
        let frames: Vec<Vec<u8>> = frames.collect();
        let at = Timestamp::from_secs(1);
        let views: Vec<_> =
            frames.iter().map(|frame| PacketView::new(frame, LinkType::ETHERNET, at)).collect();
        self.next = until;
        self.lent.fetch_add(views.len(), Ordering::Relaxed);
        lend(&views);
        Poll::Ready(Ok(views.len()))
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn latency(&self) -> Option<Duration> {
        Some(Duration::ZERO)
    }
}

/// What a driver did.
#[derive(Clone, Debug, Default)]
struct Work {
    packets: Arc<AtomicUsize>,
    ends: Arc<AtomicUsize>,
}

impl Work {
    fn so_far(&self) -> [usize; 2] {
        [&self.packets, &self.ends].map(|count| count.load(Ordering::Relaxed))
    }
}

/// A driver that counts its work.
struct Counting {
    driver: FlowDriver<FiveTuple>,
    work: Work,
}

impl Counting {
    fn stream(flows: usize) -> (EventStream<Memory, Counting>, Work) {
        let work = Work::default();
        let most = NonZeroUsize::new(flows).expect("some");
        let config = DriverConfig::default()
            .packet_events(false)
            .map_tracker(|tracker| tracker.max_flows(most).udp_idle(Duration::from_secs(60)));
        let driver = FlowDriver::with_config(FiveTuple::bidirectional(), config);
        let driver = Counting { driver, work: work.clone() };
        (AsyncCapture::new(Memory::new(flows)).drive(driver), work)
    }

    fn ends<T>(&mut self, work: impl FnOnce(&mut FlowDriver<FiveTuple>) -> T) -> T {
        let before = self.driver.table().len();
        let output = work(&mut self.driver);
        self.work.ends.fetch_add(before - self.driver.table().len(), Ordering::Relaxed);
        output
    }
}

impl PacketDriver for Counting {
    type Event = FlowEvent<FiveTupleKey>;

    fn handle_batch(&mut self, packets: &[PacketView<'_>]) {
        self.work.packets.fetch_add(packets.len(), Ordering::Relaxed);
        self.driver.handle_batch(packets);
    }
    fn poll_event(&mut self) -> Option<Self::Event> {
        self.driver.poll_event()
    }
    fn poll_timeout(&self) -> Option<Timestamp> {
        self.driver.poll_timeout()
    }
    fn handle_timeout(&mut self, now: Timestamp) -> Progress {
        self.ends(|driver| driver.handle_timeout(now))
    }
    fn finish_some(&mut self, reason: EndReason, most: usize) -> Progress {
        self.ends(|driver| driver.finish_some(reason, most))
    }
    fn packets(&self) -> Ledger {
        PacketDriver::packets(&self.driver)
    }
    fn bytes(&self) -> Ledger {
        PacketDriver::bytes(&self.driver)
    }
    fn pending_fragments(&self) -> u64 {
        PacketDriver::pending_fragments(&self.driver)
    }
    fn pending(&self) -> u64 {
        PacketDriver::pending(&self.driver)
    }
    fn flows(&self) -> usize {
        self.driver.table().len()
    }
    fn clock(&self) -> &Clock {
        PacketDriver::clock(&self.driver)
    }
    fn heap_bytes(&self) -> usize {
        PacketDriver::heap_bytes(&self.driver)
    }
}

impl AsyncDriver for Counting {}

/// Runs a future, and returns the most packets and the most ends of one poll.
async fn most<T>(work: &Work, future: impl Future<Output = T>) -> ([usize; 2], T) {
    let mut future = pin!(future);
    let mut most = [0; 2];
    let output = poll_fn(|cx| {
        let before = work.so_far();
        let polled = future.as_mut().poll(cx);
        for (most, (after, before)) in most.iter_mut().zip(work.so_far().iter().zip(before)) {
            *most = (*most).max(after - before);
        }
        polled
    })
    .await;
    (most, output)
}

/// Takes so many events, and returns the most of one poll.
async fn most_events(stream: &mut EventStream<Memory, Counting>, count: usize) -> usize {
    let taken = AtomicUsize::new(0);
    let takes = async {
        while taken.load(Ordering::Relaxed) < count && stream.next().await.is_some() {
            taken.fetch_add(1, Ordering::Relaxed);
        }
    };
    let (mut takes, mut most) = (pin!(takes), 0);
    poll_fn(|cx| {
        let before = taken.load(Ordering::Relaxed);
        let polled = takes.as_mut().poll(cx);
        most = most.max(taken.load(Ordering::Relaxed) - before);
        polled
    })
    .await;
    assert_eq!(taken.load(Ordering::Relaxed), count);
    most
}

/// 128 units of 8 µs are a millisecond.
const PACKETS: usize = 512;
const ENDS: usize = 128;
const EVENTS: usize = 640;

#[tokio::test]
async fn a_shutdown_ends_flows_a_few_at_a_time_and_in_order() {
    let (mut stream, work) = Counting::stream(FLOWS);
    let ([packets, _], ()) = most(&work, async {
        for _ in 0..FLOWS {
            stream.next().await.unwrap().unwrap();
        }
    })
    .await;
    assert!(packets <= PACKETS, "{packets}");
    let ([_, ends], stats) = most(&work, stream.shutdown()).await;
    let stats = stats.unwrap();
    assert_eq!((stats.flows, stats.packets.delivered()), (0, FLOWS as u64));
    assert!(ends <= ENDS, "{ends}");
    let mut last = None;
    for _ in 0..1000 {
        let Some(Ok(FlowEvent::Ended { flow, .. })) = stream.next().await else { panic!("an end") };
        assert!(last.replace(flow.id) < Some(flow.id));
    }
    let events = most_events(&mut stream, FLOWS - 1000).await;
    assert!(events <= EVENTS, "{events}");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_stopped_stream_ends_flows_a_few_at_a_time() {
    let (mut stream, work) = Counting::stream(20_000);
    stream.next().await.unwrap().unwrap();
    stream.stop();
    let ([packets, ends], ()) = most(&work, async { while stream.next().await.is_some() {} }).await;
    assert!(packets > 0 && packets <= PACKETS, "{packets}");
    assert!(ends > 0 && ends <= ENDS, "{ends}");
}

#[tokio::test(start_paused = true)]
async fn flows_expire_a_few_at_a_time() {
    let (mut stream, work) = Counting::stream(20_000);
    for _ in 0..20_000 {
        stream.next().await.unwrap().unwrap();
    }
    let ([_, ends], ()) = most(&work, async {
        for _ in 0..20_000 {
            stream.next().await.unwrap().unwrap();
        }
    })
    .await;
    assert_eq!(stream.driver().flows(), 0);
    assert!(ends > 0 && ends <= 2 * ENDS, "{ends}");
}

/// Says which thread drops it.
struct Mark(mpsc::Sender<ThreadId>);

impl Drop for Mark {
    fn drop(&mut self) {
        self.0.send(thread::current().id()).expect("the test waits for it");
    }
}

#[tokio::test]
async fn a_stream_with_many_flows_is_freed_by_another_thread() {
    for (flows, here) in [(100, true), (20_000, false)] {
        let (mark, marks) = mpsc::channel();
        let config = DriverConfig::default().packet_events(false);
        let state = move |_: &_| Mark(mark.clone());
        let driver = FlowDriver::with_state(FiveTuple::bidirectional(), config, state);
        let mut stream = AsyncCapture::new(Memory::new(flows)).drive(driver);
        for _ in 0..flows {
            stream.next().await.unwrap().unwrap();
        }
        drop(stream);
        // Until the last one, and what makes them, is gone.
        let dropped_by: Vec<ThreadId> = marks.iter().collect();
        assert_eq!(dropped_by.len(), flows);
        let own = thread::current().id();
        assert!(dropped_by.iter().all(|thread| (*thread == own) == here), "{flows}");
    }
}

/// Packets that are put in order are copied.
#[tokio::test(start_paused = true)]
async fn packets_are_put_in_order_a_few_at_a_time() {
    let source = Memory::new(30_000);
    let copied = Arc::clone(&source.lent);
    let mut capture = AsyncCapture::new(InOrder::new(source));
    let (mut lent, mut most) = (0, 0);
    let mut reads = pin!(async {
        while lent < 30_000 {
            lent += capture.next_batch(|_| ()).await.unwrap();
        }
    });
    poll_fn(|cx| {
        let before = copied.load(Ordering::Relaxed);
        let polled = reads.as_mut().poll(cx);
        most = most.max(copied.load(Ordering::Relaxed) - before);
        polled
    })
    .await;
    assert!(most <= PACKETS, "{most}");
}

//! Futures that read flows while the stream is polled.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use flowscope_core::{FlowSide, Loss};
use flowscope_extract::FiveTupleKey;
use flowscope_track::FlowEvent;
use netring::{AsyncCapture, AsyncReassembler, ConversationConfig, Ended, GapCause, Stalled};
use tokio::time::{Instant, sleep};

use crate::world::{Extractor, Fed, bytes, drain, extractor, flow, poll, upload};

/// What happened, in order: who, and what.
type Log = Arc<Mutex<Vec<(u16, String)>>>;

/// Takes so long for every segment.
struct Sleepy {
    port: u16,
    time: Duration,
    log: Log,
}

impl AsyncReassembler for Sleepy {
    async fn segment(&mut self, at: u64, bytes: Bytes) {
        sleep(self.time).await;
        self.say(format!("{at}+{}", bytes.len()));
    }
    async fn gap(&mut self, at: u64, len: u64, cause: GapCause) {
        self.say(format!("{at}-{len} {cause:?}"));
    }
    async fn fin(&mut self) {
        sleep(self.time).await;
        self.say("fin".into());
    }
    async fn end(&mut self, ended: Ended) {
        self.say(match ended {
            Ended::Flow { reason, .. } => format!("{reason:?}"),
            other => format!("{other:?}"),
        });
    }
}

impl Sleepy {
    fn say(&self, what: String) {
        self.log.lock().unwrap().push((self.port, what));
    }
}

/// Reassemblers of the flow with port 10001 take a second for each segment, others none.
fn stream(
    source: &Fed,
    config: Option<ConversationConfig>,
) -> (netring::ReassembledStream<Fed, Extractor, Factory>, Log) {
    let log = Log::default();
    let factory = Factory(Arc::clone(&log));
    let flows = AsyncCapture::new(source.clone()).flow_stream(extractor());
    let stream = match config {
        None => flows.with_async_reassembler(factory),
        Some(config) => flows.with_async_reassembler_config(factory, config),
    };
    (stream, log)
}

struct Factory(Log);

impl netring::AsyncReassemblerFactory<FiveTupleKey> for Factory {
    type Reassembler = Sleepy;
    fn new_reassembler(&mut self, key: &FiveTupleKey, _: FlowSide) -> Sleepy {
        let port = key.a().port.max(key.b().port).unwrap();
        let time = Duration::from_secs(u64::from(port == 10_001));
        Sleepy { port, time, log: Arc::clone(&self.0) }
    }
}

#[tokio::test(start_paused = true)]
async fn one_call_is_awaited_before_the_next_and_the_end_waits_for_all() {
    let source = Fed::default();
    let talk = flow(1)
        .handshake()
        .data(FlowSide::Initiator, bytes(1, FlowSide::Initiator, 0, 10))
        .data(FlowSide::Initiator, bytes(1, FlowSide::Initiator, 10, 10))
        .close(FlowSide::Initiator);
    source.feed(talk.build());
    source.end();
    let (mut stream, log) = stream(&source, None);
    let begun = Instant::now();
    let mut ended = false;
    while let Some(event) = stream.next().await {
        if let FlowEvent::Ended { .. } = event.unwrap() {
            ended = true;
            assert!(log.lock().unwrap().is_empty(), "events do not wait");
        }
    }
    assert!(ended);
    assert_eq!(begun.elapsed().as_secs(), 3);
    let said: Vec<_> = log.lock().unwrap().iter().map(|(_, what)| what.clone()).collect();
    assert_eq!(said, ["0+10", "10+10", "fin", "Fin"]);
    assert_eq!(stream.stats().unwrap().bytes.delivered(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_slow_one_holds_its_own_flow_first_and_then_the_capture() {
    let source = Fed::default();
    for batch in upload(1, 30_000) {
        source.feed(batch);
    }
    for batch in upload(2, 30_000) {
        source.feed(batch);
    }
    source.end();
    let config = ConversationConfig::default().credit(10_000);
    let (mut stream, log) = stream(&source, Some(config));
    while let std::task::Poll::Ready(Some(_)) = poll(&mut stream) {}
    let polled = source.polled();
    assert!(polled < 20, "the capture waits: {polled}");
    assert!(stream.stats().unwrap().pending <= 10_000);
    for _ in 0..3 {
        assert!(poll(&mut stream).is_pending());
    }
    assert_eq!(source.polled(), polled);
    while let Some(event) = stream.next().await {
        event.unwrap();
    }
    let log = log.lock().unwrap();
    let last = |port| log.iter().rposition(|(of, _)| *of == port).unwrap();
    assert!(last(10_002) < last(10_001), "the quick one does not wait for what the slow one holds");
    assert_eq!(log.iter().filter(|(_, what)| what.ends_with("+1000")).count(), 60);
    let stats = stream.stats().unwrap();
    assert_eq!((stats.bytes.delivered(), stats.pending), (60_000, 0));
}

#[tokio::test(start_paused = true)]
async fn with_gaps_the_capture_goes_on() {
    let source = Fed::default();
    for number in [1, 2] {
        for batch in upload(number, 30_000) {
            source.feed(batch);
        }
    }
    let config = ConversationConfig::default().credit(10_000).stalled(Stalled::Gap);
    let (mut stream, log) = stream(&source, Some(config));
    let (events, over) = drain(&mut stream);
    assert!(!over && events.len() > 60);
    let quick = |log: &Log| {
        log.lock()
            .unwrap()
            .iter()
            .filter(|(port, what)| *port == 10_002 && what.contains('+'))
            .count()
    };
    assert_eq!(quick(&log), 30);
    source.end();
    let stats = stream.shutdown().await.unwrap();
    let lost = stats.bytes.lost(Loss::SubscriberLag);
    assert!(lost >= 19_000, "{lost}");
    assert_eq!(stats.bytes.delivered(), 60_000 - lost);
    assert!(log.lock().unwrap().contains(&(10_001, format!("{}-{lost} Lag", 30_000 - lost))));
}

/// By default, one slow consumer of a live capture holds no other flow.
#[tokio::test(start_paused = true)]
async fn by_default_a_slow_one_misses_bytes_of_its_own_flow_only() {
    let source = Fed::live();
    for number in [1, 2] {
        upload(number, 600_000).into_iter().for_each(|batch| source.feed(batch));
    }
    source.end();
    let (mut stream, log) = stream(&source, None);
    let begun = Instant::now();
    let mut quick = None;
    while let Some(event) = stream.next().await {
        event.unwrap();
        let read = |of: &(u16, String)| of.0 == 10_002 && of.1.contains("000+");
        if quick.is_none() && log.lock().unwrap().iter().filter(|of| read(of)).count() == 599 {
            quick = Some(begun.elapsed());
        }
    }
    assert!(quick.unwrap() < Duration::from_millis(500), "{quick:?}");
    let stats = stream.stats().unwrap();
    let lost = stats.bytes.lost(Loss::SubscriberLag);
    assert!((300_000..400_000).contains(&lost), "{lost}");
    assert_eq!((stats.bytes.delivered(), stats.pending), (1_200_000 - lost, 0));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_drives_futures_to_their_end_and_may_be_cancelled() {
    let source = Fed::default();
    for batch in upload(1, 5_000) {
        source.feed(batch);
    }
    let (mut stream, log) = stream(&source, None);
    let early = tokio::time::timeout(Duration::from_millis(2500), stream.shutdown()).await;
    assert!(early.is_err());
    assert_eq!(log.lock().unwrap().len(), 2);
    let stats = stream.shutdown().await.unwrap();
    assert_eq!((stats.bytes.delivered(), stats.pending), (5_000, 0));
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 6);
    assert_eq!(log[5].1, "Shutdown");
}

#[tokio::test]
async fn a_task_of_its_own_may_drive_it() {
    let source = Fed::default();
    for number in 2..20 {
        for batch in upload(number, 5_000) {
            source.feed(batch);
        }
    }
    source.end();
    let (mut stream, log) = stream(&source, None);
    let ended = tokio::spawn(async move {
        let mut ended = 0;
        while let Some(event) = stream.next().await {
            ended += usize::from(matches!(event.unwrap(), FlowEvent::Ended { .. }));
        }
        ended
    });
    assert_eq!(ended.await.unwrap(), 18);
    assert_eq!(log.lock().unwrap().len(), 18 * 6);
}

/// Panics at its first segment.
struct Panicking;

impl AsyncReassembler for Panicking {
    async fn segment(&mut self, _: u64, _: Bytes) {
        panic!("at the first segment");
    }
}

#[tokio::test]
async fn a_panic_of_a_consumer_costs_its_flow_only_and_is_reported() {
    /// Panics for one flow, and counts the bytes of others.
    enum Consumer {
        Panicking(Panicking),
        Counting(Arc<Mutex<usize>>),
    }
    impl AsyncReassembler for Consumer {
        async fn segment(&mut self, at: u64, bytes: Bytes) {
            match self {
                Consumer::Panicking(consumer) => consumer.segment(at, bytes).await,
                Consumer::Counting(count) => *count.lock().unwrap() += bytes.len(),
            }
        }
    }
    let source = Fed::default();
    for n in 1..=3 {
        let said = bytes(n, FlowSide::Initiator, 0, 10);
        let talk = flow(n).handshake().data(FlowSide::Initiator, said);
        source.feed(talk.close(FlowSide::Initiator).build());
    }
    source.end();
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    let factory = move |key: &FiveTupleKey, _: FlowSide| {
        if key.a().port.max(key.b().port) == Some(10_001) {
            Consumer::Panicking(Panicking)
        } else {
            Consumer::Counting(Arc::clone(&counted))
        }
    };
    let flows = AsyncCapture::new(source).flow_stream(extractor());
    let mut stream = flows.with_async_reassembler(factory);
    let (mut ended, mut errors) = (0, Vec::new());
    while let Some(item) = stream.next().await {
        match item {
            Ok(event) => ended += usize::from(matches!(event, FlowEvent::Ended { .. })),
            Err(error) => errors.push(error.to_string()),
        }
    }
    assert_eq!((ended, *count.lock().unwrap()), (3, 20));
    assert_eq!(errors, ["panicked: at the first segment"]);
}

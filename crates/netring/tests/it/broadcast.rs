//! One stream, many subscribers.

#![allow(clippy::print_stdout, reason = "a test that prints its figure, for `cargo xtask trust`")]

use std::sync::Arc;
use std::time::Duration;

use flowscope_core::Loss;
use flowscope_extract::{FiveTuple, FiveTupleKey};
use flowscope_track::{EndReason, FlowEvent};
use futures_core::stream::FusedStream as _;
use netring::{AsyncCapture, FlowStream, Subscriber, SubscriberError};
use tokio::time::{sleep, timeout};

use crate::source::{Script, Step, datagram};

type Event = FlowEvent<FiveTupleKey>;

fn flows(script: Script) -> FlowStream<Script, FiveTuple> {
    AsyncCapture::new(script).flow_stream(FiveTuple::bidirectional())
}

/// As many flows of one packet each, which makes three events, `per_batch` of them in a batch.
fn many(count: u16, per_batch: u16) -> Script {
    Script::new((0..count / per_batch).map(move |batch| {
        let first = batch * per_batch;
        Step::Packets((first..first + per_batch).map(|n| datagram(n, u64::from(n))).collect())
    }))
}

/// What one subscriber saw.
#[derive(Default)]
struct Seen {
    events: Vec<Arc<Event>>,
    lagged: u64,
    errors: Vec<String>,
}

async fn read(subscriber: &mut Subscriber<Event>, pause: Option<Duration>) -> Seen {
    let mut seen = Seen::default();
    let before = subscriber.received();
    while let Some(item) = subscriber.next().await {
        match item {
            Ok(event) => seen.events.push(event),
            Err(SubscriberError::Lagged(n)) => seen.lagged += n,
            Err(other) => seen.errors.push(other.to_string()),
        }
        if let Some(pause) = pause {
            sleep(pause).await;
        }
    }
    let items = (seen.events.len() + seen.errors.len()) as u64;
    assert_eq!(subscriber.received(), before + items);
    assert_eq!(subscriber.lagged(), seen.lagged);
    seen
}

#[tokio::test]
async fn every_subscriber_gets_every_event_and_the_end() {
    let mut alone = flows(many(1000, 20));
    let mut expected = Vec::new();
    while let Some(event) = alone.next().await {
        expected.push(event.unwrap());
    }
    let broadcast = flows(many(1000, 20)).broadcast(256);
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let mut subscriber = broadcast.subscribe();
            tokio::spawn(async move { read(&mut subscriber, None).await })
        })
        .collect();
    for task in tasks {
        let seen = task.await.unwrap();
        assert_eq!((seen.lagged, seen.errors.len()), (0, 0));
        assert!(seen.events.iter().map(|event| &**event).eq(&expected));
    }
    let stats = broadcast.shutdown().await.unwrap();
    assert_eq!(stats.packets.delivered(), 1000);
    assert_eq!(stats.events.delivered(), 5 * expected.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn what_the_slow_did_not_get_they_are_told() {
    let broadcast = flows(many(20_000, 50)).broadcast(1024);
    let mut subscribers: Vec<_> = (0..8).map(|_| broadcast.subscribe()).collect();
    let mut slow = subscribers.pop().unwrap();
    let fast: Vec<_> = subscribers
        .into_iter()
        .map(|mut subscriber| tokio::spawn(async move { read(&mut subscriber, None).await }))
        .collect();
    let slow = tokio::spawn(async move { read(&mut slow, Some(Duration::from_millis(1))).await });
    let sent = 3 * 20_000;
    for task in fast {
        let seen = task.await.unwrap();
        assert_eq!((seen.events.len(), seen.lagged), (sent, 0));
    }
    let slow = slow.await.unwrap();
    assert!(slow.lagged > 1000, "{}", slow.lagged);
    assert_eq!(slow.events.len() as u64 + slow.lagged, sent as u64);
    let stats = broadcast.shutdown().await.unwrap();
    assert_eq!(stats.events.lost(Loss::SubscriberLag), slow.lagged);
    assert_eq!(stats.events.seen(), 8 * sent as u64);
    println!(
        "figure: {sent} events to each, {} to the slow and {} missed",
        slow.events.len(),
        slow.lagged
    );
}

#[tokio::test(start_paused = true)]
async fn without_loss_the_slowest_slows_all_and_the_capture() {
    let script = many(2000, 50);
    let lent = script.lent();
    let broadcast = flows(script).broadcast_lossless(64);
    let mut fast = broadcast.subscribe();
    let mut slow = broadcast.subscribe();
    let fast = tokio::spawn(async move { read(&mut fast, None).await });
    slow.next().await.unwrap().unwrap();
    // While it reads nothing, no more is taken from the source than its buffer has room for.
    sleep(Duration::from_secs(10)).await;
    assert!(lent.load(std::sync::atomic::Ordering::Relaxed) <= 150, "{lent:?}");
    let slow = read(&mut slow, Some(Duration::from_millis(1)));
    let (slow, fast) = tokio::join!(async { slow.await.events.len() + 1 }, fast);
    assert_eq!((slow, fast.unwrap().events.len()), (6000, 6000));
}

#[tokio::test]
async fn errors_reach_every_subscriber() {
    let steps = [
        Step::Packets(vec![datagram(1, 0)]),
        Step::Failure("the cable was pulled"),
        Step::Packets(vec![datagram(2, 0)]),
    ];
    for lossless in [false, true] {
        let stream = flows(Script::new(steps.clone()));
        let broadcast = if lossless { stream.broadcast_lossless(16) } else { stream.broadcast(16) };
        let mut subscribers = [broadcast.subscribe(), broadcast.subscribe()];
        let [one, two] = &mut subscribers;
        let (one, two) = tokio::join!(read(one, None), read(two, None));
        for seen in [one, two] {
            assert_eq!(seen.errors, ["the cable was pulled"]);
            assert_eq!(seen.events.len(), 6);
        }
    }
}

#[tokio::test]
async fn dropping_the_handle_flushes_and_ends() {
    let steps =
        [Step::Packets(vec![datagram(1, 0)]), Step::Silence(Duration::from_secs(1_000_000))];
    for lossless in [false, true] {
        let stream = flows(Script::new(steps.clone()));
        let broadcast = if lossless { stream.broadcast_lossless(16) } else { stream.broadcast(16) };
        let mut subscriber = broadcast.subscribe();
        subscriber.next().await.unwrap().unwrap();
        subscriber.next().await.unwrap().unwrap();
        drop(broadcast);
        let seen = timeout(Duration::from_secs(5), read_rest(&mut subscriber)).await.unwrap();
        let [last] = seen.as_slice() else { panic!("one event is left: {seen:?}") };
        assert!(
            matches!(&**last, FlowEvent::Ended { reason: EndReason::Shutdown, .. }),
            "{last:?}"
        );
    }
}

async fn read_rest(subscriber: &mut Subscriber<Event>) -> Vec<Arc<Event>> {
    let mut events = Vec::new();
    while let Some(event) = subscriber.next().await {
        events.push(event.expect("nothing was missed"));
    }
    events
}

#[tokio::test]
async fn shutdown_before_anybody_listens_ends_too() {
    let broadcast = flows(many(100, 10)).broadcast(16);
    let mut late = broadcast.subscribe();
    let stats = timeout(Duration::from_secs(5), broadcast.shutdown()).await.unwrap().unwrap();
    assert_eq!(stats.packets.delivered(), 100);
    let seen = read(&mut late, None).await;
    assert_eq!(seen.events.len() as u64 + seen.lagged, 300);
    assert!(!seen.events.is_empty());
}

#[tokio::test]
async fn stats_are_told_while_it_runs() {
    let steps =
        [Step::Packets(vec![datagram(1, 0)]), Step::Silence(Duration::from_secs(1_000_000))];
    let broadcast = flows(Script::new(steps)).broadcast(16);
    let mut subscriber = broadcast.subscribe();
    subscriber.next().await.unwrap().unwrap();
    subscriber.next().await.unwrap().unwrap();
    let stats = broadcast.stats().await.unwrap().expect("it runs");
    assert_eq!((stats.packets.delivered(), stats.flows, stats.events.delivered()), (1, 1, 2));
}

#[tokio::test]
async fn a_subscriber_that_goes_holds_nobody() {
    let broadcast = flows(many(1000, 10)).broadcast_lossless(4);
    let mut stays = broadcast.subscribe();
    let goes = broadcast.subscribe();
    let reads = tokio::spawn(async move { read(&mut stays, None).await });
    sleep(Duration::from_millis(10)).await;
    drop(goes);
    assert_eq!(reads.await.unwrap().events.len(), 3000);
}

#[tokio::test]
async fn a_second_subscription_begins_where_it_is_made() {
    let events = flows(many(100, 10)).broadcast_lossless(4);
    let mut first = events.subscribe();
    first.next().await.expect("an event").expect("no error");
    let mut second = first.resubscribe();
    let (mut all, mut rest) = (1, 0);
    while first.next().await.is_some() {
        all += 1;
        // In step, so that neither waits for the other.
        rest += u64::from(second.next().await.is_some());
    }
    assert!(first.is_terminated());
    while second.next().await.is_some() {
        rest += 1;
    }
    assert!(second.is_terminated());
    assert!(rest < all && rest > 0, "{rest} of {all}");
}

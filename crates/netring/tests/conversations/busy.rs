//! Readers that always read, of flows that come in faster than one turn of the runtime.

use std::time::Duration;

use flowscope_core::{FlowSide, Loss};
use netring::{ConversationConfig, Piece, Stats};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::world::{Fed, Frames, Talk, bytes, flow};

/// A handshake, and segments of 60 000 bytes, `at_once` in each batch: frames as they are before the
/// card splits them.
fn upload(number: usize, segments: usize, at_once: usize) -> Vec<Frames> {
    const LEN: usize = 60_000;
    let mut talk = flow(number).handshake();
    for at in 0..segments {
        let offset = (at * LEN) as u64;
        talk = talk.data(FlowSide::Initiator, bytes(number, FlowSide::Initiator, offset, LEN));
    }
    talk.build().chunks(at_once).map(<[_]>::to_vec).collect()
}

/// Bytes of a conversation that were read, and that were lost.
async fn read(mut talk: Talk) -> (u64, u64) {
    let (mut read, mut lag, mut at) = (0, 0, 0);
    while let Some(piece) = talk.next().await {
        match piece {
            Piece::Bytes { offset, bytes, .. } => {
                assert_eq!(offset, at);
                at += bytes.len() as u64;
                read += bytes.len() as u64;
            }
            Piece::Gap { len, .. } => {
                at += len;
                lag += len;
            }
            _ => {}
        }
    }
    (read, lag)
}

/// Reads every conversation in a task of its own, and returns what they read, what they lost, and
/// the counters.
async fn read_all(source: &Fed, config: ConversationConfig, stop: bool) -> (u64, u64, Stats) {
    let mut stream = source.conversations(config);
    let mut tasks = JoinSet::new();
    let mut stop = stop;
    while let Some(talk) = stream.next().await {
        tasks.spawn(read(talk.unwrap()));
        if std::mem::take(&mut stop) {
            stream.stop();
        }
    }
    let (mut read, mut lag) = (0, 0);
    while let Some(task) = tasks.join_next().await {
        let (of_one, lost) = task.unwrap();
        read += of_one;
        lag += lost;
    }
    (read, lag, stream.stats().unwrap())
}

fn fed(flows: usize, segments: usize, at_once: usize) -> (Fed, u64) {
    let source = Fed::live();
    for number in 0..flows {
        upload(number, segments, at_once).into_iter().for_each(|batch| source.feed(batch));
    }
    source.end();
    (source, (flows * segments * 60_000) as u64)
}

fn check(payload: u64, (read, lag, stats): (u64, u64, Stats)) {
    assert_eq!((read, lag), (payload, 0));
    assert_eq!(stats.bytes.lost(Loss::SubscriberLag), 0);
    assert_eq!((stats.bytes.delivered(), stats.bytes.seen()), (payload, payload));
}

#[tokio::test]
async fn a_reader_on_the_same_thread_loses_nothing() {
    for (flows, segments, at_once) in [(1, 200, 4), (4, 70, 1), (1, 130, 64)] {
        let (source, payload) = fed(flows, segments, at_once);
        check(payload, read_all(&source, ConversationConfig::default(), false).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_on_another_thread_loses_nothing() {
    for (flows, segments, at_once) in [(1, 200, 4), (4, 70, 1), (1, 130, 64)] {
        let (source, payload) = fed(flows, segments, at_once);
        check(payload, read_all(&source, ConversationConfig::default(), false).await);
    }
}

#[tokio::test]
async fn a_reader_loses_nothing_after_a_stop() {
    let (source, payload) = fed(1, 200, 4);
    check(payload, read_all(&source, ConversationConfig::default(), true).await);
}

/// A stalled reader is waited for once, and then holds no more than its credit.
#[tokio::test(start_paused = true)]
async fn a_stalled_reader_is_waited_for_once() {
    const LIMIT: u64 = 256 * 1024;
    let (source, payload) = fed(2, 200, 4);
    let mut stream = source.conversations(ConversationConfig::default());
    let start = Instant::now();
    let stalled = stream.next().await.unwrap().unwrap();
    let read = tokio::spawn(read(stream.next().await.unwrap().unwrap()));
    assert!(stream.next().await.is_none());
    let waited = start.elapsed();
    assert!(
        waited >= Duration::from_millis(100) && waited < Duration::from_millis(150),
        "{waited:?}"
    );
    assert_eq!(read.await.unwrap(), (payload / 2, 0));
    assert!(stalled.queued() > LIMIT / 2 && stalled.queued() <= LIMIT, "{}", stalled.queued());
    assert_eq!(stalled.queued() + stalled.lagged(), payload / 2);
    let stats = stream.stats().unwrap();
    assert_eq!(stats.bytes.lost(Loss::SubscriberLag), stalled.lagged());
    assert_eq!(stats.bytes.seen() + stats.pending, payload);
    let (taken, lag) = self::read(stalled).await;
    assert_eq!(taken + lag, payload / 2);
}

/// Readers that stall one after the other hold the capture for a limited share of the time.
#[tokio::test(start_paused = true)]
async fn many_stalled_readers_do_not_stop_the_capture() {
    let (source, payload) = fed(60, 10, 1);
    let mut stream = source.conversations(ConversationConfig::default());
    let start = Instant::now();
    let mut stalled = Vec::new();
    while let Some(talk) = stream.next().await {
        stalled.push(talk.unwrap());
    }
    let waited = start.elapsed();
    assert!(waited < Duration::from_millis(500), "{waited:?}");
    let held: u64 = stalled.iter().map(|talk| talk.queued() + talk.lagged()).sum();
    assert_eq!((stalled.len(), held), (60, payload));
}

/// One that takes a piece now and then is slow, and its flow alone has gaps.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_loses_bytes_of_its_own_flow_only() {
    let source = Fed::live();
    let mut flows = [upload(0, 300, 1).into_iter(), upload(1, 300, 1).into_iter()];
    let mut stream = source.conversations(ConversationConfig::default());
    let feed = tokio::spawn(async move {
        while let [Some(one), Some(other)] = flows.each_mut().map(Iterator::next) {
            source.feed(one);
            source.feed(other);
            sleep(Duration::from_millis(1)).await;
        }
        source.end();
    });
    let start = Instant::now();
    let mut slow = stream.next().await.unwrap().unwrap();
    let slow = tokio::spawn(async move {
        let mut lag = 0;
        while let Some(piece) = slow.next().await {
            lag += if let Piece::Gap { len, .. } = piece { len } else { 0 };
            sleep(Duration::from_millis(200)).await;
        }
        lag
    });
    let quick = tokio::spawn(read(stream.next().await.unwrap().unwrap()));
    assert!(stream.next().await.is_none());
    assert!(start.elapsed() < Duration::from_millis(600), "{:?}", start.elapsed());
    feed.await.unwrap();
    assert_eq!(quick.await.unwrap(), (300 * 60_000, 0));
    assert!(slow.await.unwrap() > 200 * 60_000);
}

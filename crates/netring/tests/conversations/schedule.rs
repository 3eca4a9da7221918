//! Polling, reading and dropping in any order loses nothing for those that remain.

use std::task::{Context, Poll, Waker};

use flowscope_core::{FlowSide, Loss};
use flowscope_testkit::Rng;
use netring::{ConversationConfig, Stalled};

use crate::world::{Fed, Frames, Reader, bytes, flow, poll};

/// Some flows that talk both ways at once, segments of some missing, and the payload of all packets.
fn traffic(rng: &mut Rng) -> (Vec<Frames>, u64) {
    let mut payload = 0;
    let mut flows: Vec<_> = (0..2 + rng.below(5))
        .map(|number| {
            let mut talk = flow(number).handshake();
            let mut at = [0u64; 2];
            for _ in 0..rng.below(60) {
                let side = *rng.pick(&[FlowSide::Initiator, FlowSide::Responder]);
                let len = 1 + rng.below(1400);
                let said = bytes(number, side, at[side.index()], len);
                at[side.index()] += len as u64;
                if rng.one_in(12) {
                    // Sent, and not captured.
                    let seq = [1001, 5001][side.index()] + at[side.index()] as u32;
                    talk = talk.next_seq(side, seq);
                } else {
                    payload += len as u64;
                    talk = talk.data(side, said);
                }
            }
            talk = match rng.below(3) {
                0 => talk.close(FlowSide::Initiator),
                1 => talk.rst(FlowSide::Responder),
                _ => talk,
            };
            talk.build().into_iter()
        })
        .collect();
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    while !flows.is_empty() {
        let at = rng.below(flows.len());
        match flows[at].next() {
            Some(packet) => batch.push(packet),
            None => drop(flows.swap_remove(at)),
        }
        if rng.one_in(3) && !batch.is_empty() {
            batches.push(std::mem::take(&mut batch));
        }
    }
    batches.extend((!batch.is_empty()).then_some(batch));
    (batches, payload)
}

/// One schedule; returns how many steps it had.
fn run(seed: u64) -> usize {
    let rng = &mut Rng::new(seed);
    let policy = *rng.pick(&[Stalled::Wait, Stalled::Gap, Stalled::Close]);
    let config = ConversationConfig::default()
        .credit(1024 + rng.below(20_000))
        .total(2048 + rng.below(100_000))
        .stalled(policy);
    let (batches, payload) = traffic(rng);
    let mut batches = batches.into_iter();
    let source = Fed::default();
    let mut stream = Some(source.conversations(config));
    let mut readers: Vec<Reader> = Vec::new();
    // Read by those that were dropped, and lost to those by lag.
    let (mut gone, mut gone_lag) = (0, 0);
    let (mut fed_all, mut over, mut stopped, mut dropped, mut steps) = (false, false, false, 0, 0);
    let patience = 20 + rng.below(400);
    let mut cx = Context::from_waker(Waker::noop());
    while let Some(conversations) = &mut stream {
        steps += 1;
        match rng.below(16) {
            0..3 => match batches.next() {
                Some(batch) => source.feed(batch),
                None if !fed_all => {
                    fed_all = true;
                    source.end();
                }
                None => {}
            },
            3..9 => match poll(conversations) {
                Poll::Ready(Some(talk)) => readers.push(Reader::new(talk.unwrap())),
                Poll::Ready(None) => over = true,
                Poll::Pending => {}
            },
            9..15 => {
                if !readers.is_empty() {
                    let at = rng.below(readers.len());
                    for _ in 0..1 + rng.below(8) {
                        readers[at].step(&mut cx);
                    }
                }
            }
            _ => {
                if rng.one_in(20) && !readers.is_empty() {
                    let reader = readers.swap_remove(rng.below(readers.len()));
                    dropped += 1;
                    gone += reader.read;
                    gone_lag += reader.talk.lagged();
                } else if rng.one_in(60) {
                    stopped = true;
                    conversations.stop();
                }
            }
        }
        let stats = conversations.stats().unwrap();
        let read: u64 = readers.iter().map(|reader| reader.read).sum();
        let lagged: u64 = readers.iter().map(|reader| reader.talk.lagged()).sum();
        assert_eq!(stats.bytes.delivered(), gone + read, "seed {seed}, step {steps}");
        let lost = stats.bytes.lost(Loss::SubscriberLag);
        assert!(lost >= gone_lag + lagged, "seed {seed}: {lost}");
        // Those that nobody has taken yet lag as well, those closed for it lose on when dropped.
        if over && policy == Stalled::Gap {
            assert_eq!(lost, gone_lag + lagged, "seed {seed}");
        }
        if policy == Stalled::Wait {
            assert_eq!(lost, 0, "seed {seed}");
        }
        if over && readers.iter().all(|reader| reader.ended.is_some()) {
            if !stopped {
                assert_eq!((stats.bytes.seen(), stats.pending), (payload, 0), "seed {seed}");
            }
            if !stopped && dropped == 0 {
                assert_eq!(stats.bytes.delivered() + lost, payload, "seed {seed}");
            }
            break;
        }
        if steps > patience * 10 {
            stream = None;
        }
    }
    drop(stream);
    for reader in &mut readers {
        reader.drain();
        assert!(reader.ended.is_some(), "seed {seed}: every conversation ends");
        // What was let go is a gap, which what was not captured may be a part of.
        let lagged = reader.talk.lagged();
        match policy {
            Stalled::Gap => assert!(reader.lag >= lagged && (reader.lag > 0) == (lagged > 0)),
            _ => assert_eq!(reader.lag, 0, "seed {seed}"),
        }
    }
    steps
}

#[test]
fn any_schedule_keeps_the_law() {
    let steps: usize = (0..150).map(run).sum();
    assert!(steps > 20_000, "{steps}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_on_other_threads_miss_nothing() {
    let source = Fed::default();
    let (batches, expected) = traffic(&mut Rng::new(7));
    batches.into_iter().for_each(|batch| source.feed(batch));
    source.end();
    let config = ConversationConfig::default().credit(4000).stalled(Stalled::Wait);
    let mut stream = source.conversations(config);
    let mut tasks = Vec::new();
    while let Some(talk) = stream.next().await {
        let mut reader = Reader::new(talk.unwrap());
        tasks.push(tokio::spawn(async move {
            std::future::poll_fn(|cx| {
                while reader.step(cx) {}
                if reader.ended.is_some() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            reader.read
        }));
    }
    let mut read = 0;
    for task in tasks {
        read += task.await.unwrap();
    }
    assert_eq!(read, expected);
    assert_eq!(stream.stats().unwrap().bytes.delivered(), expected);
}

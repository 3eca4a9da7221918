//! Several workers on one interface.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use flowscope_core::{Extracted, FlowExtractor, Loss, PacketView};
use flowscope_driver::FlowDriver;
use flowscope_extract::{FiveTuple, FiveTupleKey};
use flowscope_testkit::frame;
use flowscope_testkit::namespace::in_namespace;
use flowscope_track::FlowEvent;
use netring::ring::Fanout;
use netring::{Affinity, Stats};
use tokio::time::timeout;

use crate::world::{block_on, builder, datagram, extractor, send, sender};

/// Both directions of many conversations, each four packets, on ports of its own.
fn conversations(count: u16) -> Vec<Vec<u8>> {
    let one = |n: u16, reply: bool| {
        let (a, b) = (("10.0.0.1", 2000 + n), ("10.0.0.2", 53));
        let (from, to) = if reply { (b, a) } else { (a, b) };
        frame().ethernet().ipv4(from.0, to.0).udp(from.1, to.1).payload(b"x").build()
    };
    let rounds = [false, true, false, true];
    rounds.into_iter().flat_map(|reply| (0..count).map(move |n| one(n, reply))).collect()
}

const SOON: Duration = Duration::from_secs(5);
const FLOWS: u16 = 500;
const WORKERS: NonZeroUsize = NonZeroUsize::new(3).expect("not zero");

fn check_stats(stats: &[Stats]) {
    assert_eq!(stats.len(), WORKERS.get());
    let arrived: u64 = stats.iter().filter_map(|worker| worker.arrived).sum();
    let seen: u64 = stats.iter().map(|worker| worker.packets.seen()).sum();
    assert_eq!((arrived, seen), (4 * u64::from(FLOWS), 4 * u64::from(FLOWS)));
    assert!(stats.iter().all(|worker| worker.packets.delivered() > 0), "{stats:?}");
}

pub(crate) fn both_directions_of_a_flow_reach_one_worker() {
    in_namespace(concat!(module_path!(), "::both_directions_of_a_flow_reach_one_worker"), || {
        block_on(async {
            let sharded = builder().ignore_outgoing(true).open_sharded("v1", 7, WORKERS).unwrap();
            let mut stream = sharded.flow_stream(|_| extractor()).unwrap();
            let sends = thread::spawn(|| {
                let mut from = sender("v0");
                conversations(FLOWS).iter().for_each(|frame| send(&mut from, frame));
            });
            let mut affinity = Affinity::new(10_000);
            let mut packets = 0;
            let mut ends = 0;
            loop {
                tokio::select! {
                    item = stream.next() => match item {
                        Some(Ok(FlowEvent::Started { flow, .. })) => {
                            assert!(affinity.saw(&flow.key, stream.worker()));
                        }
                        Some(Ok(FlowEvent::Ended { stats, .. })) => {
                            ends += 1;
                            packets += stats.initiator.counters.packets;
                            packets += stats.responder.counters.packets;
                        }
                        Some(item) => drop(item.unwrap()),
                        None => break,
                    },
                    () = tokio::time::sleep(Duration::from_millis(20)) => {
                        if sends.is_finished() {
                            stream.stop();
                        }
                    }
                }
            }
            sends.join().unwrap();
            assert_eq!((ends, packets), (FLOWS, 4 * u64::from(FLOWS)));
            assert_eq!((affinity.keys(), affinity.split()), (usize::from(FLOWS), 0));
            check_stats(&stream.ended().await.unwrap());
        });
    });
}

pub(crate) fn events_can_be_handled_in_the_workers() {
    in_namespace(concat!(module_path!(), "::events_can_be_handled_in_the_workers"), || {
        block_on(async {
            let sharded = builder().ignore_outgoing(true).open_sharded("v1", 8, WORKERS).unwrap();
            let seen = Arc::new(Mutex::new(HashMap::<String, u64>::new()));
            let workers = sharded
                .run(|_| {
                    let seen = Arc::clone(&seen);
                    let driver = FlowDriver::new(FiveTuple::bidirectional());
                    let handle = move |event: Result<_, netring::Error>| {
                        if let FlowEvent::Ended { stats, .. } = event.unwrap() {
                            let thread = thread::current().name().unwrap().to_owned();
                            let both = [&stats.initiator, &stats.responder];
                            let packets: u64 = both.iter().map(|side| side.counters.packets).sum();
                            *seen.lock().unwrap().entry(thread).or_default() += packets;
                        }
                    };
                    (driver, handle)
                })
                .unwrap();
            let mut from = sender("v0");
            conversations(FLOWS).iter().for_each(|frame| send(&mut from, frame));
            let handle = workers.handle();
            let stopper = tokio::spawn(async move { handle.shutdown().await });
            let stats = workers.ended().await.unwrap();
            check_stats(&stats);
            let mut sum = Stats::default();
            stats.iter().for_each(|worker| sum.merge(worker));
            let total = timeout(SOON, stopper).await.expect("it ends").unwrap().unwrap();
            assert_eq!(total.packets, sum.packets);
            let seen = seen.lock().unwrap();
            assert_eq!(seen.values().sum::<u64>(), 4 * u64::from(FLOWS));
            let mut names: Vec<&str> = seen.keys().map(String::as_str).collect();
            names.sort_unstable();
            assert_eq!(names, ["netring-0", "netring-1", "netring-2"]);
        });
    });
}

/// Sends frames to the workers of `v1`, and returns their counters together.
async fn shared(fanout: Fanout, frames: &[Vec<u8>]) -> Stats {
    let builder = builder().ignore_outgoing(true).fanout(fanout);
    let sharded = builder.open_sharded("v1", 9, WORKERS).unwrap();
    let stream = sharded.flow_stream(|_| extractor()).unwrap();
    let mut from = sender("v0");
    frames.iter().for_each(|frame| send(&mut from, frame));
    let mut all = Stats::default();
    let stats = timeout(SOON, stream.shutdown()).await.expect("it ends").unwrap();
    stats.iter().for_each(|stats| all.merge(stats));
    assert_eq!(all.arrived, Some(all.packets.seen() + all.waiting), "{all}");
    all
}

pub(crate) fn flows_that_are_split_are_reported() {
    in_namespace(concat!(module_path!(), "::flows_that_are_split_are_reported"), || {
        let one = |n: u16, back: bool| {
            let (outer, inner) =
                (["192.0.2.1", "192.0.2.2"], [("10.0.0.1", 2000 + n), ("10.0.0.2", 53)]);
            let at = usize::from(back);
            // Each direction of a tunnel has a source port of its own.
            let tunnel = frame()
                .ethernet()
                .ipv4(outer[at], outer[1 - at])
                .udp(40_000 + 2 * n + at as u16, 4789);
            let (from, to) = (inner[at], inner[1 - at]);
            tunnel.vxlan(5).ethernet().ipv4(from.0, to.0).udp(from.1, to.1).payload(b"x").build()
        };
        let frames: Vec<Vec<u8>> = (0..FLOWS).flat_map(|n| [one(n, false), one(n, true)]).collect();
        block_on(async {
            let stats = shared(Fanout::KernelHash, &frames).await;
            assert!(stats.split_flows > 10, "{stats:?}");
            assert!(stats.to_string().contains("checked flows are split"), "{stats}");
            let stats = shared(Fanout::default(), &frames).await;
            assert_eq!(stats.arrived, Some(frames.len() as u64));
            assert!(stats.checked_flows > 20 && stats.split_flows == 0, "{stats:?}");
        });
    });
}

pub(crate) fn fragments_are_joined_or_counted() {
    in_namespace(concat!(module_path!(), "::fragments_are_joined_or_counted"), || {
        let mut frames = Vec::new();
        for n in 0..100 {
            let whole = frame().ethernet().ipv4(format!("10.0.1.{n}"), "10.0.0.2").udp(4000, 53);
            let mut fragments = whole.payload([7; 3000]).fragments(n, 1000);
            // Of every second datagram, one never comes.
            if n % 2 == 1 {
                fragments.swap_remove(0);
            }
            frames.append(&mut fragments);
        }
        block_on(async {
            let stats = shared(Fanout::default(), &frames).await;
            assert_eq!(stats.arrived, Some(frames.len() as u64));
            let lost = stats.packets.lost(Loss::FragIncomplete);
            assert_eq!((lost, stats.packets.delivered()), (3 * 50, 4 * 50), "{stats}");
        });
    });
}

pub(crate) fn a_panic_of_a_worker_is_reported_with_its_message() {
    let name = concat!(module_path!(), "::a_panic_of_a_worker_is_reported_with_its_message");
    in_namespace(name, || {
        block_on(async {
            let open = || builder().open_sharded("v1", 7, NonZeroUsize::MIN).expect("it is ours");
            let mut stream = open().flow_stream(|_| Broken).expect("threads");
            send(&mut sender("v0"), &datagram(1));
            let error = timeout(SOON, stream.next()).await.expect("it is reported");
            let error = error.expect("an item").expect_err("an error");
            assert_eq!(error.to_string(), "panicked: broken");
            assert!(timeout(SOON, stream.next()).await.expect("it ends").is_none());
            let ended = stream.ended().await.expect_err("its counters are lost");
            assert_eq!(ended.to_string(), "panicked: broken");

            let handled = |_| (FlowDriver::new(extractor()), |_| panic!("broken too"));
            let workers = open().run(handled).expect("threads");
            send(&mut sender("v0"), &datagram(1));
            let ended = timeout(SOON, workers.ended()).await.expect("it ends");
            assert_eq!(ended.expect_err("an error").to_string(), "panicked: broken too");
        });
    });
}

/// An extractor that panics.
struct Broken;

impl FlowExtractor for Broken {
    type Key = FiveTupleKey;

    fn extract(&self, _: PacketView<'_>) -> Option<Extracted<Self::Key>> {
        panic!("broken")
    }
}

pub(crate) fn workers_stop_when_another_one_cannot_be_started() {
    let name = concat!(module_path!(), "::workers_stop_when_another_one_cannot_be_started");
    in_namespace(name, || {
        block_on(async {
            let sharded = builder().ignore_outgoing(true).open_sharded("v1", 9, WORKERS).unwrap();
            // Each worker that was started holds a sender.
            let (running, mut all_ended) = tokio::sync::mpsc::channel::<()>(1);
            let mut running = Some(running);
            let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                sharded.run(|number| {
                    let sender = if number == 2 { running.take() } else { running.clone() };
                    assert!(number < 2, "no driver for the third worker");
                    let handle = move |_: Result<_, netring::Error>| drop(sender.clone());
                    (FlowDriver::new(FiveTuple::bidirectional()), handle)
                })
            }));
            assert!(refused.is_err());
            assert_eq!(timeout(SOON, all_ended.recv()).await.expect("they stop"), None);
        });
    });
}

//! Frames sent = tracked + each named loss, whatever the reader does.

use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flowscope_core::{FlowSide, Loss};
use flowscope_extract::FiveTupleKey;
use flowscope_testkit::Dialogue;
use flowscope_testkit::namespace::in_namespace;
use flowscope_track::{EndReason, FlowEvent};
use netring::{AsyncCapture, AsyncReassembler, ConversationConfig, Stalled};

use crate::world::{block_on, builder, datagram, extractor, positive, send, sender};

pub(crate) fn the_ledger_counts_what_a_stalled_reader_loses() {
    in_namespace(
        concat!(module_path!(), "::the_ledger_counts_what_a_stalled_reader_loses"),
        || {
            block_on(async {
                const SENT: u32 = 50_000;
                let capture = builder().ring(positive(8), positive(1 << 14)).open("v1");
                let mut stream = capture.expect("the namespace is ours").flow_stream(extractor());
                let mut from = sender("v0");
                let sends =
                    thread::spawn(move || (0..SENT).for_each(|n| send(&mut from, &datagram(n))));
                // It reads a little, and then nothing while all the rest comes.
                for _ in 0..100 {
                    stream.next().await.expect("frames come").expect("nothing befalls the cable");
                }
                sends.join().expect("all was sent");
                let stats = stream.shutdown().await.expect("the socket is open");
                assert_eq!(stats.arrived, Some(u64::from(SENT)));
                assert_eq!(stats.packets.seen(), u64::from(SENT));
                assert!(stats.packets.lost(Loss::KernelDrop) > 10_000, "{stats:?}");
                assert!(stats.freezes > 0);
                let mut ended = 0;
                while let Some(event) = stream.next().await {
                    let event = event.expect("nothing befalls the cable");
                    if let FlowEvent::Ended { reason, .. } = event {
                        assert_eq!(reason, EndReason::Shutdown);
                        ended += 1;
                    }
                }
                assert_eq!(ended, stats.packets.delivered());
            });
        },
    );
}

pub(crate) fn shutdown_under_traffic_loses_and_duplicates_no_frame() {
    let name = concat!(module_path!(), "::shutdown_under_traffic_loses_and_duplicates_no_frame");
    in_namespace(name, || {
        block_on(async {
            for round in 0..20_u32 {
                let capture = builder().open("v1").expect("the namespace is ours");
                let mut stream = capture.flow_stream(extractor());
                let mut from = sender("v0");
                let sends = thread::spawn(move || {
                    (0..2000).for_each(|n| send(&mut from, &datagram(n)));
                });
                for _ in 0..round * 40 {
                    stream.next().await.expect("frames come").expect("nothing befalls it");
                }
                let stats = stream.shutdown().await.expect("the socket is open");
                assert_eq!(stats.arrived, Some(stats.packets.seen()), "{stats:?}");
                sends.join().expect("all was sent");
                // Each was a flow of its own.
                let mut packets = std::collections::HashSet::new();
                while let Some(event) = stream.next().await {
                    if let FlowEvent::Ended { flow, stats, .. } = event.expect("nothing befalls it")
                    {
                        assert_eq!(stats.initiator.counters.packets, 1);
                        assert!(packets.insert(flow.key), "{} came twice", flow.key);
                    }
                }
                assert_eq!(packets.len() as u64, stats.packets.delivered());
            }
        });
    });
}

pub(crate) fn a_lossless_broadcast_applies_back_pressure_to_the_capture() {
    in_namespace(
        concat!(module_path!(), "::a_lossless_broadcast_applies_back_pressure_to_the_capture"),
        || {
            block_on(async {
                const SENT: u32 = 20_000;
                let capture = builder().ring(positive(8), positive(1 << 14)).open("v1");
                let stream = capture.expect("the namespace is ours").flow_stream(extractor());
                let broadcast = stream.broadcast_lossless(64);
                let mut subscriber = broadcast.subscribe();
                let mut from = sender("v0");
                let sends =
                    thread::spawn(move || (0..SENT).for_each(|n| send(&mut from, &datagram(n))));
                subscriber.next().await.expect("frames come").expect("nothing befalls the cable");
                while !sends.is_finished() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                let reads = async {
                    let mut items = 1_u64;
                    while let Some(item) = subscriber.next().await {
                        item.expect("nobody is late");
                        items += 1;
                    }
                    items
                };
                let (stats, items) = tokio::join!(broadcast.shutdown(), reads);
                let stats = stats.expect("the socket is open");
                assert_eq!(stats.arrived, Some(u64::from(SENT)));
                assert_eq!(stats.packets.seen(), u64::from(SENT));
                assert!(stats.packets.lost(Loss::KernelDrop) > 1000, "{stats:?}");
                // A start, a packet and an end of each.
                assert_eq!(items, 3 * stats.packets.delivered());
            });
        },
    );
}

pub(crate) fn a_stall_of_ten_seconds_is_accounted_for() {
    let name = concat!(module_path!(), "::a_stall_of_ten_seconds_is_accounted_for");
    in_namespace(name, || {
        block_on(async {
            let stream = AsyncCapture::open("v1").expect("the namespace is ours");
            let mut stream = stream.flow_stream(extractor());
            let mut from = sender("v0");
            let sends = thread::spawn(move || {
                let mut sent = 0;
                let start = Instant::now();
                while start.elapsed() < Duration::from_secs(11) {
                    (0..20).for_each(|n| send(&mut from, &datagram(sent + n)));
                    sent += 20;
                    thread::sleep(Duration::from_millis(5));
                }
                u64::from(sent)
            });
            for _ in 0..100 {
                stream.next().await.expect("frames come").expect("nothing befalls the cable");
            }
            // All that runs on this thread.
            thread::sleep(Duration::from_secs(10));
            for _ in 0..100 {
                stream.next().await.expect("frames come").expect("nothing befalls the cable");
            }
            let sent = sends.join().expect("all was sent");
            let stats = stream.shutdown().await.expect("the socket is open");
            assert_eq!((stats.arrived, received("v1")), (Some(sent), sent));
            assert_eq!(stats.packets.seen(), sent);
            assert!(stats.packets.lost(Loss::KernelDrop) > 0, "ten seconds are more than it holds");
            assert!(stats.packets.delivered() > 1000, "{stats:?}");
        });
    });
}

/// Frames that an interface received by its own count.
pub(crate) fn received(interface: &str) -> u64 {
    let file = std::fs::read_to_string("/proc/net/dev").expect("every namespace has it");
    let line = file.lines().find_map(|line| line.trim().strip_prefix(&format!("{interface}:")));
    let mut words = line.expect("the interface is there").split_whitespace();
    words.nth(1).and_then(|word| word.parse().ok()).expect("bytes, then packets")
}

/// Takes its time with every piece.
struct Slow;

impl AsyncReassembler for Slow {
    async fn segment(&mut self, _: u64, _: Bytes) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) fn a_slow_reassembler_slows_the_capture_and_the_kernel_counts_drops() {
    let name = concat!(
        module_path!(),
        "::a_slow_reassembler_slows_the_capture_and_the_kernel_counts_drops"
    );
    in_namespace(name, || {
        block_on(async {
            let mut dialogue = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").handshake();
            for _ in 0..5000 {
                dialogue = dialogue.data(FlowSide::Initiator, [7; 1000]);
            }
            let frames: Vec<Vec<u8>> =
                dialogue.build().into_iter().map(|(_, frame)| frame).collect();
            let sent = frames.len() as u64;
            let config = ConversationConfig::default().credit(16 * 1024).stalled(Stalled::Wait);
            let mut stream = builder()
                .ring(positive(8), positive(1 << 14))
                .open("v1")
                .expect("the namespace is ours")
                .flow_stream(extractor())
                .with_async_reassembler_config(|_: &FiveTupleKey, _| Slow, config);
            let mut from = sender("v0");
            let sends =
                thread::spawn(move || frames.iter().for_each(|frame| send(&mut from, frame)));
            while !sends.is_finished() {
                let _ = tokio::time::timeout(Duration::from_millis(5), stream.next()).await;
            }
            sends.join().expect("all was sent");
            let stats = stream.shutdown().await.expect("the socket is open");
            assert_eq!((stats.arrived, stats.packets.seen()), (Some(sent), sent));
            let dropped = stats.packets.lost(Loss::KernelDrop);
            assert!(dropped > 100, "{stats:?}");
            // Of what was not dropped, every byte reached the reassembler, but for what follows a hole larger than any window.
            let far = stats.bytes.lost(Loss::OutOfWindow);
            assert_eq!(stats.bytes.seen(), stats.bytes.delivered() + far, "{stats:?}");
            assert!(stats.bytes.delivered() > 10_000);
        });
    });
}

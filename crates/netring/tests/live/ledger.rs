//! Frames sent = tracked + each named loss, whatever the reader does.

use std::thread;
use std::time::Duration;

use flowscope_core::Loss;
use flowscope_testkit::namespace::in_namespace;
use flowscope_track::{EndReason, FlowEvent};
use netring::Next;

use crate::world::{block_on, builder, datagram, extractor, positive, send, sender};

#[test]
fn a_stalled_reader_loses_what_the_ledger_names() {
    in_namespace(concat!(module_path!(), "::a_stalled_reader_loses_what_the_ledger_names"), || {
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
    });
}

#[test]
fn shutting_down_while_frames_come_loses_and_doubles_none() {
    let name = concat!(module_path!(), "::shutting_down_while_frames_come_loses_and_doubles_none");
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

#[test]
fn a_broadcast_without_loss_holds_the_capture_up() {
    in_namespace(
        concat!(module_path!(), "::a_broadcast_without_loss_holds_the_capture_up"),
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

//! The same streams over AF_XDP.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::thread;
use std::time::Duration;

use flowscope_testkit::namespace::{cable, in_namespace, ip};
use flowscope_track::FlowEvent;
use netring::ring::{AfXdpConfig, CaptureError, XdpMode};
use netring::{AsyncCapture, Error, Live, Sender, Sharded};
use tokio::time::timeout;

use crate::world::{block_on, builder, datagram, extractor, send, sender};

type Xdp = AsyncCapture<Live<netring::ring::AfXdp>>;

fn config(mode: XdpMode) -> AfXdpConfig {
    AfXdpConfig::default().mode(mode)
}

pub(crate) fn flows_are_the_same_in_both_xdp_modes() {
    let name = concat!(module_path!(), "::flows_are_the_same_in_both_xdp_modes");
    in_namespace(name, || {
        block_on(async {
            for mode in [XdpMode::Generic, XdpMode::Native] {
                let mut stream =
                    Xdp::open_xdp("v1", &config(mode)).await.unwrap().flow_stream(extractor());
                let mut from = sender("v0");
                (0..100).for_each(|n| send(&mut from, &datagram(n)));
                for _ in 0..100 {
                    let started = timeout(Duration::from_secs(5), stream.next()).await.unwrap();
                    assert!(matches!(started, Some(Ok(FlowEvent::Started { .. }))), "{started:?}");
                    assert!(matches!(stream.next().await, Some(Ok(FlowEvent::Packet { .. }))));
                }
                let stats = stream.shutdown().await.unwrap();
                assert_eq!((stats.arrived, stats.packets.delivered()), (Some(100), 100));
            }
        });
    });
}

/// More frames than the send ring has places, from a capture that only sends and from one that is read.
pub(crate) fn sending_waits_for_room_in_the_ring() {
    in_namespace(concat!(module_path!(), "::sending_waits_for_room_in_the_ring"), || {
        block_on(async {
            let few = NonZeroU32::new(32).unwrap();
            let config = config(XdpMode::Generic).tx_ring(few);
            let frames: Vec<Vec<u8>> = (0..1000).map(datagram).collect();
            let slices: Vec<&[u8]> = frames.iter().map(|frame| &frame[..]).collect();
            let mut there = builder().ignore_outgoing(true).open("v0").unwrap();
            let mut capture = Xdp::open_xdp("v1", &config).await.unwrap();
            timeout(Duration::from_secs(10), capture.send_all(&slices[..500]))
                .await
                .unwrap()
                .unwrap();
            let mut to = Sender::new(capture.into_source().into_capture()).unwrap();
            timeout(Duration::from_secs(10), to.send_all(&slices[500..])).await.unwrap().unwrap();
            assert_eq!(to.sent(), 500);
            let mut came = Vec::new();
            while came.len() < frames.len() {
                let block = timeout(Duration::from_secs(10), there.next_block()).await;
                let block = block.expect("they come").unwrap().expect("it was not stopped");
                came.extend(block.packets().map(|packet| packet.frame().to_vec()));
            }
            assert!(came == frames, "each once, in order");
        });
    });
}

/// Frames are held across `.await`, while the kernel fills all others.
pub(crate) fn held_frames_stay_as_they_are_while_the_queue_overflows() {
    let name = concat!(module_path!(), "::held_frames_stay_as_they_are_while_the_queue_overflows");
    in_namespace(name, || {
        block_on(async {
            const SENT: u32 = 2000;
            let few = NonZeroU32::new(128).unwrap();
            for mode in [XdpMode::Generic, XdpMode::Native] {
                let config = config(mode).frames(few).rx_ring(few);
                let mut capture = Xdp::open_xdp("v1", &config).await.unwrap();
                let mut from = sender("v0");
                (1..=100).for_each(|flow| send(&mut from, &datagram(flow)));
                let held = timeout(Duration::from_secs(5), capture.next_block()).await.unwrap();
                let held = held.unwrap().expect("it was not stopped");
                let before: Vec<&[u8]> = held.packets().map(|packet| packet.frame()).collect();
                let expected: Vec<Vec<u8>> = (1..=before.len() as u32).map(datagram).collect();
                assert!(!before.is_empty() && before.len() <= 64, "{}", before.len());
                (101..=SENT).for_each(|flow| send(&mut from, &datagram(flow)));
                tokio::time::sleep(Duration::from_millis(20)).await;
                let after: Vec<&[u8]> = held.packets().map(|packet| packet.frame()).collect();
                assert!(before == expected && after == expected, "{mode:?}");
                let (mut seen, mut last) = (after.len() as u32, after.len() as u32);
                drop(held);
                // All frames go round again.
                let mut read = async |capture: &mut Xdp, until: u32| {
                    while last < until {
                        let block = timeout(Duration::from_secs(5), capture.next_block()).await;
                        let block = block.unwrap().unwrap().expect("it was not stopped");
                        for packet in block.packets() {
                            tokio::task::yield_now().await;
                            let number = packet.frame()[27..30].iter();
                            let flow = number.fold(0, |all, byte| all << 8 | u32::from(*byte));
                            assert!(flow > last, "in order");
                            last = flow;
                            seen += 1;
                        }
                    }
                    seen
                };
                assert_eq!(read(&mut capture, 128).await, 128, "as many as there are frames");
                let mut next = SENT + 1;
                for _ in 0..20 {
                    (0..60).for_each(|more| send(&mut from, &datagram(next + more)));
                    next += 60;
                    read(&mut capture, next - 1).await;
                }
                capture.stop();
                assert!(capture.next_block().await.unwrap().is_none(), "all was read");
                let stats = capture.stats().unwrap();
                let lost = stats.packets.seen();
                assert!(lost > 0 && stats.arrived == Some(u64::from(next - 1)), "{stats}");
            }
        });
    });
}

pub(crate) fn the_ledger_counts_what_a_stalled_reader_loses() {
    let name = concat!(module_path!(), "::the_ledger_counts_what_a_stalled_reader_loses");
    in_namespace(name, || {
        block_on(async {
            const SENT: u32 = 20_000;
            for mode in [XdpMode::Generic, XdpMode::Native] {
                let few = NonZeroU32::new(256).unwrap();
                let config = config(mode).rx_ring(few);
                let mut stream =
                    Xdp::open_xdp("v1", &config).await.unwrap().flow_stream(extractor());
                let mut from = sender("v0");
                let sends =
                    thread::spawn(move || (0..SENT).for_each(|n| send(&mut from, &datagram(n))));
                for _ in 0..100 {
                    stream.next().await.unwrap().unwrap();
                }
                sends.join().unwrap();
                let stats = stream.shutdown().await.unwrap();
                assert_eq!(stats.arrived, Some(u64::from(SENT)), "{mode:?} {stats:?}");
                assert_eq!(stats.packets.seen(), u64::from(SENT));
                assert!(stats.packets.seen() - stats.packets.delivered() > 5000, "{stats:?}");
                let mut keys = HashSet::new();
                while let Some(event) = stream.next().await {
                    if let FlowEvent::Ended { flow, .. } = event.unwrap() {
                        assert!(keys.insert(flow.key), "{} came twice", flow.key);
                    }
                }
                assert_eq!(keys.len() as u64, stats.packets.delivered());
            }
        });
    });
}

pub(crate) fn every_queue_has_a_worker() {
    in_namespace(concat!(module_path!(), "::every_queue_has_a_worker"), || {
        cable("w0", "w1", "numtxqueues 4 numrxqueues 4");
        block_on(async {
            let sharded = Sharded::open_queues("w1", &config(XdpMode::Native)).await.unwrap();
            assert_eq!(sharded.workers(), 4);
            let mut stream = sharded.flow_stream(|_| extractor()).unwrap();
            let mut from = sender("w0");
            (0..1000).for_each(|n| send(&mut from, &datagram(n)));
            let mut started = 0;
            while started < 1000 {
                let event = timeout(Duration::from_secs(5), stream.next()).await.unwrap();
                started += u32::from(matches!(event, Some(Ok(FlowEvent::Started { .. }))));
            }
            let stats = stream.shutdown().await.unwrap();
            assert_eq!(stats.iter().map(|worker| worker.packets.delivered()).sum::<u64>(), 1000);
        });
    });
}

pub(crate) fn an_occupied_and_a_deleted_interface_are_reported() {
    let name = concat!(module_path!(), "::an_occupied_and_a_deleted_interface_are_reported");
    in_namespace(name, || {
        block_on(async {
            cable("w0", "w1", "");
            let capture = Xdp::open_xdp("w1", &config(XdpMode::Generic)).await.unwrap();
            let second =
                Xdp::open_xdp("w1", &config(XdpMode::Generic)).await.map(drop).unwrap_err();
            assert!(second.to_string().contains("w1"), "{second}");
            let mut stream = capture.flow_stream(extractor());
            let gone = async {
                tokio::time::sleep(Duration::from_millis(30)).await;
                ip("link del w0");
            };
            let (told, ()) = tokio::join!(timeout(Duration::from_secs(5), stream.next()), gone);
            let told = told.unwrap();
            let is_gone = matches!(
                told,
                Some(Err(Error::Capture(
                    CaptureError::InterfaceGone { .. } | CaptureError::InterfaceDown { .. }
                )))
            );
            assert!(is_gone, "{told:?}");
            let end = async { while stream.next().await.is_some() {} };
            timeout(Duration::from_secs(10), end).await.expect("it ends");
        });
    });
}

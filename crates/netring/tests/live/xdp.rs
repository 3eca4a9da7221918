//! The same streams over AF_XDP.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::thread;
use std::time::Duration;

use flowscope_testkit::namespace::{cable, in_namespace, ip};
use flowscope_track::FlowEvent;
use netring::ring::{AfXdpConfig, CaptureError, XdpMode};
use netring::{AsyncCapture, Error, Live, Sharded};
use tokio::time::timeout;

use crate::world::{block_on, datagram, extractor, send, sender};

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

//! Captures that are opened again and again, and interfaces that come and go: no count goes astray.

use std::thread;
use std::time::Duration;

use flowscope_core::Loss;
use flowscope_testkit::namespace::{cable, in_namespace, ip, running, until};
use flowscope_track::FlowEvent;
use netring::Error;
use netring::ring::{Capture, CaptureError};
use tokio::time::{sleep, timeout};

use crate::ledger::received;
use crate::world::{block_on, builder, datagram, extractor, positive, send, sender};

/// Numbers that look random, and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as u32 % limit
    }
}

pub(crate) fn captures_opened_two_hundred_times_count_what_the_interface_does() {
    let name = concat!(
        module_path!(),
        "::captures_opened_two_hundred_times_count_what_the_interface_does"
    );
    in_namespace(name, || {
        block_on(async {
            let mut from = sender("v0");
            let mut numbers = Numbers(7);
            let (mut dropped, mut stalled) = (0, 0);
            for round in 0..200 {
                // Every fourth has a ring of some hundred frames, and reads nothing until all were sent.
                let is_small = round % 4 == 0;
                let blocks = positive(if is_small { 2 } else { 64 });
                let capture = builder().ring(blocks, positive(1 << 14)).open("v1").unwrap();
                let before = received("v1");
                let mut stream = capture.flow_stream(extractor());
                let count = if is_small { 600 } else { 1 + numbers.below(400) };
                (0..count).for_each(|n| send(&mut from, &datagram(n)));
                if !is_small {
                    for _ in 0..numbers.below(count) {
                        stream.next().await.unwrap().unwrap();
                    }
                }
                if round % 5 == 4 {
                    continue;
                }
                let stats = stream.shutdown().await.unwrap();
                assert_eq!(stats.arrived, Some(u64::from(count)), "round {round}: {stats:?}");
                assert_eq!(received("v1") - before, u64::from(count), "round {round}");
                assert_eq!(stats.packets.seen(), u64::from(count), "round {round}: {stats:?}");
                let lost = stats.packets.lost(Loss::KernelDrop);
                assert_eq!(stats.packets.delivered() + lost, u64::from(count), "round {round}");
                let mut ended = 0;
                while let Some(event) = stream.next().await {
                    ended += u64::from(matches!(event.unwrap(), FlowEvent::Ended { .. }));
                }
                assert_eq!(ended, stats.packets.delivered(), "round {round}");
                dropped += lost;
                stalled += u64::from(lost > 0);
            }
            assert!(stalled > 20 && dropped > 1000, "{stalled} rings overflowed, by {dropped}");
        });
    });
}

pub(crate) fn an_interface_that_flaps_is_counted_until_it_is_deleted() {
    let name = concat!(module_path!(), "::an_interface_that_flaps_is_counted_until_it_is_deleted");
    in_namespace(name, || {
        block_on(async {
            let mut numbers = Numbers(11);
            for round in 0..8_u32 {
                cable("w0", "w1", "");
                let mut stream = builder().open("w1").unwrap().flow_stream(extractor());
                let mut downs = 0;
                for _ in 0..6 {
                    // Frames are sent meanwhile, as long as they can be.
                    let mut from = sender("w0");
                    let traffic = thread::spawn(move || {
                        for n in 0..300 {
                            let _ = Capture::send(&mut from, &datagram(n));
                            thread::sleep(Duration::from_micros(50));
                        }
                    });
                    sleep(Duration::from_millis(numbers.below(12).into())).await;
                    ip("link set w1 down");
                    // Some come up again before the stream is polled.
                    let read = Duration::from_millis(numbers.below(3).into());
                    let polled = async {
                        while let Some(item) = stream.next().await {
                            downs += u32::from(is_down(item));
                        }
                    };
                    assert!(timeout(read, polled).await.is_err(), "it goes on");
                    ip("link set w1 up");
                    traffic.join().unwrap();
                    until("the cable is plugged in", || running("w0") && running("w1"));
                }
                // What it missed is over: from here on every frame counts.
                let drain = async {
                    while let Some(item) = stream.next().await {
                        downs += u32::from(is_down(item));
                    }
                };
                assert!(timeout(Duration::from_millis(100), drain).await.is_err());
                assert!((1..=6).contains(&downs), "{downs} reports of 6");
                let before = stream.stats().unwrap();
                let mut from = sender("w0");
                let count = 1 + numbers.below(100);
                (0..count).for_each(|n| send(&mut from, &datagram(n)));
                let stats = loop {
                    let _ = timeout(Duration::from_millis(20), stream.next()).await;
                    let stats = stream.stats().unwrap();
                    if stats.packets.seen() >= before.packets.seen() + u64::from(count) {
                        break stats;
                    }
                };
                assert_eq!(stats.packets.seen(), before.packets.seen() + u64::from(count));
                assert!(stats.packets.seen() <= received("w1"), "{stats:?}");
                if round % 2 == 0 {
                    ip("link set w1 down");
                    sleep(Duration::from_millis(numbers.below(40).into())).await;
                }
                ip("link del w1");
                let gone = async {
                    let mut gone = 0;
                    while let Some(item) = stream.next().await {
                        gone += u32::from(matches!(
                            item,
                            Err(Error::Capture(CaptureError::InterfaceGone { .. }))
                        ));
                    }
                    gone
                };
                let gone = timeout(Duration::from_secs(1), gone).await;
                assert_eq!(gone.expect("it ends within a second"), 1, "round {round}");
                assert_eq!(stream.stats().unwrap().arrived, Some(stats.packets.seen()));
            }
        });
    });
}

/// Whether it reports that the interface is down. Nothing else may happen to it.
fn is_down<T>(item: Result<T, Error>) -> bool {
    match item {
        Ok(_) => false,
        Err(Error::Capture(CaptureError::InterfaceDown { .. })) => true,
        Err(error) => panic!("{error}"),
    }
}

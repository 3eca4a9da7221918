//! Where frames go, and what is counted.

use std::time::{Duration, Instant};

use flowscope_core::PacketSource;
use netring_capture::{AfPacket, Capture, CaptureStats};

use crate::world::{
    PATIENCE, config, in_namespace, number, numbered, open, read, rest, ring, send, until,
    while_sending, whole,
};

pub(crate) fn every_frame_sent_is_read_or_counted_as_dropped() {
    const SENT: u32 = 20_000;
    in_namespace(name!(every_frame_sent_is_read_or_counted_as_dropped), || {
        let (mut a, mut b) = (open("v0", &config()), open("v1", &ring(4, 1 << 17, 1)));
        for number in 0..SENT {
            send(&mut a, &numbered(number, 60 + number as usize % 1400));
        }
        let mut numbers = Vec::new();
        let mut freezes = 0;
        // Read-and-reset counters, asked for more than once.
        let mut total = CaptureStats::default();
        until("every frame has a fate", || {
            while let Some(block) = b.next_block() {
                numbers.extend(block.packets().filter_map(|packet| number(packet.frame())));
            }
            total = b.stats().expect("the socket is open");
            freezes = freezes.max(total.freezes);
            numbers.len() as u64 + total.kernel_drop == u64::from(SENT)
        });
        assert_eq!(total.packets, u64::from(SENT));
        assert!(
            total.kernel_drop > 0 && total.freezes > 0,
            "half a megabyte cannot hold them: {total:?}"
        );
        assert!(numbers.is_sorted_by(|one, next| one < next), "none twice");
        assert_eq!(numbers.first(), Some(&0), "the oldest are kept");

        // The ring has thawed, and what comes now is seen.
        send(&mut a, &numbered(SENT, 60));
        assert_eq!(read(&mut b, 1), [whole(numbered(SENT, 60))]);
        assert_eq!(b.stats().expect("the socket is open").kernel_drop, total.kernel_drop);
    });
}

pub(crate) fn a_block_is_returned_however_the_callback_ends() {
    in_namespace(name!(a_block_is_returned_however_the_callback_ends), || {
        let (mut a, mut b) = (open("v0", &config()), open("v1", &ring(16, 1 << 14, 20)));
        // More blocks than the ring has.
        for round in 0..24 {
            for number in 0..100 {
                send(&mut a, &numbered(round * 100 + number, 60));
            }
            let mut seen = 0;
            until("the round was read", || {
                if round % 3 == 0 {
                    // A part in a batch, the rest as a block.
                    let batch = b.next_batch(&mut |packets| {
                        assert_eq!(number(packets[0].frame()), Some(round * 100 + seen));
                    });
                    seen += batch.expect("the interface is up") as u32;
                }
                if let Some(block) = b.next_block() {
                    for packet in block.packets() {
                        assert_eq!(number(packet.frame()), Some(round * 100 + seen));
                        seen += 1;
                    }
                    if round % 3 == 1 {
                        std::mem::forget(block);
                    }
                }
                seen == 100
            });
        }
        assert_eq!(read(&mut b, 0), []);
        assert_eq!(b.stats().expect("the socket is open").lost(), 0);
    });
}

pub(crate) fn reading_frames_does_not_allocate() {
    in_namespace(name!(reading_frames_does_not_allocate), || {
        let (mut a, mut b) = (open("v0", &config()), open("v1", &config()));
        let _profiler = dhat::Profiler::builder().testing().build();
        let mut batch = || {
            for number in 0..500 {
                send(&mut a, &numbered(number, 60));
            }
            let start = Instant::now();
            let mut seen = 0;
            let before = dhat::HeapStats::get();
            while seen < 500 && start.elapsed() < PATIENCE {
                if b.wait(Some(PATIENCE)).is_ok() {
                    // A batch out of a block, and the rest of it.
                    seen += b.next_batch(&mut |_| ()).unwrap_or(0);
                    seen += b.next_block().map_or(0, |block| block.packets().count());
                }
            }
            let dropped = b.stats().map(|stats| stats.lost());
            let after = dhat::HeapStats::get();
            assert_eq!((seen, dropped.ok()), (500, Some(0)));
            after.total_blocks - before.total_blocks
        };
        // Whatever else the process does at the time is counted too, so one of several has to be right.
        let allocations = (0..5).map(|_| batch()).min();
        assert_eq!(allocations, Some(0));
    });
}

pub(crate) fn a_stopped_capture_keeps_the_frames_it_has() {
    in_namespace(name!(a_stopped_capture_keeps_the_frames_it_has), || {
        let (mut a, mut b) = (open("v0", &config()), open("v1", &config()));
        assert_eq!(b.latency(), Duration::from_millis(5));
        assert!(b.is_drained().expect("the socket is open"));
        send(&mut a, &numbered(1, 60));
        b.stop().expect("the socket is open");
        b.stop().expect("the socket is open");
        send(&mut a, &numbered(2, 60));
        assert!(!b.is_drained().expect("the socket is open"));
        assert_eq!(read(&mut b, 1), [whole(numbered(1, 60))]);
        assert!(b.is_drained().expect("the socket is open"));
        let stats = b.stats().expect("the socket is open");
        assert_eq!((stats.packets, stats.delivered, stats.lost()), (1, 1, 0));

        // Nothing comes after `stop`, however fast it is sent.
        let mut captures: Vec<AfPacket> = (0..8).map(|_| open("v1", &config())).collect();
        let stopped: Vec<CaptureStats> = while_sending(
            &mut a,
            |number| numbered(number, 60),
            || {
                let stop = |capture: &mut AfPacket| {
                    capture.stop().expect("the socket is open");
                    capture.stats().expect("the socket is open")
                };
                captures.iter_mut().map(stop).collect()
            },
        );
        for (capture, stopped) in captures.iter_mut().zip(stopped) {
            let read = rest(capture, 14).len() as u64;
            let stats = capture.stats().expect("the socket is open");
            assert_eq!((stats.packets, stats.delivered), (stopped.packets, read));
            assert!(capture.is_drained().expect("the socket is open"));
        }
    });
}

//! Blocks of the ring that are held, and sending with back-pressure.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::process::Command;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use flowscope_testkit::namespace::in_namespace;
use futures_sink::Sink;
use netring::ring::{AfPacket, CaptureError};
use netring::{AsyncCapture, Error, Filter, HeldBlock, Live, Sender};
use tokio::time::timeout;

use crate::world::{block_on, builder, datagram, positive, send, sender};

const SOON: Duration = Duration::from_secs(20);

/// A held block, and the future that waits for one, go to another task.
fn can_be_sent() {
    fn check<T: Send>(_: T) {}
    fn block(capture: &mut AsyncCapture<Live<AfPacket>>) {
        check(capture.next_block());
    }
    fn held(block: HeldBlock<'_>) {
        check(block);
    }
    let _ = (block, held);
}

pub(crate) fn a_held_block_stays_as_it_is_while_the_ring_overflows() {
    in_namespace(
        concat!(module_path!(), "::a_held_block_stays_as_it_is_while_the_ring_overflows"),
        || {
            can_be_sent();
            block_on(async {
                // Four blocks of some 25 frames.
                let capture = builder().ring(positive(4), positive(1 << 12));
                let mut capture = capture.ignore_outgoing(true).open("v1").expect("ours");
                let mut from = sender("v0");
                send(&mut from, &datagram(7));
                let (mut seen, held) = (1, timeout(SOON, capture.next_block()).await);
                let held = held.expect("it comes").expect("the link is up").expect("a block");
                // The ring goes round many times meanwhile, but for this block.
                for flow in 0..2000 {
                    send(&mut from, &datagram(1000 + flow));
                    if flow % 100 == 0 {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
                let frames: Vec<&[u8]> = held.packets().map(|packet| packet.frame()).collect();
                assert_eq!(frames, [&datagram(7)[..]]);
                drop(held);
                let ring = capture.stats().expect("the socket is open").ring.expect("a ring");
                assert_eq!((ring.used, ring.size), (3, 4), "one was given back just now");
                capture.stop();
                let mut last = 0;
                while let Some(block) = capture.next_block().await.expect("the link is up") {
                    assert!(!block.is_empty());
                    for packet in block.packets() {
                        let flow = u32::from_be_bytes(packet.frame()[26..30].try_into().unwrap());
                        assert!(flow > last, "in order");
                        last = flow;
                        seen += 1;
                    }
                }
                assert!(capture.next_block().await.expect("it has ended").is_none());
                let stats = capture.stats().expect("the socket is open");
                assert_eq!(stats.arrived, Some(2001));
                let lost = stats.packets.seen();
                assert_eq!((seen + lost, lost > 0), (2001, true));
            });
        },
    );
}

pub(crate) fn held_blocks_have_what_passes_the_filter() {
    in_namespace(concat!(module_path!(), "::held_blocks_have_what_passes_the_filter"), || {
        block_on(async {
            let filter = Filter::parse("host 10.0.0.3 or host 10.0.0.5").expect("a filter");
            let mut capture = builder().open("v1").expect("ours").with_filter(filter);
            let mut from = sender("v0");
            (0..8).for_each(|flow| send(&mut from, &datagram(flow)));
            tokio::time::sleep(Duration::from_millis(20)).await;
            capture.stop();
            let mut passed = Vec::new();
            while let Some(block) = capture.next_block().await.expect("the link is up") {
                passed.extend(block.packets().map(|packet| packet.frame()[29]));
            }
            assert_eq!((passed, capture.stats().unwrap().refused), (vec![3, 5], 6));
        });
    });
}

pub(crate) fn a_held_block_reports_faults_of_the_interface() {
    use flowscope_testkit::namespace::ip;
    in_namespace(concat!(module_path!(), "::a_held_block_reports_faults_of_the_interface"), || {
        block_on(async {
            let mut capture = builder().open("v1").expect("ours");
            ip("link del v1");
            let mut errors = Vec::new();
            loop {
                match timeout(SOON, capture.next_block()).await.expect("it ends") {
                    Ok(Some(_)) => panic!("nothing was sent"),
                    Ok(None) => break,
                    Err(error) => errors.push(error),
                }
            }
            let last = errors.last().expect("the interface is gone");
            assert!(matches!(last, Error::Capture(CaptureError::InterfaceGone { .. })), "{last}");
        });
    });
}

/// Runs `work` and says how often it was pending.
async fn waits<T>(work: impl Future<Output = T>) -> (T, usize) {
    let (mut work, mut waits) = (pin!(work), 0);
    let done = poll_fn(|cx| {
        let polled = work.as_mut().poll(cx);
        waits += usize::from(polled.is_pending());
        polled
    });
    (done.await, waits)
}

/// A queue that drops what does not fit, and one that has more room than the socket: the kernel tells of
/// the room of the second.
pub(crate) fn sending_waits_for_room_and_loses_nothing() {
    in_namespace(concat!(module_path!(), "::sending_waits_for_room_and_loses_nothing"), || {
        for limit in ["20kb", "2mb"] {
            let words = "qdisc replace dev v0 root tbf rate 40mbit burst 10kb limit";
            let tc = Command::new("tc").args(words.split(' ')).arg(limit).status();
            let narrow = tc.is_ok_and(|status| status.success());
            let frames: Vec<Vec<u8>> = (1..=600)
                .map(|number| {
                    let mut frame = datagram(number);
                    frame.resize(1000, 0);
                    frame
                })
                .collect();
            block_on(async {
                let mut capture = builder().ignore_outgoing(true).open("v1").expect("ours");
                let sends = async {
                    let mut to = Sender::open("v0").expect("ours");
                    for frame in &frames[..200] {
                        to.send(frame).await.expect("the link is up");
                    }
                    let some: Vec<&[u8]> =
                        frames[200..400].iter().map(|frame| &frame[..]).collect();
                    to.send_all(&some).await.expect("the link is up");
                    for frame in &frames[400..] {
                        let frame = Bytes::copy_from_slice(frame);
                        poll_fn(|cx| Pin::new(&mut to).poll_ready(cx)).await.expect("it is up");
                        Pin::new(&mut to).start_send(frame).expect("there is room");
                    }
                    assert!(to.sent() < 600, "the sink collects");
                    poll_fn(|cx| Pin::new(&mut to).poll_flush(cx)).await.expect("it is up");
                    assert_eq!(to.sent(), 600);
                };
                let ((), waited) = timeout(SOON, waits(sends)).await.expect("there is room");
                assert!(waited > 0 || !narrow, "600 kB take 120 ms");
                // The queue of the interface sends what it still has.
                let mut came = Vec::new();
                while came.len() < frames.len() {
                    let block = timeout(SOON, capture.next_block()).await.expect("they come");
                    let block = block.expect("the link is up").expect("it was not stopped");
                    came.extend(block.packets().map(|packet| packet.frame().to_vec()));
                }
                assert!(came == frames, "each once, in order");
            });
        }
    });
}

pub(crate) fn frames_that_cannot_be_sent_are_errors_and_sending_goes_on() {
    use flowscope_testkit::namespace::{ip, running, until};
    in_namespace(
        concat!(module_path!(), "::frames_that_cannot_be_sent_are_errors_and_sending_goes_on"),
        || {
            block_on(async {
                let mut capture = builder().ignore_outgoing(true).open("v1").expect("ours");
                let mut to = Sender::open("v0").expect("ours");
                let long = vec![0; 4000];
                let (one, two, three) = (datagram(1), datagram(2), datagram(3));
                let error = to.send_all(&[&one, &long, &two]).await.expect_err("too long");
                assert!(
                    matches!(error, Error::Capture(CaptureError::FrameTooLong { len: 4000, .. })),
                    "{error}"
                );
                assert_eq!(to.sent(), 1);
                // The sink leaves such a frame out, and any other that the kernel refuses.
                let (empty, short) = (Vec::new(), vec![0; 13]);
                for frame in [&long, &empty, &short, &two] {
                    Pin::new(&mut to).start_send(Bytes::copy_from_slice(frame)).expect("room");
                }
                for refused in ["too long", "empty", "shorter than a header"] {
                    let flushed = poll_fn(|cx| Pin::new(&mut to).poll_flush(cx)).await;
                    flushed.expect_err(refused);
                }
                poll_fn(|cx| Pin::new(&mut to).poll_flush(cx)).await.expect("the rest fits");
                ip("link set v0 down");
                // A caller that does not ask for room does not make the sink grow.
                let given = (0..100).filter(|_| {
                    Pin::new(&mut to).start_send(Bytes::copy_from_slice(&three)).is_ok()
                });
                assert_eq!(given.count(), 64);
                let flushed = poll_fn(|cx| Pin::new(&mut to).poll_flush(cx)).await;
                flushed.expect_err("down");
                let error = to.send(&three).await.expect_err("down");
                assert!(
                    matches!(error, Error::Capture(CaptureError::InterfaceDown { .. })),
                    "{error}"
                );
                ip("link set v0 up");
                until("the cable is plugged in", || running("v0") && running("v1"));
                let flush = poll_fn(|cx| Pin::new(&mut to).poll_flush(cx));
                timeout(SOON, flush).await.expect("room").expect("up, and the frames are there");
                assert_eq!(to.sent(), 2 + 64);
                // That it was down while nothing was sent is no error.
                ip("link set v0 down");
                ip("link set v0 up");
                until("the cable is plugged in", || running("v0") && running("v1"));
                timeout(SOON, to.send(&one)).await.expect("room").expect("up");
                thread::sleep(Duration::from_millis(20));
                capture.stop();
                let mut came = Vec::new();
                loop {
                    match capture.next_block().await {
                        Ok(Some(block)) => {
                            came.extend(block.packets().map(|packet| packet.frame().to_vec()));
                        }
                        Ok(None) => break,
                        Err(error) => assert!(error.is_passing(), "{error}"),
                    }
                }
                let expected = [vec![one.clone(), two], vec![three; 64], vec![one]].concat();
                assert!(came == expected, "{} frames", came.len());
            });
        },
    );
}

/// That the interface was down is an error of the reader, not of a frame that is sent when it is up again.
pub(crate) fn a_capture_that_sends_reports_faults_to_its_reader() {
    use flowscope_testkit::namespace::{ip, running, until};
    in_namespace(
        concat!(module_path!(), "::a_capture_that_sends_reports_faults_to_its_reader"),
        || {
            block_on(async {
                let mut capture = builder().ignore_outgoing(true).open("v0").expect("ours");
                let error = capture.send_all(&[&[]]).await.expect_err("an empty frame");
                assert!(matches!(error, Error::Capture(CaptureError::System { .. })), "{error}");
                ip("link set v0 down");
                ip("link set v0 up");
                until("the cable is plugged in", || running("v0") && running("v1"));
                let frame = datagram(1);
                let sent = timeout(SOON, capture.send_all(&[&frame])).await;
                sent.expect("there is room").expect("it is up");
                let error = capture.next_batch(|_| {}).await.expect_err("it was down");
                assert!(
                    matches!(error, Error::Capture(CaptureError::InterfaceDown { .. })),
                    "{error}"
                );
                send(&mut sender("v1"), &datagram(2));
                let read = timeout(SOON, capture.next_batch(|_| {})).await;
                assert!(read.expect("it comes").expect("reported once") > 0);
            });
        },
    );
}

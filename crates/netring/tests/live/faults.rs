//! What happens to an interface is reported, and ends nothing that can go on.

use std::time::Duration;

use flowscope_core::PacketSource;
use flowscope_testkit::namespace::{cable, in_namespace, ip, running, until};
use flowscope_track::{EndReason, FlowEvent};
use netring::Error;
use netring::ring::CaptureError;
use tokio::time::{sleep, timeout};

use crate::world::{block_on, builder, datagram, extractor, send, sender};

const SOON: Duration = Duration::from_secs(5);

pub(crate) fn an_interface_that_goes_down_is_reported_and_comes_back() {
    let name = concat!(module_path!(), "::an_interface_that_goes_down_is_reported_and_comes_back");
    in_namespace(name, || {
        block_on(async {
            let mut stream = builder().open("v1").unwrap().flow_stream(extractor());
            for round in 0..3 {
                send(&mut sender("v0"), &datagram(round));
                let started = timeout(SOON, stream.next()).await.expect("a frame comes");
                assert!(matches!(started, Some(Ok(FlowEvent::Started { .. }))), "{started:?}");
                let packet = stream.next().await;
                assert!(matches!(packet, Some(Ok(FlowEvent::Packet { .. }))), "{packet:?}");

                // StreamEnd to one who waits already.
                let down = async {
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    ip("link set v1 down");
                };
                let (told, ()) = tokio::join!(timeout(SOON, stream.next()), down);
                let told = told.expect("it is told");
                assert!(
                    matches!(told, Some(Err(Error::Capture(CaptureError::InterfaceDown { .. })))),
                    "{told:?}"
                );
                // Once.
                assert!(timeout(Duration::from_millis(50), stream.next()).await.is_err());
                ip("link set v1 up");
                until("the cable is plugged in", || running("v0") && running("v1"));
            }
            let stats = stream.shutdown().await.unwrap();
            assert_eq!((stats.arrived, stats.packets.delivered()), (Some(3), 3));
        });
    });
}

pub(crate) fn a_deleted_interface_ends_the_stream() {
    in_namespace(concat!(module_path!(), "::a_deleted_interface_ends_the_stream"), || {
        block_on(async {
            cable("w0", "w1", "");
            let mut stream = builder().open("w1").unwrap().flow_stream(extractor());
            send(&mut sender("w0"), &datagram(1));
            assert!(matches!(stream.next().await, Some(Ok(FlowEvent::Started { .. }))));
            ip("link del w0");
            let mut told = Vec::new();
            let mut ended = Vec::new();
            let all = async {
                while let Some(item) = stream.next().await {
                    match item {
                        Ok(FlowEvent::Ended { reason, .. }) => ended.push(reason),
                        Ok(_) => {}
                        Err(error) => told.push(error.to_string()),
                    }
                }
            };
            timeout(SOON, all).await.expect("it ends");
            assert_eq!(ended, [EndReason::EndOfInput]);
            assert!(told.iter().any(|error| error.contains("w1")), "{told:?}");
            let stats = stream.stats().unwrap();
            assert_eq!(stats.arrived, Some(1), "{stats:?}");
        });
    });
}

pub(crate) fn an_interface_deleted_while_down_ends_the_stream() {
    let name = concat!(module_path!(), "::an_interface_deleted_while_down_ends_the_stream");
    in_namespace(name, || {
        block_on(async {
            for pause in [Duration::ZERO, Duration::from_millis(20), Duration::from_millis(500)] {
                cable("w0", "w1", "");
                let mut stream = builder().open("w1").unwrap().flow_stream(extractor());
                ip("link set w1 down");
                let down = timeout(SOON, stream.next()).await.expect("it is reported");
                assert!(matches!(
                    down,
                    Some(Err(Error::Capture(CaptureError::InterfaceDown { .. })))
                ));
                assert!(timeout(pause, stream.next()).await.is_err());
                ip("link del w1");
                let gone = timeout(Duration::from_secs(1), stream.next()).await;
                assert!(matches!(
                    gone.expect("it is reported"),
                    Some(Err(Error::Capture(CaptureError::InterfaceGone { .. })))
                ));
                let end = timeout(Duration::from_secs(1), stream.next()).await;
                assert!(end.expect("it ends").is_none());
            }
        });
    });
}

pub(crate) fn readable_completes_only_when_there_is_something_to_read() {
    let name = concat!(module_path!(), "::readable_completes_only_when_there_is_something_to_read");
    in_namespace(name, || {
        block_on(async {
            let mut capture = builder().open("v1").unwrap();
            let mut from = sender("v0");
            for round in 0..3 {
                send(&mut from, &datagram(round));
                timeout(SOON, capture.readable()).await.expect("a frame comes").unwrap();
                // It has not been read by that.
                timeout(SOON, capture.readable()).await.expect("it is still there").unwrap();
                let ring = capture.source_mut().capture_mut();
                assert_eq!(ring.next_batch(&mut |_| ()).unwrap(), 1);
                assert_eq!(ring.next_batch(&mut |_| ()).unwrap(), 0);
                let more = timeout(Duration::from_millis(50), capture.readable()).await;
                assert!(more.is_err(), "there is nothing to read");
            }
            // What befalls the interface is something, and is told by reading.
            ip("link set v1 down");
            timeout(SOON, capture.readable()).await.expect("it is told").unwrap();
            let told = capture.next_batch(|_| ()).await.unwrap_err();
            assert!(told.is_passing(), "{told}");
            let more = timeout(Duration::from_millis(50), capture.readable()).await;
            assert!(more.is_err(), "once");
            capture.stop();
            timeout(SOON, capture.readable()).await.expect("the end is something").unwrap();
        });
    });
}

pub(crate) fn a_larger_mtu_takes_effect_at_once() {
    in_namespace(concat!(module_path!(), "::a_larger_mtu_takes_effect_at_once"), || {
        block_on(async {
            let mut packets = builder().open("v1").unwrap().packet_stream();
            ip("link set v0 mtu 9000");
            ip("link set v1 mtu 9000");
            let mut frame = datagram(1);
            frame.resize(9014, 7);
            send(&mut sender("v0"), &frame);
            let packet = timeout(SOON, packets.next()).await.unwrap().unwrap().unwrap();
            assert_eq!((packet.wire_len, &packet.frame[..]), (9014, &frame[..]));
        });
    });
}

pub(crate) fn streams_dropped_at_any_point_leak_nothing() {
    in_namespace(concat!(module_path!(), "::streams_dropped_at_any_point_leak_nothing"), || {
        let open_files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        block_on(async {
            let mut from = sender("v0");
            let before = open_files();
            for round in 0..60_u64 {
                let capture = builder().promiscuous(true).open("v1").unwrap();
                let mut stream = capture.flow_stream(extractor());
                for n in 0..round {
                    send(&mut from, &datagram(n as u32));
                }
                let polled = async { while stream.next().await.is_some() {} };
                let _ = timeout(Duration::from_micros(round * 300), polled).await;
                if round % 3 == 0 {
                    let _ = timeout(Duration::from_micros(round * 50), stream.shutdown()).await;
                }
            }
            // Captures are closed by threads for blocking work, which other sockets may have to wait for.
            let closed = async {
                while open_files() != before {
                    sleep(Duration::from_millis(5)).await;
                }
            };
            timeout(SOON, closed).await.expect("all are closed");
        });
        let told = flowscope_testkit::namespace::told("v1");
        assert!(told.contains("promiscuity 0"), "{told}");
    });
}

pub(crate) fn the_permission_error_contains_the_setcap_command() {
    in_namespace(
        concat!(module_path!(), "::the_permission_error_contains_the_setcap_command"),
        || {
            if std::env::var_os("NETRING_UNPRIVILEGED").is_none() {
                let words = [
                    "env",
                    "NETRING_UNPRIVILEGED=1",
                    "setpriv",
                    "--inh-caps=-all",
                    "--reuid=65534",
                    "--clear-groups",
                ];
                let test =
                    concat!(module_path!(), "::the_permission_error_contains_the_setcap_command");
                return flowscope_testkit::namespace::again(&words, test);
            }
            block_on(async {
                let error = builder().open("v1").map(drop).unwrap_err();
                let text = error.to_string();
                assert!(
                    matches!(error, Error::Capture(CaptureError::NoPermission { .. })),
                    "{error:?}"
                );
                assert!(text.contains("sudo setcap cap_net_raw"), "{text}");
            });
        },
    );
}

pub(crate) fn a_missing_interface_is_named_in_the_error() {
    block_on(async {
        let error = builder().open("no-such-if").map(drop).unwrap_err();
        assert!(error.to_string().contains("no-such-if"), "{error}");
    });
}

//! AF_XDP captures. On a veth pair the kernel copies every frame; zero-copy needs a network card.

use std::panic::{self, AssertUnwindSafe};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, UNIX_EPOCH};
use std::{env, thread};

use flowscope_core::{LinkType, Loss, PacketSource};
use flowscope_testkit::frame;
use netring_capture::{
    AfPacket, AfXdp, AfXdpConfig, Capture, CaptureError, CaptureStats, CopyMode, XdpMode,
};

use crate::world::{
    self, CUSTOMER, PATIENCE, SERVICE, Seen, cable, in_namespace, ip, known_as, number, numbered,
    positive, read, rest, running, send, send_all, tagged, told, until, whole,
};

/// Set for a process that captures until it is killed.
const VICTIM: &str = "NETRING_LIVE_VICTIM";

const MODES: [XdpMode; 2] = [XdpMode::Generic, XdpMode::Native];

fn config(mode: XdpMode) -> AfXdpConfig {
    AfXdpConfig::default().mode(mode)
}

fn open(interface: &str, config: &AfXdpConfig) -> AfXdp {
    AfXdp::open(interface, config).expect("the namespace is ours")
}

/// What sends, and may be read.
fn sender() -> AfPacket {
    world::open("v0", &world::config())
}

fn stats(of: &mut AfXdp) -> CaptureStats {
    of.stats().expect("the socket is open")
}

fn has_program(interface: &str) -> bool {
    told(interface).contains("prog/xdp")
}

fn now() -> u64 {
    let since = UNIX_EPOCH.elapsed().expect("a clock after 1970");
    u64::try_from(since.as_nanos()).expect("a clock before 2554")
}

pub(crate) fn frames_equal_those_of_a_packet_socket() {
    in_namespace(name!(frames_equal_those_of_a_packet_socket), || {
        let mut a = sender();
        let all = [
            numbered(0, 60),
            tagged(1, &[CUSTOMER]),
            tagged(2, &[SERVICE, CUSTOMER]),
            tagged(3, &[SERVICE, CUSTOMER, CUSTOMER]),
            numbered(4, 1514),
            [&tagged(5, &[CUSTOMER])[..], &[7; 1434]].concat(),
        ];
        let expected = all.clone().map(whole);
        let cut = |seen: &Seen| Seen {
            bytes: seen.bytes[..seen.bytes.len().min(64)].to_vec(),
            wire_len: seen.wire_len,
        };
        for mode in MODES {
            let mut packet = world::open("v1", &world::config());
            for frame in &all {
                send(&mut a, frame);
            }
            assert_eq!(read(&mut packet, 6), expected);
            for multi_buffer in [false, true] {
                let config = config(mode).multi_buffer(multi_buffer).interface_number(7);
                let mut b = open("v1", &config);
                assert_eq!((b.mode(), b.link()), (Some(mode), LinkType::ETHERNET));
                assert!(!b.is_zero_copy().expect("the socket is open"));
                assert_eq!(b.latency(), Duration::ZERO);
                for frame in &all {
                    send(&mut a, frame);
                }
                assert_eq!(read(&mut b, 6), expected, "{mode:?}");
                let before = now();
                send(&mut a, &all[0]);
                until("it was lent", || {
                    let lent = b.next_batch(&mut |packets| {
                        assert_eq!(packets[0].interface(), Some(7));
                        assert!((before..=now()).contains(&packets[0].ts().as_nanos()));
                    });
                    lent.expect("the interface is up") == 1
                });
                drop(b);

                let mut b = open("v1", &config.snap_len(positive(64)));
                for frame in &all {
                    send(&mut a, frame);
                }
                assert_eq!(read(&mut b, 6), expected.each_ref().map(cut), "{mode:?}");
            }
            // What it took, the network stack did not get.
            assert_eq!(read(&mut packet, 0), []);
        }
    });
}

pub(crate) fn every_frame_sent_is_read_or_counted_as_lost() {
    const SENT: u32 = 3000;
    in_namespace(name!(every_frame_sent_is_read_or_counted_as_lost), || {
        let mut a = sender();
        let all: Vec<Vec<u8>> = (0..SENT).map(|number| numbered(number, 100)).collect();
        for mode in MODES {
            // The reader stalls. There is less memory than places in the ring, and the reverse.
            for (frames, ring, cause) in [(64, 512, Loss::FillEmpty), (512, 64, Loss::RingFull)] {
                let config = config(mode).frames(positive(frames)).rx_ring(positive(ring));
                let mut b = open("v1", &config);
                send_all(&mut a, &all);
                let counters = b.counters().expect("the socket is open");
                let mut numbers = rest(&mut b, 14);
                let total = stats(&mut b);
                assert_eq!(numbers, (0..frames.min(ring)).collect::<Vec<_>>(), "the oldest");
                assert_eq!(total.delivered, numbers.len() as u64);
                assert_eq!(total.packets, u64::from(SENT), "{total:?}");
                let lost: Vec<Loss> =
                    total.losses().filter(|(_, n)| *n > 0).map(|(cause, _)| cause).collect();
                assert_eq!(lost, [cause], "{mode:?}: {total:?} {counters:?}");
                assert_eq!((total.invalid, total.freezes), (0, 0), "{counters:?}");
                assert_eq!(counters, b.counters().expect("the socket is open"));
                drop(b);

                // It reads now and then, and all memory goes round many times.
                let mut b = open("v1", &config);
                numbers.clear();
                for part in all.chunks(100) {
                    send_all(&mut a, part);
                    let lent = b.next_batch(&mut |packets| {
                        numbers.extend(packets.iter().filter_map(|p| number(p.frame())));
                    });
                    assert!(lent.expect("the interface is up") > 0);
                }
                numbers.append(&mut rest(&mut b, 14));
                assert!(numbers.is_sorted_by(|one, next| one < next), "none twice");
                let total = stats(&mut b);
                assert_eq!(total.packets, u64::from(SENT), "{total:?}");
                assert!(total.lost() > 0 && total.delivered > u64::from(SENT) / 3, "{total:?}");
            }
        }
    });
}

pub(crate) fn a_frame_too_long_for_its_memory_is_counted_once() {
    in_namespace(name!(a_frame_too_long_for_its_memory_is_counted_once), || {
        for mode in MODES {
            let small = config(mode).frame_size(positive(2048));
            let mut b = open("v1", &small);
            // Larger after the capture was opened.
            ip("link set v0 mtu 3000");
            ip("link set v1 mtu 3000");
            let mut a = sender();
            send_all(&mut a, &[numbered(1, 1792), numbered(2, 1793), numbered(3, 3000)]);
            assert_eq!(rest(&mut b, 14), [1], "{mode:?}");
            let total = stats(&mut b);
            let expected = (3, 1, 2, 2);
            assert_eq!((total.packets, total.delivered, total.lost(), total.invalid), expected);
            drop(b);
            let error = AfXdp::open("v1", &small).expect_err("the MTU is 3000");
            assert!(
                matches!(error, CaptureError::MtuTooLarge { mtu: 3000, most: 1770, .. }),
                "{error}"
            );
            ip("link set v0 mtu 1500");
            ip("link set v1 mtu 1500");
        }
    });
}

pub(crate) fn multi_buffer_packets_are_joined() {
    in_namespace(name!(multi_buffer_packets_are_joined), || {
        for interface in ["v0", "v1"] {
            ip(&format!("link set {interface} mtu 9000"));
        }
        let mut a = world::open("v0", &world::ring(128, 1 << 17, 5));
        let error = AfXdp::open("v1", &config(XdpMode::Auto)).expect_err("the MTU is 9000");
        assert!(matches!(error, CaptureError::MtuTooLarge { mtu: 9000, .. }), "{error}");
        let mut all: Vec<Vec<u8>> = [3840, 3841, 9014, 60, 7680, 7681]
            .into_iter()
            .zip(0..)
            .map(|(len, number)| numbered(number, len))
            .collect();
        all.push([&tagged(6, &[SERVICE, CUSTOMER])[..], &[9; 8900]].concat());
        for bytes in &mut all {
            // Pieces that change places are noticed.
            for (at, byte) in bytes.iter_mut().enumerate().skip(200) {
                *byte = (at / 7) as u8;
            }
        }
        let expected: Vec<Seen> = all.iter().cloned().map(whole).collect();
        for mode in MODES {
            for (frame_size, frames) in [(4096, 4096), (2048, 64)] {
                let config = config(mode)
                    .multi_buffer(true)
                    .frames(positive(frames))
                    .frame_size(positive(frame_size));
                let mut b = open("v1", &config);
                // More than the ring has places, and batches that end within a packet.
                for round in 0..20 {
                    for _ in 0..2 {
                        send_all(&mut a, &all);
                    }
                    let twice = [&expected[..], &expected[..]].concat();
                    let mut seen = Vec::new();
                    until("all were read", || {
                        let lent = b.next_batch(&mut |p| seen.extend(p.iter().map(Seen::of)));
                        lent.expect("the interface is up");
                        seen.len() >= twice.len()
                    });
                    assert!(seen == twice, "{mode:?}, {frame_size}, round {round}");
                }
                let total = stats(&mut b);
                assert_eq!((total.delivered, total.lost()), (280, 0), "{total:?}");

                // A reader that stalls loses whole packets.
                drop(b);
                let mut b = open("v1", &config.frames(positive(40)));
                for _ in 0..10 {
                    send_all(&mut a, &all);
                }
                b.stop().expect("the socket is open");
                let mut lens = Vec::new();
                while b.next_batch(&mut |p| lens.extend(p.iter().map(|p| p.frame().len()))).ok()
                    > Some(0)
                {}
                assert!(lens.iter().all(|len| all.iter().any(|frame| frame.len() == *len)));
                let total = stats(&mut b);
                assert_eq!((total.packets, total.delivered), (70, lens.len() as u64), "{total:?}");
                assert!(total.lost() > 0 && b.is_drained().expect("the socket is open"));
            }
        }
    });
}

pub(crate) fn all_queues_are_captured_by_one_capture_or_one_each() {
    const FLOWS: u16 = 400;
    in_namespace(name!(all_queues_are_captured_by_one_capture_or_one_each), || {
        cable("w0", "w1", "numrxqueues 4 numtxqueues 4");
        let mut a = world::open("w0", &world::config());
        let flows: Vec<Vec<u8>> = (0..FLOWS)
            .map(|flow| frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(flow, 53).build())
            .collect();
        let flow = |bytes: &[u8]| u16::from_be_bytes([bytes[34], bytes[35]]);
        for mode in MODES {
            let mut b = open("w1", &config(mode));
            assert!(b.queues().eq(0..4));
            send_all(&mut a, &flows);
            let mut seen: Vec<u16> =
                read(&mut b, flows.len()).iter().map(|seen| flow(&seen.bytes)).collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..FLOWS), "{mode:?}");
            drop(b);
            assert!(!has_program("w1"));

            let mut each = AfXdp::open_queues("w1", &config(mode)).expect("four queues");
            assert!(each.iter().flat_map(AfXdp::queues).eq(0..4));
            send_all(&mut a, &flows);
            let mut seen = Vec::new();
            until("all were read", || {
                for one in &mut each {
                    let lent = one.next_batch(&mut |packets| {
                        seen.extend(packets.iter().map(|packet| flow(packet.frame())));
                    });
                    lent.expect("the interface is up");
                }
                seen.len() >= flows.len()
            });
            let delivered: Vec<u64> = each.iter_mut().map(|one| stats(one).delivered).collect();
            assert_eq!(delivered.iter().sum::<u64>(), u64::from(FLOWS));
            assert!(delivered.iter().filter(|share| **share > 0).count() > 1, "{delivered:?}");
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..FLOWS), "{mode:?}");

            // The program is there as long as one of them is; queues without a socket go on to the
            // network stack.
            let mut beside = world::open("w1", &world::config());
            let mut last = each.swap_remove(1);
            drop(each);
            assert!(has_program("w1"));
            send_all(&mut a, &flows);
            let passed = rest(&mut beside, 30).len();
            until("the rest was read", || {
                assert!(last.next_batch(&mut |_| {}).is_ok());
                let (now, before) = (stats(&mut last).delivered, delivered[1]);
                now - before + passed as u64 == u64::from(FLOWS)
            });
            drop(last);
            assert!(!has_program("w1"));
        }
        let error = AfXdp::open("w1", &config(XdpMode::Auto).queues([0, 9])).expect_err("four");
        let CaptureError::NoSuchQueue { queue: 9, queues: 4, .. } = error else {
            panic!("{error}");
        };
        assert!(!has_program("w1"));
    });
}

pub(crate) fn sockets_are_added_to_a_given_xsk_map() {
    in_namespace(name!(sockets_are_added_to_a_given_xsk_map), || {
        cable("w0", "w1", "numrxqueues 2 numtxqueues 2");
        let mut a = world::open("w0", &world::config());
        let mut first = open("w1", &config(XdpMode::Native).queues([0]));
        let map = first.socket_map().try_clone_to_owned().expect("room for a descriptor");
        let given = config(XdpMode::Native).queues([1]).socket_map(map);
        let mut second = open("w1", &given);
        assert_eq!(second.mode(), None);
        let flows: Vec<Vec<u8>> = (0..100)
            .map(|flow| frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(flow, 53).build())
            .collect();
        send_all(&mut a, &flows);
        until("both have all", || {
            for one in [&mut first, &mut second] {
                assert!(one.next_batch(&mut |_| {}).is_ok());
            }
            stats(&mut first).delivered + stats(&mut second).delivered == 100
        });
        assert!(stats(&mut first).delivered > 0 && stats(&mut second).delivered > 0);
        // Two sockets cannot have one queue.
        let error = AfXdp::open("w1", &given).expect_err("it is the second one's");
        assert!(matches!(error, CaptureError::QueueTaken { queue: 1, .. }), "{error}");
        drop(second);
        assert!(has_program("w1"), "it is the first one's");
    });
}

pub(crate) fn sent_frames_reach_the_other_end() {
    in_namespace(name!(sent_frames_reach_the_other_end), || {
        for interface in ["v0", "v1"] {
            ip(&format!("link set {interface} mtu 9000"));
        }
        let mut b = world::open("v1", &world::ring(64, 1 << 17, 5));
        let all: Vec<Vec<u8>> =
            (0..1000).map(|number| numbered(number, 60 + number as usize % 1400)).collect();
        let expected: Vec<Seen> = all.iter().cloned().map(whole).collect();
        for mode in MODES {
            for need_wakeup in [true, false] {
                let config = config(mode).multi_buffer(true).tx_ring(positive(64));
                let mut a = open("v0", &config.need_wakeup(need_wakeup));
                assert_eq!(a.send_batch(&[]).expect("nothing to fail"), 0);
                send_all(&mut a, &all);
                assert_eq!(read(&mut b, all.len()), expected, "{mode:?}");
                for frame in &all[..200] {
                    send(&mut a, frame);
                }
                assert_eq!(read(&mut b, 200), expected[..200], "{mode:?}");

                // In several pieces, with tags, and just too long.
                let long = [numbered(1, 9014), tagged(2, &[SERVICE, CUSTOMER]), numbered(3, 3841)];
                send_all(&mut a, &long);
                assert_eq!(read(&mut b, 3), long.map(whole), "{mode:?}");
                let mut most = tagged(4, &[CUSTOMER]);
                most.resize(9018, 1);
                send(&mut a, &most);
                assert_eq!(read(&mut b, 1), [whole(most)]);
                let error = a.send(&numbered(5, 9015)).expect_err("the MTU is 9000");
                let CaptureError::FrameTooLong { len: 9015, mtu: 9000 } = error else {
                    panic!("{error}");
                };
                a.send(&[]).expect_err("nothing");
                let (good, long) = (numbered(6, 60), numbered(7, 9015));
                assert_eq!(a.send_batch(&[&good, &long, &good]).expect("the first fits"), 1);
                assert_eq!(read(&mut b, 1), [whole(good)]);

                // It captures none of them, and does capture what comes back.
                send(&mut b, &numbered(8, 60));
                assert_eq!(read(&mut a, 1), [whole(numbered(8, 60))]);
                let counters = a.counters().expect("the socket is open");
                assert_eq!(counters.tx_invalid_descs, 0);
                assert_eq!(read(&mut b, 0), []);
            }
        }
    });
}

pub(crate) fn a_stopped_capture_keeps_the_frames_it_has() {
    in_namespace(name!(a_stopped_capture_keeps_the_frames_it_has), || {
        let mut a = sender();
        for mode in MODES {
            let mut b = open("v1", &config(mode));
            let mut beside = world::open("v1", &world::config());
            assert!(!b.is_ready() && b.is_drained().expect("the socket is open"));
            send(&mut a, &numbered(1, 60));
            until("it is there", || b.is_ready());
            b.stop().expect("the map is open");
            b.stop().expect("the map is open");
            assert!(!b.is_drained().expect("the socket is open"));
            send(&mut a, &numbered(2, 60));
            assert_eq!(read(&mut beside, 1), [whole(numbered(2, 60))], "it passes by");
            assert_eq!(read(&mut b, 1), [whole(numbered(1, 60))]);
            assert!(b.is_drained().expect("the socket is open"));
            send(&mut b, &numbered(3, 60));
            drop(b);

            // Nothing is in neither.
            let mut b = open("v1", &config(mode));
            let mut beside = world::open("v1", &world::ring(512, 1 << 14, 5));
            world::while_sending(&mut a, |n| numbered(n, 60), || b.stop().expect("it is open"));
            let (mut first, last) = (rest(&mut b, 14), rest(&mut beside, 14));
            assert_eq!((stats(&mut b).lost(), beside.stats().expect("open").lost()), (0, 0));
            assert!(last.len() >= 100);
            first.extend(last);
            assert!(first.iter().copied().eq(0..first.len() as u32), "{mode:?}");
        }
    });
}

pub(crate) fn each_fault_of_the_interface_is_reported_once() {
    in_namespace(name!(each_fault_of_the_interface_is_reported_once), || {
        for mode in MODES {
            let mut a = sender();
            let mut b = open("v1", &config(mode));
            let mut lend_nothing = |_: &[flowscope_core::PacketView<'_>]| {};
            assert!(!b.wait(Some(Duration::from_millis(1))).expect("the interface is up"));
            send(&mut a, &numbered(1, 60));
            assert!(b.wait(Some(PATIENCE)).expect("the interface is up"));
            ip("link set v1 down");
            // What was captured comes first.
            assert_eq!(b.next_batch(&mut lend_nothing).expect("there is one"), 1);
            let error = b.wait(Some(PATIENCE)).expect_err("the interface is down");
            assert!(matches!(error, CaptureError::InterfaceDown { .. }), "{error}");
            assert!(!b.wait(Some(Duration::from_millis(1))).expect("it was told"));
            let error = b.send(&numbered(2, 60)).expect_err("the interface is down");
            assert!(matches!(error, CaptureError::InterfaceDown { .. }), "{error}");

            ip("link set v1 up");
            until("the cable is plugged in", || running("v0") && running("v1"));
            send(&mut a, &numbered(3, 60));
            assert_eq!(read(&mut b, 1), [whole(numbered(3, 60))], "{mode:?}");

            send(&mut a, &numbered(4, 60));
            until("it is there", || b.is_ready());
            ip("link del v1");
            assert_eq!(b.next_batch(&mut lend_nothing).expect("there is one"), 1);
            let error = b.next_batch(&mut lend_nothing).expect_err("the interface is gone");
            assert!(matches!(error, CaptureError::InterfaceGone { .. }), "{error}");
            assert_eq!(b.next_batch(&mut lend_nothing).expect("it was told"), 0);
            let error = b.send(&numbered(5, 60)).expect_err("the interface is gone");
            assert!(matches!(error, CaptureError::InterfaceGone { .. }), "{error}");
            b.stop().expect("the map is open");
            assert!(b.is_drained().expect("the socket is open"));
            let total = stats(&mut b);
            assert_eq!((total.packets, total.delivered), (3, 3));
            let error = AfXdp::open("v1", &config(mode)).expect_err("the interface is gone");
            assert!(matches!(error, CaptureError::NoSuchInterface { .. }), "{error}");
            cable("v0", "v1", "");
        }
        // One that is down is captured from as soon as it is up.
        ip("link set v1 down");
        let mut b = open("v1", &config(XdpMode::Auto));
        let error = b.wait(Some(PATIENCE)).expect_err("the interface is down");
        assert!(matches!(error, CaptureError::InterfaceDown { .. }), "{error}");
        ip("link set v1 up");
        until("the cable is plugged in", || running("v0") && running("v1"));
        send(&mut sender(), &numbered(3, 60));
        assert_eq!(read(&mut b, 1), [whole(numbered(3, 60))]);
    });
}

pub(crate) fn unavailable_resources_have_their_own_errors() {
    in_namespace(name!(unavailable_resources_have_their_own_errors), || {
        let first = open("v1", &config(XdpMode::Auto));
        assert_eq!(first.mode(), Some(XdpMode::Native), "veth can");
        for mode in [XdpMode::Auto, XdpMode::Native, XdpMode::Generic] {
            let error = AfXdp::open("v1", &config(mode)).expect_err("there is one already");
            assert!(matches!(error, CaptureError::ProgramAttached { .. }), "{error}");
        }
        drop(first);
        let zero_copy = config(XdpMode::Auto).copy(CopyMode::ZeroCopy);
        let error = AfXdp::open("v1", &zero_copy).expect_err("there is no card");
        assert!(matches!(error, CaptureError::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("CopyMode::Auto"), "{error}");
        assert!(!has_program("v1"), "what fails leaves nothing");

        // The loopback interface's driver cannot run programs.
        ip("link set lo up mtu 1500");
        let error = AfXdp::open("lo", &config(XdpMode::Native)).expect_err("not in the driver");
        assert!(matches!(error, CaptureError::Unsupported { .. }), "{error}");
        let lo = open("lo", &config(XdpMode::Auto));
        assert_eq!(lo.mode(), Some(XdpMode::Generic));

        drop(open("v1", &config(XdpMode::Auto).copy(CopyMode::Copy).promiscuous(true)));
        assert!(told("v1").contains("promiscuity 0"));
    });
}

pub(crate) fn a_killed_capture_leaves_no_xdp_program() {
    let name = name!(a_killed_capture_leaves_no_xdp_program);
    if env::var_os(VICTIM).is_some() {
        let _capture = open("v1", &config(XdpMode::Native).promiscuous(true));
        // Longer than it takes to be killed.
        thread::sleep(PATIENCE * 2);
        return;
    }
    in_namespace(name, || {
        let start = || -> Child {
            Command::new(env::current_exe().expect("a test knows itself"))
                .args(["--exact", known_as(name)])
                .env(VICTIM, "1")
                .stdout(Stdio::null())
                .spawn()
                .expect("it was started once")
        };
        for _ in 0..3 {
            let mut victim = start();
            until("it captures", || has_program("v1") && !told("v1").contains("promiscuity 0"));
            victim.kill().expect("it is ours");
            victim.wait().expect("it was killed");
            until("all is as before", || {
                !has_program("v1") && told("v1").contains("promiscuity 0")
            });
            drop(open("v1", &config(XdpMode::Native)));
        }
    });
}

pub(crate) fn reading_and_sending_frames_does_not_allocate() {
    in_namespace(name!(reading_and_sending_frames_does_not_allocate), || {
        ip("link set v0 mtu 9000");
        ip("link set v1 mtu 9000");
        let both = config(XdpMode::Native).multi_buffer(true);
        let (mut a, mut b) = (open("v0", &both), open("v1", &both));
        let all: Vec<Vec<u8>> = (0..200).map(|n| numbered(n, 60 + 40 * n as usize)).collect();
        let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
        let _profiler = dhat::Profiler::builder().testing().build();
        let mut round = || {
            let start = Instant::now();
            let before = dhat::HeapStats::get();
            let (mut sent, mut seen) = (0, 0);
            while seen < all.len() && start.elapsed() < PATIENCE {
                sent += a.send_batch(&all[sent..]).unwrap_or(0);
                if b.wait(Some(Duration::from_millis(1))).is_ok() {
                    seen += b.next_batch(&mut |_| ()).unwrap_or(0);
                }
            }
            let lost = b.stats().map(|stats| stats.lost());
            let after = dhat::HeapStats::get();
            assert_eq!((seen, lost.ok()), (all.len(), Some(0)));
            after.total_blocks - before.total_blocks
        };
        // Whatever else the process does at the time is counted too, so one of several has to be right.
        let allocations = (0..5).map(|_| round()).min();
        assert_eq!(allocations, Some(0));
    });
}

pub(crate) fn a_panic_in_the_callback_leaks_no_frame() {
    in_namespace(name!(a_panic_in_the_callback_leaks_no_frame), || {
        let (mut a, config) = (sender(), config(XdpMode::Native).frames(positive(8)));
        let mut b = open("v1", &config);
        panic::set_hook(Box::new(|_| {}));
        for round in 0..20 {
            send(&mut a, &numbered(round, 60));
            until("it is there", || b.is_ready());
            let lent = panic::catch_unwind(AssertUnwindSafe(|| {
                let _ = b.next_batch(&mut |_| panic!("by a packet"));
            }));
            assert!(lent.is_err());
        }
        let _ = panic::take_hook();
        send(&mut a, &numbered(20, 60));
        assert_eq!(read(&mut b, 1), [whole(numbered(20, 60))]);
        assert_eq!(stats(&mut b).lost(), 0);
    });
}

/// Dropped, or leaked until the next one is taken.
pub(crate) fn blocks_return_their_frames_however_they_end() {
    in_namespace(name!(blocks_return_their_frames_however_they_end), || {
        let mut a = sender();
        for mode in MODES {
            let config = config(mode).frames(positive(8)).rx_ring(positive(8)).interface_number(3);
            let mut b = open("v1", &config.snap_len(positive(50)));
            assert!(b.next_block().is_none());
            for round in 0..40 {
                send(&mut a, &numbered(2 * round, 60));
                send(&mut a, &numbered(2 * round + 1, 70));
                let mut seen = Vec::new();
                until("both were read", || {
                    while let Some(block) = b.next_block() {
                        for packet in block.packets() {
                            assert_eq!(packet.interface(), Some(3));
                            seen.push((packet.frame().to_vec(), packet.wire_len()));
                        }
                        // As often as there are frames, and oftener.
                        if round % 2 == 0 {
                            std::mem::forget(block);
                        }
                    }
                    seen.len() >= 2
                });
                let expected = [(2 * round, 60), (2 * round + 1, 70)]
                    .map(|(number, len)| (numbered(number, 50), len));
                assert_eq!(seen, expected, "{mode:?}");
            }
            let total = stats(&mut b);
            assert_eq!((total.delivered, total.lost()), (80, 0));
        }
    });
}

pub(crate) fn busy_polling_reads_the_same_frames() {
    in_namespace(name!(busy_polling_reads_the_same_frames), || {
        let mut a = sender();
        for mode in MODES {
            let mut b = open("v1", &config(mode).busy_poll(Duration::from_micros(50)));
            for number in 0..10 {
                send(&mut a, &numbered(number, 60));
            }
            let expected: Vec<Seen> = (0..10).map(|n| whole(numbered(n, 60))).collect();
            assert_eq!(read(&mut b, 10), expected, "{mode:?}");
        }
    });
}

pub(crate) fn exceeding_the_memlock_limit_has_its_own_error() {
    let name = name!(exceeding_the_memlock_limit_has_its_own_error);
    if env::var_os(VICTIM).is_some() {
        let error = AfXdp::open("v1", &config(XdpMode::Auto)).expect_err("it is 17 MiB");
        assert!(matches!(error, CaptureError::MemoryLimit { .. }), "{error}");
        drop(open("v1", &config(XdpMode::Auto).frames(positive(64)).tx_ring(positive(4))));
        return;
    }
    in_namespace(name, || {
        let words =
            ["--clear-groups", "--bounding-set", "-ipc_lock", "prlimit", "--memlock=1048576"];
        let limited = |rest: &[&str]| {
            Command::new("setpriv").args(words).args(rest).env(VICTIM, "1").output()
        };
        let exe = env::current_exe().expect("a test knows itself");
        let exe = exe.to_str().expect("a path of letters");
        let output = limited(&[exe, "--exact", known_as(name)]).expect("it was started once");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    });
}

pub(crate) fn the_permission_error_says_what_grants_it() {
    let name = name!(the_permission_error_says_what_grants_it);
    if env::var_os(world::INSIDE).is_some() {
        let config = config(XdpMode::Auto).frames(positive(64));
        let error = AfXdp::open("lo", &config).map(drop);
        // The loopback interface's packets are longer than the frames, unless it may be asked.
        let error = match error {
            Err(CaptureError::MtuTooLarge { .. }) => {
                AfXdp::open("lo", &config.multi_buffer(true)).map(drop)
            }
            other => other,
        };
        let error = error.expect_err("the namespace is another user's");
        assert!(matches!(error, CaptureError::NoPermission { .. }), "{error}");
        let line = "\n    sudo podman run --network host --cap-add NET_RAW --cap-add NET_ADMIN --cap-add BPF \
            --cap-add IPC_LOCK";
        assert!(error.to_string().contains(line), "{error}");
        return;
    }
    world::again(&["unshare", "--user", "--map-root-user"], name);
}

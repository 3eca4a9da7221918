//! Captures on veth pairs, each test in a network namespace of its own, so that nothing of it can
//! reach the machine's interfaces or outlive it. Where namespaces are not permitted, a test says
//! that it was skipped, and why.

#![cfg(target_os = "linux")]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::process::{self, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use flowscope_core::{LinkType, PacketSource, PacketView, VlanTag};
use flowscope_testkit::frame;
use netring_capture::{
    AfPacket, AfPacketConfig, Capture, CaptureError, CaptureStats, Filter, Instruction, Interface,
};

/// Counts allocations in the one test that asks for it.
#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Set for the process that has the namespace.
const INSIDE: &str = "NETRING_LIVE_INSIDE";

/// Longest time for a condition to come true.
const PATIENCE: Duration = Duration::from_secs(10);

/// An Ethertype for experiments (IEEE 802, 88-B5), which no host answers.
const EXPERIMENT: [u8; 2] = [0x88, 0xb5];

/// Runs `body` in a namespace with the interfaces `v0` and `v1`, which are two ends of one cable, by
/// starting the test `name` again in there.
fn in_namespace(name: &str, body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        assert_eq!(process::id(), 1, "in a namespace of its own");
        cable();
        return body();
    }
    let root = ["--net", "--pid", "--fork", "--kill-child"].as_slice();
    let user = ["--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child"].as_slice();
    let probe = "ip link add type veth";
    let mut why = String::new();
    let permitted = [root, user].into_iter().find(|namespaces| {
        let tried = Command::new("unshare").args(*namespaces).args(["sh", "-c", probe]).output();
        match tried {
            Ok(tried) if tried.status.success() => return true,
            Ok(tried) => why = String::from_utf8_lossy(&tried.stderr).trim().to_owned(),
            Err(error) => why = format!("unshare: {error}"),
        }
        false
    });
    let Some(namespaces) = permitted else { return skipped(name, &why) };
    again(&[&["unshare"], namespaces].concat(), name);
}

/// Starts the test `name` again behind `words`; it must pass within a minute.
fn again(words: &[&str], name: &str) {
    let output = Command::new("timeout")
        .args(["-k", "1", "60"])
        .args(words)
        .arg(env::current_exe().expect("a test knows itself"))
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("timeout is part of every system");
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(output.status.success(), "{}\n{}", said[0], said[1]);
    assert!(said[0].contains("1 passed"), "the test ran in there: {}", said[0]);
}

#[expect(clippy::print_stdout, reason = "a test that did not run must say so")]
fn skipped(name: &str, why: &str) {
    println!("SKIPPED: {name}: {why}");
}

/// Two interfaces that see each other's frames and, of themselves, send none.
fn cable() {
    for file in ["all", "default"] {
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{file}/disable_ipv6"), "1");
    }
    ip("link add v0 type veth peer name v1");
    ip("link set v0 up arp off");
    ip("link set v1 up arp off");
    // Frames that are sent before can be lost although sending them succeeds.
    until("the cable is plugged in", || running("v0") && running("v1"));
}

fn running(interface: &str) -> bool {
    Interface::find(interface).is_ok_and(|interface| interface.is_running)
}

fn ip(words: &str) {
    let output = Command::new("ip").args(words.split(' ')).output().expect("ip was found before");
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A ring of `blocks` blocks of `block_size` bytes. A block is used up after the retire timeout
/// however little is in it: blocks times timeout is for how long frames may stay unread.
fn ring(blocks: u32, block_size: u32, retire: u64) -> AfPacketConfig {
    let positive = |number| NonZeroU32::new(number).expect("not zero");
    AfPacketConfig::default()
        .block_size(positive(block_size))
        .blocks(positive(blocks))
        .retire_timeout(Duration::from_millis(retire))
}

/// Room for some hundred frames and more than a second.
fn config() -> AfPacketConfig {
    ring(256, 1 << 14, 5)
}

fn open(interface: &str, config: &AfPacketConfig) -> AfPacket {
    AfPacket::open(interface, config).expect("the namespace is ours")
}

/// An Ethernet frame of `len` bytes, told by `number`.
fn numbered(number: u32, len: usize) -> Vec<u8> {
    let mut bytes = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]].concat();
    bytes.extend(EXPERIMENT);
    bytes.extend(number.to_be_bytes());
    bytes.resize(len, number as u8);
    bytes
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(14..)?.first_chunk()?))
}

fn send(from: &mut AfPacket, bytes: &[u8]) {
    until("there is room to send", || match from.send(bytes) {
        Ok(()) => true,
        Err(CaptureError::Busy) => false,
        Err(error) => panic!("{error}"),
    });
}

/// Sends frames as fast as can be while `work` runs, and a hundred more.
fn while_sending<T>(
    from: &mut AfPacket,
    frame: impl Fn(u32) -> Vec<u8> + Send,
    work: impl FnOnce() -> T,
) -> T {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let done = &done;
        scope.spawn(move || {
            let (mut sent, mut rest) = (0, 100);
            while rest > 0 {
                rest -= i32::from(done.load(Ordering::Relaxed));
                send(from, &frame(sent));
                sent += 1;
            }
        });
        let made = work();
        done.store(true, Ordering::Relaxed);
        made
    })
}

/// Stops a capture, and reads the numbers that stand at `at` in all the frames that it has.
fn rest(from: &mut AfPacket, at: usize) -> Vec<u32> {
    from.stop().expect("the socket is open");
    let stats = from.stats().expect("the socket is open");
    let mut numbers = Vec::new();
    until("all was read", || {
        while let Some(block) = from.next_block() {
            for packet in block.packets() {
                let number = packet.frame().get(at..).and_then(<[u8]>::first_chunk);
                numbers.push(u32::from_be_bytes(*number.expect("a frame with a number")));
            }
        }
        numbers.len() as u64 >= stats.packets - stats.lost()
    });
    assert_eq!(numbers.len() as u64, stats.packets - stats.lost());
    numbers
}

/// What a frame was captured as.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Seen {
    bytes: Vec<u8>,
    wire_len: u32,
    vlan: Option<VlanTag>,
}

/// Reads `count` frames, block by block, then makes sure that no more come.
fn read(from: &mut AfPacket, count: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut last = Instant::now();
    // Much longer than it takes the kernel to hand a block over.
    while seen.len() < count || last.elapsed() < Duration::from_millis(50) {
        assert!(last.elapsed() < PATIENCE, "{} of {count} frames came", seen.len());
        from.wait(Some(Duration::from_millis(20))).expect("the interface is up");
        while let Some(block) = from.next_block() {
            last = Instant::now();
            seen.extend(block.packets().map(|packet| Seen {
                bytes: packet.frame().to_vec(),
                wire_len: packet.wire_len(),
                vlan: packet.vlan(),
            }));
        }
    }
    assert_eq!(seen.len(), count, "frames that came");
    seen
}

fn whole(bytes: Vec<u8>) -> Seen {
    Seen { wire_len: bytes.len() as u32, bytes, vlan: None }
}

#[test]
fn every_frame_is_seen_once_in_order_with_its_bytes_and_time() {
    in_namespace("every_frame_is_seen_once_in_order_with_its_bytes_and_time", || {
        let now = || {
            let since = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970");
            u64::try_from(since.as_nanos()).expect("a clock before 2554")
        };
        let (mut a, mut b) = (open("v0", &config()), open("v1", &config().interface_number(7)));
        assert_eq!(b.link(), LinkType::ETHERNET);
        let frames: Vec<Vec<u8>> = (0..500).map(|n| numbered(n, 60 + n as usize * 2)).collect();
        let before = now();
        for frame in &frames {
            send(&mut a, frame);
        }
        until("a block is ready", || b.wait(Some(PATIENCE)).expect("the interface is up"));
        let mut seen = Vec::new();
        let mut last = before;
        until("all were lent", || {
            b.next_batch(&mut |packets| {
                assert!(!packets.is_empty() && packets.len() <= 64);
                for packet in packets {
                    assert_eq!((packet.interface(), packet.rx_hash()), (Some(7), None));
                    assert!((last..=now()).contains(&packet.ts().as_nanos()));
                    last = packet.ts().as_nanos();
                    seen.push(packet.frame().to_vec());
                }
            })
            .expect("the interface is up");
            seen.len() >= frames.len()
        });
        assert_eq!(seen, frames);
        assert_eq!(read(&mut b, 0), []);
        let stats = b.stats().expect("the socket is open");
        assert_eq!((stats.packets, stats.delivered, stats.lost(), stats.freezes), (500, 500, 0, 0));
    });
}

#[test]
fn a_tag_that_the_kernel_takes_out_is_put_back() {
    in_namespace("a_tag_that_the_kernel_takes_out_is_put_back", || {
        let (mut a, mut b) = (open("v0", &config()), open("v1", &config()));
        let snap_len = NonZeroU32::new(64).expect("not zero");
        let mut cut = open("v1", &config().snap_len(snap_len));
        let mut near = open("v0", &config());
        let (customer, service) = ([0x81, 0, 0x60, 0x64], [0x88, 0xa8, 0, 200]);
        let tagged = |number, tags: &[[u8; 4]]| {
            let mut bytes = numbered(number, 80);
            bytes.splice(12..12, tags.concat());
            bytes
        };
        let all = [
            tagged(1, &[customer]),
            tagged(2, &[service, customer]),
            tagged(3, &[service, customer, customer]),
            tagged(4, &[]),
            // Not a byte more than fits.
            [&tagged(5, &[customer])[..], &[7; 1434]].concat(),
        ];
        for frame in &all {
            send(&mut a, frame);
        }
        let expected = all.clone().map(whole);
        assert_eq!(read(&mut b, 5), expected);
        assert_eq!(read(&mut near, 5), expected, "outgoing frames, too");
        let expected = all.map(|bytes| Seen { bytes: bytes[..64].to_vec(), ..whole(bytes) });
        assert_eq!(read(&mut cut, 5), expected);

        // Some at a time, in both ways.
        for number in 0..300 {
            send(&mut a, &tagged(number, &[customer]));
        }
        let mut next = 0;
        let mut check = |packet: &PacketView<'_>| {
            assert_eq!(packet.frame(), tagged(next, &[customer]));
            next += 1;
        };
        until("all were read", || {
            let lent = b.next_batch(&mut |packets| packets.iter().for_each(&mut check));
            assert!(lent.expect("the interface is up") <= 64);
            if let Some(block) = b.next_block() {
                block.packets().for_each(|packet| check(&packet));
            }
            b.stats().expect("the socket is open").delivered == 305
        });
        assert_eq!(next, 300);
    });
}

#[test]
fn the_snap_length_cuts_frames_and_not_their_length_on_the_wire() {
    in_namespace("the_snap_length_cuts_frames_and_not_their_length_on_the_wire", || {
        let snap_len = NonZeroU32::new(64).expect("not zero");
        let (mut a, mut b) = (open("v0", &config()), open("v1", &config().snap_len(snap_len)));
        // Not by the kernel: it returns what the accumulator holds.
        let all = [Instruction::new(0x00, 0, 0, 1000), Instruction::new(0x16, 0, 0, 0)];
        let all = Filter::new(all).expect("two instructions that run");
        let mut by_reader = open("v1", &config().snap_len(snap_len).filter(all));
        let lengths = [60, 64, 65, 1514];
        for len in lengths {
            send(&mut a, &numbered(9, len));
        }
        let expected =
            lengths.map(|len| Seen { bytes: numbered(9, len.min(64)), ..whole(numbered(9, len)) });
        assert_eq!(read(&mut b, 4), expected);
        assert_eq!(read(&mut by_reader, 4), expected);
    });
}

#[test]
fn a_filter_holds_from_the_first_frame_on() {
    in_namespace("a_filter_holds_from_the_first_frame_on", || {
        let mut a = open("v0", &config());
        let even = [
            Instruction::new(0x20, 0, 0, 14), // load the number
            Instruction::new(0x45, 0, 1, 1),  // odd: go on, else skip one
            Instruction::new(0x06, 0, 0, 0),
            Instruction::new(0x06, 0, 0, 0x4_0000),
        ];
        let even = Filter::new(even).expect("four instructions that run");
        let mut captures: Vec<AfPacket> = while_sending(
            &mut a,
            |number| numbered(number, 60),
            || (0..8).map(|_| open("v1", &ring(512, 1 << 12, 10).filter(even.clone()))).collect(),
        );
        for capture in &mut captures {
            let numbers = rest(capture, 14);
            assert!(numbers.len() >= 50, "it was open when the last hundred were sent");
            assert!(numbers.iter().all(|number| number % 2 == 0), "{numbers:?}");
            assert!(numbers.is_sorted_by(|one, next| one < next), "none twice");
        }
        let unknown = [Instruction::new(0xffff, 0, 0, 0), Instruction::new(0x06, 0, 0, 0)];
        let unknown = Filter::new(unknown).expect("that is for the kernel to find");
        let error = AfPacket::open("v1", &config().filter(unknown)).expect_err("no such operation");
        assert!(matches!(error, CaptureError::FilterRefused { .. }), "{error}");
    });
}

#[test]
fn what_was_sent_was_read_or_counted_as_dropped() {
    const SENT: u32 = 20_000;
    in_namespace("what_was_sent_was_read_or_counted_as_dropped", || {
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

#[test]
fn a_block_goes_back_however_its_loan_ends() {
    in_namespace("a_block_goes_back_however_its_loan_ends", || {
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

#[test]
fn frames_are_lent_without_allocating() {
    in_namespace("frames_are_lent_without_allocating", || {
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

#[test]
fn outgoing_frames_are_seen_unless_they_are_ignored() {
    in_namespace("outgoing_frames_are_seen_unless_they_are_ignored", || {
        let mut a = open("v0", &config());
        let mut beside = open("v0", &config());
        let mut deaf = open("v0", &config().ignore_outgoing(true));
        let mut b = open("v1", &config());
        send(&mut a, &numbered(1, 60));
        send(&mut b, &numbered(2, 60));
        assert_eq!(read(&mut beside, 2), [whole(numbered(1, 60)), whole(numbered(2, 60))]);
        assert_eq!(read(&mut deaf, 1), [whole(numbered(2, 60))]);

        // On the loopback interface what is sent comes back.
        ip("link set lo up");
        until("the loopback is up", || running("lo"));
        let (mut sender, mut lo) = (open("lo", &config()), open("lo", &config()));
        assert!(lo.interface().is_loopback);
        send(&mut sender, &numbered(3, 60));
        assert_eq!(read(&mut lo, 1), [whole(numbered(3, 60))]);

        // A group has a switch of its own.
        let mut member = open("lo", &config().fanout_group(3));
        send(&mut sender, &numbered(4, 60));
        assert_eq!(read(&mut member, 1), [whole(numbered(4, 60))]);
    });
}

#[test]
fn a_checksum_that_is_left_for_the_card_is_told() {
    in_namespace("a_checksum_that_is_left_for_the_card_is_told", || {
        ip("link set lo up");
        until("the loopback is up", || running("lo"));
        let mut lo = open("lo", &config());
        let server = TcpListener::bind("127.0.0.1:0").expect("the loopback is up");
        let address = server.local_addr().expect("it is bound");
        let mut client = TcpStream::connect(address).expect("there is a server");
        client.write_all(b"not for a cable").expect("it is connected");
        let mut found = 0;
        until("the segment was read", || {
            while let Some(block) = lo.next_block() {
                for frame in block.frames().filter(|f| f.bytes.ends_with(b"not for a cable")) {
                    assert!(frame.checksum_pending && !frame.outgoing);
                    found += 1;
                }
            }
            found == 1
        });
        // A crafted frame comes with a checksum of its own.
        let (mut a, mut b) = (open("v0", &config()), open("v1", &config()));
        send(&mut a, &numbered(1, 60));
        until("a block is ready", || b.wait(Some(PATIENCE)).expect("the interface is up"));
        let block = b.next_block().expect("it is ready");
        assert_eq!(block.frames().map(|frame| frame.checksum_pending).collect::<Vec<_>>(), [false]);
    });
}

#[test]
fn both_directions_of_a_flow_meet_at_one_member_of_a_fanout_group() {
    const FLOWS: u16 = 64;
    in_namespace("both_directions_of_a_flow_meet_at_one_member_of_a_fanout_group", || {
        let mut a = open("v0", &config());
        let member = || open("v1", &config().fanout_group(9).receive_hash(true));
        let mut members = [member(), member()];
        for flow in 0..FLOWS {
            let (near, far) = ("10.0.0.1", "10.0.0.2");
            let there =
                frame().ethernet().ipv4(near, far).udp(1000 + flow, 53).payload(b"question");
            let back = frame().ethernet().ipv4(far, near).udp(53, 1000 + flow).payload(b"answer");
            send(&mut a, &there.build());
            send(&mut a, &back.build());
        }
        let mut owners = vec![Vec::new(); usize::from(FLOWS)];
        until("all frames were read", || {
            for (name, member) in members.iter_mut().enumerate() {
                while let Some(block) = member.next_block() {
                    for packet in block.packets() {
                        let bytes = packet.frame();
                        let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
                        let flow = port(34).max(port(36)) - 1000;
                        owners[usize::from(flow)].push(name);
                        assert!(packet.rx_hash().is_some());
                    }
                }
            }
            owners.iter().map(Vec::len).sum::<usize>() >= usize::from(FLOWS) * 2
        });
        assert!(owners.iter().all(|owners| owners.len() == 2 && owners[0] == owners[1]));
        for name in 0..members.len() {
            assert!(owners.iter().any(|owners| owners[0] == name), "each has a share");
        }
        let total: u64 = members
            .iter_mut()
            .map(|member| member.stats().expect("the socket is open").packets)
            .sum();
        assert_eq!(total, u64::from(FLOWS) * 2);
        let error = AfPacket::open("v0", &config().fanout_group(9).ignore_outgoing(true))
            .expect_err("the group has other rules");
        assert!(matches!(error, CaptureError::FanoutRefused { group: 9, .. }), "{error}");
    });
}

#[test]
fn nothing_is_captured_twice_while_members_join_a_fanout_group() {
    in_namespace("nothing_is_captured_twice_while_members_join_a_fanout_group", || {
        let mut a = open("v0", &config());
        let member = || open("v1", &ring(512, 1 << 12, 10).fanout_group(1));
        let first = member();
        let flow = frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 53).payload([0; 4]);
        let flow = flow.build();
        let one_of = |number: u32| {
            let mut bytes = flow.clone();
            bytes[34..36].copy_from_slice(&(number as u16).to_be_bytes());
            bytes[42..46].copy_from_slice(&number.to_be_bytes());
            bytes
        };
        let mut members: Vec<AfPacket> =
            while_sending(&mut a, one_of, || (0..4).map(|_| member()).collect());
        members.push(first);
        let mut numbers = Vec::new();
        for member in &mut members {
            let mut share = rest(member, 42);
            assert!(!share.is_empty(), "each has a share");
            numbers.append(&mut share);
        }
        numbers.sort_unstable();
        assert!(numbers.is_sorted_by(|one, next| one < next), "none twice");
        assert_eq!(numbers.first(), Some(&0), "the first member had joined");
    });
}

#[test]
fn a_stopped_capture_keeps_what_it_has() {
    in_namespace("a_stopped_capture_keeps_what_it_has", || {
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

#[test]
fn frames_are_sent_in_batches() {
    in_namespace("frames_are_sent_in_batches", || {
        let (mut a, mut b) = (open("v0", &config()), open("v1", &config()));
        let frames: Vec<Vec<u8>> = (0..150).map(|number| numbered(number, 60)).collect();
        let mut rest: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        assert_eq!(a.send_batch(&[]).expect("nothing to fail"), 0);
        until("all were sent", || {
            let sent = a.send_batch(&rest).expect("the interface is up");
            rest.drain(..sent);
            rest.is_empty()
        });
        let expected: Vec<Seen> = frames.iter().cloned().map(whole).collect();
        assert_eq!(read(&mut b, 150), expected);

        // What fails stops those behind it, and is told once it is the first.
        let (good, long) = (numbered(1, 60), numbered(2, 2000));
        assert_eq!(a.send_batch(&[&good, &long, &good]).expect("the first fits"), 1);
        let error = a.send_batch(&[&long, &good]).expect_err("the MTU is 1500");
        assert!(matches!(error, CaptureError::FrameTooLong { len: 2000, mtu: 1500 }), "{error}");
        assert_eq!(read(&mut b, 1), [whole(good)]);
    });
}

#[test]
fn an_interface_that_goes_down_is_told_once_and_comes_back() {
    in_namespace("an_interface_that_goes_down_is_told_once_and_comes_back", || {
        let (mut a, mut b) = (open("v0", &config()), open("v1", &config()));
        send(&mut a, &numbered(1, 60));
        until("the frame is in the ring", || b.wait(Some(PATIENCE)).expect("the interface is up"));
        ip("link set v1 down");
        // What was captured comes first.
        let first = b.next_block().map(|block| block.packets().count());
        assert_eq!(first, Some(1));
        let error = b.wait(Some(PATIENCE)).expect_err("the interface is down");
        assert!(matches!(error, CaptureError::InterfaceDown { .. }), "{error}");
        assert!(!b.wait(Some(Duration::from_millis(1))).expect("it was told"));
        let error = b.send(&numbered(2, 60)).expect_err("the interface is down");
        assert!(matches!(error, CaptureError::InterfaceDown { .. }), "{error}");

        ip("link set v1 up");
        until("the cable is plugged in", || running("v0") && running("v1"));
        send(&mut a, &numbered(3, 60));
        assert_eq!(read(&mut b, 1), [whole(numbered(3, 60))]);

        ip("link del v1");
        let mut lend_nothing = |_: &[flowscope_core::PacketView<'_>]| {};
        let error = b.next_batch(&mut lend_nothing).expect_err("the interface is gone");
        assert!(matches!(error, CaptureError::InterfaceGone { .. }), "{error}");
        assert_eq!(b.next_batch(&mut lend_nothing).expect("it was told"), 0);
        let error = AfPacket::open("v1", &config()).expect_err("the interface is gone");
        assert!(matches!(error, CaptureError::NoSuchInterface { .. }), "{error}");
    });
}

#[test]
fn what_the_kernel_refuses_has_a_name() {
    in_namespace("what_the_kernel_refuses_has_a_name", || {
        let mut a = open("v0", &config());
        let error = a.send(&numbered(1, 2000)).expect_err("the MTU is 1500");
        assert!(matches!(error, CaptureError::FrameTooLong { len: 2000, mtu: 1500 }), "{error}");
        let huge = config().blocks(NonZeroU32::MAX);
        let error = AfPacket::open("v0", &huge).expect_err("half a petabyte");
        assert!(matches!(error, CaptureError::NoRing { .. }), "{error}");

        let all = Interface::all().expect("there are interfaces");
        let names: Vec<&str> = all.iter().map(|interface| interface.name.as_str()).collect();
        assert!(["lo", "v0", "v1"].iter().all(|name| names.contains(name)), "{names:?}");
        for interface in all.iter().filter(|interface| interface.name.starts_with('v')) {
            assert_eq!((interface.mtu, interface.link), (1500, Some(LinkType::ETHERNET)));
            assert!(interface.mac.is_some_and(|mac| mac != [0; 6]));
            assert!(interface.is_up && !interface.is_loopback);
            assert_eq!(interface.rx_queues, 1);
        }
        ip("link add w0 numrxqueues 4 numtxqueues 4 type veth peer name w1");
        let queues = Interface::find("w0").expect("it was made").rx_queues;
        assert_eq!(queues, 4);
    });
}

#[test]
fn promiscuous_mode_ends_with_the_capture() {
    in_namespace("promiscuous_mode_ends_with_the_capture", || {
        let promiscuous = || {
            let output = Command::new("ip").args(["-d", "link", "show", "v0"]).output();
            let output = output.expect("ip was found before").stdout;
            !String::from_utf8_lossy(&output).contains("promiscuity 0")
        };
        assert!(!promiscuous());
        let a = open("v0", &config().promiscuous(true));
        assert!(promiscuous());
        drop(a);
        assert!(!promiscuous());
    });
}

#[test]
fn without_the_capability_the_line_that_grants_it_is_printed() {
    let name = "without_the_capability_the_line_that_grants_it_is_printed";
    if env::var_os(INSIDE).is_some() {
        let error = AfPacket::open("lo", &config()).expect_err("the namespace is another user's");
        assert!(matches!(error, CaptureError::NoPermission { .. }), "{error}");
        assert!(error.to_string().contains("\n    sudo setcap cap_net_raw,cap_net_admin+ep /"));
        return;
    }
    // Root in a namespace of users has no say in the network namespace it comes from.
    let words = ["unshare", "--user", "--map-root-user"];
    let tried = Command::new(words[0]).args(&words[1..]).arg("true").output();
    match tried {
        Ok(tried) if tried.status.success() => again(&words, name),
        Ok(tried) => skipped(name, String::from_utf8_lossy(&tried.stderr).trim()),
        Err(error) => skipped(name, &error.to_string()),
    }
}

//! The programs, run as a user would: on an interface of their own, into which a capture is sent.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

mod world;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::UdpSocket;
use std::process::Command;
use std::thread;
use std::time::Duration;

use flowscope::core::{LinkType, PacketSource as _, PacketView, Timestamp};
use flowscope::pcap::CaptureWriter;
use flowscope_testkit::namespace::{cable, in_namespace, ip, running, until};
use flowscope_testkit::{frame, needs, runner, tests};
use netring::ring::{AfPacket, AfPacketConfig};

use world::{Program, Witness, data, frames, lines, send, sender};

/// Runs a program on one end of the cable while frames come in by the other, then
/// ends it by Ctrl-C. Gives what it printed, and where it says the packets went.
fn live(program: &str, args: &[&str], frames: &[Vec<u8>]) -> (Vec<String>, Vec<String>) {
    let mut witness = Witness::of("v1");
    let running = Program::start(Command::new(program).arg("v1").args(args));
    running.wait_until_it_reads();
    let mut cable = sender("v0");
    frames.iter().for_each(|frame| send(&mut cable, frame));
    witness.wait_for(frames.len());
    running.interrupt()
}

/// Runs a program on a capture of the repository.
fn of_file(program: &str, args: &[&str]) -> (Vec<String>, Vec<String>) {
    let run = Command::new(program).arg(data(args[0])).args(&args[1..]).output().unwrap();
    assert!(run.status.success());
    (lines(&run.stdout), lines(&run.stderr))
}

/// The lines as a set, where their order is none of the program's business.
fn set(lines: &[String]) -> BTreeSet<&str> {
    lines.iter().map(String::as_str).collect()
}

/// What follows the first word, which is a time or a name.
fn tails(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| line.split_once(' ').unwrap().1).collect()
}

fn names_of_tls_servers_are_logged() {
    in_namespace(concat!(module_path!(), "::names_of_tls_servers_are_logged"), || {
        let (printed, told) = live(env!("CARGO_BIN_EXE_sni_log"), &[], &frames("tls13.pcap"));
        // Times are those of the cable.
        let (file, _) = of_file(env!("CARGO_BIN_EXE_sni_log"), &["tls13.pcap"]);
        assert_eq!(tails(&printed), tails(&file));
        let said: Vec<Vec<&str>> = tails(&file).iter().map(|l| l.split(' ').collect()).collect();
        let [first, second, third] = &said[..] else { panic!("{printed:?}") };
        for line in &said {
            let [client, server, name, alpn, ja4] = line[..] else { panic!("{line:?}") };
            assert!(client.starts_with("10.77.0.1:"), "{client}");
            assert_eq!((server, name, alpn), ("10.77.0.2:443", "lab.test", "h2,http/1.1"));
            assert!(ja4.starts_with("t13d04") && ja4.len() == 36, "{ja4}");
        }
        // The second one resumes a session, for which it has an extension more.
        assert_eq!(first[4], third[4]);
        assert_ne!(first[4], second[4]);
        assert_eq!(told, ["65 packets arrived, 65 delivered"]);

        // One that has only begun is told at the end.
        let begun = &frames("tls13.pcap")[..4];
        let (printed, told) = live(env!("CARGO_BIN_EXE_sni_log"), &[], begun);
        assert_eq!(
            (tails(&printed), told),
            (tails(&file[..1]), vec!["4 packets arrived, 4 delivered".into()])
        );
    });
}

fn transactions_are_written_as_eve() {
    in_namespace(concat!(module_path!(), "::transactions_are_written_as_eve"), || {
        let program = env!("CARGO_BIN_EXE_eve_log");
        let (printed, told) = live(program, &[], &frames("http-keep-alive.pcap"));
        let (file, _) = of_file(program, &["http-keep-alive.pcap"]);
        // Times and flow ids are those of the cable.
        let objects = |lines: &[String]| -> Vec<String> {
            let http =
                |line: &String| Some(line.split_once("\"http\":{")?.1.split_once('}')?.0.into());
            lines.iter().filter_map(http).collect()
        };
        assert_eq!(objects(&printed), objects(&file));
        assert!(objects(&file)[0].starts_with("\"http_method\":\"GET\""), "{file:?}");
        let flows = |lines: &[String]| {
            lines.iter().filter(|line| line.contains("\"event_type\":\"flow\"")).count()
        };
        assert_eq!((flows(&printed), printed.len()), (flows(&file), file.len()));
        assert!(flows(&file) > 0 && told[0].ends_with("delivered"), "{told:?}");
    });
}

fn five_subscribers_receive_the_same_events() {
    in_namespace(concat!(module_path!(), "::five_subscribers_receive_the_same_events"), || {
        let five = env!("CARGO_BIN_EXE_five_subscribers");
        let (printed, told) = live(five, &[], &frames("mixed.pcapng"));
        let (sums, printed): (Vec<&str>, Vec<&str>) =
            printed.iter().map(String::as_str).partition(|line| line.ends_with(" missed"));
        let mut sent = BTreeSet::new();
        for (line, name) in sums.iter().zip(["protocols", "talkers", "long", "lines", "slow"]) {
            assert!(line.starts_with(&format!("{name}: ")), "{line}");
            let words: Vec<&str> = line.rsplit(' ').collect();
            let [_, missed, _, received, ..] = words[..] else { panic!("{line}") };
            let (missed, received): (u64, u64) =
                (missed.parse().unwrap(), received.parse().unwrap());
            assert_eq!(missed > 0, name == "slow", "{line}");
            sent.insert(missed + received);
        }
        assert_eq!((sums.len(), sent.len()), (5, 1), "{sums:#?}");
        assert!(sums[0].contains(r#"{"icmp": 3, "tcp": 13, "udp": 7}"#), "{}", sums[0]);
        assert!(sums[3].contains("23 printed"), "{}", sums[3]);
        assert_eq!(printed.len(), 23, "{printed:#?}");
        assert_eq!(told, ["329 packets arrived, 329 delivered"]);
    });
}

fn open_flows_are_reported() {
    let file = tempfile::Builder::new().suffix(".pcap").tempfile().unwrap();
    let mut writer = CaptureWriter::pcap(file.as_file(), LinkType::ETHERNET).unwrap();
    let datagram = frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(4000, 9).build();
    for tenths in [0, 6, 11, 15, 26] {
        let ts = Timestamp::ZERO + Duration::from_millis(100 * tenths);
        writer.write(PacketView::new(&datagram, LinkType::ETHERNET, ts)).unwrap();
    }
    writer.finish().unwrap();
    let five = Command::new(env!("CARGO_BIN_EXE_five_subscribers")).arg(file.path()).output();
    let printed = lines(&five.unwrap().stdout);
    let told = printed.iter().filter(|line| line.ends_with(" old"));
    let flow = "10.0.0.1:4000 <-> 10.0.0.2:9";
    assert_eq!(
        told.collect::<Vec<_>>(),
        [&format!("{flow} is 1s old"), &format!("{flow} is 2s old")]
    );
    assert!(printed.contains(&"long: 2 told, 9 received, 0 missed".into()), "{printed:#?}");
}

fn conversations_are_written_whole() {
    in_namespace(concat!(module_path!(), "::conversations_are_written_whole"), || {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        let program = env!("CARGO_BIN_EXE_conversations_to_disk");
        let (printed, told) = live(program, &[path], &frames("http-head.pcap"));
        assert_eq!(told[0], "14 packets arrived, 14 delivered");
        let files: Vec<_> = fs::read_dir(path).unwrap().map(|file| file.unwrap().path()).collect();
        let [file] = &files[..] else { panic!("{files:?}") };
        let written = fs::read(file).unwrap();
        assert_eq!(printed, [format!("{}: {} bytes", file.display(), written.len())]);
        assert_eq!(told[1], format!("{0} of {0} bytes written", written.len()));
        // Requests and answers, in turn.
        let text = String::from_utf8_lossy(&written);
        let heads = |line: &&str| line.contains(" HTTP/1.1") || line.starts_with("HTTP/1.1 ");
        let heads: Vec<&str> = text.lines().filter(heads).collect();
        let expected = [
            "HEAD /plain.txt HTTP/1.1",
            "HTTP/1.1 200 OK",
            "GET /plain.txt HTTP/1.1",
            "HTTP/1.1 200 OK",
            "HEAD /missing HTTP/1.1",
            "HTTP/1.1 404 Not Found",
        ];
        assert_eq!(heads, expected);
    });
}

fn a_full_disk_is_reported_and_delays_no_other_flow() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let program = env!("CARGO_BIN_EXE_conversations_to_disk");
    let (printed, told) = of_file(program, &["bulk.pcap", path]);
    let name = name_of(&printed[0]);
    let whole = told[1].split(' ').next().unwrap().to_owned();
    assert_eq!(
        told,
        ["394 packets arrived, 394 delivered".into(), format!("{whole} of {whole} bytes written")]
    );
    fs::remove_file(&name).unwrap();
    std::os::unix::fs::symlink("/dev/full", &name).unwrap();
    let (printed, told) = of_file(program, &["bulk.pcap", path]);
    assert!(printed.is_empty(), "{printed:?}");
    assert_eq!(told[0], format!("{name}: No space left on device (os error 28)"));
    assert_eq!(told[1], "394 packets arrived, 394 delivered");
    let (written, all) = told[2].split_once(" of ").unwrap();
    assert_eq!(all, format!("{whole} bytes written"));
    assert!(written.parse::<u64>().unwrap() < whole.parse().unwrap(), "{told:?}");
}

fn a_slow_disk_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let program = env!("CARGO_BIN_EXE_conversations_to_disk");
    let name = name_of(&of_file(program, &["bulk.pcap", path]).0[0]);
    let quick = fs::read(&name).unwrap();
    fs::remove_file(&name).unwrap();
    // What is slow is whoever reads: the flow says more than the pipe and the credit have room for.
    assert!(Command::new("mkfifo").arg(&name).status().unwrap().success());
    let reader = thread::spawn(move || {
        let (mut pipe, mut slow) = (File::open(name).unwrap(), Vec::new());
        while (&mut pipe).take(4096).read_to_end(&mut slow).unwrap() > 0 {
            thread::sleep(Duration::from_millis(2));
        }
        slow
    });
    let (_, told) = of_file(program, &["bulk.pcap", path]);
    assert_eq!(told[1], format!("{0} of {0} bytes written", quick.len()));
    assert!(quick.len() > 350_000 && reader.join().unwrap() == quick);
}

/// The file that a line tells of.
fn name_of(line: &str) -> String {
    line.rsplit_once(": ").unwrap().0.to_owned()
}

fn workers_share_the_flows() {
    in_namespace(concat!(module_path!(), "::workers_share_the_flows"), || {
        let (printed, told) = live(env!("CARGO_BIN_EXE_sharded"), &["3"], &frames("dns-udp.pcap"));
        assert_eq!(printed.len(), 10, "{printed:?}");
        assert!(printed.iter().all(|line| line.ends_with(":53 Shutdown")), "{printed:?}");
        let (workers, all) = told.split_at(3);
        assert_eq!(all, ["all: 10 flows, 0 split, 20 packets arrived, 20 delivered"]);
        let mut flows = 0;
        for (number, line) in workers.iter().enumerate() {
            let line = line.strip_prefix(&format!("worker {number}: ")).unwrap();
            let [its, rest] = line.split(" flows, ").collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let its: u64 = its.parse().unwrap();
            assert_eq!(rest, format!("{0} packets arrived, {0} delivered", 2 * its));
            flows += its;
        }
        assert_eq!(flows, 10);
    });
}

fn threads_receive_each_flow_once() {
    in_namespace(concat!(module_path!(), "::threads_receive_each_flow_once"), || {
        let program = env!("CARGO_BIN_EXE_flows_to_channel");
        let (printed, told) = live(program, &[], &frames("http-keep-alive.pcap"));
        let [line] = &printed[..] else { panic!("{printed:?}") };
        assert!(line.contains(":80 ") && line.ends_with(" back"), "{line}");
        assert_eq!(told[1], "18 packets arrived, 18 delivered");

        let (printed, told) = live(program, &[], &frames("mixed.pcapng"));
        let (of_file, _) = of_file(program, &["mixed.pcapng"]);
        assert_eq!((set(&printed), printed.len()), (set(&of_file), 23));
        assert_eq!(told[1], "329 packets arrived, 329 delivered");
    });
}

/// A mirror that sends to the program.
struct Mirror {
    running: Program,
    socket: UdpSocket,
    to: String,
}

impl Mirror {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_custom_source"));
        let running = Program::start(command.arg("127.0.0.1:0"));
        running.wait_until_it_reads();
        let to = running.error_line("listening on ");
        Mirror { running, socket: UdpSocket::bind("127.0.0.1:0").unwrap(), to }
    }

    fn send(&self, datagram: &[u8]) {
        self.socket.send_to(datagram, &self.to).unwrap();
    }

    /// A frame of network 42.
    fn mirror(&self, frame: &[u8]) {
        self.send(&[&[8, 0, 0, 0, 0, 0, 42, 0], frame].concat());
    }
}

fn a_vxlan_mirror_is_read_without_privilege() {
    let mirror = Mirror::start();
    let frames = frames("dns-tcp.pcap");
    frames.iter().for_each(|frame| mirror.mirror(frame));
    // One without a network number, and one that ends before its frame begins.
    mirror.send(&[[0; 8].as_slice(), &frames[0]].concat());
    mirror.send(&[8, 0, 0]);
    let (printed, told) = mirror.running.interrupt();
    let (all, good) = (frames.len() + 2, frames.len());
    assert_eq!(told, [format!("{all} packets arrived, {good} delivered, 2 header_malformed")]);
    let (of_file, _) = of_file(env!("CARGO_BIN_EXE_flows_to_channel"), &["dns-tcp.pcap"]);
    let keys = |lines: &[String]| -> BTreeSet<String> {
        lines.iter().map(|line| line.splitn(4, ' ').take(3).collect()).collect()
    };
    assert_eq!(keys(&printed), keys(&of_file));
}

fn datagrams_dropped_from_a_mirror_are_counted() {
    const SENT: u64 = 5000;
    let mirror = Mirror::start();
    let frame = frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(4000, 9).payload([7; 1400]);
    let frame = frame.build();
    mirror.running.signal("STOP");
    (0..SENT).for_each(|_| mirror.mirror(&frame));
    // Waits for it as long as the program is stopped.
    mirror.running.signal("INT");
    mirror.running.signal("CONT");
    let (printed, told) = mirror.running.end();
    assert_eq!(printed, ["10.0.0.1:4000 <-> 10.0.0.2:9 Shutdown D"]);
    let line = told[0]
        .strip_prefix(&format!("{SENT} packets arrived, "))
        .unwrap_or_else(|| panic!("{told:?}"));
    let line = line.strip_suffix(" kernel_drop").unwrap_or_else(|| panic!("{told:?}"));
    let (tracked, dropped) = line.split_once(" delivered, ").unwrap();
    let [tracked, dropped] = [tracked, dropped].map(|number| number.parse::<u64>().unwrap());
    assert!(tracked > 0 && dropped > 0 && tracked + dropped == SENT, "{told:?}");
}

fn the_permission_error_contains_the_setcap_command() {
    in_namespace(
        concat!(module_path!(), "::the_permission_error_contains_the_setcap_command"),
        || {
            for (program, args) in [
                (env!("CARGO_BIN_EXE_sni_log"), ["v1"].as_slice()),
                (env!("CARGO_BIN_EXE_five_subscribers"), &["v1"]),
                (env!("CARGO_BIN_EXE_conversations_to_disk"), &["v1", "/tmp"]),
                (env!("CARGO_BIN_EXE_sharded"), &["v1"]),
                (env!("CARGO_BIN_EXE_flows_to_channel"), &["v1"]),
            ] {
                let run = Command::new("setpriv")
                    .args(["--inh-caps=-all", "--reuid=65534", "--clear-groups", program])
                    .args(args)
                    .output()
                    .unwrap();
                let told = String::from_utf8(run.stderr).unwrap();
                assert_eq!(run.status.code(), Some(4), "{told}");
                let remedy = format!("sudo setcap cap_net_raw,cap_net_admin+ep {program}\n");
                assert!(told.ends_with(&remedy), "{told}");
                assert!(run.stdout.is_empty());
            }
        },
    );
}

fn a_bridge_passes_frames_both_ways() {
    in_namespace(concat!(module_path!(), "::a_bridge_passes_frames_both_ways"), || {
        cable("w0", "w1", "");
        let mut witnesses = ["v0", "w0"].map(|end| {
            let config = AfPacketConfig::default().ignore_outgoing(true);
            AfPacket::open(end, &config).unwrap()
        });
        let running = Program::start(Command::new(env!("CARGO_BIN_EXE_bridge")).args(["v1", "w1"]));
        running.wait_until_it_reads();
        let frames = frames("bulk.pcap");
        let short: Vec<&Vec<u8>> = frames.iter().filter(|frame| frame.len() <= 1514).collect();
        let mut ends = ["v0", "w0"].map(sender);
        for (number, frame) in short.iter().enumerate() {
            send(&mut ends[number % 2], frame);
        }
        let mut came = [Vec::new(), Vec::new()];
        until("all frames have come", || {
            for (witness, came) in witnesses.iter_mut().zip(&mut came) {
                let mut copy = |packets: &[PacketView<'_>]| {
                    came.extend(packets.iter().map(|packet| packet.frame().to_vec()));
                };
                while witness.next_batch(&mut copy).unwrap() > 0 {}
            }
            came.iter().map(Vec::len).sum::<usize>() >= short.len()
        });
        // What was sent into one end comes out of the other, in order and once.
        for (number, came) in came.iter().enumerate() {
            let sent: Vec<&Vec<u8>> = short.iter().skip(1 - number).step_by(2).copied().collect();
            assert_eq!(came.iter().collect::<Vec<_>>(), sent);
        }
        let (_, told) = running.interrupt();
        let passed = short.len().div_ceil(2);
        assert_eq!(told[0], "bridging v1 and w1");
        assert!(
            told[1].starts_with(&format!("v1 to w1: {passed} frames passed, 0 left out; ")),
            "{told:?}"
        );
    });
}

fn a_bridge_goes_on_after_an_interface_was_down_and_ends_when_one_is_gone() {
    let name = concat!(
        module_path!(),
        "::a_bridge_goes_on_after_an_interface_was_down_and_ends_when_one_is_gone"
    );
    in_namespace(name, || {
        cable("w0", "w1", "");
        let command = &mut Command::new(env!("CARGO_BIN_EXE_bridge"));
        let bridge = Program::start(command.args(["v1", "w1"]));
        bridge.wait_until_it_reads();
        let frames = frames("bulk.pcap");
        let frame = frames.iter().find(|frame| frame.len() <= 1514).unwrap();
        for _ in 0..2 {
            for (from, to) in [("v0", "w0"), ("w0", "v0")] {
                let mut witness = Witness::of(to);
                send(&mut sender(from), frame);
                witness.wait_for(1);
            }
            ip("link set v1 down");
            ip("link set v1 up");
            until("the cable is plugged in", || running("v0") && running("v1"));
        }
        ip("link del v0");
        let told = bridge.fail();
        assert_eq!(told[0], "bridging v1 and w1");
        assert!(told.len() == 2 && told[1].contains("v1"), "{told:?}");
    });
}

fn main() -> std::process::ExitCode {
    runner::run([
        runner::group(needs::nothing, tests![open_flows_are_reported,]),
        runner::group(
            || needs::programs(&["kill"]),
            tests![
                a_full_disk_is_reported_and_delays_no_other_flow,
                a_slow_disk_is_waited_for,
                a_vxlan_mirror_is_read_without_privilege,
                datagrams_dropped_from_a_mirror_are_counted,
            ],
        ),
        runner::group(
            || {
                needs::namespaces()?;
                needs::programs(&["kill"])
            },
            tests![
                names_of_tls_servers_are_logged,
                transactions_are_written_as_eve,
                five_subscribers_receive_the_same_events,
                conversations_are_written_whole,
                workers_share_the_flows,
                threads_receive_each_flow_once,
                a_bridge_passes_frames_both_ways,
                a_bridge_goes_on_after_an_interface_was_down_and_ends_when_one_is_gone,
            ],
        ),
        runner::group(
            || {
                needs::namespaces()?;
                needs::programs(&["setpriv"])
            },
            tests![the_permission_error_contains_the_setcap_command,],
        ),
    ])
}

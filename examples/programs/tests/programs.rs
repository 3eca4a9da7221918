//! The programs, run as a user would.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

use std::ffi::OsStr;
use std::process::Command;

use flowscope::core::FlowSide::{Initiator, Responder};
use flowscope::core::{LinkType, PacketSource, PacketView};
use flowscope::pcap::{CaptureReader, CaptureWriter};
use flowscope_testkit::{Dialogue, views};

/// What a program prints, if it succeeds.
fn run(program: &str, args: &[&OsStr]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn redis_prints_requests_and_replies() {
    let script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:6379")
        .handshake()
        // Two requests in three segments, the cuts where they hurt.
        .data(Initiator, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1")
        .data(Initiator, b"1\r\nhello world\r")
        .data(Initiator, b"\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
        .data(Responder, b"+OK\r\n$11\r\nhello")
        .data(Responder, b" world\r\n")
        .data(Initiator, b"ping\r\n")
        .data(Responder, b"+PONG\r\n")
        .close(Initiator);
    let packets = script.build();
    let file = tempfile::Builder::new().suffix(".pcap").tempfile().unwrap();
    let mut writer = CaptureWriter::pcap(file.as_file(), LinkType::ETHERNET).unwrap();
    views(&packets).for_each(|packet| writer.write(packet).unwrap());
    writer.finish().unwrap();
    let printed = run(env!("CARGO_BIN_EXE_redis"), &[file.path().as_os_str()]);
    let expected = "\
1 #0 SET k hello world
1 #1 GET k
1 #0 -> OK in 1ms
1 #1 -> hello world in 2ms
1 #2 ping
1 #2 -> PONG in 1ms
";
    assert_eq!(printed, expected);
}

#[test]
fn talkers_prints_who_sent_most() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/bulk.pcap");
    let printed = run(env!("CARGO_BIN_EXE_talkers"), &[OsStr::new(file)]);
    let lines: Vec<(u64, &str)> = printed
        .lines()
        .map(|line| line.trim().split_once(' ').unwrap())
        .map(|(bytes, addr)| (bytes.parse().unwrap(), addr))
        .collect();
    let [(most, _), (least, _)] = lines[..] else { panic!("{printed}") };
    assert!(most > least && least > 0, "{printed}");

    let mut frames = 0;
    let mut capture = CaptureReader::open(file).unwrap();
    let mut add = |packets: &[PacketView<'_>]| {
        frames += packets.iter().map(|packet| u64::from(packet.wire_len())).sum::<u64>();
    };
    while capture.next_batch(&mut add).unwrap() > 0 {}
    assert_eq!(most + least, frames, "every byte was sent by one of them");
}

//! Runs the program, and makes its input.

#![allow(dead_code, unused_imports, reason = "no test program uses all of it")]

pub(crate) use std::fs::File;
pub(crate) use std::io::{BufWriter, Write};
pub(crate) use std::path::{Path, PathBuf};
pub(crate) use std::process::{Command, Stdio};

pub(crate) use flowscope::core::FlowSide::{Initiator, Responder};
pub(crate) use flowscope::core::{LinkType, PacketView, Timestamp};
pub(crate) use flowscope::pcap::CaptureWriter;
pub(crate) use flowscope_testkit::{Dialogue, frame};
pub(crate) use serde_json::Value;

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program.
pub(crate) fn flowscope<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    run(program().args(args), b"")
}

pub(crate) fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_flowscope"));
    program.env_remove("NO_COLOR");
    program
}

/// Runs a command with this for its standard input.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut started = command.spawn();
    // A program that a test has just written is open for writing in what other tests start meanwhile.
    let is_busy = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ExecutableFileBusy;
    for _ in 0..1000 {
        if !started.as_ref().is_err_and(is_busy) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
        started = command.spawn();
    }
    let mut child = started.expect("the program was built");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || {
        // The program need not read all of it.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("it ends");
    feeder.join().expect("writing does not panic");
    Ran {
        code: output.status.code().expect("no signal ended it"),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

pub(crate) type Packets = Vec<(Timestamp, Vec<u8>)>;

/// A capture of these packets, in memory.
pub(crate) fn pcap(packets: &Packets) -> Vec<u8> {
    let mut writer = CaptureWriter::pcap(Vec::new(), LinkType::ETHERNET).unwrap();
    for (ts, frame) in packets {
        writer.write(PacketView::new(frame, LinkType::ETHERNET, *ts)).unwrap();
    }
    writer.finish().unwrap()
}

/// A file of this content.
pub(crate) fn file(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.join(name);
    let mut file = BufWriter::new(File::create(&path).unwrap());
    file.write_all(content).unwrap();
    file.flush().unwrap();
    path
}

/// One TCP connection, a DNS exchange, a ping over a VLAN, and a frame that is no flow.
pub(crate) fn small_dialogue() -> Packets {
    let mut packets = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80")
        .at(1_767_323_045)
        .handshake()
        .data(Initiator, b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        .data(Responder, b"HTTP/1.1 204 No Content\r\n\r\n")
        .close(Responder)
        .build();
    let dns = Dialogue::udp("[2001:db8::1]:5353", "[2001:db8::2]:53").at(1_767_323_046);
    packets.extend(dns.datagram(Initiator, [0; 30]).datagram(Responder, [0; 60]).build());
    let ping = frame().ethernet().vlan(7).ipv4("10.0.0.9", "10.0.0.8").echo_request(1, 1);
    let at = Timestamp::from_nanos(1_767_323_046_500_000_001);
    packets.push((at, ping.payload([0; 8]).build()));
    let mut arp = vec![0xff; 12];
    arp.extend([8, 6]);
    arp.extend([0; 28]);
    packets.push((at, arp));
    packets
}

/// Every line as an object.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Checks the ledgers of JSON output, and returns its records and the packets seen.
pub(crate) fn balanced(out: &str) -> (Vec<Value>, u64) {
    let mut records = lines(out);
    let stats = records.pop().expect("at least the statistics");
    assert_eq!(stats["event_type"], "stats");
    for book in ["packets", "bytes"] {
        let book = stats["stats"][book].as_object().expect("a ledger");
        let (seen, others): (Vec<_>, Vec<_>) = book.iter().partition(|(name, _)| *name == "seen");
        let sum: u64 = others.iter().map(|(_, n)| n.as_u64().unwrap()).sum();
        assert_eq!(seen[0].1.as_u64(), Some(sum), "{book:?}");
    }
    let seen = stats["stats"]["packets"]["seen"].as_u64().expect("a count");
    (records, seen)
}

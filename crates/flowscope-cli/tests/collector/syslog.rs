use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::thread;
use std::time::Duration;

use crate::program::*;

/// A capture of a flow with an answered query.
fn capture(folder: &Path) -> PathBuf {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/mixed.pcapng");
    let copy = folder.join("mixed.pcapng");
    std::fs::copy(path, &copy).unwrap();
    copy
}

fn send(capture: &Path, args: &[&str], to: &str) -> Ran {
    run(program().args(["sessions", "-q", "-o", to]).args(args).arg(capture), b"")
}

/// The records that the same run prints.
fn printed(capture: &Path, format: &str) -> Vec<String> {
    let ran = run(program().args(["sessions", "-q", "--format", format]).arg(capture), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out.lines().map(str::to_owned).collect()
}

/// The header's fields and the rest of a message.
fn fields(message: &str) -> (Vec<&str>, &str) {
    let mut fields: Vec<&str> = message.splitn(8, ' ').collect();
    let rest = fields.pop().unwrap();
    (fields, rest)
}

pub(crate) fn each_record_is_a_datagram() {
    let folder = tempfile::tempdir().unwrap();
    let capture = capture(folder.path());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let to = format!("syslog://{}", socket.local_addr().unwrap());
    let ran = send(&capture, &["--format", "json", "--syslog-facility", "local5"], &to);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let mut buffer = [0; 65536];
    let mut records = Vec::new();
    let expected = printed(&capture, "json");
    assert!(expected.len() > 10);
    for _ in &expected {
        let len = socket.recv(&mut buffer).unwrap();
        let message = std::str::from_utf8(&buffer[..len]).unwrap();
        let (header, record) = fields(message);
        assert_eq!(header[0], "<174>1", "local5, informational, version 1");
        assert!(header[1].ends_with('Z') && header[1].len() <= 27, "{}", header[1]);
        assert!(header[4].parse::<u32>().is_ok(), "{message}");
        assert_eq!([header[3], header[5], header[6]], ["flowscope", "json", "-"]);
        records.push(record.to_owned());
    }
    assert_eq!(records, expected);
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut buffer).is_err(), "no more than the records");
}

pub(crate) fn a_stream_has_the_length_of_each_message() {
    let folder = tempfile::tempdir().unwrap();
    let capture = capture(folder.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("syslog+tcp://{}", listener.local_addr().unwrap());
    let reader = thread::spawn(move || {
        let mut text = String::new();
        listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
        text
    });
    let ran = send(&capture, &["--format", "eve"], &to);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let text = reader.join().unwrap();
    let (mut rest, mut records) = (text.as_str(), Vec::new());
    while !rest.is_empty() {
        let (len, behind) = rest.split_once(' ').unwrap();
        let (message, behind) = behind.split_at(len.parse().unwrap());
        let (header, record) = fields(message);
        assert_eq!([header[0], header[5]], ["<134>1", "eve"], "local0 without an option");
        records.push(record.to_owned());
        rest = behind;
    }
    let expected = printed(&capture, "eve");
    assert_eq!(records, expected, "with the statistics at the end");
    assert!(records.last().unwrap().contains(r#""event_type":"stats""#));
}

pub(crate) fn only_lines_of_json_are_messages() {
    for format in ["table", "csv", "zeek", "ipfix"] {
        let ran = flowscope(["flows", "--format", format, "-o", "syslog://127.0.0.1:9", "x"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{format}");
        assert!(ran.err.contains("eve, json or zeek-json"), "{}", ran.err);
    }
}

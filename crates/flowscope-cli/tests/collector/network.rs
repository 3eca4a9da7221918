use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::program::*;

/// A capture of as many flows.
fn capture(folder: &Path, flows: u16) -> std::path::PathBuf {
    let packets: Packets = (0..flows)
        .flat_map(|n| {
            let talk = Dialogue::udp(&format!("10.0.0.1:{}", 1024 + n), "10.0.0.2:9999");
            talk.at(1_767_323_045).datagram(Initiator, [0; 30]).datagram(Responder, [0; 60]).build()
        })
        .collect();
    file(folder, "flows.pcap", &pcap(&packets))
}

fn export(capture: &Path, to: &str) -> Ran {
    let command = ["flows", "-q", "--format", "ipfix", "--observation-domain", "9", "-o", to];
    run(program().args(command).arg(capture), b"")
}

/// Length, sequence number and observation domain of each message.
fn headers(mut bytes: &[u8]) -> Vec<(u16, u32, u32)> {
    let mut headers = Vec::new();
    while !bytes.is_empty() {
        assert_eq!(bytes[..2], [0, 10], "version");
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let len = u16::from_be_bytes([bytes[2], bytes[3]]);
        headers.push((len, word(8), word(12)));
        bytes = &bytes[len.into()..];
    }
    headers
}

pub(crate) fn messages_of_a_file_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let capture = capture(folder.path(), 1000);
    let [first, second] = ["a.ipfix", "b.ipfix"].map(|name| {
        let path = folder.path().join(name);
        let ran = export(&capture, path.to_str().unwrap());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        std::fs::read(path).unwrap()
    });
    assert!(first == second, "the same capture gives the same bytes");
    let headers = headers(&first);
    assert!(headers.len() > 1 && headers[0].1 == 0 && headers[1].1 > 100, "{headers:?}");
    assert!(headers.iter().all(|(_, _, domain)| *domain == 9), "{headers:?}");
}

pub(crate) fn a_collector_is_sent_the_same_over_udp_and_tcp() {
    let folder = tempfile::tempdir().unwrap();
    let capture = capture(folder.path(), 40);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let ran = export(&capture, &format!("udp://{}", socket.local_addr().unwrap()));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let mut datagrams = Vec::new();
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 65536];
    while let Ok(len) = socket.recv(&mut buffer) {
        let headers = headers(&buffer[..len]);
        assert_eq!(headers.len(), 1, "a datagram is a message");
        assert!(len <= 1232, "{len} bytes");
        datagrams.extend(headers);
    }
    assert!(datagrams.len() > 5, "{datagrams:?}");
    assert!(datagrams.is_sorted_by_key(|(_, sequence, _)| *sequence), "{datagrams:?}");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let ran = export(&capture, &format!("tcp://{address}"));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let stream = reader.join().unwrap();
    assert_eq!(headers(&stream).len(), 1);
    // A file of the same capture has the same records; export times are others.
    let path = folder.path().join("flows.ipfix");
    assert_eq!(export(&capture, path.to_str().unwrap()).code, 0);
    assert_eq!(std::fs::read(path).unwrap()[8..], stream[8..]);
}

pub(crate) fn a_refused_datagram_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let capture = capture(folder.path(), 100);
    // A port that was free a moment ago.
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = export(&capture, &format!("udp://{closed}"));
    assert_eq!(ran.code, 5, "{ran:?}");
    let lines: Vec<_> = ran.err.lines().collect();
    assert_eq!(lines.len(), 2, "said once, and at the end: {lines:?}");
    assert!(lines[0].contains("cannot send: Connection refused"), "{lines:?}");
    assert!(lines[1].contains("messages were not sent"), "{lines:?}");
}

pub(crate) fn a_collector_that_does_not_listen_is_exit_code_5() {
    let folder = tempfile::tempdir().unwrap();
    let capture = capture(folder.path(), 1);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (to, said) in
        [(format!("tcp://{closed}"), "Connection refused"), ("udp://127.0.0.1".into(), "invalid")]
    {
        let ran = export(&capture, &to);
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.err.contains(&to) && ran.err.contains(said), "{}", ran.err);
    }
}

pub(crate) fn a_collector_that_hangs_up_is_exit_code_5() {
    let folder = tempfile::tempdir().unwrap();
    let capture = capture(folder.path(), 20_000);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Closed with bytes unread: a reset.
    let reader =
        thread::spawn(move || listener.accept().unwrap().0.read_exact(&mut [0; 16]).unwrap());
    let ran = export(&capture, &format!("tcp://{address}"));
    reader.join().unwrap();
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.err.lines().next().unwrap().contains("cannot send: "), "{}", ran.err);
    assert!(ran.err.contains("messages were not sent"), "{}", ran.err);
}

pub(crate) fn wrong_usage_is_exit_code_2() {
    let cases: [&[&str]; 4] = [
        &["flows", "--format", "eve", "-o", "udp://127.0.0.1:9", "x"],
        &["flows", "--format", "ipfix", "--output-dir", "x", "x"],
        &["flows", "--format", "ipfix", "--fields", "bytes", "x"],
        &["sessions", "--format", "ipfix", "x"],
    ];
    for args in cases {
        let ran = flowscope(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
    }
}

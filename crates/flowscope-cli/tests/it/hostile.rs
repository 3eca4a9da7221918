mod attacks;

use flowscope_testkit::Rng;

use super::*;

#[test]
fn file_names_do_not_steer_the_terminal() {
    let ran = flowscope(["flows", "no\x1b[2Jsuch\nfile\u{202e}\u{9b}.pcap"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("no\\u{1b}[2Jsuch\\nfile\\u{202e}\\u{9b}.pcap"), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 1);
}

#[cfg(unix)]
#[test]
fn file_names_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"\xff\xfe.pcap"));
    std::fs::write(&path, pcap(&small_dialogue())).unwrap();
    let ran = run(program().args(["flows", "-q", "--format=eve"]).arg(&path), b"");
    assert_eq!((ran.code, balanced(&ran.out).1), (0, 13));
}

/// Whatever the bytes, the program ends by itself, prints JSON, and its ledgers balance.
#[test]
fn broken_captures_and_frames() {
    let mut rng = Rng::new(20);
    let whole = pcap(&small_dialogue());
    for round in 0..60 {
        let mut bytes = whole.clone();
        for _ in 0..=rng.below(40) {
            let at = 24 + rng.below(bytes.len() - 24);
            bytes[at] = rng.next_u64() as u8;
        }
        let command = if round % 2 == 0 { "flows" } else { "events" };
        let mut args = vec![command, "-"];
        if command == "flows" {
            args.push("--format=eve");
        }
        let ran = run(program().args(&args), &bytes);
        assert!(ran.code == 0 || ran.code == 3, "round {round}: {ran:?}");
        balanced(&ran.out);
        let shown = |c: char| c == '\n' || !c.is_control();
        assert!(ran.out.chars().all(shown) && ran.err.chars().all(shown), "round {round}");
    }
}

#[test]
fn frames_of_nonsense() {
    let mut rng = Rng::new(30);
    let mut packets = Packets::new();
    for n in 0..3000_u64 {
        let len = rng.below(120);
        let mut frame = rng.bytes(len);
        if len > 24 && n % 3 > 0 {
            frame[12..14].copy_from_slice(if n % 2 == 0 { &[8, 0] } else { &[0x86, 0xdd] });
            frame[14] = if n % 2 == 0 { 0x45 } else { 0x60 };
        }
        packets.push((Timestamp::from_nanos(rng.next_u64()), frame));
    }
    let capture = pcap(&packets.iter().filter(|(ts, _)| ts.secs() < 1 << 32).cloned().collect());
    let expected = packets.iter().filter(|(ts, _)| ts.secs() < 1 << 32).count() as u64;
    for args in [&["flows", "--format=eve", "-"][..], &["events", "-"]] {
        let ran = run(program().args(args), &capture);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(balanced(&ran.out).1, expected);
    }
    for format in ["table", "zeek", "csv"] {
        assert_eq!(run(program().args(["flows", "--format", format, "-"]), &capture).code, 0);
    }
}

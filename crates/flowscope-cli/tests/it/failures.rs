use std::fs;

use super::*;

#[test]
fn wrong_usage_is_2() {
    let cases: [&[&str]; 9] = [
        &[],
        &["flows"],
        &["nonsense"],
        &["flows", "--format", "xml", "x"],
        &["flows", "--workers", "0", "x"],
        &["flows", "--tcp-idle", "soon", "x"],
        &["flows", "--active", "0", "x"],
        &["flows", "--memory", "much", "x"],
        &["events", "--format", "table", "x"],
    ];
    for args in cases {
        let ran = flowscope(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(!ran.err.is_empty(), "{args:?}");
    }
}

#[test]
fn what_is_no_capture_is_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "image.gif", b"GIF89a and so on, for a while");
    let absent = folder.path().join("absent.pcap");
    for (path, said) in [(&path, "not a pcap or pcapng capture"), (&absent, "No such file")] {
        let ran = flowscope(["flows".as_ref(), path.as_os_str()]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
        assert!(ran.err.contains(said) && ran.err.contains(path.to_str().unwrap()), "{}", ran.err);
    }
}

#[test]
fn a_bad_file_among_others_is_told_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let good = file(folder.path(), "good.pcap", &pcap(&small_dialogue()));
    let bad = file(folder.path(), "bad.pcap", b"nothing of use");
    let mut command = program();
    command.args(["flows", "--format", "eve"]).args([&bad, &good]);
    let ran = run(&mut command, b"");
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("bad.pcap"), "{}", ran.err);
    assert_eq!(balanced(&ran.out).1, 13);
}

#[test]
fn damage_costs_what_comes_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let packets = small_dialogue();
    let whole = pcap(&packets);
    // Within the last packet but one.
    let last = packets[packets.len() - 1].1.len() + 16;
    let cut = &whole[..whole.len() - last - 10];
    let path = file(folder.path(), "cut.pcap", cut);
    for (args, rows) in [(["flows", "--format=eve"], 2), (["events", "--quiet"], 20)] {
        let ran = run(program().args(args).arg(&path), b"");
        assert_eq!(ran.code, 3, "{ran:?}");
        let (records, seen) = balanced(&ran.out);
        assert!(records.len() >= rows, "{}", ran.out);
        assert_eq!(seen, packets.len() as u64 - 1);
        let at = cut.len() - (packets[packets.len() - 2].1.len() + 16 - 10);
        assert!(ran.err.contains(&format!("cut.pcap: byte {at}: expected")), "{}", ran.err);
        assert!(ran.out.contains("\"file_truncated\":1"), "{}", ran.out);
    }
}

#[test]
fn every_prefix_of_a_capture_gives_the_packets_in_it() {
    let whole = pcap(&small_dialogue());
    for len in (24..whole.len()).step_by(37) {
        let ran = run(program().args(["flows", "--format=eve", "-q", "-"]), &whole[..len]);
        let (_, seen) = balanced(&ran.out);
        assert!(ran.code == 3 || ran.code == 0, "{len}: {ran:?}");
        assert!(seen <= 13, "{len}");
    }
}

#[test]
fn output_appears_when_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "small.pcap", &pcap(&small_dialogue()));
    let out = folder.path().join("flows.json");
    file(folder.path(), "flows.json.part", b"left over");
    let run_to = |out: &Path| {
        let mut command = program();
        command.args(["flows", "--format", "eve", "-o"]).arg(out).arg(&path);
        run(&mut command, b"")
    };
    let ran = run_to(&out);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    assert_eq!(balanced(&fs::read_to_string(&out).unwrap()).1, 13);
    assert!(!folder.path().join("flows.json.part").exists());

    let ran = run_to(&folder.path().join("absent/flows.json"));
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.err.contains("absent/flows.json: cannot write"), "{}", ran.err);
    assert_eq!(run_to(folder.path()).code, 5, "a folder is no output");
}

#[test]
fn an_input_is_never_the_output() {
    let folder = tempfile::tempdir().unwrap();
    let content = pcap(&small_dialogue());
    for (input, output) in [("a.pcap", "a.pcap"), ("b.part", "b")] {
        let path = file(folder.path(), input, &content);
        let mut command = program();
        command.arg("flows").arg(&path).arg("-o").arg(folder.path().join(output));
        let ran = run(&mut command, b"");
        assert_eq!(ran.code, 2, "{ran:?}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[test]
fn a_failed_run_leaves_an_earlier_output_alone() {
    let folder = tempfile::tempdir().unwrap();
    let bad = file(folder.path(), "bad.pcap", b"nothing of use");
    let out = file(folder.path(), "out.csv", b"of yesterday");
    let mut command = program();
    command.args(["flows", "--format=csv", "-o"]).arg(&out).arg(&bad);
    assert_eq!(run(&mut command, b"").code, 1);
    assert_eq!(fs::read(&out).unwrap(), b"of yesterday");
    assert!(!folder.path().join("out.csv.part").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_5() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "small.pcap", &pcap(&small_dialogue()));
    for workers in ["1", "3"] {
        let mut command = program();
        command.args(["events", "--workers", workers, "-o", "/dev/full"]).arg(&path);
        let ran = run(&mut command, b"");
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.err.contains("/dev/full: cannot write"), "{}", ran.err);

        let mut command = program();
        command.args(["events", "--workers", workers]).arg(&path);
        let full = File::options().write(true).open("/dev/full").unwrap();
        let status = command.stdout(full).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(5));
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    use std::io::{BufRead, BufReader};
    let mut many = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").handshake();
    for _ in 0..20_000 {
        many = many.data(Initiator, b"x");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "many.pcap", &pcap(&many.build()));
    for workers in ["1", "2"] {
        let mut child = program()
            .args(["events", "--workers", workers])
            .arg(&path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        drop(out);
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    }
}

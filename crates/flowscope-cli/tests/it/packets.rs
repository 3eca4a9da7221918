//! `extract`, `split` and `follow --output-dir`: packets and bytes of flows, in files.

use std::collections::BTreeMap;
use std::fs;

use super::*;

/// The flows of a capture, each by its id.
fn flows(path: &Path) -> BTreeMap<u64, Value> {
    let ran = run(program().args(["flows", "--format=eve", "-q"]).arg(path), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    let (records, _) = balanced(&ran.out);
    records.into_iter().map(|record| (record["flow_id"].as_u64().unwrap(), record)).collect()
}

/// The packets that flows have in all.
fn packets(flows: &BTreeMap<u64, Value>) -> u64 {
    let of = |flow: &Value| {
        let count = |name: &str| flow["flow"][name].as_u64().unwrap();
        count("pkts_toserver") + count("pkts_toclient")
    };
    flows.values().map(of).sum()
}

/// What does not depend on the other packets of a capture: ids count them, and idle flows end when a later
/// packet comes.
fn alone(flow: &Value) -> Value {
    let mut flow = flow.clone();
    flow["flow_id"] = Value::Null;
    flow["timestamp"] = Value::Null;
    for (object, name, idle) in
        [("flow", "reason", "timeout"), ("flowscope", "end_reason", "idle_timeout")]
    {
        if flow[object][name] == idle
            || flow[object][name] == "shutdown"
            || flow[object][name] == "end_of_input"
        {
            flow[object][name] = "no more packets".into();
        }
    }
    flow
}

/// Frames of a capture as text, in order.
fn frames(path: &Path) -> Vec<String> {
    use flowscope::core::PacketSource;
    let mut frames = Vec::new();
    let mut source = flowscope::pcap::CaptureFiles::new([path]);
    let mut take = |views: &[PacketView<'_>]| {
        for view in views {
            frames.push(format!("{:?} {} {:?}", view.ts(), view.link(), view.frame()));
        }
    };
    while source.next_batch(&mut take).unwrap() > 0 {}
    frames
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name)
}

/// Two conversations over UDP, one of them in fragments that come in between, out of order, one twice; and an
/// ICMP message in fragments of a tunnel.
fn fragmented(folder: &Path) -> PathBuf {
    let large = |from: &str, to: &str, id: u32, fill: u8| {
        let datagram = frame().ethernet().ipv4(from, to).udp(4000, 5000).payload([fill; 200]);
        datagram.fragments(id, 80)
    };
    let (a, b) = (large("10.0.0.1", "10.0.0.2", 7, 1), large("10.0.0.3", "10.0.0.2", 7, 2));
    let small = frame().ethernet().ipv4("10.0.0.2", "10.0.0.1").udp(5000, 4000).payload([9; 8]);
    let tcp = frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(4000, 5000).payload([3; 8]);
    let inner = frame().ipv4("10.1.0.1", "10.1.0.2").udp(1, 2).payload([4; 160]);
    let tunnel = frame().ethernet().ipv4("10.0.0.8", "10.0.0.9").protocol(4);
    let tunnel = tunnel.payload(inner.build()).fragments(3, 64);
    let mut all: Vec<Vec<u8>> = vec![a[1].clone(), b[0].clone(), tunnel[0].clone(), small.build()];
    all.extend([a[0].clone(), b[2].clone(), a[1].clone(), tunnel[1].clone(), tcp.build()]);
    all.extend(tunnel[2..].iter().cloned());
    all.extend([
        a[2].clone(),
        b[1].clone(),
        small.build(),
        large("10.0.0.5", "10.0.0.2", 8, 5)[0].clone(),
    ]);
    let at = |n: usize| Timestamp::from_nanos(1_767_323_045_000_000_000 + n as u64 * 1_000_000);
    let packets: Packets = all.into_iter().enumerate().map(|(n, frame)| (at(n), frame)).collect();
    file(folder, "fragmented.pcap", &pcap(&packets))
}

#[test]
fn extracting_each_flow_in_turn_divides_the_capture() {
    let folder = tempfile::tempdir().unwrap();
    let small = file(folder.path(), "small.pcap", &pcap(&small_dialogue()));
    let mut captures = vec![small, fragmented(folder.path())];
    captures.extend(["mixed.pcapng", "vxlan.pcap", "qinq.pcap", "ipv6.pcap"].map(data));
    captures.extend(["http-keep-alive.pcapng.zst", "dns-udp.pcap.gz"].map(data));
    for path in captures {
        let all = flows(&path);
        let whole = frames(&path);
        assert!(!all.is_empty(), "{path:?}");
        let mut sum = 0;
        for (id, flow) in &all {
            let out = folder.path().join("one.pcapng");
            let condition = format!("flow_id == {id}");
            let mut command = program();
            command.arg("extract").arg(&path).args(["--where", &condition, "-o"]).arg(&out);
            let ran = run(&mut command, b"");
            assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{path:?}: {ran:?}");
            let one = flows(&out);
            let of: Vec<_> = one.values().map(alone).collect();
            assert_eq!(of, [alone(flow)], "{path:?}, flow {id}");
            let written = frames(&out);
            assert_eq!(written.len() as u64, packets(&one), "{path:?}, flow {id}");
            // In order: each is found behind the one before.
            let mut rest = whole.iter();
            assert!(written.iter().all(|frame| rest.any(|other| other == frame)), "{path:?}");
            sum += packets(&one);
        }
        assert_eq!(sum, packets(&all), "{path:?}");
    }
}

#[test]
fn conditions_of_sessions_and_filters_choose_packets() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.pcap");
    let check = |args: &[&str], expected: usize| {
        let mut command = program();
        command.arg("extract").arg(data("mixed.pcapng")).args(args).arg("-o").arg(&out);
        let ran = run(&mut command, b"");
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        let found = flows(&out);
        assert_eq!(found.len(), expected, "{args:?}");
        let said = format!("written: {} packets of {expected} flow", packets(&found));
        assert!(ran.err.contains(&said), "{said}: {}", ran.err);
    };
    check(&["--where", "sni == lab.test && bytes > 4K"], 1);
    check(&["--where", "app_proto == tls"], 3);
    check(&["--where", "app_proto == tls", "-f", "tcp"], 3);
    check(&["--where", "app_proto == tls", "--vlan-key"], 3);
    check(&["--where", "bytes > 1G"], 0);
    // What the filter leaves out is not captured for the flow either.
    let mut command = program();
    let args = ["extract", "--where", "proto == tcp", "-f", "tcp dst port 443", "-o"];
    assert_eq!(run(command.args(args).arg(&out).arg(data("mixed.pcapng")), b"").code, 0);
    let found = flows(&out);
    assert!(!found.is_empty());
    assert!(found.values().all(|flow| flow["flow"]["pkts_toclient"] == 0), "{found:#?}");
}

#[test]
fn the_name_of_a_capture_says_its_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "small.pcap", &pcap(&small_dialogue()));
    let written = |name: &str| {
        let out = folder.path().join(name);
        let mut command = program();
        command.arg("extract").arg(&path).args(["--where", "packets > 0", "-o"]).arg(&out);
        let ran = run(&mut command, b"");
        let all = if ran.code == 0 { flows(&out).len() } else { 0 };
        (ran.code, all, fs::read(&out).unwrap_or_default().into_iter().take(4).collect::<Vec<_>>())
    };
    assert_eq!(written("a.pcapng"), (0, 3, vec![0x0a, 0x0d, 0x0d, 0x0a]));
    assert_eq!(written("a.pcap"), (0, 3, vec![0x4d, 0x3c, 0xb2, 0xa1]));
    let (code, all, magic) = written("a.pcap.gz");
    assert_eq!((code, all, &magic[..2]), (0, 3, &[0x1f, 0x8b][..]));
    assert_eq!(written("a.pcap.zst"), (2, 0, vec![]));
    // To a pipe, pcapng.
    let mut command = program();
    command.arg("extract").arg(&path).args(["--where", "packets > 0"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.stdout.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]));
}

#[test]
fn each_flow_has_a_capture() {
    let folder = tempfile::tempdir().unwrap();
    for (number, path) in [data("mixed.pcapng"), data("vxlan.pcap"), fragmented(folder.path())]
        .into_iter()
        .enumerate()
    {
        let all = flows(&path);
        let dir = folder.path().join(number.to_string());
        let ran = run(program().arg("split").arg(&path).arg("-o").arg(&dir), b"");
        assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
        let mut names: Vec<_> =
            fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        assert_eq!(names.len(), all.len(), "{names:?}");
        let mut sum = 0;
        for (name, (id, flow)) in names.iter().zip(&all) {
            let text = name.file_name().unwrap().to_str().unwrap();
            assert!(text.starts_with(&format!("{id:08}_")), "{text}");
            let one = flows(name);
            let of: Vec<_> = one.values().map(alone).collect();
            assert_eq!(of, [alone(flow)], "{path:?}, flow {id}");
            sum += packets(&one);
        }
        assert_eq!(sum, packets(&all));
    }
}

#[test]
fn files_are_limited_and_not_mixed_with_others() {
    let folder = tempfile::tempdir().unwrap();
    let split = |args: &[&str], dir: &str| {
        let mut command = program();
        command.arg("split").arg(data("mixed.pcapng")).args(args);
        run(command.arg("-o").arg(folder.path().join(dir)), b"")
    };
    let ran = split(&["--max-files", "22"], "a");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("more than 22 files"), "{}", ran.err);
    assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 0);
    assert_eq!(split(&["--max-files", "3", "--where", "app_proto == tls"], "a").code, 0);
    assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 3);
    let ran = split(&[], "a");
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.err.contains("not empty"), "{}", ran.err);
    let ran = run(program().arg("split").arg(data("mixed.pcapng")), b"");
    assert_eq!(ran.code, 2, "{ran:?}");
}

#[test]
fn what_can_be_read_once_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    for command in ["extract", "split"] {
        for input in ["-", "/dev/stdin"] {
            let args = [command, input, "--where", "bytes > 1", "-o", out.to_str().unwrap()];
            let ran = run(program().args(args), &pcap(&small_dialogue()));
            assert_eq!(ran.code, 2, "{ran:?}");
            assert!(ran.err.contains("only once"), "{}", ran.err);
            assert!(!out.exists());
        }
    }
}

#[test]
fn what_cannot_be_read_or_written_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let whole = pcap(&small_dialogue());
    let cut = file(folder.path(), "cut.pcap", &whole[..whole.len() - 5]);
    let extract = |path: &Path, out: &Path| {
        let mut command = program();
        command.arg("extract").arg(path).args(["--where", "packets > 0", "-o"]).arg(out);
        run(&mut command, b"")
    };
    let out = folder.path().join("out.pcapng");
    let ran = extract(&cut, &out);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(ran.err.matches("cut.pcap: byte").count(), 1, "{}", ran.err);
    assert_eq!(flows(&out).len(), 3);

    fs::remove_file(&out).unwrap();
    let absent = folder.path().join("absent.pcap");
    assert_eq!(extract(&absent, &out).code, 1);
    assert!(!out.exists() && !folder.path().join("out.pcapng.part").exists());
    assert_eq!(extract(&cut, &cut).code, 2);
    assert_eq!(extract(&cut, &folder.path().join("no/where.pcap")).code, 5);

    // Two link types do not fit into pcap.
    let mut writer = CaptureWriter::pcapng(Vec::new()).unwrap();
    for (link, frame) in [
        (LinkType::ETHERNET, frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).build()),
        (LinkType::RAW, frame().ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).build()),
    ] {
        writer.write(PacketView::new(&frame, link, Timestamp::from_secs(9))).unwrap();
    }
    let two = file(folder.path(), "two.pcapng", &writer.finish().unwrap());
    let ran = extract(&two, &folder.path().join("two.pcap"));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("ends in .pcapng"), "{}", ran.err);
    let out = folder.path().join("both.pcapng");
    assert_eq!(extract(&two, &out).code, 0);
    assert_eq!(frames(&out), frames(&two));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_and_a_reader_that_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let mut many = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").handshake();
    for _ in 0..2_000 {
        many = many.data(Initiator, [7; 1000]);
    }
    let path = file(folder.path(), "many.pcap", &pcap(&many.build()));
    let extract = || {
        let mut command = program();
        command.args(["extract", "--where", "packets > 0"]).arg(&path);
        command
    };
    let ran = run(extract().args(["-o", "/dev/full"]), b"");
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.err.contains("/dev/full: cannot write"), "{}", ran.err);

    let mut child = extract().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn streams_are_files_and_gaps_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let mut packets = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80")
        .at(1_767_323_045)
        .handshake()
        .data(Initiator, b"one")
        .data(Initiator, b"lost!")
        .data(Initiator, b"three")
        .data(Responder, b"answer")
        .close(Responder)
        .build();
    let lost = packets.iter().position(|(_, frame)| frame.ends_with(b"lost!")).unwrap();
    packets.remove(lost);
    let dns = Dialogue::udp("10.0.0.1:5353", "10.0.0.2:53").at(1_767_323_046);
    packets.extend(dns.datagram(Initiator, b"query").datagram(Responder, b"reply").build());
    let path = file(folder.path(), "gap.pcap", &pcap(&packets));
    let dir = folder.path().join("streams");
    let follow = |args: &[&str]| {
        let mut command = program();
        run(command.arg("follow").arg(&path).args(args).arg("--output-dir").arg(&dir), b"")
    };
    let ran = follow(&[]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    assert!(ran.err.contains("written: 4 streams"), "{}", ran.err);
    let index = lines(&fs::read_to_string(dir.join("index.json")).unwrap());
    assert_eq!(index.len(), 2, "{index:#?}");
    for (flow, sides) in index.iter().zip([["onethree", "answer"], ["query", "reply"]]) {
        for (side, expected) in ["toserver", "toclient"].into_iter().zip(sides) {
            let name = flow[side]["file"].as_str().unwrap();
            assert_eq!(fs::read_to_string(dir.join(name)).unwrap(), expected, "{name}");
            assert_eq!(flow[side]["len"], expected.len(), "{flow}");
        }
    }
    assert_eq!(index[0]["toserver"]["gaps"], serde_json::json!([[3, 5]]));
    assert_eq!(
        index[0]["toserver"]["file"],
        "00000001_tcp_10.0.0.1-40000_10.0.0.2-80_toserver.bin"
    );
    assert_eq!(index[0]["toclient"]["gaps"], serde_json::json!([]));

    assert_eq!(follow(&[]).code, 5, "the directory is not empty");
    fs::remove_dir_all(&dir).unwrap();
    let ran = follow(&["--max-files", "3"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("more than 3 files"), "{ran:?}");
    fs::remove_dir_all(&dir).unwrap();
    assert_eq!(follow(&["10.9.9.9-10.8.8.8"]).code, 1);
    assert_eq!(follow(&["--digest"]).code, 2);
}

#[test]
fn streams_are_those_of_the_digests() {
    let folder = tempfile::tempdir().unwrap();
    let path = data("mixed.pcapng");
    let dir = folder.path().join("streams");
    let ran = run(program().arg("follow").arg(&path).arg("--out").arg(&dir), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    let index = lines(&fs::read_to_string(dir.join("index.json")).unwrap());
    let digests = run(program().args(["follow", "--digest"]).arg(&path), b"");
    let mut compared = 0;
    for digest in lines(&digests.out) {
        let flow = index.iter().find(|flow| flow["community_id"] == digest["community_id"]);
        for side in ["toserver", "toclient"] {
            let len = digest[side]["len"].as_u64().unwrap();
            let Some(flow) = flow else {
                assert_eq!(len, 0, "{digest}");
                continue;
            };
            assert_eq!(flow[side]["len"], len, "{flow}");
            assert_eq!(flow[side]["gaps"], digest[side]["gaps"]);
            if let Some(name) = flow[side]["file"].as_str() {
                assert_eq!(fs::metadata(dir.join(name)).unwrap().len(), len);
                compared += 1;
            }
        }
    }
    assert!(compared > 10, "{compared}");
}

#[test]
fn wrong_usage_of_extract_and_split_is_2() {
    let cases: [&[&str]; 6] = [
        &["extract", "x.pcap"],
        &["extract", "--where", "bytes > 1"],
        &["extract", "x.pcap", "--where", "byts > 1"],
        &["split", "x.pcap"],
        &["split", "x.pcap", "-o", "y", "--where", "bytes >"],
        &["split", "x.pcap", "-o", "y", "--max-files", "0"],
    ];
    for args in cases {
        let ran = flowscope(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {ran:?}");
        assert!(!Path::new("y").exists(), "{args:?}");
    }
}

#[test]
fn packets_that_come_late_belong_to_their_flow() {
    let folder = tempfile::tempdir().unwrap();
    for (name, late) in [("reset.pcap", 20), ("mqtt.pcap", 2)] {
        let (capture, out) = (data(name), folder.path().join(name));
        let counted = flows(&capture);
        let ran = run(
            program()
                .args(["extract", "-q", "--where", "flow_id > 0", "-o"])
                .arg(&out)
                .arg(&capture),
            b"",
        );
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(frames(&out).len() as u64, packets(&counted), "{name}");
        let totals = |flows: &BTreeMap<u64, Value>| -> Vec<Value> {
            flows.values().map(|flow| flow["flow"]["bytes_toclient"].clone()).collect()
        };
        assert_eq!(totals(&flows(&out)), totals(&counted), "{name}");

        let mut rows = 0;
        for id in counted.keys() {
            let ladder = run(program().arg("ladder").arg(&capture).arg(id.to_string()), b"");
            rows += ladder.out.lines().filter(|line| line.contains("after the end")).count();
        }
        assert_eq!(rows, late, "{name}");
    }
}

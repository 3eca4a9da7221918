//! Flow records of several captures as one table.

use std::collections::BTreeMap;

use flowscope::core::PacketSource as _;
use flowscope::extract::{AutoDetectEncap, FiveTuple, FlowExtractor as _};
use flowscope::pcap::CaptureReader;

use super::*;

/// Captures of which every flow is one that `merge` knows again.
const CAPTURES: [&str; 14] = [
    "bulk.pcap",
    "dns-tcp.pcap",
    "dns-udp.pcap",
    "half-close.pcap",
    "http-keep-alive.pcap",
    "icmp.pcap",
    "ipv6.pcap",
    "mixed.pcapng",
    "qinq.pcap",
    "reset.pcap",
    "tls13.pcap",
    "udp-unanswered.pcap",
    "vlan.pcap",
    "vxlan.pcap",
];

/// A packet, and a number that is the same for all packets of its flow.
type OfFlow = (u64, (Timestamp, Vec<u8>));

fn packets(capture: &str) -> Vec<OfFlow> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(capture);
    let extractor = AutoDetectEncap(FiveTuple::bidirectional());
    let mut packets = Vec::new();
    let mut reader = CaptureReader::open(path).unwrap();
    let mut take = |views: &[PacketView<'_>]| {
        for view in views {
            assert_eq!(view.link(), LinkType::ETHERNET, "{capture}");
            let flow = extractor.extract(*view).map_or(0, |found| found.key.shard_hash());
            packets.push((flow, (view.ts(), view.frame().to_vec())));
        }
    };
    while reader.next_batch(&mut take).unwrap() > 0 {}
    packets
}

/// What `flows` prints of these packets.
fn flows(format: &str, packets: &Packets, more: &[&str]) -> String {
    let ran =
        run(program().args(["flows", "--format", format]).args(more).arg("-"), &pcap(packets));
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
}

/// What `merge` prints of files of this content.
fn merge(args: &[&str], files: &[impl AsRef<[u8]>]) -> String {
    let ran = merge_of(args, files);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    ran.out
}

fn merge_of(args: &[&str], files: &[impl AsRef<[u8]>]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program();
    command.args(["merge", "-q"]).args(args);
    for (at, content) in files.iter().enumerate() {
        command.arg(file(folder.path(), &format!("{at}.json"), content.as_ref()));
    }
    run(&mut command, b"")
}

/// The lines without a member.
fn without(member: &str, text: &str) -> Vec<Value> {
    let mut lines = lines(text);
    lines.retain(|line| line["event_type"] != "stats");
    lines.iter_mut().for_each(|line| drop(line.as_object_mut().unwrap().remove(member)));
    lines
}

#[test]
fn parts_by_flow_give_the_bytes_of_the_whole() {
    for capture in CAPTURES {
        let packets = packets(capture);
        for format in ["eve", "json"] {
            let of = |part: u64, parts: u64| -> Packets {
                let own = packets.iter().filter(|(flow, _)| flow % parts == part);
                own.map(|(_, packet)| packet.clone()).collect()
            };
            let whole = merge(&[], &[flows(format, &of(0, 1), &[])]);
            for parts in 2..=4 {
                let texts: Vec<_> =
                    (0..parts).map(|part| flows(format, &of(part, parts), &[])).collect();
                assert_eq!(merge(&[], &texts), whole, "{capture}, {parts} parts");
            }
        }
    }
}

#[test]
fn flows_end_as_in_one_run_over_all_files() {
    let begin = 1_767_323_045_u64;
    let asked = |at: u64| {
        Dialogue::udp("10.0.0.1:5000", "10.0.0.2:53").at(begin + at).datagram(Initiator, b"x")
    };
    let talk = |at: u64| Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").at(begin + at).handshake();
    let closed = || talk(0).data(Initiator, b"GET").close(Initiator).build();
    for (first, second) in [
        // Idle, and not yet; closed for longer than late packets are waited for, and not yet.
        (asked(0).build(), talk(61).build()),
        (asked(0).build(), talk(60).build()),
        (talk(0).build(), asked(302).build()),
        (closed(), asked(6).build()),
        (closed(), asked(4).build()),
        (closed(), talk(100).build()),
    ] {
        let whole = flows("eve", &[first.clone(), second.clone()].concat(), &[]);
        let parts = [first, second].map(|part| flows("eve", &part, &[]));
        let stats = |line: &&str| !line.contains("\"event_type\":\"stats\"");
        let whole = merge(&[], &[whole.lines().filter(stats).collect::<Vec<_>>().join("\n")]);
        assert_eq!(merge(&[], &parts), whole);
    }
}

#[test]
fn one_file_stays_what_it_is() {
    for capture in CAPTURES {
        let packets: Packets = packets(capture).into_iter().map(|(_, packet)| packet).collect();
        for format in ["eve", "json"] {
            let sorted = flows(format, &packets, &["--sort", "start"]);
            let merged = merge(&[], &[&sorted]);
            // Flows that start with the same packet time have the order of their keys.
            let by_start = |text: &str| {
                let mut lines = without("flow_id", text);
                lines.sort_by_key(ToString::to_string);
                lines
            };
            assert_eq!(by_start(&merged), by_start(&sorted), "{capture}");
            assert_eq!(merge(&["--sorted"], &[&merged]), merged, "{capture}");
            let again = merge(&[], &[&merged]);
            assert_eq!(again, merged, "{capture}");
        }
    }
}

/// Counters and times of each flow.
fn counters(text: &str) -> BTreeMap<String, Value> {
    let key = |line: &Value| {
        format!(
            "{} {} {}",
            line["flow"]["start"], line["community_id"], line["flowscope"]["icmp_id"]
        )
    };
    let facts = |line: &Value| {
        let flow = &line["flow"];
        let sums = ["pkts_toserver", "pkts_toclient", "bytes_toserver", "bytes_toclient", "end"];
        let own = ["payload_bytes_toserver", "payload_bytes_toclient", "initiator_evidence"];
        let mut facts: Vec<_> = sums.map(|name| flow[name].clone()).into();
        facts.extend(own.map(|name| line["flowscope"][name].clone()));
        facts.extend(["tcp_flags_ts", "tcp_flags_tc"].map(|name| line["tcp"][name].clone()));
        facts.extend(["src_ip", "src_port"].map(|name| line[name].clone()));
        Value::from(facts)
    };
    without("timestamp", text).iter().map(|line| (key(line), facts(line))).collect()
}

#[test]
fn parts_by_time_have_the_counters_of_the_whole() {
    for capture in CAPTURES {
        let packets: Packets = packets(capture).into_iter().map(|(_, packet)| packet).collect();
        let whole = counters(&flows("eve", &packets, &[]));
        let len = packets.len();
        for cuts in [vec![len / 2], vec![len / 3, len / 2], vec![1, 3, len / 4, len - len.min(2)]] {
            let mut texts = Vec::new();
            let mut from = 0;
            for cut in cuts.iter().copied().chain([len]) {
                texts.push(flows("eve", &packets[from..cut.max(from)].to_vec(), &[]));
                from = cut.max(from);
            }
            assert_eq!(counters(&merge(&[], &texts)), whole, "{capture} at {cuts:?}");
        }
    }
}

#[test]
fn the_order_of_the_files_decides_nothing() {
    let packets: Packets = packets("mixed.pcapng").into_iter().map(|(_, packet)| packet).collect();
    for format in ["eve", "json"] {
        let part = |from: usize, to: usize| flows(format, &packets[from..to].to_vec(), &[]);
        let (a, b, c) = (part(0, 100), part(100, 150), part(150, packets.len()));
        let expected = merge(&[], &[&a, &b, &c]);
        for order in [[&c, &b, &a], [&b, &a, &c], [&c, &a, &b]] {
            assert_eq!(merge(&[], &order), expected);
        }
        let sorted = [a, b, c].map(|part| merge(&[], &[part]));
        assert_eq!(merge(&["--sorted"], &sorted), expected);
        let [a, b, c] = sorted;
        assert_eq!(
            merge(&[], &[merge(&[], &[&b, &c]), a]).lines().count(),
            expected.lines().count()
        );
    }
}

#[test]
fn interim_records_are_one_flow() {
    let talk = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").handshake();
    let talk = talk.after(2000).data(Initiator, b"GET").after(2000).data(Responder, b"OK");
    let packets = talk.close(Initiator).build();
    for format in ["eve", "json"] {
        let interims = flows(format, &packets, &["--active", "1"]);
        assert!(interims.lines().count() >= 3, "{interims}");
        let whole = flows(format, &packets, &[]);
        assert_eq!(merge(&[], &[interims]).lines().next(), whole.lines().next());
    }
}

/// A connection, and another on its ports after this many seconds.
fn reused(seconds: u64) -> [Packets; 2] {
    let talk = |at| {
        let talk = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").at(at).handshake();
        talk.data(Initiator, b"GET").data(Responder, b"OK")
    };
    let begin = 1_767_323_045;
    [talk(begin).build(), talk(begin + seconds).build()]
}

#[test]
fn a_connection_on_the_same_ports_is_another() {
    let [first, second] = reused(20).map(|part| flows("eve", &part, &[]));
    let both = lines(&merge(&[], &[&second, &first]));
    assert_eq!(both.len(), 2);
    assert_eq!(both[0]["flowscope"]["end_reason"], "superseded");
    assert_eq!(both[1]["flowscope"]["end_reason"], "end_of_input");
    assert_eq!([&both[0]["flow_id"], &both[1]["flow_id"]], [1, 2]);
}

#[test]
fn silence_divides_flows_and_ends_those_that_were_open() {
    let talk = |at| Dialogue::udp("10.0.0.1:5000", "10.0.0.2:53").at(at).datagram(Initiator, b"x");
    let parts =
        |silence: u64| [0, silence].map(|at| flows("json", &talk(1_767_323_045 + at).build(), &[]));
    let merged = |args: &[&str], silence| lines(&merge(args, &parts(silence)));
    assert_eq!(merged(&[], 60).len(), 1);
    let two = merged(&[], 61);
    assert_eq!([&two[0]["end_reason"], &two[1]["end_reason"]], ["idle_timeout", "end_of_input"]);
    assert_eq!(merged(&["--gap", "2m"], 61).len(), 1);
    assert_eq!(merged(&["--gap", "10"], 11).len(), 2);
}

#[test]
fn sides_are_those_of_the_strongest_evidence() {
    let talk = Dialogue::tcp("10.0.0.9:40000", "10.0.0.2:9999").handshake();
    let packets = talk.data(Initiator, b"GET").data(Responder, b"OKOK").close(Responder).build();
    let halves =
        [packets[..4].to_vec(), packets[4..].to_vec()].map(|part| flows("eve", &part, &[]));
    // The second half begins with the responder's packet.
    assert_eq!(lines(&halves[1])[0]["src_ip"], "10.0.0.2");
    let all = &lines(&merge(&[], &halves))[0];
    assert_eq!(all["src_ip"], "10.0.0.9");
    assert_eq!(all["flowscope"]["payload_bytes_toserver"], 3);
    assert_eq!(all["flowscope"]["payload_bytes_toclient"], 4);
    assert_eq!(all["flowscope"]["conn_state"], "SF");
    assert_eq!(all["flowscope"]["end_reason"], "fin");
}

#[test]
fn flows_of_other_vlans_are_others_unless_asked_for() {
    let ping = |vlan, seconds: u64| {
        let frame = frame().ethernet().vlan(vlan).ipv4("10.0.0.9", "10.0.0.8").echo_request(1, 1);
        flows("eve", &vec![(Timestamp::from_secs(1_767_323_045 + seconds), frame.build())], &[])
    };
    let (one, same, other) = (ping(7, 0), ping(7, 1), ping(8, 1));
    assert_eq!(lines(&merge(&[], &[&one, &same])).len(), 1);
    assert_eq!(lines(&merge(&[], &[&one, &other])).len(), 2);
    assert_eq!(lines(&merge(&["--any-vlan"], &[&one, &other])).len(), 1);
}

#[test]
fn formats_are_those_whose_fields_the_inputs_have() {
    let packets = small_dialogue();
    let [eve, json, csv] = ["eve", "json", "csv"].map(|format| flows(format, &packets, &[]));
    assert_eq!(
        without("flow_id", &merge(&["--format", "json"], &[&eve])),
        without("flow_id", &json)
    );
    let mixed = merge(&[], &[&eve, &json]);
    assert!(lines(&mixed).iter().all(|line| line.get("event_type").is_none()), "{mixed}");
    let merged = merge(&["--format", "csv"], &[&eve]);
    let cells = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split_once(',').unwrap().1.to_owned()).collect()
    };
    assert_eq!(cells(&merged), cells(&csv));
    let table = merge(&["--format", "table"], &[&json]);
    assert!(table.contains("10.0.0.1:40000"), "{table}");
    let ran = merge_of(&["--format", "eve"], &[&json]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("--format json"), "{ran:?}");
    assert_eq!(merge_of(&["--format", "zeek"], &[&eve]).code, 2);
}

#[test]
fn compressed_files_and_pipes_are_read() {
    let text = flows("eve", &small_dialogue(), &[]);
    let expected = merge(&[], &[&text]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    assert_eq!(merge(&[], &[&packed]), expected);
    let ran = run(program().args(["merge", "-"]), text.as_bytes());
    assert_eq!((ran.code, &ran.out), (0, &expected));
    assert_eq!(
        ran.err,
        "flowscope: merged: 3 records of 1 file to 3 flows, passed over: 1 other line\n"
    );
    let cut = merge_of(&[], &[&packed[..packed.len() - 9]]);
    assert_eq!(cut.code, 3, "{cut:?}");
    assert_eq!(run(program().args(["merge", "-", "-"]), b"").code, 2);
}

#[test]
fn damage_is_named_and_costs_its_line_alone() {
    let text = flows("eve", &small_dialogue(), &[]);
    let rows: Vec<&str> = text.lines().collect();
    let count = |ran: &Ran| ran.out.lines().count();
    let cut = merge_of(&[], &[&text[..rows[0].len() + rows[1].len() - 7]]);
    assert_eq!((cut.code, count(&cut)), (3, 1), "{cut:?}");
    assert!(cut.err.contains("0.json: line 2: the line is cut"), "{cut:?}");
    let first = merge_of(&[], &[&text[..20]]);
    assert_eq!((first.code, count(&first)), (3, 0), "{first:?}");
    for (bad, what) in [
        ("{", "the line is cut"),
        ("no JSON", "no JSON object"),
        ("{\"event_type\":\"flow\"}", "no `src_ip`"),
        ("\u{1b}[2J", "no JSON object"),
    ] {
        let ran = merge_of(&[], &[[rows[0], bad, rows[1], bad, rows[2], ""].join("\n")]);
        assert_eq!((ran.code, count(&ran)), (3, 3), "{ran:?}");
        assert!(ran.err.contains(&format!("line 2: {what}")), "{ran:?}");
        assert!(ran.err.contains("2 lines in all"), "{ran:?}");
    }
    let long = format!("{}\n{{\"x\":\"{}\"}}\n{}\n", rows[0], "x".repeat(3 << 20), rows[1]);
    let ran = merge_of(&[], &[long]);
    assert_eq!((ran.code, count(&ran)), (3, 2), "{}", ran.err);
    let mixed = format!("{}\n{}", rows[0], flows("json", &small_dialogue(), &[]));
    let ran = merge_of(&[], &[mixed]);
    assert_eq!((ran.code, count(&ran)), (3, 1), "{ran:?}");
    // No escape sequence of an input gets to the terminal.
    assert!(
        !merge_of(&[], &["{\"event_type\":\"flow\",\"src_ip\":\"\u{1b}[2J\"}\n"])
            .err
            .contains('\u{1b}')
    );
}

#[test]
fn files_of_other_programs_are_refused() {
    let text = flows("eve", &small_dialogue(), &[]);
    let suricata = r#"{"timestamp":"2026-01-02T03:04:05.000000+0000","event_type":"flow","src_ip":"10.0.0.1","dest_ip":"10.0.0.2","proto":"TCP"}"#;
    for (other, what) in [
        (&b"\xd4\xc3\xb2\xa1\x02\x00"[..], "no JSON lines of flow records"),
        (b"#separator \\x09\n", "Zeek's log"),
        (suricata.as_bytes(), "`timestamp`"),
    ] {
        let ran = merge_of(&[], &[other, text.as_bytes()]);
        assert_eq!((ran.code, ran.out.lines().count()), (1, 3), "{ran:?}");
        assert!(ran.err.contains(what) && ran.err.contains("0.json"), "{ran:?}");
        assert_eq!(merge_of(&[], &[other]).out, "");
    }
    let ran = flowscope(["merge", "/absent/x.json"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert_eq!(flowscope(["merge"]).code, 2);
    let seed = merge_of(&["--community-id-seed", "1"], &[&text]);
    assert_eq!(seed.code, 1, "{seed:?}");
    assert!(seed.err.contains("--community-id-seed"), "{seed:?}");
}

#[test]
fn no_more_is_kept_than_allowed() {
    let mut many = Packets::new();
    for port in 0..3000 {
        let ends = (format!("10.0.0.1:{}", 10_000 + port), "10.0.0.2:53");
        let talk =
            Dialogue::udp(&ends.0, ends.1).at(1_767_323_045 + port).datagram(Initiator, b"x");
        many.extend(talk.build());
    }
    let text = flows("json", &many, &[]);
    let ran = merge_of(&["--memory", "256K"], &[&text]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(ran.err.contains("--memory"), "{ran:?}");
    let merged = merge(&[], &[&text]);
    assert_eq!(merge(&["--sorted", "--memory", "256K"], &[&merged]), merged);
    let turned: String = merged.lines().rev().map(|line| format!("{line}\n")).collect();
    let ran = merge_of(&["--sorted"], &[&turned]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("0.json: line 2: starts before"), "{ran:?}");
}

#[test]
fn the_output_is_that_of_other_commands() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "flows.json", flows("eve", &small_dialogue(), &[]).as_bytes());
    let out = folder.path().join("merged.json");
    let merge_to = |out: &Path| run(program().args(["merge", "-q", "-o"]).arg(out).arg(&path), b"");
    assert_eq!(merge_to(&out).code, 0);
    let written = std::fs::read_to_string(&out).unwrap();
    assert_eq!(lines(&written).len(), 3);
    // It replaces what is there.
    assert_eq!(merge_to(&out).code, 0);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), written);
    assert_eq!(merge_to(&path).code, 2, "an input is never the output");
    assert_eq!(merge_to(&folder.path().join("absent/x")).code, 5);
    #[cfg(target_os = "linux")]
    assert_eq!(merge_to(Path::new("/dev/full")).code, 5);
    let bad = file(folder.path(), "bad.json", b"x");
    let ran = run(program().args(["merge", "-o"]).arg(&out).arg(&bad), b"");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), written);
    assert!(!folder.path().join("merged.json.part").exists());
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    use std::io::{BufRead as _, BufReader};

    let mut many = Packets::new();
    for port in 0..5000 {
        let talk = Dialogue::udp(&format!("10.0.0.1:{}", 10_000 + port), "10.0.0.2:53");
        many.extend(talk.at(1_767_323_045).datagram(Initiator, b"x").build());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "many.json", flows("eve", &many, &[]).as_bytes());
    let mut command = program();
    command.args(["merge", "-q"]).arg(path).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

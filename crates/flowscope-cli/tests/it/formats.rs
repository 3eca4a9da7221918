use serde_json::Value;

use super::*;

/// What the program prints of the small dialogue with these arguments.
fn printed(args: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "small.pcap", &pcap(&small_dialogue()));
    let ran = run(program().args(args).arg(&path), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

#[test]
fn table() {
    let ran = printed(&["flows"]);
    insta::assert_snapshot!(ran.out);
    let said = [
        "flowscope: 3 flows, 13 packets, 860 bytes",
        "flowscope: not seen: 1 packet not_a_flow; unread: 1 ethertype arp",
    ];
    assert_eq!(ran.err.lines().collect::<Vec<_>>(), said);
}

#[test]
fn eve() {
    insta::assert_snapshot!(printed(&["flows", "--format", "eve"]).out);
}

#[test]
fn zeek() {
    insta::assert_snapshot!(printed(&["flows", "--format", "zeek"]).out);
}

#[test]
fn csv() {
    insta::assert_snapshot!(printed(&["flows", "--format", "csv"]).out);
}

#[test]
fn events() {
    insta::assert_snapshot!(printed(&["events"]).out);
}

#[test]
fn quiet_means_data_only() {
    assert_eq!(printed(&["flows", "-q"]).err, "");
    assert_eq!(printed(&["events", "--quiet"]).err, "");
}

#[test]
fn every_row_of_csv_and_zeek_has_every_column() {
    let out = printed(&["flows", "--format", "csv"]).out;
    let columns: Vec<_> = out.lines().map(|line| line.split(',').count()).collect();
    assert!(columns.iter().all(|n| *n == columns[0]), "{columns:?}");
    let out = printed(&["flows", "--format", "zeek"]).out;
    let rows = out.lines().filter(|line| !line.starts_with('#'));
    let columns: Vec<_> = rows.map(|line| line.split('\t').count()).collect();
    let fields = out.lines().find(|line| line.starts_with("#fields")).unwrap();
    assert!(columns.iter().all(|n| *n == fields.split('\t').count() - 1), "{columns:?}");
}

#[test]
fn a_row_of_ipv4_fits_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let ends = ("200.200.200.200:60000", "201.201.201.201:60001");
    let mut packets = Dialogue::tcp(ends.0, ends.1).at(1_767_323_045).handshake();
    for _ in 0..20 {
        packets = packets.data(Initiator, [0; 1400]).after(3_000).data(Responder, [1; 1400]);
    }
    let mut packets = packets.close(Initiator).build();
    let other = Dialogue::udp("[2001:db8:1111:2222:3333:4444:5555:6666]:60000", "[::1]:53");
    packets.extend(other.at(1_767_323_200).datagram(Initiator, [0; 9]).build());
    let path = file(folder.path(), "wide.pcap", &pcap(&packets));
    let out = flowscope(["flows".as_ref(), path.as_os_str()]).out;
    for line in out.lines().filter(|line| !line.contains("2001:")) {
        assert!(line.chars().count() <= 120, "{line}");
    }
    assert!(out.contains("[2001:db8:1111:2222:3333:4444:5555:6666]:60000"), "{out}");
}

#[test]
fn records_of_long_flows_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut long = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").at(1000).handshake();
    for n in 0..100 {
        long = long.data(if n % 3 == 0 { Initiator } else { Responder }, [0; 100]).after(1000);
    }
    // Two packets after the end: they are in the last record.
    let packets = long.close(Initiator).ack_from(Responder).ack_from(Initiator).build();
    let bytes: usize = packets.iter().map(|(_, frame)| frame.len()).sum();
    let path = file(folder.path(), "long.pcap", &pcap(&packets));
    let args = ["flows", "--format", "eve", "--active", "20", "--linger", "2s", "-r"];
    let ran = run(program().args(args).arg(&path), b"");
    let (records, seen) = balanced(&ran.out);
    let sum = |names: [&str; 2]| -> u64 {
        let sum = |record: &Value| names.map(|name| record["flow"][name].as_u64().unwrap());
        records.iter().flat_map(sum).sum()
    };
    assert_eq!(seen, packets.len() as u64);
    assert_eq!(sum(["pkts_toserver", "pkts_toclient"]), seen);
    assert_eq!(sum(["bytes_toserver", "bytes_toclient"]), bytes as u64);
    let kinds: Vec<_> = records
        .iter()
        .map(|record| {
            let own = &record["flowscope"];
            assert_eq!(own.get("late"), None);
            (own["end_reason"].as_str().unwrap(), own["interim"].as_u64())
        })
        .collect();
    let expected = [
        ("active_timeout", Some(1)),
        ("active_timeout", Some(2)),
        ("active_timeout", Some(3)),
        ("active_timeout", Some(4)),
        ("active_timeout", Some(5)),
        ("fin", None),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn short_help_fits_one_screen() {
    for command in ["flows", "sessions", "summary", "top", "events", "follow", "extract", "split"] {
        let ran = run(program().env("COLUMNS", "80").args([command, "-h"]), b"");
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert!(ran.out.lines().count() < 24, "{command}: {}", ran.out);
        assert!(!ran.out.contains("--max-flows"), "{}", ran.out);
        let long = flowscope([command, "--help"]).out;
        assert!(long.contains("--max-flows") && long.contains("Examples"), "{long}");
    }
    let all = run(program().env("COLUMNS", "80").arg("-h"), b"").out;
    assert!(all.lines().count() < 40 && !all.contains("Examples"), "{all}");
    assert!(flowscope(["--help"]).out.contains("Examples"));
    let flows = run(program().env("COLUMNS", "80").args(["flows", "-h"]), b"").out;
    assert!(flows.contains("--where <EXPR>"), "{flows}");
}

#[test]
fn help_and_version() {
    let help = flowscope(["flows", "--help"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    for said in ["--format", "--max-flows", "Exit status", "Examples", "HISTORY"] {
        assert!(help.out.contains(said), "{said} in {}", help.out);
    }
    let version = flowscope(["--version"]);
    assert_eq!(version.out, format!("flowscope {}\n", env!("CARGO_PKG_VERSION")));
}

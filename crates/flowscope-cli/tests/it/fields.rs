//! `--fields`, `--sort`, `--limit`, and records as flat JSON.

use super::*;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name)
}

fn ran(args: &[&str], name: &str) -> Ran {
    run(program().args(args).arg(data(name)), b"")
}

fn printed(args: &[&str], name: &str) -> String {
    let ran = ran(args, name);
    assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
    ran.out
}

#[test]
fn chosen_fields_are_the_columns() {
    let fields = ["flows", "--fields", "src_ip,port,bytes,app_proto,syn_rtt", "--where", "syn"];
    insta::assert_snapshot!(printed(&fields, "mixed.pcapng"));
    let csv = printed(&[&fields[..], &["--format", "csv"]].concat(), "mixed.pcapng");
    assert!(csv.starts_with("src_ip,port,bytes,app_proto,syn_rtt\n10.77.0.1,46557 53,820,dns,"));
    let json = printed(&[&fields[..], &["--format", "json"]].concat(), "mixed.pcapng");
    let first = lines(&json).swap_remove(0);
    assert_eq!(first["port"], serde_json::json!([46557, 53]));
    assert_eq!(first.as_object().unwrap().len(), 5);
    assert_eq!(csv.lines().count(), json.lines().count() + 1);
}

#[test]
fn fields_of_all_protocols_stand_in_one_table() {
    let args = ["sessions", "--fields", "app_proto,dest_port,sni,query,status,latency", "-n", "8"];
    insta::assert_snapshot!(printed(&args, "mixed.pcapng"));
}

#[test]
fn json_is_one_flat_object_per_record() {
    let flows = lines(&printed(&["flows", "--format", "json"], "mixed.pcapng"));
    assert_eq!(flows.len(), 23);
    let flat = |record: &Value| {
        let members = record.as_object().unwrap();
        members.values().all(|value| !value.is_object())
    };
    assert!(flows.iter().all(flat), "{flows:#?}");
    assert_eq!(flows[4]["app_proto"], "dns");
    assert_eq!(flows[4]["bytes_to_server"], 461);
    let said = lines(&printed(&["sessions", "--format", "json"], "mixed.pcapng"));
    assert_eq!(said.len(), 19);
    assert!(said.iter().filter(|record| record["app_proto"] == "tls").count() == 3);
    assert!(said.iter().any(|record| record["sni"] == "lab.test"));
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("logs");
    let args = ["sessions", "--format=json", "--output-dir", dir.to_str().unwrap()];
    printed(&args, "mixed.pcapng");
    let of = |name: &str| lines(&std::fs::read_to_string(dir.join(name)).unwrap());
    assert_eq!((of("flow.json").len(), of("tls.json").len()), (23, 3));
}

#[test]
fn records_are_sorted_by_a_field() {
    let sorted = |sort: &str, more: &[&str]| {
        let args = ["flows", "--format=csv", "--fields=bytes,syn_rtt", "--sort", sort];
        let ran = ran(&[&args[..], more].concat(), "mixed.pcapng");
        assert_eq!(ran.code, 0, "{ran:?}");
        let rows = ran.out.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        (rows, ran.err)
    };
    let (rows, err) = sorted("-bytes", &[]);
    let bytes: Vec<u64> =
        rows.iter().map(|row| row.split(',').next().unwrap().parse().unwrap()).collect();
    assert!(bytes.is_sorted_by(|a, b| a >= b) && bytes.len() == 23, "{bytes:?}");
    assert_eq!(err, "");
    let (first, err) = sorted("-bytes", &["-n", "3"]);
    assert_eq!(first, rows[..3]);
    assert!(err.contains("the first 3 of 23 records in this order"), "{err}");
    let (ascending, _) = sorted("syn_rtt", &["--workers=3"]);
    let (with, without) = ascending.split_at(12);
    assert!(with.iter().all(|row| !row.ends_with(',')), "{with:?}");
    assert!(without.iter().all(|row| row.ends_with(',')), "{without:?}");
    for format in ["table", "eve", "zeek", "zeek-json", "json"] {
        let args = ["sessions", "--format", format, "--sort=-timestamp", "--limit=2"];
        let out = printed(&args, "mixed.pcapng");
        assert!(out.contains("47738"), "{format}: {out}");
    }
}

#[test]
fn wrong_fields_are_named() {
    let check = |args: &[&str], said: &str| {
        let ran = ran(args, "absent.pcap");
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    };
    check(&["flows", "--fields", "src_ip,byts"], "--fields: unknown field `byts`");
    check(&["flows", "--fields", "src_ip,byts"], "did you mean `bytes`?");
    check(&["flows", "--fields", "sni"], "--fields: `sni` is no field of these records");
    check(&["sessions", "--sort", "-start"], "--sort: `start` is no field of these records");
    check(&["sessions", "--where", "gap_bytes > 0"], "--where: `gap_bytes` is no field");
    check(&["flows", "--sort", "-byts"], "--sort: unknown field `byts`");
    check(&["flows", "--fields", "bytes", "--format", "eve"], "--fields is for");
    check(&["sessions", "--limit", "0"], "--limit");
    check(&["sessions", "--sort", "query", "--output-dir", "x"], "cannot be used with");
}

/// A capture of many small flows, and something after them that cannot be read.
fn many_flows(folder: &Path, flows: u16) -> PathBuf {
    let mut packets = Packets::new();
    for port in 0..flows {
        let from = format!("10.0.0.1:{}", 1000 + port);
        let flow = Dialogue::udp(&from, "10.0.0.2:53").at(1_767_323_045 + u64::from(port));
        packets.extend(flow.datagram(Initiator, [0; 20]).build());
    }
    let mut content = pcap(&packets);
    content.extend([0xff; 20]);
    file(folder, "many.pcap", &content)
}

#[test]
fn reading_ends_with_the_last_record_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let path = many_flows(folder.path(), 20_000);
    for command in ["flows", "sessions"] {
        let mut records = Vec::new();
        for workers in ["1", "3"] {
            let args = [command, "--format=csv", "-n", "5", "--workers", workers];
            let ran = run(program().args(args).arg(&path), b"");
            if command == "flows" {
                assert_eq!((ran.code, ran.out.lines().count()), (0, 6), "{ran:?}");
                assert_eq!(ran.err, "flowscope: the first 5 records; there may be more\n");
            }
            records.push(ran.out);
        }
        assert_eq!(records[0], records[1]);
    }
    // The statistics of EVE, and an order, take all of the input.
    for args in [["flows", "--format=eve", "-n5"], ["flows", "--sort=-bytes", "-n5"]] {
        assert_eq!(run(program().args(args).arg(&path), b"").code, 3, "{args:?}");
    }
}

#[test]
fn times_of_tables_are_in_a_zone() {
    let first = |args: &[&str]| {
        let ran = ran(&[&["flows", "-n1", "--fields=start,bytes"], args].concat(), "mixed.pcapng");
        (ran.code, ran.out.lines().nth(1).unwrap_or_default().to_owned(), ran.err)
    };
    let (code, utc, err) = first(&["--utc"]);
    assert_eq!((code, utc.get(..19)), (0, Some("2026-11-22 22:05:19")), "{err}");
    assert!(!err.contains("times are in"), "{err}");
    // Machines without a database of time zones have no other.
    if Path::new("/usr/share/zoneinfo/Asia/Kolkata").exists() {
        let (code, india, err) = first(&["--tz", "Asia/Kolkata"]);
        assert_eq!((code, india.get(..19)), (0, Some("2026-11-23 03:35:19")), "{err}");
        assert!(err.contains("times are in Asia/Kolkata"), "{err}");
        let said = printed(&["summary", "--tz", "Asia/Kolkata"], "mixed.pcapng");
        assert!(
            said.starts_with("2026-11-23 03:35:19 to 2026-11-23 03:35:20 Asia/Kolkata"),
            "{said}"
        );
    }
    let (code, _, err) = first(&["--tz", "Utopia"]);
    assert!(code == 2 && err.contains("no time zone is called `Utopia`"), "{err}");
    assert_eq!(first(&["--format=csv", "--tz=UTC"]).0, 2);
    assert_eq!(first(&["--utc", "--local"]).0, 2);
}

#[test]
fn a_filter_that_sees_tunnels_only_gives_a_hint() {
    let hint = |args: &[&str], name: &str| ran(&[&["flows"], args].concat(), name).err;
    let hinted = "-f sees the outer packet of a tunnel";
    assert!(hint(&["-f", "host 10.99.99.99"], "vxlan.pcap").contains(hinted));
    assert!(!hint(&["-f", "host 10.99.99.99"], "mixed.pcapng").contains(hinted));
    assert!(!hint(&["-f", "host 10.99.99.99", "-q"], "vxlan.pcap").contains(hinted));
    assert!(!hint(&[], "vxlan.pcap").contains(hinted));
}

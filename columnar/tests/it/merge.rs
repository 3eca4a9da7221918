//! `flowscope merge` with Parquet, against the files of whole captures.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use flowscope_arrow::BatchFile;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::Value as Json;

use crate::command::{data, program, run};
use crate::files;

/// Captures of which every flow is one that `merge` knows again.
const CAPTURES: [&str; 8] = [
    "bulk.pcap",
    "dns-tcp.pcap",
    "half-close.pcap",
    "http-keep-alive.pcap",
    "icmp.pcap",
    "mixed.pcapng",
    "qinq.pcap",
    "vxlan.pcap",
];

/// What `flows` writes of a capture.
fn flows(capture: &Path, more: &[&str], to: &Path) -> PathBuf {
    let mut command = program(&["flows", "--format=parquet", "-q", "-o"]);
    let (code, _, err) = run(command.arg(to).args(more).arg(capture));
    assert_eq!(code, Some(0), "{err}");
    to.to_owned()
}

/// Exit code and standard error of `merge`.
fn merge_of(args: &[&str], inputs: &[&Path], to: &Path) -> (Option<i32>, String) {
    let mut command = program(&["merge", "-o"]);
    let (code, out, err) = run(command.arg(to).args(args).args(inputs));
    assert_eq!(out, "");
    (code, err)
}

/// The rows that `merge` writes of inputs without damage.
fn merge(args: &[&str], inputs: &[&Path], to: &Path) -> Vec<Json> {
    let (code, err) = merge_of(args, inputs, to);
    assert_eq!(code, Some(0), "{err}");
    rows(to)
}

fn rows(directory: &Path) -> Vec<Json> {
    files::rows(directory).remove("flow").unwrap_or_default()
}

/// With these members alone, or without `flow_id`.
fn chosen(rows: &[Json], names: Option<&[&str]>) -> Vec<Json> {
    let is_chosen = |name: &str| names.map_or(name != "flow_id", |names| names.contains(&name));
    let row = |row: &Json| -> Json {
        let members = row.as_object().unwrap().iter().filter(|(name, _)| is_chosen(name));
        members.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    crate::json::sorted(rows.iter().map(row).collect())
}

#[test]
fn parts_by_flow_are_the_whole() {
    for capture in CAPTURES {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let whole = flows(&data(capture), &[], &at("whole"));
        let alone = merge(&[], &[&whole], &at("alone"));
        assert!(!alone.is_empty(), "{capture}");
        assert_eq!(chosen(&alone, None), chosen(&rows(&whole), None), "{capture}");
        let parts: Vec<_> = ["tcp", "udp", "not tcp and not udp"]
            .into_iter()
            .enumerate()
            .map(|(part, filter)| flows(&data(capture), &["-f", filter], &at(&part.to_string())))
            .filter(|part| !files::all(part).is_empty())
            .collect();
        let mut inputs: Vec<&Path> = parts.iter().map(PathBuf::as_path).collect();
        assert_eq!(merge(&[], &inputs, &at("parts")), alone, "{capture}");
        inputs.reverse();
        assert_eq!(merge(&[], &inputs, &at("turned")), alone, "{capture}");
        assert_eq!(merge(&["--sorted"], &[&at("parts")], &at("sorted")), alone, "{capture}");
    }
}

/// The packets of a capture file before and behind a place in it.
fn halves(capture: &[u8], tenths: usize) -> [Vec<u8>; 2] {
    let (header, mut rest) = capture.split_at(24);
    assert_eq!(header[..4], [0xd4, 0xc3, 0xb2, 0xa1]);
    let mut halves = [header.to_vec(), header.to_vec()];
    let cut = rest.len() * tenths / 10;
    let whole = rest.len();
    while !rest.is_empty() {
        let len = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let (packet, behind) = rest.split_at(16 + len);
        halves[usize::from(whole - rest.len() >= cut)].extend_from_slice(packet);
        rest = behind;
    }
    halves
}

/// What the parts of a connection add up to.
const SUMS: [&str; 15] = [
    "src_ip",
    "src_port",
    "dest_ip",
    "dest_port",
    "community_id",
    "start",
    "end",
    "initiator_evidence",
    "packets_to_server",
    "packets_to_client",
    "bytes_to_server",
    "bytes_to_client",
    "payload_bytes_to_server",
    "payload_bytes_to_client",
    "tcp_flags",
];

#[test]
fn parts_by_time_have_the_counters_of_the_whole() {
    for capture in CAPTURES.into_iter().filter(|name| name.ends_with(".pcap")) {
        let bytes = fs::read(data(capture)).unwrap();
        for tenths in [3, 6] {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            let whole = flows(&data(capture), &[], &at("whole"));
            let parts: Vec<_> = halves(&bytes, tenths)
                .into_iter()
                .enumerate()
                .map(|(part, packets)| {
                    let file = at(&format!("{part}.pcap"));
                    fs::write(&file, packets).unwrap();
                    flows(&file, &[], &at(&part.to_string()))
                })
                .collect();
            let merged = merge(&[], &[&parts[0], &parts[1]], &at("merged"));
            let names = Some(&SUMS[..]);
            assert_eq!(chosen(&merged, names), chosen(&rows(&whole), names), "{capture}");
        }
    }
}

#[test]
fn other_records_are_passed_over_and_other_formats_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let capture = data("dns-tcp.pcap");
    let whole = merge(&[], &[&flows(&capture, &[], &at("flows"))], &at("whole"));
    let mut command = program(&["sessions", "--format=parquet", "-q", "-o"]);
    assert_eq!(run(command.arg(at("sessions")).arg(&capture)).0, Some(0));
    let (code, err) = merge_of(&[], &[&at("sessions")], &at("of-sessions"));
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(rows(&at("of-sessions")), whole);
    let others: usize = files::rows(&at("sessions"))
        .iter()
        .filter(|(name, _)| *name != "flow")
        .map(|(_, rows)| rows.len())
        .sum();
    let said = format!("of 1 input to {} flow", whole.len());
    assert!(others > 0 && err.contains(&said), "{err}");
    assert!(err.contains(&format!("passed over: {others} other record")), "{err}");
    // A file is an input too, and EVE is as good.
    let file = files::all(&at("flows")).remove(0);
    assert_eq!(merge(&[], &[&file], &at("of-file")), whole);
    let (code, eve, err) = run(program(&["flows", "--format=eve", "-q"]).arg(&capture));
    assert_eq!(code, Some(0), "{err}");
    fs::write(at("flows.json"), eve).unwrap();
    assert_eq!(merge(&["--format=parquet"], &[&at("flows.json")], &at("of-eve")), whole);
    let text = |inputs: &[PathBuf], more: &[&str]| {
        let (code, out, err) = run(program(&["merge", "-q"]).args(more).args(inputs));
        assert_eq!(code, Some(0), "{err}");
        out
    };
    let of_eve = text(&[at("flows.json")], &[]);
    assert_eq!(text(&[at("flows")], &["--format=eve"]), of_eve);
    // Twice the same packets, of both kinds.
    let both = text(&[at("flows"), at("flows.json")], &[]);
    assert_eq!(both.lines().count(), of_eve.lines().count());
    assert!(both.contains("\"event_type\":\"flow\""), "{both}");
    // Flat JSON has less.
    let (_, flat, _) = run(program(&["flows", "--format=json", "-q"]).arg(&capture));
    fs::write(at("flat.json"), flat).unwrap();
    let (code, err) = merge_of(&["--format=parquet"], &[&at("flat.json")], &at("of-flat"));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("neither TCP flags nor state"), "{err}");
}

#[test]
fn damaged_files_are_named_and_cost_their_rows_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let good = flows(&data("dns-tcp.pcap"), &[], &at("good"));
    let whole = merge(&[], &[&good], &at("whole"));
    let file = files::all(&good).remove(0);
    let bytes = fs::read(&file).unwrap();
    let part = file.parent().unwrap().join("part-00001.parquet");
    for (damaged, what) in [(&bytes[..bytes.len() - 9], "part-00001"), (b"PAR1", "part-00001")] {
        fs::write(&part, damaged).unwrap();
        let to = tempfile::tempdir().unwrap();
        let (code, err) = merge_of(&[], &[&good], to.path());
        assert_eq!(code, Some(3), "{err}");
        assert!(err.contains(what), "{err}");
        assert_eq!(rows(to.path()), whole);
        let (code, err) = merge_of(&[], &[&part], &at("none"));
        assert_eq!(code, Some(1), "{err}");
        assert!(files::all(&at("none")).is_empty());
    }
    // A byte anywhere behind the first four, which say what it is, is an error or another value, and never the end of the program.
    for place in (4..bytes.len()).step_by(bytes.len() / 50) {
        let mut changed = bytes.clone();
        changed[place] ^= 0xa5;
        fs::write(&part, changed).unwrap();
        let to = tempfile::tempdir().unwrap();
        let (code, err) = merge_of(&["-q"], &[&part], to.path());
        assert!(matches!(code, Some(0 | 1 | 3)), "byte {place}: {code:?} {err}");
        assert!(!err.contains("panicked"), "byte {place}: {err}");
    }
    fs::create_dir(at("empty")).unwrap();
    for name in ["empty", "absent.parquet"] {
        let (code, err) = merge_of(&[], &[&at(name)], &at(&format!("{name}-none")));
        assert_eq!(code, Some(1), "{err}");
    }
}

/// A file with the columns of another that this chooses.
fn with_columns(of: &Path, to: &Path, is_chosen: impl Fn(&str) -> bool) {
    let batch = files::batches(of).remove(0);
    let places = (0..batch.num_columns()).filter(|at| is_chosen(batch.schema().field(*at).name()));
    let batch = batch.project(&places.collect::<Vec<_>>()).unwrap();
    let mut file = BatchFile::create(to, "flow", &batch.schema()).unwrap();
    file.write(&batch).unwrap();
    file.finish().unwrap();
}

#[test]
fn columns_of_other_versions_are_null_or_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = files::all(&flows(&data("http-keep-alive.pcap"), &[], &at("flows"))).remove(0);
    let whole = merge(&[], &[&file], &at("whole"));
    let lacked =
        ["tcp_state", "syn_rtt", "ack_rtt", "retransmits_to_server", "vlan", "ether", "tunnel"];
    with_columns(&file, &at("older.parquet"), |name| !lacked.contains(&name));
    let older = merge(&[], &[&at("older.parquet")], &at("older"));
    let names = Some(&SUMS[..]);
    assert_eq!(chosen(&older, names), chosen(&whole, names));
    assert!(whole.iter().any(|row| row.get("syn_rtt").is_some_and(|value| !value.is_null())));
    assert!(older.iter().all(|row| row.get("syn_rtt").is_none_or(Json::is_null)));
    with_columns(&file, &at("no-start.parquet"), |name| name != "start");
    let (code, err) = merge_of(&[], &[&at("no-start.parquet")], &at("none"));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("no-start.parquet: row 1: no `start`"), "{err}");
    // Columns that are not known, and known ones of another type.
    let batch = files::batches(&file).remove(0);
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"; batch.num_rows()]));
    let written = |name: &str, column: &str, version: Option<&str>| {
        let columns =
            batch.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        let columns = columns.into_iter().zip(batch.columns().iter().cloned());
        let columns =
            columns.filter(|(name, _)| name != column).chain([(column.to_owned(), text.clone())]);
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut pairs = vec![KeyValue::new("flowscope.record".to_owned(), "flow".to_owned())];
        pairs.extend(version.map(|version| {
            KeyValue::new("flowscope.schema_version".to_owned(), version.to_owned())
        }));
        let properties = WriterProperties::builder().set_key_value_metadata(Some(pairs)).build();
        let to = File::create(at(name)).unwrap();
        let mut writer = ArrowWriter::try_new(to, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    };
    written("more.parquet", "from_the_future", Some("1"));
    assert_eq!(merge(&[], &[&at("more.parquet")], &at("more")), whole);
    for (column, version, what) in [
        ("packets_to_server", Some("1"), "the column `packets_to_server` has the type Utf8"),
        ("from_the_future", Some("2"), "columns of version 2"),
        ("from_the_future", None, "no file of flowscope"),
    ] {
        written("other.parquet", column, version);
        let (code, err) = merge_of(&[], &[&at("other.parquet")], &at("none"));
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains(what), "{err}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let input = flows(&data("dns-tcp.pcap"), &[], &at("flows"));
    let (code, _, err) = run(program(&["merge"]).arg(&input));
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("give -o DIR"), "{err}");
    let before = files::all(&input);
    for to in [input.clone(), input.join("record=flow"), folder.path().to_owned()] {
        let (code, err) = merge_of(&[], &[&input], &to);
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains("cannot be written too"), "{err}");
    }
    assert_eq!(files::all(&input), before);
    let (code, err) =
        merge_of(&["--memory", "256K"], &[&flows_of_many(folder.path())], &at("none"));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("--memory") && !at("none").exists(), "{err}");
}

/// More records than fit into 256 KiB.
fn flows_of_many(folder: &Path) -> PathBuf {
    flows(&data("dns-tcp.pcap"), &[], &folder.join("many"));
    let file = files::all(&folder.join("many")).remove(0);
    let batch = files::batches(&file).remove(0);
    let to = folder.join("many.parquet");
    let mut many = BatchFile::create(&to, "flow", &batch.schema()).unwrap();
    for _ in 0..1000 / batch.num_rows().max(1) + 1 {
        many.write(&batch).unwrap();
    }
    many.finish().unwrap();
    to
}

/// A limit on the size of files stands for a full disk.
#[test]
#[cfg(unix)]
fn a_file_that_cannot_be_written_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let input = flows(&data("mixed.pcapng"), &[], &folder.path().join("flows"));
    let to = folder.path().join("out");
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_flowscope-parquet")]);
    let (code, out, err) = run(command.args(["merge", "-o"]).arg(&to).arg(&input));
    assert_eq!((code, out.as_str()), (Some(5), ""), "{err}");
    assert!(err.contains("cannot write") && err.contains("part-00000.parquet"), "{err}");
    assert!(files::all(&to).is_empty());
}

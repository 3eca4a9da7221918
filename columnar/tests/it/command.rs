//! `flowscope-parquet`, against the text that it writes of the same captures.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bytes::Bytes;
use flowscope::output::FLOW;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use serde_json::Value as Json;

use crate::{files, json};

pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name)
}

/// Captures with VLANs, tunnels, ICMP, and records of several protocols.
const CAPTURES: [&str; 7] = [
    "mixed.pcapng",
    "ssh.pcap",
    "dns-tcp.pcap",
    "vlan.pcap",
    "vxlan.pcap",
    "icmp.pcap",
    "tls13.pcap",
];

pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowscope-parquet"));
    command.args(args);
    command
}

pub(crate) fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The text that a command prints of the captures.
fn text(args: &[&str]) -> String {
    let (code, out, err) = run(program(args).args(CAPTURES.map(data)));
    assert_eq!(code, Some(0), "{err}");
    out
}

/// What a command writes of the captures.
fn written(command: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(&[command, "--format", "parquet", "--output-dir"]);
    let (code, out, err) = run(command.arg(folder.path()).args(CAPTURES.map(data)));
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    folder
}

/// The rows of JSON lines.
fn rows(text: &str) -> Vec<Json> {
    json::sorted(
        text.lines().map(|line| json::clean(serde_json::from_str(line).unwrap())).collect(),
    )
}

/// Rows with the columns of CSV and JSON alone.
fn chosen(rows: &[Json]) -> Vec<Json> {
    let row = |row: &Json| {
        let names = FLOW.csv.into_iter().flatten();
        let member = |name: &&str| Some(((*name).to_owned(), row.get(name)?.clone()));
        Json::Object(names.filter_map(member).collect())
    };
    json::sorted(rows.iter().map(row).collect())
}

#[test]
fn flows_are_those_of_json() {
    let read = files::rows(written("flows").path());
    assert!(read.keys().eq(["flow"]), "{:?}", read.keys());
    assert_eq!(chosen(&read["flow"]), rows(&text(&["flows", "--format=json"])));
}

#[test]
fn sessions_are_those_of_json_with_their_flows() {
    let mut read = files::rows(written("sessions").path());
    assert_eq!(chosen(&read["flow"]), rows(&text(&["flows", "--format=json"])));
    read.remove("flow");
    let mut printed = BTreeMap::<_, Vec<_>>::new();
    for row in rows(&text(&["sessions", "--format=json"])) {
        printed.entry(row["app_proto"].as_str().unwrap().to_owned()).or_default().push(row);
    }
    assert!(printed.len() >= 3, "{:?}", printed.keys());
    assert_eq!(read, printed);
}

/// A value as a cell of CSV has it.
fn cell(name: &str, value: Option<&Json>) -> String {
    match value {
        None => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(Json::Array(items)) => {
            let items: Vec<_> = items.iter().map(|item| cell(name, Some(item))).collect();
            items.join(" ")
        }
        Some(Json::Number(seconds)) if name == "duration" => {
            format!("{:.6}", seconds.as_f64().unwrap())
        }
        Some(other) => other.to_string(),
    }
}

#[test]
fn flows_are_those_of_csv() {
    let read = files::rows(written("flows").path());
    let names = FLOW.csv.unwrap();
    let line = |row: &Json| {
        names.iter().map(|name| cell(name, row.get(name))).collect::<Vec<_>>().join(",")
    };
    let mut lines: Vec<_> = read["flow"].iter().map(line).collect();
    lines.sort();
    let text = text(&["flows", "--format=csv"]);
    let mut printed: Vec<_> = text.lines().skip(1).map(str::to_owned).collect();
    printed.sort();
    assert_eq!(lines, printed);
}

#[test]
fn files_say_what_they_are() {
    let folder = written("flows");
    for path in files::all(folder.path()) {
        let file = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let metadata = file.metadata();
        let entries = metadata.file_metadata().key_value_metadata().unwrap();
        let value = |key: &str| {
            let entry = entries.iter().find(|entry| entry.key == key);
            entry.and_then(|entry| entry.value.as_deref()).unwrap_or_else(|| panic!("no {key}"))
        };
        assert_eq!(value("flowscope.record"), "flow");
        assert_eq!(value("flowscope.schema_version"), flowscope_arrow::SCHEMA_VERSION.to_string());
        for group in metadata.row_groups() {
            let column = |name: &str| {
                let is_it = |column: &&parquet::file::metadata::ColumnChunkMetaData| {
                    column.column_path().string() == name
                };
                group.columns().iter().find(is_it).unwrap()
            };
            for name in ["src_ip", "dest_ip", "community_id"] {
                assert!(column(name).bloom_filter_offset().is_some(), "{name}");
            }
            assert!(column("state").bloom_filter_offset().is_none());
            assert!(group.columns().iter().all(|column| column.statistics().is_some()));
            let sorting = group.sorting_columns().unwrap();
            let by = group.column(sorting[0].column_idx.try_into().unwrap());
            assert_eq!(by.column_path().string(), "start");
        }
    }
}

#[test]
fn a_cut_file_is_an_error() {
    let folder = written("flows");
    let path = files::all(folder.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    let open = |bytes: &[u8]| {
        ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(bytes)).map(|_| ())
    };
    open(&whole).unwrap();
    for len in (0..whole.len()).step_by(101).chain([whole.len() - 1]) {
        assert!(open(&whole[..len]).is_err(), "{len} of {} bytes", whole.len());
    }
}

#[test]
fn a_second_run_adds_files() {
    let folder = written("flows");
    let before = files::all(folder.path());
    let mut command = program(&["flows", "--format=parquet", "-o"]);
    let (code, _, err) = run(command.arg(folder.path()).args(CAPTURES.map(data)));
    assert_eq!(code, Some(0), "{err}");
    let after = files::all(folder.path());
    assert_eq!(after.len(), 2 * before.len());
    assert!(before.iter().all(|file| after.contains(file)));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let check = |args: &[&str], part: &str| {
        let mut command = program(&["flows", "--format=parquet"]);
        let (code, out, err) = run(command.args(args).arg(data("mixed.pcapng")));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains(part), "{err}");
    };
    check(&[], "needs --output-dir");
    check(&["-o", "-"], "needs --output-dir");
    check(&["-o", "x", "--sort=bytes"], "--sort");
    check(&["-o", "x", "-n", "3"], "--limit");
    check(&["-o", "x", "--fields=bytes"], "--fields");
}

/// A limit on the size of files stands for a full disk.
#[test]
#[cfg(unix)]
fn a_file_that_cannot_be_written_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("out");
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_flowscope-parquet")]);
    command.args(["flows", "--format=parquet", "-o"]).arg(&dir);
    let (code, out, err) = run(command.args(CAPTURES.map(data)));
    assert_eq!((code, out.as_str()), (Some(5), ""), "{err}");
    assert!(err.contains("cannot write") && err.contains("part-00000.parquet"), "{err}");
    assert!(files::all(&dir).is_empty());
}

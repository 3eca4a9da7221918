//! Formats of answers.

use std::fs::{self, File};
use std::io::Read as _;
use std::process::Stdio;

use parquet::file::reader::{FileReader as _, SerializedFileReader};

use crate::program::{data, query, run};

const SQL: &str =
    "select src_ip, dest_ip, start, bytes_to_server from flow order by flow_id limit 2";

fn text(format: &str, sql: &str) -> String {
    let format = format!("--format={format}");
    let (code, out, err) = run(&mut query(&["--quiet", &format, sql], &[data("icmp.pcap")]));
    assert_eq!((code, err.as_str()), (0, ""), "{sql}");
    out
}

#[test]
fn text_has_all_rows_and_names() {
    let table = text("table", SQL);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 6, "{table}");
    assert!(lines[1].contains("src_ip") && lines[1].contains("bytes_to_server"), "{table}");
    let csv = text("csv", SQL);
    assert!(csv.starts_with("src_ip,dest_ip,start,bytes_to_server\n"), "{csv}");
    let json = text("json", SQL);
    assert_eq!((csv.lines().count(), json.lines().count()), (3, 2));
    for (csv, json) in csv.lines().skip(1).zip(json.lines()) {
        let row: serde_json::Value = serde_json::from_str(json).unwrap();
        let cells: Vec<_> = csv.split(',').collect();
        assert_eq!(row["src_ip"], cells[0]);
        assert_eq!(row["bytes_to_server"].to_string(), cells[3]);
    }
    // Without rows there are the names.
    assert_eq!(text("csv", "select src_ip from flow limit 0"), "src_ip\n");
    assert!(text("table", "select src_ip from flow limit 0").contains("src_ip"));
    assert!(text("table", "explain select sni from tls").contains("StreamingTableExec"));
}

#[test]
fn lists_and_quotes_stand_in_cells() {
    let sql = "select [1, 2] as list, 'a,\"b' as text, null as nothing";
    assert_eq!(text("csv", sql), "list,text,nothing\n\"[1, 2]\",\"a,\"\"b\",\n");
}

#[test]
fn control_characters_do_not_reach_a_terminal() {
    let table = text("table", "select chr(27) || '[31mred' as name");
    assert!(!table.contains('\u{1b}') && table.contains("[31mred"), "{table:?}");
}

#[test]
fn a_file_has_its_name_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answer.parquet");
    let out = format!("--output={}", path.display());
    let (code, text, err) =
        run(&mut query(&["--quiet", "--format=parquet", &out, SQL], &[data("icmp.pcap")]));
    assert_eq!((code, text.as_str(), err.as_str()), (0, "", ""));
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 2);
    // One that fails leaves nothing.
    let broken = format!("--output={}", folder.path().join("broken.csv").display());
    let sql = "select cast(src_ip as int) from flow";
    let (code, _, _) = run(&mut query(&["--format=csv", &broken, sql], &[data("icmp.pcap")]));
    assert_eq!(code, 1);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_device_is_written_to_as_it_is() {
    let args = ["--quiet", "--format=csv", "--output=/dev/stdout", "select 1 as one"];
    let (code, text, err) = run(&mut query(&args, &[data("icmp.pcap")]));
    assert_eq!((code, text.as_str(), err.as_str()), (0, "one\n1\n", ""));
    assert!(!std::path::Path::new("/dev/stdout.part").exists());
}

#[test]
fn a_link_in_the_place_of_the_part_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (victim, path) = (folder.path().join("victim"), folder.path().join("answer.csv"));
    fs::write(&victim, "kept").unwrap();
    std::os::unix::fs::symlink(&victim, folder.path().join("answer.csv.part")).unwrap();
    let out = format!("--output={}", path.display());
    let args = ["--quiet", "--format=csv", &out, "select 1 as one"];
    assert_eq!(run(&mut query(&args, &[data("icmp.pcap")])).0, 0);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\n1\n");
}

#[test]
fn a_reader_may_end() {
    let sql = "select * from flow a, flow b, flow c";
    let mut command = query(&["--quiet", "--format=csv", sql], &[data("mixed.pcapng")]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut begin = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut begin).unwrap();
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

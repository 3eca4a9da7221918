//! Logs in a directory, and Zeek's logs as JSON.

use std::collections::BTreeMap;
use std::fs;

use super::*;

/// A recorded capture.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name)
}

/// Captures that have all of the protocols between them.
const CAPTURES: [&str; 4] = ["mixed.pcapng", "ssh.pcap", "dns-tcp.pcap", "vlan.pcap"];

/// The program with these arguments, to log to this directory.
fn logging(args: &[&str], dir: &Path) -> Command {
    let mut command = program();
    command.args(args).arg("--output-dir").arg(dir);
    command
}

/// What the captures give as logs: their names and contents.
fn logs(args: &[&str]) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    // Parents are created too.
    let dir = folder.path().join("new/logs");
    let ran = run(logging(args, &dir).args(CAPTURES.map(data)), b"");
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    read(&dir)
}

fn read(dir: &Path) -> BTreeMap<String, String> {
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read_to_string(entry.path()).unwrap())
    };
    fs::read_dir(dir).unwrap().map(|entry| file(entry.unwrap())).collect()
}

/// What is printed of the captures as one stream.
fn stream(args: &[&str]) -> String {
    let ran = run(program().args(args).args(CAPTURES.map(data)), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
}

fn names(logs: &BTreeMap<String, String>) -> Vec<&str> {
    logs.keys().map(String::as_str).collect()
}

fn rows(log: &str) -> impl Iterator<Item = &str> {
    log.lines().filter(|line| !line.starts_with('#'))
}

#[test]
fn zeek_has_a_log_for_flows_and_for_each_protocol() {
    let logs = logs(&["sessions", "--format=zeek"]);
    assert_eq!(names(&logs), ["conn.log", "dns.log", "http.log", "ssh.log", "ssl.log", "x509.log"]);
    for (name, log) in &logs {
        let heads: Vec<_> = log.lines().filter(|line| line.starts_with('#')).collect();
        let path = name.strip_suffix(".log").unwrap();
        assert_eq!(heads[4], format!("#path\t{path}"));
        assert!(heads.len() == 9 && heads[8].starts_with("#close\t"), "{heads:?}");
        assert!(rows(log).count() > 0 && log.ends_with('\n'), "{name} {log}");
        let fields = heads[6].split('\t').count() - 1;
        assert!(rows(log).all(|row| row.split('\t').count() == fields), "{log}");
    }
    // The records are those of the stream, in its order.
    let all = stream(&["sessions", "--format=zeek"]);
    for (name, log) in logs.iter().filter(|(name, _)| *name != "conn.log") {
        let path = name.strip_suffix(".log").unwrap();
        let mut current = "";
        let mut expected = Vec::new();
        for line in all.lines() {
            match line.strip_prefix("#path\t") {
                Some(path) => current = path,
                None if current == path && !line.starts_with('#') => expected.push(line),
                None => {}
            }
        }
        assert_eq!(rows(log).collect::<Vec<_>>(), expected, "{name}");
    }
}

#[test]
fn the_log_of_flows_is_that_of_the_other_command() {
    for format in ["zeek", "zeek-json", "csv"] {
        let sessions = logs(&["sessions", "--format", format]);
        let flows = logs(&["flows", "--format", format]);
        let name = if format == "csv" { "flow.csv" } else { "conn.log" };
        assert_eq!(names(&flows), [name]);
        assert_eq!(flows[name], sessions[name], "{format}");
        assert_eq!(flows[name], stream(&["flows", "--format", format]), "{format}");
    }
    let interim = ["--format=zeek", "--active=1ms"];
    let [flows, sessions] =
        ["flows", "sessions"].map(|command| logs(&[&[command], &interim[..]].concat()));
    assert_eq!(flows["conn.log"], sessions["conn.log"]);
    assert!(rows(&flows["conn.log"]).count() > 30, "open flows have records too");
}

#[test]
fn a_selection_has_its_logs_alone() {
    let chosen = logs(&["sessions", "--format=zeek", "--protocol=dns,quic"]);
    assert_eq!(names(&chosen), ["conn.log", "dns.log"]);
    // Flows are named whatever was chosen.
    assert_eq!(chosen["conn.log"], logs(&["flows", "--format=zeek"])["conn.log"]);
}

#[test]
fn eve_is_one_log_with_the_flows() {
    let logs = logs(&["sessions", "--format=eve"]);
    assert_eq!(names(&logs), ["eve.json"]);
    let (records, _) = balanced(&logs["eve.json"]);
    let of = |event: &str| {
        let is = |record: &&Value| (record["event_type"] == "flow") == (event == "flow");
        records.iter().filter(is).cloned().collect::<Vec<_>>()
    };
    let stream = |command| balanced(&stream(&[command, "--format=eve"])).0;
    let (flows, rest) = (stream("flows"), stream("sessions"));
    assert_eq!(of("rest"), rest);
    assert_eq!(of("flow"), flows);
}

#[test]
fn csv_has_a_file_for_each_schema() {
    let logs = logs(&["sessions", "--format=csv"]);
    assert_eq!(names(&logs), ["dns.csv", "flow.csv", "http.csv", "ssh.csv", "tls.csv"]);
    for protocol in ["dns", "http", "ssh", "tls"] {
        let expected = stream(&["sessions", "--format=csv", "--protocol", protocol]);
        assert_eq!(logs[&format!("{protocol}.csv")], expected);
    }
}

#[test]
fn zeek_json_has_the_fields_of_the_other_logs() {
    let json = logs(&["sessions", "--format=zeek-json"]);
    let tabs = logs(&["sessions", "--format=zeek"]);
    assert_eq!(names(&json), names(&tabs));
    for (name, log) in &tabs {
        let fields = log.lines().find_map(|line| line.strip_prefix("#fields\t")).unwrap();
        let fields: Vec<_> = fields.split('\t').collect();
        let objects = lines(&json[name]);
        assert_eq!(objects.len(), rows(log).count());
        for (row, object) in rows(log).zip(&objects) {
            let object = object.as_object().unwrap();
            let cells: BTreeMap<_, _> = fields.iter().copied().zip(row.split('\t')).collect();
            for (field, cell) in &cells {
                assert_eq!(*cell == "-", !object.contains_key(*field), "{field} of {row}");
            }
            assert_eq!(cells["id.orig_h"], object["id.orig_h"]);
            assert_eq!(cells["id.resp_p"], object["id.resp_p"].to_string());
            assert!(object.keys().all(|key| cells.contains_key(key.as_str())), "{object:?}");
            assert!(object["ts"].is_f64() && object["id.orig_p"].is_u64(), "{object:?}");
        }
    }
}

#[test]
fn json_of_several_logs_names_them() {
    let paths = |args: &[&str]| -> std::collections::BTreeSet<Option<String>> {
        let path = |object: &Value| object.get("_path").map(|path| path.as_str().unwrap().into());
        lines(&stream(args)).iter().map(path).collect()
    };
    let all = paths(&["sessions", "--format=zeek-json"]);
    assert_eq!(all, ["dns", "http", "ssh", "ssl", "x509"].map(|path| Some(path.into())).into());
    assert_eq!(paths(&["sessions", "--format=zeek-json", "--protocol=dns"]), [None].into());
    assert_eq!(paths(&["flows", "--format=zeek-json"]), [None].into());
}

#[test]
fn a_stream_repeats_headers_only_where_the_log_changes() {
    let text = stream(&["sessions", "--format=zeek"]);
    let mut headers = 0;
    let (mut current, mut last) = ("", "");
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("#path\t") {
            current = path;
            headers += 1;
        } else if !line.starts_with('#') {
            assert_ne!(current, "");
            last = current;
        } else if line.starts_with("#separator") {
            assert_eq!(last, current, "a header is followed by a record");
        }
    }
    let mut paths: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("#path\t")).collect();
    assert_eq!(headers, paths.len());
    paths.dedup();
    assert_eq!(headers, paths.len(), "no log has a second header before another log comes");
    for name in ["#fields\tts", "#types\ttime", "#separator"] {
        assert_eq!(text.matches(name).count(), headers);
    }
    assert_eq!(text.matches("#close").count(), 1);
    let one = stream(&["sessions", "--format=zeek", "--protocol=dns"]);
    assert_eq!(one.matches("#fields").count(), 1);
}

#[test]
fn any_number_of_workers_writes_the_same() {
    for format in ["zeek", "zeek-json", "csv", "eve"] {
        for command in ["sessions", "flows"] {
            let with = |workers| logs(&[command, "--format", format, "--workers", workers]);
            let one = with("1");
            assert!(with("3") == one, "{command} {format}");
            assert!(with("8") == one, "{command} {format}");
        }
    }
}

#[test]
fn a_capture_without_flows_has_an_empty_log_of_flows() {
    let folder = tempfile::tempdir().unwrap();
    for (format, name, expected) in [
        ("zeek", "conn.log", "#separator"),
        ("zeek-json", "conn.log", ""),
        ("csv", "flow.csv", "flow_id,"),
    ] {
        let dir = folder.path().join(format);
        let ran = run(
            logging(&["sessions", "-q", "--format", format], &dir).arg("-"),
            &pcap(&Packets::new()),
        );
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        let logs = read(&dir);
        assert_eq!(names(&logs), [name]);
        assert!(logs[name].starts_with(expected) && rows(&logs[name]).count() <= 1, "{logs:?}");
    }
}

#[test]
fn certificates_have_a_log_of_their_own() {
    let columns = |log: &str, name: &str| -> Vec<String> {
        let at = log.lines().find_map(|line| line.strip_prefix("#fields\t"));
        let at = at.unwrap().split('\t').position(|field| field == name).unwrap();
        rows(log).map(|row| row.split('\t').nth(at).unwrap().to_owned()).collect()
    };
    let folder = tempfile::tempdir().unwrap();
    let mut before = None;
    for workers in ["1", "3"] {
        let dir = folder.path().join(workers);
        let args = ["sessions", "--format=zeek", "--workers", workers];
        let ran = run(logging(&args, &dir).arg(data("tls12.pcap")), b"");
        assert_eq!(ran.code, 0, "{ran:?}");
        let logs = read(&dir);
        assert_eq!(names(&logs), ["conn.log", "ssl.log", "x509.log"]);
        // One handshake is resumed, without a certificate.
        let mut shown = columns(&logs["ssl.log"], "cert_chain_fps");
        shown.retain(|chain| chain != "-");
        assert!(!shown.is_empty() && columns(&logs["x509.log"], "fingerprint") == shown);
        let uids = columns(&logs["ssl.log"], "uid");
        assert!(columns(&logs["x509.log"], "uid").iter().all(|uid| uids.contains(uid)));
        assert!(before.is_none_or(|before| before == logs), "the same for every number of workers");
        before = Some(logs);
    }
    // A single protocol, written as one stream, is its own log.
    let args = ["sessions", "--format=zeek", "--protocol=tls"];
    let out = run(program().args(args).arg(data("tls12.pcap")), b"").out;
    let paths = out.lines().filter(|line| line.starts_with("#path"));
    assert_eq!(paths.collect::<Vec<_>>(), ["#path\tssl"]);
}

#[test]
fn help_names_the_logs_of_all_protocols() {
    let help = flowscope(["sessions", "--help"]).out;
    for protocol in flowscope::protocols::all() {
        assert!(help.contains(&format!("{}.log", protocol.schema.zeek_log())), "{help}");
    }
    for said in ["--output-dir <DIR>", "zeek-json", "conn.log", "flow.csv", "eve.json"] {
        assert!(help.contains(said), "{said} in {help}");
    }
}

#[test]
fn wrong_usage_of_a_directory_is_2() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("logs");
    for args in [
        &["flows"][..],
        &["sessions", "--format=table"],
        &["flows", "--format=zeek", "-o", "x"],
        &["events"],
        &["follow", "--digest"],
    ] {
        let ran = run(logging(args, &dir).arg(data("mixed.pcapng")), b"");
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?} {ran:?}");
        assert!(ran.err.contains("--output-dir"), "{ran:?}");
        assert!(!dir.exists());
    }
}

/// A run that must fail with status 5, and what it says.
fn refused(args: &[&str], dir: &Path) -> String {
    let ran = run(logging(args, dir).arg(data("mixed.pcapng")), b"");
    assert_eq!((ran.code, ran.out.as_str()), (5, ""), "{ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    ran.err
}

#[test]
fn a_log_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let zeek = ["sessions", "--format=zeek"];
    // Also one that this run may have no record for.
    for name in ["conn.log", "quic.log"] {
        let old = file(folder.path(), name, b"of yesterday");
        let said = refused(&zeek, folder.path());
        let expected = format!("{}: cannot write: it exists, and logs are not", old.display());
        assert!(said.contains(&expected), "{said}");
        assert_eq!(names(&read(folder.path())), [name]);
        assert_eq!(fs::read(&old).unwrap(), b"of yesterday");
        // Other logs are no hindrance.
        let csv =
            run(logging(&["flows", "--format=csv"], folder.path()).arg(data("vlan.pcap")), b"");
        assert_eq!(csv.code, 0, "{csv:?}");
        fs::remove_file(folder.path().join("flow.csv")).unwrap();
        fs::remove_file(old).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_a_log_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("logs");
    fs::create_dir(&dir).unwrap();
    let elsewhere = folder.path().join("elsewhere");
    std::os::unix::fs::symlink(&elsewhere, dir.join("http.log")).unwrap();
    assert!(refused(&["sessions", "--format=zeek"], &dir).contains("http.log: cannot write"));
    assert!(!elsewhere.exists());
}

#[test]
fn a_file_is_no_directory() {
    let folder = tempfile::tempdir().unwrap();
    let there = file(folder.path(), "logs", b"text");
    for dir in [there.clone(), there.join("below")] {
        let said = refused(&["flows", "--format=eve"], &dir).to_lowercase();
        let expected = format!("{}: cannot write: not a directory", dir.display()).to_lowercase();
        assert!(said.contains(&expected), "{said}");
    }
    assert_eq!(fs::read(there).unwrap(), b"text");
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_cannot_be_written_is_5() {
    for dir in ["/dev/full", "/dev/full/logs", "/proc/logs"] {
        let said = refused(&["sessions", "--format=zeek-json"], Path::new(dir));
        assert!(said.contains(&format!("{dir}: cannot write: ")), "{said}");
    }
    // Even the superuser has no right to create files here.
    let said = refused(&["flows", "--format=zeek"], Path::new("/proc/self"));
    assert!(said.contains("/proc/self/conn.log: cannot write: "), "{said}");
}

#[test]
fn what_is_no_capture_leaves_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let bad = file(folder.path(), "bad.pcap", b"nothing of use");
    let dir = folder.path().join("logs");
    let mut command = logging(&["sessions", "--format=zeek"], &dir);
    assert_eq!(run(command.arg(bad), b"").code, 1);
    assert_eq!(names(&read(&dir)), [""; 0]);
    // So the next run finds nothing in its way.
    assert_eq!(run(logging(&["flows", "--format=zeek"], &dir).arg(data("vlan.pcap")), b"").code, 0);
}

/// A disk that is full after some records: a limit on the size of files does the same.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut packets = Packets::new();
    for port in 20_000..24_000 {
        let talk = Dialogue::udp(&format!("10.0.0.1:{port}"), "10.0.0.2:9999").at(1_700_000_000);
        packets.extend(talk.datagram(Initiator, [1; 10]).build());
    }
    let path = file(folder.path(), "many.pcap", &pcap(&packets));
    for workers in ["1", "3"] {
        let dir = folder.path().join(workers);
        let program = program().get_program().to_owned();
        let mut command = Command::new("sh");
        // The signal of the limit is ignored, so that writing fails. Blocks have 512 bytes.
        command.args(["-c", "trap '' XFSZ; ulimit -f 300; exec \"$0\" \"$@\""]).arg(program);
        command.args(["sessions", "--format=zeek", "--workers", workers, "--output-dir"]);
        let ran = run(command.arg(&dir).arg(&path), b"");
        assert_eq!(ran.code, 5, "{ran:?}");
        let said = format!("{}: cannot write: ", dir.join("conn.log").display());
        assert!(ran.err.contains(&said), "{}", ran.err);
        let log = &read(&dir)["conn.log"];
        assert!(log.starts_with("#separator") && log.len() > 100_000, "{}", log.len());
    }
}

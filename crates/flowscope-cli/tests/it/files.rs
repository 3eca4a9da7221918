//! Bodies of HTTP, parts of mails and files of SMB, as files.

use sha2::{Digest, Sha256};

use super::*;

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn printed(args: &[&str]) -> String {
    printed_of("http-chunked.pcap", args)
}

fn printed_of(capture: &str, args: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(capture);
    let ran = run(program().arg("sessions").args(args).arg(path), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
}

/// A page of so many lines, as the server of the recordings has them.
fn lines(count: u64) -> String {
    let line = |n: u64| format!("line {n} of {count}, {:x}\n", n * 0x9e37_79b1);
    (1..=count).map(line).collect()
}

/// The file that was uploaded.
fn uploaded() -> String {
    lines(40)
}

#[test]
fn bodies_have_type_and_hash() {
    let out = printed(&["--file-info", "--format", "json", "--protocol", "http"]);
    let rows: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 3, "{out}");
    let [page, packed, upload] = &rows[..] else { panic!("{out}") };
    let text = format!("<pre>\none\n\n{}\n</pre>\n", lines(30));
    assert_eq!(page["response_sha256"], sha256(text.as_bytes()), "{page}");
    assert_eq!(page["response_body_bytes"], text.len(), "{page}");
    // As sent: what is packed stays so, and the header says what is within.
    assert_eq!(packed["response_mime_type"], "application/gzip", "{packed}");
    assert_eq!(packed["content_type"], "text/plain", "{packed}");
    assert_eq!(packed["response_sha256"].as_str().map(str::len), Some(64), "{packed}");
    assert_eq!(upload["request_sha256"], sha256(uploaded().as_bytes()), "{upload}");
}

#[test]
fn every_format_has_them_and_none_without_the_option() {
    let hash = sha256(uploaded().as_bytes());
    for format in ["table", "eve", "csv", "json"] {
        assert!(printed(&["--file-info", "--format", format]).contains(&hash), "{format}");
        let without = printed(&["--format", format]);
        assert!(!without.contains(&hash) && !without.contains("application/gzip"), "{format}");
    }
    for format in ["zeek", "zeek-json"] {
        let log = |args: &[&str]| printed(&[args, &["--format", format]].concat());
        assert!(log(&["--file-info"]).contains("application/gzip"), "{format}");
        assert!(!log(&[]).contains("application/gzip"), "{format}");
    }
    let chosen = printed(&["--file-info", "--where", &format!("request_sha256 == \"{hash}\"")]);
    assert_eq!(chosen.lines().filter(|line| line.contains("/upload")).count(), 1, "{chosen}");
}

#[test]
fn eve_lists_the_files_of_both_directions() {
    let out = printed(&["--file-info", "--format", "eve"]);
    let events = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let upload = events.into_iter().find(|event| event["http"]["url"] == "/upload").unwrap();
    let sent = serde_json::json!({
        "direction": "toserver",
        "gaps": false,
        "state": "CLOSED",
        "sha256": sha256(uploaded().as_bytes()),
        "size": 1005,
        "tx_id": 2,
    });
    assert_eq!(upload["files"][0], sent);
    assert_eq!(upload["files"][1]["direction"], "toclient");
    assert_eq!(upload["files"][1]["size"], 7);
}

#[test]
fn other_commands_have_no_such_option() {
    for command in ["flows", "summary"] {
        let ran = flowscope([command, "--file-info", "x.pcap"]);
        assert_eq!(ran.code, 2, "{ran:?}");
    }
}

/// Runs an extraction of the recording into a new directory; returns the files by name.
fn extracted(args: &[&str]) -> Vec<(String, Vec<u8>)> {
    extracted_of("http-chunked.pcap", args)
}

fn extracted_of(capture: &str, args: &[&str]) -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("files");
    printed_of(capture, &[args, &["--extract", dir.to_str().unwrap()]].concat());
    let entries = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn whole_bodies_are_written_under_their_hash() {
    for args in [&[][..], &["--workers", "4"], &["--format", "eve"], &["--format", "csv"]] {
        let files = extracted(args);
        assert_eq!(files.len(), 4, "{args:?}");
        for (name, bytes) in &files {
            assert_eq!(*name, sha256(bytes), "{args:?}");
        }
        assert!(files.iter().any(|(_, bytes)| bytes == uploaded().as_bytes()), "{args:?}");
    }
}

#[test]
fn only_files_of_printed_records_are_written() {
    let files = extracted(&["--where", "response_mime_type == application/gzip"]);
    assert_eq!(files.len(), 1);
    assert!(files[0].1.starts_with(&[0x1f, 0x8b]));
}

#[test]
fn what_is_too_large_is_marked_and_bounds_hold() {
    let names = |args: &[&str]| -> Vec<(String, usize)> {
        extracted(args).into_iter().map(|(name, bytes)| (name, bytes.len())).collect()
    };
    let cut = names(&["--max-file-size", "1000"]);
    let partial: Vec<_> = cut.iter().filter(|(name, _)| name.ends_with(".partial")).collect();
    let part = |name: &str| (name.to_owned(), 1000);
    let expected = [part("00000001_1_response.partial"), part("00000001_2_request.partial")];
    assert_eq!(partial, expected.iter().collect::<Vec<_>>());
    assert_eq!(cut.len(), 4);
    assert_eq!(names(&["--max-files", "2"]).len(), 2);
    let total = names(&["--max-total", "2000"]);
    assert_eq!(total.iter().map(|(_, len)| len).sum::<usize>(), 764 + 1005 + 7);
}

#[test]
fn a_directory_with_files_and_one_that_cannot_be_written_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    std::fs::write(dir.join("there"), b"x").unwrap();
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/http-chunked.pcap");
    let run_to =
        |dir: &Path| run(program().args(["sessions", "--extract"]).arg(dir).arg(&capture), b"");
    let ran = run_to(dir);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.err.contains("not empty"), "{ran:?}");
    let ran = run_to(&dir.join("there"));
    assert_eq!(ran.code, 5, "{ran:?}");
    let ran = flowscope(["sessions", "--max-total", "1M", "x.pcap"]);
    assert_eq!(ran.code, 2, "{ran:?}");
}

#[test]
fn files_of_other_protocols_are_written_under_their_hash() {
    for (capture, least) in [("http2.pcap", 3), ("smb.pcap", 1)] {
        let files = extracted_of(capture, &[]);
        assert!(files.len() >= least, "{capture}: {}", files.len());
        for (name, bytes) in &files {
            assert_eq!(*name, sha256(bytes), "{capture}");
        }
        let written = printed_of(capture, &["--file-info", "--format", "json"]);
        assert!(files.iter().all(|(name, _)| written.contains(name)), "{capture}: {written}");
        let without = printed_of(capture, &["--format", "json"]);
        assert!(!files.iter().any(|(name, _)| without.contains(name)), "{capture}: {without}");
    }
}

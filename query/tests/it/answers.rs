//! Answers to questions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::slice;

use serde_json::Value as Json;

use crate::program::{answer, captures, data, query, run, write};

/// The names of all tables.
fn tables() -> Vec<String> {
    let sql = "select table_name from information_schema.tables where table_schema = 'public'";
    let lines = answer(sql, &[data("icmp.pcap")]);
    let name = |line: &str| {
        let row: Json = serde_json::from_str(line).unwrap();
        row["table_name"].as_str().unwrap().to_owned()
    };
    lines.lines().map(name).collect()
}

fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<_> = lines.lines().collect();
    lines.sort_unstable();
    lines
}

/// Each capture read for one table, with the parsers that it needs, against Parquet files for which all were parsed.
#[test]
fn every_table_of_a_capture_is_that_of_its_parquet_files() {
    let mut rows = BTreeMap::<String, usize>::new();
    let captures = captures();
    assert!(captures.len() > 20, "{captures:?}");
    let folder = tempfile::tempdir().unwrap();
    write(&captures, folder.path());
    for table in tables() {
        let sql = format!("select * from {table}");
        let of_captures = answer(&sql, &captures);
        let of_files = answer(&sql, &[folder.path().to_owned()]);
        assert_eq!(sorted(&of_captures), sorted(&of_files), "{table}");
        rows.insert(table, of_captures.lines().count());
    }
    let some: Vec<_> = ["flow", "dns", "tls", "http", "ssh"].map(|table| rows[table]).into();
    assert!(some.iter().all(|rows| *rows > 0), "{rows:?}");
}

#[test]
fn captures_and_files_are_one_table() {
    let folder = tempfile::tempdir().unwrap();
    write(&[data("dns-udp.pcap")], folder.path());
    let count = |inputs: &[PathBuf]| {
        let row: Json =
            serde_json::from_str(&answer("select count(*) n from dns", inputs)).unwrap();
        row["n"].as_u64().unwrap()
    };
    let (capture, files) = (data("dns-udp.pcap"), folder.path().to_owned());
    let one = count(slice::from_ref(&capture));
    assert!(one > 0);
    assert_eq!(count(slice::from_ref(&files)), one);
    assert_eq!(count(&[files.clone(), capture]), 2 * one);
    // One partition of a directory is an input too.
    assert_eq!(count(&[Path::new(&files).join("record=dns")]), one);
}

#[test]
fn questions_have_the_answers_that_records_give() {
    let check =
        |sql: &str, expected: &str| assert_eq!(answer(sql, &[data("mixed.pcapng")]), expected);
    let (code, text, err) = run(&mut query(
        &[
            "--quiet",
            "--format=csv",
            "select proto, count(*) n, sum(bytes_to_server + bytes_to_client) b from flow group by proto order by proto",
        ],
        &[data("mixed.pcapng")],
    ));
    assert_eq!((code, err.as_str()), (0, ""));
    // The same sums by hand, of all rows.
    let rows = answer(
        "select proto, bytes_to_server a, bytes_to_client b from flow",
        &[data("mixed.pcapng")],
    );
    let mut sums = BTreeMap::<String, (u64, u64)>::new();
    for row in rows.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()) {
        let sum = sums.entry(row["proto"].as_str().unwrap().to_owned()).or_default();
        sum.0 += 1;
        sum.1 += row["a"].as_u64().unwrap() + row["b"].as_u64().unwrap();
    }
    assert!(sums.len() > 1);
    let expected: String =
        sums.iter().map(|(proto, (n, b))| format!("{proto},{n},{b}\n")).collect();
    assert_eq!(text, format!("proto,n,b\n{expected}"));
    check("select count(*) n from flow where proto = 'none'", "{\"n\":0}\n");
    check("select 1 one from ssh limit 0", "");
    // A join reads the capture twice.
    let joined = answer(
        "select count(*) n from dns join flow on dns.flow_id = flow.flow_id",
        &[data("mixed.pcapng")],
    );
    let alone = answer("select count(*) n from dns", &[data("mixed.pcapng")]);
    assert_eq!(joined, alone);
    assert_ne!(alone, "{\"n\":0}\n");
}

#[test]
fn a_key_log_decrypts_tls() {
    let capture = data("tls12-keys.pcap");
    let count = |args: &[&str]| {
        let args = [&["--quiet", "--format=csv", "select count(*) n from http"], args].concat();
        run(&mut query(&args, slice::from_ref(&capture)))
    };
    assert_eq!(count(&[]), (0, "n\n0\n".to_owned(), String::new()));
    let (code, text, err) = count(&["--keylog", data("tls12-keys.txt").to_str().unwrap()]);
    assert!(code == 0 && text != "n\n0\n", "{text}{err}");
    let (code, _, err) = count(&["--keylog", "/nonexistent"]);
    assert!(code == 1 && err.contains("/nonexistent"), "{code} {err}");
}

#[test]
fn a_filter_is_for_packets_and_a_limit_ends_reading() {
    let count = |args: &[&str]| {
        let sql = "select count(*) n from flow";
        let args = [&["--quiet", "--format=json", sql], args].concat();
        run(&mut query(&args, &[data("mixed.pcapng")])).1
    };
    let (all, udp, tcp) = (count(&[]), count(&["-f", "udp"]), count(&["-f", "tcp"]));
    assert!(all != udp && udp != tcp && tcp != "{\"n\":0}\n", "{all} {udp} {tcp}");
    assert_eq!(count(&["-f", "port 1"]), "{\"n\":0}\n");
    let three = answer("select flow_id from flow limit 3", &[data("mixed.pcapng")]);
    assert_eq!(three.lines().count(), 3);
}

//! Damaged input, and questions that are none.

use std::fs;
use std::path::Path;

use crate::program::{data, query, run, write};

#[test]
fn a_cut_capture_is_read_to_its_end_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(data("dns-udp.pcap")).unwrap();
    let cut = folder.path().join("cut.pcap");
    fs::write(&cut, &whole[..whole.len() - 7]).unwrap();
    let args = ["--quiet", "--format=json", "select count(*) n from flow"];
    let (code, out, err) = run(&mut query(&args, &[cut, data("icmp.pcap")]));
    assert_eq!(code, 3, "{err}");
    assert!(out.starts_with("{\"n\":") && out != "{\"n\":0}\n", "{out}");
    assert!(err.contains("cut.pcap") && err.lines().count() == 1, "{err}");
}

#[test]
fn a_broken_parquet_file_is_left_out_and_named() {
    let folder = tempfile::tempdir().unwrap();
    write(&[data("dns-udp.pcap")], folder.path());
    let args = ["--format=json", "select count(*) n from dns"];
    let (_, whole, _) = run(&mut query(&args, &[folder.path().to_owned()]));
    let hour = folder.path().join("record=dns/hour=2000-01-01T00");
    fs::create_dir(&hour).unwrap();
    fs::write(hour.join("part-00000.parquet"), b"PAR1 not so PAR1").unwrap();
    fs::write(hour.join("part-00001.parquet.part"), b"being written").unwrap();
    let (code, out, err) = run(&mut query(&args, &[folder.path().to_owned()]));
    assert_eq!((code, out), (3, whole), "{err}");
    assert!(err.contains("part-00000.parquet: ") && !err.contains("part-00001"), "{err}");
}

#[test]
fn inputs_that_are_none_are_named_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let sql = "select 1 from flow";
    let (code, out, err) = run(&mut query(&[sql], &[folder.path().to_owned()]));
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("no directory `record=NAME`"), "{err}");
    let (code, _, err) = run(&mut query(&[sql], &[Path::new("/nonexistent.pcap").to_owned()]));
    assert!(code == 1 && err.contains("/nonexistent.pcap: "), "{err}");
    let (code, _, err) = run(&mut query(&[sql], &[]));
    assert!(code == 2 && err.contains("required arguments"), "{err}");
}

#[test]
fn a_question_that_is_none_has_exit_code_2() {
    let check = |args: &[&str], expected: &str| {
        let (code, out, err) = run(&mut query(args, &[data("icmp.pcap")]));
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
        assert!(err.contains(expected), "{args:?}: {err}");
    };
    check(&["select"], "SQL");
    check(&["select nothing from flow"], "nothing");
    check(&["select 1 from flows_and_more"], "flows_and_more");
    check(&["create table a as select 1"], "DDL");
    check(&["copy (select 1) to '/tmp/never.csv'"], "DML");
    check(&["select 1 from flow", "-f", "prot tcp"], "prot");
    check(&["select 1 from flow", "--format=parquet"], "--output");
}

#[test]
fn memory_is_bounded_by_the_option() {
    let sql = "select count(distinct concat(a.src_ip, a.flow_id, b.flow_id, c.flow_id, d.flow_id)) \
               from flow a, flow b, flow c, flow d";
    let args = ["--memory=1", sql];
    let (code, _, err) = run(&mut query(&args, &[data("mixed.pcapng")]));
    assert!(code == 1 && err.contains("memory"), "{code} {err}");
}

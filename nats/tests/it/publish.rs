//! Sensors and one server.

use std::fs;
use std::path::Path;
use std::process::Command;

use async_nats::jetstream::{self, stream};

use crate::process::{Process, captures, collector, data, feed, sense, sensor, wait_for};
use crate::server::{Servers, is_there, with_client};
use crate::table::{assert_equal, expected, read};
use crate::traffic;

/// What a collector writes of the stream, and what it says.
fn collected(url: &str) -> (crate::table::Table, String) {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = collector(url, folder.path(), &[]).end();
    assert_eq!(code, Some(0), "{said}");
    (read(folder.path()), said)
}

/// How many batches lie in a spool.
fn spooled(spool: &Path) -> usize {
    let Ok(entries) = fs::read_dir(spool) else { return 0 };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".batches")).count()
}

#[test]
fn the_table_is_that_of_one_process() {
    if !is_there("the_table_is_that_of_one_process") {
        return;
    }
    let servers = Servers::start(1);
    let spool = tempfile::tempdir().unwrap();
    let (code, said) = sense(&servers.url(), spool.path(), &[], &captures()).end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" acknowledged") && !said.contains("dropped"), "{said}");
    assert_eq!(spooled(spool.path()), 0);
    let (table, said) = collected(&servers.url());
    assert_equal(&table, &expected(&captures()));
    assert!(said.contains("duplicates: 0, rejected: 0"), "{said}");
}

#[test]
fn a_run_that_is_repeated_is_taken_once() {
    if !is_there("a_run_that_is_repeated_is_taken_once") {
        return;
    }
    let servers = Servers::start(1);
    let (url, spool) = (servers.url(), tempfile::tempdir().unwrap());
    for is_second in [false, true] {
        let (code, said) = sense(&url, spool.path(), &["--run=one"], &captures()).end();
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said.contains("of which the stream had"), is_second, "{said}");
    }
    let (table, _) = collected(&url);
    assert_equal(&table, &expected(&captures()));
}

#[test]
fn subjects_and_headers_say_what_it_is() {
    if !is_there("subjects_and_headers_say_what_it_is") {
        return;
    }
    let servers = Servers::start(1);
    let (url, spool) = (servers.url(), tempfile::tempdir().unwrap());
    let (code, said) =
        sense(&url, spool.path(), &["--run=r1", "--partitions=1"], &[data("dns-tcp.pcap")]).end();
    assert_eq!(code, Some(0), "{said}");
    with_client(&url, async |client| {
        let stream = jetstream::new(client).get_stream("FLOWSCOPE").await.unwrap();
        let config = &stream.cached_info().config;
        assert_eq!(config.subjects, ["flowscope.>"]);
        assert_eq!(config.discard, stream::DiscardPolicy::New);
        let message = stream.get_last_raw_message_by_subject("flowscope.berlin.dns.0").await;
        let message = message.unwrap();
        let header = |name: &str| message.headers.get(name).map(|value| value.as_str());
        assert_eq!(header("Flowscope-Run"), Some("r1"));
        assert_eq!(header("Flowscope-Batch"), Some("0"));
        assert_eq!(header("Content-Encoding"), Some("zstd"));
        assert_eq!(header("Nats-Msg-Id").map(str::len), Some(32));
    });
}

#[test]
fn the_server_may_come_later() {
    if !is_there("the_server_may_come_later") {
        return;
    }
    let mut servers = Servers::away();
    let (url, spool) = (servers.url(), tempfile::tempdir().unwrap());
    let sensor = sense(&url, spool.path(), &[], &captures());
    wait_for("a batch in the spool", || spooled(spool.path()) > 0);
    servers.restart(0);
    let (code, said) = sensor.end();
    assert_eq!(code, Some(0), "{said}");
    assert_equal(&collected(&url).0, &expected(&captures()));
}

#[test]
fn what_no_server_takes_is_for_the_next_run() {
    if !is_there("what_no_server_takes_is_for_the_next_run") {
        return;
    }
    let mut servers = Servers::away();
    let (url, spool) = (servers.url(), tempfile::tempdir().unwrap());
    let all = captures();
    let (first, rest) = all.split_at(2);
    let (code, said) = sense(&url, spool.path(), &[], first).end();
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("left in the spool, for the next run"), "{said}");
    servers.restart(0);
    let (code, said) = sense(&url, spool.path(), &[], rest).end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("found in the spool"), "{said}");
    let mut both = expected(first);
    for (partition, rows) in expected(rest) {
        both.entry(partition).or_default().extend(rows);
    }
    both.values_mut().for_each(|rows| rows.sort());
    assert_equal(&collected(&url).0, &both);
}

#[test]
fn a_server_that_is_killed_loses_nothing() {
    if !is_there("a_server_that_is_killed_loses_nothing") {
        return;
    }
    let mut servers = Servers::start(1);
    let (url, folder) = (servers.url(), tempfile::tempdir().unwrap());
    let capture = traffic::dns(12_000);
    let file = folder.path().join("dns.pcap");
    fs::write(&file, &capture).unwrap();
    let mut args = sensor(&url, &folder.path().join("spool"), "berlin", &["--partitions=2"]);
    args.push("-".to_owned());
    let mut process = Process::start(args);
    let mut stdin = process.stdin();
    let (first, rest) = capture.split_at(capture.len() / 2);
    feed(&mut stdin, first);
    let messages = || {
        with_client(&url, async |client| {
            let stream = jetstream::new(client).get_stream("FLOWSCOPE").await;
            stream.map_or(0, |stream| stream.cached_info().state.messages)
        })
    };
    wait_for("a message", || messages() > 0);
    servers.kill(0);
    feed(&mut stdin, rest);
    drop(stdin);
    servers.restart(0);
    let (code, said) = process.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("publishing again"), "{said}");
    assert_equal(&collected(&url).0, &expected(&[file]));
}

#[test]
fn a_stream_that_is_full_or_of_others_takes_nothing() {
    if !is_there("a_stream_that_is_full_or_of_others_takes_nothing") {
        return;
    }
    let check = |name: &str, max_messages: i64, part: &str| {
        let servers = Servers::start(1);
        let (url, spool) = (servers.url(), tempfile::tempdir().unwrap());
        with_client(&url, async |client| {
            let config = stream::Config {
                name: name.to_owned(),
                subjects: vec!["flowscope.>".to_owned()],
                discard: stream::DiscardPolicy::New,
                max_messages,
                ..stream::Config::default()
            };
            jetstream::new(client).create_stream(config).await.unwrap();
        });
        let (code, said) = sense(&url, spool.path(), &[], &captures()).end();
        assert_eq!(code, Some(5), "{said}");
        assert!(said.contains(part) && said.contains("left in the spool"), "{said}");
        assert!(spooled(spool.path()) > 0);
    };
    check("FLOWSCOPE", 1, "maximum messages exceeded");
    check("OTHERS", -1, "expected stream does not match");
}

/// A limit on the size of files stands for a full disk.
#[test]
fn a_spool_that_cannot_be_written_is_counted() {
    if !is_there("a_spool_that_cannot_be_written_is_counted") {
        return;
    }
    let servers = Servers::start(1);
    let spool = tempfile::tempdir().unwrap();
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_flowscope-nats")]);
    command.args(sensor(&servers.url(), spool.path(), "berlin", &["--partitions=1"]));
    let (code, said) = Process::of({
        command.args(captures());
        command
    })
    .end();
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("the spool cannot be written") && said.contains("dropped"), "{said}");
}

#[test]
fn a_small_spool_keeps_the_newest() {
    if is_there("a_small_spool_keeps_the_newest") {
        check_small_spool("oldest", false);
    }
}

#[test]
fn a_small_spool_keeps_the_oldest() {
    if is_there("a_small_spool_keeps_the_oldest") {
        check_small_spool("newest", true);
    }
}

/// What is dropped, without a server, is the oldest or the newest: the first or the last record is not there.
fn check_small_spool(dropped: &str, is_first_kept: bool) {
    let mut servers = Servers::away();
    let (url, folder) = (servers.url(), tempfile::tempdir().unwrap());
    let file = folder.path().join("dns.pcap");
    fs::write(&file, traffic::dns(12_000)).unwrap();
    let spool = folder.path().join("spool");
    let small = ["--spool-size=200K", &format!("--spool-full={dropped}"), "--partitions=1"];
    let (code, said) = sense(&url, &spool, &small, std::slice::from_ref(&file)).end();
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains(" dropped") && said.contains("left in the spool"), "{said}");
    servers.restart(0);
    let (code, said) = sense(&url, &spool, &["--partitions=1"], &[data("icmp.pcap")]).end();
    assert_eq!(code, Some(0), "{said}");
    let (table, _) = collected(&url);
    let rows = table.iter().filter(|(place, _)| place.starts_with("record=dns"));
    let rows: Vec<_> = rows.flat_map(|(_, rows)| rows).collect();
    let has = |name: &str| rows.iter().any(|row| row.contains(name));
    assert_eq!(has("\"host-1.example.com\""), is_first_kept);
    assert_eq!(has("\"host-11999.example.com\""), !is_first_kept);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let check = |args: &[&str], part: &str| {
        let all = ["flows"].iter().chain(args).chain(&["x.pcap"]);
        let (code, said) = Process::start(all).end();
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(said.contains(part), "{args:?}: {said}");
    };
    let whole = ["--format=arrow", "-o", "nats://a:1", "--site=a", "--spool=b"];
    let with = |more: &[&'static str]| [&whole[..], more].concat();
    check(&["--format=arrow"], "needs -o nats://");
    check(&["--format=arrow", "-o", "x"], "needs -o nats://");
    check(&["--format=arrow", "-o", "nats://a:99999", "--site=a", "--spool=b"], "expected nats://");
    check(&["--format=arrow", "-o", "nats://a:1"], "needs --site NAME and --spool DIR");
    check(&["--format=csv", "--site=a"], "are for --format arrow");
    check(&with(&["--sort=bytes"]), "--sort");
    check(&with(&["--fields=bytes"]), "--fields");
    check(&with(&["--partitions=0"]), "--partitions");
    check(&with(&["--run=a.b"]), "--run");
}

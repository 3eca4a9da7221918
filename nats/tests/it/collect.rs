//! Collectors and one server.

use std::fs;

use async_nats::HeaderMap;
use async_nats::jetstream;

use crate::process::{Process, captures, collector, sense, wait_for};
use crate::server::{Servers, is_there, with_client};
use crate::table::{assert_equal, batches, expected, files, read};

#[test]
fn a_collector_goes_on_where_it_was_killed() {
    if !is_there("a_collector_goes_on_where_it_was_killed") {
        return;
    }
    let servers = Servers::start(1);
    let (url, folder) = (servers.url(), tempfile::tempdir().unwrap());
    let (spool, to) = (folder.path().join("spool"), folder.path().join("table"));
    let all = captures();
    let (first, rest) = all.split_at(3);
    let endless = ["collect", &url, "-o", to.to_str().unwrap(), "--commit=1"];
    let process = Process::start(endless);
    let sensor = |captures, run| {
        let (code, said) = sense(&url, &spool, &[run], captures).end();
        assert_eq!(code, Some(0), "{said}");
    };
    sensor(first, "--run=first");
    wait_for("a file", || !files(&to).is_empty());
    process.kill();
    sensor(rest, "--run=rest");
    // The stream has forgotten nothing, but a collector knows it anyway.
    with_client(&url, async |client| {
        let context = jetstream::new(client);
        let stream = context.get_stream("FLOWSCOPE").await.unwrap();
        let message = stream.get_raw_message(1).await.unwrap();
        let mut headers = message.headers.clone();
        headers.insert("Nats-Msg-Id", "another");
        let again = context.publish_with_headers(message.subject, headers, message.payload);
        assert!(!again.await.unwrap().await.unwrap().duplicate);
    });
    let (code, said) = collector(&url, &to, &["--until-idle=7"]).end();
    assert_eq!(code, Some(0), "{said}");
    let mut both = expected(first);
    for (partition, rows) in expected(rest) {
        both.entry(partition).or_default().extend(rows);
    }
    both.values_mut().for_each(|rows| rows.sort());
    assert_equal(&read(&to), &both);
}

#[test]
fn collectors_share_partitions_and_each_name_gets_all() {
    if !is_there("collectors_share_partitions_and_each_name_gets_all") {
        return;
    }
    let servers = Servers::start(1);
    let (url, folder) = (servers.url(), tempfile::tempdir().unwrap());
    let (code, said) = sense(&url, &folder.path().join("spool"), &[], &captures()).end();
    assert_eq!(code, Some(0), "{said}");
    let [shared, all] = ["shared", "all"].map(|name| folder.path().join(name));
    let collectors = [
        collector(&url, &shared, &["--name=low", "--partitions=0-7"]),
        collector(&url, &shared, &["--name=high", "--partitions=8-15"]),
        collector(&url, &all, &["--name=all"]),
    ];
    for collector in collectors {
        let (code, said) = collector.end();
        assert_eq!(code, Some(0), "{said}");
        assert!(!said.contains(" 0 batches"), "{said}");
    }
    let expected = expected(&captures());
    assert_equal(&read(&shared), &expected);
    assert_equal(&read(&all), &expected);
    for path in files(&all) {
        for batch in batches(&path) {
            let time = flowscope_arrow::time_index(&batch.schema()).unwrap();
            let times = format!("{:?}", batch.column(time));
            let mut sorted: Vec<_> = times.lines().filter(|line| line.contains("20")).collect();
            let printed = sorted.clone();
            sorted.sort_unstable();
            assert_eq!(printed, sorted, "{}", path.display());
        }
    }
}

#[test]
fn other_messages_are_named_and_passed_over() {
    if !is_there("other_messages_are_named_and_passed_over") {
        return;
    }
    let servers = Servers::start(1);
    let (url, folder) = (servers.url(), tempfile::tempdir().unwrap());
    let (code, said) = sense(&url, &folder.path().join("spool"), &[], &captures()).end();
    assert_eq!(code, Some(0), "{said}");
    with_client(&url, async |client| {
        let context = jetstream::new(client);
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("Flowscope-Version", "1"),
            ("Flowscope-Run", "r"),
            ("Flowscope-Batch", "7"),
            ("Flowscope-Rows", "1"),
        ] {
            headers.insert(name, value);
        }
        for (subject, payload) in [
            ("flowscope.a.dns.0", "no batch"),
            ("flowscope.a.dns.0", ""),
            ("flowscope.a.dns", "x"),
            ("flowscope.\u{1b}.dns.1", "x"),
        ] {
            let sent = context.publish_with_headers(subject, headers.clone(), payload.into());
            sent.await.unwrap().await.unwrap();
        }
        context.publish("flowscope.a.dns.0", "x".into()).await.unwrap().await.unwrap();
    });
    let to = folder.path().join("table");
    let (code, said) = collector(&url, &to, &[]).end();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("rejected: 5") && !said.contains('\u{1b}'), "{said}");
    assert_equal(&read(&to), &expected(&captures()));
}

#[test]
fn a_signal_completes_what_was_received() {
    if !is_there("a_signal_completes_what_was_received") {
        return;
    }
    let servers = Servers::start(1);
    let (url, folder) = (servers.url(), tempfile::tempdir().unwrap());
    let to = folder.path().join("table");
    let (code, said) = sense(&url, &folder.path().join("spool"), &[], &captures()).end();
    assert_eq!(code, Some(0), "{said}");
    // It would wait for an hour.
    let process = Process::start(["collect", &url, "-o", to.to_str().unwrap(), "--commit=3600"]);
    with_client(&url, async |client| {
        let context = jetstream::new(client);
        loop {
            let stream = context.get_stream("FLOWSCOPE").await.unwrap();
            if let Ok(info) = stream.consumer_info("collector").await
                && info.num_pending == 0
            {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    });
    assert!(files(&to).is_empty());
    process.interrupt();
    let (code, said) = process.end();
    assert_eq!(code, Some(0), "{said}");
    assert_equal(&read(&to), &expected(&captures()));
}

#[test]
fn what_cannot_be_done_has_a_status() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let check = |args: &[&str], expected: i32| {
        let (code, said) = Process::start(["collect"].iter().chain(args)).end();
        assert_eq!(code, Some(expected), "{args:?}: {said}");
    };
    let to = folder.path().join("table");
    let to = to.to_str().unwrap();
    check(&["nats://127.0.0.1:1"], 2);
    check(&["nats://127.0.0.1:1", "-o", to, "--partitions=9-1"], 2);
    check(&["http://127.0.0.1:1", "-o", to], 2);
    check(&["nats://127.0.0.1:1", "-o", file.to_str().unwrap()], 5);
    fs::create_dir_all(folder.path().join("table/.collect/collector")).unwrap();
    fs::write(folder.path().join("table/.collect/collector/state"), "cut").unwrap();
    check(&["nats://127.0.0.1:1", "-o", to], 1);
    fs::remove_file(folder.path().join("table/.collect/collector/state")).unwrap();
    check(&["nats://127.0.0.1:1", "-o", to, "--until-idle=1"], 0);
}

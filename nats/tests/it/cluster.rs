//! A cluster of three servers, three sensors and two collectors, one of each of which is killed.

use std::fs;
use std::path::Path;

use async_nats::jetstream;

use crate::process::{Process, collector, feed, sensor, wait_for};
use crate::server::{Servers, is_there, with_client};
use crate::table::{assert_equal, expected, files, read};
use crate::traffic;

/// Arguments of the sensor that sees this network of the capture on standard input. Flows have the ids that they have in
/// the whole capture.
fn part(url: &str, folder: &Path, at: usize) -> Vec<String> {
    let net = format!("net 10.0.{at}.0/24");
    let run = format!("--run=part-{at}");
    let more = ["--partitions=2", "--nats-replicas=3", &run, "-f", &net, "-"];
    sensor(url, &folder.join(format!("spool{at}")), &format!("site{at}"), &more)
}

#[test]
fn every_record_is_in_the_table_once() {
    if !is_there("every_record_is_in_the_table_once") {
        return;
    }
    let mut servers = Servers::start(3);
    let (url, folder) = (servers.url(), tempfile::tempdir().unwrap());
    let capture = traffic::dns(36_000);
    let file = folder.path().join("dns.pcap");
    fs::write(&file, &capture).unwrap();
    let expected = expected(&[file]);
    let to = folder.path().join("table");
    let collect = |name: &str, partitions: &str, more: &[&str]| {
        let (name, partitions) = (format!("--name={name}"), format!("--partitions={partitions}"));
        let options = [name.as_str(), &partitions, "--nats-replicas=3"];
        collector(&url, &to, &[&options[..], more].concat())
    };
    let (first, rest) = capture.split_at(capture.len() / 2);
    let mut sensors: Vec<_> = (0..3)
        .map(|at| {
            let mut process = Process::start(part(&url, folder.path(), at));
            let mut stdin = process.stdin();
            feed(&mut stdin, first);
            (process, stdin)
        })
        .collect();
    // Until the servers have found each other, and a leader of the stream.
    let patient = ["--until-idle=25"];
    let low = collect("low", "0", &patient);
    let high = collect("high", "1", &patient);
    wait_for("a commit of each", || {
        let names: Vec<_> = files(&to).iter().map(|path| path.display().to_string()).collect();
        ["/low-", "/high-"].iter().all(|name| names.iter().any(|path| path.contains(name)))
    });
    let has_published = async |client| {
        let stream = jetstream::new(client).get_stream("FLOWSCOPE").await.unwrap();
        stream.get_last_raw_message_by_subject("flowscope.site1.flow.0").await.is_ok()
    };
    wait_for("a message of the sensor that is killed", || with_client(&url, has_published));
    servers.kill(0);
    let (killed, _) = sensors.remove(1);
    killed.kill();
    low.kill();
    // The sensor runs again, on all of its packets, and the collector on all of its partitions.
    let mut again = Process::start(part(&url, folder.path(), 1));
    let mut stdin = again.stdin();
    feed(&mut stdin, &capture);
    drop(stdin);
    let low = collect("low", "0", &patient);
    for (_, stdin) in &mut sensors {
        feed(stdin, rest);
    }
    let (code, said) = again.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("of which the stream had"), "{said}");
    for (process, stdin) in sensors {
        drop(stdin);
        let (code, said) = process.end();
        assert_eq!(code, Some(0), "{said}");
    }
    servers.restart(0);
    for process in [low, high] {
        let (code, said) = process.end();
        assert_eq!(code, Some(0), "{said}");
    }
    assert_equal(&read(&to), &expected);
}

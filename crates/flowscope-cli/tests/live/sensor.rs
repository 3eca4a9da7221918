//! Captures that run for long: rotation, signals, metrics, another user, options from a file.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::world::*;

fn in_namespace(name: &str, body: impl FnOnce()) {
    crate::world::in_namespace("sensor", name, body);
}

/// Files of a folder and their text.
fn read(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let text = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read_to_string(entry.path()).unwrap_or_default())
    };
    files.map(text).collect()
}

/// Starts a capture of flows to a folder, whose records come soon.
fn start(folder: &Path, args: &[&str]) -> Live {
    let base = ["flows", "-iv1", "--udp-idle=200ms", "--output-dir"].map(OsStr::new);
    let args = args.iter().map(OsStr::new);
    Live::start(base.into_iter().chain([folder.as_os_str()]).chain(args))
}

/// Sends as many flows of one datagram each.
fn send_flows(folder: &Path, flows: u32) {
    send(&file(folder, "many.pcap", &pcap(&many_flows(flows, 10))));
}

pub(crate) fn logs_rotate_by_size_and_the_latest_are_kept() {
    in_namespace("logs_rotate_by_size_and_the_latest_are_kept", || {
        let folder = tempfile::tempdir().unwrap();
        for keep in [1000, 3] {
            let logs = folder.path().join(keep.to_string());
            fs::create_dir(&logs).unwrap();
            // Neither the log of a run that crashed nor another file is lost.
            fs::write(logs.join("eve.json"), "{\"event_type\":\"old\"}\n").unwrap();
            fs::write(logs.join("eve.old.json"), "mine").unwrap();
            let args = ["--format=eve", "--rotate=10KiB", "--keep", &keep.to_string()];
            let live = start(&logs, &args);
            assert!(!read(&logs)["eve.json"].contains("old"));
            send_flows(folder.path(), 300);
            let ran = live.interrupt();
            assert_eq!(ran.code, 0, "{ran:?}");
            let mut files = read(&logs);
            assert_eq!(files.remove("eve.old.json").as_deref(), Some("mine"));
            assert!(files.keys().all(|name| name.starts_with("eve.20")), "{:?}", files.keys());
            let records: Vec<_> = files.values().flat_map(|text| lines(text)).collect();
            let count = |kind: &str| records.iter().filter(|x| x["event_type"] == kind).count();
            assert_eq!(count("stats"), 1);
            if keep == 3 {
                assert_eq!(files.len(), 3, "{:?}", files.keys());
                assert!(count("flow") > 10 && count("flow") < 100 && count("old") == 0);
            } else {
                assert_eq!((count("flow"), count("old")), (300, 1));
                let mut sizes: Vec<_> = files.values().map(String::len).collect();
                sizes.sort_unstable();
                // All but the old one and the last have 10 KiB and at most a record more.
                assert!(sizes[2..].iter().all(|size| (10_240..12_000).contains(size)), "{sizes:?}");
            }
        }
    });
}

pub(crate) fn logs_rotate_by_time() {
    in_namespace("logs_rotate_by_time", || {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        let live = start(&logs, &["--format=zeek", "--rotate=1s"]);
        let rows = |text: &String| text.lines().filter(|line| !line.starts_with('#')).count();
        let complete = || read(&logs).keys().filter(|name| name.starts_with("conn.20")).count();
        send_flows(folder.path(), 7);
        until("a log is complete", || complete() >= 1);
        let ran = live.interrupt();
        assert_eq!(ran.code, 0, "{ran:?}");
        let files = read(&logs);
        assert_eq!(files.values().map(rows).sum::<usize>(), 7, "{files:?}");
        for (name, text) in &files {
            assert_eq!(text.matches("#separator").count(), 1, "{name}\n{text}");
            assert!(text.lines().last().unwrap().starts_with("#close\t"), "{name}\n{text}");
        }
    });
}

pub(crate) fn a_hangup_opens_logs_again_that_were_moved() {
    in_namespace("a_hangup_opens_logs_again_that_were_moved", || {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        let live = start(&logs, &["--format=zeek"]);
        let rows = |name: &str| {
            let text = fs::read_to_string(logs.join(name)).unwrap_or_default();
            text.lines().filter(|line| !line.starts_with('#')).count()
        };
        send_flows(folder.path(), 7);
        until("the records are written", || rows("conn.log") == 7);
        // What was not moved stays as it is.
        live.signal("HUP");
        send_flows(folder.path(), 1);
        until("the record is written", || rows("conn.log") == 8);
        fs::rename(logs.join("conn.log"), logs.join("conn.log.1")).unwrap();
        live.signal("HUP");
        until("the log is there again", || logs.join("conn.log").exists());
        send_flows(folder.path(), 2);
        until("the records are written", || rows("conn.log") == 2);
        let ran = live.interrupt();
        assert_eq!(ran.code, 0, "{ran:?}");
        for (name, text) in read(&logs) {
            assert_eq!(text.matches("#separator").count(), 1, "{name}\n{text}");
            assert_eq!(text.matches("#close").count(), 1, "{name}\n{text}");
        }
        assert_eq!((rows("conn.log.1"), rows("conn.log")), (8, 2));
    });
}

pub(crate) fn a_signal_prints_the_counters() {
    in_namespace("a_signal_prints_the_counters", || {
        let mut live = Live::start(["flows", "-iv1", "--format=eve"]);
        send(&corpus("http-keep-alive.pcap"));
        let sent = frames(&corpus("http-keep-alive.pcap")).len() as u64;
        assert_eq!(live.until_read(sent), sent);
        let ran = live.interrupt();
        assert_eq!((ran.code, balanced(&ran.out).1), (0, sent));
    });
}

/// The answer to a request, head and body.
fn request(address: &str, request: &str) -> (String, String) {
    let mut client = TcpStream::connect(address).unwrap();
    write!(client, "{request}\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

pub(crate) fn metrics_are_the_counters_of_the_end() {
    in_namespace("metrics_are_the_counters_of_the_end", || {
        assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
        let mut live = Live::start([
            "flows",
            "-iv1",
            "--format=eve",
            "--udp-idle=200ms",
            "--metrics=127.0.0.1:0",
        ]);
        let mut line = String::new();
        live.err.as_mut().unwrap().read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("flowscope: metrics at http://").expect(&line);
        let address = address.strip_suffix("/metrics").unwrap();
        send(&corpus("http-keep-alive.pcap"));
        send(&corpus("dns-udp.pcap"));
        let sent = ["http-keep-alive.pcap", "dns-udp.pcap"].map(|name| frames(&corpus(name)).len());
        let sent = (sent[0] + sent[1]) as u64;
        let metrics = || {
            let (head, body) = request(address, "GET /metrics HTTP/1.1");
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            body
        };
        let value = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.split(' ').nth(1));
            line.map(|value| value.parse::<f64>().unwrap() as u64)
        };
        // Those that have arrived are delivered a moment later.
        let [arrived, delivered] = ["arrived", "delivered"]
            .map(|what| format!("netring_packets_{what}_total{{stream=\"v1\"}}"));
        let mut text = String::new();
        until("all packets are counted", || {
            text = metrics();
            [&arrived, &delivered].iter().all(|name| value(&text, name) == Some(sent))
        });
        let of = |name: &str| value(&text, &format!("{name}{{stream=\"v1\"}}")).expect(&text);
        assert!(of("netring_batch_seconds_count") > 0 && of("flowscope_memory_bytes") > 1000);
        let started = of("flowscope_flows_started_total");
        let bytes = of("netring_bytes_delivered_total");
        assert!(request(address, "GET / HTTP/1.1").0.starts_with("HTTP/1.1 404 "));
        assert!(request(address, "POST /metrics HTTP/1.1").0.starts_with("HTTP/1.1 405 "));
        // Who sends nothing does not keep others waiting for ever.
        let _silent = TcpStream::connect(address).unwrap();
        assert_eq!(value(&metrics(), &arrived), Some(sent));
        let ran = live.interrupt();
        assert_eq!(ran.code, 0, "{ran:?}");
        let (records, seen) = balanced(&ran.out);
        assert_eq!((seen, records.len() as u64), (sent, started));
        let stats = lines(&ran.out).pop().unwrap();
        assert_eq!(stats["stats"]["bytes"]["delivered"].as_u64(), Some(bytes));
    });
}

pub(crate) fn options_come_from_a_file_and_the_command_line_wins() {
    in_namespace("options_come_from_a_file_and_the_command_line_wins", || {
        let folder = tempfile::tempdir().unwrap();
        let config = "interface = 'v1'\nformat = 'csv'\ncount = 3\nvlan-key = true\n";
        let config = file(folder.path(), "sensor.toml", config.as_bytes());
        let config = config.to_str().unwrap();
        let live = Live::start(["flows", "--config", config, "--format=json"]);
        send_flows(folder.path(), 9);
        let ran = live.end();
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(lines(&ran.out).len(), 3, "{}", ran.out);
        for (text, said) in [
            ("interface = 'v1'\nfromat = 'csv'\n", "sensor.toml:2: `fromat` is no option"),
            ("interface = 'v1'\n[keep]\n", "sensor.toml:2: `keep` takes "),
            ("interface = ", "sensor.toml:1: "),
        ] {
            file(folder.path(), "sensor.toml", text.as_bytes());
            let ran = flowscope(["flows", "--config", config]);
            assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
            assert!(ran.err.contains(said), "{ran:?}");
        }
        let ran = flowscope(["flows", "-iv1", "--config", "/none/such.toml"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("/none/such.toml: No such file"), "{ran:?}");
    });
}

pub(crate) fn a_full_disk_ends_it_and_complete_logs_stay() {
    in_namespace("a_full_disk_ends_it_and_complete_logs_stay", || {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        fs::create_dir(&disk).unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=256k", "none", disk.to_str().unwrap()];
        assert!(Command::new("mount").args(mount).status().unwrap().success());
        let live = start(&disk, &["--format=eve", "--rotate=64KiB"]);
        send_flows(folder.path(), 2000);
        let ran = live.end();
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.err.contains("cannot write: No space left"), "{ran:?}");
        let files = read(&disk);
        let complete: Vec<_> =
            files.iter().filter(|(name, _)| name.starts_with("eve.20")).collect();
        assert!(complete.len() >= 2, "{:?}", files.keys());
        assert!(complete.iter().all(|(_, text)| lines(text).len() > 10));
        assert!(Command::new("umount").arg(&disk).status().unwrap().success());
    });
}

pub(crate) fn it_goes_on_as_another_user() {
    in_namespace("it_goes_on_as_another_user", || {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        // Processes have the numbers of this namespace in here.
        assert!(
            Command::new("mount").args(["-t", "proc", "none", "/proc"]).status().unwrap().success()
        );
        let logs = folder.path().join("logs");
        let args = ["--format=eve", "--rotate=1h", "--user=nobody", "--metrics=127.0.0.1:0"];
        let mut live = start(&logs, &args);
        let mut line = String::new();
        live.err.as_mut().unwrap().read_line(&mut line).unwrap();
        assert!(line.starts_with("flowscope: runs as nobody ("), "{line}");
        line.clear();
        live.err.as_mut().unwrap().read_line(&mut line).unwrap();
        assert!(line.contains("Landlock"), "{line}");
        let uid = fs::metadata(&logs).unwrap().uid();
        assert_ne!(uid, 0);
        assert_eq!(fs::metadata(logs.join("eve.json")).unwrap().uid(), uid);
        // Every thread.
        let tasks = fs::read_dir(format!("/proc/{}/task", live.child.id())).unwrap();
        let mut threads = 0;
        for task in tasks {
            let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
            };
            assert_eq!(field("Uid:"), vec![uid.to_string(); 4]);
            assert_eq!(field("NoNewPrivs:"), ["1"], "{status}");
            for capabilities in ["CapPrm:", "CapEff:", "CapAmb:"] {
                assert_eq!(field(capabilities), ["0000000000000000"], "{status}");
            }
            threads += 1;
        }
        // For packets, signals, logs and metrics.
        assert_eq!(threads, 4);
        // It still captures, and rotates.
        send_flows(folder.path(), 3);
        until("the records are written", || {
            fs::read_to_string(logs.join("eve.json")).is_ok_and(|text| text.lines().count() == 3)
        });
        live.signal("HUP");
        until("the log is complete", || read(&logs).keys().any(|name| name.starts_with("eve.20")));
        let ran = live.interrupt();
        assert_eq!(ran.code, 0, "{ran:?}");
        for (user, said) in
            [("none-such", "there is no such user"), ("root", "keeps all privileges")]
        {
            let ran = flowscope(["flows", "-iv1", "--user", user]);
            assert_ne!(ran.code, 0, "{ran:?}");
            assert!(ran.err.contains(said), "{ran:?}");
        }
    });
}

/// As `contrib/flowscope.service` starts it: another user, these capabilities, and no way to gain others.
pub(crate) fn the_capabilities_of_the_unit_for_systemd_are_enough() {
    in_namespace("the_capabilities_of_the_unit_for_systemd_are_enough", || {
        let unit = include_str!("../../../../contrib/flowscope.service");
        let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        let capabilities = |key| {
            let names = value(key).split(' ').map(|name| name.strip_prefix("CAP_").unwrap());
            names.fold("-all".to_owned(), |all, name| all + ",+" + &name.to_lowercase())
        };
        let [bounding, ambient] =
            ["CapabilityBoundingSet=", "AmbientCapabilities="].map(capabilities);
        assert_eq!(value("NoNewPrivileges="), "yes");
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        fs::create_dir(&logs).unwrap();
        for folder in [folder.path(), &logs] {
            std::os::unix::fs::chown(folder, Some(65534), Some(65534)).unwrap();
        }
        let config = folder.path().join("sensor.toml");
        let options = format!("interface = [\"v1\"]\noutput-dir = {logs:?}\nrotate = \"1h\"\n");
        fs::write(&config, options + "format = \"eve\"\n").unwrap();
        let live = |ambient: &str| {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]);
            command.args([format!("--bounding-set={bounding}"), format!("--inh-caps={ambient}")]);
            command.args([format!("--ambient-caps={ambient}")]);
            command.args([env!("CARGO_BIN_EXE_flowscope"), "flows", "--config"]).arg(&config);
            command
        };
        let refused = run(&mut live("-all"), b"");
        assert_eq!(refused.code, 4, "{refused:?}");
        let live = Live::of(&mut live(&ambient));
        send_flows(folder.path(), 3);
        let ran = live.interrupt();
        assert_eq!(ran.code, 0, "{ran:?}");
        let records: String = read(&logs).into_values().collect();
        assert_eq!(records.matches(r#""event_type":"flow""#).count(), 3, "{records}");
    });
}

/// As root of a container is: `--cap-drop ALL`, with these added.
fn with_capabilities(added: &str, args: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.arg(format!("--bounding-set=-all,{added}"));
    command.arg(env!("CARGO_BIN_EXE_flowscope")).args(args);
    command
}

pub(crate) fn a_container_without_a_capability_is_told_which_one() {
    in_namespace("a_container_without_a_capability_is_told_which_one", || {
        let ran = run(&mut with_capabilities("+net_admin", &["flows", "-iv1"]), b"");
        let said = "flowscope: capturing needs CAP_NET_RAW, which the container or service of this program \
            is not given; start it with\n    --cap-add NET_RAW --cap-add NET_ADMIN, or, by systemd, ";
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{ran:?}");
        assert!(ran.err.starts_with(said), "{ran:?}");

        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let logs = folder.path().join("logs");
        let base = ["flows", "-iv1", "--udp-idle=200ms", "--format=eve", "--user=nobody"];
        let args = [&base[..], &["--output-dir", logs.to_str().unwrap()]].concat();
        for (added, said) in [
            ("+net_raw", ["takes CAP_CHOWN;", "    --cap-add CHOWN, or"]),
            (
                "+net_raw,+chown",
                ["without CAP_SETUID and CAP_SETGID", "    --cap-add SETUID --cap-"],
            ),
        ] {
            let ran = run(&mut with_capabilities(added, &args), b"");
            assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{ran:?}");
            assert!(said.iter().all(|said| ran.err.contains(said)), "{ran:?}");
            assert_eq!(logs.exists(), added.contains("chown"), "{ran:?}");
        }
        // The directory is that user's now.
        let live = Live::of(&mut with_capabilities("+net_raw,+setuid,+setgid", &args));
        send_flows(folder.path(), 3);
        let ran = live.interrupt();
        assert_eq!(ran.code, 0, "{ran:?}");
        let records: String = read(&logs).into_values().collect();
        assert_eq!(records.matches(r#""event_type":"flow""#).count(), 3, "{records}");
    });
}

/// In a user namespace that maps nothing, root is nobody.
pub(crate) fn another_user_takes_root() {
    let mut command = Command::new("unshare");
    command.arg("--user").arg(env!("CARGO_BIN_EXE_flowscope"));
    let ran = run(command.args(["flows", "-ilo", "--user=nobody"]), b"");
    assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{ran:?}");
    assert!(ran.err.contains("does not run as root"), "{ran:?}");
}

pub(crate) fn wrong_usage_is_exit_code_2() {
    let cases: [&[&str]; 8] = [
        &["flows", "-ilo", "--rotate=1h"],
        &["flows", "-ilo", "--rotate=1h", "-o", "x"],
        &["flows", "-ilo", "--format=eve", "--output-dir=/tmp/x", "--keep=3"],
        &["flows", "-ilo", "--format=eve", "--output-dir=/tmp/x", "--rotate=60"],
        &["flows", "-ilo", "--format=eve", "--output-dir=/tmp/x", "--rotate=1h", "--rotate=2h"],
        &["flows", "--rotate=1h", "--format=eve", "--output-dir=/tmp/x", "x.pcap"],
        &["flows", "--metrics=127.0.0.1:1", "x.pcap"],
        &["flows", "--user=nobody", "x.pcap"],
    ];
    for args in cases {
        let ran = flowscope(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {ran:?}");
    }
}

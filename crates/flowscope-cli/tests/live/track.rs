use crate::world::*;

fn in_namespace(name: &str, body: impl FnOnce()) {
    crate::world::in_namespace("track", name, body);
}

/// A record without what differs when the same packets are captured another time: times, and why
/// flows end that are still open.
fn timeless(mut record: Value) -> Value {
    for part in ["", "/flow", "/flowscope", "/tls", "/dns", "/http"] {
        if let Some(Value::Object(part)) = record.pointer_mut(part) {
            let times =
                ["timestamp", "start", "end", "age", "syn_rtt", "ack_rtt", "latency", "duration"];
            times.iter().for_each(|time| drop(part.remove(*time)));
            for reason in
                part.iter_mut().filter(|(name, _)| *name == "end_reason" || *name == "reason")
            {
                if *reason.1 == "end_of_input" {
                    *reason.1 = "shutdown".into();
                }
            }
        }
    }
    record
}

fn records(ran: &Ran) -> Vec<Value> {
    assert_eq!(ran.code, 0, "{ran:?}");
    lines(&ran.out).into_iter().map(timeless).collect()
}

pub(crate) fn live_output_equals_the_output_for_the_file() {
    in_namespace("live_output_equals_the_output_for_the_file", || {
        let flows = ["flows", "--format=eve"].as_slice();
        let two = ["flows", "--format=eve", "--workers=2"].as_slice();
        let sessions = ["sessions", "--format=eve"].as_slice();
        let events = ["events", "--workers=3"].as_slice();
        for (name, args) in [
            ("http-keep-alive.pcap", flows),
            ("tls13.pcap", two),
            ("vxlan.pcap", two),
            ("icmp.pcap", flows),
            ("http-pipelining.pcap", sessions),
            ("dns-udp.pcap", sessions),
            ("reset.pcap", events),
            ("refused.pcap", events),
        ] {
            let path = corpus(name);
            let live = Live::start(args.iter().chain(&["-iv1"]));
            send(&path);
            let ran = live.interrupt();
            let count = frames(&path).len();
            let line = format!("{count} packets arrived: {count} read, 0 dropped by the kernel");
            assert!(ran.err.contains(&line), "{name}: {ran:?}");
            let expected = run(program().args(args).arg(&path), b"");
            assert_eq!(records(&ran), records(&expected), "{name} {args:?}");
        }
    });
}

/// Logs in a directory have their names and their records while the program runs.
pub(crate) fn logs_can_be_read_while_they_grow() {
    in_namespace("logs_can_be_read_while_they_grow", || {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("logs");
        let args = ["sessions", "--format=zeek", "-iv1", "--udp-idle=300ms", "--output-dir"];
        let live = Live::start(args.iter().map(OsStr::new).chain([dir.as_os_str()]));
        send(&corpus("dns-udp.pcap"));
        let rows = |log: &str| {
            let text = std::fs::read_to_string(dir.join(log)).unwrap_or_default();
            assert!(!text.contains("#close"), "{text}");
            text.lines().filter(|line| !line.starts_with('#')).count()
        };
        until("both logs have records", || rows("dns.log") > 0 && rows("conn.log") == 10);
        let ran = live.interrupt();
        assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
        for log in ["dns.log", "conn.log"] {
            let text = std::fs::read_to_string(dir.join(log)).unwrap();
            assert!(text.lines().last().unwrap().starts_with("#close\t"), "{text}");
        }
    });
}

/// A record comes when its flow has been silent for long enough, without any packet.
pub(crate) fn flows_time_out_without_packets() {
    in_namespace("flows_time_out_without_packets", || {
        for workers in ["1", "2"] {
            let mut live = Live::start([
                "flows",
                "--format=eve",
                "-iv1",
                "--udp-idle=300ms",
                "--workers",
                workers,
            ]);
            send(&corpus("dns-udp.pcap"));
            for _ in 0..10 {
                let record: Value = serde_json::from_str(&live.line()).unwrap();
                assert_eq!(record["flowscope"]["end_reason"], "idle_timeout");
            }
            let ran = live.interrupt();
            assert_eq!(ran.code, 0);
            let stats = lines(&ran.out);
            assert_eq!(stats.len(), 1, "all flows had ended");
            assert_eq!(stats[0]["stats"]["packets"]["tracked"], 20);
        }
    });
}

/// A program that had no time to read is not told that there was silence.
pub(crate) fn a_pause_of_the_reader_does_not_expire_flows() {
    in_namespace("a_pause_of_the_reader_does_not_expire_flows", || {
        let folder = tempfile::tempdir().unwrap();
        let one = file(folder.path(), "one.pcap", &pcap(&many_flows(1, 10)));
        let mut live = Live::start(["flows", "--format=eve", "-iv1", "--udp-idle=1"]);
        let sender = thread::spawn(move || {
            let args = ["replay", "-iv0", "--pps=50", "--loop=100"].map(OsStr::new);
            flowscope(args.into_iter().chain([one.as_os_str()]))
        });
        live.until_read(1);
        live.signal("STOP");
        thread::sleep(Duration::from_millis(1300));
        live.signal("CONT");
        assert_eq!(sender.join().unwrap().code, 0);
        let (records, seen) = balanced(&live.interrupt().out);
        assert_eq!((records.len(), seen), (1, 100), "{records:?}");
    });
}

pub(crate) fn table_rows_are_printed_as_flows_end() {
    in_namespace("table_rows_are_printed_as_flows_end", || {
        for args in [["flows", "--udp-idle=100ms"], ["sessions", "--protocol=dns"]] {
            let mut live = Live::start(args.into_iter().chain(["-iv1"]));
            send(&corpus("dns-udp.pcap"));
            let head = live.line();
            assert!(head.contains("INITIATOR"), "{head}");
            assert!(live.line().contains("10.77.0.1"));
            assert_eq!(live.interrupt().code, 0);
        }
    });
}

pub(crate) fn long_flows_give_interim_records() {
    in_namespace("long_flows_give_interim_records", || {
        let mut live = Live::start(["flows", "--format=eve", "-iv1", "--interim=50ms"]);
        let folder = tempfile::tempdir().unwrap();
        let one = file(folder.path(), "one.pcap", &pcap(&many_flows(1, 10)));
        let sender = thread::spawn(move || {
            let args = ["replay", "-iv0", "--pps=100", "--loop=20"].map(OsStr::new);
            flowscope(args.into_iter().chain([one.as_os_str()]))
        });
        let record: Value = serde_json::from_str(&live.line()).unwrap();
        assert_eq!(record["flowscope"]["end_reason"], "active_timeout", "{record}");
        assert_eq!(sender.join().unwrap().code, 0);
        let ran = live.interrupt();
        let (mut records, seen) = balanced(&ran.out);
        records.push(record);
        let sent = records.iter().map(|record| record["flow"]["pkts_toserver"].as_u64().unwrap());
        assert_eq!((sent.sum::<u64>(), seen), (20, 20));
        assert!(records.len() > 2, "{}", ran.out);
    });
}

/// Each direction comes by an interface of its own, and the records have both.
pub(crate) fn several_interfaces_are_one_capture() {
    use netring::ring::{AfPacket, AfPacketConfig, Capture};
    in_namespace("several_interfaces_are_one_capture", || {
        ip("link add w0 type veth peer name w1");
        ip("link set w0 up arp off");
        ip("link set w1 up arp off");
        until("the cable is plugged in", || running("w0") && running("w1"));
        let path = corpus("bulk.pcap");
        let packets = frames(&path);
        let expected = flowscope(["events".as_ref(), path.as_os_str()]);
        for command in [["events", "--workers=1"], ["events", "--workers=2"]] {
            let live = Live::start(command.into_iter().chain(["-iv1", "-iw1"]));
            let mut ends =
                ["v0", "w0"].map(|name| AfPacket::open(name, &AfPacketConfig::default()).unwrap());
            for (frame, _) in &packets {
                let is_answer = frame[6..12] != packets[0].0[6..12];
                ends[usize::from(is_answer)].send(frame).unwrap();
            }
            let ran = live.interrupt();
            assert!(!ran.out.contains("clock_backwards"), "{ran:?}");
            assert_eq!(records(&ran), records(&expected));
        }
    });
}

pub(crate) fn patterns_name_several_interfaces() {
    use netring::ring::{AfPacket, AfPacketConfig, Capture};
    in_namespace("patterns_name_several_interfaces", || {
        ip("link add w0 type veth peer name w1");
        ip("link set w0 up arp off");
        ip("link set w1 up arp off");
        until("the cable is plugged in", || running("w0") && running("w1"));
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out.pcapng");
        let (_, frame) = many_flows(1, 10).remove(0);
        let config = AfPacketConfig::default();
        let mut ends = ["v0", "w0"].map(|name| AfPacket::open(name, &config).unwrap());
        // Both ends of a cable see its frame. An interface is captured once, however often it is named.
        for (words, packets) in
            [(&["-i?1"][..], 2), (&["-iany"], 4), (&["-iv1", "-iv*"], 2), (&["-iv1", "-iany"], 4)]
        {
            let live = Live::start(["capture", "-w", out.to_str().unwrap()].iter().chain(words));
            ends.iter_mut().for_each(|end| end.send(&frame).unwrap());
            let ran = live.interrupt();
            assert_eq!(ran.code, 0, "{ran:?}");
            assert_eq!(
                frames(&out),
                vec![(frame.clone(), frame.len() as u32); packets],
                "{words:?}"
            );
        }
        let ran = flowscope(["flows", "-ix*"]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
        assert!(ran.err.contains("`x*`; there are: "), "{ran:?}");
    });
}

/// A veth device has no hardware timestamps: its frames have the kernel's, with either option.
pub(crate) fn times_are_the_kernels_where_the_card_has_none() {
    in_namespace("times_are_the_kernels_where_the_card_has_none", || {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out.pcapng");
        for source in ["--timestamps=kernel", "--timestamps=card"] {
            let before = Timestamp::from(std::time::SystemTime::now());
            let live = Live::start(["capture", "-iv1", "-c1", source, "-w", out.to_str().unwrap()]);
            send(&file(folder.path(), "one.pcap", &pcap(&many_flows(1, 10))));
            assert_eq!(live.end().code, 0);
            let after = Timestamp::from(std::time::SystemTime::now());
            let times = super::replay::times_of(&out);
            let during = before.as_nanos()..=after.as_nanos();
            assert!(times.len() == 1 && during.contains(&times[0]), "{source}: {times:?}");
        }
        let ran = flowscope(["flows", "--timestamps=card", "x.pcap"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("--timestamps is for live capture"), "{ran:?}");
    });
}

pub(crate) fn several_programs_share_an_interface() {
    in_namespace("several_programs_share_an_interface", || {
        let folder = tempfile::tempdir().unwrap();
        let many = file(folder.path(), "many.pcap", &pcap(&many_flows(1000, 10)));
        let one = || Live::start(["flows", "--format=eve", "-iv1", "--fanout=7"]);
        let both = [one(), one()];
        send(&many);
        let seen = both.map(|live| balanced(&live.interrupt().out).1);
        assert_eq!(seen.iter().sum::<u64>(), 1000);
        assert!(seen.iter().all(|seen| *seen > 100), "{seen:?}");
    });
}

pub(crate) fn filters() {
    in_namespace("filters", || {
        let mixed = corpus("http-keep-alive.pcap");
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out.pcapng");
        let all = frames(&mixed);
        let by = |words: &'static str| {
            let file = run(program().args(["flows", "--format=eve", "-f", words]).arg(&mixed), b"");
            let live = Live::start(["flows", "--format=eve", "-iv1", "-f", words]);
            send(&mixed);
            let live = live.interrupt();
            // A kernel's filter does not count what it refuses, so flow ids may differ.
            let without_ids = |ran: &Ran| {
                let mut records = records(ran);
                for record in &mut records {
                    record.as_object_mut().unwrap().remove("flow_id");
                }
                records
            };
            assert_eq!(without_ids(&live), without_ids(&file), "{words}");
            let seen = balanced(&file.out).1;
            assert!(live.err.contains(&format!("{seen} packets arrived: {seen} read")), "{live:?}");

            let live = Live::start(["capture", "-iv1", "-f", words, "-w", out.to_str().unwrap()]);
            send(&mixed);
            assert_eq!(live.interrupt().code, 0);
            assert_eq!(frames(&out).len() as u64, seen, "{words}");

            let live = Live::start(["capture", "-iv1", "-w", out.to_str().unwrap()]);
            let args = ["replay", "-iv0", "--topspeed", "-f", words].map(OsStr::new);
            assert_eq!(flowscope(args.into_iter().chain([mixed.as_os_str()])).code, 0);
            assert_eq!(live.interrupt().code, 0);
            assert_eq!(frames(&out).len() as u64, seen, "{words}");
            seen
        };
        assert_eq!(by("tcp src port 80"), 8);
        assert_eq!(by("udp"), 0);
        assert_eq!(by("host 10.77.0.1 and not vlan"), all.len() as u64);
    });
}

/// Connections without protocol, in three parts: what makes them known, what changes nothing but counters,
/// and how they end.
fn long_connections() -> [Packets; 3] {
    const OPENING: usize = 3 + 4;
    const ROUNDS: usize = 150;
    let mut parts = [Packets::new(), Packets::new(), Packets::new()];
    for port in 40_000..40_003 {
        let (client, at) = (format!("10.0.0.1:{port}"), 1_767_323_045);
        let mut dialogue = Dialogue::tcp(&client, "10.0.0.2:9999").at(at).handshake();
        for _ in 0..ROUNDS {
            dialogue = dialogue.data(Initiator, [b'?'; 10]).data(Responder, [b'x'; 1000]);
        }
        let mut packets = dialogue.close(Responder).build();
        let closing = packets.split_off(3 + 2 * ROUNDS);
        let ordinary = packets.split_off(OPENING);
        for (part, packets) in parts.iter_mut().zip([packets, ordinary, closing]) {
            part.extend(packets);
        }
    }
    parts
}

/// What the kernel counts is in the records, as if it had been read.
pub(crate) fn records_of_flows_that_the_kernel_counts_are_those_of_whole_flows() {
    let name = "records_of_flows_that_the_kernel_counts_are_those_of_whole_flows";
    in_namespace(name, || {
        let folder = tempfile::tempdir().unwrap();
        let parts = long_connections();
        let sent: usize = parts.iter().map(Vec::len).sum();
        let ordinary = parts[1].len() as u64;
        let files = parts.map(|part| {
            let (first, packets) = (part[0].1.len(), part.len() as u64);
            (file(folder.path(), &format!("{first}-{packets}.pcap"), &pcap(&part)), packets)
        });
        // All but those by which the kernel learns where each side stands.
        let most = ordinary - 3 * 2;
        let flows = |args: &[&str]| if args[0] == "flows" { 3 } else { 0 };
        let run = |args: &[&str], counted: u64| {
            let mut live = Live::start(args.iter().chain(&["-iv1", "--linger=0"]));
            let mut read = 0;
            for ((file, packets), counted) in files.iter().zip([0, counted, 0]) {
                send(file);
                read += packets - counted;
                live.until_read(read);
            }
            // Closed flows end with time.
            let ended = (0..flows(args)).map(|_| live.line()).collect::<String>();
            let mut ran = live.interrupt();
            ran.out.insert_str(0, &ended);
            assert_eq!(ran.code, 0, "{ran:?}");
            ran
        };
        for args in [
            ["flows", "--format=eve", "--workers=1"],
            ["flows", "--format=eve", "--workers=2"],
            ["sessions", "--format=eve", "--workers=1"],
        ] {
            let whole = run(&args, 0);
            let shunted = run(&[&args[..], &["--shunt=100"]].concat(), most);
            let mut counted = 0;
            let mut without_counters = |ran: &Ran| {
                let (mut records, seen) = balanced(&ran.out);
                assert_eq!(seen, sent as u64);
                for record in &mut records {
                    // Packets that the kernel keeps back have no number.
                    record.as_object_mut().unwrap().remove("flow_id");
                    let own = record["flowscope"].as_object_mut().unwrap();
                    own.retain(|name, value| {
                        let is_counter = name.starts_with("shunted_");
                        if name.starts_with("shunted_packets") {
                            counted += value.as_u64().unwrap();
                        }
                        !is_counter
                    });
                }
                records.into_iter().map(timeless).collect::<Vec<_>>()
            };
            let records = without_counters(&shunted);
            assert_eq!(records, without_counters(&whole), "{args:?}");
            assert_eq!(records.len(), flows(&args));
            let line = |read: u64, counted: &str| {
                format!("{sent} packets arrived: {read} read, 0 dropped by the kernel{counted}\n")
            };
            assert!(whole.err.contains(&line(sent as u64, "")), "{whole:?}");
            let read = sent as u64 - most;
            let line = line(read, &format!(", {most} counted by the kernel"));
            assert!(shunted.err.contains(&line), "{shunted:?}");
            assert!(!shunted.err.contains("not seen"), "{shunted:?}");
            assert!(args[0] == "sessions" || counted == most, "{counted}");
        }
    });
}

pub(crate) fn what_the_kernel_cannot_count_is_refused() {
    let cases: [(&[&str], &str); 8] = [
        (&["events", "-ilo"], "events"),
        (&["flows", "-ilo", "-f", "tcp"], "-f"),
        (&["sessions", "-ilo", "--vlan-key"], "--vlan-key"),
        (&["flows", "-ilo", "--ethernet"], "--ethernet"),
        (&["flows", "-ilo", "-c5"], "--count"),
        (&["flows", "-ilo", "--timestamps=card"], "--timestamps card"),
        (&["flows", "-ilo", "-iv0"], "--shunt is for one interface"),
        (&["flows", "x.pcap"], "--shunt is for live capture, which takes -i"),
    ];
    for (args, what) in cases {
        let ran = flowscope([args, &["--shunt=5"]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {ran:?}");
        assert!(ran.err.contains(what), "{args:?}: {ran:?}");
    }
    in_namespace("what_the_kernel_cannot_count_is_refused", || {
        let ran = flowscope(["flows", "-iv1", "--shunt=5", "--checksums=count"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(ran.err.contains("checksums are verified"), "{ran:?}");
    });
}

pub(crate) fn a_filter_on_a_tag_that_the_kernel_takes_out() {
    in_namespace("a_filter_on_a_tag_that_the_kernel_takes_out", || {
        let path = corpus("vlan.pcap");
        let count = |words: &str| {
            let live = Live::start(["events", "-iv1", "-f", words]);
            send(&path);
            balanced(&live.interrupt().out).1
        };
        let in_file = |words: &str| {
            balanced(&run(program().args(["events", "-q", "-f", words]).arg(&path), b"").out).1
        };
        for words in ["vlan", "not vlan", "vlan 100", "vlan 101", "icmp", "tcp or udp"] {
            assert_eq!(count(words), in_file(words), "{words}");
        }
        assert_eq!(in_file("vlan"), frames(&path).len() as u64);
    });
}

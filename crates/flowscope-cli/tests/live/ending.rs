use crate::world::*;

fn in_namespace(name: &str, body: impl FnOnce()) {
    crate::world::in_namespace("ending", name, body);
}

pub(crate) fn ends_after_a_number_of_packets() {
    in_namespace("ends_after_a_number_of_packets", || {
        let live = Live::start(["flows", "--format=eve", "-iv1", "-c7"]);
        send(&corpus("http-keep-alive.pcap"));
        let ran = live.end();
        assert_eq!(ran.code, 0, "{ran:?}");
        let (records, seen) = balanced(&ran.out);
        assert_eq!(seen, 7);
        assert_eq!(records[0]["flowscope"]["end_reason"], "shutdown");
        let [arrived, read, dropped] = account(&ran.err);
        assert_eq!((read, dropped), (7, 0));
        assert!((7..=18).contains(&arrived), "{ran:?}");
    });
}

pub(crate) fn ends_after_a_duration() {
    in_namespace("ends_after_a_duration", || {
        for args in [["events", "-q"], ["flows", "--format=csv"]] {
            let ran = run(program().args(args).args(["-iv1", "--duration=200ms"]), b"");
            assert_eq!(ran.code, 0, "{ran:?}");
            // The statistics, of now; or the names of the columns.
            assert_eq!(ran.out.lines().count(), 1, "{ran:?}");
            assert!(!ran.out.starts_with("{\"timestamp\":\"1970"), "{ran:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.pcapng");
        let live =
            Live::start(["capture", "-iv1", "--duration", "0.1", "-w", path.to_str().unwrap()]);
        let ran = live.end();
        assert!(ran.err.contains(" 0 packets arrived: 0 written, 0 dropped"), "{ran:?}");
        assert!(frames(&path).is_empty(), "a capture of nothing");
    });
}

/// What was received before the signal is worked off, and every flow has its end.
pub(crate) fn many_open_flows() {
    in_namespace("many_open_flows", || {
        const FLOWS: u32 = 100_000;
        let folder = tempfile::tempdir().unwrap();
        let many = file(folder.path(), "many.pcap", &pcap(&many_flows(FLOWS, 3)));
        let out = folder.path().join("flows.json");
        let live = Live::start([
            "flows",
            "--format=eve",
            "--ring=64M",
            "-iv1",
            "-o",
            out.to_str().unwrap(),
        ]);
        send(&many);
        live.signal("TERM");
        let ran = live.end();
        assert_eq!(ran.code, 0, "{ran:?}");
        let text = std::fs::read_to_string(out).unwrap();
        assert_eq!(
            text.lines().filter(|line| line.contains("\"shutdown\"")).count(),
            FLOWS as usize
        );
        assert!(
            text.ends_with(&format!(
                "{{\"seen\":{0},\"delivered\":0,\"unclaimed\":{0}}}}}}}\n",
                FLOWS * 3
            )),
            "{}",
            &text[text.len() - 300..]
        );
    });
}

/// The output stands still; the first signal cannot be obeyed, the second is.
pub(crate) fn a_second_signal_ends_it_at_once() {
    in_namespace("a_second_signal_ends_it_at_once", || {
        let folder = tempfile::tempdir().unwrap();
        let many = file(folder.path(), "many.pcap", &pcap(&many_flows(3000, 10)));
        let mut live = Live::start(["events", "-iv1"]);
        send(&many);
        // It fills the pipe, which nobody reads.
        let out = live.out.take();
        thread::sleep(Duration::from_millis(300));
        live.signal("INT");
        thread::sleep(Duration::from_millis(300));
        assert!(live.child.try_wait().unwrap().is_none(), "it cannot go on");
        live.signal("INT");
        assert_eq!(live.end().code, 130);
        drop(out);
    });
}

pub(crate) fn a_closed_pipe_is_no_error() {
    in_namespace("a_closed_pipe_is_no_error", || {
        for args in [["events", "-iv1"], ["flows", "-iv1"], ["capture", "-iv1"]] {
            let mut command = program();
            command.args(args).stdout(Stdio::piped());
            if args[0] == "capture" {
                command.arg("-w-");
            }
            let mut live = Live::of(&mut command);
            // It is seen without anything to be written.
            drop(live.out.take());
            let ran = live.end();
            assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
        }
    });
}

pub(crate) fn a_deleted_interface_ends_the_capture() {
    in_namespace("a_deleted_interface_ends_the_capture", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.pcapng");
        let capture = Live::start(["capture", "-iv1", "-w", path.to_str().unwrap()]);
        let live = Live::start(["flows", "--format=eve", "-iv1"]);
        send(&corpus("dns-udp.pcap"));
        ip("link del v1");
        let ran = live.end();
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.err.contains("interface `v1` is gone"), "{ran:?}");
        let (records, seen) = balanced(&ran.out);
        assert_eq!((records.len(), seen), (10, 20));
        assert!(records.iter().all(|record| record["flowscope"]["end_reason"] == "end_of_input"));
        let ran = capture.end();
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(frames(&path) == frames(&corpus("dns-udp.pcap")));
    });
}

pub(crate) fn an_interface_that_is_down_for_a_while() {
    in_namespace("an_interface_that_is_down_for_a_while", || {
        let mut live = Live::start(["flows", "--format=eve", "-iv1"]);
        send(&corpus("dns-udp.pcap"));
        ip("link set v1 down");
        let mut line = String::new();
        live.err.as_mut().unwrap().read_line(&mut line).unwrap();
        assert!(line.contains("interface `v1` is down"), "{line}");
        ip("link set v1 up");
        until("the cable is plugged in", || running("v0") && running("v1"));
        send(&corpus("dns-udp.pcap"));
        let ran = live.interrupt();
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(!ran.err.contains("interface `v1` is down"), "once: {ran:?}");
        assert_eq!(balanced(&ran.out).1, 40);
    });
}

pub(crate) fn a_number_of_records_ends_the_capture() {
    in_namespace("a_number_of_records_ends_the_capture", || {
        let live = Live::start(["sessions", "--format=csv", "--protocol=http", "-iv1", "-n2"]);
        send(&corpus("http-keep-alive.pcap"));
        let ran = live.end();
        assert_eq!((ran.code, ran.out.lines().count()), (0, 3), "{ran:?}");
        assert!(ran.err.contains("the first 2 records"), "{ran:?}");
    });
}

pub(crate) fn doctor_looks_at_interfaces() {
    in_namespace("doctor_looks_at_interfaces", || {
        let doctor = |args: &[&str]| run(program().arg("doctor").args(args), b"");
        let ran = doctor(&[]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
        assert!(ran.out.contains("ok    permission: "), "{}", ran.out);
        assert!(ran.out.contains("ok    v1: state: running, ethernet, MTU 1500\n"), "{}", ran.out);
        assert!(!ran.out.contains("  lo: "), "{}", ran.out);
        ip("link set v1 down");
        let ran = doctor(&["v1"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        let expected = "FAIL  v1: state: it is down\n          sudo ip link set v1 up\n";
        assert!(ran.out.contains(expected), "{}", ran.out);
    });
}

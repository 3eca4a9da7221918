use std::fs;

use crate::world::*;

fn in_namespace(name: &str, body: impl FnOnce()) {
    crate::world::in_namespace("capture", name, body);
}

fn arrived(n: usize) -> String {
    format!("flowscope: {n} packets arrived: {n} written, 0 dropped by the kernel")
}

/// The files of a folder, by name.
fn files(folder: &Path) -> Vec<String> {
    let all = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        all.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn the_recording_equals_what_was_sent() {
    in_namespace("the_recording_equals_what_was_sent", || {
        let folder = tempfile::tempdir().unwrap();
        const PCAP: u32 = 0xa1b2_3c4d;
        const PCAPNG: u32 = 0x0a0d_0d0a;
        for (name, to, format) in [
            ("http-keep-alive.pcap", "a.pcap", PCAP),
            ("vlan.pcap", "b.pcapng", PCAPNG),
            ("qinq.pcap", "c.cap", PCAPNG),
            ("vxlan.pcap", "d.PCAP", PCAP),
        ] {
            let (sent, path) = (frames(&corpus(name)), folder.path().join(to));
            let live = Live::start(["capture", "-iv1", "-w", path.to_str().unwrap()]);
            assert!(!path.exists(), "it is not complete");
            send(&corpus(name));
            let ran = live.interrupt();
            assert_eq!((ran.code, ran.err.trim_end()), (0, arrived(sent.len()).as_str()));
            assert!(frames(&path) == sent, "{name}");
            let magic: [u8; 4] = *fs::read(&path).unwrap().first_chunk().unwrap();
            assert_eq!(u32::from_le_bytes(magic), format, "{to}");
        }
        assert_eq!(files(folder.path()), ["a.pcap", "b.pcapng", "c.cap", "d.PCAP"]);
    });
}

pub(crate) fn a_snap_length_cuts_the_bytes_and_keeps_the_wire_length() {
    in_namespace("a_snap_length_cuts_the_bytes_and_keeps_the_wire_length", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.pcapng");
        let sent = frames(&corpus("http-keep-alive.pcap"));
        let live = Live::start(["capture", "-iv1", "-s60", "-w", path.to_str().unwrap()]);
        send(&corpus("http-keep-alive.pcap"));
        assert_eq!(live.interrupt().code, 0);
        let cut = |(frame, len): &(Vec<u8>, u32)| (frame[..frame.len().min(60)].to_vec(), *len);
        assert!(frames(&path) == sent.iter().map(cut).collect::<Vec<_>>());
    });
}

pub(crate) fn recording_stops_after_a_number_of_packets() {
    in_namespace("recording_stops_after_a_number_of_packets", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("five.pcapng");
        let live = Live::start(["capture", "-iv1", "-c5", "-w", path.to_str().unwrap()]);
        send(&corpus("http-keep-alive.pcap"));
        let ran = live.end();
        assert_eq!(ran.code, 0, "{ran:?}");
        let [arrived, written, dropped] = account(&ran.err);
        assert_eq!((written, dropped), (5, 0), "{ran:?}");
        assert!((5..=18).contains(&arrived), "{ran:?}");
        assert!(frames(&path) == frames(&corpus("http-keep-alive.pcap"))[..5]);
    });
}

pub(crate) fn files_rotate_by_size() {
    in_namespace("files_rotate_by_size", || {
        let sent = frames(&corpus("http-keep-alive.pcap"));
        for (keep, extension) in [(None, "pcapng"), (Some("2"), "pcap")] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(format!("trace.{extension}"));
            let path = path.to_str().unwrap();
            let mut args = vec!["capture", "-iv1", "-C1500", "-w", path];
            keep.iter().for_each(|keep| args.extend(["--keep", keep]));
            let live = Live::start(args);
            send(&corpus("http-keep-alive.pcap"));
            let ran = live.interrupt();
            assert_eq!(ran.code, 0, "{ran:?}");
            let count = ran.err.trim_end().rsplit_once("; ").unwrap().1;
            let count: usize = count.strip_suffix(" files").unwrap().parse().unwrap();
            assert!(count > 2, "{ran:?}");
            let first = keep.map_or(1, |_| count - 1);
            let expected: Vec<String> =
                (first..=count).map(|n| format!("trace-{n:05}.{extension}")).collect();
            assert_eq!(files(folder.path()), expected);
            let mut all = Vec::new();
            for name in &expected {
                let path = folder.path().join(name);
                assert!(fs::metadata(&path).unwrap().len() <= 1500, "{name}");
                let part = frames(&path);
                assert!(!part.is_empty(), "{name}");
                all.extend(part);
            }
            assert!(sent.ends_with(&all), "the latest packets, in their order");
            assert!(keep.is_some() || all.len() == sent.len());
        }
    });
}

/// A file is complete when its time is over, and silence makes no files.
pub(crate) fn files_rotate_by_time() {
    in_namespace("files_rotate_by_time", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.pcapng");
        let live = Live::start(["capture", "-iv1", "-G", "500ms", "-w", path.to_str().unwrap()]);
        let sent = frames(&corpus("dns-udp.pcap"));
        for n in 1..=2 {
            send(&corpus("dns-udp.pcap"));
            let name = format!("trace-{n:05}.pcapng");
            until("the file is complete", || folder.path().join(&name).exists());
            assert!(frames(&folder.path().join(&name)) == sent);
        }
        thread::sleep(Duration::from_millis(750));
        let ran = live.interrupt();
        assert!(ran.err.ends_with("dropped by the kernel; 2 files\n"), "{ran:?}");
        assert_eq!(files(folder.path()), ["trace-00001.pcapng", "trace-00002.pcapng"]);
    });
}

pub(crate) fn recording_to_a_pipe_is_not_delayed() {
    in_namespace("recording_to_a_pipe_is_not_delayed", || {
        let mut live = Live::start(["capture", "-iv1", "-w-"]);
        let mut tracked = program()
            .args(["events", "-q", "-"])
            .stdin(live.out.take().unwrap().into_inner())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        send(&corpus("http-keep-alive.pcap"));
        let mut out = BufReader::new(tracked.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        assert!(first.contains("\"event\":\"started\""), "{first}");
        assert_eq!(live.interrupt().code, 0);
        let mut all = String::new();
        out.read_to_string(&mut all).unwrap();
        assert!(tracked.wait().unwrap().success());
        assert_eq!(balanced(&all).1, 18);
    });
}

pub(crate) fn a_full_disk_keeps_what_was_written() {
    in_namespace("a_full_disk_keeps_what_was_written", || {
        let folder = tempfile::tempdir().unwrap();
        let many = file(folder.path(), "many.pcap", &pcap(&many_flows(2000, 1000)));
        let disk = folder.path().join("disk");
        fs::create_dir(&disk).unwrap();
        let disk = disk.to_str().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=1m", "none", disk];
        assert!(Command::new("mount").args(mount).status().unwrap().success());
        let path = format!("{disk}/full.pcapng");
        let run = |rotate: Option<&str>| {
            let live = Live::start(["capture", "-iv1", "-w", &path].into_iter().chain(rotate));
            send(&many);
            let ran = live.end();
            assert_eq!(ran.code, 5, "{ran:?}");
            assert!(ran.err.contains("cannot write: No space left"), "{ran:?}");
        };
        run(None);
        assert_eq!(files(disk.as_ref()), ["full.pcapng.part"]);
        let (saved, sent) = (frames(format!("{path}.part").as_ref()), frames(&many));
        assert!(saved.len() > 100 && saved == sent[..saved.len()]);
        fs::remove_file(format!("{path}.part")).unwrap();

        // Files that are complete stay so.
        run(Some("-C400K"));
        let expected = ["full-00001.pcapng", "full-00002.pcapng", "full-00003.pcapng.part"];
        assert_eq!(files(disk.as_ref()), expected);
        let saved = expected.map(|name| frames(format!("{disk}/{name}").as_ref())).concat();
        assert!(saved.len() > 700 && saved == sent[..saved.len()]);
        assert!(Command::new("umount").arg(disk).status().unwrap().success());
    });
}

pub(crate) fn a_full_device_is_exit_code_5() {
    in_namespace("a_full_device_is_exit_code_5", || {
        for args in [["capture", "-w"], ["events", "-o"]] {
            let live = Live::start(args.into_iter().chain(["/dev/full", "-iv1"]));
            send(&corpus("http-keep-alive.pcap"));
            let ran = live.end();
            assert_eq!(ran.code, 5, "{ran:?}");
            assert!(ran.err.contains("/dev/full: cannot write"), "{ran:?}");
        }
    });
}

pub(crate) fn kernel_drops_are_counted() {
    in_namespace("kernel_drops_are_counted", || {
        let folder = tempfile::tempdir().unwrap();
        let many = file(folder.path(), "many.pcap", &pcap(&many_flows(2000, 1000)));
        let path = folder.path().join("some.pcapng");
        let path = path.to_str().unwrap();
        let live = Live::start(["capture", "-iv1", "--ring=512K", "-w", path]);
        live.signal("STOP");
        send(&many);
        live.signal("CONT");
        let ran = live.interrupt();
        assert_eq!(ran.code, 3, "{ran:?}");
        let [arrived, written, dropped] = account(&ran.err);
        assert_eq!((arrived, arrived), (2000, written + dropped), "{ran:?}");
        assert!(written > 0 && dropped > 0, "{ran:?}");
        // In order and whole; one may be missing where a block of the ring ended before it was full.
        let (saved, mut sent) = (frames(path.as_ref()), frames(&many).into_iter());
        assert_eq!(saved.len() as u64, written);
        assert!(saved.iter().all(|saved| sent.any(|sent| sent == *saved)));

        let live = Live::start(["flows", "-iv1", "--ring=512K", "--format=eve"]);
        live.signal("STOP");
        send(&many);
        live.signal("CONT");
        let ran = live.interrupt();
        assert_eq!(ran.code, 3, "{ran:?}");
        let [arrived, read, dropped] = account(&ran.err);
        assert_eq!((arrived, arrived), (2000, read + dropped), "{ran:?}");
        let (records, seen) = balanced(&ran.out);
        assert_eq!((records.len() as u64, seen), (read, 2000));
        assert!(ran.out.contains(&format!("\"kernel_drop\":{dropped}")), "{}", ran.err);
    });
}

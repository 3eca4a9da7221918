use crate::world::*;

fn in_namespace(name: &str, body: impl FnOnce()) {
    crate::world::in_namespace("replay", name, body);
}

const AT: Timestamp = Timestamp::from_secs(1_767_323_045);

pub(crate) fn frames_that_cannot_be_sent_are_counted() {
    in_namespace("frames_that_cannot_be_sent_are_counted", || {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = CaptureWriter::pcapng(Vec::new()).unwrap();
        fn ethernet(frame: &[u8], wire_len: usize) -> PacketView<'_> {
            PacketView::new(frame, LinkType::ETHERNET, AT).with_wire_len(wire_len as u32)
        }
        let bytes = many_flows(1, 4000).remove(0).1;
        writer.write(ethernet(&bytes[..200], 200)).unwrap();
        writer.write(ethernet(&bytes, bytes.len())).unwrap();
        writer.write(ethernet(&bytes[..100], 200)).unwrap();
        writer.write(ethernet(&bytes[..13], 13)).unwrap();
        writer.write(PacketView::new(&bytes[14..100], LinkType::RAW, AT)).unwrap();
        writer.write(ethernet(&bytes[..300], 300)).unwrap();
        let mixed = file(folder.path(), "mixed.pcapng", &writer.finish().unwrap());
        let out = folder.path().join("out.pcapng");
        let live = Live::start(["capture", "-iv1", "-w", out.to_str().unwrap()]);
        let ran = flowscope(["replay", "-iv0", "--loop=2", mixed.to_str().unwrap()]);
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{ran:?}");
        let said: Vec<&str> = ran.err.lines().collect();
        assert!(said[0].starts_with("flowscope: 4 packets sent in "), "{ran:?}");
        assert!(said[0].ends_with(" ms behind the schedule"), "{ran:?}");
        let left_out = "flowscope: left out: 2 packets cut, 2 packets other_link, 2 packets too_long, \
                        2 packets too_short";
        assert_eq!(said[1..], [left_out]);
        assert_eq!(live.interrupt().code, 0);
        let lengths: Vec<u32> = frames(&out).iter().map(|(_, len)| *len).collect();
        assert_eq!(lengths, [200, 300, 200, 300]);
    });
}

/// The spacing of the capture, divided: no packet comes before its time.
pub(crate) fn replay_keeps_the_time_between_packets() {
    in_namespace("replay_keeps_the_time_between_packets", || {
        let folder = tempfile::tempdir().unwrap();
        let second = 1_000_000_000;
        // The third one's clock went back.
        let times = [10 * second, 11 * second, 9 * second, 12 * second];
        let (_, bytes) = many_flows(1, 10).remove(0);
        let packets = times.map(|at| (Timestamp::from_nanos(at), bytes.clone())).to_vec();
        let path = file(folder.path(), "slow.pcap", &pcap(&packets));
        let out = folder.path().join("out.pcap");
        for (pace, due) in [("--speed=10", [0, 100, 100, 200]), ("--pps=20", [0, 50, 100, 150])] {
            let live = Live::start(["capture", "-iv1", "-c4", "-w", out.to_str().unwrap()]);
            let begun = Timestamp::from(std::time::SystemTime::now());
            let ran = flowscope(["replay", "-iv0", pace, path.to_str().unwrap()]);
            assert_eq!(ran.code, 0, "{ran:?}");
            assert_eq!(live.end().code, 0);
            let times = times_of(&out);
            assert_eq!(times.len(), 4, "{pace}");
            // However late a packet is, none comes before its time.
            for (time, due) in times.iter().zip(due) {
                assert!(time - begun.as_nanos() >= due * 1_000_000, "{pace}: {times:?}");
            }
        }
    });
}

pub(crate) fn times_of(path: &Path) -> Vec<u64> {
    use flowscope::core::PacketSource;
    let mut reader = flowscope::pcap::CaptureReader::open(path).unwrap();
    let mut times = Vec::new();
    while reader
        .next_batch(&mut |views| times.extend(views.iter().map(|view| view.ts().as_nanos())))
        .unwrap()
        > 0
    {}
    times
}

pub(crate) fn a_signal_ends_it() {
    in_namespace("a_signal_ends_it", || {
        let mut capture = Live::start(["events", "-iv1"]);
        let path = corpus("dns-udp.pcap");
        let mut child = program()
            .args(["replay", "-iv0", "--loop=0", "--pps=1000"])
            .arg(&path)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let err = BufReader::new(child.stderr.take().unwrap());
        assert!(capture.line().contains("started"));
        let replay = Live { child, out: None, err: Some(err) };
        let ran = replay.interrupt();
        assert_eq!(ran.code, 0, "{ran:?}");
        let sent: u64 = ran.err.split(' ').nth(1).unwrap().parse().unwrap();
        let seen = {
            capture.signal("INT");
            let ran = capture.end();
            lines(&ran.out).pop().unwrap()["stats"]["packets"]["seen"].as_u64().unwrap()
        };
        assert_eq!(seen, sent);
    });
}

use flowscope_testkit::Rng;

use super::*;

/// Thousands of flows of all kinds, interleaved, some of them silent for long.
fn crowd(flows: usize) -> Packets {
    let mut rng = Rng::new(8);
    let mut packets = Packets::new();
    for n in 0..flows {
        let client = format!("10.1.{}.{}:{}", n / 250, n % 250 + 1, 20_000 + n);
        let server = format!("192.168.0.{}:{}", rng.below(20) + 1, rng.pick(&[80, 443, 53, 9999]));
        let at = 1_700_000_000 + rng.below(400) as u64;
        let flow = if n % 3 == 0 {
            let flow = Dialogue::udp(&client, &server).at(at).datagram(Initiator, [1; 40]);
            flow.after(rng.below(100_000) as u64).datagram(Responder, [2; 80])
        } else {
            let flow = Dialogue::tcp(&client, &server).at(at).handshake().data(Initiator, [3; 100]);
            match n % 5 {
                0 => flow,
                1 => flow.rst(Responder).ack_from(Initiator),
                2 => flow.after(rng.below(400_000) as u64).close(Initiator),
                _ => flow.close(Responder).ack_from(Initiator),
            }
        };
        packets.extend(flow.build());
    }
    packets.sort_by_key(|(ts, _)| *ts);
    packets
}

#[test]
fn any_number_of_workers_prints_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let packets = crowd(2500);
    let path = file(folder.path(), "crowd.pcap", &pcap(&packets));
    let cases: [&[&str]; 6] = [
        &["flows", "--format=eve", "--max-flows=200"],
        &["flows", "--format=eve", "--memory=300K", "--eviction=oldest", "--active=10"],
        &["flows", "--format=table"],
        &["flows", "--format=zeek", "--max-flows=1"],
        &["flows", "--format=csv", "--tcp-idle=20", "--linger=0"],
        &["events", "--max-flows=200", "--resets=any"],
    ];
    for args in cases {
        let run_with = |workers: &str| {
            let mut command = program();
            command.args(args).args(["--workers", workers]).arg(&path);
            run(&mut command, b"")
        };
        let one = run_with("1");
        assert_eq!(one.code, 0, "{}", one.err);
        for workers in ["2", "3", "4", "5", "6", "7", "8", "40"] {
            let many = run_with(workers);
            assert!(many.out == one.out, "{args:?} with {workers} workers differs");
            assert_eq!(many.err, one.err);
        }
        if one.out.starts_with('{') {
            let (records, seen) = balanced(&one.out);
            assert_eq!(seen, packets.len() as u64);
            if args[1].contains("eve") {
                let evicted = records.iter().any(|r| r["flowscope"]["end_reason"] == "evicted");
                assert!(evicted, "{args:?} meets its limit");
            }
        }
    }
}

#[test]
fn records_count_every_packet_once() {
    let packets = crowd(2000);
    let bytes: u64 = packets.iter().map(|(_, frame)| frame.len() as u64).sum();
    let args = ["flows", "--format=eve", "--max-flows=64", "--active=5", "-"];
    let ran = run(program().args(args), &pcap(&packets));
    let (records, seen) = balanced(&ran.out);
    let sum = |a: &str, b: &str| -> u64 {
        let of = |record: &Value, name| record["flow"][name].as_u64().unwrap();
        records.iter().map(|record| of(record, a) + of(record, b)).sum()
    };
    assert_eq!(sum("pkts_toserver", "pkts_toclient"), seen);
    assert_eq!(sum("bytes_toserver", "bytes_toclient"), bytes);
}

/// Equal addresses in two networks are two flows only if asked for.
#[test]
fn networks_are_told_apart_if_asked() {
    let inner = |outer: flowscope_testkit::Frame| {
        outer.ipv4("10.0.0.1", "10.0.0.2").udp(5000, 5001).payload(b"x").build()
    };
    let tunnel =
        |vni: u32| inner(frame().ethernet().ipv4("192.0.2.1", "192.0.2.2").vxlan(vni).ethernet());
    let frames = [
        inner(frame().ethernet().vlan(10)),
        inner(frame().ethernet().vlan(20)),
        inner(frame().ethernet().vlan(10)),
        tunnel(7),
        tunnel(8),
    ];
    let at = |n: usize| Timestamp::from_secs(1_700_000_000 + n as u64);
    let packets: Packets =
        frames.into_iter().enumerate().map(|(n, frame)| (at(n), frame)).collect();
    let capture = pcap(&packets);
    let flows = |more: &[&str]| {
        let args = [&["flows", "--format", "csv", "--quiet"], more, &["-"]].concat();
        let ran = run(program().args(args), &capture);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out
    };
    assert_eq!(flows(&[]).lines().count(), 1 + 1);
    assert_eq!(flows(&["--vlan-key"]).lines().count(), 1 + 4);
    assert_eq!(flows(&["--vlan-key", "--workers", "4"]), flows(&["--vlan-key"]));
}

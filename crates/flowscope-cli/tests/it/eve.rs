//! Members of EVE as readers of Suricata's expect them.

use flowscope::core::FlowSide;

use super::*;

/// What the program prints of these packets.
fn printed(args: &[&str], packets: &Packets) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "in.pcap", &pcap(packets));
    let ran = run(program().args(args).arg("-r").arg(&path), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
}

/// The records of flows of these packets, in the order of their first packets.
fn flows(packets: &Packets, args: &[&str]) -> Vec<Value> {
    let args: Vec<_> = ["flows", "--format", "eve"].iter().chain(args).copied().collect();
    let (mut records, _) = balanced(&printed(&args, packets));
    records.sort_by_key(|record| record["flow_id"].as_u64());
    records
}

fn member<'a>(record: &'a Value, path: &str) -> &'a str {
    let pointer = format!("/{}", path.replace('.', "/"));
    record.pointer(&pointer).and_then(Value::as_str).unwrap_or("-")
}

fn http() -> Dialogue {
    Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80")
        .at(1000)
        .handshake()
        .data(Initiator, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .data(Responder, b"HTTP/1.1 204 No Content\r\n\r\n")
}

#[test]
fn records_name_the_packet_that_completed_them() {
    let packets = http().close(Initiator).build();
    // The request is packet 4, the response that completes the exchange packet 5.
    let (records, _) = balanced(&printed(&["sessions", "--format", "eve"], &packets));
    let events = lines(&printed(&["events"], &packets));
    let said = events.iter().find(|event| event["event"] == "application").unwrap();
    assert_eq!((&records[0]["pcap_cnt"], &said["packet"]), (&5.into(), &5.into()));
    // The record of a flow is of all its packets: Suricata gives it no number.
    assert_eq!(flows(&packets, &[])[0].get("pcap_cnt"), None);
    // Packets that a filter refuses keep their numbers.
    let mut more =
        Dialogue::udp("10.0.0.3:1", "10.0.0.4:2").at(999).datagram(Initiator, b"x").build();
    more.extend(packets);
    let (records, _) = balanced(&printed(&["sessions", "--format", "eve", "-f", "tcp"], &more));
    assert_eq!(records[0]["pcap_cnt"], 6);
}

#[test]
fn records_have_the_version_of_ip() {
    let versions: Vec<_> =
        flows(&small_dialogue(), &[]).iter().map(|flow| flow["ip_v"].clone()).collect();
    assert_eq!(versions, [4, 6, 4]);
}

/// RFC 5952, wherever an address stands; an IPv4-mapped one as in its §5.
#[test]
fn ipv6_addresses_have_one_form() {
    let talk = Dialogue::udp("[2001:0db8:0000:0000:0001:0000:0000:0001]:7", "[::ffff:0:1]:8");
    let packets = talk.at(1).datagram(Initiator, b"x").build();
    let (src, dest) = ("2001:db8::1:0:0:1", "::ffff:0.0.0.1");
    let flow = &flows(&packets, &[])[0];
    assert_eq!((member(flow, "src_ip"), member(flow, "dest_ip")), (src, dest));
    for command in ["flows", "flows --format zeek", "flows --format csv", "events"] {
        let args: Vec<_> = command.split(' ').collect();
        let out = printed(&args, &packets);
        assert!(out.contains(src) && out.contains(dest), "{out}");
    }
}

#[test]
fn states_are_those_of_suricata() {
    let check = |script: Dialogue, tcp: &str, flow: &str| {
        let record = &flows(&script.build(), &[])[0];
        assert_eq!((member(record, "tcp.state"), member(record, "flow.state")), (tcp, flow));
    };
    let open = || Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").at(1000).handshake();
    check(Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").syn(), "syn_sent", "new");
    check(open(), "established", "established");
    check(open().fin(Initiator), "close_wait", "established");
    check(open().fin(Responder), "fin_wait1", "established");
    check(open().fin(Responder).ack_from(Initiator), "fin_wait2", "established");
    // Nothing is missing but an acknowledgement: closed, says Suricata.
    check(open().fin(Initiator).fin(Responder), "last_ack", "closed");
    check(open().fin(Responder).fin(Initiator), "time_wait", "closed");
    check(open().close(Initiator), "closed", "closed");
    check(open().rst(Initiator), "closed", "closed");
    check(Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").ack(), "none", "new");
    let udp = || Dialogue::udp("10.0.0.1:40000", "10.0.0.2:99").datagram(Initiator, b"?");
    check(udp(), "-", "new");
    check(udp().datagram(Responder, b"!"), "-", "established");
    let ping = frame().ethernet().ipv4("10.0.0.9", "10.0.0.8").echo_request(1, 1);
    let pong = frame().ethernet().ipv4("10.0.0.8", "10.0.0.9").echo_reply(1, 1);
    check(udp().frame(&ping).frame(&pong), "-", "new");
    let both = flows(&udp().frame(&ping).frame(&pong).build(), &[]);
    assert_eq!(member(&both[1], "flow.state"), "established");
}

#[test]
fn what_is_in_the_table_at_the_end_was_shut_down() {
    let talk = |port: u16, at| {
        Dialogue::tcp(&format!("10.0.0.1:{port}"), "10.0.0.2:80").at(at).handshake()
    };
    let mut packets = talk(1, 1000).close(Initiator).build();
    packets.extend(talk(2, 1001).rst(Initiator).build());
    packets.extend(talk(3, 1010).close(Initiator).build());
    packets.extend(talk(4, 1011).rst(Initiator).build());
    packets.extend(talk(5, 1012).build());
    let check = |args: &[&str], reasons: [&str; 5]| {
        let records = flows(&packets, args);
        let is: Vec<_> = records.iter().map(|record| member(record, "flow.reason")).collect();
        assert_eq!(is, reasons);
        let ends: Vec<_> =
            records.iter().map(|record| member(record, "flowscope.end_reason")).collect();
        assert_eq!(ends, ["fin", "rst", "fin", "rst", "end_of_input"]);
    };
    // The first two have left the table when the others begin.
    check(&[], ["timeout", "timeout", "shutdown", "shutdown", "shutdown"]);
    check(&["--linger", "1m"], ["shutdown"; 5]);
}

#[test]
fn flags_of_late_packets_are_in_the_record() {
    let flags = |script: Dialogue| {
        let record = flows(&script.build(), &[]).remove(0);
        let text = |name| member(&record, name).to_owned();
        (text("tcp.tcp_flags_ts"), text("tcp.tcp_flags_tc"), record["tcp"]["rst"].clone())
    };
    let closed = || http().close(Initiator);
    assert_eq!(flags(closed()), ("1b".into(), "1b".into(), Value::Null));
    assert_eq!(flags(closed().rst(Responder)), ("1b".into(), "1f".into(), true.into()));
    // The event log has them in the event of the late packets.
    let late = lines(&printed(&["events"], &closed().rst(Responder).build()));
    let late = late.iter().find(|event| event["event"] == "late").unwrap();
    assert_eq!((member(late, "tcp.tcp_flags_ts"), member(late, "tcp.tcp_flags_tc")), ("00", "14"));
}

/// Values of the specification's repository.
#[test]
fn community_ids_have_the_seed_in_all_outputs() {
    let packets = Dialogue::tcp("128.232.110.120:34855", "66.35.250.204:80")
        .handshake()
        .data(Initiator, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .data(Responder, b"HTTP/1.1 204 No Content\r\n\r\n")
        .build();
    let (usual, seeded) = ("1:LQU9qZlK+B5F3KDmev6m5PMibrg=", "1:3V71V58M3Ksw/yuFALMcW0LAHvc=");
    for command in [
        "flows --format eve",
        "flows --format zeek",
        "flows --format zeek-json",
        "flows --format csv",
        "sessions --format eve",
        "sessions --format csv",
        "events",
        "follow --digest",
    ] {
        let args: Vec<_> = command.split(' ').collect();
        let out = printed(&args, &packets);
        assert!(out.contains(usual) && !out.contains(seeded), "{out}");
        let out = printed(&[&args[..], &["--community-id-seed", "1"]].concat(), &packets);
        assert!(out.contains(seeded) && !out.contains(usual), "{out}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "in.pcap", &pcap(&packets));
    let follow = |id: &str| {
        let args = ["follow", "--community-id-seed", "1", path.to_str().unwrap(), id];
        flowscope(args)
    };
    assert!(follow(seeded).out.contains("204 No Content"));
    assert_eq!(follow(usual).out, "");
    let wrong = flowscope(["flows", "--community-id-seed", "65536", path.to_str().unwrap()]);
    assert_eq!(wrong.code, 2);
}

/// What a flow and its sides are said to speak by `flows`, which recognises, and by `sessions`, which reads.
#[test]
fn sides_that_speak_something_else_are_named() {
    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let hello = {
        let mut hello = vec![22, 3, 1, 0, 47, 1, 0, 0, 43, 3, 3];
        hello.extend([7; 32]);
        hello.extend([0, 0, 2, 0x13, 1, 1, 0, 0, 0]);
        hello
    };
    let check = |first: (FlowSide, &[u8]), second: &[u8], expected: [&str; 3]| {
        let packets = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80")
            .at(1000)
            .handshake()
            .data(first.0, first.1)
            .data(!first.0, second)
            .close(Initiator)
            .build();
        let said = |record: &Value| {
            ["app_proto", "app_proto_ts", "app_proto_tc"]
                .map(|name| member(record, name).to_owned())
        };
        assert_eq!(said(&flows(&packets, &[])[0]), expected);
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "in.pcap", &pcap(&packets));
        let logs = folder.path().join("logs");
        let args = ["sessions", "--format", "eve", "--output-dir"];
        let ran = run(program().args(args).arg(&logs).arg(&path), b"");
        assert_eq!(ran.code, 0, "{ran:?}");
        let log = std::fs::read_to_string(logs.join("eve.json")).unwrap();
        let flow = lines(&log).into_iter().find(|line| line["event_type"] == "flow").unwrap();
        assert_eq!(said(&flow), expected, "by sessions");
    };
    check((Initiator, GET), OK, ["http", "-", "-"]);
    check((Responder, b"SSH-2.0-a\r\n"), b"SSH-2.0-b\r\n", ["ssh", "-", "-"]);
    // One side is not read, and the other is what it is.
    check((Initiator, &[0xf7; 40]), OK, ["http", "failed", "-"]);
    check((Initiator, GET), &[0xf7; 70], ["http", "-", "failed"]);
    check((Initiator, &hello), &[0xf7; 40], ["tls", "-", "failed"]);
    // Each side speaks a protocol of its own: the flow speaks neither.
    check((Initiator, &hello), OK, ["failed", "tls", "http"]);
    check((Initiator, GET), b"SSH-2.0-a\r\n", ["failed", "http", "ssh"]);
    // The port of HTTP claims nothing that is not.
    check((Initiator, b"AAAABBBB\r\n"), b"CCCCDDDD\r\n", ["-", "-", "-"]);
    check((Initiator, b"PUT"), b"CCCCDDDD\r\n", ["-", "-", "-"]);
}

/// A message of DNS that says how many records it has, in more bytes than a stream is recognised by.
#[test]
fn long_datagrams_are_recognised_as_by_sessions() {
    let mut message = b"\0\x07\x81\x80\0\x01\0\x1e\0\0\0\0\x01a\0\0\x01\0\x01".to_vec();
    for host in 0..30 {
        message.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0");
        message.push(host);
    }
    let talk = Dialogue::udp("10.0.0.1:53", "10.0.0.2:40000").datagram(Initiator, &message);
    let packets = talk.build();
    for workers in ["1", "3"] {
        let flows = flows(&packets, &["--workers", workers]);
        assert_eq!(member(&flows[0], "app_proto"), "dns", "{workers} workers");
    }
}

#[test]
fn ethernet_addresses_are_written_if_asked_for() {
    let mut packets = http().close(Initiator).ack_from(Responder).build();
    for (_, frame) in &mut packets {
        let from_initiator = frame[34..36] == 40_000_u16.to_be_bytes();
        let (to, from) = if from_initiator { (2, 1) } else { (1, 2) };
        frame[..6].copy_from_slice(&[0, 0, 0x5e, 0, 0, to]);
        frame[6..12].copy_from_slice(&[0, 0, 0x5e, 0, 0, from]);
    }
    // A standby router has taken over when the last frame of the responder comes, which is late.
    packets.last_mut().unwrap().1[11] = 10;
    assert_eq!(flows(&packets, &[])[0].get("ether"), None);
    let expected = serde_json::json!({
        "dest_macs": ["00:00:5e:00:00:02", "00:00:5e:00:00:0a"],
        "src_macs": ["00:00:5e:00:00:01"],
    });
    for workers in ["1", "3"] {
        let with = flows(&packets, &["--ethernet", "--workers", workers]);
        assert_eq!((with.len(), &with[0]["ether"]), (1, &expected));
    }
    // Nothing else depends on it.
    let mut with = flows(&packets, &["--ethernet"]).remove(0);
    with.as_object_mut().unwrap().remove("ether");
    assert_eq!(with, flows(&packets, &[])[0]);
}

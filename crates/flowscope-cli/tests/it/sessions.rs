//! What was said, and the bytes it was said in.

use sha2::{Digest, Sha256};

use super::*;

/// A recorded capture.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name)
}

fn printed(args: &[&str], name: &str) -> String {
    let ran = run(program().args(args).arg(data(name)), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
}

#[test]
fn table() {
    insta::assert_snapshot!(printed(&["sessions"], "mixed.pcapng"));
}

#[test]
fn eve() {
    for name in ["http-chunked.pcap", "tls13.pcap", "dns-udp.pcap", "dns-tcp.pcap"] {
        let out = printed(&["sessions", "--format", "eve"], name);
        balanced(&out);
        insta::assert_snapshot!(name, out);
    }
}

#[test]
fn zeek() {
    for (name, protocol) in
        [("http-pipelining.pcap", "http"), ("tls12.pcap", "tls"), ("dns-udp.pcap", "dns")]
    {
        let args = ["sessions", "--format", "zeek", "--protocol", protocol];
        let out = printed(&args, name);
        let fields = out.lines().find(|line| line.starts_with("#fields")).unwrap();
        let rows = out.lines().filter(|line| !line.starts_with('#'));
        for row in rows {
            assert_eq!(row.split('\t').count() + 1, fields.split('\t').count(), "{row}");
        }
        insta::assert_snapshot!(format!("zeek-{name}"), out);
    }
}

#[test]
fn logs_follow_one_another_under_headers_of_their_own() {
    let out = printed(&["sessions", "--format", "zeek"], "mixed.pcapng");
    let mut columns = 0;
    let mut paths = Vec::new();
    for line in out.lines() {
        if let Some(path) = line.strip_prefix("#path\t") {
            paths.push(path);
        } else if let Some(fields) = line.strip_prefix("#fields\t") {
            columns = fields.split('\t').count();
        } else if !line.starts_with('#') {
            assert_eq!(line.split('\t').count(), columns, "{line}");
        }
    }
    assert!(["http", "ssl", "dns"].iter().all(|path| paths.contains(path)), "{paths:?}");
    // Nothing was asked for that is not there: still a log.
    let none = printed(&["sessions", "--format", "zeek", "--protocol", "dns"], "tls13.pcap");
    assert!(none.starts_with("#separator") && none.contains("#path\tdns"), "{none}");
}

#[test]
fn protocols_are_chosen() {
    let of = |protocol: &str| {
        let args = ["sessions", "--format", "eve", "--protocol", protocol];
        let (records, _) = balanced(&printed(&args, "mixed.pcapng"));
        records.iter().map(|record| record["event_type"].to_string()).collect::<Vec<_>>()
    };
    let (http, tls, dns) = (of("http"), of("tls"), of("dns"));
    assert!(http.iter().all(|kind| kind == "\"http\"") && !http.is_empty());
    assert!(tls.iter().all(|kind| kind == "\"tls\"") && !tls.is_empty());
    assert!(dns.iter().all(|kind| kind == "\"dns\"") && !dns.is_empty());
    assert_eq!(of("http,tls,dns").len(), http.len() + tls.len() + dns.len());
}

#[test]
fn protocols_are_found_within_others_that_are_not_chosen() {
    for (capture, protocol) in [
        ("smtp.pcap", "tls"),
        ("imap.pcap", "tls"),
        ("websocket.pcap", "websocket"),
        ("socks.pcap", "http"),
    ] {
        let of = |protocol: &[&str]| {
            let args = [&["sessions", "--format", "eve"][..], protocol].concat();
            let (records, _) = balanced(&printed(&args, capture));
            records
        };
        let mut all = of(&[]);
        assert!(all.iter().any(|record| record["event_type"] != protocol), "{capture}");
        all.retain(|record| record["event_type"] == protocol);
        assert_eq!(of(&["--protocol", protocol]), all, "{capture}");
        assert!(!all.is_empty(), "{capture}");
    }
}

#[test]
fn any_number_of_workers_says_the_same() {
    let names = ["mixed.pcapng", "bulk.pcap", "http-pipelining.pcap", "tls12.pcap", "dns-tcp.pcap"];
    let cases: [&[&str]; 6] = [
        &["sessions"],
        &["sessions", "--format=eve"],
        &["sessions", "--format=eve", "--memory=3M"],
        &["sessions", "--format=zeek", "--max-flows=16"],
        &["events"],
        &["flows", "--format=eve"],
    ];
    for args in cases {
        let run_with = |workers: &str| {
            let mut command = program();
            command.args(args).args(["--workers", workers]).args(names.map(data));
            run(&mut command, b"")
        };
        let one = run_with("1");
        assert!([0, 3].contains(&one.code), "{}", one.err);
        for workers in ["2", "3", "8"] {
            let many = run_with(workers);
            assert!(many.out == one.out, "{args:?} with {workers} workers differs");
            assert_eq!((many.code, many.err), (one.code, one.err.clone()));
        }
        if one.out.starts_with('{') {
            balanced(&one.out);
        }
    }
}

/// A message with one question.
fn question(id: u16, flags: u16, name: &[u8], rtype: u16) -> Vec<u8> {
    let mut bytes = [id.to_be_bytes(), flags.to_be_bytes(), [0, 1]].concat();
    bytes.extend([0; 6]);
    bytes.extend_from_slice(name);
    bytes.extend([rtype.to_be_bytes(), [0, 1]].concat());
    bytes
}

#[test]
fn name_services_are_told_apart_by_their_ports() {
    let asks = |from: &str, to: &str, payload: Vec<u8>| {
        Dialogue::udp(from, to).at(1_767_323_045).datagram(Initiator, payload).build()
    };
    let fred = b"\x20EGFCEFEECACACACACACACACACACACACA\0";
    let packets = [
        asks("10.0.0.1:40000", "10.0.0.2:53", question(1, 0x100, b"\x04host\0", 1)),
        asks("10.0.0.1:5353", "224.0.0.251:5353", question(0, 0, b"\x04host\x05local\0", 1)),
        asks("10.0.0.1:40001", "224.0.0.252:5355", question(2, 0, b"\x04host\0", 1)),
        asks("10.0.0.1:137", "10.0.0.255:137", question(3, 0x110, fred, 32)),
    ]
    .concat();
    let capture = pcap(&packets);
    let all = run(program().args(["sessions", "--format=eve", "-"]), &capture);
    let (records, _) = balanced(&all.out);
    let kinds: Vec<&str> =
        records.iter().map(|record| record["event_type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["dns", "mdns", "llmnr", "nbns"]);
    for record in &records {
        let kind = record["event_type"].as_str().unwrap();
        assert_eq!(record[kind]["type"], "request", "{record}");
    }
    let only = run(program().args(["sessions", "--format=eve", "--protocol=mdns", "-"]), &capture);
    assert_eq!(balanced(&only.out).0, records[1..2]);
    // Flows have the names too; Zeek has one log for all, and one service.
    let flows = run(program().args(["flows", "--format=eve", "-"]), &capture);
    let (flows, _) = balanced(&flows.out);
    let protocols: Vec<_> = flows.iter().map(|flow| flow["app_proto"].clone()).collect();
    assert_eq!(protocols, kinds);
    let zeek = run(program().args(["sessions", "--format=zeek", "-"]), &capture);
    assert_eq!(zeek.out.matches("#path").count(), 1, "{}", zeek.out);
    let query = |line: &str| line.split('\t').nth(9).unwrap().to_owned();
    let queries: Vec<String> =
        zeek.out.lines().filter(|line| !line.starts_with('#')).map(query).collect();
    // That of DNS waits for its response, to the end; those of the others are not held.
    assert_eq!(queries, ["host.local", "host", "FRED", "host"]);
}

/// A conversation with a hole, hostile text, and a reset.
fn odd_conversation() -> Packets {
    Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80")
        .at(1_767_323_045)
        .handshake()
        .data(Initiator, b"GET /\x1b[2J HTTP/1.1\r\nHost: \xff\xe2\x80\xae\r\n\r\n")
        .data(Responder, b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nfour")
        .segment(Responder, 5051, 1044, flowscope::core::TcpFlags::ACK, b"last")
        .after(5_000)
        .rst(Initiator)
        .build()
}

#[test]
fn conversations_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "odd.pcap", &pcap(&odd_conversation()));
    let follow = |args: &[&str]| {
        let mut command = program();
        command.arg("follow").arg(&path).args(args);
        run(&mut command, b"")
    };
    let text = follow(&["1"]);
    insta::assert_snapshot!("follow", text.out);
    assert!(text.out.bytes().all(|b| b == b'\n' || b == b'\t' || (b' '..=b'~').contains(&b)));
    for name in
        ["10.0.0.1:40000-10.0.0.2:80", "10.0.0.2:80 <-> 10.0.0.1:40000", "10.0.0.1-10.0.0.2"]
    {
        assert_eq!(follow(&[name]).out, text.out, "{name}");
    }
    assert_eq!(follow(&[]).out, text.out);
    insta::assert_snapshot!(
        "follow-hex",
        follow(&["1", "--format", "hex", "--side", "responder"]).out
    );
    let raw = follow(&["1", "--format", "raw", "--side", "responder"]);
    assert_eq!(raw.out, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nfourlast");
    let none = follow(&["10.0.0.1:1-10.0.0.2:80"]);
    assert_eq!((none.code, none.out.as_str()), (1, ""));
    assert!(none.err.contains("no such conversation"), "{}", none.err);
    let wrong = follow(&["example.org"]);
    assert_eq!((wrong.code, wrong.out.as_str()), (2, ""));
}

#[test]
fn a_gap_before_the_fin_is_in_the_digest() {
    let talk = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").handshake();
    let talk = talk.data(Responder, b"seen").next_seq(Responder, 5505).close(Responder);
    let packets = talk.build();
    let ran = run(program().args(["follow", "--digest", "-"]), &pcap(&packets));
    let [digest] = &lines(&ran.out)[..] else { panic!("{}", ran.out) };
    assert_eq!(digest["toclient"]["gaps"], serde_json::json!([[4, 500]]));
    assert_eq!(digest["toclient"]["len"], 4);
}

/// Without a FIN, acknowledgements say how long a stream is. Nothing of the one of the client was captured.
#[test]
fn events_conversations_and_digests_have_the_same_gaps() {
    const ACK: flowscope::core::TcpFlags = flowscope::core::TcpFlags::ACK;
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n";
    let read = 5001 + head.len() as u32;
    let talk = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").handshake();
    let packets = talk
        .segment(Responder, 5001, 1041, ACK, head)
        .segment(Initiator, 1041, read + 500, ACK, b"")
        .build();
    let said = |args: &[&str]| run(program().args(args).arg("-"), &pcap(&packets)).out;
    let events = lines(&said(&["events"]));
    let gaps = events.iter().filter(|event| event["event"] == "gap");
    let gaps: Vec<_> = gaps.map(|gap| [&gap["side"], &gap["offset"], &gap["bytes"]]).collect();
    let expected = serde_json::json!([["initiator", 0, 40], ["responder", head.len(), 500]]);
    assert_eq!(serde_json::json!(gaps), expected);
    let digest = &lines(&said(&["follow", "--digest"]))[0];
    assert_eq!(digest["toserver"]["gaps"], serde_json::json!([[0, 40]]));
    assert_eq!(digest["toclient"]["gaps"], serde_json::json!([[head.len(), 500]]));
    let text = said(&["follow"]);
    for bytes in [40, 500] {
        assert_eq!(
            text.matches(&format!("[... {bytes} bytes not captured ...]")).count(),
            1,
            "{text}"
        );
    }
}

#[test]
fn digests_cut_gaps_out() {
    let ran = run(program().args(["follow", "--digest", "-"]), &pcap(&odd_conversation()));
    assert_eq!(ran.code, 0, "{ran:?}");
    let [digest] = &lines(&ran.out)[..] else { panic!("{}", ran.out) };
    assert_eq!((&digest["src_ip"], &digest["dest_port"]), (&"10.0.0.1".into(), &80.into()));
    assert_eq!(digest["toclient"]["len"], 47);
    assert_eq!(digest["toclient"]["gaps"], serde_json::json!([[43, 7]]));
    // The reset says how much its sender had sent.
    assert_eq!(digest["toserver"]["gaps"], serde_json::json!([[34, 9]]));
    // sha256 of the bytes that `conversations_are_followed` sees.
    let expected = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nfourlast";
    let sum: String = Sha256::digest(expected).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest["toclient"]["sha256"], sum);
}

#[test]
fn hostile_text_steers_nothing() {
    let capture = pcap(&odd_conversation());
    for args in [
        &["sessions", "-"][..],
        &["sessions", "--format=eve", "-"],
        &["sessions", "--format=zeek", "-"],
        &["follow", "-"],
        &["events", "-"],
    ] {
        let ran = run(program().args(args), &capture);
        assert_eq!(ran.code, 0, "{ran:?}");
        let steers = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        let found = ran.out.contains(steers);
        // JSON may hold any character that is not a control one.
        assert!(!found || (ran.out.starts_with('{') && !ran.out.contains('\x1b')), "{args:?}");
    }
}

#[test]
fn csv_has_the_columns_of_one_protocol_or_of_all() {
    let rows = |protocols: &str| -> (Vec<String>, Vec<Vec<String>>) {
        let args = ["sessions", "--format", "csv", "--protocol", protocols];
        let out = printed(&args, "mixed.pcapng");
        let mut lines = out.lines().map(|line| line.split(',').map(str::to_owned).collect());
        (lines.next().unwrap(), lines.collect())
    };
    let (names, rows_of_tls) = rows("tls");
    let at = |name: &str| names.iter().position(|other| other == name).unwrap();
    assert!(at("flow_id") < at("sni") && at("sni") < at("tunnel"));
    // What a list has in it may be quoted; what stands before it is not.
    assert!(rows_of_tls.iter().all(|row| row[at("sni")] == "lab.test"), "{rows_of_tls:?}");
    let (names, all) = rows("tls,dns");
    assert_eq!(names[0], "protocol");
    assert!(names.contains(&"tls.sni".to_owned()) && names.contains(&"dns.query".to_owned()));
    assert!(all.iter().any(|row| row[0] == "tls") && all.iter().any(|row| row[0] == "dns"));
    assert!(all.len() > rows_of_tls.len());
}

#[test]
fn tables_have_the_latency() {
    let out = printed(&["sessions", "--protocol", "dns"], "dns-udp.pcap");
    assert!(out.contains(" in ") && out.contains("us"), "{out}");
}

#[test]
fn a_wide_table_has_more_columns() {
    let out = printed(&["flows", "--wide"], "vlan.pcap");
    let mut lines = out.lines();
    assert!(lines.next().unwrap().ends_with("ID TUNNEL   RETRANS GAPS"), "{out}");
    assert!(lines.all(|line| line.contains(" vlan:100 ") && line.ends_with("0/0  0/0")), "{out}");
}

#[test]
fn flow_ids_agree_and_a_filter_does_not_change_them() {
    let ids = |args: &[&str]| -> std::collections::BTreeSet<u64> {
        let out = printed(args, "mixed.pcapng");
        let records =
            out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        records.filter_map(|record| record["flow_id"].as_u64()).collect()
    };
    let eve = ["--format", "eve"];
    let all = ids(&[&["flows"][..], &eve].concat());
    let tcp = ids(&[&["flows", "-f", "tcp port 443"][..], &eve].concat());
    assert!(tcp.len() < all.len() && !tcp.is_empty());
    assert!(tcp.is_subset(&all), "{tcp:?} {all:?}");
    assert!(ids(&[&["sessions"][..], &eve].concat()).is_subset(&all));
    assert_eq!(ids(&["events"]), all);
    let sessions = ids(&[&["sessions", "-f", "tcp port 443"][..], &eve].concat());
    assert_eq!(sessions, ids(&[&["sessions", "--protocol", "tls"][..], &eve].concat()));
    // The id names the same conversation for `follow`.
    let id = sessions.first().unwrap().to_string();
    let ran = run(
        program().args(["follow", "-f", "tcp port 443"]).arg(data("mixed.pcapng")).arg(id),
        b"",
    );
    assert_eq!(ran.code, 0, "{ran:?}");
}

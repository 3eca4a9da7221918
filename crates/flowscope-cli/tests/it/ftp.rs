//! Data connections of FTP: what they carry, and for which control connection.

use flowscope::core::FlowSide;
use sha2::{Digest, Sha256};

use super::*;

const START: u64 = 1_700_000_000;

/// Lines of a script, each at its time in milliseconds.
fn said(mut script: Dialogue, lines: &[(u64, FlowSide, &str)]) -> Dialogue {
    for (at, side, line) in lines {
        script = until(script, *at).data(*side, format!("{line}\r\n"));
    }
    script
}

fn until(script: Dialogue, at: u64) -> Dialogue {
    let now = script.now().since(Timestamp::from_secs(START));
    script.after(at.checked_sub(now.as_millis() as u64).expect("it is over"))
}

fn begin(from: &str, to: &str, at: u64) -> Dialogue {
    until(Dialogue::tcp(from, to).at(START), at).handshake()
}

/// A control connection that is open.
fn control(client: &str, lines: &[(u64, FlowSide, &str)]) -> Packets {
    let script = begin(&format!("{client}:40000"), "192.0.2.1:21", 0);
    said(said(script, &[(10, Responder, "220 FTP")]), lines).build()
}

/// A data connection, which `sender` closes. Its bytes come some time after its handshake.
fn data((from, to): (&str, &str), at: u64, sender: FlowSide, bytes: &[u8]) -> Packets {
    let script = until(begin(from, to, at), at + 20);
    bytes
        .chunks(1000)
        .fold(script, |script, piece| script.data(sender, piece))
        .close(sender)
        .build()
}

fn in_order(packets: &[Packets]) -> Packets {
    let mut packets = packets.concat();
    packets.sort_by_key(|(ts, _)| *ts);
    packets
}

fn printed(packets: &Packets, args: &[&str]) -> String {
    let ran = run(program().arg("sessions").args(args).arg("-"), &pcap(packets));
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
}

fn events(packets: &Packets, args: &[&str]) -> Vec<Value> {
    let out = printed(packets, &[&["--format", "eve"], args].concat());
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The records of data connections.
fn transfers(packets: &Packets) -> Vec<Value> {
    let mut all = events(packets, &["--file-info"]);
    all.retain(|event| event["event_type"] == "ftp_data");
    all
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A picture of so many bytes.
fn picture(len: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend((0..len - 8).map(|n| (n % 251) as u8));
    bytes
}

/// A client that downloads, uploads and lists, by all commands that open data connections.
fn client(n: u8) -> Packets {
    let client = format!("10.0.0.{n}");
    let at = |port: u16| format!("{client}:{port}");
    let low = 100 + n;
    let download = picture(5000 + usize::from(n));
    let lines = [
        (100, Initiator, "PASV".to_owned()),
        (110, Responder, format!("227 Entering Passive Mode (192,0,2,1,195,{low})")),
        (120, Initiator, "RETR dir/a b.png".to_owned()),
        (130, Responder, format!("150 Opening ({} bytes)", download.len())),
        (190, Responder, "226 Done".to_owned()),
        (200, Initiator, "EPSV".to_owned()),
        (210, Responder, format!("229 Entering (|||{}|)", 51_000 + u16::from(n))),
        (220, Initiator, "LIST".to_owned()),
        (230, Responder, "150 Here".to_owned()),
        (290, Responder, "226 Done".to_owned()),
        (300, Initiator, format!("PORT {},19,{low}", client.replace('.', ","))),
        (310, Responder, "200 Fine".to_owned()),
        (320, Initiator, "STOU".to_owned()),
        (330, Responder, "150 FILE: unique.1".to_owned()),
        (390, Responder, "226 Done".to_owned()),
        (400, Initiator, format!("EPRT |1|{client}|{}|", 6000 + u16::from(n))),
        (410, Responder, "200 Fine".to_owned()),
        (420, Initiator, "STOR new.txt".to_owned()),
        (430, Responder, "150 Go on".to_owned()),
        (490, Responder, "226 Done".to_owned()),
    ];
    let lines = lines.each_ref().map(|(at, side, line)| (*at, *side, &**line));
    let (port, listing) = (50_000 - 80 + u16::from(low), 51_000 + u16::from(n));
    in_order(&[
        control(&client, &lines),
        data((&*at(41_000), &*format!("192.0.2.1:{port}")), 114, Responder, &download),
        data((&*at(41_001), &*format!("192.0.2.1:{listing}")), 235, Responder, b"drwx a\r\n"),
        data(("192.0.2.1:20", &*at(19 * 256 + u16::from(low))), 335, Responder, b"unique"),
        data(("192.0.2.1:20", &*at(6000 + u16::from(n))), 435, Responder, b"new"),
    ])
}

#[test]
fn data_connections_are_those_of_their_control_connection_for_any_number_of_workers() {
    let clients: Vec<Packets> = (1..=20).map(client).collect();
    let packets = in_order(&clients);
    let args = ["--file-info", "--format", "eve"];
    let one = printed(&packets, &[&args[..], &["--workers", "1"]].concat());
    for workers in ["2", "4", "16"] {
        let many = printed(&packets, &[&args[..], &["--workers", workers]].concat());
        assert!(many == one, "{workers} workers");
    }
    let all = transfers(&packets);
    assert_eq!(all.len(), 80);
    let controls: Vec<Value> =
        events(&packets, &[]).into_iter().filter(|it| it["event_type"] == "ftp").collect();
    for n in 1..=20_u8 {
        let host = format!("10.0.0.{n}");
        let is_its = |it: &&Value| it["src_ip"] == *host || it["dest_ip"] == *host;
        let control = &controls.iter().find(is_its).expect("it is read")["flow_id"];
        let of = |command: &str| {
            let mut found =
                all.iter().filter(is_its).filter(|it| it["ftp_data"]["command"] == command);
            let it = found.next().expect("it has a record");
            assert_eq!(found.next(), None);
            assert_eq!(&it["flowscope"]["control_flow"], control);
            assert_ne!(&it["flow_id"], control);
            assert_eq!(it["flowscope"]["truncated"], false);
            it
        };
        let expected = picture(5000 + usize::from(n));
        let file = serde_json::json!({
            "filename": "dir/a b.png",
            "direction": "toclient",
            "mime_type": "image/png",
            "gaps": false,
            "state": "CLOSED",
            "sha256": sha256(&expected),
            "size": expected.len(),
            "tx_id": 0,
        });
        assert_eq!(of("RETR")["files"], serde_json::json!([file]));
        assert_eq!(of("RETR")["flowscope"]["file_size"], expected.len());
        assert_eq!(of("LIST")["files"], Value::Null);
        assert_eq!(of("LIST")["flowscope"]["bytes"], 8);
        for (command, name, bytes) in
            [("STOU", "unique.1", &b"unique"[..]), ("STOR", "new.txt", b"new")]
        {
            assert_eq!(of(command)["ftp_data"]["filename"], name);
            assert_eq!(of(command)["flowscope"]["direction"], "toserver");
            assert_eq!(of(command)["files"][0]["sha256"], sha256(bytes));
        }
    }
}

#[test]
fn flows_have_the_name_without_being_read() {
    let clients: Vec<Packets> = (1..=20).map(client).collect();
    let packets = pcap(&in_order(&clients));
    let of = |args: &[&str]| {
        let ran = run(program().args(args).arg("-"), &packets);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out
    };
    let one = of(&["flows", "--format", "eve", "--workers", "1"]);
    let named = |name: &str| one.lines().filter(|line| line.contains(name)).count();
    assert_eq!(named("\"app_proto\":\"ftp-data\""), 80);
    assert_eq!(named("\"app_proto\":\"ftp\""), 20);
    for workers in ["2", "4"] {
        assert!(of(&["flows", "--format", "eve", "--workers", workers]) == one, "{workers}");
    }
    let zeek = of(&["flows", "--format", "zeek"]);
    assert_eq!(zeek.matches("\tftp-data\t").count(), 80);
}

#[test]
fn files_are_written() {
    let packets = client(1);
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("files");
    printed(&packets, &["--extract", dir.to_str().unwrap()]);
    let mut files: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut expected = [sha256(&picture(5001)), sha256(b"unique"), sha256(b"new")];
    expected.sort();
    assert_eq!(files, expected);
    for format in ["table", "csv", "json", "zeek"] {
        let out =
            printed(&packets, &["--file-info", "--protocol", "ftp,ftp-data", "--format", format]);
        assert!(out.contains(&sha256(b"new")), "{format}: {out}");
    }
}

/// A download, of which the data connection is this.
fn download(data: Packets) -> Packets {
    let lines = [
        (100, Initiator, "PASV"),
        (110, Responder, "227 Entering Passive Mode (192,0,2,1,195,80)"),
        (150, Initiator, "RETR a"),
        (160, Responder, "150 Opening (9000 bytes)"),
        (500, Responder, "226 Done"),
    ];
    in_order(&[control("10.0.0.1", &lines), data])
}

const ENDS: (&str, &str) = ("10.0.0.1:41000", "192.0.2.1:50000");

#[test]
fn what_is_not_whole_is_marked() {
    let whole = picture(9000);
    let check = |packets: Packets, bytes: usize, missing: usize, truncated: bool| {
        let all = transfers(&download(packets));
        let [it] = &all[..] else { panic!("{all:?}") };
        assert_eq!(it["ftp_data"]["filename"], "a");
        let found = &it["flowscope"];
        assert_eq!(found["bytes"], bytes, "{it}");
        assert_eq!(found["missing_bytes"], missing, "{it}");
        assert_eq!(found["truncated"], truncated, "{it}");
        let has_hash = it["files"][0]["sha256"] == *sha256(&whole);
        assert_eq!(has_hash, bytes == 9000, "{it}");
    };
    let all = || data(ENDS, 170, Responder, &whole);
    check(all(), 9000, 0, false);
    // The fifth of nine segments was not captured.
    let mut lacking = all();
    lacking.remove(3 + 4);
    check(lacking, 8000, 1000, false);
    check(data(ENDS, 170, Responder, &whole[..4000]), 4000, 0, true);
    let aborted = begin(ENDS.0, ENDS.1, 170).data(Responder, &whole[..1000]).rst(Initiator);
    check(aborted.build(), 1000, 0, true);
    // The capture ends.
    check(begin(ENDS.0, ENDS.1, 170).data(Responder, &whole[..1000]).build(), 1000, 0, true);
}

#[test]
fn two_transfers_on_one_port_are_two() {
    let place = "227 Entering Passive Mode (192,0,2,1,195,80)";
    let lines = [
        (100, Initiator, "PASV"),
        (110, Responder, place),
        (150, Initiator, "RETR a"),
        (160, Responder, "150 Opening (9000 bytes)"),
        (500, Responder, "226 Done"),
        (600, Initiator, "PASV"),
        (610, Responder, place),
        (620, Initiator, "STOR b"),
        (630, Responder, "150 Go on"),
        (700, Responder, "226 Done"),
    ];
    let first = data(ENDS, 170, Responder, &picture(9000));
    let second = data(("10.0.0.1:41001", ENDS.1), 640, Initiator, b"second");
    let packets = in_order(&[control("10.0.0.1", &lines), first, second]);
    let found: Vec<_> = transfers(&packets)
        .iter()
        .map(|it| {
            let name = it["ftp_data"]["filename"].as_str().unwrap().to_owned();
            (name, it["flowscope"]["bytes"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(found, [("a".to_owned(), 9000), ("b".to_owned(), 6)]);
}

#[test]
fn what_tls_protects_is_named_and_its_handshake_read() {
    let hello = client_hello();
    let script = begin(ENDS.0, ENDS.1, 170)
        .data(Initiator, &hello)
        .data(Responder, [0x15, 3, 3, 0, 2, 2, 40]);
    let all = events(&download(script.close(Responder).build()), &["--file-info"]);
    let of = |kind: &str| all.iter().find(|it| it["event_type"] == kind).expect(kind);
    assert_eq!(of("ftp_data")["flowscope"]["tls"], true);
    assert_eq!(of("ftp_data")["ftp_data"]["filename"], "a");
    assert_eq!(of("ftp_data")["files"], Value::Null);
    assert_eq!(of("tls")["flow_id"], of("ftp_data")["flow_id"]);
}

/// A ClientHello without extensions (RFC 5246 §7.4.1.2).
fn client_hello() -> Vec<u8> {
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0, 0x2f, 1, 0]].concat();
    let len = body.len() as u8;
    [&[0x16, 3, 1, 0, len + 4, 1, 0, 0, len][..], &body].concat()
}

#[test]
fn a_wrong_hint_names_no_flow() {
    // A conversation where data was expected, and data from another host.
    let http = begin(ENDS.0, ENDS.1, 170)
        .data(Initiator, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .data(Responder, "HTTP/1.1 204 No Content\r\n\r\n")
        .close(Initiator);
    assert_eq!(transfers(&download(http.build())), Vec::<Value>::new());
    let other = data(("10.0.0.9:41000", ENDS.1), 170, Responder, &picture(9000));
    assert_eq!(transfers(&download(other)), Vec::<Value>::new());
    // The reply is captured later than the connection.
    let early = data(ENDS, 20, Responder, &picture(9000));
    assert_eq!(transfers(&download(early)), Vec::<Value>::new());
    // And of a control connection that is not captured, nothing is known.
    let alone = data(ENDS, 170, Responder, &picture(9000));
    assert_eq!(transfers(&alone), Vec::<Value>::new());
}

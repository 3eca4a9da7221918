//! What is in TLS whose secrets are known.

use std::collections::BTreeMap;
use std::fs;

use super::*;

/// A recorded capture, or its key log.
fn data(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data");
    folder.join(name).display().to_string()
}

fn printed(args: &[&str]) -> String {
    let ran = flowscope(args);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
}

/// The events of EVE, by their kind.
fn events(out: &str) -> BTreeMap<String, Vec<serde_json::Value>> {
    let mut kinds: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for line in out.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        kinds.entry(event["event_type"].as_str().unwrap().to_owned()).or_default().push(event);
    }
    kinds
}

fn count(kinds: &BTreeMap<String, Vec<serde_json::Value>>, kind: &str) -> usize {
    kinds.get(kind).map_or(0, Vec::len)
}

#[test]
fn a_key_log_shows_what_is_in_tls12() {
    let (capture, keys) = (data("tls12-keys.pcap"), data("tls12-keys.txt"));
    let eve = ["sessions", "--format", "eve"];
    let closed = printed(&[&eve[..], &[&capture]].concat());
    let out = printed(&[&eve[..], &["--keylog", &keys, &capture]].concat());
    // Records of handshakes are the same.
    let tls = |out: &str| -> Vec<String> {
        let is_tls = |line: &&str| line.contains("\"event_type\":\"tls\"");
        out.lines().filter(is_tls).map(str::to_owned).collect()
    };
    assert_eq!(tls(&out), tls(&closed));
    let (closed, open) = (events(&closed), events(&out));
    assert_eq!((count(&closed, "tls"), count(&closed, "http")), (5, 0));
    let of_tls: Vec<_> = open["tls"].iter().map(|event| &event["flow_id"]).collect();
    let http = &open["http"];
    // Three connections of HTTP/1.1 and one of HTTP/2, two requests on each; the suite of the fifth is not opened.
    assert_eq!((of_tls.len(), http.len()), (5, 8));
    let urls: Vec<_> = http.iter().map(|event| event["http"]["url"].as_str().unwrap()).collect();
    assert_eq!(urls, ["/", "/plain.txt"].repeat(4));
    for event in http {
        assert_eq!(event["flowscope"]["within"], "tls", "{event}");
        assert_eq!(event["http"]["hostname"], "lab.test", "{event}");
        assert_eq!(event["http"]["status"], 200, "{event}");
        assert!(of_tls.contains(&&event["flow_id"]), "{event}");
    }
}

#[test]
fn a_capture_may_hold_its_secrets() {
    let capture = data("tls13-keys.pcapng");
    let open = events(&printed(&["sessions", "--format", "eve", &capture]));
    assert_eq!((count(&open, "tls"), count(&open, "http")), (5, 9));
    for event in &open["http"] {
        assert_eq!(event["http"]["status"], 200, "{event}");
        assert_eq!(event["flowscope"]["within"], "tls", "{event}");
    }
    let chosen = events(&printed(&["sessions", "--format", "eve", "--protocol", "http", &capture]));
    assert_eq!(
        (count(&chosen, "tls"), count(&chosen, "http")),
        (0, 7),
        "TLS is read, and not printed; two more are of HTTP/2"
    );
}

#[test]
fn logs_of_zeek_have_what_is_in_tls() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs").display().to_string();
    let capture = data("tls13-keys.pcapng");
    printed(&["sessions", "--format", "zeek", "--output-dir", &logs, &capture]);
    let column = |log: &str, name: &str| -> Vec<String> {
        let text = fs::read_to_string(Path::new(&logs).join(log)).unwrap();
        let fields = text.lines().find_map(|line| line.strip_prefix("#fields\t")).unwrap();
        let at = fields.split('\t').position(|field| field == name).unwrap();
        let rows = text.lines().filter(|line| !line.starts_with('#'));
        rows.map(|row| row.split('\t').nth(at).unwrap().to_owned()).collect()
    };
    let (http, ssl) = (column("http.log", "uid"), column("ssl.log", "uid"));
    assert_eq!(ssl.len(), 5);
    assert!(http.len() >= 7 && http.iter().all(|uid| ssl.contains(uid)), "{http:?} {ssl:?}");
}

#[test]
fn events_say_which_protocol_is_in_tls() {
    let out = printed(&["events", &data("tls13-keys.pcapng")]);
    let chosen: Vec<_> = out.lines().filter(|line| line.contains("\"within\":\"tls\"")).collect();
    assert_eq!(chosen.len(), 5, "{out}");
    let by_agreement = chosen.iter().filter(|line| line.contains("agreement")).count();
    // The last client offers no protocol: its first bytes show it.
    assert_eq!(by_agreement, 4, "{chosen:?}");
}

#[test]
fn the_output_does_not_depend_on_the_workers() {
    let (capture, keys) = (data("tls12-keys.pcap"), data("tls12-keys.txt"));
    let within = data("tls13-keys.pcapng");
    let args = ["sessions", "--format", "eve", "--keylog", &keys, &capture, &within];
    let one = printed(&[&args[..], &["--workers", "1"]].concat());
    assert_eq!(count(&events(&one), "http"), 8 + 9);
    for workers in ["2", "4"] {
        assert_eq!(printed(&[&args[..], &["--workers", workers]].concat()), one);
    }
}

/// Blocks of a little-endian pcapng file, with their types.
fn blocks(capture: &[u8]) -> Vec<(u32, &[u8])> {
    let mut rest = capture;
    let mut blocks = Vec::new();
    while let Some((head, _)) = rest.split_first_chunk::<8>() {
        let [k0, k1, k2, k3, l0, l1, l2, l3] = *head;
        let (block, behind) = rest.split_at(u32::from_le_bytes([l0, l1, l2, l3]) as usize);
        blocks.push((u32::from_le_bytes([k0, k1, k2, k3]), block));
        rest = behind;
    }
    blocks
}

/// Secrets are of use to the packets behind them, on any number of threads.
#[test]
fn secrets_that_come_later_are_not_used() {
    const SECRETS: u32 = 10;
    const PACKET: u32 = 6;
    let folder = tempfile::tempdir().unwrap();
    let capture = fs::read(data("tls13-keys.pcapng")).unwrap();
    let blocks = blocks(&capture);
    let secrets = blocks.iter().find(|(kind, _)| *kind == SECRETS).unwrap().1;
    let packets = blocks.iter().filter(|(kind, _)| *kind == PACKET).count();
    let mut seen = Vec::new();
    // Before all packets, before half of them, and behind all.
    for before in [0, packets / 2, packets] {
        let mut moved = Vec::new();
        let mut passed = 0;
        for (kind, block) in blocks.iter().filter(|(kind, _)| *kind != SECRETS) {
            if *kind == PACKET {
                if passed == before {
                    moved.extend_from_slice(secrets);
                }
                passed += 1;
            }
            moved.extend_from_slice(block);
        }
        if before == packets {
            moved.extend_from_slice(secrets);
        }
        let path = file(folder.path(), "moved.pcapng", &moved).display().to_string();
        let args = ["sessions", "--format", "eve", &path];
        let one = printed(&[&args[..], &["--workers", "1"]].concat());
        for workers in ["2", "4"] {
            assert_eq!(printed(&[&args[..], &["--workers", workers]].concat()), one, "{before}");
        }
        seen.push(count(&events(&one), "http"));
    }
    assert_eq!((seen[0], seen[2]), (9, 0));
    assert!(seen[1] > 0 && seen[1] < 9, "{seen:?}");
}

#[test]
fn a_key_log_that_is_of_no_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let capture = data("tls12-keys.pcap");
    let absent = folder.path().join("absent.txt").display().to_string();
    let ran = flowscope(["sessions", "--keylog", &absent, &capture]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(ran.err.contains("absent.txt: cannot read: No such file"), "{}", ran.err);
    let other = file(folder.path(), "other.txt", b"# no secrets\nnonsense\n").display().to_string();
    let ran = flowscope(["sessions", "--keylog", &other, &capture]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("other.txt: has no secrets of TLS"), "{}", ran.err);
    let quiet = flowscope(["sessions", "--quiet", "--keylog", &other, &capture]);
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""));
    assert_eq!(quiet.out, ran.out);
}

#[test]
fn commands_that_read_no_messages_take_no_key_log() {
    let (capture, keys) = (data("tls12-keys.pcap"), data("tls12-keys.txt"));
    for command in ["flows", "follow", "ladder", "extract", "split"] {
        let ran = flowscope([command, "--keylog", &keys, &capture]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{command}");
        assert!(ran.err.contains("unexpected argument '--keylog'"), "{}", ran.err);
        let help = flowscope(["help", command]);
        assert!(!help.out.contains("--keylog"), "{command}");
    }
    for command in ["sessions", "summary", "top", "report", "events"] {
        assert!(flowscope(["help", command]).out.contains("--keylog"), "{command}");
    }
}

#[test]
fn secrets_that_are_too_large_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut capture = fs::read(data("tls13-keys.pcapng")).unwrap();
    // A block of more than 1 MiB: type, length, kind, length of the secrets, secrets, length (draft-ietf-opsawg-pcapng §4.7).
    let secrets = vec![b'#'; (1 << 20) + 4];
    let (kind, len) = (0x544c_534b_u32, secrets.len() as u32);
    let words =
        |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    capture.extend(words(&[10, len + 20, kind, len]));
    capture.extend(&secrets);
    capture.extend(words(&[len + 20]));
    let capture = file(folder.path(), "large.pcapng", &capture).display().to_string();
    let ran = flowscope(["sessions", &capture]);
    let expected = "flowscope: left out: 1 block of decryption secrets, damaged or too large\n";
    assert_eq!((ran.code, ran.err.contains(expected)), (0, true), "{}", ran.err);
    let quiet = flowscope(["sessions", "--quiet", &capture]);
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""));
}

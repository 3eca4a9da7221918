//! `summary` and `top`: one answer about a whole capture.

use super::*;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name)
}

fn printed(args: &[&str], name: &str) -> String {
    let ran = run(program().args(args).arg(data(name)), b"");
    assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
    ran.out
}

#[test]
fn a_summary_fits_one_screen() {
    let out = printed(&["summary"], "mixed.pcapng");
    assert!(out.lines().count() < 24, "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    insta::assert_snapshot!(out);
}

#[test]
fn a_summary_is_the_same_in_json() {
    let out = printed(&["summary", "--format", "json"], "mixed.pcapng");
    let [summary] = &lines(&out)[..] else { panic!("{out}") };
    assert_eq!((&summary["flows"], &summary["packets"]), (&23.into(), &329.into()));
    assert_eq!(summary["links"], serde_json::json!(["ethernet"]));
    let of = |list: &str| -> u64 {
        let items = summary[list].as_array().unwrap();
        items.iter().map(|item| item["bytes"].as_u64().unwrap()).sum()
    };
    assert_eq!(Some(of("protocols")), summary["bytes"].as_u64());
    assert_eq!(Some(of("talkers") / 2), summary["bytes"].as_u64());
    let failures = summary["failures"].as_array().unwrap();
    let count = |what: &str| {
        let failure = failures.iter().find(|failure| failure["what"] == what);
        failure.and_then(|failure| failure["count"].as_u64()).unwrap_or(0)
    };
    let counts =
        ["refused", "reset", "unanswered", "DNS NXDOMAIN", "HTTP 404", "TLS unknown_ca"].map(count);
    assert_eq!(counts, [1, 3, 2, 1, 1, 1], "{failures:?}");
    assert_eq!(summary["too_high_by_at_most"]["talkers"], 0);
}

#[test]
fn losses_and_limits_come_first() {
    let lost = run(program().args(["summary", "-"]), &pcap(&small_dialogue()));
    assert!(lost.out.starts_with("not seen: 1 packet not_a_flow"), "{lost:?}");
    assert_eq!(lost.err, "");
    let evicted = printed(&["summary", "--max-flows", "4"], "mixed.pcapng");
    assert!(evicted.starts_with("evicted for lack of room: 19 flows; --max-flows"), "{evicted}");
}

#[test]
fn evictions_are_told() {
    for command in ["flows", "sessions", "events"] {
        let args = [command, "--max-flows", "4"];
        let ran = run(program().args(args).arg(data("mixed.pcapng")), b"");
        let said = "flowscope: evicted for lack of room: 19 flows; ";
        assert!(ran.err.contains(said), "{command}: {}", ran.err);
        let quiet = run(program().args(args).arg("-q").arg(data("mixed.pcapng")), b"");
        assert_eq!(quiet.err, "");
    }
}

#[test]
fn a_capture_without_packets_has_a_summary() {
    let ran = run(program().args(["summary", "-"]), &pcap(&Vec::new()));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("0 flows, 0 packets (-/s)"), "{}", ran.out);
    let json = run(program().args(["summary", "--format=json", "-"]), &pcap(&Vec::new())).out;
    assert_eq!(lines(&json)[0]["packets"], 0);
}

#[test]
fn names_of_peers_do_not_steer_the_terminal() {
    let request = b"GET / HTTP/1.1\r\nHost: a\x1b[31mb\r\n\r\n";
    let packets = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80")
        .at(1_767_323_045)
        .handshake()
        .data(Initiator, request)
        .close(Initiator)
        .build();
    for args in [&["summary", "-"][..], &["top", "--by=host", "-"]] {
        let ran = run(program().args(args), &pcap(&packets));
        assert!(!ran.out.contains('\x1b'), "{ran:?}");
    }
}

#[test]
fn top_ranks_hosts_servers_and_names() {
    let mut all = String::new();
    for by in ["bytes", "packets", "flows", "rtt", "retransmits", "sni", "host", "query"] {
        let out = printed(&["top", "--by", by, "-n", "5"], "mixed.pcapng");
        all.push_str(&format!("--by {by}\n{out}\n"));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn top_is_exact_in_json() {
    let top = |by: &str| lines(&printed(&["top", "--by", by, "--format=json"], "mixed.pcapng"));
    let hosts = top("bytes");
    assert_eq!(hosts[0]["bytes"], 148_363);
    assert_eq!(hosts[0]["ip"], "10.77.0.1");
    assert_eq!(top("sni")[0], serde_json::json!({"sni": "lab.test", "seen": 3}));
    assert_eq!(top("query")[0], serde_json::json!({"query": "www.lab.test", "seen": 3}));
    let servers = top("rtt");
    assert!(servers.iter().all(|server| server["rtt_min"].as_f64() <= server["rtt_mean"].as_f64()));
    let means: Vec<_> = servers.iter().map(|server| server["rtt_mean"].as_f64()).collect();
    assert!(means.is_sorted_by(|a, b| a >= b) && means.len() > 3, "{means:?}");
}

#[test]
fn hosts_of_both_versions_of_http_are_ranked() {
    let keys = data("tls12-keys.txt").display().to_string();
    // Six requests of HTTP/1.1, and two of HTTP/2.
    let args = ["top", "--by=host", "--format=json", "--keylog", &keys];
    let hosts = lines(&printed(&args, "tls12-keys.pcap"));
    assert_eq!(hosts, [serde_json::json!({"host": "lab.test", "seen": 8})]);
}

#[test]
fn any_number_of_workers_gives_the_same_answers() {
    for args in [&["summary"][..], &["top"], &["top", "--by=query"], &["top", "--by=rtt"]] {
        let with =
            |workers: &str| printed(&[args, &["--workers", workers]].concat(), "mixed.pcapng");
        assert_eq!(with("1"), with("3"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn answers_end_as_other_output_does() {
    for args in [&["summary"][..], &["top"], &["flows", "--format=json"]] {
        let ran =
            run(program().args(args).args(["-o", "/dev/full"]).arg(data("mixed.pcapng")), b"");
        assert_eq!(ran.code, 5, "{ran:?}");
        let absent = run(program().args(args).arg(data("absent.pcap")), b"");
        assert_eq!((absent.code, absent.out.as_str()), (1, ""), "{absent:?}");
    }
    for args in
        [&["summary", "--format=eve", "x"][..], &["top", "--by=size", "x"], &["top", "-n0", "x"]]
    {
        assert_eq!(flowscope(args).code, 2, "{args:?}");
    }
}

#[test]
fn answers_are_about_the_flows_that_are_wanted() {
    let summary = |condition: &str| {
        let args = ["summary", "--format=json", "--where", condition];
        lines(&printed(&args, "mixed.pcapng")).swap_remove(0)
    };
    let tls = summary("app_proto == tls && bytes > 2K");
    let flows = run(
        program()
            .args(["flows", "--format=json", "--where", "app_proto == tls && bytes > 2K"])
            .arg(data("mixed.pcapng")),
        b"",
    );
    let flows = lines(&flows.out);
    let of = |flow: &Value, name: &str| flow[name].as_u64().unwrap();
    let both = |flow: &Value| of(flow, "bytes_to_server") + of(flow, "bytes_to_client");
    let bytes: u64 = flows.iter().map(both).sum();
    assert_eq!(tls["matched"]["flows"], flows.len());
    assert_eq!(tls["matched"]["bytes"], bytes);
    assert_eq!(tls["flows"], 23, "the capture is the whole one");
    assert_eq!(tls["protocols"].as_array().unwrap().len(), 1);
    let kinds: Vec<_> = tls["names"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["sni"]);
    // Fields of sessions choose flows too.
    assert_eq!(summary("rcode == nxdomain")["matched"]["flows"], 1);
    assert_eq!(summary("bytes > 1G")["matched"]["flows"], 0);
    assert!(printed(&["summary", "--where", "proto == udp"], "mixed.pcapng").contains("--where: "));

    let top =
        printed(&["top", "--by=query", "--format=json", "--where=proto == tcp"], "mixed.pcapng");
    let all = printed(&["top", "--by=query", "--format=json"], "mixed.pcapng");
    assert!(!top.is_empty() && top.lines().count() < all.lines().count(), "{top}\n{all}");
    for args in [["summary", "--where", "byts > 1"], ["top", "--where", "bytes >"]] {
        assert_eq!(run(program().args(args).arg(data("mixed.pcapng")), b"").code, 2, "{args:?}");
    }
    let piped = run(program().args(["summary", "--where", "bytes > 1", "-"]), b"");
    assert!(piped.code == 2 && piped.err.contains("only once"), "{piped:?}");
}

#[test]
fn errors_of_captures_that_are_read_twice_are_printed_once() {
    let folder = tempfile::tempdir().unwrap();
    let whole = pcap(&small_dialogue());
    let cut = file(folder.path(), "cut.pcap", &whole[..whole.len() - 5]);
    let ran = run(program().args(["top", "--where", "packets > 0"]).arg(&cut), b"");
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(ran.err.matches("cut.pcap: byte").count(), 1, "{}", ran.err);
}

#[test]
fn evictions_are_in_the_statistics() {
    let stats = |args: &[&str]| {
        let out = printed(&[&["flows", "--format=eve"], args].concat(), "mixed.pcapng");
        lines(&out).pop().unwrap()["stats"]["flows"]["evicted"].clone()
    };
    assert_eq!(stats(&["--max-flows", "4"]), 19);
    assert_eq!(stats(&[]), Value::Null);
}

/// Failures of flows that have interim records every 10 seconds.
fn failures(packets: &Packets) -> Value {
    let ran = run(program().args(["summary", "--format=json", "--active=10", "-"]), &pcap(packets));
    assert_eq!(ran.code, 0, "{ran:?}");
    lines(&ran.out)[0]["failures"].clone()
}

/// The last record has packets of the initiator alone.
#[test]
fn answers_before_an_interim_record_are_answers() {
    let flow = |dialogue: Dialogue| {
        let late = dialogue.after(15_000).datagram(Initiator, b"more");
        late.datagram(Initiator, b"and more").build()
    };
    let question = || {
        let dialogue = Dialogue::udp("10.0.0.1:40000", "10.0.0.2:9999").at(1_767_323_045);
        dialogue.datagram(Initiator, b"question")
    };
    let answered = failures(&flow(question().datagram(Responder, b"answer")));
    assert_eq!(answered, serde_json::json!([]));
    let unanswered = failures(&flow(question()));
    assert_eq!(unanswered, serde_json::json!([{"what": "unanswered", "count": 1}]));
}

#[test]
fn a_responder_that_was_seen_alone_has_answered() {
    let dialogue = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").at(1_767_323_045);
    let mut packets = dialogue.syn().syn_ack().data(Responder, b"greeting").build();
    packets.remove(0);
    assert_eq!(failures(&packets), serde_json::json!([]));
}

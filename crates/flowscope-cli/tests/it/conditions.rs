//! `--where`: records that are wanted, and expressions that are not understood.

use super::*;

/// What the program prints of a recorded capture.
fn printed(args: &[&str], name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name);
    let ran = run(program().args(args).arg(path), b"");
    assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
    ran.out
}

/// The records of a capture that a condition wants.
fn records(command: &str, condition: &str, name: &str) -> Vec<Value> {
    let args = [command, "--format", "eve", "--where", condition];
    let (records, _) = balanced(&printed(&args, name));
    records
}

#[test]
fn flows_are_those_for_which_it_holds() {
    let check = |condition: &str, expected: usize| {
        let found = records("flows", condition, "mixed.pcapng");
        assert_eq!(found.len(), expected, "{condition}: {found:#?}");
    };
    check("bytes >= 0", 23);
    check("app_proto == tls", 3);
    check("proto == tcp && port == 443", 3);
    check("app_proto == tls && bytes > 4K", 1);
    check("proto == icmp or icmp_type == 8", 3);
    check("ip in 10.77.0.0/24", 23);
    check("src_ip in {10.77.0.2, 10.78.0.0/16}", 1);
    check("end_reason == rst and duration > 100ms", 1);
    check("!(proto in {tcp, udp})", 3);
    check("exists syn_rtt", 12);
    check("start > 2027-01-01", 0);
    check("history contains R", 3);
}

#[test]
fn flows_have_the_fields_of_what_is_said_in_them() {
    let check = |condition: &str, expected: &[&str]| {
        let found = records("flows", condition, "mixed.pcapng");
        let names: Vec<_> =
            found.iter().map(|record| record["app_proto"].as_str().unwrap_or_default()).collect();
        assert_eq!(names, expected, "{condition}");
    };
    check("sni ends .test && bytes > 4K", &["tls"]);
    check("method == put", &["http"]);
    check("sni == lab.test || exists hassh", &["ssh", "tls", "tls", "tls"]);
    check("rcode == nxdomain && proto == udp", &["dns"]);
    check("exists sni && exists method", &[]);
}

#[test]
fn sessions_are_those_for_which_it_holds() {
    let check = |condition: &str, expected: usize| {
        let found = records("sessions", condition, "mixed.pcapng");
        assert_eq!(found.len(), expected, "{condition}: {found:#?}");
    };
    check("app_proto == tls", 3);
    check("sni == lab.test && established", 2);
    check("status >= 400", 1);
    check("http.status < 400 && dest_port == 80", 7);
    check("qtype_name == AAAA && type == response", 1);
    check("latency > 1h", 0);
}

#[test]
fn every_format_has_the_same_records() {
    let lines = |format: &str| {
        let args = ["flows", "--format", format, "--where", "app_proto == tls"];
        let out = printed(&args, "mixed.pcapng");
        out.lines().filter(|line| !line.starts_with('#')).count()
    };
    assert_eq!(["table", "csv", "zeek", "zeek-json", "eve"].map(lines), [4, 4, 3, 3, 4]);
}

#[test]
fn a_directory_has_the_flows_of_the_records_that_are_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("logs");
    let text = dir.to_str().unwrap();
    let args = ["sessions", "--format=zeek", "--where=sni == lab.test", "--output-dir", text];
    printed(&args, "mixed.pcapng");
    let rows = |name: &str| {
        let text = std::fs::read_to_string(dir.join(name)).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).count()
    };
    assert_eq!((rows("conn.log"), rows("ssl.log")), (3, 3));
    assert!(!dir.join("http.log").exists());
}

#[test]
fn any_number_of_workers_finds_the_same() {
    for command in ["flows", "sessions"] {
        let with = |workers: &str| {
            let condition = "sni == lab.test || exists query && ip in 10.0.0.0/8";
            let args = [command, "--format=eve", "--workers", workers, "--where", condition];
            printed(&args, "mixed.pcapng")
        };
        let one = with("1");
        assert!(one.lines().count() > 4, "{one}");
        assert_eq!(with("3"), one);
    }
}

#[test]
fn an_expression_that_is_not_understood_is_shown() {
    let check = |command: &str, condition: &str, expected: &[&str]| {
        let ran = flowscope([command, "--where", condition, "absent.pcap"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        let lines: Vec<_> = ran.err.lines().map(str::trim_start).collect();
        assert_eq!(lines, expected, "{condition}");
    };
    check(
        "flows",
        "proto == tcp && byts > 1M",
        &[
            "flowscope: --where: unknown field `byts`",
            "proto == tcp && byts > 1M",
            "^^^^",
            "hint: did you mean `bytes`?",
        ],
    );
    check(
        "flows",
        "tcp.port == 443",
        &[
            "flowscope: --where: unknown field `tcp.port`",
            "tcp.port == 443",
            "^^^^^^^^",
            "hint: in this language it is `port == 443`",
        ],
    );
    check(
        "sessions",
        "host 1.2.3.4",
        &[
            "flowscope: --where: unknown field `host`",
            "host 1.2.3.4",
            "^^^^",
            "hint: in this language it is `ip == 1.2.3.4`",
        ],
    );
    check(
        "sessions",
        "port 53",
        &[
            "flowscope: --where: an operator is expected behind `port`",
            "port 53",
            "^^",
            "hint: in this language it is `port == 53`",
        ],
    );
    check(
        "sessions",
        "http.http_method == GET",
        &[
            "flowscope: --where: unknown field `http.http_method`",
            "http.http_method == GET",
            "^^^^^^^^^^^^^^^^",
            "hint: `http.http_method` is `http.method` here",
        ],
    );
    let caret = flowscope(["flows", "--where", "syn && bytes > many", "absent.pcap"]).err;
    assert!(caret.contains("\n    syn && bytes > many\n                   ^^^^\n"), "{caret}");
}

//! Protocols that no parser reads: flows have their names.

use super::*;

/// RFB over TCP, DCE RPC over UDP and TCP, a DNS query, and bytes of no protocol.
fn capture() -> Vec<u8> {
    let datagram = |from: &str, to: &str, payload: &[u8]| {
        Dialogue::udp(from, to).at(1_767_323_045).datagram(Initiator, payload).build()
    };
    // A request without a body, over UDP (C706 §12.5.1), and a bind, over TCP (§12.6.4.3).
    let call = [&b"\x04\0\x28\0\x10"[..], &[0; 75]].concat();
    let bind = b"\x05\0\x0b\x03\x10\0\0\0\x48\0\0\0\x01\0\0\0";
    let screen = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:5907")
        .at(1_767_323_045)
        .handshake()
        .data(Responder, b"RFB 003.008\n")
        .data(Initiator, b"RFB 003.008\n")
        .close(Initiator)
        .build();
    let over_tcp = Dialogue::tcp("10.0.0.1:40001", "10.0.0.2:135")
        .at(1_767_323_045)
        .handshake()
        .data(Initiator, bind)
        .close(Initiator)
        .build();
    let dns = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x04host\0\0\x01\0\x01";
    pcap(
        &[
            screen,
            datagram("10.0.0.1:40002", "10.0.0.2:135", &call),
            over_tcp,
            datagram("10.0.0.1:40003", "10.0.0.2:53", dns),
            datagram("10.0.0.1:40004", "10.0.0.2:40005", b"\xa7\x01\x9c\xee\x42\xb0\x13"),
        ]
        .concat(),
    )
}

fn printed(args: &[&str]) -> Ran {
    run(program().args(args).arg("-"), &capture())
}

#[test]
fn flows_have_their_names_in_every_format() {
    let table = printed(&["flows"]).out;
    let protocols: Vec<_> =
        table.lines().skip(1).map(|line| line.split_whitespace().nth(3).unwrap()).collect();
    let mut sorted = protocols.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["tcp/dcerpc", "tcp/rfb", "udp", "udp/dcerpc", "udp/dns"], "{table}");

    let (flows, _) = balanced(&printed(&["flows", "--format=eve"]).out);
    let named = |name: &str| flows.iter().filter(|flow| flow["app_proto"] == name).count();
    assert_eq!((flows.len(), named("rfb"), named("dcerpc"), named("dns")), (5, 1, 2, 1));

    let zeek = printed(&["flows", "--format=zeek"]).out;
    let rows = zeek.lines().filter(|line| !line.starts_with('#'));
    let mut services: Vec<_> = rows.map(|row| row.split('\t').nth(7).unwrap()).collect();
    services.sort_unstable();
    assert_eq!(services, ["-", "dce_rpc", "dce_rpc", "dns", "rfb"]);
}

#[test]
fn sessions_have_no_record_of_them_and_their_log_of_flows_has_the_name() {
    let (records, _) = balanced(&printed(&["sessions", "--format=eve"]).out);
    let kinds: Vec<_> = records.iter().map(|record| record["event_type"].clone()).collect();
    assert_eq!(kinds, ["dns"]);
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("logs");
    let args = ["sessions", "--format=zeek", "--output-dir"];
    let ran = run(program().args(args).arg(&dir).arg("-"), &capture());
    assert_eq!(ran.code, 0, "{ran:?}");
    let flows = std::fs::read_to_string(dir.join("conn.log")).unwrap();
    for service in ["rfb", "dce_rpc", "dns"] {
        assert!(flows.contains(&format!("\t{service}\t")), "{service}: {flows}");
    }
}

#[test]
fn flows_of_some_protocols_are_printed_alone() {
    let protocols = |only: &str| -> Vec<String> {
        let (flows, _) = balanced(&printed(&["flows", "--format=eve", "--protocol", only]).out);
        let name = |flow: &serde_json::Value| flow["app_proto"].as_str().unwrap().to_owned();
        let mut names: Vec<_> = flows.iter().map(name).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(protocols("dcerpc"), ["dcerpc", "dcerpc"]);
    assert_eq!(protocols("rfb,dns"), ["dns", "rfb"]);
    assert_eq!(protocols("wireguard"), [""; 0]);
    let unknown = printed(&["flows", "--protocol=pigeon"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    // What has no records has none to be selected.
    let unread = printed(&["sessions", "--protocol=rfb"]);
    assert_eq!(unread.code, 2, "{unread:?}");
}

#[test]
fn help_lists_them() {
    let help = run(program().args(["flows", "--help"]), b"").out;
    for known in flowscope::protocols::named() {
        assert!(help.contains(&format!(" {}", known.name)), "{}", known.name);
    }
}

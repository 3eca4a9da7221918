//! `nfcapd` of nfdump, which stores what it receives, and `nfdump`, which prints it.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::program::*;

/// Packets and bytes of each flow, by protocol and ports.
type Counts = BTreeMap<(u64, String, String), [u64; 4]>;

/// What is compared, as `flowscope` names it.
const FIELDS: &str = "ip_proto,src_ip,src_port,dest_ip,dest_port,packets_to_server,\
                      ip_bytes_to_server,packets_to_client,ip_bytes_to_client";

pub(crate) fn a_collector_counts_what_the_flows_are() {
    for name in ["mixed.pcapng", "ipv6.pcap", "vlan.pcap"] {
        let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name);
        let folder = tempfile::tempdir().unwrap();
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut collector = start(folder.path(), port);
        let to = format!("udp://127.0.0.1:{port}");
        let sent =
            run(program().args(["flows", "-q", "--format=ipfix", "-o", &to]).arg(&capture), b"");
        assert_eq!(sent.code, 0, "{sent:?}");
        stop(&mut collector, port);
        let flows = ["flows", "-q", "--format=json", "--fields", FIELDS];
        let flows = run(program().args(flows).arg(&capture), b"");
        let (stored, known) = (stored(folder.path()), of_flows(&flows.out));
        assert!(known.len() > 1, "{name}: {known:?}");
        assert_eq!(stored, known, "{name}");
    }
}

fn start(folder: &Path, port: u16) -> Child {
    let mut command = Command::new("nfcapd");
    command.arg("-p").arg(port.to_string()).args(["-b", "127.0.0.1", "-w"]).arg(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    // Its socket is there once nobody else can have the port.
    let begun = Instant::now();
    while UdpSocket::bind(("127.0.0.1", port)).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(20), "nfcapd did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

/// Has it write its file: it reads what waits in its socket before.
fn stop(collector: &mut Child, port: u16) {
    let begun = Instant::now();
    while is_waiting(port) {
        assert!(begun.elapsed() < Duration::from_secs(20), "nfcapd does not read");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").arg(collector.id().to_string()).status().unwrap().success());
    collector.wait().unwrap();
}

/// Whether the socket of this port holds datagrams: a line of this file has a number, local and remote address, state, and
/// the bytes of the queues for sending and receiving.
fn is_waiting(port: u16) -> bool {
    let sockets = std::fs::read_to_string("/proc/net/udp").unwrap();
    let local = format!("0100007F:{port:04X}");
    let mut lines = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let socket = lines.find(|line| line[1] == local).expect(&sockets);
    !socket[4].ends_with(":00000000")
}

/// What nfdump prints, as CSV whose columns are named by its first line.
fn stored(folder: &Path) -> Counts {
    let ran = run(Command::new("nfdump").args(["-o", "csv", "-R"]).arg(folder), b"");
    let mut lines = ran.out.lines();
    let names: Vec<_> = lines.next().unwrap().split(',').collect();
    let mut counts = Counts::new();
    for line in lines.take_while(|line| *line != "Summary") {
        let cells: Vec<_> = line.split(',').collect();
        let cell = |name: &str| cells[names.iter().position(|known| *known == name).unwrap()];
        let number = |name: &str| cell(name).parse::<u64>().unwrap();
        let proto = match cell("pr") {
            "TCP" => 6,
            "UDP" => 17,
            "ICMP" => 1,
            "ICMP6" => 58,
            other => panic!("{other}"),
        };
        let port = |name| {
            if [1, 58].contains(&proto) { String::new() } else { format!(":{}", cell(name)) }
        };
        let src = format!("{}{}", cell("sa"), port("sp"));
        let dst = format!("{}{}", cell("da"), port("dp"));
        add(&mut counts, (proto, src, dst), ["ipkt", "ibyt", "opkt", "obyt"].map(number));
    }
    counts
}

fn of_flows(json: &str) -> Counts {
    let mut counts = Counts::new();
    for flow in lines(json) {
        let number = |name: &str| flow[name].as_u64().unwrap_or_else(|| panic!("{name}: {flow}"));
        let end = |which: &str| {
            let port = flow[format!("{which}_port")].as_u64();
            let port = port.map_or(String::new(), |port| format!(":{port}"));
            format!("{}{port}", flow[format!("{which}_ip")].as_str().unwrap())
        };
        let names =
            ["packets_to_server", "ip_bytes_to_server", "packets_to_client", "ip_bytes_to_client"];
        add(&mut counts, (number("ip_proto"), end("src"), end("dest")), names.map(number));
    }
    counts
}

fn add(counts: &mut Counts, key: (u64, String, String), more: [u64; 4]) {
    let sum = counts.entry(key).or_default();
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

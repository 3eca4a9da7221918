//! Encapsulated traffic of real devices and tools: VXLAN that the kernel makes, and tunnels for which it
//! has no device here, replayed; both recorded by tcpdump and read by tshark too.
//!
//! The test starts itself again in namespaces of its own (network, mounts, processes), so that nothing
//! of it can reach the machine's interfaces or outlive it, however it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, process};

use flowscope::core::{
    FlowExtractor, L4Proto, LinkType, PacketSource, PacketView, TcpFlags, Timestamp,
};
use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope::pcap::{CaptureReader, CaptureWriter};
use flowscope::track::{EndReason, FlowEvent, FlowTracker};
use flowscope_testkit::namespace::{INSIDE, again};
use flowscope_testkit::{Frame, frame};

use crate::world::NAMESPACES;

/// The folder for files, gone with the mount namespace.
const DIR: &str = "/run";

/// Longest time for a condition to come true.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) const PROGRAMS: [&str; 4] = ["ethtool", "ping", "tcpreplay", "tshark"];

pub(crate) fn tunnelled_flows_agree_with_tshark() {
    if env::var_os(INSIDE).is_some() {
        assert_eq!(process::id(), 1, "in a namespace of its own");
        shell(
            "mount -t tmpfs tmpfs /run; sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
        );
        kernel_vxlan();
        crafted_tunnels();
        return;
    }
    again(&NAMESPACES, concat!(module_path!(), "::tunnelled_flows_agree_with_tshark"));
}

/// Echo requests and a TCP connection between two hosts of a VXLAN network, recorded below it.
fn kernel_vxlan() {
    shell(
        "ip netns add far; ip netns exec far sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
    );
    shell(
        "ip link add c0 address 02:00:00:00:77:01 type veth peer name s0 netns far address 02:00:00:00:77:02",
    );
    for (within, device, own, other) in [("", "c0", 1, 2), ("ip netns exec far ", "s0", 2, 1)] {
        for line in [
            "ip link set lo up".to_owned(),
            format!("ip addr add 10.77.0.{own}/24 dev {device}"),
            format!("ip link set {device} up"),
            format!(
                "ip neigh replace 10.77.0.{other} lladdr 02:00:00:00:77:0{other} dev {device} nud permanent"
            ),
            format!(
                "ip link add vx0 address 02:00:00:00:78:0{own} type vxlan id 42 local 10.77.0.{own} \
                     remote 10.77.0.{other} dstport 4789 dev {device}"
            ),
            format!("ip addr add 10.78.0.{own}/24 dev vx0"),
            "ip link set vx0 up".to_owned(),
            format!(
                "ip neigh replace 10.78.0.{other} lladdr 02:00:00:00:78:0{other} dev vx0 nud permanent"
            ),
            // Frames as they would be on a cable.
            format!(
                "for d in {device} vx0; do ethtool -K $d tx off rx off tso off gso off gro off || true; done"
            ),
        ] {
            shell(&format!("{within}sh -ec '{line}'"));
        }
    }
    wait_until("the link is up", || {
        ["ip -o link show c0", "ip netns exec far ip -o link show s0"]
            .iter()
            .all(|line| read(line).contains("state UP"))
    });
    let mut server = Command::new("ip")
        .args(["netns", "exec", "far", "socat", "TCP-LISTEN:8080,bind=10.78.0.2", "PIPE"])
        .spawn()
        .expect("ip runs");
    wait_until("the server listens", || {
        !read("ip netns exec far ss -Hltn sport = :8080").is_empty()
    });

    let recording = Recording::start("vxlan.pcap", "c0");
    shell("ping -q -c 3 -i 0.2 10.78.0.2");
    let from = {
        let server: SocketAddr = "10.78.0.2:8080".parse().expect("an address");
        let mut stream = TcpStream::connect_timeout(&server, PATIENCE).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.write_all(b"echo").expect("a request");
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"echo");
        stream.local_addr().expect("a socket")
    };
    assert!(server.wait().expect("it ends with its connection").success());
    let file = recording.finish(|file| {
        let flows = flows(file);
        let closed = flows.values().any(|flow| flow.reason == EndReason::Fin);
        let echoes =
            flows.values().any(|flow| flow.packets == [3, 3] && flow.proto == L4Proto::Icmp);
        closed && echoes
    });

    let flows = flows(&file);
    let names: Vec<&str> = flows.keys().map(String::as_str).collect();
    assert_eq!(names, ["10.78.0.1 <-> 10.78.0.2", &format!("{from} <-> 10.78.0.2:8080")]);
    assert!(flows.values().all(|flow| flow.layers.iter().eq(["vxlan 42"])), "{flows:?}");
    agrees_with_tshark(&file);
}

/// A connection in each kind of encapsulation, the outside of which differs per direction where it may.
fn crafted_tunnels() {
    type Around = fn(Frame, bool) -> Frame;
    const KINDS: [(&str, Around); 11] = [
        ("vlan 100", |f, _| f.vlan(100)),
        ("vlan 200, vlan 100", |f, _| f.vlan_tag(0x88a8, 200).vlan(100)),
        ("gre 0", |f, back| outer(f, back).gre()),
        ("nvgre 7", |f, back| outer(f, back).gre_key(7 << 8).ethernet()),
        ("geneve 43", |f, back| outer(f, back).geneve(43).ethernet()),
        ("ip_ip", outer),
        ("gtp_u", |f, back| outer(f, back).gtpu(if back { 8 } else { 7 })),
        ("mpls", |f, back| f.mpls(if back { 18 } else { 17 })),
        ("pppoe 9", |f, _| f.pppoe(9)),
        ("vxlan 44, vlan 6", |f, back| outer(f, back).vxlan(44).ethernet().vlan(6)),
        ("vlan 5, geneve 45, gre 0", |f, back| {
            outer(outer(f.vlan(5), back).geneve(45), back).gre()
        }),
    ];
    shell("ip link add d0 type veth peer name d1; ip link set d0 up; ip link set d1 up");
    wait_until("the link is up", || {
        ["d0", "d1"]
            .iter()
            .all(|device| read(&format!("ip -o link show {device}")).contains("state UP"))
    });

    let mut frames = Vec::new();
    for (number, (_, around)) in KINDS.into_iter().enumerate() {
        let port = 40000 + number as u16;
        let (syn, ack, fin) = (TcpFlags::SYN, TcpFlags::ACK, TcpFlags::FIN | TcpFlags::ACK);
        for (back, flags, seq, acked, payload) in [
            (false, syn, 100, 0, ""),
            (true, syn | ack, 500, 101, ""),
            (false, ack, 101, 501, ""),
            (false, ack, 101, 501, "ping"),
            (true, ack, 501, 105, "pong"),
            (false, fin, 105, 505, ""),
            (true, fin, 505, 106, ""),
            (false, ack, 106, 506, ""),
        ] {
            let link = around(
                if back {
                    frame().ethernet_between([2; 6], [4; 6])
                } else {
                    frame().ethernet_between([4; 6], [2; 6])
                },
                back,
            );
            let packet = if back {
                link.ipv4("10.0.0.2", "10.0.0.1").tcp(443, port)
            } else {
                link.ipv4("10.0.0.1", "10.0.0.2").tcp(port, 443)
            };
            frames.push(packet.seq(seq).ack(acked).flags(flags).payload(payload).build());
        }
    }
    let replayed = format!("{DIR}/crafted.pcap");
    let out = File::create(&replayed).expect("a file");
    let mut writer = CaptureWriter::pcap(out, LinkType::ETHERNET).expect("a capture file");
    for (number, frame) in frames.iter().enumerate() {
        let ts = Timestamp::from_nanos(1_000_000_000 + number as u64 * 1_000_000);
        writer.write(PacketView::new(frame, LinkType::ETHERNET, ts)).expect("a record");
    }
    writer.finish().expect("a whole file");

    let recording = Recording::start("replayed.pcap", "d1");
    shell(&format!("tcpreplay -q -i d0 -p 2000 {replayed}"));
    let file = recording.finish(|file| packets(file).len() >= frames.len());

    let flows = flows(&file);
    assert_eq!(flows.len(), KINDS.len(), "{flows:?}");
    for (number, (layers, _)) in KINDS.into_iter().enumerate() {
        let flow = &flows[&format!("10.0.0.1:{} <-> 10.0.0.2:443", 40000 + number)];
        assert_eq!((flow.packets, flow.reason), ([5, 3], EndReason::Fin), "{layers}");
        let named = flow.layers.iter().all(|found| found == layers || found.starts_with(layers));
        let two = matches!(layers, "gtp_u" | "mpls");
        assert!(named && flow.layers.len() == if two { 2 } else { 1 }, "{layers}: {flow:?}");
    }
    agrees_with_tshark(&file);
}

fn outer(frame: Frame, back: bool) -> Frame {
    let (src, dst) = if back { ("192.0.2.2", "192.0.2.1") } else { ("192.0.2.1", "192.0.2.2") };
    frame.ipv4(src, dst)
}

/// What is asked of a flow.
#[derive(Debug)]
struct Flow {
    proto: L4Proto,
    packets: [u64; 2],
    reason: EndReason,
    /// What its packets came in, each way in once.
    layers: BTreeSet<String>,
}

const EXTRACTOR: AutoDetectEncap<FiveTuple> = AutoDetectEncap(FiveTuple::bidirectional());

/// The flows of a capture file by their names.
fn flows(file: &Path) -> BTreeMap<String, Flow> {
    let mut tracker = FlowTracker::new(EXTRACTOR);
    let mut events = Vec::new();
    let mut layers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    each_packet(file, |view| {
        tracker.track(view, &mut events);
        if let Some(found) = EXTRACTOR.extract(view) {
            let way: Vec<String> = found.path.iter().map(|layer| layer.to_string()).collect();
            layers.entry(found.key.to_string()).or_default().insert(way.join(", "));
        }
    });
    tracker.finish(EndReason::EndOfInput, &mut events);
    let ended = events.into_iter().filter_map(|event| match event {
        FlowEvent::Ended { flow, reason, stats, .. } => {
            let name = flow.key.to_string();
            let packets = [stats.initiator.counters.packets, stats.responder.counters.packets];
            let layers = layers.remove(&name).unwrap_or_default();
            Some((name, Flow { proto: flow.key.proto(), packets, reason, layers }))
        }
        _ => None,
    });
    ended.collect()
}

/// The keys of a file's packets, in order.
fn packets(file: &Path) -> Vec<Option<FiveTupleKey>> {
    let mut keys = Vec::new();
    each_packet(file, |view| keys.push(EXTRACTOR.extract(view).map(|found| found.key)));
    keys
}

/// Shows the packets of a file up to where it ends, which may be within one.
fn each_packet(file: &Path, mut show: impl FnMut(PacketView<'_>)) {
    let Ok(mut reader) = CaptureReader::open(file) else { return };
    while let Ok(1..) = reader.next_batch(&mut |views| views.iter().for_each(|view| show(*view))) {}
}

/// The innermost addresses and TCP ports of each packet, as tshark has them and as we do.
fn agrees_with_tshark(file: &Path) {
    let fields =
        ["ip.src", "ip.dst", "tcp.srcport", "tcp.dstport"].map(|field| format!("-e {field}"));
    let line =
        format!("tshark -n -r {} -T fields -E occurrence=l {}", file.display(), fields.join(" "));
    let theirs: Vec<BTreeSet<String>> = read(&line).lines().map(ends).collect();
    let ours: Vec<BTreeSet<String>> = packets(file)
        .iter()
        .map(|key| {
            let key = key.expect("a flow for each packet");
            [key.a(), key.b()].iter().map(ToString::to_string).collect()
        })
        .collect();
    assert!(ours.len() > 10);
    assert_eq!(ours, theirs);
}

/// Both endpoints of a line of fields.
fn ends(line: &str) -> BTreeSet<String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [src, dst, from, to] = fields[..] else { panic!("four fields: {line}") };
    let end = |addr: &str, port: &str| {
        if port.is_empty() { addr.to_owned() } else { format!("{addr}:{port}") }
    };
    [end(src, from), end(dst, to)].into()
}

/// A running tcpdump.
struct Recording {
    tcpdump: Child,
    file: String,
}

impl Recording {
    /// Returns once it misses nothing.
    fn start(name: &str, device: &str) -> Self {
        let (file, log) = (format!("{DIR}/{name}"), format!("{DIR}/{name}.log"));
        let tcpdump = Command::new("tcpdump")
            // Each slot of its buffer is as large as the longest frame; few would be lost quickly.
            .args(["-i", device, "-n", "-U", "-s", "2000", "-B", "4096", "--immediate-mode"])
            .args(["-Z", "root", "-w", &file])
            .stderr(File::create(&log).expect("a file"))
            .spawn()
            .expect("tcpdump runs");
        wait_until("tcpdump listens", || {
            fs::read_to_string(&log).is_ok_and(|said| said.contains("listening on"))
        });
        Recording { tcpdump, file }
    }

    /// Waits until all is in the file that should be, and stops.
    fn finish(mut self, complete: impl Fn(&Path) -> bool) -> PathBuf {
        let file = Path::new(&self.file).to_owned();
        wait_until("everything is recorded", || complete(&file));
        shell(&format!("kill -INT {}", self.tcpdump.id()));
        assert!(self.tcpdump.wait().expect("tcpdump ends").success());
        file
    }
}

/// Runs a line to its end.
fn shell(line: &str) {
    read(line);
}

/// What a line prints.
fn read(line: &str) -> String {
    let output = Command::new("sh").args(["-ec", line]).stdin(Stdio::null()).output();
    let output = output.expect("there is a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{line}`: {}", said.trim());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        sleep(Duration::from_millis(20));
    }
}

//! libpcap is asked: its programs run here as it runs them, and a text that both take means the
//! same to both.

use std::path::{Path, PathBuf};

use flowscope_core::{LinkType, PacketView, Timestamp, VlanTag};
use flowscope_filter::{Expr, Filter, Instruction, Program, TcpdumpError};
use flowscope_testkit::frame;
use pcap::{Capture, Linktype};

/// Beyond the subset, most of them.
const TCPDUMP: &[&str] = &[
    "tcp[13] & 2 != 0",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "tcp[tcpflags] == tcp-ack",
    "ip[6:2] & 0x1fff != 0",
    "ip[0] & 0xf != 5",
    "ip[8] < 64",
    "ip[2:2] > 576",
    "ip[1] & 0xfc != 0",
    "ip[9] = 17",
    "icmp[icmptype] == icmp-echo",
    "icmp[0] = 8 or icmp[0] = 0",
    "icmp6[0] = 135",
    "icmp6 and ip6[40] == 128",
    "udp[4:2] > 100",
    "udp[8:2] & 0x8000 = 0",
    "tcp[12] >> 4 > 5",
    "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420",
    "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
    "tcp[0:2] % 2 = 0",
    "tcp[0:2] * 2 > 1000",
    "tcp[0:2] / 3 < 20000",
    "(tcp[4:4] ^ tcp[8:4]) & 1 = 1",
    "tcp[0:2] | 1 = tcp[0:2]",
    "(ip[12:4] + ip[16:4]) & 0xff > 3",
    "- ip[8] != 0",
    "ip[20 + 2:2] = 53",
    "udp[0:2] << 1 = 106",
    "greater 100",
    "less 100",
    "len > 66",
    "len - 14 > ip[2:2]",
    "ether[0] & 1 = 0",
    "ether[12:2] > 1500",
    "ether broadcast",
    "ether multicast",
    "ip broadcast or ip multicast",
    "ip6 multicast",
    "broadcast",
    "ether proto 0x0806",
    "ether proto \\ip",
    "ip proto \\tcp",
    "rarp or arp",
    "igmp or pim or vrrp",
    "esp or ah",
    "stp",
    "llc",
    "mpls",
    "mpls 16",
    "mpls and ip",
    "pppoes",
    "pppoes and tcp",
    "vlan",
    "vlan 100",
    "vlan 100 and tcp",
    "vlan and vlan",
    "vlan and vlan and ip",
    "vlan and tcp port 80",
    "not vlan",
    "net 10",
    "net 192.168 or net 172.16",
    "net 10.0.0.0 mask 255.0.0.0",
    "src net 10 and dst net 10",
    "port domain",
    "port http or https",
    "tcp portrange 1000-2000 or 4000-5000",
    "host 10.0.0.1 and not port 53 and not arp",
    "ip host 10.0.0.1 and (tcp or udp)",
    "not (tcp or udp)",
    "geneve",
    "decnet host 1.1",
    "ip or ip6",
    "(ip or ip6) and (port 53 or port 5353)",
    "tcp src port 80 and ip[2:2] > 40",
    "udp and not port 53 and len < 500",
];

/// What the subset takes as well.
const BOTH: &[&str] = &[
    "ip",
    "ip6",
    "arp",
    "tcp",
    "udp",
    "sctp",
    "icmp",
    "icmp6",
    "proto 17",
    "ip proto 6",
    "ip6 proto 58",
    "ip proto 6 or 17",
    "not ip",
    "not tcp",
    "! udp",
    "port 80",
    "src port 80",
    "dst port 53",
    "tcp port 443",
    "udp port 53",
    "tcp dst port 80 or 443",
    "port 80 or 443",
    "port (80 or 443)",
    "tcp port (80 or 443)",
    "port 53 and not 80",
    "not port 53",
    "not port 80 or 443",
    "portrange 1-1023",
    "src portrange 1-1023",
    "tcp portrange 1024-65535",
    "portrange 443-80",
    "src and dst port 5353",
    "src or dst port 53",
    "not src and dst port 5353",
    "host 10.0.0.1",
    "src 10.0.0.1",
    "src host 10.0.0.1",
    "src 10.0.0.1 or 10.0.0.2",
    "dst host 10.0.0.2",
    "host 10.0.0.1 and not 10.0.0.2",
    "host 10.0.0.1 and (10.0.0.2 or 10.0.0.3)",
    "host 10.0.0.1 or 10.0.0.2 and tcp",
    "arp or tcp and host 10.0.0.1",
    "arp host 10.0.0.1",
    "ip host 10.0.0.1",
    "ip src 10.0.0.1",
    "net 10.0.0.0/8",
    "src net 192.168.0.0/16",
    "dst net 10.0.0.0/8 or 192.168.0.0/16",
    "src and dst net 10.0.0.0/8",
    "net 0.0.0.0/0",
    "net 10.0.0.0/9 or net 10.128.0.0/9",
    "ip6 net fe80::/10",
    "net 2001:db8::/32",
    "net 2000::/3",
    "host 2001:db8::1",
    "ip6 host fe80::1",
    "ip6 and udp port 53",
    "tcp and (port 80 or port 443) and not host 10.0.0.1",
    "(tcp or udp) and not (port 53 or port 123)",
    "icmp or icmp6 or arp",
];

const BOTH_OF_ETHERNET: &[&str] = &[
    "ether host 02:00:00:00:00:01",
    "ether src 02:00:00:00:00:01",
    "ether dst host ff:ff:ff:ff:ff:ff",
    "not ether host 02:00:00:00:00:01 and tcp",
];

const PPI: i32 = 192;

struct Captured {
    name: String,
    link: i32,
    packets: Vec<(Vec<u8>, u32)>,
}

impl Captured {
    fn read(path: &Path) -> Option<Self> {
        let mut capture = Capture::from_file(path).ok()?;
        let link = capture.get_datalink().0;
        let mut packets = Vec::new();
        while let Ok(packet) = capture.next_packet() {
            packets.push((packet.data.to_vec(), packet.header.len));
            if packets.len() == 500 {
                break;
            }
        }
        Some(Captured { name: path.display().to_string(), link, packets })
    }

    fn link(&self) -> LinkType {
        LinkType(self.link as u16)
    }
}

/// Of the workspace, and of the corpus beside it where there is one.
#[expect(clippy::print_stderr, reason = "a test that did not run must say so")]
fn captures() -> Vec<Captured> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let corpus = root.join("../shared/corpus/captures");
    if !corpus.is_dir() {
        eprintln!("SKIPPED: no corpus beside the project, at ../shared/corpus");
    }
    let directories = [root.join("tests/data"), corpus];
    let mut paths: Vec<PathBuf> = directories
        .iter()
        .filter_map(|directory| std::fs::read_dir(directory).ok())
        .flat_map(|entries| entries.filter_map(Result::ok))
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "pcap" || end == "pcapng"))
        .collect();
    paths.sort();
    let captures: Vec<Captured> = paths.iter().filter_map(|path| Captured::read(path)).collect();
    assert!(captures.len() >= 20, "{}", captures.len());
    captures
}

#[test]
fn programs_of_libpcap_run_as_libpcap_runs_them() {
    let (mut compared, mut kept) = (0_u64, 0_u64);
    for capture in captures() {
        for text in TCPDUMP.iter().chain(BOTH).chain(BOTH_OF_ETHERNET) {
            let dead = Capture::dead(Linktype(capture.link)).unwrap();
            let ours = Program::compile_tcpdump(text, capture.link(), 65535);
            let Ok(theirs) = dead.compile(text, true) else {
                assert!(matches!(ours, Err(TcpdumpError::Expression(_))), "{text}: {ours:?}");
                continue;
            };
            let ours = match ours {
                Ok(ours) => ours,
                // libpcap 1.10 compiles programs for PPI that read what they never wrote.
                Err(TcpdumpError::Program(_)) if capture.link == PPI => continue,
                Err(error) => panic!("{text}: {}: {error}", capture.name),
            };
            for (at, (frame, _)) in capture.packets.iter().enumerate() {
                let view = PacketView::new(frame, capture.link(), Timestamp::ZERO);
                let expected = theirs.filter(frame);
                assert_eq!(ours.matches(view), expected, "{text}: {}, packet {at}", capture.name);
                compared += 1;
                kept += u64::from(expected);
            }
        }
    }
    assert!(kept > 1000 && compared - kept > 1000);
}

#[test]
fn every_expression_is_taken_by_libpcap() {
    for text in TCPDUMP.iter().chain(BOTH).chain(BOTH_OF_ETHERNET) {
        let taken = Program::compile_tcpdump(text, LinkType::ETHERNET, 65535);
        assert!(taken.is_ok(), "{text}: {taken:?}");
    }
}

/// Of all that libpcap compiles, this alone goes round in circles, which Linux does not attach.
#[test]
fn a_loop_is_an_error() {
    for text in ["ip protochain 17", "ip6 protochain 6"] {
        let error = Program::compile_tcpdump(text, LinkType::ETHERNET, 65535).unwrap_err();
        assert!(matches!(error, TcpdumpError::Program(_)), "{text}: {error:?}");
        assert!(Filter::parse(text).is_err());
    }
}

#[test]
fn a_text_that_both_take_means_the_same() {
    let (mut compared, mut kept) = (0_u64, 0_u64);
    for capture in captures() {
        for text in BOTH.iter().chain(BOTH_OF_ETHERNET) {
            let expr: Expr = text.parse().unwrap();
            let (Ok(ours), Ok(theirs)) = (
                expr.compile(capture.link()),
                Program::compile_tcpdump(text, capture.link(), 65535),
            ) else {
                continue;
            };
            for (at, (frame, _)) in capture.packets.iter().enumerate() {
                if !is_common(frame, capture.link()) {
                    continue;
                }
                let view = PacketView::new(frame, capture.link(), Timestamp::ZERO);
                let expected = theirs.matches(view);
                assert_eq!(ours.matches(view), expected, "{text}: {}, packet {at}", capture.name);
                compared += 1;
                kept += u64::from(expected);
            }
        }
    }
    assert!(kept > 1000 && compared - kept > 1000);
}

/// Whether the packet is one on which both have one meaning: no tag, no extension header of IPv6,
/// and none that ends before its ports.
fn is_common(frame: &[u8], link: LinkType) -> bool {
    let (kind_at, at) = match link {
        LinkType::ETHERNET => (12, 14),
        LinkType::LINUX_SLL => (14, 16),
        LinkType::LINUX_SLL2 => (0, 20),
        LinkType::RAW_BSD | LinkType::RAW => (usize::MAX, 0),
        _ => return false,
    };
    let Some(network) = frame.get(at..).filter(|network| !network.is_empty()) else { return false };
    let kind = match frame.get(kind_at..).and_then(|kind| kind.first_chunk()) {
        Some(kind) => u16::from_be_bytes(*kind),
        None if network[0] >> 4 == 4 => 0x0800,
        None if network[0] >> 4 == 6 => 0x86dd,
        None => return false,
    };
    match kind {
        0x0800 => {
            let words = usize::from(network[0] & 0xf);
            words >= 5 && network.len() >= 20.max(words * 4) + 4
        }
        0x86dd => network.len() >= 44 && !matches!(network[6], 0 | 43 | 44 | 60),
        0x8100 | 0x88a8 | 0x9100 => false,
        // LLC is looked into by libpcap alone.
        0..1536 => false,
        _ => network.len() >= 28,
    }
}

/// What was measured on AF_PACKET: compiled for files, `vlan` misses the tag that the kernel took
/// out, and takes the inner one for it.
#[test]
fn a_program_for_files_does_not_see_a_tag_beside_the_frame() {
    let tagged = frame().ethernet().vlan(100).ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet();
    let taken_out =
        frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet().stripped_vlan(100);
    let theirs = Program::compile_tcpdump("vlan 100", LinkType::ETHERNET, 65535).unwrap();
    let ours = "vlan 100".parse::<Expr>().unwrap().compile(LinkType::ETHERNET).unwrap();
    assert_eq!((theirs.run(tagged.view()), ours.run(tagged.view())), (65535, u32::MAX));
    assert_eq!((theirs.run(taken_out.view()), ours.run(taken_out.view())), (0, u32::MAX));

    // As libpcap 1.10 compiles it for a live interface.
    let live = Program::new(
        [
            (0x30, 0, 0, 0xffff_f030),
            (0x15, 4, 0, 1),
            (0x28, 0, 0, 12),
            (0x15, 2, 0, 0x8100),
            (0x15, 1, 0, 0x88a8),
            (0x15, 0, 8, 0x9100),
            (0x30, 0, 0, 0xffff_f030),
            (0x15, 0, 2, 1),
            (0x30, 0, 0, 0xffff_f02c),
            (0x05, 0, 0, 1),
            (0x28, 0, 0, 14),
            (0x54, 0, 0, 0x0fff),
            (0x15, 0, 1, 100),
            (0x06, 0, 0, u32::MAX),
            (0x06, 0, 0, 0),
        ]
        .map(|(code, jt, jf, k)| Instruction::new(code, jt, jf, k)),
    )
    .unwrap();
    let tag = |tci| taken_out.view().with_vlan(VlanTag { tpid: 0x8100, tci });
    assert!(live.matches(tagged.view()));
    assert!(live.matches(tag(0xe064)));
    assert!(!live.matches(tag(0xe065)));
}

#[test]
fn an_interface_that_cannot_be_opened_is_an_error() {
    let name = "flowscope-none";
    let error = Program::compile_for_interface("vlan 100", name).unwrap_err();
    assert!(matches!(error, TcpdumpError::Open(_)), "{error:?}");
    let filter = Filter::parse("tcp[13] & 2 != 0").unwrap();
    let error = filter.compile_for_interface(name, LinkType::ETHERNET).unwrap_err();
    assert!(error.to_string().contains("libpcap cannot open the interface"), "{error}");
    // The subset has no need to.
    let filter = Filter::parse("vlan 100").unwrap();
    assert!(filter.compile_for_interface(name, LinkType::ETHERNET).is_ok());
}

#[test]
fn packets_of_libpcap_are_cut_to_the_snap_length() {
    let program = Program::compile_tcpdump("tcp", LinkType::ETHERNET, 96).unwrap();
    let packet = frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 2).packet();
    assert_eq!(program.run(packet.view()), 96);
}

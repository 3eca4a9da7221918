//! Every attack of the testkit in a capture, with bystanders.

use std::collections::HashMap;
use std::time::Duration;

use flowscope::core::PacketSource;
use flowscope::driver::FlowDriver;
use flowscope::extract::{AutoDetectEncap, FiveTuple};
use flowscope::pcap::CaptureFiles;
use flowscope::track::EndReason;
use flowscope_testkit::Packet;
use flowscope_testkit::attacks::clock::{self, Wrong};
use flowscope_testkit::attacks::{
    Attack, Bystanders, Fate, damage, fragments, headers, http, interleave, list, names, streams,
    tcp, tls,
};

use super::*;

const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// A pcapng of packets of any link type and time; returns how many they are.
fn capture(path: &Path, packets: impl Iterator<Item = Packet>) -> u64 {
    let mut writer = CaptureWriter::pcapng(BufWriter::new(File::create(path).unwrap())).unwrap();
    let mut written = 0;
    for packet in packets {
        writer.write(packet.view()).unwrap();
        written += 1;
    }
    writer.finish().unwrap().flush().unwrap();
    written
}

/// What the program says of a capture, with one worker and with three.
struct AppRecord {
    /// The records of bystanders, and all records' packets.
    records: Vec<Value>,
    counted: u64,
    ledger: HashMap<String, u64>,
}

fn eve(path: &Path, name: &str, args: &[&str]) -> AppRecord {
    let with = |workers: &str| {
        let args =
            ["flows", "--format=eve", "--workers", workers].into_iter().chain(args.iter().copied());
        run(program().args(args).arg(path), b"")
    };
    let (one, three) = (with("1"), with("3"));
    assert!(one.out == three.out && one.err == three.err, "{name}: workers differ");
    assert_eq!(one.code, three.code, "{name}");
    let stats: Value = serde_json::from_str(one.out.lines().last().unwrap()).unwrap();
    // Payload dropped at the memory limit also sets the exit code.
    let lacked_room = stats["stats"]["bytes"].get("memcap").is_some();
    assert_eq!(one.code, if lacked_room { 3 } else { 0 }, "{name}: {}", one.err);
    let ledger = stats["stats"]["packets"].as_object().unwrap();
    let ledger: HashMap<String, u64> =
        ledger.iter().map(|(name, n)| (name.clone(), n.as_u64().unwrap())).collect();
    let others: u64 = ledger.iter().filter(|(name, _)| *name != "seen").map(|(_, n)| n).sum();
    assert_eq!(ledger["seen"], others, "{name}: {ledger:?}");
    let mut said = AppRecord { records: Vec::new(), counted: 0, ledger };
    for line in one.out.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        if record["event_type"] != "flow" {
            continue;
        }
        let sent = |side: &str| record["flow"][side].as_u64().unwrap();
        said.counted += sent("pkts_toserver") + sent("pkts_toclient");
        if Bystanders::has(record["src_ip"].as_str().unwrap().parse().unwrap()) {
            said.records.push(record);
        }
    }
    assert_eq!(said.counted, said.ledger["tracked"], "{name}: records miss no packet");
    said
}

/// The ledger that a driver comes to over the same packets.
fn by_driver(packets: &[Packet]) -> HashMap<String, u64> {
    let extractor = AutoDetectEncap(FiveTuple::bidirectional());
    let mut driver = FlowDriver::new(extractor);
    for packet in packets {
        driver.handle_packet(packet.view());
        while driver.poll_event().is_some() {}
    }
    driver.finish(EndReason::EndOfInput);
    let ledger = driver.packets();
    let losses = ledger.losses().map(|(loss, n)| (loss.slug().to_owned(), n));
    let all = [("seen".to_owned(), ledger.seen()), ("tracked".to_owned(), ledger.delivered())];
    losses.chain(all).collect()
}

/// Each bystander has one record, which says what was sent.
fn unharmed(name: &str, said: &AppRecord, bystanders: Bystanders) {
    let mut records = HashMap::new();
    for record in &said.records {
        let place =
            |ip: &str, port: &str| (record[ip].as_str().unwrap().to_owned(), record[port].as_u64());
        let (from, to) = (place("src_ip", "src_port"), place("dest_ip", "dest_port"));
        let proto = record["proto"].as_str().unwrap().to_owned();
        let twice = records.insert((from, to, proto), record).is_some();
        assert!(!twice, "{name}: two records of {record}");
    }
    let mut all = 0;
    for flow in bystanders.flows() {
        let [from, to] = flow.ends.map(|end| (end.ip().to_string(), Some(u64::from(end.port()))));
        let proto = if flow.protocol == 6 { "TCP" } else { "UDP" };
        let record = records.get(&(from, to, proto.to_owned()));
        let record = record.unwrap_or_else(|| panic!("{name}: no record of {flow:?}"));
        let sent = |a: &str, b: &str| [a, b].map(|name| record["flow"][name].as_u64().unwrap());
        assert_eq!(sent("pkts_toserver", "pkts_toclient"), flow.packets, "{name}: {flow:?}");
        assert_eq!(sent("bytes_toserver", "bytes_toclient"), flow.bytes, "{name}: {flow:?}");
        let ended = if flow.protocol == 6 { "fin" } else { "end_of_input" };
        assert_eq!(record["flowscope"]["end_reason"], ended, "{name}: {flow:?}");
        all += 1;
    }
    assert_eq!(all, records.len(), "{name}: nothing is taken for theirs");
}

/// Runs one attack through the program.
fn check(folder: &Path, attack: Attack, args: &[&str]) {
    let (name, fate) = (attack.name, attack.fate);
    let bystanders = Bystanders::new(6);
    let theirs = bystanders.packets().count() as u64;
    let step = Duration::from_micros(10);
    let wire = interleave(attack.packets, bystanders.packets(), 10, START, step);
    let wire: Vec<Packet> = wire.collect();
    let path = folder.join("attack.pcapng");
    let written = capture(&path, wire.iter().cloned());
    let said = eve(&path, name, args);
    assert_eq!(said.ledger["seen"], written, "{name}");
    assert_eq!(said.ledger, by_driver(&wire), "{name}");
    unharmed(name, &said, bystanders);
    let (tracked, sent) = (said.ledger["tracked"] - theirs, written - theirs);
    assert!(fate.allows(tracked, sent), "{name}: {:?}", said.ledger);
    let named = |slug: &str| fate.losses().iter().any(|loss| loss.slug() == slug);
    for slug in said.ledger.keys().filter(|name| *name != "seen" && *name != "tracked") {
        assert!(named(slug), "{name}: {:?}", said.ledger);
    }
}

#[test]
fn every_attack_meets_its_fate_and_no_bystander_is_harmed() {
    let folder = tempfile::tempdir().unwrap();
    for attack in list(1200) {
        check(folder.path(), attack, &[]);
    }
}

#[test]
fn attacks_on_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    // Floods of DNS and QUIC are left out: their flows are two-way UDP, as those of bystanders, and a full table
    // evicts the least recently used of them.
    let lists = [
        headers::list(),
        fragments::list(4000),
        tcp::list(4000),
        streams::list(4000),
        http::list(4000),
        tls::list(4000),
        names::list(4000),
    ];
    let lists = lists.into_iter().flatten().filter(|attack| !attack.name.ends_with("in DNS"));
    for attack in lists.filter(|attack| attack.fate == Fate::Tracked) {
        // Room for some two hundred flows in each shard.
        check(folder.path(), attack, &["--max-flows=3200", "--memory=8M"]);
    }
}

#[test]
fn fragments_that_wait_in_vain_are_named_as_by_a_driver() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slow.pcapng");
    for attack in fragments::list(600) {
        let name = attack.name;
        // Up to three minutes, and so beyond both timeouts, also where nothing comes for a while.
        let step = Duration::from_millis(300);
        let wire = interleave(attack.packets, Bystanders::new(2).packets(), 10, START, step);
        let wire: Vec<Packet> = wire.take(600).collect();
        capture(&path, wire.iter().cloned());
        assert_eq!(eve(&path, name, &[]).ledger, by_driver(&wire), "{name}");
    }
}

#[test]
fn wrong_times_split_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clock.pcapng");
    for wrong in Wrong::ALL {
        let bystanders = Bystanders::new(10);
        let step = Duration::from_millis(10);
        let wire = interleave(tcp::syn_flood(300, 7), bystanders.packets(), 2, START, step);
        let name = format!("{wrong:?}");
        let written = capture(&path, clock::wrong(wire, wrong, 10, 5));
        let said = eve(&path, &name, &[]);
        assert_eq!(said.ledger["tracked"], written, "{name}");
        unharmed(&name, &said, bystanders);
    }
}

/// The packets of a recorded capture.
fn recorded(name: &str) -> Vec<Packet> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name);
    let mut packets = Vec::new();
    let mut keep = |views: &[PacketView<'_>]| {
        packets.extend(views.iter().map(|view| Packet {
            bytes: view.frame().to_vec(),
            link: view.link(),
            ts: view.ts(),
            wire_len: view.wire_len(),
            vlan: view.vlan(),
        }));
    };
    let mut source = CaptureFiles::new([path]);
    while source.next_batch(&mut keep).unwrap() > 0 {}
    packets
}

#[test]
fn damaged_captures() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.pcapng");
    let mut packets = recorded("mixed.pcapng");
    packets.extend(recorded("vxlan.pcap"));
    packets.extend(recorded("qinq.pcap"));
    let check = |name: &str, damaged: &mut dyn Iterator<Item = Packet>| {
        let written = capture(&path, damaged);
        let said = eve(&path, name, &[]);
        assert_eq!(said.ledger["seen"], written, "{name}");
        said
    };
    let wire = || packets.iter().cloned();
    let whole = check("as recorded", &mut wire());
    for seed in 0..4 {
        let n = [20, 500, 5000, 100_000][seed as usize];
        check("bit errors", &mut damage::bit_errors(wire(), n, seed));
        check("damaged headers", &mut damage::damaged(wire(), seed));
    }
    for len in [64, 96, 128] {
        let said = check("a snap length", &mut damage::snapped(wire(), len));
        let unread = said.ledger.get("snaplen_cut").copied().unwrap_or(0);
        assert_eq!(said.counted + unread, whole.counted, "at {len}");
        assert!(unread == 0 || len < 128, "at {len}");
    }
    for times in [2, 4] {
        check("repeated", &mut damage::repeated(wire(), times));
    }
}

#[test]
fn many_packets_of_each_attack() {
    // A million in an optimised build, fewer where nothing is optimised.
    const MANY: usize = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    const ROUNDS: u16 = if cfg!(debug_assertions) { 20 } else { 1000 };

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("attack.pcapng");
    let names = ["datagrams that are never whole", "overlaps", "SYN flood", "storm of FIN and RST"];
    for attack in list(MANY).into_iter().filter(|attack| names.contains(&attack.name)) {
        let bystanders = Bystanders::new(ROUNDS);
        let step = Duration::from_micros(10);
        let name = attack.name;
        let wire = interleave(attack.packets, bystanders.packets(), 50, START, step);
        let written = capture(&path, wire);
        let said = eve(&path, name, &[]);
        assert_eq!(said.ledger["seen"], written, "{name}");
        unharmed(name, &said, bystanders);
    }
}

#[test]
fn datagrams_joined_in_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("joined.pcapng");
    for (levels, tunnels) in [(8, false), (8, true), (9, true), (10, false), (50, false)] {
        let packets = fragments::in_each_other(levels, tunnels);
        let written = capture(&path, packets.into_iter());
        let said = eve(&path, "joined in each other", &[]);
        assert_eq!(said.ledger["seen"], written, "{levels} levels: {:?}", said.ledger);
    }
}

//! Recorded traffic, damaged on its way.

use std::path::Path;

use flowscope::core::{Loss, PacketSource};
use flowscope::pcap::CaptureFiles;
use flowscope_testkit::attacks::damage;

use super::*;

/// The packets of the recorded captures, each capture by itself.
fn captures() -> Vec<(String, Vec<Packet>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "pcap" || end == "pcapng"))
        .collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let mut packets = Vec::new();
        let mut source = CaptureFiles::new([path]);
        let mut keep = |views: &[PacketView<'_>]| {
            packets.extend(views.iter().map(|view| Packet {
                bytes: view.frame().to_vec(),
                link: view.link(),
                ts: view.ts(),
                wire_len: view.wire_len(),
                vlan: view.vlan(),
            }));
        };
        while source.next_batch(&mut keep).unwrap() > 0 {}
        // Long transfers say nothing new after a while.
        packets.truncate(400);
        (path.file_name().unwrap().to_string_lossy().into_owned(), packets)
    };
    let captures: Vec<_> = paths.iter().map(read).collect();
    assert!(captures.len() > 15);
    captures
}

/// What a damaged header may be refused as; not for want of room.
const DAMAGE: [Loss; 8] = [
    Loss::HeaderMalformed,
    Loss::NotAFlow,
    Loss::DepthExceeded,
    Loss::FragIncomplete,
    Loss::FragOverlap,
    Loss::SnaplenCut,
    Loss::LinkUnsupported,
    Loss::FragCap,
];

fn only_damage(name: &str, outcome: &Outcome) {
    for (loss, n) in outcome.ledger.losses() {
        assert!(DAMAGE.contains(&loss), "{name}: {n} packets {loss}");
    }
}

#[test]
fn bit_errors_cost_no_more_than_the_packets_they_hit() {
    for (name, packets) in captures() {
        let whole = run(DriverConfig::default(), BUDGET, packets.iter().cloned());
        for seed in 0..12 {
            let n = [20, 500, 20_000][seed as usize % 3];
            let damaged: Vec<_> = damage::bit_errors(packets.iter().cloned(), n, seed).collect();
            let hit =
                damaged.iter().zip(&packets).filter(|(a, b)| a.bytes != b.bytes).count() as u64;
            let outcome = run(DriverConfig::default(), BUDGET, damaged.into_iter());
            only_damage(&name, &outcome);
            let lost = whole.ledger.delivered().saturating_sub(outcome.ledger.delivered());
            // A piece that is damaged takes its datagram along: none of these has more than four.
            assert!(lost <= 4 * hit, "{name}: {lost} packets for {hit} that were hit");
        }
    }
}

#[test]
fn damage_aimed_at_headers() {
    for (name, packets) in captures() {
        for seed in 0..8 {
            let damaged = damage::damaged(packets.iter().cloned(), seed);
            only_damage(&name, &run(DriverConfig::default(), BUDGET, damaged));
        }
    }
}

#[test]
fn a_snap_length_changes_no_counter_of_a_flow() {
    for (name, packets) in captures() {
        let whole = run(DriverConfig::default(), BUDGET, packets.iter().cloned());
        for len in [128, 96, 64] {
            let cut = damage::snapped(packets.iter().cloned(), len);
            let outcome = run(DriverConfig::default(), BUDGET, cut);
            let unread = outcome.ledger.lost(Loss::SnaplenCut);
            // Only headers in a tunnel, or behind two IPv6 headers, are further in than that.
            let far = name.contains("vxlan") || name.contains("mixed");
            assert!(unread == 0 || (len < 128 && far), "{name} at {len}: {unread} packets");
            for (key, sum) in &whole.flows {
                let Some(got) = outcome.flows.get(key) else {
                    assert!(unread > 0, "{name} at {len}: no flow {key:?}");
                    continue;
                };
                if unread == 0 {
                    assert_eq!(
                        (sum.packets, sum.bytes),
                        (got.packets, got.bytes),
                        "{name} at {len}"
                    );
                }
            }
        }
    }
}

#[test]
fn repeated_packets_are_all_counted() {
    for (name, packets) in captures() {
        let whole = run(DriverConfig::default(), BUDGET, packets.iter().cloned());
        for n in [2, 4] {
            let repeated = damage::repeated(packets.iter().cloned(), n);
            let outcome = run(DriverConfig::default(), BUDGET, repeated);
            // Pieces that come again when their datagram is whole begin another.
            let lone = outcome.ledger.lost(Loss::FragIncomplete);
            let expected = whole.ledger.delivered() * n as u64 - lone;
            assert_eq!(outcome.ledger.delivered(), expected, "{name} {n} times");
        }
    }
}

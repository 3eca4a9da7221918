//! Attacks on memory and on the flows of others, with little of both.

use std::num::NonZeroUsize;
use std::thread;

use flowscope::core::FlowSide::{Initiator, Responder};
use flowscope::core::{Loss, Progress};
use flowscope::track::{Eviction, TrackerConfig};
use flowscope_testkit::Dialogue;
use flowscope_testkit::attacks::{fragments, list, tcp};

use super::*;

const CONNECTIONS: u16 = 100;

/// Connections that were established before an attack and speak on during it, in turn.
fn established() -> (Vec<Packet>, Vec<Packet>) {
    let (mut before, mut during) = (Vec::new(), Vec::new());
    for n in 0..CONNECTIONS {
        let client = format!("172.20.1.1:{}", 30_000 + n);
        let script = Dialogue::tcp(&client, "172.20.0.2:443").handshake();
        let opened = script.clone().build().len();
        let mut script = script;
        for _ in 0..5 {
            script = script.data(Initiator, [1; 50]).data(Responder, [2; 500]);
        }
        for (at, packet) in script.close(Initiator).packets().into_iter().enumerate() {
            if at < opened {
                before.push(packet);
            } else {
                during.push((at, packet));
            }
        }
    }
    during.sort_by_key(|(at, _)| *at);
    (before, during.into_iter().map(|(_, packet)| packet).collect())
}

fn flood(config: TrackerConfig, budget: usize, attack: Attack) -> (Outcome, usize) {
    let (before, during) = established();
    let sent = before.len() + during.len();
    let step = Duration::from_micros(10);
    let wire = interleave(attack.packets, during.into_iter(), 10, START, step);
    let config = DriverConfig::default().tracker(config);
    let before = before.into_iter().map(|mut packet| {
        packet.ts = START;
        packet
    });
    let outcome = run(config, budget, before.chain(wire));
    let whole = outcome
        .flows
        .iter()
        .filter(|((from, ..), _)| Bystanders::has(from.0))
        .filter(|(_, sum)| sum.ends == [EndReason::Fin])
        .map(|(_, sum)| sum.packets[0] + sum.packets[1])
        .sum::<u64>();
    let each = (sent / usize::from(CONNECTIONS)) as u64;
    (outcome, (whole / each) as usize)
}

/// Attacks that open flows.
fn floods(volume: usize) -> Vec<Attack> {
    let names = ["SYN flood", "SYN flood with a byte each", "storm of FIN and RST"];
    list(volume).into_iter().filter(|attack| names.contains(&attack.name)).collect()
}

#[test]
fn a_flood_pushes_out_its_own_and_leaves_established_connections_alone() {
    let flows = NonZeroUsize::new(500).expect("not zero");
    let config = || TrackerConfig::default().eviction(Eviction::HalfOpenFirst);
    for attack in floods(10_000) {
        let name = attack.name;
        let (outcome, whole) = flood(config().max_flows(flows), BUDGET, attack);
        assert_eq!(whole, usize::from(CONNECTIONS), "{name}");
        assert_eq!(outcome.ledger.delivered(), outcome.sent, "{name}");
    }
    for budget in [128 << 10, 256 << 10, 1 << 20] {
        for attack in floods(10_000) {
            let name = attack.name;
            let config = config().memory_budget(budget);
            let (_, whole) = flood(config, budget.max(LEAST) + FRAGMENTS, attack);
            assert_eq!(whole, usize::from(CONNECTIONS), "{name} in {budget} bytes");
        }
    }
}

/// The default budget of the fragment pool.
const FRAGMENTS: usize = 4 << 20;

/// What a flow table has with its first flow, whatever its budget: it takes slots 512 at a time.
const LEAST: usize = 150 << 10;

#[test]
fn no_attack_takes_more_memory_than_there_is() {
    thread::scope(|scope| {
        for (tracker, fragments) in
            [(32 << 10, 16 << 10), (128 << 10, 64 << 10), (1 << 20, 1 << 20)]
        {
            scope.spawn(move || attacks_stay_within(tracker, fragments));
        }
    });
}

fn attacks_stay_within(tracker: usize, fragments: usize) {
    for attack in list(1500) {
        let config = DriverConfig::default()
            .tracker(TrackerConfig::default().memory_budget(tracker))
            .fragments(Some(pool(fragments)));
        let name = attack.name;
        let wire = with_bystanders(attack, Bystanders::new(2), 50);
        let outcome = run_in_batches(8, config, tracker.max(LEAST) + fragments, wire);
        assert_eq!(outcome.ledger.lost(Loss::Memcap), 0, "{name}");
    }
}

fn pool(bytes: usize) -> flowscope::reassembly::DefragConfig {
    flowscope::reassembly::DefragConfig::default().memory_budget(bytes)
}

#[test]
fn a_full_pool_still_joins_what_comes_quickly() {
    let bystanders = Bystanders::new(40);
    let config = || DriverConfig::default().fragments(Some(pool(256 << 10)));
    let attacks: [(&str, flowscope_testkit::attacks::Packets); 3] = [
        ("never whole", Box::new(fragments::never_whole(20_000, 4))),
        ("ends", Box::new(fragments::only_ends(20_000))),
        ("8 bytes", Box::new(fragments::eight_bytes(2, Some(5)))),
    ];
    for (name, packets) in attacks {
        let wire = interleave(packets, bystanders.packets(), 20, START, Duration::from_micros(10));
        let outcome = run(config(), BUDGET, wire);
        let (right, all) = outcome.unharmed(bystanders);
        assert_eq!(right, all, "{name}");
    }
}

#[test]
fn nothing_is_left_of_an_attack_when_its_time_is_over() {
    let mut driver = driver(DriverConfig::default());
    let attack = fragments::never_whole(4000, 1).chain(tcp::syn_flood(4000, 1));
    let mut now = START;
    for mut packet in attack {
        packet.ts = now;
        now = now + Duration::from_micros(10);
        driver.handle_packet(packet.view());
    }
    assert!(driver.pending_fragments() > 0 && driver.table().len() > 3900);
    while driver.handle_timeout(now + Duration::from_secs(3000)) == Progress::More {}
    assert_eq!((driver.pending_fragments(), driver.table().len()), (0, 0));
    assert_eq!(driver.poll_timeout(), None);
}

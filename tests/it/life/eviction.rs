//! Who leaves when the table is full.

use super::*;
use flowscope::core::Timestamp;
use flowscope::track::Eviction;
use std::num::NonZeroUsize;

type Packets = Vec<(Timestamp, Vec<u8>)>;

fn config(flows: usize) -> TrackerConfig {
    TrackerConfig::default().max_flows(NonZeroUsize::new(flows).unwrap())
}

fn host(port: u16) -> Dialogue {
    Dialogue::tcp(&format!("10.0.0.1:{port}"), "10.0.0.2:80").at(u64::from(port))
}

fn join(parts: impl IntoIterator<Item = Dialogue>) -> Packets {
    parts.into_iter().flat_map(Dialogue::build).collect()
}

/// Initiator ports of the flows that were evicted, in order.
fn evicted(config: TrackerConfig, packets: &Packets) -> Vec<u16> {
    let outcome = run_packets(config, packets);
    outcome
        .events
        .iter()
        .filter_map(|event| match event {
            flowscope::track::FlowEvent::Ended { flow, reason: EndReason::Evicted, .. } => {
                let (a, b) = (flow.key.a().port, flow.key.b().port);
                if a == Some(80) { b } else { a }
            }
            _ => None,
        })
        .collect()
}

/// EVICT-1, EVICT-2
#[test]
fn the_oldest_last_seen_is_evicted_and_reported() {
    let packets = join([
        host(1).handshake(),
        host(2).handshake(),
        host(3).handshake(),
        host(1).at(4).next_seq(Initiator, 1001).next_seq(Responder, 5001).data(Initiator, b"x"),
        host(5).handshake(),
        host(6).handshake(),
        host(7).handshake(),
    ]);
    assert_eq!(evicted(config(3), &packets), [2, 3, 1]);
}

#[test]
fn of_equally_old_flows_the_one_touched_first_is_evicted() {
    let packets =
        join([host(2).at(9).syn(), host(1).at(9).syn(), host(3).at(9).syn(), host(4).at(9).syn()]);
    assert_eq!(evicted(config(2), &packets), [2, 1]);
}

#[test]
fn lingering_entries_go_first_and_are_not_evicted_flows() {
    let packets = join([
        host(1).handshake(),
        host(2).handshake().close(Initiator),
        host(3).handshake(),
        host(4).syn(),
    ]);
    assert_eq!(evicted(config(3), &packets), [0; 0], "the closed one made room");
}

#[test]
fn half_open_first_protects_established_flows_from_a_syn_flood() {
    let flood = |policy| {
        let mut parts = vec![host(1).handshake(), host(2).handshake()];
        parts.extend((100..200).map(|port| host(port).syn()));
        let packets = join(parts);
        evicted(config(10).eviction(policy), &packets)
    };
    assert!(!flood(Eviction::HalfOpenFirst).iter().any(|port| *port < 100));
    assert_eq!(flood(Eviction::OldestLastSeen)[..2], [1, 2]);
}

#[test]
fn a_flow_that_was_silent_for_too_long_is_idle_not_evicted() {
    let packets = join([host(1).syn(), host(2).at(400).syn(), host(3).at(400).syn()]);
    let outcome = run_packets(config(2), &packets);
    assert_eq!(outcome.reasons()[0], EndReason::IdleTimeout);
    assert_eq!(outcome.reasons()[1..], [EndReason::EndOfInput; 2]);
}

#[test]
fn a_table_for_one_flow_works() {
    let packets = join([host(1).syn(), host(2).syn(), host(1).at(3).syn()]);
    assert_eq!(evicted(config(1), &packets), [1, 2]);
}

/// EVICT-1
#[test]
fn memory_is_a_limit_too() {
    use flowscope::core::{LinkType, PacketView};
    use flowscope::extract::FiveTuple;
    use flowscope::track::FlowTracker;
    let budget = 1 << 20;
    let config = config(1_000_000).memory_budget(budget);
    let mut tracker = FlowTracker::with_config(FiveTuple::bidirectional(), config);
    let mut ts = Timestamp::from_secs(1);
    for i in 0..20_000_u32 {
        let source = std::net::Ipv4Addr::from(0x0a00_0000 + i).to_string();
        let frame = flowscope_testkit::frame()
            .ethernet()
            .ipv4(&source, "10.255.0.1")
            .tcp(1234, 80)
            .flags(SYN)
            .build();
        ts = ts + std::time::Duration::from_micros(10);
        tracker.track(PacketView::new(&frame, LinkType::ETHERNET, ts), &mut ());
        assert!(tracker.heap_bytes() <= budget + (64 << 10), "{} after {i}", tracker.heap_bytes());
    }
    assert!(tracker.len() > 1000, "{}", tracker.len());
    assert_eq!(tracker.stats().flows, 20_000);
}

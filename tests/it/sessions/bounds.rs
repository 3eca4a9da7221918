//! Memory stays within its budget, and what there is no room for is named.

use std::time::Duration;

use flowscope::core::Timestamp;
use flowscope::driver::{Driver, DriverConfig, SessionEvent, StopReason};
use flowscope::track::{EndReason, TrackerConfig};
use flowscope_testkit::frame;
use flowscope_tests::session::{EXTRACTOR, protocols, run_in_batches};

use super::*;

/// What one message, one batch of events and tables that have just grown may take beside the budget.
const SLACK: usize = 256 << 10;

/// How much of a load is sent where nothing is optimised.
fn load(release: usize, debug: usize) -> usize {
    if cfg!(debug_assertions) { debug } else { release }
}

fn hear_within(budget: usize, packets: &[Packet]) -> Heard<AppRecord> {
    let tracker = TrackerConfig::default().memory_budget(budget);
    let config = DriverConfig::default().tracker(tracker);
    let engine = Driver::with_config(EXTRACTOR, protocols(), config);
    let heard = run_in_batches(64, engine, packets);
    assert!(heard.peak <= budget + SLACK, "{} of {budget}", heard.peak);
    heard
}

fn segment(client: u32, seq: u32, flags: TcpFlags, payload: &[u8]) -> Packet {
    let from = format!("10.{}.{}.{}", client >> 16, client >> 8 & 255, client & 255);
    let ip = frame().ethernet().ipv4(from, "192.0.2.80");
    ip.tcp(40_000, 80).seq(seq).ack(1).flags(flags).payload(payload).packet()
}

fn timed_by(mut packets: Vec<Packet>, step: Duration) -> Vec<Packet> {
    let mut ts = Timestamp::from_secs(1_700_000_000);
    for packet in &mut packets {
        packet.ts = ts;
        ts = ts + step;
    }
    packets
}

/// One flow, segments of one byte, no two of them neighbors, the first one missing.
fn bomb(segments: usize, stride: u32, shuffled: bool) -> Vec<Packet> {
    let mut places: Vec<u32> = (1..=segments as u32).map(|n| n * stride).collect();
    if shuffled {
        Rng::new(5).shuffle(&mut places);
    }
    let data = places.into_iter().map(|at| segment(1, 1001 + at, ACK, b"x"));
    let all = [segment(1, 1000, SYN, b"")].into_iter().chain(data);
    timed_by(all.collect(), Duration::from_micros(1))
}

#[test]
fn a_million_segments_out_of_order_stay_within_the_bound() {
    let segments = load(1_000_000, 8_000);
    for (stride, shuffled) in [(2, false), (2, true), (14, true)] {
        let packets = bomb(segments, stride, shuffled);
        let heard = hear_within(8 << 20, &packets);
        assert_eq!(heard.bytes.seen(), segments as u64);
        // As many gaps as there are holes at most: every one is given up once.
        let gaps = heard.events.iter().filter(|e| matches!(e, SessionEvent::Gap { .. })).count();
        assert!(gaps <= segments + 1, "{gaps}");
        assert!(heard.events.len() <= segments + 10, "{} events", heard.events.len());
    }
}

#[test]
fn segments_out_of_order_on_each_of_many_flows_are_let_go_of_where_there_is_no_room() {
    let flows = load(20_000, 1_000) as u32;
    let packets = (0..flows).flat_map(|n| {
        let data = (0..4).map(move |at| segment(n, 1002 + at * 1400, ACK, &[b'G'; 1400]));
        [segment(n, 1000, SYN, b"")].into_iter().chain(data)
    });
    let packets = timed_by(packets.collect(), Duration::from_micros(1));
    // Half of it is for streams, and too little for 5600 bytes of each.
    let heard = hear_within(flows as usize * 10_800, &packets);
    assert_eq!(heard.bytes.seen(), u64::from(flows) * 5600);
    let shed = heard.bytes.lost(Loss::Memcap);
    assert!(shed > 0 && shed < heard.bytes.seen() / 2, "{shed} bytes of {}", heard.bytes.seen());
    // To let go of them is enough: no flow ends for it.
    assert_eq!(heard.ended().filter(|(reason, _)| *reason != EndReason::EndOfInput).count(), 0);
}

#[test]
fn half_finished_heads_beyond_the_budget_are_given_up() {
    let flows = load(10_000, 2_000) as u32;
    let head = [&b"GET / HTTP/1.1\r\nX: "[..], &[b'a'; 1200]].concat();
    let opened =
        (0..flows).flat_map(|n| [segment(n, 1000, SYN, b""), segment(n, 1001, ACK, &head)]);
    let ended = (0..flows).map(|n| segment(n, 1001 + head.len() as u32, ACK, b"\r\n\r\n"));
    let packets = timed_by(opened.chain(ended).collect(), Duration::from_micros(1));
    let budget = flows as usize * 1500;
    let heard = hear_within(budget, &packets);
    let no_room = heard
        .events
        .iter()
        .filter(|event| {
            matches!(event, SessionEvent::ParserStopped { why: StopReason::MemoryLimit, .. })
        })
        .count();
    let requests = heard.said().iter().filter(|line| line.starts_with("> GET / #0")).count();
    assert!(no_room > 0, "none was given up");
    assert!(requests > flows as usize / 10, "{requests} of {flows} were read");
    assert_eq!(no_room + requests, flows as usize);
    assert!(heard.bytes.lost(Loss::Memcap) > 0);
    assert_eq!(heard.packets.delivered(), packets.len() as u64);
}

#[test]
fn what_a_flow_held_is_free_when_it_has_ended() {
    let tracker = TrackerConfig::default().linger(Duration::ZERO);
    let config = DriverConfig::default().tracker(tracker);
    let mut driver = Driver::with_config(EXTRACTOR, protocols(), config);
    let mut most = 0;
    for round in 0..load(2000, 200) as u64 {
        let script = talk().at(10 + round * 10).handshake();
        let script = script.data(Initiator, &wire::post("/a", &"q".repeat(1000))[..900]);
        let script = script.segment(Responder, 6000, 1001, ACK, [1; 900]);
        for packet in packets(script.rst(Initiator)) {
            driver.handle_packet(packet.view());
        }
        while driver.poll_event().is_some() {}
        if round == 20 {
            most = driver.heap_bytes();
        }
        assert!(
            round < 20 || driver.heap_bytes() <= most,
            "{} after {round} rounds",
            driver.heap_bytes()
        );
    }
}

//! Timeouts, the watermark, interim records.

use super::*;
use flowscope::core::{LinkType, PacketView, Progress, Timestamp};
use flowscope::extract::FiveTuple;
use flowscope::track::{FlowEvent, FlowTracker};
use std::time::Duration;

fn udp(script: Dialogue) -> Dialogue {
    script.frame(
        &flowscope_testkit::frame()
            .ethernet()
            .ipv4("10.1.1.1", "10.1.1.2")
            .udp(5000, 6000)
            .payload(b"u"),
    )
}

/// IDLE-1, TIME-3
#[test]
fn silence_is_judged_on_arrival_strictly_and_at_the_old_last_packet() {
    let gap = |nanos: u64| {
        let packets = [0, nanos].map(|at| {
            let ts = Timestamp::from_nanos(1_000_000_000 + at);
            (ts, udp(talk()).build().remove(0).1)
        });
        run_packets(TrackerConfig::default(), &packets)
    };
    assert_eq!(gap(60_000_000_000).reasons().len(), 1, "exactly the timeout is not idle");
    let outcome = gap(60_000_000_001);
    assert_eq!(outcome.reasons(), [EndReason::IdleTimeout, EndReason::EndOfInput]);
    assert_eq!(outcome.ends()[0].ts, Timestamp::from_secs(1));
}

#[test]
fn timeouts_are_independent_per_protocol() {
    // UDP falls silent for 100 s while TCP does too: only UDP ends.
    let script = udp(talk().handshake());
    let outcome = run(udp(script.after(100_000)).data(Initiator, b"still there"));
    assert_eq!(
        outcome.reasons(),
        [EndReason::IdleTimeout, EndReason::EndOfInput, EndReason::EndOfInput]
    );
    let config = TrackerConfig::default().udp_idle(Duration::from_secs(200));
    let script = udp(talk().handshake());
    assert_eq!(run_with(config, udp(script.after(100_000))).reasons().len(), 2);
}

#[test]
fn other_protocols_have_thirty_seconds() {
    let ping = |script: Dialogue| {
        script
            .frame(&flowscope_testkit::frame().ethernet().ipv4("10.1.1.1", "10.1.1.2").protocol(47))
    };
    assert_eq!(run(ping(ping(talk()).after(29_000))).reasons().len(), 1);
    assert_eq!(run(ping(ping(talk()).after(31_000))).reasons().len(), 2);
}

/// IDLE-2
#[test]
fn what_others_send_expires_a_silent_flow_in_order_of_deadlines() {
    // A TCP flow and then a UDP flow fall silent; the UDP flow's deadline is earlier.
    let script = udp(talk().handshake());
    let other = Dialogue::tcp("10.7.7.7:1", "10.7.7.8:2").at(2000).syn();
    let packets: Vec<_> = script.build().into_iter().chain(other.build()).collect();
    let outcome = run_packets(TrackerConfig::default(), &packets);
    let ended: Vec<u8> = outcome.ends().iter().map(|end| end.stats.l4.unwrap().number()).collect();
    assert_eq!(ended, [17, 6, 6]);
    assert!(
        outcome.events[outcome.events.len() - 4..]
            .iter()
            .any(|event| matches!(event, FlowEvent::Started { .. })),
        "both ends come before the new flow"
    );
}

/// TIME-2
#[test]
fn times_behind_the_watermark_expire_nothing_and_make_no_negative_duration() {
    let script = udp(udp(talk()).at(1_000)).at(400);
    let outcome = run(udp(script));
    assert_eq!(outcome.reasons(), [EndReason::IdleTimeout, EndReason::EndOfInput]);
    let last = &outcome.ends()[1].stats;
    assert_eq!(
        (last.first_seen, last.last_seen),
        (Timestamp::from_secs(400), Timestamp::from_secs(1000))
    );
}

/// TIME-1
#[test]
fn one_corrupt_timestamp_expires_nothing() {
    let mut packets = udp(talk().handshake()).build();
    let mut corrupt = packets[2].clone();
    corrupt.0 = Timestamp::from_secs(4_000_000_000);
    packets.push(corrupt);
    packets.extend(talk().at(2).data(Initiator, b"x").build());
    let outcome = run_packets(TrackerConfig::default(), &packets);
    assert_eq!(outcome.reasons(), [EndReason::EndOfInput; 2]);
}

#[test]
fn a_long_silence_is_accepted_after_sixteen_packets_and_ends_no_flow_that_goes_on() {
    let mut script = udp(talk().handshake()).after(8 * 3_600_000).next_seq(Initiator, 70_000);
    script = script.next_seq(Responder, 90_000);
    let mut morning = Dialogue::tcp("10.0.0.3:40001", "10.0.0.2:80").at(8 * 3600);
    morning = morning.handshake();
    for _ in 0..30 {
        morning = morning.data(Initiator, b"x");
    }
    let packets: Vec<_> = script.build().into_iter().chain(morning.build()).collect();
    let outcome = run_packets(TrackerConfig::default(), &packets);
    let ends = outcome.ends();
    assert_eq!(ends.len(), 3);
    assert_eq!(ends[2].packets(), (32, 1), "the flow of the morning is whole");
    assert_eq!(ends[0].reason, EndReason::IdleTimeout);
    assert_eq!(ends[1].reason, EndReason::IdleTimeout);
}

/// ACTIVE-1
#[test]
fn long_flows_give_interim_records() {
    let config = TrackerConfig::default().active(Some(Duration::from_secs(10)));
    let mut script = talk().handshake();
    for _ in 0..6 {
        script = script.after(4000).data(Initiator, b"x");
    }
    let outcome = run_with(config, script);
    let interims: Vec<_> = outcome
        .events
        .iter()
        .filter_map(|event| match event {
            FlowEvent::Interim { sequence, stats, .. } => {
                Some((*sequence, stats.delta[0].packets, stats.initiator.counters.packets))
            }
            _ => None,
        })
        .collect();
    // Handshake and two segments, at 5 and 9 s; then those at 13 and 17 s, then the last two.
    assert_eq!(interims, [(1, 4, 4), (2, 2, 6)]);
    let end = outcome.end();
    assert_eq!((end.stats.interims, end.stats.delta[0].packets, end.packets()), (2, 2, (8, 1)));
}

#[test]
fn without_packets_the_caller_advances_the_time() {
    let packets = talk().handshake().build();
    let mut tracker = FlowTracker::new(FiveTuple::bidirectional());
    let mut events = Vec::new();
    for (ts, frame) in &packets {
        tracker.track(PacketView::new(frame, LinkType::ETHERNET, *ts), &mut events);
    }
    assert!(tracker.next_deadline().is_some_and(|at| at <= Timestamp::from_secs(302)));
    assert_eq!(tracker.expire(Timestamp::from_secs(300), 10, &mut events), Progress::Done);
    assert_eq!(tracker.len(), 1);
    assert_eq!(tracker.expire(Timestamp::from_secs(302), 10, &mut events), Progress::Done);
    assert_eq!((tracker.len(), tracker.next_deadline()), (0, None));
    assert!(matches!(events.last(), Some(FlowEvent::Ended { reason: EndReason::IdleTimeout, .. })));
}

#[test]
fn expiry_in_small_steps_says_when_there_is_more() {
    let mut tracker = FlowTracker::new(FiveTuple::bidirectional());
    for port in 1..=100 {
        let script = Dialogue::tcp(&format!("10.0.0.1:{port}"), "10.0.0.2:80").syn();
        let (ts, frame) = &script.build()[0];
        tracker.track(PacketView::new(frame, LinkType::ETHERNET, *ts), &mut ());
    }
    let mut calls = 1;
    while tracker.expire(Timestamp::from_secs(1000), 16, &mut ()) == Progress::More {
        calls += 1;
    }
    assert!(tracker.is_empty());
    assert!(calls > 10, "{calls}");
}

#[test]
fn a_flow_is_ended_by_hand() {
    let (ts, frame) = &talk().syn().build()[0];
    let mut tracker = FlowTracker::new(FiveTuple::bidirectional());
    let mut events = Vec::new();
    tracker.track(PacketView::new(frame, LinkType::ETHERNET, *ts), &mut events);
    let key = events[0].flow().key;
    assert!(tracker.get(&key).is_some_and(|flow| flow.stats().initiator.counters.packets == 1));
    assert_eq!(tracker.flows().count(), 1);
    assert!(tracker.end(&key, &mut events));
    assert!(!tracker.end(&key, &mut events));
    assert!(matches!(events.last(), Some(FlowEvent::Ended { reason: EndReason::Forced, .. })));
}

//! SYNs, SYN+ACKs, and what establishes a flow.

use super::*;

/// STATE-6
#[test]
fn packets_without_a_whole_header_count_towards_established() {
    let calls = script().with(|s| s.mid_stream_packets = 2).cut(A).cut(A).run();
    assert!(calls.iter().any(|call| call.what == What::Established));
    let first = script().with(|s| s.mid_stream_packets = 1).cut(A).run();
    assert!(first.iter().any(|call| call.what == What::Established));
}

#[test]
fn the_last_step_of_a_handshake_is_timed_although_its_syn_was_missed() {
    let calls = script().tcp(B, SYN | ACK, 5000, 1001, 0).tcp(A, ACK, 1001, 5001, 0).run();
    let Some(What::Ended(_, stats, _)) = calls.last().map(|call| &call.what) else { panic!() };
    assert_eq!((stats.syn_rtt, stats.ack_rtt), (None, Some(Duration::from_millis(1))));
}

#[test]
fn a_syn_ack_in_flight_when_its_syn_was_withdrawn_is_late() {
    let calls = script()
        .tcp(A, SYN, 1000, 0, 0)
        .tcp(A, RST, 1001, 0, 0)
        .tcp(B, SYN | ACK, 5000, 1001, 0)
        .run();
    assert_eq!(starts(&calls), [1]);
}

#[test]
fn a_syn_ack_that_answers_nothing_of_a_one_sided_flow_is_unexpected() {
    let calls = script()
        .with(|s| s.mid_stream_packets = 1)
        .tcp(A, ACK, 1001, 5001, 10)
        .tcp(B, SYN | ACK, 5000, 9_000_000, 0)
        .run();
    assert_eq!(anomalies(&calls), [(2, Anomaly::UnexpectedSynAck)]);
}

#[test]
fn a_syn_ack_captured_behind_the_ack_it_gets_is_no_anomaly() {
    let calls = script().tcp(A, ACK, 1001, 5001, 0).tcp(B, SYN | ACK, 5000, 1001, 0).run();
    assert_eq!(anomalies(&calls), []);
}

/// SEQ-4, SYNACK-3
#[test]
fn a_syn_captured_behind_several_segments_of_its_answer_belongs_to_the_flow() {
    let mut script = script().tcp(B, SYN | ACK, 5000, 1001, 0);
    for at in 0..4 {
        script = script.tcp(B, ACK, 5001 + at * 10, 1001, 10);
    }
    let calls = script.tcp(A, SYN, 1000, 0, 0).tcp(A, ACK, 1001, 5041, 0).run();
    assert_eq!((starts(&calls), anomalies(&calls)), (vec![1], vec![]));
    let other = |seq| {
        let begun = self::script().tcp(B, SYN | ACK, 5000, 1001, 0);
        anomalies(&begun.tcp(A, SYN, seq, 0, 0).run())
    };
    assert_eq!(other(1000), []);
    assert_eq!(other(2000), [(2, Anomaly::UnexpectedSyn)], "not the SYN that was acknowledged");
}

/// SEQ-5
#[test]
fn streams_start_where_the_accepted_syn_says() {
    let calls = script()
        .handshake()
        .tcp(A, SYN, 9000, 0, 0)
        .tcp(B, SYN | ACK, 7000, 8888, 0)
        .tcp(A, ACK, 1001, 5001, 10)
        .run();
    let last = calls.iter().rev().find_map(|call| match call.what {
        What::Segment { starts, acknowledged, .. } => Some((starts, acknowledged)),
        _ => None,
    });
    assert_eq!(last, Some(([Some(1001), Some(5001)], [Some(1001), Some(5001)])));
}

#[test]
fn a_flow_whose_syn_is_captured_late_is_not_mid_stream() {
    let calls = script().tcp(A, ACK, 1001, 5001, 0).tcp(B, SYN | ACK, 5000, 1001, 0).run();
    let Some(What::Ended(_, stats, _)) = calls.last().map(|call| &call.what) else { panic!() };
    assert_eq!((stats.mid_stream, stats.conn_state), (false, ConnState::S1));
}

#[test]
fn enough_packets_establish_a_flow_picked_up_in_the_middle_whoever_sent_them() {
    let calls = script()
        .with(|s| s.mid_stream_packets = 3)
        .tcp(A, URG, 1001, 0, 0)
        .tcp(B, URG, 5001, 0, 0)
        .tcp(A, URG, 1001, 0, 0)
        .run();
    assert!(calls.iter().any(|call| call.what == What::Established));
}

/// STAT-1
#[test]
fn a_superseded_flow_keeps_its_initial_window() {
    let calls =
        script().handshake().tcp(A, SYN, 9000, 0, 0).tcp(B, SYN | ACK, 70_000, 9001, 0).run();
    let superseded = calls.iter().find_map(|call| match &call.what {
        What::Ended(EndReason::Superseded, stats, _) => Some(stats),
        _ => None,
    });
    assert_eq!(superseded.map(|stats| stats.sides[0].initial_window), Some(Some(512)));
}

/// SYNACK-5
#[test]
fn the_initiator_s_acknowledgement_chooses_among_two_syn_acks() {
    for (taken, expected) in [(5001, Some(("SF", 0))), (9001, Some(("SF", 0)))] {
        let calls = script()
            .tcp(A, SYN, 1000, 0, 0)
            .tcp(B, SYN | ACK, 5000, 1001, 0)
            .tcp(B, SYN | ACK, 9000, 1001, 0)
            .tcp(A, ACK, 1001, taken, 0)
            .tcp(B, FIN | ACK, taken, 1001, 0)
            .tcp(A, FIN | ACK, 1001, taken + 1, 0)
            .tcp(B, ACK, taken + 1, 1002, 0)
            .run();
        let ended = calls.iter().find_map(|call| match &call.what {
            What::Ended(EndReason::Fin, stats, _) => {
                Some((stats.conn_state.as_str(), stats.sides[1].gap_bytes))
            }
            _ => None,
        });
        assert_eq!(ended, expected, "{taken}");
    }
}

/// Where the responder's stream starts, by the last segment.
fn chosen(calls: &[Call]) -> Option<u32> {
    calls.iter().rev().find_map(|call| match call.what {
        What::Segment { starts, .. } => starts[1],
        _ => None,
    })
}

/// SYNACK-5
#[test]
fn four_syn_acks_are_remembered_beside_the_accepted_one() {
    let taken = |ack| {
        let mut script = script().tcp(A, SYN, 1000, 0, 0).tcp(B, SYN | ACK, 5000, 1001, 0);
        for seq in [6000, 7000, 8000, 9000, 10_000] {
            script = script.tcp(B, SYN | ACK, seq, 1001, 0);
        }
        chosen(&script.tcp(A, ACK, 1001, ack, 1).run())
    };
    assert_eq!(taken(6001), Some(5001), "the oldest was forgotten");
    for ack in [7001, 8001, 9001, 10_001] {
        assert_eq!(taken(ack), Some(ack));
    }
}

/// SYNACK-5: the segment that chooses lies in the window.
#[test]
fn a_segment_up_to_the_window_ahead_chooses_among_syn_acks() {
    let window = 1 << 20;
    for (seq, expected) in [(1001 + window, 9001), (1002 + window, 5001), (1000, 5001)] {
        let calls = script()
            .tcp(A, SYN, 1000, 0, 0)
            .tcp(B, SYN | ACK, 5000, 1001, 0)
            .tcp(B, SYN | ACK, 9000, 1001, 0)
            .tcp(A, ACK, seq, 9001, 1)
            .run();
        assert_eq!(chosen(&calls), Some(expected), "{seq}");
    }
}

/// SYNACK-5, RST-5: what was agreed on is what the chosen one says.
#[test]
fn the_options_are_those_of_the_syn_ack_that_was_chosen() {
    let plain = TcpOptions::default();
    let signed = TcpOptions { signed: true, ..plain };
    let sack = TcpOptions { sack_permitted: true, window_scale: Some(3), mss: Some(1400), ..plain };
    let calls = |first, second| {
        script()
            .tcp_options(A, SYN, 1000, 0, sack)
            .tcp_options(B, SYN | ACK, 5000, 1001, first)
            .tcp_options(B, SYN | ACK, 9000, 1001, second)
            .tcp(A, ACK, 1001, 9001, 1)
            .tcp(B, RST, 9001, 0, 0)
            .run()
    };
    for (first, second) in [(plain, sack), (sack, plain), (plain, signed), (signed, plain)] {
        let calls = calls(first, second);
        // Without a signature: dropped by a receiver that has agreed on one.
        let expected = if second.signed { vec![(5, Anomaly::InvalidReset)] } else { vec![] };
        let odd = anomalies(&calls).into_iter().filter(|(packet, _)| *packet == 5);
        assert_eq!(odd.collect::<Vec<_>>(), expected);
        let stats = calls.iter().find_map(|call| match &call.what {
            What::Ended(_, stats, _) => Some(stats),
            _ => None,
        });
        let of = &stats.expect("an end").sides[1];
        let options = (of.mss, of.window_scale, of.sack_permitted);
        assert_eq!(options, (second.mss, second.window_scale, second.sack_permitted));
    }
}

#[test]
fn a_syn_answered_after_the_end_of_the_flow_it_hit_is_counted_once() {
    let calls = script()
        .handshake()
        .tcp(A, SYN, 9000, 0, 0)
        .tcp(A, RST, 1001, 0, 0)
        .tcp(B, SYN | ACK, 70_000, 9001, 0)
        .run();
    assert_eq!(starts(&calls), [1, 4]);
    let counted: u64 = calls
        .iter()
        .map(|call| match &call.what {
            What::Ended(_, stats, _) => stats.sides.iter().map(|s| s.counters.packets).sum(),
            _ => 0,
        })
        .sum();
    assert_eq!(counted, 6);
}

#[test]
fn a_forged_syn_of_an_unseen_side_ends_nothing() {
    // The forger knows what the side that is seen acknowledges, and waits for its next segment.
    let forged = |seq| {
        let seen = script().with(|s| s.mid_stream_packets = 1).tcp(A, ACK, 1001, 5001, 10);
        seen.tcp(B, SYN, seq, 0, 0).tcp(A, ACK, 1011, seq + 1, 10).run()
    };
    assert_eq!(starts(&forged(5000)), [1]);
    assert_eq!(starts(&forged(5100)), [1], "an acknowledgement that may come");
    // Numbers up to a window beyond what was acknowledged may have been sent.
    assert_eq!(starts(&forged(5000 + (1 << 20))), [1]);
    assert_eq!(starts(&forged(5001 + (1 << 20))), [1, 2]);
    assert_eq!(starts(&forged(90_000_000)), [1, 2], "one that may not");
}

#[test]
fn the_times_of_a_superseded_flow_are_those_of_its_own_packets() {
    let second = Duration::from_secs(1);
    let times = |script: Script| {
        let calls = script.tcp(B, SYN | ACK, 70_000, 9001, 0).run();
        let ended = calls.iter().find_map(|call| match &call.what {
            What::Ended(EndReason::Superseded, stats, _) => Some(stats),
            _ => None,
        });
        ended.map(|stats| (stats.first_seen, stats.last_seen)).expect("superseded")
    };
    let at = Timestamp::from_secs;
    let cut = script().handshake().at(at(2)).tcp(A, SYN, 9000, 0, 0).at(at(3)).cut(A);
    assert_eq!(times(cut.after(second)), (at(1), at(3)), "a packet with a cut header is one");
    let back = script().handshake().at(at(5)).tcp(A, SYN, 9000, 0, 0).at(at(4));
    let back = times(back.tcp(A, ACK, 1001, 5001, 1).after(second));
    assert_eq!(back, (at(1), at(4)), "the SYN is none, although it is the latest");
    let early = script().at(at(2)).handshake().at(at(1)).tcp(A, SYN, 9000, 0, 0).at(at(3));
    let early = times(early.tcp(A, ACK, 1001, 5001, 1).after(second));
    assert_eq!(early, (at(2), at(3)), "although it is the earliest");
}

#[test]
fn payload_of_a_stray_syn_establishes_nothing() {
    let calls = script()
        .with(|s| s.mid_stream_packets = 9)
        .tcp(A, FIN, 1001, 0, 0)
        .tcp(A, SYN, 9000, 0, 10)
        .tcp(B, ACK, 5001, 1002, 0)
        .run();
    assert!(!calls.iter().any(|call| call.what == What::Established));
}

#[test]
fn the_window_behind_a_syn_with_payload_counts_although_it_is_the_same() {
    let calls = script()
        .tcp(A, SYN, 1000, 0, 5)
        .tcp(B, SYN | ACK, 5000, 1006, 0)
        .tcp(B, ACK, 5001, 1006, 5)
        .tcp(A, ACK, 1006, 5006, 5)
        .run();
    let Some(What::Ended(_, stats, _)) = calls.last().map(|call| &call.what) else { panic!() };
    assert_eq!(stats.sides.clone().map(|side| side.min_window), [Some(512); 2]);
}

#[test]
fn a_corrupt_syn_ack_is_no_evidence_of_who_began() {
    let mut found = Extracted::new(0, B);
    found.l4 = Some(L4Proto::Tcp);
    found.tcp = Some(TcpInfo { flags: SYN | ACK, ..TcpInfo::default() });
    found.corrupt = true;
    let calls = script().packet(found).run();
    assert_eq!(calls[0].what, What::Started(InitiatorEvidence::FirstPacket));
}

#[test]
fn a_syn_in_fragments_is_not_its_own_repetition() {
    let mut script = script().handshake().tcp(A, SYN, 9000, 0, 0);
    if let Some(Op::Packet(packet)) = script.ops.last_mut() {
        packet.frames = 3;
    }
    let calls = script.tcp(B, SYN | ACK, 70_000, 9001, 0).run();
    let Some(What::Ended(_, stats, _)) = calls.last().map(|call| &call.what) else { panic!() };
    assert_eq!((stats.sides[0].counters.packets, stats.sides[0].retransmitted), (3, 0));
}

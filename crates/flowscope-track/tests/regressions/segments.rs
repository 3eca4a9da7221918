//! Segments, holes and acknowledgements.

use super::*;

/// SEQ-1, SEQ-3, SEG-3
#[test]
fn the_oldest_of_nine_holes_is_forgotten_and_stays_a_gap() {
    // The side is first seen at 1001; each segment of one byte leaves a hole of nine bytes.
    let mut script = script().tcp(A, ACK, 1001, 5001, 1);
    for at in 1..=9 {
        script = script.tcp(A, ACK, 1001 + at * 10, 5001, 1);
    }
    // All holes are filled, but the first is no longer remembered: these bytes are a repetition.
    let calls = script.tcp(A, ACK, 1002, 5001, 90).run();
    let Some(What::Ended(_, stats, _)) = calls.last().map(|call| &call.what) else { panic!() };
    assert_eq!((stats.sides[0].gap_bytes, stats.sides[0].out_of_order), (9, 1));
}

/// ACK-1
#[test]
fn an_acknowledgement_of_what_cannot_have_been_sent_is_not_taken() {
    let acknowledged = |ack| {
        let calls = script().handshake().tcp(B, ACK, 5001, ack, 1).run();
        calls.iter().rev().find_map(|call| match call.what {
            What::Segment { acknowledged, .. } => acknowledged[0],
            _ => None,
        })
    };
    assert_eq!(acknowledged(1001 + (1 << 20)), Some(1001 + (1 << 20)), "lost to the capture");
    assert_eq!(acknowledged(1002 + (1 << 20)), Some(1001));
    assert_eq!(acknowledged(900), Some(1001));
}

/// ACK-1, SEQ-2
#[test]
fn an_acknowledgement_may_be_a_scaled_window_ahead() {
    // 512 << 12 is 2 MiB, more than the least window.
    let scaled = TcpOptions { window_scale: Some(12), ..TcpOptions::default() };
    let acknowledged = |ack| {
        let calls = script()
            .tcp_options(A, SYN, 1000, 0, scaled)
            .tcp_options(B, SYN | ACK, 5000, 1001, scaled)
            .tcp(A, ACK, 1001, 5001, 0)
            .tcp(B, ACK, 5001, 1001, 0)
            .tcp(B, ACK, 5001, ack, 1)
            .run();
        calls.iter().rev().find_map(|call| match call.what {
            What::Segment { acknowledged, .. } => acknowledged[0],
            _ => None,
        })
    };
    let most = 1001 + (2 << 20);
    assert_eq!(acknowledged(most), Some(most), "lost to the capture");
    assert_eq!(acknowledged(most + 1), Some(1001));
}

/// ACK-3
#[test]
fn an_acknowledgement_that_came_before_all_else_counts_if_it_is_near() {
    let acknowledged = |ack| {
        let calls = script()
            .tcp(A, SYN, 1000, 0, 0)
            .tcp(A, ACK, 1001, ack, 0)
            .tcp(B, SYN | ACK, 5000, 1001, 0)
            .run();
        calls.iter().rev().find_map(|call| match call.what {
            What::Segment { acknowledged, .. } => Some(acknowledged[1]),
            _ => None,
        })
    };
    assert_eq!(acknowledged(5001), Some(Some(5001)), "captured before what it acknowledges");
    assert_eq!(acknowledged(5000 + (1 << 20)), Some(Some(5000 + (1 << 20))));
    assert_eq!(acknowledged(5001 + (1 << 20)), Some(None), "forged");
    assert_eq!(acknowledged(4999_u32.wrapping_sub(1 << 20)), Some(None));
}

/// SEG-1
#[test]
fn data_that_the_flow_expects_is_no_answer_to_a_forged_syn() {
    let forged = |seq| script().handshake().tcp(A, SYN, seq, 0, 0);
    let next = forged(1000 + 10).tcp(A, ACK, 1001, 5001, 10);
    let repeated = next.tcp(A, ACK, 1011, 5001, 10).tcp(A, ACK, 1011, 5001, 10);
    assert_eq!(starts(&repeated.run()), [1]);
    let beyond = forged(1100).tcp(A, ACK, 1101, 5001, 10);
    assert_eq!(starts(&beyond.run()), [1, 4]);
    let acknowledged = script()
        .handshake()
        .tcp(A, ACK, 1001, 5001, 100)
        .tcp(B, ACK, 5001, 1101, 0)
        .tcp(A, SYN, 1049, 0, 0)
        .tcp(A, ACK, 1050, 5001, 10);
    assert_eq!(starts(&acknowledged.run()), [1, 6]);
}

/// SYN-4, SYNACK-4
#[test]
fn a_syn_that_is_not_accepted_is_lent_as_out_of_window() {
    let calls = script()
        .handshake()
        .tcp(A, SYN, 1000, 0, 0)
        .tcp(A, SYN, 1500, 0, 8)
        .tcp(A, SYN, 1500, 0, 8)
        .tcp(B, SYN | ACK, 7000, 1001, 8)
        .run();
    let lent = calls.iter().filter_map(|call| match call.what {
        What::Segment { out_of_window, .. } => Some(out_of_window),
        _ => None,
    });
    assert_eq!(lent.collect::<Vec<_>>(), [false, false, false, false, true, true, true]);
}

/// SEG-4
#[test]
fn a_segment_may_be_a_window_ahead_and_a_quarter_of_all_numbers_behind() {
    for (ahead, expected) in [
        (1 << 20, vec![]),
        ((1 << 20) + 1, vec![(4, Anomaly::OutOfWindow)]),
        (-(1 << 30), vec![]),
        (-(1 << 30) - 1, vec![(4, Anomaly::OutOfWindow)]),
    ] {
        let seq = 1001_u32.wrapping_add_signed(ahead);
        assert_eq!(anomalies(&script().handshake().tcp(A, ACK, seq, 5001, 1).run()), expected);
    }
}

/// STAT-1: counters are 64 bits wide, and frames may be as long as 32 bits say.
#[test]
fn counters_go_on_beyond_32_bits() {
    for len in [(1 << 31) - 1, 1 << 31, u32::MAX] {
        let mut script = script();
        for _ in 0..4 {
            let mut found = Extracted::new(0, A);
            found.l4 = Some(L4Proto::Udp);
            found.ip = IpInfo { len, version: 4, ttl: 64, ..IpInfo::default() };
            script = script.packet(found);
            if let Some(Op::Packet(packet)) = script.ops.last_mut() {
                packet.wire_len = len;
            }
        }
        let calls = script.run();
        let Some(What::Ended(_, stats, _)) = calls.last().map(|call| &call.what) else { panic!() };
        let counters = stats.sides[0].counters;
        let expected = 4 * u64::from(len);
        assert_eq!((counters.packets, counters.wire_bytes), (4, expected));
        assert_eq!(counters.ip_bytes, expected);
    }
}

/// ACK-1
#[test]
fn the_window_of_a_packet_does_not_say_what_was_sent_before_it() {
    let check = |before, with, expected| {
        let scaled = TcpOptions { window_scale: Some(14), ..TcpOptions::default() };
        let info = TcpInfo { seq: 5001, ack: 1001, flags: ACK, ..TcpInfo::default() };
        let calls = script()
            .tcp_options(A, SYN, 1000, 0, scaled)
            .tcp_options(B, SYN | ACK, 5000, 1001, scaled)
            .tcp(A, ACK, 1001, 5001, 0)
            .segment(B, TcpInfo { window: before, ..info }, 0)
            .segment(B, TcpInfo { ack: 1001 + (4 << 20), window: with, ..info }, 1)
            .run();
        let last = calls.iter().rev().find_map(|call| match call.what {
            What::Segment { ack, acknowledged, .. } => Some((ack, acknowledged[0])),
            _ => None,
        });
        assert_eq!(last, Some(expected), "{before}, then {with}");
    };
    let far = Some(1001 + (4 << 20));
    check(1024, 0, (far, far));
    check(0, 1024, (None, Some(1001)));
}

/// ORIG-2
#[test]
fn a_corrupt_packet_is_counted_and_changes_nothing_else() {
    let mut script = script().handshake().tcp(B, RST, 5001, 0, 0);
    if let Some(Op::Packet(Packet { found: Some(found), .. })) = script.ops.last_mut() {
        found.corrupt = true;
    }
    let calls = script.run();
    let Some(What::Ended(reason, stats, history)) = calls.last().map(|call| &call.what) else {
        panic!()
    };
    assert_eq!((*reason, stats.sides[1].bad_checksums), (EndReason::EndOfInput, 1));
    assert_eq!((stats.sides[1].counters.packets, history.as_str()), (2, "ShAc"));
}

/// STAT-2
#[test]
fn a_side_s_first_packet_is_the_first_although_its_ttl_is_0() {
    let with = |ttl, tos| {
        let mut found = Extracted::new(0, A);
        found.l4 = Some(L4Proto::Udp);
        found.ip = IpInfo { len: 28, version: 4, ttl, tos, ..IpInfo::default() };
        found
    };
    let calls = script().packet(with(0, 8)).packet(with(64, 16)).run();
    let Some(What::Ended(_, stats, _)) = calls.last().map(|call| &call.what) else { panic!() };
    assert_eq!((stats.sides[0].tos, stats.sides[0].ttl), (8, Some((0, 64))));
}

#[test]
fn a_segment_that_fills_a_hole_and_goes_on_is_out_of_order() {
    let calls = script().handshake().tcp(A, ACK, 1011, 5001, 0).tcp(A, ACK, 1001, 5001, 20).run();
    let Some(What::Ended(_, stats, _)) = calls.last().map(|call| &call.what) else { panic!() };
    assert_eq!((stats.sides[0].out_of_order, stats.sides[0].gap_bytes), (1, 0));
}

#[test]
fn one_byte_that_fills_a_hole_is_no_probe() {
    let calls = script().handshake().tcp(A, ACK, 1002, 5001, 0).tcp(A, ACK, 1001, 5001, 1).run();
    let Some(What::Ended(_, stats, _)) = calls.last().map(|call| &call.what) else { panic!() };
    let side = &stats.sides[0];
    assert_eq!((side.probes, side.out_of_order, side.gap_bytes), (0, 1, 0));
}

/// SEG-4, SEG-7
#[test]
fn segments_far_ahead_are_a_gap_once_they_are_acknowledged() {
    let far = 1001 + (8 << 20);
    let strays =
        || script().handshake().tcp(A, ACK, far, 5001, 100).tcp(A, ACK, far + 150, 5001, 100);
    let gap = |calls: &[Call]| match calls.last().map(|call| &call.what) {
        Some(What::Ended(_, stats, _)) => stats.sides[0].gap_bytes,
        other => panic!("{other:?}"),
    };
    assert_eq!(gap(&strays().run()), 0, "numbers that nobody acknowledges");
    let acknowledged = strays().tcp(B, ACK, 5001, far + 250, 0).run();
    assert_eq!(gap(&acknowledged), 8 << 20);
}

/// SEG-7
#[test]
fn both_middles_of_a_connection_were_not_captured() {
    let (a, b) = (1001 + (100 << 20), 5001 + (300 << 20));
    let calls = script()
        .handshake()
        .tcp(A, FIN | ACK, a, b, 0)
        .tcp(B, FIN | ACK, b, a + 1, 0)
        .tcp(A, ACK, a + 1, b + 1, 0)
        .run();
    let ended = calls.iter().find_map(|call| match &call.what {
        What::Ended(reason, stats, _) => {
            Some((*reason, stats.sides.each_ref().map(|side| side.gap_bytes)))
        }
        _ => None,
    });
    assert_eq!(ended, Some((EndReason::Fin, [100 << 20, 300 << 20])));
}

#[test]
fn of_nine_holes_the_oldest_is_forgotten_and_stays_a_gap() {
    // Eight holes of 30 bytes; then the middle of the last one comes.
    let mut script = script().handshake();
    for i in 1..=8 {
        script = script.tcp(A, ACK, 1001 + 40 * i - 10, 5001, 10);
    }
    script = script.tcp(A, ACK, 1281 + 10, 5001, 10);
    // Forgotten: nothing fills the first any more. The pieces of the last one are known.
    script = script.tcp(A, ACK, 1001, 5001, 30).tcp(A, ACK, 1301, 5001, 10);
    let calls = script.run();
    let Some(What::Ended(_, stats, _)) = calls.last().map(|call| &call.what) else { panic!() };
    let side = &stats.sides[0];
    assert_eq!((side.gap_bytes, side.out_of_order, side.retransmitted), (8 * 30 - 20, 2, 1));
}

/// STAT-6, STAT-8
#[test]
fn the_length_of_a_stream_is_that_of_its_numbers() {
    let lengths = |script: Script| {
        let calls = script.run_to_removal();
        let side = &removed(&calls).0.sides[0];
        (side.stream_bytes, side.gap_bytes, side.cut_bytes)
    };
    let again = script().handshake().tcp(A, ACK, 1001, 5001, 10).tcp(A, ACK, 1001, 5001, 10);
    assert_eq!(lengths(again), (10, 0, 0));
    let gap = script().handshake().tcp(A, FIN | ACK, 1021, 5001, 10);
    assert_eq!(lengths(gap), (30, 20, 0));
    let (mut found, tcp) = (Extracted::new(0, A), TcpInfo { seq: 1001, ..TcpInfo::default() });
    found.l4 = Some(L4Proto::Tcp);
    found.tcp = Some(TcpInfo { ack: 5001, flags: ACK, window: 512, ..tcp });
    found.payload = Payload::new(4, 4, 10);
    let mut cut = script().handshake();
    for _ in 0..2 {
        cut = cut.packet(found);
        let Some(Op::Packet(packet)) = cut.ops.last_mut() else { panic!() };
        packet.payload.truncate(4);
    }
    assert_eq!(lengths(cut), (10, 0, 6));
    assert_eq!(lengths(script().tcp(A, RST, 1001, 0, 0)), (0, 0, 0));
}

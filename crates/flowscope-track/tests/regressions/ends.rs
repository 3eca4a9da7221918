//! FINs, resets, and the state of the connection at its end.

use super::*;

#[test]
fn a_fin_alone_leaves_a_flow_half_open() {
    let calls = script()
        .with(|s| (s.max_flows, s.eviction) = (2, Eviction::HalfOpenFirst))
        .handshake()
        .key(1)
        .tcp(A, FIN | ACK, 1, 1, 0)
        .key(2)
        .tcp(A, FIN | ACK, 1, 1, 0)
        .run();
    let evicted = calls
        .iter()
        .find(|call| matches!(call.what, What::Ended(EndReason::Evicted, ..)))
        .map(|call| call.key);
    assert_eq!(evicted, Some(1), "not the established one");
}

#[test]
fn a_fin_out_of_window_is_reported_as_such() {
    let calls = script().handshake().tcp(B, FIN | ACK, 5001 + (3 << 20), 1001, 0).run();
    assert_eq!(anomalies(&calls), [(4, Anomaly::OutOfWindow), (4, Anomaly::InvalidFin)]);
}

#[test]
fn a_fin_acknowledged_by_chance_is_void_once_more_is_acknowledged() {
    // The first byte of the data has the number of the FIN that a stranger slipped in.
    let calls = script()
        .handshake()
        .tcp(A, FIN | ACK, 1001, 5001, 0)
        .tcp(A, ACK, 1001, 5001, 1)
        .tcp(B, ACK, 5001, 1002, 0)
        .tcp(A, ACK, 1002, 5001, 10)
        .tcp(B, ACK, 5001, 1012, 0)
        .run();
    assert_eq!(anomalies(&calls), [(8, Anomaly::RetractedFin)]);
    let state = calls.iter().rev().find_map(|call| match call.what {
        What::StateChange(_, to) => Some(to),
        _ => None,
    });
    assert_eq!(state, Some(FlowState::Established));
}

/// FIN-2
#[test]
fn a_fin_whose_number_is_that_of_a_byte_is_void() {
    let fin = || script().handshake().tcp(A, FIN | ACK, 1002, 5001, 0);
    assert_eq!(anomalies(&fin().tcp(A, ACK, 1001, 5001, 2).run()), [(5, Anomaly::RetractedFin)]);
    assert_eq!(anomalies(&fin().tcp(A, ACK, 1001, 5001, 1).run()), []);
    assert_eq!(anomalies(&fin().tcp(A, ACK, 1002, 5001, 1).run()), [], "a keep-alive");
}

/// FIN-4
#[test]
fn a_fin_far_ahead_gives_way_to_one_that_follows_the_data() {
    let closed = |script: Script| {
        let calls = script
            .tcp(A, ACK, 1001, 5001, 10)
            .tcp(A, FIN | ACK, 1011, 5001, 0)
            .tcp(B, FIN | ACK, 5001, 1012, 0)
            .tcp(A, ACK, 1012, 5002, 0)
            .run();
        let stats = calls.iter().find_map(|call| match &call.what {
            What::Ended(EndReason::Fin, stats, _) => Some(stats.sides[0].gap_bytes),
            _ => None,
        });
        (stats, anomalies(&calls))
    };
    for ahead in [1012, 1013, 3000] {
        let forged = script().handshake().tcp(A, FIN | ACK, ahead, 5001, 0);
        assert_eq!(closed(forged), (Some(0), vec![(6, Anomaly::RetractedFin)]), "{ahead}");
    }
    let acknowledged =
        script().handshake().tcp(A, FIN | ACK, 3000, 5001, 0).tcp(B, ACK, 5001, 3001, 0);
    assert_eq!(closed(acknowledged).1, [(7, Anomaly::InvalidFin)]);
    let data = script().handshake().tcp(A, ACK, 2990, 5001, 10).tcp(A, FIN | ACK, 3000, 5001, 0);
    assert_eq!(closed(data).0, None);
}

/// FIN-1
#[test]
fn a_fin_that_is_not_accepted_is_not_lent() {
    let calls =
        script().handshake().tcp(A, ACK, 1101, 5001, 10).tcp(A, FIN | ACK, 1051, 5001, 0).run();
    assert_eq!(anomalies(&calls), [(5, Anomaly::InvalidFin)]);
    let fins = calls.iter().filter(|call| matches!(call.what, What::Segment { fin: true, .. }));
    assert_eq!(fins.count(), 0);
}

#[test]
fn a_fin_below_what_was_acknowledged_is_invalid() {
    let calls =
        script().handshake().tcp(B, ACK, 5001, 1101, 0).tcp(A, FIN | ACK, 1001, 5001, 0).run();
    assert_eq!(anomalies(&calls), [(5, Anomaly::InvalidFin)]);
}

#[test]
fn new_bytes_behind_old_ones_contradict_a_reset() {
    let calls = script()
        .handshake()
        .tcp(A, ACK, 1001, 5001, 10)
        .tcp(A, RST, 1100, 0, 0)
        .tcp(A, ACK, 1006, 5001, 10)
        .run();
    assert_eq!(anomalies(&calls), [(6, Anomaly::InvalidReset)]);
}

/// RST-5
#[test]
fn a_reset_with_a_signature_that_was_not_agreed_on_changes_nothing() {
    let signed = TcpOptions { signed: true, ..TcpOptions::default() };
    for (syn, reset, ends) in [(false, true, false), (true, false, false), (true, true, true)] {
        let of = |yes: bool| if yes { signed } else { TcpOptions::default() };
        let calls = script()
            .tcp_options(A, SYN, 1000, 0, of(syn))
            .tcp_options(B, SYN | ACK, 5000, 1001, of(syn))
            .tcp(A, ACK, 1001, 5001, 0)
            .tcp_options(A, RST, 1001, 0, of(reset))
            .run();
        let reset = calls.iter().any(|call| matches!(call.what, What::Ended(EndReason::Rst, ..)));
        assert_eq!(reset, ends, "{syn} {reset}");
    }
}

/// CONN-1
#[test]
fn a_side_that_sent_acknowledgements_alone_is_not_there() {
    let check = |script: Script, state: ConnState, letters: &str| {
        let calls = script.run_to_removal();
        let (stats, history) = removed(&calls);
        assert_eq!((stats.conn_state, history), (state, letters));
    };
    let midway = || script().tcp(A, ACK, 1001, 5001, 9).tcp(B, ACK, 5001, 1010, 9);
    check(midway(), ConnState::Oth, "Dd");
    check(midway().tcp(B, RST, 5010, 0, 0), ConnState::Rstr, "Ddr");
    check(midway().tcp(A, RST, 1010, 0, 0), ConnState::Rsto, "DdR");
    check(midway().tcp(A, FIN | ACK, 1010, 5010, 0), ConnState::S2, "DdF");
    check(midway().tcp(B, FIN | ACK, 5010, 1010, 0), ConnState::S3, "Ddf");
    let heard = || script().tcp(A, ACK, 1001, 5001, 0);
    check(heard().tcp(B, FIN | ACK, 5001, 1001, 0), ConnState::Shr, "Af");
    check(heard().tcp(B, RST, 5001, 0, 0), ConnState::Rstrh, "Ar");
    check(heard().tcp(A, FIN | ACK, 1001, 5001, 0), ConnState::Sh, "AF");
    let answer = || script().tcp(B, SYN | ACK, 5000, 1001, 0).tcp(A, ACK, 1001, 5001, 0);
    check(answer().tcp(B, FIN | ACK, 5001, 1001, 0), ConnState::Shr, "^hAf");
    check(answer().tcp(B, RST, 5001, 0, 0), ConnState::Rstrh, "^hAr");
    check(script().tcp(A, RST, 1001, 0, 0), ConnState::Oth, "R");
}

/// CONN-1
#[test]
fn an_attempt_is_rejected_only_by_a_responder_that_did_not_accept() {
    let check = |script: Script, state: ConnState| {
        let calls = script.run_to_removal();
        assert_eq!(removed(&calls).0.conn_state, state);
    };
    let syn = || script().tcp(A, SYN, 1000, 0, 0);
    let answered = || syn().tcp(B, SYN | ACK, 5000, 1001, 0);
    check(syn(), ConnState::S0);
    check(syn().tcp(A, ACK, 1001, 5001, 0).tcp(A, ACK, 1001, 5001, 9), ConnState::S0);
    check(answered(), ConnState::S1);
    check(syn().tcp(B, RST | ACK, 0, 1001, 0), ConnState::Rej);
    check(answered().tcp(B, RST, 5001, 0, 0), ConnState::Rstr);
    check(answered().tcp(A, RST, 1001, 0, 0), ConnState::Rsto);
    check(syn().tcp(A, RST, 1001, 0, 0), ConnState::Rstos0);
    let half = syn().tcp(A, ACK, 1001, 5001, 9).tcp(A, ACK, 1010, 5001, 0);
    check(half.tcp(A, RST, 1010, 0, 0), ConnState::Oth);
}

/// STAT-7
#[test]
fn what_follows_the_second_fin_is_behind_the_close() {
    let ending =
        || script().handshake().tcp(A, FIN | ACK, 1001, 5001, 0).tcp(B, FIN | ACK, 5001, 1002, 0);
    let check = |script: Script, closed: Option<u64>, last: u64| {
        let calls = script.run_to_removal();
        let stats = removed(&calls).0;
        let millis = |ts: Timestamp| ts.since(stats.first_seen).as_millis() as u64;
        assert_eq!((stats.closed.map(millis), millis(stats.last_seen)), (closed, last));
    };
    check(script().handshake().tcp(A, FIN | ACK, 1001, 5001, 0), None, 3);
    check(ending(), Some(4), 4);
    let mut acknowledged = ending().after(Duration::from_millis(50));
    acknowledged = acknowledged.tcp(A, ACK, 1002, 5002, 0);
    check(acknowledged.tcp(A, RST, 1002, 0, 0), Some(4), 56);
    check(ending().tcp(A, RST, 1002, 0, 0), Some(4), 5);
}

#[test]
fn a_late_fin_does_not_move_the_end_of_a_stream() {
    let calls = script()
        .handshake()
        .tcp(A, FIN | ACK, 1001, 5001, 0)
        .tcp(B, FIN | ACK, 5001, 1002, 0)
        .tcp(A, ACK, 1002, 5002, 0)
        .tcp(A, FIN | ACK, 1007, 5002, 0)
        .run_to_removal();
    let (stats, history) = removed(&calls);
    assert_eq!((stats.sides[0].stream_bytes, history), (0, "ShAFfF"));
}

/// LATE-5: a late segment lies in the window, as one before the end does.
#[test]
fn a_late_segment_may_be_a_window_ahead() {
    let lent = |ahead: u32| {
        let calls = script()
            .handshake()
            .tcp(A, FIN | ACK, 1001, 5001, 0)
            .tcp(B, FIN | ACK, 5001, 1002, 0)
            .tcp(A, ACK, 1002, 5002, 0)
            .tcp(A, ACK, 1002 + ahead, 5002, 1)
            .run();
        calls.iter().any(|call| matches!(call.what, What::LateSegment { wire_len: 1, .. }))
    };
    assert!(lent(0) && lent(1 << 20));
    assert!(!lent((1 << 20) + 1));
}

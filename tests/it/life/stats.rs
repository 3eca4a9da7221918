//! What is counted.

use super::*;
use flowscope::track::{ConnState, TcpState};

const MSS_SCALE_SACK: [u8; 12] = [2, 4, 0x05, 0xb4, 1, 3, 3, 7, 1, 1, 4, 2];
const MSS: [u8; 4] = [2, 4, 0x02, 0x00];

/// SEQ-2
#[test]
fn syn_options_and_the_scale_only_if_both_carry_it() {
    let end = run(talk().syn_options(&MSS_SCALE_SACK).handshake()).end();
    for side in [&end.stats.initiator, &end.stats.responder] {
        assert_eq!((side.mss, side.window_scale, side.sack_permitted), (Some(1460), Some(7), true));
    }
    let end =
        run(talk().syn_options(&MSS_SCALE_SACK).syn().syn_options(&MSS).syn_ack().ack()).end();
    assert_eq!((end.stats.initiator.window_scale, end.stats.responder.mss), (None, Some(512)));
}

/// STAT-3
#[test]
fn handshake_round_trips() {
    let end = run(talk().syn().after(30).syn_ack().after(4).ack()).end();
    let millis = |rtt: Option<std::time::Duration>| rtt.map(|d| d.as_millis());
    assert_eq!((millis(end.stats.syn_rtt), millis(end.stats.ack_rtt)), (Some(31), Some(5)));
}

/// SEG-6, STAT-5
#[test]
fn retransmissions_are_not_keep_alives_and_not_the_other_way_round() {
    let end = run(talk()
        .handshake()
        .data(Initiator, b"hello")
        .segment(Initiator, 1001, 5001, PSH_ACK, b"hello")
        .segment(Initiator, 1005, 5001, ACK, b"")
        .segment(Initiator, 1005, 5001, ACK, b"\0"))
    .end();
    assert_eq!((end.stats.initiator.retransmitted, end.stats.initiator.probes), (1, 2));
    assert_eq!(end.history.as_str(), "ShADT");
}

/// STAT-1
#[test]
fn zero_windows_and_probes_into_them() {
    let end = run(talk()
        .handshake()
        .window(0)
        .ack_from(Responder)
        .window(64240)
        .segment(Initiator, 1001, 5001, PSH_ACK, b"p")
        .segment(Initiator, 1001, 5001, PSH_ACK, b"p")
        .segment(Initiator, 1001, 5001, PSH_ACK, b"payload"))
    .end();
    assert_eq!(end.stats.responder.zero_windows, 1);
    assert_eq!((end.stats.initiator.retransmitted, end.stats.initiator.probes), (0, 1));
    assert_eq!(
        (end.stats.responder.min_window, end.stats.responder.initial_window),
        (Some(0), Some(64240))
    );
    assert_eq!(end.history.as_str(), "ShAawD");
}

/// SEG-5, STAT-4
#[test]
fn holes_are_gaps_until_they_are_filled() {
    let ahead = talk().handshake().segment(Initiator, 1101, 5001, PSH_ACK, b"later");
    assert_eq!(run(ahead.clone()).end().stats.initiator.gap_bytes, 100);
    // Not acknowledged, a hole may be one of order.
    assert_eq!(run(ahead.clone()).end().history.as_str(), "ShAD");
    let end = run(ahead.segment(Initiator, 1001, 5001, PSH_ACK, [0; 60])).end();
    assert_eq!((end.stats.initiator.gap_bytes, end.stats.initiator.out_of_order), (40, 1));
    assert_eq!(end.stats.initiator.retransmitted, 0);
}

/// ACK-2
#[test]
fn duplicate_acknowledgements() {
    let end = run(talk()
        .handshake()
        .segment(Responder, 5101, 1001, PSH_ACK, b"lost one before")
        .ack_from(Initiator)
        .segment(Initiator, 1001, 5001, ACK, b"")
        .segment(Initiator, 1001, 5001, ACK, b""))
    .end();
    assert_eq!(end.stats.initiator.duplicate_acks, 3);
}

#[test]
fn urgent_data_is_counted_and_reported() {
    let outcome = run(talk().handshake().segment(
        Initiator,
        1001,
        5001,
        TcpFlags(PSH_ACK.0 | TcpFlags::URG.0),
        b"!",
    ));
    assert_eq!(outcome.anomalies(), [(Anomaly::UrgentData, Initiator)]);
    assert_eq!(outcome.end().stats.initiator.urgent, 1);
}

/// SEG-4
#[test]
fn segments_far_ahead_are_set_aside_until_they_are_acknowledged() {
    let stray = talk().handshake().segment(Initiator, 500_000_000, 5001, PSH_ACK, b"stray");
    let outcome = run(stray.clone().data(Initiator, b"in sequence"));
    assert_eq!(outcome.anomalies(), [(Anomaly::OutOfWindow, Initiator)]);
    assert_eq!(outcome.end().stats.initiator.gap_bytes, 0);
    let more = stray.segment(Initiator, 500_000_005, 5001, PSH_ACK, b"more");
    let outcome = run(more.clone());
    assert_eq!(outcome.anomalies().len(), 2);
    assert_eq!(outcome.end().stats.initiator.gap_bytes, 0);
    // The capture really lost half a gigabyte.
    let outcome = run(more.segment(Responder, 5001, 500_000_009, TcpFlags::ACK, b""));
    assert_eq!(outcome.end().stats.initiator.gap_bytes, 500_000_000 - 1001);
}

#[test]
fn all_flags_and_bytes_of_each_side() {
    let end = run(talk().handshake().data(Initiator, b"12345").close(Initiator)).end();
    let side = &end.stats.initiator;
    assert_eq!(side.tcp_flags, TcpFlags(SYN.0 | PSH_ACK.0 | FIN_ACK.0));
    assert_eq!((side.counters.payload_bytes, side.counters.ip_bytes), (5, 5 * 40 + 5));
    assert_eq!(side.counters.wire_bytes, 5 * 54 + 5);
    assert_eq!(side.ttl, Some((64, 64)));
}

/// CONN-3. The state is the responder's, whichever side closes first.
#[test]
fn states_of_tcp_connections() {
    let check = |script: Dialogue, state: TcpState| {
        assert_eq!(run(script).ends()[0].stats.tcp_state, Some(state));
    };
    let open = || talk().handshake();
    check(talk().syn(), TcpState::SynSent);
    check(talk().syn().syn_ack(), TcpState::SynReceived);
    check(open(), TcpState::Established);
    check(open().fin(Initiator), TcpState::CloseWait);
    check(open().fin(Initiator).ack_from(Responder), TcpState::CloseWait);
    check(open().fin(Initiator).fin(Responder), TcpState::LastAck);
    check(open().close(Initiator), TcpState::Closed);
    check(open().fin(Responder), TcpState::FinWait1);
    check(open().fin(Responder).ack_from(Initiator), TcpState::FinWait2);
    check(open().fin(Responder).fin(Initiator), TcpState::TimeWait);
    check(open().close(Responder), TcpState::Closed);
    // The initiator's FIN does not acknowledge that of the responder: they crossed.
    let crossed = open().fin(Responder).segment(Initiator, 1001, 5001, FIN_ACK, b"");
    check(crossed.clone(), TcpState::Closing);
    check(crossed.segment(Initiator, 1002, 5002, ACK, b""), TcpState::TimeWait);
    check(open().fin(Initiator).rst(Responder), TcpState::Closed);
    // Without a handshake nothing is known before both sides, or enough packets, were seen.
    check(talk().ack(), TcpState::None);
    check(talk().ack().ack_from(Responder), TcpState::Established);
    let datagram = Dialogue::udp("10.0.0.1:40000", "10.0.0.2:53").datagram(Initiator, b"?");
    assert_eq!(run(datagram).end().stats.tcp_state, None);
}

/// CONN-1, CONN-2, HIST-2
#[test]
fn conn_states() {
    let check = |script: Dialogue, state: ConnState| {
        assert_eq!(run(script).ends()[0].stats.conn_state, state);
    };
    check(talk().syn(), ConnState::S0);
    check(talk().handshake(), ConnState::S1);
    check(talk().handshake().close(Initiator), ConnState::Sf);
    check(talk().handshake().fin(Initiator), ConnState::S2);
    check(talk().handshake().fin(Responder), ConnState::S3);
    check(talk().handshake().rst(Initiator), ConnState::Rsto);
    check(talk().handshake().rst(Responder), ConnState::Rstr);
    check(talk().syn().segment(Initiator, 1001, 0, FIN_ACK, b""), ConnState::Sh);
    let server = talk().segment(Responder, 5000, 1001, SYN_ACK, b"");
    check(server.segment(Responder, 5001, 1001, FIN_ACK, b""), ConnState::Shr);
    check(talk().data(Initiator, b"x"), ConnState::Oth);
    let mid_stream = || talk().data(Initiator, b"x").data(Responder, b"y");
    check(mid_stream().fin(Initiator), ConnState::S2);
    check(mid_stream().fin(Responder), ConnState::S3);
    check(mid_stream().rst(Initiator), ConnState::Rsto);
    check(mid_stream().rst(Responder), ConnState::Rstr);
    check(talk().segment(Initiator, 1000, 0, RST, b""), ConnState::Oth);
    check(talk().syn().segment(Initiator, 1001, 0, RST, b""), ConnState::Rstos0);
    let finished = talk().handshake().fin(Initiator).segment(Responder, 5001, 1001, FIN_ACK, b"");
    check(finished.rst(Initiator), ConnState::Sf);
    let udp = || Dialogue::udp("10.0.0.1:1000", "10.0.0.2:2000").datagram(Initiator, b"q");
    check(udp(), ConnState::S0);
    check(udp().datagram(Responder, b"a"), ConnState::Sf);
    let history = |script: Dialogue| run(script).end().history.as_str().to_owned();
    assert_eq!(
        (history(udp()), history(udp().datagram(Responder, b"a"))),
        ("D".into(), "Dd".into())
    );
}

/// Of flows that a budget of memory has room for, Ethernet addresses cost some, and evict none before.
#[test]
fn ethernet_addresses_are_kept_within_the_memory_budget() {
    use flowscope::core::Timestamp;
    use flowscope::extract::FiveTuple;
    use flowscope::track::FlowTracker;
    use flowscope_testkit::views;

    let packets: Vec<(Timestamp, Vec<u8>)> = (1..=2000)
        .flat_map(|port| {
            let ends = (format!("10.0.0.1:{port}"), "10.0.0.2:80");
            Dialogue::tcp(&ends.0, ends.1).at(1000).handshake().data(Initiator, b"x").build()
        })
        .collect();
    let budget = 1 << 20;
    let track = |macs: bool| {
        let config = TrackerConfig::default().memory_budget(budget).macs(macs);
        let mut tracker = FlowTracker::with_config(FiveTuple::bidirectional(), config);
        let mut events = Vec::new();
        for view in views(&packets) {
            tracker.track(view, &mut events);
            // Lists that grow with the table are counted when they have grown.
            assert!(tracker.heap_bytes() <= budget + budget / 64, "{}", tracker.heap_bytes());
        }
        let kept = tracker.flows().filter(|flow| flow.stats().macs.is_some()).count();
        assert_eq!(kept, if macs { tracker.len() } else { 0 });
        tracker.len()
    };
    let (without, with) = (track(false), track(true));
    assert!(with >= 300 && with < without, "{with} of {without}");
}

//! Suspect times, sweeps and interim records.

use super::*;

#[test]
fn a_corrupt_time_gives_no_interim_record_and_stops_none() {
    let day = Duration::from_secs(86_400);
    let calls = script()
        .with(|s| s.active = Some(Duration::from_secs(10)))
        .handshake()
        .after(day)
        .tcp(A, ACK, 1001, 5001, 1)
        .at(Timestamp::from_secs(12))
        .tcp(A, ACK, 1002, 5001, 1)
        .run();
    let interims = calls.iter().filter(|call| matches!(call.what, What::Interim(..)));
    assert_eq!(interims.map(|call| call.packet).collect::<Vec<_>>(), [5]);
}

#[test]
fn a_time_that_is_not_believed_is_a_time_of_the_flow_whatever_comes_next() {
    let at = Timestamp::from_secs;
    let plain = |script: Script, from, seq, ack| script.tcp(from, ACK, seq, ack, 10);
    let mut script = plain(script().handshake(), B, 5001, 1001);
    script = plain(script, A, 1001, 5011);
    script = plain(script.at(at(9999)), A, 1011, 5011).at(at(2));
    for i in 0..3 {
        script = plain(script, A, 1021 + 10 * i, 5011);
    }
    let calls = script.run();
    let Some(What::Ended(_, stats, _)) = calls.last().map(|call| &call.what) else { panic!() };
    assert_eq!(stats.last_seen, at(9999));
}

#[test]
fn a_sweep_does_not_make_the_clock_s_mind_up() {
    let at = Timestamp::from_secs;
    let mut script = script().with(|s| s.confirm = 3).handshake().at(at(9000));
    script = script.tcp(A, ACK, 1001, 5001, 10).expire(at(20)).at(at(9000));
    for _ in 0..2 {
        script = script.key(1).tcp(A, SYN, 1, 0, 0);
    }
    let ended = |calls: &[Call]| {
        calls.iter().any(|call| matches!(call.what, What::Ended(EndReason::IdleTimeout, ..)))
    };
    assert!(!ended(&script.run()), "its packet at 9000 was believed");
}

/// IDLE-3
#[test]
fn an_idle_flow_ended_idle_although_the_input_ends_before_the_next_tick() {
    let idle = Duration::from_secs(300);
    let calls = script()
        .tcp(A, SYN, 1000, 0, 0)
        .after(idle + Duration::from_millis(10))
        .key(1)
        .tcp(A, SYN, 1000, 0, 0)
        .run();
    let reasons: Vec<EndReason> = calls
        .iter()
        .filter_map(|call| match call.what {
            What::Ended(reason, ..) => Some(reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [EndReason::IdleTimeout, EndReason::EndOfInput]);
}

#[test]
fn what_silence_brings_stands_behind_the_packet_before_it() {
    struct Orders(Vec<EventOrder>);
    impl FlowSink<u8, ()> for Orders {
        fn event(&mut self, flow: Flow<'_, u8, ()>, _: Change) {
            self.0.push(flow.order);
        }
    }
    let input = Input::new(script().handshake().ops);
    let mut tracker = FlowTracker::new(input.extractor.clone());
    let mut orders = Orders(Vec::new());
    for view in input.views() {
        tracker.track(view, &mut orders);
    }
    let progress = tracker.expire(Timestamp::from_secs(1000), usize::MAX, &mut orders);
    assert_eq!(progress, Progress::Done);
    assert!(orders.0.is_sorted(), "{:?}", orders.0);
}

#[test]
fn a_shard_rejects_a_suspect_time_that_was_rejected_before_it_ran() {
    let at = Timestamp::from_secs;
    let limits = ClockConfig::default().jump(Duration::from_secs(60)).confirm(2);
    let mut clock = Clock::new(limits);
    let mut shard = FlowTable::<u8>::new(TrackerConfig::default());
    let mut found = Extracted::new(0, A);
    found.l4 = Some(L4Proto::Tcp);
    clock.observe(at(1));
    let view = PacketView::new(&[], LinkType::RAW, at(300));
    shard.track(view, &found, clock.observe(at(300)), &mut ());
    // Three packets of other shards: the first refutes, the others make another time believed.
    clock.observe(at(1));
    clock.observe(at(400));
    shard.sweep(clock.observe(at(400)), &mut ());
    assert!(shard.is_empty(), "it was touched at 1, not at 300");
}

/// A tracker without a defragmenter joins nothing: pieces are counted, under their own cause.
#[test]
fn what_is_not_tracked_is_counted_by_its_cause() {
    let mut piece = Extracted::new(0, A);
    piece.fragment = Some(Fragment { id: 1, offset: 8, more: true, header_at: 0 });
    let script = script().packet(piece).packet(piece).packet(Extracted::new(0, A));
    let mut ops = script.ops;
    let mut refused = ops[2].clone();
    if let Op::Packet(packet) = &mut refused {
        packet.found = None;
    }
    ops.push(refused);
    let input = Input::new(ops);
    let mut tracker = FlowTracker::new(input.extractor.clone());
    for view in input.views() {
        tracker.track(view, &mut ());
    }
    let ledger = tracker.ledger();
    assert_eq!((ledger.seen(), ledger.delivered()), (4, 1));
    assert_eq!((ledger.lost(Loss::FragIncomplete), ledger.lost(Loss::NotAFlow)), (2, 1));
}

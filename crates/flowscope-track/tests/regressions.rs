//! Packet sequences, as short as they go, on which the tracker once was wrong.

#![allow(missing_docs)]

mod model;
mod traffic;

use std::time::Duration;

use flowscope_core::{
    Extracted, IpInfo, L4Proto, LinkType, Orientation, PacketView, Payload, Progress, TcpFlags,
    TcpInfo, TcpOptions, Timestamp,
};
use flowscope_track::{
    Anomaly, Change, Clock, ClockConfig, ConnState, EndReason, EventOrder, Eviction, Flow,
    FlowSink, FlowState, FlowTable, FlowTracker, InitiatorEvidence, TrackerConfig,
};

use self::model::{Call, Packet, Settings, Stats, What};
use self::traffic::compare::compare;
use self::traffic::{Input, Op};

const SYN: TcpFlags = TcpFlags::SYN;
const ACK: TcpFlags = TcpFlags::ACK;
const FIN: TcpFlags = TcpFlags::FIN;
const RST: TcpFlags = TcpFlags::RST;
const URG: TcpFlags = TcpFlags::URG;
const A: Orientation = Orientation::Forward;
const B: Orientation = Orientation::Reverse;

/// Packets of one key, a millisecond apart.
struct Script {
    settings: Settings,
    now: Timestamp,
    key: u8,
    ops: Vec<Op>,
}

fn script() -> Script {
    Script { settings: Settings::default(), now: Timestamp::from_secs(1), key: 0, ops: Vec::new() }
}

impl Script {
    fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(&mut self.settings);
        self
    }

    fn key(mut self, key: u8) -> Self {
        self.key = key;
        self
    }

    fn after(mut self, time: Duration) -> Self {
        self.now = self.now + time;
        self
    }

    fn at(mut self, time: Timestamp) -> Self {
        self.now = time;
        self
    }

    fn expire(mut self, now: Timestamp) -> Self {
        self.ops.push(Op::Expire(now));
        self
    }

    fn packet(mut self, found: Extracted<u8>) -> Self {
        let len = found.payload.wire_len;
        self.ops.push(Op::Packet(Packet {
            ts: self.now,
            first_ts: self.now,
            frames: 1,
            wire_len: 54 + len,
            payload: vec![b'x'; len as usize],
            found: Some(found),
        }));
        self.after(Duration::from_millis(1))
    }

    fn tcp(self, from: Orientation, flags: TcpFlags, seq: u32, ack: u32, len: u32) -> Self {
        let tcp = TcpInfo { seq, ack, window: 512, flags, ..TcpInfo::default() };
        self.segment(from, tcp, len)
    }

    fn tcp_options(
        self,
        from: Orientation,
        flags: TcpFlags,
        seq: u32,
        ack: u32,
        options: TcpOptions,
    ) -> Self {
        let tcp = TcpInfo { seq, ack, window: 512, flags, options, ..TcpInfo::default() };
        self.segment(from, tcp, 0)
    }

    fn segment(self, from: Orientation, tcp: TcpInfo, len: u32) -> Self {
        let mut found = Extracted::new(self.key, from);
        found.l4 = Some(L4Proto::Tcp);
        found.tcp = Some(tcp);
        found.payload.offset = 4;
        (found.payload.captured, found.payload.wire_len) = (len, len);
        self.packet(found)
    }

    /// TCP, but the capture ends within its header.
    fn cut(self, from: Orientation) -> Self {
        let mut found = Extracted::new(self.key, from);
        found.l4 = Some(L4Proto::Tcp);
        self.packet(found)
    }

    /// A: 1000, B: 5000.
    fn handshake(self) -> Self {
        self.tcp(A, SYN, 1000, 0, 0).tcp(B, SYN | ACK, 5000, 1001, 0).tcp(A, ACK, 1001, 5001, 0)
    }

    /// The model agrees; what the tracker called the sink with, up to the removal of entries.
    #[track_caller]
    fn run(self) -> Vec<Call> {
        let mut calls = self.run_to_removal();
        calls.retain(|call| !matches!(call.what, What::Removed(..)));
        calls
    }

    /// The model agrees; all that the tracker called the sink with.
    #[track_caller]
    fn run_to_removal(self) -> Vec<Call> {
        match compare(&self.settings, &Input::new(self.ops)) {
            Ok(calls) => calls,
            Err(difference) => panic!("{difference}"),
        }
    }
}

/// Ids of the flows that began.
fn starts(calls: &[Call]) -> Vec<u64> {
    let started = calls.iter().filter(|call| matches!(call.what, What::Started(_)));
    started.map(|call| call.flow).collect()
}

/// What was odd, and about which packet.
fn anomalies(calls: &[Call]) -> Vec<(u64, Anomaly)> {
    let odd = calls.iter().filter_map(|call| match call.what {
        What::Anomaly(kind, _) => Some((call.packet, kind)),
        _ => None,
    });
    odd.collect()
}

fn histories(calls: &[Call]) -> Vec<&str> {
    let ended = calls.iter().filter_map(|call| match &call.what {
        What::Ended(_, _, history) => Some(history.as_str()),
        _ => None,
    });
    ended.collect()
}

/// STATE-6
#[test]
fn packets_without_a_whole_header_count_towards_established() {
    let calls = script().with(|s| s.mid_stream_packets = 2).cut(A).cut(A).run();
    assert!(calls.iter().any(|call| call.what == What::Established));
    let first = script().with(|s| s.mid_stream_packets = 1).cut(A).run();
    assert!(first.iter().any(|call| call.what == What::Established));
}

/// HIST-1
#[test]
fn letters_of_odd_flags_follow_the_others_on_any_packet() {
    let first = script().tcp(A, SYN | FIN, 1000, 0, 0).run();
    assert_eq!(histories(&first), ["SQ"]);
    let later = script().tcp(A, SYN, 1000, 0, 0).tcp(B, SYN | ACK | FIN, 5000, 1001, 0).run();
    assert_eq!(histories(&later), ["Shq"]);
    let reset = script().tcp(A, RST | FIN, 1000, 0, 0).run();
    assert_eq!(histories(&reset), ["RI"]);
}

#[test]
fn payload_on_any_syn_has_its_letter() {
    let first = script().tcp(A, SYN, 1000, 0, 9).run();
    assert_eq!(histories(&first), ["SD"]);
    let answer = script().tcp(A, SYN, 1000, 0, 0).tcp(B, SYN | ACK, 5000, 1001, 9).run();
    assert_eq!(histories(&answer), ["Shd"]);
}

#[test]
fn a_repeated_unexpected_syn_has_one_letter() {
    let calls = script().handshake().tcp(A, SYN, 9000, 0, 0).tcp(A, SYN, 9000, 0, 0).run();
    assert_eq!(histories(&calls), ["ShAS"]);
}

#[test]
fn the_flip_has_its_letter_first_whatever_the_evidence() {
    let answer = script().tcp(B, SYN | ACK, 5000, 1001, 0).tcp(A, ACK, 1001, 5001, 0).run();
    assert_eq!(histories(&answer), ["^hA"]);
}

#[test]
fn the_last_step_of_a_handshake_is_timed_although_its_syn_was_missed() {
    let calls = script().tcp(B, SYN | ACK, 5000, 1001, 0).tcp(A, ACK, 1001, 5001, 0).run();
    let Some(What::Ended(_, stats, _)) = calls.last().map(|call| &call.what) else { panic!() };
    assert_eq!((stats.syn_rtt, stats.ack_rtt), (None, Some(Duration::from_millis(1))));
}

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

#[test]
fn a_fin_below_what_was_acknowledged_is_invalid() {
    let calls =
        script().handshake().tcp(B, ACK, 5001, 1101, 0).tcp(A, FIN | ACK, 1001, 5001, 0).run();
    assert_eq!(anomalies(&calls), [(5, Anomaly::InvalidFin)]);
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

#[test]
fn payload_sent_again_has_its_letter_although_the_syn_was_sent_again_too() {
    let calls = script()
        .tcp(A, SYN, 1000, 0, 0)
        .tcp(A, SYN, 1000, 0, 0)
        .tcp(A, ACK, 1001, 5001, 9)
        .tcp(A, ACK, 1001, 5001, 9)
        .run();
    assert_eq!(histories(&calls), ["SDT"]);
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

/// What is known of the only flow when its entry is removed.
fn removed(calls: &[Call]) -> (&Stats, &str) {
    let removed = calls.iter().find_map(|call| match &call.what {
        What::Removed(_, stats, history) => Some((&**stats, history.as_str())),
        _ => None,
    });
    removed.expect("the flow was removed")
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

/// HIST-3
#[test]
fn a_hole_has_a_letter_once_it_is_acknowledged() {
    let history = |script: Script| removed(&script.run_to_removal()).1.to_owned();
    let late = script().handshake().tcp(A, ACK, 1011, 5001, 10).tcp(A, ACK, 1001, 5001, 10);
    assert_eq!(history(late.tcp(B, ACK, 5001, 1021, 0)), "ShADa");
    let lost = script().handshake().tcp(A, ACK, 1011, 5001, 10).tcp(B, ACK, 5001, 1021, 0);
    assert_eq!(history(lost), "ShADaG");
    let known = script().handshake().tcp(B, ACK, 5001, 1021, 0).tcp(A, ACK, 1011, 5001, 10);
    assert_eq!(history(known), "ShAaDG");
    let mut many = script().handshake();
    for n in 0..10 {
        let at = 1011 + 20 * n;
        many = many.tcp(A, ACK, at, 5001, 10).tcp(B, ACK, 5001, at + 10, 0);
    }
    assert_eq!(history(many), "ShADaGG");
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

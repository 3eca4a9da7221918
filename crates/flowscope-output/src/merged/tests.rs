use std::collections::BTreeMap;

use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_driver::{DriverConfig, SessionDriver, SessionSink};
use flowscope_extract::{FiveTuple, FiveTupleKey};
use flowscope_http::HttpParser;
use flowscope_testkit::{Dialogue, Packet};
use flowscope_track::{Change, Flow, TrackerConfig};
use proptest::prelude::*;

use super::*;

/// The records that are made when entries are removed, and interim ones.
#[derive(Default)]
struct Records(Vec<FlowRecord>);

impl<M> SessionSink<FiveTupleKey, M> for Records {
    fn flow(&mut self, flow: Flow<'_, FiveTupleKey, ()>, change: Change) {
        if let Change::Interim { .. } = change {
            self.0.extend(FlowRecord::of_change(&flow, change));
        }
    }

    fn removed(&mut self, flow: Flow<'_, FiveTupleKey, ()>, reason: EndReason) {
        self.0.push(FlowRecord::of_removed(&flow, reason));
    }
}

/// The records of one tracker that sees these packets.
pub(super) fn records<'a>(
    packets: impl IntoIterator<Item = &'a Packet>,
    active: Option<Duration>,
) -> Vec<FlowRecord> {
    let config = DriverConfig::default().tracker(TrackerConfig::default().active(active));
    let parser = HttpParser::default();
    let mut driver = SessionDriver::with_config(FiveTuple::bidirectional(), parser, config);
    let mut records = Records::default();
    for packet in packets {
        driver.handle_batch_with(&[packet.view()], &mut records);
    }
    driver.finish_with(EndReason::EndOfInput, &mut records);
    records.0
}

/// Records merged by key, and by start where that is asked for.
fn merged(
    records: &[FlowRecord],
    by_start: bool,
) -> BTreeMap<(FiveTupleKey, Option<Timestamp>), MergedFlow> {
    let mut flows = BTreeMap::<_, MergedFlow>::new();
    for record in records {
        let key = (record.header.key, by_start.then_some(record.start));
        flows.entry(key).or_default().merge(&MergedFlow::of(record));
    }
    flows
}

/// One flow of a capture: how it goes, and which of its packets were not captured.
#[derive(Clone, Debug)]
struct Course {
    tcp: bool,
    reversed: bool,
    closes: bool,
    begin: u64,
    pauses: Vec<u64>,
    lost: Vec<bool>,
}

fn course() -> impl Strategy<Value = Course> {
    let pauses = prop::collection::vec(0..900_u64, 0..6);
    let lost = prop::collection::vec(prop::bool::weighted(0.1), 20);
    (any::<[bool; 3]>(), 0..3_u64, pauses, lost).prop_map(
        |([tcp, reversed, closes], begin, pauses, lost)| Course {
            tcp,
            reversed,
            closes,
            begin,
            pauses,
            lost,
        },
    )
}

/// The packets of some flows, each with its flow's number, in the order of time.
fn capture(courses: &[Course]) -> Vec<(usize, Packet)> {
    let mut packets = Vec::new();
    for (at, course) in courses.iter().enumerate() {
        let mut ends = [format!("10.0.0.1:{}", 40_000 + at), "10.0.0.2:7".to_owned()];
        if course.reversed {
            ends.reverse();
        }
        let side = |turn: usize| if turn.is_multiple_of(3) { Initiator } else { Responder };
        let talk = Dialogue::tcp(&ends[0], &ends[1]).at(1 + course.begin);
        let turns = course.pauses.iter().enumerate();
        let talk = if course.tcp {
            let talk = turns.fold(talk.handshake(), |talk, (turn, pause)| {
                talk.after(*pause).data(side(turn), [b'x'; 40]).ack_from(!side(turn))
            });
            if course.closes { talk.close(Initiator) } else { talk }
        } else {
            turns.fold(talk.datagram(Initiator, b"ask"), |talk, (turn, pause)| {
                talk.after(*pause).datagram(side(turn), [b'x'; 40])
            })
        };
        let captured = talk.packets().into_iter().zip(course.lost.iter().chain([&false; 40]));
        packets.extend(captured.filter(|(_, lost)| !**lost).map(|(packet, _)| (at, packet)));
    }
    packets.sort_by_key(|(_, packet)| packet.view().ts());
    packets
}

/// What does not depend on how a capture is divided by time.
fn counters(flow: &MergedFlow) -> impl PartialEq + std::fmt::Debug + use<> {
    let sides = flow.sides.map(|side| (side.counters, side.tcp_flags));
    (flow.start, flow.end, sides, flow.initiator(), flow.evidence())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merging_is_associative_and_commutative(a in flow(), b in flow(), c in flow()) {
        let join = |one: &MergedFlow, other: &MergedFlow| {
            let mut both = one.clone();
            both.merge(other);
            both
        };
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(&join(&a, &MergedFlow::default()), &a);
        prop_assert_eq!(&join(&MergedFlow::default(), &a), &a);
    }

    #[test]
    fn trackers_that_share_the_flows_have_the_records_of_one(
        courses in prop::collection::vec(course(), 1..8),
        trackers in 1..5_usize,
    ) {
        let packets = capture(&courses);
        let one = merged(&records(packets.iter().map(|(_, packet)| packet), None), true);
        let mut all = BTreeMap::<_, MergedFlow>::new();
        for tracker in 0..trackers {
            let own = packets.iter().filter(|(flow, _)| flow % trackers == tracker);
            for (key, flow) in merged(&records(own.map(|(_, packet)| packet), None), true) {
                all.entry(key).or_default().merge(&flow);
            }
        }
        prop_assert_eq!(all, one);
    }

    #[test]
    fn trackers_that_share_the_time_have_the_counters_of_one(
        courses in prop::collection::vec(course(), 1..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let packets = capture(&courses);
        let one = merged(&records(packets.iter().map(|(_, packet)| packet), None), false);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(packets.len() + 1)).collect();
        cuts.extend([0, packets.len()]);
        cuts.sort_unstable();
        let mut all = BTreeMap::<_, MergedFlow>::new();
        for cut in cuts.windows(2) {
            let part = packets[cut[0]..cut[1]].iter().map(|(_, packet)| packet);
            for (key, flow) in merged(&records(part, None), false) {
                all.entry(key).or_default().merge(&flow);
            }
        }
        prop_assert!(all.keys().eq(one.keys()));
        for (all, one) in all.values().zip(one.values()) {
            prop_assert_eq!(counters(all), counters(one));
        }
        let sums = all.values().map(|flow| flow.sides.map(|side| side.counters.packets));
        prop_assert_eq!(sums.flatten().sum::<u64>(), packets.len() as u64);
    }

    #[test]
    fn interim_records_add_up(courses in prop::collection::vec(course(), 1..6)) {
        let packets = capture(&courses);
        let packets = || packets.iter().map(|(_, packet)| packet);
        let one = merged(&records(packets(), None), true);
        let mut parts = merged(&records(packets(), Some(Duration::from_millis(300))), true);
        for (part, one) in parts.values_mut().zip(one.values()) {
            prop_assert!(part.records >= one.records);
            part.records = one.records;
        }
        prop_assert_eq!(parts, one);
    }
}

/// Any value, with little choice of each part, so that parts are often equal.
fn flow() -> impl Strategy<Value = MergedFlow> {
    let time = || prop::option::of((0..3_u64).prop_map(Timestamp::from_secs));
    let span = || prop::option::of((0..3_u64).prop_map(Duration::from_secs));
    let state = prop::sample::select(vec![
        FlowState::SynSent,
        FlowState::Established,
        FlowState::Closed,
        FlowState::Active,
    ]);
    let reason = prop::sample::select(vec![EndReason::Fin, EndReason::Rst, EndReason::Evicted]);
    let evidence =
        prop::sample::select(vec![InitiatorEvidence::Syn, InitiatorEvidence::FirstPacket]);
    let stamp = || (0..3_u64).prop_map(Timestamp::from_secs);
    let names = prop::collection::btree_set(prop::sample::select(vec!["http", "tls", "dns"]), 0..3);
    let sensors = prop::collection::btree_set("[ab]", 0..2);
    let facts = (time(), time(), span(), span(), prop::option::of(state), any::<bool>());
    let ends =
        (prop::option::of((evidence, stamp(), any::<bool>())), prop::option::of((stamp(), reason)));
    (amount(), [side(), side()], facts, names, sensors, ends).prop_map(
        |(records, sides, facts, app_protos, sensors, (initiator, ended))| {
            let (start, end, syn_rtt, ack_rtt, state, ambiguous) = facts;
            MergedFlow {
                records,
                start,
                end,
                sides,
                state,
                syn_rtt,
                ack_rtt,
                ambiguous,
                app_protos,
                sensors,
                initiator,
                ended,
            }
        },
    )
}

/// Also so large that sums saturate.
fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![0..5_u64, (u64::MAX - 5)..=u64::MAX]
}

fn side() -> impl Strategy<Value = MergedSide> {
    (prop::array::uniform10(amount()), any::<u8>()).prop_map(|(amounts, flags)| {
        let [packets, wire_bytes, ip_bytes, payload_bytes, rest @ ..] = amounts;
        let [retransmits, out_of_order, duplicate_acks, zero_windows, gap_bytes, cut_bytes] = rest;
        MergedSide {
            counters: Counters { packets, wire_bytes, ip_bytes, payload_bytes },
            tcp_flags: TcpFlags(flags),
            retransmits,
            out_of_order,
            duplicate_acks,
            zero_windows,
            gap_bytes,
            cut_bytes,
        }
    })
}

#[test]
fn the_parts_of_a_connection_are_one_flow() {
    let talk = Dialogue::tcp("10.0.0.9:40000", "10.0.0.2:80").handshake();
    let packets = talk.data(Initiator, b"GET").data(Responder, b"OK").close(Initiator).packets();
    let (first, second) = packets.split_at(4);
    let part = |packets: &[Packet], sensor: &str| {
        let records = records(packets, None);
        assert_eq!(records.len(), 1);
        MergedFlow::of(&records[0]).seen_by(sensor)
    };
    let (first, second) = (part(first, "east"), part(second, "west"));
    // The second part begins with the responder's packet.
    assert_ne!(second.initiator(), first.initiator());
    let whole: MergedFlow = [second, first].into_iter().collect();
    assert_eq!(whole.evidence(), Some(InitiatorEvidence::Syn));
    assert_eq!(whole.side(Initiator).counters.payload_bytes, 3);
    assert_eq!(whole.side(Responder).counters.payload_bytes, 2);
    assert_eq!((whole.records, whole.state), (2, Some(FlowState::Closed)));
    assert_eq!(whole.end_reason(), Some(EndReason::Fin));
    assert_eq!(whole.sensors.into_iter().collect::<Vec<_>>(), ["east", "west"]);
    assert_eq!(MergedFlow::default().end_reason(), None);
}

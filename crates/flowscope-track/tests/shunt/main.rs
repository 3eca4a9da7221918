//! Flows whose packets are counted by the capture have the records of flows whose packets all come.

#![allow(missing_docs, reason = "a test")]

mod kernel;
mod traffic;

use std::time::Duration;

use flowscope_core::{FlowSide, Segment, Timestamp};
use flowscope_track::{
    Change, Clock, ClockConfig, Counters, EndReason, Flow, FlowSink, FlowState, FlowStats,
    FlowTable, History, ShuntRefusal, Shunting, TrackerConfig,
};
use proptest::prelude::*;

use self::kernel::Kernel;
use self::traffic::{Act, Packet, acts, datagrams, play};

/// One record of a flow: all that it says but for ids and what the capture counted.
#[derive(Clone, Debug, PartialEq)]
struct Record {
    key: u8,
    interim: u32,
    reason: Option<EndReason>,
    stats: FlowStats,
    history: History,
}

#[derive(Default)]
struct Records {
    records: Vec<Record>,
    shunted: Counters,
    /// Bytes of payload in segments without bytes.
    passed_over: u64,
    /// What `Shunted` changes say.
    told: (u64, u64),
    read: bool,
}

impl Records {
    fn push(&mut self, flow: &Flow<'_, u8, ()>, interim: u32, reason: Option<EndReason>) {
        let mut stats = flow.stats();
        stats.initiator.shunted = Counters::default();
        stats.responder.shunted = Counters::default();
        self.records.push(Record {
            key: *flow.key,
            interim,
            reason,
            stats,
            history: flow.history(),
        });
    }
}

impl FlowSink<u8, ()> for Records {
    fn may_shunt(&self, _: &()) -> bool {
        !self.read
    }

    fn event(&mut self, flow: Flow<'_, u8, ()>, change: Change) {
        match change {
            Change::Ended { reason } => self.push(&flow, 0, Some(reason)),
            Change::Interim { sequence } => self.push(&flow, sequence, None),
            Change::Shunted { packets, payload_bytes, .. } => {
                self.told.0 += packets;
                self.told.1 += payload_bytes;
            }
            _ => {}
        }
    }

    fn segment(&mut self, _: Flow<'_, u8, ()>, segment: Segment<'_>) {
        let captured = segment.payload.len() as u64;
        self.passed_over += u64::from(segment.wire_len) - captured;
    }

    fn removed(&mut self, flow: Flow<'_, u8, ()>, reason: EndReason) {
        let stats = flow.stats();
        for side in [stats.initiator, stats.responder] {
            let Counters { packets, wire_bytes, .. } = side.shunted;
            self.shunted.packets += packets;
            self.shunted.wire_bytes += wire_bytes;
        }
        self.push(&flow, u32::MAX, Some(reason));
    }
}

fn config() -> TrackerConfig {
    TrackerConfig::default().tcp_idle(Duration::from_secs(20)).udp_idle(Duration::from_secs(20))
}

fn run(config: &TrackerConfig, packets: &[Packet]) -> Records {
    let (mut clock, mut records) = (Clock::new(ClockConfig::default()), Records::default());
    let mut table = FlowTable::new(config.clone());
    for packet in packets {
        let now = clock.observe(packet.ts);
        table.track(packet.view(), &packet.found, now, &mut records);
    }
    table.finish(EndReason::EndOfInput, clock.now(), &mut records);
    records
}

/// As [`run`], with packets that wait in a ring of the kernel, from which some are read now and then.
fn run_shunted(
    config: &TrackerConfig,
    packets: &[Packet],
    reads: &[usize],
    which: Shunting,
) -> Records {
    let (mut clock, mut records) = (Clock::new(ClockConfig::default()), Records::default());
    let mut table = FlowTable::new(config.clone());
    let kernel = Kernel::with_room_for(4);
    table.shunt_with(Box::new(kernel.clone()), which);
    let (mut ring, mut reads, mut tracked) = (Vec::new(), reads.iter().cycle(), 0);
    let mut left = 1;
    let mut last = Timestamp::ZERO;
    for (i, packet) in packets.iter().enumerate() {
        last = packet.ts;
        if !kernel.keeps(&packet.found, packet.ts, packet.wire_len) {
            ring.push(packet);
        }
        left -= 1;
        if left == 0 || i + 1 == packets.len() {
            left = *reads.next().expect("endless");
            for packet in ring.drain(..) {
                let now = clock.observe(packet.ts);
                table.track(packet.view(), &packet.found, now, &mut records);
                tracked += 1;
            }
            if which == Shunting::Verdict {
                for key in 0..4 {
                    let _ = table.shunt(&key);
                }
            }
        }
    }
    let _ = clock.advance(last);
    table.finish(EndReason::EndOfInput, clock.now(), &mut records);
    assert_eq!(kernel.flows(), 0, "nothing is left there");
    let shunted = table.stats().shunted;
    assert_eq!(tracked + shunted.packets, packets.len() as u64);
    assert_eq!(records.told.0, shunted.packets);
    assert_eq!(records.told.1, shunted.payload_bytes);
    assert_eq!(records.shunted.packets, shunted.packets);
    records
}

fn sorted(mut packets: Vec<Packet>) -> Vec<Packet> {
    packets.sort_by_key(|packet| packet.ts);
    packets
}

/// Shunting changes no record. A flow whose time ran out is ended by the next packet of any flow, which may have
/// been counted elsewhere: so records are compared flow by flow.
fn by_key(records: &Records) -> Vec<Record> {
    let mut records = records.records.clone();
    records.sort_by_key(|record| record.key);
    records
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shunted_runs_equal_others(
        one in acts(),
        other in acts(),
        talk in acts(),
        reads in prop::collection::vec(prop_oneof![3 => Just(1), 1 => 1..40_usize], 1..10),
        active in prop::option::of(1..20_u64),
        verdict in any::<bool>(),
    ) {
        let config = config().active(active.map(Duration::from_secs));
        let packets = [play(0, &one), play(1, &other), datagrams(2, &talk)].concat();
        let packets = sorted(packets);
        let which = if verdict { Shunting::Verdict } else { Shunting::Established };
        let expected = run(&config, &packets);
        let shunted = run_shunted(&config, &packets, &reads, which);
        prop_assert_eq!(by_key(&shunted), by_key(&expected));
    }
}

/// A download that nothing disturbs.
fn download(rounds: usize) -> Vec<Packet> {
    let round = [(true, Act::Data(10, 1000)), (false, Act::Ack), (false, Act::Window(4000))];
    let start =
        [(false, Act::Data(1, 100)), (true, Act::Ack), (true, Act::Data(1, 9)), (false, Act::Ack)];
    let acts = [&start[..], &round.repeat(rounds)].concat();
    play(0, &acts)
}

#[test]
fn a_download_is_counted_but_for_its_ends() {
    let mut packets = download(1000);
    let end = [(true, Act::Fin), (false, Act::Ack), (false, Act::Fin), (true, Act::Ack)];
    let whole = [&[(false, Act::Data(1, 100))][..], &end].concat();
    let mut fins = play(0, &whole).split_off(4);
    // The ends, with the numbers of the download.
    let last = |reverse: bool| {
        let of = packets.iter().rev().filter_map(|p| Some((p.found.orientation, p.found.tcp?, p)));
        let wanted = if reverse {
            flowscope_core::Orientation::Reverse
        } else {
            flowscope_core::Orientation::Forward
        };
        of.into_iter()
            .find(|(side, ..)| *side == wanted)
            .map(|(_, tcp, p)| (tcp.seq.wrapping_add(p.found.payload.wire_len), p.ts))
            .unwrap()
    };
    let (server, client, ts) = (last(true).0, last(false).0, last(true).1.max(last(false).1));
    let numbers =
        [(server, client), (client, server + 1), (client, server + 1), (server + 1, client + 1)];
    for (i, (packet, (seq, ack))) in fins.iter_mut().zip(numbers).enumerate() {
        packet.ts = ts + Duration::from_millis(5 + i as u64);
        let tcp = packet.found.tcp.as_mut().unwrap();
        (tcp.seq, tcp.ack) = (seq, ack);
    }
    packets.extend(fins);
    let expected = run(&config(), &packets);
    let shunted = run_shunted(&config(), &packets, &[1], Shunting::Established);
    assert_eq!(shunted.records, expected.records);
    assert_eq!(expected.records[0].reason, Some(EndReason::Fin));
    assert_eq!(shunted.records[0].stats.responder.gap_bytes, 0, "what was counted is no loss");
    let all = packets.len() as u64;
    assert!(shunted.shunted.packets > all - 20, "{} of {all}", shunted.shunted.packets);
    assert_eq!(shunted.passed_over, expected.passed_over, "no bytes are twice passed over");
}

#[test]
fn a_full_map_leaves_the_flow_where_it_is() {
    let packets = download(10);
    let (mut clock, mut records) = (Clock::new(ClockConfig::default()), Records::default());
    let mut table = FlowTable::new(config());
    table.shunt_with(Box::new(Kernel::with_room_for(0)), Shunting::Established);
    for packet in &packets {
        let now = clock.observe(packet.ts);
        table.track(packet.view(), &packet.found, now, &mut records);
    }
    assert_eq!(table.shunt(&0), Err(ShuntRefusal::Full));
    table.finish(EndReason::EndOfInput, clock.now(), &mut records);
    assert_eq!(records.records, run(&config(), &packets).records);
    assert_eq!(table.stats().shunted, Counters::default());
}

/// The table has the FINs, the capture their acknowledgements, the first of which were lost on their way: the flow
/// has one end when the input ends.
#[test]
fn a_flow_that_closed_in_the_capture_ends_once() {
    let acks = [(true, Act::Ack), (false, Act::Ack)];
    let end = [&[(true, Act::Fin), (false, Act::Fin)][..], &acks, &acks].concat();
    let start =
        [(false, Act::Data(1, 100)), (true, Act::Ack), (true, Act::Data(1, 9)), (false, Act::Ack)];
    let packets = play(0, &[&start[..], &end].concat());
    let (mut clock, mut records) = (Clock::new(ClockConfig::default()), Records::default());
    let mut table = FlowTable::new(config());
    let kernel = Kernel::with_room_for(1);
    table.shunt_with(Box::new(kernel.clone()), Shunting::Verdict);
    for (i, packet) in packets.iter().enumerate() {
        if i == packets.len() - end.len() {
            assert_eq!(table.shunt(&0), Ok(()));
        }
        if i >= packets.len() - 4 {
            let kept = kernel.keeps(&packet.found, packet.ts, packet.wire_len);
            assert_eq!(kept, i >= packets.len() - 2, "{i}");
            continue;
        }
        let now = clock.observe(packet.ts);
        table.track(packet.view(), &packet.found, now, &mut records);
    }
    table.finish(EndReason::EndOfInput, clock.now(), &mut records);
    let reasons = records.records.iter().map(|record| (record.interim, record.reason));
    let expected = [(0, Some(EndReason::Fin)), (u32::MAX, Some(EndReason::Fin))];
    assert_eq!(reasons.collect::<Vec<_>>(), expected);
}

/// Memory for shunted flows is limited: beyond it, flows stay in the table and live on.
#[test]
fn flows_beyond_the_memory_for_shunted_ones_live_on() {
    let config = config().memory_budget(256 << 10);
    let (mut clock, mut records) = (Clock::new(ClockConfig::default()), Records::default());
    let mut table = FlowTable::new(config);
    table.shunt_with(Box::new(Kernel::with_room_for(1000)), Shunting::Verdict);
    for key in 0..200 {
        for packet in &mut download(1) {
            packet.found.key = key;
            packet.ts = packet.ts + Duration::from_millis(u64::from(key));
            let now = clock.observe(packet.ts);
            table.track(packet.view(), &packet.found, now, &mut records);
        }
    }
    let all = (0..200).map(|key| table.shunt(&key));
    let refused = all.filter(|answer| *answer == Err(ShuntRefusal::Full)).count();
    assert!((100..200).contains(&refused), "{refused}");
    assert_eq!((table.len(), records.records.len()), (200, 0));
}

#[test]
fn a_flow_that_is_read_is_shunted_by_a_verdict_only() {
    let packets = download(10);
    let mut records = Records { read: true, ..Records::default() };
    let mut clock = Clock::new(ClockConfig::default());
    let mut table = FlowTable::new(config());
    assert_eq!(table.shunt(&0), Err(ShuntRefusal::NoFlow));
    let kernel = Kernel::with_room_for(1);
    table.shunt_with(Box::new(kernel.clone()), Shunting::Established);
    for (i, packet) in packets.iter().enumerate() {
        let now = clock.observe(packet.ts);
        table.track(packet.view(), &packet.found, now, &mut records);
        if i == 0 {
            assert_eq!(table.shunt(&0), Err(ShuntRefusal::NotSteady));
        }
    }
    assert_eq!(kernel.flows(), 0);
    assert_eq!(table.shunt(&0), Ok(()));
    assert_eq!(table.shunt(&0), Err(ShuntRefusal::Already));
    assert_eq!(kernel.flows(), 1);
    assert!(table.unshunt(&0, clock.now(), &mut records));
    assert!(!table.unshunt(&0, clock.now(), &mut records));
    assert_eq!(kernel.flows(), 0);
}

#[test]
fn a_shunted_flow_ends_when_the_capture_has_been_silent_for_long() {
    let packets = download(10);
    let mut records = Records::default();
    let mut clock = Clock::new(ClockConfig::default());
    let mut table = FlowTable::new(config());
    let kernel = Kernel::with_room_for(1);
    table.shunt_with(Box::new(kernel.clone()), Shunting::Established);
    for packet in &packets {
        if !kernel.keeps(&packet.found, packet.ts, packet.wire_len) {
            let now = clock.observe(packet.ts);
            table.track(packet.view(), &packet.found, now, &mut records);
        }
    }
    let last = packets.last().unwrap().ts;
    // The table alone would have ended it: it saw the last packet long before the capture did.
    let now = clock.advance(last + Duration::from_secs(20));
    let _ = table.expire(now, usize::MAX, &mut records);
    assert_eq!(records.records.len(), 0);
    let now = clock.advance(last + Duration::from_secs(21));
    let _ = table.expire(now, usize::MAX, &mut records);
    let record = &records.records[0];
    assert_eq!((record.reason, record.stats.last_seen), (Some(EndReason::IdleTimeout), last));
    assert_eq!(record.stats.state, FlowState::Established);
    assert_eq!(record.stats.side(FlowSide::Responder).counters.packets, 1 + 1 + 1 + 100);
    assert_eq!(kernel.flows(), 0);
}

//! The tracker against the model, and against itself, on random packets.

#![allow(missing_docs)]

mod model;
mod traffic;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use flowscope_core::{Progress, Timestamp};
use flowscope_track::{
    Change, Clock, ClockConfig, EndReason, EventOrder, Flow, FlowSink, FlowState, FlowTable, Phase,
    ShardBatch, TableHash, TrackerConfig, merge,
};
use proptest::prelude::*;

use self::model::{Call, Calls, Settings, What};
use self::traffic::compare::{Tracker, compare, same};
use self::traffic::{Input, Op};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tracker_and_model_agree(settings in traffic::settings(), steps in traffic::steps(40)) {
        let input = Input::new(traffic::play(&settings, &steps));
        compare(&settings, &input)?;
    }

    #[test]
    fn they_agree_on_busy_connections(
        settings in traffic::settings(),
        steps in traffic::busy_steps(100),
    ) {
        let input = Input::new(traffic::play(&settings, &steps));
        compare(&settings, &input)?;
    }

    #[test]
    fn they_agree_on_ports_used_again(
        settings in traffic::settings(),
        steps in traffic::reuse_steps(50),
    ) {
        let input = Input::new(traffic::play(&settings, &steps));
        compare(&settings, &input)?;
    }

    #[test]
    fn batches_do_what_single_packets_do(
        settings in traffic::settings(),
        steps in traffic::steps(150),
        sizes in prop::collection::vec(1..70_usize, 1..10),
    ) {
        let input = packets_only(&settings, &steps);
        let single = run(&input, settings.config());
        let mut tracker = Tracker::with_config(input.extractor.clone(), settings.config());
        let mut calls = Calls::default();
        let views = input.views();
        let mut rest = &views[..];
        for size in sizes.iter().cycle() {
            let (batch, after) = rest.split_at(rest.len().min(*size));
            tracker.track_batch(batch, &mut calls);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        tracker.finish(EndReason::EndOfInput, &mut calls);
        same("batched and single", &calls.0, &single)?;
    }

    #[test]
    fn the_fast_path_does_not_show(
        settings in traffic::settings(),
        steps in traffic::busy_steps(100),
    ) {
        let settings = Settings { active: None, ..settings };
        let input = Input::new(traffic::play(&settings, &steps));
        let fast = run(&input, settings.config());
        // With interim records every packet takes the slow path; here none falls due.
        let slow = run(&input, settings.config().active(Some(Duration::MAX)));
        same("the slow path and the fast one", &slow, &fast)?;
        let with_macs = run(&input, settings.config().macs(true));
        same("with Ethernet addresses and without", &with_macs, &fast)?;
    }

    #[test]
    fn neither_seed_nor_hash_shows(
        settings in traffic::settings(),
        steps in traffic::steps(60),
        seed in any::<u64>(),
    ) {
        let input = Input::new(traffic::play(&settings, &steps));
        let plain = run(&input, settings.config());
        let seeded = run(&input, settings.config().seed(seed));
        same("another seed", &seeded, &plain)?;
        let sip = run(&input, settings.config().seed(seed).hash(TableHash::Sip13));
        same("another hash", &sip, &plain)?;
    }

    #[test]
    fn shards_merged_are_one_tracker(
        settings in traffic::settings(),
        steps in traffic::steps(120),
        shards in 1..5_usize,
        batch in 1..50_usize,
    ) {
        let settings = without_limits(settings);
        let input = packets_only(&settings, &steps);

        let mut whole = Tracker::with_config(input.extractor.clone(), settings.config());
        let mut expected = Ordered::default();
        for view in input.views() {
            whole.track(view, &mut expected);
        }
        whole.finish(EndReason::EndOfInput, &mut expected);
        let in_order = expected.0.is_sorted_by_key(|(order, _)| *order);
        prop_assert!(in_order, "a tracker's own calls are in their order");

        let mut merged = Vec::new();
        merge(sharded(&settings, &input, shards, batch), |record| merged.push(record));
        let expected: Vec<_> = expected.0.into_iter().map(|record| (record.0, record)).collect();
        let mut one = Vec::new();
        merge(vec![expected], |record| one.push(record));
        same("shards and one tracker", &merged, &one)?;
    }

    #[test]
    fn when_it_is_swept_does_not_show(
        settings in traffic::settings(),
        steps in traffic::steps(80),
        sweep in 0..4_usize,
        sweeps in prop::collection::vec((0..80_usize, 0..3_u8, 0..4_usize), 0..20),
    ) {
        let settings = without_limits(settings);
        let input = Input::new(traffic::play(&settings, &steps));
        let plain = run(&input, settings.config());

        let config = settings.config().sweep(sweep);
        let mut tracker = Tracker::with_config(input.extractor.clone(), config);
        let mut calls = Calls::default();
        for at in 0..input.ops.len() {
            track(&mut tracker, &input, at, &mut calls);
            for (_, back, most) in sweeps.iter().filter(|(when, ..)| *when == at) {
                if tracker.clock().now().packet == 0 {
                    continue;
                }
                let now = tracker.clock().now().watermark.as_nanos();
                let now = now.saturating_sub(u64::from(*back) * 70_000_000);
                // What is left is done by later calls.
                let _ = tracker.expire(Timestamp::from_nanos(now), *most, &mut calls);
            }
        }
        tracker.finish(EndReason::EndOfInput, &mut calls);
        same("swept otherwise", &by_flow(calls.0), &by_flow(plain))?;
    }

    #[test]
    fn every_life_obeys_the_laws(
        settings in traffic::settings(),
        steps in traffic::steps(80),
        sweep in prop_oneof![Just(usize::MAX), 1..4_usize],
    ) {
        // What the caller ends has no place in the order of deadlines.
        let mut ops = traffic::play(&settings, &steps);
        if sweep == 1 {
            ops.retain(|op| !matches!(op, Op::End(_)));
        }
        let ended = ops.iter().any(|op| matches!(op, Op::End(_)));
        let input = Input::new(ops);
        let mut tracker = Tracker::with_config(
            input.extractor.clone(),
            settings.config().sweep(sweep),
        );
        let mut lives = Lives { out_of_order: ended, ..Lives::default() };
        for at in 0..input.ops.len() {
            track(&mut tracker, &input, at, &mut lives);
            prop_assert!(tracker.len() <= settings.max_flows);
        }
        tracker.finish(EndReason::EndOfInput, &mut lives);
        prop_assert_eq!(tracker.len(), 0);
        prop_assert_eq!(lives.broken, Vec::<String>::new());
        prop_assert!(lives.flows.values().all(|life| life.ended.is_some()), "each Started has its Ended");
        prop_assert!(lives.flows.values().all(|life| life.removed), "and its removal");
        prop_assert_eq!(lives.packets, tracker.ledger().delivered(), "no packet is missed");
        prop_assert_eq!(lives.flows.len() as u64, tracker.stats().flows);
    }

    #[test]
    fn timeouts_of_protocols_are_independent(
        settings in traffic::settings(),
        steps in traffic::steps(80),
        udp in 1..100_000_u64,
        other in 1..100_000_u64,
    ) {
        let settings = without_limits(settings);
        let input = Input::new(traffic::play(&settings, &steps));
        let changed = settings
            .config()
            .udp_idle(Duration::from_millis(udp))
            .other_idle(Duration::from_millis(other));
        let tcp = |calls: Vec<Call>| -> Vec<Call> {
            calls.into_iter().filter(|call| call.key < 4).collect()
        };
        same("TCP flows", &tcp(run(&input, changed)), &tcp(run(&input, settings.config())))?;
    }
}

/// A flood of connections that never were, in a megabyte: half-open flows and all the odd things
/// that need memory of their own.
#[test]
fn a_flood_stays_within_its_budget() {
    let budget = 1 << 20;
    let slack = 128 << 10;
    for odd in [false, true] {
        let config = TrackerConfig::default().memory_budget(budget);
        let mut table = FlowTable::<u64>::new(config);
        let mut clock = Clock::new(ClockConfig::default());
        let mut rng = flowscope_testkit::Rng::new(7);
        let mut most = 0;
        for i in 0..200_000_u64 {
            let found = traffic::flood_packet(&mut rng, odd);
            let ts = Timestamp::from_nanos(1_000_000_000 + i * 1000);
            let view = flowscope_core::PacketView::new(&[], flowscope_core::LinkType::RAW, ts);
            table.track(view, &found, clock.observe(ts), &mut ());
            most = most.max(table.heap_bytes());
            assert!(
                table.heap_bytes() <= budget + slack,
                "{} bytes at packet {i}",
                table.heap_bytes()
            );
            assert!(table.len() <= 100_000);
        }
        assert!(most > budget / 2, "the budget is used: {most}");
        assert!(table.stats().ended(EndReason::Evicted) > 50_000, "{:?}", table.stats());
    }
}

/// Random traffic is worth no more than what it reaches.
#[test]
fn the_random_traffic_reaches_every_rule() {
    let missed = traffic::reach::missed(1500);
    assert_eq!(missed, Vec::<String>::new());
}

// -- Runs ----------------------------------------------------------------------------------------

fn track<O: FlowSink<u8, ()>>(tracker: &mut Tracker, input: &Input, at: usize, out: &mut O) {
    match &input.ops[at] {
        Op::Packet(_) => tracker.track(input.view(at).expect("a packet"), out),
        Op::Expire(now) => {
            assert_eq!(tracker.expire(*now, usize::MAX, out), Progress::Done);
        }
        Op::End(key) => {
            tracker.end(key, out);
        }
    }
}

fn run(input: &Input, config: TrackerConfig) -> Vec<Call> {
    let mut tracker = Tracker::with_config(input.extractor.clone(), config);
    let mut calls = Calls::default();
    for at in 0..input.ops.len() {
        track(&mut tracker, input, at, &mut calls);
    }
    tracker.finish(EndReason::EndOfInput, &mut calls);
    calls.0
}

fn packets_only(settings: &Settings, steps: &[traffic::Step]) -> Input {
    let mut ops = traffic::play(settings, steps);
    ops.retain(|op| matches!(op, Op::Packet(_)));
    Input::new(ops)
}

fn without_limits(settings: Settings) -> Settings {
    Settings { max_flows: 1000, ..settings }
}

/// Events with their order; payload is not compared, shards do not have it.
#[derive(Default)]
struct Ordered(Vec<(EventOrder, Call)>);

impl FlowSink<u8, ()> for Ordered {
    fn event(&mut self, flow: Flow<'_, u8, ()>, change: Change) {
        let order = flow.order;
        let mut calls = Calls::default();
        calls.event(flow, change);
        self.0.extend(calls.0.into_iter().map(|call| (order, call)));
    }

    fn removed(&mut self, flow: Flow<'_, u8, ()>, reason: EndReason) {
        let order = flow.order;
        let mut calls = Calls::default();
        calls.removed(flow, reason);
        self.0.extend(calls.0.into_iter().map(|call| (order, call)));
    }
}

/// Deals the packets to shards as a reader would.
/// The batch that has room for another item.
fn current(batches: &mut Vec<(ShardBatch<u8>, usize)>, most: usize) -> &mut ShardBatch<u8> {
    if batches.last().is_none_or(|(_, items)| *items == most) {
        batches.push((ShardBatch::default(), 0));
    }
    let (batch, items) = batches.last_mut().expect("one was pushed");
    *items += 1;
    batch
}

fn sharded(
    settings: &Settings,
    input: &Input,
    shards: usize,
    batch: usize,
) -> Vec<Vec<(EventOrder, (EventOrder, Call))>> {
    let shards = NonZeroUsize::new(shards).expect("at least one");
    let config = settings.config();
    let mut clock = Clock::new(config.clock_config());
    let mut tables: Vec<FlowTable<u8>> =
        (0..shards.get()).map(|_| FlowTable::new(config.divided(shards))).collect();
    let mut batches: Vec<Vec<(ShardBatch<u8>, usize)>> = vec![Vec::new(); shards.get()];
    let mut tick = None;
    for at in 0..input.ops.len() {
        let (Op::Packet(packet), Some(view)) = (&input.ops[at], input.view(at)) else { continue };
        let moment = clock.observe(packet.ts);
        if moment.tick() > tick {
            tick = moment.tick();
            batches.iter_mut().for_each(|batches| current(batches, batch).advance(moment));
        }
        if let Some(found) = packet.found.filter(|found| found.fragment.is_none()) {
            let shard = usize::from(found.key) % shards;
            current(&mut batches[shard], batch).packet(&view, found, moment, usize::MAX, false);
        }
    }
    let shards = tables.iter_mut().zip(&mut batches).map(|(table, batches)| {
        let mut calls = Ordered::default();
        for (batch, _) in batches {
            table.track_shard(batch, &mut calls);
            assert!(batch.is_empty());
        }
        table.finish(EndReason::EndOfInput, clock.now(), &mut calls);
        calls.0.into_iter().map(|record| (record.0, record)).collect()
    });
    shards.collect()
}

/// What happened to each flow, without the place in the input of what time alone brought about.
fn by_flow(calls: Vec<Call>) -> Vec<Call> {
    let mut flows: BTreeMap<u64, Vec<Call>> = BTreeMap::new();
    for mut call in calls {
        if matches!(
            call.what,
            What::Ended(..) | What::Late(_) | What::Removed(..) | What::StateChange(..)
        ) {
            call.packet = 0;
        }
        flows.entry(call.flow).or_default().push(call);
    }
    flows.into_values().flatten().collect()
}

// -- Laws ----------------------------------------------------------------------------------------

/// Watches that every flow's life is one.
#[derive(Default)]
struct Lives {
    flows: BTreeMap<u64, Life>,
    /// Sum over all flows.
    packets: u64,
    last: EventOrder,
    out_of_order: bool,
    broken: Vec<String>,
}

struct Life {
    orientation: flowscope_core::Orientation,
    evidence: flowscope_track::InitiatorEvidence,
    state: FlowState,
    established: u32,
    interims: u32,
    ended: Option<EndReason>,
    late: bool,
    removed: bool,
    /// At `Ended` and `Late`.
    packets: u64,
}

impl Lives {
    fn law(&mut self, holds: bool, law: &str, flow: u64) {
        if !holds {
            self.broken.push(format!("flow {flow}: {law}"));
        }
    }
}

impl FlowSink<u8, ()> for Lives {
    fn event(&mut self, flow: Flow<'_, u8, ()>, change: Change) {
        let (id, stats) = (flow.id.0, flow.stats());
        let in_order = self.out_of_order || self.last <= flow.order;
        self.law(in_order, "calls come in their order", id);
        self.law(
            flow.order.phase != Phase::Expiry || !matches!(change, Change::Packet(_)),
            "no packet is an expiry",
            id,
        );
        self.last = flow.order;
        let counted = |sides: [u64; 2]| sides[0] + sides[1];
        if let Change::Started { evidence } = change {
            let life = Life {
                orientation: stats.orientation,
                evidence,
                state: stats.state,
                established: 0,
                interims: 0,
                ended: None,
                late: false,
                removed: false,
                packets: 0,
            };
            let before = self.flows.insert(id, life);
            self.law(before.is_none(), "is started once", id);
            return;
        }
        let Some(mut life) = self.flows.remove(&id) else {
            return self.law(false, "is started first", id);
        };
        self.law(stats.orientation == life.orientation, "keeps its initiator", id);
        self.law(stats.evidence == life.evidence, "keeps its evidence", id);
        self.law(!life.late, "ends with Late", id);
        let over = life.ended.is_some();
        self.law(!over || matches!(change, Change::Late), "has nothing but Late after", id);
        self.law(!life.removed, "has nothing after its removal", id);
        match change {
            Change::Established => {
                life.established += 1;
                self.law(life.established == 1, "is established once", id);
            }
            Change::StateChange { from, to } => {
                self.law(from == life.state && from != to, "goes from state to state", id);
                life.state = to;
            }
            Change::Interim { sequence } => {
                life.interims += 1;
                self.law(sequence == life.interims, "numbers its interim records", id);
            }
            Change::Ended { reason } => {
                let by_itself = matches!(reason, EndReason::Fin | EndReason::Rst);
                self.law(life.state.is_over() == by_itself, "says how it ended", id);
                self.law(stats.late.is_none(), "ends before anything is late", id);
                let sides = [&stats.initiator, &stats.responder];
                life.packets += counted(sides.map(|side| side.counters.packets));
                life.ended = Some(reason);
            }
            Change::Late => {
                life.late = true;
                match stats.late {
                    Some(late) => {
                        life.packets += counted(late.sides.map(|side| side.packets));
                    }
                    None => self.law(false, "has something late", id),
                }
            }
            _ => {}
        }
        self.flows.insert(id, life);
    }

    fn removed(&mut self, flow: Flow<'_, u8, ()>, reason: EndReason) {
        let (id, stats) = (flow.id.0, flow.stats());
        self.law(self.out_of_order || self.last <= flow.order, "is removed in order", id);
        self.last = flow.order;
        let Some(mut life) = self.flows.remove(&id) else {
            return self.law(false, "is started before it is removed", id);
        };
        self.law(!life.removed, "is removed once", id);
        self.law(life.ended == Some(reason), "is removed for the reason of its end", id);
        self.law(life.late == stats.late.is_some(), "is removed after Late", id);
        let counters = [&stats.initiator, &stats.responder].map(|side| side.counters.packets);
        self.law(life.packets == counters[0] + counters[1], "has all packets at removal", id);
        life.removed = true;
        self.packets += life.packets;
        self.flows.insert(id, life);
    }
}

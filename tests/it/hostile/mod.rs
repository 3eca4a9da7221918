//! Bad input through the driver: whatever comes, nothing panics, the ledger names every packet, memory
//! stays within its budget, and what others send at the same time is counted as if nothing were.

mod attacks;
mod clock;
mod damage;
mod large;
mod room;
mod tcp;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use flowscope::core::{Ledger, PacketView, Timestamp};
use flowscope::driver::{DriverConfig, FlowDriver};
use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope::track::{EndReason, FlowEvent, FlowStats};
use flowscope_testkit::Packet;
use flowscope_testkit::attacks::{Attack, Bystanders, interleave};

type Driver = FlowDriver<AutoDetectEncap<FiveTuple>>;

/// The default budgets of flow table and fragment pool.
const BUDGET: usize = (512 << 20) + (4 << 20);

/// When traffic begins.
const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// What a run came to.
struct Outcome {
    sent: u64,
    ledger: Ledger,
    /// By initiator, responder and protocol.
    flows: HashMap<(Place, Place, u8), Sum>,
    /// Most bytes held at a time.
    memory: usize,
    backwards: u64,
    bad_checksums: u64,
    keep: fn(IpAddr) -> bool,
}

type Place = (IpAddr, Option<u16>);

/// What all records of a five-tuple say together.
#[derive(Debug, Default)]
struct Sum {
    packets: [u64; 2],
    bytes: [u64; 2],
    ends: Vec<EndReason>,
    /// Records of what came after an end.
    late: usize,
}

fn driver(config: DriverConfig) -> Driver {
    FlowDriver::with_config(AutoDetectEncap(FiveTuple::bidirectional()), config)
}

/// Runs packets through a driver to the end of input, and checks what has to be true of any.
fn run(config: DriverConfig, budget: usize, packets: impl Iterator<Item = Packet>) -> Outcome {
    run_in_batches(64, config, budget, packets)
}

/// The same for batches of `size` packets.
fn run_in_batches(
    size: usize,
    config: DriverConfig,
    budget: usize,
    packets: impl Iterator<Item = Packet>,
) -> Outcome {
    run_for(|_| true, size, config, budget, packets)
}

/// The same, keeping only the flows whose initiator `keep` says to be of interest.
fn run_for(
    keep: fn(IpAddr) -> bool,
    size: usize,
    config: DriverConfig,
    budget: usize,
    packets: impl Iterator<Item = Packet>,
) -> Outcome {
    let mut driver = driver(config);
    let mut outcome = Outcome {
        sent: 0,
        ledger: Ledger::default(),
        flows: HashMap::new(),
        memory: 0,
        backwards: 0,
        bad_checksums: 0,
        keep,
    };
    let mut packets = packets.peekable();
    let mut totals = Totals::default();
    while packets.peek().is_some() {
        let batch: Vec<Packet> = packets.by_ref().take(size).collect();
        let views: Vec<PacketView<'_>> = batch.iter().map(Packet::view).collect();
        driver.handle_batch(&views);
        outcome.sent += batch.len() as u64;
        assert_eq!(driver.packets().seen() + driver.pending_fragments(), outcome.sent);
        outcome.memory = outcome.memory.max(driver.heap_bytes());
        while let Some(event) = driver.poll_event() {
            outcome.take(event, &mut totals);
        }
    }
    driver.finish(EndReason::EndOfInput);
    while let Some(event) = driver.poll_event() {
        outcome.take(event, &mut totals);
    }
    assert!(outcome.memory <= budget, "{} bytes held of {budget}", outcome.memory);
    outcome.ledger = driver.packets();
    outcome.backwards = driver.clock().backwards();
    outcome.bad_checksums = driver.checksums().bad;
    assert_eq!((driver.pending_fragments(), outcome.ledger.seen()), (0, outcome.sent));
    assert_eq!(totals.packets, outcome.ledger.delivered(), "records miss no packet");
    assert_eq!(totals.started, totals.ended, "every flow that began has ended");
    outcome
}

/// Of all events.
#[derive(Default)]
struct Totals {
    started: usize,
    ended: usize,
    packets: u64,
}

impl Outcome {
    fn take(&mut self, event: FlowEvent<FiveTupleKey>, totals: &mut Totals) {
        let (flow, stats, reason) = match event {
            FlowEvent::Ended { flow, reason, stats, .. } => (flow, stats, Some(reason)),
            FlowEvent::Late { flow, stats } => (flow, stats, None),
            other => {
                totals.started += usize::from(matches!(other, FlowEvent::Started { .. }));
                return;
            }
        };
        assert!(stats.first_seen <= stats.last_seen);
        let sides = counters(&stats, reason.is_none());
        totals.ended += usize::from(reason.is_some());
        totals.packets += sides[0].0 + sides[1].0;
        let (a, b) = flow.key.endpoints(stats.orientation);
        if !(self.keep)(a.addr) {
            return;
        }
        let place = ((a.addr, a.port), (b.addr, b.port), flow.key.proto().number());
        let sum = self.flows.entry(place).or_default();
        sum.ends.extend(reason);
        sum.late += usize::from(reason.is_none());
        for (side, (packets, bytes)) in sides.into_iter().enumerate() {
            sum.packets[side] += packets;
            sum.bytes[side] += bytes;
        }
    }

    /// Bystanders whose flows are counted as they were sent, each in one record; those that are not
    /// must be fragments.
    fn unharmed(&self, bystanders: Bystanders) -> (usize, usize) {
        let (mut right, mut all) = (0, 0);
        for sent in bystanders.flows() {
            let [a, b] = sent.ends.map(|end: SocketAddr| (end.ip(), Some(end.port())));
            let sum = self.flows.get(&(a, b, sent.protocol));
            let same = sum.is_some_and(|sum| {
                let ends = if sent.protocol == 6 { EndReason::Fin } else { EndReason::EndOfInput };
                (sum.packets, sum.bytes) == (sent.packets, sent.bytes) && sum.ends == [ends]
            });
            assert!(same || sent.fragmented, "{sent:?} came out as {sum:?}");
            if sent.fragmented {
                all += 1;
                right += usize::from(same);
            }
        }
        (right, all)
    }

    /// Packets counted in flows of bystanders.
    fn of_bystanders(&self) -> u64 {
        let theirs = self.flows.iter().filter(|((from, ..), _)| Bystanders::has(from.0));
        theirs.map(|(_, sum)| sum.packets[0] + sum.packets[1]).sum()
    }
}

/// Packets and wire bytes of both sides.
fn counters(stats: &FlowStats, late: bool) -> [(u64, u64); 2] {
    let sides = match stats.late {
        Some(late_stats) if late => late_stats.sides,
        _ => [stats.initiator.counters, stats.responder.counters],
    };
    sides.map(|side| (side.packets, side.wire_bytes))
}

/// An attack with bystanders among its packets, 100 000 of them a second.
fn with_bystanders(
    attack: Attack,
    bystanders: Bystanders,
    every: usize,
) -> impl Iterator<Item = Packet> {
    let step = Duration::from_micros(10);
    interleave(attack.packets, bystanders.packets(), every, START, step)
}

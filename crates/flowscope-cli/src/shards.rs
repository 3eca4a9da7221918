//! The trackers of all shards, and the threads they run on.
//!
//! What comes out does not depend on the number of threads: flows are dealt to a fixed number of
//! shards, and what the shards make of a round of packets is put back in order before it is
//! written. Rounds are packets in a row, so their output follows one another.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use flowscope::core::{Extracted, FlowSide, Ledger, Timestamp};
use flowscope::driver::{
    DriverConfig, PayloadCounts, Protocols, SessionChange, SessionShard, SessionSink,
};
use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope::protocols::Registry;
use flowscope::track::{
    Change, EndReason, EventOrder, Flow, FlowId, PacketTime, ShardBatch, merge,
};

use crate::error::Failure;
use crate::output::{Output, RecordFormat};
use crate::reading::AppRecord;

/// How many shards there are, always: the output depends on it where limits are reached.
pub(crate) const SHARDS: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");

/// Rounds that may be on their way through the threads; each is some thousand packets.
const IN_FLIGHT: usize = 4;

/// As many bytes of text are made of a shard's round at most. Records are smaller than their text,
/// so where a sweep ends a million flows at once the rest stay records until they are written.
const AHEAD: usize = 1 << 20;

/// About as many flows end in one round when the input does.
const ENDS: u64 = 1 << 15;

/// Lists of more records than this are given back once they are empty.
const KEPT: usize = 1 << 14;

pub(crate) type Extractor = AutoDetectEncap<FiveTuple>;
pub(crate) type Items = ShardBatch<FiveTupleKey>;

/// The trackers of all shards.
pub(crate) enum Shards<L: RecordFormat> {
    /// On the caller's thread.
    Here(Vec<Shard<L>>),
    /// On threads of their own.
    Threads(Threads<L>),
}

/// What all shards counted.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) packets: Ledger,
    pub(crate) payload: PayloadCounts,
    pub(crate) flows: u64,
    /// When a deadline passes if no packet comes before.
    pub(crate) due: Option<Timestamp>,
}

impl<L: RecordFormat> Shards<L> {
    /// Trackers for the whole configuration, on `workers` threads if that is more than one.
    pub(crate) fn new(
        config: &DriverConfig,
        workers: NonZeroUsize,
        layout: &L,
    ) -> Result<Self, Failure> {
        let config = config.divided(SHARDS);
        let shards = (0..SHARDS.get()).map(|_| Shard::new(&config, layout));
        Ok(match workers.get() {
            1 => Shards::Here(shards.collect()),
            n => Shards::Threads(Threads::new(shards, n.min(SHARDS.get()), layout)?),
        })
    }

    /// Tracks a round: one list for each shard, which are empty afterwards.
    pub(crate) fn round(
        &mut self,
        items: &mut [Items],
        out: &mut Output<L>,
    ) -> Result<(), Failure> {
        match self {
            Shards::Here(shards) => {
                for (shard, items) in shards.iter_mut().zip(items) {
                    shard.track(items);
                }
                write(shards.iter_mut().map(|shard| &mut shard.made), out)
            }
            Shards::Threads(threads) => threads.round(items, out),
        }
    }

    /// Waits for all rounds to be tracked and written.
    pub(crate) fn catch_up(&mut self, out: &mut Output<L>) -> Result<(), Failure> {
        match self {
            Shards::Here(_) => Ok(()),
            Shards::Threads(threads) => threads.collect(0, out),
        }
    }

    /// Ends all flows.
    pub(crate) fn finish(
        mut self,
        reason: EndReason,
        moment: PacketTime,
        out: &mut Output<L>,
    ) -> Result<Counted, Failure> {
        self.catch_up(out)?;
        // Ends of flows are written round by round like all else.
        let rounds = self.counted().flows / ENDS + 1;
        for round in 1..=rounds {
            let last = FlowId(match round {
                round if round == rounds => u64::MAX,
                round => {
                    (u128::from(moment.packet) * u128::from(round) / u128::from(rounds)) as u64
                }
            });
            match &mut self {
                Shards::Here(shards) => {
                    for shard in shards.iter_mut() {
                        shard.finish(reason, moment, last);
                    }
                    write(shards.iter_mut().map(|shard| &mut shard.made), out)?;
                }
                Shards::Threads(threads) => threads.finish(reason, moment, last, out)?,
            }
        }
        Ok(self.counted())
    }

    /// When a deadline passes if no packet comes before, as far as is known here.
    #[cfg(all(feature = "live", target_os = "linux"))]
    pub(crate) fn due(&self) -> Option<Timestamp> {
        match self {
            Shards::Here(shards) => {
                shards.iter().filter_map(|shard| shard.flows.table().next_deadline()).min()
            }
            Shards::Threads(threads) => {
                threads.workers.iter().filter_map(|worker| worker.counted.due).min()
            }
        }
    }

    /// What was counted so far, as far as is known here.
    pub(crate) fn counted(&self) -> Counted {
        let mut sum = Counted::default();
        match self {
            Shards::Here(shards) => shards.iter().for_each(|shard| sum.add(&shard.counted())),
            Shards::Threads(threads) => {
                threads.workers.iter().for_each(|worker| sum.add(&worker.counted));
            }
        }
        sum
    }
}

impl Counted {
    fn add(&mut self, other: &Counted) {
        self.packets.merge(&other.packets);
        self.payload.merge(&other.payload);
        self.flows += other.flows;
        self.due = self.due.into_iter().chain(other.due).min();
    }
}

/// One tracker, those who read its flows, and what they made.
pub(crate) struct Shard<L: RecordFormat> {
    flows: SessionShard<FiveTupleKey, Protocols<AppRecord, Registry>, L::State>,
    layout: L,
    made: ShardOutput<L>,
}

impl<L: RecordFormat> Shard<L> {
    fn new(config: &DriverConfig, layout: &L) -> Self {
        let state = |found: &Extracted<FiveTupleKey>| L::state(&found.key);
        let protocols = layout.reading().protocols().reassembly(config.stream_config().clone());
        let flows = SessionShard::new(protocols, config, state);
        Shard { flows, layout: layout.clone(), made: ShardOutput::default() }
    }

    fn track(&mut self, items: &mut Items) {
        let Shard { flows, layout, made } = self;
        flows.track(items, &mut ShardSink { made, layout });
    }

    fn finish(&mut self, reason: EndReason, moment: PacketTime, last: FlowId) {
        let Shard { flows, layout, made } = self;
        // The caller goes on until the last id.
        let _ = flows.finish_until(reason, moment, last, &mut ShardSink { made, layout });
    }

    fn counted(&self) -> Counted {
        Counted {
            packets: self.flows.packets().clone(),
            payload: self.flows.payload_counts(),
            flows: self.flows.table().stats().flows,
            due: self.flows.table().next_deadline(),
        }
    }
}

/// What a shard made of a round.
struct ShardOutput<L: RecordFormat> {
    /// Where each record belongs.
    orders: Vec<EventOrder>,
    records: Vec<L::Record>,
    /// Text of the first records, one after the other, and where each ends.
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl<L: RecordFormat> Default for ShardOutput<L> {
    fn default() -> Self {
        ShardOutput { orders: Vec::new(), records: Vec::new(), text: Vec::new(), ends: Vec::new() }
    }
}

/// A layout at work on what a shard lends.
struct ShardSink<'a, L: RecordFormat> {
    made: &'a mut ShardOutput<L>,
    layout: &'a L,
}

impl<L: RecordFormat> SessionSink<FiveTupleKey, AppRecord, L::State> for ShardSink<'_, L> {
    #[inline]
    fn wants_packets(&self) -> bool {
        L::PACKETS
    }

    #[inline]
    fn flow(&mut self, flow: Flow<'_, FiveTupleKey, L::State>, change: Change) {
        let order = flow.order;
        self.made.add(order, self.layout.record(flow, change));
    }

    fn session(&mut self, flow: Flow<'_, FiveTupleKey, L::State>, change: SessionChange) {
        let order = flow.order;
        self.made.add(order, self.layout.session(flow, change));
    }

    fn message(
        &mut self,
        flow: Flow<'_, FiveTupleKey, L::State>,
        side: FlowSide,
        message: AppRecord,
    ) {
        let order = flow.order;
        self.made.add(order, self.layout.message(flow, side, message));
    }

    fn removed(&mut self, flow: Flow<'_, FiveTupleKey, L::State>, reason: EndReason) {
        let order = flow.order;
        self.made.add(order, self.layout.removed(flow, reason));
    }
}

impl<L: RecordFormat> ShardOutput<L> {
    #[inline]
    fn add(&mut self, order: EventOrder, record: Option<L::Record>) {
        if let Some(record) = record {
            self.orders.push(order);
            self.records.push(record);
        }
    }

    /// Makes text of the first records.
    fn make_text(&mut self, layout: &mut L) {
        for record in &self.records {
            if self.text.len() >= AHEAD {
                break;
            }
            layout.write(record, &mut self.text);
            self.ends.push(self.text.len());
        }
    }

    fn write(&self, at: usize, out: &mut Output<L>) -> Result<(), Failure> {
        match self.ends.get(at) {
            Some(end) => {
                let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
                out.text(&self.text[start..*end])
            }
            None => out.record(&self.records[at]),
        }
    }

    fn clear(&mut self) {
        self.orders.clear();
        self.records.clear();
        self.text.clear();
        self.ends.clear();
        self.orders.shrink_to(KEPT);
        self.records.shrink_to(KEPT);
    }
}

/// Writes what the shards made, in the order of the input, and empties it.
fn write<'a, L: RecordFormat>(
    made: impl Iterator<Item = &'a mut ShardOutput<L>>,
    out: &mut Output<L>,
) -> Result<(), Failure> {
    let mut made: Vec<_> = made.collect();
    let places = made.iter().enumerate().map(|(shard, made)| {
        let places = made.orders.iter().enumerate();
        places.map(|(at, order)| (*order, (shard as u32, at as u32))).collect()
    });
    let mut written = Ok(());
    merge(places.collect(), |(shard, at): (u32, u32)| {
        if written.is_ok() {
            written = made[shard as usize].write(at as usize, out);
        }
    });
    made.iter_mut().for_each(|made| made.clear());
    written
}

/// Shards dealt out to threads, which get a round each and give back what they made of it.
pub(crate) struct Threads<L: RecordFormat> {
    /// Shard `i` belongs to worker `i % workers.len()`.
    workers: Vec<Worker<L>>,
    in_flight: usize,
    /// Storage to be used again.
    items: Vec<Items>,
}

struct Worker<L: RecordFormat> {
    todo: SyncSender<Todo<L>>,
    done: Receiver<Done<L>>,
    thread: Option<JoinHandle<()>>,
    counted: Counted,
    /// Storage to be used again.
    made: Vec<Vec<ShardOutput<L>>>,
}

enum Todo<L: RecordFormat> {
    /// A list of items for each shard of the worker, and storage for what it makes of them.
    Round(Vec<Items>, Vec<ShardOutput<L>>),
    /// End the flows up to this id; storage as above.
    Finish(EndReason, PacketTime, FlowId, Vec<ShardOutput<L>>),
}

struct Done<L: RecordFormat> {
    made: Vec<ShardOutput<L>>,
    /// The lists of the round, empty.
    items: Vec<Items>,
    counted: Counted,
}

impl<L: RecordFormat> Threads<L> {
    fn new(
        shards: impl Iterator<Item = Shard<L>>,
        workers: usize,
        layout: &L,
    ) -> Result<Self, Failure> {
        let mut dealt: Vec<Vec<Shard<L>>> = (0..workers).map(|_| Vec::new()).collect();
        for (at, shard) in shards.enumerate() {
            dealt[at % workers].push(shard);
        }
        let workers = dealt.into_iter().map(|shards| Worker::start(shards, layout.clone()));
        let workers = workers.collect::<Result<_, _>>()?;
        Ok(Threads { workers, in_flight: 0, items: Vec::new() })
    }

    fn round(&mut self, items: &mut [Items], out: &mut Output<L>) -> Result<(), Failure> {
        self.collect(IN_FLIGHT - 1, out)?;
        let n = self.workers.len();
        for (at, worker) in self.workers.iter_mut().enumerate() {
            let mine = items.iter_mut().skip(at).step_by(n);
            let mine =
                mine.map(|items| std::mem::replace(items, self.items.pop().unwrap_or_default()));
            let storage = worker.made.pop().unwrap_or_default();
            worker.send(Todo::Round(mine.collect(), storage))?;
        }
        self.in_flight += 1;
        Ok(())
    }

    fn finish(
        &mut self,
        reason: EndReason,
        moment: PacketTime,
        last: FlowId,
        out: &mut Output<L>,
    ) -> Result<(), Failure> {
        for worker in &mut self.workers {
            let storage = worker.made.pop().unwrap_or_default();
            worker.send(Todo::Finish(reason, moment, last, storage))?;
        }
        self.in_flight += 1;
        self.collect(0, out)
    }

    /// Writes the oldest rounds until at most `left` are on their way.
    fn collect(&mut self, left: usize, out: &mut Output<L>) -> Result<(), Failure> {
        while self.in_flight > left {
            let mut round = Vec::with_capacity(self.workers.len());
            for worker in &mut self.workers {
                let done = worker.receive()?;
                self.items.extend(done.items);
                worker.counted = done.counted;
                round.push(done.made);
            }
            self.in_flight -= 1;
            write(round.iter_mut().flatten(), out)?;
            for (worker, made) in self.workers.iter_mut().zip(round) {
                worker.made.push(made);
            }
        }
        Ok(())
    }
}

impl<L: RecordFormat> Worker<L> {
    fn start(shards: Vec<Shard<L>>, layout: L) -> Result<Self, Failure> {
        // The channels hold whatever can be on its way, so that sending never blocks.
        let (todo, work) = sync_channel(IN_FLIGHT + 1);
        let (results, done) = sync_channel(IN_FLIGHT + 1);
        let thread = thread::Builder::new().name("flowscope-worker".into());
        let thread = thread.spawn(move || worker_loop(shards, layout, &work, &results));
        let thread = thread.map_err(|error| Failure::Worker(error.to_string()))?;
        Ok(Worker {
            todo,
            done,
            thread: Some(thread),
            counted: Counted::default(),
            made: Vec::new(),
        })
    }

    fn send(&mut self, todo: Todo<L>) -> Result<(), Failure> {
        self.todo.send(todo).map_err(|_| self.failed())
    }

    fn receive(&mut self) -> Result<Done<L>, Failure> {
        self.done.recv().map_err(|_| self.failed())
    }

    /// Why the thread is gone, which leaves only when it is told to.
    fn failed(&mut self) -> Failure {
        let panic = self.thread.take().and_then(|thread| thread.join().err());
        let said = panic.as_ref().and_then(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            text.or_else(|| panic.downcast_ref::<&str>().copied())
        });
        Failure::Worker(said.unwrap_or("no reason given").to_owned())
    }
}

/// What a worker thread does until nobody has work for it.
fn worker_loop<L: RecordFormat>(
    mut shards: Vec<Shard<L>>,
    mut layout: L,
    work: &Receiver<Todo<L>>,
    results: &SyncSender<Done<L>>,
) {
    for todo in work {
        let (mut items, storage, finish) = match todo {
            Todo::Round(items, storage) => (items, storage, None),
            Todo::Finish(reason, moment, last, storage) => {
                (Vec::new(), storage, Some((reason, moment, last)))
            }
        };
        let mut storage = storage.into_iter();
        for (at, shard) in shards.iter_mut().enumerate() {
            shard.made = storage.next().unwrap_or_default();
            if let Some((reason, moment, last)) = finish {
                shard.finish(reason, moment, last);
            } else if let Some(items) = items.get_mut(at) {
                shard.track(items);
            }
            if layout.portable() {
                shard.made.make_text(&mut layout);
            }
        }
        let mut counted = Counted::default();
        shards.iter().for_each(|shard| counted.add(&shard.counted()));
        let made = shards.iter_mut().map(|shard| std::mem::take(&mut shard.made)).collect();
        if results.send(Done { made, items, counted }).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use flowscope::core::{FlowSide, Timestamp};
    use flowscope::driver::Router;
    use flowscope_testkit::{Dialogue, views};

    use super::*;
    use crate::output::Totals;
    use crate::reading::PayloadMode;

    /// Fails at the first event.
    #[derive(Clone)]
    struct Bomb;

    impl RecordFormat for Bomb {
        type State = ();
        type Record = ();
        fn state(_: &FiveTupleKey) {}
        fn reading(&self) -> PayloadMode {
            PayloadMode::Recognise
        }
        fn record(&self, _: Flow<'_, FiveTupleKey, ()>, _: Change) -> Option<()> {
            panic!("boom")
        }
        fn begin(&mut self, _: Timestamp, _: &mut Vec<u8>) {}
        fn write(&mut self, (): &(), _: &mut Vec<u8>) {}
        fn end(&mut self, _: &Totals, _: &mut Vec<u8>) {}
    }

    #[test]
    fn a_worker_that_panics_is_an_error_and_no_hang() {
        let config = DriverConfig::default();
        let extractor = AutoDetectEncap(FiveTuple::bidirectional());
        let mut router = Router::new(extractor, &config, SHARDS, FiveTupleKey::shard_hash);
        let mut items: Vec<Items> = (0..SHARDS.get()).map(|_| Items::default()).collect();
        let mut out = Output::open(Bomb, None).unwrap();
        let three = NonZeroUsize::new(3).unwrap();
        let mut shards = Shards::new(&config, three, &Bomb).unwrap();
        let packets =
            Dialogue::tcp("10.0.0.1:1", "10.0.0.2:2").handshake().fin(FlowSide::Initiator).build();
        let mut failure = None;
        for _ in 0..2 * IN_FLIGHT {
            views(&packets).for_each(|view| router.route(view, &mut items));
            if let Err(why) = shards.round(&mut items, &mut out) {
                failure = Some(why);
                break;
            }
        }
        assert!(matches!(failure, Some(Failure::Worker(why)) if why == "boom"));
    }
}

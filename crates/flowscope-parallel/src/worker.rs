use std::hash::Hash;
use std::mem;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use flowscope_core::Timestamp;
use flowscope_driver::{Classifier, SessionShard};
use flowscope_track::{EndReason, FlowId, PacketTime, ShardBatch, Shunt, Shunting};

use crate::error::WorkerError;
use crate::merge::{Merged, ShardOutput, write};
use crate::recorder::Recorder;
use crate::shard::{Counts, Shard};

/// Rounds that are on their way through the workers at most.
const IN_FLIGHT: usize = 4;

/// Shards on worker threads. Each worker gets its part of a round and gives back the records.
pub(crate) struct Workers<K, R> {
    /// Shard `i` belongs to worker `i % workers.len()`.
    workers: Vec<Worker<K, R>>,
    in_flight: usize,
    /// Empty batches, to be used again.
    batches: Vec<ShardBatch<K>>,
}

struct Worker<K, R> {
    jobs: SyncSender<Job<K, R>>,
    results: Receiver<JobResult<K, R>>,
    thread: Option<JoinHandle<()>>,
    counts: Counts,
    /// Empty lists, to be used again.
    outputs: Vec<Vec<ShardOutput<R>>>,
}

enum Job<K, R> {
    /// A batch for each shard of the worker, and lists for their records.
    Round(Vec<ShardBatch<K>>, Vec<ShardOutput<R>>),
    /// Has packets of flows counted by a capture, one for each shard of the worker. Without a result.
    Shunt(Vec<Box<dyn Shunt<K> + Send>>, Shunting),
    /// Do what is due at this time; lists as above.
    Expire(PacketTime, Vec<ShardOutput<R>>),
    /// End the flows up to this id; lists as above.
    Finish(EndReason, PacketTime, FlowId, Vec<ShardOutput<R>>),
}

struct JobResult<K, R> {
    outputs: Vec<ShardOutput<R>>,
    /// The batches of the round, empty.
    batches: Vec<ShardBatch<K>>,
    counts: Counts,
}

impl<K: Hash + Eq + Clone + Send + 'static, T: Send + 'static> Workers<K, T> {
    /// Starts `workers` threads.
    pub(crate) fn start<C, R>(
        shards: impl Iterator<Item = Shard<K, C, R>>,
        workers: usize,
        recorder: &R,
    ) -> Result<Self, WorkerError>
    where
        C: Classifier<K> + 'static,
        R: Recorder<K, C::Message, Record = T>,
        SessionShard<K, C, R::State>: Send + 'static,
    {
        let mut dealt: Vec<Vec<Shard<K, C, R>>> = (0..workers).map(|_| Vec::new()).collect();
        for (at, shard) in shards.enumerate() {
            dealt[at % workers].push(shard);
        }
        let workers = dealt.into_iter().map(|shards| Worker::start(shards, recorder.clone()));
        let workers = workers.collect::<Result<_, _>>()?;
        Ok(Workers { workers, in_flight: 0, batches: Vec::new() })
    }

    /// Has packets of flows counted by captures: `make` is called for each shard.
    pub(crate) fn shunt_with(
        &mut self,
        shards: usize,
        mut make: impl FnMut() -> Box<dyn Shunt<K> + Send>,
        which: Shunting,
    ) {
        let n = self.workers.len();
        for (at, worker) in self.workers.iter_mut().enumerate() {
            let by = (at..shards).step_by(n).map(|_| make()).collect();
            // The next round reports a worker that has panicked.
            let _ = worker.jobs.send(Job::Shunt(by, which));
        }
    }

    /// Sends a round to the workers, and writes the oldest one if too many are on their way.
    pub(crate) fn round<X: From<WorkerError>>(
        &mut self,
        batches: &mut [ShardBatch<K>],
        out: &mut impl FnMut(Merged<'_, T>) -> Result<(), X>,
    ) -> Result<(), X> {
        self.collect(IN_FLIGHT - 1, out)?;
        let n = self.workers.len();
        for (at, worker) in self.workers.iter_mut().enumerate() {
            let mine = batches.iter_mut().skip(at).step_by(n);
            let mine =
                mine.map(|batch| mem::replace(batch, self.batches.pop().unwrap_or_default()));
            let outputs = worker.outputs.pop().unwrap_or_default();
            worker.send(Job::Round(mine.collect(), outputs))?;
        }
        self.in_flight += 1;
        Ok(())
    }

    /// Does what is due at `now`, and writes its records.
    pub(crate) fn expire<X: From<WorkerError>>(
        &mut self,
        now: PacketTime,
        out: &mut impl FnMut(Merged<'_, T>) -> Result<(), X>,
    ) -> Result<(), X> {
        for worker in &mut self.workers {
            let outputs = worker.outputs.pop().unwrap_or_default();
            worker.send(Job::Expire(now, outputs))?;
        }
        self.in_flight += 1;
        self.collect(0, out)
    }

    /// Ends the flows up to the id `last`, and writes their records.
    pub(crate) fn finish<X: From<WorkerError>>(
        &mut self,
        reason: EndReason,
        now: PacketTime,
        last: FlowId,
        out: &mut impl FnMut(Merged<'_, T>) -> Result<(), X>,
    ) -> Result<(), X> {
        for worker in &mut self.workers {
            let outputs = worker.outputs.pop().unwrap_or_default();
            worker.send(Job::Finish(reason, now, last, outputs))?;
        }
        self.in_flight += 1;
        self.collect(0, out)
    }

    /// Writes the oldest rounds until at most `left` are on their way.
    pub(crate) fn collect<X: From<WorkerError>>(
        &mut self,
        left: usize,
        out: &mut impl FnMut(Merged<'_, T>) -> Result<(), X>,
    ) -> Result<(), X> {
        while self.in_flight > left {
            let mut round = Vec::with_capacity(self.workers.len());
            for worker in &mut self.workers {
                let result = worker.receive()?;
                self.batches.extend(result.batches);
                worker.counts = result.counts;
                round.push(result.outputs);
            }
            self.in_flight -= 1;
            write(round.iter_mut().flatten(), out)?;
            for (worker, outputs) in self.workers.iter_mut().zip(round) {
                worker.outputs.push(outputs);
            }
        }
        Ok(())
    }

    /// The next deadline of a flow, as of the last round that was written.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.workers.iter().filter_map(|worker| worker.counts.deadline).min()
    }

    /// The counters after the last round that was written.
    pub(crate) fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.workers.iter().for_each(|worker| sum.add(&worker.counts));
        sum
    }
}

impl<K: Hash + Eq + Clone + Send + 'static, T: Send + 'static> Worker<K, T> {
    fn start<C, R>(shards: Vec<Shard<K, C, R>>, recorder: R) -> Result<Self, WorkerError>
    where
        C: Classifier<K> + 'static,
        R: Recorder<K, C::Message, Record = T>,
        SessionShard<K, C, R::State>: Send + 'static,
    {
        // The channels have room for all rounds on their way, so that sending never blocks.
        let (jobs, work) = sync_channel(IN_FLIGHT + 1);
        let (done, results) = sync_channel(IN_FLIGHT + 1);
        let thread = thread::Builder::new().name("flowscope-worker".into());
        let thread = thread.spawn(move || run(shards, recorder, &work, &done));
        let thread = thread.map_err(|error| WorkerError::new(error.to_string()))?;
        let (counts, outputs) = (Counts::default(), Vec::new());
        Ok(Worker { jobs, results, thread: Some(thread), counts, outputs })
    }

    fn send(&mut self, job: Job<K, T>) -> Result<(), WorkerError> {
        self.jobs.send(job).map_err(|_| self.failed())
    }

    fn receive(&mut self) -> Result<JobResult<K, T>, WorkerError> {
        self.results.recv().map_err(|_| self.failed())
    }

    /// The error of a thread that has left before its channels were closed.
    fn failed(&mut self) -> WorkerError {
        let panic = self.thread.take().and_then(|thread| thread.join().err());
        let message = panic.as_ref().and_then(|panic| {
            let text = panic.downcast_ref::<&str>().copied();
            text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        });
        WorkerError::new(message.unwrap_or("no reason given"))
    }
}

/// The loop of a worker thread, until the channels are closed.
fn run<K, C, R, T>(
    mut shards: Vec<Shard<K, C, R>>,
    mut recorder: R,
    jobs: &Receiver<Job<K, T>>,
    results: &SyncSender<JobResult<K, T>>,
) where
    K: Hash + Eq + Clone,
    C: Classifier<K>,
    R: Recorder<K, C::Message, Record = T>,
{
    for job in jobs {
        let (mut batches, outputs, end) = match job {
            Job::Shunt(by, which) => {
                let shards = shards.iter_mut().zip(by);
                shards.for_each(|(shard, by)| shard.flows.shunt_with(by, which));
                continue;
            }
            Job::Round(batches, outputs) => (batches, outputs, None),
            Job::Expire(now, outputs) => (Vec::new(), outputs, Some((now, None))),
            Job::Finish(reason, now, last, outputs) => {
                (Vec::new(), outputs, Some((now, Some((reason, last)))))
            }
        };
        let mut outputs = outputs.into_iter();
        for (at, shard) in shards.iter_mut().enumerate() {
            shard.output = outputs.next().unwrap_or_default();
            if let Some((now, finish)) = end {
                match finish {
                    Some((reason, last)) => shard.finish(reason, now, last),
                    None => shard.expire(now),
                }
            } else if let Some(batch) = batches.get_mut(at) {
                shard.track(batch);
            }
            if recorder.encodes() {
                shard.output.encode(|record, out| recorder.encode(record, out));
            }
        }
        let mut counts = Counts::default();
        shards.iter().for_each(|shard| counts.add(&shard.counts()));
        let outputs = shards.iter_mut().map(|shard| mem::take(&mut shard.output)).collect();
        if results.send(JobResult { outputs, batches, counts }).is_err() {
            return;
        }
    }
}

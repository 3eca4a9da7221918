use std::num::NonZeroUsize;

use flowscope_core::{FlowExtractor, Ledger, PacketView, Timestamp, UnreadHeaders};
use flowscope_driver::{
    ChecksumStats, Classifier, DriverConfig, PayloadCounts, Router, SessionShard,
};
use flowscope_track::{Clock, EndReason, FlowId, ShardBatch, Shunt, ShuntRefusal, Shunting};

use crate::error::WorkerError;
use crate::local::LocalInput;
use crate::merge::{Merged, write};
use crate::recorder::Recorder;
use crate::shard::{Counts, SHARDS, Shard};
use crate::worker::Workers;

/// Packets of a full round: enough to spread its cost, few enough to stay in the cache.
const ROUND_PACKETS: usize = 2048;

/// Bytes of copied payload that make a round full too.
const ROUND_BYTES: usize = 4 << 20;

/// About as many flows are ended in one round at the end of the input.
const ROUND_ENDS: u64 = 1 << 15;

/// Packets in, records out in the order of the input, from several workers.
///
/// Give it packets by [`handle_batch`](Self::handle_batch), and call [`flush`](Self::flush) whenever
/// [`is_round_full`](Self::is_round_full). Records come out of `flush`, [`drain`](Self::drain),
/// [`handle_timeout`](Self::handle_timeout) and [`finish`](Self::finish), whose callback gets each as a
/// [`Merged`]. Where rounds are cut changes no output.
///
/// The extractor runs on the caller's thread, everything else in the shards. Memory: the limits of
/// [`DriverConfig`], and the packets and records of four rounds.
pub struct ParallelDriver<E: FlowExtractor, C: Classifier<E::Key>, R: Recorder<E::Key, C::Message>>
{
    router: Router<E, fn(&E::Key) -> u64>,
    shards: Shards<E::Key, C, R>,
    keep: usize,
    /// Packets since the last round.
    waiting: usize,
}

enum Shards<K, C: Classifier<K>, R: Recorder<K, C::Message>> {
    /// On the caller's thread.
    Local(Vec<Shard<K, C, R>>),
    /// On worker threads, with the batches of the round that is filled.
    Threads(Workers<K, R::Record>, Vec<ShardBatch<K>>),
}

impl<E, C, R> ParallelDriver<E, C, R>
where
    E: FlowExtractor,
    C: Classifier<E::Key> + 'static,
    R: Recorder<E::Key, C::Message>,
    SessionShard<E::Key, C, R::State>: Send,
{
    /// Creates a driver on this many workers, at most [`SHARDS`].
    ///
    /// `hash` distributes the flows: it must be the same on every run, and equal for both directions of
    /// a flow. `classifier` is called once for each shard, with the shard's part of `config`.
    ///
    /// # Errors
    ///
    /// When a thread cannot be started.
    pub fn new(
        extractor: E,
        config: &DriverConfig,
        workers: NonZeroUsize,
        hash: fn(&E::Key) -> u64,
        mut classifier: impl FnMut(&DriverConfig) -> C,
        recorder: &R,
    ) -> Result<Self, WorkerError> {
        let keep = usize::MAX;
        let router = Router::new(extractor, config, SHARDS, hash).keep_payload(keep);
        let config = config.divided(SHARDS);
        let classifiers: Vec<_> = (0..SHARDS.get()).map(|_| classifier(&config)).collect();
        let announcers = classifiers.first().map(C::announcers).unwrap_or_default();
        let router = router.following(announcers);
        let shards = classifiers
            .into_iter()
            .map(|classifier| Shard::new(classifier, &config, recorder, E::endpoints));
        let shards = match workers.min(SHARDS).get() {
            1 => Shards::Local(shards.collect()),
            n => Shards::Threads(
                Workers::start(shards, n, recorder)?,
                (0..SHARDS.get()).map(|_| ShardBatch::default()).collect(),
            ),
        };
        Ok(ParallelDriver { router, shards, keep, waiting: 0 })
    }

    /// Bytes of each packet's payload that parsers get; all by default. The rest counts as cut by the
    /// capture. Of UDP datagrams, which protocols are recognised by as a whole, parsers get all unless it is 0.
    #[must_use]
    pub fn keep_payload(mut self, bytes: usize) -> Self {
        self.keep = bytes;
        self.router = self.router.keep_payload(bytes);
        self
    }

    /// Has packets of flows counted by a capture, with the same records but for what they say of that:
    /// all flows that `which` says. `make` is called for each shard. Call this once, before the first packet.
    ///
    /// What the capture counted is in [`counts`](Self::counts), and in the ledgers under
    /// [`Loss::Shunted`](flowscope_core::Loss::Shunted). Packets that it kept back have no number, so ids of
    /// flows that start later are smaller.
    ///
    /// # Errors
    ///
    /// [`ShuntRefusal::Checksums`] if checksums are verified.
    pub fn shunt_with(
        &mut self,
        mut make: impl FnMut() -> Box<dyn Shunt<E::Key> + Send>,
        which: Shunting,
    ) -> Result<(), ShuntRefusal> {
        self.router.may_shunt()?;
        match &mut self.shards {
            Shards::Local(shards) => {
                shards.iter_mut().for_each(|shard| shard.flows.shunt_with(make(), which));
            }
            Shards::Threads(workers, _) => workers.shunt_with(SHARDS.get(), make, which),
        }
        Ok(())
    }

    /// Takes packets in capture order.
    pub fn handle_batch(&mut self, packets: &[PacketView<'_>]) {
        self.waiting += packets.len();
        match &mut self.shards {
            Shards::Local(shards) => {
                let mut input = LocalInput { shards, packets, at: 0, keep: self.keep };
                for (at, packet) in packets.iter().enumerate() {
                    input.at = at;
                    self.router.route_to(*packet, &mut input);
                }
                input.flush_all();
            }
            Shards::Threads(_, batches) => {
                packets.iter().for_each(|packet| self.router.route(*packet, batches));
            }
        }
    }

    /// Counts a packet of the input that is not tracked, as one that a filter refuses: packets behind it,
    /// and the flows that they start, keep the numbers they have without the filter.
    pub fn skip(&mut self) {
        self.router.skip();
    }

    /// Whether enough packets wait for a [`flush`](Self::flush).
    #[must_use]
    pub fn is_round_full(&self) -> bool {
        let bytes = || match &self.shards {
            Shards::Local(_) => 0,
            Shards::Threads(_, batches) => batches.iter().map(ShardBatch::payload_bytes).sum(),
        };
        self.waiting >= ROUND_PACKETS || bytes() >= ROUND_BYTES
    }

    /// Passes the waiting packets on to the workers, and writes records that are complete.
    ///
    /// # Errors
    ///
    /// An error of `out`, after which the driver is of no further use; and a [`WorkerError`] when a
    /// worker panicked. With one worker the panic is the caller's.
    pub fn flush<X: From<WorkerError>>(
        &mut self,
        out: &mut impl FnMut(Merged<'_, R::Record>) -> Result<(), X>,
    ) -> Result<(), X> {
        self.waiting = 0;
        match &mut self.shards {
            Shards::Local(shards) => write(shards.iter_mut().map(|shard| &mut shard.output), out),
            Shards::Threads(workers, batches) => workers.round(batches, out),
        }
    }

    /// Passes the waiting packets on, and waits for all records of all packets so far.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    pub fn drain<X: From<WorkerError>>(
        &mut self,
        out: &mut impl FnMut(Merged<'_, R::Record>) -> Result<(), X>,
    ) -> Result<(), X> {
        if self.waiting > 0 {
            self.flush(out)?;
        }
        match &mut self.shards {
            Shards::Local(_) => Ok(()),
            Shards::Threads(workers, _) => workers.collect(0, out),
        }
    }

    /// The packet time at which [`handle_timeout`](Self::handle_timeout) next has work if no packet
    /// comes before; exact after a [`drain`](Self::drain).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.shards {
            Shards::Local(shards) => shards.iter().filter_map(Shard::deadline).min(),
            Shards::Threads(workers, _) => workers.deadline(),
        }
    }

    /// Packet time has reached `now` without a packet: does all that is due, and writes its records.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    pub fn handle_timeout<X: From<WorkerError>>(
        &mut self,
        now: Timestamp,
        out: &mut impl FnMut(Merged<'_, R::Record>) -> Result<(), X>,
    ) -> Result<(), X> {
        // A round of its own: its records stand behind those of all packets so far.
        self.drain(out)?;
        let now = match &mut self.shards {
            Shards::Local(shards) => {
                let input = &mut LocalInput { shards, packets: &[], at: 0, keep: self.keep };
                self.router.handle_timeout_to(now, input)
            }
            Shards::Threads(_, batches) => self.router.handle_timeout(now, batches),
        };
        self.flush(out)?;
        self.drain(out)?;
        // Packets let some of what is due wait, which `poll_timeout` does not.
        match &mut self.shards {
            Shards::Local(shards) => {
                shards.iter_mut().for_each(|shard| shard.expire(now));
                write(shards.iter_mut().map(|shard| &mut shard.output), out)
            }
            Shards::Threads(workers, _) => workers.expire(now, out),
        }
    }

    /// Ends all flows, writes the last records, and returns the counters.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    pub fn finish<X: From<WorkerError>>(
        &mut self,
        reason: EndReason,
        out: &mut impl FnMut(Merged<'_, R::Record>) -> Result<(), X>,
    ) -> Result<Counts, X> {
        self.drain(out)?;
        self.router.finish();
        let now = self.router.clock().now();
        let rounds = self.counts().flows / ROUND_ENDS + 1;
        for round in 1..=rounds {
            let last = FlowId(match round {
                round if round == rounds => u64::MAX,
                round => (u128::from(now.packet) * u128::from(round) / u128::from(rounds)) as u64,
            });
            match &mut self.shards {
                Shards::Local(shards) => {
                    shards.iter_mut().for_each(|shard| shard.finish(reason, now, last));
                    write(shards.iter_mut().map(|shard| &mut shard.output), out)?;
                }
                Shards::Threads(workers, _) => workers.finish(reason, now, last, out)?,
            }
        }
        Ok(self.counts())
    }

    /// The counters of the shards, up to the last round that was written.
    #[must_use]
    pub fn counts(&self) -> Counts {
        match &self.shards {
            Shards::Local(shards) => {
                let mut sum = Counts::default();
                shards.iter().for_each(|shard| sum.add(&shard.counts()));
                sum
            }
            Shards::Threads(workers, _) => workers.counts(),
        }
    }

    /// The ledger of the packets that reached no shard; see [`Counts::packets`] for the others.
    #[must_use]
    pub fn refused(&self) -> Ledger {
        self.router.refused()
    }

    /// What the packets were that are [no flow](flowscope_core::Loss::NotAFlow) or of an
    /// [unknown link type](flowscope_core::Loss::LinkUnsupported), by Ethertype, LLC address or link type.
    #[must_use]
    pub fn unread(&self) -> &UnreadHeaders {
        self.router.unread()
    }

    /// The payload ledger, in bytes; `payload` is [`Counts::payload`].
    #[must_use]
    pub fn bytes(&self, payload: PayloadCounts) -> Ledger {
        self.router.bytes(payload)
    }

    /// Results of checksum verification.
    #[must_use]
    pub fn checksums(&self) -> ChecksumStats {
        self.router.checksums()
    }

    /// The packet clock: number of packets, watermark, timestamps that went backwards.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.router.clock()
    }
}

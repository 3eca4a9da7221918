//! One run: packets in, records out.

use std::num::NonZeroUsize;

use flowscope::core::{Ledger, PacketView, Timestamp};
use flowscope::driver::Router;
use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope::track::EndReason;
use flowscope_filter::Filter;

use crate::args::Running;
use crate::error::{Failure, Status};
use crate::output::{Capture, Output, RecordFormat, Totals, count};
use crate::progress::{Progress, Shown};
use crate::say;
use crate::shards::{Extractor, Items, SHARDS, Shards};

/// Packets of a round: enough to amortise its cost, few enough to stay in the cache.
const ROUND: u64 = 2048;

/// Payload bytes that end a round early, because packets may be large.
const ROUND_BYTES: usize = 4 << 20;

type Route = Router<Extractor, fn(&FiveTupleKey) -> u64>;

/// Processing of packets from any source, from the first to the last.
pub(crate) struct Run<'a, L: RecordFormat> {
    args: &'a Running,
    filter: Option<Filter>,
    router: Route,
    items: Vec<Items>,
    shards: Shards<L>,
    out: Output<L>,
    progress: Progress,
    /// Packets in the current round.
    waiting: u64,
    /// Whether output of earlier packets was not written yet.
    behind: bool,
    /// Packets that passed the filter.
    taken: u64,
    wire_bytes: u64,
}

/// End of a run, with the counters of its source.
pub(crate) struct Ending {
    /// Most severe status so far.
    pub(crate) status: Status,
    /// End reason of flows that are still open.
    pub(crate) reason: EndReason,
    /// Packets lost by the source.
    pub(crate) lost: Ledger,
    /// Packets dropped before the capture was written, by interfaces and by operating systems.
    pub(crate) dropped_before: [u64; 2],
    /// Additional line with the counters of the source.
    pub(crate) line: Option<String>,
    /// Time of the statistics if there was no packet.
    pub(crate) now: Timestamp,
}

impl<'a, L: RecordFormat> Run<'a, L> {
    /// Prepares a run. `total` is the size of all capture files, if known.
    pub(crate) fn new(
        args: &'a Running,
        out: Output<L>,
        workers: NonZeroUsize,
        total: Option<u64>,
    ) -> Result<Self, Failure> {
        let config = args.tracking.driver();
        let layout = out.layout();
        let streams = layout.streams(config.stream_config().clone());
        let config = config.streams(streams).stream_share(layout.reading().share());
        let extractor = AutoDetectEncap(FiveTuple::bidirectional());
        Ok(Run {
            args,
            filter: args.filter.clone(),
            router: Router::new(extractor, &config, SHARDS, FiveTupleKey::shard_hash as _)
                .keep_payload(layout.reading().bytes()),
            items: (0..SHARDS.get()).map(|_| Items::default()).collect(),
            shards: Shards::new(&config, workers, &layout)?,
            progress: Progress::new(total, args.quiet || out.is_terminal()),
            out,
            waiting: 0,
            behind: false,
            taken: 0,
            wire_bytes: 0,
        })
    }

    /// Disables filtering, because the source filters.
    #[cfg(all(feature = "live", target_os = "linux"))]
    #[must_use]
    pub(crate) fn filtered_before(mut self) -> Self {
        self.filter = None;
        self
    }

    /// Processes packets.
    #[inline]
    pub(crate) fn take(&mut self, views: &[PacketView<'_>]) {
        let Run { filter, router, items, out, .. } = self;
        let (mut taken, mut bytes) = (0, 0);
        for view in views {
            if filter.as_mut().is_some_and(|filter| !filter.matches(*view)) {
                continue;
            }
            out.begin(view.ts());
            router.route(*view, items);
            taken += 1;
            bytes += u64::from(view.wire_len());
        }
        self.waiting += taken;
        self.behind |= taken > 0;
        self.taken += taken;
        self.wire_bytes += bytes;
    }

    /// Whether [`catch_up`](Self::catch_up) has something to do.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind
    }

    /// Whether enough packets wait for a round.
    pub(crate) fn is_round_full(&self) -> bool {
        let bytes = || self.items.iter().map(Items::payload_bytes).sum::<usize>();
        self.waiting >= ROUND || bytes() >= ROUND_BYTES
    }

    /// Completes the current round. `position` is the number of bytes read from capture files, if
    /// any.
    pub(crate) fn round(&mut self, position: Option<u64>) -> Result<(), Failure> {
        self.shards.round(&mut self.items, &mut self.out)?;
        self.waiting = 0;
        let Run { progress, router, shards, taken, wire_bytes, .. } = self;
        progress.show(|| {
            let counted = shards.counted();
            let lost = router.refused().seen();
            let position = position.unwrap_or(*wire_bytes);
            Shown { position, packets: *taken, flows: counted.flows, lost }
        });
        Ok(())
    }

    /// Writes the output of all packets so far.
    pub(crate) fn catch_up(&mut self, position: Option<u64>) -> Result<(), Failure> {
        if self.waiting > 0 {
            self.round(position)?;
        }
        self.behind = false;
        self.shards.catch_up(&mut self.out)?;
        self.out.flush()
    }

    /// Prints an error of the source.
    pub(crate) fn tell(&self, error: &str) {
        self.progress.aside(|| say(error));
    }

    /// Ends all flows and completes the output.
    pub(crate) fn end(mut self, ending: Ending) -> Result<Status, Failure> {
        let Ending { mut status, reason, lost, dropped_before, line, now } = ending;
        if self.waiting > 0 {
            self.round(None)?;
        }
        self.router.finish();
        let clock = self.router.clock().clone();
        let counted = self.shards.finish(reason, clock.now(), &mut self.out)?;
        let mut packets = self.router.refused();
        packets.merge(&counted.packets);
        debug_assert_eq!(packets.seen(), self.taken, "every packet has one entry");
        packets.merge(&lost);
        let [interface_drop, os_drop] = dropped_before;
        let totals = Totals {
            packets,
            bytes: self.router.bytes(counted.payload),
            capture: Capture {
                interface_drop,
                os_drop,
                clock_backwards: clock.backwards(),
                clock_jumps: clock.jumps(),
                bad_checksums: self.router.checksums().bad,
                checksums_offloaded: self.router.checksums().offloaded,
            },
            flows: counted.flows,
            wire_bytes: self.wire_bytes,
            end: if self.taken > 0 { clock.now().watermark } else { now },
        };
        drop(self.progress);
        let summarises = self.out.layout().summarises();
        let missed = self.out.missed();
        self.out.finish(&totals)?;
        if let Some(what) = missed {
            say(what);
            status = status.max(Status::Failed);
        }
        if totals.lacked_room() {
            status = status.max(Status::Incomplete);
        }
        if !self.args.quiet {
            if summarises {
                say(&totals.summary());
            }
            let unread = self.filter.as_ref().map_or(0, Filter::unsupported);
            let unread = (unread > 0).then(|| {
                let packets = count(unread, "packet");
                format!("left out: {packets} of a link type that the filter cannot read")
            });
            [line, unread, totals.not_seen()].iter().flatten().for_each(|line| say(line));
        }
        Ok(status)
    }
}

/// Passing of time without packets.
#[cfg(all(feature = "live", target_os = "linux"))]
impl<L: RecordFormat> Run<'_, L> {
    /// Packet time.
    pub(crate) fn clock(&self) -> &flowscope::track::Clock {
        self.router.clock()
    }

    /// When [`pass`](Self::pass) next has work without packets, as known after
    /// [`catch_up`](Self::catch_up).
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.shards.due()
    }

    /// Advances packet time to `now`.
    pub(crate) fn pass(&mut self, now: Timestamp) -> Result<(), Failure> {
        // A round of its own: its output comes after that of all packets so far.
        self.catch_up(None)?;
        self.router.handle_timeout(now, &mut self.items);
        self.shards.round(&mut self.items, &mut self.out)?;
        self.catch_up(None)
    }
}

//! One run: packets in, records out.

use std::num::NonZeroUsize;
#[cfg(all(feature = "live", target_os = "linux"))]
use std::time::SystemTime;

use flowscope::core::{Ledger, PacketView, Timestamp};
use flowscope::pcap::{DecryptionSecrets, ReadError};
use flowscope::track::{Clock, EndReason};
use flowscope_filter::Filter;
use flowscope_parallel::Counts;
#[cfg(all(feature = "live", target_os = "linux"))]
use flowscope_parallel::{Shunt, ShuntRefusal, Shunting};

use crate::args::Running;
use crate::error::{Failure, Status};
use crate::keylog::Secrets;
use crate::output::{Capture, Output, RecordFormat, Totals, count};
use crate::pager;
use crate::progress::{Progress, Shown};
use crate::recorder::{Driver, FlowKey, FormatRecorder, write};
use crate::say;
use crate::tunnels::Tunnels;

/// Processing of packets from any source, from the first to the last.
pub(crate) struct Run<'a, L: RecordFormat, K: FlowKey> {
    args: &'a Running,
    filter: Option<Filter>,
    /// What the filter refuses.
    tunnels: Tunnels,
    driver: Driver<L, K>,
    out: Output<L>,
    progress: Progress,
    /// With which TLS is decrypted.
    secrets: Option<Secrets>,
    /// Why the output of packets could not be written while more of them were taken.
    failed: Option<Failure>,
    /// Whether nothing at all is printed on standard error.
    silent: bool,
    /// Whether output of earlier packets was not written yet.
    behind: bool,
    /// Packets that passed the filter.
    taken: u64,
    /// Packets that did not.
    refused: u64,
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
    /// Link types of the source, each once.
    pub(crate) links: Vec<String>,
    /// Additional line with the counters of the source.
    pub(crate) line: Option<String>,
    /// Time of the statistics if there was no packet.
    pub(crate) now: Timestamp,
}

impl<'a, L: RecordFormat, K: FlowKey> Run<'a, L, K> {
    /// Prepares a run. `total` is the size of all capture files, if known; TLS is decrypted with `secrets`.
    pub(crate) fn new(
        args: &'a Running,
        out: Output<L>,
        workers: NonZeroUsize,
        total: Option<u64>,
        secrets: Option<Secrets>,
    ) -> Result<Self, Failure> {
        let config = args.tracking.driver();
        let layout = out.layout();
        let streams = layout.streams(config.stream_config().clone());
        let config = config.streams(streams).stream_share(layout.reading().share());
        let recorder = FormatRecorder(layout.clone());
        let driver = Driver::<L, K>::new(
            K::extractor(),
            &config,
            workers,
            K::shard_hash,
            |config| recorder.protocols(config, secrets.as_ref()),
            &recorder,
        )?
        .keep_payload(layout.reading().bytes());
        Ok(Run {
            args,
            filter: args.filter.clone(),
            tunnels: Tunnels::new(),
            driver,
            secrets,
            failed: None,
            progress: Progress::new(total, args.quiet || out.is_terminal() || pager::is_reading()),
            out,
            silent: false,
            behind: false,
            taken: 0,
            refused: 0,
            wire_bytes: 0,
        })
    }

    /// Prints nothing on standard error.
    #[must_use]
    pub(crate) fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// Disables filtering, because the source filters.
    #[cfg(all(feature = "live", target_os = "linux"))]
    #[must_use]
    pub(crate) fn filtered_before(mut self) -> Self {
        self.filter = None;
        self
    }

    /// Has the capture count packets of flows, by what `make` returns for each shard.
    #[cfg(all(feature = "live", target_os = "linux"))]
    pub(crate) fn shunt_with(
        &mut self,
        make: impl FnMut() -> Box<dyn Shunt<K> + Send>,
    ) -> Result<(), ShuntRefusal> {
        self.driver.shunt_with(make, Shunting::Established)
    }

    /// Processes packets.
    #[inline]
    pub(crate) fn take(&mut self, views: &[PacketView<'_>]) {
        let Some(filter) = &mut self.filter else { return self.track(views) };
        let passed: Vec<bool> = views.iter().map(|view| filter.matches(*view)).collect();
        // Packets that the filter refuses keep their numbers, so that flow ids do not depend on it.
        let mut rest = views;
        for run in passed.chunk_by(|a, b| a == b) {
            let (packets, behind) = rest.split_at(run.len());
            rest = behind;
            match run.first() {
                Some(true) => self.track(packets),
                _ => {
                    for packet in packets {
                        self.tunnels.refused(*packet);
                        self.driver.skip();
                    }
                    self.refused += packets.len() as u64;
                }
            }
        }
    }

    /// Processes packets that the filter has passed.
    #[inline]
    fn track(&mut self, views: &[PacketView<'_>]) {
        let Some(first) = views.first() else { return };
        self.add_secrets();
        self.out.begin(first.ts());
        self.out.see(self.taken + self.refused + 1, views);
        self.driver.handle_batch(views);
        self.behind = true;
        self.taken += views.len() as u64;
        self.wire_bytes += views.iter().map(|view| u64::from(view.wire_len())).sum::<u64>();
    }

    /// Whether [`catch_up`](Self::catch_up) has something to do.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind
    }

    /// Whether the output needs no more packets.
    pub(crate) fn is_complete(&self) -> bool {
        self.out.is_complete()
    }

    /// Whether enough packets wait for a round.
    pub(crate) fn is_round_full(&self) -> bool {
        self.driver.is_round_full()
    }

    /// Completes the current round. `position` is the number of bytes read from capture files, if
    /// any.
    pub(crate) fn round(&mut self, position: Option<u64>) -> Result<(), Failure> {
        self.check_failed()?;
        let Run { driver, out, progress, taken, wire_bytes, .. } = self;
        out.advance(driver.clock().now().watermark);
        driver.flush(&mut |merged| write(out, merged))?;
        out.end_round()?;
        progress.show(|| {
            let lost = driver.refused().seen();
            let position = position.unwrap_or(*wire_bytes);
            Shown { position, packets: *taken, flows: driver.counts().flows, lost }
        });
        Ok(())
    }

    /// Writes the output of all packets so far.
    pub(crate) fn catch_up(&mut self, position: Option<u64>) -> Result<(), Failure> {
        if self.behind {
            self.round(position)?;
        }
        self.check_failed()?;
        self.behind = false;
        let Run { driver, out, .. } = self;
        driver.drain(&mut |merged| write(out, merged))?;
        out.flush()
    }

    /// Packet time.
    pub(crate) fn clock(&self) -> &Clock {
        self.driver.clock()
    }

    /// Reports an error of a capture file.
    pub(crate) fn input_error(&mut self, error: &ReadError) {
        if !self.out.input_error(error) {
            self.tell(&error.to_string());
        }
    }

    /// Prints an error of the source.
    pub(crate) fn tell(&self, error: &str) {
        if !self.silent {
            self.progress.aside(|| say(error));
        }
    }

    /// Ends all flows and completes the output.
    pub(crate) fn end(mut self, ending: Ending) -> Result<Status, Failure> {
        self.check_failed()?;
        let Ending { mut status, reason, lost, dropped_before, links, line, now } = ending;
        let Run { driver, out, .. } = &mut self;
        out.advance(driver.clock().now().watermark);
        let counts = driver.finish(reason, &mut |merged| write(out, merged))?;
        let mut totals = self.totals_of(&counts, &lost);
        let known = self.taken + totals.shunted + lost.seen();
        debug_assert_eq!(totals.packets.seen(), known, "every packet has one entry");
        let [interface_drop, os_drop] = dropped_before;
        (totals.capture.interface_drop, totals.capture.os_drop) = (interface_drop, os_drop);
        totals.links = links;
        if self.taken == 0 {
            totals.end = now;
        }
        drop(self.progress);
        let summarises = self.out.layout().summarises();
        let missed = self.out.missed();
        let notes = self.out.notes();
        let has_totals = self.out.has_totals();
        self.out.finish(&totals)?;
        if let Some(what) = missed {
            say(what);
            status = status.max(Status::Failed);
        }
        if totals.lacked_room() {
            status = status.max(Status::Incomplete);
        }
        if !self.args.quiet && !self.silent {
            if summarises {
                say(&totals.summary());
            }
            let unread = self.filter.as_ref().map_or(0, Filter::unsupported);
            let unread = (unread > 0).then(|| {
                let packets = count(unread, "packet");
                format!("left out: {packets} of a link type that the filter cannot read")
            });
            let secrets = self.secrets.as_ref().and_then(Secrets::refused);
            let mut lines = vec![line, secrets, unread, self.tunnels.hint()];
            if !has_totals {
                lines.extend([totals.not_seen(), totals.not_read(), totals.evicted_line()]);
            }
            lines.iter().flatten().chain(&notes).for_each(|line| say(line));
        }
        Ok(status)
    }
}

impl<L: RecordFormat, K: FlowKey> Run<'_, L, K> {
    /// Adds secrets that the capture had before the packets to come: parsers of earlier packets have not seen them.
    fn add_secrets(&mut self) {
        let Run { driver, out, secrets, failed, .. } = self;
        let Some(secrets) = secrets.as_ref().filter(|secrets| secrets.is_waiting()) else { return };
        let drained = driver.drain(&mut |merged| write(out, merged));
        *failed = failed.take().or(drained.err());
        secrets.add_waiting();
    }

    /// What takes the secrets of captures, if any are of use.
    pub(crate) fn secrets_sink(
        &self,
    ) -> Option<impl FnMut(DecryptionSecrets<'_>) + Send + 'static> {
        self.secrets.as_ref().map(Secrets::sink)
    }

    /// Says what the user should know of the key log.
    pub(crate) fn print_secrets_notes(&self) {
        let notes = self.secrets.as_ref().map_or(&[][..], Secrets::notes);
        if !self.args.quiet {
            notes.iter().for_each(|note| self.tell(note));
        }
    }

    fn check_failed(&mut self) -> Result<(), Failure> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// The counters, with these of the driver; `lost` are those that the source lost.
    fn totals_of(&self, counts: &Counts, lost: &Ledger) -> Totals {
        let clock = self.driver.clock();
        let mut packets = self.driver.refused();
        packets.merge(&counts.packets);
        packets.merge(lost);
        Totals {
            packets,
            bytes: self.driver.bytes(counts.payload.clone()),
            capture: Capture {
                clock_backwards: clock.backwards(),
                clock_jumps: clock.jumps(),
                bad_checksums: self.driver.checksums().bad,
                checksums_offloaded: self.driver.checksums().offloaded,
                ..Capture::default()
            },
            unread: self.driver.unread().clone(),
            flows: counts.flows,
            evicted: counts.evicted,
            shunted: counts.shunted.packets,
            links: Vec::new(),
            wire_bytes: self.wire_bytes + counts.shunted.wire_bytes,
            end: clock.now().watermark,
        }
    }
}

/// Counters while packets come.
#[cfg(any(feature = "tui", all(feature = "live", target_os = "linux")))]
impl<L: RecordFormat, K: FlowKey> Run<'_, L, K> {
    /// The counters up to now, after [`catch_up`](Self::catch_up), and those of the driver among them. Fragments that wait
    /// have no entry yet.
    pub(crate) fn counters(&self, lost: &Ledger) -> (Totals, Counts) {
        let counts = self.driver.counts();
        (self.totals_of(&counts, lost), counts)
    }

    /// Gives the layout the [counters](Self::counters) up to `now`.
    pub(crate) fn tick(&mut self, totals: &Totals, open: u64, now: Timestamp) {
        self.out.tick(totals, open, now);
    }
}

/// What is asked for while packets come.
#[cfg(all(feature = "live", target_os = "linux"))]
impl<L: RecordFormat, K: FlowKey> Run<'_, L, K> {
    /// When [`rotate_due`](Self::rotate_due) next has work.
    pub(crate) fn rotation_due(&self) -> Option<SystemTime> {
        self.out.rotation_due()
    }

    /// Rotates the logs if it is time to.
    pub(crate) fn rotate_due(&mut self) -> Result<(), Failure> {
        self.out.rotate_due()
    }

    /// Rotates the logs, or opens those again that were moved.
    pub(crate) fn reopen(&mut self) -> Result<(), Failure> {
        self.out.reopen()
    }
}

/// Passing of time without packets.
#[cfg(all(feature = "live", target_os = "linux"))]
impl<L: RecordFormat, K: FlowKey> Run<'_, L, K> {
    /// When [`handle_timeout`](Self::handle_timeout) next has work without packets, as known after
    /// [`catch_up`](Self::catch_up).
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.driver.poll_timeout()
    }

    /// Advances packet time to `now`.
    pub(crate) fn handle_timeout(&mut self, now: Timestamp) -> Result<(), Failure> {
        self.catch_up(None)?;
        let Run { driver, out, .. } = self;
        out.advance(now);
        driver.handle_timeout(now, &mut |merged| write(out, merged))?;
        out.flush()
    }
}

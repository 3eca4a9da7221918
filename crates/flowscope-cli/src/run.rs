//! One run: captures in, records out.

use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use flowscope::core::{Loss, PacketSource, PacketView};
use flowscope::driver::Router;
use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope::pcap::{CaptureFiles, Interface, ReadError};

use crate::args::Running;
use crate::error::{Failure, Status};
use crate::output::{Capture, Layout, Output, Totals, part_of};
use crate::progress::{Progress, Shown};
use crate::say;
use crate::shards::{Extractor, Items, SHARDS, Shards};

/// Packets of a round: enough to spread its cost, few enough to stay in the cache.
const ROUND: usize = 2048;

/// As many bytes of payload make a round too: packets may be large.
const ROUND_BYTES: usize = 4 << 20;

/// Fewer bytes than this are read before threads would have started.
const LITTLE: u64 = 4 << 20;

/// More workers than this outrun the one thread that reads.
const MANY: NonZeroUsize = NonZeroUsize::new(4).expect("not zero");

type Route = Router<Extractor, fn(&FiveTupleKey) -> u64>;

/// Reads the captures and writes what `layout` makes of them.
pub(crate) fn run<L: Layout>(
    files: &[PathBuf],
    args: &Running,
    layout: L,
) -> Result<Status, Failure> {
    if let Some(output) = &args.output {
        refuse_overwriting(files, output)?;
    }
    let summarises = layout.summarises();
    let out = Output::open(layout, args.output.as_deref())?;
    let mut run = Run::new(files, args, out)?;
    let status = run.read_all()?;
    run.end(status, summarises)
}

/// A run between its first packet and its last.
struct Run<'a, L: Layout> {
    args: &'a Running,
    source: CaptureFiles,
    /// Whether packets come as somebody sends them, so that what they lead to should not wait.
    trickles: bool,
    router: Route,
    items: Vec<Items>,
    shards: Shards<L>,
    out: Output<L>,
    progress: Progress,
    wire_bytes: u64,
}

impl<'a, L: Layout> Run<'a, L> {
    fn new(files: &[PathBuf], args: &'a Running, out: Output<L>) -> Result<Self, Failure> {
        let config = args.tracking.driver();
        let layout = out.layout();
        let streams = layout.streams(config.stream_config().clone());
        let config = config.streams(streams).stream_share(layout.reading().share());
        let extractor = AutoDetectEncap(FiveTuple::bidirectional());
        let total = total_size(files);
        let workers = args.workers.unwrap_or_else(|| match total {
            Some(LITTLE..) => {
                thread::available_parallelism().map_or(NonZeroUsize::MIN, |n| n.min(MANY))
            }
            _ => NonZeroUsize::MIN,
        });
        Ok(Run {
            args,
            source: CaptureFiles::new(files),
            trickles: total.is_none(),
            router: Router::new(extractor, &config, SHARDS, FiveTupleKey::shard_hash as _)
                .keep_payload(layout.reading().bytes()),
            items: (0..SHARDS.get()).map(|_| Items::default()).collect(),
            shards: Shards::new(&config, workers, &layout)?,
            progress: Progress::new(total, args.quiet || out.is_terminal()),
            out,
            wire_bytes: 0,
        })
    }

    /// Reads all captures to their ends. What is wrong with them is told, and is the status.
    fn read_all(&mut self) -> Result<Status, Failure> {
        let mut status = Status::Done;
        let mut waiting = 0;
        loop {
            let Run { source, router, items, out, wire_bytes, .. } = self;
            let lent = source.next_batch(&mut |views: &[PacketView<'_>]| {
                if let Some(first) = views.first() {
                    out.begin(first.ts());
                }
                for view in views {
                    router.route(*view, items);
                    *wire_bytes += u64::from(view.wire_len());
                }
            });
            match lent {
                Ok(0) => break,
                Ok(lent) => {
                    waiting += lent;
                    let bytes: usize = self.items.iter().map(Items::payload_bytes).sum();
                    if waiting >= ROUND || bytes >= ROUND_BYTES {
                        self.round()?;
                        waiting = 0;
                    } else if self.trickles && lent < FULL {
                        self.round()?;
                        self.shards.catch_up(&mut self.out)?;
                        self.out.flush()?;
                        waiting = 0;
                    }
                }
                Err(error) => {
                    status = status.max(blame(&error));
                    self.progress.aside(|| say(&error.to_string()));
                }
            }
        }
        if waiting > 0 {
            self.round()?;
        }
        Ok(status)
    }

    fn round(&mut self) -> Result<(), Failure> {
        self.shards.round(&mut self.items, &mut self.out)?;
        let Run { progress, source, router, shards, .. } = self;
        progress.show(|| {
            let counted = shards.counted();
            Shown {
                position: source.compressed_position(),
                packets: source.packets(),
                flows: counted.flows,
                lost: router.refused().seen(),
            }
        });
        Ok(())
    }

    /// Ends all flows and completes the output.
    fn end(mut self, mut status: Status, summarises: bool) -> Result<Status, Failure> {
        let read = self.source.packets();
        if read == 0 && status > Status::Incomplete {
            // None of the inputs was a capture: there is nothing to say about it.
            return Ok(status);
        }
        self.router.finish();
        let clock = self.router.clock().clone();
        let counted = self.shards.finish(clock.now(), &mut self.out)?;
        let mut packets = self.router.refused();
        packets.merge(&counted.packets);
        debug_assert_eq!(packets.seen(), read, "every packet has one entry");
        packets.lose(Loss::FileTruncated, self.source.truncated_packets());
        let interfaces = || self.source.interfaces();
        let totals = Totals {
            packets,
            bytes: self.router.bytes(counted.payload),
            capture: Capture {
                interface_drop: interfaces().filter_map(Interface::dropped).sum(),
                os_drop: interfaces().filter_map(Interface::dropped_by_os).sum(),
                clock_backwards: clock.backwards(),
                clock_jumps: clock.jumps(),
                bad_checksums: self.router.checksums().bad,
                checksums_offloaded: self.router.checksums().offloaded,
            },
            flows: counted.flows,
            wire_bytes: self.wire_bytes,
            end: clock.now().watermark,
        };
        drop(self.progress);
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
            if let Some(line) = totals.not_seen() {
                say(&line);
            }
        }
        Ok(status)
    }
}

/// A batch of a source that has more at hand.
const FULL: usize = 64;

/// What an error of an input makes of the run.
fn blame(error: &ReadError) -> Status {
    match error {
        ReadError::Damaged { .. } => Status::Incomplete,
        ReadError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            Status::Denied
        }
        _ => Status::Failed,
    }
}

/// Bytes of all files, compressed as they may be; `None` if one of them is a pipe or the like.
fn total_size(files: &[PathBuf]) -> Option<u64> {
    let size = |file: &PathBuf| match fs::metadata(file) {
        Ok(there) if there.is_file() => Some(there.len()),
        Ok(_) => None,
        // Standard input, or what will be told when its turn comes.
        Err(_) => (file.as_os_str() != "-").then_some(0),
    };
    files.iter().map(size).sum()
}

/// An output that takes the place of an input would destroy a capture.
fn refuse_overwriting(files: &[PathBuf], output: &Path) -> Result<(), Failure> {
    let written = [output.to_owned(), part_of(output)].map(|path| fs::canonicalize(path).ok());
    let same = |file: &PathBuf| {
        let file = fs::canonicalize(file).ok().filter(|file| file.is_file());
        file.is_some() && written.contains(&file)
    };
    match files.iter().find(|file| same(file)) {
        Some(file) => {
            let what = format!("{}: is to be read, cannot be written too", file.display());
            Err(Failure::Usage(what))
        }
        None => Ok(()),
    }
}

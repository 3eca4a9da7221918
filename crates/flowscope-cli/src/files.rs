//! Processes capture files.

use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use flowscope::core::{Ledger, Loss, PacketSource, Timestamp};
use flowscope::extract::{FiveTupleKey, ScopedKey};
use flowscope::pcap::{CaptureFiles, Interface, ReadError};
use flowscope::track::EndReason;

use crate::args::Running;
use crate::error::{Failure, Status};
use crate::keylog::Secrets;
use crate::output::{Output, RecordFormat, Target, count, part_of};
use crate::recorder::FlowKey;
use crate::run::{Ending, Run};

/// Input of fewer bytes is read before threads would have started.
const LITTLE: u64 = 4 << 20;

/// More workers than this are faster than the one thread that reads.
const MANY: NonZeroUsize = NonZeroUsize::new(4).expect("not zero");

/// Reads the captures and writes what `layout` makes of them.
pub(crate) fn track<L: RecordFormat>(
    files: &[PathBuf],
    args: &Running,
    target: Target<'_>,
    layout: L,
) -> Result<Status, Failure> {
    track_with(files, args, target, layout, false)
}

/// Reads captures that are read again afterwards: nothing is printed.
pub(crate) fn track_silently<L: RecordFormat>(
    files: &[PathBuf],
    args: &Running,
    layout: L,
) -> Result<Status, Failure> {
    track_with(files, args, Target::Stream(None), layout, true)
}

fn track_with<L: RecordFormat>(
    files: &[PathBuf],
    args: &Running,
    target: Target<'_>,
    layout: L,
    silently: bool,
) -> Result<Status, Failure> {
    if args.tracking.vlan_key {
        track_by::<ScopedKey<FiveTupleKey>, L>(files, args, target, layout, silently)
    } else {
        track_by::<FiveTupleKey, L>(files, args, target, layout, silently)
    }
}

fn track_by<K: FlowKey, L: RecordFormat>(
    files: &[PathBuf],
    args: &Running,
    target: Target<'_>,
    layout: L,
    silently: bool,
) -> Result<Status, Failure> {
    if let Target::Stream(Some(output)) = target {
        refuse_overwriting(files, output)?;
    }
    let out = Output::open(layout, target)?;
    let total = total_size(files);
    let workers = args.workers.unwrap_or_else(|| match total {
        Some(LITTLE..) => {
            thread::available_parallelism().map_or(NonZeroUsize::MIN, |n| n.min(MANY))
        }
        _ => NonZeroUsize::MIN,
    });
    let mut run = run_over::<K, L>(args, out, workers, total)?;
    if silently {
        run = run.silent();
    }
    let mut source = prepare(files, &run);
    let status = read_all(&mut source, &mut run, total.is_none())?;
    end(&source, run, status)
}

/// A run over captures of this [size](total_size).
pub(crate) fn run_over<K: FlowKey, L: RecordFormat>(
    args: &Running,
    out: Output<L>,
    workers: NonZeroUsize,
    total: Option<u64>,
) -> Result<Run<'_, L, K>, Failure> {
    let secrets = Secrets::of_run(args, out.layout().reading(), true)?;
    Run::new(args, out, workers, total, secrets)
}

/// The captures of a run, which has their secrets.
pub(crate) fn prepare<L: RecordFormat, K: FlowKey>(
    files: &[PathBuf],
    run: &Run<'_, L, K>,
) -> CaptureFiles {
    run.print_secrets_notes();
    let source = CaptureFiles::new(files);
    match run.secrets_sink() {
        Some(sink) => source.secrets_to(sink),
        None => source,
    }
}

/// Ends a run over these captures.
pub(crate) fn end<L: RecordFormat, K: FlowKey>(
    source: &CaptureFiles,
    run: Run<'_, L, K>,
    status: Status,
) -> Result<Status, Failure> {
    if source.packets() == 0 && status > Status::Incomplete {
        // None of the inputs was a capture: there are no statistics.
        return Ok(status);
    }
    let mut lost = Ledger::default();
    lost.lose(Loss::FileTruncated, source.truncated_packets());
    let interfaces = || source.interfaces();
    let mut links: Vec<String> = Vec::new();
    for link in interfaces().map(|interface| interface.link().to_string()) {
        if !links.contains(&link) {
            links.push(link);
        }
    }
    let refused = source.refused_secrets();
    let refused = (refused > 0).then(|| {
        let blocks = count(refused, "block");
        format!("left out: {blocks} of decryption secrets, damaged or too large")
    });
    run.end(Ending {
        status,
        reason: EndReason::EndOfInput,
        lost,
        dropped_before: [
            // Counts are what a file says they are.
            interfaces().filter_map(Interface::dropped).fold(0, u64::saturating_add),
            interfaces().filter_map(Interface::dropped_by_os).fold(0, u64::saturating_add),
        ],
        links,
        line: refused,
        now: Timestamp::ZERO,
    })
}

/// Reads all captures to their ends, unless the output is complete before. Prints their errors, and returns the status. If packets
/// `trickle` in from a pipe, output is not delayed until more arrive.
fn read_all<L: RecordFormat, K: FlowKey>(
    source: &mut CaptureFiles,
    run: &mut Run<'_, L, K>,
    trickle: bool,
) -> Result<Status, Failure> {
    let mut status = Status::Done;
    let mut since_round = 0;
    loop {
        match source.next_batch(&mut |views| run.take(views)) {
            Ok(0) => return Ok(status),
            Ok(lent) => {
                since_round += lent;
                if run.is_round_full() || since_round >= LONG {
                    since_round = 0;
                    run.round(Some(source.compressed_position()))?;
                    if run.is_complete() {
                        return Ok(status);
                    }
                } else if trickle && lent < FULL && run.is_behind() {
                    run.catch_up(Some(source.compressed_position()))?;
                    if run.is_complete() {
                        return Ok(status);
                    }
                }
            }
            Err(error) => {
                status = status.max(blame(&error));
                run.input_error(&error);
            }
        }
    }
}

/// Packets after which a round ends, even if the filter refused most of them.
const LONG: usize = 1 << 14;

/// Size of a batch when more packets are available.
pub(crate) const FULL: usize = 64;

/// Status of a run after an input error.
pub(crate) fn blame(error: &ReadError) -> Status {
    match error {
        ReadError::Damaged { .. } => Status::Incomplete,
        ReadError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            Status::Denied
        }
        _ => Status::Failed,
    }
}

/// Total size of the files as stored; `None` if one of them is not a regular file.
pub(crate) fn total_size(files: &[PathBuf]) -> Option<u64> {
    let size = |file: &PathBuf| match fs::metadata(file) {
        Ok(there) if there.is_file() => Some(there.len()),
        Ok(_) => None,
        // Standard input, or a file whose error is reported when it is read.
        Err(_) => (file.as_os_str() != "-").then_some(0),
    };
    files.iter().map(size).sum()
}

/// Refuses an output that is also an input, because it would destroy the capture.
pub(crate) fn refuse_overwriting(files: &[PathBuf], output: &Path) -> Result<(), Failure> {
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

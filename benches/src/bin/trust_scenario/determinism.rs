//! The records of captures, under every hash seed and number of workers: a hash of the output of each format.
//!
//! The command has no option for the seed, so this is the parallel driver with the formats of the library.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Write};
use std::num::NonZeroUsize;

use flowscope::core::{Extracted, FlowSide, PacketSource, Timestamp};
use flowscope::driver::DriverConfig;
use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope::output::{
    CsvFormat, EveFormat, FlowRecord, JsonFormat, RecordHeader, RecordWriter, ZeekFormat,
};
use flowscope::pcap::CaptureReader;
use flowscope::protocols::{self, AppRecord};
use flowscope::record::Record;
use flowscope::track::{Change, EndReason, Flow, TrackerConfig};
use flowscope_parallel::{Merged, ParallelDriver, Recorder, WorkerError};

use crate::Result;

const WORKERS: [usize; 4] = [1, 2, 4, 8];

/// Prints `FORMAT HASH RUNS BYTES` for every hash that the output of a format had.
pub(crate) fn run(seeds: u64, files: &[&str]) -> Result<()> {
    let mut hashes = BTreeMap::new();
    // Numbers that are close together, and some that are far apart.
    let far = |n: u64| if n.is_multiple_of(2) { n } else { n.wrapping_mul(0x9e37_79b9_7f4a_7c15) };
    for seed in (0..seeds).map(far) {
        for workers in WORKERS.into_iter().filter_map(NonZeroUsize::new) {
            for (format, Hashed { hasher, bytes }) in outputs(seed, workers, files)? {
                let hash = (format, hasher.finish(), bytes);
                *hashes.entry(hash).or_insert(0) += 1;
            }
        }
    }
    for ((format, hash, bytes), runs) in hashes {
        println!("{format} {hash:016x} {runs} {bytes}");
    }
    Ok(())
}

/// A run over all files.
fn outputs(
    seed: u64,
    workers: NonZeroUsize,
    files: &[&str],
) -> Result<[(&'static str, Hashed); 5]> {
    let mut outputs: [Hashed; 5] = Default::default();
    for file in files {
        let mut all = Writers::continued(outputs);
        let tracker = TrackerConfig::default().seed(seed);
        let end = read(file, &DriverConfig::default().tracker(tracker), workers, &mut all)?;
        outputs = all.finish(end)?;
    }
    let names = ["csv", "eve", "json", "zeek", "zeek-json"];
    let mut outputs = names.into_iter().zip(outputs);
    Ok([(); 5].map(|()| outputs.next().expect("five")))
}

/// The time of the last packet.
fn read(
    file: &str,
    config: &DriverConfig,
    workers: NonZeroUsize,
    all: &mut Writers,
) -> Result<Timestamp> {
    let mut driver = ParallelDriver::new(
        AutoDetectEncap(FiveTuple::bidirectional()),
        config,
        workers,
        FiveTupleKey::shard_hash,
        |config| protocols::registered().reassembly(config.stream_config().clone()),
        &Records,
    )?;
    let mut write = |merged: Merged<'_, Entry>| -> Result<(), Failure> {
        match merged {
            Merged::Record(entry) => Ok(all.entry(&entry)?),
            Merged::Encoded(_) => unreachable!("the recorder encodes nothing"),
        }
    };
    let mut capture = CaptureReader::open(file)?;
    while capture.next_batch(&mut |views| driver.handle_batch(views))? > 0 {
        if driver.is_round_full() {
            driver.flush(&mut write)?;
        }
    }
    driver.finish(EndReason::EndOfInput, &mut write)?;
    Ok(driver.clock().now().watermark)
}

/// What keeps a run from its end.
#[derive(Debug)]
enum Failure {
    Worker(WorkerError),
    Write(io::Error),
}

impl From<WorkerError> for Failure {
    fn from(error: WorkerError) -> Self {
        Failure::Worker(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Write(error)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Worker(error) => error.fmt(f),
            Failure::Write(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

/// Every flow and every message.
#[derive(Clone)]
struct Records;

enum Entry {
    Flow(Box<FlowRecord>),
    Message(Box<(RecordHeader, AppRecord)>),
}

impl Recorder<FiveTupleKey, AppRecord> for Records {
    type State = ();
    type Record = Entry;

    fn state(&self, _: &Extracted<FiveTupleKey>) {}

    fn flow(&self, flow: Flow<'_, FiveTupleKey, ()>, change: Change) -> Option<Entry> {
        let record = match change {
            Change::Interim { .. } => FlowRecord::of_change(&flow, change)?,
            _ => return None,
        };
        Some(Entry::Flow(Box::new(record)))
    }

    fn message(
        &self,
        flow: Flow<'_, FiveTupleKey, ()>,
        _: FlowSide,
        message: AppRecord,
    ) -> Option<Entry> {
        let header = RecordHeader::of_flow(&flow).began(&message);
        Some(Entry::Message(Box::new((header, message))))
    }

    fn removed(&self, flow: Flow<'_, FiveTupleKey, ()>, reason: EndReason) -> Option<Entry> {
        Some(Entry::Flow(Box::new(FlowRecord::of_removed(&flow, reason))))
    }
}

/// The same records in every format.
struct Writers {
    csv: RecordWriter<CsvFormat, Hashed>,
    eve: RecordWriter<EveFormat, Hashed>,
    json: RecordWriter<JsonFormat, Hashed>,
    zeek: RecordWriter<ZeekFormat, Hashed>,
    zeek_json: RecordWriter<ZeekFormat, Hashed>,
}

impl Writers {
    /// That go on behind earlier output.
    fn continued([csv, eve, json, zeek, zeek_json]: [Hashed; 5]) -> Self {
        let schemas: Vec<_> = protocols::all().iter().map(|protocol| protocol.schema).collect();
        Writers {
            csv: RecordWriter::with_format(CsvFormat::new(&schemas), csv),
            eve: RecordWriter::with_format(EveFormat::new(), eve),
            json: RecordWriter::with_format(JsonFormat::new(), json),
            zeek: RecordWriter::with_format(ZeekFormat::tsv(), zeek),
            zeek_json: RecordWriter::with_format(ZeekFormat::json(), zeek_json),
        }
    }

    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        match entry {
            Entry::Flow(flow) => self.record(&flow.header, &**flow),
            Entry::Message(message) => self.record(&message.0, &message.1),
        }
    }

    fn record(&mut self, header: &RecordHeader, record: &impl Record) -> io::Result<()> {
        self.csv.record(header, record)?;
        self.eve.record(header, record)?;
        self.json.record(header, record)?;
        self.zeek.record(header, record)?;
        self.zeek_json.record(header, record)
    }

    fn finish(self, end: Timestamp) -> io::Result<[Hashed; 5]> {
        Ok([
            self.csv.finish(end)?,
            self.eve.finish(end)?,
            self.json.finish(end)?,
            self.zeek.finish(end)?,
            self.zeek_json.finish(end)?,
        ])
    }
}

/// The hash of what was written.
#[derive(Default)]
struct Hashed {
    hasher: DefaultHasher,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.write(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

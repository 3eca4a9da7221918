//! Writes a stated number of records, for `valgrind --tool=callgrind`: the difference of two numbers is
//! the cost of the records between them.
//!
//! `record_scenario [eve|zeek|csv] [flow|http|tls|dns] RECORDS`

use std::hint::black_box;
use std::io::{self, Write};

use flowscope::output::{
    CsvFormat, EveFormat, FLOW, FlowRecord, Format, RecordHeader, RecordWriter, ZeekFormat,
};
use flowscope::protocols::{self, AppRecord};
use flowscope_benches::sessions;
use flowscope_benches::traces::{self, Talk};
use flowscope_core::FlowSide;
use flowscope_driver::{Driver, SessionSink};
use flowscope_extract::{FiveTuple, FiveTupleKey};
use flowscope_record::{AnySchema, Record};
use flowscope_track::{EndReason, Flow};

/// Flows whose records take turns.
const FLOWS: usize = 2000;

fn main() {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().unwrap_or_default();
    let (format, kind, count) = (next(), next(), next().parse().unwrap_or(10_000));
    let talk = match kind.as_str() {
        "http" => Talk::Http,
        "tls" => Talk::Tls,
        "dns" => Talk::Dns,
        _ => Talk::All,
    };
    let Records { flows, messages } = Records::of(talk);
    if kind == "flow" {
        write(&format, &flows, count, &[&FLOW]);
    } else {
        let schemas: Vec<_> = protocols::all().iter().map(|protocol| protocol.schema).collect();
        write(&format, &messages, count, &schemas);
    }
}

/// The records of a trace.
#[derive(Default)]
struct Records {
    flows: Vec<(RecordHeader, FlowRecord)>,
    messages: Vec<(RecordHeader, AppRecord)>,
}

impl Records {
    fn of(talk: Talk) -> Self {
        let trace = traces::short(talk, FLOWS, 100);
        let mut records = Records::default();
        let config = sessions::roomy(2 * FLOWS, 16);
        let protocols = protocols::registered::<AppRecord>();
        let mut driver = Driver::with_config(FiveTuple::bidirectional(), protocols, config);
        sessions::lend(&mut driver, &trace, 0..trace.len(), 0, &mut records);
        driver.finish_with(EndReason::EndOfInput, &mut records);
        records
    }
}

impl<U> SessionSink<FiveTupleKey, AppRecord, U> for Records {
    fn message(&mut self, flow: Flow<'_, FiveTupleKey, U>, _: FlowSide, message: AppRecord) {
        self.messages.push((RecordHeader::of_flow(&flow).began(&message), message));
    }

    fn removed(&mut self, flow: Flow<'_, FiveTupleKey, U>, reason: EndReason) {
        let record = FlowRecord::of_removed(&flow, reason);
        self.flows.push((record.header.clone(), record));
    }
}

fn write<R: Record>(
    format: &str,
    records: &[(RecordHeader, R)],
    count: usize,
    schemas: &[&'static dyn AnySchema],
) {
    match format {
        "zeek" => write_as(ZeekFormat::tsv(), records, count),
        "csv" => write_as(CsvFormat::new(schemas), records, count),
        _ => write_as(EveFormat::new(), records, count),
    }
}

fn write_as<R: Record>(format: impl Format, records: &[(RecordHeader, R)], count: usize) {
    let mut out = RecordWriter::with_format(format, Total::default());
    for (header, record) in records.iter().cycle().take(count) {
        out.record(header, record).expect("a sum takes all");
    }
    let Total(bytes) = out.finish(Default::default()).expect("a sum takes all");
    black_box(bytes);
}

/// How many bytes were written.
#[derive(Default)]
struct Total(usize);

impl Write for Total {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

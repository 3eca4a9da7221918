//! EVE JSON, Zeek logs, CSV and tables of flow and protocol records.
//!
//! A format turns a record and the [header](RecordHeader) of its flow into text, by the record's
//! [`Schema`](flowscope_record::Schema): [`EveFormat`], [`ZeekFormat`], [`CsvFormat`], [`JsonFormat`], [`TableFormat`] and
//! [`SummaryFormat`]; [`FieldsTable`], CSV and JSON of chosen fields. None of them names a protocol. A [`RecordWriter`] writes what a driver emits, or what it lends,
//! to anything that implements [`Write`](std::io::Write).
//!
//! The sessions of a capture file as EVE, flows included:
//!
//! ```
//! use flowscope_core::PacketSource;
//! use flowscope_driver::SessionDriver;
//! use flowscope_extract::FiveTuple;
//! use flowscope_http::HttpExchanges;
//! use flowscope_output::EveWriter;
//! use flowscope_pcap::CaptureReader;
//! use flowscope_track::EndReason;
//!
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/http-keep-alive.pcap");
//! let mut capture = CaptureReader::open(path)?;
//! let mut driver = SessionDriver::new(FiveTuple::bidirectional(), HttpExchanges::default());
//! let mut eve = EveWriter::new(Vec::new());
//! while capture.next_batch(&mut |packets| driver.handle_batch(packets))? > 0 {
//!     while let Some(event) = driver.poll_event() {
//!         eve.event(&event)?;
//!     }
//! }
//! driver.finish(EndReason::EndOfInput);
//! while let Some(event) = driver.poll_event() {
//!     eve.event(&event)?;
//! }
//! # let lines = String::from_utf8(eve.finish(Default::default())?)?;
//! # assert!(lines.lines().any(|line| line.contains("\"event_type\":\"http\"")));
//! # assert!(lines.lines().any(|line| line.contains("\"event_type\":\"flow\"")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod csv;
mod decimal;
mod eve;
mod fields;
mod flat;
mod flow;
mod flow_schema;
mod format;
mod grid;
mod header;
pub mod json;
mod merged;
mod names;
mod piece;
mod plans;
mod read;
mod stats;
mod table;
mod text;
mod zeek;
mod zone;

pub use csv::CsvFormat;
pub use eve::EveFormat;
pub use fields::{AROUND, RecordFields, SchemaField};
pub use flat::JsonFormat;
pub use flow::{FlowRecord, FlowRecordKind, FlowRecordSide};
pub use flow_schema::FLOW;
pub use format::{Format, RecordWriter};
pub use grid::{Grid, GridColumn, shorten};
pub use header::{HEADER, RecordHeader, TRAILER};
pub use merged::{MergedFlow, MergedRecord, MergedSide};
pub use names::{end_reason, initiator_evidence};
pub use read::{AppNames, FlowLayout, FlowLineError, FlowReader};
pub use stats::{CaptureStats, STATS};
pub use table::{FieldsTable, SummaryFormat, TableFormat, cell_text};
pub use text::{address_text, rfc3339, terminal, zeek_uid};
pub use zeek::{ZEEK_HEADER, ZeekFormat};
pub use zone::Zone;

/// Writes EVE JSON to `W`.
pub type EveWriter<W> = RecordWriter<EveFormat, W>;

impl<W: std::io::Write> EveWriter<W> {
    /// Creates a writer of EVE JSON.
    pub fn new(out: W) -> Self {
        RecordWriter::with_format(EveFormat::new(), out)
    }
}

//! The samples of all protocols, through files and back, against the rows of JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use flowscope::driver::{Driver, Protocols, SessionEvent};
use flowscope::extract::FiveTuple;
use flowscope::output::{FlowRecord, Format, JsonFormat, RecordHeader};
use flowscope::protocols::{self, AppRecord, Registry, Selection};
use flowscope::record::{ParserOptions, Record, Schema, Visitor};
use flowscope::track::EndReason;
use flowscope_arrow::ParquetDirectory;
use flowscope_conformance::{Conversation, Sample};
use serde_json::Value as Json;

use crate::{files, json};

fn samples() -> Vec<Sample> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut samples = Vec::new();
    for entry in fs::read_dir(crates).unwrap() {
        let folders = fs::read_dir(entry.unwrap().path().join("samples"));
        for folder in folders.into_iter().flatten() {
            samples.extend(Sample::in_folder(&folder.unwrap().path()));
        }
    }
    samples
}

/// Writes the records of a conversation, flows included, and returns them as rows of JSON by record.
fn write(
    conversation: &Conversation,
    directory: &mut ParquetDirectory,
) -> Vec<(&'static str, Json)> {
    let options = ParserOptions::default().transactions(true);
    let registry = Registry::new(Selection::ALL, &options);
    let protocols = Protocols::<AppRecord, _>::with_set(registry);
    let mut driver = Driver::new(FiveTuple::bidirectional(), protocols);
    for packet in conversation.packets() {
        driver.handle_packet(packet.view());
    }
    driver.finish(EndReason::EndOfInput);
    let mut rows = Vec::new();
    while let Some(event) = driver.poll_event() {
        if let SessionEvent::Application { flow, message, .. } = &event {
            let header = RecordHeader::of_event(flow).began(message);
            directory.write(&header, message).unwrap();
            rows.push((message.protocol(), row(&header, message)));
        } else if let Some(record) = FlowRecord::of_event(&event) {
            directory.write(&record.header, &record).unwrap();
            rows.push(("flow", record.visit(All(&record.header))));
        }
    }
    rows
}

/// The row of `--format json`.
fn row(header: &RecordHeader, record: &impl Record) -> Json {
    let mut line = Vec::new();
    JsonFormat::new().record(header, record, &mut line);
    json::clean(serde_json::from_slice(&line).unwrap())
}

/// The stored columns of a flow, of which `--format json` has a choice.
struct All<'a>(&'a RecordHeader);

impl Visitor for All<'_> {
    type Output = Json;

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) -> Json {
        let arrow = flowscope_arrow::arrow_schema(schema);
        let around = [flowscope::output::HEADER, flowscope::output::TRAILER];
        let column = |name: &String| {
            let sources = schema.field(&around, name);
            assert_eq!(sources.len(), 1, "{name}");
            (name.clone(), json::of_value(&sources[0].value(schema, self.0, record)))
        };
        json::clean(Json::Object(arrow.fields().iter().map(|field| column(field.name())).collect()))
    }
}

#[test]
fn records_of_all_protocols_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut directory = ParquetDirectory::create(folder.path()).unwrap();
    let mut written = BTreeMap::<_, Vec<_>>::new();
    for sample in samples() {
        for (record, row) in write(&sample.conversation, &mut directory) {
            written.entry(record.to_owned()).or_default().push(row);
        }
    }
    directory.finish().unwrap();
    // Samples of these have nothing of the other protocol that names them: HTTP, and the control connection of FTP.
    let is_alone = |name: &&str| !["websocket", "ftp-data"].contains(name);
    let names = protocols::all().iter().map(|protocol| protocol.name).chain(["flow"]);
    for name in names.filter(is_alone) {
        assert!(written.contains_key(name), "no sample has records of {name}");
    }
    let read = files::rows(folder.path());
    assert!(read.keys().eq(written.keys()));
    for (record, rows) in written {
        for (read, written) in read[&record].iter().zip(&json::sorted(rows.clone())) {
            assert_eq!(read, written, "{record}");
        }
        assert_eq!(read[&record].len(), rows.len(), "{record}");
    }
}

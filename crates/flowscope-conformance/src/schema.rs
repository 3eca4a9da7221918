//! The schema: it is sound, its columns give what they declare, and formats write what readers expect.

use flowscope_output::{CsvFormat, EveFormat, RecordHeader, ZeekFormat};
use flowscope_record::{Kind, ParserOptions, Protocol, Schema, Value};
use flowscope_testkit::Rng;
use serde_json::Value as Json;

use crate::Sample;
use crate::records::{self, Of};

/// Damaged copies of each sample.
const DAMAGED: u64 = 30;

/// The schema has no faults.
pub(crate) fn sound<P: Protocol>() {
    let schema: &Schema<P::Record> = P::SCHEMA;
    assert_eq!(schema.name, P::NAME, "the schema's name");
    for schema in std::iter::once(&schema).chain(schema.zeek_also) {
        let faults = schema.faults();
        assert!(faults.is_empty(), "faults of the schema {}: {faults:#?}", schema.name);
    }
}

/// All records of a sample and of damaged copies, with and without transactions and files.
fn all<P: Protocol + 'static>(sample: &Sample) -> Vec<(RecordHeader, Of<P>)> {
    let mut rng = Rng::new(7);
    let mut all = Vec::new();
    for options in
        [ParserOptions::default(), ParserOptions::default().transactions(true).files(true)]
    {
        all.extend(records::of::<P>(&sample.conversation, &options));
        for _ in 0..DAMAGED {
            all.extend(records::of::<P>(
                &records::damaged(&sample.conversation, &mut rng),
                &options,
            ));
        }
    }
    all
}

/// Values are of the kinds that their columns declare.
pub(crate) fn kinds<P: Protocol + 'static>(sample: &Sample) {
    for (_, Of(record)) in all::<P>(sample) {
        for column in P::SCHEMA.columns {
            let value = (column.get)(&record);
            if let Err(error) = matches(&value, column.kind) {
                panic!("{}: column {}: {error}", sample.name, column.name);
            }
        }
    }
}

fn matches(value: &Value<'_>, kind: Kind) -> Result<(), String> {
    match (value, kind) {
        (Value::Null, _)
        | (Value::Bool(_), Kind::Bool)
        | (Value::U64(_), Kind::U64)
        | (Value::F64(_), Kind::F64)
        | (Value::Time(_), Kind::Time)
        | (Value::Duration(_), Kind::Duration)
        | (Value::Addr(_), Kind::Addr)
        | (Value::Bytes(_), Kind::Bytes)
        | (Value::Text(_) | Value::Short(_), Kind::Text) => Ok(()),
        (Value::List(list), Kind::List(kind)) => {
            list.iter().try_for_each(|value| matches(value, *kind))
        }
        (Value::Object(members), Kind::Object(kinds)) => {
            members.iter().try_for_each(|(name, value)| {
                let kind = kinds.iter().find(|(known, _)| known == name);
                matches(value, kind.ok_or_else(|| format!("member {name} is not declared"))?.1)
            })
        }
        _ => Err(format!("{value:?} is not {kind:?}")),
    }
}

/// Each line of EVE is JSON of the right type, each line of Zeek and CSV has a value per column.
pub(crate) fn formats<P: Protocol + 'static>(sample: &Sample) {
    let all = all::<P>(sample);
    for line in records::written(EveFormat::new(), &all).lines() {
        let json: Json = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(json["event_type"], P::SCHEMA.eve_event, "{line}");
        assert!(json["flow_id"].is_u64() && json["timestamp"].is_string(), "{line}");
    }
    let also = P::SCHEMA.zeek_also.iter().map(|also| also.zeek_log);
    let logs = std::iter::once(P::SCHEMA.zeek_log).chain(also);
    for line in records::written(ZeekFormat::json(), &all).lines() {
        let json: Json = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(logs.clone().any(|log| json["_path"] == log), "{line}");
    }
    let log = records::written(ZeekFormat::tsv(), &all);
    let cells = |line: &str| line.split('\t').count();
    let mut fields = 0;
    for line in log.lines() {
        match line.strip_prefix("#fields\t") {
            Some(names) => fields = cells(names),
            None if line.starts_with('#') => {}
            None => assert_eq!(cells(line), fields, "{line}"),
        }
    }
    let csv = records::written(CsvFormat::new(&[P::SCHEMA]), &all);
    let rows = csv_rows(&csv);
    assert!(rows.iter().all(|&cells| cells == rows[0]), "{csv}");
}

/// The number of cells in each row (RFC 4180).
fn csv_rows(text: &str) -> Vec<usize> {
    let (mut rows, mut cells, mut quoted) = (Vec::new(), 1, false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells += 1,
            '\n' if !quoted => {
                rows.push(cells);
                cells = 1;
            }
            _ => {}
        }
    }
    assert!(!quoted, "a quoted cell has no end");
    rows
}

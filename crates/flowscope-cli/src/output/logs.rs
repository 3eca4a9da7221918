//! Records as the logs of a directory: one file per schema, as Zeek has them, or one EVE log.

use flowscope::core::Timestamp;
use flowscope::output::{
    CsvFormat, EveFormat, FLOW, Format as _, JsonFormat, RecordHeader, ZeekFormat,
};
use flowscope::record::{AnySchema, Record, Schema, Visitor};

use super::{Totals, stats};
use crate::args::Format;
use crate::reading::{MessageOptions, begin_log};

/// The logs of one run. The first is that of flows, or the only one.
#[derive(Clone, Debug)]
pub(super) struct Logs {
    /// Names of the files.
    names: Vec<String>,
    /// Names of the schemas, and which log has their records. Several may have one.
    schemas: Vec<(&'static str, usize)>,
    style: Style,
}

#[derive(Clone, Debug)]
enum Style {
    Eve(EveFormat),
    Zeek(ZeekFormat),
    /// A format for each log.
    Csv(Vec<CsvFormat>),
    Json(JsonFormat),
}

impl Logs {
    /// In this format, of flows and of what these say.
    pub(super) fn new(format: Format, messages: Option<MessageOptions>) -> Self {
        let mut schemas: Vec<&'static dyn AnySchema> = vec![&FLOW];
        schemas.extend(messages.map(MessageOptions::schemas).unwrap_or_default());
        if matches!(format, Format::Zeek | Format::ZeekJson) {
            let also: Vec<_> = schemas.iter().flat_map(|schema| schema.zeek_also()).collect();
            schemas.extend(also);
        }
        let named = |name: fn(&dyn AnySchema) -> String| -> Vec<_> {
            schemas.iter().map(|schema| name(*schema)).collect()
        };
        let zeek_names = || named(|schema| format!("{}.log", schema.zeek_log()));
        let (names, style) = match format {
            Format::Zeek => (zeek_names(), Style::Zeek(ZeekFormat::tsv())),
            Format::ZeekJson => (zeek_names(), Style::Zeek(ZeekFormat::json().without_path())),
            Format::Csv => {
                let formats = schemas.iter().map(|schema| CsvFormat::new(&[*schema])).collect();
                (named(|schema| format!("{}.csv", schema.name())), Style::Csv(formats))
            }
            Format::Json => {
                (named(|schema| format!("{}.json", schema.name())), Style::Json(JsonFormat::new()))
            }
            // A table is no log, and neither are columns or messages.
            Format::Eve | Format::Table | Format::Parquet | Format::Arrow | Format::Ipfix => {
                (vec!["eve.json".to_owned()], Style::Eve(EveFormat::new()))
            }
        };
        let mut logs: Vec<String> = Vec::new();
        let mut log_of = |name: &String| {
            let known = logs.iter().position(|log| log == name);
            known.unwrap_or_else(|| {
                logs.push(name.clone());
                logs.len() - 1
            })
        };
        let ats = names.iter().chain(std::iter::repeat(&names[0])).map(&mut log_of);
        let schemas = schemas.iter().map(|schema| schema.name()).zip(ats).collect();
        Logs { names: logs, schemas, style }
    }

    /// Names of the files.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The log that has this record.
    pub(super) fn log_of(&self, record: &impl Record) -> u8 {
        let name = record.visit(SchemaName);
        let at = self.schemas.iter().find(|(schema, _)| *schema == name).map_or(0, |(_, at)| *at);
        // A selection of protocols has at most 64.
        u8::try_from(at.min(self.names.len() - 1)).unwrap_or_default()
    }

    /// Appends what comes first in a log.
    pub(super) fn begin(&mut self, at: usize, start: Timestamp, out: &mut Vec<u8>) {
        match &mut self.style {
            Style::Eve(_) | Style::Json(_) => {}
            Style::Zeek(zeek) if at == 0 => zeek.begin_log(&FLOW, start, out),
            Style::Zeek(zeek) => {
                let first = self.schemas.iter().find(|(_, log)| *log == at);
                begin_log(first.map_or("", |(schema, _)| schema), zeek, start, out);
            }
            Style::Csv(formats) => formats[at].begin(start, out),
        }
    }

    /// Appends a record of the log that has it.
    pub(super) fn write(&mut self, header: &RecordHeader, record: &impl Record, out: &mut Vec<u8>) {
        let at = match self.style {
            Style::Csv(_) => usize::from(self.log_of(record)),
            Style::Eve(_) | Style::Zeek(_) | Style::Json(_) => 0,
        };
        match &mut self.style {
            Style::Eve(eve) => eve.record(header, record, out),
            Style::Zeek(zeek) => zeek.row(header, record, out),
            Style::Csv(formats) => formats[at].record(header, record, out),
            Style::Json(json) => json.record(header, record, out),
        }
    }

    /// What other logs have of a record.
    pub(super) fn also(
        &mut self,
        header: &RecordHeader,
        record: &impl Record,
    ) -> Vec<(u8, Vec<u8>)> {
        let mut also = Vec::new();
        let Style::Zeek(zeek) = &mut self.style else { return also };
        zeek.rows_also(header, record, |log, lines| {
            let mut files = self.names.iter();
            let at = files.position(|name| name.strip_suffix(".log") == Some(log));
            also.extend(at.and_then(|at| u8::try_from(at).ok()).map(|at| (at, lines)));
        });
        also
    }

    /// Appends what comes last in a log that is complete before the others.
    pub(super) fn close(&mut self, now: Timestamp, out: &mut Vec<u8>) {
        match &mut self.style {
            Style::Zeek(zeek) => zeek.end(now, out),
            Style::Eve(_) | Style::Csv(_) | Style::Json(_) => {}
        }
    }

    /// Appends what comes last in a log.
    pub(super) fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        match &mut self.style {
            Style::Eve(_) => stats::write(totals, out),
            Style::Zeek(zeek) => zeek.end(totals.end, out),
            Style::Csv(_) | Style::Json(_) => {}
        }
    }
}

struct SchemaName;

impl Visitor for SchemaName {
    type Output = &'static str;

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, _: &R) -> &'static str {
        schema.name
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_log_has_a_file_of_its_own() {
        for format in [Format::Zeek, Format::ZeekJson, Format::Csv, Format::Json] {
            let logs = Logs::new(format, Some(MessageOptions::ALL));
            let names: BTreeSet<_> = logs.names().iter().collect();
            assert_eq!(names.len(), logs.names().len(), "{names:?}");
            let used: BTreeSet<_> = logs.schemas.iter().map(|(_, at)| *at).collect();
            assert!(used.into_iter().eq(0..names.len()), "{names:?}");
        }
        let eve = Logs::new(Format::Eve, Some(MessageOptions::ALL));
        assert_eq!(eve.names(), ["eve.json"]);
        assert_eq!(Logs::new(Format::Zeek, None).names(), ["conn.log"]);
    }
}

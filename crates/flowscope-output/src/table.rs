//! Records in lines for reading.

use std::io::Write as _;

use flowscope_core::Timestamp;
use flowscope_record::{Record, Schema, Value, Visitor, span, wire_text};

use crate::RecordHeader;
use crate::format::Format;
use crate::text::{terminal, to_the_second};

/// Writes records of one schema in aligned columns.
///
/// Columns are as wide as the first rows need, and no cell is ever cut or wrapped: rows are held back until
/// there are [500](Self::LOOK_AHEAD) of them. Where the lines would not fit a terminal of 120 columns, those cells that
/// [may overflow](flowscope_record::Table::may_overflow) stick out.
pub struct TableFormat<R: 'static> {
    columns: Vec<Shown<R>>,
    widths: Option<Vec<usize>>,
    /// The rows that decide on the widths.
    first: Vec<Vec<String>>,
    /// Whether the widths are the usual ones.
    usual: bool,
}

#[derive(Clone)]
struct Shown<R: 'static> {
    heading: &'static str,
    width: usize,
    right: bool,
    may_overflow: bool,
    get: for<'a> fn(&'a R) -> Value<'a>,
}

/// Columns of a terminal that the table tries to fit.
const TERMINAL: usize = 120;

impl<R: 'static> TableFormat<R> {
    /// As many rows are held back to find the widths.
    pub const LOOK_AHEAD: usize = 500;

    /// A table of this schema's records; with all columns, or those alone that are not for
    /// [wide](flowscope_record::Table::wide_only) tables.
    #[must_use]
    pub fn new(schema: &'static Schema<R>, wide: bool) -> Self {
        let shown = schema.table_columns().into_iter().filter_map(|column| {
            let table = column.table.as_ref().filter(|table| wide || !table.wide_only)?;
            Some(Shown {
                heading: table.heading,
                width: table.width.into(),
                right: table.right,
                may_overflow: table.may_overflow,
                get: table.get.unwrap_or(column.get),
            })
        });
        TableFormat { columns: shown.collect(), widths: None, first: Vec::new(), usual: false }
    }

    /// Writes each row at once: columns have their usual widths.
    pub fn hold_nothing_back(&mut self) {
        self.usual = true;
    }

    /// Appends a record.
    pub fn row(&mut self, record: &R, out: &mut Vec<u8>) {
        let row: Vec<_> = self.columns.iter().map(|column| text(&(column.get)(record))).collect();
        if let Some(widths) = &self.widths {
            self.line(widths, &row, out);
        } else {
            self.first.push(row);
            if self.usual || self.first.len() == Self::LOOK_AHEAD {
                self.begin(out);
            }
        }
    }

    /// Appends what is held back.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if self.widths.is_none() {
            self.begin(out);
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        let heading = |column: &Shown<R>| column.heading.len();
        let mut widths: Vec<usize> = self.columns.iter().map(heading).collect();
        for (at, width) in widths.iter_mut().enumerate() {
            *width = self.cells(at).fold(*width, usize::max);
        }
        if self.usual {
            widths = self.columns.iter().map(|column| column.width).collect();
        } else if widths.iter().sum::<usize>() + widths.len().saturating_sub(1) > TERMINAL {
            for (at, column) in self.columns.iter().enumerate() {
                let fitting = self.cells(at).filter(|cell| *cell <= column.width);
                if column.may_overflow && fitting.clone().count() * 2 >= self.first.len() {
                    widths[at] = fitting.fold(heading(column), usize::max);
                }
            }
        }
        let head: Vec<_> = self.columns.iter().map(|column| column.heading.to_owned()).collect();
        self.line(&widths, &head, out);
        for row in std::mem::take(&mut self.first) {
            self.line(&widths, &row, out);
        }
        self.widths = Some(widths);
    }

    /// The widths of a column's first cells.
    fn cells(&self, at: usize) -> impl Iterator<Item = usize> + Clone {
        self.first.iter().filter_map(move |row| Some(row.get(at)?.chars().count()))
    }

    /// Appends a line, cells padded and one space between them, none at its end.
    fn line(&self, widths: &[usize], row: &[String], out: &mut Vec<u8>) {
        let start = out.len();
        for (at, ((column, width), cell)) in self.columns.iter().zip(widths).zip(row).enumerate() {
            let space = if at == 0 { "" } else { " " };
            let written = if column.right {
                write!(out, "{space}{cell:>width$}")
            } else {
                write!(out, "{space}{cell:<width$}")
            };
            written.expect("a vector takes all");
        }
        end_line(start, out);
    }
}

impl<R> Clone for TableFormat<R> {
    fn clone(&self) -> Self {
        let shown = |column: &Shown<R>| Shown { ..*column };
        TableFormat {
            columns: self.columns.iter().map(shown).collect(),
            widths: self.widths.clone(),
            first: self.first.clone(),
            usual: self.usual,
        }
    }
}

impl<R> std::fmt::Debug for TableFormat<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableFormat").field("widths", &self.widths).finish_non_exhaustive()
    }
}

/// Ends a line without spaces before its end.
fn end_line(start: usize, out: &mut Vec<u8>) {
    let end = out[start..].iter().rposition(|b| *b != b' ').map_or(start, |at| start + at + 1);
    out.truncate(end);
    out.push(b'\n');
}

/// A value as a cell; what a peer chose is escaped.
fn text(value: &Value<'_>) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.into(),
        Value::U64(number) => number.to_string(),
        Value::F64(number) => number.to_string(),
        Value::Time(ts) => to_the_second(*ts),
        Value::Duration(time) => span(*time),
        Value::Addr(addr) => addr.to_string(),
        Value::Bytes(bytes) => terminal(&wire_text(bytes)).into_owned(),
        Value::Text(text) => terminal(text).into_owned(),
        Value::Short(text) => terminal(text.as_str()).into_owned(),
        Value::List(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
        Value::Object(members) => {
            members.iter().map(|(_, value)| text(value)).collect::<Vec<_>>().join(":")
        }
        _ => String::new(),
    }
}

/// Writes records of any schema, a line each: time, protocol, who with whom, and the record in a few words.
#[derive(Clone, Debug, Default)]
pub struct SummaryFormat {
    begun: bool,
}

/// Room for an IPv4 address and its port; where there is IPv6, a line sticks out.
const END: usize = 21;

impl SummaryFormat {
    /// Creates a formatter that wrote nothing yet.
    #[must_use]
    pub fn new() -> Self {
        SummaryFormat::default()
    }

    fn heading(&mut self, out: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            writeln!(
                out,
                "{:<19} {:<4} {:<END$} {:<END$} SAID",
                "TIME", "WHAT", "INITIATOR", "RESPONDER"
            )
            .expect("a vector takes all");
        }
    }
}

impl Format for SummaryFormat {
    fn record(&mut self, header: &RecordHeader, record: &impl Record, out: &mut Vec<u8>) {
        self.heading(out);
        record.visit(Summary { header, out });
    }

    fn end(&mut self, _: Timestamp, out: &mut Vec<u8>) {
        self.heading(out);
    }
}

struct Summary<'a> {
    header: &'a RecordHeader,
    out: &'a mut Vec<u8>,
}

impl Visitor for Summary<'_> {
    type Output = ();

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) {
        let Summary { header, out } = self;
        let start = to_the_second((schema.time)(record));
        let (initiator, responder) = header.endpoints();
        let (initiator, responder) = (initiator.to_string(), responder.to_string());
        let mut said = String::new();
        (schema.summary)(record, &mut said);
        let said = terminal(&said);
        let said = said.trim_end();
        let name = schema.name;
        writeln!(out, "{start} {name:<4} {initiator:<END$} {responder:<END$} {said}")
            .expect("a vector takes all");
    }
}

//! Columns of records, compared with fields of tshark.

use flowscope::core::Timestamp;
use flowscope::protocols::AppRecord;
use flowscope::record::{Record, Schema, Value, Visitor};

use crate::capture::{Capture, Row, records, rows_between};

/// Between several values in one cell.
pub(crate) const BETWEEN: char = '\u{1f}';

/// A column of records with the field of tshark that has the same.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    column: &'static str,
    /// Names with `+` between them are fields whose values follow each other.
    field: &'static str,
    /// What the column has for a value of the field.
    read: fn(&str) -> String,
}

/// A column and a field that are written alike.
pub(crate) const fn same(column: &'static str, field: &'static str) -> Pair {
    pair(column, field, str::to_owned)
}

/// A column and a field whose values `read` translates.
pub(crate) const fn pair(
    column: &'static str,
    field: &'static str,
    read: fn(&str) -> String,
) -> Pair {
    Pair { column, field, read }
}

/// What is compared of the packets of one kind.
pub(crate) struct Part<'a> {
    /// Display filter of the packets.
    pub(crate) filter: &'static str,
    /// The first is there in each packet and in each record that are compared.
    pub(crate) pairs: &'a [Pair],
    /// What becomes of a packet's cells, in the order of the pairs, each with [`BETWEEN`] between its values.
    pub(crate) rows: fn(Row) -> Vec<Row>,
    /// A column, and what it has in the records that are compared, with `|` between several values. Nothing: all are.
    pub(crate) having: Option<(&'a str, &'a str)>,
    /// Least number of packets.
    pub(crate) at_least: usize,
}

/// One row per packet; where the first cell has several values, and the others as many or none, one for each.
pub(crate) fn as_they_are(row: Row) -> Vec<Row> {
    let count = row[0].split(BETWEEN).count();
    let fits = |cell: &String| cell.is_empty() || cell.split(BETWEEN).count() == count;
    if count == 1 || !row.iter().all(fits) {
        return vec![row];
    }
    let of = |at| row.iter().map(move |cell| cell.split(BETWEEN).nth(at).unwrap_or("").to_owned());
    (0..count).map(|at| of(at).collect()).collect()
}

/// A row for each value of the only cell.
pub(crate) fn each_value(row: Row) -> Vec<Row> {
    row[0].split(BETWEEN).map(|value| vec![value.to_owned()]).collect()
}

/// Compares the records of one protocol in a capture with what tshark reads in its packets.
pub(crate) fn check(capture: &Capture, protocol: &str, parts: &[Part<'_>]) {
    let records = records(capture);
    let records: Vec<&AppRecord> =
        records.iter().filter(|record| record.protocol() == protocol).collect();
    assert!(!records.is_empty(), "{} has no records of {protocol}", capture.name());
    for part in parts {
        let theirs = theirs(capture, part);
        let ours = ours(&records, part);
        let columns: Vec<&str> = part.pairs.iter().map(|pair| pair.column).collect();
        let what = format!("{}, {}: {columns:?}", capture.name(), part.filter);
        assert_eq!(ours, theirs, "{what}");
        assert!(theirs.len() >= part.at_least, "{what}: {}", theirs.len());
    }
}

fn theirs(capture: &Capture, part: &Part<'_>) -> Vec<Row> {
    // A field that tshark is asked for twice is printed once.
    let mut fields: Vec<&str> = Vec::new();
    for field in part.pairs.iter().flat_map(|pair| pair.field.split('+')) {
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    let mut rows: Vec<Row> = rows_between(BETWEEN, capture, part.filter, &fields)
        .into_iter()
        .map(|cells| {
            let cell =
                |name: &str| &cells[fields.iter().position(|field| *field == name).unwrap_or(0)];
            let of_pair = |pair: &Pair| {
                let cells = pair.field.split('+').map(cell);
                // What is empty may have a word for it.
                let cells = cells.filter(|cell| !cell.is_empty() && *cell != "<MISSING>");
                cells.cloned().collect::<Vec<String>>().join(&BETWEEN.to_string())
            };
            part.pairs.iter().map(of_pair).collect::<Row>()
        })
        .flat_map(part.rows)
        .map(|row| {
            let read = |(cell, pair): (&String, &Pair)| {
                let values = cell.split(BETWEEN).filter(|value| !value.is_empty());
                values.map(pair.read).collect::<Vec<_>>().join(" ")
            };
            row.iter().zip(part.pairs).map(read).collect::<Row>()
        })
        .filter(|row: &Row| !row[0].is_empty())
        .collect();
    rows.sort();
    rows
}

fn ours(records: &[&AppRecord], part: &Part<'_>) -> Vec<Row> {
    let is_spread = part.pairs.len() == 1;
    let mut rows = Vec::new();
    let is_compared = |record: &&&AppRecord| {
        part.having.is_none_or(|(column, values)| {
            let cell = record.visit(Cell(column)).join(" ");
            values.split('|').any(|value| value == cell)
        })
    };
    for record in records.iter().filter(is_compared) {
        let cells: Vec<Vec<String>> =
            part.pairs.iter().map(|pair| record.visit(Cell(pair.column))).collect();
        if is_spread {
            rows.extend(cells.into_iter().flatten().map(|value| vec![value]));
        } else {
            rows.push(cells.iter().map(|values| values.join(" ")).collect());
        }
    }
    rows.retain(|row: &Row| !row[0].is_empty());
    rows.sort();
    rows
}

/// The values of one column, of which one that is not a list has one.
pub(crate) struct Cell<'a>(pub(crate) &'a str);

impl Visitor for Cell<'_> {
    type Output = Vec<String>;

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) -> Vec<String> {
        let column = schema.columns.iter().find(|column| column.name == self.0);
        let column = column.unwrap_or_else(|| panic!("{} has no column {}", schema.name, self.0));
        match (column.get)(record) {
            Value::List(values) => values.iter().map(text).collect(),
            value => vec![text(&value)],
        }
    }
}

/// A value as text: times in nanoseconds since 1970, durations in seconds.
fn text(value: &Value<'_>) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => yes.to_string(),
        Value::U64(number) => number.to_string(),
        Value::F64(number) => number.to_string(),
        Value::Time(time) => nanos(*time).to_string(),
        Value::Duration(span) => span.as_secs_f64().to_string(),
        Value::Addr(address) => address.to_string(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Text(text) => text.clone().into_owned(),
        Value::Short(short) => short.to_string(),
        Value::List(values) => values.iter().map(text).collect::<Vec<_>>().join(" "),
        Value::Object(members) => {
            members.iter().map(|(_, value)| text(value)).collect::<Vec<_>>().join(" ")
        }
        other => panic!("a kind of value without a text: {other:?}"),
    }
}

fn nanos(time: Timestamp) -> u64 {
    time.as_nanos()
}

/// A flag.
pub(crate) fn flag(cell: &str) -> String {
    if ["1", "True"].contains(&cell) { "true" } else { "false" }.to_owned()
}

/// A flag that columns have only where it holds.
pub(crate) fn only_true(cell: &str) -> String {
    if ["1", "True"].contains(&cell) { "true" } else { "" }.to_owned()
}

/// A number in hexadecimal or decimal digits.
pub(crate) fn number(cell: &str) -> String {
    let number = match cell.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => cell.parse(),
    };
    number.expect("a number").to_string()
}

/// Length of bytes that are written in hexadecimal digits.
pub(crate) fn length(cell: &str) -> String {
    (cell.len() / 2).to_string()
}

/// Text whose bytes are written in hexadecimal digits.
pub(crate) fn of_hex(cell: &str) -> String {
    let digit = |at: usize| u8::from_str_radix(&cell[at..at + 2], 16).expect("two digits");
    let bytes: Vec<u8> = (0..cell.len()).step_by(2).map(digit).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The name that stands for a number in this list.
pub(crate) fn name(names: &[(u64, &str)], cell: &str) -> String {
    let number: u64 = number(cell).parse().expect("a number");
    let known = names.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("no name for {number}"), |(_, name)| (*name).to_owned())
}

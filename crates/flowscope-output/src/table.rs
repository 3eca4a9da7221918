//! Records in lines for reading.

use std::io::Write as _;

use flowscope_core::Timestamp;
use flowscope_record::{Kind, Record, Schema, Value, Visitor, span, wire_text};

use crate::format::Format;
use crate::grid::{Grid, GridColumn, shorten};
use crate::text::terminal;
use crate::{RecordFields, RecordHeader, Zone};

/// Writes records of one schema in aligned columns.
///
/// Columns are as wide as the first rows need, and no cell is ever cut or wrapped: rows are held back until
/// there are [500](Self::LOOK_AHEAD) of them. Where the lines would not fit a terminal of 120 columns, those cells that
/// [may overflow](flowscope_record::Table::may_overflow) stick out.
pub struct TableFormat<R: 'static> {
    cells: Vec<Get<R>>,
    grid: Grid,
    zone: Zone,
}

/// Characters of a date and the space behind it.
const DATE: usize = 11;

/// The value of a cell.
type Get<R> = for<'a> fn(&'a R) -> Value<'a>;

impl<R: 'static> TableFormat<R> {
    /// As many rows are held back to find the widths.
    pub const LOOK_AHEAD: usize = Grid::LOOK_AHEAD;

    /// A table of this schema's records; with all columns, or those alone that are not for
    /// [wide](flowscope_record::Table::wide_only) tables.
    #[must_use]
    pub fn new(schema: &'static Schema<R>, wide: bool) -> Self {
        let mut cells: Vec<Get<R>> = Vec::new();
        let mut columns = Vec::new();
        for column in schema.table_columns() {
            let table = column.table.as_ref().filter(|table| wide || !table.wide_only);
            let Some(table) = table else { continue };
            cells.push(table.get.unwrap_or(column.get));
            columns.push(GridColumn {
                heading: table.heading.to_owned(),
                width: table.width.into(),
                right: table.right,
                may_overflow: table.may_overflow,
                prefix: if column.kind == Kind::Time { DATE } else { 0 },
            });
        }
        TableFormat { cells, grid: Grid::new(columns), zone: Zone::utc() }
    }

    /// Writes times in this zone; in UTC by default.
    pub fn zone(&mut self, zone: Zone) {
        self.zone = zone;
    }

    /// Writes each row at once: columns have their usual widths.
    pub fn hold_nothing_back(&mut self) {
        self.grid.hold_nothing_back();
    }

    /// Lets lines [fit](Grid::fit) a terminal of so many columns.
    pub fn fit(&mut self, terminal: usize) {
        self.grid.fit(terminal);
    }

    /// Appends a record.
    pub fn row(&mut self, record: &R, out: &mut Vec<u8>) {
        let zone = &self.zone;
        self.grid.row(self.cells.iter().map(|get| cell_text(&get(record), zone)).collect(), out);
    }

    /// Appends what is held back.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.grid.end(out);
    }
}

impl<R> Clone for TableFormat<R> {
    fn clone(&self) -> Self {
        TableFormat { cells: self.cells.clone(), grid: self.grid.clone(), zone: self.zone.clone() }
    }
}

impl<R> std::fmt::Debug for TableFormat<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableFormat").field("grid", &self.grid).finish_non_exhaustive()
    }
}

/// Writes chosen fields of records of any schema in aligned columns, numbers in full.
///
/// Rows are held back as by [`TableFormat`].
#[derive(Clone, Debug)]
pub struct FieldsTable {
    fields: RecordFields,
    grid: Grid,
    zone: Zone,
    /// Whether it was decided which columns are numbers.
    aligned: bool,
}

impl FieldsTable {
    /// With these fields as columns, in this order.
    #[must_use]
    pub fn new(fields: RecordFields) -> Self {
        let columns = fields.names().iter().map(|name| {
            let name = name.to_uppercase();
            GridColumn { width: name.chars().count(), ..GridColumn::new(&name) }.may_overflow()
        });
        let grid = Grid::new(columns.collect());
        FieldsTable { fields, grid, zone: Zone::utc(), aligned: false }
    }

    /// Lets lines [fit](Grid::fit) a terminal of so many columns.
    pub fn fit(&mut self, terminal: usize) {
        self.grid.fit(terminal);
    }

    /// Writes times in this zone; in UTC by default.
    pub fn zone(&mut self, zone: Zone) {
        self.zone = zone;
    }

    /// Writes each row at once: columns are as wide as their names.
    pub fn hold_nothing_back(&mut self) {
        self.grid.hold_nothing_back();
    }
}

impl Format for FieldsTable {
    fn record(&mut self, header: &RecordHeader, record: &impl Record, out: &mut Vec<u8>) {
        if !self.aligned && self.grid.held_back() + 1 == Grid::LOOK_AHEAD {
            self.aligned = true;
            self.grid.align_numbers();
        }
        let mut row = Vec::with_capacity(self.fields.names().len());
        let zone = &self.zone;
        self.fields.values(header, record, &mut |value| row.push(cell_text(&value, zone)));
        self.grid.row(row, out);
    }

    fn end(&mut self, _: Timestamp, out: &mut Vec<u8>) {
        if !self.aligned && self.grid.held_back() > 0 {
            self.grid.align_numbers();
        }
        self.grid.end(out);
    }
}

/// Returns a value as text for reading, as tables have it, on one line; what a peer chose is escaped as by [`terminal`].
#[must_use]
pub fn cell_text(value: &Value<'_>, zone: &Zone) -> String {
    let text = |value: &Value<'_>| cell_text(value, zone);
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.into(),
        Value::U64(number) => number.to_string(),
        Value::F64(number) => number.to_string(),
        Value::Time(ts) => zone.to_the_second(*ts),
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
    /// Columns of the terminal that lines have to fit.
    terminal: Option<usize>,
    zone: Zone,
}

/// Room for an IPv4 address and its port; where there is IPv6, a line sticks out.
const END: usize = 21;

/// The same in terminals with fewer columns than this.
const SHORT_END: usize = 16;
const NARROW: usize = 110;

impl SummaryFormat {
    /// Creates a formatter that wrote nothing yet.
    #[must_use]
    pub fn new() -> Self {
        SummaryFormat::default()
    }

    /// Writes times in this zone; in UTC by default.
    pub fn zone(&mut self, zone: Zone) {
        self.zone = zone;
    }

    /// Lets lines have at most so many characters: addresses are shortened in their middle, in narrow terminals dates are
    /// left out, and the last column ends with the line.
    pub fn fit(&mut self, terminal: usize) {
        self.terminal = Some(terminal);
    }

    fn heading(&mut self, out: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            self.line(["TIME", "WHAT", "INITIATOR", "RESPONDER", "SAID"], out);
        }
    }

    /// Appends a line.
    fn line(&self, [time, what, initiator, responder, said]: [&str; 5], out: &mut Vec<u8>) {
        let start = out.len();
        let written = match self.terminal {
            None => {
                writeln!(out, "{time:<19} {what:<4} {initiator:<END$} {responder:<END$} {said}")
            }
            Some(terminal) => {
                let is_narrow = terminal < NARROW;
                let date = if is_narrow && time.len() > DATE { DATE } else { 0 };
                let (time, of_time) = (&time[date..], if is_narrow { 19 - DATE } else { 19 });
                let end = if is_narrow { SHORT_END } else { END };
                let [initiator, responder] = [initiator, responder].map(|it| shorten(it, end));
                let line = format!(
                    "{time:<of_time$} {what:<4} {initiator:<end$} {responder:<end$} {said}"
                );
                match line.char_indices().nth(terminal) {
                    None => writeln!(out, "{line}"),
                    Some(_) => {
                        let kept: String = line.chars().take(terminal.saturating_sub(1)).collect();
                        writeln!(out, "{kept}…")
                    }
                }
            }
        };
        written.expect("a vector takes all");
        if out.get(start..).is_some_and(|line| line.ends_with(b" \n")) {
            let end =
                out.iter().rposition(|byte| !b" \n".contains(byte)).map_or(start, |at| at + 1);
            out.truncate(end);
            out.push(b'\n');
        }
    }
}

impl Format for SummaryFormat {
    fn record(&mut self, header: &RecordHeader, record: &impl Record, out: &mut Vec<u8>) {
        self.heading(out);
        record.visit(Summary { format: self, header, out });
    }

    fn end(&mut self, _: Timestamp, out: &mut Vec<u8>) {
        self.heading(out);
    }
}

struct Summary<'a> {
    format: &'a SummaryFormat,
    header: &'a RecordHeader,
    out: &'a mut Vec<u8>,
}

impl Visitor for Summary<'_> {
    type Output = ();

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) {
        let Summary { format, header, out } = self;
        let start = format.zone.to_the_second((schema.time)(record));
        let (initiator, responder) = header.endpoints();
        let (initiator, responder) = (initiator.to_string(), responder.to_string());
        let mut said = String::new();
        (schema.summary)(record, &mut said);
        let said = terminal(&said);
        format.line([&start, schema.name, &initiator, &responder, said.trim_end()], out);
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::L4Proto;
    use flowscope_extract::FiveTupleKey;
    use flowscope_record::Column;

    use super::*;

    struct Ping(u64);

    static PING: Schema<Ping> = Schema {
        columns: &[Column::new("code", Kind::U64, |ping| ping.0.into(), "A number.")],
        ..Schema::new("ping", |_| Timestamp::ZERO)
    };

    impl Record for Ping {
        fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
            visitor.record(&PING, self)
        }
    }

    /// Whether all rows are written at once, or more than are held back.
    #[test]
    fn numbers_are_aligned_to_the_right() {
        let ends = ("10.0.0.1:5".parse().unwrap(), "10.0.0.2:53".parse().unwrap());
        let (key, orientation) = FiveTupleKey::new(L4Proto::Udp, ends.0, ends.1).unwrap();
        let header = RecordHeader::new(Timestamp::from_secs(1), 3, key, orientation);
        for rows in [3, Grid::LOOK_AHEAD - 1, Grid::LOOK_AHEAD, Grid::LOOK_AHEAD + 1] {
            let mut table = FieldsTable::new(RecordFields::new(vec!["code".to_owned()]));
            let mut out = Vec::new();
            for row in 0..rows {
                table.record(&header, &Ping(row as u64 % 3 * 1_000_000), &mut out);
            }
            table.end(Timestamp::ZERO, &mut out);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.lines().count(), rows + 1);
            let first: Vec<&str> = text.lines().take(4).collect();
            assert_eq!(first, ["   CODE", "      0", "1000000", "2000000"], "{rows}");
        }
    }
}

//! Records as comma-separated values (RFC 4180).

use std::io::Write as _;

use flowscope_core::Timestamp;
use flowscope_record::{AnySchema, Record, Schema, Value, Visitor};

use crate::fields::{AROUND, Sources, value};
use crate::format::Format;
use crate::header::{HEADER, TRAILER};
use crate::plans::Plans;
use crate::{RecordFields, RecordHeader, json, rfc3339};

/// Writes records as comma-separated values, under one line of names.
///
/// Of one schema: the columns of its [`csv`](Schema::csv), else those of the header, of the schema and of the
/// trailer. Of several: `protocol`, those of the header and the trailer, and the columns of all, each behind its
/// schema's name and a dot; a record leaves those of the others empty. Or chosen fields of records of any schema.
///
/// Times are RFC 3339, durations seconds with six decimals, items of a list stand with spaces between them,
/// and a list of objects is JSON.
#[derive(Clone, Debug)]
pub struct CsvFormat {
    schemas: Vec<&'static str>,
    names: Vec<String>,
    /// Whether the names are those of chosen fields.
    chosen: bool,
    plans: Plans,
}

impl CsvFormat {
    /// For records of these schemas. A record of another one is left out.
    #[must_use]
    pub fn new(schemas: &[&'static dyn AnySchema]) -> Self {
        let names = match schemas {
            [schema] => match schema.csv() {
                Some(names) => names.iter().map(|name| (*name).to_owned()).collect(),
                None => {
                    let own = schema.columns().into_iter().map(|column| column.name.to_owned());
                    around(own).collect()
                }
            },
            _ => {
                let own = schemas.iter().flat_map(|schema| {
                    let name = schema.name();
                    let columns = schema.columns().into_iter();
                    columns.map(move |column| format!("{name}.{}", column.name))
                });
                std::iter::once("protocol".to_owned()).chain(around(own)).collect()
            }
        };
        let schemas = schemas.iter().map(|schema| schema.name()).collect();
        CsvFormat { schemas, names, chosen: false, plans: Plans::default() }
    }

    /// With these fields alone, in this order.
    #[must_use]
    pub fn of_fields(fields: &RecordFields) -> Self {
        let names = fields.names().to_vec();
        CsvFormat { schemas: Vec::new(), names, chosen: true, plans: Plans::default() }
    }
}

/// The header's columns, these, and the trailer's.
fn around(own: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let names = |columns: &'static [flowscope_record::Column<RecordHeader>]| {
        columns.iter().map(|column| column.name.to_owned())
    };
    names(HEADER).chain(own).chain(names(TRAILER))
}

impl Format for CsvFormat {
    fn begin(&mut self, _: Timestamp, out: &mut Vec<u8>) {
        for (at, name) in self.names.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            // A chosen name may have any character.
            write(&Value::from(name.as_str()), out);
        }
        out.push(b'\n');
    }

    fn record(&mut self, header: &RecordHeader, record: &impl Record, out: &mut Vec<u8>) {
        record.visit(Line { format: self, header, out });
    }
}

struct Line<'a> {
    format: &'a mut CsvFormat,
    header: &'a RecordHeader,
    out: &'a mut Vec<u8>,
}

impl Visitor for Line<'_> {
    type Output = ();

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) {
        let Line { format: CsvFormat { schemas, names, chosen, plans }, header, out } = self;
        if !*chosen && !schemas.contains(&schema.name) {
            return;
        }
        let cells = plans.get(schema, || {
            if *chosen {
                chosen_cells(schema, names)
            } else {
                plan(schema, schemas.len() > 1, names)
            }
        });
        for (at, cell) in cells.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            match cell {
                Cell::Own(get) => write(&get(record), out),
                Cell::Header(get) => write(&get(header), out),
                Cell::Field(sources) => write(&value(sources, schema, header, record), out),
                Cell::Protocol => out.extend_from_slice(schema.name.as_bytes()),
                Cell::Empty => {}
            }
        }
        out.push(b'\n');
    }
}

enum Cell<R: 'static> {
    Own(for<'a> fn(&'a R) -> Value<'a>),
    Header(for<'a> fn(&'a RecordHeader) -> Value<'a>),
    Field(Sources<R>),
    Protocol,
    Empty,
}

fn chosen_cells<R>(schema: &Schema<R>, names: &[String]) -> Vec<Cell<R>> {
    names.iter().map(|name| Cell::Field(schema.field(&AROUND, name))).collect()
}

/// Where the cell of each name comes from.
fn plan<R>(schema: &'static Schema<R>, several: bool, names: &[String]) -> Vec<Cell<R>> {
    let cell = |name: &String| {
        let own_name = match name.split_once('.') {
            Some((of, own)) if several => (of == schema.name).then_some(own),
            None if several => None,
            _ => Some(name.as_str()),
        };
        let own = schema.columns.iter().find(|column| Some(column.name) == own_name);
        let around = HEADER.iter().chain(TRAILER).find(|column| column.name == name);
        match (own, around) {
            (Some(column), _) => Cell::Own(column.get),
            (_, Some(column)) => Cell::Header(column.get),
            _ if several && name == "protocol" => Cell::Protocol,
            _ => Cell::Empty,
        }
    };
    names.iter().map(cell).collect()
}

/// Appends a value as a cell.
fn write(value: &Value<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    text(value, out);
    let special = |byte: &u8| matches!(byte, b',' | b'"' | b'\n' | b'\r');
    if out[start..].iter().any(special) {
        let cell = out.split_off(start);
        out.push(b'"');
        for byte in cell {
            if byte == b'"' {
                out.push(b'"');
            }
            out.push(byte);
        }
        out.push(b'"');
    }
}

fn text(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Time(ts) => out.extend_from_slice(rfc3339(*ts).as_str().as_bytes()),
        Value::Duration(span) => {
            write!(out, "{:.6}", span.as_secs_f64()).expect("a vector takes all");
        }
        Value::Addr(addr) => write!(out, "{addr}").expect("a vector takes all"),
        Value::Bytes(bytes) => {
            out.extend_from_slice(flowscope_record::wire_text(bytes).as_bytes());
        }
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Short(text) => out.extend_from_slice(text.as_str().as_bytes()),
        Value::List(items) if items.iter().any(|item| matches!(item, Value::Object(_))) => {
            json::write(value, out);
        }
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                text(item, out);
            }
        }
        other => json::write(other, out),
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::L4Proto;
    use flowscope_extract::FiveTupleKey;
    use flowscope_record::{Column, Kind};

    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let check = |value: Value<'_>, expected: &str| {
            let mut out = Vec::new();
            write(&value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        };
        check(Value::Null, "");
        check("a b".into(), "a b");
        check("a,b".into(), "\"a,b\"");
        check("a\rb".into(), "\"a\rb\"");
        check("say \"x\"\n".into(), "\"say \"\"x\"\"\n\"");
        check(b"\xff".as_slice().into(), "\\xff");
        check(Value::list([1_u8, 2].into_iter()), "1 2");
        check(Value::List(vec![Value::Object(vec![("a", 1_u8.into())])]), "\"[{\"\"a\"\":1}]\"");
        check(std::time::Duration::from_millis(1500).into(), "1.500000");
        check(false.into(), "false");
        let object = Value::Object(vec![("a", 1_u8.into())]);
        check(Value::List(vec!["x".into(), object]), "\"[\"\"x\"\",{\"\"a\"\":1}]\"");
    }

    struct Ping(&'static Schema<Ping>);

    impl Record for Ping {
        fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
            visitor.record(self.0, self)
        }
    }

    const CODE: &[Column<Ping>] = &[Column::new("code", Kind::U64, |_| 7_u64.into(), "A number.")];
    static PING: Schema<Ping> =
        Schema { columns: CODE, ..Schema::new("ping", |_| Timestamp::ZERO) };
    static PONG: Schema<Ping> =
        Schema { columns: CODE, ..Schema::new("pong", |_| Timestamp::ZERO) };

    /// The line of names and those of these records, by their cells.
    fn written(mut format: CsvFormat, records: &[&'static Schema<Ping>]) -> Vec<Vec<String>> {
        let ends = ("10.0.0.1:5".parse().unwrap(), "10.0.0.2:53".parse().unwrap());
        let (key, orientation) = FiveTupleKey::new(L4Proto::Udp, ends.0, ends.1).unwrap();
        let header = RecordHeader::new(Timestamp::from_secs(1), 3, key, orientation);
        let mut out = Vec::new();
        format.begin(Timestamp::ZERO, &mut out);
        records.iter().for_each(|schema| format.record(&header, &Ping(schema), &mut out));
        let text = String::from_utf8(out).unwrap();
        text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
    }

    /// The cells under a name, `None` where there is no such column.
    fn column(lines: &[Vec<String>], name: &str) -> Option<Vec<String>> {
        let at = lines[0].iter().position(|cell| cell == name)?;
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{lines:?}");
        Some(lines[1..].iter().map(|line| line[at].clone()).collect())
    }

    #[test]
    fn records_of_one_schema_have_its_names() {
        // A record of another schema is left out.
        let lines = written(CsvFormat::new(&[&PING]), &[&PING, &PONG]);
        assert_eq!(column(&lines, "code").unwrap(), ["7"]);
        assert_eq!(column(&lines, "src_ip").unwrap(), ["10.0.0.1"]);
        assert_eq!((column(&lines, "protocol"), column(&lines, "ping.code")), (None, None));
    }

    #[test]
    fn records_of_several_schemas_leave_the_columns_of_the_others_empty() {
        let lines = written(CsvFormat::new(&[&PING, &PONG]), &[&PING, &PONG]);
        assert_eq!(column(&lines, "protocol").unwrap(), ["ping", "pong"]);
        assert_eq!(column(&lines, "ping.code").unwrap(), ["7", ""]);
        assert_eq!(column(&lines, "pong.code").unwrap(), ["", "7"]);
        assert_eq!(column(&lines, "dest_port").unwrap(), ["53", "53"]);
        assert_eq!(column(&lines, "code"), None);
    }

    #[test]
    fn chosen_names_are_quoted_as_cells_are() {
        let names = ["code", "a\"b", "c,d"].map(str::to_owned);
        let mut format = CsvFormat::of_fields(&RecordFields::new(names.to_vec()));
        let mut out = Vec::new();
        format.begin(Timestamp::ZERO, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "code,\"a\"\"b\",\"c,d\"\n");
    }
}

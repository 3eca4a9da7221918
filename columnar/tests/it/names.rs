//! Names and types of columns, which only grow.

use std::fmt::Write as _;
use std::{env, fs};

use arrow_schema::{DataType, SchemaRef};
use flowscope::output::FLOW;
use flowscope::protocols::{self, ProtocolVisitor};
use flowscope::record::Protocol;
use flowscope_arrow::arrow_schema;

/// The schemas of all records.
struct All(Vec<(&'static str, SchemaRef)>);

impl ProtocolVisitor for All {
    fn protocol<P: Protocol>(&mut self) {
        self.0.push((P::NAME, arrow_schema(P::SCHEMA)));
    }
}

fn all() -> Vec<(&'static str, SchemaRef)> {
    let mut all = All(vec![("flow", arrow_schema(&FLOW))]);
    protocols::for_each(&mut all);
    all.0
}

/// A line for each column: record, name, type.
fn columns() -> Vec<String> {
    let of = |(record, schema): (&'static str, SchemaRef)| {
        let line =
            move |(name, kind): (&str, &DataType)| format!("{record}\t{name}\t{}", words(kind));
        let fields = schema.fields().clone();
        fields.iter().map(|field| line((field.name(), field.data_type()))).collect::<Vec<_>>()
    };
    all().into_iter().flat_map(of).collect()
}

/// A type in words that do not depend on how a library prints it.
fn words(kind: &DataType) -> String {
    match kind {
        DataType::List(item) => format!("list<{}>", words(item.data_type())),
        DataType::Struct(members) => {
            let mut text = String::new();
            for member in members {
                let _ = write!(text, "{} {}, ", member.name(), words(member.data_type()));
            }
            format!("struct<{}>", text.trim_end_matches(", "))
        }
        other => other.to_string().to_lowercase(),
    }
}

/// The columns that readers rely on.
const KNOWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/columns.tsv");

/// A column keeps its name and type; a struct may get members behind those that it has. New columns are added to the file
/// with `UPDATE_GOLDEN=1`.
#[test]
fn columns_only_grow() {
    let columns = columns();
    let known = fs::read_to_string(KNOWN).unwrap_or_default();
    for line in known.lines() {
        let begin = line.trim_end_matches('>');
        let grown = |column: &&String| column.starts_with(&format!("{begin}, "));
        let has_it = columns.iter().any(|column| column == line)
            || begin != line && columns.iter().any(|column| grown(&column));
        assert!(has_it, "a column that readers rely on is gone, or of another type: {line}");
    }
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(KNOWN, columns.join("\n") + "\n").unwrap();
    }
    assert!(fs::read_to_string(KNOWN).unwrap().lines().count() > 500);
}

/// Names of partitions are columns to readers.
#[test]
fn no_column_is_called_as_a_partition() {
    for (record, schema) in all() {
        for name in ["record", "hour"] {
            assert!(schema.field_with_name(name).is_err(), "{record} has a column {name}");
        }
    }
}

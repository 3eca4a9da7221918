//! Chosen fields of records, by name.

use std::fmt;

use flowscope_record::{Column, FieldSource, Record, Schema, Value, Visitor};

use crate::RecordHeader;
use crate::header::{HEADER, TRAILER};
use crate::plans::Plans;

/// The columns around those of every record: [`HEADER`] before them, [`TRAILER`] behind.
pub const AROUND: [&[Column<RecordHeader>]; 2] = [HEADER, TRAILER];

/// Chosen fields of records of any schema, by [the rules of names](flowscope_record::Schema::field).
#[derive(Clone, Debug)]
pub struct RecordFields {
    names: Vec<String>,
    plans: Plans,
}

impl RecordFields {
    /// The fields of these names.
    #[must_use]
    pub fn new(names: Vec<String>) -> Self {
        RecordFields { names, plans: Plans::default() }
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Shows the value of each field of a record, in order. A field that stands for both sides is a list of two values.
    pub fn values(
        &mut self,
        header: &RecordHeader,
        record: &impl Record,
        show: &mut dyn FnMut(Value<'_>),
    ) {
        record.visit(Values { fields: self, header, show });
    }
}

struct Values<'a> {
    fields: &'a mut RecordFields,
    header: &'a RecordHeader,
    show: &'a mut dyn FnMut(Value<'_>),
}

impl Visitor for Values<'_> {
    type Output = ();

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) {
        let Values { fields: RecordFields { names, plans }, header, show } = self;
        let plan = plans.get(schema, || -> Vec<Sources<R>> {
            names.iter().map(|name| schema.field(&AROUND, name)).collect()
        });
        for sources in plan {
            show(value(sources, schema, header, record));
        }
    }
}

/// A field of records of one schema, by [the rules of names](flowscope_record::Schema::field).
pub struct SchemaField<R: 'static> {
    schema: &'static Schema<R>,
    sources: Sources<R>,
}

impl<R> SchemaField<R> {
    /// The names that JSON has for records of a schema, in order.
    #[must_use]
    pub fn names(schema: &'static Schema<R>) -> Vec<&'static str> {
        names_of(schema)
    }

    /// The field of this name; of one that records do not have, the value is [`Null`](Value::Null).
    #[must_use]
    pub fn new(schema: &'static Schema<R>, name: &str) -> Self {
        SchemaField { schema, sources: schema.field(&AROUND, name) }
    }

    /// The value in a record with this header. A field that stands for both sides is a list of two values.
    pub fn value<'a>(&self, header: &'a RecordHeader, record: &'a R) -> Value<'a> {
        value(&self.sources, self.schema, header, record)
    }
}

impl<R> fmt::Debug for SchemaField<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemaField").field("schema", &self.schema.name).finish_non_exhaustive()
    }
}

/// Where the value of a field comes from: nowhere, from one place, or from one for each side.
pub(crate) type Sources<R> = Vec<FieldSource<R, RecordHeader>>;

/// The value of a field in a record.
pub(crate) fn value<'a, R>(
    sources: &Sources<R>,
    schema: &Schema<R>,
    header: &'a RecordHeader,
    record: &'a R,
) -> Value<'a> {
    match sources.as_slice() {
        [] => Value::Null,
        [only] => only.value(schema, header, record),
        sides => {
            let values = sides.iter().map(|side| side.value(schema, header, record));
            Value::List(values.filter(|value| !value.is_null()).collect())
        }
    }
}

/// The names of the columns of a schema that stand alone in a format: those of [its CSV](Schema::csv), else those of the
/// header, its own, and those of the trailer.
pub(crate) fn names_of<R>(schema: &Schema<R>) -> Vec<&'static str> {
    if let Some(names) = schema.csv {
        return names.to_vec();
    }
    let is_own = |name: &str| schema.columns.iter().any(|column| column.name == name);
    let around = |columns: &'static [Column<RecordHeader>]| {
        columns.iter().map(|column| column.name).filter(|name| !is_own(name)).collect::<Vec<_>>()
    };
    let mut names = around(HEADER);
    if !is_own(PROTOCOL) {
        names.push(PROTOCOL);
    }
    names.extend(schema.columns.iter().map(|column| column.name));
    names.extend(around(TRAILER));
    names
}

/// The field that has the name of a record's protocol.
const PROTOCOL: &str = "app_proto";

#[cfg(test)]
mod tests {
    use flowscope_core::{L4Proto, Timestamp};
    use flowscope_extract::FiveTupleKey;
    use flowscope_record::Kind;

    use super::*;

    struct Ping;

    static PING: Schema<Ping> = Schema {
        columns: &[
            Column::new("code", Kind::U64, |_| 7_u64.into(), "A number."),
            Column::new("proto", Kind::Text, |_| "own".into(), "Called as one of the header."),
        ],
        ..Schema::new("ping", |_| Timestamp::ZERO)
    };

    impl Record for Ping {
        fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
            visitor.record(&PING, self)
        }
    }

    #[test]
    fn fields_are_those_of_record_and_header() {
        let ends = ("10.0.0.1:5".parse().unwrap(), "10.0.0.2:53".parse().unwrap());
        let (key, orientation) = FiveTupleKey::new(L4Proto::Udp, ends.0, ends.1).unwrap();
        let header = RecordHeader::new(Timestamp::from_secs(1), 3, key, orientation);
        let names = ["ping.code", "port", "app_proto", "proto", "sni", "vlan"].map(str::to_owned);
        let mut fields = RecordFields::new(names.to_vec());
        let mut shown = Vec::new();
        fields.values(&header, &Ping, &mut |value| shown.push(format!("{value:?}")));
        let expected = [
            "U64(7)",
            "List([U64(5), U64(53)])",
            "Text(\"ping\")",
            "Text(\"own\")",
            "Null",
            "List([])",
        ];
        assert_eq!(shown, expected);
        let port = SchemaField::new(&PING, "port").value(&header, &Ping);
        assert_eq!(port, Value::List(vec![5_u64.into(), 53_u64.into()]));
        let names = SchemaField::names(&PING);
        assert_eq!(names.iter().filter(|name| **name == "proto").count(), 1);
        assert!(names.contains(&"app_proto") && names.contains(&"tunnel"));
        assert_eq!(names_of(&crate::FLOW), crate::FLOW.csv.unwrap());
    }
}

//! Records as flat JSON objects, one on each line.

use flowscope_record::{Record, Schema, Visitor};

use crate::fields::{AROUND, Sources, names_of, value};
use crate::format::Format;
use crate::json;
use crate::piece::Piece;
use crate::plans::Plans;
use crate::{RecordFields, RecordHeader};

/// Writes each record as one JSON object without objects in it but those of lists, under the names of the columns.
///
/// All columns of a record are written, or those of its schema's [`csv`](Schema::csv) if it names some; or chosen fields.
/// What a record does not have is left out. Times are RFC 3339, durations seconds.
#[derive(Clone, Debug, Default)]
pub struct JsonFormat {
    chosen: Option<Vec<String>>,
    plans: Plans,
}

impl JsonFormat {
    /// With all columns.
    #[must_use]
    pub fn new() -> Self {
        JsonFormat::default()
    }

    /// With these fields alone, in this order.
    #[must_use]
    pub fn of_fields(fields: &RecordFields) -> Self {
        JsonFormat { chosen: Some(fields.names().to_vec()), plans: Plans::default() }
    }
}

impl Format for JsonFormat {
    fn record(&mut self, header: &RecordHeader, record: &impl Record, out: &mut Vec<u8>) {
        record.visit(Line { format: self, header, out });
    }
}

struct Line<'a> {
    format: &'a mut JsonFormat,
    header: &'a RecordHeader,
    out: &'a mut Vec<u8>,
}

impl Visitor for Line<'_> {
    type Output = ();

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) {
        let Line { format: JsonFormat { chosen, plans }, header, out } = self;
        let plan = plans.get(schema, || plan(schema, chosen.as_deref()));
        json::line(out, |line| {
            for (name, sources) in plan {
                json::member(name, value(sources, schema, header, record), false, line.members());
            }
        });
    }
}

/// The members, and where their values come from.
fn plan<R>(schema: &Schema<R>, chosen: Option<&[String]>) -> Vec<(Piece, Sources<R>)> {
    let member = |name: &str| {
        // A name that was given may have any character.
        let quoted = serde_json::Value::from(name).to_string();
        (Piece::new(&format!(",{quoted}:")), schema.field(&AROUND, name))
    };
    match chosen {
        Some(names) => names.iter().map(|name| member(name)).collect(),
        None => names_of(schema).into_iter().map(member).collect(),
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::{L4Proto, Timestamp};
    use flowscope_extract::FiveTupleKey;
    use flowscope_record::{Column, Kind, Value};

    use super::*;

    struct Ping;

    static PING: Schema<Ping> = Schema {
        columns: &[
            Column::new("host", Kind::Bytes, |_| b"\"\xff".as_slice().into(), "Bytes of a peer."),
            Column::new(
                "rtt",
                Kind::Duration,
                |_| std::time::Duration::from_millis(15).into(),
                "Time.",
            ),
            Column::new("none", Kind::U64, |_| Value::Null, "Nothing."),
        ],
        ..Schema::new("ping", |_| Timestamp::ZERO)
    };

    impl Record for Ping {
        fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
            visitor.record(&PING, self)
        }
    }

    #[test]
    fn records_are_flat_objects() {
        let ends = ("10.0.0.1:5".parse().unwrap(), "10.0.0.2:53".parse().unwrap());
        let (key, orientation) = FiveTupleKey::new(L4Proto::Udp, ends.0, ends.1).unwrap();
        let header = RecordHeader::new(Timestamp::from_secs(1), 3, key, orientation);
        let written = |mut format: JsonFormat| {
            let mut out = Vec::new();
            format.record(&header, &Ping, &mut out);
            String::from_utf8(out).unwrap()
        };
        let all = written(JsonFormat::new());
        let all: serde_json::Value = serde_json::from_str(&all).unwrap();
        assert_eq!(
            (&all["app_proto"], &all["rtt"], &all["src_port"]),
            (&"ping".into(), &0.015.into(), &5.into())
        );
        assert_eq!(all.get("none"), None);
        let names = ["rtt", "ping.host", "port", "\"x", "none"].map(str::to_owned);
        let chosen = written(JsonFormat::of_fields(&RecordFields::new(names.to_vec())));
        assert_eq!(chosen, "{\"rtt\":0.015,\"ping.host\":\"\\\"\\\\xff\",\"port\":[5,53]}\n");
    }
}

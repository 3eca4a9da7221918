use crate::{Column, Schema, Value};

/// Where the value of a field comes from: the record, the header that goes with it, or the schema.
///
/// `H` is the header, whose columns stand around those of a record.
pub enum FieldSource<R: 'static, H: 'static> {
    /// A column of the record.
    Record(for<'a> fn(&'a R) -> Value<'a>),
    /// A column of the header.
    Header(for<'a> fn(&'a H) -> Value<'a>),
    /// The schema's name, which is the protocol's.
    Protocol,
}

impl<R> Schema<R> {
    /// The sources of the field of this name in records of this schema; none if they do not have it.
    ///
    /// A name is that of a column of the record, else of the header; `SCHEMA.NAME` is a column of the records of that
    /// schema alone. `app_proto` is the schema's name where nothing else is called so. What `src_NAME` and `dest_NAME`
    /// have each, or `NAME_to_server` and `NAME_to_client`, has `NAME` for both, unless that is a column itself.
    #[must_use]
    pub fn field<H>(&self, header: &[&'static [Column<H>]], name: &str) -> Vec<FieldSource<R, H>> {
        let own = |name: &str| {
            let column = self.columns.iter().find(|column| column.name == name)?;
            Some(FieldSource::Record(column.get))
        };
        let around = |name: &str| {
            let mut columns = header.iter().copied().flatten();
            Some(FieldSource::Header(columns.find(|column| column.name == name)?.get))
        };
        find(self.name, name, own, around, || FieldSource::Protocol)
    }
}

impl<R, H> FieldSource<R, H> {
    /// The value in a record with this header.
    #[inline]
    pub fn value<'a>(&self, schema: &Schema<R>, header: &'a H, record: &'a R) -> Value<'a> {
        match self {
            FieldSource::Record(get) => get(record),
            FieldSource::Header(get) => get(header),
            FieldSource::Protocol => schema.name.into(),
        }
    }
}

/// Copied whatever the types of record and header are.
impl<R, H> Clone for FieldSource<R, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, H> Copy for FieldSource<R, H> {}

/// What a name means in records of one schema, by [the rules of names](Schema::field).
///
/// `own` finds a column of the record, `header` one of the header; `protocol` stands for the schema's name.
pub fn find<T>(
    schema: &str,
    name: &str,
    own: impl Fn(&str) -> Option<T>,
    header: impl Fn(&str) -> Option<T>,
    protocol: impl FnOnce() -> T,
) -> Vec<T> {
    let (name, qualified) = match name.split_once('.') {
        Some((of, name)) if of == schema => (name, true),
        Some(_) => return Vec::new(),
        None => (name, false),
    };
    let column = |name: &str| own(name).or_else(|| if qualified { None } else { header(name) });
    if let Some(found) = column(name) {
        return vec![found];
    }
    if name == PROTOCOL && !qualified {
        return vec![protocol()];
    }
    let sides = [
        [format!("src_{name}"), format!("dest_{name}")],
        [format!("{name}_to_server"), format!("{name}_to_client")],
    ];
    let mut both = sides.iter().filter_map(|[a, b]| Some(vec![column(a)?, column(b)?]));
    both.next().unwrap_or_default()
}

/// The field that has the name of a record's protocol.
const PROTOCOL: &str = "app_proto";

#[cfg(test)]
mod tests {
    use flowscope_core::Timestamp;

    use super::*;
    use crate::Kind;

    struct Ping {
        sent: u64,
        back: u64,
    }

    static PING: Schema<Ping> = Schema {
        columns: &[
            Column::new("bytes_to_server", Kind::U64, |x: &Ping| x.sent.into(), "Sent."),
            Column::new("bytes_to_client", Kind::U64, |x: &Ping| x.back.into(), "Received."),
            Column::new("id", Kind::U64, |_| 7_u64.into(), "A number."),
        ],
        ..Schema::new("ping", |_| Timestamp::ZERO)
    };

    static HEADER: &[Column<u64>] = &[
        Column::new("src_port", Kind::U64, |x: &u64| (*x).into(), "A port."),
        Column::new("dest_port", Kind::U64, |_| 80_u64.into(), "A port."),
        Column::new("id", Kind::U64, |_| 8_u64.into(), "Another number."),
    ];

    #[test]
    fn names_are_looked_up_by_rule() {
        let ping = Ping { sent: 1, back: 2 };
        let check = |name: &str, expected: &[Value<'_>]| {
            let sources = PING.field(&[HEADER], name);
            let values: Vec<_> =
                sources.iter().map(|source| source.value(&PING, &4000, &ping)).collect();
            assert_eq!(values, expected, "{name}");
        };
        check("id", &[7_u64.into()]);
        check("ping.id", &[7_u64.into()]);
        check("pong.id", &[]);
        check("bytes_to_client", &[2_u64.into()]);
        check("bytes", &[1_u64.into(), 2_u64.into()]);
        check("ping.bytes", &[1_u64.into(), 2_u64.into()]);
        check("port", &[4000_u64.into(), 80_u64.into()]);
        check("ping.port", &[]);
        check("app_proto", &["ping".into()]);
        check("ping.app_proto", &[]);
        check("", &[]);
        check(".", &[]);
    }
}

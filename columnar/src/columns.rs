//! Which columns a schema has, and their Arrow types.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema as ArrowSchema, SchemaRef, TimeUnit};
use flowscope::core::Timestamp;
use flowscope::output::{HEADER, RecordHeader, TRAILER};
use flowscope::record::{Column, FieldSource, Kind, Schema};

/// Version of the rules that columns and types follow, written to each file under [`SCHEMA_VERSION_KEY`].
///
/// New columns, and new members of structs, do not change it.
pub const SCHEMA_VERSION: u32 = 1;

/// The key of a file's metadata that has [`SCHEMA_VERSION`].
pub const SCHEMA_VERSION_KEY: &str = "flowscope.schema_version";

/// What the name of a directory that has records of one kind begins with; the kind follows.
pub const RECORD_PREFIX: &str = "record=";

/// A column, and where its values come from.
pub(crate) struct StoredColumn<R: 'static> {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) source: FieldSource<R, RecordHeader>,
}

impl<R> Clone for StoredColumn<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for StoredColumn<R> {}

/// The column that has the name of a record's protocol, where nothing else is called so.
const PROTOCOL: &str = "app_proto";

/// The columns of a schema in column stores, in order: those of the header, its own, those of the trailer. Where
/// [its CSV](Schema::csv) is a choice, its own are those that CSV or EVE has.
pub(crate) fn stored<R>(schema: &'static Schema<R>) -> Vec<StoredColumn<R>> {
    let is_own = |name: &str| schema.columns.iter().any(|column| column.name == name);
    let around = |columns: &'static [Column<RecordHeader>]| {
        columns.iter().filter(|column| !is_own(column.name)).map(|column| StoredColumn {
            name: column.name,
            kind: column.kind,
            source: FieldSource::Header(column.get),
        })
    };
    let protocol = (!is_own(PROTOCOL)).then_some(StoredColumn {
        name: PROTOCOL,
        kind: Kind::Text,
        source: FieldSource::Protocol,
    });
    let is_chosen = |column: &&Column<R>| {
        let csv = schema.csv;
        csv.is_none_or(|csv| csv.contains(&column.name) || column.eve.is_some())
    };
    let own = schema.columns.iter().filter(is_chosen).map(|column| StoredColumn {
        name: column.name,
        kind: column.kind,
        source: FieldSource::Record(column.get),
    });
    around(HEADER)
        .chain(protocol)
        .chain(own)
        .chain(around(TRAILER))
        .filter(|column| has_members(column.kind))
        .collect()
}

/// Whether all members of objects are known, so that there is a type.
fn has_members(kind: Kind) -> bool {
    match kind {
        Kind::List(item) => has_members(*item),
        Kind::Object(members) => {
            !members.is_empty() && members.iter().all(|(_, kind)| has_members(*kind))
        }
        _ => true,
    }
}

/// The column that says when that which a record describes began: `start` where it has one, else `timestamp`.
pub(crate) fn time_column<R>(columns: &[StoredColumn<R>]) -> Option<usize> {
    let place = |name| columns.iter().position(|column| column.name == name);
    place("start").or_else(|| place("timestamp")).filter(|at| columns[*at].kind == Kind::Time)
}

/// The Arrow schema of records of this schema. All columns may be null.
///
/// Where the type does not say what values are, the metadata of a field does: `kind` is `addr`, `bytes` or `duration`.
#[must_use]
pub fn arrow_schema<R>(schema: &'static Schema<R>) -> SchemaRef {
    arrow_schema_of(&stored(schema))
}

pub(crate) fn arrow_schema_of<R>(columns: &[StoredColumn<R>]) -> SchemaRef {
    let fields = columns.iter().map(|column| {
        let field = Field::new(column.name, data_type(column.kind), true);
        let kind = match column.kind {
            Kind::Addr => ADDR,
            Kind::Bytes => BYTES,
            Kind::Duration => "duration",
            _ => return field,
        };
        field.with_metadata([(KIND.to_owned(), kind.to_owned())].into())
    });
    Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
}

/// The metadata of a field that says what its values are.
const KIND: &str = "kind";
const ADDR: &str = "addr";
const BYTES: &str = "bytes";

/// Whether single values of a column are searched for: addresses, names that peers have chosen, and Community IDs.
pub(crate) fn is_looked_up(field: &Field) -> bool {
    let kind = field.metadata().get(KIND).map(String::as_str);
    matches!(kind, Some(ADDR | BYTES)) || field.name() == "community_id"
}

/// The Arrow type of values of this kind.
///
/// | kind | type |
/// |---|---|
/// | `Bool` | `Boolean` |
/// | `U64` | `UInt64` |
/// | `F64` | `Float64` |
/// | `Time` | `Timestamp(Nanosecond, "UTC")`; null behind 2262-04-11, where that type ends |
/// | `Duration` | `Float64`, seconds |
/// | `Addr`, `Text` | `Utf8` |
/// | `Bytes` | `Utf8`; what is no UTF-8 as `\xNN`, as in all formats |
/// | `List` | `List` |
/// | `Object` | `Struct` |
#[must_use]
pub fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Bool => DataType::Boolean,
        Kind::U64 => DataType::UInt64,
        Kind::F64 | Kind::Duration => DataType::Float64,
        Kind::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some(UTC.into())),
        Kind::List(item) => DataType::List(Arc::new(list_item(*item))),
        Kind::Object(members) => DataType::Struct(struct_fields(members)),
        _ => DataType::Utf8,
    }
}

/// A time as its column has it, in nanoseconds since 1970; `None` behind 2262-04-11.
pub(crate) fn column_time(ts: Timestamp) -> Option<i64> {
    i64::try_from(ts.as_nanos()).ok()
}

/// The time zone of all times.
pub(crate) const UTC: &str = "UTC";

/// Items of a list; named as the Parquet specification names them.
pub(crate) fn list_item(kind: Kind) -> Field {
    Field::new("element", data_type(kind), true)
}

pub(crate) fn struct_fields(members: &[(&'static str, Kind)]) -> Fields {
    members.iter().map(|(name, kind)| Field::new(*name, data_type(*kind), true)).collect()
}

#[cfg(test)]
mod tests {
    use flowscope::output::FLOW;

    use super::*;

    #[test]
    fn columns_of_flows_are_those_of_csv_and_eve() {
        let columns = stored(&FLOW);
        let names: Vec<_> = columns.iter().map(|column| column.name).collect();
        assert!(FLOW.csv.into_iter().flatten().all(|name| names.contains(name)));
        assert!(names.contains(&"syn_rtt") && names.contains(&"timestamp"));
        // Cells of tables are not stored, and no name occurs twice.
        assert!(!names.contains(&"initiator") && !names.contains(&"wide_tunnel"));
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), names.len());
        assert_eq!(time_column(&columns).map(|at| names[at]), Some("start"));
    }

    #[test]
    fn an_object_without_members_has_no_type() {
        assert!(!has_members(Kind::List(&Kind::Object(&[]))));
        assert!(!has_members(Kind::Object(&[("a", Kind::Object(&[]))])));
        assert!(has_members(Kind::Object(&[("a", Kind::U64)])));
    }
}

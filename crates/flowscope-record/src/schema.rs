use std::fmt;

use flowscope_core::{FlowSide, Timestamp};

use crate::Column;

/// Turns one record into the rows that a format has for it, each of them a record again.
pub type Rows<R> = fn(&R, &mut dyn FnMut(&R));

/// The description of one kind of record.
pub struct Schema<R: 'static> {
    /// The protocol's name, as in [`Protocol::NAME`](crate::Protocol::NAME).
    pub name: &'static str,
    /// EVE's `event_type`.
    pub eve_event: &'static str,
    /// The name of Zeek's log, without `.log`.
    pub zeek_log: &'static str,
    /// What `service` of Zeek's `conn.log` calls the protocol, where that is not the log's name.
    pub zeek_service: Option<ZeekService>,
    /// When that which the record describes began.
    pub time: fn(&R) -> Timestamp,
    /// Who sent it, where a record is one side's: EVE then has the sender as source.
    pub sender: Option<fn(&R) -> FlowSide>,
    /// The rows that EVE has for a record, where that is not one.
    pub eve_rows: Option<Rows<R>>,
    /// The rows that Zeek's log has for a record, where that is not one.
    pub zeek_rows: Option<Rows<R>>,
    /// Other logs of Zeek's in which a record has lines: what their [`zeek_rows`](Self::zeek_rows) give.
    pub zeek_also: &'static [&'static Schema<R>],
    /// The columns of CSV by name, those of flows' headers included, where that is not the headers and
    /// all columns.
    pub csv: Option<&'static [&'static str]>,
    /// The record in a few words, for tables. Bytes chosen by peers are escaped by the table's writer.
    pub summary: fn(&R, &mut String),
    /// The columns, in the order of EVE, CSV and column stores.
    pub columns: &'static [Column<R>],
}

/// Names of a protocol in `service` of Zeek's `conn.log`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ZeekService {
    /// Over TCP.
    pub tcp: &'static str,
    /// Over all else.
    pub udp: &'static str,
}

impl<R> Schema<R> {
    /// A schema without columns; the name serves as event type and log.
    #[must_use]
    pub const fn new(name: &'static str, time: fn(&R) -> Timestamp) -> Self {
        Schema {
            name,
            eve_event: name,
            zeek_log: name,
            zeek_service: None,
            time,
            sender: None,
            eve_rows: None,
            zeek_rows: None,
            zeek_also: &[],
            csv: None,
            summary: |_, _| {},
            columns: &[],
        }
    }

    /// The columns that Zeek's log has, in the order of its fields.
    #[must_use]
    pub fn zeek_columns(&self) -> Vec<&'static Column<R>> {
        let mut columns: Vec<_> =
            self.columns.iter().filter(|column| column.zeek.is_some()).collect();
        columns.sort_by_key(|column| column.zeek.as_ref().map(|zeek| zeek.position));
        columns
    }

    /// The columns that tables have, in their order.
    #[must_use]
    pub fn table_columns(&self) -> Vec<&'static Column<R>> {
        let mut columns: Vec<_> =
            self.columns.iter().filter(|column| column.table.is_some()).collect();
        columns.sort_by_key(|column| column.table.as_ref().map(|table| table.position));
        columns
    }

    /// Faults of the description, for tests: names that occur twice, EVE objects in two pieces, fields of
    /// Zeek or cells of a table that share a place, columns without documentation. A sound schema has none.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut paths: Vec<&str> = Vec::new();
        let mut closed: Vec<&str> = Vec::new();
        let mut open = None;
        for (at, column) in self.columns.iter().enumerate() {
            let name = column.name;
            if self.columns[..at].iter().any(|other| other.name == name) {
                faults.push(format!("column {name} occurs twice"));
            }
            let is_snake_case = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if name.is_empty() || !name.chars().all(is_snake_case) {
                faults.push(format!("column {name:?} is not snake case"));
            }
            if column.doc.is_empty() {
                faults.push(format!("column {name} has no documentation"));
            }
            let Some(eve) = &column.eve else { continue };
            if paths.contains(&eve.path) {
                faults.push(format!("EVE path {} occurs twice", eve.path));
            }
            paths.push(eve.path);
            let (object, _) = eve.split();
            if object != open {
                closed.extend(open);
                if let Some(object) = object.filter(|object| closed.contains(object)) {
                    faults.push(format!("EVE object {object} is in two pieces"));
                }
                open = object;
            }
        }
        for (at, column) in self.table_columns().iter().enumerate() {
            let position = column.table.as_ref().map(|table| usize::from(table.position));
            if position != Some(at) {
                faults.push(format!("table cell of column {} is not at {at}", column.name));
            }
        }
        for (at, column) in self.zeek_columns().iter().enumerate() {
            let position = column.zeek.as_ref().map(|zeek| usize::from(zeek.position));
            if position != Some(at) {
                faults.push(format!("Zeek field of column {} is not at {at}", column.name));
            }
        }
        faults
    }
}

impl<R> fmt::Debug for Schema<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<_> = self.columns.iter().map(|column| column.name).collect();
        f.debug_struct("Schema")
            .field("name", &self.name)
            .field("columns", &columns)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Eve, Kind, Value, Zeek, ZeekType};

    const fn column(name: &'static str) -> Column<u8> {
        Column::new(name, Kind::U64, |n| Value::from(*n), "A number.")
    }

    #[test]
    fn faults_of_a_schema_are_found() {
        static SOUND: Schema<u8> = Schema {
            columns: &[
                Column { eve: Some(Eve::path("id")), ..column("id") },
                Column {
                    eve: Some(Eve::path("x.a")),
                    zeek: Some(Zeek::at(1, "a", ZeekType::Count)),
                    ..column("a")
                },
                Column {
                    eve: Some(Eve::path("x.b")),
                    zeek: Some(Zeek::at(0, "b", ZeekType::Count)),
                    ..column("b")
                },
            ],
            ..Schema::new("x", |_| Timestamp::ZERO)
        };
        assert_eq!(SOUND.faults(), Vec::<String>::new());
        let names: Vec<_> = SOUND.zeek_columns().iter().map(|column| column.name).collect();
        assert_eq!(names, ["b", "a"]);

        static UNSOUND: Schema<u8> = Schema {
            columns: &[
                Column { eve: Some(Eve::path("x.a")), ..column("a") },
                Column { eve: Some(Eve::path("y")), ..column("a") },
                Column { eve: Some(Eve::path("x.b")), doc: "", ..column("B") },
                Column { zeek: Some(Zeek::at(1, "c", ZeekType::Count)), ..column("c") },
            ],
            ..Schema::new("x", |_| Timestamp::ZERO)
        };
        assert_eq!(
            UNSOUND.faults(),
            [
                "column a occurs twice",
                "column \"B\" is not snake case",
                "column B has no documentation",
                "EVE object x is in two pieces",
                "Zeek field of column c is not at 0",
            ]
        );
    }
}

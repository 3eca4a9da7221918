use crate::{Column, Kind, Schema, ZeekService, ZeekType};

/// A value that schemas describe: the record of one protocol, or of one of several.
///
/// ```
/// use flowscope_core::Timestamp;
/// use flowscope_record::{Record, Schema, Visitor};
///
/// struct Ping;
/// static PING: Schema<Ping> = Schema::new("ping", |_| Timestamp::ZERO);
///
/// impl Record for Ping {
///     fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
///         visitor.record(&PING, self)
///     }
/// }
/// ```
pub trait Record: Send + 'static {
    /// Shows the record and its schema to a visitor.
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output;
}

/// Takes a record of any type, with its schema.
pub trait Visitor {
    /// What it makes of a record.
    type Output;

    /// Takes a record.
    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) -> Self::Output;
}

impl<T: Record> Record for Box<T> {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        T::visit(self, visitor)
    }
}

/// A schema whatever its records are: names and documentation.
pub trait AnySchema: Sync {
    /// The protocol's name.
    fn name(&self) -> &'static str;
    /// EVE's `event_type`.
    fn eve_event(&self) -> &'static str;
    /// The name of Zeek's log.
    fn zeek_log(&self) -> &'static str;
    /// Whether a record is one side's: see [`Schema::sender`].
    fn has_sender(&self) -> bool;
    /// The names of [`Schema::zeek_service`].
    fn zeek_service(&self) -> Option<ZeekService>;
    /// The other logs of Zeek's.
    fn zeek_also(&self) -> Vec<&'static dyn AnySchema>;
    /// The names of [`Schema::csv`].
    fn csv(&self) -> Option<&'static [&'static str]>;
    /// The columns, in order.
    fn columns(&self) -> Vec<ColumnInfo>;
}

/// What can be said of a column without a record.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ColumnInfo {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its path in EVE.
    pub eve: Option<&'static str>,
    /// Whether EVE's value is not the column's.
    pub eve_differs: bool,
    /// Its field in Zeek's log.
    pub zeek: Option<&'static str>,
    /// The place of that field among the log's own, and its type.
    pub zeek_field: Option<(u8, ZeekType)>,
    /// Whether Zeek's value is not the column's.
    pub zeek_differs: bool,
    /// Its heading in tables.
    pub table: Option<&'static str>,
    /// What it says.
    pub doc: &'static str,
}

impl<R> AnySchema for Schema<R> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn eve_event(&self) -> &'static str {
        self.eve_event
    }

    fn zeek_log(&self) -> &'static str {
        self.zeek_log
    }

    fn has_sender(&self) -> bool {
        self.sender.is_some()
    }

    fn zeek_service(&self) -> Option<ZeekService> {
        self.zeek_service
    }

    fn zeek_also(&self) -> Vec<&'static dyn AnySchema> {
        self.zeek_also.iter().map(|also| *also as &dyn AnySchema).collect()
    }

    fn csv(&self) -> Option<&'static [&'static str]> {
        self.csv
    }

    fn columns(&self) -> Vec<ColumnInfo> {
        self.columns.iter().map(ColumnInfo::of).collect()
    }
}

impl ColumnInfo {
    /// What can be said of this column.
    #[must_use]
    pub fn of<R>(column: &Column<R>) -> Self {
        let Column { eve, zeek, table, .. } = column;
        ColumnInfo {
            name: column.name,
            kind: column.kind,
            eve: eve.as_ref().map(|eve| eve.path),
            eve_differs: eve.as_ref().is_some_and(|eve| eve.get.is_some()),
            zeek: zeek.as_ref().map(|zeek| zeek.name),
            zeek_field: zeek.as_ref().map(|zeek| (zeek.position, zeek.kind)),
            zeek_differs: zeek.as_ref().is_some_and(|zeek| zeek.get.is_some()),
            table: table.as_ref().map(|table| table.heading),
            doc: column.doc,
        }
    }
}

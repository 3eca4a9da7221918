use crate::Value;

/// One column of a record: where its value comes from, and how each format shows it.
pub struct Column<R: 'static> {
    /// The name in CSV, Parquet and documentation, in snake case.
    pub name: &'static str,
    /// The type of its values; any of them may be [`Value::Null`].
    pub kind: Kind,
    /// The value in a record.
    pub get: for<'a> fn(&'a R) -> Value<'a>,
    /// How EVE shows it, if it does.
    pub eve: Option<Eve<R>>,
    /// How Zeek's logs show it, if they do.
    pub zeek: Option<Zeek<R>>,
    /// How tables show it, if they do.
    pub table: Option<Table<R>>,
    /// What it says: unit and source (RFC and section), for the generated documentation.
    pub doc: &'static str,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// [`Value::Bool`].
    Bool,
    /// [`Value::U64`].
    U64,
    /// [`Value::F64`].
    F64,
    /// [`Value::Time`].
    Time,
    /// [`Value::Duration`].
    Duration,
    /// [`Value::Addr`].
    Addr,
    /// [`Value::Bytes`]: bytes chosen by a peer.
    Bytes,
    /// [`Value::Text`] or [`Value::Short`].
    Text,
    /// [`Value::List`] of such values.
    List(&'static Kind),
    /// [`Value::Object`] with these members.
    Object(&'static [(&'static str, Kind)]),
}

/// How EVE shows a column.
pub struct Eve<R: 'static> {
    /// The member, with the object it is in before a dot: `http.hostname`, `tx_id`.
    ///
    /// Columns of one object stand next to each other in the schema.
    pub path: &'static str,
    /// The value, where EVE says it differently than the column.
    pub get: Option<for<'a> fn(&'a R) -> Value<'a>>,
    /// Whether an empty list is written rather than left out.
    pub empty_lists: bool,
}

/// How Zeek's logs show a column.
pub struct Zeek<R: 'static> {
    /// The place among the log's own columns, from 0, behind `ts`, `uid` and `id`.
    pub position: u8,
    /// The field.
    pub name: &'static str,
    /// Its Zeek type.
    pub kind: ZeekType,
    /// The value, where Zeek says it differently than the column.
    pub get: Option<for<'a> fn(&'a R) -> Value<'a>>,
}

/// A type of Zeek's ASCII logs.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ZeekType {
    /// `time`
    Time,
    /// `interval`
    Interval,
    /// `string`
    String,
    /// `count`
    Count,
    /// `int`
    Int,
    /// `double`
    Double,
    /// `bool`
    Bool,
    /// `enum`
    Enum,
    /// `addr`
    Addr,
    /// `port`
    Port,
    /// `vector[string]`
    VectorOfString,
    /// `vector[interval]`
    VectorOfInterval,
    /// `vector[count]`
    VectorOfCount,
    /// `vector[addr]`
    VectorOfAddr,
    /// `set[string]`
    SetOfString,
}

/// How a table shows a column.
pub struct Table<R: 'static> {
    /// The place in the table, from 0.
    pub position: u8,
    /// The heading, in capitals.
    pub heading: &'static str,
    /// The usual width in characters.
    pub width: u8,
    /// Whether cells are aligned to the right, as numbers are.
    pub right: bool,
    /// Whether a few cells may be wider than the column: they stick out, and are never cut.
    pub may_overflow: bool,
    /// Whether it is shown in wide tables only.
    pub wide_only: bool,
    /// The value, where the table says it differently than the column.
    pub get: Option<for<'a> fn(&'a R) -> Value<'a>>,
}

impl<R> Column<R> {
    /// Creates a column that no text format shows: CSV and column stores have it.
    #[must_use]
    pub const fn new(
        name: &'static str,
        kind: Kind,
        get: for<'a> fn(&'a R) -> Value<'a>,
        doc: &'static str,
    ) -> Self {
        Column { name, kind, get, eve: None, zeek: None, table: None, doc }
    }

    /// Sets the path at which EVE shows the value.
    #[must_use]
    pub const fn eve(mut self, path: &'static str) -> Self {
        self.eve = Some(Eve::path(path));
        self
    }

    /// Sets the path at which EVE shows another value.
    #[must_use]
    pub const fn eve_as(mut self, path: &'static str, get: for<'a> fn(&'a R) -> Value<'a>) -> Self {
        self.eve = Some(Eve::with(path, get));
        self
    }

    /// Zeek's log has the value as this field at this place.
    #[must_use]
    pub const fn zeek(mut self, position: u8, name: &'static str, kind: ZeekType) -> Self {
        self.zeek = Some(Zeek::at(position, name, kind));
        self
    }

    /// Zeek's log has another value as this field at this place.
    #[must_use]
    pub const fn zeek_as(
        mut self,
        position: u8,
        name: &'static str,
        kind: ZeekType,
        get: for<'a> fn(&'a R) -> Value<'a>,
    ) -> Self {
        self.zeek = Some(Zeek::with(position, name, kind, get));
        self
    }

    /// Sets how tables show the column.
    #[must_use]
    pub const fn table(mut self, table: Table<R>) -> Self {
        self.table = Some(table);
        self
    }
}

impl<R> Eve<R> {
    /// The column's value at this path.
    #[must_use]
    pub const fn path(path: &'static str) -> Self {
        Eve { path, get: None, empty_lists: false }
    }

    /// Creates a column at this path with another value.
    #[must_use]
    pub const fn with(path: &'static str, get: for<'a> fn(&'a R) -> Value<'a>) -> Self {
        Eve { path, get: Some(get), empty_lists: false }
    }

    /// The object that the member is in, if any, and its name.
    #[must_use]
    pub fn split(&self) -> (Option<&'static str>, &'static str) {
        match self.path.split_once('.') {
            Some((object, member)) => (Some(object), member),
            None => (None, self.path),
        }
    }
}

impl<R> Table<R> {
    /// The column's value at this place, aligned to the left.
    #[must_use]
    pub const fn at(position: u8, heading: &'static str, width: u8) -> Self {
        Table {
            position,
            heading,
            width,
            right: false,
            may_overflow: false,
            wide_only: false,
            get: None,
        }
    }

    /// Replaces the value.
    #[must_use]
    pub const fn with(mut self, get: for<'a> fn(&'a R) -> Value<'a>) -> Self {
        self.get = Some(get);
        self
    }

    /// Aligns the column to the right.
    #[must_use]
    pub const fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// Lets cells be wider than the column.
    #[must_use]
    pub const fn may_overflow(mut self) -> Self {
        self.may_overflow = true;
        self
    }

    /// Leaves the column to wide tables.
    #[must_use]
    pub const fn wide_only(mut self) -> Self {
        self.wide_only = true;
        self
    }
}

impl<R> Zeek<R> {
    /// The column's value as this field at this place.
    #[must_use]
    pub const fn at(position: u8, name: &'static str, kind: ZeekType) -> Self {
        Zeek { position, name, kind, get: None }
    }

    /// Another value as this field at this place.
    #[must_use]
    pub const fn with(
        position: u8,
        name: &'static str,
        kind: ZeekType,
        get: for<'a> fn(&'a R) -> Value<'a>,
    ) -> Self {
        Zeek { position, name, kind, get: Some(get) }
    }
}

impl ZeekType {
    /// The type as a log's header names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ZeekType::Time => "time",
            ZeekType::Interval => "interval",
            ZeekType::String => "string",
            ZeekType::Count => "count",
            ZeekType::Int => "int",
            ZeekType::Double => "double",
            ZeekType::Bool => "bool",
            ZeekType::Enum => "enum",
            ZeekType::Addr => "addr",
            ZeekType::Port => "port",
            ZeekType::VectorOfString => "vector[string]",
            ZeekType::VectorOfInterval => "vector[interval]",
            ZeekType::VectorOfCount => "vector[count]",
            ZeekType::VectorOfAddr => "vector[addr]",
            ZeekType::SetOfString => "set[string]",
        }
    }
}

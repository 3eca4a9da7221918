use flowscope_record::{AnySchema, Column, ColumnInfo, Kind, find_field};

use crate::{WhereError, hint};

/// The fields that expressions may name, with their types: the columns of schemas, and of the header of their records.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    header: Vec<ColumnInfo>,
    schemas: Vec<(&'static str, Vec<ColumnInfo>)>,
    others: Option<Box<Fields>>,
}

impl Fields {
    /// The columns of a header alone, for records of the schemas that are added.
    #[must_use]
    pub fn new<H>(header: &[&'static [Column<H>]]) -> Self {
        let header = header.iter().copied().flatten().map(ColumnInfo::of).collect();
        Fields { header, schemas: Vec::new(), others: None }
    }

    /// Adds records of this schema.
    #[must_use]
    pub fn schema(mut self, schema: &dyn AnySchema) -> Self {
        self.schemas.push((schema.name(), schema.columns()));
        self
    }

    /// Adds fields for the names that are not known without them.
    #[must_use]
    pub fn or(mut self, others: Fields) -> Self {
        self.others = Some(Box::new(others));
        self
    }

    /// Whether a name is known by the fields that were added by [`or`](Self::or) alone.
    #[must_use]
    pub fn is_other(&self, name: &str) -> bool {
        self.own_kinds(name).is_empty() && !self.kinds(name).is_empty()
    }

    /// Checks that a field is known, by [the rules of names](flowscope_record::Schema::field).
    ///
    /// # Errors
    ///
    /// That it is not, with the names that are nearest.
    pub fn check(&self, name: &str) -> Result<(), WhereError> {
        if !self.kinds(name).is_empty() {
            return Ok(());
        }
        let error = WhereError::new(name, 0..name.len(), format!("unknown field `{name}`"));
        Err(error.hint(hint::field(name, self)))
    }

    /// The types of the values of a field; none if there is no such field. Of lists and objects they are those of the
    /// items and members.
    #[must_use]
    pub fn kinds(&self, name: &str) -> Vec<Kind> {
        let own = self.own_kinds(name);
        match &self.others {
            Some(others) if own.is_empty() => others.kinds(name),
            _ => own,
        }
    }

    fn own_kinds(&self, name: &str) -> Vec<Kind> {
        let of = |columns: &[ColumnInfo], name: &str| {
            columns.iter().find(|column| column.name == name).map(|column| column.kind)
        };
        let mut kinds = Vec::new();
        for (schema, columns) in &self.schemas {
            let (own, header) =
                (|name: &str| of(columns, name), |name: &str| of(&self.header, name));
            let found = find_field(schema, name, own, header, || Kind::Text);
            found.into_iter().for_each(|kind| leaves(kind, &mut kinds));
        }
        kinds
    }

    /// Names of fields, in order: those of columns, and those that mean both sides. With `qualified`, those that have
    /// the name of a schema before them.
    pub(crate) fn names(&self, qualified: bool) -> Vec<String> {
        let mut names = Vec::new();
        for (schema, columns) in &self.schemas {
            let prefix = if qualified { format!("{schema}.") } else { String::new() };
            let columns = columns.iter().chain(self.header.iter().filter(|_| !qualified));
            for column in columns {
                let both = column.name.strip_prefix("src_");
                let both = both.or_else(|| column.name.strip_suffix("_to_server"));
                names.extend(both.map(|name| format!("{prefix}{name}")));
                names.push(format!("{prefix}{}", column.name));
            }
        }
        names.extend(self.others.iter().flat_map(|others| others.names(qualified)));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The field that EVE has at this path, or Zeek's logs under this name.
    pub(crate) fn of_format(&self, name: &str) -> Option<String> {
        let is_it = |column: &&ColumnInfo| column.eve == Some(name) || column.zeek == Some(name);
        let own = self.schemas.iter().find_map(|(schema, columns)| {
            let column = columns.iter().find(is_it)?;
            Some(format!("{schema}.{}", column.name))
        });
        let header = || self.header.iter().find(is_it).map(|column| column.name.to_owned());
        own.or_else(header).or_else(|| self.others.as_ref()?.of_format(name))
    }
}

/// Appends the types that values of this kind have, each once.
fn leaves(kind: Kind, kinds: &mut Vec<Kind>) {
    match kind {
        Kind::List(items) => leaves(*items, kinds),
        Kind::Object(members) => members.iter().for_each(|(_, kind)| leaves(*kind, kinds)),
        kind if kinds.contains(&kind) => {}
        kind => kinds.push(kind),
    }
}

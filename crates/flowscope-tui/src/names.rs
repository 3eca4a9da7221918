//! Names as they appear in what is said.

use std::collections::{BTreeMap, HashMap};

use flowscope_core::Timestamp;
use flowscope_extract::Endpoint;
use flowscope_output::{RecordHeader, terminal};
use flowscope_record::{Record, Schema, Visitor};
use flowscope_report::SessionReader;

/// Most names that are kept: those that appeared last.
pub(crate) const MAX_NAMES: usize = 1000;

/// A name, and who asked for it first.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    /// Made fit for a terminal.
    pub(crate) name: String,
    pub(crate) protocol: &'static str,
    pub(crate) client: Endpoint,
    /// When it was first asked for.
    pub(crate) ts: Timestamp,
    /// How often it was.
    pub(crate) times: u64,
}

/// The latest names.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    reader: SessionReader,
    numbers: HashMap<(&'static str, String), u64>,
    names: BTreeMap<u64, Name>,
    next: u64,
}

impl Names {
    pub(crate) fn new() -> Self {
        Names {
            reader: SessionReader::new(),
            numbers: HashMap::new(),
            names: BTreeMap::new(),
            next: 0,
        }
    }

    /// Takes the names of a session record.
    pub(crate) fn session(&mut self, header: &RecordHeader, record: &impl Record) {
        let Names { reader, numbers, names, next } = self;
        let (protocol, ts) = record.visit(Glance);
        let client = header.endpoints().0;
        let found = reader.read(header, record).names.into_iter().flatten();
        for name in found.filter(|name| !name.is_empty()) {
            let name = terminal(&name).into_owned();
            let number = *numbers.entry((protocol, name)).or_insert_with_key(|(_, name)| {
                let name = name.clone();
                names.insert(*next, Name { name, protocol, client, ts, times: 0 });
                *next += 1;
                *next - 1
            });
            if let Some(name) = names.get_mut(&number) {
                name.times += 1;
            }
            if names.len() > MAX_NAMES
                && let Some((_, Name { name, protocol, .. })) = names.pop_first()
            {
                numbers.remove(&(protocol, name));
            }
        }
    }

    /// The names, those that appeared last first.
    pub(crate) fn latest(&self) -> impl Iterator<Item = &Name> {
        self.names.values().rev()
    }
}

/// Protocol and time of a record.
struct Glance;

impl Visitor for Glance {
    type Output = (&'static str, Timestamp);

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) -> Self::Output {
        (schema.name, (schema.time)(record))
    }
}

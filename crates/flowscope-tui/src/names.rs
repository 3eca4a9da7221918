//! Names as they appear in what is said.

use std::collections::{BTreeMap, HashMap};

use flowscope_core::Timestamp;
use flowscope_extract::Endpoint;
use flowscope_output::{RecordFields, RecordHeader, terminal};
use flowscope_record::{Record, Schema, Value, Visitor, wire_text};

/// Most names that are kept: those that appeared last.
pub(crate) const MAX_NAMES: usize = 1000;

/// Characters of a name that are kept.
const MAX_CHARS: usize = 255;

/// The fields that have names.
const FIELDS: [&str; 4] = ["sni", "http.hostname", "http2.hostname", "query"];

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
    fields: RecordFields,
    numbers: HashMap<(&'static str, String), u64>,
    names: BTreeMap<u64, Name>,
    next: u64,
}

impl Names {
    pub(crate) fn new() -> Self {
        Names {
            fields: RecordFields::new(FIELDS.map(str::to_owned).to_vec()),
            numbers: HashMap::new(),
            names: BTreeMap::new(),
            next: 0,
        }
    }

    /// Takes the names of a session record.
    pub(crate) fn session(&mut self, header: &RecordHeader, record: &impl Record) {
        let Names { fields, numbers, names, next } = self;
        let (protocol, ts) = record.visit(Glance);
        let client = header.endpoints().0;
        fields.values(header, record, &mut |value| {
            let Some(name) = text(&value) else { return };
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
        });
    }

    /// The names, those that appeared last first.
    pub(crate) fn latest(&self) -> impl Iterator<Item = &Name> {
        self.names.values().rev()
    }
}

/// The text of a name, of a list its first, fit for a terminal.
fn text(value: &Value<'_>) -> Option<String> {
    let text = match value {
        Value::Bytes(bytes) => wire_text(bytes),
        Value::Text(text) => text.as_ref().into(),
        Value::Short(text) => text.as_str().into(),
        Value::List(items) => return items.iter().find_map(text),
        _ => return None,
    };
    let kept: String = text.chars().take(MAX_CHARS).collect();
    (!kept.is_empty()).then(|| terminal(&kept).into_owned())
}

/// Protocol and time of a record.
struct Glance;

impl Visitor for Glance {
    type Output = (&'static str, Timestamp);

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) -> Self::Output {
        (schema.name, (schema.time)(record))
    }
}

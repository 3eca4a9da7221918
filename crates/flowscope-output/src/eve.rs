//! Records as Suricata's EVE has them, one JSON object per line.

use flowscope_core::{FlowSide, Timestamp};
use flowscope_extract::FiveTupleKey;
use flowscope_record::{Column, Record, Schema, Value, Visitor};

use crate::format::Format;
use crate::header::TRAILER;
use crate::piece::Piece;
use crate::plans::Plans;
use crate::{RecordHeader, json};

/// Writes records as Suricata's EVE JSON.
///
/// A line has the members of [`HEADER`](crate::HEADER), `event_type` behind the second, those of the record, and
/// [`TRAILER`]. Source and destination are initiator and responder or, where the schema has a
/// [`sender`](Schema::sender), the sender of the record and its peer. Values that are `Null` are left out, empty lists too unless their column says otherwise,
/// and objects without members but the record's own.
#[derive(Clone, Debug, Default)]
pub struct EveFormat {
    plans: Plans,
    community_ids: CommunityIds,
}

impl EveFormat {
    /// Creates a formatter that wrote nothing yet.
    #[must_use]
    pub fn new() -> Self {
        EveFormat::default()
    }

    /// Appends the members of a record alone, each with a comma before it: without braces, header and
    /// trailer.
    pub fn members(&mut self, record: &impl Record, out: &mut Vec<u8>) {
        record.visit(Members { format: self, out });
    }

    /// Appends a line of a record that belongs to no flow: with `timestamp` and `event_type` before its
    /// members.
    pub fn flowless(&mut self, ts: Timestamp, record: &impl Record, out: &mut Vec<u8>) {
        record.visit(Flowless { format: self, ts, out });
    }

    fn plan<R: Send + 'static>(&mut self, schema: &'static Schema<R>) -> &mut Plan<R> {
        self.plans.get(schema, || Plan::new(schema))
    }
}

impl Format for EveFormat {
    fn record(&mut self, header: &RecordHeader, record: &impl Record, out: &mut Vec<u8>) {
        record.visit(Line { format: self, header, out });
    }
}

struct Line<'a> {
    format: &'a mut EveFormat,
    header: &'a RecordHeader,
    out: &'a mut Vec<u8>,
}

impl Visitor for Line<'_> {
    type Output = ();

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) {
        let Line { format, header, out } = self;
        let EveFormat { plans, community_ids } = format;
        let plan = plans.get(schema, || Plan::new(schema));
        let id = community_ids.get(header);
        match schema.eve_rows {
            None => plan.line(header, id, record, out),
            Some(rows) => rows(record, &mut |row| plan.line(header, id, row, out)),
        }
    }
}

struct Members<'a> {
    format: &'a mut EveFormat,
    out: &'a mut Vec<u8>,
}

impl Visitor for Members<'_> {
    type Output = ();

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) {
        let steps = &self.format.plan(schema).members;
        run(steps, record, self.out);
    }
}

struct Flowless<'a> {
    format: &'a mut EveFormat,
    ts: Timestamp,
    out: &'a mut Vec<u8>,
}

impl Visitor for Flowless<'_> {
    type Output = ();

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) {
        let Flowless { format, ts, out } = self;
        json::line(out, |line| {
            line.put_time("timestamp", ts);
            line.put("event_type", schema.eve_event);
            run(&format.plan(schema).members, record, line.members());
        });
    }
}

/// The Community ID of the last flow: its records often follow one another, and the ID is a SHA-1.
#[derive(Clone, Debug, Default)]
struct CommunityIds {
    last: Option<(FiveTupleKey, u16, [u8; 30])>,
}

impl CommunityIds {
    #[inline]
    fn get(&mut self, header: &RecordHeader) -> &[u8; 30] {
        let (key, seed) = (&header.key, header.community_id_seed);
        if self.last.as_ref().is_none_or(|(last, of, _)| last != key || *of != seed) {
            self.last = None;
        }
        let (.., id) =
            self.last.get_or_insert_with(|| (*key, seed, header.community_id().to_text()));
        id
    }
}

/// How the lines of one schema are written: the bytes between values are made beforehand.
struct Plan<R: 'static> {
    event_type: Piece,
    sender: Option<fn(&R) -> FlowSide>,
    /// The schema's own.
    members: Vec<Step<R>>,
    /// The schema's own up to the object that the trailer goes on with.
    before: Vec<Step<R>>,
    /// That object's members.
    shared: Vec<Step<R>>,
    shared_open: Piece,
    trailer: Vec<Step<RecordHeader>>,
}

enum Step<R: 'static> {
    /// A name with comma and colon, and the value behind it.
    Value { name: Piece, get: for<'a> fn(&'a R) -> Value<'a>, empty_lists: bool },
    /// `,"name":`
    Open(Piece),
    /// Of an object that is left out if it is empty, or is not.
    Close { keep: bool },
}

/// The object that is the record's and the trailer's.
const SHARED: &str = "flowscope";

impl<R: 'static> Plan<R> {
    fn new(schema: &'static Schema<R>) -> Self {
        let own: Vec<&Column<R>> = schema.columns.iter().collect();
        let path = |column: &Column<R>| column.eve.as_ref().map(|eve| eve.path);
        let is_shared = |column: &Column<R>| {
            column.eve.as_ref().is_some_and(|eve| eve.split().0 == Some(SHARED))
        };
        let (shared, before): (Vec<_>, Vec<_>) = own.iter().copied().partition(|c| is_shared(c));
        let trailer = TRAILER.iter().filter(|column| {
            let own_path = column.eve.as_ref().map(|eve| eve.path);
            !schema.columns.iter().any(|column| path(column) == own_path)
        });
        Plan {
            event_type: Piece::new(&format!(",\"event_type\":\"{}\"", schema.eve_event)),
            sender: schema.sender,
            members: steps(own.iter().copied(), schema.eve_event),
            before: steps(before.into_iter(), schema.eve_event),
            shared: inner(steps(shared.into_iter(), schema.eve_event)),
            shared_open: opening(SHARED),
            trailer: inner(steps(trailer, "")),
        }
    }

    fn line(&self, header: &RecordHeader, id: &[u8; 30], record: &R, out: &mut Vec<u8>) {
        let start = out.len();
        let sender = self.sender.map_or(FlowSide::Initiator, |sender| sender(record));
        header.eve(&self.event_type, sender, id, out);
        run(&self.before, record, out);
        let shared = OpenObject::new(&self.shared_open, out);
        run(&self.shared, record, out);
        if header.ambiguous || header.within.is_some() || header.path.is_some() {
            run(&self.trailer, header, out);
        }
        shared.end(false, out);
        json::enclose(start, b"{}", out);
        out.push(b'\n');
    }
}

/// What writes these columns, objects opened and closed where they begin and end.
fn steps<'a, R: 'static>(columns: impl Iterator<Item = &'a Column<R>>, own: &str) -> Vec<Step<R>> {
    let mut steps = Vec::new();
    let mut within = None;
    for column in columns {
        let Some(eve) = &column.eve else { continue };
        let (object, member) = eve.split();
        if object != within {
            if let Some(left) = within {
                steps.push(Step::Close { keep: left == own });
            }
            steps.extend(object.map(|object| Step::Open(opening(object))));
            within = object;
        }
        steps.push(Step::Value {
            name: Piece::new(&format!(",\"{member}\":")),
            get: eve.get.unwrap_or(column.get),
            empty_lists: eve.empty_lists,
        });
    }
    steps.extend(within.map(|left| Step::Close { keep: left == own }));
    steps
}

/// The values alone.
fn inner<R>(steps: Vec<Step<R>>) -> Vec<Step<R>> {
    steps.into_iter().filter(|step| matches!(step, Step::Value { .. })).collect()
}

fn opening(object: &str) -> Piece {
    Piece::new(&format!(",\"{object}\":"))
}

/// Appends what the steps write of a record.
#[inline(never)]
fn run<R>(steps: &[Step<R>], record: &R, out: &mut Vec<u8>) {
    let mut object = OpenObject::default();
    for step in steps {
        match step {
            Step::Value { name, get, empty_lists } => {
                json::member(name, get(record), *empty_lists, out);
            }
            Step::Open(name) => object = OpenObject::new(name, out),
            Step::Close { keep } => object.end(*keep, out),
        }
    }
}

/// Where an object that is being written begins.
#[derive(Clone, Copy, Default)]
struct OpenObject {
    name: usize,
    members: usize,
}

impl OpenObject {
    #[inline]
    fn new(name: &Piece, out: &mut Vec<u8>) -> Self {
        let start = out.len();
        name.write(out);
        OpenObject { name: start, members: out.len() }
    }

    /// Ends the object, or takes its name back if it has no members.
    #[inline]
    fn end(self, keep: bool, out: &mut Vec<u8>) {
        if out.len() == self.members && !keep {
            out.truncate(self.name);
        } else {
            json::enclose(self.members, b"{}", out);
        }
    }
}

impl<R> std::fmt::Debug for Plan<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan").finish_non_exhaustive()
    }
}

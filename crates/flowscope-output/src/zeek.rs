//! Records as Zeek's logs have them.

use std::io::Write as _;

use flowscope_core::Timestamp;
use flowscope_record::{Record, Schema, Value, Visitor, ZeekType};

use crate::format::Format;
use crate::plans::Plans;
use crate::text::{Stamp, zeek_uid};
use crate::{RecordHeader, json};

mod also;

/// Writes records as Zeek's logs: tab-separated with a header, or JSON.
///
/// As one stream, a header comes whenever the next record is another log's than the one before, and only
/// then. Its time is the capture's, so that the same input gives the same output. Lines that a record has
/// in [other logs](Schema::zeek_also) follow its own.
#[derive(Clone, Debug, Default)]
pub struct ZeekFormat {
    plans: Plans,
    json: bool,
    /// Whether JSON leaves out the log's name.
    pathless: bool,
    /// Whether records are written in the log of their schema alone.
    one_log: bool,
    /// The log whose header came last, and the address of the schema that came last.
    current: Option<(&'static str, usize)>,
    /// The columns of that header.
    columns: Vec<(&'static str, ZeekType)>,
}

impl ZeekFormat {
    /// Tab-separated, as Zeek writes logs unless it is asked for JSON.
    #[must_use]
    pub fn tsv() -> Self {
        ZeekFormat::default()
    }

    /// An object per line, as of Zeek's policy `json-streaming-logs`: `_path` names the log.
    #[must_use]
    pub fn json() -> Self {
        ZeekFormat { json: true, ..ZeekFormat::default() }
    }

    /// Without `_path` in JSON, as Zeek's own JSON logs are: for one log in a file of its own.
    #[must_use]
    pub fn without_path(mut self) -> Self {
        self.pathless = true;
        self
    }

    /// Without lines in [other logs](Schema::zeek_also).
    #[must_use]
    pub fn without_other_logs(mut self) -> Self {
        self.one_log = true;
        self
    }

    /// Appends the header of a log that may stay without records.
    pub fn begin_log<R: Send + 'static>(
        &mut self,
        schema: &'static Schema<R>,
        ts: Timestamp,
        out: &mut Vec<u8>,
    ) {
        let log = (schema.zeek_log, std::ptr::from_ref(schema).addr());
        if self.json || self.current == Some(log) {
            return;
        }
        let same_log = self.current() == Some(schema.zeek_log);
        self.current = Some(log);
        let plan = self.plans.get(schema, || Plan::new(schema));
        let columns = plan.fields.iter().map(|field| (field.name, field.kind));
        // Two schemas may share a log and not its columns.
        if !same_log || !columns.clone().eq(self.columns.iter().copied()) {
            self.columns.clear();
            self.columns.extend(columns);
            plan.header(schema.zeek_log, ts, out);
        }
    }

    /// Appends a record without its log's header, which [`begin_log`](Self::begin_log) wrote: for logs that
    /// are written on several threads. Nothing of [other logs](Schema::zeek_also).
    pub fn row(&mut self, header: &RecordHeader, record: &impl Record, out: &mut Vec<u8>) {
        record.visit(Line { format: self, header, out, begin: false });
    }

    /// Returns the log whose header was written last.
    #[must_use]
    pub fn current(&self) -> Option<&'static str> {
        self.current.map(|(log, _)| log)
    }

    /// Appends the lines of a record in the log of `schema`; with `begin` the log's header before them, if there
    /// are any.
    fn lines<R: Send + 'static>(
        &mut self,
        schema: &'static Schema<R>,
        header: &RecordHeader,
        record: &R,
        begin: bool,
        out: &mut Vec<u8>,
    ) {
        let mut write = |row: &R| {
            if begin {
                self.begin_log(schema, (schema.time)(row), out);
            }
            let (json, pathless) = (self.json, self.pathless);
            let plan = self.plans.get(schema, || Plan::new(schema));
            if json {
                plan.object(schema, header, row, pathless, out);
            } else {
                plan.row(schema, header, row, out);
            }
        };
        match schema.zeek_rows {
            None => write(record),
            Some(rows) => rows(record, &mut write),
        }
    }
}

impl Format for ZeekFormat {
    fn record(&mut self, header: &RecordHeader, record: &impl Record, out: &mut Vec<u8>) {
        record.visit(Line { format: self, header, out, begin: true });
    }

    fn end(&mut self, ts: Timestamp, out: &mut Vec<u8>) {
        if !self.json {
            line(out, format_args!("#close\t{}", Stamp(ts)));
        }
        // What comes behind the end is another log, also of the same name.
        self.current = None;
    }
}

struct Line<'a> {
    format: &'a mut ZeekFormat,
    header: &'a RecordHeader,
    out: &'a mut Vec<u8>,
    begin: bool,
}

impl Visitor for Line<'_> {
    type Output = ();

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) {
        let Line { format, header, out, begin } = self;
        format.lines(schema, header, record, begin, out);
        if begin && !format.one_log {
            for also in schema.zeek_also {
                format.lines(also, header, record, true, out);
            }
        }
    }
}

/// Names and types of the fields that every log begins with, and what they say.
pub const ZEEK_HEADER: [(&str, ZeekType, &str); 6] = [
    ("ts", ZeekType::Time, "When that which the record describes began, in packet time."),
    (
        "uid",
        ZeekType::String,
        "Identifier of the flow, the same in all logs: `C` and letters and digits.",
    ),
    ("id.orig_h", ZeekType::Addr, "Address of the initiator."),
    (
        "id.orig_p",
        ZeekType::Port,
        "Port of the initiator; the type of an ICMP flow in `conn.log`; 0 without ports.",
    ),
    ("id.resp_h", ZeekType::Addr, "Address of the responder."),
    (
        "id.resp_p",
        ZeekType::Port,
        "Port of the responder; of an ICMP flow in `conn.log` the type of the answer, else the code; 0 without ports.",
    ),
];

/// The fields of a schema's log, in order.
struct Plan<R: 'static> {
    fields: Vec<Field<R>>,
}

struct Field<R: 'static> {
    name: &'static str,
    kind: ZeekType,
    get: for<'a> fn(&'a R) -> Value<'a>,
}

impl<R: 'static> Plan<R> {
    fn new(schema: &Schema<R>) -> Self {
        let fields = schema.zeek_columns().into_iter().filter_map(|column| {
            let zeek = column.zeek.as_ref()?;
            Some(Field { name: zeek.name, kind: zeek.kind, get: zeek.get.unwrap_or(column.get) })
        });
        Plan { fields: fields.collect() }
    }

    fn header(&self, log: &str, ts: Timestamp, out: &mut Vec<u8>) {
        let own = self.fields.iter().map(|field| (field.name, field.kind));
        let fields = ZEEK_HEADER.map(|(name, kind, _)| (name, kind)).into_iter().chain(own);
        let head = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n";
        out.extend_from_slice(head.as_bytes());
        line(out, format_args!("#path\t{log}"));
        line(out, format_args!("#open\t{}", Stamp(ts)));
        out.extend_from_slice(b"#fields");
        for (name, _) in fields.clone() {
            out.push(b'\t');
            out.extend_from_slice(name.as_bytes());
        }
        out.extend_from_slice(b"\n#types");
        for (_, kind) in fields {
            out.push(b'\t');
            out.extend_from_slice(kind.name().as_bytes());
        }
        out.push(b'\n');
    }

    fn row(&self, schema: &Schema<R>, header: &RecordHeader, record: &R, out: &mut Vec<u8>) {
        for (value, (_, kind, _)) in common(schema, header, record).iter().zip(&ZEEK_HEADER) {
            cell(value, *kind, out);
            out.push(b'\t');
        }
        for field in &self.fields {
            cell(&(field.get)(record), field.kind, out);
            out.push(b'\t');
        }
        if let Some(tab) = out.last_mut() {
            *tab = b'\n';
        }
    }

    fn object(
        &self,
        schema: &Schema<R>,
        header: &RecordHeader,
        record: &R,
        pathless: bool,
        out: &mut Vec<u8>,
    ) {
        json::line(out, |line| {
            if !pathless {
                line.put("_path", schema.zeek_log);
            }
            let values = common(schema, header, record);
            let own = self.fields.iter().map(|field| (field.name, field.kind, (field.get)(record)));
            let header = ZEEK_HEADER.iter().zip(values);
            let header = header.map(|((name, kind, _), value)| (*name, *kind, value));
            for (name, kind, value) in header.chain(own) {
                let empty = matches!(&value, Value::List(items) if items.is_empty());
                if !value.is_null() && !empty {
                    line.name(name);
                    json_value(&value, kind, line.members());
                }
            }
        });
    }
}

/// The values of [`ZEEK_HEADER`]. As in Zeek, an ICMP flow has the type for one port, and for the other the type
/// of the message that answers it, else the code.
fn common<R>(schema: &Schema<R>, header: &RecordHeader, record: &R) -> [Value<'static>; 6] {
    let (orig, resp) = header.endpoints();
    let (from, to) =
        header.icmp.map_or((orig.port.unwrap_or(0), resp.port.unwrap_or(0)), |(kind, code)| {
            let query = header.key.icmp_id().is_some();
            let answer = header.key.icmp_type(!header.orientation).filter(|_| query);
            (kind.into(), answer.map_or(code, |(kind, _)| kind).into())
        });
    [
        (schema.time)(record).into(),
        Value::short(zeek_uid(header.flow_id)),
        orig.addr.into(),
        from.into(),
        resp.addr.into(),
        to.into(),
    ]
}

fn line(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a vector takes all");
}

/// Appends a cell of a row.
fn cell(value: &Value<'_>, kind: ZeekType, out: &mut Vec<u8>) {
    match value {
        Value::List(items) if items.is_empty() => out.push(b'-'),
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                element(item, kind, true, out);
            }
        }
        _ => element(value, kind, false, out),
    }
}

/// Appends a value that is a cell, or an item of a vector. Text that is the same as a mark for what is unset or
/// empty has its first byte escaped, so that it is read as text.
fn element(value: &Value<'_>, kind: ZeekType, in_list: bool, out: &mut Vec<u8>) {
    match bytes(value) {
        Some(b"") => out.extend_from_slice(b"(empty)"),
        Some(b"-") => out.extend_from_slice(b"\\x2d"),
        Some(b"(empty)") => out.extend_from_slice(b"\\x28empty)"),
        Some(text) => escape(text, in_list, out),
        None => plain(value, kind, out),
    }
}

/// Appends what needs no escaping.
fn plain(value: &Value<'_>, kind: ZeekType, out: &mut Vec<u8>) {
    let seconds = |secs: u64, micros: u32, out: &mut Vec<u8>| {
        write!(out, "{secs}.{micros:06}").expect("a vector takes all");
    };
    match value {
        Value::Bool(flag) => out.push(if *flag { b'T' } else { b'F' }),
        Value::U64(secs)
            if matches!(kind, ZeekType::Time | ZeekType::Interval | ZeekType::VectorOfInterval) =>
        {
            seconds(*secs, 0, out);
        }
        Value::U64(number) => json::Json::write(*number, out),
        Value::F64(number) => json::Json::write(*number, out),
        Value::Time(ts) => {
            let nanos = ts.as_nanos();
            seconds(nanos / 1_000_000_000, (nanos / 1000 % 1_000_000) as u32, out);
        }
        Value::Duration(span) => seconds(span.as_secs(), span.subsec_micros(), out),
        Value::Addr(addr) => write!(out, "{addr}").expect("a vector takes all"),
        _ => out.push(b'-'),
    }
}

fn bytes<'a>(value: &'a Value<'_>) -> Option<&'a [u8]> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        Value::Text(text) => Some(text.as_bytes()),
        Value::Short(text) => Some(text.as_str().as_bytes()),
        _ => None,
    }
}

/// Appends text as Zeek's ASCII writer does: what is not printable ASCII as `\xNN`, and so the
/// backslash, and the comma within a vector.
fn escape(text: &[u8], in_list: bool, out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'\\' => out.extend_from_slice(b"\\x5c"),
            b',' if in_list => out.extend_from_slice(b"\\x2c"),
            b' '..=b'~' => out.push(*byte),
            _ => write!(out, "\\x{byte:02x}").expect("a vector takes all"),
        }
    }
}

/// Appends a value of a JSON log: times and intervals are numbers.
fn json_value(value: &Value<'_>, kind: ZeekType, out: &mut Vec<u8>) {
    match value {
        Value::Time(_) | Value::Duration(_) => plain(value, kind, out),
        Value::U64(_) if kind == ZeekType::Time => plain(value, kind, out),
        _ => json::write(value, out),
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::L4Proto;
    use flowscope_extract::FiveTupleKey;
    use flowscope_record::{Column, Kind};

    use super::*;

    pub(super) struct Ping(pub(super) &'static Schema<Ping>);

    impl Record for Ping {
        fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
            visitor.record(self.0, self)
        }
    }

    pub(super) const fn schema(
        log: &'static str,
        columns: &'static [Column<Ping>],
    ) -> Schema<Ping> {
        Schema { zeek_log: log, columns, ..Schema::new("ping", |_| Timestamp::ZERO) }
    }

    static PING: Schema<Ping> = schema(
        "ping",
        &[Column::new("wait", Kind::Duration, |_| Value::from(WAIT), "Seconds.").zeek(
            0,
            "wait.time",
            ZeekType::Interval,
        )],
    );
    static OTHER: Schema<Ping> = schema("other", &[]);
    static SAME_LOG: Schema<Ping> = schema("ping", &[]);

    const WAIT: std::time::Duration = std::time::Duration::from_millis(1500);

    pub(super) fn header() -> RecordHeader {
        let ends = ("10.0.0.1:5".parse().unwrap(), "10.0.0.2:53".parse().unwrap());
        let (key, orientation) = FiveTupleKey::new(L4Proto::Udp, ends.0, ends.1).unwrap();
        RecordHeader::new(Timestamp::ZERO, 1, key, orientation)
    }

    pub(super) fn written(mut format: ZeekFormat, schemas: &[&'static Schema<Ping>]) -> String {
        let (header, mut out) = (header(), Vec::new());
        schemas.iter().for_each(|schema| format.record(&header, &Ping(schema), &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_header_comes_where_the_log_changes_and_nowhere_else() {
        let check = |schemas: &[&'static Schema<Ping>], expected: &[&str]| {
            let text = written(ZeekFormat::tsv(), schemas);
            let paths: Vec<_> =
                text.lines().filter_map(|line| line.strip_prefix("#path\t")).collect();
            assert_eq!(paths, expected);
            let rows = text.lines().filter(|line| !line.starts_with('#')).count();
            assert_eq!(rows, schemas.len());
        };
        check(&[&PING, &PING, &PING], &["ping"]);
        check(&[&PING, &OTHER, &OTHER, &PING], &["ping", "other", "ping"]);
        // The columns differ, so the header must be there again.
        check(&[&PING, &SAME_LOG, &SAME_LOG], &["ping", "ping"]);
    }

    fn check_cell(value: &Value<'_>, kind: ZeekType, expected: &str) {
        let mut out = Vec::new();
        cell(value, kind, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{value:?}");
    }

    /// `-` and `(empty)` stand for what is unset and empty, the comma stands between items: text with the same
    /// bytes has to be read as text.
    #[test]
    fn text_is_never_read_as_a_mark_or_as_several_items() {
        let check = |text: &[u8], expected| {
            check_cell(&text.into(), ZeekType::String, expected);
        };
        check(b"", "(empty)");
        check(b"-", r"\x2d");
        check(b"--", "--");
        check(b"(empty)", r"\x28empty)");
        check(b"a,b", "a,b");
        check(b"a\tb\\\x7f\xc3", r"a\x09b\x5c\x7f\xc3");
        let list = |items: &[&'static str]| Value::list(items.iter().copied());
        let check = |items: &[&'static str], expected| {
            check_cell(&list(items), ZeekType::VectorOfString, expected);
        };
        check(&[], "-");
        check(&["-"], r"\x2d");
        check(&[""], "(empty)");
        check(&["a,b", "", "(empty)", "c"], r"a\x2cb,(empty),\x28empty),c");
    }

    #[test]
    fn times_and_intervals_have_six_decimals() {
        let time = Timestamp::from_nanos(1_767_323_045_012_345_678);
        check_cell(&time.into(), ZeekType::Time, "1767323045.012345");
        let span = std::time::Duration::from_micros(1_500_400);
        check_cell(&span.into(), ZeekType::Interval, "1.500400");
        check_cell(&Value::U64(300), ZeekType::Interval, "300.000000");
        check_cell(&Value::U64(300), ZeekType::Time, "300.000000");
        check_cell(&Value::U64(300), ZeekType::Count, "300");
        let ttls = Value::list([300_u64, 60].into_iter());
        check_cell(&ttls, ZeekType::VectorOfInterval, "300.000000,60.000000");
        check_cell(&true.into(), ZeekType::Bool, "T");
        check_cell(&false.into(), ZeekType::Bool, "F");
        check_cell(&Value::Null, ZeekType::Bool, "-");
    }

    /// Behind `#close` another file begins, which has a header of its own.
    #[test]
    fn what_follows_the_end_has_a_header() {
        let (header, mut out, mut format) = (header(), Vec::new(), ZeekFormat::tsv());
        format.record(&header, &Ping(&PING), &mut out);
        format.end(Timestamp::from_secs(1), &mut out);
        out.clear();
        format.record(&header, &Ping(&PING), &mut out);
        assert!(out.starts_with(b"#separator"), "{}", out.escape_ascii());
    }

    #[test]
    fn json_names_the_log_unless_it_is_the_only_one() {
        let fields = "\"ts\":0.000000,\"uid\":\"UID\",\"id.orig_h\":\"10.0.0.1\",\"id.orig_p\":5,\
                      \"id.resp_h\":\"10.0.0.2\",\"id.resp_p\":53,\"wait.time\":1.500000}\n";
        let fields = fields.replace("UID", zeek_uid(1).as_str());
        let check = |format: ZeekFormat, first: &str| {
            assert_eq!(written(format, &[&PING]), format!("{{{first}{fields}"));
        };
        check(ZeekFormat::json(), "\"_path\":\"ping\",");
        check(ZeekFormat::json().without_path(), "");
    }
}

//! The tables of `docs/FORMATS.md` are what the schemas say. `cargo xtask formats` writes them anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use flowscope::output::{FLOW, HEADER, STATS, TRAILER, ZEEK_HEADER};
use flowscope::protocols;
use flowscope::record::{AnySchema, Column, ColumnInfo, Kind};

/// The page, from the folder of this crate.
const PAGE: &str = "../../docs/FORMATS.md";

const BEGIN: &str = "<!-- The rest is generated from the schemas: cargo xtask formats -->\n";

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = fs::read_to_string(&path).expect("the page exists");
    let (prose, tables) = page.split_once(BEGIN).expect("the page has generated tables");
    let expected = tables_of_all();
    if tables == expected {
        return;
    }
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, format!("{prose}{BEGIN}{expected}")).expect("the page can be written");
        return;
    }
    let differs = tables.lines().zip(expected.lines()).find(|(is, ought)| is != ought);
    panic!("docs/FORMATS.md is not what the schemas say; run `cargo xtask formats`: {differs:?}");
}

#[test]
fn a_value_of_another_form_is_described() {
    for schema in schemas() {
        for column in schema.columns() {
            let name = format!("{}.{}", schema.name(), column.name);
            // Of a duration every format says that it is in seconds.
            let seconds = column.kind == Kind::Duration && column.doc.contains("econds");
            assert!(!column.eve_differs || seconds || column.doc.contains("EVE"), "{name}");
            assert!(!column.zeek_differs || column.doc.contains("Zeek"), "{name}");
        }
    }
}

#[test]
fn every_name_is_on_the_page() {
    let page = tables_of_all();
    let words: BTreeSet<&str> = page.split(['`', '|', ' ', '\n']).collect();
    for schema in schemas() {
        for ColumnInfo { name, eve, zeek, .. } in schema.columns() {
            let names = [Some(name), eve, zeek];
            for name in names.into_iter().flatten() {
                assert!(words.contains(name), "{name}");
            }
        }
    }
}

/// A log has one section, however many protocols have lines in it.
#[test]
fn every_section_is_there_once() {
    let page = tables_of_all();
    let titles: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
    let once: BTreeSet<_> = titles.iter().collect();
    assert_eq!(once.len(), titles.len(), "{titles:?}");
    let fields = |also: &dyn AnySchema| {
        let columns = also.columns().into_iter();
        columns.map(|column| (column.name, column.zeek, column.zeek_field)).collect::<Vec<_>>()
    };
    let mut logs = BTreeMap::new();
    for also in schemas().into_iter().flat_map(AnySchema::zeek_also) {
        let first = logs.entry(also.name()).or_insert_with(|| fields(also));
        assert_eq!(*first, fields(also), "{}", also.name());
    }
}

#[test]
fn sources_stand_apart() {
    let check = |doc: &str, meaning: &str, source: &str| {
        assert_eq!(meaning_and_source(doc), (meaning.to_owned(), source.to_owned()));
    };
    check("Method (RFC 9110 §9).", "Method.", "RFC 9110 §9");
    check("Type (RFC 1, RFC 2). Zeek has 3.", "Type. Zeek has 3.", "RFC 1, RFC 2");
    check("Version (RFC 1 §2): `1` (or 2) (RFC 3).", "Version: `1` (or 2).", "RFC 1 §2, RFC 3");
    check("Seconds.", "Seconds.", "");
}

/// All schemas of records that belong to flows, that of flows first.
fn schemas() -> Vec<&'static dyn AnySchema> {
    let flow: &dyn AnySchema = &FLOW;
    std::iter::once(flow).chain(protocols::all().iter().map(|known| known.schema)).collect()
}

fn tables_of_all() -> String {
    let mut out = String::new();
    put(&mut out, "\n## Of every record\n\n");
    put(&mut out, "EVE and CSV begin with these; EVE has `event_type` behind `flow_id`.\n\n");
    table(&mut out, &infos(HEADER), None);
    put(&mut out, "\nAnd they end with these, unless the record has them itself.\n\n");
    table(&mut out, &infos(TRAILER), None);
    put(&mut out, "\nZeek's logs begin with these.\n\n| Field | Type | Meaning |\n|---|---|---|\n");
    for (name, kind, doc) in ZEEK_HEADER {
        put(&mut out, &format!("| `{name}` | {} | {doc} |\n", kind.name()));
    }
    let mut shown = BTreeSet::new();
    for schema in schemas() {
        section(&mut out, schema);
        for also in schema.zeek_also().into_iter().filter(|also| shown.insert(also.name())) {
            section_also(&mut out, also);
        }
    }
    put(
        &mut out,
        "\n## stats\n\nThe last line of EVE; it belongs to no flow and has no header.\n\n",
    );
    table(&mut out, &STATS.columns(), Some(&[]));
    names(&mut out);
    out
}

/// The names that flows have and records have not.
fn names(out: &mut String) {
    put(
        out,
        "\n## Names\n\nValues of `app_proto` beside those above: protocols that flows are named by, and \
         that have no records. Elsewhere: whether their first bytes name a flow on other ports. Plausible: \
         whether bytes that only may be theirs are enough on their ports.\n\n\
         | `app_proto` | Zeek `service` | Transport | Ports | Elsewhere | Plausible | Source |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let yes = |holds: bool| if holds { "yes" } else { "" };
    let mut names: Vec<_> = protocols::named().iter().collect();
    names.sort_by_key(|known| (known.name, known.transport));
    for known in names {
        let ports: Vec<String> = known.ports.iter().map(u16::to_string).collect();
        let row = format!(
            "| `{}` | `{}` | {} | {} | {} | {} | {} |\n",
            known.name,
            known.service,
            known.transport,
            ports.join(", "),
            yes(known.by_bytes()),
            yes(known.or_port),
            known.source
        );
        put(out, &row);
    }
}

/// One schema: names, table, orders.
fn section(out: &mut String, schema: &dyn AnySchema) {
    let columns = schema.columns();
    let (name, event, log) = (schema.name(), schema.eve_event(), schema.zeek_log());
    put(out, &format!("\n## {name}\n\nEVE `event_type` `{event}`, "));
    put(out, &format!("Zeek `{log}.log`, CSV `{name}.csv`.\n\n"));
    if schema.has_sender() {
        put(
            out,
            "In EVE, `src_ip` and `src_port` of a record are those of its sender, who need not be the initiator.\n\n",
        );
    }
    table(out, &columns, schema.csv());
    zeek_fields(out, log, &columns);
    if let Some(names) = schema.csv() {
        let names = names.iter().copied();
        put(out, &format!("\nColumns of `{name}.csv`, in order: {}.\n", in_code(names)));
    }
}

/// Another log of Zeek's, which no other format has.
fn section_also(out: &mut String, also: &dyn AnySchema) {
    let (columns, log) = (also.columns(), also.zeek_log());
    let beside = in_code(beside(also.name()).into_iter());
    put(out, &format!("\n## {}\n\nZeek `{log}.log`, beside the log of {beside}.\n\n", also.name()));
    table(out, &columns, Some(&[]));
    zeek_fields(out, log, &columns);
}

/// The names of the schemas whose records have lines in another log of this name.
fn beside(name: &str) -> Vec<&'static str> {
    let has = |schema: &&dyn AnySchema| schema.zeek_also().iter().any(|also| also.name() == name);
    schemas().into_iter().filter(has).map(AnySchema::name).collect()
}

fn zeek_fields(out: &mut String, log: &str, columns: &[ColumnInfo]) {
    let mut fields: Vec<_> =
        columns.iter().filter_map(|column| Some((column.zeek_field?.0, column.zeek?))).collect();
    fields.sort_unstable();
    let own = fields.into_iter().map(|(_, name)| name);
    let fields = ZEEK_HEADER.iter().map(|(name, ..)| *name).chain(own);
    put(out, &format!("\nFields of `{log}.log`, in order: {}.\n", in_code(fields)));
}

/// A table of columns. CSV has those of `csv`, else all.
fn table(out: &mut String, columns: &[ColumnInfo], csv: Option<&[&str]>) {
    put(
        out,
        "| Column | Type | EVE | Zeek | CSV | Meaning | Source |\n|---|---|---|---|---|---|---|\n",
    );
    for column in columns {
        let form = |differs: bool| if differs { "†" } else { "" };
        let eve = column.eve.map(|path| format!("`{path}`{}", form(column.eve_differs)));
        let zeek = column.zeek.zip(column.zeek_field).map(|(name, (_, kind))| {
            format!("`{name}`{} {}", form(column.zeek_differs), kind.name())
        });
        let in_csv = csv.is_none_or(|names| names.contains(&column.name));
        let (meaning, source) = meaning_and_source(column.doc);
        let shown = column.table.map(|heading| format!(" Table: {heading}.")).unwrap_or_default();
        let cells = [
            format!("`{}`", column.name),
            kind_name(column.kind),
            eve.unwrap_or_default(),
            zeek.unwrap_or_default(),
            if in_csv { "yes".to_owned() } else { String::new() },
            format!("{meaning}{shown}"),
            source,
        ];
        put(out, &format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")));
    }
}

fn infos<R>(columns: &[Column<R>]) -> Vec<ColumnInfo> {
    columns.iter().map(ColumnInfo::of).collect()
}

fn in_code<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn kind_name(kind: Kind) -> String {
    match kind {
        Kind::Bool => "bool".into(),
        Kind::U64 => "unsigned".into(),
        Kind::F64 => "float".into(),
        Kind::Time => "time".into(),
        Kind::Duration => "duration".into(),
        Kind::Addr => "address".into(),
        Kind::Bytes => "bytes".into(),
        Kind::Text => "text".into(),
        Kind::List(item) => format!("list of {}", kind_name(*item)),
        Kind::Object([]) => "object".into(),
        Kind::Object(members) => {
            let member = |(name, kind): &(&str, Kind)| format!("{name} {}", kind_name(*kind));
            format!("object ({})", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        other => panic!("{other:?} needs a name"),
    }
}

/// What a column's documentation says without its sources, and these.
fn meaning_and_source(doc: &str) -> (String, String) {
    let mut rest = doc;
    let mut meaning = String::new();
    let mut sources = Vec::new();
    while let Some((before, after)) = rest.split_once(" (RFC ") {
        let Some((source, behind)) = after.split_once(')') else { break };
        meaning.push_str(before);
        sources.push(format!("RFC {source}"));
        rest = behind;
    }
    meaning.push_str(rest);
    (meaning, sources.join(", "))
}

fn put(out: &mut String, text: &str) {
    out.write_str(text).expect("a string takes all");
}

//! The README's tables of protocols are those of the registry. `UPDATE_GOLDEN=1` writes them anew.

use std::collections::BTreeMap;
use std::{env, fs};

use flowscope::core::L4Proto;
use flowscope::protocols;

const BEGIN: &str = "<!-- protocols: from the registry -->\n";
const END: &str = "<!-- end of protocols -->\n";

const NAMES_BEGIN: &str = "<!-- names: from the registry -->\n";
const NAMES_END: &str = "<!-- end of names -->\n";

/// The table, a row for each protocol.
fn table() -> String {
    let mut table = String::from(
        "| protocol | ports | on other ports | records | EVE `event_type` | Zeek log |\n|---|---|---|---|---|---|\n",
    );
    for protocol in protocols::all() {
        let ports = [ports("TCP", protocol.ports.tcp), ports("UDP", protocol.ports.udp)];
        let ports: Vec<String> = ports.into_iter().flatten().collect();
        let elsewhere = match protocol.by_bytes {
            [false, false] if ports.is_empty() => "where another protocol names it",
            [false, false] => "no",
            [true, false] => "TCP, by its first bytes",
            [false, true] => "UDP, by its first bytes",
            [true, true] => "by its first bytes",
        };
        let (name, records, schema) = (protocol.name, protocol.records, protocol.schema);
        let (ports, eve, zeek) = (ports.join("; "), schema.eve_event(), schema.zeek_log());
        let row =
            format!("| `{name}` | {ports} | {elsewhere} | {records} | `{eve}` | `{zeek}.log` |\n");
        table.push_str(&row);
    }
    table
}

fn ports(transport: &str, ports: &[u16]) -> Option<String> {
    let list: Vec<String> = ports.iter().map(u16::to_string).collect();
    (!ports.is_empty()).then(|| format!("{transport} {}", list.join(", ")))
}

/// The table of what is named only, a row for each name.
fn names() -> String {
    let mut rows: BTreeMap<&str, [Vec<String>; 2]> = BTreeMap::new();
    for known in protocols::named() {
        let transport = if known.transport == L4Proto::Tcp { "TCP" } else { "UDP" };
        let [on, elsewhere] = rows.entry(known.name).or_default();
        let plausible = if known.or_port { "*" } else { "" };
        on.extend(ports(transport, known.ports).map(|ports| format!("{ports}{plausible}")));
        if known.by_bytes() {
            elsewhere.push(transport.to_owned());
        }
    }
    let mut table = String::from("| name | ports | on other ports |\n|---|---|---|\n");
    for (name, [ports, elsewhere]) in rows {
        let elsewhere = if elsewhere.is_empty() { "no".to_owned() } else { elsewhere.join(", ") };
        table.push_str(&format!("| `{name}` | {} | {elsewhere} |\n", ports.join("; ")));
    }
    table
}

#[test]
fn the_readme_lists_the_protocols_of_the_registry() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    for (begin, end, table) in [(BEGIN, END, table()), (NAMES_BEGIN, NAMES_END, names())] {
        let readme = fs::read_to_string(path).unwrap();
        let (before, rest) = readme.split_once(begin).expect("the table's beginning");
        let (listed, after) = rest.split_once(end).expect("the table's end");
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(path, format!("{before}{begin}{table}{end}{after}")).unwrap();
        } else {
            assert_eq!(listed, table, "UPDATE_GOLDEN=1 writes the table anew");
        }
    }
}

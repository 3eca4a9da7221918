//! The README's table of protocols is that of the registry. `UPDATE_GOLDEN=1` writes it anew.

use std::{env, fs};

use flowscope::protocols;

const BEGIN: &str = "<!-- protocols: from the registry -->\n";
const END: &str = "<!-- end of protocols -->\n";

/// The table, a row for each protocol.
fn table() -> String {
    let mut table = String::from(
        "| protocol | ports | on other ports | records | EVE `event_type` | Zeek log |\n|---|---|---|---|---|---|\n",
    );
    for protocol in protocols::all() {
        let ports = |transport: &str, ports: &[u16]| {
            let list: Vec<String> = ports.iter().map(u16::to_string).collect();
            (!ports.is_empty()).then(|| format!("{transport} {}", list.join(", ")))
        };
        let ports = [ports("TCP", protocol.ports.tcp), ports("UDP", protocol.ports.udp)];
        let ports: Vec<String> = ports.into_iter().flatten().collect();
        let elsewhere = match protocol.by_bytes {
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

#[test]
fn the_readme_lists_the_protocols_of_the_registry() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let readme = fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the table's beginning");
    let (listed, after) = rest.split_once(END).expect("the table's end");
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
    } else {
        assert_eq!(listed, table(), "UPDATE_GOLDEN=1 writes the table anew");
    }
}

//! SOCKS, and the PROXY protocol.

use crate::capture::{Row, recorded};
use crate::fields::{
    BETWEEN, Part, as_they_are, check, each_value, name, number, of_hex, pair, same,
};

pub(crate) fn socks_is_that_of_tshark() {
    const STATUSES: &[(u64, &str)] = &[
        (0, "succeeded"),
        (5, "Connection refused"),
        (90, "succeeded"),
        (91, "request rejected or failed"),
    ];
    const COMMANDS: &[(u64, &str)] = &[(1, "connect")];
    let parts = [
        Part {
            filter: "socks.auth_method",
            pairs: &[same("methods", "socks.auth_method")],
            rows: each_value,
            having: None,
            at_least: 12,
        },
        Part {
            filter: "socks.auth_accepted_method",
            pairs: &[same("method", "socks.auth_accepted_method")],
            rows: as_they_are,
            having: None,
            at_least: 6,
        },
        Part {
            filter: "socks.version == 5 && socks.username",
            pairs: &[same("user", "socks.username")],
            rows: as_they_are,
            having: None,
            at_least: 2,
        },
        Part {
            filter: "socks.auth_status",
            pairs: &[pair("authenticated", "socks.auth_status", |cell| (cell == "0").to_string())],
            rows: as_they_are,
            having: None,
            at_least: 2,
        },
        Part {
            // Requests of version 4 are the first bytes of their connection, those of version 5 have a kind of address.
            filter: "socks.command && (socks.address_type || tcp.seq == 1)",
            pairs: &[
                pair("command", "socks.command", |cell| name(COMMANDS, cell)),
                same("version", "socks.version"),
                same("target_addr", "socks.dst"),
                same("target_name", "socks.remote_name+socks.v4a_dns_name"),
                same("target_port", "socks.port+socks.dstport"),
            ],
            rows: |mut row| {
                // An address that stands for a name.
                if !row[3].is_empty() {
                    row[2].clear();
                }
                vec![row]
            },
            having: None,
            at_least: 7,
        },
        Part {
            filter: "socks.results",
            pairs: &[
                pair("status", "socks.results", |cell| name(STATUSES, cell)),
                same("bound_addr", "socks.dst"),
                same("bound_port", "socks.port+socks.dstport"),
            ],
            rows: as_they_are,
            having: None,
            at_least: 6,
        },
    ];
    let capture = recorded("socks.pcap").read_with(&[
        "-d",
        "tcp.port==1081,socks",
        "-d",
        "tcp.port==1082,socks",
    ]);
    check(&capture, "socks", &parts);
}

pub(crate) fn proxy_is_that_of_tshark() {
    let parts = [Part {
        filter: "proxy",
        pairs: &[
            same("client_addr", "proxy.src.ipv4"),
            same("client_port", "proxy.srcport"),
            same("server_addr", "proxy.dst.ipv4"),
            same("server_port", "proxy.dstport"),
            pair("command", "proxy.v2.cmd", |cell| name(&[(1, "proxy")], cell)),
            pair("version", "proxy.v2.version", number),
            pair("tls_version", "proxy.v2.tlv.ssl.version", of_hex),
            pair("authority", "proxy.v2.tlv.type", of_hex),
            pair("alpn", "proxy.v2.tlv.value", of_hex),
        ],
        rows: proxy,
        having: None,
        at_least: 4,
    }];
    // A port that is known outranks what packets look like, unless it is said otherwise.
    let capture = recorded("proxy.pcap").read_with(&["-o", "tcp.try_heuristic_first:TRUE"]);
    check(&capture, "proxy", &parts);
}

/// Version 1 has no numbers for its command and itself; the values of version 2 are those of their types, by number.
fn proxy(mut row: Row) -> Vec<Row> {
    if row[5].is_empty() {
        row[4] = "1".to_owned();
        row[5] = "1".to_owned();
    }
    let types: Vec<String> = row[7].split(BETWEEN).map(str::to_owned).collect();
    let values: Vec<String> = row[8].split(BETWEEN).map(str::to_owned).collect();
    let of = |kind: &str| {
        let at = types.iter().position(|known| known == kind);
        at.and_then(|at| values.get(at)).cloned().unwrap_or_default()
    };
    // Of what is known of TLS, the version comes first: behind a byte, a number, its own type and its length.
    row[6] = of("0x20").get(16..).unwrap_or("").to_owned();
    (row[7], row[8]) = (of("0x02"), of("0x01"));
    vec![row]
}

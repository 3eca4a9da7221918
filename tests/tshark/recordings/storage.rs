//! PostgreSQL, MySQL, Redis, LDAP and FTP.

use std::collections::BTreeMap;

use flowscope::protocols::AppRecord;
use flowscope::record::Record;

use crate::capture::{Row, recorded, records, rows};
use crate::fields::{
    BETWEEN, Cell, Part, as_they_are, check, each_value, name, number, of_hex, pair, same,
};

pub(crate) fn postgresql_is_that_of_tshark() {
    const METHODS: &[(u64, &str)] = &[(3, "cleartext_password"), (5, "md5_password"), (10, "sasl")];
    let parts = [
        Part {
            filter: "pgsql.type == \"Startup message\"",
            pairs: &[
                same("user", "pgsql.parameter_name"),
                same("database", "pgsql.parameter_value"),
                same("application_name", "pgsql.type"),
            ],
            rows: startup,
            having: None,
            at_least: 7,
        },
        Part {
            filter: "pgsql.authtype in {3, 5, 10}",
            pairs: &[
                pair("auth", "pgsql.authtype", |cell| name(METHODS, cell)),
                same("sasl_mechanisms", "pgsql.auth.sasl.mech"),
            ],
            rows: as_they_are,
            having: None,
            at_least: 6,
        },
        Part {
            filter: "pgsql.type == \"Backend key data\"",
            pairs: &[same("process_id", "pgsql.pid")],
            rows: as_they_are,
            having: None,
            at_least: 4,
        },
        Part {
            filter: "pgsql.type == \"Cancel request\"",
            pairs: &[same("cancel_process_id", "pgsql.pid")],
            rows: as_they_are,
            having: None,
            at_least: 1,
        },
        Part {
            filter: "pgsql.severity == \"FATAL\"",
            pairs: &[
                same("error_code", "pgsql.code"),
                same("error_severity", "pgsql.severity"),
                same("error_message", "pgsql.message"),
            ],
            rows: as_they_are,
            having: None,
            at_least: 3,
        },
    ];
    check(&recorded("postgresql.pcap"), "postgresql", &parts);
}

/// User, database and application of the names and values of parameters.
fn startup(row: Row) -> Vec<Row> {
    let values: BTreeMap<&str, &str> = row[0].split(BETWEEN).zip(row[1].split(BETWEEN)).collect();
    let of = |name| values.get(name).copied().unwrap_or("").to_owned();
    vec![["user", "database", "application_name"].map(of).to_vec()]
}

pub(crate) fn mysql_is_that_of_tshark() {
    let parts = [
        Part {
            filter: "mysql.server_greeting",
            pairs: &[
                same("server_version", "mysql.version"),
                same("connection_id", "mysql.thread_id"),
                same("server_capabilities", "mysql.caps.server+mysql.extcaps.server"),
                same("server_plugin", "mysql.auth_plugin"),
            ],
            rows: |mut row| {
                row[2] = joined(&row[2]);
                vec![row]
            },
            having: None,
            at_least: 5,
        },
        Part {
            filter: "mysql.login_request",
            pairs: &[
                same("client_capabilities", "mysql.caps.client+mysql.extcaps.client"),
                same("user", "mysql.user"),
                same("database", "mysql.schema"),
                same("client_plugin", "mysql.client_auth_plugin"),
                same("program_name", "mysql.connattrs.name+mysql.connattrs.value"),
            ],
            rows: |mut row| {
                row[0] = joined(&row[0]);
                let words: Vec<&str> = row[4].split(BETWEEN).collect();
                // As many names as values.
                let at = words.iter().position(|word| *word == "program_name");
                row[4] = at.map_or("", |at| words[at + words.len() / 2]).to_owned();
                vec![row]
            },
            having: None,
            at_least: 5,
        },
        Part {
            filter: "mysql.error_code",
            pairs: &[
                same("error_code", "mysql.error_code"),
                same("sqlstate", "mysql.sqlstate"),
                same("error_message", "mysql.error.message"),
            ],
            rows: as_they_are,
            having: None,
            at_least: 2,
        },
    ];
    check(&recorded("mysql.pcap"), "mysql", &parts);
}

/// The lower and upper half of capabilities, as one number.
fn joined(halves: &str) -> String {
    let half = |cell: &str| number(cell).parse::<u32>().expect("a number");
    let (lower, upper) = halves.split_once(BETWEEN).expect("two halves");
    (half(upper) << 16 | half(lower)).to_string()
}

pub(crate) fn redis_is_that_of_tshark() {
    let parts = [
        Part {
            filter: "resp && tcp.dstport == 6379",
            pairs: &[
                pair("command", "resp.bulk_string.value", of_hex),
                same("args", "resp.array.length"),
            ],
            rows: commands,
            having: None,
            at_least: 17,
        },
        Part {
            filter: "resp.error",
            pairs: &[same("error", "resp.error")],
            // What a client said is not repeated.
            rows: |row| vec![vec![row[0].split(", with args").next().unwrap_or("").to_owned()]],
            having: None,
            at_least: 3,
        },
    ];
    check(&recorded("redis.pcap"), "redis", &parts);
}

/// The first word of each array, and how many follow it.
fn commands(row: Row) -> Vec<Row> {
    let mut words = row[0].split(BETWEEN);
    let lengths = row[1].split(BETWEEN).map(|length| length.parse::<usize>().expect("a length"));
    lengths
        .map(|length| {
            let command = words.by_ref().take(length).next().expect("a command").to_owned();
            words.by_ref().take(length - 1).for_each(drop);
            vec![command, (length - 1).to_string()]
        })
        .collect()
}

pub(crate) fn ldap_is_that_of_tshark() {
    const OPERATIONS: &[(u64, &str)] = &[
        (0, "bind_request"),
        (2, "unbind_request"),
        (3, "search_request"),
        (6, "modify_request"),
        (8, "add_request"),
        (10, "del_request"),
        (12, "mod_dn_request"),
        (14, "compare_request"),
        (23, "extended_request"),
    ];
    const RESULTS: &[(u64, &str)] =
        &[(0, "success"), (6, "compareTrue"), (32, "noSuchObject"), (49, "invalidCredentials")];
    let parts = [
        Part {
            filter: "ldap.protocolOp in {0, 2, 3, 6, 8, 10, 12, 14, 23}",
            pairs: &[
                pair("operation", "ldap.protocolOp", |cell| name(OPERATIONS, cell)),
                same("message_id", "ldap.messageID"),
                same("version", "ldap.version"),
                same("object", "ldap.name+ldap.baseObject+ldap.entry+ldap.object+ldap.delRequest"),
                pair("scope", "ldap.scope", |cell| {
                    name(&[(0, "base"), (1, "single"), (2, "tree")], cell)
                }),
                same("attributes", "ldap.AttributeDescription"),
            ],
            rows: |row| vec![row],
            having: None,
            at_least: 30,
        },
        Part {
            filter: "ldap.newrdn || ldap.requestName || ldap.compareRequest_element",
            pairs: &[
                same("argument", "ldap.newrdn+ldap.requestName+ldap.attributeDesc"),
                same("message_id", "ldap.messageID"),
            ],
            rows: as_they_are,
            having: None,
            at_least: 4,
        },
        Part {
            filter: "ldap.resultCode",
            pairs: &[
                pair("result", "ldap.resultCode", |cell| name(RESULTS, cell)),
                same("message_id", "ldap.messageID"),
                same("diagnostic_message", "ldap.errorMessage"),
            ],
            rows: as_they_are,
            having: None,
            at_least: 20,
        },
    ];
    let capture = recorded("ldap.pcap");
    check(&capture, "ldap", &parts);
    let entries: usize = records(&capture)
        .iter()
        .filter(|record| record.protocol() == "ldap")
        .flat_map(|record| record.visit(Cell("entries")))
        .filter_map(|cell| cell.parse::<usize>().ok())
        .sum();
    let found = rows(&capture, "ldap.searchResEntry_element", &["ldap.objectName"]);
    assert_eq!(entries, found.len(), "each in a packet of its own");
}

pub(crate) fn ftp_is_that_of_tshark() {
    let control = [
        Part {
            filter: "ftp.request",
            pairs: &[same("command", "ftp.request.command"), same("argument", "ftp.request.arg")],
            rows: |row| {
                let argument = if row[0] == "PASS" { "" } else { &*row[1] };
                vec![vec![row[0].clone(), argument.to_owned()]]
            },
            having: None,
            at_least: 60,
        },
        Part {
            filter: "ftp.response.code",
            pairs: &[same("completion_code", "ftp.response.code")],
            rows: each_value,
            having: None,
            at_least: 80,
        },
        Part {
            filter: "ftp.passive.port || ftp.epsv.port || ftp.active.port || ftp.eprt.port",
            pairs: &[same(
                "dynamic_port",
                "ftp.passive.port+ftp.epsv.port+ftp.active.port+ftp.eprt.port",
            )],
            rows: each_value,
            having: None,
            at_least: 9,
        },
    ];
    let capture = recorded("ftp.pcap");
    check(&capture, "ftp", &control);

    // All other bytes of the capture are those of data connections.
    let mut theirs = BTreeMap::new();
    for row in rows(&capture, "tcp.port != 21 && tcp.len > 0", &["tcp.stream", "tcp.len"]) {
        *theirs.entry(row[0].clone()).or_insert(0) += row[1].parse::<u64>().unwrap();
    }
    let mut theirs: Vec<u64> = theirs.into_values().collect();
    let bytes = |record: &AppRecord| record.visit(Cell("bytes"))[0].parse().unwrap();
    let records = records(&capture);
    let data = records.iter().filter(|record| record.protocol() == "ftp-data");
    let mut ours: Vec<u64> = data.map(bytes).collect();
    theirs.sort_unstable();
    ours.sort_unstable();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 8);
}

//! What networks run on: DNS, NTP, DHCP, SNMP, RADIUS.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::capture::{Row, recorded};
use crate::fields::{BETWEEN, Part, as_they_are, check, flag, name, number, only_true, pair, same};

pub(crate) fn dns_is_that_of_tshark() {
    const TYPES: &[(u64, &str)] =
        &[(1, "A"), (5, "CNAME"), (12, "PTR"), (15, "MX"), (16, "TXT"), (28, "AAAA"), (33, "SRV")];
    for (file, at_least) in [("dns-udp.pcap", 10), ("dns-tcp.pcap", 5)] {
        // All queries are answered: the record of a query alone comes before that of both.
        let parts = [
            Part {
                filter: "dns.flags.response == 0",
                pairs: &[
                    pair("id", "dns.id", number),
                    same("query", "dns.qry.name"),
                    pair("qtype_name", "dns.qry.type", |cell| name(TYPES, cell)),
                    pair("qclass", "dns.qry.class", number),
                    pair("opcode", "dns.flags.opcode", number),
                    pair("rd", "dns.flags.recdesired", only_true),
                ],
                rows: as_they_are,
                having: Some(("type", "response")),
                at_least,
            },
            Part {
                filter: "dns.flags.response == 1",
                pairs: &[
                    pair("id", "dns.id", number),
                    pair("rcode_number", "dns.flags.rcode", number),
                    pair("aa", "dns.flags.authoritative", only_true),
                    pair("ra", "dns.flags.recavail", only_true),
                    pair("tc", "dns.flags.truncated", only_true),
                    pair("answer_records", "dns.count.answers", number),
                ],
                rows: as_they_are,
                having: Some(("type", "response")),
                at_least,
            },
        ];
        check(&recorded(file), "dns", &parts);
    }
}

pub(crate) fn ntp_is_that_of_tshark() {
    let parts = [
        Part {
            filter: "ntp",
            pairs: &[
                pair("mode", "ntp.flags.mode", number),
                pair("version", "ntp.flags.vn", number),
                pair("leap", "ntp.flags.li", number),
                pair("stratum", "ntp.stratum", number),
                pair("poll", "ntp.ppoll", |cell| {
                    2_f64.powi(cell.parse().expect("an exponent")).to_string()
                }),
                pair("root_delay", "ntp.rootdelay", |cell| {
                    cell.parse::<f64>().expect("seconds").to_string()
                }),
                pair("root_disp", "ntp.rootdispersion", |cell| {
                    cell.parse::<f64>().expect("seconds").to_string()
                }),
                pair("ref_time", "ntp.reftime", nanos),
                pair("org_time", "ntp.org", nanos),
                pair("rec_time", "ntp.rec", nanos),
                pair("xmt_time", "ntp.xmt", nanos),
            ],
            rows: as_they_are,
            having: None,
            at_least: 10,
        },
        Part {
            filter: "ntp.keyid",
            pairs: &[
                pair("authenticated", "ntp.keyid", |_| "true".to_owned()),
                pair("mode", "ntp.flags.mode", number),
            ],
            rows: as_they_are,
            having: None,
            at_least: 2,
        },
    ];
    check(&recorded("ntp.pcap"), "ntp", &parts);
}

/// Nanoseconds since 1970 of a time as `Nov 30, 2026 16:52:26.827321860 UTC`; `NULL` is none.
fn nanos(cell: &str) -> String {
    if cell == "NULL" {
        return String::new();
    }
    let time = DateTime::strptime("%b %d, %Y %H:%M:%S%.f UTC", cell).expect("a time");
    let time = time.to_zoned(TimeZone::UTC).expect("a time within the calendar");
    time.timestamp().as_nanosecond().to_string()
}

pub(crate) fn dhcp_is_that_of_tshark() {
    const KINDS: &[(u64, &str)] = &[
        (1, "discover"),
        (2, "offer"),
        (3, "request"),
        (4, "decline"),
        (5, "ack"),
        (6, "nak"),
        (7, "release"),
        (8, "inform"),
    ];
    let parts = [Part {
        filter: "dhcp",
        pairs: &[
            pair("dhcp_type", "dhcp.option.dhcp", |cell| name(KINDS, cell)),
            pair("type", "dhcp.type", |cell| name(&[(1, "request"), (2, "reply")], cell)),
            pair("id", "dhcp.id", number),
            same("client_mac", "dhcp.hw.mac_addr"),
            same("assigned_ip", "dhcp.ip.your"),
            pair("client_ip", "dhcp.ip.client", address),
            pair("relay_ip", "dhcp.ip.relay", address),
            pair("next_server_ip", "dhcp.ip.server", address),
            same("requested_ip", "dhcp.option.requested_ip_address"),
            same("server_id", "dhcp.option.dhcp_server_id"),
            same("hostname", "dhcp.option.hostname"),
            same("client_fqdn", "dhcp.fqdn.name"),
            same("domain", "dhcp.option.domain_name"),
            same("vendor_class_identifier", "dhcp.option.vendor_class_id"),
            same("lease_time", "dhcp.option.ip_address_lease_time"),
            same("renewal_time", "dhcp.option.renewal_time_value"),
            same("rebinding_time", "dhcp.option.rebinding_time_value"),
            same("subnet_mask", "dhcp.option.subnet_mask"),
            same("routers", "dhcp.option.router"),
            same("dns_servers", "dhcp.option.domain_name_server"),
            same("message", "dhcp.option.message"),
            pair("hops", "dhcp.hops", number),
            pair("secs", "dhcp.secs", number),
            pair("broadcast", "dhcp.flags.bc", only_true),
        ],
        rows: first_address,
        having: None,
        at_least: 11,
    }];
    check(&recorded("dhcp.pcap"), "dhcp", &parts);
}

/// An address; nothing if it is none.
fn address(cell: &str) -> String {
    if cell == "0.0.0.0" { String::new() } else { cell.to_owned() }
}

/// The hardware address is in the header, and once more in the client's identifier.
fn first_address(mut row: Row) -> Vec<Row> {
    if let Some((first, _)) = row[3].split_once(BETWEEN) {
        row[3] = first.to_owned();
    }
    vec![row]
}

pub(crate) fn dhcpv6_is_that_of_tshark() {
    const KINDS: &[(u64, &str)] = &[
        (1, "solicit"),
        (2, "advertise"),
        (3, "request"),
        (7, "reply"),
        (8, "release"),
        (11, "information_request"),
    ];
    let parts = [Part {
        // An error of ICMP repeats the datagram that it is about.
        filter: "dhcpv6 && !icmpv6",
        pairs: &[
            pair("type", "dhcpv6.msgtype", |cell| name(KINDS, cell)),
            pair("id", "dhcpv6.xid", number),
            pair("client_id", "dhcpv6.duid.bytes", with_colons),
            pair("server_id", "dhcpv6.duid.bytes", with_colons),
            same(
                "addresses",
                "dhcpv6.iaaddr.ip+dhcpv6.iaaddr.pref_lifetime+dhcpv6.iaaddr.valid_lifetime",
            ),
            same("dns_servers", "dhcpv6.dns_server"),
            pair("params", "dhcpv6.requested_option_code", number),
            same("elapsed_time", "dhcpv6.elapsed_time"),
            pair("status", "dhcpv6.status_code", number),
            same("status_message", "dhcpv6.status_msg"),
        ],
        rows: |mut row| {
            let mut ids = row[2].split(BETWEEN).map(str::to_owned);
            let (client, server) = (ids.next().unwrap_or_default(), ids.next().unwrap_or_default());
            (row[2], row[3]) = (client, server);
            vec![row]
        },
        having: None,
        at_least: 8,
    }];
    check(&recorded("dhcpv6.pcap"), "dhcpv6", &parts);
}

/// Bytes in hexadecimal, with colons between them.
fn with_colons(cell: &str) -> String {
    let bytes: Vec<&str> = (0..cell.len()).step_by(2).map(|at| &cell[at..at + 2]).collect();
    bytes.join(":")
}

pub(crate) fn snmp_is_that_of_tshark() {
    const KINDS: &[(u64, &str)] = &[
        (0, "get_request"),
        (1, "get_next_request"),
        (2, "response"),
        (3, "set_request"),
        (4, "trap_v1"),
        (5, "get_bulk_request"),
        (6, "inform_request"),
        (7, "trap_v2"),
        (8, "report"),
    ];
    const ERRORS: &[(u64, &str)] = &[(0, ""), (2, "noSuchName"), (6, "noAccess")];
    let parts = [
        Part {
            filter: "snmp",
            pairs: &[
                pair("version", "snmp.version+snmp.msgVersion", |cell| {
                    name(&[(0, "1"), (1, "2"), (3, "3")], cell)
                }),
                same("community", "snmp.community"),
                same("user", "snmp.msgUserName"),
                same("engine_id", "snmp.msgAuthoritativeEngineID"),
                pair("request_id", "snmp.request_id", |cell| {
                    (cell.parse::<i64>().expect("a number") as u32).to_string()
                }),
                pair("error", "snmp.error_status", |cell| name(ERRORS, cell)),
                same("vars", "snmp.name"),
                same("max_repetitions", "snmp.max_repetitions"),
                same("trap_oid", "snmp.enterprise"),
                same("trap_address", "snmp.agent_addr"),
                same("specific_trap", "snmp.specific_trap"),
            ],
            rows: |row| vec![row],
            having: None,
            at_least: 24,
        },
        Part {
            filter: "snmp.data",
            pairs: &[
                pair("request_id", "snmp.request_id", |cell| {
                    (cell.parse::<i64>().expect("a number") as u32).to_string()
                }),
                pair("pdu_type", "snmp.data", |cell| name(KINDS, cell)),
            ],
            rows: as_they_are,
            having: None,
            at_least: 20,
        },
    ];
    check(&recorded("snmp.pcap"), "snmp", &parts);
}

pub(crate) fn radius_is_that_of_tshark() {
    const CODES: &[(u64, &str)] = &[
        (1, "Access-Request"),
        (2, "Access-Accept"),
        (3, "Access-Reject"),
        (4, "Accounting-Request"),
        (5, "Accounting-Response"),
        (12, "Status-Server"),
    ];
    let parts = [
        Part {
            filter: "radius.code in {1, 4, 12}",
            pairs: &[
                pair("request", "radius.code", |cell| name(CODES, cell)),
                same("id", "radius.id"),
                same("user_name", "radius.User_Name"),
                same("nas_address", "radius.NAS_IP_Address"),
                same("nas_identifier", "radius.NAS_Identifier"),
                same("nas_port", "radius.NAS_Port"),
                same("nas_port_type", "radius.NAS_Port_Type"),
                same("calling_station", "radius.Calling_Station_Id"),
                same("called_station", "radius.Called_Station_Id"),
                same("connect_info", "radius.Connect_Info"),
                same("session_id", "radius.Acct_Session_Id"),
                pair("status_type", "radius.Acct_Status_Type", |cell| {
                    name(&[(1, "Start"), (2, "Stop"), (3, "Interim-Update")], cell)
                }),
                same("session_time", "radius.Acct_Session_Time"),
                same("input_octets", "radius.Acct_Input_Octets"),
                same("output_octets", "radius.Acct_Output_Octets"),
                same("terminate_cause", "radius.Acct_Terminate_Cause"),
            ],
            rows: as_they_are,
            having: None,
            at_least: 7,
        },
        Part {
            filter: "radius.code in {2, 3, 5}",
            pairs: &[
                pair("response", "radius.code", |cell| name(CODES, cell)),
                same("id", "radius.id"),
                same("reply_message", "radius.Reply_Message"),
                same("session_timeout", "radius.Session_Timeout"),
                same("service_type", "radius.Service_Type"),
            ],
            rows: as_they_are,
            having: None,
            at_least: 7,
        },
        Part {
            filter: "radius.Framed-IP-Address",
            pairs: &[same("framed_address", "radius.Framed-IP-Address"), same("id", "radius.id")],
            rows: as_they_are,
            having: None,
            at_least: 6,
        },
    ];
    check(&recorded("radius.pcap"), "radius", &parts);
}

pub(crate) fn mdns_is_that_of_tshark() {
    let parts = [Part {
        filter: "mdns",
        pairs: &[
            pair("flags", "dns.flags", |cell| {
                let word: u16 = number(cell).parse().expect("a number");
                format!("{word:x}")
            }),
            same("query", "dns.qry.name"),
            pair("unicast_response", "dns.qry.qu", only_true),
            pair("cache_flush", "dns.resp.cache_flush", only_true),
            pair("answer_records", "dns.count.answers", number),
        ],
        rows: |mut row| {
            row[1] = row[1].split(BETWEEN).next().unwrap_or("").to_owned();
            for cell in &mut row[2..4] {
                // One question or record that has it is enough.
                let has_it = cell.split(BETWEEN).any(|value| flag(value) == "true");
                *cell = if has_it { "1" } else { "" }.to_owned();
            }
            vec![row]
        },
        having: None,
        at_least: 12,
    }];
    check(&recorded("mdns.pcap"), "mdns", &parts);
}

pub(crate) fn nbns_is_that_of_tshark() {
    const KINDS: &[(u64, &str)] = &[(0, "request"), (1, "response")];
    const OPERATIONS: &[(u64, &str)] = &[(0, "query"), (5, "registration")];
    const TYPES: &[(u64, &str)] = &[(32, "NB"), (33, "NBSTAT")];
    let parts = [Part {
        filter: "nbns && !icmp",
        pairs: &[
            pair("type", "nbns.flags.response", |cell| name(KINDS, cell)),
            pair("id", "nbns.id", number),
            pair("opcode", "nbns.flags.opcode", |cell| name(OPERATIONS, cell)),
            same("name", "nbns.name"),
            same("suffix", "nbns.class"),
            pair("rrtype", "nbns.type", |cell| name(TYPES, cell)),
            pair("broadcast", "nbns.flags.broadcast", only_true),
            pair("rd", "nbns.flags.recdesired", only_true),
            pair("aa", "nbns.flags.authoritative", only_true),
            same("ttl", "nbns.ttl"),
            same("addresses", "nbns.addr"),
        ],
        rows: netbios,
        having: None,
        at_least: 20,
    }];
    check(&recorded("nbns.pcap"), "nbns", &parts);
}

/// The name and its suffix, of a name as `FILES<20> (Server service)`; the first values of others.
fn netbios(row: Row) -> Vec<Row> {
    let mut row: Row =
        row.iter().map(|cell| cell.split(BETWEEN).next().unwrap_or("").to_owned()).collect();
    let (name, rest) = row[3].split_once('<').expect("a suffix");
    // The name that stands for all is filled up with zeros.
    let suffix = rest.split('>').next().unwrap_or("");
    (row[3], row[4]) = (name.to_owned(), suffix.to_owned());
    vec![row]
}

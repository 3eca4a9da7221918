//! HTTP, SSH, TLS, DTLS, QUIC, SIP, MQTT and RDP.

use crate::capture::{Row, recorded};
use crate::fields::{
    BETWEEN, Part, as_they_are, check, each_value, flag, length, name, number, pair, same,
};

pub(crate) fn http_is_that_of_tshark() {
    for (file, at_least) in [
        ("http-keep-alive.pcap", 5),
        ("http-chunked.pcap", 3),
        ("http-continue.pcap", 2),
        ("http-head.pcap", 3),
    ] {
        let parts = [
            Part {
                filter: "http.request",
                pairs: &[
                    same("method", "http.request.method"),
                    same("url", "http.request.uri"),
                    same("hostname", "http.host"),
                    same("user_agent", "http.user_agent"),
                ],
                rows: as_they_are,
                having: None,
                at_least,
            },
            Part {
                filter: "http.response && http.response.code != 100",
                pairs: &[
                    same("status", "http.response.code"),
                    same("reason", "http.response.phrase"),
                    same("content_type", "http.content_type"),
                ],
                rows: as_they_are,
                having: None,
                at_least,
            },
        ];
        check(&recorded(file), "http", &parts);
    }
}

pub(crate) fn ssh_is_that_of_tshark() {
    let parts = [
        Part {
            filter: "ssh.protocol && tcp.dstport == 22",
            pairs: &[same("client", "ssh.protocol")],
            rows: as_they_are,
            having: None,
            at_least: 1,
        },
        Part {
            filter: "ssh.protocol && tcp.srcport == 22",
            pairs: &[same("server", "ssh.protocol")],
            rows: as_they_are,
            having: None,
            at_least: 1,
        },
        Part {
            filter: "ssh.kex.hassh",
            pairs: &[same("hassh", "ssh.kex.hassh")],
            rows: as_they_are,
            having: None,
            at_least: 1,
        },
        Part {
            filter: "ssh.kex.hasshserver",
            pairs: &[same("hassh_server", "ssh.kex.hasshserver")],
            rows: as_they_are,
            having: None,
            at_least: 1,
        },
    ];
    check(&recorded("ssh.pcap"), "ssh", &parts);
}

pub(crate) fn tls_is_that_of_tshark() {
    for file in ["tls12.pcap", "tls12-keys.pcap", "tls13.pcap", "tls13-keys.pcapng"] {
        let parts = [
            Part {
                // The first hello: behind HelloRetryRequest there is another.
                filter: "tls.handshake.type == 1 && tcp.seq == 1",
                pairs: &[
                    same("ja3", "tls.handshake.ja3"),
                    same("sni", "tls.handshake.extensions_server_name"),
                    same("client_alpns", "tls.handshake.extensions_alpn_str"),
                ],
                rows: |row| vec![row],
                having: None,
                at_least: 3,
            },
            Part {
                // HelloRetryRequest is a hello with a number that is known (RFC 8446 §4.1.3).
                filter: "tls.handshake.type == 2 && !(tls.handshake.random[0:4] == cf:21:ad:74)",
                pairs: &[
                    pair("cipher", "tls.handshake.ciphersuite", number),
                    same("ja3s", "tls.handshake.ja3s"),
                ],
                rows: as_they_are,
                having: None,
                at_least: 3,
            },
        ];
        check(&recorded(file), "tls", &parts);
    }
}

pub(crate) fn dtls_is_that_of_tshark() {
    let parts = [
        Part {
            // The second hello has the cookie.
            filter: "dtls.handshake.type == 1 && dtls.handshake.cookie_length > 0",
            pairs: &[
                same("sni", "dtls.handshake.extensions_server_name"),
                same("client_alpns", "dtls.handshake.extensions_alpn_str"),
                pair("hello_verify", "dtls.handshake.cookie_length", |_| "true".to_owned()),
            ],
            rows: as_they_are,
            having: None,
            at_least: 3,
        },
        Part {
            filter: "dtls.handshake.type == 2",
            pairs: &[
                pair("cipher", "dtls.handshake.ciphersuite", number),
                same("server_alpn", "dtls.handshake.extensions_alpn_str"),
                same("version", "dtls.handshake.version"),
            ],
            rows: |mut row| {
                let version = row[2].split(BETWEEN).next().unwrap_or("");
                row[2] = if version == "0xfefd" { "DTLS 1.2" } else { version }.to_owned();
                vec![row]
            },
            having: None,
            at_least: 3,
        },
        Part {
            filter: "x509af.serialNumber",
            pairs: &[
                pair("curve", "dtls.handshake.server_named_curve", number),
                pair("serial", "x509af.serialNumber", serial),
            ],
            rows: as_they_are,
            having: None,
            at_least: 3,
        },
        Part {
            filter: "dtls.alert_message.desc",
            pairs: &[same("alert", "dtls.alert_message.desc")],
            rows: as_they_are,
            having: None,
            at_least: 1,
        },
    ];
    check(&recorded("dtls.pcap"), "dtls", &parts);
}

/// A serial number as records have it: colons between the bytes.
fn serial(cell: &str) -> String {
    let digits = cell.replace(':', "").to_uppercase();
    let bytes: Vec<&str> = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]).collect();
    bytes.join(":")
}

pub(crate) fn quic_is_that_of_tshark() {
    let parts = [
        Part {
            // The keys of a version that is not known cannot be derived; tshark takes those of version 1.
            filter: "quic.long.packet_type == 0 && tls.handshake.type == 1 && quic.version == 1",
            pairs: &[
                same("client_initial_dcid", "quic.dcid"),
                same("client_scid", "quic.scid"),
                pair("version", "quic.version", number),
                same("server_name", "tls.handshake.extensions_server_name"),
                same("client_alpns", "tls.handshake.extensions_alpn_str"),
                pair("idle_timeout", "tls.quic.parameter.max_idle_timeout", |cell| {
                    let millis: f64 = cell.parse().expect("milliseconds");
                    (millis / 1000.0).to_string()
                }),
            ],
            rows: |row| vec![row],
            having: None,
            at_least: 2,
        },
        Part {
            filter: "quic.long.packet_type == 0 && tls.handshake.type == 2",
            pairs: &[
                pair("server_cipher", "tls.handshake.ciphersuite", number),
                same("server_scid", "quic.scid"),
            ],
            rows: |row| vec![first_values(&row)],
            having: None,
            at_least: 2,
        },
    ];
    check(&recorded("quic.pcap"), "quic", &parts);
}

/// The first value of each cell.
fn first_values(row: &Row) -> Row {
    row.iter().map(|cell| cell.split(BETWEEN).next().unwrap_or("").to_owned()).collect()
}

pub(crate) fn sip_is_that_of_tshark() {
    let parts = [
        Part {
            filter: "sip.Method",
            pairs: &[
                same("method", "sip.Method"),
                same("uri", "sip.r-uri"),
                same("call_id", "sip.Call-ID"),
                same("cseq", "sip.CSeq"),
                same("request_from", "sip.From"),
                same("request_to", "sip.To"),
                same("contact", "sip.Contact"),
                same("subject", "sip.Subject"),
                same("user_agent", "sip.User-Agent"),
                same("content_type", "sip.Content-Type"),
                same("request_body_len", "sip.Content-Length"),
                same("request_line", "sip.Request-Line"),
            ],
            rows: as_they_are,
            having: None,
            at_least: 7,
        },
        Part {
            filter: "sip.Status-Code >= 200",
            pairs: &[
                same("code", "sip.Status-Code"),
                same("response_line", "sip.Status-Line"),
                same("call_id", "sip.Call-ID"),
                same("cseq", "sip.CSeq"),
                same("response_from", "sip.From"),
                same("response_to", "sip.To"),
                same("server", "sip.Server"),
                same("response_body_len", "sip.Content-Length"),
            ],
            rows: as_they_are,
            having: None,
            at_least: 5,
        },
    ];
    check(&recorded("sip.pcap"), "sip", &parts);
}

pub(crate) fn mqtt_is_that_of_tshark() {
    const PACKETS: &[(u64, &str)] = &[
        (1, "connect"),
        (3, "publish"),
        (8, "subscribe"),
        (10, "unsubscribe"),
        (14, "disconnect"),
    ];
    const ANSWERS: &[(u64, &str)] =
        &[(2, "connack"), (4, "puback"), (9, "suback"), (11, "unsuback")];
    const VERSIONS: &[(u64, &str)] = &[(3, "3.1"), (4, "3.1.1"), (5, "5.0")];
    let parts = [
        Part {
            filter: "mqtt.msgtype == 1",
            pairs: &[
                same("protocol", "mqtt.protoname"),
                pair("version", "mqtt.ver", |cell| name(VERSIONS, cell)),
                same("client_id", "mqtt.clientid"),
                same("username", "mqtt.username"),
                same("keep_alive", "mqtt.kalive"),
                pair("clean_start", "mqtt.conflag.cleansess", flag),
                pair("has_password", "mqtt.conflag.passwd", flag),
                same("will_topic", "mqtt.willtopic"),
            ],
            rows: as_they_are,
            having: None,
            at_least: 9,
        },
        Part {
            filter: "mqtt.msgtype in {3, 8, 10, 14}",
            pairs: &[
                pair("type", "mqtt.msgtype", |cell| name(PACKETS, cell)),
                same("topics", "mqtt.topic"),
                same("packet_id", "mqtt.msgid"),
                same("qos_levels", "mqtt.qos+mqtt.sub.qos+mqtt.subscription_options_qos"),
                pair("retain", "mqtt.retain", flag),
                pair("dup", "mqtt.dupflag", flag),
                pair("payload_len", "mqtt.msg", length),
            ],
            rows: mqtt_packets,
            having: Some(("type", "publish|subscribe|unsubscribe|disconnect")),
            at_least: 15,
        },
        Part {
            // Of PUBCOMP, a code is said only if it is not 0.
            filter: "mqtt.msgtype in {2, 4, 9, 11}",
            pairs: &[
                pair("answer", "mqtt.msgtype", |cell| name(ANSWERS, cell)),
                same(
                    "codes",
                    "mqtt.conack.val+mqtt.connack.reason_code+mqtt.puback.reason_code+mqtt.suback.qos+\
                     mqtt.suback.reason_code+mqtt.unsuback.reason_code",
                ),
            ],
            rows: |mut row| {
                of_kinds(&mut row[0], &["2", "4", "9", "11"]);
                vec![row]
            },
            having: Some(("answer", "connack|puback|suback|unsuback")),
            at_least: 12,
        },
    ];
    check(&recorded("mqtt.pcap"), "mqtt", &parts);
}

/// The packets of a segment; flags are those of publications alone.
fn mqtt_packets(mut row: Row) -> Vec<Row> {
    if of_kinds(&mut row[0], &["3", "8", "10", "14"]) {
        // Identifiers are those of acknowledgements behind publications that need none.
        row[2].clear();
    }
    let mut rows = as_they_are(row);
    for row in rows.iter_mut().filter(|row| row[0] != "3") {
        row[4..7].iter_mut().for_each(String::clear);
    }
    rows
}

/// Leaves these of the types of packets in a segment, and says whether there were others.
fn of_kinds(cell: &mut String, kinds: &[&str]) -> bool {
    let all: Vec<&str> = cell.split(BETWEEN).collect();
    let left: Vec<&str> = all.iter().copied().filter(|kind| kinds.contains(kind)).collect();
    let are_others = left.len() < all.len();
    *cell = left.join(&BETWEEN.to_string());
    are_others
}

pub(crate) fn rdp_is_that_of_tshark() {
    const SECURITY: &[(u64, &str)] = &[(1, "SSL"), (2, "HYBRID"), (4, "RDSTLS"), (8, "HYBRID_EX")];
    let parts = [
        Part {
            filter: "rdp.rt_cookie",
            pairs: &[
                same("cookie", "rdp.rt_cookie"),
                same("requested", "rdp.negReq.requestedProtocols"),
            ],
            rows: |row| {
                let cookie = row[0].trim_start_matches("Cookie: ").trim_start_matches("mstshash=");
                let flags: u64 =
                    if row[1].is_empty() { 0 } else { number(&row[1]).parse().expect("a number") };
                let known = SECURITY.iter().filter(|(bit, _)| flags & bit != 0);
                let names: Vec<&str> = known.map(|(_, name)| *name).collect();
                vec![vec![cookie.to_owned(), names.join(" ")]]
            },
            having: None,
            at_least: 3,
        },
        Part {
            filter: "rdp.negReq.selectedProtocol",
            pairs: &[pair("security_protocol", "rdp.negReq.selectedProtocol", |cell| {
                name(SECURITY, cell)
            })],
            rows: each_value,
            // Who does not negotiate has the security of RDP itself.
            having: Some(("result", "encrypted")),
            at_least: 2,
        },
    ];
    check(&recorded("rdp.pcap"), "rdp", &parts);
}

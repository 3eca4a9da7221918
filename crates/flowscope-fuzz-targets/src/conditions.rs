//! Conditions on records: what is read prints as itself, an error has a place, and any flow is decided.

use flowscope::core::{DatagramParser as _, FlowSide, L4Proto, Timestamp};
use flowscope::dns::Dns;
use flowscope::extract::FiveTupleKey;
use flowscope::output::{FLOW, HEADER, RecordHeader, TRAILER};
use flowscope::protocols::{self, AppRecord};
use flowscope::record::Protocol;
use flowscope_where::{Expr, Fields, Matcher};

/// Text, a zero byte, and a message of DNS.
pub(crate) fn run(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let text = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let message = parts.next().unwrap_or_default();
    let around = [HEADER, TRAILER];
    let schemas = protocols::all().iter().map(|protocol| protocol.schema);
    let said = schemas.fold(Fields::new(&around), Fields::schema);
    let fields = Fields::new(&around).schema(&FLOW).or(said);
    let expr = match Expr::parse(&text, &fields) {
        Ok(expr) => expr,
        Err(error) => {
            assert!(error.at().start <= error.at().end && error.at().end <= text.len(), "{error}");
            assert!(error.explanation().len() >= 2);
            return;
        }
    };
    let printed = expr.to_string();
    if printed.len() <= flowscope_where::MAX_LEN {
        let again = Expr::parse(&printed, &fields);
        assert_eq!(again.as_ref(), Ok(&expr), "{text:?} prints as {printed:?}");
    }
    let ends = ("10.0.0.1:40000".parse().ok(), "10.0.0.2:53".parse().ok());
    let (Some(from), Some(to)) = ends else { return };
    let Some((key, orientation)) = FiveTupleKey::new(L4Proto::Udp, from, to) else { return };
    let header = RecordHeader::new(Timestamp::from_secs(1_767_323_045), 1, key, orientation);
    let (expr, negated) = (Matcher::new(&expr, &around), Expr::Not(Box::new(expr)));
    let negated = Matcher::new(&negated, &around);
    let mut parser = <Dns as Protocol>::Datagram::default();
    for record in parser.parse(message, FlowSide::Initiator) {
        let record = AppRecord::Dns(Box::new(record));
        let header = header.clone().began(&record);
        assert_ne!(expr.matches(&header, &record), negated.matches(&header, &record), "{printed}");
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let query = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x04host\x07example\0\0\x01\0\x01";
    let texts = [
        "app_proto == tls && sni ends \"example.com\" && bytes > 1M",
        "query ends .EXAMPLE || !(exists rcode) and dns.id in {7, 8}",
        "ip in 10.0.0.0/8 && port == 53 && proto != tcp",
        "not (latency > 10ms or timestamp < 2026-01-02T03:04:05.5Z)",
        "qtype_name in {A, AAAA, \"\\u{e9}\\\"\"}",
        "tcp port 443 and host 10.0.0.1",
        "tcp.port == 443 || ip.addr == 1.2.3.4",
        "((!!!(syn)))",
        "vlan == 7 && status >= 400 && duration < 0.5",
    ];
    texts.iter().map(|text| [text.as_bytes(), &[0], &query[..]].concat()).collect()
}

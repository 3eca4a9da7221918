//! Keys, lengths and Community IDs of real captures, compared with those of tshark.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

mod support;

use std::collections::HashMap;
use std::process::ExitCode;

use flowscope_core::{Extracted, FlowExtractor, L4Proto, Refusal};
use flowscope_extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope_testkit::{needs, runner, tests};

fn main() -> ExitCode {
    runner::run([runner::group(needs::corpus, tests![keys_and_community_ids_agree_with_tshark])])
}

/// Packets of which the truth has one reading: no fragments, no headers that are broken on purpose,
/// none quoted in sFlow samples, no tunnels that stay closed by design.
fn is_clear(name: &str, row: &HashMap<String, String>) -> bool {
    const CLOSED: [&str; 6] = ["sflow", "nsh", "teredo", "l2tp", "udp:mpls", "ipcomp"];
    !row["inner_proto"].is_empty()
        && row["fragment"].is_empty()
        && row["malformed"].is_empty()
        && !name.starts_with("bad-")
        && !name.starts_with("gre-wccp")
        && !CLOSED.iter().any(|&p| row["protocols"].contains(p))
}

fn keys_and_community_ids_agree_with_tshark() {
    let corpus = needs::corpus_folder();
    let extractor = AutoDetectEncap(FiveTuple::bidirectional());
    let (mut compared, mut named, mut wrong) = (0, 0, Vec::new());
    for (name, records) in support::captures(&corpus) {
        for (row, record) in support::truth(&corpus, &name).iter().zip(&records) {
            if !is_clear(&name, row) {
                continue;
            }
            compared += 1;
            named += usize::from(!row["community_id"].is_empty());
            let said = extractor.extract(record.view());
            let difference = match &said {
                None => match extractor.explain(record.view()) {
                    Refusal::LinkUnsupported => None,
                    refusal => Some(format!("refused: {refusal:?}")),
                },
                Some(found) => difference(found, row),
            };
            if let Some(difference) = difference {
                wrong.push(format!("{name} {}: {difference}", row["frame"]));
            }
        }
    }
    assert!(compared > 10_000 && named > 10_000, "the corpus has many packets");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn difference(found: &Extracted<FiveTupleKey>, row: &HashMap<String, String>) -> Option<String> {
    let (src, dst) = found.key.endpoints(found.orientation);
    let port = |port: Option<u16>| port.map(|port| port.to_string()).unwrap_or_default();
    let proto = match (found.l4, found.ip.version) {
        (Some(L4Proto::Other(number)), 4) => format!("v4proto{number}"),
        // The truth knows the first extension header only.
        (Some(L4Proto::Other(_)), _) => row["inner_proto"].clone(),
        (Some(proto), _) => proto.to_string(),
        (None, _) => String::new(),
    };
    // Nor does it know the number that ends the walk, which the ID is made of. Inside of a tunnel it
    // takes the tunnel's number where there are no ports.
    let number_known = !row["inner_proto"].starts_with("v6nxt")
        && (row["ip_depth"] == "1" || !row["inner_proto"].starts_with("v4proto"));
    let id = if number_known {
        found.key.community_id(0).to_string()
    } else {
        row["community_id"].clone()
    };
    let checks = [
        ("proto", proto, &row["inner_proto"]),
        ("source", src.addr.to_string(), &row["inner_src"]),
        ("destination", dst.addr.to_string(), &row["inner_dst"]),
        ("source port", port(src.port), &row["inner_sport"]),
        ("destination port", port(dst.port), &row["inner_dport"]),
        ("Community ID", id, &row["community_id"]),
        ("payload", found.payload.wire_len.to_string(), &row["payload_len"]),
        ("sequence", found.tcp.map_or(String::new(), |tcp| tcp.seq.to_string()), &row["tcp_seq"]),
        ("flow label", format!("{:#x}", found.ip.flow_label), &row["flow_label"]),
    ];
    checks
        .into_iter()
        .find(|(_, ours, theirs)| !theirs.is_empty() && ours != *theirs)
        .map(|(what, ours, theirs)| format!("{what}: {ours} instead of {theirs}"))
}

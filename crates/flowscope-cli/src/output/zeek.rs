//! Flow records as Zeek's `conn.log`.

use std::fmt::{self, Display};
use std::io::Write;

use flowscope::core::{L4Proto, Timestamp};

use super::record::FlowRecord;
use crate::text::{Short, rfc3339};

/// Names and types of the columns that every log begins with.
pub(super) const COMMON: [(&str, &str); 6] = [
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
];

/// Names and types of the others of `conn.log`: those of Zeek 7.1, and the ones that its scripts
/// `community-id-logging` and `vlan-logging` add.
const COLUMNS: [(&str, &str); 19] = [
    ("proto", "enum"),
    ("service", "string"),
    ("duration", "interval"),
    ("orig_bytes", "count"),
    ("resp_bytes", "count"),
    ("conn_state", "string"),
    ("local_orig", "bool"),
    ("local_resp", "bool"),
    ("missed_bytes", "count"),
    ("history", "string"),
    ("orig_pkts", "count"),
    ("orig_ip_bytes", "count"),
    ("resp_pkts", "count"),
    ("resp_ip_bytes", "count"),
    ("tunnel_parents", "set[string]"),
    ("ip_proto", "count"),
    ("community_id", "string"),
    ("vlan", "int"),
    ("inner_vlan", "int"),
];

/// Appends the header. Its time is the capture's, so that the same input gives the same output.
pub(super) fn begin(start: Timestamp, out: &mut Vec<u8>) {
    header("conn", start, &COLUMNS, out);
}

/// Appends the header of a log with these columns behind the common ones.
pub(super) fn header(
    path: &str,
    start: Timestamp,
    columns: &[(&'static str, &'static str)],
    out: &mut Vec<u8>,
) {
    let columns = COMMON.iter().chain(columns);
    let head = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n";
    out.extend(head.as_bytes());
    line(out, format_args!("#path\t{path}"));
    line(out, format_args!("#open\t{}", Stamp(start)));
    out.extend(b"#fields");
    for (name, _) in columns.clone() {
        out.push(b'\t');
        out.extend(name.as_bytes());
    }
    out.extend(b"\n#types");
    for (_, kind) in columns {
        out.push(b'\t');
        out.extend(kind.as_bytes());
    }
    out.push(b'\n');
}

/// Appends a record.
pub(super) fn write(record: &FlowRecord, out: &mut Vec<u8>) {
    let (orig, resp) = record.ends();
    // As in Zeek, an ICMP flow has the type for one port and the code for the other.
    let ports =
        record.icmp.map_or((orig.port.unwrap_or(0), resp.port.unwrap_or(0)), |(kind, code)| {
            (kind.into(), code.into())
        });
    let (sent, back) = (record.initiator(), record.responder());
    let mut vlans = record.vlans();
    line(
        out,
        format_args!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t-\t-\t{}\t{}\t{}\t{}\t{}\t{}\t-\t{}\t{}\t{}\t{}",
            Seconds(record.start.as_nanos()),
            uid(record.id).as_str(),
            orig.addr,
            ports.0,
            resp.addr,
            ports.1,
            proto(record.proto()),
            OrUnset(record.app_proto.map(service)),
            Seconds(record.end.as_nanos().saturating_sub(record.start.as_nanos())),
            sent.counters.payload_bytes,
            back.counters.payload_bytes,
            record.conn_state.as_str(),
            sent.gap_bytes + back.gap_bytes,
            if record.history.as_str().is_empty() { "-" } else { record.history.as_str() },
            sent.counters.packets,
            sent.counters.ip_bytes,
            back.counters.packets,
            back.counters.ip_bytes,
            record.proto().number(),
            record.key.community_id(0),
            OrUnset(vlans.next()),
            OrUnset(vlans.next()),
        ),
    );
}

/// Appends the last line.
pub(super) fn end(end: Timestamp, out: &mut Vec<u8>) {
    line(out, format_args!("#close\t{}", Stamp(end)));
}

fn line(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a vector takes all");
}

pub(super) fn proto(proto: L4Proto) -> &'static str {
    match proto {
        L4Proto::Tcp => "tcp",
        L4Proto::Udp => "udp",
        L4Proto::Icmp | L4Proto::Icmpv6 => "icmp",
        _ => "unknown_transport",
    }
}

/// What Zeek calls a protocol.
fn service(protocol: &'static str) -> &'static str {
    match protocol {
        "tls" => "ssl",
        other => other,
    }
}

/// A name like Zeek's, the same on every run: `C` and the flow's id, mixed, in base 62. Different
/// ids have different names, since mixing is a bijection and eleven digits hold 64 bits.
pub(super) fn uid(id: u64) -> Short<12> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    // The finaliser of SplitMix64.
    let mut mixed = id.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    let mut text = [b'C'; 12];
    for digit in text[1..].iter_mut().rev() {
        *digit = DIGITS[(mixed % 62) as usize];
        mixed /= 62;
    }
    Short::of(str::from_utf8(&text).unwrap_or_default())
}

/// Nanoseconds as seconds with six decimals.
pub(super) struct Seconds(pub(super) u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000_000, self.0 / 1000 % 1_000_000)
    }
}

/// A time as in `#open`: `2026-01-02-03-04-05`.
pub(super) struct Stamp(pub(super) Timestamp);

impl Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = rfc3339(self.0);
        let (seconds, _) = text.as_str().split_once('.').unwrap_or_default();
        f.write_str(&seconds.replace(['T', ':'], "-"))
    }
}

pub(super) struct OrUnset<T>(pub(super) Option<T>);

impl<T: Display> Display for OrUnset<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_and_differ() {
        assert_eq!(uid(1).as_str(), uid(1).as_str());
        let mut names: Vec<_> = (0..1000).map(|id| uid(id).as_str().to_owned()).collect();
        assert!(names.iter().all(|name| name.len() == 12 && name.starts_with('C')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 1000);
    }
}

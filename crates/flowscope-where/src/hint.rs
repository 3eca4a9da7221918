//! What may have been meant.

use flowscope_record::Kind;

use crate::Fields;

/// What a name that is no field may stand for.
pub(crate) fn field(name: &str, fields: &Fields) -> Option<String> {
    if name.len() > LONGEST {
        return None;
    }
    let is_known = |name: &&str| !fields.kinds(name).is_empty();
    let known = wireshark(name).filter(is_known).map(str::to_owned);
    if let Some(known) = known.or_else(|| fields.of_format(name)) {
        return Some(format!("`{name}` is `{known}` here"));
    }
    let nearest = nearest(name, &fields.names(name.contains('.')));
    let (last, others) = nearest.split_last()?;
    Some(match others {
        [] => format!("did you mean `{last}`?"),
        others => format!("did you mean `{}` or `{last}`?", others.join("`, `")),
    })
}

/// The same comparison with Wireshark's name replaced; `rest` is what stands behind the name.
pub(crate) fn comparison(name: &str, rest: &str, fields: &Fields) -> Option<String> {
    let known = wireshark(name)?;
    match fields.kinds(known).as_slice() {
        [] => None,
        [Kind::Bool] => Some(format!("in this language it is `{known}`")),
        _ => Some(format!("in this language it is `{known}{rest}`")),
    }
}

/// Names longer than this are like no other.
const LONGEST: usize = 40;

/// As many names are suggested.
const MOST: usize = 3;

/// The names that differ from this one by a few letters, or have it in them.
fn nearest(name: &str, names: &[String]) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    let most = (name.chars().count() / 3).clamp(1, 3);
    let mut found: Vec<(usize, &String)> = names
        .iter()
        .filter_map(|other| {
            let distance = distance(&name, other);
            let has_it = name.len() >= 3 && other.contains(&name);
            if distance <= most { Some((distance, other)) } else { has_it.then_some((4, other)) }
        })
        .collect();
    found.sort();
    found.into_iter().take(MOST).map(|(_, other)| other.clone()).collect()
}

/// How many letters have to be inserted, removed, replaced, or swapped with the next one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(from != to);
            let mut least = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *from == b[j - 1] && a[i - 1] == *to {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// The field that has what Wireshark calls so.
fn wireshark(name: &str) -> Option<&'static str> {
    const NAMES: &[(&str, &str)] = &[
        ("dns.flags.rcode", "rcode_number"),
        ("dns.id", "dns.id"),
        ("dns.qry.name", "query"),
        ("dns.qry.type", "qtype"),
        ("dns.time", "latency"),
        ("frame.len", "bytes"),
        ("frame.time", "timestamp"),
        ("http.content_type", "content_type"),
        ("http.host", "hostname"),
        ("http.request.method", "method"),
        ("http.request.uri", "url"),
        ("http.response.code", "status"),
        ("http.time", "latency"),
        ("http.user_agent", "user_agent"),
        ("icmp.code", "icmp_code"),
        ("icmp.type", "icmp_type"),
        ("ip.addr", "ip"),
        ("ip.dst", "dest_ip"),
        ("ip.proto", "ip_proto"),
        ("ip.src", "src_ip"),
        ("ip.version", "ip_v"),
        ("ipv6.addr", "ip"),
        ("ipv6.dst", "dest_ip"),
        ("ipv6.nxt", "ip_proto"),
        ("ipv6.src", "src_ip"),
        ("tcp.dstport", "dest_port"),
        ("tcp.flags.fin", "fin"),
        ("tcp.flags.reset", "rst"),
        ("tcp.flags.syn", "syn"),
        ("tcp.port", "port"),
        ("tcp.srcport", "src_port"),
        ("tcp.stream", "flow_id"),
        ("tls.handshake.extensions_server_name", "sni"),
        ("tls.handshake.ja3", "ja3"),
        ("tls.handshake.ja4", "ja4"),
        ("tls.handshake.version", "version"),
        ("udp.dstport", "dest_port"),
        ("udp.port", "port"),
        ("udp.srcport", "src_port"),
        ("udp.stream", "flow_id"),
        ("vlan.id", "vlan"),
    ];
    NAMES.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| *ours)
}

/// What an expression of tcpdump is in this language, if the words begin like one.
pub(crate) fn tcpdump(words: &[&str]) -> Option<String> {
    let mut parts = Vec::new();
    let mut words = words.iter().copied().peekable();
    let protocol = match *words.peek()? {
        "tcp" => "proto == tcp",
        "udp" => "proto == udp",
        "sctp" => "proto == sctp",
        "icmp" => "proto == icmp",
        "icmp6" => "proto == ipv6-icmp",
        "ip" => "ip_v == 4",
        "ip6" => "ip_v == 6",
        _ => "",
    };
    if !protocol.is_empty() {
        words.next();
        parts.push(protocol.to_owned());
    }
    let side = match words.peek() {
        Some(&"src") => "src_",
        Some(&"dst") => "dest_",
        _ => "",
    };
    if !side.is_empty() {
        words.next();
    }
    let primitive = words.next();
    let value = words.next();
    match (primitive, value) {
        (Some("host"), Some(value)) => parts.push(format!("{side}ip == {value}")),
        (Some("net"), Some(value)) => parts.push(format!("{side}ip in {value}")),
        (Some("port"), Some(value)) => parts.push(format!("{side}port == {value}")),
        (Some("portrange"), Some(value)) => {
            let (first, last) = value.split_once('-')?;
            parts.push(format!("{side}port >= {first} && {side}port <= {last}"));
        }
        (Some(value), None) if !side.is_empty() => parts.push(format!("{side}ip == {value}")),
        (None, None) if side.is_empty() => {}
        _ => return None,
    }
    let length: usize = parts.iter().map(String::len).sum();
    (!parts.is_empty() && length <= 3 * LONGEST)
        .then(|| format!("in this language it is `{}`", parts.join(" && ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("sni", "snii"), 1);
        assert_eq!(distance("hsot", "host"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn names_that_have_it_in_them_are_near_from_three_letters_on() {
        let names = ["tls_server_name".to_owned(), "dns_rrname".to_owned()];
        assert_eq!(nearest("RRN", &names), ["dns_rrname"]);
        assert!(nearest("rr", &names).is_empty());
    }

    #[test]
    fn expressions_of_tcpdump_are_translated() {
        let check = |text: &str, expected: Option<&str>| {
            let words: Vec<_> = text.split(' ').collect();
            let expected = expected.map(|text| format!("in this language it is `{text}`"));
            assert_eq!(tcpdump(&words), expected, "{text}");
        };
        check("host 1.2.3.4", Some("ip == 1.2.3.4"));
        check("port 53", Some("port == 53"));
        check("src host ::1", Some("src_ip == ::1"));
        check("dst 10.0.0.1", Some("dest_ip == 10.0.0.1"));
        check("tcp dst port 443", Some("proto == tcp && dest_port == 443"));
        check("net 10.0.0.0/8", Some("ip in 10.0.0.0/8"));
        check("udp portrange 1-1023", Some("proto == udp && port >= 1 && port <= 1023"));
        check("icmp6", Some("proto == ipv6-icmp"));
        check("icmp", Some("proto == icmp"));
        check("ip", Some("ip_v == 4"));
        check("ip6", Some("ip_v == 6"));
        check("host", None);
        check("vlan", None);
        check("portrange 7", None);
    }
}

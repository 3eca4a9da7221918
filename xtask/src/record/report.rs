//! `tests/data/README.md`: where every capture came from.

use std::fmt::Write;

use super::check::Summary;

/// What stands before the first capture.
const HEAD: &str = "\
# Recorded captures

`cargo xtask record` makes these files and this page: real servers and clients of Debian 12 talk between
two network namespaces that the command creates and removes, and tcpdump listens at the client's end.
`cargo xtask record NAME` makes one anew. Ports, times and lengths of a session differ from one
recording to the next, so no test may depend on them.

The client is 10.77.0.1 (02:00:00:00:00:01), the server 10.77.0.2 (02:00:00:00:00:02). Offloads are off
at both ends: no frame is longer than the link allows, and every checksum is right. IPv4 neighbours are
fixed, hence no ARP outside of a tunnel. tshark has checked every file for what it is said to hold.

**Licence.** All are recordings of our own, of traffic made for the purpose; nobody else's traffic,
keys or names are in them. They are licensed like the rest of the project.

Below each description stand the commands: the prompt says at which end one ran, `!` that it is meant to
fail, a closing `&` that it ran beside the next ones. What nginx serves is in `xtask/src/record/http.rs`, other
files that commands name are in the recipes beside it.
";

/// Marks the heading of a capture.
const HEADING: &str = "\n### ";

/// The page with `section` as the one about `name`, ordered as in `order`.
///
/// Sections of files that are in no recipe stay, after the others.
pub(crate) fn updated(page: &str, order: &[&str], name: &str, section: &str) -> String {
    let mut all: Vec<(&str, &str)> = sections(page).filter(|old| old.0 != name).collect();
    all.push((name, section));
    all.sort_by_key(|(name, _)| {
        order.iter().position(|known| known == name).unwrap_or(order.len())
    });
    let mut page = HEAD.to_owned();
    for (name, body) in all {
        // Writing to a String cannot fail.
        let _ = write!(page, "{HEADING}{name}\n\n{body}\n");
    }
    page
}

/// Names of the files that have a section.
pub(crate) fn names(page: &str) -> impl Iterator<Item = &str> {
    sections(page).map(|section| section.0)
}

/// The body of the section about one recording.
pub(crate) fn section(
    holds: &str,
    stamps: &str,
    bytes: usize,
    summary: &Summary,
    log: &[String],
) -> String {
    let conversations = |count, kind| match count {
        0 => String::new(),
        1 => format!(", 1 {kind} conversation"),
        _ => format!(", {count} {kind} conversations"),
    };
    let found: Vec<String> =
        summary.found.iter().map(|(filter, count)| format!("`{filter}` × {count}")).collect();
    let protocols: Vec<&str> = summary.protocols.iter().map(String::as_str).collect();
    format!(
        "{holds}\n\n\
         - {} packets{}{}; {bytes} bytes; {stamps}second stamps\n\
         - protocols: {}\n\
         - packets by display filter: {}\n\n\
         ```text\n{}\n```",
        summary.packets,
        conversations(summary.tcp, "TCP"),
        conversations(summary.udp, "UDP"),
        protocols.join(", "),
        found.join(", "),
        log.join("\n"),
    )
}

fn sections(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.split(HEADING)
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
        .map(|(name, body)| (name.trim(), body.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &str, made: (&str, &str), expected: &[(&str, &str)]) {
        let page = updated(page, &["a.pcap", "b.pcap"], made.0, made.1);
        assert_eq!(sections(&page).collect::<Vec<_>>(), expected);
        assert!(page.starts_with(HEAD));
    }

    #[test]
    fn sections_are_replaced_and_ordered() {
        check("", ("b.pcap", "B"), &[("b.pcap", "B")]);
        let page = "old head\n\n### b.pcap\n\nB\n\n### a.pcap\n\nA\n- list\n";
        check(page, ("b.pcap", "new"), &[("a.pcap", "A\n- list"), ("b.pcap", "new")]);
        check(page, ("a.pcap", "new"), &[("a.pcap", "new"), ("b.pcap", "B")]);
    }

    #[test]
    fn sections_written_by_hand_stay() {
        let page = "head\n\n### by-hand.pcap\n\nH\n\n### b.pcap\n\nB\n";
        check(page, ("a.pcap", "A"), &[("a.pcap", "A"), ("b.pcap", "B"), ("by-hand.pcap", "H")]);
    }
}

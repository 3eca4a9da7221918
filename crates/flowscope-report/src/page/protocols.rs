//! Protocols within protocols, as bars within bars.

use super::html::Html;
use crate::report::UNKNOWN;
use crate::{Report, ReportTotals};

/// Applications of each transport that have a row; the rest have one together.
const APPLICATIONS: usize = 12;

/// Bytes, packets and flows.
#[derive(Clone, Copy, Default)]
struct Sums([u64; 3]);

impl Sums {
    fn add(&mut self, other: Sums) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

pub(super) fn section(report: &Report, _: &ReportTotals, html: &mut Html) {
    let all = report.protocols.top(usize::MAX);
    let sums = |bytes: u64, [packets, flows]: &[u64; 2]| Sums([bytes, *packets, *flows]);
    let whole = sum(all.iter().map(|(_, bytes, rest)| sums(*bytes, rest)));
    html.raw("<p>A bar lies within that of the protocol that carries it. Bytes are those of whole frames.</p>\n");
    html.raw("<table class=tree><thead><tr><th scope=col>Protocol<th scope=col class=wide>Share of bytes");
    html.raw("<th scope=col class=n>Bytes<th scope=col class=n>Share<th scope=col class=n>Packets<th scope=col class=n>Flows");
    html.raw("</tr></thead><tbody>");
    let mut at_version = 0;
    for version in in_order(all.iter().map(|((version, ..), bytes, _)| (*version, *bytes))) {
        let of_version = || all.iter().filter(move |((of, ..), ..)| *of == version);
        let of_all = sum(of_version().map(|(_, bytes, rest)| sums(*bytes, rest)));
        row("l0", Name::Ip(version), at_version, of_all, whole, html);
        let mut at_transport = at_version;
        let transports = of_version().map(|((_, transport, _), bytes, _)| (*transport, *bytes));
        for transport in in_order(transports) {
            let of_transport: Vec<_> =
                of_version().filter(|((_, of, _), ..)| *of == transport).collect();
            let of_all = sum(of_transport.iter().map(|(_, bytes, rest)| sums(*bytes, rest)));
            row("l1", Name::Transport(transport.to_string()), at_transport, of_all, whole, html);
            let mut at = at_transport;
            let is_known =
                of_transport.iter().any(|((.., application), ..)| *application != UNKNOWN);
            let of_transport = if is_known { of_transport } else { Vec::new() };
            let (shown, rest) = of_transport.split_at(of_transport.len().min(APPLICATIONS));
            for ((.., application), bytes, counts) in shown {
                row("l2", Name::Application(application), at, sums(*bytes, counts), whole, html);
                at += bytes;
            }
            if !rest.is_empty() {
                let others = sum(rest.iter().map(|(_, bytes, counts)| sums(*bytes, counts)));
                row("l2", Name::Application("others"), at, others, whole, html);
            }
            at_transport += of_all.0[0];
        }
        at_version += of_all.0[0];
    }
    html.raw("</tbody></table>\n");
}

enum Name {
    Ip(u8),
    Transport(String),
    Application(&'static str),
}

fn row(level: &'static str, name: Name, at: u64, sums: Sums, whole: Sums, html: &mut Html) {
    let Sums([bytes, packets, flows]) = sums;
    html.raw("<tr class=").raw(level).raw("><th scope=row>");
    match name {
        Name::Ip(version) => html.raw("IPv").text(version),
        Name::Transport(name) => html.text(name.to_uppercase()),
        Name::Application(name) => html.text(name),
    };
    html.raw("</th><td class=wide>").bar(at, bytes, whole.0[0], level).raw("</td>");
    html.size_cell(bytes).raw("<td class=n>").share(bytes, whole.0[0]).raw("</td>");
    html.number_cell(packets).number_cell(flows).raw("</tr>");
}

fn sum(all: impl Iterator<Item = Sums>) -> Sums {
    all.fold(Sums::default(), |mut sum, one| {
        sum.add(one);
        sum
    })
}

/// Each key once, those with the most bytes first.
fn in_order<K: Copy + Ord>(all: impl Iterator<Item = (K, u64)>) -> Vec<K> {
    let mut sums = std::collections::BTreeMap::new();
    for (key, bytes) in all {
        *sums.entry(key).or_insert(0_u64) += bytes;
    }
    let mut keys: Vec<_> = sums.into_iter().collect();
    keys.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    keys.into_iter().map(|(key, _)| key).collect()
}

//! Who sent how much to whom.

use std::collections::HashMap;
use std::net::IpAddr;

use super::html::Html;
use crate::{Report, ReportTotals};

/// Rows and columns.
const HOSTS: usize = 24;

pub(super) fn section(report: &Report, _: &ReportTotals, html: &mut Html) {
    let hosts: Vec<IpAddr> =
        report.talkers.top(HOSTS).into_iter().map(|(addr, ..)| *addr).collect();
    let place: HashMap<IpAddr, usize> =
        hosts.iter().enumerate().map(|(at, addr)| (*addr, at)).collect();
    let mut cells = vec![0_u64; hosts.len() * hosts.len()];
    let mut elsewhere = 0;
    for ((a, b), bytes, [of_a, of_b]) in report.pairs.top(usize::MAX) {
        match (place.get(a), place.get(b)) {
            (Some(a), Some(b)) => {
                cells[a * hosts.len() + b] += of_a;
                cells[b * hosts.len() + a] += of_b;
            }
            _ => elsewhere += bytes,
        }
    }
    if hosts.is_empty() {
        html.raw("<p>There are no flows.</p>\n");
        return;
    }
    html.raw("<p>Bytes that the host of a row sent to the host of a column, for the ");
    html.number(hosts.len() as u64).raw(" addresses with the most bytes.");
    if elsewhere > 0 {
        html.raw(" Further ").size(elsewhere).raw(" have another address at one end, or at both.");
    }
    html.raw("</p>\n");
    html.raw("<div class=scroll tabindex=0 role=region aria-label=\"Conversations as a matrix\"><table class=matrix>");
    html.raw("<thead><tr><th scope=col>From \\ to</th>");
    for (at, addr) in hosts.iter().enumerate() {
        html.raw("<th scope=col><abbr title=\"")
            .text(addr)
            .raw("\">")
            .number(at as u64 + 1)
            .raw("</abbr></th>");
    }
    html.raw("</tr></thead><tbody>");
    let most = cells.iter().copied().max().unwrap_or_default();
    for (row, addr) in hosts.iter().enumerate() {
        html.raw("<tr><th scope=row><span class=place>")
            .number(row as u64 + 1)
            .raw("</span> ")
            .text(addr)
            .raw("</th>");
        for column in 0..hosts.len() {
            let bytes = cells[row * hosts.len() + column];
            html.raw("<td class=").raw(depth(bytes, most)).raw(">");
            if bytes > 0 {
                html.size(bytes);
            }
            html.raw("</td>");
        }
        html.raw("</tr>");
    }
    html.raw("</tbody></table></div>\n");
}

/// How dark a cell is: by the logarithm, over five powers of ten.
fn depth(bytes: u64, most: u64) -> &'static str {
    const CLASSES: [&str; 6] = ["q1", "q2", "q3", "q4", "q5", "q6"];
    if bytes == 0 {
        return "q0";
    }
    let below = (most as f64 / bytes as f64).log10();
    CLASSES[5 - (below.min(5.0) as usize)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_darker_the_more_was_sent() {
        let classes = [0, 1, 100, 9_999, 100_000].map(|bytes| depth(bytes, 100_000));
        assert_eq!(classes, ["q0", "q1", "q3", "q5", "q6"]);
        assert_eq!(depth(1, u64::MAX), "q1");
    }
}

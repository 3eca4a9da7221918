//! Round-trip times, retransmissions, resets and handshakes of TCP.

use std::time::Duration;

use flowscope_record::span;
use flowscope_track::ConnState;

use super::html::Html;
use crate::health::{Health, RttHistogram};
use crate::{Report, ReportTotals};

/// Rows of the tables of hosts.
const ROWS: usize = 8;

pub(super) fn section(report: &Report, _: &ReportTotals, html: &mut Html) {
    let health = &report.health;
    if health.connections == 0 {
        html.raw("<p>There are no TCP connections that have ended.</p>\n");
        return;
    }
    tiles(health, html);
    html.raw("<div class=columns>");
    round_trips(&health.rtt, html);
    html.raw("<div>");
    states("Resets, by cause", &RESETS, health, html);
    states("Handshakes that were not completed", &INCOMPLETE, health, html);
    states("All others", &OTHERS, health, html);
    html.raw("</div></div>\n<div class=columns>");
    resenders(health, html);
    servers(health, html);
    html.raw("</div>\n");
}

fn tiles(health: &Health, html: &mut Html) {
    html.raw("<dl class=tiles>");
    let mut tile = |name: &'static str, n: u64, whole: Option<u64>| {
        html.raw("<div><dt>").raw(name).raw("</dt><dd>").number(n);
        if let Some(whole) = whole {
            html.raw(" <small>").share(n, whole).raw(" of packets</small>");
        }
        html.raw("</dd></div>");
    };
    tile("Connections", health.connections, None);
    tile("Retransmissions", health.retransmits, Some(health.packets));
    tile("Out of order", health.out_of_order, Some(health.packets));
    tile("Duplicate ACKs", health.duplicate_acks, Some(health.packets));
    tile("Zero windows", health.zero_windows, None);
    tile("Bytes never captured", health.gap_bytes, None);
    html.raw("</dl>\n");
}

/// States in which a reset ended the connection.
const RESETS: [(ConnState, &str); 5] = [
    (ConnState::Rej, "a reset answered the SYN"),
    (ConnState::Rsto, "reset by the initiator, established"),
    (ConnState::Rstr, "reset by the responder, established"),
    (ConnState::Rstos0, "SYN, then a reset of the initiator"),
    (ConnState::Rstrh, "reset by the responder, nothing of the initiator seen"),
];

/// States without a whole handshake.
const INCOMPLETE: [(ConnState, &str); 3] = [
    (ConnState::S0, "SYN without an answer"),
    (ConnState::Sh, "SYN, then a FIN of the initiator, no answer seen"),
    (ConnState::Shr, "answer and FIN of the responder, no SYN seen"),
];

/// The others.
const OTHERS: [(ConnState, &str); 5] = [
    (ConnState::Sf, "closed by both sides"),
    (ConnState::S1, "established, still open"),
    (ConnState::S2, "closed by the initiator alone"),
    (ConnState::S3, "closed by the responder alone"),
    (ConnState::Oth, "began before the capture, or without a SYN"),
];

fn states(
    title: &'static str,
    states: &[(ConnState, &'static str)],
    health: &Health,
    html: &mut Html,
) {
    html.raw("<table><caption>").raw(title);
    html.raw("</caption><thead><tr><th scope=col>Cause<th scope=col class=n>Connections<th scope=col class=n>Share</tr></thead><tbody>");
    let mut states = states.iter().filter(|(state, _)| health.state(*state) > 0).peekable();
    if states.peek().is_none() {
        html.raw("<tr><td colspan=3 class=none>None.</td></tr>");
    }
    for (state, what) in states {
        let n = health.state(*state);
        html.raw("<tr><th scope=row><code>").raw(state.as_str()).raw("</code> <span class=why>");
        html.raw(what).raw("</span></th>").number_cell(n).raw("<td class=n>");
        html.share(n, health.connections).raw("</td></tr>");
    }
    html.raw("</tbody></table>\n");
}

/// A histogram, and the same as a table for those who do not see it.
fn round_trips(rtt: &RttHistogram, html: &mut Html) {
    html.raw("<figure><figcaption>Time from SYN to SYN+ACK, as seen where the packets were captured</figcaption>");
    if rtt.count == 0 {
        html.raw("<p>No handshake was seen whole.</p></figure>\n");
        return;
    }
    let first = rtt.classes.iter().position(|n| *n > 0).unwrap_or_default();
    let last = rtt.classes.iter().rposition(|n| *n > 0).unwrap_or_default();
    let most = rtt.classes.iter().copied().max().unwrap_or_default();
    html.raw("<p class=quantiles>Half of ")
        .number(rtt.count)
        .raw(" handshakes took at most <strong>");
    html.text(span(rtt.at_most(50))).raw("</strong>, 90&nbsp;% at most <strong>");
    html.text(span(rtt.at_most(90))).raw("</strong>, 99&nbsp;% at most <strong>");
    html.text(span(rtt.at_most(99))).raw("</strong>, the longest <strong>");
    html.text(span(rtt.longest)).raw("</strong>.</p>");
    html.raw("<table class=histogram><thead><tr><th scope=col class=n>At most<th scope=col class=wide>Share<th scope=col class=n>Handshakes</tr></thead><tbody>");
    for class in first..=last {
        let n = rtt.classes[class];
        html.raw("<tr><th scope=row class=n>");
        match RttHistogram::BOUNDS.get(class) {
            Some(micros) => html.text(bound(*micros)),
            None => html.raw("more"),
        };
        html.raw("</th><td class=wide>");
        if n > 0 {
            html.bar(0, n, most, "s1");
        }
        html.raw("</td>").number_cell(n).raw("</tr>");
    }
    html.raw("</tbody></table></figure>\n");
}

/// A bound of a class: `200us`, `5ms`, `2s`.
fn bound(micros: u64) -> String {
    match micros {
        1_000_000.. => format!("{}s", micros / 1_000_000),
        _ => span(Duration::from_micros(micros)),
    }
}

fn resenders(health: &Health, html: &mut Html) {
    let mut top = health.resenders.top(ROWS);
    top.retain(|(_, n, _)| *n > 0);
    html.raw("<table class=ranked><caption>Who sent segments again</caption><thead><tr><th scope=col>Address");
    html.raw("<th scope=col class=n>Again<th scope=col class=n>Of packets</tr></thead><tbody>");
    let most = top.first().map_or(0, |(_, n, _)| *n);
    for (addr, n, packets) in &top {
        html.raw("<tr><th scope=row>").text(addr).bar(0, *n, most, "s4").raw("</th>");
        html.number_cell(*n).raw("<td class=n>").share(*n, **packets).raw("</td></tr>");
    }
    if top.is_empty() {
        html.raw("<tr><td colspan=3 class=none>No host.</td></tr>");
    }
    html.raw("</tbody></table>\n");
}

fn servers(health: &Health, html: &mut Html) {
    let mut servers = health.servers.top(usize::MAX);
    servers.sort_by(|(a, _, of_a), (b, _, of_b)| of_b.mean().cmp(&of_a.mean()).then(a.cmp(b)));
    html.raw("<table class=ranked><caption>Servers with the longest mean time to a SYN+ACK</caption><thead><tr>");
    html.raw("<th scope=col>Server<th scope=col class=n>Mean<th scope=col class=n>Longest<th scope=col class=n>Handshakes</tr></thead><tbody>");
    let most = servers.first().map_or(Duration::ZERO, |(.., of)| of.mean()).as_nanos();
    for (server, _, of) in servers.iter().take(ROWS) {
        let (mean, most) = (of.mean().as_nanos() as u64, most as u64);
        html.raw("<tr><th scope=row>").text(server).bar(0, mean, most, "s1").raw("</th>");
        html.span_cell(Some(of.mean()))
            .span_cell(Some(of.longest()))
            .number_cell(of.count().into())
            .raw("</tr>");
    }
    if servers.is_empty() {
        html.raw("<tr><td colspan=4 class=none>None.</td></tr>");
    }
    html.raw("</tbody></table>\n");
}

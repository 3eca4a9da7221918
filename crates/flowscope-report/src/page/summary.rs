//! The capture in a few numbers.

use flowscope_record::span;

use super::html::{BitRate, Html, Size, utc};
use crate::{FlowFailure, Report, ReportTotals};

/// The line below the title.
pub(super) fn lead(totals: &ReportTotals, html: &mut Html) {
    let Some(start) = totals.start else {
        html.raw("<p class=lead>No packets.</p>\n");
        return;
    };
    html.raw("<p class=lead>").number(totals.stats.packets.seen()).raw(" packets, ");
    html.number(totals.flows).raw(" flows, ").size(totals.wire_bytes).raw(" in ");
    html.text(span(totals.end.since(start))).raw(", from <time>").text(utc(start));
    html.raw("</time> UTC</p>\n");
}

pub(super) fn section(report: &Report, totals: &ReportTotals, html: &mut Html) {
    let start = totals.start.unwrap_or(totals.end);
    let lasted = totals.end.since(start);
    let seconds = lasted.as_secs_f64();
    html.raw("<dl class=tiles>");
    let mut tile = |name: &'static str, value: String| {
        html.raw("<div><dt>").raw(name).raw("</dt><dd>").text(value).raw("</dd></div>");
    };
    tile("Duration", span(lasted));
    tile("Packets", grouped(totals.stats.packets.seen()));
    tile("Bytes on the wire", Size(totals.wire_bytes).to_string());
    tile("Flows", grouped(totals.flows));
    tile("Session records", grouped(report.sessions.seen));
    tile("Addresses", at_least(report.talkers.len(), report.talkers.error() > 0));
    if seconds > 0.0 {
        tile("Mean rate", BitRate(totals.wire_bytes as f64 * 8.0 / seconds).to_string());
        let packets = totals.stats.packets.seen() as f64 / seconds;
        tile("Packets per second", grouped(packets as u64));
    }
    html.raw("</dl>\n<dl class=facts><dt>First packet</dt><dd>");
    match totals.start {
        Some(start) => html.text(utc(start)).raw(" UTC"),
        None => html.raw("none"),
    };
    html.raw("</dd><dt>Last packet</dt><dd>").text(utc(totals.end)).raw(" UTC</dd>");
    if !totals.sources.is_empty() {
        html.raw("<dt>Captures</dt><dd>");
        list(&totals.sources, html);
        html.raw("</dd>");
    }
    if !totals.links.is_empty() {
        html.raw("<dt>Link types</dt><dd>");
        list(&totals.links, html);
        html.raw("</dd>");
    }
    html.raw("<dt>Failed flows</dt><dd>");
    let failed = report.flows.failures();
    if failed.values().all(|n| *n == 0) {
        html.raw("none");
    }
    for (at, (failure, n)) in failed.iter().enumerate() {
        html.raw(if at == 0 { "" } else { ", " }).number(*n).raw(" ").raw(failure.as_str());
        html.raw(match failure {
            FlowFailure::Refused => " (a reset in answer to the SYN)",
            FlowFailure::Reset => " (a reset ended the connection)",
            FlowFailure::Unanswered => " (a single host sent nothing back)",
        });
    }
    html.raw("</dd></dl>\n");
}

/// Names of captures and links, the first of them.
fn list(names: &[String], html: &mut Html) {
    const SHOWN: usize = 20;

    for (at, name) in names.iter().take(SHOWN).enumerate() {
        html.raw(if at == 0 { "" } else { ", " }).wire(name);
    }
    if names.len() > SHOWN {
        html.raw(" and ").number((names.len() - SHOWN) as u64).raw(" more");
    }
}

fn at_least(n: usize, more: bool) -> String {
    let n = grouped(n as u64);
    if more { format!("over {n}") } else { n }
}

fn grouped(n: u64) -> String {
    super::html::Grouped(n).to_string()
}

//! The tables of flows and sessions.

use flowscope_core::Timestamp;

use super::html::{Html, is_dated, time_of};
use crate::sample::{FlowRow, FlowSample, SessionSample, lasted};
use crate::session::Session;
use crate::{Report, ReportTotals};

pub(super) fn flows(report: &Report, totals: &ReportTotals, html: &mut Html) {
    let times = Times::of(report, totals);
    let (sample, rows) = (&report.flows, report.flows.rows());
    html.raw("<p>");
    if rows.len() as u64 == sample.seen {
        html.raw("All ").number(sample.seen).raw(" flow records, those with the most bytes first.");
    } else {
        html.number(rows.len() as u64).raw(" of ").number(sample.seen);
        html.raw(" flow records: the ").number(FlowSample::LARGEST as u64);
        html.raw(" with the most bytes, then, of the others, those among the first ");
        html.number(FlowSample::FAILED as u64);
        html.raw(" that were refused, reset or not answered.");
    }
    html.raw(" <b>Sent</b> is what the initiator sent, <b>again</b> are segments that were sent again; <code>flowscope follow</code> and <code>ladder</code> ");
    html.raw("take the number of a flow.</p>\n");
    html.raw("<div class=tools data-for=flow-table hidden></div>\n");
    html.raw("<div class=scroll tabindex=0 role=region aria-label=\"Flow table\"><table id=flow-table class=records><thead><tr>");
    html.raw("<th scope=col>Start<th scope=col class=n>Lasted<th scope=col>Protocol<th scope=col>Initiator<th scope=col>Responder");
    html.raw("<th scope=col class=n>Packets<th scope=col class=n>Sent<th scope=col class=n>Received<th scope=col class=n>Again<th scope=col>State<th scope=col>History<th scope=col class=n>Flow</tr></thead><tbody>\n");
    rows.into_iter().for_each(|row| flow(row, &times, html));
    html.raw("</tbody></table></div>\n");
}

fn flow(row: &FlowRow, times: &Times, html: &mut Html) {
    range(row.start, row.end, times, row.failure.is_some(), html);
    times.cell(row.start, html);
    html.span_cell(Some(lasted(row))).raw("<td>").text(row.proto);
    if let Some(app) = row.app {
        html.raw("/").text(app);
    }
    html.raw("</td><td>").text(row.from).raw("</td><td>").text(row.to).raw("</td>");
    html.number_cell(row.packets.iter().sum());
    html.size_cell(row.bytes[0]).size_cell(row.bytes[1]).number_cell(row.retransmits);
    html.raw("<td>");
    match row.failure {
        Some(failure) => html.raw(failure.as_str()),
        None => html.raw(row.state),
    };
    html.raw("</td><td><code>").text(&row.history).raw("</code></td>").id_cell(row.flow_id);
    html.raw("</tr>\n");
}

pub(super) fn sessions(report: &Report, totals: &ReportTotals, html: &mut Html) {
    let times = Times::of(report, totals);
    let (sample, rows) = (&report.sessions, report.sessions.rows());
    html.raw("<p>");
    if rows.len() as u64 == sample.seen {
        html.raw("All ")
            .number(sample.seen)
            .raw(" session records, in the order in which they were complete.");
    } else {
        html.number(rows.len() as u64).raw(" of ").number(sample.seen);
        html.raw(" session records, in the order in which they were complete: one in ");
        html.number(sample.every).raw(", and the first ").number(SessionSample::FAILED as u64);
        html.raw(" that failed.");
    }
    html.raw("</p>\n<div class=tools data-for=session-table hidden></div>\n");
    html.raw("<div class=scroll tabindex=0 role=region aria-label=\"Session table\"><table id=session-table class=records><thead><tr>");
    html.raw("<th scope=col>Start<th scope=col class=n>Latency<th scope=col>Protocol<th scope=col>Initiator<th scope=col>Responder<th scope=col>What<th scope=col>Failed<th scope=col class=n>Flow</tr></thead><tbody>\n");
    rows.into_iter().for_each(|row| session(row, &times, html));
    html.raw("</tbody></table></div>\n");
}

fn session(row: &Session, times: &Times, html: &mut Html) {
    range(row.start, row.end, times, row.failed.is_some(), html);
    times.cell(row.start, html);
    html.span_cell(row.latency).raw("<td>").raw(row.protocol).raw("</td><td>").text(row.from);
    html.raw("</td><td>")
        .text(row.to)
        .raw("</td><td class=what>")
        .wire(&row.summary)
        .raw("</td><td>");
    if let Some(failed) = &row.failed {
        html.wire(failed);
    }
    html.raw("</td>").id_cell(row.flow_id).raw("</tr>\n");
}

/// Begins a row, with the seconds from the start to its begin and end.
fn range(from: Timestamp, to: Timestamp, times: &Times, failed: bool, html: &mut Html) {
    let seconds = |ts: Timestamp| ts.since(times.start).as_secs_f64();
    html.raw(if failed { "<tr class=failed data-a=\"" } else { "<tr data-a=\"" });
    html.text(format_args!("{:.6}", seconds(from))).raw("\" data-b=\"");
    html.text(format_args!("{:.6}", seconds(to))).raw("\">");
}

/// How times are shown.
struct Times {
    /// Where the chart begins.
    start: Timestamp,
    dated: bool,
}

impl Times {
    fn of(report: &Report, totals: &ReportTotals) -> Self {
        let start = report.rates.start().or(totals.start).unwrap_or_default();
        Times { start, dated: is_dated(totals) }
    }

    fn cell(&self, ts: Timestamp, html: &mut Html) {
        html.raw("<td data-v=\"").text(ts.as_nanos() / 1000).raw("\">");
        html.text(time_of(ts, self.dated)).raw("</td>");
    }
}

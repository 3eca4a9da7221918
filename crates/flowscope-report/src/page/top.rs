//! Addresses, ports and names of which there is most.

use super::html::Html;
use crate::session::NAMES;
use crate::{Report, ReportTotals};

/// Rows of each table.
const ROWS: usize = 12;

pub(super) fn section(report: &Report, _: &ReportTotals, html: &mut Html) {
    html.raw("<div class=columns>");
    talkers(report, html);
    ports(report, html);
    html.raw("</div>\n<div class=columns>");
    for (names, kind) in report.names.iter().zip(NAMES) {
        let top = names.top(ROWS);
        let most = top.first().map_or(0, |(_, seen, ())| *seen);
        html.raw("<table class=ranked><caption>Names: ").raw(kind);
        html.raw(
            "</caption><thead><tr><th scope=col>Name<th scope=col class=n>Seen</tr></thead><tbody>",
        );
        for (name, seen, ()) in &top {
            html.raw("<tr><th scope=row>").wire(name).bar(0, *seen, most, "s3").raw("</th>");
            html.number_cell(*seen).raw("</tr>");
        }
        if top.is_empty() {
            html.raw("<tr><td colspan=2 class=none>None were seen.</td></tr>");
        }
        html.raw("</tbody></table>\n");
    }
    html.raw("</div>\n");
}

fn talkers(report: &Report, html: &mut Html) {
    let top = report.talkers.top(ROWS);
    let most = top.first().map_or(0, |(_, bytes, _)| *bytes);
    html.raw(
        "<table class=ranked><caption>Addresses, by bytes of both directions</caption><thead><tr>",
    );
    html.raw("<th scope=col>Address<th scope=col class=n>Bytes<th scope=col class=n>Sent");
    html.raw("<th scope=col class=n>Packets<th scope=col class=n>Flows</tr></thead><tbody>");
    for (addr, bytes, talker) in top {
        html.raw("<tr><th scope=row>").text(addr).bar(0, bytes, most, "s1").raw("</th>");
        html.size_cell(bytes).size_cell(talker.sent).number_cell(talker.packets);
        html.number_cell(talker.flows).raw("</tr>");
    }
    html.raw("</tbody></table>\n");
}

fn ports(report: &Report, html: &mut Html) {
    let top = report.ports.top(ROWS);
    let most = top.first().map_or(0, |(_, bytes, _)| *bytes);
    html.raw("<table class=ranked><caption>Ports of responders</caption><thead><tr>");
    html.raw("<th scope=col>Port<th scope=col class=n>Bytes<th scope=col class=n>Flows</tr></thead><tbody>");
    for ((port, proto), bytes, flows) in top {
        html.raw("<tr><th scope=row>").text(format_args!("{port}/{proto}"));
        html.bar(0, bytes, most, "s2").raw("</th>").size_cell(bytes).number_cell(*flows);
        html.raw("</tr>");
    }
    html.raw("</tbody></table>\n");
}

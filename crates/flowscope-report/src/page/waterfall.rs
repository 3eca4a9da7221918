//! What a client waited for: names, connections, handshakes and requests, one below the other.

use flowscope_record::span;

use super::html::Html;
use crate::steps::{MAX_STEPS, Step, StepKind};
use crate::{Report, ReportTotals};

/// Clients in the list.
const CLIENTS: usize = 12;

pub(super) fn section(report: &Report, _: &ReportTotals, html: &mut Html) {
    let clients = report.steps.clients(CLIENTS);
    if clients.is_empty() {
        html.raw(
            "<p>There are no DNS queries, connections, TLS handshakes or HTTP requests.</p>\n",
        );
        return;
    }
    html.raw("<p>DNS queries, connections, TLS handshakes and HTTP requests, by the address that began them. Shown are the ");
    html.number(CLIENTS as u64).raw(" with the most; of each the ").number(MAX_STEPS as u64);
    html.raw(" earliest.</p>\n<ul class=legend aria-hidden=true>");
    for kind in StepKind::ALL {
        html.raw("<li><svg viewBox=\"0 0 10 10\" class=").raw(class(kind));
        html.raw("><rect width=10 height=10></rect></svg>").raw(kind.as_str()).raw("</li>");
    }
    html.raw("</ul>\n<div id=client-tools class=tools hidden></div>\n<div id=clients>");
    for (client, n, steps) in clients {
        html.raw("<details class=client><summary>").text(client).raw(" <span class=why>");
        html.number(n).raw(if n == 1 { " step" } else { " steps" }).raw("</span></summary>");
        table(steps, html);
        html.raw("</details>\n");
    }
    html.raw("</div>\n");
}

fn table(steps: &[Step], html: &mut Html) {
    let Some(first) = steps.first() else { return };
    let end = |step: &Step| step.start.saturating_add(step.lasted.unwrap_or_default());
    let whole = steps.iter().map(|step| end(step).since(first.start).as_nanos()).max();
    let whole = whole.unwrap_or_default() as u64;
    html.raw("<div class=scroll tabindex=0 role=region aria-label=\"Steps of a client\"><table class=waterfall><thead><tr>");
    html.raw("<th scope=col>Step<th scope=col>Server<th scope=col class=n>After<th scope=col class=n>Took<th scope=col class=wide>Timing</tr></thead><tbody>");
    for step in steps {
        html.raw(if step.failed {
            "<tr class=failed><th scope=row>"
        } else {
            "<tr><th scope=row>"
        });
        html.raw("<b>").raw(step.kind.as_str()).raw("</b> ").wire(&step.what).raw("</th><td>");
        html.text(step.server).raw("</td>");
        let after = step.start.since(first.start);
        html.raw("<td class=n>").text(span(after)).raw("</td><td class=n>");
        match step.lasted {
            Some(lasted) => html.text(span(lasted)),
            None => html.raw("no answer"),
        };
        html.raw("</td><td class=wide>");
        let lasted = step.lasted.unwrap_or_default().as_nanos() as u64;
        html.bar(after.as_nanos() as u64, lasted, whole, class(step.kind)).raw("</td></tr>");
    }
    html.raw("</tbody></table></div>");
}

fn class(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Dns => "s3",
        StepKind::Connect => "s2",
        StepKind::Tls => "s4",
        StepKind::Http => "s1",
    }
}

//! The page: sections in order, one file.

mod assets;
mod health;
mod html;
mod losses;
mod matrix;
mod protocols;
mod rates;
mod summary;
mod tables;
mod top;
mod waterfall;

use html::Html;
pub use html::markup_text;

use crate::{Report, ReportTotals};

/// A section: its anchor, its heading, and what writes it.
type Section = (&'static str, &'static str, fn(&Report, &ReportTotals, &mut Html));

/// In the order in which they are shown: what was not seen comes first.
const SECTIONS: [Section; 11] = [
    ("losses", "What was not seen", losses::section),
    ("summary", "Summary", summary::section),
    ("rates", "Rates over time", rates::section),
    ("top", "Most traffic", top::section),
    ("protocols", "Protocols", protocols::section),
    ("tcp", "TCP health", health::section),
    ("hosts", "Conversations", matrix::section),
    ("waterfall", "What a client waited for", waterfall::section),
    ("flows", "Flows", tables::flows),
    ("sessions", "Sessions", tables::sessions),
    ("about", "About this page", about),
];

/// The whole page.
pub(crate) fn page(report: &Report, totals: &ReportTotals) -> String {
    let (style, script) = (assets::style(), assets::script());
    let mut html = Html::default();
    html.raw("<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n");
    html.raw(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src '",
    );
    html.embedded(&assets::source(&script)).raw("'; style-src '");
    html.embedded(&assets::source(&style)).raw("'; base-uri 'none'; form-action 'none'\">\n");
    html.raw("<meta name=viewport content=\"width=device-width, initial-scale=1\">\n");
    html.raw("<meta name=color-scheme content=\"light dark\">\n");
    html.raw("<meta name=referrer content=no-referrer>\n<title>");
    html.text(title(totals)).raw("</title>\n<style>").embedded(&style).raw("</style>\n</head>\n");
    html.raw("<body>\n<a class=skip href=\"#losses\">Skip to the content</a>\n<header>\n");
    html.raw("<p class=kind>flowscope report</p>\n<h1>");
    html.wire(&title(totals)).raw("</h1>\n");
    summary::lead(totals, &mut html);
    html.raw("<nav aria-label=Sections><ul>");
    for (id, heading, _) in SECTIONS {
        html.raw("<li><a href=\"#").raw(id).raw("\">").raw(heading).raw("</a></li>");
    }
    html.raw("</ul></nav>\n</header>\n<main>\n");
    for (id, heading, write) in SECTIONS {
        html.raw("<section id=").raw(id).raw(" aria-labelledby=h-").raw(id);
        html.raw(">\n<h2 id=h-").raw(id).raw(">").raw(heading).raw("</h2>\n");
        write(report, totals, &mut html);
        html.raw("</section>\n");
    }
    html.raw("</main>\n<script>").embedded(&script).raw("</script>\n</body>\n</html>\n");
    html.into_string()
}

fn title(totals: &ReportTotals) -> String {
    match totals.sources.as_slice() {
        [] => "Capture".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

/// How the page was made, and the licence of what it has of others.
fn about(_: &Report, _: &ReportTotals, html: &mut Html) {
    html.raw("<p>Written by flowscope ").text(env!("CARGO_PKG_VERSION"));
    html.raw(" from packets alone: names and texts are as sent, and nothing was looked up. The page loads nothing and ");
    html.raw(
        "sends nothing. Times are packet times in UTC.</p>\n<details><summary>Chart library: ",
    );
    html.raw("uPlot 1.6.32, MIT licence</summary><pre class=licence>");
    html.text(assets::UPLOT_LICENCE.trim_end()).raw("</pre></details>\n");
}

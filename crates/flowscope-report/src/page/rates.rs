//! Packets and bytes over time: a drawing that needs no script, and the numbers for one that has it.

use std::fmt::Write;

use flowscope_record::span;

use super::html::{BitRate, Html, is_dated, script_data, time_of};
use crate::rates::{Bin, SERIES};
use crate::{Report, ReportTotals};

/// Size of the drawing.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 180.0;

pub(super) fn section(report: &Report, totals: &ReportTotals, html: &mut Html) {
    let rates = &report.rates;
    let (Some(start), bins) = (rates.start(), rates.bins()) else {
        html.raw("<p>There are no packets of flows.</p>\n");
        return;
    };
    let (seconds, dated) = (rates.seconds(), is_dated(totals));
    let rate = |bin: &Bin| bin.bytes.iter().sum::<u64>() as f64 * 8.0 / seconds;
    let most = bins.iter().map(rate).fold(0.0, f64::max);
    let width = span(std::time::Duration::from_secs_f64(seconds));
    html.raw("<p>Packets of flows, in ")
        .number(bins.len() as u64)
        .raw(" intervals of ")
        .text(&width);
    html.raw(". The highest rate is ").text(BitRate(most)).raw(".</p>\n");
    html.raw("<div id=chart-tools class=tools hidden></div>\n<div id=chart class=chart>");
    html.raw("<svg class=static role=img viewBox=\"0 0 1000 200\" preserveAspectRatio=none aria-label=\"");
    html.text(format_args!("Rate over time, at most {}", BitRate(most)));
    html.raw("\"><path class=area d=\"").text(area(bins, rate, most)).raw("\"></path></svg>");
    html.raw("<p class=axis><span>").text(time_of(start, dated)).raw("</span><span>");
    let end = start.saturating_add(std::time::Duration::from_secs_f64(seconds * bins.len() as f64));
    html.text(time_of(end, dated)).raw("</span></p></div>\n");
    html.raw("<p id=chart-hint class=hint hidden>Drag over the chart to zoom; the tables of flows and sessions then show ");
    html.raw("what overlaps with that time. A double click shows all again.</p>\n");
    html.raw("<script type=\"application/json\" id=rate-data>");
    html.embedded(&script_data(&data(start.as_nanos(), seconds, bins))).raw("</script>\n");
}

/// The outline of the area below the rates.
fn area(bins: &[Bin], rate: impl Fn(&Bin) -> f64, most: f64) -> String {
    let step = WIDTH / bins.len().max(1) as f64;
    let mut path = format!("M0 {}", HEIGHT + 20.0);
    for (at, bin) in bins.iter().enumerate() {
        let y = HEIGHT + 20.0 - rate(bin) / most.max(1.0) * HEIGHT;
        let _ = write!(path, "V{y:.1}H{:.1}", step * (at + 1) as f64);
    }
    let _ = write!(path, "V{}Z", HEIGHT + 20.0);
    path
}

/// Start in seconds since 1970, length of an interval, and the packets and bytes of each series, as JSON.
fn data(start: u64, seconds: f64, bins: &[Bin]) -> String {
    let mut json = format!(
        "{{\"start\":{}.{:09},\"step\":{seconds},\"names\":[",
        start / 1_000_000_000,
        start % 1_000_000_000
    );
    for (at, name) in SERIES.iter().enumerate() {
        let _ = write!(json, "{}\"{name}\"", if at == 0 { "" } else { "," });
    }
    for (name, of) in
        [("bytes", (|bin| bin.bytes) as fn(&Bin) -> [u64; 3]), ("packets", |bin| bin.packets)]
    {
        let _ = write!(json, "],\"{name}\":[");
        for series in 0..SERIES.len() {
            json.push_str(if series == 0 { "[" } else { ",[" });
            for (at, bin) in bins.iter().enumerate() {
                let _ = write!(json, "{}{}", if at == 0 { "" } else { "," }, of(bin)[series]);
            }
            json.push(']');
        }
    }
    json.push_str("]}");
    json
}

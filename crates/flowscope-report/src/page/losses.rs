//! What was seen, what was not, and why.

use flowscope_core::{Ledger, Loss};

use super::html::Html;
use crate::steps::MAX_CLIENTS;
use crate::{Heavy, MAX_KEYS, Report, ReportTotals};

pub(super) fn section(report: &Report, totals: &ReportTotals, html: &mut Html) {
    let stats = &totals.stats;
    verdict(totals, html);
    html.raw("<div class=columns>");
    ledger("Packets", "seen", "tracked in flows", &stats.packets, html);
    ledger("Bytes of payload", "seen", "read in order", &stats.bytes, html);
    html.raw("</div>");
    unread(totals, html);
    before(totals, html);
    limits(report, totals, html);
}

/// The whole of it in a sentence.
fn verdict(totals: &ReportTotals, html: &mut Html) {
    let packets = &totals.stats.packets;
    let lost = packets.seen() - packets.delivered();
    let dropped = noted(totals, "interface_drop").saturating_add(noted(totals, "os_drop"));
    let lacking = [packets, &totals.stats.bytes]
        .iter()
        .flat_map(|ledger| ledger.losses())
        .any(|(cause, _)| cause.is_for_want_of_room());
    let complete = lost == 0 && dropped == 0 && totals.evicted == 0 && !lacking;
    html.raw(if complete { "<p class=\"verdict good\">" } else { "<p class=\"verdict warn\">" });
    if complete {
        html.raw("Every packet of the capture is part of a flow. Nothing was dropped.");
    } else {
        html.raw("<strong>").number(lost).raw("</strong> of ").number(packets.seen());
        html.raw(" packets (").share(lost, packets.seen()).raw(") are not part of any flow");
        if dropped > 0 {
            html.raw(", and <strong>").number(dropped);
            html.raw("</strong> more were dropped before the capture was written");
        }
        html.raw(". All numbers below are of the rest.");
    }
    html.raw("</p>\n");
}

fn ledger(
    what: &'static str,
    seen: &'static str,
    delivered: &'static str,
    ledger: &Ledger,
    html: &mut Html,
) {
    let whole = ledger.seen();
    html.raw("<table><caption>")
        .raw(what)
        .raw("</caption><thead><tr><th scope=col>Where they went<th scope=col class=n>");
    html.raw(what)
        .raw("<th scope=col class=n>Share</tr></thead><tbody><tr><th scope=row>")
        .raw(seen);
    html.raw("</th>")
        .number_cell(whole)
        .raw("<td class=n></td></tr><tr><th scope=row>")
        .raw(delivered);
    html.raw("</th>").number_cell(ledger.delivered()).raw("<td class=n>");
    html.share(ledger.delivered(), whole).raw("</td></tr>");
    for (cause, n) in ledger.losses() {
        html.raw("<tr class=loss><th scope=row><code>")
            .raw(cause.slug())
            .raw("</code> <span class=why>");
        html.raw(why(cause)).raw("</span></th>").number_cell(n);
        html.raw("<td class=n>").share(n, whole).raw("</td></tr>");
    }
    html.raw("</tbody></table>\n");
}

/// What packets were that are no flow.
fn unread(totals: &ReportTotals, html: &mut Html) {
    let unread = &totals.stats.unread;
    let counts = unread.by_count();
    if counts.is_empty() && unread.other() == 0 {
        return;
    }
    html.raw("<p>Headers at which packets without a flow stopped being read: ");
    for (at, (header, n)) in counts.iter().take(12).enumerate() {
        html.raw(if at == 0 { "" } else { ", " });
        html.number(*n).raw("&nbsp;× ").text(header);
    }
    let other = unread.other() + counts.iter().skip(12).map(|(_, n)| n).sum::<u64>();
    if other > 0 {
        html.raw(if counts.is_empty() { "" } else { ", " }).number(other).raw("&nbsp;× others");
    }
    html.raw(".</p>\n");
}

/// What happened before there was a capture, and to its clock.
fn before(totals: &ReportTotals, html: &mut Html) {
    let notes = [
        ("interface_drop", "packets dropped by interfaces, as the capture says"),
        ("os_drop", "packets dropped by the operating system, as the capture says"),
        ("clock_backwards", "packets with a time before that of the packet before"),
        ("clock_jumps", "jumps of the time by more than an hour"),
        ("bad_checksums", "packets with a wrong checksum"),
        ("checksums_offloaded", "packets whose checksum was left to the network card"),
    ];
    let notes = notes.map(|(name, what)| (noted(totals, name), what));
    if notes.iter().all(|(n, _)| *n == 0) {
        return;
    }
    html.raw("<ul>");
    for (n, what) in notes.into_iter().filter(|(n, _)| *n > 0) {
        html.raw("<li>").number(n).raw(" ").raw(what).raw("</li>");
    }
    html.raw("</ul>\n");
}

/// Where limits were reached.
fn limits(report: &Report, totals: &ReportTotals, html: &mut Html) {
    if totals.evicted > 0 {
        html.raw("<p class=\"verdict warn\">").number(totals.evicted);
        html.raw(" flows were evicted for lack of room: what came of them later is counted as further flows. ");
        html.raw("The limits are <code>--max-flows</code> and <code>--memory</code>.</p>\n");
    }
    let errors = [
        ("addresses", report.talkers.error()),
        ("pairs of addresses", report.pairs.error()),
        ("ports", report.ports.error()),
        ("segments sent again", report.health.resenders.error()),
        ("steps of clients", report.steps.error()),
        ("names", report.names.iter().map(Heavy::error).max().unwrap_or_default()),
    ];
    let errors = errors.into_iter().filter(|(_, error)| *error > 0).collect::<Vec<_>>();
    if errors.is_empty() {
        return;
    }
    html.raw("<p>At most ").number(MAX_KEYS as u64).raw(" of each, and the steps of ");
    html.number(MAX_CLIENTS as u64).raw(" clients, are counted separately. There are more, so that sums of the largest may be too high: ");
    for (at, (what, error)) in errors.iter().enumerate() {
        html.raw(if at == 0 { "" } else { ", " }).raw(what).raw(" by at most ").number(*error);
    }
    html.raw(".</p>\n");
}

fn noted(totals: &ReportTotals, name: &str) -> u64 {
    totals.stats.capture.iter().find(|(known, _)| *known == name).map_or(0, |(_, n)| *n)
}

/// What a cause means.
fn why(cause: Loss) -> &'static str {
    match cause {
        Loss::KernelDrop => "the kernel had no room for them",
        Loss::RingFull => "the receive ring was full",
        Loss::FillEmpty => "the fill ring was empty",
        Loss::QueueFreeze => "the packet ring was frozen",
        Loss::FileTruncated => "the capture file is cut or damaged there",
        Loss::SnaplenCut => "the snap length cut them off",
        Loss::LinkUnsupported => "the link type is not one that is read",
        Loss::HeaderMalformed => "a header contradicts itself",
        Loss::DepthExceeded => "too many tags and tunnels",
        Loss::FragIncomplete => "fragments of datagrams that never became whole",
        Loss::FragOverlap => "fragments that overlap",
        Loss::FragCap => "no room to join more fragments",
        Loss::NotAFlow => "not IP, such as ARP",
        Loss::BadChecksum => "wrong checksum",
        Loss::OutOfWindow => "far outside of what the receiver would take",
        Loss::Duplicate => "sent again",
        Loss::OooDropped => "out of order, not held",
        Loss::Memcap => "no room within the memory budget",
        Loss::Shunted => "counted by the capture, not read",
        Loss::ParserStopped => "the parser of the flow had stopped",
        Loss::Unclaimed => "encrypted, or of protocols that are not read",
        Loss::FlowEvictedTail => "held for a flow that was evicted",
        Loss::SubscriberLag => "a subscriber was too slow",
        Loss::SinkError => "output could not be written",
        _ => "",
    }
}

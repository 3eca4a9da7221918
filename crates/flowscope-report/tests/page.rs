//! The page as a whole: its policy, its size, and what hostile records make of it.

#![expect(clippy::unwrap_used, reason = "helpers of tests, in tests")]

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flowscope_core::{L4Proto, Loss, Timestamp};
use flowscope_driver::{FlowDriver, SessionEvent};
use flowscope_extract::{FiveTuple, FiveTupleKey};
use flowscope_output::{CaptureStats, FlowRecord, RecordHeader};
use flowscope_record::{Column, Kind, Record, Schema, Visitor};
use flowscope_report::{Report, ReportTotals};
use flowscope_testkit::Rng;
use flowscope_track::{EndReason, FlowEvent};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

/// A session record of which the peer chose all text.
struct Said {
    ts: Timestamp,
    text: String,
}

static SAID: Schema<Said> = Schema {
    summary: |said, out| out.push_str(&said.text),
    columns: &[
        Column::new("sni", Kind::Text, |said| said.text.as_str().into(), "A name."),
        Column::new("alert_name", Kind::Text, |said| said.text.as_str().into(), "A failure."),
    ],
    ..Schema::new("tls", |said| said.ts)
};

impl Record for Said {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(&SAID, self)
    }
}

fn header(from: [u8; 4], port: u16, at: Timestamp) -> RecordHeader {
    let (from, to) = ((from, port).into(), ([10, 9, 9, 9], 443).into());
    let (key, orientation) = FiveTupleKey::new(L4Proto::Tcp, from, to).unwrap();
    RecordHeader::new(at, 1, key, orientation)
}

fn written(report: &Report, totals: &ReportTotals) -> String {
    let mut page = Vec::new();
    report.write(totals, &mut page).unwrap();
    String::from_utf8(page).unwrap()
}

/// A report with this text wherever text of the wire, or a file's name, can stand.
fn hostile(text: &str) -> String {
    let mut report = Report::new();
    let ts = Timestamp::from_secs(1_767_323_045);
    let said = Said { ts, text: text.to_owned() };
    report.packet(ts, 60, L4Proto::Tcp);
    report.session(&header([10, 0, 0, 1], 5000, ts), ts, &said);
    let mut totals = ReportTotals::default();
    totals.sources = vec![text.to_owned(), text.to_owned()];
    totals.links = vec![text.to_owned()];
    totals.start = Some(ts);
    written(&report, &totals)
}

/// What the page is made of: tags, each with its attributes, and the text between them.
fn tags(page: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let tag = &rest[at..];
        // Style and script are text until their own end.
        let raw = ["<style>", "<script"].into_iter().find(|start| tag.starts_with(start));
        if let Some(raw) = raw {
            let end = if raw == "<style>" { "</style>" } else { "</script>" };
            tags.push(raw);
            rest = &tag[tag.find(end).unwrap() + end.len()..];
            continue;
        }
        let mut quoted = false;
        let end = tag.find(|c| {
            quoted ^= c == '"';
            c == '>' && !quoted
        });
        let end = end.expect("every tag ends");
        tags.push(&tag[..end]);
        rest = &tag[end..];
    }
    tags
}

const HOSTILE: [&str; 9] = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "a\u{202e}gpj.exe\u{2066}\u{2028}",
    "]]><!-- --!>",
    "&lt;b&gt;&#60;script&#62;",
    "\u{0}\u{7f}\u{9b}31m\u{feff}",
    "javascript:alert(1)",
];

#[test]
fn hostile_names_change_no_tag() {
    let plain = tags(&hostile("plain")).iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
    for text in HOSTILE {
        let page = hostile(text);
        assert_eq!(tags(&page), plain, "{text:?}");
        assert!(!page.contains(text) || text.starts_with("javascript"), "{text:?}");
        let turning = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let control = |c: char| c.is_control() && c != '\n';
        assert!(!page.contains(turning) && !page.contains(control), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_changes_a_tag(text in "[<>&\"'/=a \\PC\u{202e}\u{0}-\u{1f}]{0,40}") {
        let (plain, page) = (hostile("plain"), hostile(&text));
        prop_assert_eq!(tags(&page), tags(&plain));
        prop_assert!(!page.chars().any(|c| c.is_control() && c != '\n'));
    }
}

#[test]
fn the_policy_allows_these_texts_alone() {
    let page = hostile("plain");
    let policy = page.split("content=\"").find(|part| part.starts_with("default-src")).unwrap();
    let policy = policy.split('"').next().unwrap();
    let between = |start: &str, end: &str| {
        let from = page.find(start).unwrap() + start.len();
        &page[from..from + page[from..].find(end).unwrap()]
    };
    let hash = |text: &str| {
        let mut encoded = [0; 44];
        STANDARD.encode_slice(Sha256::digest(text), &mut encoded).unwrap();
        format!("'sha256-{}'", str::from_utf8(&encoded).unwrap())
    };
    let script = hash(between("<script>", "</script>"));
    let style = hash(between("<style>", "</style>"));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; script-src {script}; style-src {style}; base-uri 'none'; form-action 'none'"
        )
    );
    // A style or a handler in an attribute would be refused, and be missing.
    assert!(tags(&page).iter().all(|tag| !tag.contains(" style=") && !tag.contains(" on")));
    assert_eq!(page.matches("<script").count(), 2);
    let start = page.find("Content-Security-Policy").unwrap();
    assert!(start < page.find("<style>").unwrap());
}

#[test]
fn sections_come_in_order_and_losses_first() {
    let mut totals = ReportTotals::default();
    let mut stats = CaptureStats::default();
    stats.packets.deliver(7);
    stats.packets.lose(Loss::NotAFlow, 3);
    stats.capture = vec![("os_drop", 11)];
    totals.stats = stats;
    totals.evicted = 5;
    let page = written(&Report::new(), &totals);
    let place = |what: &str| page.find(what).unwrap_or_else(|| panic!("{what} is missing"));
    let places = ["losses", "summary", "rates", "top", "protocols", "tcp", "hosts", "waterfall"]
        .into_iter()
        .chain(["flows", "sessions"])
        .map(|id| place(&format!("<section id={id} ")));
    assert!(places.collect::<Vec<_>>().is_sorted());
    let losses = &page[place("<section id=losses ")..place("<section id=summary ")];
    assert!(losses.contains("<strong>3</strong> of 10 packets (30\u{a0}%)"), "{losses}");
    assert!(losses.contains("<code>not_a_flow</code>") && losses.contains("5 flows were evicted"));
    assert!(losses.contains("<strong>11</strong> more were dropped before"));
}

/// A capture of this many connections, and a session record of each that ends with this text.
fn large(flows: u32, end: &str) -> (Report, ReportTotals) {
    let mut report = Report::new();
    let mut driver = FlowDriver::new(FiveTuple::bidirectional());
    let mut rng = Rng::new(1);
    let start = Timestamp::from_secs(1_767_323_045);
    let mut totals = ReportTotals::default();
    totals.start = Some(start);
    let drain = |driver: &mut FlowDriver<FiveTuple>, report: &mut Report| {
        while let Some(event) = driver.poll_event() {
            if let FlowEvent::Packet { flow, info } = &event {
                report.packet(info.ts, info.wire_len, flow.key.proto());
            }
            if let FlowEvent::Ended { flow, reason, stats, history } = event {
                let closed = SessionEvent::<_, ()>::Closed { flow, reason, stats, history };
                report.flow(&FlowRecord::of_event(&closed).unwrap());
            }
        }
    };
    for flow in 0..flows {
        let at = start.saturating_add(Duration::from_millis(u64::from(flow) * 3));
        let [_, a, b, c] = flow.to_be_bytes();
        let port = 1024 + (rng.below(60_000) as u16);
        let frame = flowscope_testkit::frame()
            .ethernet()
            .ipv4(format!("10.{a}.{b}.{c}"), format!("192.0.2.{}", rng.below(250)))
            .tcp(port, 443)
            .payload(vec![0; rng.below(1000)])
            .build();
        driver.handle_packet(flowscope_core::PacketView::new(
            &frame,
            flowscope_core::LinkType::ETHERNET,
            at,
        ));
        drain(&mut driver, &mut report);
        let text = format!("<{flow}>.example.com/{end}");
        report.session(&header([10, a, b, c], port, at), at, &Said { ts: at, text });
        totals.end = at;
    }
    driver.finish(EndReason::EndOfInput);
    drain(&mut driver, &mut report);
    totals.flows = flows.into();
    (report, totals)
}

#[test]
fn a_hundred_thousand_flows_fit_a_small_page_that_says_what_is_left_out() {
    let (report, totals) = large(100_000, &"'\"<>&\u{202e}".repeat(40));
    let page = written(&report, &totals);
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
    assert!(page.contains(" of 100,000 flow records: the 750 with the most bytes"));
    assert!(page.contains(" of 100,000 session records"), "the sample is not explained");
    assert!(page.contains("At most 10,000 of each"));
}

#[test]
fn a_page_is_small_whatever_names_there_are() {
    let (report, totals) = large(3_000, &"\"".repeat(2000));
    let page = written(&report, &totals);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let page = || {
        let (report, totals) = large(3_000, "");
        written(&report, &totals)
    };
    assert!(page() == page());
}

#[test]
fn a_page_of_nothing_is_a_page() {
    let page = written(&Report::new(), &ReportTotals::default());
    assert!(page.ends_with("</html>\n"));
    assert!(page.contains("There are no packets of flows."));
}

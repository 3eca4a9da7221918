use std::time::Duration;

use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::{FlowSide, L4Proto, TcpFlags};
use flowscope_driver::SessionDriver;
use flowscope_extract::{FiveTuple, FiveTupleKey};
use flowscope_http::HttpParser;
use flowscope_output::FlowRecordKind;
use flowscope_record::{Column, Kind};
use flowscope_testkit::{Dialogue, views};
use flowscope_track::EndReason;
use proptest::prelude::*;
use ratatui_core::backend::TestBackend;
use ratatui_core::terminal::Terminal;

use super::*;
use crate::flows::{KEPT, MAX_FLOWS};
use crate::names::MAX_NAMES;

/// 2026-01-02 03:04:05 UTC.
const START: u64 = 1_767_323_045;

/// A query, as a session record.
struct Query {
    name: Vec<u8>,
    ts: Timestamp,
}

static QUERY: Schema<Query> = Schema {
    summary: |query, out| out.push_str(&String::from_utf8_lossy(&query.name)),
    columns: &[Column::new("query", Kind::Bytes, |x: &Query| x.name.as_slice().into(), "Name.")],
    ..Schema::new("dns", |query: &Query| query.ts)
};

impl Record for Query {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(&QUERY, self)
    }
}

/// The record of an open flow of 4 packets.
fn record(id: u64, initiator: &str, responder: &str) -> FlowRecord {
    let talk = Dialogue::tcp(initiator, responder).at(START).handshake();
    let talk = talk.data(Initiator, [b'x'; 100]);
    let mut driver = SessionDriver::new(FiveTuple::bidirectional(), HttpParser::default());
    for view in views(&talk.build()) {
        driver.handle_packet(view);
    }
    driver.finish(EndReason::EndOfInput);
    let mut record = std::iter::from_fn(|| driver.poll_event())
        .find_map(|event| FlowRecord::of_event(&event))
        .unwrap();
    record.kind = FlowRecordKind::Interim(1);
    record.header.flow_id = id;
    record
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(START + seconds)
}

fn packet(side: FlowSide, ts: Timestamp, wire_len: u32) -> PacketInfo {
    PacketInfo { side, ts, wire_len, payload_len: wire_len, tcp_flags: TcpFlags::default() }
}

fn query(view: &mut View, flow: &FlowRecord, name: &[u8], seconds: u64) {
    view.session(&flow.header, &Query { name: name.to_vec(), ts: at(seconds) });
}

/// Some flows and names, three seconds after their start.
fn some() -> View {
    let mut view = View::new("eth0");
    view.tick(&Tick { now: at(0), ..Tick::default() });
    let mut web = record(1, "10.0.0.1:40000", "10.0.0.2:80");
    web.app_proto = Some("http");
    let mut mail = record(5, "[2001:db8:1111:2222::6666]:60000", "[2001:db8:3333:4444::7777]:993");
    (mail.kind, mail.sides[1].retransmits) = (FlowRecordKind::Ended(EndReason::Rst), 3);
    let mut names = record(9, "10.0.0.1:5353", "10.0.0.53:53");
    let ends = ["10.0.0.1:5353", "10.0.0.53:53"].map(|end| end.parse().unwrap());
    (names.header.key, names.header.orientation) =
        FiveTupleKey::new(L4Proto::Udp, ends[0], ends[1]).unwrap();
    (names.app_proto, names.syn_rtt, names.ack_rtt) = (Some("dns"), None, None);
    names.end = names.start + Duration::from_secs(90);
    view.flow(web, 0);
    view.flow(mail, 1460);
    query(&mut view, &names, b"early.example.com", 0);
    view.flow(names.clone(), 0);
    query(&mut view, &names, b"www.example.com", 1);
    query(&mut view, &names, b"mail.example.org", 2);
    query(&mut view, &names, b"www.example.com", 2);
    view.packet(1, &packet(Responder, at(2), 9_000_000));
    let losses = Losses { kernel: 7, untracked: 12, ..Losses::default() };
    let tick = Tick { packets: 3000, wire_bytes: 9_100_000, flows: 3, open: 2, losses, now: at(3) };
    view.tick(&tick);
    view
}

fn terminal_of(width: u16, height: u16) -> Terminal<TestBackend> {
    Terminal::new(TestBackend::new(width, height)).unwrap()
}

/// What is drawn, a string for each row.
fn drawn(view: &mut View, width: u16, height: u16) -> Vec<String> {
    let mut terminal = terminal_of(width, height);
    terminal.draw(|frame| view.draw(frame)).unwrap();
    let text = terminal.backend().to_string();
    text.lines().map(|line| line.trim_matches('"').trim_end().to_owned()).collect()
}

fn snapshot(name: &str, view: &mut View, width: u16, height: u16) {
    insta::assert_snapshot!(name, drawn(view, width, height).join("\n"));
}

fn type_in(view: &mut View, text: &str) {
    for c in text.chars() {
        assert_eq!(view.key(Key::Char(c)), Action::Draw);
    }
}

/// The ids of the rows.
fn ids(view: &View) -> Vec<u64> {
    view.rows().iter().map(|flow| flow.id()).collect()
}

#[test]
fn tables() {
    snapshot("tables-80x24", &mut some(), 80, 24);
    snapshot("tables-200x50", &mut some(), 200, 50);
}

#[test]
fn one_flow() {
    let mut view = some();
    type_in(&mut view, "/dns");
    view.key(Key::Enter);
    view.key(Key::Enter);
    snapshot("flow-80x24", &mut view, 80, 24);
    view.key(Key::End);
    snapshot("flow-end-80x24", &mut view, 80, 24);
    view.key(Key::Esc);
    assert!(drawn(&mut view, 80, 24)[23].ends_with("filter: dns"));
}

#[test]
fn keys_are_explained() {
    let mut view = some();
    view.key(Key::Char('?'));
    snapshot("help-80x24", &mut view, 80, 24);
    view.key(Key::Char('x'));
    assert!(matches!(view.mode, Mode::Tables));
}

#[test]
fn flows_are_sorted_by_what_is_chosen() {
    let mut view = some();
    let check = |view: &mut View, order: Order, expected: [u64; 3]| {
        assert_eq!((view.order, ids(view)), (order, expected.to_vec()));
        view.key(Key::Char('s'));
    };
    check(&mut view, Order::Rate, [1, 5, 9]);
    check(&mut view, Order::Bytes, [1, 5, 9]);
    check(&mut view, Order::Packets, [1, 5, 9]);
    check(&mut view, Order::Rtt, [1, 5, 9]);
    check(&mut view, Order::Retransmits, [5, 1, 9]);
    let mut early = record(4, "10.0.0.7:1", "10.0.0.8:2");
    early.start = at(0).min(Timestamp::from_secs(7));
    view.flow(early, 0);
    assert_eq!((view.order, ids(&view)[0]), (Order::Age, 4));
    view.key(Key::Char('s'));
    assert_eq!(view.order, Order::Rate);
}

#[test]
fn the_cursor_stays_on_its_flow() {
    let mut view = some();
    view.key(Key::Down);
    view.key(Key::Down);
    assert_eq!(view.selected, Some(9));
    view.packet(9, &packet(Initiator, at(3), 100_000_000));
    view.tick(&Tick { now: at(4), ..Tick::default() });
    assert_eq!(ids(&view)[0], 9);
    view.key(Key::Down);
    assert_eq!(view.selected, Some(1));
    view.key(Key::End);
    assert_eq!(view.selected, Some(5));
    view.key(Key::Enter);
    assert!(matches!(view.mode, Mode::Flow { id: 5, .. }));
    view.key(Key::Esc);
    view.key(Key::Home);
    view.key(Key::Enter);
    assert!(matches!(view.mode, Mode::Flow { id: 9, .. }));
}

#[test]
fn a_long_table_scrolls_with_the_cursor() {
    let mut view = some();
    for id in 100..200 {
        view.flow(record(id, "10.0.0.3:4000", "10.0.0.4:80"), 0);
    }
    drawn(&mut view, 80, 24);
    view.key(Key::End);
    let last = *ids(&view).last().unwrap();
    assert_eq!(view.selected, Some(last));
    let rows = drawn(&mut view, 80, 24);
    let cursor = view.page - 1;
    assert!(rows[3 + cursor].contains("10.0.0.3:4000"), "{rows:#?}");
    assert_eq!(view.first + view.page, ids(&view).len());
    view.key(Key::PageUp);
    drawn(&mut view, 80, 24);
    let at = ids(&view).iter().position(|id| Some(*id) == view.selected).unwrap();
    assert!((view.first..view.first + view.page).contains(&at));
    view.key(Key::Home);
    drawn(&mut view, 80, 24);
    assert_eq!((view.selected, view.first), (None, 0));
}

#[test]
fn rates_are_those_of_the_last_interval() {
    let mut view = some();
    let rate = |view: &View| view.shown().per_second;
    assert_eq!((rate(&view).packets, rate(&view).bits, rate(&view).flows), (1000, 24_266_664, 1));
    let rate_of = |view: &View, id: u64| view.shown().flows.get(id).unwrap().rate;
    assert_eq!(rate_of(&view, 1), (9_000_000 + 316) / 3);
    let tick = view.shown().tick;
    // Less than a second is no interval.
    view.packet(1, &packet(Responder, at(3), 1000));
    view.tick(&Tick { now: at(3) + Duration::from_millis(999), packets: 9000, ..tick });
    assert_eq!(rate(&view).packets, 1000);
    view.tick(&Tick { now: at(4), packets: 3500, ..tick });
    assert_eq!((rate(&view).packets, rate(&view).bits), (500, 0));
    assert_eq!(rate_of(&view, 1), 1000);
    // Time may go back.
    view.tick(&Tick { now: at(1), ..tick });
    assert_eq!(rate(&view).packets, 500);
}

#[test]
fn a_flow_that_comes_back_has_no_rate_of_what_was_before() {
    let mut view = some();
    let old = record(77, "10.0.0.3:1", "10.0.0.4:2");
    view.flow(old, 0);
    view.packet(77, &packet(Initiator, at(4), 500));
    view.tick(&Tick { now: at(5), ..Tick::default() });
    assert_eq!(view.shown().flows.get(77).unwrap().rate, 250);
}

#[test]
fn a_filter_is_text_or_an_expression() {
    let check = |typed: &str, expected: &[u64]| {
        let mut view = some();
        type_in(&mut view, &format!("/{typed}"));
        view.key(Key::Enter);
        assert_eq!(ids(&view), expected, "{typed}");
        assert!(matches!(view.mode, Mode::Tables), "{typed}");
    };
    check("10.0.0.2:80", &[1]);
    check("HTTP", &[1]);
    check("udp", &[9]);
    check("www.example", &[9]);
    check("reset", &[5]);
    check("  ", &[1, 5, 9]);
    check("nothing of it", &[]);
    check("app_proto == http", &[1]);
    check("bytes > 1M || retransmits > 2", &[1, 5]);
    check("ip in 10.0.0.53/32", &[9]);
    check("not exists app_proto", &[5]);
}

#[test]
fn lines_of_session_records_are_short_and_searched_in_any_case() {
    let mut view = some();
    let names = record(9, "10.0.0.1:5353", "10.0.0.53:53");
    query(&mut view, &names, "\u{202e}".repeat(5000).as_bytes(), 2);
    query(&mut view, &names, b"Mixed.Example.NET", 2);
    let lines = &view.shown().flows.get(9).unwrap().sessions;
    assert!(lines.iter().all(|line| line.text.chars().count() < MAX_LINE + 40), "{lines:?}");
    assert!(lines.iter().any(|line| line.text.ends_with(" Mixed.Example.NET")), "{lines:?}");
    type_in(&mut view, "/mIXED.exam");
    view.key(Key::Enter);
    assert_eq!(ids(&view), [9]);
}

#[test]
fn a_wrong_filter_is_shown_and_the_old_one_stays() {
    let mut view = some();
    type_in(&mut view, "/dns");
    view.key(Key::Enter);
    assert_eq!(ids(&view), [9]);
    view.key(Key::Char('/'));
    (0..3).for_each(|_| drop(view.key(Key::Backspace)));
    type_in(&mut view, "bytse > 3");
    view.key(Key::Enter);
    snapshot("wrong-filter-80x24", &mut view, 80, 24);
    assert_eq!(ids(&view), [9]);
    // The message goes with the next letter, and the filter stays.
    type_in(&mut view, "0");
    assert!(!drawn(&mut view, 80, 24).join("\n").contains("unknown field"));
    view.key(Key::Esc);
    assert_eq!(view.filter.as_ref().map(Filter::as_str), Some("dns"));
    assert!(View::new("x").filter("dns").is_err());
    assert!(View::new("x").filter("app_proto == dns").is_ok());
}

#[test]
fn what_is_typed_is_bounded_and_plain() {
    let mut view = some();
    view.key(Key::Char('/'));
    for c in "q\u{1b}\u{202e}\n".chars() {
        assert_eq!(view.key(Key::Char(c)), Action::Draw);
    }
    assert!(matches!(&view.mode, Mode::Filter { typed, .. } if typed == "q"));
    (0..5000).for_each(|_| drop(view.key(Key::Char('é'))));
    assert!(matches!(&view.mode, Mode::Filter { typed, .. } if typed.len() <= MAX_FILTER));
    let rows = drawn(&mut view, 80, 24);
    assert_eq!(rows[23].chars().count(), 79);
    assert_eq!(view.key(Key::Interrupt), Action::Quit);
}

#[test]
fn nothing_that_peers_choose_steers_the_terminal() {
    let hostile = "\x1b[2J\u{202e}\u{9b}31m\r\n\u{200b}\u{feff}a.example";
    let mut view = View::new(hostile);
    view.say(hostile);
    let flow = record(1, "10.0.0.1:1", "10.0.0.2:2");
    view.flow(flow.clone(), 0);
    query(&mut view, &flow, hostile.as_bytes(), 0);
    query(&mut view, &flow, b"\xff\x1b]0;title\x07", 0);
    query(&mut view, &flow, "漢字.example".repeat(100).as_bytes(), 0);
    let check = |view: &mut View, width: u16, expected: &str| {
        let mut terminal = terminal_of(width, 40);
        terminal.draw(|frame| view.draw(frame)).unwrap();
        let cells = terminal.backend().buffer().content();
        let text: String = cells.iter().map(ratatui_core::buffer::Cell::symbol).collect();
        assert_eq!(terminal_safe(&text), text);
        assert!(text.contains(expected), "{text}");
    };
    check(&mut view, 200, "\\u{1b}[2J\\u{202e}\\u{9b}31m\\r\\n\\u{200b}\\u{feff}a.example");
    check(&mut view, 80, "\\u{1b}");
    view.key(Key::Enter);
    view.key(Key::End);
    check(&mut view, 200, "\\u{1b}]0;title\\u{7}");
    check(&mut view, 60, "\\u{1b}");
}

fn terminal_safe(text: &str) -> String {
    terminal(text).into_owned()
}

#[test]
fn any_size_will_do() {
    for key in [None, Some(Key::Char('?')), Some(Key::Char('/')), Some(Key::Enter)] {
        let mut view = some();
        key.into_iter().for_each(|key| drop(view.key(key)));
        for width in [1, 2, 5, 20, 79, 110, 400] {
            for height in [1, 2, 3, 4, 5, 12, 13] {
                drawn(&mut view, width, height);
            }
        }
    }
    let mut view = some();
    let mut terminal = terminal_of(80, 24);
    terminal.draw(|frame| view.draw(frame)).unwrap();
    terminal.backend_mut().resize(20, 5);
    terminal.draw(|frame| view.draw(frame)).unwrap();
    insta::assert_snapshot!("tables-20x5", drawn(&mut view, 20, 5).join("\n"));
    terminal.backend_mut().resize(200, 50);
    terminal.draw(|frame| view.draw(frame)).unwrap();
    let text = terminal.backend().to_string();
    assert!(text.contains("mail.example.org") && text.contains("[2001:db8:3333:4444::7777]:993"));
}

#[test]
fn memory_is_bounded() {
    let mut view = View::new("eth0");
    let mut flow = record(1, "10.0.0.1:1", "10.0.0.2:2");
    let mut most = 0;
    for id in 0..100_000_u64 {
        flow.header.flow_id = id;
        flow.end = at(0) + Duration::from_millis(id);
        view.flow(flow.clone(), 0);
        query(&mut view, &flow, format!("{id}.example").as_bytes(), 0);
        // One flow has packets all the time, and says much.
        flow.header.flow_id = 7;
        query(&mut view, &flow, b"often.example", 0);
        view.packet(7, &packet(Initiator, flow.end, 1));
        most = most.max(view.shown().flows.len());
    }
    assert_eq!(most, MAX_FLOWS);
    let kept = ids(&view);
    assert!((KEPT..=MAX_FLOWS).contains(&kept.len()));
    assert!(kept.contains(&7) && kept.contains(&99_999) && !kept.contains(&98_000));
    let often = view.shown().flows.get(7).unwrap();
    assert_eq!((often.sessions.len(), often.said), (32, 99_994));
    let names: Vec<_> = view.shown().names.latest().map(|name| name.name.as_str()).collect();
    assert_eq!(names.len(), MAX_NAMES);
    assert!(names.iter().all(|name| name.ends_with(".example")));
}

#[test]
fn a_pause_keeps_what_is_shown() {
    let mut view = some();
    view.key(Key::Char('p'));
    let paused = drawn(&mut view, 80, 24);
    assert!(view.is_paused() && paused[0].starts_with("eth0 paused"));
    view.flow(record(20, "10.0.0.3:1", "10.0.0.4:2"), 10);
    view.packet(1, &packet(Initiator, at(9), 10_000));
    view.tick(&Tick { now: at(9), packets: 1 << 40, ..Tick::default() });
    assert_eq!(drawn(&mut view, 80, 24), paused);
    view.key(Key::Char('p'));
    assert!(!view.is_paused());
    assert_eq!(ids(&view).len(), 4);
    assert!(drawn(&mut view, 80, 24)[0].contains("03:04:14"));
}

#[test]
fn the_flows_of_the_table_are_exported() {
    let mut view = some();
    type_in(&mut view, "/tcp");
    view.key(Key::Enter);
    let Action::Export(lines) = view.key(Key::Char('e')) else { panic!("nothing exported") };
    let lines = String::from_utf8(lines).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("\"flow_id\":1,\"event_type\":\"flow\""), "{}", lines[0]);
    // All of the flow, what came since its record too.
    assert!(lines[0].contains("\"bytes_toclient\":9000054"), "{}", lines[0]);
    assert!(lines[1].contains("\"end_reason\":\"rst\""), "{}", lines[1]);
    type_in(&mut view, "/nothing");
    view.key(Key::Enter);
    assert_eq!(view.key(Key::Char('e')), Action::Draw);
    assert!(drawn(&mut view, 80, 24)[23].contains("no flow is shown"));
}

#[test]
fn totals_stay_on_view_at_the_end() {
    let mut view = some();
    view.end(&Tick { now: at(60), flows: 3, ..Tick::default() });
    let rows = drawn(&mut view, 80, 24);
    assert!(rows[0].starts_with("eth0 ended  03:05:05"), "{}", rows[0]);
    assert_eq!(view.order, Order::Bytes);
    view.say("12 flows");
    assert_eq!(drawn(&mut view, 80, 24)[23], "12 flows  ? help");
    assert_eq!(view.key(Key::Char('q')), Action::Quit);
}

#[test]
fn without_colors_cells_have_none() {
    let colors = |view: &mut View| {
        let mut terminal = terminal_of(80, 24);
        terminal.draw(|frame| view.draw(frame)).unwrap();
        let cells = terminal.backend().buffer().content();
        cells.iter().filter(|cell| cell.fg != ratatui_core::style::Color::Reset).count()
    };
    assert!(colors(&mut some()) > 0);
    assert_eq!(colors(&mut some().colors(false)), 0);
}

fn keys() -> impl Strategy<Value = Vec<Key>> {
    let chars = prop_oneof![
        prop::sample::select("/?sepqkjgG =<x1".chars().collect::<Vec<_>>()),
        any::<char>()
    ];
    let others = [
        Key::Enter,
        Key::Esc,
        Key::Backspace,
        Key::Up,
        Key::Down,
        Key::PageUp,
        Key::PageDown,
        Key::Home,
        Key::End,
    ];
    let key = prop_oneof![chars.prop_map(Key::Char), prop::sample::select(others.to_vec())];
    prop::collection::vec(key, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_key_and_no_size_panics(keys in keys(), width in 1_u16..130, height in 1_u16..40) {
        let mut view = some();
        for key in keys {
            view.key(key);
            let rows = drawn(&mut view, width, height);
            prop_assert_eq!(rows.len(), usize::from(height));
        }
    }
}

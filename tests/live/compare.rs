//! A live capture against the file that tcpdump made at the same time.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use flowscope::core::{FlowSide, Ledger, Loss, Orientation, PacketSource, PacketView, Timestamp};
use flowscope::driver::{
    ChecksumStats, Checksums, Driver, DriverConfig, FlowDriver, SessionEvent, StopReason,
};
use flowscope::extract::FiveTupleKey;
use flowscope::http::HttpMessage;
use flowscope::pcap::CaptureReader;
use flowscope::tls::TlsMessage;
use flowscope::track::{EndReason, FlowEvent, FlowId, FlowRef, FlowStats};
use flowscope_testkit::Packet;
use flowscope_tests::session::{AppRecord, EXTRACTOR, protocols};
use netring::{AsyncDriver, Progress, Stats};

use crate::capture::{Session, Stream, Watched};

/// Both streams saw the frames of the file, in their order. What came out of them is, to the
/// nanosecond, what the synchronous drivers say of the frames that they recorded themselves; and, but
/// for the times, what those say of tcpdump's: each capture looks at the clock for itself.
pub(crate) fn agree(watched: &Watched) {
    let Watched { file, flows, sessions } = watched;
    let driver = || FlowDriver::with_config(EXTRACTOR, netring::default_config());
    stream_agrees("flows", flows, &packets(file), driver, |event| event.flow().ts);
    sessions_agree(sessions, file);
}

/// The same of a stream of sessions alone.
pub(crate) fn sessions_agree(sessions: &Stream<Session>, file: &Path) {
    let driver = || Driver::with_config(EXTRACTOR, protocols(), netring::default_config());
    stream_agrees("sessions", sessions, &packets(file), driver, |event| event.flow().ts);
}

/// As [`agree`] where several cores work: what comes in while something goes out has no one order, so
/// each flow is compared by itself: its counters and its end, and what each side said.
pub(crate) fn agree_by_flow(watched: &Watched) {
    let file = packets(&watched.file);
    let sorted = |packets: &[Packet]| {
        let mut frames: Vec<_> =
            frames(packets).into_iter().map(|(len, bytes)| (len, bytes.to_vec())).collect();
        frames.sort_unstable();
        frames
    };
    let all = sorted(&file);
    let Watched { flows, sessions, .. } = watched;
    for tap in [&flows.tap, &sessions.tap] {
        same("frames", &sorted(&packets(tap)), &all);
    }

    let driver = FlowDriver::with_config(EXTRACTOR, netring::default_config());
    let sync = run(driver, &file, Timestamp::ZERO);
    let ends = |events: &[FlowEvent<FiveTupleKey>]| {
        counters(events.iter().filter_map(|event| match event {
            FlowEvent::Ended { flow, reason, stats, .. } => Some((flow, Some(*reason), &**stats)),
            FlowEvent::Late { flow, stats } => Some((flow, None, &**stats)),
            _ => None,
        }))
    };
    same("flows", &ends(&flows.events), &ends(&sync.events));
    accounted(&flows.stats, &sync.ledgers, file.len());
    sessions_agree_by_flow(&sessions.events, &sessions.stats, &file);
}

/// The same of sessions alone, from any number of workers.
pub(crate) fn sessions_agree_by_flow(sessions: &[Session], stats: &Stats, file: &[Packet]) {
    let driver = Driver::with_config(EXTRACTOR, protocols(), netring::default_config());
    let sync = run(driver, file, Timestamp::ZERO);
    let ends = |events: &[Session]| {
        counters(events.iter().filter_map(|event| match event {
            SessionEvent::Closed { flow, reason, stats, .. } => {
                Some((flow, Some(*reason), &**stats))
            }
            SessionEvent::Flow(FlowEvent::Late { flow, stats }) => Some((flow, None, &**stats)),
            _ => None,
        }))
    };
    same("flows with sessions", &ends(sessions), &ends(&sync.events));
    same("sessions", &dialogues(sessions), &dialogues(&sync.events));
    accounted(stats, &sync.ledgers, file.len());
}

/// What a flow came to.
#[derive(Debug, Default)]
struct Totals {
    end: String,
    /// Packets and bytes, late ones included, initiator first.
    sides: [[u64; 2]; 2],
}

/// Flows that ended, in no order: how many packets and bytes both sides sent, late ones included, and
/// why each ended. A reset that one side sends while the other finishes may come before or after.
fn counters<'a>(
    ended: impl Iterator<Item = (&'a FlowRef<FiveTupleKey>, Option<EndReason>, &'a FlowStats)>,
) -> Vec<String> {
    // Each worker has numbers of its own.
    let mut flows: HashMap<(FiveTupleKey, FlowId), Totals> = HashMap::new();
    for (flow, reason, stats) in ended {
        let late = stats.late.map(|late| late.sides).unwrap_or_default();
        let sides = [FlowSide::Initiator, FlowSide::Responder].map(|side| {
            let (own, late) = (stats.side(side).counters, late[side.index()]);
            [own.packets + late.packets, own.wire_bytes + late.wire_bytes]
        });
        let totals = flows.entry((flow.key, flow.id)).or_default();
        totals.sides = sides;
        match reason {
            Some(EndReason::Fin | EndReason::Rst) => totals.end = "by itself".to_owned(),
            Some(reason) => totals.end = format!("{reason:?}"),
            None => {}
        }
    }
    let lines = flows.into_iter().map(|((key, _), totals)| format!("{key:?} {totals:?}"));
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    lines
}

/// What each side of each flow said, in its order.
fn dialogues(events: &[Session]) -> Vec<(String, Vec<String>)> {
    let mut dialogues: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events {
        if let SessionEvent::Application { flow, message, .. } = event {
            let name = format!("{:?} {:?}", flow.key, message.side());
            dialogues.entry(name).or_default().extend(timeless(&[message]));
        }
    }
    dialogues.into_iter().collect()
}

fn stream_agrees<D: AsyncDriver>(
    what: &str,
    live: &Stream<D::Event>,
    file: &[Packet],
    driver: impl Fn() -> D,
    when: impl Fn(&D::Event) -> Timestamp,
) where
    D::Event: Debug + PartialEq,
{
    let tap = packets(&live.tap);
    same(&format!("frames of {what}"), &frames(&tap), &frames(file));
    let apart = tap.iter().zip(file).map(|(a, b)| a.ts.since(b.ts).max(b.ts.since(a.ts))).max();
    assert!(apart < Some(Duration::from_secs(10)), "the same clock: {apart:?}");

    // Live, time goes on after the last packet, until what is still open is ended.
    let passed = live.events.last().map(when).expect("something was seen");
    let sync = run(driver(), &tap, passed);
    same(what, &live.events, &sync.events);
    accounted(&live.stats, &sync.ledgers, tap.len());
    assert_eq!(live.stats.clock_backwards, sync.backwards);

    let sync = run(driver(), file, Timestamp::ZERO);
    same(&format!("{what}, without times"), &timeless(&live.events), &timeless(&sync.events));
    accounted(&live.stats, &sync.ledgers, file.len());
}

/// The source lost nothing, and everything became what became of it in the file.
fn accounted(live: &Stats, file: &[Ledger; 2], packets: usize) {
    let packets = packets as u64;
    assert_eq!([&live.packets, &live.bytes], file.each_ref());
    assert_eq!((live.arrived, live.packets.seen()), (Some(packets), packets));
    assert_eq!(live.packets.lost(Loss::KernelDrop), 0);
    assert_eq!((live.waiting, live.pending), (0, 0));
}

/// What a synchronous driver says.
struct Ran<T> {
    events: Vec<T>,
    /// Where packets and bytes went.
    ledgers: [Ledger; 2],
    /// Packets with an earlier time than one before.
    backwards: u64,
}

/// Runs packets through a synchronous driver; time then goes on until `passed`.
fn run<D: AsyncDriver>(mut driver: D, packets: &[Packet], passed: Timestamp) -> Ran<D::Event> {
    let mut events = Vec::new();
    for packet in packets {
        driver.handle_batch(&[packet.view()]);
        events.extend(std::iter::from_fn(|| driver.poll_event()));
    }
    while driver.handle_timeout(passed) == Progress::More {}
    while driver.finish_some(EndReason::Shutdown, usize::MAX) == Progress::More {}
    events.extend(std::iter::from_fn(|| driver.poll_event()));
    let ledgers = [driver.packets(), driver.bytes()];
    Ran { events, ledgers, backwards: driver.clock().backwards() }
}

/// Frames as they were on the wire.
fn frames(packets: &[Packet]) -> Vec<(u32, &[u8])> {
    packets.iter().map(|packet| (packet.wire_len, &packet.bytes[..])).collect()
}

/// Events as text in which every time is left out: points in time, and the two that stand for the
/// way to either end.
fn timeless<T: Debug>(events: &[T]) -> Vec<String> {
    let one = |event: &T| {
        let mut text = format!("{event:?}");
        for (begin, end) in [("Timestamp(", ')'), ("syn_rtt: ", ','), ("ack_rtt: ", ',')] {
            let mut parts = text.split(begin);
            let first = parts.next().unwrap_or_default().to_owned();
            text = parts.fold(first, |text, part| {
                let rest = part.split_once(end).map_or("", |(_, rest)| rest);
                format!("{text}{begin}{end}{rest}")
            });
        }
        text
    };
    events.iter().map(one).collect()
}

/// The same items in the same order; tells where they begin to differ if not.
fn same<T: Debug + PartialEq>(what: &str, live: &[T], file: &[T]) {
    let first = live.iter().zip(file).position(|(live, file)| live != file);
    let Some(at) = first.or_else(|| (live.len() != file.len()).then(|| live.len().min(file.len())))
    else {
        assert!(!live.is_empty(), "there are {what}");
        return;
    };
    let around = |items: &[T]| -> String {
        let from = at.saturating_sub(1);
        let lines = items.iter().enumerate().skip(from).take(4);
        lines.map(|(n, item)| format!("{n:6} {:.300}\n", format!("{item:?}"))).collect()
    };
    panic!(
        "{what}, {} live and {} of the file, differ at {at}.\nlive:\n{}file:\n{}",
        live.len(),
        file.len(),
        around(live),
        around(file)
    );
}

/// All packets of a capture file.
pub(crate) fn packets(file: &Path) -> Vec<Packet> {
    let mut reader = CaptureReader::open(file).expect("a capture");
    let mut packets = Vec::new();
    let mut keep = |views: &[PacketView<'_>]| {
        packets.extend(views.iter().map(|view| Packet {
            bytes: view.frame().to_vec(),
            link: view.link(),
            ts: view.ts(),
            wire_len: view.wire_len(),
            vlan: view.vlan(),
        }));
    };
    while reader.next_batch(&mut keep).expect("undamaged") > 0 {}
    packets
}

/// What the checksums of a file's packets say.
pub(crate) fn checksums(file: &Path) -> ChecksumStats {
    let config = DriverConfig::default().checksums(Checksums::Count);
    let mut driver = FlowDriver::with_config(EXTRACTOR, config);
    for packet in packets(file) {
        driver.handle_packet(packet.view());
    }
    driver.checksums()
}

/// Everything that was said, a line for each head, hello and message; gaps and errors too.
pub(crate) fn said(sessions: &[Session]) -> Vec<String> {
    sessions.iter().filter_map(line).collect()
}

fn line(event: &Session) -> Option<String> {
    Some(match event {
        SessionEvent::Application { message, .. } => match message {
            AppRecord::Http(HttpMessage::Request(request)) => {
                format!("{} {}", request.method(), request.target().escape_ascii())
            }
            AppRecord::Http(HttpMessage::Response(response)) => {
                format!("{} {:?}", response.status(), response.framing)
            }
            AppRecord::Http(HttpMessage::End(end)) if end.is_complete() => return None,
            AppRecord::Tls(TlsMessage::ClientHello(hello)) => {
                format!("hello {}", hello.server_name().unwrap_or(b"-").escape_ascii())
            }
            AppRecord::Tls(TlsMessage::ServerHello(hello)) => format!("server {}", hello.version()),
            AppRecord::Tls(TlsMessage::ServerKeyExchange { group, .. }) => format!("group {group}"),
            AppRecord::Tls(TlsMessage::Certificate(chain)) => {
                format!("certificates {}", chain.certificates().count())
            }
            AppRecord::Tls(TlsMessage::Encrypted { .. }) => return None,
            // Without its identifier.
            AppRecord::Dns(message) => {
                let text = message.to_string();
                let rest = text.split_once(' ').map_or("", |(_, rest)| rest);
                let answers = message.answers().len();
                format!("{:?} {rest}, {answers} answers", message.transport)
            }
            other => format!("{other:?}"),
        },
        SessionEvent::Started { .. }
        | SessionEvent::ParserChosen { .. }
        | SessionEvent::ParserStopped { why: StopReason::Done | StopReason::GaveUp, .. }
        | SessionEvent::Closed { .. }
        | SessionEvent::Flow(FlowEvent::Late { .. }) => return None,
        other => format!("{other:?}"),
    })
}

/// Every flow that ended, sorted: what it came in, its protocol, the responder, and why.
pub(crate) fn ended(flows: &[FlowEvent<FiveTupleKey>]) -> Vec<String> {
    let events = flows.iter();
    let mut lines: Vec<String> = events
        .filter_map(|event| match event {
            FlowEvent::Ended { flow, reason, stats, .. } => {
                let responder = match stats.orientation {
                    Orientation::Forward => flow.key.b(),
                    Orientation::Reverse => flow.key.a(),
                };
                let layers: String = stats.path.iter().map(|layer| format!("{layer}, ")).collect();
                Some(format!("{layers}{} {responder} {reason:?}", flow.key.proto()))
            }
            _ => None,
        })
        .collect();
    lines.sort();
    lines
}

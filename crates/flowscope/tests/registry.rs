//! The registry: what it lists, and that it finds what it lists.

use std::collections::BTreeSet;

use flowscope::core::{PacketSource, SessionParser};
use flowscope::driver::{Driver, Protocols, Recognition, SessionEvent};
use flowscope::extract::FiveTuple;
use flowscope::pcap::CaptureReader;
use flowscope::protocols::{self, AppRecord, Registry, Selection};
use flowscope::record::ParserOptions;
use flowscope::track::EndReason;

#[test]
fn names_and_ports_are_unambiguous() {
    let mut names = BTreeSet::new();
    let mut ports = BTreeSet::new();
    for protocol in protocols::all() {
        assert!(names.insert(protocol.name), "{} is listed twice", protocol.name);
        assert_eq!(protocol.name, protocol.schema.name());
        assert!(!protocol.records.is_empty(), "{} does not say what has a record", protocol.name);
        let tcp = protocol.ports.tcp.iter().map(|port| ("tcp", port));
        for port in tcp.chain(protocol.ports.udp.iter().map(|port| ("udp", port))) {
            assert!(ports.insert(port), "{port:?} is a port of two protocols");
        }
    }
    let listening: BTreeSet<_> = protocols::listening_ports().collect();
    assert_eq!(listening, ports.iter().map(|(_, port)| **port).collect());
}

#[test]
fn what_begins_within_another_protocol_needs_that_one() {
    let needed = |names: &[&'static str]| -> BTreeSet<_> {
        let selection = Selection::of_names(names.iter().copied()).expect("listed");
        selection.with_carriers().protocols().map(|protocol| protocol.name).collect()
    };
    let carriers: BTreeSet<_> =
        protocols::all().iter().filter(|it| it.carries).map(|it| it.name).collect();
    for name in ["tls", "websocket", "ftp-data"] {
        assert_eq!(needed(&[name]), carriers.iter().copied().chain([name]).collect(), "{name}");
    }
    let dns = needed(&["dns"]);
    assert!(dns.contains("socks") && dns.contains("tls") && !dns.contains("http"));
    assert!(needed(&["dns", "ssh"]).contains("http"));
    for name in ["dhcp", "ntp", "quic"] {
        assert_eq!(needed(&[name]), [name].into(), "{name}");
    }
}

#[test]
fn a_selection_is_made_by_name() {
    let names = |selection: Selection| -> Vec<_> {
        selection.protocols().map(|protocol| protocol.name).collect()
    };
    let all: Vec<_> = protocols::all().iter().map(|protocol| protocol.name).collect();
    assert_eq!(names(Selection::ALL), all);
    assert_eq!(names(Selection::NONE), [""; 0]);
    for name in all {
        assert_eq!(Selection::NONE.with(name).map(names), Some(vec![name]));
    }
    assert_eq!(Selection::NONE.with("carrier pigeon"), None);
}

/// What a program makes of records: those of the registry, and those of its own parser.
enum Mixed {
    Listed(AppRecord),
    Bytes(usize),
}

impl From<AppRecord> for Mixed {
    fn from(record: AppRecord) -> Self {
        Mixed::Listed(record)
    }
}

/// Counts bytes.
#[derive(Clone, Default)]
struct Count;

impl SessionParser for Count {
    type Message = usize;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<usize> {
        vec![bytes.len()]
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<usize> {
        vec![bytes.len()]
    }
}

/// Names of the protocols of all records of the mixed capture.
fn found(protocols: Protocols<Mixed, Registry>) -> BTreeSet<&'static str> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/mixed.pcapng");
    let mut capture = CaptureReader::open(path).expect("a bundled capture");
    let mut driver = Driver::new(FiveTuple::bidirectional(), protocols);
    while capture.next_batch(&mut |packets| driver.handle_batch(packets)).expect("sound") > 0 {}
    driver.finish(EndReason::EndOfInput);
    let mut found = BTreeSet::new();
    while let Some(event) = driver.poll_event() {
        if let SessionEvent::Application { message, .. } = event {
            found.insert(match message {
                Mixed::Listed(record) => record.protocol(),
                Mixed::Bytes(0) => "nothing",
                Mixed::Bytes(_) => "count",
            });
        }
    }
    found
}

#[test]
fn listed_protocols_and_one_of_the_programs_own_share_a_flow_table() {
    let own = Recognition::by_ports([7001]);
    let protocols = protocols::registered().stream("count", Count, own, Mixed::Bytes);
    let found = found(protocols);
    assert!(found.is_superset(&["dns", "http", "count", "tls"].into()), "{found:?}");
}

#[test]
fn only_selected_protocols_are_read() {
    let only = Selection::NONE.with("tls").expect("listed");
    let registry = Registry::new(only, &ParserOptions::default());
    assert_eq!(found(Protocols::with_set(registry)), ["tls"].into());
}

//! The driver: fragments, quoted packets and checksums on their way to the flow table.

use flowscope::core::{FlowSide, LinkType, Loss, PacketView, Progress, TcpFlags, Timestamp};
use flowscope::driver::{
    Checksums, DriverConfig, FlowDriver, Protocols, SessionEngine, SessionSink,
};
use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope::track::{Change, EndReason, Flow, FlowEvent, FlowId, FlowStats};
use flowscope_testkit::{Dialogue, frame};

type Driver = FlowDriver<AutoDetectEncap<FiveTuple>>;

fn driver(config: DriverConfig) -> Driver {
    FlowDriver::with_config(AutoDetectEncap(FiveTuple::bidirectional()), config)
}

/// Ethernet frames, a millisecond apart.
fn run(driver: &mut Driver, frames: &[Vec<u8>]) -> Vec<FlowEvent<FiveTupleKey>> {
    let at = |i: usize| Timestamp::from_nanos(1_000_000_000 + i as u64 * 1_000_000);
    let views: Vec<_> = frames
        .iter()
        .enumerate()
        .map(|(i, frame)| PacketView::new(frame, LinkType::ETHERNET, at(i)))
        .collect();
    driver.handle_batch(&views);
    driver.finish(EndReason::EndOfInput);
    std::iter::from_fn(|| driver.poll_event()).collect()
}

/// What a flow's state is worth when its entry is removed.
#[derive(Default)]
struct Removals {
    closed: usize,
    removed: Vec<(FlowId, EndReason, u64, usize)>,
}

impl<K, M> SessionSink<K, M, Vec<&'static str>> for Removals {
    fn flow(&mut self, flow: Flow<'_, K, Vec<&'static str>>, change: Change) {
        match change {
            Change::Ended { .. } => {
                self.closed += 1;
                flow.state.push("ended");
            }
            Change::Late => flow.state.push("late"),
            _ => {}
        }
    }

    fn removed(&mut self, flow: Flow<'_, K, Vec<&'static str>>, reason: EndReason) {
        let packets = flow.stats().initiator.counters.packets;
        self.removed.push((flow.id, reason, packets, flow.state.len()));
    }
}

#[test]
fn a_session_sink_hears_once_when_the_entry_of_a_flow_is_removed() {
    let talk = |port: u16| Dialogue::tcp(&format!("10.0.0.1:{port}"), "10.0.0.2:9");
    let closed = talk(1).handshake().close(FlowSide::Initiator);
    let closed = closed.segment(FlowSide::Initiator, 1002, 5002, TcpFlags::ACK, b"");
    let packets = [closed.build(), talk(2).handshake().build()].concat();
    let views: Vec<_> =
        packets.iter().map(|(ts, frame)| PacketView::new(frame, LinkType::ETHERNET, *ts)).collect();
    let extractor = AutoDetectEncap(FiveTuple::bidirectional());
    let mut driver = SessionEngine::<_, Protocols<()>, _>::with_state(
        extractor,
        Protocols::new(),
        DriverConfig::default(),
        |_| Vec::new(),
    );
    let mut removals = Removals::default();
    driver.handle_batch_with(&views, &mut removals);
    assert_eq!((removals.closed, removals.removed.len()), (1, 0), "the closed one lingers");
    driver.finish_with(EndReason::EndOfInput, &mut removals);
    let expected = [(FlowId(1), EndReason::Fin, 5, 2), (FlowId(9), EndReason::EndOfInput, 2, 1)];
    assert_eq!(removals.removed, expected);
}

fn ends(events: &[FlowEvent<FiveTupleKey>]) -> Vec<(String, FlowStats)> {
    events
        .iter()
        .filter_map(|event| match event {
            FlowEvent::Ended { flow, stats, .. } => Some((flow.key.to_string(), (**stats).clone())),
            _ => None,
        })
        .collect()
}

fn large_datagram() -> flowscope_testkit::Frame {
    frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(5000, 6000).payload([7; 3000])
}

#[test]
fn every_fragment_counts_in_the_flow_of_its_datagram() {
    let pieces = large_datagram().fragments(77, 1400);
    assert_eq!(pieces.len(), 3);
    for order in [[0, 1, 2], [2, 0, 1]] {
        let frames = order.map(|i| pieces[i].clone());
        let mut driver = driver(DriverConfig::default());
        let ends = ends(&run(&mut driver, &frames));
        assert_eq!(ends.len(), 1);
        let (key, stats) = &ends[0];
        assert_eq!(key, "10.0.0.1:5000 <-> 10.0.0.2:6000");
        let sent = stats.initiator.counters;
        let wire: usize = pieces.iter().map(Vec::len).sum();
        assert_eq!((sent.packets, sent.wire_bytes, sent.payload_bytes), (3, wire as u64, 3000));
        assert_eq!(stats.first_seen, Timestamp::from_secs(1));
        assert_eq!(stats.last_seen, Timestamp::from_nanos(1_002_000_000));
        assert_eq!((driver.packets().delivered(), driver.packets().seen()), (3, 3));
    }
}

#[test]
fn fragments_that_stay_alone_are_in_the_ledger() {
    let mut pieces = large_datagram().fragments(77, 1400);
    pieces.remove(1);
    let mut driver = driver(DriverConfig::default());
    assert!(ends(&run(&mut driver, &pieces)).is_empty());
    assert_eq!(driver.packets().lost(Loss::FragIncomplete), 2);
}

#[test]
fn joining_can_be_left_out() {
    let mut driver = driver(DriverConfig::default().fragments(None));
    run(&mut driver, &large_datagram().fragments(77, 1400));
    assert_eq!(driver.packets().lost(Loss::FragIncomplete), 3);
}

#[test]
fn an_icmp_error_is_told_to_the_flow_it_quotes_and_counts_in_its_own() {
    let syn = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").syn().build().remove(0).1;
    // The quote: IP header and eight bytes, as RFC 792 asks for.
    let error = frame().ethernet().ipv4("10.0.0.254", "10.0.0.1").icmp(3, 1).payload(&syn[14..42]);
    let events = run(&mut driver(DriverConfig::default()), &[syn, error.build()]);
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            FlowEvent::IcmpError { flow, icmp, side } => {
                Some((flow.id.0, icmp.kind, icmp.code, *side))
            }
            _ => None,
        })
        .collect();
    assert_eq!(told, [(1, 3, 1, flowscope::core::FlowSide::Initiator)]);
    let ends = ends(&events);
    let packets: Vec<u64> = ends.iter().map(|(_, s)| s.initiator.counters.packets).collect();
    assert_eq!(packets, [1, 1], "the quoted packet is no traffic");
}

#[test]
fn wrong_checksums_are_left_alone_counted_or_excluded() {
    let script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").handshake();
    let mut frames: Vec<Vec<u8>> = script
        .data(flowscope::core::FlowSide::Initiator, b"GET")
        .build()
        .into_iter()
        .map(|(_, frame)| frame)
        .collect();
    // An insertion attack: a reset in sequence that the receiver drops.
    let reset = frame()
        .ethernet()
        .ipv4("10.0.0.1", "10.0.0.2")
        .tcp(40000, 80)
        .seq(1004)
        .flags(flowscope::core::TcpFlags::RST)
        .checksum(0xbad0);
    frames.push(reset.build());
    let outcome = |policy| {
        let mut driver = driver(DriverConfig::default().checksums(policy));
        let events = run(&mut driver, &frames);
        let FlowEvent::Ended { reason, stats, .. } = events.last().unwrap() else { panic!() };
        (
            *reason,
            stats.initiator.counters.packets,
            stats.initiator.bad_checksums,
            driver.checksums().bad,
        )
    };
    assert_eq!(outcome(Checksums::Off), (EndReason::Rst, 4, 0, 0));
    assert_eq!(outcome(Checksums::Count), (EndReason::Rst, 4, 0, 1));
    assert_eq!(outcome(Checksums::Exclude), (EndReason::EndOfInput, 4, 1, 1));
}

/// Hosts leave checksums to their network card as 0 (Windows, VMware) or as the sum of the pseudo-header
/// (Linux); captured before the card, such packets are as good as any.
#[test]
fn checksums_of_zero_count_as_offloaded() {
    let flags = flowscope::core::TcpFlags::SYN;
    let v4 = || frame().ethernet().ipv4("10.0.0.1", "10.0.0.2");
    let v6 = frame().ethernet().ipv6("2001:db8::1", "2001:db8::2");
    let frames = [
        v4().checksum(0).tcp(1, 80).flags(flags).checksum(0).build(),
        v4().checksum(0).tcp(2, 80).flags(flags).build(),
        v4().tcp(3, 80).flags(flags).checksum(0).build(),
        v6.tcp(4, 80).flags(flags).checksum(0).build(),
        // Wrong, and 0 elsewhere.
        v4().checksum(0).tcp(5, 80).flags(flags).checksum(0xbad0).build(),
        v4().checksum(0xbad0).tcp(6, 80).flags(flags).checksum(0).build(),
    ];
    let mut driver = driver(DriverConfig::default().checksums(Checksums::Exclude));
    run(&mut driver, &frames);
    assert_eq!((driver.checksums().offloaded, driver.checksums().bad), (4, 2));
}

#[test]
fn batches_of_any_size_give_the_same() {
    let mut frames = large_datagram().fragments(9, 600);
    for (i, (_, packet)) in Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80")
        .handshake()
        .data(flowscope::core::FlowSide::Responder, b"mixed in")
        .build()
        .into_iter()
        .enumerate()
    {
        frames.insert(i * 2, packet);
    }
    let whole = run(&mut driver(DriverConfig::default()), &frames);
    let mut one_by_one = driver(DriverConfig::default());
    let mut events = Vec::new();
    for (i, frame) in frames.iter().enumerate() {
        let ts = Timestamp::from_nanos(1_000_000_000 + i as u64 * 1_000_000);
        one_by_one.handle_packet(PacketView::new(frame, LinkType::ETHERNET, ts));
        events.extend(std::iter::from_fn(|| one_by_one.poll_event()));
    }
    one_by_one.finish(EndReason::EndOfInput);
    events.extend(std::iter::from_fn(|| one_by_one.poll_event()));
    assert_eq!(events, whole);
}

#[test]
fn a_timeout_with_more_incomplete_datagrams_than_one_call_gives_up_reports_more() {
    let mut driver = driver(DriverConfig::default());
    let start = Timestamp::from_secs(1);
    for id in 1..=100 {
        let piece = &large_datagram().fragments(id, 1400)[0];
        driver.handle_packet(PacketView::new(piece, LinkType::ETHERNET, start));
    }
    assert_eq!(driver.pending_fragments(), 100);
    let now = driver.poll_timeout().unwrap().saturating_add(std::time::Duration::from_secs(1));
    assert_eq!(driver.handle_timeout(now), Progress::More);
    while driver.handle_timeout(now) == Progress::More {}
    assert_eq!(driver.pending_fragments(), 0);
    assert_eq!(driver.packets().lost(Loss::FragIncomplete), 100);
}

#[test]
fn what_is_refused_is_named() {
    let arp = || frame().ethernet().next(0x0806).payload([0; 28]).build();
    let lldp = frame().ethernet().vlan(7).next(0x88cc).payload([2, 7, 4]).build();
    let mut driver = driver(DriverConfig::default());
    run(&mut driver, &[arp(), lldp, arp()]);
    let named: Vec<String> =
        driver.unread().by_count().iter().map(|(header, n)| format!("{n} {header}")).collect();
    assert_eq!(named, ["2 ethertype arp", "1 ethertype lldp"]);
    assert_eq!(driver.packets().lost(Loss::NotAFlow), 3);
}

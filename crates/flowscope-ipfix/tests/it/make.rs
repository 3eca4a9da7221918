//! Flow records of any content.

use std::net::SocketAddr;
use std::time::Duration;

use flowscope_core::{FlowSide, L4Proto, Layer, Path, PathLayer, TcpFlags, Timestamp};
use flowscope_driver::FlowDriver;
use flowscope_extract::{FiveTuple, FiveTupleKey};
use flowscope_output::{FlowRecord, FlowRecordKind, FlowRecordSide, RecordHeader};
use flowscope_testkit::{Dialogue, views};
use flowscope_track::{ConnState, Counters, EndReason, Flow, FlowSink};
use proptest::prelude::*;

#[derive(Default)]
struct Records(Vec<FlowRecord>);

impl FlowSink<FiveTupleKey, ()> for Records {
    fn removed(&mut self, flow: Flow<'_, FiveTupleKey, ()>, reason: EndReason) {
        self.0.push(FlowRecord::of_removed(&flow, reason));
    }
}

/// The record of one datagram.
pub(crate) fn plain() -> FlowRecord {
    let talk = Dialogue::udp("10.0.0.1:4000", "10.0.0.2:53").at(1_767_323_045);
    let packets = talk.datagram(FlowSide::Initiator, [0; 30]).build();
    let packets: Vec<_> = views(&packets).collect();
    let mut driver = FlowDriver::new(FiveTuple::bidirectional());
    let mut records = Records::default();
    driver.handle_batch_with(&packets, &mut records);
    driver.finish_with(EndReason::EndOfInput, &mut records);
    records.0.pop().unwrap()
}

/// One with the longest values that there are.
pub(crate) fn largest() -> FlowRecord {
    let mut record = plain();
    let ends = ["[2001:db8::1]:65535", "[2001:db8::2]:65535"].map(|end| end.parse().unwrap());
    record.header = header(L4Proto::Tcp, ends, 1);
    let mut path = Path::EMPTY;
    for _ in 0..8 {
        let _ = path.push(PathLayer { layer: Layer::Pseudowire, id: u32::MAX });
    }
    record.header = record.header.path(path);
    let long = "ü".repeat(300).leak();
    record.app_proto = Some(long);
    record.header.within = Some(long);
    record
}

fn header(proto: L4Proto, [src, dst]: [SocketAddr; 2], flow_id: u64) -> RecordHeader {
    let (key, orientation) = FiveTupleKey::new(proto, src, dst).unwrap();
    RecordHeader::new(Timestamp::from_secs(5), flow_id, key, orientation)
}

fn sides() -> impl Strategy<Value = FlowRecordSide> {
    (any::<[u64; 4]>(), any::<[u32; 4]>(), any::<u64>(), any::<u8>()).prop_map(
        |([packets, wire_bytes, ip_bytes, payload_bytes], [a, b, c, d], gap_bytes, flags)| {
            let mut side = FlowRecordSide::default();
            side.counters = Counters { packets, wire_bytes, ip_bytes, payload_bytes };
            side.tcp_flags = TcpFlags(flags);
            (side.retransmits, side.out_of_order) = (a, b);
            (side.duplicate_acks, side.zero_windows) = (c, d);
            side.gap_bytes = gap_bytes;
            side
        },
    )
}

fn headers() -> impl Strategy<Value = RecordHeader> {
    let ends = prop_oneof![
        any::<[(std::net::Ipv4Addr, u16); 2]>()
            .prop_map(|ends| ends.map(|(addr, port)| SocketAddr::from((addr, port)))),
        any::<[(std::net::Ipv6Addr, u16); 2]>()
            .prop_map(|ends| ends.map(|(addr, port)| SocketAddr::from((addr, port)))),
    ];
    let proto = prop_oneof![Just(L4Proto::Tcp), Just(L4Proto::Udp), Just(L4Proto::Other(47))];
    let layers = prop::collection::vec(
        (
            prop::sample::select(vec![Layer::Vlan, Layer::Vxlan, Layer::Nvgre, Layer::Gre]),
            1_u32..4095,
        ),
        0..4,
    );
    (proto, ends, any::<u64>(), layers, any::<u16>()).prop_map(
        |(proto, ends, flow_id, layers, seed)| {
            let mut path = Path::EMPTY;
            for (layer, id) in layers {
                let _ = path.push(PathLayer { layer, id });
            }
            header(proto, ends, flow_id).path(path).community_id_seed(seed)
        },
    )
}

/// Any record, but for ICMP, whose keys only packets make.
pub(crate) fn records() -> impl Strategy<Value = FlowRecord> {
    let kind = prop_oneof![
        any::<u32>().prop_map(FlowRecordKind::Interim),
        Just(FlowRecordKind::Ended(EndReason::IdleTimeout)),
        Just(FlowRecordKind::Ended(EndReason::Fin)),
        Just(FlowRecordKind::Ended(EndReason::Evicted)),
        Just(FlowRecordKind::Ended(EndReason::Shutdown)),
        Just(FlowRecordKind::Late(EndReason::Rst)),
    ];
    let name = prop::sample::select(vec![None, Some("tls"), Some("http")]);
    let times = (any::<u64>(), any::<u64>(), any::<Option<u32>>());
    (headers(), [sides(), sides()], kind, name, times, any::<bool>()).prop_map(
        |(header, sides, kind, app_proto, (start, end, rtt), mid_stream)| {
            let mut record = plain();
            (record.header, record.sides, record.kind) = (header, sides, kind);
            (record.app_proto, record.mid_stream) = (app_proto, mid_stream);
            (record.start, record.end) = (Timestamp::from_nanos(start), Timestamp::from_nanos(end));
            record.syn_rtt = rtt.map(|nanos| Duration::from_nanos(nanos.into()));
            record.conn_state = ConnState::Sf;
            record
        },
    )
}

/// The records of a capture in which one side of each of two ICMP flows speaks.
pub(crate) fn icmp() -> Vec<FlowRecord> {
    use flowscope_testkit::frame;
    let at = Timestamp::from_secs(1_767_323_045);
    let packets = [
        frame().ethernet().ipv4("10.0.0.9", "10.0.0.8").echo_request(1, 1).payload([0; 8]).build(),
        frame()
            .ethernet()
            .ipv6("2001:db8::1", "2001:db8::2")
            .echo_request(1, 1)
            .payload([0; 8])
            .build(),
    ]
    .map(|frame| (at, frame));
    let packets: Vec<_> = views(&packets).collect();
    let mut driver = FlowDriver::new(FiveTuple::bidirectional());
    let mut records = Records::default();
    driver.handle_batch_with(&packets, &mut records);
    driver.finish_with(EndReason::EndOfInput, &mut records);
    records.0
}

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use flowscope_core::Timestamp;
use flowscope_ipfix::{Exporter, ExporterConfig, Refresh, messages};
use flowscope_output::{FlowRecord, FlowRecordKind, FlowRecordSide};
use flowscope_track::EndReason;
use proptest::prelude::*;

use crate::decode::{Collector, Decoded, Fields};
use crate::make;

const PEN: u32 = 4_000_000_000;

/// The bytes that a record must come to, written down from RFC 7011 and the tables of docs/IPFIX.md.
fn expected(record: &FlowRecord) -> Fields {
    let mut fields = Fields::new();
    let mut put = |number: u16, enterprise: u32, bytes: &[u8]| {
        assert!(fields.insert((number, enterprise), bytes.to_vec()).is_none(), "{number}");
    };
    let (initiator, responder) = record.header.endpoints();
    for (end, v4, v6) in [(initiator, 8, 27), (responder, 12, 28)] {
        match end.addr {
            IpAddr::V4(addr) => put(v4, 0, &addr.octets()),
            IpAddr::V6(addr) => put(v6, 0, &addr.octets()),
        }
    }
    let proto = record.header.key.proto().number();
    if let (Some(src), Some(dst)) = (initiator.port, responder.port) {
        put(7, 0, &src.to_be_bytes());
        put(11, 0, &dst.to_be_bytes());
    }
    if let Some((kind, code)) = record.header.icmp {
        put(if proto == 1 { 32 } else { 139 }, 0, &[kind, code]);
    }
    put(148, 0, &record.header.flow_id.to_be_bytes());
    put(4, 0, &[proto]);
    put(152, 0, &(record.start.as_nanos() / 1_000_000).to_be_bytes());
    put(153, 0, &(record.end.as_nanos() / 1_000_000).to_be_bytes());
    let (reason, name, interim) = match record.kind {
        FlowRecordKind::Interim(n) => (2, "active_timeout", n),
        FlowRecordKind::Ended(EndReason::IdleTimeout) => (1, "idle_timeout", 0),
        FlowRecordKind::Ended(EndReason::Fin) => (3, "fin", 0),
        FlowRecordKind::Ended(EndReason::Evicted) => (5, "evicted", 0),
        FlowRecordKind::Ended(EndReason::Shutdown) => (4, "shutdown", 0),
        FlowRecordKind::Ended(EndReason::EndOfInput) => (4, "end_of_input", 0),
        FlowRecordKind::Late(EndReason::Rst) => (3, "rst", 0),
        other => panic!("{other:?}"),
    };
    put(136, 0, &[reason]);
    put(4, PEN, name.as_bytes());
    put(7, PEN, &interim.to_be_bytes());
    put(239, 0, &[1]);
    let vlan = |at| record.header.vlans().nth(at).map_or([0; 2], |id| (id as u16).to_be_bytes());
    put(58, 0, &vlan(0));
    put(243, 0, &vlan(0));
    put(245, 0, &vlan(1));
    let overlay = record.header.tunnels().find(|(kind, _)| ["vxlan", "nvgre"].contains(kind));
    let overlay = overlay.map_or(0, |(kind, id)| {
        u64::from(id) + if kind == "vxlan" { 0x0100_0000_0000_0000 } else { 0x0200_0000_0000_0000 }
    });
    put(351, 0, &overlay.to_be_bytes());
    put(96, 0, text(record.app_proto.unwrap_or_default()));
    put(1, PEN, record.header.community_id().to_string().as_bytes());
    put(2, PEN, record.conn_state.as_str().as_bytes());
    put(3, PEN, text(record.history.as_str()));
    put(5, PEN, b"first_packet");
    put(6, PEN, &[if record.mid_stream { 1 } else { 2 }]);
    for (number, rtt) in [(8, record.syn_rtt), (9, record.ack_rtt)] {
        put(number, PEN, &(rtt.unwrap_or_default().as_nanos() as u64).to_be_bytes());
    }
    put(10, PEN, text(record.header.within.unwrap_or_default()));
    let tunnels: Vec<_> =
        record.header.tunnels().map(|(kind, id)| format!("{kind}:{id}")).collect();
    put(11, PEN, text(&tunnels.join(" ")));
    let mut side = |side: &FlowRecordSide, iana: u32, bit: u16| {
        put(1, iana, &side.counters.ip_bytes.to_be_bytes());
        put(2, iana, &side.counters.packets.to_be_bytes());
        put(352, iana, &side.counters.wire_bytes.to_be_bytes());
        put(401, iana, &side.counters.payload_bytes.to_be_bytes());
        if initiator.port.is_some() {
            put(6, iana, &[0, side.tcp_flags.0]);
        }
        put(32 | bit, PEN, &side.retransmits.to_be_bytes());
        put(33 | bit, PEN, &side.out_of_order.to_be_bytes());
        put(34 | bit, PEN, &side.duplicate_acks.to_be_bytes());
        put(35 | bit, PEN, &side.zero_windows.to_be_bytes());
        put(36 | bit, PEN, &side.gap_bytes.to_be_bytes());
    };
    side(&record.sides[0], 0, 0);
    side(&record.sides[1], 29305, 0x4000);
    fields
}

/// Text has no length of 0.
fn text(text: &str) -> &[u8] {
    if text.is_empty() { b"-" } else { text.as_bytes() }
}

fn config() -> ExporterConfig {
    ExporterConfig::datagrams().enterprise(PEN).observation_domain(77)
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1_767_323_045 + secs)
}

/// Exports records, one a second, and reads the messages.
fn session(exporter: &mut Exporter, records: &[FlowRecord], most: usize) -> Vec<Decoded> {
    let mut out = Vec::new();
    for (second, record) in (0..).zip(records) {
        exporter.record(at(second), record, &mut out);
    }
    exporter.flush(at(records.len() as u64), &mut out);
    assert_eq!(messages(&out).map(<[u8]>::len).sum::<usize>(), out.len());
    let mut collector = Collector::default();
    messages(&out)
        .map(|message| {
            assert!(message.len() <= most, "{} bytes", message.len());
            collector.read(message)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_collector_reads_the_records(
        records in prop::collection::vec(make::records(), 1..40),
        most in 1024_u16..9000,
        every in 1_u32..5,
    ) {
        let messages = NonZeroU32::new(every).unwrap();
        let refresh = Refresh { interval: Duration::from_secs(7), messages };
        let config = config().max_message(most).refresh(Some(refresh));
        let decoded = session(&mut Exporter::new(config), &records, most.into());
        let mut sequence = 0;
        for message in &decoded {
            prop_assert_eq!(message.sequence, sequence);
            prop_assert_eq!(message.domain, 77);
            sequence += message.records.len() as u32;
        }
        let read: Vec<_> = decoded.into_iter().flat_map(|message| message.records).collect();
        let written: Vec<_> = records.iter().map(expected).collect();
        prop_assert_eq!(read, written);
    }
}

#[test]
fn icmp_flows_have_type_and_code() {
    let records = make::icmp();
    assert_eq!(records.len(), 2);
    let decoded = session(&mut Exporter::new(config()), &records, 1232);
    let read: Vec<_> = decoded.iter().flat_map(|message| &message.records).collect();
    assert_eq!(read[0], &expected(&records[0]));
    assert_eq!(read[1], &expected(&records[1]));
    assert_eq!(read[0][&(32, 0)], [8, 0]);
    assert_eq!(read[1][&(139, 0)], [128, 0]);
}

#[test]
fn the_largest_record_fits_the_smallest_message() {
    let record = make::largest();
    let mut exporter = Exporter::new(config().max_message(0));
    let decoded = session(&mut exporter, &[record.clone(), record], 1024);
    assert_eq!(decoded.len(), 2);
    let name = &decoded[0].records[0][&(96, 0)];
    assert_eq!(str::from_utf8(name).unwrap(), "ü".repeat(24), "cut between characters");
}

#[test]
fn templates_are_sent_again_over_datagrams() {
    let with_templates = |config: ExporterConfig, seconds: u64| -> Vec<usize> {
        let (mut exporter, mut out) = (Exporter::new(config), Vec::new());
        let record = make::plain();
        for second in 0..seconds {
            exporter.record(at(second), &record, &mut out);
            exporter.flush(at(second), &mut out);
        }
        let mut collector = Collector::default();
        let decoded: Vec<_> = messages(&out).map(|message| collector.read(message)).collect();
        assert_eq!(decoded.len() as u64, seconds, "one message a second");
        assert_eq!(decoded[5].export_time, at(5).secs() as u32);
        (0..decoded.len()).filter(|at| !decoded[*at].templates.is_empty()).collect()
    };
    let refresh = |secs, messages| {
        let messages = NonZeroU32::new(messages).unwrap();
        Some(Refresh { interval: Duration::from_secs(secs), messages })
    };
    assert_eq!(with_templates(config().refresh(refresh(10, 1000)), 25), [0, 10, 20]);
    assert_eq!(with_templates(config().refresh(refresh(1000, 4)), 10), [0, 4, 8]);
    assert_eq!(with_templates(ExporterConfig::stream(), 100), [0]);
    assert_eq!(with_templates(ExporterConfig::datagrams(), 130), [0, 60, 120]);
}

#[test]
fn a_new_session_starts_again() {
    let mut exporter = Exporter::new(ExporterConfig::stream());
    let record = make::plain();
    let first = session(&mut exporter, &[record.clone(), record.clone()], 65535);
    assert_eq!((first[0].sequence, first[0].templates.len()), (0, 1));
    exporter.record(at(0), &record, &mut Vec::new());
    assert_eq!(exporter.restart(), 1, "what was not flushed is lost");
    let second = session(&mut exporter, &[record], 65535);
    assert_eq!((second[0].sequence, second[0].templates.len()), (0, 1));
    assert_eq!(second[0].records.len(), 1);
}

#[test]
fn streams_have_long_messages() {
    let records = vec![make::plain(); 2000];
    let decoded = session(&mut Exporter::new(ExporterConfig::stream()), &records, 65535);
    assert!(decoded.len() < 12, "{}", decoded.len());
    assert_eq!(decoded.iter().map(|message| message.records.len()).sum::<usize>(), 2000);
}

#[test]
fn a_message_may_be_as_long_as_the_setting_says() {
    let record = make::plain();
    let lengths = |most: u16| {
        let mut exporter = Exporter::new(ExporterConfig::datagrams().max_message(most));
        let (now, mut out) = (Timestamp::from_secs(1), Vec::new());
        (0..40).for_each(|_| exporter.record(now, &record, &mut out));
        exporter.flush(now, &mut out);
        messages(&out).map(<[u8]>::len).collect::<Vec<_>>()
    };
    let all = lengths(u16::MAX);
    assert_eq!(all.len(), 1);
    let whole = u16::try_from(all[0]).unwrap();
    assert!(whole > ExporterConfig::MIN_MESSAGE);
    assert_eq!(lengths(whole), all);
    assert_eq!(lengths(whole - 1).len(), 2, "the last record has no room");
    assert!(lengths(0).iter().all(|len| *len <= usize::from(ExporterConfig::MIN_MESSAGE)));
}

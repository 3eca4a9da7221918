use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_testkit::Dialogue;
use flowscope_track::FlowState;

use super::*;
use crate::merged::tests::records;

const IDLE: Duration = Duration::from_secs(300);
const LINGER: Duration = Duration::from_secs(5);

/// The record of each of these parts of a connection, the packets of which are given by number.
fn parts(talk: Dialogue, cuts: &[usize]) -> Vec<FlowRecord> {
    let packets = talk.packets();
    let mut ends = vec![0];
    ends.extend(cuts);
    ends.push(packets.len());
    let part = |ends: &[usize]| {
        let mut records = records(&packets[ends[0]..ends[1]], None);
        assert_eq!(records.len(), 1);
        records.remove(0)
    };
    ends.windows(2).map(part).collect()
}

fn merged(records: Vec<FlowRecord>) -> FlowRecord {
    let mut records = records.into_iter();
    let mut merged = MergedRecord::new(records.next().unwrap());
    for record in records {
        assert!(merged.takes(&record, IDLE, LINGER));
        merged.add(record);
    }
    merged.into_record()
}

fn talk() -> Dialogue {
    let talk = Dialogue::tcp("10.0.0.9:40000", "10.0.0.2:80").handshake().data(Initiator, b"GET");
    talk.after(50).ack_from(Responder).data(Responder, b"OK").close(Responder)
}

#[test]
fn parts_of_a_connection_have_the_record_of_the_whole() {
    let whole = parts(talk(), &[]).remove(0);
    let count = talk().packets().len();
    for first in 1..count {
        for second in first..count {
            let cuts = if first == second { vec![first] } else { vec![first, second] };
            let all = merged(parts(talk(), &cuts));
            let facts = |record: &FlowRecord| {
                let sides = record.sides.map(|side| (side.counters, side.tcp_flags));
                let header = (record.header.orientation, record.evidence);
                (record.start, record.end, sides, header, record.mid_stream, record.two_way)
            };
            assert_eq!(facts(&all), facts(&whole), "{cuts:?}");
            let letters = |record: &FlowRecord| {
                let mut letters = record.history.as_str().replace('^', "").into_bytes();
                letters.sort_unstable();
                String::from_utf8(letters).unwrap()
            };
            assert_eq!(letters(&all), letters(&whole), "{cuts:?}");
            assert_eq!(all.conn_state, whole.conn_state, "{cuts:?}: {}", all.history);
            assert_eq!(all.conn_state, ConnState::Sf);
        }
    }
}

#[test]
fn a_single_record_stays_what_it_is() {
    for record in parts(talk(), &[4]) {
        let alone = MergedRecord::new(record.clone()).into_record();
        assert_eq!(format!("{alone:?}"), format!("{record:?}"));
    }
}

#[test]
fn which_records_are_of_one_connection() {
    let [first, second] = <[FlowRecord; 2]>::try_from(parts(talk(), &[5])).unwrap();
    let whole = parts(talk(), &[]).remove(0);
    let after = |record: &FlowRecord, silence: Duration, mut next: FlowRecord| {
        let lasted = next.duration();
        next.start = record.end + silence;
        next.end = next.start + lasted;
        MergedRecord::new(record.clone()).takes(&next, IDLE, LINGER)
    };
    let nanosecond = Duration::from_nanos(1);
    assert!(after(&first, IDLE, second.clone()));
    assert!(!after(&first, IDLE + nanosecond, second.clone()));
    assert!(!after(&first, LINGER, whole.clone()), "a SYN behind data begins another");
    assert!(after(&whole, LINGER, second.clone()), "what comes late is of the one that ended");
    assert!(!after(&whole, LINGER + nanosecond, second.clone()));
    assert!(!after(&whole, nanosecond, whole.clone()));
    assert!(!after(&whole, Duration::ZERO, whole.clone()), "the ports are used again at once");
    let syn = Dialogue::tcp("10.0.0.9:40000", "10.0.0.2:80").syn();
    let syn = parts(syn, &[]).remove(0);
    assert!(after(&syn, IDLE, whole.clone()), "a SYN that is sent again");
    assert!(MergedRecord::new(whole.clone()).takes(&whole, IDLE, LINGER), "two that overlap");
}

#[test]
fn the_end_is_that_of_the_latest_packet() {
    let [first, second] = <[FlowRecord; 2]>::try_from(parts(talk(), &[5])).unwrap();
    let interim = FlowRecord { kind: FlowRecordKind::Interim(3), ..second.clone() };
    let kind = |records: &[&FlowRecord]| merged(records.iter().copied().cloned().collect()).kind;
    assert_eq!(kind(&[&first, &second]), FlowRecordKind::Ended(EndReason::Fin));
    assert_eq!(kind(&[&first, &interim]), FlowRecordKind::Interim(3));
    let late = FlowRecord { kind: FlowRecordKind::Late(EndReason::Fin), ..second.clone() };
    assert_eq!(kind(&[&first, &late]), FlowRecordKind::Ended(EndReason::Fin));
    assert_eq!(kind(&[&late, &late]), FlowRecordKind::Late(EndReason::Fin));
}

#[test]
fn a_flow_that_was_open_is_idle_once_its_timeout_is_over() {
    let first = parts(talk(), &[5]).remove(0);
    let deadline = first.end + IDLE;
    let silent = |now| {
        let mut merged = MergedRecord::new(first.clone());
        merged.silent_until(now, IDLE, LINGER);
        merged.into_record().kind
    };
    assert_eq!(silent(deadline), FlowRecordKind::Ended(EndReason::EndOfInput));
    let idle = FlowRecordKind::Ended(EndReason::IdleTimeout);
    assert_eq!(silent(deadline + IDLE), idle);
    let mut merged = MergedRecord::new(first.clone());
    merged.followed_at(first.end, IDLE, LINGER);
    assert_eq!(merged.into_record().kind, FlowRecordKind::Ended(EndReason::Superseded));
}

/// RFC 9293 §3.3.2: where one end closes first, the other end is at the other state of the pair.
#[test]
fn each_state_has_one_at_the_other_end() {
    for (here, there) in [
        (TcpState::SynSent, TcpState::SynSent),
        (TcpState::Established, TcpState::Established),
        (TcpState::FinWait2, TcpState::CloseWait),
        (TcpState::TimeWait, TcpState::LastAck),
        (TcpState::Closed, TcpState::Closed),
    ] {
        assert_eq!((turned(here), turned(there)), (there, here));
    }
    // Before the first FIN is acknowledged.
    assert_eq!(turned(TcpState::FinWait1), TcpState::CloseWait);
    assert_eq!(turned(TcpState::Closing), TcpState::LastAck);
}

#[test]
fn interim_records_alone_have_the_counters_of_the_last() {
    let [first, second] = <[FlowRecord; 2]>::try_from(parts(talk(), &[5])).unwrap();
    let interim = |record: &FlowRecord, number, retransmits| {
        let mut record = FlowRecord { kind: FlowRecordKind::Interim(number), ..record.clone() };
        turn(&mut record, first.header.orientation);
        record.sides[0].retransmits = retransmits;
        record
    };
    let all = merged(vec![interim(&first, 1, 2), interim(&second, 2, 3)]);
    assert_eq!(all.sides[0].retransmits, 3);
    assert_eq!(all.kind, FlowRecordKind::Interim(2));
    assert_eq!(all.state, FlowState::Closed);
}

//! What a writer has written, and what it does where it cannot write.

#![allow(missing_docs)]

use std::io::{self, Write};
use std::time::Duration;

use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::{L4Proto, PacketView, TcpFlags, Timestamp};
use flowscope_driver::{DriverConfig, SessionDriver};
use flowscope_extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope_http::{HttpExchange, HttpExchanges};
use flowscope_output::{
    CsvFormat, EveFormat, FLOW, FlowRecord, FlowRecordKind, Format, RecordWriter, ZeekFormat,
};
use flowscope_testkit::{Dialogue, frame, views};
use flowscope_track::{EndReason, TrackerConfig};
use serde_json::Value;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// Takes what it is given, but for one call.
#[derive(Debug, Default)]
struct Disk {
    bytes: Vec<u8>,
    calls: usize,
    fails_at: usize,
    flushes: usize,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls == self.fails_at {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushes += 1;
        Ok(())
    }
}

impl Disk {
    fn lines(&self) -> Vec<Value> {
        let lines = self.bytes.split_inclusive(|byte| *byte == b'\n');
        lines.map(|line| serde_json::from_slice(line).expect("a line is JSON")).collect()
    }
}

type Driver = SessionDriver<AutoDetectEncap<FiveTuple>, HttpExchanges>;

fn driver(active: Option<Duration>) -> Driver {
    let config = DriverConfig::default().tracker(TrackerConfig::default().active(active));
    let extractor = AutoDetectEncap(FiveTuple::bidirectional());
    SessionDriver::with_config(extractor, HttpExchanges::default(), config)
}

/// Two connections, each with a transaction.
fn talks() -> Vec<(Timestamp, Vec<u8>)> {
    let talk = |port: u16| {
        let talk = Dialogue::tcp(&format!("10.0.0.1:{port}"), "10.0.0.2:80").at(port.into());
        talk.handshake().data(Initiator, GET).data(Responder, NO_CONTENT).close(Initiator)
    };
    [talk(40_000).build(), talk(40_100).build()].concat()
}

/// Writes the changes of flows and their messages.
fn write<'a, F: Format, W: Write>(
    packets: impl IntoIterator<Item = PacketView<'a>>,
    mut writer: RecordWriter<F, W>,
) -> io::Result<W> {
    let mut driver = driver(None);
    for view in packets {
        driver.handle_batch_with(&[view], &mut writer);
    }
    driver.finish_with(EndReason::EndOfInput, &mut writer);
    writer.finish(Timestamp::from_secs(50_000))
}

fn eve(packets: &[(Timestamp, Vec<u8>)]) -> Vec<Value> {
    let mut disk = Disk::default();
    write(views(packets), RecordWriter::with_format(EveFormat::new(), &mut disk))
        .expect("memory takes it");
    disk.lines()
}

#[test]
fn each_record_is_written_once_and_by_one_call() {
    let mut disk = Disk::default();
    write(views(&talks()), RecordWriter::with_format(EveFormat::new(), &mut disk)).unwrap();
    let events: Vec<Value> = disk.lines().iter().map(|line| line["event_type"].clone()).collect();
    assert_eq!(events, ["http", "flow", "http", "flow"]);
    assert_eq!((disk.calls, disk.flushes), (4, 1));
}

/// As the documentation of the sink says: nothing more is written, and the end returns the error.
#[test]
fn the_first_error_is_returned_and_nothing_is_written_behind_it() {
    for fails_at in 1..=4 {
        let mut disk = Disk { fails_at, ..Disk::default() };
        let writer = RecordWriter::with_format(EveFormat::new(), &mut disk);
        let error = write(views(&talks()), writer).map(drop).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!((disk.calls, disk.lines().len()), (fails_at, fails_at - 1));
    }
}

#[test]
fn the_seed_of_community_ids_is_that_of_all_records() {
    let check = |disk: &Disk| {
        assert_eq!(disk.lines().len(), 4);
        for line in disk.lines() {
            let end = |name: &str| {
                let addr = line[format!("{name}_ip")].as_str().unwrap().parse().unwrap();
                std::net::SocketAddr::new(
                    addr,
                    line[format!("{name}_port")].as_u64().unwrap() as u16,
                )
            };
            let (key, _) = FiveTupleKey::new(L4Proto::Tcp, end("src"), end("dest")).unwrap();
            let expected = key.community_id(7).to_string();
            assert_ne!(expected, key.community_id(0).to_string());
            assert_eq!(line["community_id"], *expected, "{line}");
        }
    };
    let mut disk = Disk::default();
    let writer = RecordWriter::with_format(EveFormat::new(), &mut disk).community_id_seed(7);
    write(views(&talks()), writer).unwrap();
    check(&disk);
    // Those of events too.
    let mut disk = Disk::default();
    let mut writer = RecordWriter::with_format(EveFormat::new(), &mut disk).community_id_seed(7);
    let mut driver = driver(None);
    for view in views(&talks()) {
        driver.handle_packet(view);
    }
    driver.finish(EndReason::EndOfInput);
    while let Some(event) = driver.poll_event() {
        writer.event(&event).unwrap();
    }
    writer.finish(Timestamp::ZERO).unwrap();
    check(&disk);
}

#[test]
fn a_file_without_records_has_what_stands_around_them() {
    let end = Timestamp::from_secs(1);
    let mut disk = Disk::default();
    let csv = CsvFormat::new(&[&FLOW]);
    RecordWriter::with_format(csv, &mut disk).finish(end).unwrap();
    let text = String::from_utf8(disk.bytes).unwrap();
    assert!(text.starts_with("flow_id,start,end,") && text.lines().count() == 1, "{text}");
    let mut disk = Disk::default();
    RecordWriter::with_format(ZeekFormat::tsv(), &mut disk).finish(end).unwrap();
    assert_eq!(disk.bytes, b"#close\t1970-01-01-00-00-01\n");
}

/// A connection that has ended lingers: where the input ends before it leaves, Suricata says `shutdown`.
#[test]
fn an_entry_that_lingers_when_the_input_ends_was_shut_down() {
    let reasons = |packets: &[(Timestamp, Vec<u8>)]| -> Vec<String> {
        let flows = eve(packets).into_iter().filter(|line| line["event_type"] == "flow");
        flows.map(|line| line["flow"]["reason"].as_str().unwrap().to_owned()).collect()
    };
    // The first has left before the second begins.
    assert_eq!(reasons(&talks()), ["timeout", "shutdown"]);
    let open = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").handshake();
    assert_eq!(reasons(&open.build()), ["shutdown"]);
}

#[test]
fn tags_are_in_the_records_of_flows_and_of_messages() {
    let (client, server) = (("10.0.0.1", 40_000), ("10.0.0.2", 80));
    let segment = |from: (&str, u16), to: (&str, u16), seq, ack, flags, payload: &[u8]| {
        let tagged = frame().ethernet().vlan(7).vlan(8).ipv4(from.0, to.0).tcp(from.1, to.1);
        tagged.seq(seq).ack(ack).flags(flags).payload(payload)
    };
    let (syn, ack) = (TcpFlags::SYN, TcpFlags::ACK);
    let asked = 101 + GET.len() as u32;
    let talk = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80")
        .frame(&segment(client, server, 100, 0, syn, b""))
        .frame(&segment(server, client, 500, 101, syn | ack, b""))
        .frame(&segment(client, server, 101, 501, ack, GET))
        .frame(&segment(server, client, 501, asked, ack, NO_CONTENT));
    let packets = talk.build();
    let lines = eve(&packets);
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line["vlan"] == serde_json::json!([7, 8])), "{lines:?}");
    let mut disk = Disk::default();
    let writer = RecordWriter::with_format(ZeekFormat::json(), &mut disk);
    write(views(&packets), writer).unwrap();
    let conn = disk.lines().into_iter().find(|line| line["_path"] == "conn").unwrap();
    assert_eq!((&conn["vlan"], &conn["inner_vlan"]), (&7.into(), &8.into()));
}

/// What the records of one flow have of each side, as EVE has it.
#[test]
fn flags_and_states_are_those_of_both_sides() {
    let record = |talk: Dialogue| eve(&talk.build()).remove(0);
    let tcp = || Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:9999");
    let flow = record(tcp().handshake().data(Responder, b"220 x").rst(Responder));
    assert_eq!(flow["tcp"]["tcp_flags_ts"], "12");
    assert_eq!(flow["tcp"]["tcp_flags_tc"], "1e");
    assert_eq!(flow["tcp"]["tcp_flags"], "1e");
    assert_eq!((&flow["tcp"]["rst"], &flow["tcp"]["fin"]), (&true.into(), &Value::Null));
    let udp = || Dialogue::udp("10.0.0.1:40000", "10.0.0.2:9999").datagram(Initiator, b"x");
    assert_eq!(record(udp())["flow"]["state"], "new");
    assert_eq!(record(udp().datagram(Responder, b"y"))["flow"]["state"], "established");
}

#[test]
fn bytes_that_were_missed_are_those_of_both_sides() {
    let ack = TcpFlags::ACK;
    let talk = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:9999").handshake();
    let talk = talk
        .segment(Initiator, 1011, 5001, ack, b"0123456789")
        .segment(Responder, 5001, 1021, ack, b"")
        .segment(Responder, 5006, 1021, ack, b"0123456789")
        .segment(Initiator, 1021, 5016, ack, b"");
    let mut driver = driver(None);
    for view in views(&talk.build()) {
        driver.handle_packet(view);
    }
    driver.finish(EndReason::EndOfInput);
    let records: Vec<FlowRecord> = std::iter::from_fn(|| driver.poll_event())
        .filter_map(|event| FlowRecord::of_event(&event))
        .collect();
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(record.sides.map(|side| side.gap_bytes), [10, 5]);
    let missed = FLOW.columns.iter().find(|column| column.name == "missed_bytes").unwrap();
    assert_eq!((missed.get)(record), flowscope_record::Value::U64(15));
}

/// What an interim record has of a stream is not known by its sequence numbers, nor what is left for the last one.
#[test]
fn the_length_of_a_stream_is_that_of_a_whole_flow() {
    let talk = || {
        let talk = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:9999").handshake();
        let talk = talk.data(Initiator, [0; 10]).data(Responder, [0; 7]).after(2000);
        // Ten bytes of the initiator and three of the responder were not captured.
        talk.segment(Initiator, 1021, 5008, TcpFlags::ACK, [0; 4]).segment(
            Responder,
            5011,
            1025,
            TcpFlags::ACK,
            [0; 2],
        )
    };
    let lengths = |active| {
        let mut driver = driver(active);
        for view in views(&talk().build()) {
            driver.handle_packet(view);
        }
        driver.finish(EndReason::EndOfInput);
        let records = std::iter::from_fn(|| driver.poll_event())
            .filter_map(|event| FlowRecord::of_event(&event));
        records.map(|record| record.sides.map(|side| side.stream_bytes)).collect::<Vec<_>>()
    };
    assert_eq!(lengths(None), [[24, 12]]);
    let several = lengths(Some(Duration::from_secs(1)));
    assert!(several.len() > 1 && several.iter().all(|sides| *sides != [24, 12]), "{several:?}");
}

/// Entries linger behind two ends alone, and late packets are of either.
#[test]
fn late_packets_are_of_the_end_that_they_follow() {
    let kinds = |talk: Dialogue| {
        let mut driver = driver(None);
        for view in views(&talk.build()) {
            driver.handle_packet(view);
        }
        driver.finish(EndReason::EndOfInput);
        let records = std::iter::from_fn(|| driver.poll_event())
            .filter_map(|event| FlowRecord::of_event::<HttpExchange>(&event));
        records.map(|record| record.kind).collect::<Vec<_>>()
    };
    let open = || Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:9999").handshake();
    for (talk, reason) in
        [(open().close(Initiator), EndReason::Fin), (open().rst(Responder), EndReason::Rst)]
    {
        let late = talk.data(Initiator, b"late");
        assert_eq!(kinds(late), [FlowRecordKind::Ended(reason), FlowRecordKind::Late(reason)]);
    }
}

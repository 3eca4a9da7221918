//! Each law notices the fault that it is about, and lets a sound protocol pass.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    ParseError, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp, feed_once,
};
use flowscope_record::{ByteSet, Column, Kind, NoParser, Ports, Protocol, Schema};

use crate::{Sample, any_bytes, golden, memory, probe, schema, shapes, stream, suite};

const NONE: u8 = 0;
/// A record per call instead of per line.
const CUTS: u8 = 1;
/// A panic on a byte that no sample has.
const PANIC: u8 = 2;
/// After a gap, what one call brings is a line.
const GAP: u8 = 3;
/// The required method of the initiator emits nothing.
const REQUIRED: u8 = 4;
/// Keeps everything, and says so.
const HOARD: u8 = 5;
/// Keeps everything, and says nothing.
const LIE: u8 = 6;
/// Refuses its own samples.
const REFUSE: u8 = 7;
/// Decides, and decides otherwise with the next byte.
const WAVER: u8 = 8;
/// Is sure of any bytes.
const SURE: u8 = 9;
/// A column gives another kind of value than it declares.
const KIND: u8 = 10;
/// Many records per byte.
const FLOOD: u8 = 11;
/// No records.
const SILENT: u8 = 12;
/// Fails on its own samples.
const FAIL: u8 = 13;
/// A column without documentation.
const SCHEMA: u8 = 14;
/// Is sure of any bytes, and found by port alone: no fault.
const PORT: u8 = 15;

/// Lines, with a fault.
struct Lines<const FAULT: u8>;

#[derive(Clone, Debug)]
struct Line(Vec<u8>);

#[derive(Clone, Default)]
struct LineParser<const FAULT: u8> {
    unfinished: [Vec<u8>; 2],
    hoard: Vec<u8>,
    gap: bool,
}

impl<const FAULT: u8> SessionParser for LineParser<FAULT> {
    type Message = Line;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Line> {
        if FAULT == REQUIRED {
            return Vec::new();
        }
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Line> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<Line>) -> ParserStatus {
        let StreamChunk { side, bytes, .. } = chunk;
        match FAULT {
            CUTS => out.push(Line(bytes.to_vec())),
            PANIC => assert!(!bytes.contains(&0xff), "a byte that no sample has"),
            HOARD | LIE => self.hoard.extend(bytes),
            FLOOD => out.extend(bytes.iter().flat_map(|&byte| vec![Line(vec![byte]); 5])),
            FAIL => return ParserStatus::Failed(ParseError::NotTheProtocol),
            GAP if self.gap => {
                out.push(Line(bytes.to_vec()));
                return ParserStatus::Continue;
            }
            _ => {}
        }
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let line = &mut self.unfinished[side.index()];
            if line.len() + part.len() > 1024 {
                return ParserStatus::Failed(ParseError::TooLong(1025));
            }
            line.extend(part);
            if part.ends_with(b"\n") {
                let line = Line(std::mem::take(line));
                if FAULT != SILENT {
                    out.push(line);
                }
            }
        }
        ParserStatus::Continue
    }

    fn gap(&mut self, side: FlowSide, _: u64, _: &mut Vec<Line>) -> ParserStatus {
        self.gap = true;
        self.unfinished[side.index()].clear();
        ParserStatus::Continue
    }

    fn heap_bytes(&self) -> usize {
        let hoard = if FAULT == LIE { 0 } else { self.hoard.capacity() };
        hoard + self.unfinished.iter().map(Vec::capacity).sum::<usize>()
    }

    fn probe(_: FlowSide, start: &[u8]) -> Probe {
        match FAULT {
            REFUSE => Probe::No,
            WAVER if start.len() == 1 => Probe::Yes,
            SURE | PORT => Probe::Yes,
            _ => Probe::Maybe,
        }
    }
}

impl<const FAULT: u8> Protocol for Lines<FAULT> {
    const NAME: &'static str = "lines";
    const RECORDS: &'static str = "one per line";
    const PORTS: Ports = Ports::tcp(&[7]);
    const FIRST_BYTES: ByteSet = if FAULT == SURE { ByteSet::ALL } else { ByteSet::NONE };
    type Stream = LineParser<FAULT>;
    type Datagram = NoParser<Line>;
    type Record = Line;
    const SCHEMA: &'static Schema<Line> = &Schema {
        columns: &[Column {
            kind: if FAULT == KIND { Kind::U64 } else { Kind::Bytes },
            doc: if FAULT == SCHEMA { "" } else { "The line." },
            ..Column::new("line", Kind::Bytes, |line: &Line| line.0.as_slice().into(), "")
                .eve("lines.line")
        }],
        ..Schema::new("lines", |_| Timestamp::ZERO)
    };
}

fn samples() -> Vec<Sample> {
    let text =
        "tcp 7\n> \"one\\r\\ntwo\\r\\n\"\n< \"three\\r\\nfo\"\n> \"five\\r\\n\"\n< \"ur\\r\\n\"\n";
    let conversation = text.parse().unwrap();
    vec![Sample {
        name: "lines".to_owned(),
        path: PathBuf::from("no/folder/lines.txt"),
        conversation,
    }]
}

/// The laws that a protocol breaks, by name. The one on memory counts what the process holds, so this is one test.
fn broken<const FAULT: u8>() -> Vec<&'static str> {
    let samples = samples();
    let parser = LineParser::<FAULT>::default();
    let sample = &samples[0];
    let laws: [(&'static str, &dyn Fn()); 13] = [
        ("records", &|| suite::records::<Lines<FAULT>>(&samples)),
        ("schema", &|| schema::sound::<Lines<FAULT>>()),
        ("kinds", &|| schema::kinds::<Lines<FAULT>>(sample)),
        ("formats", &|| schema::formats::<Lines<FAULT>>(sample)),
        ("own", &|| probe::own::<Lines<FAULT>>(&samples)),
        ("foreign", &|| probe::foreign::<Lines<FAULT>>(&samples)),
        ("cuts", &|| stream::cuts(&parser, sample)),
        ("gaps", &|| stream::gaps(&parser, sample)),
        ("required", &|| stream::required_methods(&parser, sample)),
        ("shapes", &|| shapes::shapes(&parser, sample)),
        ("any bytes", &|| any_bytes::stream(&parser, &samples)),
        ("memory", &|| {
            // It takes the longest.
            if matches!(FAULT, NONE | HOARD | LIE) {
                memory::stream(&parser, &samples, 16 * 1024);
            }
        }),
        ("golden", &|| golden::golden::<Lines<FAULT>>(sample)),
    ];
    let breaks = |law: &&(&'static str, &dyn Fn())| catch_unwind(AssertUnwindSafe(law.1)).is_err();
    laws.iter().filter(breaks).map(|law| law.0).collect()
}

#[test]
fn each_fault_breaks_its_law() {
    // There is no golden file in no folder.
    assert_eq!(broken::<NONE>(), ["golden"]);
    assert_eq!(broken::<PORT>(), ["golden"]);
    for (broken, law) in [
        (broken::<CUTS>(), "cuts"),
        (broken::<PANIC>(), "any bytes"),
        (broken::<GAP>(), "gaps"),
        (broken::<REQUIRED>(), "required"),
        (broken::<HOARD>(), "memory"),
        (broken::<LIE>(), "memory"),
        (broken::<REFUSE>(), "own"),
        (broken::<WAVER>(), "own"),
        (broken::<SURE>(), "foreign"),
        (broken::<KIND>(), "kinds"),
        (broken::<FLOOD>(), "any bytes"),
        (broken::<SILENT>(), "records"),
        (broken::<FAIL>(), "records"),
        (broken::<SCHEMA>(), "schema"),
    ] {
        assert!(broken.contains(&law), "{law} is not broken, but {broken:?}");
    }
}

//! Writers: whatever the wire said, EVE and flat JSON are JSON, Zeek's logs have their columns, and CSV can be read back.

use flowscope::core::Timestamp;
use flowscope::output::{CsvFormat, EveFormat, Format, JsonFormat, RecordWriter, ZeekFormat};
use flowscope::protocols;
use flowscope::record::AnySchema;

use crate::{attack, driver};

/// Memory that the driver may take, in bytes.
const BUDGET: usize = 8 << 20;

pub(crate) fn run(bytes: &[u8]) {
    let packets = driver::packets(bytes);
    let mut eve = writer(EveFormat::new());
    let mut tsv = writer(ZeekFormat::tsv());
    let mut json = writer(ZeekFormat::json());
    let mut flat = writer(JsonFormat::new());
    let schemas: Vec<&'static dyn AnySchema> =
        protocols::all().iter().map(|protocol| protocol.schema).collect();
    let mut csv = writer(CsvFormat::new(&schemas));
    attack::run(attack::driver(BUDGET), packets.into_iter(), 64, |event| {
        let written = [eve.event(event), tsv.event(event), json.event(event), csv.event(event)];
        let written = written.into_iter().chain([flat.event(event)]);
        written.for_each(|written| written.expect("memory takes every write"));
    });
    let (eve, json, tsv, flat) = (finish(eve), finish(json), finish(tsv), finish(flat));
    for text in [&eve, &json, &tsv, &flat] {
        let control = text.bytes().find(|byte| *byte < b' ' && !matches!(byte, b'\n' | b'\t'));
        assert_eq!(control, None, "{}", text.escape_debug());
    }
    for text in [eve, json, flat] {
        for line in text.lines() {
            let parsed: Result<serde_json::Value, _> = serde_json::from_str(line);
            assert!(parsed.is_ok_and(|value| value.is_object()), "{line}");
        }
    }
    check_zeek(&tsv);
    check_csv(&finish(csv));
}

fn writer<F: Format>(format: F) -> RecordWriter<F, Vec<u8>> {
    RecordWriter::with_format(format, Vec::new())
}

/// All that was written, which is UTF-8.
fn finish<F: Format>(writer: RecordWriter<F, Vec<u8>>) -> String {
    let bytes = writer.finish(Timestamp::from_secs(9)).expect("memory takes every write");
    String::from_utf8(bytes).expect("text is UTF-8")
}

/// Each row has the columns that the header before it names.
fn check_zeek(text: &str) {
    let mut columns = 0;
    for line in text.lines() {
        match line.strip_prefix("#fields\t") {
            Some(names) => columns = names.split('\t').count(),
            None if line.starts_with('#') => {}
            None => assert_eq!(line.split('\t').count(), columns, "{line}"),
        }
    }
}

/// RFC 4180: every row has the columns of the first.
fn check_csv(text: &str) {
    let (mut columns, mut row, mut quoted) = (None, 1, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => drop(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row += 1,
            '\n' if !quoted => {
                assert_eq!(*columns.get_or_insert(row), row, "columns of a row");
                row = 1;
            }
            _ => {}
        }
    }
    assert!(!quoted, "a quote is open at the end");
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    driver::seeds()
}

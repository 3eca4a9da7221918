//! What a capture holds: the records that are made of it, and what tshark reads in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowscope::core::{LinkType, PacketSource};
use flowscope::driver::{Driver, SessionEvent};
use flowscope::extract::FiveTuple;
use flowscope::pcap::{CaptureReader, CaptureWriter};
use flowscope::protocols::{self, AppRecord};
use flowscope::track::EndReason;
use flowscope_conformance::Sample;
use flowscope_testkit::needs;

/// What tshark's fields have in one packet, one cell each.
pub(crate) type Row = Vec<String>;

/// A capture in a file.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    path: PathBuf,
    /// Whether it may end within a packet, or in another way that readers report: what comes before is read all the same.
    may_be_cut: bool,
    /// Options of tshark's for reading it.
    options: &'static [&'static str],
}

impl Capture {
    /// The same, read by tshark with these options.
    pub(crate) fn read_with(self, options: &'static [&'static str]) -> Self {
        Capture { options, ..self }
    }

    /// Name of the file.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap().to_string_lossy().into_owned()
    }
}

/// A recorded capture.
pub(crate) fn recorded(name: &str) -> Capture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
    Capture { path, may_be_cut: false, options: &[] }
}

/// The captures of the corpus, in the order of their names.
pub(crate) fn corpus() -> Vec<Capture> {
    let files = fs::read_dir(needs::corpus_folder().join("captures")).unwrap();
    let mut paths: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| Capture { path, may_be_cut: true, options: &[] }).collect()
}

/// The samples of a protocol, as captures.
pub(crate) fn samples(protocol: &str) -> Vec<Capture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let folder = folder.join(format!("flowscope-{protocol}/samples/{protocol}"));
    let capture = |sample: Sample| {
        let mut writer = CaptureWriter::pcap(Vec::new(), LinkType::ETHERNET).unwrap();
        for packet in sample.conversation.packets() {
            writer.write(packet.view()).unwrap();
        }
        let name = format!("tshark-{protocol}-{}.pcap", sample.name);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, writer.finish().unwrap()).unwrap();
        Capture { path, may_be_cut: false, options: &[] }
    };
    Sample::in_folder(&folder).into_iter().map(capture).collect()
}

/// The records of a capture.
pub(crate) fn records(capture: &Capture) -> Vec<AppRecord> {
    let mut reader = CaptureReader::open(&capture.path).unwrap();
    let mut driver = Driver::new(FiveTuple::bidirectional(), protocols::registered::<AppRecord>());
    let mut records = Vec::new();
    loop {
        let read = match reader.next_batch(&mut |packets| driver.handle_batch(packets)) {
            Err(_) if capture.may_be_cut => 0,
            read => read.unwrap(),
        };
        if read == 0 {
            driver.finish(EndReason::EndOfInput);
        }
        while let Some(event) = driver.poll_event() {
            if let SessionEvent::Application { message, .. } = event {
                records.push(message);
            }
        }
        if read == 0 {
            return records;
        }
    }
}

/// What tshark reads in each packet that matches its display filter, with commas between several values of a field.
pub(crate) fn rows(capture: &Capture, filter: &str, fields: &[&str]) -> Vec<Row> {
    rows_between(',', capture, filter, fields)
}

/// The same, with `between` between several values.
pub(crate) fn rows_between(
    between: char,
    capture: &Capture,
    filter: &str,
    fields: &[&str],
) -> Vec<Row> {
    let output = Command::new("tshark")
        .args(["-n", "-T", "fields", "-E", &format!("aggregator={between}"), "-Y", filter, "-r"])
        .arg(&capture.path)
        .args(capture.options)
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .output()
        .unwrap();
    let is_read = output.status.success() || capture.may_be_cut;
    assert!(is_read, "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    lines.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

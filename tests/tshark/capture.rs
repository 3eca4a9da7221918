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

/// What tshark's fields have in one packet, one cell each, with commas between several values.
pub(crate) type Row = Vec<String>;

/// A recorded capture.
pub(crate) fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

/// The samples of a protocol, as captures.
pub(crate) fn samples(protocol: &str) -> Vec<PathBuf> {
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
        path
    };
    Sample::in_folder(&folder).into_iter().map(capture).collect()
}

/// The records of a capture.
pub(crate) fn records(capture: &Path) -> Vec<AppRecord> {
    let mut reader = CaptureReader::open(capture).unwrap();
    let mut driver = Driver::new(FiveTuple::bidirectional(), protocols::registered::<AppRecord>());
    while reader.next_batch(&mut |packets| driver.handle_batch(packets)).unwrap() > 0 {}
    driver.finish(EndReason::EndOfInput);
    let mut records = Vec::new();
    while let Some(event) = driver.poll_event() {
        if let SessionEvent::Application { message, .. } = event {
            records.push(message);
        }
    }
    records
}

/// What tshark reads in each packet that matches its display filter.
pub(crate) fn rows(capture: &Path, filter: &str, fields: &[&str]) -> Vec<Row> {
    let output = Command::new("tshark")
        .args(["-n", "-T", "fields", "-E", "separator=;", "-Y", filter, "-r"])
        .arg(capture)
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    lines.lines().map(|line| line.split(';').map(str::to_owned).collect()).collect()
}

//! A stream over a capture file gives the events of the synchronous driver, one by one.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

use std::fs;
use std::path::PathBuf;

use flowscope_core::{PacketSource, Progress};
use flowscope_dns::DnsUdpParser;
use flowscope_driver::{DatagramDriver, Driver, FlowDriver, Protocols, Recognition, SessionDriver};
use flowscope_extract::{AutoDetectEncap, FiveTuple};
use flowscope_http::{HttpMessage, HttpParser};
use flowscope_pcap::CaptureFiles;
use flowscope_tls::{TlsMessage, TlsParser};
use flowscope_track::EndReason;
use netring::{AsyncCapture, AsyncDriver, AsyncPacketSource, Error, EventStream, Replay};
use tokio::io::AsyncWriteExt;

/// The captures of this repository.
fn bundled() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data");
    let folder = fs::read_dir(folder).expect("the captures are part of the repository");
    let mut found: Vec<PathBuf> = folder.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.to_string_lossy().contains(".pcap"));
    found.sort();
    assert!(found.len() > 20, "{} captures", found.len());
    found
}

fn extractor() -> AutoDetectEncap<FiveTuple> {
    AutoDetectEncap(FiveTuple::bidirectional())
}

/// What a driver says of a capture, errors of the file in their place.
fn sync<D: AsyncDriver>(path: &PathBuf, mut driver: D) -> (Vec<Result<D::Event, String>>, D) {
    let mut source = CaptureFiles::new([path]);
    let mut events = Vec::new();
    loop {
        let lent = source.next_batch(&mut |packets| driver.handle_batch(packets));
        while let Some(event) = driver.poll_event() {
            events.push(Ok(event));
        }
        match lent {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => events.push(Err(error.to_string())),
        }
    }
    while driver.finish_some(EndReason::EndOfInput, 1000) == Progress::More {}
    while let Some(event) = driver.poll_event() {
        events.push(Ok(event));
    }
    (events, driver)
}

/// Runs a stream to its end and compares every item, and the ledgers.
async fn same<S: AsyncPacketSource, D: AsyncDriver>(
    path: &PathBuf,
    stream: EventStream<S, D>,
    driver: D,
) -> usize
where
    D::Event: PartialEq + std::fmt::Debug,
{
    let (expected, driver) = sync(path, driver);
    let mut stream = stream;
    let mut count = 0;
    while let Some(item) = stream.next().await {
        let item = item.map_err(|error: Error| error.to_string());
        assert!(count < expected.len(), "{}: no more than {count} items", path.display());
        assert_eq!(item, expected[count], "{}: item {count}", path.display());
        count += 1;
    }
    assert_eq!(count, expected.len(), "{}", path.display());
    let stats = stream.stats().expect("a file has no counters that could fail");
    assert_eq!(stats.packets, driver.packets(), "{}", path.display());
    assert_eq!(stats.bytes, driver.bytes(), "{}", path.display());
    count
}

#[tokio::test]
async fn flows_of_bundled_captures_equal_those_of_the_driver() {
    assert!(compare_flows(bundled()).await > 1000);
}

/// Returns the number of events.
pub(crate) async fn compare_flows(captures: Vec<PathBuf>) -> usize {
    let mut items = 0;
    for path in captures {
        let stream = AsyncCapture::open_file(&path).flow_stream(extractor());
        let config = netring::default_config();
        items += same(&path, stream, FlowDriver::with_config(extractor(), config)).await;
    }
    items
}

/// From a file in place, and from an asynchronous input that has a few bytes at a time.
#[tokio::test]
async fn other_sources_of_a_capture_give_the_same_events() {
    compare_sources(bundled()).await;
}

pub(crate) async fn compare_sources(captures: Vec<PathBuf>) {
    for path in captures {
        let driver = || FlowDriver::with_config(extractor(), netring::default_config());
        let replay = Replay::new(CaptureFiles::new([&path]));
        same(&path, AsyncCapture::new(replay).flow_stream(extractor()), driver()).await;

        let (mut writer, input) = tokio::io::duplex(700);
        let bytes = fs::read(&path).unwrap();
        let writes = tokio::spawn(async move { writer.write_all(&bytes).await });
        let capture = AsyncCapture::open_async_reader(input).unwrap();
        same(&path, capture.flow_stream(extractor()), driver()).await;
        writes.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn sessions_of_bundled_captures_equal_those_of_the_driver() {
    compare_sessions(bundled()).await;
}

pub(crate) async fn compare_sessions(captures: Vec<PathBuf>) {
    for path in captures {
        let config = netring::default_config();
        let flows = || AsyncCapture::open_file(&path).flow_stream(extractor());
        let http = SessionDriver::with_config(extractor(), HttpParser::default(), config.clone());
        same(&path, flows().session_stream(HttpParser::default()), http).await;
        let dns = DatagramDriver::with_config(extractor(), DnsUdpParser::default(), config);
        same(&path, flows().datagram_stream(DnsUdpParser::default()), dns).await;
    }
}

#[derive(Clone, Debug, PartialEq)]
enum AppRecord {
    Http(HttpMessage),
    Tls(TlsMessage),
}

fn protocols() -> Protocols<AppRecord> {
    Protocols::new()
        .stream(
            "http",
            HttpParser::default(),
            Recognition::by_ports([80, 8080]).or_bytes(),
            AppRecord::Http,
        )
        .stream(
            "tls",
            TlsParser::default(),
            Recognition::by_ports([443]).or_bytes(),
            AppRecord::Tls,
        )
}

#[tokio::test]
async fn protocols_of_bundled_captures_equal_those_of_the_driver() {
    compare_protocols(bundled()).await;
}

pub(crate) async fn compare_protocols(captures: Vec<PathBuf>) {
    for path in captures {
        let stream =
            AsyncCapture::open_file(&path).flow_stream(extractor()).protocol_stream(protocols());
        let config = netring::default_config();
        same(&path, stream, Driver::with_config(extractor(), protocols(), config)).await;
    }
}

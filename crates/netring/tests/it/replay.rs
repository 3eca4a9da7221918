//! A capture file streamed gives the events of the synchronous driver, one by one.

use std::fs;
use std::path::PathBuf;

use flowscope_core::PacketSource;
use flowscope_dns::DnsUdpParser;
use flowscope_driver::{DatagramDriver, Driver, FlowDriver, Protocols, Recognition, SessionDriver};
use flowscope_extract::{AutoDetectEncap, FiveTuple};
use flowscope_http::{HttpMessage, HttpParser};
use flowscope_pcap::CaptureFiles;
use flowscope_tls::{TlsMessage, TlsParser};
use flowscope_track::EndReason;
use netring::{AsyncCapture, AsyncPacketSource, Engine, Error, EventStream, Next};

/// The captures of this repository, and those of the shared corpus where there is one.
fn captures() -> Vec<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    let mut folders = vec![root.join("tests/data"), root.join("../shared/corpus")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if [".pcap", ".pcapng", ".cap", ".pcap.gz"].iter().any(|end| name.ends_with(end))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    let least = if root.join("../shared/corpus").is_dir() { 250 } else { 5 };
    assert!(found.len() > least, "{} captures", found.len());
    found
}

fn extractor() -> AutoDetectEncap<FiveTuple> {
    AutoDetectEncap(FiveTuple::bidirectional())
}

/// What a driver says of a capture, errors of the file in their place.
fn sync<D: Engine>(path: &PathBuf, mut driver: D) -> (Vec<Result<D::Event, String>>, D) {
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
    while driver.finish_some(EndReason::EndOfInput, 1000) {}
    while let Some(event) = driver.poll_event() {
        events.push(Ok(event));
    }
    (events, driver)
}

/// Runs a stream to its end and compares every item, and the ledgers.
async fn same<S: AsyncPacketSource, D: Engine>(
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
async fn flows_of_every_capture_are_the_drivers() {
    let mut items = 0;
    for path in captures() {
        let stream = AsyncCapture::open_file(&path).flow_stream(extractor());
        let config = netring::default_config();
        items += same(&path, stream, FlowDriver::with_config(extractor(), config)).await;
    }
    assert!(items > 1000);
}

#[tokio::test]
async fn sessions_of_every_capture_are_the_drivers() {
    for path in captures() {
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
async fn several_protocols_of_every_capture_are_the_drivers() {
    for path in captures() {
        let stream =
            AsyncCapture::open_file(&path).flow_stream(extractor()).protocol_stream(protocols());
        let config = netring::default_config();
        same(&path, stream, Driver::with_config(extractor(), protocols(), config)).await;
    }
}

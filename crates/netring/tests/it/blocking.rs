//! Captures that are read by a thread: pipes, and whatever else waits.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use flowscope_core::{LinkType, PacketSource, PacketView};
use flowscope_extract::FiveTuple;
use flowscope_pcap::CaptureWriter;
use flowscope_track::FlowEvent;
use netring::{AsyncCapture, Blocking, Error};
use tokio::time::timeout;

use crate::source::datagram;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn packets_of_a_pipe_come_as_they_are_written() {
    let (input, output) = UnixStream::pair().unwrap();
    let mut writer = CaptureWriter::pcap(output, LinkType::ETHERNET).unwrap();
    let capture = AsyncCapture::open_reader(input).unwrap();
    let mut flows = capture.flow_stream(FiveTuple::bidirectional()).without_packets();
    for n in 0..20 {
        writer.write(datagram(n, 0).view()).unwrap();
        writer.flush().unwrap();
        let started = timeout(SOON, flows.next()).await.expect("it comes").unwrap().unwrap();
        assert!(matches!(started, FlowEvent::Started { .. }), "{started:?}");
    }
    drop(writer);
    for _ in 0..20 {
        let ended = timeout(SOON, flows.next()).await.expect("it ends").unwrap().unwrap();
        assert!(matches!(ended, FlowEvent::Ended { .. }), "{ended:?}");
    }
    assert!(flows.next().await.is_none());
    assert_eq!(flows.stats().unwrap().packets.delivered(), 20);
}

#[tokio::test]
async fn a_stop_ends_a_capture_whose_pipe_is_silent() {
    let (input, output) = UnixStream::pair().unwrap();
    let mut writer = CaptureWriter::pcap(output, LinkType::ETHERNET).unwrap();
    writer.write(datagram(1, 0).view()).unwrap();
    writer.flush().unwrap();
    let capture = AsyncCapture::open_reader(input).unwrap();
    let mut flows = capture.flow_stream(FiveTuple::bidirectional()).without_packets();
    timeout(SOON, flows.next()).await.expect("it comes").unwrap().unwrap();
    let stats = timeout(SOON, flows.shutdown()).await.expect("it ends").unwrap();
    assert_eq!((stats.packets.delivered(), stats.flows), (1, 0));
}

/// Source that lends a packet, and panics at the next call.
struct Fragile(u16);

impl PacketSource for Fragile {
    type Error = Error;

    fn next_batch(&mut self, lend: &mut dyn FnMut(&[PacketView<'_>])) -> Result<usize, Error> {
        self.0 += 1;
        assert!(self.0 < 2, "fragile");
        lend(&[datagram(1, 0).view()]);
        Ok(1)
    }
}

#[tokio::test]
async fn a_panic_of_the_source_is_an_error_and_then_the_end() {
    let capture = AsyncCapture::new(Blocking::new(|| Ok::<_, Error>(Fragile(0))).unwrap());
    let mut packets = capture.packet_stream();
    assert!(packets.next().await.unwrap().is_ok());
    let error = timeout(SOON, packets.next()).await.expect("it comes").unwrap().unwrap_err();
    assert_eq!(error.to_string(), "panicked: fragile");
    assert!(timeout(SOON, packets.next()).await.expect("it ends").is_none());
}

#[tokio::test]
async fn what_is_no_capture_is_an_error_of_the_stream() {
    let (input, mut output) = UnixStream::pair().unwrap();
    output.write_all(b"this is no capture, whatever it is").unwrap();
    drop(output);
    let capture = AsyncCapture::open_reader(input).unwrap();
    let mut flows = capture.flow_stream(FiveTuple::bidirectional());
    let error = timeout(SOON, flows.next()).await.expect("it comes").unwrap().unwrap_err();
    assert!(matches!(error, Error::Read(_)), "{error}");
    assert!(timeout(SOON, flows.next()).await.expect("it ends").is_none());
}

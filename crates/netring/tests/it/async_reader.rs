//! Captures that are read from an asynchronous input.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use flowscope_core::LinkType;
use flowscope_extract::FiveTuple;
use flowscope_pcap::CaptureWriter;
use flowscope_track::FlowEvent;
use netring::{AsyncCapture, Error};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use crate::source::datagram;

const SOON: Duration = Duration::from_secs(10);

/// A capture with one datagram of each of these flows.
fn capture(flows: std::ops::Range<u16>) -> Vec<u8> {
    let mut writer = CaptureWriter::pcap(Vec::new(), LinkType::ETHERNET).unwrap();
    flows.for_each(|flow| writer.write(datagram(flow, 0).view()).unwrap());
    writer.finish().unwrap()
}

#[tokio::test]
async fn packets_come_as_they_are_written() {
    let (mut output, input) = tokio::io::duplex(1 << 12);
    let mut flows = AsyncCapture::open_async_reader(input)
        .unwrap()
        .flow_stream(FiveTuple::bidirectional())
        .without_packets();
    let header = capture(0..0).len();
    output.write_all(&capture(0..0)).await.unwrap();
    for n in 0..20 {
        output.write_all(&capture(n..n + 1)[header..]).await.unwrap();
        let started = timeout(SOON, flows.next()).await.expect("it comes").unwrap().unwrap();
        assert!(matches!(started, FlowEvent::Started { .. }), "{started:?}");
    }
    drop(output);
    let mut ends = 0;
    while let Some(event) = timeout(SOON, flows.next()).await.expect("it ends") {
        ends += usize::from(matches!(event.unwrap(), FlowEvent::Ended { .. }));
    }
    assert_eq!((ends, flows.stats().unwrap().packets.delivered()), (20, 20));
}

#[tokio::test]
async fn a_stop_ends_it_within_a_record_without_an_error() {
    let (mut output, input) = tokio::io::duplex(1 << 16);
    let bytes = capture(0..3);
    output.write_all(&bytes[..bytes.len() - 5]).await.unwrap();
    let mut flows = AsyncCapture::open_async_reader(input)
        .unwrap()
        .flow_stream(FiveTuple::bidirectional())
        .without_packets();
    for _ in 0..2 {
        timeout(SOON, flows.next()).await.expect("it comes").unwrap().unwrap();
    }
    let stats = timeout(SOON, flows.shutdown()).await.expect("it ends").unwrap();
    assert_eq!((stats.packets.delivered(), stats.flows), (2, 0));
    while let Some(event) = flows.next().await {
        event.unwrap();
    }
}

#[tokio::test]
async fn an_input_that_is_cut_is_an_error_at_its_place() {
    let bytes = capture(0..3);
    let input = io::Cursor::new(bytes[..bytes.len() - 5].to_vec());
    let mut packets = AsyncCapture::open_async_reader(input).unwrap().packet_stream();
    for _ in 0..2 {
        packets.next().await.unwrap().unwrap();
    }
    let error = packets.next().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Read(_)), "{error}");
    assert!(packets.next().await.is_none());
}

/// Input that fails after its bytes.
struct Torn(io::Cursor<Vec<u8>>);

impl AsyncRead for Torn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.0).poll_read(cx, buffer);
        if buffer.filled().len() == before {
            return Poll::Ready(Err(io::Error::other("torn")));
        }
        read
    }
}

#[tokio::test]
async fn an_error_of_the_input_follows_its_packets() {
    let mut packets = AsyncCapture::open_async_reader(Torn(io::Cursor::new(capture(0..100))))
        .unwrap()
        .packet_stream();
    let mut read = 0;
    let error = loop {
        match timeout(SOON, packets.next()).await.expect("it ends").unwrap() {
            Ok(_) => read += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(read, 100);
    assert!(error.to_string().contains("torn"), "{error}");
    assert!(timeout(SOON, packets.next()).await.expect("it ends").is_none());
}

/// The writer waits for the reader: what lies between them is bounded.
#[tokio::test]
async fn a_slow_consumer_slows_the_writer() {
    let (mut output, input) = tokio::io::duplex(1 << 12);
    let bytes = capture(0..60_000);
    let total = bytes.len();
    let mut capture = AsyncCapture::open_async_reader(input).unwrap();
    // Nobody reads more than one batch.
    let mut written = 0;
    let writes = async {
        for piece in bytes.chunks(4096) {
            output.write_all(piece).await.unwrap();
            written += piece.len();
        }
    };
    let reads = async {
        capture.next_batch(|_| {}).await.unwrap();
        std::future::pending::<()>().await;
    };
    let both = async { tokio::join!(writes, reads) };
    assert!(timeout(Duration::from_millis(200), both).await.is_err());
    assert!(written > 0 && written < total / 2, "{written} of {total}");
}

//! What the tests send, and how they run.

use std::future::Future;
use std::num::NonZeroU32;
use std::time::Duration;

use flowscope_extract::{AutoDetectEncap, FiveTuple};
use flowscope_testkit::frame;
use netring::ring::{AfPacket, AfPacketConfig, Capture, CaptureError};
use netring::{AsyncCapture, CaptureBuilder, Live};

/// Runs `work` on one thread, as sockets belong to the namespace of the thread that opens them.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be had").block_on(work)
}

pub(crate) fn extractor() -> AutoDetectEncap<FiveTuple> {
    AutoDetectEncap(FiveTuple::bidirectional())
}

pub(crate) fn positive(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not zero")
}

/// Room for some hundred frames and more than a second.
pub(crate) fn builder() -> CaptureBuilder {
    AsyncCapture::<Live<AfPacket>>::builder()
        .ring(positive(256), positive(1 << 14))
        .retire_timeout(Duration::from_millis(5))
}

/// Sends, and captures nothing of note.
pub(crate) fn sender(interface: &str) -> AfPacket {
    let config = AfPacketConfig::default()
        .blocks(positive(1))
        .block_size(positive(4096))
        .ignore_outgoing(true);
    AfPacket::open(interface, &config).expect("the namespace is ours")
}

/// Sends a frame as soon as there is room.
pub(crate) fn send(from: &mut AfPacket, bytes: &[u8]) {
    loop {
        match Capture::send(from, bytes) {
            Ok(()) => return,
            Err(CaptureError::Busy) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// A datagram of the flow with this number.
pub(crate) fn datagram(flow: u32) -> Vec<u8> {
    let [_, a, b, c] = flow.to_be_bytes();
    frame()
        .ethernet()
        .ipv4(format!("10.{a}.{b}.{c}"), "172.16.0.1")
        .udp(4000, 9)
        .payload(b"x")
        .build()
}

//! Captures that are generated from fixed seeds, to standard output.

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use flowscope::core::{LinkType, PacketView, Timestamp};
use flowscope::pcap::CaptureWriter;
use flowscope_benches::traces;
use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_testkit::attacks::{interleave, tcp};
use flowscope_testkit::{Dialogue, Packet};

use crate::Result;

/// Bytes of frames in `traces::mix(1.0)`, about.
const MIX_BYTES: f64 = 715e6;

const START: Timestamp = Timestamp::from_secs(1_700_000_000);

/// A million packets in a second.
const STEP: Duration = Duration::from_micros(1);

/// Flows of all sizes, about so many bytes.
pub(crate) fn mix(bytes: u32) -> Result<()> {
    let trace = traces::mix(f64::from(bytes) / MIX_BYTES);
    write((0..trace.len()).map(|at| trace.view(at, 0)))
}

/// A SYN each of as many random clients.
pub(crate) fn flood(packets: usize) -> Result<()> {
    let none = std::iter::empty();
    write_packets(interleave(tcp::syn_flood(packets, 1), none, packets, START, STEP))
}

/// The same, and between its packets those of connections, from handshake to close. Each asks twice; their packets are
/// spread over all of the flood, so that each connection is silent for a quarter of it, at three times.
pub(crate) fn established(packets: usize, flows: u16) -> Result<()> {
    let stages: [fn(Dialogue, u16) -> Dialogue; 4] = [
        |talk, _| talk.handshake(),
        |talk, n| talk.data(Initiator, format!("GET /{n} HTTP/1.1\r\nHost: a.example\r\n\r\n")),
        |talk, n| {
            let body = format!("{n:05}");
            let response = format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{body}");
            let next = format!("GET /next/{n} HTTP/1.1\r\nHost: b.example\r\n\r\n");
            talk.data(Responder, response).ack().data(Initiator, next)
        },
        |talk, _| talk.data(Responder, "HTTP/1.1 204 No Content\r\n\r\n").ack().close(Initiator),
    ];
    let mut frames: [Vec<Vec<u8>>; 4] = Default::default();
    for n in 0..flows {
        let client = format!("172.20.{}.{}:40000", n / 250, n % 250 + 1);
        let mut talk = Dialogue::tcp(&client, "172.20.255.1:80");
        let mut sent = 0;
        for (stage, frames) in stages.iter().zip(&mut frames) {
            talk = stage(talk, n);
            let all = talk.clone().build();
            frames.extend(all.into_iter().skip(sent).map(|(_, bytes)| {
                sent += 1;
                bytes
            }));
        }
    }
    let frames: Vec<Vec<u8>> = frames.into_iter().flatten().collect();
    let every = packets / frames.len().max(1);
    let ordinary = frames.into_iter().map(|bytes| Packet::ethernet(Timestamp::ZERO, bytes));
    write_packets(interleave(tcp::syn_flood(packets, 1), ordinary, every, START, STEP))
}

fn write_packets(packets: impl Iterator<Item = Packet>) -> Result<()> {
    let mut writer = writer()?;
    for packet in packets {
        writer.write(packet.view())?;
    }
    Ok(writer.finish()?.flush()?)
}

fn write<'a>(views: impl Iterator<Item = PacketView<'a>>) -> Result<()> {
    let mut writer = writer()?;
    for view in views {
        writer.write(view)?;
    }
    Ok(writer.finish()?.flush()?)
}

fn writer() -> Result<CaptureWriter<impl Write>> {
    let out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    Ok(CaptureWriter::pcap(out, LinkType::ETHERNET)?)
}

//! Writes the conversations of a capture as samples: `sample_of_capture FILE PORT FOLDER`.
//!
//! Each flow to that port becomes a file in the folder, named after the capture.
#![allow(clippy::print_stdout, reason = "a command-line tool")]

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

use flowscope_conformance::{Conversation, Transport, Turn};
use flowscope_core::{
    Datagram, DatagramParser, FlowSide, PacketSource, ParserStatus, SessionParser, StreamChunk,
    Timestamp, feed_once, parse_once,
};
use flowscope_driver::{DatagramDriver, SessionDriver, SessionEvent};
use flowscope_extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope_pcap::CaptureReader;
use flowscope_track::EndReason;

/// Emits what is sent, as it is.
#[derive(Clone, Default)]
struct Turns;

impl SessionParser for Turns {
    type Message = Turn;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Turn> {
        feed_once(self, StreamChunk::new(FlowSide::Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Turn> {
        feed_once(self, StreamChunk::new(FlowSide::Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<Turn>) -> ParserStatus {
        out.push(Turn { side: chunk.side, bytes: chunk.bytes.to_vec() });
        ParserStatus::Continue
    }
}

impl DatagramParser for Turns {
    type Message = Turn;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<Turn> {
        parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
    }

    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<Turn>) -> ParserStatus {
        out.push(Turn { side: datagram.side, bytes: datagram.payload.to_vec() });
        ParserStatus::Continue
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [file, port, folder] = &args[..] else { return Err("FILE PORT FOLDER".into()) };
    let port: u16 = port.parse()?;
    let mut flows = BTreeMap::new();
    let mut take = |event: SessionEvent<FiveTupleKey, Turn>, transport| {
        if let SessionEvent::Application { flow, message, .. } = event
            && flow.key.endpoints(flow.orientation).1.port == Some(port)
        {
            let new = || Conversation { transport, port, turns: Vec::new() };
            flows.entry(flow.id).or_insert_with(new).turns.push(message);
        }
    };
    let extractor = AutoDetectEncap(FiveTuple::bidirectional());

    let mut capture = CaptureReader::open(file)?;
    let mut streams = SessionDriver::new(extractor, Turns);
    while capture.next_batch(&mut |packets| streams.handle_batch(packets))? > 0 {}
    streams.finish(EndReason::EndOfInput);
    std::iter::from_fn(|| streams.poll_event()).for_each(|event| take(event, Transport::Tcp));

    let mut capture = CaptureReader::open(file)?;
    let mut datagrams = DatagramDriver::new(extractor, Turns);
    while capture.next_batch(&mut |packets| datagrams.handle_batch(packets))? > 0 {}
    datagrams.finish(EndReason::EndOfInput);
    std::iter::from_fn(|| datagrams.poll_event()).for_each(|event| take(event, Transport::Udp));

    let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
    fs::create_dir_all(folder)?;
    for (n, conversation) in flows.values().enumerate() {
        let suffix = if n == 0 { String::new() } else { format!("-{}", n + 1) };
        let path = Path::new(folder).join(format!("{stem}{suffix}.txt"));
        fs::write(&path, conversation.to_string())?;
        println!("{}", path.display());
    }
    Ok(())
}

//! The records of a sample, with the headers that writers put before them.

use flowscope_core::{DatagramParser, DatagramParserFactory};
use flowscope_driver::{DatagramDriver, SessionDriver, SessionEvent};
use flowscope_extract::{FiveTuple, FiveTupleKey};
use flowscope_output::{Format, RecordHeader};
use flowscope_record::{ParserOptions, Protocol, Record, Visitor};
use flowscope_testkit::{Packet, Rng};
use flowscope_track::EndReason;

use crate::ops::damage;
use crate::shapes::Clones;
use crate::{Conversation, Transport};

impl<K, P: DatagramParser + Clone> DatagramParserFactory<K> for DatagramClones<P> {
    type Parser = P;

    fn new_parser(&mut self, _: &K) -> Option<P> {
        Some(self.0.clone())
    }
}

/// Gives each flow a clone of a parser.
#[derive(Clone)]
struct DatagramClones<P>(P);

/// A record of `P`, for writers.
pub(crate) struct Of<P: Protocol>(pub(crate) P::Record);

impl<P: Protocol + 'static> Record for Of<P> {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(P::SCHEMA, &self.0)
    }
}

/// The records of a conversation, in order.
pub(crate) fn of<P>(
    conversation: &Conversation,
    options: &ParserOptions,
) -> Vec<(RecordHeader, Of<P>)>
where
    P: Protocol + 'static,
{
    let packets = conversation.packets();
    match conversation.transport {
        Transport::Tcp => {
            let parser = Clones(P::stream(options));
            let mut driver = SessionDriver::new(FiveTuple::bidirectional(), parser);
            run(&packets, |packet| driver.handle_packet(packet.view()));
            driver.finish(EndReason::EndOfInput);
            collect(std::iter::from_fn(|| driver.poll_event()))
        }
        Transport::Udp => {
            let parser = DatagramClones(P::datagram(options));
            let mut driver = DatagramDriver::new(FiveTuple::bidirectional(), parser);
            run(&packets, |packet| driver.handle_packet(packet.view()));
            driver.finish(EndReason::EndOfInput);
            collect(std::iter::from_fn(|| driver.poll_event()))
        }
    }
}

fn run<T>(packets: &[Packet], mut handle: impl FnMut(&Packet) -> T) {
    for packet in packets {
        handle(packet);
    }
}

fn collect<P: Protocol + 'static>(
    events: impl Iterator<Item = SessionEvent<FiveTupleKey, P::Record>>,
) -> Vec<(RecordHeader, Of<P>)> {
    events
        .filter_map(|event| match event {
            SessionEvent::Application { flow, message, .. } => {
                let record = Of::<P>(message);
                Some((RecordHeader::of_event(&flow).began(&record), record))
            }
            _ => None,
        })
        .collect()
}

/// A conversation some of whose bytes are others.
pub(crate) fn damaged(conversation: &Conversation, rng: &mut Rng) -> Conversation {
    let mut conversation = conversation.clone();
    for _ in 0..1 + rng.below(4) {
        let at = rng.below(conversation.turns.len());
        damage(&mut conversation.turns[at].bytes, rng);
    }
    conversation.turns.retain(|turn| !turn.bytes.is_empty());
    conversation
}

/// Records as a format has them.
pub(crate) fn written<P: Protocol + 'static>(
    mut format: impl Format,
    records: &[(RecordHeader, Of<P>)],
) -> String {
    let mut text = Vec::new();
    let first = records.first().map_or(flowscope_core::Timestamp::ZERO, |(header, _)| header.ts);
    format.begin(first, &mut text);
    for (header, record) in records {
        format.record(header, record, &mut text);
    }
    format.end(first, &mut text);
    String::from_utf8(text).unwrap_or_else(|error| panic!("output is no UTF-8: {error}"))
}

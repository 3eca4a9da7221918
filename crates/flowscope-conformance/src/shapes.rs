//! Both shapes of a stream protocol give the same records.

use std::fmt::Debug;
use std::sync::mpsc::channel;

use flowscope_core::{FlowSide, SessionParser, SessionParserFactory};
use flowscope_driver::{SessionDriver, SessionEvent, StreamDriver};
use flowscope_extract::{FiveTuple, FiveTupleKey};
use flowscope_session::{Callbacks, Origin};
use flowscope_testkit::{Packet, Rng};
use flowscope_track::EndReason;

use crate::Sample;
use crate::ops::TS;
use crate::stream::timeless;

/// Gives each flow a clone of a parser.
#[derive(Clone)]
pub(crate) struct Clones<P>(pub(crate) P);

impl<K, P: SessionParser + Clone> SessionParserFactory<K> for Clones<P> {
    type Parser = P;

    fn new_parser(&mut self, _: &K) -> Option<P> {
        Some(self.0.clone())
    }
}

/// Captures of the sample in which packets are missing, late or doubled.
const DAMAGED: u64 = 40;

/// A session driver with the parser emits what callbacks with the parser are called with.
pub(crate) fn shapes<P>(parser: &P, sample: &Sample)
where
    P: SessionParser + Clone + 'static,
    P::Message: Debug + 'static,
{
    let packets = sample.conversation.packets();
    check(parser, &packets, &sample.name);
    let mut rng = Rng::new(6);
    for n in 0..DAMAGED {
        let mut packets = packets.clone();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(packets.len());
            match rng.below(3) {
                0 => drop(packets.remove(at)),
                1 => packets.insert(at, packets[at].clone()),
                _ => {
                    let other = rng.below(packets.len());
                    packets.swap(at, other);
                }
            }
            if packets.is_empty() {
                break;
            }
        }
        // What the end of a flow completes has the time of its last packet in one shape, that of its last
        // segment in the other, and durations follow from it.
        packets.iter_mut().for_each(|packet| packet.ts = TS);
        check(parser, &packets, &format!("{}, capture {n}", sample.name));
    }
}

fn check<P>(parser: &P, packets: &[Packet], name: &str)
where
    P: SessionParser + Clone + 'static,
    P::Message: Debug + 'static,
{
    let mut driver = SessionDriver::new(FiveTuple::bidirectional(), Clones(parser.clone()));
    for packet in packets {
        driver.handle_packet(packet.view());
    }
    driver.finish(EndReason::EndOfInput);
    let emitted = std::iter::from_fn(|| driver.poll_event()).filter_map(|event| match event {
        SessionEvent::Application { flow, message, .. } => Some(text(&flow.key, &message)),
        _ => None,
    });
    let emitted: Vec<_> = emitted.collect();

    let (sender, called) = channel();
    let handler = move |origin: Origin<'_, FiveTupleKey>, message: P::Message| {
        let _: FlowSide = origin.side;
        sender.send(text(origin.key, &message)).unwrap_or_default();
    };
    let factory = Callbacks::with_parsers(Clones(parser.clone()), handler);
    let mut driver = StreamDriver::new(FiveTuple::bidirectional(), factory);
    for packet in packets {
        driver.handle_packet(packet.view());
    }
    driver.finish(EndReason::EndOfInput);
    let called: Vec<_> = called.try_iter().collect();
    assert_eq!(called, emitted, "{name}: callbacks, then what the driver emitted");
}

/// A record without times: those of the end of a flow are not the same in both shapes.
fn text(key: &FiveTupleKey, message: &impl Debug) -> String {
    timeless(&format!("{key} {message:?}"))
}

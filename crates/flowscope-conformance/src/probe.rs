//! What a protocol says of first bytes: its own, and those of other protocols.

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::Probe;
use flowscope_core::{DatagramParser, SessionParser};
use flowscope_record::{ByteSet, Protocol};

use crate::{Sample, Transport};

/// Longest start of a stream that is asked about.
const START: usize = 512;

/// The answer for the start of a stream or for a datagram.
fn ask<P: Protocol>(transport: Transport, side: FlowSide, start: &[u8]) -> Probe {
    match transport {
        Transport::Tcp => P::Stream::probe(side, start),
        Transport::Udp => P::Datagram::probe(side, start),
    }
}

/// The first bytes that make the protocol be asked on ports that are not its own.
fn first_bytes<P: Protocol>(transport: Transport) -> ByteSet {
    match transport {
        Transport::Tcp => P::STREAM_FIRST_BYTES,
        Transport::Udp => P::FIRST_BYTES,
    }
}

/// What is asked about of a sample: the start of each stream, or each datagram whole.
fn starts(sample: &Sample) -> Vec<(FlowSide, Vec<u8>)> {
    let conversation = &sample.conversation;
    match conversation.transport {
        Transport::Tcp => [Initiator, Responder]
            .map(|side| (side, conversation.stream(side)))
            .into_iter()
            .filter(|(_, stream)| !stream.is_empty())
            .map(|(side, stream)| (side, stream[..stream.len().min(START)].to_vec()))
            .collect(),
        Transport::Udp => {
            conversation.turns.iter().map(|turn| (turn.side, turn.bytes.clone())).collect()
        }
    }
}

/// Of its own samples, a protocol never says that they are not its own, and a decision stays. Where it says that
/// it is sure, its first bytes contain the first byte.
pub(crate) fn own<P: Protocol>(samples: &[Sample]) {
    for sample in samples {
        let transport = sample.conversation.transport;
        let first_bytes = first_bytes::<P>(transport);
        let mut sure = false;
        for (side, start) in starts(sample) {
            let name = &sample.name;
            let answer = ask::<P>(transport, side, &start);
            assert_ne!(answer, Probe::No, "{name}: {side:?} is said not to be {}", P::NAME);
            sure |= answer == Probe::Yes
                && start.first().is_some_and(|&byte| first_bytes.contains(byte));
            if transport == Transport::Tcp {
                assert_final::<P>(side, &start);
            }
        }
        assert!(
            sure || first_bytes.is_empty(),
            "{}: {} is found by bytes, and neither side of this sample makes it sure",
            sample.name,
            P::NAME
        );
    }
}

/// An answer other than [`Probe::Maybe`] stays the same when more bytes follow.
fn assert_final<P: Protocol>(side: FlowSide, start: &[u8]) {
    let mut decided = None;
    for len in 1..=start.len() {
        let answer = P::Stream::probe(side, &start[..len]);
        if let Some((at, before)) = decided {
            assert_eq!(answer, before, "{side:?}: decided at {at} bytes, otherwise at {len}");
        } else if answer != Probe::Maybe {
            decided = Some((len, answer));
        }
    }
}

/// Of another protocol's samples, a protocol is never sure, unless the two have one wire format. A protocol
/// without first bytes is asked on its own ports alone, where others' conversations are not to be expected.
pub(crate) fn foreign<P: Protocol>(samples: &[Sample]) {
    for sample in samples {
        let transport = sample.conversation.transport;
        if first_bytes::<P>(transport).is_empty() {
            continue;
        }
        for (side, start) in starts(sample) {
            for len in 1..=start.len() {
                let answer = ask::<P>(transport, side, &start[..len]);
                assert_ne!(
                    answer,
                    Probe::Yes,
                    "{}: {} is sure of the first {len} bytes of {side:?}",
                    sample.path.display(),
                    P::NAME
                );
            }
        }
    }
}

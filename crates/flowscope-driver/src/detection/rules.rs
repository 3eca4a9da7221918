//! The rules of protocol detection, for every list of protocols.

use flowscope_core::{FlowSide, Probe};

use crate::detection::classifier::Evidence;
use crate::detection::index::Candidate;
use crate::detection::{DetectedBy, ProbeInput, Transport};

/// Which candidate reads a flow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Choice<T> {
    /// This one, found so, and whether its bytes are sure.
    Found(T, DetectedBy, Certainty),
    /// More bytes may decide.
    NeedMore,
    /// None of them.
    Reject,
}

/// How much the bytes say for the protocol that was chosen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Certainty {
    /// They are hardly anything else.
    Sure,
    /// They do not speak against it, and the port is its own.
    Expected,
    /// They are from the middle of streams, where anything may stand, and the port is its own.
    Unlikely,
}

/// Bytes of a side that are a command or a reply, and not the first letter of one.
const LEAST_ANSWER: usize = 4;

/// Chooses among candidates, in their order; `probe` asks one about the first bytes of a side.
pub(crate) fn choose<T: Copy, K>(
    start: &ProbeInput<'_, K>,
    candidates: impl Iterator<Item = Candidate<T>>,
    probe: impl Fn(T, FlowSide, &[u8]) -> Probe,
) -> Choice<T> {
    // Who answers has understood what the other side said: more bytes seldom tell more than a port that fits both.
    let answered = start.whole && start.bytes.iter().all(|bytes| bytes.len() >= LEAST_ANSWER);
    let mut wait = false;
    let (mut expected, mut unlikely, mut by_bytes) = (None, None, None);
    for Candidate { entry, by_port } in candidates {
        match start.probe(|side, bytes| probe(entry, side, bytes)) {
            Evidence::Sure if by_port => {
                return Choice::Found(entry, DetectedBy::Port, Certainty::Sure);
            }
            Evidence::Sure => by_bytes = by_bytes.or(Some(entry)),
            // The port does not outweigh the side that contradicts, but the other may yet be sure.
            Evidence::Divided if start.whole => wait = true,
            evidence @ (Evidence::Open | Evidence::Divided) => {
                wait = true;
                // Datagrams stand alone: there are no more bytes to wait for. What is missing at
                // the start of a stream is not waited for either.
                let now = start.transport == Transport::Datagram || !start.whole;
                let enough = start.last || now || answered && evidence == Evidence::Open;
                if by_port && enough {
                    expected = expected.or(Some(entry));
                }
            }
            // Bytes of the middle may be of anything, but sure ones may follow.
            Evidence::Against if by_port && !start.whole => {
                wait = true;
                if start.last {
                    unlikely = unlikely.or(Some(entry));
                }
            }
            // The port is an expectation, which one unreadable datagram, or the bytes of one
            // side, do not end.
            Evidence::Against if by_port => wait |= start.may_be_followed(),
            Evidence::Against => {}
        }
    }
    match (by_bytes, expected, unlikely) {
        (Some(entry), ..) => Choice::Found(entry, DetectedBy::Bytes, Certainty::Sure),
        (_, Some(entry), _) => Choice::Found(entry, DetectedBy::Port, Certainty::Expected),
        (.., Some(entry)) => Choice::Found(entry, DetectedBy::Port, Certainty::Unlikely),
        _ if wait && !start.last => Choice::NeedMore,
        _ => Choice::Reject,
    }
}

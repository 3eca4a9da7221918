use crate::{FlowSide, Loss, Timestamp};

/// One TCP segment of a flow, borrowed from the frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment<'a> {
    /// Who sent it.
    pub side: FlowSide,
    /// When it was captured.
    pub ts: Timestamp,
    /// Sequence number of the payload's first byte: one more than the header's if SYN is set.
    pub seq: u32,
    /// The captured payload.
    pub payload: &'a [u8],
    /// Payload length on the wire, in bytes; more than `payload.len()` if the snap length cut it.
    pub wire_len: u32,
    /// What the sender acknowledges of the other side, if ACK is set.
    pub ack: Option<u32>,
    /// SYN is set: the stream begins at `seq`.
    pub syn: bool,
    /// FIN is set: the stream ends at `seq + wire_len`.
    pub fin: bool,
}

/// Takes the bytes of one stream, in order, and the gaps between them.
pub trait StreamSink {
    /// The bytes at stream offset `at` (0 is the first byte after the SYN, or the first byte seen).
    fn bytes(&mut self, at: u64, bytes: &[u8]);
    /// `len` bytes at offset `at` that were never captured.
    fn gap(&mut self, at: u64, len: u64);
    /// `bytes` bytes of segment payload that will not be delivered, and why.
    fn lost(&mut self, _cause: Loss, _bytes: u64) {}
    /// Two copies of the same bytes differ.
    fn conflict(&mut self, _conflict: Conflict) {}
}

/// Two copies of the same part of a stream that differ: hosts may disagree about what was said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Conflict {
    /// Offset in the stream of the first byte that may differ.
    pub at: u64,
    /// How many bytes from there to the last one that may differ.
    pub len: u64,
    /// Which copy is, or was, delivered.
    pub kept: KeptCopy,
}

/// Which of two copies of the same bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeptCopy {
    /// The one that was captured first.
    First,
    /// The one that was captured last.
    Last,
    /// Some bytes of the one, some of the other.
    Both,
}

/// Puts the segments of one direction of one flow in order.
///
/// A plain reassembler writes [`segment`](Self::segment), [`fin`](Self::fin) and
/// [`rst`](Self::rst), and [`drain`](Self::drain) if a parser shall read what it holds. Engines call
/// [`push`](Self::push), which gets the whole segment and the reassembler of the other side.
pub trait Reassembler {
    /// A segment with payload: `seq` numbers its first byte.
    fn segment(&mut self, seq: u32, payload: &[u8]);

    /// The sender has finished. Idempotent: retransmitted FINs call it again.
    fn fin(&mut self);

    /// The connection was reset: nothing more will come.
    fn rst(&mut self);

    /// Hands over what is ready, in order.
    fn drain(&mut self, _out: &mut dyn StreamSink) {}

    /// A segment with all that its header says, in-order bytes going straight to `out`. `peer` is
    /// the reassembler of the other side, for those that need to know what was acknowledged.
    fn push(&mut self, segment: Segment<'_>, _peer: &mut Self, out: &mut dyn StreamSink)
    where
        Self: Sized,
    {
        if !segment.payload.is_empty() {
            self.segment(segment.seq, segment.payload);
        }
        self.drain(out);
        if segment.fin {
            self.fin();
        }
    }

    /// The receiver acknowledges everything before `ack`. Engines call it for the other side of
    /// each segment that has an acknowledgement.
    fn acked(&mut self, _ack: u32, _out: &mut dyn StreamSink) {}

    /// When [`timeout`](Self::timeout) next has something to do, in packet time. Engines ask before
    /// each segment of either side.
    fn deadline(&self) -> Option<Timestamp> {
        None
    }

    /// Packet time has reached `now`: holes whose deadline has passed are released as gaps.
    fn timeout(&mut self, _now: Timestamp, _peer: &mut Self, _out: &mut dyn StreamSink)
    where
        Self: Sized,
    {
    }

    /// The flow is over, for whatever reason: what is held goes out, holes as gaps.
    fn end(&mut self, _peer: &mut Self, out: &mut dyn StreamSink)
    where
        Self: Sized,
    {
        self.drain(out);
    }

    /// Whether the sender's FIN was reached: all that it sent was handed over, or is a gap.
    fn finished(&self) -> bool {
        false
    }

    /// Memory is short: lets go of what is held out of order, as [`Loss::Memcap`].
    fn drop_buffered(&mut self, _out: &mut dyn StreamSink) {}

    /// Payload bytes that wait for others before them.
    fn pending(&self) -> u64 {
        0
    }

    /// Bytes of memory held beside the value itself, by capacity.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// Makes a reassembler per direction of a flow. The factory is shared, its products are not.
pub trait ReassemblerFactory<K> {
    /// What it makes.
    type Reassembler: Reassembler;

    /// A fresh reassembler for the bytes that `side` of the flow `key` sends.
    fn new_reassembler(&mut self, key: &K, side: FlowSide) -> Self::Reassembler;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least that a reassembler can be: three methods and `drain`.
    #[derive(Default)]
    struct Plain {
        held: Vec<u8>,
        at: u64,
        fins: u32,
    }

    impl Reassembler for Plain {
        fn segment(&mut self, _seq: u32, payload: &[u8]) {
            self.held.extend_from_slice(payload);
        }
        fn fin(&mut self) {
            self.fins += 1;
        }
        fn rst(&mut self) {}
        fn drain(&mut self, out: &mut dyn StreamSink) {
            out.bytes(self.at, &self.held);
            self.at += self.held.len() as u64;
            self.held.clear();
        }
    }

    struct Collect(Vec<u8>);

    impl StreamSink for Collect {
        fn bytes(&mut self, at: u64, bytes: &[u8]) {
            assert_eq!(at, self.0.len() as u64);
            self.0.extend_from_slice(bytes);
        }
        fn gap(&mut self, _: u64, _: u64) {}
    }

    #[test]
    fn push_has_a_body_for_plain_reassemblers() {
        let (mut own, mut peer, mut out) =
            (Plain::default(), Plain::default(), Collect(Vec::new()));
        let segment = |payload, fin| Segment {
            side: FlowSide::Initiator,
            ts: Timestamp::ZERO,
            seq: 1,
            payload,
            wire_len: 2,
            ack: None,
            syn: false,
            fin,
        };
        own.push(segment(b"ab", false), &mut peer, &mut out);
        own.push(segment(b"cd", true), &mut peer, &mut out);
        assert_eq!(out.0, b"abcd");
        assert_eq!((own.fins, own.heap_bytes()), (1, 0));
    }
}

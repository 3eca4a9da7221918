use crate::{FlowSide, Loss, Timestamp};

/// One TCP segment of a flow, borrowed from the frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment<'a> {
    /// The side that sent the segment.
    pub side: FlowSide,
    /// Capture time.
    pub ts: Timestamp,
    /// Sequence number of the payload's first byte: one more than the header's if SYN is set.
    pub seq: u32,
    /// The captured payload.
    pub payload: &'a [u8],
    /// Payload length on the wire, in bytes; more than `payload.len()` if the snap length cut it.
    pub wire_len: u32,
    /// Acknowledgement number, if ACK is set: the next byte that the sender expects of its peer. A flow table
    /// leaves out numbers far beyond what the peer may have sent.
    pub ack: Option<u32>,
    /// SYN is set: the stream begins at `seq`.
    pub syn: bool,
    /// FIN is set: the stream ends at `seq + wire_len`; at `seq`, if the payload is padding.
    pub fin: bool,
    /// The payload may be the padding of a minimal Ethernet frame, which a device counted in the IP length:
    /// only zeros, in a packet that fills at most the 46 bytes of IEEE 802.3 §3.2.8, without PSH. With `syn` or `fin`
    /// a flow table takes it for padding, in a bare ACK the next segments tell.
    pub padding: bool,
    /// The segment lies outside the window of its receiver, by all that the flow table knows (RFC 9293
    /// §3.10.7.4): its bytes count if the receiver acknowledges them.
    pub out_of_window: bool,
}

impl<'a> Segment<'a> {
    /// Creates a segment without flags whose payload was captured whole.
    ///
    /// `seq` numbers the payload's first byte.
    #[must_use]
    pub fn new(side: FlowSide, ts: Timestamp, seq: u32, payload: &'a [u8]) -> Self {
        let wire_len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        Segment {
            side,
            ts,
            seq,
            payload,
            wire_len,
            ack: None,
            syn: false,
            fin: false,
            padding: false,
            out_of_window: false,
        }
    }

    /// Sets ACK and the acknowledgement number.
    #[must_use]
    pub fn ack(mut self, ack: u32) -> Self {
        self.ack = Some(ack);
        self
    }

    /// Sets SYN: the stream begins at `seq`.
    #[must_use]
    pub fn syn(mut self) -> Self {
        self.syn = true;
        self
    }

    /// Sets FIN: the stream ends behind the payload.
    #[must_use]
    pub fn fin(mut self) -> Self {
        self.fin = true;
        self
    }

    /// Sets the payload length on the wire, in bytes. Default: the length of the payload.
    #[must_use]
    pub fn wire_len(mut self, wire_len: u32) -> Self {
        self.wire_len = wire_len;
        self
    }

    /// Removes payload and FIN, for a stream that is not read.
    pub fn remove_payload(&mut self) {
        self.payload = &[];
        self.wire_len = 0;
        self.fin = false;
        self.padding = false;
    }
}

/// Receives the bytes of one stream, in order, and the gaps between them.
pub trait StreamSink {
    /// Receives the bytes at stream offset `at` (0 is the first byte after the SYN, or the first byte
    /// seen).
    fn bytes(&mut self, at: u64, bytes: &[u8]);
    /// Receives bytes of a segment that acknowledges the other side's stream up to the offset
    /// `acked`, if that is known. `ts` is the packet time at which the bytes were there, and all before them but gaps,
    /// where that was before the packet at hand. The default body calls [`bytes`](Self::bytes).
    fn bytes_acking(&mut self, at: u64, bytes: &[u8], _acked: Option<u64>, _ts: Option<Timestamp>) {
        self.bytes(at, bytes);
    }
    /// Receives the length of a gap: `len` bytes at offset `at` were never captured.
    fn gap(&mut self, at: u64, len: u64);
    /// Receives the number of payload bytes that will not be delivered, and the cause.
    fn lost(&mut self, _cause: Loss, _bytes: u64) {}
    /// Receives a conflict: two copies of the same bytes differ.
    fn conflict(&mut self, _conflict: Conflict) {}
}

/// Two copies of the same part of a stream that differ: receivers may have read either.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Conflict {
    /// Stream offset of the first byte that may differ.
    pub at: u64,
    /// Number of bytes from there to the last one that may differ.
    pub len: u64,
    /// The copy that is, or was, delivered.
    pub kept: KeptCopy,
}

/// Which of two copies of the same bytes is delivered.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeptCopy {
    /// The copy that was captured first.
    First,
    /// The copy that was captured last.
    Last,
    /// Some bytes of each.
    Both,
}

/// Puts the segments of one direction of one flow in order.
///
/// A plain reassembler implements [`segment`](Self::segment), [`fin`](Self::fin) and
/// [`rst`](Self::rst), and [`drain`](Self::drain) if a parser reads what it holds. Engines call
/// [`push`](Self::push), which gets the whole segment and the reassembler of the other side.
pub trait Reassembler {
    /// Handles a segment with payload; `seq` numbers its first byte.
    fn segment(&mut self, seq: u32, payload: &[u8]);

    /// Handles the sender's FIN. Idempotent: retransmitted FINs call it again.
    fn fin(&mut self);

    /// Handles a reset of the connection: nothing more will come.
    fn rst(&mut self);

    /// Handles that the FIN given before was not the sender's: bytes go on behind it, or its receiver has
    /// acknowledged more. Another may follow. The default ignores it.
    fn retract_fin(&mut self) {}

    /// Passes what is ready to `out`, in order.
    fn drain(&mut self, _out: &mut dyn StreamSink) {}

    /// Handles a segment with all that its header says; in-order bytes go straight to `out`.
    ///
    /// `peer` is the reassembler of the other side, for those that use acknowledgements.
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

    /// Handles an acknowledgement by the receiver of everything before `ack`.
    ///
    /// Engines call it for the other side of each segment that has an acknowledgement.
    fn acked(&mut self, _ack: u32, _out: &mut dyn StreamSink) {}

    /// Returns when [`timeout`](Self::timeout) next has work, in packet time.
    ///
    /// Engines ask before each segment of either side.
    fn deadline(&self) -> Option<Timestamp> {
        None
    }

    /// Handles packet time that has reached `now`: holes whose deadline has passed become gaps.
    fn timeout(&mut self, _now: Timestamp, _peer: &mut Self, _out: &mut dyn StreamSink)
    where
        Self: Sized,
    {
    }

    /// Returns whether bytes are ready but for bytes of the other side, behind which they were sent. The default is
    /// `false`: each side is read by itself.
    fn is_waiting(&self) -> bool {
        false
    }

    /// Passes to `out` what need not wait for the other side any longer; returns whether there was any.
    ///
    /// Engines call it after each call that may have brought bytes or gaps of `peer`, the reassembler of the
    /// other side, until neither has any.
    fn release(&mut self, _peer: &mut Self, _out: &mut dyn StreamSink) -> bool
    where
        Self: Sized,
    {
        false
    }

    /// Handles that nothing more comes: passes on the first bytes that wait for others, behind a gap if they are
    /// missing. Returns whether there were any.
    ///
    /// Engines call it before the [end](Self::end), while both sides have a [deadline](Self::deadline), on the one with the
    /// earlier one first.
    fn give_up(&mut self, _peer: &mut Self, _out: &mut dyn StreamSink) -> bool
    where
        Self: Sized,
    {
        false
    }

    /// Handles the end of the flow: what is buffered goes to `out`, holes as gaps.
    fn end(&mut self, _peer: &mut Self, out: &mut dyn StreamSink)
    where
        Self: Sized,
    {
        self.drain(out);
    }

    /// Returns whether the FIN was reached: all that the sender sent was delivered, or is a gap.
    fn finished(&self) -> bool {
        false
    }

    /// Returns whether bytes are missing that are known to have been sent, and may still be captured: before
    /// buffered bytes, before the FIN, or before an acknowledgement. `peer` is as for [`push`](Self::push).
    ///
    /// Engines ask when a flow has ended: until its entry leaves the flow table, late segments may bring
    /// them. A side that is read no further lacks nothing; `peer` is the reassembler of the other side.
    fn has_hole(&self, _peer: &Self) -> bool
    where
        Self: Sized,
    {
        false
    }

    /// Handles that the stream is read no further: what is buffered is lost to `cause`, and the other side waits for
    /// nothing of it. The default [drops](Self::drop_buffered) what is buffered.
    fn abandon(&mut self, _cause: Loss, out: &mut dyn StreamSink) {
        self.drop_buffered(out);
    }

    /// Drops what is buffered out of order, as [`Loss::Memcap`], because memory is short.
    fn drop_buffered(&mut self, _out: &mut dyn StreamSink) {}

    /// Returns the number of payload bytes that are buffered.
    fn pending(&self) -> u64 {
        0
    }

    /// Returns the allocated memory, in bytes, by capacity, without the value itself.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// Creates a reassembler per direction of a flow.
pub trait ReassemblerFactory<K> {
    /// The type of the reassemblers.
    type Reassembler: Reassembler;

    /// Creates a reassembler for the bytes that `side` of the flow `key` sends.
    fn new_reassembler(&mut self, key: &K, side: FlowSide) -> Self::Reassembler;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest reassembler: three methods and `drain`.
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
        let segment = |payload| Segment::new(FlowSide::Initiator, Timestamp::ZERO, 1, payload);
        own.push(segment(b"ab"), &mut peer, &mut out);
        own.push(segment(b"cd").fin(), &mut peer, &mut out);
        assert_eq!(out.0, b"abcd");
        assert_eq!((own.fins, own.heap_bytes()), (1, 0));
    }

    #[test]
    fn a_segment_is_whole_and_without_flags_unless_it_says_otherwise() {
        let plain = Segment::new(FlowSide::Responder, Timestamp::ZERO, 7, b"abc");
        assert_eq!((plain.wire_len, plain.ack, plain.syn, plain.fin), (3, None, false, false));
        let full = plain.ack(5).syn().fin().wire_len(9);
        assert_eq!((full.wire_len, full.ack, full.syn, full.fin), (9, Some(5), true, true));
        let mut bare = full;
        bare.remove_payload();
        assert_eq!((bare.payload, bare.wire_len, bare.syn, bare.fin), (&b""[..], 0, true, false));
    }
}

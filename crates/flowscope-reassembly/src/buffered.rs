use std::num::NonZeroUsize;

use flowscope_core::{FlowSide, Loss, Reassembler, ReassemblerFactory, Segment, StreamSink};

/// A simple reassembler: keeps in-order bytes and drops out-of-order segments.
///
/// A segment behind missing bytes is dropped; when the missing bytes arrive, the stream continues there.
/// Bytes on both sides of a gap are never joined, so a stream with a segment missing in the capture stops at
/// that point. [`StreamReassembler`](crate::StreamReassembler) buffers such segments and reports gaps.
///
/// It works without an engine: add segments, [`take`](Self::take) the bytes. Under an engine, in-order bytes
/// go directly to the sink while nothing is buffered.
///
/// The stream begins at the SYN if one is pushed, else at the first segment. At most `max_buffer` bytes are
/// buffered; more bytes are dropped as if they had not been captured.
///
/// ```
/// use flowscope_reassembly::{BufferedReassembler, Reassembler};
///
/// let mut stream = BufferedReassembler::default();
/// stream.segment(1000, b"hello ");
/// stream.segment(1020, b"dropped");
/// stream.segment(1006, b"world");
/// stream.fin();
/// assert_eq!(stream.take(), b"hello world");
/// assert_eq!((stream.out_of_order(), stream.finished()), (7, true));
/// ```
#[derive(Clone, Debug)]
pub struct BufferedReassembler {
    buffer: Vec<u8>,
    /// Offset of the first byte in the buffer.
    at: u64,
    /// Next expected sequence number.
    next: Option<u32>,
    max_buffer: NonZeroUsize,
    fin: bool,
    /// Sequence number of the FIN, where it is known.
    fin_seq: Option<u32>,
    reset: bool,
    dropped: Dropped,
    /// The part of `dropped` already reported to a sink.
    reported: Dropped,
}

#[derive(Clone, Copy, Debug, Default)]
struct Dropped {
    out_of_order: u64,
    duplicate: u64,
    over_bound: u64,
    after_reset: u64,
}

/// 1 MiB.
const DEFAULT_MAX_BUFFER: NonZeroUsize = NonZeroUsize::new(1 << 20).expect("not zero");

impl Default for BufferedReassembler {
    /// A reassembler with a `max_buffer` of 1 MiB.
    fn default() -> Self {
        BufferedReassembler::new(DEFAULT_MAX_BUFFER)
    }
}

impl BufferedReassembler {
    /// Creates a reassembler that buffers at most `max_buffer` bytes, by capacity.
    #[must_use]
    pub fn new(max_buffer: NonZeroUsize) -> Self {
        BufferedReassembler {
            buffer: Vec::new(),
            at: 0,
            next: None,
            max_buffer,
            fin: false,
            fin_seq: None,
            reset: false,
            dropped: Dropped::default(),
            reported: Dropped::default(),
        }
    }

    /// Takes the in-order bytes received since the last call.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        self.at += self.buffer.len() as u64;
        std::mem::take(&mut self.buffer)
    }

    /// The in-order bytes that were not taken yet.
    #[must_use]
    pub fn buffered(&self) -> &[u8] {
        &self.buffer
    }

    /// Number of in-order bytes since the start of the stream, taken bytes included.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.at + self.buffer.len() as u64
    }

    /// Bytes dropped because earlier bytes were missing.
    #[must_use]
    pub fn out_of_order(&self) -> u64 {
        self.dropped.out_of_order
    }

    /// Bytes received more than once.
    #[must_use]
    pub fn duplicate(&self) -> u64 {
        self.dropped.duplicate
    }

    /// Bytes dropped because the buffer was full.
    #[must_use]
    pub fn over_bound(&self) -> u64 {
        self.dropped.over_bound
    }

    /// The new in-order part of a segment; the rest is counted as dropped.
    fn accept<'a>(&mut self, seq: u32, payload: &'a [u8]) -> &'a [u8] {
        let len = payload.len() as u64;
        if self.reset {
            self.dropped.after_reset += len;
            return &[];
        }
        let next = *self.next.get_or_insert(seq);
        let ahead = seq.wrapping_sub(next).cast_signed();
        if ahead > 0 {
            self.dropped.out_of_order += len;
            return &[];
        }
        let behind = usize::try_from(ahead.unsigned_abs()).unwrap_or(usize::MAX);
        let (old, new) = payload.split_at(behind.min(payload.len()));
        self.dropped.duplicate += old.len() as u64;
        new
    }

    fn buffer(&mut self, new: &[u8]) {
        let most = self.max_buffer.get();
        let room = most - self.buffer.len();
        let (fits, over) = new.split_at(new.len().min(room));
        let len = self.buffer.len() + fits.len();
        if len > self.buffer.capacity() {
            let grown = len.max(self.buffer.capacity() * 2).min(most);
            self.buffer.reserve_exact(grown - self.buffer.len());
        }
        self.buffer.extend_from_slice(fits);
        self.dropped.over_bound += over.len() as u64;
        self.advance(fits.len());
    }

    fn advance(&mut self, bytes: usize) {
        self.next = self.next.map(|next| next.wrapping_add(bytes as u32));
    }

    fn report_losses(&mut self, out: &mut dyn StreamSink) {
        let (now, reported) = (self.dropped, std::mem::replace(&mut self.reported, self.dropped));
        for (cause, bytes) in [
            (Loss::OooDropped, now.out_of_order - reported.out_of_order),
            (Loss::Duplicate, now.duplicate - reported.duplicate),
            (Loss::Memcap, now.over_bound - reported.over_bound),
            (Loss::OutOfWindow, now.after_reset - reported.after_reset),
        ] {
            if bytes > 0 {
                out.lost(cause, bytes);
            }
        }
    }
}

impl Reassembler for BufferedReassembler {
    fn segment(&mut self, seq: u32, payload: &[u8]) {
        let new = self.accept(seq, payload);
        self.buffer(new);
    }

    fn fin(&mut self) {
        self.fin = true;
    }

    fn retract_fin(&mut self) {
        (self.fin, self.fin_seq) = (false, None);
    }

    fn rst(&mut self) {
        self.reset = true;
    }

    fn drain(&mut self, out: &mut dyn StreamSink) {
        if !self.buffer.is_empty() {
            out.bytes(self.at, &self.buffer);
            self.at += self.buffer.len() as u64;
            self.buffer.clear();
        }
        self.report_losses(out);
    }

    fn push(&mut self, segment: Segment<'_>, _peer: &mut Self, out: &mut dyn StreamSink) {
        if segment.syn && !self.reset {
            self.next.get_or_insert(segment.seq);
        }
        if !segment.payload.is_empty() {
            self.drain(out);
            let new = self.accept(segment.seq, segment.payload);
            if !new.is_empty() {
                out.bytes(self.at, new);
                self.at += new.len() as u64;
                self.advance(new.len());
            }
            self.report_losses(out);
        }
        if segment.fin && !self.fin {
            self.fin_seq = Some(segment.seq.wrapping_add(segment.wire_len));
            self.fin();
        }
    }

    fn finished(&self) -> bool {
        self.fin && self.fin_seq.is_none_or(|fin| self.next.is_none_or(|next| next == fin))
    }

    fn pending(&self) -> u64 {
        self.buffer.len() as u64
    }

    fn heap_bytes(&self) -> usize {
        self.buffer.capacity()
    }
}

/// Factory of [`BufferedReassembler`]s.
#[derive(Clone, Debug)]
pub struct BufferedFactory {
    max_buffer: NonZeroUsize,
}

impl Default for BufferedFactory {
    /// With a `max_buffer` of 1 MiB.
    fn default() -> Self {
        BufferedFactory::new(DEFAULT_MAX_BUFFER)
    }
}

impl BufferedFactory {
    /// Creates a factory whose reassemblers buffer at most `max_buffer` bytes each.
    #[must_use]
    pub fn new(max_buffer: NonZeroUsize) -> Self {
        BufferedFactory { max_buffer }
    }
}

impl<K> ReassemblerFactory<K> for BufferedFactory {
    type Reassembler = BufferedReassembler;

    fn new_reassembler(&mut self, _key: &K, _side: FlowSide) -> BufferedReassembler {
        BufferedReassembler::new(self.max_buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowscope_core::Timestamp;

    #[derive(Debug, Default, PartialEq)]
    struct Sink {
        bytes: Vec<(u64, Vec<u8>)>,
        lost: Vec<(Loss, u64)>,
    }

    impl StreamSink for Sink {
        fn bytes(&mut self, at: u64, bytes: &[u8]) {
            self.bytes.push((at, bytes.to_vec()));
        }
        fn gap(&mut self, at: u64, len: u64) {
            panic!("a gap of {len} at {at}");
        }
        fn lost(&mut self, cause: Loss, bytes: u64) {
            self.lost.push((cause, bytes));
        }
    }

    fn segment(seq: u32, payload: &[u8]) -> Segment<'_> {
        Segment::new(FlowSide::Initiator, Timestamp::ZERO, seq, payload)
    }

    fn check(max_buffer: usize, segments: &[(u32, &[u8])], bytes: &[u8], dropped: [u64; 3]) {
        let mut stream = BufferedReassembler::new(NonZeroUsize::new(max_buffer).unwrap());
        for (seq, payload) in segments {
            stream.segment(*seq, payload);
            assert!(stream.heap_bytes() <= max_buffer);
        }
        let counted = [stream.out_of_order(), stream.duplicate(), stream.over_bound()];
        assert_eq!((stream.buffered(), counted), (bytes, dropped), "{segments:?}");
        assert_eq!(stream.position(), bytes.len() as u64);
        assert_eq!(stream.take(), bytes);
        assert!(stream.take().is_empty());
    }

    #[test]
    fn a_fin_may_be_retracted() {
        let mut stream = BufferedReassembler::new(DEFAULT_MAX_BUFFER);
        let (mut peer, mut sink) = (stream.clone(), Sink::default());
        stream.push(segment(1, b"a").fin(), &mut peer, &mut sink);
        assert!(stream.finished());
        stream.retract_fin();
        stream.push(segment(2, b"b"), &mut peer, &mut sink);
        assert!(!stream.finished());
        stream.push(segment(3, b"c").fin(), &mut peer, &mut sink);
        assert!(stream.finished());
        let bytes: Vec<u8> = sink.bytes.into_iter().flat_map(|(_, bytes)| bytes).collect();
        assert_eq!(bytes, b"abc");
    }

    #[test]
    fn in_order_only() {
        check(99, &[(5, b"ab"), (7, b"cd")], b"abcd", [0, 0, 0]);
        check(99, &[(5, b"ab"), (9, b"ef"), (7, b"cd")], b"abcd", [2, 0, 0]);
        check(99, &[(5, b"ab"), (9, b"ef"), (7, b"cd"), (9, b"ef")], b"abcdef", [2, 0, 0]);
        check(99, &[(5, b"abc"), (5, b"abc"), (7, b"cd")], b"abcd", [0, 4, 0]);
        check(99, &[(u32::MAX, b"ab"), (1, b"cd")], b"abcd", [0, 0, 0]);
        check(99, &[(0, b"ab"), (u32::MAX, b"zab")], b"ab", [0, 3, 0]);
        check(3, &[(5, b"abcd"), (9, b"ef"), (8, b"d")], b"abc", [2, 0, 2]);
    }

    #[test]
    fn pushed_bytes_pass_through_and_losses_are_told() {
        let (mut own, mut peer) = (BufferedReassembler::default(), BufferedReassembler::default());
        let mut out = Sink::default();
        own.push(segment(5, b"").syn(), &mut peer, &mut out);
        own.push(segment(7, b"cd"), &mut peer, &mut out);
        own.push(segment(5, b"ab"), &mut peer, &mut out);
        own.push(segment(6, b"bcd"), &mut peer, &mut out);
        assert_eq!(own.heap_bytes(), 0);
        assert_eq!(out.bytes, [(0, b"ab".to_vec()), (2, b"cd".to_vec())]);
        assert_eq!(out.lost, [(Loss::OooDropped, 2), (Loss::Duplicate, 1)]);
    }

    /// Whatever comes in its place: bytes before it are missing, and are not waited for.
    #[test]
    fn a_fin_is_reached_behind_all_bytes_before_it() {
        let finished = |segments: &[Segment<'_>]| {
            let mut own = BufferedReassembler::default();
            let (mut peer, mut out) = (BufferedReassembler::default(), Sink::default());
            for segment in segments {
                own.push(*segment, &mut peer, &mut out);
            }
            own.finished()
        };
        let syn = segment(5, b"").syn();
        assert!(!finished(&[syn, segment(5, b"ab")]));
        assert!(finished(&[syn, segment(5, b"ab").fin()]));
        assert!(finished(&[syn, segment(5, b"ab"), segment(7, b"").fin()]));
        assert!(!finished(&[syn, segment(7, b"cd").fin()]));
        assert!(finished(&[syn, segment(7, b"").fin(), segment(5, b"ab")]));
        // Its number is behind the last byte, and numbers wrap.
        let last = segment(u32::MAX, b"ab").fin();
        assert!(finished(&[segment(u32::MAX, b"").syn(), last]));
        // Without any byte it is not known what is missing.
        assert!(finished(&[segment(7, b"").fin()]));
    }

    #[test]
    fn what_there_is_no_room_for_is_lost_to_the_limit() {
        let mut stream = BufferedReassembler::new(NonZeroUsize::new(3).unwrap());
        let mut out = Sink::default();
        stream.segment(5, b"abcd");
        stream.drain(&mut out);
        assert_eq!(out.bytes, [(0, b"abc".to_vec())]);
        assert_eq!(out.lost, [(Loss::Memcap, 1)]);
        // There is room again, for what follows the bytes that were kept.
        stream.segment(8, b"d");
        stream.drain(&mut out);
        assert_eq!((out.bytes.len(), out.lost.len()), (2, 1));
    }

    #[test]
    fn what_was_buffered_goes_first() {
        let (mut own, mut peer) = (BufferedReassembler::default(), BufferedReassembler::default());
        let mut out = Sink::default();
        own.segment(5, b"ab");
        own.segment(5, b"ab");
        own.push(segment(7, b"cd"), &mut peer, &mut out);
        assert_eq!(out.bytes, [(0, b"ab".to_vec()), (2, b"cd".to_vec())]);
        assert_eq!(out.lost, [(Loss::Duplicate, 2)]);
    }

    #[test]
    fn fin_is_idempotent_and_a_reset_is_final() {
        let mut stream = BufferedReassembler::default();
        stream.segment(5, b"ab");
        stream.fin();
        stream.fin();
        assert!(stream.finished());
        stream.segment(7, b"cd");
        stream.rst();
        stream.segment(9, b"ef");
        let mut out = Sink::default();
        stream.drain(&mut out);
        assert_eq!(out.bytes, [(0, b"abcd".to_vec())]);
        assert_eq!(out.lost, [(Loss::OutOfWindow, 2)]);
    }
}

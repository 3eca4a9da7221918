//! Padding of minimal Ethernet frames that a device counted in the IP length.

use flowscope_core::Segment;

/// Zeros that a bare ACK seems to carry, until another segment shows whether they were sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Padding {
    /// Number of the first of them.
    seq: u32,
    len: u32,
}

/// What a segment says of zeros before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PaddingVerdict {
    /// Nothing.
    Unknown,
    /// They are bytes of the stream.
    Sent,
    /// Their sender goes on where they began: they are padding.
    NotSent,
    /// Their sender goes on where they began, with other bytes.
    Replaced,
}

/// The longest padding: that of 40 bytes, to the 46 of a minimal frame.
const ZEROS: [u8; 6] = [0; 6];

impl Padding {
    /// The payload of a segment that [may be padding](Segment::padding).
    pub(crate) fn of(segment: &Segment<'_>) -> Option<Self> {
        let len = segment.payload.len();
        let whole = len == segment.wire_len as usize && (1..=ZEROS.len()).contains(&len);
        (segment.padding && whole).then_some(Padding { seq: segment.seq, len: segment.wire_len })
    }

    /// Sequence number of the first byte.
    pub(crate) fn seq(self) -> u32 {
        self.seq
    }

    /// Bytes.
    pub(crate) fn len(self) -> u64 {
        u64::from(self.len)
    }

    /// They are bytes of the stream: the segment that they came in.
    pub(crate) fn segment(self, like: &Segment<'_>) -> Segment<'static> {
        let payload = &ZEROS[..self.len as usize];
        Segment { payload, padding: false, ..Segment::new(like.side, like.ts, self.seq, payload) }
    }

    /// What the next segment of the same side says. RFC 9293 §3.8: a bare ACK has the number of the next
    /// byte that its sender will send.
    pub(crate) fn judge(self, next: &Segment<'_>) -> PaddingVerdict {
        if next.seq != self.seq {
            PaddingVerdict::Sent
        } else if next.payload.is_empty() {
            match next.wire_len {
                0 => PaddingVerdict::NotSent,
                _ => PaddingVerdict::Sent,
            }
        } else if next.payload.iter().take(self.len as usize).any(|byte| *byte != 0) {
            PaddingVerdict::Replaced
        } else if next.padding {
            PaddingVerdict::NotSent
        } else {
            PaddingVerdict::Sent
        }
    }

    /// What an acknowledgement by the other side says.
    pub(crate) fn judge_ack(self, ack: u32) -> PaddingVerdict {
        let sent = ack == self.seq.wrapping_add(self.len);
        if sent { PaddingVerdict::Sent } else { PaddingVerdict::Unknown }
    }
}

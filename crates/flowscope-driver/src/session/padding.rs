//! Padding of minimal Ethernet frames that a device counted in the IP length.

use std::num::NonZeroU8;

use flowscope_core::{Conflict, KeptCopy, Loss, Segment};
use flowscope_track::Flow;

use super::flow_sink::{SessionFlowSink, SessionOf};
use crate::detection::Classifier;
use crate::session::{SessionChange, SessionSink};

/// Zeros that a bare ACK seems to carry, until another segment shows whether they were sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Padding {
    /// Number of the first of them.
    seq: u32,
    len: NonZeroU8,
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
        let whole = len == segment.wire_len as usize && len <= ZEROS.len();
        let len = NonZeroU8::new(u8::try_from(len).ok()?)?;
        (segment.padding && whole).then_some(Padding { seq: segment.seq, len })
    }

    /// Sequence number of the first byte.
    pub(crate) fn seq(self) -> u32 {
        self.seq
    }

    /// Bytes.
    pub(crate) fn len(self) -> u64 {
        self.len.get().into()
    }

    /// They are bytes of the stream: the segment that they came in.
    pub(crate) fn segment(self, like: &Segment<'_>) -> Segment<'static> {
        let payload = &ZEROS[..usize::from(self.len.get())];
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
        } else if next.payload.iter().take(self.len.get().into()).any(|byte| *byte != 0) {
            PaddingVerdict::Replaced
        } else if next.padding {
            PaddingVerdict::NotSent
        } else {
            PaddingVerdict::Sent
        }
    }

    /// What an acknowledgement by the other side says.
    pub(crate) fn judge_ack(self, ack: u32) -> PaddingVerdict {
        let sent = ack == self.seq.wrapping_add(self.len.get().into());
        if sent { PaddingVerdict::Sent } else { PaddingVerdict::Unknown }
    }
}

impl<K, C: Classifier<K>, O> SessionFlowSink<'_, K, C, O> {
    /// Takes zeros from a SYN or FIN that the flow table takes for padding.
    #[cold]
    pub(super) fn drop_padding(&mut self, segment: &mut Segment<'_>) {
        if segment.syn || segment.fin {
            self.host.ledger.lose(Loss::Duplicate, segment.payload.len() as u64);
            let fin = segment.fin;
            segment.remove_payload();
            segment.fin = fin;
        }
    }

    /// Handles zeros that may be padding: those of this segment wait for what the next ones say, and this
    /// one may say it of those that wait.
    #[cold]
    pub(super) fn sort_padding<U>(
        &mut self,
        session: &mut SessionOf<K, C>,
        mut flow: Flow<'_, K, U>,
        segment: &mut Segment<'_>,
    ) where
        O: SessionSink<K, C::Message, U>,
    {
        let side = segment.side;
        for of in [!side, side] {
            let Some(padding) = session.padding[of.index()] else { continue };
            let verdict = if of == side {
                padding.judge(segment)
            } else {
                segment.ack.map_or(PaddingVerdict::Unknown, |ack| padding.judge_ack(ack))
            };
            if verdict == PaddingVerdict::Unknown {
                continue;
            }
            session.padding[of.index()] = None;
            if verdict == PaddingVerdict::Sent {
                let sent = padding.segment(&Segment { side: of, ..*segment });
                self.stream(session, flow.reborrow(), sent);
                continue;
            }
            self.host.ledger.lose(Loss::Duplicate, padding.len());
            if verdict == PaddingVerdict::Replaced {
                // Only the lower half of the offset is known here.
                let start = flow.stream_start(of).unwrap_or(padding.seq());
                let at = u64::from(padding.seq().wrapping_sub(start));
                let conflict = Conflict { at, len: padding.len(), kept: KeptCopy::Last };
                self.out.session(flow.reborrow(), SessionChange::Conflict { side: of, conflict });
            }
        }
        // The offset of a conflict counts from the start of the stream.
        if session.reading.state.loss(side).is_none()
            && flow.stream_start(side).is_some()
            && let Some(padding) = Padding::of(segment)
        {
            session.padding[side.index()] = Some(padding);
            segment.remove_payload();
        }
        session.has_padding = session.padding.iter().any(Option::is_some);
    }
}

//! Flows that were recognised by the bytes of one side: the first bytes of the other may contradict, or confirm.

use flowscope_core::{Probe, Segment};
use flowscope_track::Flow;

use super::flow_sink::{ParserHost, SessionFlowSink};
use super::slot::{FlowContext, Recognised, SeenSide};
use super::stream_dispatch::first_bytes;
use crate::detection::{Classifier, Contradiction, Detection};
use crate::session::{SessionChange, SessionSink};

/// The first bytes of a stream are waited for until a segment begins farther behind them, in bytes.
const MAX_AHEAD: u32 = 1 << 16;

impl<K, C: Classifier<K>, O> SessionFlowSink<'_, K, C, O> {
    /// Handles a segment of a flow that was recognised by the bytes of one side: whether the first bytes of
    /// the other rule that out.
    #[cold]
    pub(super) fn check_other_side<U>(
        &mut self,
        context: &mut FlowContext,
        flow: Flow<'_, K, U>,
        segment: &Segment<'_>,
    ) where
        O: SessionSink<K, C::Message, U>,
    {
        let Some(Recognised { unseen, seen, .. }) = context.recognised else { return };
        if segment.side != unseen
            || segment.payload.is_empty()
            || segment.padding
            || segment.out_of_window
        {
            return;
        }
        match flow.stream_start(unseen).map(|start| segment.seq.wrapping_sub(start)) {
            _ if seen == SeenSide::OnTrial => {}
            Some(0) => {}
            // The first bytes may come late.
            Some(1..=MAX_AHEAD) => return,
            // Bytes from the middle of a stream may be anything.
            _ => {
                context.recognised = None;
                return;
            }
        }
        let Some(recognised) = context.recognised.take() else { return };
        judge(self.host, self.out, flow, recognised, segment.payload);
    }
}

/// Says what the first bytes of the other side make of a flow that was recognised by those of one.
pub(super) fn judge<K, C: Classifier<K>, U, O>(
    host: &mut ParserHost<K, C>,
    out: &mut O,
    flow: Flow<'_, K, U>,
    Recognised { protocol, by, unseen, seen }: Recognised,
    bytes: &[u8],
) where
    O: SessionSink<K, C::Message, U>,
{
    let protocol = host.protocols.get(usize::from(protocol)).copied().unwrap_or_default();
    let found = Detection::new(protocol, by);
    let (classifier, bytes) = (&host.classifier, first_bytes(bytes));
    let change = match (classifier.probe_start(found, unseen, bytes), seen) {
        (Probe::Yes, SeenSide::OnTrial) => {
            SessionChange::Chosen(Detection { sure: Some(unseen), ..found })
        }
        (Probe::No, SeenSide::Sure | SeenSide::Open) => {
            let other = classifier.recognise(unseen, bytes);
            SessionChange::contradiction(Detection {
                sure: (seen == SeenSide::Sure).then_some(!unseen),
                contradicted: Some(Contradiction { side: unseen, protocol: other }),
                ..found
            })
        }
        _ => return,
    };
    out.session(flow, change);
}

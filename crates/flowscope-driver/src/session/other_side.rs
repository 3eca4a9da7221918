//! Flows that were recognised by the bytes of one side: the first bytes of the other may contradict.

use flowscope_core::{Probe, Segment};
use flowscope_track::Flow;

use super::flow_sink::SessionFlowSink;
use super::slot::{FlowContext, Recognised};
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
        let Some(Recognised { protocol, by, unseen, sure }) = context.recognised else { return };
        if segment.side != unseen || segment.payload.is_empty() || segment.padding {
            return;
        }
        match flow.stream_start(unseen).map(|start| segment.seq.wrapping_sub(start)) {
            Some(0) => {}
            // The first bytes may come late.
            Some(1..=MAX_AHEAD) => return,
            // Bytes from the middle of a stream may be anything.
            _ => {
                context.recognised = None;
                return;
            }
        }
        context.recognised = None;
        let protocol = self.host.protocols.get(usize::from(protocol)).copied().unwrap_or_default();
        let found = Detection::new(protocol, by);
        let bytes = first_bytes(segment.payload);
        if self.host.classifier.probe_start(found, unseen, bytes) == Probe::No {
            let other = self.host.classifier.recognise(unseen, bytes);
            let detection = Detection {
                sure: sure.then_some(!unseen),
                contradicted: Some(Contradiction { side: unseen, protocol: other }),
                ..found
            };
            self.out.session(flow, SessionChange::contradiction(detection));
        }
    }
}

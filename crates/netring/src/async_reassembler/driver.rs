use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use flowscope_core::{
    FlowExtractor, FlowSide, Ledger, PacketView, ParserStatus, StreamChunk, Timestamp,
};
use flowscope_driver::{
    DriverConfig, SessionChange, SessionSink, StopReason, StreamDriver, Streams,
};
use flowscope_reassembly::StreamReassemblerFactory;
use flowscope_track::{Change, Clock, EndReason, Flow, FlowEvent};

use super::tasks::Tasks;
use super::{AsyncReassembler, AsyncReassemblerFactory};
use crate::conversation::{Hub, Receiver, Sender, channel};
use crate::engine::desk_methods;
use crate::engine::sealed::Sealed;
use crate::{ConversationConfig, Ended, Engine, Piece, Stalled};

/// Driver of [`ReassembledStream`](super::ReassembledStream)s, also for workers with futures of
/// their own.
pub struct AsyncReassemblerDriver<E: FlowExtractor, F> {
    engine: StreamDriver<E, StreamReassemblerFactory, Sides>,
    desk: ChannelSink<E::Key, F>,
}

/// Per-flow state: a sender for each side that has payload.
#[derive(Debug, Default)]
struct Sides([Option<Sender>; 2]);

struct ChannelSink<K, F> {
    hub: Arc<Hub>,
    factory: F,
    tasks: Tasks,
    events: VecDeque<FlowEvent<K>>,
}

impl<E: FlowExtractor, F: AsyncReassemblerFactory<E::Key>> AsyncReassemblerDriver<E, F> {
    /// A driver without a stream. The credit is per side; the default policy is [`Stalled::Wait`].
    #[must_use]
    pub fn new(extractor: E, factory: F, driver: DriverConfig, config: ConversationConfig) -> Self {
        let streams = Streams::new(StreamReassemblerFactory::new(driver.stream_config().clone()));
        let hub = Hub::new(&config.or_stalled(Stalled::Wait));
        let (tasks, events) = (Tasks::default(), VecDeque::new());
        AsyncReassemblerDriver {
            engine: StreamDriver::with_classifier(extractor, streams, driver, |_| Sides::default()),
            desk: ChannelSink { hub, factory, tasks, events },
        }
    }
}

impl<E: FlowExtractor, F> Sealed for AsyncReassemblerDriver<E, F> {}

/// Bytes count as delivered when they were passed to their reassembler; until then they are
/// pending.
impl<E, F> Engine for AsyncReassemblerDriver<E, F>
where
    E: FlowExtractor,
    F: AsyncReassemblerFactory<E::Key>,
{
    type Event = FlowEvent<E::Key>;

    fn poll_event(&mut self) -> Option<FlowEvent<E::Key>> {
        self.desk.events.pop_front()
    }

    desk_methods!();

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = self.desk.tasks.poll(cx);
        self.desk.hub.poll_room(cx)
    }

    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.desk.tasks.poll(cx)
    }
}

impl<K: Clone, F: AsyncReassemblerFactory<K>> ChannelSink<K, F> {
    /// The sender for the bytes of a side.
    fn outlet<'f>(&mut self, flow: Flow<'f, K, Sides>, side: FlowSide) -> &'f Sender {
        let Flow { key, state, .. } = flow;
        state.0[side.index()].get_or_insert_with(|| {
            let (sender, receiver) = channel(&self.hub);
            self.tasks.push(read(self.factory.new_reassembler(key, side), receiver));
            sender
        })
    }
}

/// Passes pieces to a reassembler, one after the other.
async fn read(mut to: impl AsyncReassembler, mut from: Receiver) {
    while let Some(piece) = poll_fn(|cx| from.poll_piece(cx)).await {
        match piece {
            Piece::Bytes { offset, bytes, .. } => to.segment(offset, bytes).await,
            Piece::Gap { offset, len, cause, .. } => to.gap(offset, len, cause).await,
            Piece::Fin { .. } => to.fin().await,
            Piece::Ended(ended) => to.end(ended).await,
        }
    }
}

impl<K: Clone, F: AsyncReassemblerFactory<K>> SessionSink<K, Infallible, Sides>
    for ChannelSink<K, F>
{
    fn wants_packets(&self) -> bool {
        true
    }

    fn flow(&mut self, flow: Flow<'_, K, Sides>, change: Change) {
        if let Change::Ended { reason } = change {
            for side in [FlowSide::Initiator, FlowSide::Responder] {
                if let Some(sender) = flow.state.0[side.index()].take() {
                    sender.end(|| Ended::Flow { reason, stats: Box::new(flow.stats()) });
                }
            }
        }
        self.events.push_back(FlowEvent::from_change(&flow, change));
    }

    fn session(&mut self, flow: Flow<'_, K, Sides>, change: SessionChange) {
        match change {
            SessionChange::Gap { side, offset, len } => {
                self.outlet(flow, side).gap(side, offset, len);
            }
            SessionChange::Stopped { why: StopReason::MemoryLimit, .. } => {
                for sender in flow.state.0.iter().flatten() {
                    sender.end(|| Ended::MemoryLimit);
                }
            }
            _ => {}
        }
    }

    fn bytes(&mut self, flow: Flow<'_, K, Sides>, feed: StreamChunk<'_>) -> ParserStatus {
        let side = feed.side;
        if self.outlet(flow, side).bytes(feed) {
            ParserStatus::Continue
        } else {
            ParserStatus::StopSide(side)
        }
    }

    fn fin(&mut self, flow: Flow<'_, K, Sides>, side: FlowSide) {
        if let Some(sender) = &flow.state.0[side.index()] {
            sender.fin(side);
        }
    }
}

impl<E: FlowExtractor, F> fmt::Debug for AsyncReassemblerDriver<E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncReassemblerDriver")
            .field("flows", &self.engine.table().len())
            .field("tasks", &self.desk.tasks)
            .field("hub", &self.desk.hub)
            .finish_non_exhaustive()
    }
}

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use flowscope_core::{FlowExtractor, FlowSide, ParserStatus, StreamChunk};
use flowscope_driver::{DriverConfig, SessionChange, SessionSink, StopReason};
use flowscope_track::{Change, EndReason, Flow, FlowEvent};

use super::tasks::Tasks;
use super::{AsyncReassembler, AsyncReassemblerFactory};
use crate::channel_driver::{ChannelDriver, ChannelSink};
use crate::conversation::{Hub, Receiver, Sender, channel};
use crate::{ConversationConfig, Ended, Error, Piece, Stalled};

/// Packets in, flow events out, and bytes to futures: the driver of
/// [`ReassembledStream`](super::ReassembledStream)s, and of workers that each have futures of their own.
pub type AsyncReassemblerDriver<E, F> =
    ChannelDriver<E, ReassemblerSink<<E as FlowExtractor>::Key, F>>;

/// The channels of a flow's sides, each once its side has payload.
#[derive(Debug, Default)]
pub struct Sides([Option<Sender>; 2]);

/// Runs an [`AsyncReassembler`] for each side of a TCP flow with payload.
pub struct ReassemblerSink<K, F> {
    hub: Arc<Hub>,
    factory: F,
    tasks: Tasks,
    events: VecDeque<FlowEvent<K>>,
}

impl<E: FlowExtractor, F: AsyncReassemblerFactory<E::Key>> AsyncReassemblerDriver<E, F> {
    /// A driver with this configuration. The credit is per side, and the default policy here is
    /// [`Stalled::Gap`], for which a tokio runtime that polls it must have timers.
    #[must_use]
    pub fn new(extractor: E, factory: F, driver: DriverConfig, config: ConversationConfig) -> Self {
        let hub = Hub::new(&config.or_stalled(Stalled::Gap));
        let sink = ReassemblerSink {
            hub: Arc::clone(&hub),
            factory,
            tasks: Tasks::default(),
            events: VecDeque::new(),
        };
        Self::with_sink(extractor, driver, hub, sink)
    }
}

impl<K: Clone, F: AsyncReassemblerFactory<K>> ChannelSink<K> for ReassemblerSink<K, F> {
    type State = Sides;
    type Event = FlowEvent<K>;

    fn poll_event(&mut self) -> Option<FlowEvent<K>> {
        self.events.pop_front()
    }

    fn poll_tasks(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.tasks.poll(cx)
    }

    fn take_error(&mut self) -> Option<Error> {
        self.tasks.take_panic()
    }
}

impl<K: Clone, F: AsyncReassemblerFactory<K>> ReassemblerSink<K, F> {
    /// The channel of a side, opened if there is none.
    fn outlet<'f>(&mut self, flow: Flow<'f, K, Sides>, side: FlowSide) -> &'f Sender {
        let Flow { key, state, .. } = flow;
        state.0[side.index()].get_or_insert_with(|| {
            let (sender, receiver) = channel(&self.hub);
            self.tasks.push(read(self.factory.new_reassembler(key, side), receiver));
            sender
        })
    }
}

/// Gives a reassembler the pieces of its channel, one after the other.
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
    for ReassemblerSink<K, F>
{
    fn wants_packets(&self) -> bool {
        true
    }

    fn session_ended(&mut self, flow: Flow<'_, K, Sides>, reason: EndReason) {
        for side in [FlowSide::Initiator, FlowSide::Responder] {
            if let Some(sender) = flow.state.0[side.index()].take() {
                sender.end(|| Ended::Flow { reason, stats: Box::new(flow.stats()) });
            }
        }
    }

    fn flow(&mut self, flow: Flow<'_, K, Sides>, change: Change) {
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

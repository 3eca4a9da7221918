use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use flowscope_core::{
    FlowExtractor, FlowSide, Ledger, PacketView, ParserStatus, StreamChunk, Timestamp,
};
use flowscope_driver::{
    DriverConfig, SessionChange, SessionSink, StopReason, StreamDriver, Streams,
};
use flowscope_reassembly::StreamReassemblerFactory;
use flowscope_track::{Change, Clock, EndReason, Flow};

use super::{Conversation, ConversationConfig, Ended, Hub, Sender, Stalled, channel};
use crate::Engine;
use crate::engine::desk_methods;
use crate::engine::sealed::Sealed;

/// Driver of [`Conversations`](super::Conversations), also for workers with conversations of their
/// own.
pub struct ConversationDriver<E: FlowExtractor> {
    engine: StreamDriver<E, StreamReassemblerFactory, Outlet>,
    desk: ChannelSink<E::Key>,
}

/// Per-flow state: the sender, once the flow has payload.
#[derive(Debug, Default)]
struct Outlet(Option<Sender>);

/// Opens conversations.
#[derive(Debug)]
struct ChannelSink<K> {
    hub: Arc<Hub>,
    /// Conversations not taken yet.
    opened: VecDeque<Conversation<K>>,
}

impl<E: FlowExtractor> ConversationDriver<E> {
    /// A driver without a stream. The default policy is [`Stalled::Gap`] here.
    #[must_use]
    pub fn new(extractor: E, driver: DriverConfig, config: ConversationConfig) -> Self {
        let streams = Streams::new(StreamReassemblerFactory::new(driver.stream_config().clone()));
        let hub = Hub::new(&config.or_stalled(Stalled::Gap));
        ConversationDriver {
            engine: StreamDriver::with_classifier(extractor, streams, driver, |_| Outlet(None)),
            desk: ChannelSink { hub, opened: VecDeque::new() },
        }
    }
}

impl<E: FlowExtractor> Sealed for ConversationDriver<E> {}

/// Bytes count as delivered when they were taken from their conversation; until then they are
/// pending.
impl<E: FlowExtractor> Engine for ConversationDriver<E> {
    type Event = Conversation<E::Key>;

    fn poll_event(&mut self) -> Option<Conversation<E::Key>> {
        self.desk.opened.pop_front()
    }

    desk_methods!();

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.desk.hub.poll_room(cx)
    }
}

impl<K: Clone> ChannelSink<K> {
    /// The sender for the bytes of a flow.
    fn outlet<'f>(&mut self, flow: Flow<'f, K, Outlet>) -> &'f Sender {
        // Keys are cloned for new conversations only.
        let new = flow.state.0.is_none().then(|| flow.to_ref());
        let Flow { state, .. } = flow;
        state.0.get_or_insert_with(|| {
            let (sender, receiver) = channel(&self.hub);
            self.opened.extend(new.map(|flow| Conversation::new(flow, receiver)));
            sender
        })
    }
}

impl<K: Clone> SessionSink<K, Infallible, Outlet> for ChannelSink<K> {
    fn flow(&mut self, flow: Flow<'_, K, Outlet>, change: Change) {
        if let Change::Ended { reason } = change
            && let Some(sender) = flow.state.0.take()
        {
            sender.end(|| Ended::Flow { reason, stats: Box::new(flow.stats()) });
        }
    }

    fn session(&mut self, flow: Flow<'_, K, Outlet>, change: SessionChange) {
        match change {
            SessionChange::Gap { side, offset, len } => {
                self.outlet(flow).gap(side, offset, len);
            }
            SessionChange::Stopped { why: StopReason::MemoryLimit, .. } => {
                self.outlet(flow).end(|| Ended::MemoryLimit);
            }
            _ => {}
        }
    }

    fn bytes(&mut self, flow: Flow<'_, K, Outlet>, feed: StreamChunk<'_>) -> ParserStatus {
        if self.outlet(flow).bytes(feed) { ParserStatus::Continue } else { ParserStatus::Done }
    }

    fn fin(&mut self, flow: Flow<'_, K, Outlet>, side: FlowSide) {
        if let Some(sender) = &flow.state.0 {
            sender.fin(side);
        }
    }
}

impl<E: FlowExtractor> fmt::Debug for ConversationDriver<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConversationDriver")
            .field("flows", &self.flows())
            .field("hub", &self.desk.hub)
            .finish_non_exhaustive()
    }
}

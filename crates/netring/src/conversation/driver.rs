use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use flowscope_core::{FlowExtractor, FlowSide, ParserStatus, StreamChunk};
use flowscope_driver::{DriverConfig, SessionChange, SessionSink, StopReason};
use flowscope_track::{EndReason, Flow};

use super::{Conversation, ConversationConfig, Ended, Hub, Sender, Stalled, channel};
use crate::channel_driver::{ChannelDriver, ChannelSink};

/// Packets in, conversations out: the driver of [`Conversations`](super::Conversations), and of workers
/// that each have conversations of their own.
pub type ConversationDriver<E> = ChannelDriver<E, ConversationSink<<E as FlowExtractor>::Key>>;

/// The channel of a flow, once the flow has payload.
#[derive(Debug, Default)]
pub struct Outlet(Option<Sender>);

/// Opens a [`Conversation`] for each TCP flow with payload.
#[derive(Debug)]
pub struct ConversationSink<K> {
    hub: Arc<Hub>,
    /// Conversations that were not taken yet.
    opened: VecDeque<Conversation<K>>,
}

impl<E: FlowExtractor> ConversationDriver<E> {
    /// A driver with this configuration. The default policy here is [`Stalled::Gap`], for which a
    /// tokio runtime that polls it must have timers.
    #[must_use]
    pub fn new(extractor: E, driver: DriverConfig, config: ConversationConfig) -> Self {
        let hub = Hub::new(&config.or_stalled(Stalled::Gap));
        let sink = ConversationSink { hub: Arc::clone(&hub), opened: VecDeque::new() };
        Self::with_sink(extractor, driver, hub, sink)
    }
}

impl<K: Clone> ChannelSink<K> for ConversationSink<K> {
    type State = Outlet;
    type Event = Conversation<K>;

    fn poll_event(&mut self) -> Option<Conversation<K>> {
        self.opened.pop_front()
    }
}

impl<K: Clone> ConversationSink<K> {
    /// The channel of a flow, opened if there is none.
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

impl<K: Clone> SessionSink<K, Infallible, Outlet> for ConversationSink<K> {
    fn session_ended(&mut self, flow: Flow<'_, K, Outlet>, reason: EndReason) {
        if let Some(sender) = flow.state.0.take() {
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

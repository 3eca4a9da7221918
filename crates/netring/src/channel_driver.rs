use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use flowscope_core::{FlowExtractor, Ledger, PacketView, Timestamp};
use flowscope_driver::{DriverConfig, PacketDriver, Progress, SessionSink, StreamDriver};
use flowscope_reassembly::StreamReassemblerFactory;
use flowscope_track::{Clock, EndReason};

use crate::conversation::{Hub, Turns};
use crate::{AsyncDriver, Error};

/// Driver that passes the bytes of TCP flows into bounded channels, which other tasks read.
///
/// [`ConversationDriver`](crate::ConversationDriver) and
/// [`AsyncReassemblerDriver`](crate::AsyncReassemblerDriver) are this type with different sinks. Bytes
/// count as delivered once a channel's reader took them; those that wait in channels are
/// [pending](PacketDriver::pending).
pub struct ChannelDriver<E: FlowExtractor, O: ChannelSink<E::Key>> {
    engine: StreamDriver<E, StreamReassemblerFactory, O::State>,
    hub: Arc<Hub>,
    sink: O,
    turns: Turns,
}

/// Sink that passes the streams of all flows into channels.
pub trait ChannelSink<K>: SessionSink<K, Infallible, Self::State> {
    /// Per-flow state: the channels of the flow, once it has any.
    type State: Default;
    /// Event type of the driver.
    type Event;

    /// The next event, in order.
    fn poll_event(&mut self) -> Option<Self::Event>;

    /// Error of a consumer, such as a panic; each is returned once.
    fn take_error(&mut self) -> Option<Error> {
        None
    }

    /// Runs the tasks that read the channels, as far as they are the driver's: ready once all have
    /// finished.
    fn poll_tasks(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl<E: FlowExtractor, O: ChannelSink<E::Key>> ChannelDriver<E, O> {
    /// `hub` is that of the channels which `sink` opens.
    pub(crate) fn with_sink(extractor: E, config: DriverConfig, hub: Arc<Hub>, sink: O) -> Self {
        let streams = StreamReassemblerFactory::new(config.stream_config().clone());
        let engine = StreamDriver::with_state(extractor, streams, config, |_| O::State::default());
        ChannelDriver { engine, hub, sink, turns: Turns::new(true) }
    }

    /// Gives readers their turn without timers, for a source that is not live: its stream may be
    /// polled where there are none.
    pub(crate) fn without_timers(mut self) -> Self {
        self.turns = Turns::new(false);
        self
    }
}

impl<E: FlowExtractor, O: ChannelSink<E::Key>> PacketDriver for ChannelDriver<E, O> {
    type Event = O::Event;

    fn handle_batch(&mut self, packets: &[PacketView<'_>]) {
        self.engine.handle_batch_with(packets, &mut self.sink);
    }

    fn poll_event(&mut self) -> Option<Self::Event> {
        self.sink.poll_event()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.engine.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Timestamp) -> Progress {
        self.engine.handle_timeout_with(now, &mut self.sink)
    }

    fn finish_some(&mut self, reason: EndReason, most: usize) -> Progress {
        self.engine.finish_some_with(reason, most, &mut self.sink)
    }

    fn packets(&self) -> Ledger {
        self.engine.packets()
    }

    fn bytes(&self) -> Ledger {
        self.hub.correct(&self.engine.bytes())
    }

    fn pending_fragments(&self) -> u64 {
        self.engine.pending_fragments()
    }

    fn pending(&self) -> u64 {
        self.engine.pending() + self.hub.queued()
    }

    fn flows(&self) -> usize {
        self.engine.table().len()
    }

    fn clock(&self) -> &Clock {
        self.engine.clock()
    }

    fn heap_bytes(&self) -> usize {
        self.engine.heap_bytes() + self.hub.heap_bytes()
    }
}

impl<E, O> AsyncDriver for ChannelDriver<E, O>
where
    E: FlowExtractor,
    O: ChannelSink<E::Key, Event: Send + 'static>,
    Self: Send + 'static,
{
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = self.sink.poll_tasks(cx);
        self.hub.poll_room(cx)
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.turns.poll(&self.hub, cx)
    }

    fn take_error(&mut self) -> Option<Error> {
        self.sink.take_error()
    }

    fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sink.poll_tasks(cx)
    }
}

impl<E: FlowExtractor, O: ChannelSink<E::Key>> fmt::Debug for ChannelDriver<E, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelDriver")
            .field("flows", &self.flows())
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}

use std::task::{Context, Poll};

use flowscope_core::{FlowExtractor, Ledger, PacketView, Timestamp};
use flowscope_driver::{Classifier, FlowDriver, SessionEngine, SessionEvent};
use flowscope_track::{Clock, EndReason, FlowEvent};

/// What turns packets into events: the drivers of [`flowscope_driver`], which all have these methods.
pub trait Engine: sealed::Sealed {
    /// What comes out.
    type Event;

    /// Takes packets.
    fn handle_batch(&mut self, packets: &[PacketView<'_>]);
    /// The next event; `None` once all are drained.
    fn poll_event(&mut self) -> Option<Self::Event>;
    /// When `handle_timeout` next has something to do if no packet comes before.
    fn poll_timeout(&self) -> Option<Timestamp>;
    /// Packet time has reached `now` without a packet. Says whether more is due.
    fn handle_timeout(&mut self, now: Timestamp) -> bool;
    /// Ends at most `most` flows, and says whether there are more.
    fn finish_some(&mut self, reason: EndReason, most: usize) -> bool;
    /// Where every packet went.
    fn packets(&self) -> Ledger;
    /// Where the payload of every tracked packet went.
    fn bytes(&self) -> Ledger;
    /// Fragments that wait for the rest of their datagram.
    fn pending_fragments(&self) -> u64;
    /// Payload bytes that wait for others before them.
    fn pending(&self) -> u64;
    /// Flows that are open, and those that linger.
    fn flows(&self) -> usize;
    /// Packet time.
    fn clock(&self) -> &Clock;
    /// Bytes of memory held, by capacity.
    fn heap_bytes(&self) -> usize;

    /// Lets go on what works beside the engine, and says whether packets are taken now. If not, the
    /// task is woken once they are; those that come nevertheless are taken too.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Ready once all flows were ended and nothing is left of what works beside the engine.
    fn poll_over(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// The methods that both families of drivers call the same.
macro_rules! same_methods {
    () => {
        fn handle_batch(&mut self, packets: &[PacketView<'_>]) {
            self.handle_batch(packets);
        }
        fn poll_event(&mut self) -> Option<Self::Event> {
            self.poll_event()
        }
        fn poll_timeout(&self) -> Option<Timestamp> {
            self.poll_timeout()
        }
        fn handle_timeout(&mut self, now: Timestamp) -> bool {
            self.handle_timeout(now)
        }
        fn finish_some(&mut self, reason: EndReason, most: usize) -> bool {
            self.finish_some(reason, most)
        }
        fn packets(&self) -> Ledger {
            self.packets()
        }
        fn bytes(&self) -> Ledger {
            self.bytes()
        }
        fn pending_fragments(&self) -> u64 {
            self.pending_fragments()
        }
        fn flows(&self) -> usize {
            self.table().len()
        }
        fn clock(&self) -> &Clock {
            self.clock()
        }
        fn heap_bytes(&self) -> usize {
            self.heap_bytes()
        }
    };
}

/// The methods of those that put a sink of their own, `desk`, behind a session engine, `engine`, and a
/// hub of channels behind that.
macro_rules! desk_methods {
    () => {
        fn handle_batch(&mut self, packets: &[PacketView<'_>]) {
            self.engine.handle_batch_with(packets, &mut self.desk);
        }

        fn poll_timeout(&self) -> Option<Timestamp> {
            self.engine.poll_timeout()
        }

        fn handle_timeout(&mut self, now: Timestamp) -> bool {
            self.engine.handle_timeout_with(now, &mut self.desk)
        }

        fn finish_some(&mut self, reason: EndReason, most: usize) -> bool {
            self.engine.finish_some_with(reason, most, &mut self.desk)
        }

        fn packets(&self) -> Ledger {
            self.engine.packets()
        }

        fn bytes(&self) -> Ledger {
            self.desk.hub.correct(&self.engine.bytes())
        }

        fn pending_fragments(&self) -> u64 {
            self.engine.pending_fragments()
        }

        fn pending(&self) -> u64 {
            self.engine.pending() + self.desk.hub.queued()
        }

        fn flows(&self) -> usize {
            self.engine.table().len()
        }

        fn clock(&self) -> &Clock {
            self.engine.clock()
        }

        fn heap_bytes(&self) -> usize {
            self.engine.heap_bytes() + self.desk.hub.heap_bytes()
        }
    };
}

pub(crate) use desk_methods;

impl<E: FlowExtractor, S> sealed::Sealed for FlowDriver<E, S> {}

impl<E: FlowExtractor, S> Engine for FlowDriver<E, S> {
    type Event = FlowEvent<E::Key>;

    fn pending(&self) -> u64 {
        0
    }

    same_methods!();
}

impl<E: FlowExtractor, C: Classifier<E::Key>, U> sealed::Sealed for SessionEngine<E, C, U> {}

impl<E: FlowExtractor, C: Classifier<E::Key>, U> Engine for SessionEngine<E, C, U> {
    type Event = SessionEvent<E::Key, C::Message>;

    fn pending(&self) -> u64 {
        self.pending()
    }

    same_methods!();
}

use std::task::{Context, Poll};

use flowscope_core::FlowExtractor;
use flowscope_driver::{Classifier, FlowDriver, PacketDriver, SessionEngine};

use crate::Error;

/// Driver that an [`EventStream`](crate::EventStream) can run: a [`PacketDriver`] with back-pressure.
///
/// All drivers of [`flowscope_driver`] implement it. A custom driver needs an empty `impl`, unless it
/// passes data to consumers that may be slow.
///
/// It is `Send`, with its events, because a stream has a driver with many flows dropped by another thread:
/// freeing 300 000 flows takes much longer than tasks of one thread should wait for one another.
pub trait AsyncDriver: PacketDriver<Event: Send + 'static> + Send + 'static {
    /// Ready while packets may be handled. When pending, the task is woken as soon as they may; packets
    /// that are handled nevertheless are not lost. Also gives tasks of the driver the time to run.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Pending while consumers that have much to read have not had their turn to read it; the task is
    /// woken when they had. Called after [`poll_ready`](Self::poll_ready), also after a stop: the wait
    /// is bounded, whatever the consumers do.
    fn poll_turn(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Error of a consumer, such as a panic; each is returned once.
    fn take_error(&mut self) -> Option<Error> {
        None
    }

    /// Ready once the tasks of the driver have finished; called after all flows have ended.
    fn poll_finished(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl<E: FlowExtractor, S: Send + 'static> AsyncDriver for FlowDriver<E, S> {}

impl<E, C, U> AsyncDriver for SessionEngine<E, C, U>
where
    E: FlowExtractor,
    C: Classifier<E::Key, Message: Send + 'static>,
    Self: Send + 'static,
{
}

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

/// `next` for all streams, for programs without `futures` or `tokio-stream`.
pub trait Next: Stream + Unpin {
    /// Next item; `None` once the stream has ended. Dropping the future loses nothing.
    fn next(&mut self) -> impl Future<Output = Option<Self::Item>> {
        NextItem(self)
    }
}

impl<S: Stream + Unpin + ?Sized> Next for S {}

struct NextItem<'a, S: ?Sized>(&'a mut S);

impl<S: Stream + Unpin + ?Sized> Future for NextItem<'_, S> {
    type Output = Option<S::Item>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut *self.0).poll_next(cx)
    }
}

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

/// The method `next` of every stream. It is no trait, because a trait of this name makes `next`
/// ambiguous beside the `StreamExt` of `futures` or `tokio-stream`.
macro_rules! next_method {
    () => {
        /// Next item; `None` once the stream has ended. Dropping the future loses nothing.
        #[expect(
            clippy::should_implement_trait,
            reason = "the name that every stream's method has"
        )]
        pub fn next(
            &mut self,
        ) -> impl Future<Output = Option<<Self as futures_core::Stream>::Item>> {
            $crate::next::NextItem(self)
        }
    };
}

pub(crate) use next_method;

pub(crate) struct NextItem<'a, S: ?Sized>(pub(crate) &'a mut S);

impl<S: Stream + Unpin + ?Sized> Future for NextItem<'_, S> {
    type Output = Option<S::Item>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut *self.0).poll_next(cx)
    }
}

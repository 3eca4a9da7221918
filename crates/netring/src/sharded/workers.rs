use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use tokio::sync::oneshot;

use crate::{Error, Stats, StreamHandle};

/// Handle of running workers of a [`Sharded`](super::Sharded) capture. Dropping it stops them, see
/// [`stop`](Self::stop).
#[derive(Debug)]
#[must_use = "the workers are stopped when this is dropped"]
pub struct Workers {
    pub(super) handle: StreamHandle,
    pub(super) ends: Vec<oneshot::Receiver<Result<Stats, Error>>>,
}

impl Workers {
    /// Stops all captures. Workers process the packets already received, and end their flows as
    /// `Shutdown`.
    pub fn stop(&self) {
        self.handle.stop();
    }

    /// A handle with which other tasks stop the workers and wait for their end. Its counters are the
    /// sum over the workers.
    #[must_use]
    pub fn handle(&self) -> StreamHandle {
        self.handle.clone()
    }

    /// Stops all captures when `signal` completes. A task of its own waits for it.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn stop_when<F: Future + Send + 'static>(self, signal: F) -> Self {
        let handle = self.handle();
        tokio::spawn(async move {
            let all_ended = handle.unwatched();
            let mut all_ended = pin!(all_ended);
            let mut signal = pin!(signal);
            poll_fn(|cx| {
                let there = signal.as_mut().poll(cx).is_ready();
                if there || all_ended.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                Poll::Pending
            })
            .await;
            handle.stop();
        });
        self
    }

    /// Waits until every worker has ended, after [`stop`](Self::stop) or because the interface was
    /// deleted, and returns the counters of each.
    ///
    /// # Errors
    ///
    /// When a worker could not read its counters, or panicked ([`Error::Panicked`]). The others have
    /// ended by then too.
    pub async fn ended(mut self) -> Result<Vec<Stats>, Error> {
        let mut stats = Vec::new();
        for end in mem::take(&mut self.ends) {
            stats.push(end.await.unwrap_or_else(|_| Err(Error::source("a worker panicked"))));
        }
        stats.into_iter().collect()
    }

    /// Calls [`stop`](Self::stop), then [`ended`](Self::ended).
    ///
    /// # Errors
    ///
    /// As [`ended`](Self::ended).
    pub async fn shutdown(self) -> Result<Vec<Stats>, Error> {
        self.stop();
        self.ended().await
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Sum of the counters of workers, for handles.
pub(super) struct Total {
    handle: StreamHandle,
    sum: Mutex<Sum>,
}

struct Sum {
    /// Workers that run.
    left: usize,
    stats: Stats,
    error: Option<Error>,
}

impl Total {
    /// For this many workers.
    pub(super) fn new(workers: usize, handle: StreamHandle) -> Self {
        if workers == 0 {
            handle.report(Ok(Stats::default()));
        }
        let sum = Sum { left: workers, stats: Stats::default(), error: None };
        Total { handle, sum: Mutex::new(sum) }
    }

    /// Adds a worker that has ended, and reports the sum after the last one.
    pub(super) fn add(&self, ended: &Result<Stats, Error>) {
        let mut sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        match ended {
            Ok(stats) => sum.stats.merge(stats),
            Err(error) => {
                // The first one; others may be its consequences.
                sum.error.get_or_insert_with(|| match error {
                    Error::Panicked(message) => Error::Panicked(message.clone()),
                    error => Error::source(error.to_string()),
                });
            }
        }
        sum.left -= 1;
        if sum.left == 0 {
            let stats = mem::take(&mut sum.stats);
            self.handle.report(sum.error.take().map_or(Ok(stats), Err));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn handles_report_the_first_error() {
        let handle = StreamHandle::new();
        let total = Total::new(3, handle.clone());
        total.add(&Err(Error::Panicked("first".to_owned())));
        total.add(&Ok(Stats::default()));
        assert!(!handle.is_over());
        total.add(&Err(Error::source("second")));
        let error = handle.ended().await.unwrap_err();
        assert!(error.to_string().contains("first"), "{error}");
    }
}

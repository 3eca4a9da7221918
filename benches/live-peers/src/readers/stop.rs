use std::future::{Future, poll_fn};
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;

use futures_core::Stream;
use tokio::sync::oneshot;

/// Set once the input of this process is closed.
pub(crate) fn flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    thread::spawn(move || {
        wait();
        set.store(true, Ordering::Release);
    });
    flag
}

/// There once the input of this process is closed.
pub(crate) fn signal() -> oneshot::Receiver<()> {
    let (send, receive) = oneshot::channel();
    thread::spawn(move || {
        wait();
        let _ = send.send(());
    });
    receive
}

fn wait() {
    let _ = io::stdin().lock().read_to_end(&mut Vec::new());
}

/// Passes items to `take` until `stop` is there and no item is. Costs a stream nothing while it has
/// items.
pub(crate) async fn read_until<S: Stream + Unpin>(
    stream: &mut S,
    mut stop: oneshot::Receiver<()>,
    mut take: impl FnMut(S::Item),
) {
    loop {
        let next = poll_fn(|cx| match Pin::new(&mut *stream).poll_next(cx) {
            Poll::Pending => Pin::new(&mut stop).poll(cx).map(|_| None),
            ready => ready,
        });
        match next.await {
            Some(item) => take(item),
            None => return,
        }
    }
}

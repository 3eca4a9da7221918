use std::future::poll_fn;
use std::process;
use std::task::Poll;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

use super::runtime;
use crate::error::Failure;

/// What a shell calls a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Calls `stop` at the first SIGINT or SIGTERM. The second ends the program, whatever it is doing.
///
/// Both are waited for on a thread of their own: the rest may be held up by the reader of its output.
pub(crate) fn watch(stop: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let failed = |error| Failure::Failed(format!("cannot wait for signals: {error}"));
    let runtime = runtime()?;
    // From here on, the signals do not end the program by themselves.
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        let of = |kind| signal(kind).map_err(failed);
        (of(SignalKind::interrupt())?, of(SignalKind::terminate())?)
    };
    let watch = move || {
        runtime.block_on(async {
            let mut next = async || {
                poll_fn(|cx| {
                    let polled = [interrupt.poll_recv(cx), terminate.poll_recv(cx)];
                    if polled.iter().any(Poll::is_ready) { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            };
            next().await;
            stop();
            next().await;
            process::exit(INTERRUPTED);
        });
    };
    let thread = thread::Builder::new().name("flowscope-signals".into()).spawn(watch);
    thread.map(drop).map_err(failed)
}

use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use flowscope_benches::Trace;
use flowscope_core::PacketView;
use flowscope_driver::FlowDriver;
use flowscope_extract::{FiveTuple, FiveTupleKey};
use flowscope_track::FlowEvent;
use futures_core::Stream;
use netring::{AsyncCapture, AsyncPacketSource};
use nix::time::{ClockId, clock_gettime};

use super::{Seen, Task, flows};

/// Frames copied together: half of the cache that a core has for itself.
const WINDOW: usize = 2048;

/// Packets lent at once, as by the captures.
const BATCH: usize = 64;

/// Nanoseconds from one packet to the next.
const STEP: u64 = 5000;

/// Our driver, as a stream of flows sets it up, on frames in the cache of its own core.
pub(crate) fn driver(task: Task<'_>) -> Seen {
    drive(|window| near(task, window))
}

/// The same on frames in the cache of the sender's core, as those are that the kernel writes there.
pub(crate) fn driver_far(task: Task<'_>) -> Seen {
    drive(|window| far(task, window))
}

fn drive(windows: impl FnOnce(&mut dyn FnMut(&mut Trace))) -> Seen {
    let mut driver = FlowDriver::with_config(FiveTuple::bidirectional(), netring::default_config());
    let mut seen = Seen::default();
    let mut cpu = 0;
    windows(&mut |window| {
        let before = cpu_time();
        let mut views = Vec::with_capacity(BATCH);
        for start in (0..window.len()).step_by(BATCH) {
            views.clear();
            views.extend(batch(window, start));
            driver.handle_batch(&views);
            while let Some(event) = driver.poll_event() {
                count(&mut seen, &event);
            }
        }
        cpu += cpu_time() - before;
    });
    seen.own_cpu = Some(cpu);
    seen
}

/// Our stream of flows over a source that lends frames in the cache of its own core.
pub(crate) fn stream(task: Task<'_>) -> Result<Seen, Box<dyn Error>> {
    let source = Windows::default();
    let window = Arc::clone(&source.0);
    let mut stream = AsyncCapture::new(source).flow_stream(FiveTuple::bidirectional());
    let runtime = flows::runtime()?;
    let mut seen = Seen::default();
    let mut cpu = 0;
    near(task, &mut |trace| {
        let mut position = window.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut position.0, trace);
        position.1 = 0;
        drop(position);
        let before = cpu_time();
        runtime.block_on(async {
            let mut next = async || {
                poll_fn(|cx| match Pin::new(&mut stream).poll_next(cx) {
                    Poll::Pending if !window.lock().is_ok_and(is_read) => Poll::Pending,
                    Poll::Pending => Poll::Ready(None),
                    ready => ready,
                })
                .await
            };
            while let Some(Ok(event)) = next().await {
                count(&mut seen, &event);
            }
        });
        cpu += cpu_time() - before;
    });
    seen.own_cpu = Some(cpu);
    Ok(seen)
}

/// A window, and how many of its frames were lent.
type Position = (Trace, usize);

fn is_read(position: impl std::ops::Deref<Target = Position>) -> bool {
    position.1 >= position.0.len()
}

/// Lends a window that others fill.
#[derive(Default)]
struct Windows(Arc<Mutex<Position>>);

impl AsyncPacketSource for Windows {
    fn poll_batch(
        &mut self,
        _: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, netring::Error>> {
        let mut position = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (window, read) = &mut *position;
        if *read >= window.len() {
            return Poll::Pending;
        }
        let views: Vec<PacketView<'_>> = batch(window, *read).collect();
        lend(&views);
        *read += views.len();
        Poll::Ready(Ok(views.len()))
    }

    fn stop(&mut self) {}
}

/// CPU nanoseconds of this thread.
fn cpu_time() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from);
    now.map_or(0, |now| now.as_nanos() as u64)
}

fn batch(window: &Trace, start: usize) -> impl Iterator<Item = PacketView<'_>> {
    (start..window.len().min(start + BATCH)).map(|at| window.view(at, 0))
}

fn count(seen: &mut Seen, event: &FlowEvent<FiveTupleKey>) {
    seen.events += 1;
    match event {
        FlowEvent::Packet { .. } => seen.captured += 1,
        FlowEvent::Started { .. } => seen.flows += 1,
        _ => {}
    }
}

/// Copies frames window by window on this thread's core.
fn near(task: Task<'_>, take: &mut dyn FnMut(&mut Trace)) {
    let trace = task.mix.trace(task.packets, STEP);
    let mut window = Trace::default();
    for start in (0..trace.len()).step_by(WINDOW) {
        copy(&trace, start, &mut window);
        take(&mut window);
    }
}

/// Copies frames window by window on the sender's core.
fn far(task: Task<'_>, take: &mut dyn FnMut(&mut Trace)) {
    let trace = task.mix.trace(task.packets, STEP);
    let (fill, filled) = sync_channel::<Trace>(1);
    let (give_back, empty) = sync_channel::<Trace>(4);
    thread::scope(|scope| {
        scope.spawn(move || {
            if let Err(error) = netring_capture::pin_to_core(task.sender) {
                eprintln!("{error}");
            }
            for (made, start) in (0..trace.len()).step_by(WINDOW).enumerate() {
                let mut window =
                    if made < 3 { Trace::default() } else { empty.recv().unwrap_or_default() };
                copy(&trace, start, &mut window);
                if fill.send(window).is_err() {
                    return;
                }
            }
        });
        for mut window in filled {
            take(&mut window);
            let _ = give_back.try_send(window);
        }
    });
}

fn copy(trace: &Trace, start: usize, window: &mut Trace) {
    window.clear();
    for at in start..trace.len().min(start + WINDOW) {
        let (bytes, nanos) = trace.frame(at);
        window.push(bytes, nanos);
    }
}

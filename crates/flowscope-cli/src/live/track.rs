use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use flowscope::core::Timestamp;
use flowscope::extract::{FiveTupleKey, ScopedKey};
use flowscope::track::{EndReason, Shunt};
use netring::ring::ShuntMap;
use netring::{KernelShunt, LiveClock, ShuntFault};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::control::{Control, Request};
use super::feed::Feed;
use super::metrics::{Batches, Published, Snapshot};
use super::sandbox;
use super::scrape::Listener;
use super::user::Unprivileged;
use super::{now, runtime, signals};
use crate::args::Running;
use crate::args::live::{Live, TimestampSource};
use crate::error::{Failure, Status};
use crate::keylog::Secrets;
use crate::output::{Output, RecordFormat, Target, report_stats};
use crate::recorder::FlowKey;
use crate::run::{Ending, Run};
use crate::say;

/// Captures, and writes what `layout` makes of it.
pub(crate) fn track<L: RecordFormat>(
    live: &Live,
    args: &Running,
    target: Target<'_>,
    layout: L,
) -> Result<Status, Failure> {
    if live.shunt.is_some() {
        may_shunt::<L>(live, args)?;
    }
    if args.tracking.vlan_key {
        track_by::<ScopedKey<FiveTupleKey>, L>(live, args, target, layout, |_, _| Ok(Vec::new()))
    } else {
        track_by::<FiveTupleKey, L>(live, args, target, layout, shunt)
    }
}

/// An error if the output would be another one when the kernel counts packets.
fn may_shunt<L: RecordFormat>(live: &Live, args: &Running) -> Result<(), Failure> {
    let card = live.taking.timestamps == Some(TimestampSource::Card);
    let refusals = [
        (L::PACKETS, "events, which are printed for every packet"),
        (args.filter.is_some(), "-f: a packet socket has one program, which filters or counts"),
        (args.tracking.vlan_key, "--vlan-key: the kernel does not look at VLANs"),
        (args.tracking.ethernet, "--ethernet: the kernel does not look at Ethernet addresses"),
        (live.sensor.user.is_some(), "--user, who may not use the map of the kernel"),
        (live.taking.count.is_some(), "--count, which is for packets that are read"),
        (card, "--timestamps card: the kernel knows its own clock only"),
    ];
    match refusals.iter().find(|(refused, _)| *refused) {
        Some((_, what)) => Err(Failure::Usage(format!("--shunt cannot be used with {what}"))),
        None => Ok(()),
    }
}

/// Has the kernel count packets of flows. Returns where errors of that are reported.
fn shunt<L: RecordFormat>(
    run: &mut Run<'_, L, FiveTupleKey>,
    map: &ShuntMap,
) -> Result<Vec<ShuntFault>, Failure> {
    let mut faults = Vec::new();
    let make = || -> Box<dyn Shunt<FiveTupleKey> + Send> {
        let kernel = KernelShunt::new(map.clone());
        faults.push(kernel.fault());
        Box::new(kernel)
    };
    run.shunt_with(make)
        .map_err(|why| Failure::Usage(format!("--shunt is not possible: {why}")))?;
    Ok(faults)
}

fn track_by<K: FlowKey, L: RecordFormat>(
    live: &Live,
    args: &Running,
    target: Target<'_>,
    layout: L,
    shunt: impl FnOnce(&mut Run<'_, L, K>, &ShuntMap) -> Result<Vec<ShuntFault>, Failure>,
) -> Result<Status, Failure> {
    let runtime = runtime()?;
    let _inside = runtime.enter();
    let is_piped = target.is_stdout();
    let rotation = live.sensor.rotation(target)?;
    let user = live.sensor.user.as_deref().map(Unprivileged::find).transpose()?;
    let interval = L::TICK.or(live.sensor.metrics.map(|_| PUBLISHING));
    let control = Control::new(target.is_directory(), interval)?;
    // Before the rights to read it are given up.
    let secrets = Secrets::of_run(args, layout.reading(), false)?;
    let (feed, stop) =
        Feed::start(&live.interface, &live.taking, args.filter.as_ref(), live.shunt, is_piped)?;
    let listener = live.sensor.metrics.map(Listener::bind).transpose()?;
    let mut greetings = vec![feed.greeting()];
    if let Some(user) = &user {
        if let Target::Directory(directory) | Target::Records(directory, _) = target {
            user.create(directory)?;
        }
        if let Target::Broker(broker, _) = target {
            user.create(&broker.spool)?;
        }
        greetings.push(user.become_it()?);
        greetings.push(sandbox::confine(target.directory(), &target.tcp_ports())?);
    }
    // Only now: threads that were started before are not confined.
    signals::watch(move || drop(stop))?;
    let metrics = listener.map(|listener| Metrics::serve(listener, &mut greetings)).transpose()?;
    let out = Output::rotating(layout, target, rotation)?.hurried();
    let workers = args.workers.unwrap_or(NonZeroUsize::MIN);
    let mut run = Run::<L, K>::new(args, out, workers, None, secrets)?.filtered_before();
    run.print_secrets_notes();
    let faults = feed.shunt_map().map_or(Ok(Vec::new()), |map| shunt(&mut run, map))?;
    if !args.quiet {
        greetings.iter().for_each(|line| say(line));
    }
    let (silence, latency) = (LiveClock::default(), feed.latency());
    let flushed = Instant::now();
    let tracking =
        Tracking { feed, control, metrics, run, silence, latency, flushed, faults, faulty: false };
    runtime.block_on(tracking.run(args.quiet))
}

/// A capture that is tracked as it comes.
struct Tracking<'a, L: RecordFormat, K: FlowKey> {
    feed: Feed,
    control: Control,
    /// What is published, if anything is.
    metrics: Option<Metrics>,
    run: Run<'a, L, K>,
    silence: LiveClock,
    latency: Duration,
    /// When everything was written last that could be.
    flushed: Instant,
    /// Errors of what the kernel counts, and whether there was one.
    faults: Vec<ShuntFault>,
    faulty: bool,
}

/// Counters for Prometheus.
struct Metrics {
    published: Published,
    batches: Batches,
}

impl Metrics {
    fn serve(listener: Listener, greetings: &mut Vec<String>) -> Result<Self, Failure> {
        let published = Published::default();
        greetings.push(format!("metrics at http://{}/metrics", listener.address));
        listener.serve(published.clone())?;
        Ok(Metrics { published, batches: Batches::default() })
    }
}

/// What there is to be done next.
enum Next {
    /// Packets came.
    Taken,
    /// None is ready: output that is held can be written.
    Idle,
    /// Time has come this far without a packet.
    Passed(Timestamp),
    /// A signal or a request has come.
    Asked(Request),
    /// There will be no more packets.
    Over,
}

/// Interval of the counters for Prometheus.
const PUBLISHING: Duration = Duration::from_secs(1);

/// Records wait no longer than this, however busy it is.
const PATIENCE: Duration = Duration::from_secs(1);

impl<L: RecordFormat, K: FlowKey> Tracking<'_, L, K> {
    async fn run(mut self, quiet: bool) -> Result<Status, Failure> {
        loop {
            match poll_fn(|cx| self.poll(cx)).await {
                Next::Taken => {
                    self.silence.saw(self.run.clock().now().watermark);
                    if self.flushed.elapsed() >= PATIENCE {
                        self.catch_up()?;
                    } else if self.run.is_round_full() {
                        self.run.round(None)?;
                    }
                }
                Next::Idle => self.catch_up()?,
                Next::Asked(request) => self.answer(request)?,
                Next::Passed(now) => {
                    self.run.handle_timeout(now)?;
                    // However much is due, signals and timers have their turn.
                    yield_now().await;
                }
                Next::Over => break,
            }
            if self.run.is_complete() {
                break;
            }
        }
        let account = self.feed.account()?;
        let stopped = self.feed.was_stopped();
        let reason = if stopped { EndReason::Shutdown } else { EndReason::EndOfInput };
        let faulty = if self.faulty { Status::Failed } else { Status::Done };
        let faults = self.faults;
        let ended = self.run.end(Ending {
            status: self.feed.status().max(faulty),
            reason,
            line: (!quiet).then(|| account.line("read")),
            lost: account.lost,
            dropped_before: [0; 2],
            links: Vec::new(),
            now: now(),
        })?;
        Ok(if tell(&faults) { ended.max(Status::Failed) } else { ended })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        if let Poll::Ready(request) = self.control.poll(cx, self.run.rotation_due()) {
            return Poll::Ready(Next::Asked(request));
        }
        match self.take(cx) {
            Poll::Ready(next) => Poll::Ready(next),
            Poll::Pending if self.feed.gave_way() => Poll::Pending,
            Poll::Pending if self.run.is_behind() => Poll::Ready(Next::Idle),
            // Only now: what lies ready was captured before whatever is due.
            Poll::Pending => {
                let Some(due) = self.run.due() else { return Poll::Pending };
                let now = ready!(self.silence.poll_reached(cx, due, self.latency));
                // This process may have been paused after it found no packets and before it read the
                // clock: what came since was captured before `now`.
                match self.take(cx) {
                    Poll::Ready(next) => Poll::Ready(next),
                    Poll::Pending if self.feed.gave_way() => Poll::Pending,
                    Poll::Pending => Poll::Ready(Next::Passed(now)),
                }
            }
        }
    }

    /// Takes the packets that lie ready, and measures how long that takes if it is published.
    fn take(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let Tracking { feed, metrics, run, .. } = self;
        let begun = metrics.is_some().then(Instant::now);
        let taken = ready!(feed.poll(cx, &mut |views| run.take(views)));
        if !taken {
            return Poll::Ready(Next::Over);
        }
        if let (Some(metrics), Some(begun)) = (metrics, begun) {
            metrics.batches.add(begun.elapsed());
        }
        Poll::Ready(Next::Taken)
    }

    fn answer(&mut self, request: Request) -> Result<(), Failure> {
        self.catch_up()?;
        match request {
            Request::Reopen => self.run.reopen(),
            Request::Rotate => self.run.rotate_due(),
            Request::Publish => {
                let stats = self.feed.stats()?;
                let (totals, counts) = self.run.counters(&stats.packets);
                if L::TICK.is_some() {
                    let now = self.silence.now(self.latency).unwrap_or_else(now);
                    self.run.tick(&totals, counts.open, now);
                }
                if let Some(Metrics { published, batches }) = &self.metrics {
                    let names: Vec<_> = self.feed.links().map(|(name, _)| name).collect();
                    published.publish(Snapshot {
                        stream: names.join(","),
                        flows: counts.open,
                        heap_bytes: counts.heap_bytes,
                        arrived: stats.arrived.unwrap_or(totals.packets.seen()),
                        freezes: stats.freezes,
                        ring: stats.ring.map_or(0.0, netring::RingUse::ratio),
                        batches: *batches,
                        totals,
                    });
                }
                Ok(())
            }
            Request::Report => {
                let lost = self.feed.account()?.lost;
                report_stats(&self.run.counters(&lost).0);
                Ok(())
            }
        }
    }

    fn catch_up(&mut self) -> Result<(), Failure> {
        self.run.catch_up(None)?;
        self.faulty |= tell(&self.faults);
        self.flushed = Instant::now();
        Ok(())
    }
}

/// Prints errors, and says whether there were any.
fn tell(faults: &[ShuntFault]) -> bool {
    let errors = faults.iter().filter_map(ShuntFault::take);
    errors.map(|error| say(&error.to_string())).count() > 0
}

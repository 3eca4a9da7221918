//! Captures that are shown at their own pace.

use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use flowscope::core::{Ledger, PacketSource as _, PacketView, Timestamp};
use flowscope::extract::{FiveTupleKey, ScopedKey};
use flowscope::track::{Clock, ClockConfig};

use crate::args::{LiveArgs, Speed};
use crate::error::{Failure, Status};
use crate::files::{FULL, blame, end, prepare, run_over, total_size};
use crate::output::{Gathering, Output, RecordFormat as _, SharedView, Target};
use crate::recorder::FlowKey;
use crate::run::Run;

/// Reads the captures, and gives the view what is in them when its time comes.
pub(super) fn play(
    args: &LiveArgs,
    gathering: Gathering,
    shared: &SharedView,
) -> Result<Status, Failure> {
    if args.common.running.tracking.vlan_key {
        play_by::<ScopedKey<FiveTupleKey>>(args, gathering, shared)
    } else {
        play_by::<FiveTupleKey>(args, gathering, shared)
    }
}

fn play_by<K: FlowKey>(
    args: &LiveArgs,
    gathering: Gathering,
    shared: &SharedView,
) -> Result<Status, Failure> {
    let (files, running) = (args.common.files(), &args.common.running);
    let out = Output::open(gathering, Target::Stream(None))?;
    let workers = running.workers.unwrap_or(NonZeroUsize::MIN);
    let total = total_size(files);
    let run = run_over::<K, Gathering>(running, out, workers, total)?;
    let mut source = prepare(files, &run);
    let mut player =
        Player { run, shared, pace: Pace::new(args.speed), shown: None, failed: Ok(()) };
    let mut status = Status::Done;
    while !shared.is_stopped() {
        match source.next_batch(&mut |views| player.take(views)) {
            Ok(0) => break,
            Ok(lent) => {
                std::mem::replace(&mut player.failed, Ok(()))?;
                // A pipe may make the next batch wait: what there is so far is drawn before.
                if total.is_none() && lent < FULL {
                    player.show(Timestamp::ZERO)?;
                }
            }
            Err(error) => {
                status = status.max(blame(&error));
                player.run.input_error(&error);
            }
        }
    }
    end(&source, player.run, status)
}

/// Gives packets to a run when their time comes.
struct Player<'a, K: FlowKey> {
    run: Run<'a, Gathering, K>,
    shared: &'a SharedView,
    pace: Pace,
    /// When the view was given everything last.
    shown: Option<Instant>,
    failed: Result<(), Failure>,
}

/// Longest time between two looks at whether it is paused, or over.
const LOOK: Duration = Duration::from_millis(50);

impl<K: FlowKey> Player<'_, K> {
    fn take(&mut self, views: &[PacketView<'_>]) {
        if self.failed.is_ok() {
            self.failed = self.play(views);
        }
    }

    fn play(&mut self, mut views: &[PacketView<'_>]) -> Result<(), Failure> {
        let times: Vec<Timestamp> = views.iter().map(|view| self.pace.time(view.ts())).collect();
        let mut times = times.as_slice();
        while let Some(next) = times.first().copied()
            && !self.shared.is_stopped()
        {
            if self.shared.lock().is_paused() {
                self.pace.pause(LOOK);
                continue;
            }
            let until = self.pace.until(Instant::now(), next);
            let due = times.iter().take_while(|time| **time <= until).count();
            let (packets, rest) = views.split_at(due);
            (views, times) = (rest, &times[due..]);
            self.run.take(packets);
            if self.run.is_round_full() {
                self.run.round(None)?;
            }
            if self.is_due() {
                // Once all packets that were read are given, it may be ahead of those that follow.
                self.show(if times.is_empty() { Timestamp::ZERO } else { until })?;
            }
            if due == 0 {
                thread::sleep(self.pace.left(next).min(LOOK));
            }
        }
        Ok(())
    }

    /// Whether it is time to give the view everything.
    fn is_due(&self) -> bool {
        let is_over = |tick| self.shown.is_none_or(|at| at.elapsed() >= tick);
        Gathering::TICK.is_some_and(is_over)
    }

    /// Gives the view everything up to this time.
    fn show(&mut self, until: Timestamp) -> Result<(), Failure> {
        self.shown = Some(Instant::now());
        self.run.catch_up(None)?;
        let now = self.run.clock().now().watermark;
        let now = if self.pace.is_paced() { now.max(until) } else { now };
        let (totals, counts) = self.run.counters(&Ledger::default());
        self.run.tick(&totals, counts.open, now);
        Ok(())
    }
}

/// Which packet time it is.
struct Pace {
    speed: Speed,
    clock: Clock,
    /// A packet time, and when it was.
    at: Option<(Instant, Timestamp)>,
}

/// A silence is not longer than this.
const LONGEST: Duration = Duration::from_secs(5);

impl Pace {
    fn new(speed: Speed) -> Self {
        Pace { speed, clock: Clock::new(ClockConfig::default()), at: None }
    }

    fn is_paced(&self) -> bool {
        self.speed != Speed::Max
    }

    /// When the next packet is due, by its timestamp. One that is too far ahead to be [accepted](Clock) is due at the latest
    /// time before.
    fn time(&mut self, ts: Timestamp) -> Timestamp {
        ts.min(self.clock.observe(ts).watermark)
    }

    /// Packet time at `now`. The next packet has the time `next`: a silence that would be too long before it is cut.
    fn until(&mut self, now: Instant, next: Timestamp) -> Timestamp {
        let Speed::Times(speed) = self.speed else { return Timestamp::from_nanos(u64::MAX) };
        let (at, then) = *self.at.get_or_insert((now, next));
        let passed = now.saturating_duration_since(at).as_secs_f64() * speed;
        let passed = Duration::try_from_secs_f64(passed).unwrap_or(Duration::MAX);
        let until = then.saturating_add(passed);
        let longest = Duration::try_from_secs_f64(LONGEST.as_secs_f64() * speed);
        match longest.ok().filter(|longest| next.since(until) > *longest) {
            Some(longest) => {
                let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
                let until = Timestamp::from_nanos(next.as_nanos().saturating_sub(nanos));
                self.at = Some((now, until));
                until
            }
            None => until,
        }
    }

    /// How long it takes to a packet time.
    fn left(&self, next: Timestamp) -> Duration {
        let (Speed::Times(speed), Some((at, then))) = (self.speed, self.at) else {
            return Duration::ZERO;
        };
        let whole = Duration::try_from_secs_f64(next.since(then).as_secs_f64() / speed);
        whole.unwrap_or(LONGEST).saturating_sub(at.elapsed())
    }

    /// Waits without packet time.
    fn pause(&mut self, time: Duration) {
        thread::sleep(time);
        if let Some((at, _)) = &mut self.at {
            *at += time;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn packet_time_passes_as_fast_as_was_asked_for() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let mut pace = Pace::new(Speed::Times(10.0));
        assert_eq!(pace.until(start, at(1000)), at(1000));
        assert_eq!(pace.until(after(100), at(2500)), at(2000));
        // Silences are cut to five seconds of waiting.
        assert_eq!(pace.until(after(200), at(3_000_000)), at(2_950_000));
        assert_eq!(pace.until(after(1200), at(3_000_000)), at(2_960_000));
        assert_eq!(pace.until(after(5200), at(3_000_000)), at(3_000_000));
        // A packet from before is due.
        assert!(pace.until(after(5200), at(5)) > at(5));
        let far = Timestamp::from_nanos(u64::MAX);
        assert!(pace.until(after(5300), far) < far);
        assert_eq!(Pace::new(Speed::Max).until(start, at(7)), far);
        let mut fast = Pace::new(Speed::Times(f64::MAX));
        assert_eq!(fast.until(start, at(7)), at(7));
        assert_eq!(fast.until(after(1), at(8)), far);
        let mut slow = Pace::new(Speed::Times(f64::MIN_POSITIVE));
        assert_eq!(slow.until(start, at(7)), at(7));
        assert_eq!(slow.until(after(9000), at(8)), at(8));
    }

    #[test]
    fn a_corrupt_timestamp_does_not_change_the_pace() {
        let start = Instant::now();
        let mut pace = Pace::new(Speed::Times(1.0));
        let corrupt = Timestamp::from_nanos(u64::MAX);
        let times = [at(1000), corrupt, at(1200), at(1400)].map(|ts| pace.time(ts));
        assert_eq!(times, [1000, 1000, 1200, 1400].map(at));
        for next in times {
            pace.until(start, next);
        }
        assert_eq!(pace.until(start + Duration::from_millis(100), at(1200)), at(1100));
        // As many as agree are right.
        let later = at(3_600_000_000);
        assert_eq!(pace.time(later), at(1400));
        assert!((0..100).any(|_| pace.time(later) == later));
    }
}

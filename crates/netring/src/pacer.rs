use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use flowscope_core::Timestamp;

/// Schedule of packets to send.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Pace {
    /// At their own times, this many times as fast; above 0.
    Times(f64),
    /// This many packets per second, evenly.
    Rate(NonZeroU32),
    /// At once.
    Top,
}

/// Says when each packet is to be sent: see [`Pace`].
///
/// It is only a schedule: [`due`](Self::due) can be used with any clock of threads, and
/// [`wait`](Self::wait) waits for it in tokio. A sender that is late catches up, as the schedule does not
/// depend on when packets are really sent.
///
/// ```no_run
/// # async fn check() -> Result<(), netring::Error> {
/// use netring::{AsyncCapture, Pace, Pacer, Sender};
///
/// let mut packets = AsyncCapture::open_file("trace.pcap").packet_stream();
/// let mut pacer = Pacer::new(Pace::Times(2.0));
/// let mut sender = Sender::open("eth0")?;
/// while let Some(packet) = packets.next().await {
///     let packet = packet?;
///     pacer.wait(packet.ts).await;
///     sender.send(&packet.frame).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Pacer {
    pace: Pace,
    start: Instant,
    /// When this round began, the time of its first packet, and the latest time.
    round: Option<(Instant, Timestamp, Timestamp)>,
    scheduled: u64,
}

impl Pacer {
    /// Begins a schedule now.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Pacer { pace, start: Instant::now(), round: None, scheduled: 0 }
    }

    /// The pace that it was made with.
    #[must_use]
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Times of packets begin anew with the next one: for a capture that is sent again. A
    /// [rate](Pace::Rate) goes on.
    pub fn restart(&mut self) {
        self.round = None;
    }

    /// When the next packet, with this timestamp, is to be sent; `None` for at once. A timestamp before
    /// that of an earlier packet counts as the latest one.
    pub fn due(&mut self, ts: Timestamp) -> Option<Instant> {
        let (start, after) = match self.pace {
            Pace::Top => return None,
            Pace::Rate(rate) => {
                let nanos = u128::from(self.scheduled) * 1_000_000_000 / u128::from(rate.get());
                (self.start, Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
            }
            Pace::Times(speed) => {
                let round = self.round.get_or_insert_with(|| (Instant::now(), ts, ts));
                round.2 = round.2.max(ts);
                let (start, first, latest) = *round;
                let seconds = latest.since(first).as_secs_f64() / speed;
                (start, Duration::try_from_secs_f64(seconds).unwrap_or(AGES))
            }
        };
        self.scheduled += 1;
        Some(start.checked_add(after).unwrap_or(start + AGES))
    }

    /// Waits until the next packet, with this timestamp, is to be sent. Timers of tokio have a
    /// resolution of a millisecond: packets that are due meanwhile are due at once afterwards.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without timers, if it has to wait.
    pub async fn wait(&mut self, ts: Timestamp) {
        if let Some(due) = self.due(ts)
            && due > Instant::now()
        {
            tokio::time::sleep_until(due.into()).await;
        }
    }
}

/// Longer than any wait.
const AGES: Duration = Duration::from_secs(100 * 365 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds from the first packet's turn at which packets of these times have theirs.
    fn schedule(pacer: &mut Pacer, times: &[u64]) -> Vec<u128> {
        let mut due = times
            .iter()
            .map(|at| pacer.due(Timestamp::from_nanos(at * 1_000_000)).expect("a pace"));
        let first = due.next().expect("a packet");
        [0].into_iter().chain(due.map(|due| due.duration_since(first).as_millis())).collect()
    }

    #[test]
    fn times_are_kept_divided_by_the_speed_and_never_go_back() {
        let mut pacer = Pacer::new(Pace::Times(2.0));
        assert_eq!(schedule(&mut pacer, &[5000, 5100, 4000, 5300]), [0, 50, 50, 150]);
        pacer.restart();
        assert_eq!(schedule(&mut pacer, &[100, 300]), [0, 100]);
    }

    #[test]
    fn a_rate_is_even_whatever_the_times_are() {
        let mut pacer = Pacer::new(Pace::Rate(NonZeroU32::new(20).expect("not zero")));
        assert_eq!(schedule(&mut pacer, &[5000, 0, 9_000_000]), [0, 50, 100]);
        pacer.restart();
        assert_eq!(schedule(&mut pacer, &[0, 0]), [0, 50]);
        assert_eq!(Pacer::new(Pace::Top).due(Timestamp::ZERO), None);
    }

    #[test]
    fn times_without_sense_do_not_overflow() {
        let mut pacer = Pacer::new(Pace::Times(f64::MIN_POSITIVE));
        let first = pacer.due(Timestamp::ZERO).expect("a pace");
        let last = pacer.due(Timestamp::from_nanos(u64::MAX)).expect("a pace");
        assert_eq!(last.duration_since(first), AGES);
    }

    #[tokio::test]
    async fn waiting_takes_no_less_than_the_schedule_says() {
        let mut pacer = Pacer::new(Pace::Times(1.0));
        let start = Instant::now();
        for at in [0, 20, 30] {
            pacer.wait(Timestamp::from_nanos(at * 1_000_000)).await;
            assert!(start.elapsed() >= Duration::from_millis(at));
        }
    }
}

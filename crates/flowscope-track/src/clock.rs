use flowscope_core::Timestamp;

use crate::ClockConfig;
use crate::wheel::passed;

/// Position of a packet in the input: its number, and the watermark.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PacketTime {
    /// Number of the packet, from 1.
    pub packet: u64,
    /// Highest accepted timestamp up to this packet.
    pub watermark: Timestamp,
    /// Whether the timestamp of this packet is too far ahead to be accepted yet.
    pub suspect: bool,
    /// Number of the first packet whose suspect timestamp was accepted last; 0 before any. Suspect
    /// timestamps of earlier packets were not accepted.
    pub believed_from: u64,
}

impl PacketTime {
    /// Last tick (multiple of 100 ms) that the watermark has passed. Sweeps have this resolution.
    #[must_use]
    pub fn tick(&self) -> Option<u64> {
        passed(self.watermark)
    }
}

/// Packet clock: counts packets and keeps the watermark, the only time that the tracker knows.
///
/// A timestamp behind the watermark moves nothing. One that lies further ahead than
/// [`ClockConfig::jump`] is suspect until as many packets in a row as [`ClockConfig::confirm`] says
/// agree on it to within the same distance; so a corrupt timestamp cannot expire a whole table.
/// Then the watermark moves to the latest of them.
#[derive(Clone, Debug)]
pub struct Clock {
    /// In nanoseconds.
    jump: u64,
    confirm: u32,
    now: PacketTime,
    started: bool,
    /// Lowest and highest time of the suspects in a row, how many, and the first one's number.
    suspects: Option<(Timestamp, Timestamp, u32, u64)>,
    backwards: u64,
    jumped: u64,
}

impl Clock {
    /// Creates a clock at no time.
    #[must_use]
    pub fn new(config: ClockConfig) -> Self {
        Clock {
            jump: u64::try_from(config.jump.as_nanos()).unwrap_or(u64::MAX),
            confirm: config.confirm,
            now: PacketTime::default(),
            started: false,
            suspects: None,
            backwards: 0,
            jumped: 0,
        }
    }

    /// Counts the next packet.
    #[inline]
    pub fn observe(&mut self, ts: Timestamp) -> PacketTime {
        self.now.packet += 1;
        self.now.suspect = false;
        if !self.started {
            self.started = true;
            self.now.watermark = ts;
        } else if ts < self.now.watermark {
            self.backwards += 1;
            self.suspects = None;
        } else if ts.as_nanos() - self.now.watermark.as_nanos() <= self.jump {
            self.now.watermark = ts;
            self.suspects = None;
        } else {
            self.doubt(ts);
        }
        self.now
    }

    /// Counts a packet that is not looked at, so that those behind it have the numbers of the input.
    pub fn skip_packet(&mut self) {
        self.now.packet += 1;
    }

    /// Moves the watermark without a packet, for a live source that knows the time. Never moves it
    /// back.
    pub fn advance(&mut self, now: Timestamp) -> PacketTime {
        self.started = true;
        self.now.watermark = self.now.watermark.max(now);
        self.now.suspect = false;
        self.now
    }

    #[cold]
    fn doubt(&mut self, ts: Timestamp) {
        let (low, high, count, first) = match self.suspects {
            Some((low, high, count, first))
                if high.max(ts).as_nanos() - low.min(ts).as_nanos() <= self.jump =>
            {
                (low.min(ts), high.max(ts), count + 1, first)
            }
            _ => (ts, ts, 1, self.now.packet),
        };
        if count >= self.confirm.max(1) {
            self.now.watermark = high;
            self.now.believed_from = first;
            self.suspects = None;
            self.jumped += 1;
        } else {
            self.suspects = Some((low, high, count, first));
            self.now.suspect = true;
        }
    }

    /// The latest packet time.
    #[must_use]
    pub fn now(&self) -> PacketTime {
        self.now
    }

    /// Packets whose timestamp was behind the watermark.
    #[must_use]
    pub fn backwards(&self) -> u64 {
        self.backwards
    }

    /// Jumps ahead that were accepted after further packets agreed.
    #[must_use]
    pub fn jumps(&self) -> u64 {
        self.jumped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(s: u64) -> Timestamp {
        Timestamp::from_secs(s)
    }

    #[test]
    fn one_corrupt_time_moves_nothing() {
        let mut clock = Clock::new(ClockConfig::default());
        clock.observe(secs(1000));
        let odd = clock.observe(secs(1_000_000_000));
        assert_eq!((odd.watermark, odd.suspect), (secs(1000), true));
        let next = clock.observe(secs(1001));
        assert_eq!((next.watermark, next.suspect, next.packet), (secs(1001), false, 3));
    }

    #[test]
    fn corrupt_times_in_a_row_must_agree_with_each_other() {
        let mut clock = Clock::new(ClockConfig::default().confirm(3));
        clock.observe(secs(0));
        for i in 1..20 {
            assert_eq!(
                clock.observe(secs(i * 100_000)).watermark,
                secs(0),
                "they differ by more than an hour"
            );
        }
    }

    #[test]
    fn a_time_may_be_as_far_ahead_as_the_setting_says() {
        let second = std::time::Duration::from_secs(10);
        let config = || ClockConfig::default().jump(second).confirm(2);
        let observed = |times: &[u64]| {
            let mut clock = Clock::new(config());
            times.iter().for_each(|s| {
                clock.observe(secs(*s));
            });
            (clock.now().watermark, clock.jumps())
        };
        assert_eq!(observed(&[0, 10]), (secs(10), 0));
        assert_eq!(observed(&[0, 11]), (secs(0), 0));
        // Two that agree, up to the same distance.
        assert_eq!(observed(&[0, 100, 110]), (secs(110), 1));
        assert_eq!(observed(&[0, 110, 100]), (secs(110), 1));
        assert_eq!(observed(&[0, 100, 111]), (secs(0), 0));
    }

    #[test]
    fn a_real_silence_is_believed_once_confirmed() {
        let mut clock = Clock::new(ClockConfig::default());
        clock.observe(secs(0));
        for i in 1..16 {
            assert!(clock.observe(secs(8000 + i)).suspect);
        }
        let confirmed = clock.observe(secs(8016));
        assert_eq!((confirmed.watermark, confirmed.suspect), (secs(8016), false));
        assert_eq!(clock.jumps(), 1);
    }

    #[test]
    fn times_behind_the_watermark_are_counted() {
        let mut clock = Clock::new(ClockConfig::default());
        for s in [5, 3, 4, 5, 6] {
            clock.observe(secs(s));
        }
        assert_eq!((clock.backwards(), clock.now().watermark), (2, secs(6)));
    }
}

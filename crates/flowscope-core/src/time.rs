use std::fmt;
use std::ops::Add;
use std::time::{Duration, SystemTime};

/// A packet's time: whole nanoseconds since 1970-01-01T00:00:00Z, as the capture gave it.
///
/// Unsigned 64 bits reach the year 2554. Arithmetic saturates: a capture's clock is input from
/// outside, so no value of it may overflow or make a negative duration.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The epoch itself, also what a packet without a time is given.
    pub const ZERO: Timestamp = Timestamp(0);
    /// The last time that can be expressed.
    pub const MAX: Timestamp = Timestamp(u64::MAX);

    /// From nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Timestamp(nanos)
    }

    /// From whole seconds since the epoch, saturating.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Timestamp(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// The nanoseconds beyond [`secs`](Self::secs).
    #[must_use]
    pub const fn subsec_nanos(self) -> u32 {
        (self.0 % 1_000_000_000) as u32
    }

    /// Time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// `self + by`, stopping at [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        Timestamp(self.0.saturating_add(nanos))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    /// Saturating, as all arithmetic on captured times is.
    fn add(self, by: Duration) -> Timestamp {
        self.saturating_add(by)
    }
}

/// The system's time, for those who stamp packets themselves. What lies beyond either end becomes
/// that end.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// Seconds with nine decimals, as `tcpdump -tt --nano` prints them.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.secs(), self.subsec_nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let late = Timestamp::from_secs(u64::MAX);
        assert_eq!(late, Timestamp::MAX);
        assert_eq!(late + Duration::from_secs(1), Timestamp::MAX);
        assert_eq!(Timestamp::ZERO + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::from_secs(1).since(Timestamp::from_secs(2)), Duration::ZERO);
    }

    #[test]
    fn the_systems_time_is_cut_to_what_can_be_expressed() {
        let at = |since: Duration| Timestamp::from(SystemTime::UNIX_EPOCH + since);
        assert_eq!(at(Duration::from_nanos(1_700_000_000_000_000_001)).subsec_nanos(), 1);
        assert_eq!(at(Duration::from_secs(20_000_000_000)), Timestamp::MAX);
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::from(before), Timestamp::ZERO);
    }

    #[test]
    fn displays_nine_decimals() {
        assert_eq!(
            Timestamp::from_nanos(1_700_000_000_000_000_001).to_string(),
            "1700000000.000000001"
        );
    }
}

use std::time::Duration;

use flowscope_core::Timestamp;

/// A time as NTP has it: seconds and their fraction (RFC 5905 §6).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct NtpTimestamp(pub u64);

/// A span of time as NTP has it: 16 bits of seconds and 16 bits of their fraction (RFC 5905 §6).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct NtpShort(pub u32);

/// Seconds from the start of era 0, 1900, to 1970.
const UNIX_EPOCH: u64 = 2_208_988_800;

impl NtpTimestamp {
    /// Whether it is zero: the time is not known.
    #[must_use]
    pub const fn is_unknown(self) -> bool {
        self.0 == 0
    }

    /// The time since 1970, nanoseconds rounded down. `None` if it is not known.
    ///
    /// Eras are not said. Seconds with the highest bit set, from 1968, are of era 0, others of era 1, which begins
    /// in 2036 (RFC 4330 §3). Times of era 0 before 1970 are 1970.
    #[must_use]
    pub fn to_timestamp(self) -> Option<Timestamp> {
        if self.is_unknown() {
            return None;
        }
        let (secs, fraction) = (self.0 >> 32, self.0 & 0xffff_ffff);
        let era = if secs & 0x8000_0000 == 0 { 1 << 32 } else { 0 };
        let Some(secs) = (secs + era).checked_sub(UNIX_EPOCH) else { return Some(Timestamp::ZERO) };
        let nanos = (fraction * 1_000_000_000) >> 32;
        Some(Timestamp::from_nanos(secs * 1_000_000_000 + nanos))
    }
}

impl NtpShort {
    /// The span, nanoseconds rounded down.
    #[must_use]
    pub fn to_duration(self) -> Duration {
        let nanos = (u64::from(self.0) * 1_000_000_000) >> 16;
        Duration::from_nanos(nanos)
    }
}

/// The span of two to the power of `exponent` seconds (RFC 5905 §7.3), as poll interval and precision have it:
/// zero below a nanosecond, at most 2³¹ seconds.
pub(crate) fn power_of_two(exponent: i8) -> Duration {
    match exponent {
        0.. => Duration::from_secs(1 << exponent.min(31)),
        -30..0 => Duration::from_nanos(1_000_000_000 >> exponent.unsigned_abs()),
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_two_eras() {
        let secs = |secs: u64| NtpTimestamp(secs << 32).to_timestamp();
        assert_eq!(NtpTimestamp(0).to_timestamp(), None);
        assert_eq!(secs(UNIX_EPOCH), Some(Timestamp::ZERO));
        assert_eq!(secs(UNIX_EPOCH - 1), Some(Timestamp::ZERO));
        // The first day of Unix, and the last second of era 0 and the one behind it.
        assert_eq!(secs(2_272_060_800), Some(Timestamp::from_secs(63_072_000)));
        assert_eq!(secs(u64::from(u32::MAX)), Some(Timestamp::from_secs(2_085_978_495)));
        assert_eq!(NtpTimestamp(1).to_timestamp(), Some(Timestamp::from_secs(2_085_978_496)));
        let half = NtpTimestamp(UNIX_EPOCH << 32 | 0x8000_0000).to_timestamp();
        assert_eq!(half, Some(Timestamp::from_nanos(500_000_000)));
        let last = NtpTimestamp(u64::MAX >> 1).to_timestamp().unwrap();
        assert_eq!(last.as_nanos() % 1_000_000_000, 999_999_999);
    }

    #[test]
    fn spans_are_exact() {
        assert_eq!(NtpShort(0x0001_8000).to_duration(), Duration::from_millis(1500));
        assert_eq!(NtpShort(u32::MAX).to_duration().as_secs(), 65_535);
        assert_eq!(power_of_two(6), Duration::from_secs(64));
        assert_eq!(power_of_two(-1), Duration::from_millis(500));
        assert_eq!(power_of_two(-20), Duration::from_nanos(953));
        assert_eq!(power_of_two(i8::MAX), Duration::from_secs(1 << 31));
        assert_eq!(power_of_two(i8::MIN), Duration::ZERO);
    }
}

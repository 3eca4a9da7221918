use flowscope_core::Timestamp;

/// Converts timestamps of an interface from ticks to nanoseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Clock {
    scale: Scale,
    /// Seconds added to every time (`if_tsoffset`).
    offset: i64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Scale {
    /// Nanoseconds per tick.
    Coarse(u64),
    /// Ticks per nanosecond.
    Fine(u64),
    /// 2 to this power are the ticks per second.
    Binary(u32),
}

impl Clock {
    /// The default of pcapng, and the only choice that the oldest pcap files had.
    pub(crate) const MICROSECONDS: Clock = Clock { scale: Scale::Coarse(1000), offset: 0 };
    pub(crate) const NANOSECONDS: Clock = Clock { scale: Scale::Coarse(1), offset: 0 };

    /// By the values of the options `if_tsresol` and `if_tsoffset` (draft-ietf-opsawg-pcapng,
    /// section 4.2). `None` for a clock finer than 10^-18 or 2^-60 seconds: nothing has one, and
    /// 64 bits of its ticks would not last for minutes.
    pub(crate) fn new(resolution: u8, offset: i64) -> Option<Clock> {
        let exponent = u32::from(resolution & 0x7f);
        let scale = match resolution & 0x80 {
            0 if exponent <= 9 => Scale::Coarse(10_u64.pow(9 - exponent)),
            0 if exponent <= 18 => Scale::Fine(10_u64.pow(exponent - 9)),
            0x80 if exponent <= 60 => Scale::Binary(exponent),
            _ => return None,
        };
        Some(Clock { scale, offset })
    }

    /// The time of a tick, rounded down to nanoseconds. Times before 1970 become the epoch, times after the
    /// year 2554 [`Timestamp::MAX`].
    pub(crate) fn at(self, ticks: u64) -> Timestamp {
        if self.offset == 0 {
            return Timestamp::from_nanos(match self.scale {
                Scale::Coarse(nanos) => ticks.saturating_mul(nanos),
                Scale::Fine(per_nano) => ticks / per_nano,
                Scale::Binary(exponent) => {
                    u64::try_from(binary(ticks, exponent)).unwrap_or(u64::MAX)
                }
            });
        }
        // An offset may bring back what overflows without it, so nothing saturates before the sum.
        // 64 bits of ticks times 30 bits of nanoseconds leave room for it in 127.
        let nanos = match self.scale {
            Scale::Coarse(nanos) => u128::from(ticks) * u128::from(nanos),
            Scale::Fine(per_nano) => u128::from(ticks / per_nano),
            Scale::Binary(exponent) => binary(ticks, exponent),
        };
        let sum = nanos.cast_signed() + i128::from(self.offset) * i128::from(NANOS);
        Timestamp::from_nanos(u64::try_from(sum.max(0)).unwrap_or(u64::MAX))
    }

    /// Ticks per second: at most 10^18 or 2^60.
    pub(crate) fn ticks_per_second(self) -> u64 {
        match self.scale {
            Scale::Coarse(nanos) => NANOS / nanos,
            Scale::Fine(per_nano) => NANOS * per_nano,
            Scale::Binary(exponent) => 1 << exponent,
        }
    }

    pub(crate) fn offset(self) -> i64 {
        self.offset
    }
}

fn binary(ticks: u64, exponent: u32) -> u128 {
    (u128::from(ticks) * u128::from(NANOS)) >> exponent
}

const NANOS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resolution: u8, offset: i64, ticks: u64, expected: u64) {
        let clock = Clock::new(resolution, offset).expect("the table holds valid clocks only");
        assert_eq!(
            clock.at(ticks).as_nanos(),
            expected,
            "{ticks} ticks at resolution {resolution:#x}, offset {offset}"
        );
    }

    #[test]
    fn ticks_become_nanoseconds() {
        check(6, 0, 1_700_000_000_000_001, 1_700_000_000_000_001_000);
        check(9, 0, 1_700_000_000_000_000_001, 1_700_000_000_000_000_001);
        check(0, 0, 1_700_000_000, 1_700_000_000_000_000_000);
        check(3, 0, 1_500, 1_500_000_000);
        check(12, 0, 1_999, 1);
        check(18, 0, u64::MAX, 18_446_744_073);
        check(0x80, 0, 7, 7_000_000_000);
        check(0x80 | 20, 0, 1 << 20, 1_000_000_000);
        check(0x80 | 20, 0, 1, 953);
        check(0x80 | 60, 0, 1 << 60, 1_000_000_000);
        check(0x80 | 60, 0, u64::MAX, 15_999_999_999);
    }

    #[test]
    fn offsets_are_seconds_and_all_arithmetic_saturates() {
        check(6, 10, 1, 10_000_001_000);
        check(9, -1, 1_500_000_000, 500_000_000);
        check(9, -2, 1_500_000_000, 0);
        check(9, i64::MIN, u64::MAX, 0);
        check(9, i64::MAX, u64::MAX, u64::MAX);
        check(0, 0, u64::MAX, u64::MAX);
        check(0, i64::MIN, u64::MAX, u64::MAX);
        check(0x80, i64::MAX, u64::MAX, u64::MAX);
        // Beyond the range without the offset, within it with.
        check(0, -20_000_000_000, 20_000_000_001, 1_000_000_000);
    }

    #[test]
    fn every_resolution_is_a_clock_or_refused() {
        for resolution in 0..=u8::MAX {
            let (base, exponent) = (resolution & 0x80, resolution & 0x7f);
            let valid = if base == 0 { exponent <= 18 } else { exponent <= 60 };
            let clock = Clock::new(resolution, 0);
            assert_eq!(clock.is_some(), valid, "{resolution:#x}");
            if let Some(clock) = clock {
                let second = clock.at(clock.ticks_per_second());
                assert_eq!(second, Timestamp::from_secs(1), "{resolution:#x}");
                let _ = (clock.at(u64::MAX), clock.at(0));
            }
        }
    }
}

//! When a flow was seen last, and when both sides had closed: two times in the room of one.
//!
//! A flow is seen last when it is touched, unless packets come out of order or at times that are not believed: then it
//! *lags*. `seen_or_closed` of the cold part is the time of the latest packet of a flow that lags, and of any other the
//! time at which both sides had closed, zero while they have not. Of a flow that does both, the rare part has the latter.

use flowscope_core::Timestamp;

use crate::entry::{Cold, HotRecord, bit};
use crate::record::Record;

impl Record<'_> {
    /// The time of the flow's latest packet.
    #[inline]
    pub(crate) fn last_seen(&self) -> Timestamp {
        if self.hot.has(bit::LAGGED) { self.cold.seen_or_closed } else { self.hot.touched }
    }

    /// STAT-7
    pub(crate) fn closed(&self) -> Option<Timestamp> {
        let closed = if self.hot.has(bit::LAGGED) {
            self.cold.rare.as_ref().map_or(Timestamp::ZERO, |rare| rare.closed)
        } else {
            self.cold.seen_or_closed
        };
        (closed != Timestamp::ZERO).then_some(closed)
    }
}

/// Sets the time of the latest packet.
#[inline]
pub(crate) fn set_last_seen(hot: &mut HotRecord, cold: &mut Cold, last_seen: Timestamp) {
    let lags = last_seen != hot.touched;
    if lags != hot.has(bit::LAGGED) {
        exchange(hot, cold, lags);
    }
    if lags {
        cold.seen_or_closed = last_seen;
    }
}

/// Makes `touched` the time from which the flow is idle, and leaves that of its latest packet.
pub(crate) fn touch(hot: &mut HotRecord, cold: &mut Cold, touched: Timestamp) {
    let last_seen = Record { hot, cold }.last_seen();
    hot.touched = touched;
    set_last_seen(hot, cold, last_seen);
}

/// Begins to lag, or ends it.
#[inline]
fn exchange(hot: &mut HotRecord, cold: &mut Cold, lags: bool) {
    hot.set(bit::LAGGED, lags);
    if !lags {
        cold.seen_or_closed = Timestamp::ZERO;
    }
    match &mut cold.rare {
        Some(rare) => std::mem::swap(&mut rare.closed, &mut cold.seen_or_closed),
        None if lags && cold.seen_or_closed != Timestamp::ZERO => {
            cold.rare().closed = cold.seen_or_closed;
        }
        None => {}
    }
}

/// STAT-7: both sides have closed, unless they had before.
pub(crate) fn close(hot: &HotRecord, cold: &mut Cold) {
    let record = Record { hot, cold };
    if record.closed().is_none() {
        let closed = record.last_seen();
        set_closed(hot, cold, closed);
    }
}

/// STAT-7: one of the sides has not closed after all.
pub(crate) fn reopen(hot: &HotRecord, cold: &mut Cold) {
    if (Record { hot, cold }).closed().is_some() {
        set_closed(hot, cold, Timestamp::ZERO);
    }
}

fn set_closed(hot: &HotRecord, cold: &mut Cold, closed: Timestamp) {
    if hot.has(bit::LAGGED) {
        cold.rare().closed = closed;
    } else {
        cold.seen_or_closed = closed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{BLANK_HOT, blank_cold};

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    fn times(hot: &HotRecord, cold: &Cold) -> (Timestamp, Option<Timestamp>) {
        let record = Record { hot, cold };
        (record.last_seen(), record.closed())
    }

    #[test]
    fn a_flow_that_does_not_lag_closes_without_a_rare_part() {
        let (mut hot, mut cold) = (BLANK_HOT, blank_cold());
        touch(&mut hot, &mut cold, at(5));
        set_last_seen(&mut hot, &mut cold, at(5));
        close(&hot, &mut cold);
        hot.touched = at(6);
        set_last_seen(&mut hot, &mut cold, at(6));
        close(&hot, &mut cold);
        assert_eq!((times(&hot, &cold), cold.rare.is_none()), ((at(6), Some(at(5))), true));
        reopen(&hot, &mut cold);
        assert_eq!(times(&hot, &cold), (at(6), None));
    }

    #[test]
    fn both_times_outlive_lag_that_begins_and_ends() {
        let (mut hot, mut cold) = (BLANK_HOT, blank_cold());
        hot.touched = at(7);
        set_last_seen(&mut hot, &mut cold, at(7));
        close(&hot, &mut cold);
        for (touched, last_seen) in [(8, 7), (9, 8), (9, 9), (9, 10), (11, 11)] {
            hot.touched = at(touched);
            set_last_seen(&mut hot, &mut cold, at(last_seen));
            assert_eq!(times(&hot, &cold), (at(last_seen), Some(at(7))));
        }
        touch(&mut hot, &mut cold, at(20));
        assert_eq!(times(&hot, &cold), (at(11), Some(at(7))));
        reopen(&hot, &mut cold);
        assert_eq!(times(&hot, &cold), (at(11), None));
        close(&hot, &mut cold);
        assert_eq!(times(&hot, &cold), (at(11), Some(at(11))));
        hot.touched = at(21);
        set_last_seen(&mut hot, &mut cold, at(21));
        assert_eq!(times(&hot, &cold), (at(21), Some(at(11))));
    }
}

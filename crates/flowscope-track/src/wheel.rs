//! When to look at which flow again: a hierarchical timing wheel over slots.
//!
//! Six bits of the tick per level; a slot hangs at the level of the highest bits in which its tick
//! differs from the wheel's, and moves down as time comes near. The wheel is lazy: a packet that
//! moves a flow's deadline further away leaves it where it hangs, and the one that takes it out looks at
//! the true deadline and hangs it up again. An occupancy bit per list lets time leap over any
//! silence without visiting empty lists.

use flowscope_core::Timestamp;

use crate::lists::{Lists, Slot};

/// Deadlines are rounded up to a multiple of this, in nanoseconds.
pub(crate) const TICK: u64 = 100_000_000;

const BITS: u32 = 6;
const PER_LEVEL: u32 = 1 << BITS;
/// Enough for the largest tick, 2^64 ns / 100 ms < 2^38.
const LEVELS: u32 = 7;

/// The tick at which a deadline can be passed: the first multiple of [`TICK`] not before it.
pub(crate) fn tick_of(deadline: Timestamp) -> u64 {
    deadline.as_nanos().div_ceil(TICK)
}

/// The last tick that a watermark has passed. Idle means strictly longer, so a watermark that
/// stands on a tick has not passed it.
pub(crate) fn passed(watermark: Timestamp) -> Option<u64> {
    watermark.as_nanos().checked_sub(1).map(|nanos| nanos / TICK)
}

pub(crate) struct Wheel {
    lists: Lists,
    occupied: [u64; LEVELS as usize],
    /// The tick that has been reached; nothing hangs below it.
    now: u64,
}

impl Wheel {
    pub(crate) fn new() -> Self {
        Wheel { lists: Lists::new(LEVELS * PER_LEVEL), occupied: [0; LEVELS as usize], now: 0 }
    }

    pub(crate) fn add_slot(&mut self) {
        self.lists.add_slot();
    }

    /// Schedules `slot`, which must not be scheduled yet, for `tick`, or for the current tick if that has passed.
    pub(crate) fn schedule(&mut self, slot: Slot, tick: u64) {
        let tick = tick.max(self.now);
        let differs = tick ^ self.now;
        let level = (63 - (differs | 1).leading_zeros()) / BITS;
        let place = (tick >> (level * BITS)) as u32 % PER_LEVEL;
        self.occupied[level as usize] |= 1 << place;
        self.lists.push_back(level * PER_LEVEL + place, slot);
    }

    /// Takes `slot` off the wheel, if it hangs.
    pub(crate) fn cancel(&mut self, slot: Slot) {
        if let Some(list) = self.lists.unlink(slot) {
            self.occupied[(list / PER_LEVEL) as usize] &= !(1 << (list % PER_LEVEL));
        }
    }

    /// The occupied list that comes up first, the higher level on a tie: its level, its number, and
    /// the first tick it is for.
    fn first(&self) -> Option<(u32, u32, u64)> {
        let mut first: Option<(u32, u32, u64)> = None;
        for level in (0..LEVELS).rev() {
            let shift = level * BITS;
            let from = (self.now >> shift) as u32 % PER_LEVEL;
            // Places before `from` would be for ticks that have been reached: there are none.
            let ahead = self.occupied[level as usize] >> from;
            if ahead != 0 {
                let place = from + ahead.trailing_zeros();
                let above = (self.now >> (shift + BITS)) << (shift + BITS);
                let tick = (above | u64::from(place) << shift).max(self.now);
                if first.is_none_or(|(_, _, best)| tick < best) {
                    first = Some((level, level * PER_LEVEL + place, tick));
                }
            }
        }
        first
    }

    /// The first tick at which [`take_some`](Self::take_some) has work.
    pub(crate) fn next_tick(&self) -> Option<u64> {
        self.first().map(|(_, _, tick)| tick)
    }

    /// Takes slots off the first list that has come up by tick `until`, as many as there is room for in `some`:
    /// their number, and whether they hung for exactly the tick that is now reached. If not, each is to be hung
    /// up again before the next call, whether or not it is due: lists of a level are emptied before any list
    /// below them is.
    pub(crate) fn take_some(&mut self, until: u64, some: &mut [Slot]) -> Option<(usize, bool)> {
        let (level, list, tick) = self.first()?;
        if tick > until {
            return None;
        }
        self.now = tick;
        let mut taken = 0;
        while taken < some.len()
            && let Some(slot) = self.lists.front(list)
        {
            self.cancel(slot);
            some[taken] = slot;
            taken += 1;
        }
        Some((taken, level == 0))
    }

    pub(crate) fn is_scheduled(&self, slot: Slot) -> bool {
        self.lists.contains(slot)
    }

    /// The tick that has been reached.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Lets the wheel start at `tick` instead of zero, while nothing hangs on it.
    pub(crate) fn start_at(&mut self, tick: u64) {
        if self.occupied == [0; LEVELS as usize] {
            self.now = self.now.max(tick);
        }
    }

    /// Bytes held, by capacity.
    pub(crate) fn capacity_bytes(&self) -> usize {
        self.lists.capacity_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use flowscope_testkit::Rng;

    use super::*;

    /// Against a map from slot to tick: what comes out by a tick is what was due by it, in order.
    #[test]
    fn agrees_with_a_sorted_map() {
        let mut rng = Rng::new(7);
        let (mut wheel, mut model) = (Wheel::new(), BTreeMap::<Slot, u64>::new());
        (0..64).for_each(|_| wheel.add_slot());
        wheel.start_at(17_000_000_000);
        let mut now: u64 = 17_000_000_000;
        for _ in 0..20_000 {
            let slot = rng.below(64) as Slot;
            match rng.below(4) {
                0 => {
                    wheel.cancel(slot);
                    model.remove(&slot);
                }
                1 | 2 => {
                    let tick = now + (1_u64 << rng.below(36)) * rng.below(3) as u64;
                    wheel.cancel(slot);
                    wheel.schedule(slot, tick);
                    model.insert(slot, tick);
                }
                _ => {
                    now += 1_u64 << rng.below(20);
                    let mut last = 0;
                    let mut some = [0; 4];
                    let most = 1 + rng.below(4);
                    while let Some((taken, exact)) = wheel.take_some(now, &mut some[..most]) {
                        assert!((1..=most).contains(&taken));
                        for slot in &some[..taken] {
                            let tick = model[slot];
                            if exact {
                                assert_eq!(tick, wheel.now());
                                assert!(tick >= last && tick <= now);
                                last = tick;
                                model.remove(slot);
                            } else {
                                wheel.schedule(*slot, tick);
                            }
                        }
                    }
                    assert!(model.values().all(|tick| *tick > now), "something due was left");
                }
            }
            assert_eq!(wheel.next_tick().is_none(), model.is_empty());
        }
    }

    #[test]
    fn deadlines_round_up_and_are_passed_strictly() {
        let at = Timestamp::from_nanos;
        assert_eq!((tick_of(at(1)), tick_of(at(TICK)), tick_of(at(TICK + 1))), (1, 1, 2));
        assert_eq!(
            (passed(at(0)), passed(at(TICK)), passed(at(TICK + 1))),
            (None, Some(0), Some(1))
        );
    }
}

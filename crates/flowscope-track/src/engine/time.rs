//! When flows are due, and what happens to them then.

use std::cmp::Reverse;
use std::hash::Hash;

use flowscope_core::{L4Proto, Timestamp};

use super::read_ahead::READ_AHEAD;
use super::{Due, Engine, Suspect};
use crate::clock::PacketTime;
use crate::entry::{HotRecord, slow_path};
use crate::lists::Slot;
use crate::record::Record;
use crate::sink::{EventOrder, FlowSink, Phase};
use crate::table::Entry;
use crate::tcp::Step;
use crate::times;
use crate::wheel::{TICK, passed, tick_of};
use crate::{EndReason, FlowId};

impl<K: Hash + Eq + Clone, S> Engine<K, S> {
    /// When the entry has something to do if no packet comes.
    pub(super) fn deadline(&self, slot: Slot) -> Timestamp {
        let record = self.slots.record(slot);
        let hot = record.hot;
        if hot.state.is_over() {
            return hot.touched + self.config.linger;
        }
        let idle = idle_deadline(&self.idle, hot);
        self.pending_reset(record).map_or(idle, |reset| reset.min(idle))
    }

    fn pending_reset(&self, record: Record<'_>) -> Option<Timestamp> {
        Some(record.pending_reset()?.at + self.config.linger)
    }

    /// The entry's deadline, if it has passed.
    pub(super) fn overdue(&self, slot: Slot, now: &PacketTime) -> Option<Timestamp> {
        let deadline = self.deadline(slot);
        (now.watermark > deadline).then_some(deadline)
    }

    /// IDLE-1, IDLE-3: applies the deadlines of the entry that have passed. Returns whether the entry is
    /// removed.
    pub(super) fn catch_up<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        now: &PacketTime,
        order: EventOrder,
        out: &mut O,
    ) -> bool {
        if self.overdue(slot, now).is_some() {
            self.peek_shunted(slot);
        }
        while let Some(deadline) = self.overdue(slot, now) {
            if self.on_deadline(slot, deadline, order, out) {
                return true;
            }
        }
        false
    }

    /// Applies a deadline of an entry. Returns whether the entry is removed.
    pub(super) fn on_deadline<O: FlowSink<K, S>>(
        &mut self,
        slot: Slot,
        deadline: Timestamp,
        order: EventOrder,
        out: &mut O,
    ) -> bool {
        if self.pending_reset(self.slots.record(slot)) == Some(deadline) {
            let mut entry = self.slots.entry(slot);
            if let Some(reset) = entry.cold.rare.as_mut().and_then(|rare| rare.reset.take()) {
                let mut step = Step::new(entry.hot.state);
                self.order.remove(slot, entry.hot);
                entry.tcp(&self.config).accept_reset(reset, &mut step);
                self.order.insert(slot, entry.hot);
                entry.emit_state(reset.ts, order, &step, out);
                self.begin_linger(slot, deadline);
                self.emit_end(slot, reset.ts, order, EndReason::Rst, out);
                return false;
            }
        }
        self.end_and_remove(slot, None, order, EndReason::IdleTimeout, out);
        true
    }

    /// LATE-1
    pub(super) fn begin_linger(&mut self, slot: Slot, from: Timestamp) {
        let Entry { hot, cold, .. } = self.slots.entry(slot);
        times::touch(hot, cold, from);
        hot.slow_path |= slow_path::STATE;
        self.reschedule(slot);
    }

    pub(super) fn reschedule(&mut self, slot: Slot) {
        let tick = tick_of(self.deadline(slot));
        self.wheel.cancel(slot);
        self.wheel.schedule(slot, tick);
        let tick = tick.max(self.wheel.now());
        self.next_sweep_after =
            self.next_sweep_after.min(Timestamp::from_nanos(tick.saturating_mul(TICK)));
    }

    /// As a packet that is tracked does before anything else.
    pub(crate) fn sweep_for_packet<O: FlowSink<K, S>>(&mut self, now: &PacketTime, out: &mut O) {
        if !self.suspects.is_empty() && !now.suspect {
            self.settle_suspects(now, true);
        }
        if now.watermark > self.next_sweep_after {
            self.sweep(now, Phase::Expiry, self.config.sweep, out);
        }
    }

    /// IDLE-2: does what is due at the watermark of `now`, in at most `most` steps. Returns whether more
    /// is due.
    pub(crate) fn sweep<O: FlowSink<K, S>>(
        &mut self,
        now: &PacketTime,
        phase: Phase,
        most: usize,
        out: &mut O,
    ) -> bool {
        // Those beyond the watermark wait for a packet to decide about them.
        self.settle_suspects(now, false);
        let Some(until) = passed(now.watermark) else { return false };
        let (mut left, mut some) = (most, [0; READ_AHEAD]);
        while left > 0 {
            let room = left.min(READ_AHEAD);
            if self.is_tick_gathered() && !self.due.is_empty() {
                left -= self.expire_some(room, now, phase, out);
            } else if let Some((taken, exact)) = self.wheel.take_some(until, &mut some[..room]) {
                self.read_for_deadlines(&some[..taken]);
                some[..taken].iter().for_each(|slot| self.gather(*slot, exact));
                left -= taken;
            } else {
                let next =
                    self.wheel.next_tick().map_or(u64::MAX, |tick| tick.saturating_mul(TICK));
                self.next_sweep_after = Timestamp::from_nanos(next);
                return false;
            }
        }
        true
    }

    /// All flows of a tick are gathered before the first of them is let go.
    fn is_tick_gathered(&self) -> bool {
        self.wheel.next_tick() != Some(self.wheel.now())
    }

    /// Lets up to `most` flows go that are due; says of how many the time was looked at.
    fn expire_some<O: FlowSink<K, S>>(
        &mut self,
        most: usize,
        now: &PacketTime,
        phase: Phase,
        out: &mut O,
    ) -> usize {
        let mut some = [Due::default(); READ_AHEAD];
        let mut len = 0;
        while len < most
            && let Some(Reverse(due)) = self.due.pop()
        {
            some[len] = due;
            len += 1;
        }
        let some = &some[..len];
        self.read_for_ends(some, out);
        for (i, due) in some.iter().enumerate() {
            // A flow whose reset was believed may be due again before the others.
            if i > 0 && !self.is_tick_gathered() {
                self.due.extend(some[i..].iter().copied().map(Reverse));
                return i;
            }
            self.expire_due(*due, now, phase, out);
        }
        len
    }

    /// A slot that came off the wheel goes back if its flow was touched since, else to those due.
    pub(super) fn gather(&mut self, slot: Slot, exact: bool) {
        let deadline = self.deadline(slot);
        let tick = tick_of(deadline);
        if !exact || tick > self.wheel.now() {
            self.wheel.schedule(slot, tick);
        } else {
            self.due.push(Reverse(Due { deadline, id: self.slots.hot[slot].record.id, slot }));
        }
    }

    pub(super) fn expire_due<O: FlowSink<K, S>>(
        &mut self,
        due: Due,
        now: &PacketTime,
        phase: Phase,
        out: &mut O,
    ) {
        let slot = due.slot;
        if !self.slots.is_live(slot) || self.slots.hot[slot].record.id != due.id {
            return;
        }
        self.peek_shunted(slot);
        let deadline = self.deadline(slot);
        if tick_of(deadline) > self.wheel.now() {
            // Touched while it waited; unless it hangs again already.
            self.wheel.cancel(slot);
            self.wheel.schedule(slot, tick_of(deadline));
            return;
        }
        let order = EventOrder { packet: now.packet, phase, deadline, flow: FlowId(due.id) };
        self.on_deadline(slot, deadline, order, out);
    }

    /// When the next sweep has something to do.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        if !self.due.is_empty() {
            return Some(Timestamp::ZERO);
        }
        let tick = self.wheel.next_tick()?;
        Some(Timestamp::from_nanos(tick.saturating_mul(TICK).saturating_add(1)))
    }

    /// TIME-1: the clock has accepted suspect times or not. Flows that were touched at accepted times
    /// were touched then, others at the old watermark.
    #[cold]
    pub(super) fn settle_suspects(&mut self, now: &PacketTime, decided: bool) {
        for suspect in std::mem::take(&mut self.suspects) {
            let Suspect { slot, flow, packet, ts } = suspect;
            if !self.slots.is_live(slot)
                || self.slots.hot[slot].record.id != flow
                || self.slots.hot[slot].record.state.is_over()
            {
                continue;
            }
            if ts > now.watermark {
                if !decided {
                    self.suspects.push(suspect);
                }
            } else if packet >= now.believed_from {
                let Entry { hot, cold, .. } = self.slots.entry(slot);
                let touched = hot.touched.max(ts);
                times::touch(hot, cold, touched);
            }
        }
    }
}

/// The idle timeout of flows of a protocol, in nanoseconds, from those of TCP, of UDP and of all others.
#[inline]
pub(super) fn idle_of(&[tcp, udp, other]: &[u64; 3], proto: u8) -> u64 {
    const TCP: u8 = L4Proto::Tcp.number();
    const UDP: u8 = L4Proto::Udp.number();
    match proto {
        TCP => tcp,
        UDP => udp,
        _ => other,
    }
}

/// When the flow has been idle for long enough.
#[inline]
pub(super) fn idle_deadline(idle: &[u64; 3], hot: &HotRecord) -> Timestamp {
    Timestamp::from_nanos(hot.touched.as_nanos().saturating_add(idle_of(idle, hot.proto)))
}

/// Whether a deadline of the entry may have passed: `false` is certain.
#[inline]
pub(super) fn may_be_overdue(idle: &[u64; 3], hot: &HotRecord, now: &PacketTime) -> bool {
    let silence = now.watermark.as_nanos().saturating_sub(hot.touched.as_nanos());
    silence > idle_of(idle, hot.proto)
        || hot.state.is_over()
        || hot.slow_path & slow_path::RARE != 0
}

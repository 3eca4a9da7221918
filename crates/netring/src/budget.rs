//! Work that one poll may do before other tasks of its thread have their turn.
//!
//! Tokio gives a task 128 units for each poll ([`coop`]). A unit here stands for about 8 µs, so that no
//! poll takes more than a millisecond.

use std::task::{Context, Poll};

use flowscope_core::PacketView;
use tokio::task::coop;

/// Events that are returned for one unit. What the consumer does with them comes on top.
pub(crate) const EVENTS: u32 = 4;

/// Flows that are ended in one step, and the units for it.
pub(crate) const ENDS: (usize, usize) = (32, 32);

/// Units for one step of expiring flows.
pub(crate) const EXPIRY: usize = 32;

/// Packets, and bytes of them, that are handled for one unit.
const PACKETS: usize = 4;
const BYTES: usize = 16 * 1024;

/// Steps of one call of `poll_next` that return nothing, for runtimes without such units.
pub(crate) const STEPS: usize = 16;

/// Units for handling packets.
pub(crate) fn units<'p>(packets: impl Iterator<Item = PacketView<'p>>) -> usize {
    let (count, bytes) =
        packets.fold((0, 0), |(count, bytes), packet| (count + 1, bytes + packet.frame().len()));
    count / PACKETS + bytes / BYTES
}

/// Ready if the task has units left. Otherwise it is woken when it is polled anew.
pub(crate) fn poll_left(cx: &mut Context<'_>) -> Poll<()> {
    coop::poll_proceed(cx).map(|unit| unit.made_progress())
}

/// Uses up units, as far as there are any.
pub(crate) fn spend(cx: &mut Context<'_>, units: usize) {
    for _ in 0..units {
        if !coop::has_budget_remaining() || poll_left(cx).is_pending() {
            return;
        }
    }
}

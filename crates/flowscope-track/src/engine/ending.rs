//! The flows that a finish has to end, in order of their ids.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::lists::Slot;

/// Entries by rising flow id. It is filled in parts, so that no step of a finish looks at the whole
/// table.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// Entries of each part, the first one last.
    parts: Vec<Vec<Entry>>,
    /// Id of the first entry of each part that has any, and the part.
    first: BinaryHeap<Reverse<(u64, usize)>>,
    /// Slots that were looked at.
    pub(super) scanned: Slot,
    /// All slots were.
    pub(super) complete: bool,
}

/// Flow id and slot.
type Entry = (u64, Slot);

impl Ending {
    pub(super) fn add(&mut self, mut part: Vec<Entry>) {
        part.sort_unstable_by_key(|entry| Reverse(*entry));
        if let Some((id, _)) = part.last() {
            self.first.push(Reverse((*id, self.parts.len())));
            self.parts.push(part);
        }
    }

    pub(super) fn first(&self) -> Option<Entry> {
        let Reverse((_, part)) = self.first.peek()?;
        self.parts[*part].last().copied()
    }

    pub(super) fn pop(&mut self) {
        let Some(Reverse((_, part))) = self.first.pop() else { return };
        self.parts[part].pop();
        if let Some((id, _)) = self.parts[part].last() {
            self.first.push(Reverse((*id, part)));
        }
    }
}

//! Doubly linked lists over slot numbers, the links kept apart from the records so that relinking
//! touches eight bytes of a neighbour and not its cache lines.

use crate::chunked::Chunked;

/// A slot of the table.
pub(crate) type Slot = u32;

/// Set in a link that points at a list's head instead of a slot.
const HEAD: u32 = 1 << 31;

#[derive(Clone, Copy, Debug)]
struct Link {
    prev: u32,
    next: u32,
}

/// Of a slot in no list.
const NOWHERE: Link = Link { prev: u32::MAX, next: u32::MAX };

/// A fixed number of lists; each slot is in one of them at most.
pub(crate) struct Lists {
    heads: Vec<Link>,
    links: Chunked<Link>,
}

impl Lists {
    pub(crate) fn new(lists: u32) -> Self {
        let heads = (0..lists).map(|l| Link { prev: HEAD | l, next: HEAD | l }).collect();
        Lists { heads, links: Chunked::new() }
    }

    /// Makes room for one more slot, in no list.
    #[inline]
    pub(crate) fn add_slot(&mut self) {
        self.links.push_filler(NOWHERE);
    }

    #[inline]
    fn at(&mut self, node: u32) -> &mut Link {
        if node & HEAD != 0 {
            &mut self.heads[(node & !HEAD) as usize]
        } else {
            &mut self.links[node]
        }
    }

    /// Appends `slot`, which must be in no list.
    pub(crate) fn push_back(&mut self, list: u32, slot: Slot) {
        let head = HEAD | list;
        let last = std::mem::replace(&mut self.heads[list as usize].prev, slot);
        self.links[slot] = Link { prev: last, next: head };
        self.at(last).next = slot;
    }

    /// Takes `slot` out of its list; returns that list's number if it is empty now. Does nothing
    /// for a slot in no list.
    pub(crate) fn unlink(&mut self, slot: Slot) -> Option<u32> {
        let Link { prev, next } = self.links[slot];
        if next == NOWHERE.next {
            return None;
        }
        self.links[slot] = NOWHERE;
        self.at(prev).next = next;
        self.at(next).prev = prev;
        (prev == next && prev & HEAD != 0).then_some(prev & !HEAD)
    }

    pub(crate) fn front(&self, list: u32) -> Option<Slot> {
        let first = self.heads[list as usize].next;
        (first & HEAD == 0).then_some(first)
    }

    pub(crate) fn contains(&self, slot: Slot) -> bool {
        self.links[slot].next != NOWHERE.next
    }

    /// Bytes held, by capacity.
    pub(crate) fn capacity_bytes(&self) -> usize {
        self.links.capacity_bytes() + self.heads.capacity() * size_of::<Link>()
    }

    /// Bytes that one more slot takes.
    pub(crate) const fn bytes_per_slot() -> usize {
        size_of::<Link>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lists: &Lists, list: u32) -> Vec<Slot> {
        std::iter::successors(lists.front(list), |slot| {
            Some(lists.links[*slot].next).filter(|next| next & HEAD == 0)
        })
        .collect()
    }

    #[test]
    fn keeps_order_through_removals() {
        let mut lists = Lists::new(2);
        (0..6).for_each(|_| lists.add_slot());
        [3, 1, 4].iter().for_each(|slot| lists.push_back(0, *slot));
        [5, 2].iter().for_each(|slot| lists.push_back(1, *slot));
        assert_eq!(lists.unlink(1), None);
        assert_eq!(lists.unlink(1), None, "in no list any more");
        assert_eq!(all(&lists, 0), [3, 4]);
        assert_eq!(lists.unlink(5), None);
        assert_eq!(lists.unlink(2), Some(1), "the list is empty now");
        lists.push_back(0, 2);
        assert_eq!((all(&lists, 0), lists.front(1)), (vec![3, 4, 2], None));
    }
}

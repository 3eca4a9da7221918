//! Joins packets that the kernel spread over several descriptors.

/// Packets of a batch. Most lie in one frame of the socket's memory, where they are read; those in
/// several pieces are joined in separate memory.
///
/// That memory is fixed: at most [`LONGEST`] bytes of a packet are kept, and a batch ends when
/// there is no room for another packet.
#[derive(Debug)]
pub(crate) struct Batch {
    packets: Vec<Packet>,
    joined: Vec<u8>,
    /// The packet whose last piece is missing.
    open: Option<Open>,
    /// Most bytes kept of a packet.
    snap_len: usize,
    most_packets: usize,
    most_bytes: usize,
    invalid: u64,
}

/// Location of a packet's bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Packet {
    pub(crate) place: Place,
    /// Length of the packet, in bytes.
    pub(crate) wire_len: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// In the frame of this descriptor of the batch.
    Frame {
        /// Index of the descriptor.
        slot: usize,
    },
    /// In the separate memory.
    Joined {
        /// Offset of the first byte.
        start: usize,
        /// Number of bytes.
        len: usize,
    },
}

#[derive(Clone, Copy, Debug)]
struct Open {
    start: usize,
    wire_len: usize,
    /// Whether a piece of it could not be read.
    is_broken: bool,
}

impl Batch {
    /// For at most `most_packets` packets at a time; `joins` allows packets in several pieces.
    pub(crate) fn new(most_packets: usize, snap_len: u32, joins: bool) -> Self {
        let most_bytes = if joins { 4 * LONGEST } else { LONGEST };
        Batch {
            packets: Vec::with_capacity(most_packets),
            // Pages that are never used take no memory.
            joined: Vec::with_capacity(most_bytes),
            open: None,
            snap_len: usize::try_from(snap_len).unwrap_or(usize::MAX).min(LONGEST),
            most_packets,
            most_bytes,
            invalid: 0,
        }
    }

    /// Whether there is room for another descriptor.
    pub(crate) fn has_room(&self) -> bool {
        let needed = if self.open.is_some() { 0 } else { LONGEST };
        self.packets.len() < self.most_packets && self.joined.len() + needed <= self.most_bytes
    }

    /// Adds the descriptor in `slot`: a piece of `len` bytes, with `bytes` unless they cannot be
    /// read. `more` says that the packet continues in the next descriptor.
    pub(crate) fn push(&mut self, slot: usize, len: usize, bytes: Option<&[u8]>, more: bool) {
        if self.open.is_none() && !more {
            match bytes {
                Some(_) => {
                    self.packets.push(Packet { place: Place::Frame { slot }, wire_len: len });
                }
                None => self.invalid += 1,
            }
            return;
        }
        let start = self.joined.len();
        let open = self.open.get_or_insert(Open { start, wire_len: 0, is_broken: false });
        open.wire_len = open.wire_len.saturating_add(len);
        match bytes {
            Some(bytes) => {
                let left = (self.snap_len + open.start).saturating_sub(self.joined.len());
                self.joined.extend_from_slice(bytes.get(..left).unwrap_or(bytes));
            }
            None => open.is_broken = true,
        }
        if more {
            return;
        }
        let Some(Open { start, wire_len, is_broken }) = self.open.take() else { return };
        if is_broken {
            self.joined.truncate(start);
            self.invalid += 1;
        } else {
            let place = Place::Joined { start, len: self.joined.len() - start };
            self.packets.push(Packet { place, wire_len });
        }
    }

    /// The complete packets, in order.
    pub(crate) fn packets(&self) -> &[Packet] {
        &self.packets
    }

    /// Bytes of a joined packet.
    pub(crate) fn joined(&self, start: usize, len: usize) -> &[u8] {
        self.joined.get(start..).and_then(|from| from.get(..len)).unwrap_or_default()
    }

    /// Removes the complete packets, and keeps the pieces of one that is not complete.
    pub(crate) fn clear(&mut self) {
        self.packets.clear();
        let kept = self
            .open
            .as_mut()
            .map_or(self.joined.len(), |open| std::mem::replace(&mut open.start, 0));
        self.joined.drain(..kept);
    }

    /// Number of packets that could not be read.
    pub(crate) fn invalid(&self) -> u64 {
        self.invalid
    }
}

/// Most bytes kept of a packet in several pieces: more than the kernel joins in 18 frames.
pub(crate) const LONGEST: usize = 1 << 17;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::properties;

    fn bytes_of(batch: &Batch, packet: Packet, frames: &[Vec<u8>]) -> Vec<u8> {
        match packet.place {
            Place::Frame { slot } => frames[slot].clone(),
            Place::Joined { start, len } => batch.joined(start, len).to_vec(),
        }
    }

    #[test]
    fn a_packet_in_one_piece_stays_where_it_is() {
        let mut batch = Batch::new(2, 10, false);
        batch.push(5, 60, Some(&[1; 60]), false);
        assert!(batch.has_room());
        batch.push(6, 61, Some(&[1; 61]), false);
        assert!(!batch.has_room());
        let expected = [(5, 60), (6, 61)]
            .map(|(slot, wire_len)| Packet { place: Place::Frame { slot }, wire_len });
        assert_eq!(batch.packets(), expected);
        assert!(batch.joined.is_empty());
        batch.clear();
        assert!(batch.has_room() && batch.packets().is_empty());
    }

    #[test]
    fn a_piece_that_cannot_be_read_takes_its_packet_with_it() {
        let mut batch = Batch::new(64, u32::MAX, true);
        batch.push(0, 9, None, false);
        assert_eq!(batch.invalid(), 1);
        for broken in 0..3 {
            for slot in 0..3 {
                let bytes = [7; 9];
                batch.push(slot, 9, Some(&bytes[..]).filter(|_| slot != broken), slot < 2);
            }
        }
        assert_eq!((batch.packets(), batch.invalid()), (&[][..], 4));
        batch.push(0, 9, Some(&[7; 9]), false);
        assert_eq!(batch.packets().len(), 1);
        assert!(batch.joined.is_empty());
    }

    #[test]
    fn a_packet_without_end_is_bounded() {
        let mut batch = Batch::new(64, u32::MAX, true);
        let capacity = batch.joined.capacity();
        for _ in 0..1000 {
            assert!(batch.has_room());
            batch.push(0, 4096, Some(&[1; 4096]), true);
        }
        batch.push(0, 1, Some(&[1]), false);
        let place = Place::Joined { start: 0, len: LONGEST };
        assert_eq!(batch.packets(), [Packet { place, wire_len: 4_096_001 }]);
        assert_eq!(batch.joined.capacity(), capacity);
        // Three more have room; a batch is over before there is none.
        for _ in 0..3 {
            assert!(batch.has_room());
            for _ in 0..40 {
                batch.push(0, 4096, Some(&[1; 4096]), true);
            }
            batch.push(0, 1, Some(&[1]), false);
        }
        assert!(!batch.has_room());
        assert_eq!(batch.joined.capacity(), capacity);
    }

    proptest! {
        #![proptest_config(properties())]

        #[test]
        fn packets_do_not_depend_on_where_batches_end(
            packets in prop::collection::vec(prop::collection::vec(0_usize..40, 1..5), 0..20),
            ends in prop::collection::vec(any::<bool>(), 80),
            snap_len in 0_u32..100,
        ) {
            let mut batch = Batch::new(1000, snap_len, true);
            let mut frames = Vec::new();
            let mut read = Vec::new();
            for pieces in &packets {
                for (number, &len) in pieces.iter().enumerate() {
                    let frame = vec![frames.len() as u8; len];
                    let more = number + 1 < pieces.len();
                    batch.push(frames.len(), len, Some(&frame), more);
                    frames.push(frame);
                    if ends[frames.len() - 1] {
                        let all = batch.packets().iter();
                        read.extend(all.map(|&p| (bytes_of(&batch, p, &frames), p.wire_len)));
                        batch.clear();
                    }
                }
            }
            let all = batch.packets().iter();
            read.extend(all.map(|&p| (bytes_of(&batch, p, &frames), p.wire_len)));

            let mut frames = frames.into_iter();
            let expected: Vec<(Vec<u8>, usize)> = packets.iter().map(|pieces| {
                let mut bytes: Vec<u8> = frames.by_ref().take(pieces.len()).flatten().collect();
                let wire_len = bytes.len();
                if pieces.len() > 1 {
                    bytes.truncate(snap_len as usize);
                }
                (bytes, wire_len)
            }).collect();
            prop_assert_eq!(read, expected);
        }
    }
}

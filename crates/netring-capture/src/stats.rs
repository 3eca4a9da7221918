use flowscope_core::Loss;

/// What a capture has met since it was opened.
///
/// Once a capture is [drained](crate::Capture::is_drained), `packets` is `delivered` plus
/// [`lost`](Self::lost); before, the rest is still on its way. No frame is in two of the fields but
/// in `packets` and one other.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CaptureStats {
    /// Frames that arrived for this capture, those that were lost included. AF_XDP does not tell how
    /// many lie unread in its rings: those are counted when they are lent.
    pub packets: u64,
    /// Frames that were lent.
    pub delivered: u64,
    /// Frames that found no room in the packet ring (AF_PACKET).
    pub kernel_drop: u64,
    /// Frames that found no room in the receive ring (AF_XDP).
    pub ring_full: u64,
    /// Frames for which there was no memory in the fill ring (AF_XDP).
    pub fill_empty: u64,
    /// Frames that the kernel or the reader could not take for any other reason, such as being
    /// longer than the memory for one.
    pub invalid: u64,
    /// How often a ring was found full or empty. These are no frames: those are counted above, or by
    /// the network card.
    pub freezes: u64,
}

impl CaptureStats {
    /// Frames that arrived and will never be lent.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.losses().map(|(_, frames)| frames).sum()
    }

    /// The frames that were lost, by the names that a ledger has for them, those of 0 included.
    /// `invalid` has no name of its own there and counts as [`Loss::KernelDrop`].
    pub fn losses(&self) -> impl Iterator<Item = (Loss, u64)> + use<> {
        let CaptureStats { kernel_drop, ring_full, fill_empty, invalid, .. } = *self;
        [
            (Loss::KernelDrop, kernel_drop + invalid),
            (Loss::RingFull, ring_full),
            (Loss::FillEmpty, fill_empty),
        ]
        .into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loss_is_counted_once_and_freezes_are_none() {
        let stats = CaptureStats {
            packets: 1000,
            delivered: 100,
            kernel_drop: 1,
            ring_full: 20,
            fill_empty: 300,
            invalid: 4000,
            freezes: 50_000,
        };
        assert_eq!(stats.lost(), 4321);
        let names: Vec<(Loss, u64)> = stats.losses().collect();
        let expected = [(Loss::KernelDrop, 4001), (Loss::RingFull, 20), (Loss::FillEmpty, 300)];
        assert_eq!(names, expected);
    }
}

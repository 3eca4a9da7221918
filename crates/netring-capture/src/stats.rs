use flowscope_core::Loss;

/// Counters of a capture since it was opened, in frames.
///
/// Once a capture is [drained](crate::Capture::is_drained), `packets` equals `delivered` plus `shunted` plus
/// [`lost`](Self::lost); before, it includes frames not read yet. Each frame counts in `packets`
/// and in one other field.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CaptureStats {
    /// Frames that arrived, including lost ones. AF_XDP does not report how many unread frames are
    /// in its rings: these count when they are lent.
    pub packets: u64,
    /// Frames lent to the reader.
    pub delivered: u64,
    /// Frames dropped because the packet ring was full (AF_PACKET).
    pub kernel_drop: u64,
    /// Frames dropped because the receive ring was full (AF_XDP).
    pub ring_full: u64,
    /// Frames dropped because the fill ring had no memory for them (AF_XDP).
    pub fill_empty: u64,
    /// Frames dropped for another reason, such as being longer than the memory for one.
    pub invalid: u64,
    /// Frames counted by the kernel for their flow, and kept back: see [`ShuntMap`](crate::ShuntMap). They are in
    /// `packets`, and are not lost.
    pub shunted: u64,
    /// How often a ring was found full or empty. This does not count frames: those are counted
    /// above, or by the network card.
    pub freezes: u64,
}

impl CaptureStats {
    /// Frames that arrived and will never be lent.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.losses().map(|(_, frames)| frames).sum()
    }

    /// Lost frames by ledger cause, including causes with 0 frames. `invalid` counts as
    /// [`Loss::KernelDrop`].
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
            shunted: 600_000,
            freezes: 50_000,
        };
        assert_eq!(stats.lost(), 4321);
        let names: Vec<(Loss, u64)> = stats.losses().collect();
        let expected = [(Loss::KernelDrop, 4001), (Loss::RingFull, 20), (Loss::FillEmpty, 300)];
        assert_eq!(names, expected);
    }
}

/// The buffered fragments of one datagram.
#[derive(Debug, Default)]
pub(super) struct FragmentStore {
    /// Captured bytes in arrival order, the header of the first fragment included.
    pub(super) bytes: Vec<u8>,
    /// The fragments, by offset in the datagram.
    pub(super) pieces: Vec<StoredFragment>,
}

impl FragmentStore {
    pub(super) fn capacity_bytes(&self) -> usize {
        self.bytes.capacity() + self.pieces.capacity() * size_of::<StoredFragment>()
    }
}

/// Range of a fragment in its datagram, and the place of its bytes in the store.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredFragment {
    pub(super) start: u16,
    pub(super) len: u16,
    pub(super) captured: u16,
    pub(super) at: u32,
}

impl StoredFragment {
    pub(super) fn end(self) -> u32 {
        u32::from(self.start) + u32::from(self.len)
    }

    pub(super) fn bytes(self, store: &[u8]) -> &[u8] {
        let at = self.at as usize;
        store.get(at..at + usize::from(self.captured)).unwrap_or_default()
    }
}

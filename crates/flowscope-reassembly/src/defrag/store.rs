/// What a datagram keeps its pieces in.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// Captured bytes in the order they came in, the header among them.
    pub(super) bytes: Vec<u8>,
    /// Where each piece belongs and where its bytes are, by offset.
    pub(super) pieces: Vec<Piece>,
}

impl Store {
    pub(super) fn capacity_bytes(&self) -> usize {
        self.bytes.capacity() + self.pieces.capacity() * size_of::<Piece>()
    }
}

/// Where in a datagram a piece belongs, and where in the store its bytes are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) start: u16,
    pub(super) len: u16,
    pub(super) captured: u16,
    pub(super) at: u32,
}

impl Piece {
    pub(super) fn end(self) -> u32 {
        u32::from(self.start) + u32::from(self.len)
    }

    pub(super) fn bytes(self, store: &[u8]) -> &[u8] {
        let at = self.at as usize;
        store.get(at..at + usize::from(self.captured)).unwrap_or_default()
    }
}

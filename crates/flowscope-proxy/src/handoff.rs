use flowscope_core::{FlowSide, ParseError, Remainder, StreamChunk};

/// The bytes of both sides that were not read: the start of a message, or what belongs to the next protocol.
///
/// Holds [`MAX_HELD`](Self::MAX_HELD) bytes per side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handoff {
    sides: [Remainder; 2],
}

impl Handoff {
    /// A client may send this much of the next protocol before it is answered.
    pub(crate) const MAX_HELD: usize = 8192;

    /// Adds a chunk.
    pub(crate) fn push(&mut self, chunk: StreamChunk<'_>) {
        let held = &mut self.sides[chunk.side.index()];
        if held.bytes.is_empty() {
            held.offset = chunk.offset;
        }
        held.bytes.extend_from_slice(chunk.bytes);
    }

    /// The bytes of a side.
    pub(crate) fn bytes(&self, side: FlowSide) -> &[u8] {
        &self.sides[side.index()].bytes
    }

    /// So many bytes of a side were read.
    pub(crate) fn consume(&mut self, side: FlowSide, len: usize) {
        let held = &mut self.sides[side.index()];
        held.bytes.drain(..len);
        held.offset += len as u64;
    }

    /// Whether what is left is within the bound.
    pub(crate) fn check(&self) -> Result<(), ParseError> {
        let too_long = self.sides.iter().any(|held| held.bytes.len() > Self::MAX_HELD);
        if too_long { Err(ParseError::TooLong(Self::MAX_HELD as u64 + 1)) } else { Ok(()) }
    }

    /// What is left of a side, for the next protocol.
    pub(crate) fn take(&mut self, side: FlowSide) -> Option<Remainder> {
        let held = std::mem::take(&mut self.sides[side.index()]);
        (!held.bytes.is_empty()).then_some(held)
    }

    /// Nothing is read any more.
    pub(crate) fn clear(&mut self) {
        self.sides = Default::default();
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.sides.iter().map(|held| held.bytes.capacity()).sum()
    }
}

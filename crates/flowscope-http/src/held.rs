//! Input of one side that waits for what its sender had received before.

use std::collections::VecDeque;

use flowscope_core::{FlowSide, StreamChunk, Timestamp};

/// What one side sent after it had received bytes of the other side that are still to come.
///
/// A capture may show the two directions of a connection in another order than they were sent in. What a
/// segment acknowledges says which bytes of the other side came before it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) side: FlowSide,
    inputs: VecDeque<Input>,
    /// Bytes of all inputs.
    bytes: usize,
}

/// One call of the engine.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Chunk(HeldChunk),
    Gap(u64),
    Fin,
}

/// A [`StreamChunk`] that owns its bytes.
#[derive(Clone, Debug)]
pub(crate) struct HeldChunk {
    side: FlowSide,
    ts: Timestamp,
    offset: u64,
    pub(crate) acked: Option<u64>,
    mid_stream: bool,
    pub(crate) bytes: Box<[u8]>,
}

impl Held {
    pub(crate) fn new(side: FlowSide) -> Self {
        Held { side, inputs: VecDeque::new(), bytes: 0 }
    }

    pub(crate) fn push(&mut self, input: Input) {
        if let Input::Chunk(chunk) = &input {
            self.bytes += chunk.bytes.len();
        }
        self.inputs.push_back(input);
    }

    pub(crate) fn front(&self) -> Option<&Input> {
        self.inputs.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Input> {
        let input = self.inputs.pop_front()?;
        if let Input::Chunk(chunk) = &input {
            self.bytes -= chunk.bytes.len();
        }
        Some(input)
    }

    /// The chunks before the first gap.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = StreamChunk<'_>> {
        self.inputs.iter().map_while(|input| match input {
            Input::Chunk(chunk) => Some(chunk.as_chunk()),
            Input::Gap(_) | Input::Fin => None,
        })
    }

    /// Bytes of memory beside the value itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes + self.inputs.capacity() * size_of::<Input>()
    }
}

impl From<StreamChunk<'_>> for Input {
    fn from(chunk: StreamChunk<'_>) -> Self {
        let StreamChunk { side, ts, offset, bytes, acked, mid_stream } = chunk;
        Input::Chunk(HeldChunk { side, ts, offset, acked, mid_stream, bytes: bytes.into() })
    }
}

impl HeldChunk {
    pub(crate) fn as_chunk(&self) -> StreamChunk<'_> {
        StreamChunk::new(self.side, self.ts, self.offset, &self.bytes)
            .acked(self.acked)
            .mid_stream(self.mid_stream)
    }
}

//! A conversation, fed to a parser piece by piece.

use flowscope_core::{FlowSide, ParserStatus, SessionParser, StreamChunk, Timestamp};

/// A parser, what it has said, and how far both streams are.
pub(crate) struct Talk<P: SessionParser> {
    pub(crate) parser: P,
    pub(crate) out: Vec<P::Message>,
    pub(crate) status: ParserStatus,
    /// The most memory that the parser held after any call.
    pub(crate) most_held: usize,
    pos: [u64; 2],
}

impl<P: SessionParser> Talk<P> {
    pub(crate) fn new(parser: P) -> Self {
        let status = ParserStatus::Continue;
        Talk { parser, out: Vec::new(), status, most_held: 0, pos: [0; 2] }
    }

    pub(crate) fn send(&mut self, side: FlowSide, bytes: &[u8]) -> &mut Self {
        let offset = self.pos[side.index()];
        let feed = StreamChunk::new(side, Timestamp::from_secs(1), offset, bytes);
        self.status = self.parser.feed_into(feed, &mut self.out);
        self.pos[side.index()] += bytes.len() as u64;
        self.most_held = self.most_held.max(self.parser.heap_bytes());
        self
    }

    pub(crate) fn gap(&mut self, side: FlowSide, len: u64) -> &mut Self {
        self.status = self.parser.gap(side, len, &mut self.out);
        self.pos[side.index()] = self.pos[side.index()].saturating_add(len);
        self
    }

    pub(crate) fn fin(&mut self, side: FlowSide) -> &mut Self {
        self.parser.fin(side, &mut self.out);
        self
    }

    pub(crate) fn end(&mut self) -> &mut Self {
        self.parser.end(&mut self.out);
        self
    }
}

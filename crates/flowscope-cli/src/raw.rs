//! Parsers that make nothing of the bytes of a conversation, and hand them on or sum them up.

use flowscope::core::{
    Datagram, DatagramParser, FlowSide, ParserStatus, Probe, SessionParser, StreamChunk,
};
use sha2::{Digest as _, Sha256};

/// A piece of a conversation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Chunk {
    /// Where it stands in what its side sent.
    pub(crate) offset: u64,
    pub(crate) what: Piece,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    Bytes(Box<[u8]>),
    /// As many bytes were never captured; 0 if it is not known how many.
    Gap(u64),
    Fin,
    Rst,
}

/// Hands everything on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raw {
    /// How far each side has come.
    at: [u64; 2],
}

impl SessionParser for Raw {
    type Message = Chunk;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Chunk> {
        self.take(FlowSide::Initiator, bytes).into_iter().collect()
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Chunk> {
        self.take(FlowSide::Responder, bytes).into_iter().collect()
    }

    fn feed_into(&mut self, feed: StreamChunk<'_>, out: &mut Vec<Chunk>) -> ParserStatus {
        self.at[feed.side.index()] = feed.offset;
        out.extend(self.take(feed.side, feed.bytes));
        ParserStatus::Continue
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<Chunk>) -> ParserStatus {
        // The driver reports the others, also those of a stream of which nothing was captured.
        let offset = self.at[side.index()];
        if len == 0 {
            out.push(Chunk { offset, what: Piece::Gap(0) });
        }
        self.at[side.index()] += len;
        ParserStatus::Continue
    }

    fn fin(&mut self, side: FlowSide, out: &mut Vec<Chunk>) {
        out.push(Chunk { offset: self.at[side.index()], what: Piece::Fin });
    }

    fn rst(&mut self, side: FlowSide, out: &mut Vec<Chunk>) {
        out.push(Chunk { offset: self.at[side.index()], what: Piece::Rst });
    }

    fn probe(_: FlowSide, _: &[u8]) -> Probe {
        Probe::Yes
    }
}

impl DatagramParser for Raw {
    type Message = Chunk;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<Chunk> {
        self.take(side, payload).into_iter().collect()
    }

    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<Chunk>) -> ParserStatus {
        let Datagram { side, payload, wire_len, .. } = datagram;
        out.extend(self.take(side, payload));
        let cut = u64::from(wire_len) - payload.len() as u64;
        if cut > 0 {
            let at = &mut self.at[side.index()];
            out.push(Chunk { offset: *at, what: Piece::Gap(cut) });
            *at += cut;
        }
        ParserStatus::Continue
    }

    fn probe(_: FlowSide, _: &[u8]) -> Probe {
        Probe::Yes
    }
}

impl Raw {
    fn take(&mut self, side: FlowSide, bytes: &[u8]) -> Option<Chunk> {
        let at = &mut self.at[side.index()];
        let offset = *at;
        *at += bytes.len() as u64;
        (!bytes.is_empty()).then(|| Chunk { offset, what: Piece::Bytes(bytes.into()) })
    }
}

/// What both sides of a flow sent, summed up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Digests(pub(crate) [StreamDigest; 2]);

/// What one side sent, gaps cut out.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamDigest {
    pub(crate) len: u64,
    pub(crate) sha256: [u8; 32],
}

/// Sums up both sides, and says so at the end.
#[derive(Clone, Default)]
pub(crate) struct Digest([Side; 2]);

#[derive(Clone, Default)]
struct Side {
    hash: Sha256,
    len: u64,
}

impl StreamDigest {
    /// Of nothing.
    pub(crate) fn empty() -> Self {
        Side::default().digest()
    }
}

impl Side {
    fn digest(&self) -> StreamDigest {
        StreamDigest { len: self.len, sha256: self.hash.clone().finalize().into() }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
    }
}

impl SessionParser for Digest {
    type Message = Digests;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<Digests> {
        self.0[0].take(bytes);
        Vec::new()
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<Digests> {
        self.0[1].take(bytes);
        Vec::new()
    }

    fn feed_into(&mut self, feed: StreamChunk<'_>, _: &mut Vec<Digests>) -> ParserStatus {
        self.0[feed.side.index()].take(feed.bytes);
        ParserStatus::Continue
    }

    fn gap(&mut self, _: FlowSide, _: u64, _: &mut Vec<Digests>) -> ParserStatus {
        ParserStatus::Continue
    }

    fn end(&mut self, out: &mut Vec<Digests>) {
        out.push(Digests([self.0[0].digest(), self.0[1].digest()]));
    }

    fn probe(_: FlowSide, _: &[u8]) -> Probe {
        Probe::Yes
    }
}

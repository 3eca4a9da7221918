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
        let at = &mut self.at[side.index()];
        out.push(Chunk { offset: *at, what: Piece::Gap(len) });
        *at += len;
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
        if cut > 0 { self.gap(side, cut, out) } else { ParserStatus::Continue }
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

/// What one side sent, gaps cut out. What follows the last byte that was captured is a gap if the FIN
/// shows how long it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamDigest {
    pub(crate) len: u64,
    pub(crate) sha256: [u8; 32],
    /// Offset and length of each.
    pub(crate) gaps: Vec<(u64, u64)>,
}

/// Sums up both sides, and says so at the end.
#[derive(Clone, Default)]
pub(crate) struct Digest([Side; 2]);

#[derive(Clone, Default)]
struct Side {
    hash: Sha256,
    len: u64,
    at: u64,
    gaps: Vec<(u64, u64)>,
    /// Bytes missing behind those that came last.
    missing: u64,
}

impl StreamDigest {
    /// Of nothing.
    pub(crate) fn empty() -> Self {
        Side::default().digest()
    }
}

impl Side {
    fn digest(&self) -> StreamDigest {
        StreamDigest {
            len: self.len,
            sha256: self.hash.clone().finalize().into(),
            gaps: self.gaps.clone(),
        }
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

    fn gap(&mut self, side: FlowSide, len: u64, _: &mut Vec<Digests>) -> ParserStatus {
        self.0[side.index()].missing += len;
        ParserStatus::Continue
    }

    fn fin(&mut self, side: FlowSide, _: &mut Vec<Digests>) {
        self.0[side.index()].close_gap();
    }

    fn end(&mut self, out: &mut Vec<Digests>) {
        out.push(Digests([self.0[0].digest(), self.0[1].digest()]));
    }

    fn heap_bytes(&self) -> usize {
        self.0.iter().map(|side| side.gaps.capacity() * size_of::<(u64, u64)>()).sum()
    }

    fn probe(_: FlowSide, _: &[u8]) -> Probe {
        Probe::Yes
    }
}

impl Side {
    /// The missing bytes end here, before others or the FIN.
    fn close_gap(&mut self) {
        let missing = std::mem::take(&mut self.missing);
        if missing > 0 {
            self.gaps.push((self.at, missing));
            self.at += missing;
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.close_gap();
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        self.at += bytes.len() as u64;
    }
}

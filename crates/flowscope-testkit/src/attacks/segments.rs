//! The bytes of a connection, sent in segments that are hard to put together.
//!
//! Every function takes what each side sends, the initiator first, and gives a connection: handshake,
//! the initiator's segments, the responder's, which acknowledge all of those, and the close. Sides
//! begin at the numbers of [`Dialogue`], so stream offset 0 is 1001 and 5001.

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::TcpFlags;

use crate::{Dialogue, Packet};

/// A segment: where in its side's stream it lies, and what it carries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    /// Offset of the first byte.
    pub at: usize,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A range of a stream.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Chunk {
    /// Offset of the first byte.
    pub at: usize,
    /// How many.
    pub len: usize,
}

/// Where the streams of initiator and responder begin.
pub const FIRST: [u32; 2] = [1001, 5001];

/// A connection of which the sides send these pieces in this order. `lens` is how long their
/// streams are, whatever the pieces hold of them: there the FINs stand.
#[must_use]
pub fn connection(pieces: [&[Piece]; 2], lens: [usize; 2]) -> Vec<Packet> {
    let [initiator, responder] = [0, 1].map(|side| FIRST[side].wrapping_add(lens[side] as u32));
    let mut script = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80").handshake();
    let flags = TcpFlags::PSH | TcpFlags::ACK;
    for (side, ack) in [(Initiator, FIRST[1]), (Responder, initiator)] {
        for piece in pieces[side.index()] {
            let seq = FIRST[side.index()].wrapping_add(piece.at as u32);
            script = script.segment(side, seq, ack, flags, &piece.bytes);
        }
    }
    let script = script.next_seq(Initiator, initiator).next_seq(Responder, responder);
    script.ack_from(Initiator).close(Initiator).packets()
}

/// What `arrange` makes of the pieces of `size` bytes of each side.
fn arranged(
    sides: [&[u8]; 2],
    size: usize,
    arrange: impl Fn(Vec<Piece>) -> Vec<Piece>,
) -> Vec<Packet> {
    let [initiator, responder] = sides.map(|bytes| arrange(cut(bytes, size)));
    connection([&initiator, &responder], sides.map(<[u8]>::len))
}

/// `bytes` in pieces of `size`.
#[must_use]
pub fn cut(bytes: &[u8], size: usize) -> Vec<Piece> {
    let piece = |(n, bytes): (usize, &[u8])| Piece { at: n * size, bytes: bytes.to_vec() };
    bytes.chunks(size).enumerate().map(piece).collect()
}

/// Segments of `size` bytes in order; with 1, each byte alone.
#[must_use]
pub fn in_order(sides: [&[u8]; 2], size: usize) -> Vec<Packet> {
    arranged(sides, size, |pieces| pieces)
}

/// Segments of `size` bytes, the last first.
#[must_use]
pub fn reversed(sides: [&[u8]; 2], size: usize) -> Vec<Packet> {
    arranged(sides, size, |mut pieces| {
        pieces.reverse();
        pieces
    })
}

/// Segments of `size` bytes of which every second was not captured, though it was acknowledged.
#[must_use]
pub fn every_second_missing(sides: [&[u8]; 2], size: usize) -> Vec<Packet> {
    arranged(sides, size, |pieces| pieces.into_iter().step_by(2).collect())
}

/// Segments of `size` bytes, each sent twice, the second time with every bit inverted. `late`: the
/// second copies come when all the first ones have.
#[must_use]
pub fn same_place_other_bytes(sides: [&[u8]; 2], size: usize, late: bool) -> Vec<Packet> {
    arranged(sides, size, |pieces| {
        let inverted = |piece: &Piece| Piece { bytes: inverted(&piece.bytes), ..piece.clone() };
        if late {
            let copies: Vec<Piece> = pieces.iter().map(inverted).collect();
            pieces.into_iter().chain(copies).collect()
        } else {
            pieces
                .into_iter()
                .flat_map(|piece| [inverted(&piece), piece].into_iter().rev())
                .collect()
        }
    })
}

/// Every arrangement of one to `most` chunks within a stream of `len` bytes, in every order: 10
/// chunks and 1110 arrangements for 4 bytes and 3 chunks.
pub fn arrangements(len: usize, most: u32) -> impl Iterator<Item = Vec<Chunk>> {
    let chunks: Vec<Chunk> =
        (0..len).flat_map(|at| (1..=len - at).map(move |len| Chunk { at, len })).collect();
    (1..=most).flat_map(move |n| {
        let chunks = chunks.clone();
        (0..chunks.len().pow(n)).map(move |number| {
            let digit = |place| number / chunks.len().pow(place) % chunks.len();
            (0..n).map(|place| chunks[digit(place)]).collect()
        })
    })
}

/// A connection of which `side` sends these chunks of `bytes`. With `conflict` the first chunk
/// holds what it should and the second has every bit inverted, and so on in turn.
#[must_use]
pub fn chunks(side: FlowSide, bytes: &[u8], chunks: &[Chunk], conflict: bool) -> Vec<Packet> {
    let piece = |(n, chunk): (usize, &Chunk)| {
        let right = &bytes[chunk.at..chunk.at + chunk.len];
        let wrong = conflict && n % 2 == 1;
        Piece { at: chunk.at, bytes: if wrong { inverted(right) } else { right.to_vec() } }
    };
    let pieces: Vec<Piece> = chunks.iter().enumerate().map(piece).collect();
    match side {
        Initiator => connection([&pieces, &[]], [bytes.len(), 0]),
        Responder => connection([&[], &pieces], [0, bytes.len()]),
    }
}

fn inverted(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| !byte).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Sequence number and payload of every data segment from one side.
    fn data(packets: &[Packet], port: u16) -> Vec<(u32, Vec<u8>)> {
        packets
            .iter()
            .filter(|packet| packet.bytes[34..36] == port.to_be_bytes() && packet.bytes.len() > 54)
            .map(|p| {
                (u32::from_be_bytes(p.bytes[38..42].try_into().unwrap()), p.bytes[54..].to_vec())
            })
            .collect()
    }

    #[test]
    fn every_way_sends_what_it_says() {
        let sides: [&[u8]; 2] = [b"abcde", b"xyz"];
        let check = |packets: Vec<Packet>, expected: &[(u32, &[u8])], answer: &[(u32, &[u8])]| {
            for (port, expected) in [(40000, expected), (80, answer)] {
                let expected: Vec<_> = expected.iter().map(|(seq, b)| (*seq, b.to_vec())).collect();
                assert_eq!(data(&packets, port), expected);
            }
        };
        check(
            in_order(sides, 2),
            &[(1001, b"ab"), (1003, b"cd"), (1005, b"e")],
            &[(5001, b"xy"), (5003, b"z")],
        );
        check(
            reversed(sides, 2),
            &[(1005, b"e"), (1003, b"cd"), (1001, b"ab")],
            &[(5003, b"z"), (5001, b"xy")],
        );
        check(every_second_missing(sides, 2), &[(1001, b"ab"), (1005, b"e")], &[(5001, b"xy")]);
        let not = |bytes: &[u8]| inverted(bytes);
        check(
            same_place_other_bytes([b"ab", b""], 1, false),
            &[(1001, b"a"), (1001, &not(b"a")), (1002, b"b"), (1002, &not(b"b"))],
            &[],
        );
        check(
            same_place_other_bytes([b"ab", b""], 1, true),
            &[(1001, b"a"), (1002, b"b"), (1001, &not(b"a")), (1002, &not(b"b"))],
            &[],
        );
        let two = [Chunk { at: 1, len: 2 }, Chunk { at: 0, len: 2 }];
        check(chunks(Responder, b"abc", &two, true), &[], &[(5002, b"bc"), (5001, &not(b"ab"))]);
    }

    #[test]
    fn arrangements_are_all_there_once() {
        let all: Vec<_> = arrangements(4, 3).collect();
        assert_eq!(all.len(), 10 + 100 + 1000);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }
}

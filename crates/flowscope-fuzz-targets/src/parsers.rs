//! Every parser of the registry: whatever the bytes and gaps, the same records however the bytes are cut.

use flowscope::core::FlowSide::{self, Initiator, Responder};
use flowscope::core::{Datagram, ParserStatus, StreamChunk, Timestamp};
use flowscope::driver::{ProtocolSet, SetEntry, StreamEnd, Transport};
use flowscope::protocols::{AppRecord, Registry, Selection};
use flowscope::record::ParserOptions;

use crate::attack::Conversation;
use crate::{Input, attack};

/// One thing that comes to a parser.
enum Op<'a> {
    Bytes(FlowSide, &'a [u8]),
    Gap(FlowSide, u64),
    Fin(FlowSide),
}

/// The first byte chooses the parser. Two bytes are what comes next, and how many bytes of it.
pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut registry = registry();
    let entries = ProtocolSet::<AppRecord>::recognised(&registry);
    let entry = &entries[usize::from(input.byte()) % entries.len()];
    let ops = ops(&mut input);
    match entry.transport {
        Transport::Stream => {
            let whole = streams(&mut registry, entry, &ops, usize::MAX);
            for size in [1, 5] {
                let cut = streams(&mut registry, entry, &ops, size);
                assert_eq!(cut, whole, "{} in pieces of {size}", entry.name);
            }
        }
        Transport::Datagram => datagrams(&mut registry, entry, &ops),
    }
}

fn registry() -> Registry {
    Registry::new(Selection::ALL, &ParserOptions::default())
}

fn ops<'a>(input: &mut Input<'a>) -> Vec<Op<'a>> {
    let mut ops = Vec::new();
    while !input.is_empty() && ops.len() < 200 {
        let word = input.half();
        let side = if word & 1 == 0 { Initiator } else { Responder };
        let len = usize::from(word >> 4);
        ops.push(match word >> 1 & 7 {
            6 => Op::Gap(side, len as u64 + 1),
            7 => Op::Fin(side),
            5 => Op::Bytes(side, input.rest()),
            _ => Op::Bytes(side, input.take(len)),
        });
    }
    ops
}

const TS: Timestamp = Timestamp::from_secs(7);

/// What a parser emits, as text, and how each side ended.
fn streams(
    registry: &mut Registry,
    entry: &SetEntry,
    ops: &[Op<'_>],
    size: usize,
) -> (Vec<String>, [bool; 2]) {
    let mut parser = ProtocolSet::<AppRecord>::new_parser(registry, entry.id);
    let mut out: Vec<AppRecord> = Vec::new();
    let (mut stopped, mut offsets, mut fed) = ([false; 2], [0_u64; 2], 0);
    let apply = |status: ParserStatus, stopped: &mut [bool; 2]| match status {
        ParserStatus::Continue | ParserStatus::Expects => {}
        ParserStatus::StopSide(side) => stopped[side.index()] = true,
        _ => *stopped = [true; 2],
    };
    for op in ops {
        match *op {
            Op::Bytes(side, bytes) => {
                for piece in bytes.chunks(size.min(bytes.len()).max(1)) {
                    if stopped[side.index()] {
                        break;
                    }
                    let chunk = StreamChunk::new(side, TS, offsets[side.index()], piece);
                    offsets[side.index()] += piece.len() as u64;
                    fed += piece.len();
                    let status = registry.feed(&mut parser, chunk, &mut out);
                    apply(status, &mut stopped);
                }
            }
            Op::Gap(side, len) if !stopped[side.index()] => {
                offsets[side.index()] += len;
                let status = registry.gap(&mut parser, side, len, &mut out);
                apply(status, &mut stopped);
            }
            Op::Fin(side) if stopped != [true; 2] => {
                registry.notify(&mut parser, StreamEnd::Fin(side), &mut out);
            }
            Op::Gap(..) | Op::Fin(_) => {}
        }
        let held = ProtocolSet::<AppRecord>::heap_bytes(registry, &parser);
        assert!(held <= 1 << 20, "{}: {held} bytes held", entry.name);
        assert!(out.len() <= fed + ops.len() + 2, "{}: {} records", entry.name, out.len());
    }
    registry.notify(&mut parser, StreamEnd::End, &mut out);
    (out.iter().map(|record| format!("{record:?}")).collect(), stopped)
}

fn datagrams(registry: &mut Registry, entry: &SetEntry, ops: &[Op<'_>]) {
    let mut parser = ProtocolSet::<AppRecord>::new_parser(registry, entry.id);
    let mut out: Vec<AppRecord> = Vec::new();
    for op in ops {
        let Op::Bytes(side, bytes) = *op else { continue };
        let before = out.len();
        let status = registry.datagram(&mut parser, Datagram::new(side, TS, bytes), &mut out);
        assert!(out.len() <= before + bytes.len() + 2, "{}", entry.name);
        let held = ProtocolSet::<AppRecord>::heap_bytes(registry, &parser);
        assert!(held <= 4 << 20, "{}: {held} bytes held", entry.name);
        if !matches!(status, ParserStatus::Continue | ParserStatus::StopSide(_)) {
            break;
        }
    }
    registry.notify(&mut parser, StreamEnd::End, &mut out);
}

/// What each attack on a protocol says, to the parsers that its port is of.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let registry = registry();
    let entries = ProtocolSet::<AppRecord>::recognised(&registry);
    let of = |(port, transport, turns): Conversation| {
        let takes = |entry: &&SetEntry| entry.transport == transport && entry.ports.contains(&port);
        let at = entries.iter().position(|entry| takes(&entry))?;
        let mut seed = vec![at as u8];
        for (side, bytes) in turns {
            for piece in bytes.chunks(4000).take(2) {
                let word = (piece.len() as u16) << 4 | side.index() as u16;
                seed.extend(word.to_be_bytes());
                seed.extend_from_slice(piece);
            }
        }
        Some(seed)
    };
    attack::conversations(3).into_iter().filter_map(of).collect()
}

//! Small datagrams, every way there is to send them.

use flowscope_core::Loss;
use flowscope_reassembly::{DefragConfig, Defragmenter};

use crate::model::Model;
use crate::piece::{Disposition, Piece, at, content, packet, piece, pieces, push, whole};

/// Every way to cut `len` bytes at multiples of 8.
fn cuttings(name: usize, len: usize) -> Vec<Vec<Piece>> {
    let places: Vec<usize> = (8..len).step_by(8).collect();
    (0..1 << places.len())
        .map(|chosen: u32| {
            let cuts = places.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1);
            pieces(name, len, &cuts.map(|(_, place)| *place).collect::<Vec<_>>())
        })
        .collect()
}

/// Every order of `items`.
fn orders<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..items.len() {
        let mut rest = items.to_vec();
        let first = rest.remove(first);
        for mut order in orders(&rest) {
            order.insert(0, first.clone());
            all.push(order);
        }
    }
    all
}

#[test]
fn every_cutting_in_every_order_is_joined() {
    // One defragmenter for all: the same id again and again, buffers used again.
    let mut defrag = Defragmenter::new(DefragConfig::default());
    let mut cases = 0;
    for name in 0..2 {
        for len in 25..=32 {
            for cutting in cuttings(name, len).into_iter().filter(|cutting| cutting.len() > 1) {
                for order in orders(&cutting) {
                    let (last, before) = order.split_last().expect("there are pieces");
                    for piece in before {
                        assert_eq!(push(&mut defrag, piece, at(0)), Disposition::Held, "{order:?}");
                    }
                    let expected = Disposition::ReassembledDatagram {
                        bytes: whole(name, &content(name, 0, len), len),
                        frames: order.len() as u32,
                        wire_len: order.iter().map(|piece| packet(piece).len() as u32).sum(),
                        first_ts: at(0),
                        ts: at(0),
                    };
                    assert_eq!(push(&mut defrag, last, at(0)), expected, "{order:?}");
                    cases += 1;
                }
            }
        }
    }
    assert_eq!(cases, 2 * 8 * (3 * 2 + 3 * 6 + 24));
    assert_eq!((defrag.ledger().seen(), defrag.held_frames()), (0, 0));
}

#[test]
fn a_copy_anywhere_changes_nothing_and_a_missing_piece_everything() {
    for name in 0..2 {
        for order in cuttings(name, 32).iter().flat_map(|cutting| orders(cutting)) {
            for copied in 0..order.len() {
                for place in copied + 1..order.len() {
                    let mut defrag = Defragmenter::new(DefragConfig::default());
                    let mut sent = order.clone();
                    sent.insert(place, order[copied].clone());
                    let fates: Vec<Disposition> =
                        sent.iter().map(|piece| push(&mut defrag, piece, at(0))).collect();
                    let frames = match &fates[sent.len() - 1] {
                        Disposition::ReassembledDatagram { frames, .. } => *frames as usize,
                        disposition => panic!("{disposition:?} of {sent:?}"),
                    };
                    assert_eq!((&fates[place], frames), (&Disposition::Held, sent.len()));
                }
            }
            for missing in 0..order.len() {
                let mut defrag = Defragmenter::new(DefragConfig::default());
                let sent = order.iter().enumerate().filter(|(at, _)| *at != missing);
                for (_, piece) in sent {
                    assert_eq!(push(&mut defrag, piece, at(0)), Disposition::Held);
                }
                defrag.finish();
                let lost = defrag.ledger().lost(Loss::FragIncomplete);
                assert_eq!(lost, order.len() as u64 - 1);
            }
        }
    }
}

/// All sequences of three pieces within 32 bytes, last or not, against the model.
#[test]
fn every_overlap_of_three_pieces_is_judged_as_the_rules_say() {
    let all: Vec<Piece> = (0..4u32)
        .flat_map(|start| (start + 1..=4).map(move |end| (start * 8, (end - start) as usize * 8)))
        .flat_map(|(start, len)| [true, false].map(|more| piece(0, start, len, more)))
        .collect();
    assert_eq!(all.len(), 20);
    for first in &all {
        for second in &all {
            for third in &all {
                let mut model = Model::new(8, 8);
                let mut defrag = Defragmenter::new(DefragConfig::default());
                for piece in [first, second, third, first] {
                    let disposition = push(&mut defrag, piece, at(0));
                    assert_eq!(
                        disposition,
                        model.push(piece, at(0)),
                        "{first:?} {second:?} {third:?}"
                    );
                }
                assert_eq!(defrag.held_frames(), model.held_frames());
            }
        }
    }
}

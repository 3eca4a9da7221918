//! Attacks, with ordinary datagrams among them.

#![expect(clippy::print_stdout, reason = "these are figures to publish")]

use std::time::Instant;

use flowscope_core::{Fragment, LinkType, Loss, PacketView, Path, Payload, Progress, Timestamp};
use flowscope_reassembly::{DefragConfig, Defragmented, Defragmenter};
use flowscope_testkit::frame;

use crate::piece::{Disposition, at, piece, pieces, push};

/// Optimised builds do all of it, others a part.
const MILLION: u32 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };

/// Writes the packets of an attack into one buffer, faster than a builder would.
struct Writer {
    bytes: Vec<u8>,
    len: u32,
}

impl Writer {
    fn new(len: usize) -> Self {
        let built = frame().ipv4("10.9.0.0", "10.0.0.2").protocol(17).payload(vec![0x5a; len]);
        Writer { bytes: built.build(), len: len as u32 }
    }

    /// One piece from a sender of this number.
    fn push(
        &mut self,
        defrag: &mut Defragmenter,
        sender: u32,
        id: u16,
        offset: u32,
        more: bool,
    ) -> Disposition {
        self.bytes[12..16].copy_from_slice(&sender.to_be_bytes());
        self.bytes[4..6].copy_from_slice(&id.to_be_bytes());
        let fragment = Fragment { id: u32::from(id), offset, more, header_at: 0 };
        let payload = Payload::new(20, self.len, self.len);
        let view = PacketView::new(&self.bytes, LinkType::RAW, at(0));
        match defrag.push(&view, &fragment, &Path::EMPTY, &payload, at(0)) {
            Defragmented::Held => Disposition::Held,
            Defragmented::Dropped(loss) => Disposition::Dropped(loss),
            Defragmented::Complete(joined) => {
                let disposition = Disposition::of(&joined);
                defrag.recycle(joined);
                disposition
            }
        }
    }
}

/// Runs an attack of `packets` packets with an ordinary datagram of three pieces spread over every
/// hundred of them; returns how many of those were joined, of how many.
fn under_attack(
    defrag: &mut Defragmenter,
    packets: u32,
    mut attack: impl FnMut(&mut Defragmenter, u32),
) -> (u32, u32) {
    const BUDGET: usize = 4 << 20;
    let ordinary = [[2, 3000], [3, 2500], [6, 100]].map(|[name, len]| pieces(name, len, &[48, 96]));
    let (mut joined, mut sent, mut frames) = (0, 0, 0);
    let started = Instant::now();
    for n in 0..packets {
        attack(defrag, n);
        if let Some(piece) = [10, 40, 70].iter().position(|at| *at == n % 100) {
            let whole = &ordinary[(n / 100 % 3) as usize];
            let disposition = push(defrag, &whole[piece], at(0));
            frames += 1;
            if piece == 2 {
                sent += 1;
                joined += u32::from(matches!(disposition, Disposition::ReassembledDatagram { .. }));
            }
        }
        assert!(defrag.heap_bytes() <= BUDGET, "{} bytes", defrag.heap_bytes());
    }
    let accounted = defrag.ledger().seen() + defrag.held_frames() + u64::from(joined) * 3;
    assert_eq!(accounted, u64::from(packets) + frames);
    println!("{packets} packets in {:?}, {joined} of {sent} joined", started.elapsed());
    (joined, sent)
}

fn pool() -> Defragmenter {
    Defragmenter::new(DefragConfig::default())
}

#[test]
fn datagrams_that_are_never_whole() {
    for len in [8, 512, 1480] {
        let (mut defrag, mut writer) = (pool(), Writer::new(len));
        let (joined, sent) = under_attack(&mut defrag, MILLION, |defrag, n| {
            writer.push(defrag, n, 1, 0, true);
        });
        assert_eq!(joined, sent);
    }
}

#[test]
fn datagrams_of_which_only_the_end_comes() {
    let (mut defrag, mut writer) = (pool(), Writer::new(8));
    let (joined, sent) = under_attack(&mut defrag, MILLION, |defrag, n| {
        writer.push(defrag, n, 1, 65_504, false);
    });
    assert_eq!(joined, sent);
}

#[test]
fn overlaps_in_a_million_datagrams() {
    let (mut defrag, mut writer) = (pool(), Writer::new(16));
    let (joined, sent) = under_attack(&mut defrag, MILLION, |defrag, n| {
        writer.push(defrag, n / 2, 1, n % 2 * 8, true);
    });
    assert_eq!(joined, sent);
    assert_eq!(defrag.ledger().lost(Loss::FragOverlap), u64::from(MILLION));
}

#[test]
fn eight_bytes_at_a_time_in_any_order() {
    // Ascending, descending, and every third piece first.
    let orders: [fn(u32) -> u32; 3] = [|n| n, |n| 8188 - n, |n| n * 3 % 8189];
    for order in orders {
        let (mut defrag, mut writer) = (pool(), Writer::new(8));
        let (joined, sent) = under_attack(&mut defrag, MILLION, |defrag, n| {
            let (datagram, piece) = (n / 8189, order(n % 8189));
            writer.push(defrag, datagram, 1, piece * 8, piece < 8188);
        });
        assert_eq!(joined, sent);
        assert!(defrag.ledger().lost(Loss::FragCap) > 0);
    }
}

#[test]
fn eight_bytes_at_a_time_are_joined_if_that_is_asked_for() {
    let config = DefragConfig::default().max_fragments(8192.try_into().unwrap());
    let (mut defrag, mut writer) = (Defragmenter::new(config), Writer::new(8));
    for round in 0..MILLION / 8189 {
        for n in (0..8189).rev() {
            let disposition = writer.push(&mut defrag, 1, round as u16, n * 8, n < 8188);
            assert_eq!(matches!(disposition, Disposition::ReassembledDatagram { .. }), n == 0);
        }
    }
}

#[test]
fn the_same_id_again_and_again() {
    let (mut defrag, mut writer) = (pool(), Writer::new(8));
    let mut whole = 0;
    let started = Instant::now();
    for _ in 0..MILLION / 2 {
        writer.push(&mut defrag, 1, 1, 0, true);
        whole += u32::from(matches!(
            writer.push(&mut defrag, 1, 1, 8, false),
            Disposition::ReassembledDatagram { .. }
        ));
    }
    println!("{whole} datagrams in {:?}", started.elapsed());
    assert_eq!(whole, MILLION / 2);
    assert_eq!((defrag.ledger().seen(), defrag.held_frames()), (0, 0));
    // The same piece for ever is one piece and its copies.
    for _ in 0..1000 {
        writer.push(&mut defrag, 1, 1, 0, true);
    }
    assert_eq!((defrag.ledger().seen(), defrag.held_frames()), (0, 1000));
}

#[test]
fn an_attack_that_ends_leaves_room_and_little_memory() {
    let (mut defrag, mut writer) = (pool(), Writer::new(1480));
    for n in 0..20_000 {
        writer.push(&mut defrag, n, 1, 0, true);
    }
    assert!(defrag.heap_bytes() > 3 << 20, "{} bytes", defrag.heap_bytes());
    let mut calls = 0;
    while defrag.expire(at(31_000), 64) == Progress::More {
        calls += 1;
    }
    assert!(calls < 100);
    assert_eq!(defrag.held_frames(), 0);
    assert!(defrag.heap_bytes() < 2 << 20, "{} bytes", defrag.heap_bytes());
    assert_eq!(
        push(&mut defrag, &piece(0, 0, 8, true), Timestamp::from_secs(32)),
        Disposition::Held
    );
}

//! One rule, one test.

use std::num::NonZeroUsize;
use std::time::Duration;

use flowscope_core::{
    Fragment, LinkType, Loss, NextHeader, PacketView, Path, Payload, Progress, Timestamp,
};
use flowscope_reassembly::{DefragConfig, Defragmented, Defragmenter};
use flowscope_testkit::{Frame, frame, internet_checksum};

use crate::piece::{Disposition, at, piece, pieces, push, push_in, push_seen_at, tunnel};

fn pool() -> Defragmenter {
    Defragmenter::new(DefragConfig::default())
}

fn joins(disposition: &Disposition) -> bool {
    matches!(disposition, Disposition::ReassembledDatagram { .. })
}

/// Pushes raw IP fragments of which the payload begins at `payload_at`.
fn join_all(fragments: &[Vec<u8>], payload_at: u32, size: u32) -> Option<(Vec<u8>, u32)> {
    let mut defrag = pool();
    let mut joined = None;
    for (index, bytes) in fragments.iter().enumerate() {
        let more = index + 1 < fragments.len();
        let offset = index as u32 * size;
        let fragment = Fragment { id: 1, offset, more, header_at: 0 };
        let len = bytes.len() as u32 - payload_at;
        let payload = Payload::new(payload_at, len, len);
        let view = PacketView::new(bytes, LinkType::RAW, at(0));
        if let Defragmented::Complete(whole) =
            defrag.push(&view, &fragment, &Path::EMPTY, &payload, at(0))
        {
            joined = Some((whole.view().frame().to_vec(), whole.view().frames()));
        }
    }
    joined
}

#[test]
fn an_ipv4_header_keeps_its_options_and_a_right_checksum() {
    let whole = |f: Frame| f.udp(1, 2).payload([9; 100]);
    let header = frame().ipv4("10.0.0.1", "10.0.0.2").options(&[148, 4, 0, 0]);
    let fragments = whole(header.clone()).fragments(1, 48);
    let (bytes, frames) = join_all(&fragments, 24, 48).expect("joined");
    assert_eq!(bytes, whole(header.fragment(1, 0, false)).build());
    assert_eq!(internet_checksum(&[&bytes[..24]]), 0);
    assert_eq!(frames, 3);
}

#[test]
fn dont_fragment_on_a_fragment_stays() {
    let whole = frame().ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).payload([9; 40]);
    let mut fragments = whole.fragments(1, 24);
    fragments.iter_mut().for_each(|bytes| bytes[6] |= 0x40);
    let (bytes, _) = join_all(&fragments, 20, 24).expect("joined");
    assert_eq!(bytes[6..8], [0x40, 0]);
}

#[test]
fn ipv6_extension_headers_before_the_fragment_header_stay() {
    let header =
        frame().ipv6("::1", "::2").hop_by_hop(&[]).routing(&[0; 14]).auth().destination(&[]);
    let before = 40 + 8 + 16 + 24 + 8;
    let whole = header.clone().udp(1, 2).payload([9; 100]).build();
    let data = &whole[before..];
    let fragments: Vec<Vec<u8>> = (0..3)
        .map(|n| {
            let piece = &data[n * 40..data.len().min(n * 40 + 40)];
            let head = header.clone().protocol(17).fragment(1, n as u16 * 40, n < 2);
            head.payload(piece).build()
        })
        .collect();
    let (bytes, _) = join_all(&fragments, before as u32 + 8, 40).expect("joined");
    assert_eq!(bytes, whole);
}

#[test]
fn ipv6_takes_the_next_header_of_the_first_piece() {
    let mut fragments = frame().ipv6("::1", "::2").udp(1, 2).payload([9; 40]).fragments(1, 24);
    fragments[1][40] = 6;
    let (bytes, _) = join_all(&fragments, 48, 24).expect("joined");
    assert_eq!(bytes[6], 17);
}

#[test]
fn ipv4_datagrams_differ_by_protocol_ipv6_ones_do_not() {
    let mut defrag = pool();
    let mut push = |bytes: &[u8], payload_at: u32, offset: u32| {
        let fragment = Fragment { id: 1, offset, more: offset == 0, header_at: 0 };
        let payload = Payload::new(payload_at, 24, 24);
        let view = PacketView::new(bytes, LinkType::RAW, at(0));
        let disposition = defrag.push(&view, &fragment, &Path::EMPTY, &payload, at(0));
        matches!(disposition, Defragmented::Complete(_))
    };
    let v4 = frame().ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).payload([9; 40]).fragments(1, 24);
    let mut other = v4[1].clone();
    other[9] = 6;
    assert!(!push(&v4[0], 20, 0));
    assert!(!push(&other, 20, 24));
    assert!(push(&v4[1], 20, 24));
}

#[test]
fn the_view_stands_at_the_ip_header_below_the_tunnels() {
    let mut defrag = pool();
    let path = tunnel(7);
    let whole = frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).payload([9; 40]);
    for (index, bytes) in whole.fragments(1, 24).iter().enumerate().rev() {
        let fragment =
            Fragment { id: 1, offset: index as u32 * 24, more: index == 0, header_at: 14 };
        let payload = Payload::new(34, 24, 24);
        let ts = at(10 - index as u64);
        let view = PacketView::new(bytes, LinkType::ETHERNET, ts).with_interface(index as u32 + 5);
        let Defragmented::Complete(joined) = defrag.push(&view, &fragment, &path, &payload, at(10))
        else {
            continue;
        };
        let view = joined.view();
        assert_eq!(view.cursor().next, NextHeader::Ip);
        assert_eq!((view.cursor().offset, view.cursor().stepped), (0, 0));
        assert_eq!(view.cursor().path, path);
        assert_eq!((view.link(), view.interface()), (LinkType::ETHERNET, Some(5)));
        assert_eq!((view.ts(), view.first_ts()), (at(10), at(9)));
        assert_eq!((view.frames(), view.wire_len()), (2, 2 * (14 + 20 + 24)));
        assert_eq!(view.frame().len(), 20 + 48);
        return;
    }
    panic!("not joined");
}

#[test]
fn tunnels_keep_datagrams_apart() {
    let mut defrag = pool();
    let [first, last] = &pieces(0, 16, &[8])[..] else { panic!("two pieces") };
    assert_eq!(push_in(&mut defrag, first, at(0), &tunnel(1)), Disposition::Held);
    assert_eq!(push_in(&mut defrag, last, at(0), &tunnel(2)), Disposition::Held);
    assert_eq!(push(&mut defrag, last, at(0)), Disposition::Held);
    assert!(joins(&push_in(&mut defrag, last, at(0), &tunnel(1))));
    assert_eq!(defrag.held_frames(), 2);
}

#[test]
fn an_overlap_drops_what_is_held_and_what_comes_later() {
    for name in 0..2 {
        let mut defrag = pool();
        assert_eq!(push(&mut defrag, &piece(name, 0, 16, true), at(0)), Disposition::Held);
        let overlap = Disposition::Dropped(Loss::FragOverlap);
        assert_eq!(push(&mut defrag, &piece(name, 8, 16, true), at(0)), overlap);
        assert_eq!(push(&mut defrag, &piece(name, 0, 16, true), at(1)), overlap);
        assert_eq!(push(&mut defrag, &piece(name, 16, 8, false), at(30_000)), overlap);
        assert_eq!((defrag.held_frames(), defrag.ledger().lost(Loss::FragOverlap)), (0, 4));
        // Its time being over, the same id begins another datagram.
        assert_eq!(push(&mut defrag, &piece(name, 16, 8, false), at(60_001)), Disposition::Held);
        assert!(joins(&push(&mut defrag, &piece(name, 0, 16, true), at(60_002))));
    }
}

#[test]
fn a_copy_with_other_bytes_is_an_overlap_one_that_was_cut_is_not() {
    let mut other = piece(0, 0, 16, true);
    other.bytes[15] ^= 1;
    let mut defrag = pool();
    push(&mut defrag, &piece(0, 0, 16, true), at(0));
    let mut cut = other.clone();
    cut.cut = 1;
    assert_eq!(push(&mut defrag, &cut, at(0)), Disposition::Held);
    assert_eq!(defrag.held_frames(), 2);
    assert_eq!(push(&mut defrag, &other, at(0)), Disposition::Dropped(Loss::FragOverlap));
}

#[test]
fn contradicting_lengths_drop_the_datagram() {
    let malformed = Disposition::Dropped(Loss::HeaderMalformed);
    let conflicts = [
        // Two ends; more beyond the end; an end before what is there.
        [piece(0, 16, 8, false), piece(0, 32, 8, false)],
        [piece(0, 16, 8, false), piece(0, 24, 8, true)],
        [piece(0, 24, 8, true), piece(0, 8, 8, false)],
    ];
    for [first, second] in conflicts {
        let mut defrag = pool();
        assert_eq!(push(&mut defrag, &first, at(0)), Disposition::Held);
        assert_eq!(push(&mut defrag, &second, at(0)), malformed);
        assert_eq!(push(&mut defrag, &piece(0, 0, 8, true), at(0)), malformed);
        assert_eq!(defrag.ledger().lost(Loss::HeaderMalformed), 3);
    }
}

#[test]
fn a_piece_wrong_by_itself_leaves_the_datagram_alone() {
    let malformed = Disposition::Dropped(Loss::HeaderMalformed);
    let mut defrag = pool();
    push(&mut defrag, &piece(0, 0, 8, true), at(0));
    let wrong =
        [(8, 7, true), (8, 0, false), (12, 8, true), (65_520, 8, false), (65_528, 8, false)];
    for (start, len, more) in wrong {
        assert_eq!(push(&mut defrag, &piece(0, start, len, more), at(0)), malformed);
    }
    assert!(joins(&push(&mut defrag, &piece(0, 8, 8, false), at(0))));
}

#[test]
fn the_largest_datagrams_that_lengths_can_say_are_joined() {
    // IPv4 counts its header, IPv6 does not.
    for (name, most) in [(0, 65_515_usize), (1, 65_535)] {
        let cuts: Vec<usize> = (1..most.div_ceil(1480)).map(|n| n * 1480).collect();
        let mut sent = pieces(name, most, &cuts);
        sent.reverse();
        let mut defrag = pool();
        let fates: Vec<Disposition> =
            sent.iter().map(|piece| push(&mut defrag, piece, at(0))).collect();
        let Some(Disposition::ReassembledDatagram { bytes, .. }) = fates.last() else {
            panic!("not joined")
        };
        assert_eq!(bytes.len(), most + if name == 0 { 20 } else { 40 });
        let length = if name == 0 { &bytes[2..4] } else { &bytes[4..6] };
        assert_eq!(length, [0xff, 0xff]);
        let beyond = piece(name, 65_528, 8, false);
        assert_eq!(push(&mut defrag, &beyond, at(0)), Disposition::Dropped(Loss::HeaderMalformed));
    }
}

#[test]
fn a_first_header_that_makes_the_datagram_too_long_drops_it() {
    let mut defrag = pool();
    assert_eq!(push(&mut defrag, &piece(0, 65_504, 8, false), at(0)), Disposition::Held);
    let header = frame().ipv4("10.0.0.1", "10.255.0.2").protocol(17).options(&[1; 24]);
    let bytes = header.fragment(7, 0, true).payload([0; 8]).build();
    let fragment = Fragment { id: 7, offset: 0, more: true, header_at: 0 };
    let payload = Payload::new(44, 8, 8);
    let view = PacketView::new(&bytes, LinkType::RAW, at(0));
    let disposition = defrag.push(&view, &fragment, &Path::EMPTY, &payload, at(0));
    assert!(matches!(disposition, Defragmented::Dropped(Loss::HeaderMalformed)));
    assert_eq!((defrag.held_frames(), defrag.ledger().seen()), (0, 2));
}

#[test]
fn time_runs_from_the_first_piece_and_is_strict() {
    for (name, timeout) in [(0, 30_000), (1, 60_000)] {
        let [first, last] = &pieces(name, 16, &[8])[..] else { panic!("two pieces") };
        let mut defrag = pool();
        push(&mut defrag, first, at(0));
        assert_eq!(defrag.deadline(), Some(at(timeout)));
        assert_eq!(defrag.expire(at(timeout), 9), Progress::Done);
        assert!(joins(&push(&mut defrag, last, at(timeout))));

        push(&mut defrag, first, at(timeout));
        assert_eq!(
            push(&mut defrag, last, at(2 * timeout + 1)),
            Disposition::Held,
            "judged on arrival"
        );
        assert_eq!(defrag.ledger().lost(Loss::FragIncomplete), 1);
    }
}

#[test]
fn expiry_is_bounded_per_call_and_in_order_over_both_families() {
    let config = DefragConfig::default()
        .ipv4_timeout(Duration::from_secs(2))
        .ipv6_timeout(Duration::from_secs(1));
    let mut defrag = Defragmenter::new(config);
    for (name, ms) in [(0, 0), (1, 500), (2, 600), (3, 700)] {
        push(&mut defrag, &piece(name, 0, 8, true), at(ms));
    }
    assert_eq!(defrag.deadline(), Some(at(1500)));
    assert_eq!(defrag.expire(at(2601), 1), Progress::More);
    assert_eq!((defrag.held_frames(), defrag.deadline()), (3, Some(at(1700))));
    assert_eq!(defrag.expire(at(2601), 2), Progress::More);
    assert_eq!(defrag.expire(at(2601), 1), Progress::Done);
    assert_eq!((defrag.held_frames(), defrag.deadline()), (0, None));
}

#[test]
fn a_clock_that_goes_back_expires_nothing_and_makes_nothing_young() {
    let mut defrag = pool();
    push(&mut defrag, &piece(0, 0, 8, true), at(10_000));
    push(&mut defrag, &piece(2, 0, 8, true), at(0));
    assert_eq!(defrag.expire(Timestamp::ZERO, 9), Progress::Done);
    assert_eq!(defrag.deadline(), Some(at(40_000)));
    assert_eq!(defrag.expire(at(40_001), 9), Progress::Done);
    assert_eq!(defrag.held_frames(), 0);
    push(&mut defrag, &piece(0, 0, 8, true), at(50_000));
    push(&mut defrag, &piece(2, 0, 8, true), at(0));
    assert!(joins(&push(&mut defrag, &piece(2, 8, 8, false), at(80_000))));
    // At the end of time nothing is later than a deadline.
    push(&mut defrag, &piece(0, 0, 8, true), Timestamp::MAX);
    assert_eq!(defrag.expire(Timestamp::MAX, 9), Progress::Done);
}

#[test]
fn too_many_pieces_drop_the_datagram() {
    let config = DefragConfig::default().max_fragments(NonZeroUsize::new(3).unwrap());
    let mut defrag = Defragmenter::new(config);
    let fates: Vec<Disposition> =
        pieces(0, 40, &[8, 16, 24, 32]).iter().map(|p| push(&mut defrag, p, at(0))).collect();
    let cap = Disposition::Dropped(Loss::FragCap);
    assert_eq!(fates, [Disposition::Held, Disposition::Held, Disposition::Held, cap.clone(), cap]);
    assert_eq!((defrag.held_frames(), defrag.ledger().lost(Loss::FragCap)), (0, 5));
    let fates: Vec<Disposition> =
        pieces(2, 24, &[8, 16]).iter().map(|p| push(&mut defrag, p, at(0))).collect();
    assert!(joins(&fates[2]));
}

#[test]
fn a_full_pool_gives_up_what_is_due_and_then_the_oldest() {
    let config = DefragConfig::default().max_datagrams(NonZeroUsize::new(2).unwrap());
    let mut defrag = Defragmenter::new(config);
    // The IPv6 datagram is older, the IPv4 one is due first.
    push(&mut defrag, &piece(1, 0, 8, true), at(0));
    push(&mut defrag, &piece(0, 0, 8, true), at(1));
    push(&mut defrag, &piece(2, 0, 8, true), at(31_000));
    assert_eq!(defrag.ledger().lost(Loss::FragIncomplete), 1);
    push(&mut defrag, &piece(4, 0, 8, true), at(31_001));
    assert_eq!(defrag.ledger().lost(Loss::FragCap), 1);
    assert!(joins(&push(&mut defrag, &piece(2, 8, 8, false), at(31_002))));
    assert!(joins(&push(&mut defrag, &piece(4, 8, 8, false), at(31_003))));
}

#[test]
fn half_a_mebibyte_is_enough_for_any_datagram_and_none_is_enough_for_none() {
    let sent = |name, len: usize, size: usize| {
        let cuts: Vec<usize> = (1..len.div_ceil(size)).map(|n| n * size).collect();
        pieces(name, len, &cuts)
    };
    for (name, len, size) in [(0, 65_515, 48), (1, 65_535, 1232), (1, 65_535, 48)] {
        let mut defrag = Defragmenter::new(DefragConfig::default().memory_budget(512 << 10));
        let fates: Vec<Disposition> =
            sent(name, len, size).iter().rev().map(|p| push(&mut defrag, p, at(0))).collect();
        assert!(fates.last().is_some_and(joins), "{len} bytes in pieces of {size}");
    }
    let mut defrag = Defragmenter::new(DefragConfig::default().memory_budget(0));
    for piece in sent(0, 100, 8) {
        assert_eq!(push(&mut defrag, &piece, at(0)), Disposition::Dropped(Loss::FragCap));
        assert_eq!(defrag.heap_bytes(), 0);
    }
}

/// The oldest gives way, also where it is the one that wants more.
#[test]
fn the_oldest_is_given_up_for_its_own_next_piece() {
    let mut defrag = Defragmenter::new(DefragConfig::default().memory_budget(32 << 10));
    assert_eq!(push(&mut defrag, &piece(0, 0, 8, true), at(0)), Disposition::Held);
    assert_eq!(push(&mut defrag, &piece(2, 0, 16_000, true), at(0)), Disposition::Held);
    let more = push(&mut defrag, &piece(0, 8, 16_000, true), at(0));
    assert_eq!(more, Disposition::Dropped(Loss::FragCap));
    assert_eq!((defrag.ledger().lost(Loss::FragCap), defrag.held_frames()), (2, 1));
    assert!(joins(&push(&mut defrag, &piece(2, 16_000, 8, false), at(0))));
}

#[test]
fn a_datagram_that_cannot_fit_makes_nobody_leave() {
    let mut defrag = Defragmenter::new(DefragConfig::default().memory_budget(32 << 10));
    push(&mut defrag, &piece(0, 0, 8, true), at(0));
    assert_eq!(
        push(&mut defrag, &piece(2, 0, 40_000, true), at(0)),
        Disposition::Dropped(Loss::FragCap)
    );
    assert!(joins(&push(&mut defrag, &piece(0, 8, 8, false), at(0))));
}

#[test]
fn headers_that_are_not_what_is_said_of_them_are_refused() {
    let mut defrag = pool();
    let short = frame().ipv4("10.0.0.1", "10.0.0.2").protocol(17).payload([0; 8]).build();
    let plain = frame().ipv6("::1", "::2").protocol(17).payload([0; 16]).build();
    let fragment = frame().ipv6("::1", "::2").protocol(17).fragment(1, 0, true);
    let fragment = fragment.payload([0; 16]).build();
    // (bytes, header, payload)
    let cases: [(&[u8], u32, u32); 8] = [
        (&[], 0, 20),
        (&short[..19], 0, 20),
        (&short, 1, 21),
        (&short, 900, 920),
        (&plain, 0, 48),
        (&fragment, 0, 40),
        (&fragment, 0, 56),
        (&fragment, 0, 0),
    ];
    for (bytes, header_at, offset) in cases {
        let fragment = Fragment { id: 1, offset: 0, more: true, header_at };
        let payload = Payload::new(offset, 8, 8);
        let view = PacketView::new(bytes, LinkType::RAW, at(0));
        let disposition = defrag.push(&view, &fragment, &Path::EMPTY, &payload, at(0));
        assert!(matches!(disposition, Defragmented::Dropped(Loss::HeaderMalformed)), "{offset}");
    }
}

#[test]
fn a_far_offset_costs_no_more_than_a_near_one() {
    let held = |start| {
        let mut defrag = pool();
        push(&mut defrag, &piece(1, start, 8, true), at(0));
        defrag.heap_bytes()
    };
    assert_eq!(held(0), held(65_520));
    assert!(held(65_520) < 8 << 10, "{}", held(65_520));
}

/// After a long silence the watermark lags behind the packets, then leaps to their time.
#[test]
fn a_leap_of_the_watermark_leaves_what_came_during_it() {
    let mut defrag = pool();
    let (first, last) = (piece(1, 0, 16, true), piece(1, 16, 8, false));
    let late = at(9_000_000);
    let held = push_seen_at(&mut defrag, &first, late, at(0));
    assert_eq!(held, Disposition::Held);
    assert_eq!(defrag.expire(late, 64), Progress::Done);
    assert_eq!(defrag.held_frames(), 1);
    assert!(joins(&push_seen_at(&mut defrag, &last, late, late)));
    // A time that is never believed does not keep a piece for ever.
    push_seen_at(&mut defrag, &first, at(u64::from(u32::MAX)), late);
    assert_eq!(defrag.expire(at(9_060_001), 64), Progress::Done);
    assert_eq!(defrag.held_frames(), 0);
}
